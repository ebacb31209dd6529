"""openshape-ood checkpoints: which encoders there are, and the files of all that has weights, here or to be had."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from openshape_ood.cli.console import Failure, failed_json, finish, print_line, print_note, print_table, shown, write
from openshape_ood.cli.options import Json, argument, checkpoint_names, command, group, option
from openshape_ood.errors import FileError, HashError, OpenShapeError, WeightsError

if TYPE_CHECKING:
    from openshape_ood.registry import Row

EXAMPLES = """
  openshape-ood checkpoints list
  openshape-ood checkpoints fetch vitb32
  openshape-ood checkpoints add /media/stick/model.pt
  openshape-ood checkpoints verify
"""
ACCURACY = {"LVIS": "lvis", "MN40": "modelnet40", "SONN": "scanobjectnn"}
COLUMNS = {
    "shape": ("name", "dim", "params", "memory", "cost", *ACCURACY, "licence", "encoder", "for whom"),
    "points": ("name", "dim", "params", "memory", "voxel", "input", "licence", "encoder", "for whom"),
}
NEEDED = {"text": "kind", "spec": "count"}  # of a table, without which the rest says nothing
# kind of source: where its file is, and what there is instead
PLACES = {
    "package": ("in the package", "missing"),
    "hub": ("in the cache", "not downloaded"),
    "https": ("in the cache", "not downloaded"),
    "hand": ("in the cache", "to be fetched by hand"),
    "file": ("a local file", "missing"),
    "stripped": ("in the cache, stripped", "missing"),
}

app = group("Available encoders (list), and files of weights: show, fetch, add, verify.", EXAMPLES)

Name = Annotated[str, argument("Name in the registry, such as vitb32, or an ensemble.", "NAME", checkpoint_names)]
SomeNames = Annotated[list[str], argument("Which.", "NAME...", checkpoint_names)]
AnyNames = Annotated[list[str] | None, argument("Names, or files. Default: all.", "NAME|FILE...", checkpoint_names)]
WithText = Annotated[
    bool, option(None, "Include the text encoder, needed for class names.", None, "--text", negative="--no-text")
]


@command(app, "list")
def list_all(*, json: Json = False) -> None:
    """List the checkpoints, with figures for choosing one and their state; tiny is always here and works offline.

    memory: of the weights in float32. cost: CPU time of a cloud relative to vitb32. LVIS (Objaverse-LVIS), MN40
    (ModelNet40), SONN (ScanObjectNN): published zero-shot accuracy, percent, not measured here; --json has the sources.
    Point encoders, for scans, come last: voxel: side in meters; input: numbers of a voxel.
    """
    records = [_record(row, own_parts(row)[0]) for row in _rows(None) if row.kind in COLUMNS]

    def show() -> None:
        for kind, columns in COLUMNS.items():
            print_table([_for_table(one) for one in records if one["kind"] == kind], columns, fold="for whom")
        if not all(one["here"] for one in records):
            print_note("to download one: openshape-ood checkpoints fetch NAME. tiny is inside the package")

    write({"checkpoints": records}, json, show)


@command(app, "show")
def show(name: Name, /, *, json: Json = False) -> None:
    """Show the registry entry of a checkpoint and the paths of its files; for an ensemble, of every member."""
    records, tables = [], []
    for row in _rows([name]):
        parts = all_parts(row)
        fields = {key: value for key, value in asdict(row).items() if key not in ("folder", "members")}
        known = _names_known(row)
        records.append({**fields, **known, "files": [asdict(part) for part in parts]})
        tables.append(_entries(fields, parts) + _names_entries(known))
    record = records[0] if len(records) == 1 else {"name": name, "members": records}

    def shown_tables() -> None:
        for table in tables:
            print_table(table, ("field", "value"), fold="value")

    write(record, json, shown_tables)


def _entries(fields: dict[str, Any], parts: list[WeightsPart]) -> list[dict[str, str]]:
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
        name = f"{part.part}{', stripped' * (part.source == 'stripped')} file"
        entries.append({"field": name, "value": str(part.path or part.place)})
    return entries


def _names_known(row: Row) -> dict[str, Any]:
    """Of a row whose text encoder is a table: its names, those it was trained with, and how well it knows these."""
    if row.text.kind != "table":
        return {}
    from openshape_ood.encoders.text import table
    from openshape_ood.encoders.text.encoder import fetch_file

    model = table.TableModel(row, fetch_file(row))
    return {"names": model.names, "trained_names": model.trained_names, "accuracy": model.accuracy}


def _names_entries(known: dict[str, Any]) -> list[dict[str, str]]:
    if not known:
        return []
    accuracy = sorted(known["accuracy"].items(), key=lambda pair: (-pair[1], pair[0]))
    entries = [
        {"field": "names", "value": f"{len(known['names']):,}; all of them: --json"},
        {"field": "trained names", "value": ", ".join(known["trained_names"])},
    ]
    if accuracy:
        shares = ", ".join(f"{name} {100 * share:.0f}" for name, share in accuracy)
        entries.append({"field": "right, % of objects never shown", "value": shares})
    return entries


@command(app, "fetch")
def fetch(names: SomeNames, /, *, with_text: WithText = True, json: Json = False) -> None:
    """Download checkpoints and their text encoders for offline use; for ensembles, all members.

    The published encoders are pinned by their sha256. HF_HOME, HF_ENDPOINT and HF_TOKEN are used. A stripped file
    without optimizer state is kept for each encoder; it loads at once, and the download is then no longer needed. A
    list of the files to download, with sizes, comes first.
    """
    rows = _rows(names)  # all names, before the first download
    sizes = _announced(rows, with_text)
    fetched: list[dict[str, Any]] = []
    failures: list[Failure] = []
    for row in rows:
        for part in part_names(row, with_text):
            try:
                files = _fetched(row, part)
            except OpenShapeError as error:
                failures.append(Failure(f"{row.name} ({part})", str(error)))
                continue
            fetched.append({"checkpoint": row.name, "part": part, **files, "bytes": sizes.get((row.name, part))})
            for kind in ("path", "stripped") if not json else ():
                if files.get(kind):
                    print_line(f"{row.name}, {part}{', stripped' * (kind == 'stripped')}: {shown(files[kind])}")
    write({"fetched": fetched, "failed": failed_json(failures)}, json)
    finish(failures, bool(fetched))


@command(app, "add")
def add(
    file: Annotated[Path, argument("Weights, downloaded on another machine.", "FILE")],
    /,
    *,
    name: Annotated[
        str | None,
        option(None, "Checkpoint of the file, if no sha256 is registered.", "NAME", "--as", completer=checkpoint_names),
    ] = None,
    text: Annotated[bool, option(None, "The file is the text encoder of NAME.", None, "--text")] = False,
    json: Json = False,
) -> None:
    """Add a downloaded file to the cache, for example from a USB stick, for offline use.

    Its sha256 identifies the checkpoint; an unregistered file is refused. It is copied into the cache.
    """
    added = add_file(_at_hand(file), name, text)
    lines = [f"{one['checkpoint']}, {one['part']}: {shown(one['path'])}" for one in added]
    write({"added": added}, json, lambda: print_line("\n".join(lines)))


@command(app, "verify")
def verify(names: AnyNames = None, /, *, json: Json = False) -> None:
    """Compare the sha256 of local files with the registered ones.

    A stripped file is compared with the hash of its writing; a given FILE with the whole registry; other packaged data
    with the bill of materials of the installed wheel. Exit code 1 if a file is damaged or unknown, or if a file of the
    package or of a named checkpoint is missing.
    """
    known = [row.name for row in _rows(None)]
    files = [name for name in names or () if name not in known and (Path(name).suffix or Path(name).exists())]
    checked = [verified_file(_at_hand(Path(name))) for name in files]
    rows = _rows([name for name in names if name not in files] if names else None)
    checked += [verified(row, part) for row in rows for part in all_parts(row)]
    checked += [] if names else verified_materials({one["path"] for one in checked})
    lost = [one for one in checked if one["status"] == "missing" and (names or one["source"] == "package")]
    ok = not lost and not {one["status"] for one in checked} & {"damaged", "unknown"}

    def show() -> None:
        print_table(checked, ("checkpoint", "part", "source", "status", "path"), fold="path")
        if any(one["status"] == "damaged" for one in checked):
            print_note("delete a damaged file and fetch it again: openshape-ood checkpoints fetch NAME")

    write({"files": checked, "ok": ok}, json, show)
    if not ok:
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
    rows = [find_checkpoint(name, kinds=tuple(KINDS)) for name in names]
    return list({row.name: row for one in rows for row in (one.members or [one])}.values())


def _fetched(row: Row, part: str) -> dict[str, Any]:
    from openshape_ood.encoders.text.encoder import fetch_file

    progress = sys.stderr.isatty()
    return {"path": fetch_file(row, progress)} if part == "text" else fetch_own(row, progress)


def _announced(rows: list[Row], with_text: bool) -> dict[tuple[str, str], int | None]:
    """Bytes of each part, and on stderr what is going to be downloaded, and what room there is for it."""
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


def _for_table(record: dict[str, Any]) -> dict[str, Any]:
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


def _record(row: Row, part: WeightsPart) -> dict[str, Any]:
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


@dataclass(frozen=True)
class WeightsPart:
    """A file of a checkpoint: of its `own_part` or its text encoder.

    path: None if it is not on this machine; source: the kind of the row's source, or "stripped"; sha256: as
    registered, else None.
    """

    checkpoint: str
    part: str
    path: Path | None
    source: str
    sha256: str | None

    @property
    def place(self) -> str:
        """For a table: where it is."""
        return PLACES[self.source][self.path is None]


def own_part(row: Row) -> str:
    """Kind of network of a row, in words."""
    from openshape_ood.registry.rows import ENCODERS

    return "encoder" if row.kind in ENCODERS else row.kind


def part_names(row: Row, with_text: bool = True) -> list[str]:
    """Its own, and "text" if it has a text encoder."""
    return [own_part(row), "text"] if with_text and row.text.kind else [own_part(row)]


def own_parts(row: Row) -> list[WeightsPart]:
    """The weights' file as the registry names it, and the stripped one, which is written here and has no registered
    sha256: those that are here, or else the first. The first is what would be loaded without a network."""
    from openshape_ood.registry import weight_cache
    from openshape_ood.registry.files import cached, known_sha256

    registered = WeightsPart(row.name, own_part(row), None, row.source.kind, row.source.sha256 or None)
    try:
        registered = replace(registered, path=cached(row), sha256=known_sha256(row) or None)
        other = WeightsPart(row.name, own_part(row), weight_cache.find(row), "stripped", None)
    except FileError:  # no home folder, where files would be kept
        return [registered]
    return [part for part in (registered, other) if part.path] or [registered]


def text_part(row: Row) -> WeightsPart:
    """Of an open_clip encoder, only what the Hub's client keeps is found. Takes seconds, as open_clip is imported."""
    from openshape_ood.encoders.text.encoder import cached_file
    from openshape_ood.registry.rows import PACKAGE

    try:
        path = cached_file(row)
    except OpenShapeError:  # one without weights on the Hub
        path = None
    source = "package" if path and path.is_relative_to(PACKAGE) else "file"
    source = "hub" if row.text.kind == "open_clip" else source
    return WeightsPart(row.name, "text", path, source, row.text.sha256 or None)


