"""The commands `python -m benchmarks.sr1`, `sr2`, `sn` and `r2r`."""

from __future__ import annotations

import argparse
import copy
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import options
from benchmarks.report import output
from benchmarks.report.output import write_all
from benchmarks.threedos.protocol import run
from benchmarks.threedos.recipes import PROTOCOLS, SEEDS
from benchmarks.threedos.results import Finished
from benchmarks.threedos.splits import load_split
from openshape_ood.errors import InputError

OPTIONS = (
    *("model", "checkpoint", "text_checkpoint", "registry", "data_root", "per_class", "data_seed", "num_samples"),
    *("draws", "shots", "device", "batch_size", "workers", "cache", "no_cache"),
)


def main(command: str, names: Sequence[str], argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks of a command. Returns 0, or 1 with one line on stderr for wrong input."""
    return run_all(parse(command, names, argv), names)


def run_all(args: argparse.Namespace, names: Sequence[str]) -> int:
    """Run the benchmarks of a command with these settings; returns the exit status, as `main`."""
    kept = "" if args.no_cache else "; computed embeddings are cached, and the same command resumes the run"
    with warnings.catch_warnings():
        warnings.simplefilter("once", append=True)
        warnings.showwarning = _say
        return options.finish(lambda: _run(args, names), kept)


def _run(args: argparse.Namespace, names: Sequence[str]) -> None:
    _check(args)
    args.out.mkdir(parents=True, exist_ok=True)  # first, so that a wrong path fails at once
    for name in args.set or names:
        runs = []
        for shots in args.shots or [None]:
            finished = run(load_split(name), with_shots(args, shots))
            print(summary(finished, write_all(args.out, finished, args.pictures)))
            runs.append(finished)
        if len(runs) > 1:
            from benchmarks.threedos import shots as by_shots

            stem = output.stem(runs[0]).replace(f"-shots-{args.shots[0]}", f"-shots-{'-'.join(map(str, args.shots))}")
            shown, files = by_shots.write(args.out, runs, stem, args.pictures)
            print("", shown, "", *files, sep="\n")


def with_shots(args: argparse.Namespace, shots: int | None, **changed: Any) -> argparse.Namespace:
    """Settings of the run with this number of shots."""
    one = copy.copy(args)
    vars(one).update(changed, shots=shots)
    return one


def _say(message: Warning | str, category: object, filename: str, lineno: int, *_: object, **__: object) -> None:
    """Print a warning on one line, without file name and line number."""
    print(f"warning: {message}", file=sys.stderr)


def summary(finished: Finished, files: Sequence[Path]) -> str:
    """Printed output of a run: settings, tables, paths of the files."""
    from benchmarks.report.facts import header
    from benchmarks.report.tables import ablation_table, confusion_table, run_table, spreadsheet_lines

    report = dict(finished.report)
    parts = [header(report), run_table(report), confusion_table(report), ablation_table(report)]
    done = report["run"]
    computed = f"{done['seconds']} s; {done['embedded']:,} embeddings computed, {done['reused']:,} found in the cache"
    parts += ["\n".join(spreadsheet_lines(report)), "\n".join([computed, *map(str, files)])]
    return "\n\n".join(part for part in parts if part)


def parse(command: str, names: Sequence[str], argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the settings of a run."""
    parser = options.parser(command, "; ".join(load_split(name).title for name in names), *OPTIONS)
    parser.set_defaults(set=[])
    if len(names) > 1:
        words = f"benchmarks to run, of {', '.join(names)} (default: all)"
        parser.add_argument("--set", nargs="+", choices=names, metavar="SET", help=words)
    words = "openshape (default): preprocessing of the encoder, cosines; semnov: as the published reference run"
    parser.add_argument("--protocol", choices=PROTOCOLS, default="openshape", help=words)
    words = "sampling seeds (default: 1 41 13718)"
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help=words)
    parser.add_argument("--ablate", action="store_true", help="also measure the effect of each setting of the protocol")
    parser.add_argument("--no-names", action="store_true", help="examples only; no text encoder is needed")
    words = "fail if the data differ from the published counts"
    parser.add_argument("--strict", action="store_true", help=words)
    words = "write no pictures"
    parser.add_argument("--no-pictures", dest="pictures", action="store_false", help=words)
    return parser.parse_args(argv)


def settings(command: str, names: Sequence[str], **given: Any) -> argparse.Namespace:
    """Settings of a run: defaults, changed by keyword arguments."""
    args = parse(command, names, [])
    vars(args).update(given)
    return args


def _check(args: argparse.Namespace) -> None:
    options.check_pictures(args)
    options.check(args, draws=100)
    if args.cache and args.no_cache:
        raise InputError("--cache and --no-cache are given together. Expected at most one of them. Remove one")
