"""`python -m benchmarks speed`: time of an encoder, of its matrix products alone, and of other implementations.

All contenders run in turns, with random weights and generated shapes. They are our network, of any registered
architecture; its matrix products alone, which are the bound (`products.py`); for PointBERT a plain implementation
(`baselines.py`); and with `--reference DIR` the code of the reference. Seconds depend on the machine, so quote ratios,
above all the ratio to the bound.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from benchmarks import options
from benchmarks.performance.harness import machine, versions
from benchmarks.report.output import write_json
from openshape_ood import __version__
from openshape_ood.errors import InputError, MissingPackageError

PRECISIONS = ("float32", "bfloat16", "float16")
QUICK = {"model": ["tiny"], "batch": [1, 2], "points": 256, "repeats": 1}
USUAL = {"model": ["vitg14", "vitb32"], "batch": [1, 8, 32]}
BUSY = 0.5  # a warning is printed if other programs use more cores
UNMEASURED = "the CUDA path has not been tested on a GPU; check its first figures before you quote them"


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = options.parser(
        "speed",
        "time of an encoder relative to other implementations and to its bound",
        "registry",
        "import",
        threads=2,
        device="cpu",
    )
    parser.add_argument(
        "--model", nargs="+", help="checkpoints of the registry, used with random weights (default: vitg14 vitb32)"
    )
    parser.add_argument("--batch", type=int, nargs="+", help="batch sizes (default: 1 8 32)")
    words = "precision of the layers (default: float32)"
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=["float32"], help=words)
    parser.add_argument("--points", type=int, help="points per cloud (default: as in the model's training)")
    parser.add_argument("--repeats", type=int, help="number of turns (default: as many as fit into --seconds, 3 to 25)")
    parser.add_argument("--seconds", type=float, default=25, help="time per model and batch size (default: 25)")
    parser.add_argument(
        "--reference", default="", metavar="DIR", help="a checkout of the OpenShape support library, whose code is run"
    )
    parser.add_argument(
        "--no-plain", dest="plain", action="store_false", help="do not measure the plain implementation"
    )
    words = "measure CPU seconds, for a busy machine; needs --threads 1"
    parser.add_argument("--cpu-seconds", action="store_true", help=words)
    parser.add_argument("--no-memory", dest="memory", action="store_false", help="do not measure peak memory")
    parser.add_argument("--no-picture", dest="picture", action="store_false", help="write no picture")
    parser.add_argument("--quick", action="store_true", help="one very small run, as a test")
    args = parser.parse_args(argv)
    for name, value in (QUICK if args.quick else USUAL).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def run(args: argparse.Namespace) -> None:
    import torch

    from benchmarks.performance.speed import report
    from benchmarks.performance.speed.measuring import Settings, measure
    from openshape_ood.encoders.devices import find_device

    options.check(args, batch=1, points=1)
    if args.cpu_seconds and args.threads > 1:
        raise InputError(f"--cpu-seconds need one thread; --threads is {args.threads}, expected --threads 1")
    if args.picture and not find_spec("matplotlib"):  # fail before the measurement
        raise MissingPackageError("the picture needs matplotlib: pip install -e '.[benchmarks]'; or --no-picture")
    device = find_device(args.device)
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"--device is {args.device}; expected cpu or cuda")
    torch.set_num_threads(args.threads)
    here: dict[str, Any] = machine() | {"gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None}
    if device.type == "cuda":
        print(f"note: {UNMEASURED}", file=sys.stderr)
    if (busy := here["cores_busy_before"]) > BUSY:
        print(f"note: other programs kept {busy:.1f} cores busy; the quartiles may be wide", file=sys.stderr)
    args.out.mkdir(parents=True, exist_ok=True)
    names = ("threads", "points", "repeats", "seconds", "reference", "memory", "plain", "cpu_seconds")
    registry = args.registry and str(args.registry)
    settings = Settings(str(device), registry=registry, **{name: getattr(args, name) for name in names})
    started, cells = time.perf_counter(), []
    for model, precision in [(model, precision) for model in args.model for precision in args.precision]:
        for cell in measure(model, precision, args.batch, settings):
            cells.append(cell)
            if args.progress:
                done = f"{model}, {precision}, batch {cell.batch}: {cell.turns.count} turns"
                print(f"{done}, done after {time.perf_counter() - started:.0f} s", file=sys.stderr)
    words = f"{'-quick' if args.quick else ''}{'-reference' if args.reference else ''}"
    named = ("device", "quick", "reference", "memory")
    words += options.suffix(args, *named, **(QUICK if args.quick else USUAL))
    stem = args.out / f"speed-{device.type}{words}"
    content = {
        "about": "ratios of times taken in turns; seconds are per batch, of this machine and run",
        "settings": {
            name: getattr(args, name) for name in ("device", "threads", "repeats", "seconds", "cpu_seconds", "quick")
        }
        | {"reference": bool(args.reference)},
        "machine": here,
        "versions": {"openshape_ood": __version__, **versions("torch")},
        "cells": [cell.as_json() for cell in cells],
    }
    files = [write_json(stem.with_name(f"{stem.name}.json"), content)]
    where = f"{args.threads} CPU thread{'s' * (args.threads != 1)}" if device.type == "cpu" else str(device)
    if args.picture:
        files.append(report.draw(stem.with_name(f"{stem.name}.png"), cells, where))
    print(report.printed(cells, where), *files, sep="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    args = parse(argv)
    return options.finish(lambda: run(args))