def all_parts(row: Row) -> list[WeightsPart]:
    """All files of a checkpoint, its own first."""
    return [*own_parts(row), text_part(row)] if row.text.kind else own_parts(row)


def verified(row: Row, part: WeightsPart) -> dict[str, Any]:
    """A part's record with its status: "sound", "damaged", "missing", or "present" where no hash is registered."""
    from openshape_ood.registry import weight_cache
    from openshape_ood.registry.files import sha256

    verified_part = None
    if part.path is None:
        status = "missing"
    elif part.source == "stripped":
        status = "sound" if weight_cache.is_sound(row) else "damaged"
    elif part.sha256:
        verified_part = sha256(part.path)
        status = "sound" if verified_part == part.sha256 else "damaged"
    else:
        status = "present"
    return {**asdict(part), "status": status, "found_sha256": verified_part}


def verified_materials(checked: set[Path | None]) -> list[dict[str, Any]]:
    """Records of the packaged data that no checkpoint names, as `verified` gives them; none in a checkout."""
    from openshape_ood.registry.files import sha256
    from openshape_ood.registry.materials import installed_materials

    records = []
    for path, expected in installed_materials().items():
        if path not in checked:
            found = sha256(path) if path.is_file() else None
            status = "missing" if found is None else "sound" if found == expected else "damaged"
            part = WeightsPart("", "data", path, "package", expected)
            records.append({**asdict(part), "status": status, "found_sha256": found})
    return records


