"""Which commands there are."""

from __future__ import annotations

from typing import Annotated

import typer

from openshape_ood import __version__
from openshape_ood.cli import checkpoints
from openshape_ood.cli.demo import demo
from openshape_ood.cli.doctor import doctor
from openshape_ood.cli.embed import embed
from openshape_ood.cli.group import Group
from openshape_ood.cli.localize import localize
from openshape_ood.cli.options import Json
from openshape_ood.cli.score import score
from openshape_ood.cli.serve import serve

EPILOG = "openshape-ood COMMAND --help has examples. Everything works offline with --model tiny."

app = typer.Typer(
    cls=Group,
    name="openshape-ood",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
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
        print_version(json)
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise typer.BadParameter("--json belongs to a command, as in: openshape-ood score FILES --known chair --json")


def print_version(json: bool) -> None:
    from openshape_ood.cli.console import print_json

    if json:
        print_json({"openshape_ood": __version__})
    else:
        print(f"openshape-ood {__version__}")


app.command()(score)
app.command()(embed)
app.command()(localize)
app.add_typer(checkpoints.app, name="checkpoints")
app.command()(doctor)
app.command()(demo)
app.command()(serve)
