"""Does the encoder wait for files? Reading alone, encoding alone, one after the other, and both at once.

    python -m benchmarks.reading
    python -m benchmarks.reading --networks tiny --files 1000 --workers 1 2 4

Generated meshes are written as OBJ files, then read, sampled, and prepared for a network: `tiny`, or one of a
checkpoint's sizes with random weights, which takes as long as the trained one. The files are in the system's cache,
for they have just been written. The network has `--threads` threads, which leaves cores to the workers; a network on
a GPU leaves them all. Prints ratios, and writes seconds too, to reading.json.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.report.output import write_json
from openshape_ood.errors import InputError, OpenShapeError, ShapeFileError
from openshape_ood.registry.rows import find_checkpoint
from openshape_ood.shapes import Read, read_shapes

if TYPE_CHECKING:
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

NETWORKS = ("tiny", "vitb32", "vitl14", "vitg14")
RANDOM = "random weights"


@dataclass(frozen=True)
class Pass:
    """One way over all files.

    seconds: from the first path to the last embedding, the start of workers included; first: of these, until the
    first batch of clouds was there; waited: of those after it, how many the encoder had no clouds.
    """

    seconds: float
    first: float = 0.0
    waited: float = 0.0

    @property
    def share(self) -> float:
        """Of the time after the first batch, that in which the encoder waited."""
        return self.waited / max(self.after, 1e-9)

    @property
    def after(self) -> float:
        """Seconds from the first batch on; where the encoder never waits those of encoding alone."""
        return self.seconds - self.first


def write_meshes(folder: Path, count: int, seed: int) -> list[Path]:
    """Generated shapes of all categories in turn, as OBJ files."""
    from openshape_ood.synthetic import categories, generate

    names = sorted(categories())
    paths = [folder / f"{i:06}.obj" for i in range(count)]
    for i, path in enumerate(paths):
        mesh = generate(names[i % len(names)], seed + i)
        rows = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in mesh.vertices.tolist()]
        rows += [f"f {a} {b} {c}" for a, b, c in (mesh.faces + 1).tolist()]
        path.write_text("\n".join(rows) + "\n", encoding="ascii")
    return paths


def load_network(name: str, device: str) -> tuple[ShapeEncoder, str]:
    """An encoder, and where its weights are from: the package, or chance."""
    import torch

    from openshape_ood.devices import find_device
    from openshape_ood.encoders.grouping.samplers import find_grouping
    from openshape_ood.encoders.pointbert.network import PointBERT
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

    if name == "tiny":
        return ShapeEncoder.from_pretrained(name, device=device), "its own weights"
    row = find_checkpoint(name)
    torch.manual_seed(0)
    target = find_device(device)
    return ShapeEncoder(row, PointBERT(row.sizes, find_grouping("auto", target)), RANDOM, target), RANDOM


def read(paths: Sequence[Path], encoder: ShapeEncoder, workers: int, batch: int) -> Generator[Read]:
    points = encoder.spec
    ahead = 2 * batch
    return read_shapes(paths, points=points.count, seed=0, frame=points, workers=workers, ahead=ahead)


def batches(reads: Iterator[Read], size: int) -> Iterator[np.ndarray]:
    """Clouds (size or fewer, n, 6); raises `ShapeFileError` for a file that cannot be read."""
    while part := list(islice(reads, size)):
        bad = [one.error for one in part if one.error]
        if bad:
            raise ShapeFileError(bad[0])
        yield np.stack([one.cloud for one in part if one.cloud is not None])


def reading_alone(paths: Sequence[Path], encoder: ShapeEncoder, batch: int, workers: int = 0) -> Pass:
    start = time.perf_counter()
    for _ in batches(read(paths, encoder, workers, batch), batch):
        pass
    return Pass(time.perf_counter() - start)


def encoding_alone(clouds: Sequence[np.ndarray], encoder: ShapeEncoder) -> Pass:
    start = time.perf_counter()
    for points in clouds:
        encoder.encode_prepared(points)
    return Pass(time.perf_counter() - start)


def both(paths: Sequence[Path], encoder: ShapeEncoder, batch: int, workers: int) -> Pass:
    """Read and encode: in turn with 0 workers, at once with more."""
    start = time.perf_counter()
    first, waited = 0.0, 0.0
    with closing(read(paths, encoder, workers, batch)) as reads:
        source = batches(reads, batch)
        while True:
            asked = time.perf_counter()
            points = next(source, None)
            took = time.perf_counter() - asked
            if points is None:
                break
            waited += took if first else 0.0
            first = first or took
            encoder.encode_prepared(points)
    return Pass(time.perf_counter() - start, first, waited)


def measure(name: str, paths: Sequence[Path], args: argparse.Namespace) -> dict[str, Any]:
    """Every way, `--repeats` times and interleaved; the median of each."""
    encoder, weights = load_network(name, args.device)
    clouds = list(batches(read(paths, encoder, 0, args.batch_size), args.batch_size))  # also warms the cache
    encoder.encode_prepared(clouds[0])
    ways: dict[str, list[Pass]] = {}
    for _ in range(args.repeats):
        ways.setdefault("reading alone", []).append(reading_alone(paths, encoder, args.batch_size))
        ways.setdefault("encoding alone", []).append(encoding_alone(clouds, encoder))
        for workers in (0, *args.workers):
            ways.setdefault(_way(workers), []).append(both(paths, encoder, args.batch_size, workers))
    return {
        "network": name,
        "weights": weights,
        "device": str(encoder.device),
        "points": encoder.spec.count,
        "files": len(paths),
        "ways": {way: _middle(passes) for way, passes in ways.items()},
    }


def _way(workers: int) -> str:
    return f"at once, {workers} worker{'s' * (workers > 1)}" if workers else "one after the other"


def _middle(passes: Sequence[Pass]) -> dict[str, float]:
    columns = {
        name: median(getattr(one, name) for one in passes) for name in ("seconds", "first", "after", "waited", "share")
    }
    return columns | {"fastest": min(one.seconds for one in passes), "slowest": max(one.seconds for one in passes)}


def table(measured: Sequence[dict[str, Any]]) -> str:
    """Markdown: times as multiples of encoding alone, and the share of them in which the encoder waits."""
    lines = ["| network | way | in all | until the first batch | from then on | the encoder waits |"]
    lines.append("|---|---|---:|---:|---:|---:|")
    for one in measured:
        alone = one["ways"]["encoding alone"]["seconds"]
        for way, found in one["ways"].items():
            parts = [f"{found[part] / alone:.2f}" for part in ("first", "after")] + [f"{found['share']:.1%}"]
            cells = " | ".join(["–"] * 3 if way.endswith("alone") else parts)
            lines.append(f"| {one['network']} | {way} | {found['seconds'] / alone:.2f} | {cells} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table and write the JSON: 0 when done, 1 when the input was wrong."""
    args = _parser().parse_args(argv)
    try:
        _check(args)
        found = _run(args)
        print(f"{_cores()} cores, {args.threads} threads for the network, batches of {args.batch_size}, medians of "
              f"{args.repeats}; times are multiples of encoding alone\n")  # fmt: skip
        print(table(found["results"]))
        args.out.mkdir(parents=True, exist_ok=True)
        print(f"\n{write_json(args.out / 'reading.json', found)}")
    except OpenShapeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(args.threads)
    try:
        with tempfile.TemporaryDirectory(prefix="reading-") as folder:
            paths = write_meshes(Path(folder), args.files, seed=0)
            results = []
            for name in args.networks:
                own = paths if name == "tiny" else paths[: args.files_large]
                print(f"{name}: {len(own)} files", file=sys.stderr)
                results.append(measure(name, own, args))
            size = sum(path.stat().st_size for path in paths) / len(paths)
    finally:
        torch.set_num_threads(before)
    settings = {name: value for name, value in vars(args).items() if name != "out"}
    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    meshes = {"format": "obj", "mean_bytes": size}
    return {"benchmark": "reading", "settings": settings, "cores": _cores(), "meshes": meshes, "versions": versions,
            "results": results}  # fmt: skip


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _check(args: argparse.Namespace) -> None:
    for name in ("files", "files_large", "threads", "repeats", "batch_size"):
        if getattr(args, name) < 1:
            raise InputError(f"--{name.replace('_', '-')} is {getattr(args, name)}; expected 1 or more")
    if min(args.workers) < 1:
        raise InputError(f"--workers are {args.workers}; expected numbers from 1 up")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reading", description="Does the encoder wait for files to be read?"
    )
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["tiny", "vitb32"])
    parser.add_argument("--files", type=int, default=480, help="meshes for tiny (default: 480)")
    parser.add_argument("--files-large", type=int, default=64, help="of these, for larger networks (default: 64)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="reader processes (default: 1 2)")
    parser.add_argument("--threads", type=int, default=1, help="of the network, on the CPU (default: 1)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")
    parser.add_argument("--batch-size", type=int, default=16, help="clouds encoded at once (default: 16)")
    parser.add_argument("--repeats", type=int, default=1, help="medians are of so many (default: 1)")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of reading.json")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
