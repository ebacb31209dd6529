"""Options that several commands share, so that one word means one thing everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter, validators

KNOWN, ENCODER, DECISION, GROUPS, RESULT = "Known classes", "Encoder", "Decision", "Groups", "Result"
HYPHENED = ("AXIS", "X", "X|FILE")  # values that may begin with a hyphen, as -y and -0.5


def option(
    panel: str | None,
    help: str,
    metavar: str | None = None,
    *flags: str,
    min: float | None = None,
    max: float | None = None,
    completer: Callable[[], list[str]] | None = None,
    negative: str | None = None,
) -> Parameter:
    """One option in a panel of the help; without flags it is called as its parameter.

    metavar: with "..." in it the option takes all words up to the next option. completer: words that a shell offers.
    """
    return Parameter(
        name=flags or None,
        group=panel or "Options",
        help=help,
        metavar=metavar,
        consume_multiple="..." in (metavar or ""),
        validator=() if min is None and max is None else validators.Number(gte=min, lte=max),
        completer=completer and (lambda _: completer()),
        negative=negative or (),
        allow_repeating=True,
        allow_leading_hyphen=metavar in HYPHENED,
    )


def argument(help: str, metavar: str, completer: Callable[[], list[str]] | None = None) -> Parameter:
    """Positional arguments of a command."""
    return Parameter(help=help, metavar=metavar, completer=completer and (lambda _: completer()))


NOT_HERE = Parameter(parse=False, show=False)  # an option of a group that one of its commands does not have


def group(help: str, examples: str = "") -> App:
    """Several commands behind one word."""
    return App(help=_flowing(help), help_epilogue=_shown(examples))


def examples(text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Keep examples for the help of a command, which `add` shows below its options."""

    def keep(function: Callable[..., None]) -> Callable[..., None]:
        function.__dict__["examples"] = text
        return function

    return keep


def add(app: App, function: Callable[..., None], name: str | None = None) -> None:
    """Make a function a command, with its docstring and its examples as help."""
    epilogue = _shown(function.__dict__.get("examples", ""))
    app.command(function, name=name, help=_flowing(function.__doc__ or ""), help_epilogue=epilogue)


def command(app: App, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command of a group."""

    def made(function: Callable[..., None]) -> Callable[..., None]:
        add(app, function, name)
        return function

    return made


def _flowing(text: str) -> str:
    """Join each paragraph into one line; the terminal wraps it."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in cleandoc(text).split("\n\n"))


def _shown(examples: str) -> str:
    return f"Examples:\n{examples.strip(chr(10))}\n" if examples else ""


def split_names(names: Sequence[str] | None) -> list[str]:
    """Several in one word, separated by commas, too; a blank word stays, to be refused."""
    return [part.strip() for name in names or () for part in name.split(",") if part.strip() or not name.strip()]


def checkpoint_names() -> list[str]:
    from openshape_ood import list_checkpoints

    return list_checkpoints()


def method_names() -> list[str]:
    from openshape_ood.scoring import methods

    return methods.method_names()


def up_names() -> list[str]:
    return ["file", "y", "z", "x", "-y", "-z", "-x"]


Files = Annotated[
    list[str],
    argument(
        "Shape files, folders (searched recursively) or patterns in quotes, such as 'scans/*.ply'; or stored "
        "embeddings: .npz, .parquet, .safetensors or a folder.",
        "FILES",
    ),
]
Names = Annotated[
    list[str] | None, option(KNOWN, "Names, several words or commas: --known chair sofa 'night stand'.", "NAME...")
]
KnownFiles = Annotated[
    list[Path] | None,
    option(
        KNOWN,
        "Files of `openshape-ood known save` or KnownClasses.save (.safetensors).",
        "FILE...",
    ),
]
MODEL = (
    "Encoder: tiny (inside the package, works offline), vitb32 or another of `checkpoints list` (downloaded), or "
    "several as an ensemble, vitb32+uni3d-b"
)
Model = Annotated[str, option(ENCODER, f"{MODEL}.", "NAME", "--model", "-m", completer=checkpoint_names)]
CheckpointFile = Annotated[Path | None, option(ENCODER, "Your own file with weights of the encoder.", "FILE")]
_UP = "Up axis: y, z or x, with - for upside down; 'file': the axis stated by each file, else y"
Up = Annotated[str, option(ENCODER, f"{_UP}.", "AXIS", completer=up_names)]
UpOrAuto = Annotated[
    str,
    option(
        ENCODER,
        f"{_UP}; 'auto': for files without a stated axis, the one under which the known classes fit best.",
        "AXIS",
        completer=lambda: [*up_names(), "auto"],
    ),
]
NumSamples = Annotated[int, option(ENCODER, "Averaged embeddings of each shape; more are steadier.", min=1)]
Seed = Annotated[int, option(ENCODER, "Seed of all sampling.", min=0)]
Device = Annotated[str | None, option(ENCODER, "cpu, cuda or mps. Default: the best available.", "NAME")]
BatchSize = Annotated[int, option(ENCODER, "Shapes encoded at once.", min=1)]
Readers = Annotated[
    int | None,
    option(
        ENCODER,
        "Processes that read files ahead of the encoder; set by their number if left out. 0: none, and no limits.",
        "N",
        min=0,
    ),
]
Folder = Annotated[Path | None, option(RESULT, "A folder for what is written, which is made.", "FOLDER", "--out", "-o")]
Json = Annotated[bool, option(None, "JSON on the standard output, for machines.", None, "--json")]
