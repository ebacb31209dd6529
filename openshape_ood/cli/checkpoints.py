"""openshape-ood checkpoints: list encoders; show, fetch, add and verify files of weights."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

from openshape_ood.cli.console import Failure, failed_json, finish, print_line, print_note, print_table, shown, write
from openshape_ood.cli.options import Json, argument, checkpoint_names, command, group, option
from openshape_ood.errors import FileError, HashError, OpenShapeError, WeightsError

if TYPE_CHECKING:
    from openshape_ood.registry import Row

LINE = 90  # characters in a line of a long list
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
NEEDED = {"text": "kind", "spec": "count"}  # table of a row -> field; `show` omits the table if the field is empty
# kind of source -> text if the file is on this machine, and text if it is not
PLACES = {
    "package": ("in the package", "missing"),
    "hub": ("in the cache", "not downloaded"),
    "https": ("in the cache", "not downloaded"),
    "hand": ("in the cache", "to be fetched by hand"),
    "file": ("a local file", "missing"),
    "stripped": ("in the cache, stripped", "missing"),
}

app = group("checkpoints", "List the available encoders; show, fetch, add and verify files of weights.", EXAMPLES)

Name = Annotated[str, argument("Name in the registry, such as vitb32, or an ensemble.", "NAME", checkpoint_names)]
SomeNames = Annotated[list[str], argument("Names of checkpoints.", "NAME...", checkpoint_names)]
AnyNames = Annotated[list[str] | None, argument("Names, or files. Default: all.", "NAME|FILE...", checkpoint_names)]
WithText = Annotated[
    bool, option(None, "Include the text encoder, needed for class names.", None, "--text", negative="--no-text")
]


@command(app, "list")
def list_all(*, json: Json = False) -> None:
    """List the checkpoints with figures for choosing one, and show which are on this machine. tiny works offline.

    memory: bytes of the weights in float32. cost: CPU time per cloud, relative to vitb32. LVIS (Objaverse-LVIS), MN40
    (ModelNet40), SONN (ScanObjectNN): published zero-shot accuracy in percent, not measured here. --json names the
    publication. The second table lists point encoders, for scans. voxel: side in meters. input: features of a voxel.
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
    """Show the registry entry of a checkpoint and the paths of its files. For an ensemble, show every member."""
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
        entries.append({"field": "text", "value": "none: known classes need examples"})
    for part in parts:
        name = f"{part.part}{', stripped' * (part.source == 'stripped')} file"
        entries.append({"field": name, "value": str(part.path or part.place)})
    return entries


def _names_known(row: Row) -> dict[str, Any]:
    """All names, trained names and their accuracy, for a text encoder of kind "table". Other kinds: empty."""
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
        {"field": "names", "value": f"{len(known['names']):,}; listed by --json"},
        *_lines("trained names", known["trained_names"]),
    ]
    if accuracy:
        shares = [f"{name} {100 * share:.0f}" for name, share in accuracy]
        entries += _lines("accuracy, % of unseen objects", shares)
    return entries


def _lines(field: str, words: Sequence[str]) -> list[dict[str, str]]:
    """Entries of a long list, one for each line. Only the first entry has the name of the field."""
    lines = wrap(", ".join(words), LINE)
    return [{"field": field if i == 0 else "", "value": line} for i, line in enumerate(lines)]


@command(app, "fetch")
def fetch(names: SomeNames, /, *, with_text: WithText = True, json: Json = False) -> None:
    """Download checkpoints and their text encoders for offline use; for ensembles, all members.

    The files to download are listed first, with sizes. Published encoders are pinned by their sha256. The environment
    variables HF_HOME, HF_ENDPOINT and HF_TOKEN apply. A stripped copy without optimizer state is kept for each encoder.
    It loads faster, and the downloaded file may be deleted.
    """
    rows = _rows(names)  # checks all names before the first download
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
        option(
            None,
            "Checkpoint of the file. Needed if the registry has no sha256 for the file.",
            "NAME",
            "--as",
            completer=checkpoint_names,
        ),
    ] = None,
    text: Annotated[bool, option(None, "The file is the text encoder of NAME.", None, "--text")] = False,
    json: Json = False,
) -> None:
    """Copy a downloaded file into the cache for offline use, for example from a USB stick.

    Its sha256 identifies the checkpoint. A file with an unregistered sha256 is refused, unless --as is given.
    """
    added = add_file(_at_hand(file), name, text)
    lines = [f"{one['checkpoint']}, {one['part']}: {shown(one['path'])}" for one in added]
    write({"added": added}, json, lambda: print_line("\n".join(lines)))


