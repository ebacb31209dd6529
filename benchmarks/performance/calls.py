"""`python -m benchmarks calls`: time of calls of a prepared pipeline and of its encoder, and of a stream of embeddings.

Times are CPU seconds; calls of pipeline and encoder alternate. Memory growth is measured from the end of the first
tenth of the calls to the end.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from time import process_time
from typing import Any

import numpy as np
import torch

from benchmarks import options
from benchmarks.performance.harness import MIB, in_turns, least_seconds, machine, memory, versions
from benchmarks.report.output import write_json
from openshape_ood import NoveltyPipeline, ShapeEncoder
from openshape_ood.encoders.protocols import Embeddings
from openshape_ood.synthetic import sample

KNOWN = ("chair", "table", "sofa")
POINTS = 2048  # points of the shape
ROWS = 500  # embeddings per batch


def resident() -> float:
    """Resident memory of this process in MiB; NaN if the system does not report it."""
    return memory().get("resident", float("nan")) / MIB


def called(pipeline: NoveltyPipeline, encoder: ShapeEncoder, count: int) -> dict[str, Any]:
    """Milliseconds per call of pipeline and encoder over `count` calls, and memory growth in MiB."""
    cloud = sample("guitar", POINTS, seed=1)
    contenders = {
        "pipeline": lambda: least_seconds(lambda: pipeline(cloud), 1),
        "encoder": lambda: least_seconds(lambda: encoder.encode([cloud], up="y"), 1),
    }
    in_turns(contenders, max(1, count // 10))
    before = resident()
    seconds = in_turns(contenders, count)
    figures: dict[str, Any] = {
        name: {"median_ms": float(1000 * np.median(of)), "p99_ms": float(1000 * np.percentile(of, 99))}
        for name, of in seconds.items()
    }
    ratio = float(np.median(np.divide(seconds["pipeline"], seconds["encoder"])))
    return figures | {"ratio": ratio, "growth_mib": resident() - before}


def streamed(pipeline: NoveltyPipeline, rows: int) -> dict[str, float]:
    """CPU seconds for a stream of `rows` embeddings, and memory growth in MiB."""
    before, done, start = 0.0, 0, process_time()
    for result in pipeline.stream(_batches(pipeline, rows)):
        done += len(result)
        before = before or (resident() if done >= rows / 10 else 0.0)
    return {"rows": done, "seconds": process_time() - start, "growth_mib": resident() - before}


def _batches(pipeline: NoveltyPipeline, rows: int) -> Iterator[Embeddings]:
    random = np.random.RandomState(0)
    for start in range(0, rows, ROWS):
        vectors = random.standard_normal((min(ROWS, rows - start), pipeline.known.dim)).astype(np.float32)
        yield Embeddings(vectors, pipeline.known.identity)


def run(args: argparse.Namespace) -> None:
    options.check(args, calls=10, rows=1)
    torch.set_num_threads(args.threads)
    encoder = ShapeEncoder.from_pretrained(args.model, device="cpu")
    pipeline = NoveltyPipeline.prepare(KNOWN, model=args.model, encoder=encoder, up="y")
    calls, stream = called(pipeline, encoder, args.calls), streamed(pipeline, args.rows)
    rows = [(name, *(f"{calls[name][key]:.2f}" for key in ("median_ms", "p99_ms"))) for name in ("pipeline", "encoder")]
    print(options.grid((f"{args.calls:,} calls", "median, CPU ms", "99th percentile"), rows))
    print(f"\npipeline / encoder, median ratio {calls['ratio']:.2f}, memory {calls['growth_mib']:+.1f} MiB")
    print(f"stream of {stream['rows']:,}: {stream['seconds']:.1f} CPU s, memory {stream['growth_mib']:+.1f} MiB")
    settings = {"model": args.model, "threads": args.threads, "known": KNOWN, "points": POINTS, "calls": args.calls}
    report = {"settings": settings, "calls": calls, "stream": stream}
    report |= {"machine": machine(), "versions": versions("torch", "numpy")}
    print(f"\n{write_json(args.out / f'calls{options.suffix(args)}.json', report)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = options.parser("calls", "calls of a prepared pipeline and of its encoder alone", "model", "threads")
    options.add_numbers(
        parser, calls=(2000, "number of calls, with one shape each"), rows=(100_000, "embeddings in the stream")
    )
    return options.run(parser, run, argv)