def owners(digest: str) -> list[tuple[Row, str]]:
    """Row and part of every registered file with that sha256."""
    from openshape_ood.registry import load_registry

    rows = load_registry().values()
    parts = [(row, own_part(row)) for row in rows if row.source.sha256 == digest]
    return parts + [(row, "text") for row in rows if row.text.sha256 == digest]


def verified_file(path: Path) -> dict[str, Any]:
    """A file at hand, as `verified` has those of a checkpoint: "sound" as what, or "unknown"."""
    from openshape_ood.registry.files import sha256

    digest = sha256(path)
    parts = owners(digest)
    part = WeightsPart(", ".join(row.name for row, _ in parts), parts[0][1] if parts else "", path, "given", None)
    return {**asdict(part), "status": "sound" if parts else "unknown", "found_sha256": digest}


def add_file(path: Path, name: str | None, text: bool) -> list[dict[str, Any]]:
    """Keep a file brought by hand as whatever the registry has with its sha256, or else as what it is named."""
    from openshape_ood.encoders.text.encoder import check_text
    from openshape_ood.encoders.text.open_clip import hub_address
    from openshape_ood.registry import files, find_checkpoint
    from openshape_ood.registry.rows import ENCODERS, KINDS

    digest = files.sha256(path)
    parts = [(row, part) for row, part in owners(digest) if name in (None, row.name)]
    if not parts and name is None:
        raise HashError(
            f"{path} has the sha256 {digest}, which no file of the registry has: damaged on its way, or another one. "
            "Where the registry names no sha256, as for text encoders, say what it is: --as NAME --text. To use other "
            "weights than the registered ones: --checkpoint FILE"
        )
    if not parts:
        row = find_checkpoint(str(name), kinds=ENCODERS if text else tuple(KINDS))
        if row.members:
            members = ", ".join(member.name for member in row.members)
            raise WeightsError(f"{row.name!r} is an ensemble; expected --as the one whose file it is: {members}")
        parts = [(row, "text" if text else own_part(row))]
    added = []
    for row, part in parts:
        if part == "text":
            check_text(row)
        if part == "text" and row.text.kind != "open_clip":
            raise WeightsError(f"text encoder of {row.name!r} is the file {row.text.model}; nothing needs to be added")
        if part != "text" and row.architecture and not files.known_sha256(row):
            from openshape_ood.registry.weights import load_network

            load_network(row, path)  # what does not fit must not be recorded as the right file
        kept = files.add(row, path, hub_address(row) if part == "text" else None)
        more = {"path": kept} if part == "text" else fetch_own(row, False)
        added.append({"checkpoint": row.name, "part": part, "found_sha256": digest, **more})
    return added