@command(app, "verify")
def verify(names: AnyNames = None, /, *, json: Json = False) -> None:
    """Compare the sha256 of local files with the registered ones.

    A stripped file is compared with the hash that was recorded when it was written. A FILE is compared with all hashes
    of the registry. Other packaged data is compared with the bill of materials of the installed wheel. The exit code is
    1 if a file is damaged or unknown. It is also 1 if a file of the package or of a named checkpoint is missing.
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
        raise WeightsError(f"there is no file {path}. Expected a downloaded file of weights. Check the path.")
    return path


def _rows(names: list[str] | None) -> list[Row]:
    """Registry rows of these names, each once; members replace ensembles. None: all rows, shape encoders first."""
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
    """Print the files to download, and return the bytes of each part."""
    planned = plan(rows, with_text)
    # keyed by download source, because checkpoints may share a text encoder
    missing = {place: (row.name, part, size) for row, part, place, size in planned if place}
    for place, (name, part, size) in missing.items():
        print_note(f"{name}, {part}: {size_text(size)} from {place}")
    if len(missing) > 1:
        sizes = [size for _, _, size in missing.values()]
        some = " and the files of unknown size" * (None in sizes)
        print_note(f"download in total: {size_text(sum(size or 0 for size in sizes))}{some}")
    return {(row.name, part): size for row, part, _, size in planned}


def _for_table(record: dict[str, Any]) -> dict[str, Any]:
    """Row of the table for choosing a checkpoint; unknown figures are empty."""
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
    """A file of a checkpoint: its network or its text encoder.

    part: name from `own_part`, or "text". path: None if the file is not on this machine. source: kind of the row's
    source, or "stripped". sha256: the registered one, else None.
    """

    checkpoint: str
    part: str
    path: Path | None
    source: str
    sha256: str | None

    @property
    def place(self) -> str:
        """Location of the file, as text for a table."""
        return PLACES[self.source][self.path is None]


def own_part(row: Row) -> str:
    """Name of a row's network: "encoder", or the row's kind."""
    from openshape_ood.registry.rows import ENCODERS

    return "encoder" if row.kind in ENCODERS else row.kind


def part_names(row: Row, with_text: bool = True) -> list[str]:
    """Names of a row's parts: its network, and "text" if it has a text encoder."""
    return [own_part(row), "text"] if with_text and row.text.kind else [own_part(row)]


def own_parts(row: Row) -> list[WeightsPart]:
    """Files of a row's network on this machine: the published file and its stripped copy.

    If neither is on this machine, the list has the published file with the path None.
    """
    from openshape_ood.registry import weight_cache
    from openshape_ood.registry.files import cached, known_sha256

    registered = WeightsPart(row.name, own_part(row), None, row.source.kind, row.source.sha256 or None)
    try:
        registered = replace(registered, path=cached(row), sha256=known_sha256(row) or None)
        other = WeightsPart(row.name, own_part(row), weight_cache.find(row), "stripped", None)
    except FileError:  # no home folder, so no cache
        return [registered]
    return [part for part in (registered, other) if part.path] or [registered]


def text_part(row: Row) -> WeightsPart:
    """File of the text encoder. For an open_clip encoder, this imports open_clip, which takes seconds."""
    from openshape_ood.encoders.text.encoder import cached_file
    from openshape_ood.registry.rows import PACKAGE

    try:
        path = cached_file(row)
    except OpenShapeError:  # a text encoder without weights on the Hub
        path = None
    source = "package" if path and path.is_relative_to(PACKAGE) else "file"
    source = "hub" if row.text.kind == "open_clip" else source
    return WeightsPart(row.name, "text", path, source, row.text.sha256 or None)


def all_parts(row: Row) -> list[WeightsPart]:
    """All files of a checkpoint, its network first."""
    return [*own_parts(row), text_part(row)] if row.text.kind else own_parts(row)


def verified(row: Row, part: WeightsPart) -> dict[str, Any]:
    """Record of a part and its status: "sound", "damaged", "missing", or "present" if no sha256 is registered."""
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
    """Records, as from `verified`, of packaged data that belongs to no checkpoint. Empty in a checkout."""
    from openshape_ood.registry.files import sha256
    from openshape_ood.registry.materials import installed_materials

    records = []
    for path, expected in installed_materials().items():
        if path not in checked:
            digest = sha256(path) if path.is_file() else None
            status = "missing" if digest is None else "sound" if digest == expected else "damaged"
            part = WeightsPart("", "data", path, "package", expected)
            records.append({**asdict(part), "status": status, "found_sha256": digest})
    return records


