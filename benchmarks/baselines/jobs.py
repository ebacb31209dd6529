"""Training and evaluation of one baseline by command-line options."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from benchmarks import options
from benchmarks.baselines import evaluation, training
from benchmarks.baselines.clouds import read
from benchmarks.threedos.evaluation import labels_of
from benchmarks.threedos.splits import load_split
from benchmarks.training.processes import joined, own_device

SUPPORT_POINTS, BATCH_SIZE = 1024, 8  # defaults of an evaluation
GOES_ON = "; the same command resumes from the last epoch"  # printed after a stopped training


def file_of(args: argparse.Namespace, benchmark: str, network: str, head: str, data_seed: int, seed: int) -> Path:
    """Output path of a training."""
    copied, sown = "-copies" if args.copies else "", "" if args.data_root else f"-data{data_seed}"
    return Path(args.out, f"{benchmark}-{network}-{head}{copied}{sown}-seed{seed}.pth")


def train(args: argparse.Namespace) -> None:
    """Train a network by the options of `train`, and print its path. Options that are None have the values of 3DOS.

    Under torchrun several processes train together.
    """
    with joined(args.device) as (rank, _):
        path = _train(args, rank == 0)
        if rank == 0:
            print(path)


def _train(args: argparse.Namespace, first: bool) -> Path:
    """Train; returns the path of the checkpoint, which the first process writes."""
    split = load_split(args.set)
    given = {one.name: getattr(args, one.name, None) for one in fields(training.Recipe)}
    recipe = training.Recipe(**{name: value for name, value in given.items() if value is not None})
    data, shapes = evaluation.load(split, args)
    made = {"source": data.source, "counts": shapes.counts(), "data_seed": None if args.data_root else args.data_seed}
    made |= {"set": args.set, "known": [c.title for c in data.known]}
    path = file_of(args, args.set, args.network, args.head, args.data_seed, args.seed)

    def report(line: dict[str, Any]) -> None:
        if args.progress and first:
            print(", ".join(f"{key} {value}" for key, value in line.items()), file=sys.stderr, flush=True)

    clouds = [read(shape) for shape in shapes.shapes]
    device = own_device(args.device)
    training.train(clouds, labels_of(shapes, data), recipe, path, device=device, settings=made, report=report)
    return path


def evaluate(args: argparse.Namespace) -> None:
    """Evaluate a checkpoint by the options of `eval`, and print the table."""
    options.check_pictures(args)
    options.check(args, support_points=1, test_points=1)
    print(evaluation.run(args))
