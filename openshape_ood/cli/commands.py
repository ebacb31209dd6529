"""All commands, and their common behavior: error messages, exit codes, JSON, and options before a command."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter

from openshape_ood import __version__
from openshape_ood.cli.console import print_error, print_json, print_note, warnings_as_notes
from openshape_ood.errors import CheckpointError, OpenShapeError
from openshape_ood.registry.extensions import use_module

COMMANDS = (
    *("score", "embed", "localize", "scene", "changes", "segment", "relevancy", "view", "watch", "show", "discover"),
    *("doctor", "demo", "serve", "surface", "known", "comparator", "checkpoints"),
)
NOTHING_DONE = 2
IMPORT = "--import"
PIPE_CLOSED = 141  # exit code if the reader of a pipe has closed it, as in shells: 128 + SIGPIPE
# options that may precede a command, besides --help
BEFORE = {
    "--version": "print the version and exit",
    "--json": "print the result as JSON",
    "--import MODULE": "first import your Python module, which registers an encoder, a score or a method",
    "--debug": "show the traceback of an error",
    "--install-completion": "install completion of commands and options for your shell",
}

app = App(
    name="openshape-ood",
    help="Is this 3D object one of the classes we know, or something new?",
    help_epilogue="Options before a command: "
    + "; ".join(f"{word}: {about}" for word, about in BEFORE.items())
    + ".\n\nopenshape-ood COMMAND --help shows examples. With --model small, shapes and scans need no network. "
    "Exit codes: 0 success, 1 some inputs failed or a check found a problem, 2 wrong usage or no result, "
    "130 interrupted.",
    help_format="rich",
    version_flags=(),
    default_parameter=Parameter(negative=()),
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
for name in COMMANDS:
    app.command(f"{__package__}.{name}:app", name=name)  # imported if it runs


def run(words: Sequence[str]) -> int:
    """Run the program with these arguments, and return its exit code."""
    words, modules = _without_imports(words)
    first = next((i for i, word in enumerate(words) if word not in BEFORE), len(words))
    before, rest = {*words[:first]}, list(words[first:])
    json = "--json" in before
    if "--version" in before:
        print_json({"openshape_ood": __version__}) if json else print(f"openshape-ood {__version__}")
        return 0
    if not rest or rest[0] not in COMMANDS:  # the list of commands has a line from each
        for name in COMMANDS:
            app[name]
    if "--install-completion" in before:
        print(f"written: {app.install_completion()}")
        return 0
    if json and not rest:
        return _misused(
            "--json was given without a command. Expected a command. Give one, as in: openshape-ood score FILES "
            "--known chair --json"
        )
    if json and "--json" in _flags(rest):
        place = rest.index("--") if "--" in rest else len(rest)
        rest.insert(place, "--json")
    try:
        with warnings_as_notes():
            for name in modules:
                use_module(name)
            app(rest)
    except CycloptsError as error:
        return _misused(_explained(error, rest))
    except BrokenPipeError:  # the reader has ended, as with `| head`
        with contextlib.suppress(OSError, ValueError, AttributeError):  # discards the rest of the buffer
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OpenShapeError as error:
        if "--debug" in before:
            raise
        print_error(str(error))
        flags = _flags(rest)
        # with --pretrained, --model is a CLIP network
        if isinstance(error, CheckpointError) and "--model" in flags and "--pretrained" not in flags:
            ways = [f"{flag} FILE" for flag in ("--checkpoint", "--text-checkpoint") if flag in flags]
            print_note(f"no download is needed with {' or '.join([*ways, '--model tiny'])}")
        if "--json" in rest:
            print_json({"error": {"type": type(error).__name__, "message": str(error)}})
        return NOTHING_DONE
    return 0


def _without_imports(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Words without --import options, and the modules that these options name. Words after `--` are kept."""
    rest, modules = list(words), list[str]()
    end = rest.index("--") if "--" in rest else len(rest)
    for i in reversed(range(end)):
        if rest[i] == IMPORT and i + 1 < end:
            modules.insert(0, rest[i + 1])
            del rest[i : i + 2]
        elif rest[i].startswith(f"{IMPORT}="):
            modules.insert(0, rest.pop(i).partition("=")[2])
    return rest, modules


def _flags(words: Sequence[str], several: bool = False) -> set[str]:
    """Names of the options of the command in `words`. several: True for only those that take several words."""
    command = app.parse_commands(words)[1][-1]
    listed = command.assemble_argument_collection() if command.default_command else ()
    return {name for one in listed if one.parameter.consume_multiple or not several for name in one.names}


def _explained(error: CycloptsError, words: Sequence[str]) -> str:
    """Error message for wrong arguments, with a hint if an option may have taken the files."""
    if isinstance(error, MissingArgumentError) and error.argument and not error.argument.names[0].startswith("-"):
        taken = _flags(words, several=True) & {word.partition("=")[0] for word in words}
        if taken:
            return f"{error}\nAll words after {min(taken)} are its values: put files before it, or after --"
    return str(error)


def _misused(message: str) -> int:
    print_error(message)
    print_note("openshape-ood --help lists the commands, openshape-ood COMMAND --help its options")
    return NOTHING_DONE
