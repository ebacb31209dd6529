"""Generated meshes through both engines of `openshape-ood embed`: rows, rates, memory, and a worker that is killed.

    python -m benchmarks.engines --count 5000 --kill

Writes meshes as PLY and OBJ, and a few broken files, into a temporary folder, embeds them with `tiny` by the local
engine and by Ray with two workers, and compares the tables. With --kill one of Ray's workers gets SIGKILL when a third
of the shapes is done. Each engine runs in a process of its own; its memory is that of all processes under it, shared
pages counted once, sampled five times a second (Linux). Rates are of one machine: compare them with each other only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report.output import write_json
from openshape_ood.errors import InputError, OpenShapeError

ENGINES = ("local", "ray")
BROKEN = 5  # files that cannot be read
PERIOD = 0.2  # seconds between two looks at the memory
MIB = 1 << 20


def write_shapes(folder: Path, count: int, seed: int) -> None:
    """`count` meshes, every other one PLY, in a folder a category, and `BROKEN` files that are none."""
    from openshape_ood.synthetic import categories, generate

    names = categories()
    for i in range(count):
        name = names[i % len(names)]
        mesh = generate(name, seed + i)
        path = folder / name / f"{i:07}.{'ply' if i % 2 else 'obj'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write = _ply if i % 2 else _obj
        path.write_text("\n".join(write(mesh.vertices, mesh.faces)) + "\n", encoding="ascii")
    for i in range(BROKEN):
        (folder / f"broken-{i}.ply").write_text("no mesh", encoding="ascii")


def _obj(vertices: np.ndarray, faces: np.ndarray) -> Iterator[str]:
    yield from (f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices)
    yield from (f"f {a} {b} {c}" for a, b, c in faces + 1)


def _ply(vertices: np.ndarray, faces: np.ndarray) -> Iterator[str]:
    yield from ("ply", "format ascii 1.0", f"element vertex {len(vertices)}")
    yield from (f"property float {axis}" for axis in "xyz")
    yield from (f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header")
    yield from (f"{x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices)
    yield from (f"3 {a} {b} {c}" for a, b, c in faces)


class Steps:
    """When how many shapes were done; and, if asked for, the end of the worker that has done the first third."""

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
        """Shapes a second between the first and the last news: without the start."""
        if len(self.times) < 2:
            return None
        (first, before), (last, after) = self.times[0], self.times[-1]
        return (after - before) / max(last - first, 1e-9)


def run_engine(engine: str, shapes: Path, table: Path, workers: int, kill: bool) -> dict[str, Any]:
    """One engine, in this process: counts, seconds, rates."""
    from openshape_ood.cli.inputs import list_items
    from openshape_ood.embedding_store.jobs import Cluster, Settings, embed

    items = list(list_items([str(shapes)]).items)
    steps = Steps(len(items) // 3 if kill and engine == "ray" else 0)
    settings = Settings("tiny", device="cpu", shard_rows=max(16, min(1000, len(items) // 8)))
    cluster = Cluster(workers=workers) if engine == "ray" else None
    start = time.perf_counter()
    done = embed(items, table, settings, engine=engine, cluster=cluster, step=steps)
    seconds = time.perf_counter() - start
    return {
        "engine": engine,
        "rows_in": len(items),
        "embedded": done.embedded,
        "failed": len(done.failed),
        "seconds": seconds,
        "shapes_per_second": len(items) / seconds,
        "shapes_per_second_after_start": steps.steady(),
        "killed_worker": bool(steps.killed),
    }


def run_apart(engine: str, shapes: Path, table: Path, workers: int, kill: bool) -> dict[str, Any]:
    """The same in a process of its own, with the peak of its memory and what it leaves behind."""
    command = [sys.executable, "-m", "benchmarks.engines", "--only", engine, "--shapes", str(shapes)]
    command += ["--table", str(table), "--workers", str(workers), *(["--kill"] if kill else [])]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    peak, seen = 0.0, set[int]()
    while child.poll() is None:
        family = _family(child.pid)
        seen |= family
        peak = max(peak, sum(map(_memory, family)))
        time.sleep(PERIOD)
    assert child.stdout is not None
    said = child.stdout.read()
    if child.returncode:
        raise OpenShapeError(f"the engine {engine} ended with status {child.returncode}")
    left = sum(1 for process in seen if _memory(process))
    return {**json.loads(said.splitlines()[-1]), "peak_mib": peak or None, "processes_left": left}


def count_rows(table: Path) -> dict[str, int]:
    """What is in a table, counted anew."""
    from openshape_ood.embedding_store import read_embeddings, read_errors

    ids = Counter(id for batch in read_embeddings(table, ("id",)) for id in batch["id"])
    errors = Counter(one.id for one in read_errors(table))
    both = len(ids.keys() & errors.keys())
    twice = sum(count - 1 for count in (*ids.values(), *errors.values())) + both
    return {"rows_out": sum(ids.values()), "errors": sum(errors.values()), "duplicates": twice}


def largest_difference(tables: Sequence[Path]) -> float:
    """Of any number of the unit embeddings of two tables; raises `OpenShapeError` where their ids differ."""
    from openshape_ood.embedding_store import read_embeddings

    found = []
    for table in tables:
        batches = list(read_embeddings(table, ("id", "embedding")))
        ids = [id for batch in batches for id in batch["id"]]
        order = np.argsort(ids)
        found.append((sorted(ids), np.concatenate([batch["embedding"] for batch in batches])[order]))
    (first, a), (second, b) = found
    if first != second:
        raise OpenShapeError("the engines embedded different shapes")
    return float(np.abs(a - b).max())


def _family(root: int) -> set[int]:
    """A process and all under it; nothing where the system has no /proc."""
    parents: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(place.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        parents.setdefault(parent, []).append(int(place.parent.name))
    family, waiting = set[int](), [root]
    while parents and waiting:
        process = waiting.pop()
        family.add(process)
        waiting += parents.get(process, [])
    return family


def _memory(process: int) -> float:
    """MiB of a process, its share of what it has together with others; 0 where there is none."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def measure(count: int, workers: int, kill: bool, seed: int) -> dict[str, Any]:
    import pyarrow
    import ray
    import torch

    with tempfile.TemporaryDirectory(prefix="openshape-ood-") as place:
        folder = Path(place)
        write_shapes(folder / "shapes", count, seed)
        results = []
        for engine in ENGINES:
            print(f"{engine}: {count:,} meshes and {BROKEN} broken files", file=sys.stderr)
            table = folder / engine
            measured = run_apart(engine, folder / "shapes", table, workers, kill)
            results.append({**measured, **count_rows(table)})
        difference = largest_difference([folder / engine for engine in ENGINES])
    packages = {"torch": torch, "numpy": np, "pyarrow": pyarrow, "ray": ray}
    return {
        "benchmark": "engines",
        "count": count,
        "broken": BROKEN,
        "workers": workers,
        "kill": kill,
        "seed": seed,
        "cores": os.cpu_count(),
        "versions": {"python": platform.python_version(), **{name: p.__version__ for name, p in packages.items()}},
        "largest_difference": difference,
        "results": results,
    }


