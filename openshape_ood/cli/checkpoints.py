"""openshape-ood checkpoints: which encoders there are, and their files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openshape_ood.cli.console import (
    Failure,
    console,
    new_table,
    print_failures,
    print_json,
    print_line,
    print_note,
    shown,
    text,
)
from openshape_ood.cli.options import Json, checkpoint_names

if TYPE_CHECKING:
    from openshape_ood.cli.cached import Part
    from openshape_ood.registry.rows import Row

app = typer.Typer(
    help="""The encoders: list, show, fetch, verify.

\b
Examples:
  openshape-ood checkpoints list
  openshape-ood checkpoints fetch vitb32
  openshape-ood checkpoints verify
""",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Its name in the registry, as vitb32.", autocompletion=checkpoint_names)
]
WithText = Annotated[bool, typer.Option("--text/--no-text", help="The text tower too, which names of classes need.")]


@app.command("list")
def list_all(json: Json = False) -> None:
    """List the checkpoints and whether they are here; tiny always is and works offline."""
    from openshape_ood.cli.cached import encoder_part
    from openshape_ood.registry.rows import load_registry

    rows = list(load_registry().values())
    parts = [encoder_part(row) for row in rows]
    if json:
        print_json({"checkpoints": [_record(row, part) for row, part in zip(rows, parts, strict=True)]})
        return
    table = new_table("name", "embedding", "up", "text tower", "licence", "encoder", right=["embedding"])
    for row, part in zip(rows, parts, strict=True):
        cells = row.name, row.sizes.embedding_dim, row.spec.up, row.text.space, row.licence
        table.add_row(*map(text, cells), text(part.place, "green" if part.path else "yellow"))
    console().print(table)
    if any(part.path is None for part in parts):
        print_note("to download one: openshape-ood checkpoints fetch NAME. tiny is inside the package")


@app.command("show")
def show(name: Name, json: Json = False) -> None:
    """Show all that the registry says of one checkpoint, and where its files are."""
    from openshape_ood.registry.rows import find_checkpoint

    row = find_checkpoint(name)
    parts = _parts(row)
    fields = {key: value for key, value in asdict(row).items() if key != "folder"}
    if json:
        print_json({**fields, "files": [_part_record(part) for part in parts]})
        return
    table = new_table("field", "value", fold=["value"])
    for key, value in fields.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for field, entry in inner:
            table.add_row(text(f"{key}.{field}".rstrip(".")), text("-" if entry == "" else entry))
    for part in parts:
        what = "encoder, stripped" if part.source == "stripped" else part.part
        table.add_row(text(f"{what} file"), text(part.path or part.place))
    console().print(table)


@app.command("fetch")
def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Which ones.", autocompletion=checkpoint_names)],
    with_text: WithText = True,
    json: Json = False,
) -> None:
    """Download checkpoints and their text towers, so that they work offline from then on.

    The published encoders are pinned by their sha256. HF_HOME, HF_ENDPOINT and HF_TOKEN are honored. Beside each
    encoder a stripped file is kept, without the optimizer's state, from which it starts at once; the download itself
    is then no longer needed.
    """
    from openshape_ood.registry.rows import find_checkpoint

    rows = [find_checkpoint(name) for name in names]  # all names, before the first download
    fetched: list[dict[str, Any]] = []
    failures: list[Failure] = []
    for row in rows:
        for part in ["encoder", "text"] if with_text else ["encoder"]:
            outcome = _fetch(row, part)
            if isinstance(outcome, Failure):
                failures.append(outcome)
                continue
            fetched.append(outcome)
            if not json:
                print_line(f"{outcome['checkpoint']}, {part}: {shown(outcome['path'])}")
                if outcome.get("stripped"):
                    print_line(f"{outcome['checkpoint']}, {part}, stripped: {shown(outcome['stripped'])}")
    if json:
        failed = [{"file": failure.file, "reason": failure.reason} for failure in failures]
        print_json({"fetched": fetched, "failed": failed})
    print_failures(failures)
    if failures:
        raise typer.Exit(1 if fetched else 2)


@app.command("verify")
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="Which ones; all if left out.", autocompletion=checkpoint_names),
    ] = None,
    json: Json = False,
) -> None:
    """Compute the sha256 of the files that are here, and compare it with the registered one.

    A stripped file is compared with the digest it was written with. Exit code 1 where a file is damaged, or one of a
    checkpoint that was named is missing.
    """
    from openshape_ood.registry.rows import find_checkpoint, list_checkpoints

    rows = [find_checkpoint(name) for name in names or list_checkpoints()]
    found = [_verified(row, part) for row in rows for part in _parts(row)]
    bad = [one for one in found if one["status"] == "damaged" or (one["status"] == "missing" and names)]
    if json:
        print_json({"files": found, "ok": not bad})
    else:
        table = new_table("checkpoint", "part", "status", "file", fold=["file"])
        for one in found:
            style = {"sound": "green", "damaged": "bold red"}.get(one["status"], "yellow")
            part = "encoder, stripped" if one["source"] == "stripped" else one["part"]
            table.add_row(one["checkpoint"], part, text(one["status"], style), text(one["path"] or "-"))
        console().print(table)
        if any(one["status"] == "damaged" for one in found):
            print_note("delete a damaged file and fetch it again: openshape-ood checkpoints fetch NAME")
    if bad:
        raise typer.Exit(1)


def _fetch(row: Row, part: str) -> dict[str, Any] | Failure:
    import sys

    from openshape_ood.encoders.text.encoder import fetch_file
    from openshape_ood.errors import OpenShapeError

    progress = sys.stderr.isatty()
    try:
        if part == "encoder":
            return {"checkpoint": row.name, "part": part, **_fetch_encoder(row, progress)}
        path = fetch_file(row, progress)
    except OpenShapeError as error:
        return Failure(f"{row.name} ({part})", str(error))
    return {"checkpoint": row.name, "part": part, "path": str(path)}


def _fetch_encoder(row: Row, progress: bool) -> dict[str, str | None]:
    """path: of the registered file, or of the stripped one if that is all that is here, and enough."""
    from openshape_ood.registry import files, stripped

    kept = stripped.stripped_path(row) if stripped.is_sound(row) else None
    if kept and files.cached(row) is None:
        return {"path": str(kept), "stripped": str(kept)}
    path = files.fetch(row, progress)
    kept = kept or _strip(row, path)
    return {"path": str(path), "stripped": str(kept) if kept else None}


def _strip(row: Row, path: Path) -> Path | None:
    from openshape_ood.errors import WeightsError
    from openshape_ood.registry import stripped

    if stripped.stripped_path(row) is None:  # before torch is loaded
        return None
    from openshape_ood.registry.weights import read_temperature, read_weights

    try:
        tensors, temperature = read_weights(path, row.keys, row.name), read_temperature(path, row.keys, row.name)
    except WeightsError:  # the registered file all the same: whoever loads it is told
        return None
    return stripped.keep(row, stripped.Weights(tensors, temperature, path))


def _parts(row: Row) -> list[Part]:
    """All files of a checkpoint: the encoder's, unless its stripped one stands in for it; that; the text tower's."""
    from openshape_ood.cli.cached import registered_part, stripped_part, text_part

    encoder, stripped = registered_part(row), stripped_part(row)
    encoders = [part for part in (encoder, stripped) if part and part.path] or [encoder]
    return [*encoders, text_part(row)]


def _verified(row: Row, part: Part) -> dict[str, Any]:
    """status: "sound", "damaged", "missing", or "present" where no hash is registered."""
    from openshape_ood.registry import stripped
    from openshape_ood.registry.files import sha256

    found = None
    if part.path is None:
        status = "missing"
    elif part.source == "stripped":
        status = "sound" if stripped.is_sound(row) else "damaged"
    elif part.sha256:
        found = sha256(part.path)
        status = "sound" if found == part.sha256 else "damaged"
    else:
        status = "present"
    return {**_part_record(part), "status": status, "found_sha256": found}


def _part_record(part: Part) -> dict[str, Any]:
    path = None if part.path is None else str(part.path)
    return {
        "checkpoint": part.checkpoint,
        "part": part.part,
        "path": path,
        "source": part.source,
        "sha256": part.sha256 or None,
    }


def _record(row: Row, part: Part) -> dict[str, Any]:
    return {
        "name": row.name,
        "embedding_dim": row.sizes.embedding_dim,
        "up": row.spec.up,
        "points": row.spec.count,
        "text_tower": row.text.space,
        "licence": row.licence,
        "here": part.path is not None,
        "path": None if part.path is None else str(part.path),
        "sha256": row.source.sha256,
    }
