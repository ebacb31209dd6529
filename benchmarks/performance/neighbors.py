"""Time and memory of the neighbor search, exact and approximate, and the recall of the approximate one.

    python -m benchmarks.neighbors --rows 1000000 --dim 512 --queries 10000 --k 5

The vectors are made up: a mixture of clusters of unequal size on the unit sphere, whose variance falls along the
axes as that of embeddings does. Real embeddings may be easier or harder; the recall is of these vectors alone.

Every search runs in a process of its own, so that its peak memory is its own. Needs the extra [faiss] for the
approximate ones, which are left out without it.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report.output import write_json
from openshape_ood.errors import InputError, OpenShapeError

SEARCHES = ("exact", "cells", "graph")
CLUSTERS, SPREAD = 1000, 0.7
STEP = 1 << 14  # vectors made at once
MIB = 1 << 20


@dataclass(frozen=True)
class Task:
    """What is searched: m rows and b queries of d numbers, k neighbors of each."""

    rows: int
    dim: int
    queries: int
    k: int
    metric: str
    sample: int
    seed: int


def made_up(count: int, dim: int, seed: int, stream: int) -> np.ndarray:
    """Unit vectors (count, dim) float32. Streams of one seed share their clusters, not their vectors."""
    axes = (np.arange(1, dim + 1) ** -0.5).astype(np.float32)
    shape = np.random.default_rng([seed, 0])
    centers = shape.standard_normal((CLUSTERS, dim), dtype=np.float32) * axes
    shares = shape.dirichlet(np.full(CLUSTERS, 0.5))
    draw = np.random.default_rng([seed, 1 + stream])
    vectors = np.empty((count, dim), dtype=np.float32)
    for i in range(0, count, STEP):
        block = vectors[i : i + STEP]
        draw.standard_normal(out=block, dtype=np.float32)
        block *= SPREAD * axes
        block += centers[draw.choice(CLUSTERS, len(block), p=shares)]
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return vectors


def measure(search: str, task: Task, progress: bool = False) -> dict[str, Any]:
    """Seconds, MiB and recall of one search, in this process."""
    from openshape_ood.scoring.neighbors import Index, nearest

    rows = made_up(task.rows, task.dim, task.seed, stream=0)
    queries = made_up(task.queries, task.dim, task.seed, stream=1)
    _warm_up(search, task)
    before = _resident()
    start = time.perf_counter()
    index = None if search == "exact" else Index(rows, task.metric, search, seed=task.seed)
    built = time.perf_counter()
    if index is None:
        nearest(queries, rows, task.k, task.metric, progress=progress)
    else:
        index.nearest(queries, task.k, progress=progress)
    done = time.perf_counter()
    peak = _peak()  # before the recall, which searches exactly
    return {
        "search": search,
        "build_seconds": built - start if index else 0.0,
        "query_seconds": done - built,
        "peak_mib": peak,
        "beside_data_mib": max(0.0, peak - before),
        "recall": index.recall(queries, task.k, task.sample) if index else 1.0,
        "settings": _settings(search, index),
    }


def _settings(search: str, index: Any) -> dict[str, int]:
    if search == "cells":
        return {"cells": index.cells, "probes": index.probes}
    return {"candidates": index.probes} if search == "graph" else {}


def _warm_up(search: str, task: Task) -> None:
    """The first call imports torch or faiss, which takes time and memory of its own."""
    from openshape_ood.scoring.neighbors import Index, nearest

    few = made_up(64, task.dim, task.seed, stream=2)
    if search == "exact":
        nearest(few, few, metric=task.metric)
    else:
        Index(few, task.metric, search).nearest(few)


def _resident() -> float:
    """MiB held now; what was held at most, where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.is_file() else []
    held = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")]
    return held[0] if held else _peak()


def _peak() -> float:
    """MiB held at most by this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB


def measure_apart(search: str, task: Task) -> dict[str, Any]:
    """`measure` in a fresh process; its progress bar is let through."""
    command = [sys.executable, "-m", "benchmarks.neighbors", "--only", search]
    command += [f"--{name}={value}" for name, value in asdict(task).items()]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"error: the search {search!r} ended with status {done.returncode}")
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def table(measured: Sequence[dict[str, Any]]) -> str:
    """A Markdown table; "faster" is the exact search's time for the queries over this one's."""
    head = ["search", "build s", "queries s", "faster", "peak MiB", "beside the data MiB", "recall %", "settings"]
    exact = next((m["query_seconds"] for m in measured if m["search"] == "exact"), None)
    lines = [head, ["---", *["---:"] * (len(head) - 2), "---"]]
    for m in measured:
        settings = ", ".join(f"{name} {value:,}" for name, value in m["settings"].items())
        faster = f"{exact / m['query_seconds']:.1f}×" if exact else "–"
        figures = [f"{m['build_seconds']:.1f}", f"{m['query_seconds']:.2f}", faster]
        figures += [f"{m['peak_mib']:,.0f}", f"{m['beside_data_mib']:,.0f}", f"{100 * m['recall']:.1f}"]
        lines.append([m["search"], *figures, settings or "–"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(task: Task, measured: Sequence[dict[str, Any]]) -> dict[str, Any]:
    import torch

    return {
        "benchmark": "neighbors",
        "task": asdict(task),
        "vectors": f"made up: {CLUSTERS} clusters on the unit sphere, float32",
        "data_mib": (task.rows + task.queries) * task.dim * 4 / MIB,
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "results": list(measured),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table and write the JSON: 0 when done, 1 when the input was wrong."""
    args = _parser().parse_args(argv)
    task = Task(args.rows, args.dim, args.queries, args.k, args.metric, args.sample, args.seed)
    try:
        _check(task)
        if args.only:
            print(json.dumps(measure(args.only, task, progress=sys.stderr.isatty())))
            return 0
        measured = []
        for search in _possible(args.searches):
            print(f"{search}: {task.rows:,} rows × {task.dim}, {task.queries:,} queries", file=sys.stderr)
            measured.append(measure_apart(search, task))
        found = report(task, measured)
        print(f"{found['data_mib']:,.0f} MiB of made-up vectors, {found['threads']} threads, k = {task.k}\n")
        print(table(measured))
        args.out.mkdir(parents=True, exist_ok=True)
        print(f"\n{write_json(args.out / 'neighbors.json', found)}")
    except OpenShapeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _possible(searches: Sequence[str]) -> list[str]:
    if find_spec("faiss"):
        return list(searches)
    print("without faiss there is only the exact search: pip install 'openshape-ood[faiss]'", file=sys.stderr)
    return ["exact"]


def _check(task: Task) -> None:
    for name in ("rows", "dim", "queries", "k", "sample"):
        if getattr(task, name) < 1:
            raise InputError(f"--{name} is {getattr(task, name)}; expected 1 or more")
    if task.k > task.rows:
        raise InputError(f"--k is {task.k} for {task.rows} rows; expected no more than rows")
    if task.seed < 0:
        raise InputError(f"--seed is {task.seed}; expected 0 or more")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.neighbors",
        description="Time, memory and recall of the neighbor search.",
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--metric", choices=("cosine", "euclidean"), default="cosine")
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=["exact", "cells"])
    parser.add_argument("--sample", type=int, default=500, help="queries that the recall is measured on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of neighbors.json")
    parser.add_argument("--only", choices=SEARCHES, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
