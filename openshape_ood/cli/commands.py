"""Which commands there are, and what holds for all: several words after an option, errors as one line and a code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from openshape_ood import __version__
from openshape_ood.cli import checkpoints, comparator, known_files, surface
from openshape_ood.cli.console import print_error, print_json, print_note, told_warnings
from openshape_ood.cli.demo import demo
from openshape_ood.cli.discover import discover
from openshape_ood.cli.doctor import doctor
from openshape_ood.cli.embed import embed
from openshape_ood.cli.localize import localize
from openshape_ood.cli.options import Json
from openshape_ood.cli.relevancy import relevancy
from openshape_ood.cli.scene import scene
from openshape_ood.cli.score import score
from openshape_ood.cli.serve import serve
from openshape_ood.cli.show import show
from openshape_ood.cli.view import view
from openshape_ood.errors import CheckpointError, OpenShapeError

SEVERAL = (
    "--known",
    "--known-file",
    "--calibrate",
    "--names",
    "--accept",
    "--embeddings",
    "--prompts",
    "--background",
    "--channels",
)
NOTHING_DONE = 2
PIPE_CLOSED = 141  # what a shell reports of a program that its reader left: 128 + SIGPIPE


def repeat_options(words: Sequence[str]) -> list[str]:
    """Several words after an option of `SEVERAL`, up to the next option, as that option again and again.

    The parser below knows options of one word only.

    >>> repeat_options(["score", "a.ply", "--known", "chair", "night stand", "--model", "tiny"])
    ['score', 'a.ply', '--known', 'chair', '--known', 'night stand', '--model', 'tiny']
    >>> repeat_options(["score", "--known", "chair", "--", "a.ply"])
    ['score', '--known', 'chair', '--', 'a.ply']
    """
    repeated: list[str] = []
    option = ""  # the one whose words are being read
    for i, word in enumerate(words):
        if word == "--":
            return [*repeated, *words[i:]]
        if word.startswith("-") and word != "-":
            option = _several(word)
        elif option and repeated[-1] != option:
            repeated.append(option)
        repeated.append(word)
    return repeated


def _several(word: str) -> str:
    """The option of `SEVERAL` that a word names, as --known or --known=chair; "" for any other."""
    option = word.partition("=")[0]
    return option if option in SEVERAL else ""


class Group(TyperGroup):
    """The commands together."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta["json"] = "--json" in args
        command: Any = self
        for word in args:
            command = getattr(command, "commands", {}).get(word, command)
        ctx.meta["options"] = [flag for parameter in command.params for flag in parameter.opts]
        ctx.meta["several"] = next(filter(None, map(_several, args)), None)
        return super().parse_args(ctx, repeat_options(args))

    def invoke(self, ctx: Any) -> Any:
        try:
            with told_warnings():
                return super().invoke(ctx)
        except typer.BadParameter as error:
            argument = error.param is not None and error.param.param_type_name == "argument"
            if argument and "Missing" in type(error).__name__ and ctx.meta["several"]:
                error.message = f"Every word after {ctx.meta['several']} belongs to it: files come before, or after --"
            raise
        except BrokenPipeError:  # as with `| head`: whoever read has had enough
            with contextlib.suppress(OSError, ValueError, AttributeError):  # what is left in the buffer goes nowhere
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(PIPE_CLOSED) from None
        except OpenShapeError as error:
            if ctx.params.get("debug"):
                raise
            print_error(str(error))
            has = ctx.meta["options"]
            if isinstance(error, CheckpointError) and "--model" in has and "--pretrained" not in has:  # which is CLIP's
                ways = [f"{flag} FILE" for flag in ("--checkpoint", "--text-checkpoint") if flag in has]
                print_note(f"on the command line: {' or '.join([*ways, '--model tiny, offline'])}")
            if ctx.meta["json"]:
                print_json({"error": {"type": type(error).__name__, "message": str(error)}})
            raise typer.Exit(NOTHING_DONE) from None


app = typer.Typer(
    cls=Group,
    name="openshape-ood",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="openshape-ood COMMAND --help has examples. Everything works offline with --model tiny. Exit codes: 0 all "
    "well, 1 some of the input failed or something is wrong, 2 wrong usage or nothing could be done, 130 interrupted.",
)


@app.callback(invoke_without_command=True)
def begin(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    json: Json = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Is this 3D object one of the classes we know, or something new?"""
    if version:
        if json:
            print_json({"openshape_ood": __version__})
        else:
            print(f"openshape-ood {__version__}")
        raise typer.Exit
    if json:
        context.default_map = _asking_for_json(context.command)
    if context.invoked_subcommand is None:
        raise typer.BadParameter("--json belongs to a command, as in: openshape-ood score FILES --known chair --json")


def _asking_for_json(group: Any) -> dict[str, Any]:
    """Defaults of all commands of a group: --json before a command is as good as behind it."""
    return {
        name: _asking_for_json(command) if hasattr(command, "commands") else {"json": True}
        for name, command in group.commands.items()
    }


for command in (score, embed, localize, scene, relevancy, view, show, discover, doctor, demo, serve):
    app.command()(command)
app.add_typer(surface.app, name="surface")
app.add_typer(known_files.app, name="known")
app.add_typer(comparator.app, name="comparator")
app.add_typer(checkpoints.app, name="checkpoints")