def table(found: dict[str, Any]) -> str:
    """Markdown."""
    head = ["engine", "rows in", "rows out", "errors", "duplicates", "worker killed", "seconds", "shapes/s"]
    head += ["shapes/s after start", "peak MiB", "processes left"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for r in found["results"]:
        steady, peak = r["shapes_per_second_after_start"], r["peak_mib"]
        line = [r["engine"], *(f"{r[key]:,}" for key in ("rows_in", "rows_out", "errors", "duplicates"))]
        line += ["yes" if r["killed_worker"] else "no", f"{r['seconds']:.1f}", f"{r['shapes_per_second']:.1f}"]
        line += [f"{steady:.1f}" if steady else "–", f"{peak:,.0f}" if peak else "–", str(r["processes_left"])]
        lines.append(line)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table and write the JSON: 0 when every row is there once, else 1."""
    args = _parser().parse_args(argv)
    try:
        if args.count < 1 or args.workers < 1:
            raise InputError("--count and --workers are from 1 up")
        if args.only:
            print(json.dumps(run_engine(args.only, args.shapes, args.table, args.workers, args.kill)))
            return 0
        found = measure(args.count, args.workers, args.kill, args.seed)
        print(table(found))
        print(f"\nlargest difference of unit embeddings: {found['largest_difference']:.1e}")
        args.out.mkdir(parents=True, exist_ok=True)
        print(write_json(args.out / "engines.json", found))
    except OpenShapeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0 if all(map(_is_sound, found["results"])) else 1


def _is_sound(result: dict[str, Any]) -> bool:
    return result["rows_out"] + result["errors"] == result["rows_in"] and not result["duplicates"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engines",
        description="Generated meshes through both engines of openshape-ood embed.",
    )
    parser.add_argument("--count", type=int, default=5000, help="meshes")
    parser.add_argument("--workers", type=int, default=2, help="of Ray, one core each")
    parser.add_argument("--kill", action="store_true", help="kill one of Ray's workers in the middle")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of engines.json")
    for hidden in ("--shapes", "--table"):
        parser.add_argument(hidden, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", choices=ENGINES, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
