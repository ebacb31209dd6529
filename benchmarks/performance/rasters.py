"""Time and memory of rasters of large clouds: from a file of points to tiles, and back to a file of scored points.

    python -m benchmarks rasters --points 1 10 50

Each cloud is a generated straight road, 6 m wide, with 6,000 points per square meter, slope, camber, roughness and a
pit every ten meters. It is a binary PLY file with intensity. The score of a cell is its height, so that no time for
networks is included. Each run has its own process, which gives its peak memory.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import options
from benchmarks.performance.harness import MIB, apart, in_turns, machine, memory, versions
from benchmarks.report.output import write_json
from openshape_ood.shapes.formats.ply import ply_header

WIDTH, DENSITY = 6.0, 6000  # width in meters; points per square meter
EVERY, RADIUS, DEEP = 10.0, 0.15, 0.05  # meters: distance between pits, their radius and depth
STEP = 1_000_000  # points generated at once
ROWS = np.dtype([(name, "<f4") for name in ("x", "y", "z", "intensity")])


def write_road(path: Path, count: int) -> None:
    """Write a binary PLY file of a road with `count` points; at most `STEP` points are in memory."""
    with path.open("wb") as file:
        file.write(ply_header(ROWS, count))
        for start in range(0, count, STEP):
            rng = np.random.default_rng([0, start])
            rows = np.empty(min(STEP, count - start), ROWS)
            along = (start + np.sort(rng.uniform(0, len(rows), len(rows)))) / (WIDTH * DENSITY)
            across = rng.uniform(-WIDTH / 2, WIDTH / 2, len(rows))
            pit = np.hypot(along % EVERY - EVERY / 2, across - 1) < RADIUS
            rows["x"], rows["y"] = along, across
            rows["z"] = 0.03 * along - 0.025 * np.abs(across) + rng.normal(0, 0.002, len(rows)) - DEEP * pit
            rows["intensity"] = rng.gamma(9, np.where(pit, 20, 50))
            file.write(rows.tobytes())


def measured(folder: str, count: int, cell: float, block: int) -> dict[str, Any]:
    """Seconds, MiB and detection of pits for one cloud, in this process."""
    from openshape_ood.surfaces import Raster, Rasterizer, raster_blocks, score_file

    source, out = Path(folder) / "road.ply", Path(folder) / "scored.ply"
    few = Path(folder) / "few.ply"
    rasterizer = Rasterizer(cell=cell, channels=("height", "intensity", "normal"))
    write_road(few, 20_000)  # the first call imports scipy
    list(raster_blocks(few, rasterizer))
    write_road(source, count)
    tiles = 0

    def score(raster: Raster) -> np.ndarray:
        nonlocal tiles
        tiles += len(raster)
        return np.abs(np.nan_to_num(raster.values("height")))

    before = memory(forget=True)
    began, cpu = time.perf_counter(), time.process_time()
    score_file(source, rasterizer, score, out, block_points=block, scratch=folder)
    seconds, busy = time.perf_counter() - began, time.process_time() - cpu
    after, times = memory(), {"points": count, "tiles": tiles, "seconds": seconds, "cpu_seconds": busy}
    held = {"peak_mib": after["peak"] / MIB, "before_mib": before["resident"] / MIB}
    return times | held | _agreement(out) | {"file_mib": source.stat().st_size / MIB}


def _agreement(path: Path) -> dict[str, float]:
    """Fraction of scored points of a road, and IoU of its pits."""
    from openshape_ood.shapes.columns import cloud_pieces

    seen, both, either, points = 0, 0, 0, 0
    for piece in cloud_pieces(path, ("novelty",)):
        pit = np.hypot(piece["x"] % EVERY - EVERY / 2, piece["y"] - 1) < RADIUS
        novel = piece["novelty"] > DEEP / 2
        seen, points = seen + int(np.isfinite(piece["novelty"]).sum()), points + len(pit)
        both, either = both + int((pit & novel).sum()), either + int((pit | novel).sum())
    return {"seen": seen / points, "iou": both / max(1, either)}


def table(results: Sequence[dict[str, Any]]) -> str:
    """One row per cloud."""
    head = [
        "points", "tiles", "seconds", "of CPU", "points / CPU second", "peak MiB", "file MiB", "seen %", "IoU of pits",
    ]  # fmt: skip
    rows = []
    for one in results:
        times = [f"{one['seconds']:.0f}", f"{one['cpu_seconds']:.0f}", f"{one['points'] / one['cpu_seconds']:,.0f}"]
        held = [f"{one['peak_mib']:,.0f}", f"{one['file_mib']:,.0f}", f"{100 * one['seen']:.2f}", f"{one['iou']:.3f}"]
        rows.append([f"{one['points']:,}", f"{one['tiles']:,}", *times, *held])
    return options.grid(head, rows)


def run(args: argparse.Namespace) -> None:
    options.check(args, block=1000, points=0.01)
    counts, before, results = [round(1e6 * millions) for millions in args.points], machine(), []
    for count in counts:
        with TemporaryDirectory(dir=args.scratch) as folder:
            name = f"{count:,} points"
            runs = {name: lambda c=count, f=folder: apart("rasters", measured, f, c, args.cell, args.block)}
            results += [one.result for (one,) in in_turns(runs, 1, "rasters" if args.progress else "").values()]
        print(table(results[-1:]), flush=True)
    print(f"\n{table(results)}")
    report = {"benchmark": "rasters", "cell": args.cell, "block": args.block, "machine": before}
    report |= {"versions": versions("numpy", "scipy"), "results": results}
    name = f"rasters{options.suffix(args, 'scratch')}.json"
    print(f"\n{write_json(args.out / name, report)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = options.parser("rasters", "time and memory of rasters of large clouds, from file to file")
    options.add_numbers(
        parser, points=([1.0, 10.0, 50.0], "millions of points per cloud"), cell=(0.02, "cell size, meters"),
        block=(1_000_000, "points in memory at once"),
    )  # fmt: skip
    parser.add_argument("--scratch", type=Path, help="folder for the clouds, about 150 bytes per point")
    return options.run(parser, run, argv)