def size_text(count: int | None) -> str:
    """Bytes for people, in powers of ten, as the Hub shows them.

    >>> size_text(388_091_433), size_text(None)
    ('388 MB', 'unknown size')
    """
    if count is None:
        return "unknown size"
    for unit, digits in (("GB", 9), ("MB", 6), ("kB", 3)):
        if count >= 10**digits:
            return f"{count / 10**digits:.3g} {unit}"
    return f"{count} bytes"


def plan(rows: Sequence[Row], with_text: bool) -> list[tuple[Row, str, str, int | None]]:
    """The files of some checkpoints in the order in which they are fetched: row, part, the place to download from, ""
    for a file that is here, and bytes, None where nobody says; asks the Hub for sizes not registered."""
    from openshape_ood.encoders.text.open_clip import hub_address
    from openshape_ood.registry import files, weight_cache

    planned: list[tuple[Row, str, str, int | None]] = []
    for row in rows:
        place, size = files.download_size(row)
        kept = weight_cache.find(row) if place else None
        planned.append((row, own_part(row), *(("", kept.stat().st_size) if kept else (place, size))))
        if with_text and row.text.kind == "open_clip":
            with suppress(OpenShapeError):  # one without weights on the Hub: told when it is fetched
                planned.append((row, "text", *files.download_size(row, hub_address(row))))
    return planned


def fetch_own(row: Row, progress: bool) -> dict[str, Path | None]:
    """path: of the registered file, or of the stripped one if that is all that is here, and enough."""
    from openshape_ood.registry import files, weight_cache

    kept = weight_cache.stripped_path(row) if weight_cache.is_sound(row) else None
    if kept and files.cached(row) is None:
        return {"path": kept, "stripped": kept}
    path = files.fetch(row, progress)
    return {"path": path, "stripped": kept or _strip(row, path)}


def _strip(row: Row, path: Path) -> Path | None:
    from openshape_ood.registry import weight_cache

    if weight_cache.stripped_path(row) is None:  # before torch is loaded
        return None
    from openshape_ood.registry.weights import read_file

    try:
        weights = read_file(path, row, trusted=bool(row.source.sha256))
    except WeightsError:  # still the registered file; loading it reports the error
        return None
    return weight_cache.keep(row, weights)