def owners(digest: str) -> list[tuple[Row, str]]:
    """Row and part of every registered file with this sha256."""
    from openshape_ood.registry import load_registry

    rows = load_registry().values()
    parts = [(row, own_part(row)) for row in rows if row.source.sha256 == digest]
    return parts + [(row, "text") for row in rows if row.text.sha256 == digest]


def verified_file(path: Path) -> dict[str, Any]:
    """Record, as from `verified`, of a given file: "sound" with its checkpoints, or "unknown"."""
    from openshape_ood.registry.files import sha256

    digest = sha256(path)
    parts = owners(digest)
    part = WeightsPart(", ".join(row.name for row, _ in parts), parts[0][1] if parts else "", path, "given", None)
    return {**asdict(part), "status": "sound" if parts else "unknown", "found_sha256": digest}


def add_file(path: Path, name: str | None, text: bool) -> list[dict[str, Any]]:
    """Copy a file into the cache of every checkpoint that registers its sha256, else of the checkpoint `name`.

    text: True if the file is the text encoder of `name`.
    """
    from openshape_ood.encoders.text.encoder import check_text
    from openshape_ood.encoders.text.open_clip import hub_address
    from openshape_ood.registry import files, find_checkpoint
    from openshape_ood.registry.rows import ENCODERS, KINDS

    digest = files.sha256(path)
    parts = [(row, part) for row, part in owners(digest) if name in (None, row.name)]
    if not parts and name is None:
        raise HashError(
            f"{path} has the sha256 {digest}, which is not in the registry. Expected an undamaged, registered file. "
            "Add other text encoders with --as NAME --text, and use other weights with --checkpoint FILE."
        )
    if not parts:
        row = find_checkpoint(str(name), kinds=ENCODERS if text else tuple(KINDS))
        if row.members:
            members = ", ".join(member.name for member in row.members)
            raise WeightsError(f"--as is the ensemble {row.name!r}. Expected one encoder. Give one of {members}.")
        parts = [(row, "text" if text else own_part(row))]
    added = []
    for row, part in parts:
        if part == "text":
            check_text(row)
        if part == "text" and row.text.kind != "open_clip":
            raise WeightsError(
                f"the text encoder of {row.name!r} is the local file {row.text.model}. Expected a downloaded one. "
                "Leave the command out: nothing needs to be added."
            )
        if part != "text" and row.architecture and not files.known_sha256(row):
            from openshape_ood.registry.weights import load_network

            load_network(row, path)  # raises if the file does not fit, before it is recorded
        kept = files.add(row, path, hub_address(row) if part == "text" else None)
        more = {"path": kept} if part == "text" else fetch_own(row, False)
        added.append({"checkpoint": row.name, "part": part, "found_sha256": digest, **more})
    return added


def size_text(count: int | None) -> str:
    """Size in decimal units, as the Hub shows it.

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
    """Files of checkpoints in the order of fetching: row, part, download source, and size in bytes.

    The source is "" for a file on this machine. The size is None if neither the registry nor the Hub states it.
    """
    from openshape_ood.encoders.text.open_clip import hub_address
    from openshape_ood.registry import files, weight_cache

    planned: list[tuple[Row, str, str, int | None]] = []
    for row in rows:
        place, size = files.download_size(row)
        kept = weight_cache.find(row) if place else None
        planned.append((row, own_part(row), *(("", kept.stat().st_size) if kept else (place, size))))
        if with_text and row.text.kind == "open_clip":
            with suppress(OpenShapeError):  # a text encoder without weights on the Hub: fetching it reports the error
                planned.append((row, "text", *files.download_size(row, hub_address(row))))
    return planned


def fetch_own(row: Row, progress: bool) -> dict[str, Path | None]:
    """Fetch the network's file of a row. Returns the paths of the registered and the stripped file.

    If only an intact stripped file is on this machine, nothing is downloaded, and both paths lead to this file.
    """
    from openshape_ood.registry import files, weight_cache

    kept = weight_cache.stripped_path(row) if weight_cache.is_sound(row) else None
    if kept and files.cached(row) is None:
        return {"path": kept, "stripped": kept}
    path = files.fetch(row, progress)
    return {"path": path, "stripped": kept or _strip(row, path)}


def _strip(row: Row, path: Path) -> Path | None:
    from openshape_ood.registry import weight_cache

    if weight_cache.stripped_path(row) is None:  # checked before torch is imported
        return None
    from openshape_ood.registry.weights import read_file

    try:
        weights = read_file(path, row, trusted=bool(row.source.sha256))
    except WeightsError:  # the file has the registered sha256; loading it reports the error
        return None
    return weight_cache.keep(row, weights)
