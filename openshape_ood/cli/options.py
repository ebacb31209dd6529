"""Options that several commands share, so that one word means one thing everywhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

Command = TypeVar("Command", bound=Callable[..., Any])

KNOWN, ENCODER, DECISION, GROUPS, RESULT = "Known classes", "Encoder", "Decision", "Groups", "Result"


def with_examples(text: str) -> Callable[[Command], Command]:
    """Adds examples, which keep their lines, to the docstring that is a command's help."""

    def add(command: Command) -> Command:
        command.__doc__ = f"{inspect.cleandoc(command.__doc__ or '')}\n\n\b\nExamples:\n{text.strip(chr(10))}\n"
        return command

    return add


def option(panel: str, flags: str, help: str, **more: Any) -> Any:
    """One option: its flags, separated by blanks, in a panel of the help."""
    return typer.Option(*flags.split(), help=help, rich_help_panel=panel, **more)


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
    typer.Argument(
        metavar="FILES",
        help="Shape files, folders (searched through and through) or patterns in quotes, as 'scans/*.ply'; or what "
        "embed wrote: .npz, .parquet, .safetensors or a folder.",
    ),
]
Names = Annotated[
    list[str] | None,
    option(KNOWN, "--known", "Names, several words or commas: --known chair sofa 'night stand'.", metavar="NAME..."),
]
Examples = Annotated[
    list[Path] | None,
    option(
        KNOWN,
        "--examples",
        "Example shapes: a folder with a subfolder a class, or embeddings of them. May be repeated.",
        metavar="FOLDER",
    ),
]
KnownFiles = Annotated[
    list[Path] | None,
    option(
        KNOWN,
        "--known-file",
        "What `openshape-ood known save` or KnownClasses.save wrote (.safetensors), one file or several.",
        metavar="FILE...",
    ),
]
KnownUp = Annotated[
    str | None,
    option(
        KNOWN,
        "--known-up",
        "Which axis points up in the shapes of --examples, said as for --up; the same as --up if left out.",
        metavar="AXIS",
        autocompletion=up_names,
    ),
]
_MODEL = (
    "Encoder: tiny (inside the package, works offline), vitb32 or another of `checkpoints list` (downloaded), or "
    "several as an ensemble, vitb32+uni3d-b"
)
Model = Annotated[str, option(ENCODER, "--model -m", f"{_MODEL}.", metavar="NAME", autocompletion=checkpoint_names)]
OwnModel = Annotated[
    str | None,
    option(
        ENCODER,
        "--model -m",
        f"{_MODEL}; if left out, that of --known-file or of the embeddings given, else vitb32.",
        metavar="NAME",
        autocompletion=checkpoint_names,
    ),
]
CheckpointFile = Annotated[
    Path | None, option(ENCODER, "--checkpoint", "Weights of the encoder from a file of yours.", metavar="FILE")
]
TextCheckpoint = Annotated[
    Path | None,
    option(
        ENCODER,
        "--text-checkpoint",
        "Weights of the text encoder, which names need, from a file of yours.",
        metavar="FILE",
    ),
]
Up = Annotated[
    str,
    option(
        ENCODER,
        "--up",
        "Which axis points up: y, z or x, with - for upside down; 'file' takes what each file says, else y.",
        metavar="AXIS",
        autocompletion=up_names,
    ),
]
UpOrAuto = Annotated[
    str,
    option(
        ENCODER,
        "--up",
        "Which axis points up: y, z or x, with - for upside down; 'file' takes what each file says, else y; 'auto' "
        "finds, for files that do not say it, the axis under which the known classes explain them best.",
        metavar="AXIS",
        autocompletion=lambda: [*up_names(), "auto"],
    ),
]
NumSamples = Annotated[int, option(ENCODER, "--num-samples", "Embeddings a shape, averaged: steadier.", min=1)]
Seed = Annotated[int, option(ENCODER, "--seed", "Of all sampling.", min=0)]
Device = Annotated[
    str | None, option(ENCODER, "--device", "cpu, cuda, mps; the best there is if left out.", metavar="NAME")
]
BatchSize = Annotated[int, option(ENCODER, "--batch-size", "Shapes encoded at once.", min=1)]
Readers = Annotated[
    int | None,
    option(
        ENCODER,
        "--readers",
        "Processes that read files ahead of the encoder; set by their number if left out. 0: none, and no limits.",
        metavar="N",
        min=0,
    ),
]
MethodName = Annotated[
    str | None,
    option(
        DECISION,
        "--method",
        "How novelty is scored; by names max_cosine, by examples prototype_distance, if left out.",
        metavar="NAME",
        autocompletion=method_names,
    ),
]
ThresholdGiven = Annotated[
    str | None,
    option(
        DECISION,
        "--threshold",
        "Novel is what lies above: a number, or a file that --save-threshold wrote.",
        metavar="X|FILE",
    ),
]
Calibrate = Annotated[
    list[str] | None,
    option(
        DECISION,
        "--calibrate",
        "Known shapes, none of the examples, to find the threshold from: files, folders, patterns.",
        metavar="PATHS...",
    ),
]
CalibrateBy = Annotated[
    Literal["file", "folder"],
    option(
        DECISION,
        "--calibrate-by",
        "Whether each file of --calibrate shows another object, or each folder: of scans of one object one counts.",
    ),
]
SaveThreshold = Annotated[
    Path | None, option(DECISION, "--save-threshold", "Keep the threshold for the next run: .json.", metavar="FILE")
]
Coverage = Annotated[float, option(DECISION, "--coverage", "Share of known shapes that the threshold keeps.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on the standard output, for machines.")]
