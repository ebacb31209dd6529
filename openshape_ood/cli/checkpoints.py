"""openshape-ood checkpoints: which encoders there are, and the files of all that has weights."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from openshape_ood.cli.console import (
    Failure,
    failed_json,
    finish,
    print_json,
    print_line,
    print_note,
    print_table,
    shown,
)
from openshape_ood.cli.options import Json, argument, checkpoint_names, command, group, option
from openshape_ood.errors import OpenShapeError, WeightsError

if TYPE_CHECKING:
    from openshape_ood.cli.checkpoint_files import Part
    from openshape_ood.registry import Row

EXAMPLES = """
  openshape-ood checkpoints list
  openshape-ood checkpoints fetch vitb32
  openshape-ood checkpoints add /media/stick/model.pt
  openshape-ood checkpoints verify
"""

app = group(
    """Which encoders there are (list), and the files of all that has weights: show, fetch, add, verify.""", EXAMPLES
)

Name = Annotated[
    str,
    argument("Its name in the registry, as vitb32, or an ensemble.", "NAME", checkpoint_names),
]
SomeNames = Annotated[list[str], argument("Which.", "NAME...", checkpoint_names)]
AnyNames = Annotated[
    list[str] | None,
    argument("Which ones, or files at hand; all if left out.", "NAME|FILE...", checkpoint_names),
]
ACCURACY = {"LVIS": "lvis", "MN40": "modelnet40", "SONN": "scanobjectnn"}
COLUMNS = {
    "shape": ("name", "dim", "params", "memory", "cost", *ACCURACY, "licence", "encoder", "for whom"),
    "points": ("name", "dim", "params", "memory", "voxel", "input", "licence", "encoder", "for whom"),
}
NEEDED = {"text": "kind", "spec": "count"}  # of a table, without which the rest says nothing
WithText = Annotated[
    bool, option(None, "The text encoder too, which names of classes need.", None, "--text", negative="--no-text")
]


@command(app, "list")
def list_all(
    *,
    json: Json = False,
) -> None:
    """List the checkpoints, what helps to choose one, and whether they are here; tiny always is and works offline.

    memory: of the weights in float32. cost: time of a cloud on a CPU beside vitb32's. LVIS (Objaverse-LVIS), MN40
    (ModelNet40), SONN (ScanObjectNN): published zero-shot accuracy, percent, not measured here; --json says where it
    stands. Point encoders, for scans, come last: voxel: the side of theirs, in meters; input: what a voxel is given.
    """
    from openshape_ood.cli.checkpoint_files import own_parts

    found = [_record(row, own_parts(row)[0]) for row in _rows(None) if row.kind in COLUMNS]
    if json:
        print_json({"checkpoints": found})
        return
    for kind, columns in COLUMNS.items():
        print_table([_shown_record(one) for one in found if one["kind"] == kind], columns, fold="for whom")
    if not all(one["here"] for one in found):
        print_note("to download one: openshape-ood checkpoints fetch NAME. tiny is inside the package")


@command(app, "show")
def show(
    name: Name,
    /,
    *,
    json: Json = False,
) -> None:
    """Show all that the registry says of one checkpoint, and where its files are; of an ensemble for every member."""
    from openshape_ood.cli.checkpoint_files import all_parts

    found = []
    for row in _rows([name]):
        parts = all_parts(row)
        fields = {key: value for key, value in asdict(row).items() if key not in ("folder", "members")}
        found.append({**fields, "files": [asdict(part) for part in parts]})
        if not json:
            print_table(_entries(fields, parts), ("field", "value"), fold="value")
    if json:
        print_json(found[0] if len(found) == 1 else {"name": name, "members": found})


def _entries(fields: dict[str, Any], parts: list[Part]) -> list[dict[str, str]]:
    entries = [
        {"field": f"{key}.{field}".rstrip("."), "value": str(entry)}
        for key, value in fields.items()
        if key not in NEEDED or value[NEEDED[key]]
        for field, entry in (value.items() if isinstance(value, dict) else [("", value)])
        if entry or entry is False
    ]
    if fields["kind"] == "shape" and not fields["text"]["kind"]:
        entries.append({"field": "text", "value": "none: classes are known by examples only"})
    for part in parts:
        what = f"{part.part}{', stripped' * (part.source == 'stripped')}"
        entries.append({"field": f"{what} file", "value": str(part.path or part.place)})
    return entries


@command(app, "fetch")
def fetch(
    names: SomeNames,
    /,
    *,
    with_text: WithText = True,
    json: Json = False,
) -> None:
    """Download checkpoints and their text encoders, so that they work offline from then on; of ensembles all members.

    The published encoders are pinned by their sha256. HF_HOME, HF_ENDPOINT and HF_TOKEN are honored. Beside each
    encoder a stripped file is kept, without the optimizer's state, from which it starts at once; the download itself
    is then no longer needed. What is missing is said first, with sizes.
    """
    from openshape_ood.cli.checkpoint_files import part_names

    rows = _rows(names)  # all names, before the first download
    sizes = _announced(rows, with_text)
    fetched: list[dict[str, Any]] = []
    failures: list[Failure] = []
    for row in rows:
        for part in part_names(row, with_text):
            try:
                fetched.append({"checkpoint": row.name, "part": part, **_fetched(row, part)})
            except OpenShapeError as error:
                failures.append(Failure(f"{row.name} ({part})", str(error)))
                continue
            one = fetched[-1]
            one["bytes"] = sizes.get((row.name, part))
            for what in ("path", "stripped") if not json else ():
                if one.get(what):
                    print_line(f"{row.name}, {part}{', stripped' * (what == 'stripped')}: {shown(one[what])}")
    if json:
        print_json({"fetched": fetched, "failed": failed_json(failures)})
    finish(failures, bool(fetched))


@command(app, "add")
def add(
    file: Annotated[Path, argument("Weights, as downloaded on another machine.", "FILE")],
    /,
    *,
    name: Annotated[
        str | None,
        option(None, "Whose it is, where no sha256 is registered.", "NAME", "--as", completer=checkpoint_names),
    ] = None,
    text: Annotated[bool, option(None, "It is the text encoder of NAME.", None, "--text")] = False,
    json: Json = False,
) -> None:
    """Keep a file that was brought by hand, as from a USB stick: it then serves everywhere, offline.

    Its sha256 says what it is; a file that is not the registered one is refused. It is copied into the cache.
    """
    from openshape_ood.cli.checkpoint_files import add_file

    added = add_file(_at_hand(file), name, text)
    if json:
        print_json({"added": added})
    for one in added if not json else ():
        print_line(f"{one['checkpoint']}, {one['part']}: {shown(one['path'])}")


@command(app, "verify")
def verify(
    names: AnyNames = None,
    /,
    *,
    json: Json = False,
) -> None:
    """Compute the sha256 of the files that are here, and compare it with the registered one.

    A stripped file is compared with the digest it was written with; a FILE at hand with all of the registry. Exit code
    1 where a file is damaged or unknown, or one of a checkpoint that was named is missing.
    """
    from openshape_ood.cli.checkpoint_files import all_parts, verified, verified_file

    known = [row.name for row in _rows(None)]
    files = [name for name in names or () if name not in known and (Path(name).suffix or Path(name).exists())]
    found = [verified_file(_at_hand(Path(name))) for name in files]
    rows = _rows([name for name in names if name not in files] if names else None)
    found += [verified(row, part) for row in rows for part in all_parts(row)]
    bad = [one for one in found if one["status"] in ("damaged", "unknown") or (one["status"] == "missing" and names)]
    if json:
        print_json({"files": found, "ok": not bad})
    else:
        print_table(found, ("checkpoint", "part", "source", "status", "path"), fold="path")
        if any(one["status"] == "damaged" for one in found):
            print_note("delete a damaged file and fetch it again: openshape-ood checkpoints fetch NAME")
    if bad:
        raise SystemExit(1)


def _at_hand(file: Path) -> Path:
    from openshape_ood.checks import given_path

    path = given_path(file, "FILE")
    if not path.is_file():
        raise WeightsError(f"there is no file {path}; expected weights that were downloaded")
    return path


def _rows(names: list[str] | None) -> list[Row]:
    """Of each name once, and of ensembles those of their members; None: all there are, encoders of shapes first."""
    from openshape_ood.registry import find_checkpoint
    from openshape_ood.registry.rows import KINDS, load_registry

    if names is None:
        return sorted(load_registry().values(), key=lambda row: list(KINDS).index(row.kind))
    found = [find_checkpoint(name, kinds=tuple(KINDS)) for name in names]
    return list({row.name: row for one in found for row in (one.members or [one])}.values())


def _fetched(row: Row, part: str) -> dict[str, Any]:
    from openshape_ood.cli.checkpoint_files import fetch_own
    from openshape_ood.encoders.text.encoder import fetch_file

    progress = sys.stderr.isatty()
    return {"path": fetch_file(row, progress)} if part == "text" else fetch_own(row, progress)


def _announced(rows: list[Row], with_text: bool) -> dict[tuple[str, str], int | None]:
    """Bytes of each part, and on stderr what is going to be downloaded, and what room there is for it."""
    from openshape_ood.cli.checkpoint_files import plan, size_text

    planned = plan(rows, with_text)
    missing = {
        place: (row.name, part, size) for row, part, place, size in planned if place
    }  # some share a text encoder
    for place, (name, part, size) in missing.items():
        print_note(f"{name}, {part}: {size_text(size)} from {place}")
    if len(missing) > 1:
        sizes = [size for _, _, size in missing.values()]
        some = " and what has no size" * (None in sizes)
        print_note(f"to download together: {size_text(sum(size or 0 for size in sizes))}{some}")
    return {(row.name, part): size for row, part, _, size in planned}


def _shown_record(record: dict[str, Any]) -> dict[str, Any]:
    """A row of the table to choose by; empty where nothing is known."""
    parameters, cost = record["parameters"], record["cost"]
    accuracy = record["zero_shot"]
    figures = {
        "params": f"{parameters / 1e6:,.1f} M" if parameters else "",
        "memory": f"{record['memory'] / 1e6:,.0f} MB" if parameters else "",
        "cost": f"{cost:.3g}" if cost else "",
        **{head: f"{accuracy[key]:.1f}" if accuracy[key] else "" for head, key in ACCURACY.items()},
    }
    figures["voxel"] = f"{record['voxel']:g} m" if record["voxel"] else ""
    notes = " (no names: examples only)" * (not record["names"]) + " (unconfirmed)" * bool(record["unconfirmed"])
    return {**record, **figures, "for whom": (record["whom"] + notes).strip()}


def _record(row: Row, part: Part) -> dict[str, Any]:
    about = row.about
    return {
        "name": row.name,
        "kind": row.kind,
        "dim": row.sizes.embedding_dim,
        "up": row.spec.up or "z",
        "points": row.spec.count or None,
        "voxel": row.scan.voxel or None,
        "input": row.scan.input,
        "space": row.text.space,
        "names": bool(row.text.kind),
        "licence": row.licence,
        "parameters": about.parameters or None,
        "memory": 4 * about.parameters or None,
        "cost": about.cost or None,
        "zero_shot": {key: getattr(about, key) or None for key in ACCURACY.values()},
        "published": about.published,
        "whom": about.whom,
        "unconfirmed": row.unconfirmed,
        "encoder": part.place,
        "here": part.path is not None,
        "path": part.path,
        "sha256": row.source.sha256,
    }
