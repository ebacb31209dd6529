"""Common options of the commands, exit codes, and printing of tables."""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.__main__ import COMMANDS
from benchmarks.report.tables import Table
from openshape_ood.checks import check_seed
from openshape_ood.errors import InputError, MissingPackageError, OpenShapeError
from openshape_ood.registry.extensions import use_module

OPTIONS: dict[str, dict[str, Any]] = {
    "model": {"default": "tiny", "help": "a checkpoint of the registry, or several joined by +"},
    "checkpoint": {"type": Path, "help": "a weights file at hand instead of the registered one"},
    "text_checkpoint": {"type": Path, "help": "a file with the weights of the text encoder, likewise"},
    "registry": {"type": Path, "help": "a registry of your own"},
    "data_root": {"type": Path, "help": "the unpacked 3DOS release; without it, generated shapes"},
    "per_class": {"type": int, "default": 60, "help": "generated shapes a class"},
    "data_seed": {"type": int, "default": 0, "help": "which generated shapes"},
    "num_samples": {"type": int, "default": 1, "help": "embeddings a shape, averaged"},
    "seed": {"type": int, "default": 0, "help": "of every draw"},
    "draws": {"type": int, "default": 1000, "help": "bootstrap draws for intervals"},
    "device": {"help": "cpu, cuda, mps; without it, the best there is"},
    "batch_size": {"type": int, "default": 32, "help": "clouds embedded at once"},
    "workers": {"type": int, "default": 1, "help": "reader processes; 0 reads in this one"},
    "cache": {"type": Path, "help": "folder for embeddings (default: the benchmarks' cache)"},
    "no_cache": {"action": "store_true", "help": "compute every embedding, keep none"},
    "seeds": {"type": int, "nargs": "+", "default": [0, 1, 2, 3, 4], "help": "each a run of its own"},
    "no_pictures": {"dest": "pictures", "action": "store_false", "help": "figures only"},
    "real": {"type": Path, "help": "a folder with small_house_layout.json and its meshes, beside generated rooms"},
    "threads": {"type": int, "default": 1, "help": "of the network, on the CPU"},
    "shots": {
        "type": int,
        "nargs": "+",
        "help": "examples of each known class, drawn by the data seed; a run for each",
    },
    "repeats": {"type": int, "default": 1, "help": "turns; medians are of so many"},
    # no beginning of an option of torchrun's, which refuses such
    "log_file": {"type": Path, "help": "a file of JSON lines, one a step of training"},
    "tensorboard": {"type": Path, "help": "a folder for TensorBoard, likewise"},
    "out": {"type": Path, "default": Path("results"), "help": "folder of the results"},
}
OPTIONS["import"] = {
    "action": "import",
    "metavar": "MODULE",
    "help": "a Python module or file of yours, which registers an encoder, a score or a method; may come several times",
}
# options that change no figure, or that other words of a file's name hold
UNNAMED = {"import", "out", "progress", "pictures", "picture", "cache", "no_cache", "log_file", "tensorboard", "state"}
MODEL = {"model", "checkpoint", "text_checkpoint", "registry"}
MACHINE = {"device", "batch_size", "workers", "threads"}
LONGEST = 60  # characters of an option in a file's name
# what every command refuses less of
LEAST = {
    "per_class": 1,
    "num_samples": 1,
    "draws": 1,
    "batch_size": 1,
    "workers": 0,
    "threads": 1,
    "repeats": 1,
    "shots": 1,
}


