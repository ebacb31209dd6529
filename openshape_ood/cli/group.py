"""What holds for every command: several words after an option, and errors as one line with an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from openshape_ood.errors import CheckpointError, OpenShapeError

SEVERAL = ("--known", "--calibrate")
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
            option = word.partition("=")[0] if word.partition("=")[0] in SEVERAL else ""
        elif option and repeated[-1] != option:
            repeated.append(option)
        repeated.append(word)
    return repeated


class Group(TyperGroup):
    """The commands together."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta["json"] = "--json" in args
        return super().parse_args(ctx, repeat_options(args))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # as with `| head`: whoever read has had enough
            _close_stdout()
            raise typer.Exit(PIPE_CLOSED) from None
        except OpenShapeError as error:
            if ctx.params.get("debug"):
                raise
            _print_error(error, ctx.meta["json"])
            raise typer.Exit(NOTHING_DONE) from None


def _close_stdout() -> None:
    """So that what is left in the buffer meets no closed pipe when Python ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # no file behind it: nothing to close
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_error(error: OpenShapeError, json: bool) -> None:
    from openshape_ood.cli.console import print_error, print_json, print_note

    print_error(str(error))
    if isinstance(error, CheckpointError):
        print_note("on the command line: --checkpoint FILE (and --text-checkpoint FILE), or --model tiny, offline")
    if json:
        print_json({"error": {"type": type(error).__name__, "message": str(error)}})
