"""Common options of the commands, exit codes, and printing of tables."""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import warnings
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
    "model": {"default": "tiny", "help": "a checkpoint of the registry, or an ensemble: several names joined by +"},
    "checkpoint": {"type": Path, "help": "a local weights file instead of the registered one"},
    "text_checkpoint": {"type": Path, "help": "a local weights file of the text encoder"},
    "registry": {"type": Path, "help": "your own registry file"},
    "data_root": {"type": Path, "help": "the unpacked 3DOS release; without it, generated shapes"},
    "per_class": {"type": int, "default": 60, "help": "number of generated shapes per class"},
    "data_seed": {"type": int, "default": 0, "help": "seed of the generated shapes"},
    "num_samples": {"type": int, "default": 1, "help": "samplings per shape; their embeddings are averaged"},
    "seed": {"type": int, "default": 0, "help": "seed of all random draws"},
    "draws": {"type": int, "default": 1000, "help": "bootstrap draws for intervals"},
    "device": {"help": "cpu, cuda or mps; by default the fastest one available"},
    "batch_size": {"type": int, "default": 32, "help": "clouds embedded at once"},
    "workers": {"type": int, "default": 1, "help": "reader processes; 0 reads in the main process"},
    "cache": {"type": Path, "help": "folder for embeddings (default: the benchmarks' cache)"},
    "no_cache": {"action": "store_true", "help": "compute every embedding and store none"},
    "seeds": {"type": int, "nargs": "+", "default": [0, 1, 2, 3, 4], "help": "random seeds; one run per seed"},
    "no_pictures": {"dest": "pictures", "action": "store_false", "help": "write no pictures"},
    "real": {"type": Path, "help": "a folder with small_house_layout.json and its meshes, used with generated rooms"},
    "threads": {"type": int, "default": 1, "help": "CPU threads of the network"},
    "shots": {
        "type": int,
        "nargs": "+",
        "help": "numbers of examples per known class, one run per number; the data seed selects the examples",
    },
    "repeats": {"type": int, "default": 1, "help": "number of timed repeats; their median is reported"},
    # names that are not prefixes of torchrun's options, which torchrun would read as its own
    "log_file": {"type": Path, "help": "a file of JSON lines, one per training step"},
    "tensorboard": {"type": Path, "help": "a folder for TensorBoard's event files"},
    "out": {"type": Path, "default": Path("results"), "help": "output folder"},
}
OPTIONS["import"] = {
    "action": "import",
    "metavar": "MODULE",
    "help": "your Python module or file, which registers an encoder, a score or a method; may be repeated",
}
# options that `suffix` leaves out: they change no figure, or are in the file name already
UNNAMED = {"import", "out", "progress", "pictures", "picture", "cache", "no_cache", "log_file", "tensorboard", "state"}
MODEL = {"model", "checkpoint", "text_checkpoint", "registry"}
MACHINE = {"device", "batch_size", "workers", "threads"}
LONGEST = 60  # characters of an option's values in a file name
# least allowed value of each option, in every command
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
    """Import the user's module while options are parsed, before names of models and methods are looked up."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        try:
            use_module(values)
        except InputError as error:
            parser.error(str(error))


class Options(argparse.Namespace):
    """Options of a command. `usual` has their defaults by name and is not part of `vars`."""

    __slots__ = ("usual",)
    usual: Mapping[str, Any]


class Parser(argparse.ArgumentParser):
    """A parser that also stores the defaults in its result, for `suffix`."""

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self.register("action", "import", Import)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        options, rest = super().parse_known_args(args, Options() if namespace is None else namespace)
        if isinstance(options, Options):
            options.usual = {action.dest: self.get_default(action.dest) for action in self._actions}
        return options, rest


def suffix(args: argparse.Namespace, *skipped: str, **usual: Any) -> str:
    """Part of a result's file name: all options that differ from their defaults, or from `usual`.

    Runs with different settings therefore have different file names. Options in `skipped` are left out.

    >>> suffix(add(Parser(), "seeds", "per_class").parse_args(["--seeds", "1", "2", "--per-class", "60"]))
    '-seeds-1-2'
    """
    known = {**getattr(args, "usual", {}), **usual}
    words = []
    for name, value in vars(args).items():
        # `pictures` as a number is a setting; as a bool it changes no figure
        unnamed = name in UNNAMED and (isinstance(value, bool) or name not in ("pictures", "picture"))
        if name in known and not unnamed and name not in skipped and value != known[name]:
            flag_words = [*(["no"] if value is False else []), name.replace("_", "-")]
            words.append("-".join([*flag_words, *([] if isinstance(value, bool) else _words(value))]))
    return "".join(f"-{word}" for word in words)


def _words(value: Any) -> list[str]:
    """Value of an option as words for a file name; a long value is replaced by a hash."""
    several = value if isinstance(value, list | tuple) else [value]
    texts = [re.sub(r"[^\w.+]+", "_", one.stem if isinstance(one, Path) else str(one)) for one in several]
    return texts if len("-".join(texts)) <= LONGEST else [hashlib.sha256("-".join(texts).encode()).hexdigest()[:8]]


def parser(command: str, about: str, *names: str, **defaults: Any) -> argparse.ArgumentParser:
    """The parser of a command.

    Parameters
    ----------
    command, about : str
        Name, as in `python -m benchmarks NAME` or `python -m benchmarks.NAME`; description for --help.
    *names : str
        Keys of `OPTIONS`; --out and --quiet are always added.
    **defaults
        Further keys of `OPTIONS`, each with the default of this command.
    """
    dot = " " if command in COMMANDS else "."
    if "model" in (*names, *defaults):
        names = (*names, "import")
    made = Parser(prog=f"python -m benchmarks{dot}{command}", description=about, allow_abbrev=False)
    return add(made, *names, **defaults)


def add(target: argparse.ArgumentParser, *names: str, **defaults: Any) -> argparse.ArgumentParser:
    """Add these options, --out and --quiet; return the parser."""
    for name in (*names, *defaults, "out"):
        option = OPTIONS[name] | ({"default": defaults[name]} if name in defaults else {})
        shown = "" if option.get("default") is None else " (default: %(default)s)"
        target.add_argument(flag(name), **option | {"help": option["help"] + shown})
    target.add_argument("--quiet", dest="progress", action="store_false", help="no progress on stderr")
    return target


def add_numbers(target: argparse.ArgumentParser, **given: tuple[Any, str]) -> None:
    """Add options given as name=(default, help text). The default, or its first value, determines the type."""
    for name, (default, words) in given.items():
        several = isinstance(default, list)
        how: dict[str, Any] = {"type": type(default[0]), "nargs": "+"} if several else {"type": type(default)}
        shown = " ".join(map(str, default)) if several else "%(default)s"
        target.add_argument(flag(name), default=default, help=f"{words} (default: {shown})", **how)


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def check(args: argparse.Namespace, **least: float) -> None:
    """Check options before anything is loaded.

    Raises `InputError` for a missing data folder, an invalid or repeated seed, more `shots` than generated
    examples, and a value that is too small. Smallest allowed values are in `LEAST`; `least` overrides them.
    """
    if (root := getattr(args, "data_root", None)) and not root.is_dir():
        raise InputError(f"--data-root: no folder {root}; expected the unpacked data, see benchmarks/README.md")
    seeds = getattr(args, "seeds", None) or []
    for seed in [getattr(args, "seed", None), *seeds]:
        if seed is not None:  # None: the seeds of the recipe are used
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
    """Raise `MissingPackageError` if pictures are requested but their packages are missing."""
    missing = [name for name in ("matplotlib", "plotly") if not find_spec(name)]
    if args.pictures and missing:
        raise MissingPackageError(
            f"pictures need {', '.join(missing)}: pip install -e '.[benchmarks]'; or use --no-pictures"
        )


def finish(work: Callable[[], int | None], kept: str = "") -> int:
    """Run a command; return its exit status.

    The status is the result of `work`, or 0. Wrong input: 1, with one line on stderr. Ctrl-C: 130.
    """
    try:
        return work() or 0
    except (OpenShapeError, OSError) as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"stopped{kept}", file=sys.stderr)
        return 130


def run(
    given: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], int | None],
    argv: Sequence[str] | None,
    kept: str = "",
    ignored: type[Warning] | None = None,
) -> int:
    """Parse the options of a command and run it by `finish`. ignored: kind of warnings that are not shown."""
    args = given.parse_args(argv)
    with warnings.catch_warnings():
        if ignored:
            warnings.simplefilter("ignore", ignored)
        return finish(lambda: work(args), kept)


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Text table of the rows, at most 240 characters wide; the first `words` columns are left-aligned."""
    return Table(tuple(head), tuple(map(tuple, rows)), words).text(width=240)


def printable(words: str) -> str:
    """Text on one line, without control characters."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in words)
