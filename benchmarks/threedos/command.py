"""The commands `python -m benchmarks.sr1`, `sr2`, `sn` and `r2r`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.report.output import write_all
from benchmarks.threedos.protocol import run
from benchmarks.threedos.recipes import PROTOCOLS, SEEDS
from benchmarks.threedos.results import Finished
from benchmarks.threedos.splits import load_split
from openshape_ood.checks import check_seed
from openshape_ood.errors import InputError, MissingPackageError, OpenShapeError


def main(command: str, names: Sequence[str], argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks of a command: 0 when done, 1 with one line on stderr when the input was wrong."""
    args = parse(command, names, argv)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("once", append=True)
            warnings.showwarning = _say
            _run(args, names)
    except (OpenShapeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        kept = "" if args.no_cache else "; what was embedded is kept, the same command goes on from there"
        print(f"stopped{kept}", file=sys.stderr)
        return 130
    return 0


def _run(args: argparse.Namespace, names: Sequence[str]) -> None:
    _check(args)
    args.out.mkdir(parents=True, exist_ok=True)  # before the work, whose results would else have no place
    for name in args.set or names:
        finished = run(load_split(name), args)
        print(summary(finished, write_all(args.out, finished, args.pictures)))


def _say(message: Warning | str, category: object, filename: str, lineno: int, *_: object, **__: object) -> None:
    """A warning as one line, without the place in the code that raised it."""
    print(f"warning: {message}", file=sys.stderr)


def summary(finished: Finished, files: Sequence[Path]) -> str:
    """What a run prints: what was run, the table, which novel classes are taken for which, where the files are."""
    from benchmarks.report.facts import header
    from benchmarks.report.tables import ablation_table, confusion_table, run_table, spreadsheet_lines

    report = dict(finished.report)
    parts = [header(report), run_table(report), confusion_table(report)]
    if "ablation" in report:
        parts.append(ablation_table(report))
    parts.append("\n".join(spreadsheet_lines(report)))
    done = report["run"]
    computed = f"{done['seconds']} s; {done['embedded']:,} embeddings computed, {done['reused']:,} found in the cache"
    parts.append("\n".join([computed, *map(str, files)]))
    return "\n\n".join(part for part in parts if part)


def parse(command: str, names: Sequence[str], argv: Sequence[str] | None = None) -> argparse.Namespace:
    titles = "; ".join(load_split(name).title for name in names)
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{command}", description=titles, allow_abbrev=False)
    if len(names) > 1:
        parser.add_argument(
            "--set", nargs="+", choices=names, metavar="SET", help=f"of {', '.join(names)} (default: all)"
        )
    else:
        parser.set_defaults(set=[])
    _add_what(parser)
    _add_how(parser)
    return parser.parse_args(argv)


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what is run")
    what.add_argument("--model", default="tiny", help="a checkpoint of the registry (default: tiny)")
    what.add_argument("--checkpoint", type=Path, help="a weights file at hand instead of the Hub's")
    what.add_argument("--text-checkpoint", type=Path, help="a file with the text encoder's weights, likewise")
    what.add_argument("--no-names", action="store_true", help="examples only: no text encoder is needed")
    what.add_argument("--registry", type=Path, help="a registry of your own")
    what.add_argument("--data-root", type=Path, help="the unpacked 3DOS release; without it, generated shapes")
    what.add_argument("--strict", action="store_true", help="an error where the data differ from the published counts")
    what.add_argument("--per-class", type=int, default=60, help="generated shapes a class (default: 60)")
    what.add_argument("--data-seed", type=int, default=0, help="which generated shapes (default: 0)")
    what.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="openshape",
        help="openshape: the encoder's own preprocessing, cosines (default); semnov: the published reference run",
    )
    what.add_argument("--num-samples", type=int, default=1, help="embeddings a shape, averaged (default: 1)")
    what.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="of sampling (default: 1 41 13718)")
    what.add_argument("--ablate", action="store_true", help="turn each switch of the protocol, one at a time")
    what.add_argument("--draws", type=int, default=1000, help="bootstrap draws for intervals (default: 1000)")


def _add_how(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how it is run")
    how.add_argument("--device", help="cpu, cuda, mps (default: the best there is)")
    how.add_argument("--batch-size", type=int, default=32)
    how.add_argument("--workers", type=int, default=1, help="reader processes; 0 reads in this one (default: 1)")
    how.add_argument("--cache", type=Path, help="folder for embeddings (default: benchmarks/ of the library's cache)")
    how.add_argument("--no-cache", action="store_true", help="compute every embedding, keep none")
    how.add_argument("--out", type=Path, default=Path("results"), help="folder of the results (default: results)")
    how.add_argument("--no-pictures", dest="pictures", action="store_false", help="figures and report only")
    how.add_argument("--quiet", dest="progress", action="store_false", help="no progress bars")


def _check(args: argparse.Namespace) -> None:
    missing = [name for name in ("matplotlib", "plotly") if not find_spec(name)]
    if args.pictures and missing:  # before the work, not after it
        raise MissingPackageError(
            f"pictures need {', '.join(missing)}: pip install -e '.[benchmarks]'; or leave them out: --no-pictures"
        )
    for name, least in {"batch_size": 1, "workers": 0, "num_samples": 1, "draws": 100}.items():
        if getattr(args, name) < least:
            raise InputError(f"--{name.replace('_', '-')} is {getattr(args, name)}; expected {least} or more")
    for seed in args.seeds:
        check_seed(seed)
    if len(set(args.seeds)) < len(args.seeds):
        raise InputError(f"--seeds are {' '.join(map(str, args.seeds))}; expected each once")
    if args.cache and args.no_cache:
        raise InputError("--cache and --no-cache together; expected one of them")
