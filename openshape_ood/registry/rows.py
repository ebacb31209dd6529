"""Rows of the registry, read from TOML and validated."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openshape_ood.errors import RegistryError, UnknownNameError
from openshape_ood.registry.architectures import ARCHITECTURES
from openshape_ood.registry.extensions import use_named
from openshape_ood.registry.schema import check_fields, check_one_of, check_table, meant, read_value, types_of
from openshape_ood.shapes import CloudSpec

PACKAGE = Path(__file__).parent  # folder of packaged data: the registry and weights
REGISTRY_VARIABLE = "OPENSHAPE_OOD_CHECKPOINTS"
MOST_LIKE = 16  # maximum number of rows that `like` connects
MOST_SIZE, MOST_POINTS = 65_536, 1_000_000  # maximum size of a network; maximum number of points of a cloud
MOST_VOXEL = 10  # maximum side of a voxel in meters
INPUTS = ("ones", "color", "height-color")  # kinds of input of a voxel
TEMPLATES = PACKAGE.parent / "encoders" / "text" / "templates.toml"

# required fields of each kind, after licence and source
SHARED = ("architecture", "sizes", "keys", "text", "spec")
POINTS = (*(field for field in SHARED if field != "spec"), "scan")
COMPLETION = ("architecture", "sizes", "keys")
KINDS: dict[str, tuple[str, ...]] = {
    "shape": SHARED,
    "points": POINTS,
    "comparator": ("encoder",),
    "completion": COMPLETION,
}
ENCODERS = ("shape", "points")  # kinds with a network and a text encoder


@dataclass(frozen=True)
class Source:
    """Location of the weights.

    sha256: hash of the file. If it is empty, the hash at the first use is recorded, and required from then on.
    bytes: file size, 0 if unknown.

    There are five kinds of locations:

    - package: a file in this package.
    - repo, file, revision: a file on the Hugging Face Hub.
    - url: an https address.
    - file, page: a file that must be downloaded by hand from this page and added with `checkpoints add`.
    - file alone: a path relative to the registry, or an absolute path.
    """

    sha256: str = ""
    package: str = ""
    repo: str = ""
    file: str = ""
    revision: str = "main"
    url: str = ""
    bytes: int = 0
    page: str = ""

    @property
    def kind(self) -> str:
        """`"package"`, `"hub"`, `"https"`, `"hand"` or `"file"`."""
        if self.package or self.url:
            return "package" if self.package else "https"
        if self.page:
            return "hand"
        return "hub" if self.repo else "file"


@dataclass(frozen=True)
class Keys:
    """Rules that map the tensor names of a file to the tensor names of the network, applied in this order.

    - inside: entry of the top-level table that contains the tensors; "" for the top level.
    - parts: several entries instead of one. The name of an entry and a dot are prepended to its keys.
    - prefix: beginning of keys, which is removed. Keys without it are dropped.
    - body: second beginning, which is removed if a key has it.
    - drop: patterns of keys to drop.
    - rename: pairs (pattern, replacement), where `\\1` is the pattern's first group.
    - merge: (part, ..., whole), names of tensors to concatenate along their first axis, such as queries, keys and
      values. A `*` in these names matches any text, which is the same in all names of a rule.

    Patterns are regular expressions that may match anywhere in a key.
    """

    inside: str = ""
    prefix: str = ""
    body: str = ""
    drop: tuple[str, ...] = ()
    rename: tuple[tuple[str, ...], ...] = ()
    merge: tuple[tuple[str, ...], ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Text:
    """Text encoder of a shape or point encoder, and its settings for class names.

    With `text = false` in a row of kind "shape" there is no text encoder: names are refused, and kind is "".

    - kind: "open_clip", a CLIP text encoder; "static", token vectors; or "table", vectors of a list of names.
    - trained: names in the training of the encoder. Default: the names in the file. Not for "open_clip".
    - tower: for "table", a checkpoint. If its text encoder is on this machine, it embeds names outside the list.
    """

    kind: str
    model: str
    templates: str
    average: str
    pretrained: str = ""
    revision: str = "main"
    sha256: str = ""
    trained: tuple[str, ...] = ()
    tower: str = ""

    @property
    def space(self) -> str:
        """Name of the embedding space, equal for encoders that share it."""
        return f"{self.model}/{self.pretrained}" if self.pretrained else self.model


@dataclass(frozen=True)
class ScanSpec:
    """Input of a point encoder: scans in meters, z up.

    - voxel: side of a voxel in meters.
    - labels: description of the names that the encoder was trained or published with.
    - input: numbers of a voxel. "ones": 1, for geometry alone. "color": rgb from -0.5 to 0.5. "height-color": 1, the
      height above the floor in meters minus 1, and rgb (zeros without color).
    """

    voxel: float
    input: str
    labels: str = ""


@dataclass(frozen=True)
class About:
    """Information for choosing an encoder; not used to run it.

    - parameters: number of parameters of its network.
    - cost: CPU time of a cloud relative to vitb32, from one run of `benchmarks speed`.
    - lvis, modelnet40, scanobjectnn: published zero-shot accuracy, top-1 in percent; 0 if unpublished.
    - published: source of these figures.
    - whom: recommended use.
    """

    parameters: int = field(default=0, metadata={"zero": True})
    whom: str = ""
    cost: float = field(default=0.0, metadata={"zero": True})
    lvis: float = field(default=0.0, metadata={"zero": True})
    modelnet40: float = field(default=0.0, metadata={"zero": True})
    scanobjectnn: float = field(default=0.0, metadata={"zero": True})
    published: str = ""


# defaults for kinds of rows without these tables
NO_TEXT, NO_SPEC, NO_SCAN = Text("", "", "", ""), CloudSpec(0, "", 0.0), ScanSpec(0.0, "")


@dataclass(frozen=True)
class Row:
    """One row of the registry.

    The fields `architecture`, `sizes` (an instance of the architecture's dataclass), `keys`, `text` and `spec` are set
    for the kinds that need them, see `KINDS`. Kind "points" has `scan` in place of `spec`. Other fields:

    - folder: folder of the registry.
    - encoder: for a comparator, the row whose embeddings it compares.
    - unconfirmed: unverified properties of the row, shown as a warning on loading.
    - members: for an ensemble, the rows of its encoders, ordered by name.
    """

    name: str
    folder: Path
    licence: str
    source: Source
    kind: str = "shape"
    architecture: str = ""
    sizes: Any = None
    keys: Keys = Keys()
    text: Text = NO_TEXT
    spec: CloudSpec = NO_SPEC
    scan: ScanSpec = NO_SCAN
    about: About = About()
    unconfirmed: str = ""
    encoder: str = ""
    members: tuple[Row, ...] = ()

    @property
    def text_dim(self) -> int:
        """Width of the text encoder's embeddings, before any projection."""
        return getattr(self.sizes, "text_width", 0) or int(self.sizes.embedding_dim)


def list_checkpoints(registry: str | os.PathLike[str] | None = None, *, kind: str = "shape") -> list[str]:
    """Names of the registered checkpoints of a kind, in the registry's order.

    Parameters
    ----------
    registry : path, optional
        Your own registry, which extends the packaged one. Default: the path in the environment variable
        OPENSHAPE_OOD_CHECKPOINTS, if it is set.
    kind : {"shape", "points", "comparator", "completion"}

    Raises
    ------
    UnknownNameError, RegistryError
        For an unknown kind, or a registry that cannot be read or used.

    Examples
    --------
    >>> list_checkpoints()[:4]
    ['tiny', 'small', 'vitb32', 'vitl14']
    """
    if kind not in KINDS:
        hint = meant(str(kind), KINDS) or "Choose one of these."
        raise UnknownNameError(f"unknown kind {kind!r}. Expected one of {', '.join(KINDS)}. {hint}")
    return [row.name for row in load_registry(registry).values() if row.kind == kind]


def load_registry(registry: str | os.PathLike[str] | None = None) -> dict[str, Row]:
    """All rows by name, validated, packaged rows first. registry: as in `list_checkpoints`.

    Raises `RegistryError` for an unreadable file or an invalid row. The message names table and field.
    """
    given = os.environ.get(REGISTRY_VARIABLE) if registry is None else registry
    if registry is None and not given:
        return dict(packaged_rows())
    from openshape_ood.checks import given_path  # imports numpy, which packaged rows do not need
    from openshape_ood.storage import read_regular

    use_named()
    path = given_path(given, "registry", RegistryError)
    return {**packaged_rows(), **_read_rows(path, _read_tables(path, read_regular), _packaged_tables())}


@cache
def packaged_rows() -> Mapping[str, Row]:
    """Rows of the packaged registry alone."""
    return _read_rows(PACKAGE / "checkpoints.toml", _packaged_tables())


@cache
def _packaged_tables() -> Mapping[str, Any]:
    return _read_tables(PACKAGE / "checkpoints.toml")


def _read_tables(path: Path, read: Callable[[Path], bytes] = Path.read_bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(read(path).decode("utf-8"))
    except OSError as error:
        raise RegistryError(
            f"cannot read the registry {path} ({error.strerror or error}). Expected a .toml file. Check the path."
        ) from error
    except (ValueError, RecursionError) as error:  # also for numbers with too many digits
        raise RegistryError(
            f"the registry {path} is not valid TOML ({error}). Expected TOML 1.0 in UTF-8. Correct the file."
        ) from error


def _read_rows(path: Path, tables: Mapping[str, Any], others: Mapping[str, Any] | None = None) -> dict[str, Row]:
    """Rows of `tables`. others: further tables, to which the field `like` may refer."""
    try:
        known = {**(others or {}), **tables}
        return {name: read_row(name, _completed(name, known), path.parent) for name in tables}
    except RegistryError as error:
        end = "" if str(error).endswith(("?", ".")) else "."
        raise RegistryError(f"registry {path}: {error}{end} Correct the row.") from None


def _completed(name: str, tables: Mapping[str, Any], before: tuple[str, ...] = ()) -> Any:
    """Table of a row, with missing fields (network, keys, text, clouds) copied from the row in `like`."""
    table = tables[name]
    if not isinstance(table, dict) or "like" not in table:
        return table
    other = table["like"]
    if not isinstance(other, str) or other not in tables or other in (name, *before):
        raise RegistryError(
            f"[{name}] field 'like' is {other!r}. Expected the name of another row, without a cycle of rows"
        )
    if len(before) == MOST_LIKE:
        raise RegistryError(f"[{name}] ends a chain of 'like' with more than {MOST_LIKE} rows. Expected fewer")
    base = _completed(other, tables, (*before, name))
    if not isinstance(base, dict):
        return {}
    whole = {key: base[key] for key in ("kind", *SHARED, "scan") if key in base}
    for key, value in table.items():
        both = isinstance(value, dict) and isinstance(whole.get(key), dict)
        whole[key] = {**whole[key], **value} if both else value
    return {key: value for key, value in whole.items() if key != "like"}


def read_row(name: str, table: Any, folder: Path) -> Row:
    """A row from its table. Raises `RegistryError` naming table and field."""
    where = f"[{name}]"
    check_table(table, where)
    kind = read_value(str, table.get("kind", "shape"), where, "kind")
    check_one_of(where, "kind", kind, KINDS)
    needed = ("licence", "source", *KINDS[kind])
    hints = dict(types_of(Row))
    check_fields(table, where, (*needed, "kind", "about", "unconfirmed"), {field: hints[field] for field in needed})
    if "sizes" in needed:
        architecture = read_value(str, table["architecture"], where, "architecture")
        check_one_of(where, "architecture", architecture, ARCHITECTURES)
        hints["sizes"] = ARCHITECTURES[architecture].sizes
    # an embedding space without a text encoder is named after its row
    silent = kind == "shape" and table.get("text") is False
    alone: dict[str, Any] = {"text": replace(NO_TEXT, model=name)} if silent else {}
    if kind == "shape" and table.get("text") is True:
        raise RegistryError(f"[{name}.text] is true. Expected a table, or false if there is no text encoder")
    values = {
        field: read_value(hints[field], value, where, field) for field, value in table.items() if field not in alone
    }
    row = Row(name, folder, **values, **alone)
    _check_row(row, KINDS[kind])
    return row


@cache
def template_lists() -> dict[str, tuple[str, ...]]:
    """Lists of prompt templates in templates.toml, with one {} in each template."""
    lists = tomllib.loads(TEMPLATES.read_text(encoding="utf-8"))
    return {name: tuple(sentences) for name, sentences in lists.items()}


def _check_row(row: Row, needed: Collection[str]) -> None:
    """Raise `RegistryError` for an invalid row. needed: required fields of its kind."""
    _check_source(row.source, f"[{row.name}.source]")
    _check_keys(row.keys, f"[{row.name}.keys]")
    if is_dataclass(row.sizes):
        _check_most(f"[{row.name}.sizes]", row.sizes, MOST_SIZE)
    if "spec" in needed:
        _check_spec(row.spec, f"[{row.name}.spec]")
    if "text" in needed and row.text.kind:
        _check_text(row.text, f"[{row.name}.text]")
    if "scan" in needed:
        _check_scan(row.scan, f"[{row.name}.scan]")
    if "text" in needed and not isinstance(getattr(row.sizes, "embedding_dim", None), int):
        what = f"[{row.name}] the sizes of {row.architecture!r}"
        raise RegistryError(f"{what} have no embedding_dim. Expected the width of embeddings")


def _check_source(source: Source, where: str) -> None:
    if [source.package, source.file, source.url].count("") != 2 or (source.repo and not source.file):
        known = "one of 'package', 'file' (with 'repo' if it is on the Hub) and 'url'"
        raise RegistryError(f"{where} has no location, or several. Expected {known}")
    if source.url and not _is_https(source.url):
        raise RegistryError(f"{where} field 'url' is {source.url!r}. Expected an address that begins with https://")
    if source.page and (not source.file or source.repo or not _is_https(source.page)):
        raise RegistryError(
            f"{where} field 'page' is {source.page!r}. Expected an https address, with 'file' and without 'repo'"
        )
    _check_sha256(where, source.sha256)
    if source.repo and not {"", "..", "\\"}.isdisjoint(re.split(r"/|(\\)", source.file)):
        raise RegistryError(f"{where} field 'file' is {source.file!r}. Expected its path inside the repository")


def _is_https(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:  # brackets without a valid address
        return False
    return parts.scheme == "https" and bool(parts.hostname)


def _check_keys(keys: Keys, where: str) -> None:
    if any(len(rule) != 2 for rule in keys.rename):
        raise RegistryError(f"{where} field 'rename' is {keys.rename}. Expected pairs: pattern, replacement")
    for pattern in (*keys.drop, *(rule[0] for rule in keys.rename)):
        try:
            re.compile(pattern)
        except re.error as error:
            raise RegistryError(
                f"{where} has the pattern {pattern!r}. Expected a regular expression ({error})"
            ) from error
    for rule in keys.merge:
        if len(rule) < 3 or len({name.count("*") for name in rule}) != 1 or rule[0].count("*") > 1:
            expected = "two or more parts and then the whole, each with at most one *"
            raise RegistryError(f"{where} field 'merge' has {list(rule)}. Expected {expected}")


def _check_spec(spec: CloudSpec, where: str) -> None:
    _check_most(where, spec, MOST_POINTS)
    check_one_of(where, "up", spec.up, ("x", "y", "z"))
    check_one_of(where, "fewer", spec.fewer, ("repeat", "keep"))
    if spec.color > 1:
        raise RegistryError(f"{where} field 'color' is {spec.color}. Expected 0 to 1")


def _check_scan(scan: ScanSpec, where: str) -> None:
    _check_most(where, scan, MOST_VOXEL)
    check_one_of(where, "input", scan.input, INPUTS)


def _check_most(where: str, part: Any, most: int) -> None:
    for name, value in ((one.name, getattr(part, one.name)) for one in fields(part)):
        if isinstance(value, int | float) and value > most:
            raise RegistryError(f"{where} field {name!r} is {value!s:.20}. Expected at most {most:,}")


def _check_text(text: Text, where: str) -> None:
    check_one_of(where, "kind", text.kind, ("open_clip", "static", "table"))
    check_one_of(where, "average", text.average, ("mean", "mean_of_units"))
    if text.templates:
        check_one_of(where, "templates", text.templates, template_lists())
    if not text.model:
        expected = "the name of an open_clip model" if text.kind == "open_clip" else "a file of vectors"
        raise RegistryError(f"{where} field 'model' is empty. Expected {expected}")
    _check_sha256(where, text.sha256)


def _check_sha256(where: str, value: str) -> None:
    if value and not re.fullmatch(r"[0-9a-f]{64}", value):
        raise RegistryError(f"{where} field 'sha256' is {value!r}. Expected 64 hexadecimal digits")
