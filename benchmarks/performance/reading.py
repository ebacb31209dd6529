"""`python -m benchmarks reading`: does the encoder wait for files? Reading and encoding alone, in sequence, overlapped.

Generated meshes, as OBJ files in the system's file cache, are read, sampled and prepared for `tiny` or for networks
with random weights. Prints ratios, and writes reading.json with seconds too.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import options
from benchmarks.performance.harness import in_turns, versions, write_meshes
from benchmarks.report.output import write_json
from openshape_ood.errors import ShapeFileError
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.registry.rows import list_checkpoints
from openshape_ood.shapes import Read, read_shapes

if TYPE_CHECKING:
    from openshape_ood.encoders.shape_encoder import ShapeEncoder


def load_network(name: str, device: str) -> tuple[ShapeEncoder, str]:
    """An encoder, and the source of its weights: packaged or random."""
    from benchmarks.performance.networks import RANDOM, made_up_encoder, made_up_weights
    from openshape_ood.encoders.devices import find_device
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

    row = find_checkpoint(name)
    if row.source.package:
        return ShapeEncoder.from_pretrained(name, device=device), "its own weights"
    return made_up_encoder(row, made_up_weights(row), find_device(device)), RANDOM


def read(paths: Sequence[Path], encoder: ShapeEncoder, workers: int, batch: int) -> Generator[Read]:
    spec = encoder.spec
    return read_shapes(paths, points=spec.count, seed=0, frame=spec, workers=workers, ahead=2 * batch)


def batches(reads: Iterator[Read], size: int) -> Iterator[np.ndarray]:
    """Yield batches (b, n, 6) of clouds, b at most `size`; raises `ShapeFileError` for a file that cannot be read."""
    while part := list(islice(reads, size)):
        bad = [one.error for one in part if one.error]
        if bad:
            raise ShapeFileError(bad[0])
        yield np.stack([one.cloud for one in part if one.cloud is not None])


def timed(source: Iterator[np.ndarray], encoder: ShapeEncoder | None) -> dict[str, float]:
    """Times of one pass over all files.

    seconds: all, with the start of workers; first: until the first batch; after: the rest; waited, share: seconds and
    fraction of the rest in which the encoder had no clouds.
    """
    start = time.perf_counter()
    first, waited = 0.0, 0.0
    while True:
        before = time.perf_counter()
        points = next(source, None)
        took = time.perf_counter() - before
        if points is None:
            break
        waited += took if first else 0.0
        first = first or took
        if encoder:
            encoder.encode_prepared(points)
    seconds = time.perf_counter() - start
    after = seconds - first
    return {"seconds": seconds, "first": first, "after": after, "waited": waited, "share": waited / max(after, 1e-9)}


def way(paths: Sequence[Path], encoder: Any, batch: int, workers: int, encode: bool = True) -> dict[str, float]:
    """Read and encode: one after the other with 0 workers, else at the same time. Without encoder, only read."""
    with closing(read(paths, encoder, workers, batch)) as reads:
        return timed(batches(reads, batch), encoder if encode else None)


def measure(name: str, paths: Sequence[Path], args: argparse.Namespace) -> dict[str, Any]:
    """Medians of every way over `--repeats` turns."""
    encoder, weights = load_network(name, args.device)
    clouds = list(batches(read(paths, encoder, 0, args.batch_size), args.batch_size))  # also warms the cache
    encoder.encode_prepared(clouds[0])
    run = partial(way, paths, encoder, args.batch_size)
    ways: dict[str, Callable[[], dict[str, float]]] = {
        "reading alone": partial(run, 0, encode=False),
        "encoding alone": lambda: timed(iter(clouds), encoder),
        "one after the other": partial(run, 0),
        **{f"at once, {n} worker{'s' * (n > 1)}": partial(run, n) for n in args.workers},
    }
    runs = in_turns(ways, args.repeats, f"{name}, {len(paths)} files" if args.progress else "")
    what = {"network": name, "weights": weights, "device": str(encoder.device), "points": encoder.spec.count}
    return what | {"files": len(paths), "ways": {way: medians(each) for way, each in runs.items()}}


def medians(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """Median of each figure over the turns, and least and most seconds."""
    seconds = [one["seconds"] for one in runs]
    middle = {key: median([one[key] for one in runs]) for key in runs[0]}
    return middle | {"fastest": min(seconds), "slowest": max(seconds)}


def table(measured: Sequence[dict[str, Any]]) -> str:
    """Times as multiples of encoding alone, and the fraction in which the encoder waits."""
    rows = []
    for one in measured:
        alone = one["ways"]["encoding alone"]["seconds"]
        for way, times in one["ways"].items():
            parts = [f"{times[part] / alone:.2f}" for part in ("first", "after")] + [f"{times['share']:.1%}"]
            cells = ["–"] * 3 if way.endswith("alone") else parts
            rows.append([one["network"], way, f"{times['seconds'] / alone:.2f}", *cells])
    head = ["network", "way", "in all", "until the first batch", "from then on", "the encoder waits"]
    return options.grid(head, rows, words=2)


def run(args: argparse.Namespace) -> None:
    import torch

    options.check(args, files=1, files_large=1, workers=1)
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory(prefix="reading-") as folder:
        paths = write_meshes(Path(folder), args.files, seed=0)
        size = sum(path.stat().st_size for path in paths) / len(paths)
        files = {name: paths if name == "tiny" else paths[: args.files_large] for name in args.networks}
        results = [measure(name, some, args) for name, some in files.items()]
    cores = os.cpu_count()
    print(f"{cores} cores, {args.threads} threads for the network, batches of {args.batch_size}, medians of "
          f"{args.repeats}; times are multiples of encoding alone\n")  # fmt: skip
    print(table(results))
    args.out.mkdir(parents=True, exist_ok=True)
    report = {
        "benchmark": "reading",
        "settings": {name: value for name, value in vars(args).items() if name not in ("out", "progress")},
        "cores": cores,
        "meshes": {"format": "obj", "mean_bytes": size},
        "versions": versions("torch", "numpy"),
        "results": results,
    }
    print(f"\n{write_json(args.out / f'reading{options.suffix(args)}.json', report)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    about = "does the encoder wait for files to be read?"
    parser = options.parser("reading", about, "threads", "repeats", device="cpu", batch_size=16)
    parser.add_argument("--networks", nargs="+", choices=list_checkpoints(), default=["tiny", "vitb32"])
    parser.add_argument("--files", type=int, default=480, help="meshes for tiny (default: 480)")
    parser.add_argument("--files-large", type=int, default=64, help="meshes for larger networks (default: 64)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="reader processes (default: 1 2)")
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))
