"""Cost of a scan: reading, voxels with mean color and majority label, and the way back to its points.

    python -m benchmarks scans --points 100000 1000000 5000000 --score

The scans are made up: points on the floor, three walls and 40 boxes of a room, more of them where there are more
points, with color, labels and instances. Each is written to a file of each format and read by a process of its own, so
that the peak memory is its own; what Python and its packages take before is left out of it. With `--score`, what
`score_scene` costs besides, by `tiny` on the same scans without color. Seconds are of processor time.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import options
from benchmarks.performance.harness import MIB, CpuClock, apart, in_turns, memory, versions
from benchmarks.report.output import write_json
from openshape_ood import KnownClasses, ShapeEncoder, TextEncoder
from openshape_ood.errors import MissingPackageError
from openshape_ood.scenes import Scene, load_scene, majority_label, mean_color, save_scene, spread, voxelize
from openshape_ood.scenes.objects import score_scene

ROOM, BOXES = (8.0, 6.0, 2.6), 40  # meters; things in it
KNOWN = ["bed", "chair", "sofa", "table"]
STAGES = ("read", "voxelize", "mean color", "majority label", "spread", "spacing")


def made_up(count: int, seed: int) -> Scene:
    """A room of `count` points: a tenth of them on boxes, the others on floor and walls."""
    rng = np.random.default_rng(seed)
    points = rng.random((count, 3)) * ROOM
    side = rng.integers(0, 4, count)
    points[side == 0, 2] = 0
    points[side == 1, 0] = 0
    points[side == 2, 0] = ROOM[0]
    points[side == 3, 1] = 0
    labels, instances = side + 1, np.zeros(count, dtype=np.int64)
    low = rng.random((BOXES, 3)) * np.array([*ROOM[:2], 0]) * 0.9
    own = np.arange(count // 10) % BOXES
    there = rng.choice(count, len(own), replace=False)
    flat = rng.integers(0, 3, len(own))
    on = rng.random((len(own), 3))
    on[np.arange(len(own)), flat] = 1
    points[there] = low[own] + 0.6 * on
    labels[there], instances[there] = 5 + own % 15, 1 + own
    color = (rng.integers(0, 256, (count, 3)) / 255).astype(np.float32)
    return Scene(points, color, labels, instances, name=f"{count:,} points")


def write_laz(scene: Scene, path: Path) -> None:
    try:
        import laspy
    except ModuleNotFoundError:
        raise MissingPackageError("laz needs laspy: pip install 'openshape-ood[las]'") from None
    header = laspy.LasHeader(point_format=3, version="1.2")
    header.scales = np.full(3, 1e-4)
    cloud = laspy.LasData(header)
    cloud.x, cloud.y, cloud.z = scene.points.T
    if scene.color is not None:
        cloud.red, cloud.green, cloud.blue = np.rint(scene.color * 65535).astype(np.uint16).T
    cloud.classification = scene.labels
    cloud.write(str(path))


WRITERS: dict[str, Callable[[Scene, Path], Any]] = {"ply": save_scene, "laz": write_laz}


def measure(path: str, size: float) -> dict[str, Any]:
    """Seconds of processor time of each stage, and MiB that all of it took at most, in this process."""
    before, clock = memory(forget=True), CpuClock()
    scene = load_scene(path)
    clock.mark("read")
    after_reading = memory()
    voxels = voxelize(scene.points, size)
    clock.mark("voxelize")
    assert scene.color is not None and scene.labels is not None  # a made-up one has them
    mean_color(voxels, scene.color)
    clock.mark("mean color")
    labels = majority_label(voxels, scene.labels)
    clock.mark("majority label")
    spread(voxels, labels)
    clock.mark("spread")
    scene.spacing()
    clock.mark("spacing")
    peaks = {"read": after_reading, "all": memory()}
    held = {part: (found["peak"] - before["resident"]) / MIB for part, found in peaks.items()}
    return {"points": len(scene), "voxels": len(voxels), "seconds": clock.seconds(), "peak_mib": held}


def measure_scoring(count: int, seed: int) -> dict[str, Any]:
    """Seconds and MiB of finding and judging the objects of a made-up scan, in this process."""
    encoder = ShapeEncoder.from_pretrained("tiny")
    known = KnownClasses.from_names(KNOWN, TextEncoder.from_pretrained("tiny"))
    # its colors are noise, which no surface has
    scene = Scene(made_up(count, seed).points, name=f"{count:,} points")
    before, clock = memory(forget=True), CpuClock()
    found = score_scene(scene, known, encoder=encoder)
    clock.mark("score_scene")
    peak = (memory()["peak"] - before["resident"]) / MIB
    told = {"points": len(scene), "candidates": found.proposals.candidates, "objects": len(found)}
    return told | {"seconds": clock.seconds()["score_scene"], "peak_mib": peak}


def scoring_table(found: Sequence[dict[str, Any]]) -> str:
    head = {"points": ",", "candidates": ",", "objects": ",", "seconds": ".1f", "peak_mib": ",.0f"}
    return options.grid(tuple(head), [[f"{one[key]:{form}}" for key, form in head.items()] for one in found])


def table(found: Sequence[dict[str, Any]]) -> str:
    head = ["format", "points", "file MiB", "voxels", *(f"{stage} s" for stage in STAGES), "read MiB", "all MiB"]
    rows = []
    for one in found:
        counts = [f"{one['points']:,}", f"{one['file_mib']:,.0f}", f"{one['voxels']:,}"]
        times = [f"{one['seconds'][stage]:.2f}" for stage in STAGES]
        rows.append([one["format"], *counts, *times, *(f"{one['peak_mib'][part]:,.0f}" for part in ("read", "all"))])
    return options.grid(head, rows)


def run(args: argparse.Namespace) -> None:
    options.check(args, points=100)
    results = []
    with tempfile.TemporaryDirectory(prefix="scans-") as folder:
        for count in args.points:
            for kind in args.formats:
                path = Path(folder, f"{count}.{kind}")
                WRITERS[kind](made_up(count, args.seed), path)
                say = f"{count:,} points, {kind}" if args.progress else ""
                task = partial(apart, path.name, measure, str(path), args.voxel_size)
                runs = [one.found for one in in_turns({"reading": task}, args.repeats, say)["reading"]]
                seconds = {stage: median(one["seconds"][stage] for one in runs) for stage in STAGES}
                size = path.stat().st_size / MIB
                results.append(runs[-1] | {"format": kind, "file_mib": size, "seconds": seconds})
                path.unlink()
    scored = [apart("score_scene", measure_scoring, n, args.seed).found for n in args.points if args.score]
    print(f"voxels of {args.voxel_size:g} m, medians of {args.repeats}\n\n{table(results)}")
    if scored:
        print(f"\n{scoring_table(scored)}")
    settings = {name: value for name, value in vars(args).items() if name not in ("out", "progress")}
    found = {"benchmark": "scans", "settings": settings, "versions": versions("numpy"), "results": results}
    name = f"scans{options.suffix(args, formats=['ply', 'laz', 'npz'])}.json"  # those of the package
    print(f"\n{write_json(args.out / name, found | ({'scoring': scored} if scored else {}))}")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table and write the JSON: 0 when done, 1 when the input was wrong."""
    parser = options.parser("scans", "time and memory of reading scans and of their voxels", "seed", "repeats")
    parser.add_argument("--points", type=int, nargs="+", default=[100_000, 1_000_000, 5_000_000])
    parser.add_argument("--formats", nargs="+", choices=WRITERS, default=["ply"])
    parser.add_argument("--voxel-size", type=float, default=0.02, help="meters (default: 0.02)")
    parser.add_argument("--score", action="store_true", help="score_scene too, once for each number of points")
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))
