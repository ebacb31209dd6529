"""`python -m benchmarks neighbors`: time, memory and recall of exact and approximate neighbor search.

The vectors are simulated: clusters of unequal size on the unit sphere, with variance that decreases along the axes as
in embeddings. The recall is valid for these vectors only. Each search runs in its own process, which gives its peak
memory.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks import options
from benchmarks.performance.harness import MIB, apart, in_turns, memory, versions
from benchmarks.report.output import write_json
from openshape_ood.errors import InputError

SEARCHES = ("exact", "cells")
CLUSTERS, SPREAD = 1000, 0.7
STEP = 1 << 14  # vectors generated at once


def made_up(count: int, dim: int, seed: int, stream: int) -> np.ndarray:
    """Random unit vectors (count, dim) float32. Streams of one seed share the clusters, but have other vectors."""
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


def measure(search: str, task: dict[str, Any]) -> dict[str, Any]:
    """Seconds, MiB and recall of one search, in this process.

    task: "rows" and "queries" (numbers of vectors), "dim", "k", "metric", "seed", "sample" (queries for the recall).
    """
    from openshape_ood.scoring.neighbors import Index, nearest

    metric, k, seed = task["metric"], task["k"], task["seed"]
    rows = made_up(task["rows"], task["dim"], seed, stream=0)
    queries = made_up(task["queries"], task["dim"], seed, stream=1)
    few = made_up(64, task["dim"], seed, stream=2)  # the first call imports torch or faiss
    nearest(few, few, metric=metric) if search == "exact" else Index(few, metric).nearest(few)
    before, start = memory(), time.perf_counter()
    index = None if search == "exact" else Index(rows, metric, seed=seed)
    built = time.perf_counter()
    index.nearest(queries, k) if index else nearest(queries, rows, k, metric)
    done, after = time.perf_counter(), memory()  # measured before the recall, which needs an exact search
    return {
        "search": search,
        "build_seconds": built - start if index else 0.0,
        "query_seconds": done - built,
        "peak_mib": after["peak"] / MIB,
        "beside_data_mib": max(0.0, (after["peak"] - before["resident"]) / MIB),
        "recall": index.recall(queries, k, task["sample"]) if index else 1.0,
        "settings": {"cells": index.cells, "probes": index.probes} if index else {},
    }


def table(results: Sequence[dict[str, Any]]) -> str:
    """One row per search; "faster" is the query time of the exact search divided by that of this search."""
    head = ["search", "build s", "queries s", "faster", "peak MiB", "MiB without the data", "recall %", "settings"]
    exact = next((one["query_seconds"] for one in results if one["search"] == "exact"), None)
    rows = []
    for one in results:
        settings = ", ".join(f"{name} {value:,}" for name, value in one["settings"].items()) or "–"
        times = [f"{one['build_seconds']:.1f}", f"{one['query_seconds']:.2f}"]
        times += [f"{exact / one['query_seconds']:.1f}×" if exact else "–"]
        held = [f"{one['peak_mib']:,.0f}", f"{one['beside_data_mib']:,.0f}"]
        rows.append([one["search"], *times, *held, f"{100 * one['recall']:.1f}", settings])
    return options.grid(head, rows)


def run(args: argparse.Namespace) -> None:
    import torch

    options.check(args, rows=1, dim=1, queries=1, k=1, sample=1)
    if args.k > args.rows:
        raise InputError(f"--k is {args.k} for {args.rows} rows. Expected at most {args.rows}. Give a smaller --k")
    task = {name: getattr(args, name) for name in ("rows", "dim", "queries", "k", "metric", "sample", "seed")}
    searches = {s: partial(apart, f"search {s!r}", measure, s, task, show=True) for s in possible(args.searches)}
    say = f"{args.rows:,} rows × {args.dim}, {args.queries:,} queries" if args.progress else ""
    results = [one.result for (one,) in in_turns(searches, 1, say).values()]
    data = (args.rows + args.queries) * args.dim * 4 / MIB
    print(f"{data:,.0f} MiB of simulated vectors, {torch.get_num_threads()} threads, k = {args.k}\n")
    print(table(results))
    report = {
        "benchmark": "neighbors",
        "task": task,
        "vectors": f"made up: {CLUSTERS} clusters on the unit sphere, float32",
        "data_mib": data,
        "threads": torch.get_num_threads(),
        "versions": versions("torch", "numpy"),
        "results": results,
    }
    print(f"\n{write_json(args.out / f'neighbors{options.suffix(args)}.json', report)}")


def possible(searches: Sequence[str]) -> list[str]:
    if find_spec("faiss"):
        return list(searches)
    print(
        "only the exact search is measured. The approximate search needs faiss: pip install 'openshape-ood[faiss]'",
        file=sys.stderr,
    )
    return ["exact"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = options.parser("neighbors", "time, memory and recall of the neighbor search", "seed")
    for name, default in {"rows": 1_000_000, "dim": 512, "queries": 10_000, "k": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--metric", choices=("cosine", "euclidean"), default="cosine")
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=["exact", "cells"])
    parser.add_argument("--sample", type=int, default=500, help="number of queries for the recall")
    return options.run(parser, run, argv)
