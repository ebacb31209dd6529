"""`python -m benchmarks.speed`: the encoder against the plain way, the reference, and its matrix products alone.

Made-up weights in the sizes of the models, so that nothing is downloaded; generated shapes. In one run and in turns:
our network; the same mathematics the plain way (`plain.py`), checked to give the same embeddings; with `--reference
DIR` the reference's own code; and the floating-point bound, the matrix products of the same sizes and type
(`products.py`). Prints how many times as long the others take, the stages from file to score, and peak memory, each
pass in a process of its own. Writes all of it as JSON and a picture.

Times are those of this machine and this run: quote the ratios.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report.facts import wrapped
from benchmarks.report.output import write_json
from openshape_ood import __version__
from openshape_ood.errors import InputError, MissingPackageError, OpenShapeError
from openshape_ood.registry.rows import list_checkpoints

if TYPE_CHECKING:
    from benchmarks.performance.speed.measuring import Cell

PRECISIONS = ("float32", "bfloat16", "float16")
QUICK = {"model": ["tiny"], "batch": [1, 2], "points": 256, "repeats": 1}
USUAL = {"model": ["vitg14", "vitb32"], "batch": [1, 8, 32], "points": None, "repeats": None}
BUSY = 0.5  # cores; more, and the figures say more of the other programs
UNMEASURED = "the CUDA path was written without a GPU at hand; check its first figures before you quote them"


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description="how fast the encoder is, in ratios",
        allow_abbrev=False,
    )
    models = list_checkpoints()
    parser.add_argument("--model", nargs="+", choices=models, help="whose sizes (default: vitg14 vitb32)")
    parser.add_argument("--batch", type=int, nargs="+", help="clouds at once (default: 1 8 32)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument(
        "--precision", nargs="+", choices=PRECISIONS, default=["float32"], help="of the layers (default: float32)"
    )
    parser.add_argument("--points", type=int, help="points a cloud (default: what the model was trained with)")
    parser.add_argument("--repeats", type=int, help="turns (default: as many as go into --seconds, 3 to 25)")
    parser.add_argument("--seconds", type=float, default=25, help="for each model and batch size (default: 25)")
    parser.add_argument("--threads", type=int, default=2, help="of the CPU (default: 2)")
    parser.add_argument(
        "--reference", type=Path, metavar="DIR", help="a checkout of the OpenShape support library; its code is run"
    )
    parser.add_argument("--no-memory", dest="memory", action="store_false", help="leave out peak memory")
    parser.add_argument("--no-picture", dest="picture", action="store_false", help="figures only")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the results (default: results)")
    parser.add_argument("--quick", action="store_true", help="very small and once, to see that it runs")
    args = parser.parse_args(argv)
    for name, value in (QUICK if args.quick else USUAL).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done, 1 with one line on stderr when the input was wrong."""
    args = parse(argv)
    try:
        _check(args)
        args.out.mkdir(parents=True, exist_ok=True)
        _run(args)
    except (OpenShapeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


def _check(args: argparse.Namespace) -> None:
    numbers = {
        "--batch": args.batch,
        "--points": [args.points],
        "--repeats": [args.repeats],
        "--threads": [args.threads],
    }
    for name, values in numbers.items():
        if any(value is not None and value < 1 for value in values):
            raise InputError(f"{name} is {' '.join(map(str, values))}; expected whole numbers from 1 up")
    if args.picture and not find_spec("matplotlib"):  # before the work, not after it
        raise MissingPackageError("the picture needs matplotlib: pip install -e '.[benchmarks]'; or --no-picture")


def _run(args: argparse.Namespace) -> None:
    import torch

    from benchmarks.performance.speed.measuring import Settings, measure
    from openshape_ood.devices import find_device

    device = find_device(args.device)
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"--device is {args.device}; expected cpu or cuda")
    torch.set_num_threads(args.threads)
    if device.type == "cuda":
        print(f"note: {UNMEASURED}", file=sys.stderr)
    load = busy()
    if load > BUSY:
        print(
            f"note: other programs kept {load:.1f} cores busy when this began: expect wide quartiles", file=sys.stderr
        )
    how = (device, args.threads, args.points, args.repeats, args.seconds, args.reference, args.memory)
    started, cells = time.perf_counter(), []
    for model in args.model:
        for precision in args.precision:
            for cell in measure(model, precision, args.batch, Settings(*how)):
                cells.append(cell)
                _say(cell, time.perf_counter() - started)
    stem = args.out / f"speed-{device.type}{'-quick' if args.quick else ''}"
    files = [write_json(stem.with_suffix(".json"), report(cells, args, load))]
    if args.picture:
        from benchmarks.performance.speed.picture import draw

        files.append(draw(stem.with_suffix(".png"), cells, words_for(args)))
    print(printed(cells, args), *files, sep="\n")


def _say(cell: Cell, seconds: float) -> None:
    what = f"{cell.model}, {cell.precision}, batch {cell.batch}"
    print(f"{what}: {cell.turns.count} turns, done after {seconds:.0f} s", file=sys.stderr)


def words_for(args: argparse.Namespace) -> str:
    """ "2 CPU threads", "cuda"."""
    return f"{args.threads} CPU thread{'s' * (args.threads != 1)}" if args.device == "cpu" else str(args.device)


def printed(cells: Sequence[Cell], args: argparse.Namespace) -> str:
    """The three tables, each with what to know about it."""
    from benchmarks.performance.speed import tables

    width = 200
    blocks = [f"random weights, generated shapes, {words_for(args)}"]
    blocks += [tables.ratio_table(cells).text(width), "\n".join(wrapped(tables.RATIO_NOTE))]
    if args.reference:
        blocks.append("\n".join(wrapped(tables.REFERENCE_NOTE)))
    blocks += [tables.stage_table(cells).text(width), "\n".join(wrapped(tables.STAGE_NOTE))]
    if args.memory:
        blocks += [tables.memory_table(cells).text(width), "\n".join(wrapped(tables.MEMORY_NOTE))]
    return "\n\n".join(blocks)


def busy() -> float:
    """Cores that were busy over the last minute; 0 where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def report(cells: Sequence[Cell], args: argparse.Namespace, load: float) -> dict[str, Any]:
    """The JSON of a run."""
    import torch

    cuda = args.device != "cpu"
    return {
        "about": "ratios of times taken in turns; seconds are a batch's, on this machine, in this run",
        "settings": {
            "device": args.device,
            "threads": args.threads,
            "repeats": args.repeats,
            "seconds": args.seconds,
            "reference": args.reference is not None,
            "quick": args.quick,
        },
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "gpu": torch.cuda.get_device_name(args.device) if cuda else None,
            "system": platform.system(),
            "cores_busy_before": round(load, 2),
        },
        "versions": {"openshape_ood": __version__, "torch": torch.__version__, "python": platform.python_version()},
        "cells": [cell.as_json() for cell in cells],
    }


if __name__ == "__main__":
    sys.exit(main())
