"""`python -m benchmarks engines`: embed generated meshes by both engines of `openshape-ood embed`, and compare them.

With --kill, one of Ray's two workers gets SIGKILL after a third of the shapes. Each engine runs in its own process. Its
memory is the sum over all child processes, with shared pages counted once (Linux).
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import options
from benchmarks.performance.harness import apart, in_turns, versions, write_meshes
from benchmarks.report.output import write_json
from openshape_ood.errors import OpenShapeError

ENGINES = ("local", "ray")
BROKEN = 5  # number of invalid files


def write_shapes(folder: Path, count: int, seed: int) -> None:
    """Write `count` meshes, alternately OBJ and PLY, and `BROKEN` invalid files."""
    write_meshes(folder, count, seed, ("obj", "ply"))
    for i in range(BROKEN):
        (folder / f"broken-{i}.ply").write_text("no mesh", encoding="ascii")


class Steps:
    """Progress callback: records times and counts; with `kill_at`, kills the worker that reaches this count."""

    def __init__(self, kill_at: int) -> None:
        self.times: list[tuple[float, int]] = []
        self.done, self.kill_at, self.killed = 0, kill_at, 0

    def __call__(self, count: int, process: int) -> None:
        self.done += count
        self.times.append((time.perf_counter(), self.done))
        if self.kill_at and not self.killed and self.done >= self.kill_at:
            self.killed = process
            os.kill(process, signal.SIGKILL)

    def steady(self) -> float | None:
        """Shapes per second from the first to the last call, without the start; None for fewer than two calls."""
        if len(self.times) < 2:
            return None
        (first, before), (last, after) = self.times[0], self.times[-1]
        return (after - before) / max(last - first, 1e-9)


def run_engine(engine: str, shapes: str, table: str, workers: int, kill: bool) -> dict[str, Any]:
    """Run one engine in this process; returns counts, seconds and rates."""
    from openshape_ood.cli.inputs import list_items
    from openshape_ood.embedding_store.jobs import Cluster, Settings, embed

    items = list(list_items([shapes]).items)
    steps = Steps(len(items) // 3 if kill and engine == "ray" else 0)
    settings = Settings("tiny", device="cpu", shard_rows=max(16, min(1000, len(items) // 8)))
    cluster = Cluster(workers=workers) if engine == "ray" else None
    start = time.perf_counter()
    done = embed(items, Path(table), settings, engine=engine, cluster=cluster, step=steps)
    seconds = time.perf_counter() - start
    counts = {"engine": engine, "rows_in": len(items), "embedded": done.embedded, "failed": len(done.failed)}
    rates = {"shapes_per_second": len(items) / seconds, "shapes_per_second_after_start": steps.steady()}
    return counts | {"seconds": seconds} | rates | {"killed_worker": bool(steps.killed)}


def count_rows(table: Path) -> dict[str, int]:
    """Number of embeddings, errors and duplicate ids in a table."""
    from openshape_ood.embedding_store import read_embeddings, read_errors

    ids = Counter(id for batch in read_embeddings(table, ("id",)) for id in batch["id"])
    errors = Counter(one.id for one in read_errors(table))
    twice = sum(count - 1 for count in (*ids.values(), *errors.values())) + len(ids.keys() & errors.keys())
    return {"rows_out": sum(ids.values()), "errors": sum(errors.values()), "duplicates": twice}


def largest_difference(tables: Sequence[Path]) -> float:
    """Largest absolute difference between embeddings of two tables. Raises `OpenShapeError` if their ids differ."""
    from openshape_ood.embedding_store import read_embeddings

    a, b = (
        {id: z for part in read_embeddings(table) for id, z in zip(part["id"], part["embedding"], strict=True)}
        for table in tables
    )
    if a.keys() != b.keys():
        raise OpenShapeError("the engines embedded different shapes; expected the same ids in both tables")
    return max(float(np.abs(a[id] - b[id]).max()) for id in a)


def is_sound(result: dict[str, Any]) -> bool:
    """True if every input occurs exactly once in the output."""
    return result["rows_out"] + result["errors"] == result["rows_in"] and not result["duplicates"]


def table(results: Sequence[dict[str, Any]]) -> str:
    head = ["engine", "rows in", "rows out", "errors", "duplicates", "worker killed", "seconds", "shapes/s"]
    head += ["shapes/s after start", "peak MiB", "processes left"]
    rows = []
    for one in results:
        steady, peak = one["shapes_per_second_after_start"], one["peak_mib"]
        row = [one["engine"], *(f"{one[key]:,}" for key in ("rows_in", "rows_out", "errors", "duplicates"))]
        row += ["yes" if one["killed_worker"] else "no", f"{one['seconds']:.1f}", f"{one['shapes_per_second']:.1f}"]
        row += [f"{steady:.1f}" if steady else "–", f"{peak:,.0f}" if peak else "–", str(one["processes_left"])]
        rows.append(row)
    return options.grid(head, rows)


def run(args: argparse.Namespace) -> int:
    options.check(args, count=1, workers=1)
    with tempfile.TemporaryDirectory(prefix="openshape-ood-") as place:
        folder = Path(place)
        write_shapes(folder / "shapes", args.count, args.seed)

        def engine(name: str) -> dict[str, Any]:
            given = (name, str(folder / "shapes"), str(folder / name), args.workers, args.kill)
            child = apart(f"engine {name}", run_engine, *given, watch=True, show=True)
            seen = {"peak_mib": child.peak_mib, "processes_left": child.left}
            return child.result | seen | count_rows(folder / name)

        say = f"{args.count:,} meshes and {BROKEN} broken files" if args.progress else ""
        results = [one for (one,) in in_turns({name: partial(engine, name) for name in ENGINES}, 1, say).values()]
        difference = largest_difference([folder / name for name in ENGINES])
    print(table(results))
    print(f"\nlargest difference of unit embeddings: {difference:.1e}")
    settings = {name: getattr(args, name) for name in ("count", "workers", "kill", "seed")}
    report = {"benchmark": "engines", **settings, "broken": BROKEN, "cores": os.cpu_count()}
    report |= {"versions": versions("torch", "numpy", "pyarrow", "ray"), "largest_difference": difference}
    name = f"engines{options.suffix(args, kill=True)}.json"  # the committed results have --kill
    print(write_json(args.out / name, report | {"results": results}))
    return 0 if all(map(is_sound, results)) else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status, which is 1 if a row is missing or duplicate."""
    parser = options.parser(
        "engines", "embed generated meshes by both engines of openshape-ood embed, and compare", "seed"
    )
    parser.add_argument("--count", type=int, default=5000, help="number of meshes")
    parser.add_argument("--workers", type=int, default=2, help="workers of Ray, one core each")
    parser.add_argument("--kill", action="store_true", help="kill one of Ray's workers after a third of the shapes")
    return options.run(parser, run, argv)
