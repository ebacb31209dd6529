"""Time and memory of scans: reading, voxels with mean color and majority label, and labels from voxels back to points.

    python -m benchmarks scans --points 100000 1000000 5000000

The scans are simulated: points on floor, three walls and 40 boxes of a room, with color, labels and instances. Each
file is read in its own process, which gives the peak memory without Python and its packages. Times are CPU seconds.
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
from openshape_ood.errors import MissingPackageError
from openshape_ood.scenes import Scene, load_scene, majority_label, mean_color, save_scene, spread, voxelize

ROOM, BOXES = (8.0, 6.0, 2.6), 40  # size in meters; number of boxes
STAGES = ("read", "voxelize", "mean color", "majority label", "spread", "spacing")


def made_up(count: int, seed: int) -> Scene:
    """A room with `count` points: a tenth on boxes, the others on floor and walls."""
    rng = np.random.default_rng(seed)
    points = rng.random((count, 3)) * ROOM
    side = rng.integers(0, 4, count)
    points[side == 0, 2] = 0
    points[side == 1, 0] = 0
    points[side == 2, 0] = ROOM[0]
    points[side == 3, 1] = 0
    labels, instances = side + 1, np.zeros(count, dtype=np.int64)
    low = rng.random((BOXES, 3)) * np.array([*ROOM[:2], 0]) * 0.9
    box = np.arange(count // 10) % BOXES
    there = rng.choice(count, len(box), replace=False)
    flat = rng.integers(0, 3, len(box))
    on = rng.random((len(box), 3))
    on[np.arange(len(box)), flat] = 1
    points[there] = low[box] + 0.6 * on
    labels[there], instances[there] = 5 + box % 15, 1 + box
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
    """CPU seconds of each stage, and peak MiB, in this process."""
    before, clock = memory(forget=True), CpuClock()
    scene = load_scene(path)
    clock.mark("read")
    after_reading = memory()
    voxels = voxelize(scene.points, size)
    clock.mark("voxelize")
    assert scene.color is not None and scene.labels is not None  # simulated scans have both
    mean_color(voxels, scene.color)
    clock.mark("mean color")
    labels = majority_label(voxels, scene.labels)
    clock.mark("majority label")
    spread(voxels, labels)
    clock.mark("spread")
    scene.spacing()
    clock.mark("spacing")
    peaks = {"read": after_reading, "all": memory()}
    held = {part: (one["peak"] - before["resident"]) / MIB for part, one in peaks.items()}
    return {"points": len(scene), "voxels": len(voxels), "seconds": clock.seconds(), "peak_mib": held}


def table(results: Sequence[dict[str, Any]]) -> str:
    head = ["format", "points", "file MiB", "voxels", *(f"{stage} s" for stage in STAGES), "read MiB", "all MiB"]
    rows = []
    for one in results:
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
                runs = [one.result for one in in_turns({"reading": task}, args.repeats, say)["reading"]]
                seconds = {stage: median(one["seconds"][stage] for one in runs) for stage in STAGES}
                size = path.stat().st_size / MIB
                results.append(runs[-1] | {"format": kind, "file_mib": size, "seconds": seconds})
                path.unlink()
    print(f"voxels of {args.voxel_size:g} m, medians of {args.repeats}\n\n{table(results)}")
    settings = {name: value for name, value in vars(args).items() if name not in ("out", "progress")}
    report = {"benchmark": "scans", "settings": settings, "versions": versions("numpy"), "results": results}
    name = f"scans{options.suffix(args, formats=['ply', 'laz', 'npz'])}.json"  # formats of the committed results
    print(f"\n{write_json(args.out / name, report)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = options.parser("scans", "time and memory of reading scans and of their voxels", "seed", "repeats")
    parser.add_argument("--points", type=int, nargs="+", default=[100_000, 1_000_000, 5_000_000])
    parser.add_argument("--formats", nargs="+", choices=WRITERS, default=["ply"])
    parser.add_argument("--voxel-size", type=float, default=0.02, help="meters (default: 0.02)")
    return options.run(parser, run, argv)
