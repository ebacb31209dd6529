"""Guarantees: drift alarms, recalibration with few labels, two error rates, marks of maps.

    python -m benchmarks guarantees --real DIR
    python -m benchmarks guarantees --parts alarms repair

Each part is a module with `measure(args)`, `tables(report)` and `draw(report, path)`. It writes guarantees-PART.json
and .png.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import options
from benchmarks.questions import harness

# part -> module in this folder, and question that it answers
PARTS: dict[str, tuple[str, str]] = {
    "alarms": ("guarantees_alarms", "are there alarms after a drift of the known objects, and only then?"),
    "repair": ("guarantees_repair", "does coverage hold again after a few labels, and do two error rates hold?"),
    "marks": ("guarantees_marks", "do marks keep the requested rate of false points, and how many parts do they miss?"),
}


def measure(part: str, args: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The module of a part, and its report with settings and CPU time."""
    module, began = import_module(f"benchmarks.questions.{PARTS[part][0]}"), time.process_time()
    settings = {name: getattr(args, name) for name in ("draws", "per_class", "seed")}
    report = {"part": part, "question": PARTS[part][1], "settings": settings, **module.measure(args)}
    return module, report | {"run": {"cpu_seconds": round(time.process_time() - began, 1)}}


def run(args: argparse.Namespace) -> int:
    options.check(args, draws=2)
    options.check_pictures(args)
    args.out.mkdir(parents=True, exist_ok=True)
    for part in args.parts:
        module, report = measure(part, args)

        def draw(path: Path, module: Any = module, report: Mapping[str, Any] = report) -> Sequence[Path]:
            return module.draw(report, path) if hasattr(module, "draw") else ()

        harness.finish(args, f"guarantees-{part}", report, module.tables(report), draw, named=("parts", "real"))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    about = "Guarantees and their alarms: " + "; ".join(f"{part}: {question}" for part, (_, question) in PARTS.items())
    names = ("draws", "seed", "real", "cache", "batch_size", "workers", "no_pictures")
    parser = options.parser("guarantees", about, *names, per_class=200)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="default: all")
    return options.run(parser, run, argv)
