"""Options that several commands share, so that one word means one thing everywhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

Command = TypeVar("Command", bound=Callable[..., Any])


def with_examples(text: str) -> Callable[[Command], Command]:
    """Adds examples, which keep their lines, to the docstring that is a command's help."""

    def add(command: Command) -> Command:
        command.__doc__ = f"{inspect.cleandoc(command.__doc__ or '')}\n\n\b\nExamples:\n{text.strip(chr(10))}\n"
        return command

    return add


def checkpoint_names() -> list[str]:
    from openshape_ood import list_checkpoints

    return list_checkpoints()


def method_names() -> list[str]:
    from openshape_ood.scoring import SCORES

    return list(SCORES)


def up_names() -> list[str]:
    return ["y", "z", "x", "-y", "-z", "-x", "file"]


KNOWN, ENCODER, RESULT = "Known classes", "Encoder", "Result"

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILES",
        help="Shape files, folders (searched through and through) or patterns in quotes, as 'scans/*.ply'.",
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Option(
        "--known",
        metavar="NAME...",
        help="Names of known classes, several words or commas: --known chair sofa 'night stand'.",
        rich_help_panel=KNOWN,
    ),
]
Examples = Annotated[
    list[Path] | None,
    typer.Option(
        "--examples",
        metavar="FOLDER",
        help="Example shapes: a folder with a subfolder a class. May be repeated.",
        rich_help_panel=KNOWN,
    ),
]
Banks = Annotated[
    list[Path] | None,
    typer.Option(
        "--bank",
        metavar="FILE",
        help="Known classes that banks.save_bank wrote (.safetensors). May be repeated.",
        rich_help_panel=KNOWN,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="Encoder: tiny (inside the package, works offline), vitb32, vitl14 or vitg14 (downloaded on first use).",
        autocompletion=checkpoint_names,
        rich_help_panel=ENCODER,
    ),
]
CheckpointFile = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint", metavar="FILE", help="Weights of the encoder from a file of yours.", rich_help_panel=ENCODER
    ),
]
TextCheckpoint = Annotated[
    Path | None,
    typer.Option(
        "--text-checkpoint",
        metavar="FILE",
        help="Weights of the text tower, which names need, from a file of yours.",
        rich_help_panel=ENCODER,
    ),
]
Up = Annotated[
    str,
    typer.Option(
        "--up",
        metavar="AXIS",
        help="Which axis points up: y, z or x, with - for upside down; 'file' takes what each file says, else y.",
        autocompletion=up_names,
        rich_help_panel=ENCODER,
    ),
]
KnownUp = Annotated[
    str | None,
    typer.Option(
        "--known-up",
        metavar="AXIS",
        help="The same for the example shapes, where it is another.",
        autocompletion=up_names,
        rich_help_panel=KNOWN,
    ),
]
Views = Annotated[
    int, typer.Option("--num-samples", min=1, help="Embeddings a shape, averaged: steadier.", rich_help_panel=ENCODER)
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of all sampling.", rich_help_panel=ENCODER)]
Device = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="NAME", help="cpu, cuda, mps; the best there is if left out.", rich_help_panel=ENCODER
    ),
]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, help="Shapes encoded at once.", rich_help_panel=ENCODER)]
Readers = Annotated[
    int | None,
    typer.Option(
        "--readers",
        metavar="N",
        min=0,
        help="Processes that read files ahead of the encoder, 0 for none; set by the number of files if left out.",
        rich_help_panel=ENCODER,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on the standard output, for machines.")]
