"""Options shared by several commands, so that a name has one meaning everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter, validators

KNOWN, ENCODER, DECISION, GROUPS, RESULT = "Known classes", "Encoder", "Decision", "Groups", "Result"
HYPHENED = ("AXIS", "X", "X|FILE")  # kinds of values that may begin with a hyphen, such as -y and -0.5


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
    """Option in a panel of the help. Without flags, the option is named after the parameter.

    metavar: if it contains "...", the option takes all words up to the next option. completer: function that returns
    the words offered by shell completion.
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
    """Positional argument of a command."""
    return Parameter(help=help, metavar=metavar, completer=completer and (lambda _: completer()))


NOT_HERE = Parameter(parse=False, show=False)  # hides an option of a group from a command


def single(function: Callable[..., None], examples: str) -> App:
    """A function as a command. Its docstring and the examples become the help."""
    app = group(function.__name__, function.__doc__ or "", examples)
    app.version_flags = ()
    app.default(function)
    return app


def group(name: str, help: str, examples: str) -> App:
    """Group of subcommands."""
    app = App(name=name, help=_flowing(help), help_epilogue=f"Examples:\n{examples.strip(chr(10))}\n")
    for flag in (*app.help_flags, *app.version_flags):
        app[flag].show = False
    return app


def command(app: App, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator that makes a function a command of a group."""

    def made(function: Callable[..., None]) -> Callable[..., None]:
        app.command(function, name=name, help=_flowing(function.__doc__ or ""), help_epilogue="")
        return function

    return made


def _flowing(text: str) -> str:
    """Join each paragraph into one line; the terminal wraps it."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in cleandoc(text).split("\n\n"))


def split_names(names: Sequence[str] | None) -> list[str]:
    """Split words at commas. A blank word is kept, so that validation can refuse it."""
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
        "Shape files, folders (searched recursively) or patterns in quotes, such as 'scans/*.ply'. Stored embeddings "
        "are also accepted: .npz, .parquet, .safetensors or a folder.",
        "FILES",
    ),
]
Names = Annotated[
    list[str] | None,
    option(
        KNOWN, "Names of known classes, separated by spaces or commas: --known chair sofa 'night stand'.", "NAME..."
    ),
]
KnownFiles = Annotated[
    list[Path] | None,
    option(
        KNOWN,
        "Files from `openshape-ood known save` or KnownClasses.save (.safetensors).",
        "FILE...",
    ),
]
MODEL = (
    "Encoder: small or tiny (in the package, offline), vitb32 or another name of `checkpoints list` (downloaded), or "
    "an ensemble such as vitb32+uni3d-b"
)
Model = Annotated[str, option(ENCODER, f"{MODEL}.", "NAME", "--model", "-m", completer=checkpoint_names)]
CheckpointFile = Annotated[Path | None, option(ENCODER, "Your file with the encoder's weights.", "FILE")]
_UP = "Up axis: y, z or x, or -y, -z, -x if the axis points down. 'file': the axis that each file states, else y"
Up = Annotated[str, option(ENCODER, f"{_UP}.", "AXIS", completer=up_names)]
UpOrAuto = Annotated[
    str,
    option(
        ENCODER,
        f"{_UP}. 'auto': as 'file', but if no axis is stated, the axis that fits the known classes best.",
        "AXIS",
        completer=lambda: [*up_names(), "auto"],
    ),
]
NumSamples = Annotated[
    int, option(ENCODER, "Number of random samplings of each shape. Their embeddings are averaged.", min=1)
]
Seed = Annotated[int, option(ENCODER, "Random seed.", min=0)]
Device = Annotated[str | None, option(ENCODER, "cpu, cuda or mps. Default: the best available.", "NAME")]
BatchSize = Annotated[int, option(ENCODER, "Number of shapes encoded at once.", min=1)]
Readers = Annotated[
    int | None,
    option(
        ENCODER,
        "Number of processes that read files while the encoder works. Default: depends on the number of files. 0: this "
        "process reads the files, without limits of time and memory.",
        "N",
        min=0,
    ),
]
Folder = Annotated[Path | None, option(RESULT, "Output folder, created if missing.", "FOLDER", "--out", "-o")]
Json = Annotated[bool, option(None, "Print the result as JSON.", None, "--json")]