class Import(argparse.Action):
    """Imports a module of the user's as soon as it is named, before names of models and methods are looked up."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        try:
            use_module(values)
        except InputError as error:
            parser.error(str(error))


class Options(argparse.Namespace):
    """Options of a command; `usual` holds their defaults by name, which `vars` does not show."""

    __slots__ = ("usual",)
    usual: Mapping[str, Any]


class Parser(argparse.ArgumentParser):
    """A parser whose options know their defaults, for `suffix`."""

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self.register("action", "import", Import)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        found, rest = super().parse_known_args(args, Options() if namespace is None else namespace)
        if isinstance(found, Options):
            found.usual = {action.dest: self.get_default(action.dest) for action in self._actions}
        return found, rest


def suffix(args: argparse.Namespace, *skipped: str, **usual: Any) -> str:
    """The part of a result's file name that tells its settings: every option that does not have its usual value.

    So a run with other settings overwrites no other run. The usual values are the defaults, unless given here.

    >>> suffix(add(Parser(), "seeds", "per_class").parse_args(["--seeds", "1", "2", "--per-class", "60"]))
    '-seeds-1-2'
    """
    known = {**getattr(args, "usual", {}), **usual}
    words = []
    for name, value in vars(args).items():
        # a number of pictures is a setting, whether they are drawn is none
        unnamed = name in UNNAMED and (isinstance(value, bool) or name not in ("pictures", "picture"))
        if name in known and not unnamed and name not in skipped and value != known[name]:
            flag_words = [*(["no"] if value is False else []), name.replace("_", "-")]
            words.append("-".join([*flag_words, *([] if isinstance(value, bool) else _words(value))]))
    return "".join(f"-{word}" for word in words)


def _words(value: Any) -> list[str]:
    """An option's value as words of a file's name; a digest in the place of a long one."""
    several = value if isinstance(value, list | tuple) else [value]
    texts = [re.sub(r"[^\w.+]+", "_", one.stem if isinstance(one, Path) else str(one)) for one in several]
    return texts if len("-".join(texts)) <= LONGEST else [hashlib.sha256("-".join(texts).encode()).hexdigest()[:8]]


def parser(command: str, about: str, *names: str, **defaults: Any) -> argparse.ArgumentParser:
    """The parser of a command.

    Parameters
    ----------
    command, about : str
        Its name, as `python -m benchmarks NAME` takes it or a module of its own, and what it does.
    *names : str
        Options of `OPTIONS` that it takes; --out and --quiet it always takes.
    **defaults
        Further ones, with a default of the command's own.
    """
    dot = " " if command in COMMANDS else "."
    if "model" in (*names, *defaults):
        names = (*names, "import")
    found = Parser(prog=f"python -m benchmarks{dot}{command}", description=about, allow_abbrev=False)
    return add(found, *names, **defaults)


def add(found: argparse.ArgumentParser, *names: str, **defaults: Any) -> argparse.ArgumentParser:
    """The parser with these options, --out and --quiet."""
    for name in (*names, *defaults, "out"):
        option = OPTIONS[name] | ({"default": defaults[name]} if name in defaults else {})
        shown = "" if option.get("default") is None else " (default: %(default)s)"
        found.add_argument(flag(name), **option | {"help": option["help"] + shown})
    found.add_argument("--quiet", dest="progress", action="store_false", help="no progress on stderr")
    return found


def add_numbers(found: argparse.ArgumentParser, **given: tuple[Any, str]) -> None:
    """A command's own options, as name=(default, what it is), of the type of the default, or of those in a list."""
    for name, (default, words) in given.items():
        several = isinstance(default, list)
        how: dict[str, Any] = {"type": type(default[0]), "nargs": "+"} if several else {"type": type(default)}
        shown = " ".join(map(str, default)) if several else "%(default)s"
        found.add_argument(flag(name), default=default, help=f"{words} (default: {shown})", **how)


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def check(args: argparse.Namespace, **least: float) -> None:
    """Raises `InputError` for an option, or one of a list, that is below its least value, which is that of `LEAST`
    unless given, for seeds that are none or twice the same, for data that are not there, and for more `shots` than
    generated examples, before anything is loaded.
    """
    if (root := getattr(args, "data_root", None)) and not root.is_dir():
        raise InputError(f"--data-root: no folder {root}; expected the unpacked data, see benchmarks/README.md")
    seeds = getattr(args, "seeds", None) or []
    for seed in [getattr(args, "seed", None), *seeds]:
        if seed is not None:  # else the recipe's own
            check_seed(seed)
    if len(set(seeds)) < len(seeds):
        raise InputError(f"--seeds are {' '.join(map(str, seeds))}; expected each once")
    for name, bound in (LEAST | least).items():
        given = getattr(args, name, None)
        values = given if isinstance(given, list) else [given]
        if any(value is not None and value < bound for value in values):
            shown = " ".join(map(str, values))
            raise InputError(f"{flag(name)} is {shown}; expected {bound} or more")
    shots, examples = getattr(args, "shots", None) or [], getattr(args, "per_class", None)
    if shots and examples and not getattr(args, "data_root", None) and max(shots) > examples:
        raise InputError(
            f"--shots has {max(shots)}, and --per-class {examples} generates {examples} examples of each class. "
            f"Expected at most {examples}. Give --per-class {max(shots)} or fewer shots"
        )


def check_pictures(args: argparse.Namespace) -> None:
    """Raises `MissingPackageError` if pictures are wanted and cannot be drawn; before the work, not after it."""
    missing = [name for name in ("matplotlib", "plotly") if not find_spec(name)]
    if args.pictures and missing:
        raise MissingPackageError(
            f"pictures need {', '.join(missing)}: pip install -e '.[benchmarks]'; or leave them out: --no-pictures"
        )


def finish(work: Callable[[], int | None], kept: str = "") -> int:
    """Exit status of a command: the result of `work`, or 0; 1 with one line on stderr for wrong input."""
    try:
        return work() or 0
    except (OpenShapeError, OSError) as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"stopped{kept}", file=sys.stderr)
        return 130


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Rows of cells as a table for the terminal, as wide as it has to be; the first `words` columns are set left."""
    return Table(tuple(head), tuple(map(tuple, rows)), words).text(width=240)


def printable(words: str) -> str:
    """Words on one line, without what a terminal would obey."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in words)
