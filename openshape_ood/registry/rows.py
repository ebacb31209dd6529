"""Rows of the registry, read from TOML and checked field by field."""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from openshape_ood.errors import RegistryError, UnknownNameError
from openshape_ood.registry.architectures import ARCHITECTURES
from openshape_ood.shapes import CloudSpec

PACKAGE = Path(__file__).parent  # what is packaged: the registry, and tiny
MOST_ENTRIES = 64  # of a list
MOST_SIZE, MOST_POINTS = 65_536, 1_000_000  # of a network, each; of a cloud
REGISTRY_VARIABLE = "OPENSHAPE_OOD_CHECKPOINTS"

# kind of row -> what it needs beside a licence and a source
KINDS: dict[str, tuple[str, ...]] = {"shape": ("architecture", "sizes", "keys", "text", "spec")}


@dataclass(frozen=True)
class Source:
    """Where the weights are.

    sha256: of the file, in hexadecimal digits; without it, the first use records it (see `registry.files`).
    package: a file inside this package; repo, file, revision: a file on the Hugging Face Hub; url: an https address;
    file without repo: beside the registry, or an absolute path.
    """

    sha256: str = ""
    package: str = ""
    repo: str = ""
    file: str = ""
    revision: str = "main"
    url: str = ""

    @property
    def kind(self) -> str:
        """`"package"`, `"hub"`, `"https"` or `"file"`."""
        if self.package or self.url:
            return "package" if self.package else "https"
        return "hub" if self.repo else "file"


@dataclass(frozen=True)
class Keys:
    """How the weights are named inside the file, and how to get from there to the network's own names.

    Applied in this order. Patterns are regular expressions, searched for in the whole key. inside: entry of the
    top-level table, "" for the top level itself; prefix, body: what stands before a key, taken off one after the other,
    keys without `prefix` are not the encoder's; drop: patterns of keys to leave out; rename: (pattern, replacement)
    pairs, where `\\1` stands for the pattern's first group; merge: (part, ..., whole), tensors to concatenate along
    their first axis into one, such as queries, keys and values, where a `*`, the same text in all names of a rule,
    stands for any.
    """

    inside: str = ""
    prefix: str = ""
    body: str = ""
    drop: tuple[str, ...] = ()
    rename: tuple[tuple[str, ...], ...] = ()
    merge: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Text:
    """The text encoder that an encoder was aligned with, and how a class name becomes its embedding."""

    kind: str
    model: str
    templates: str
    average: str
    pretrained: str = ""
    revision: str = "main"
    sha256: str = ""

    @property
    def space(self) -> str:
        """One word for the embedding space, the same for encoders that share it."""
        return f"{self.model}/{self.pretrained}" if self.pretrained else self.model


@dataclass(frozen=True)
class Row:
    """One row of the registry.

    `architecture`, `sizes` (an instance of the architecture's own dataclass), `keys`, `text` and `spec` are there for
    the kinds that need them (`KINDS`); all are for kind "shape". `folder` is where the registry that names it lies.
    """

    name: str
    folder: Path
    licence: str
    source: Source
    kind: str = "shape"
    architecture: str = ""
    sizes: Any = None
    keys: Keys = Keys()
    text: Text = None  # type: ignore[assignment]
    spec: CloudSpec = None  # type: ignore[assignment]


def list_checkpoints(registry: str | os.PathLike[str] | None = None, *, kind: str = "shape") -> list[str]:
    """Names of the registered checkpoints, in the registry's order.

    Parameters
    ----------
    registry : path, optional
        A registry of one's own that extends the packaged one; None asks the variable OPENSHAPE_OOD_CHECKPOINTS.
    kind : str
        Of rows.

    Returns
    -------
    list of str

    Raises
    ------
    RegistryError
        A registry that cannot be read or used.

    Examples
    --------
    >>> list_checkpoints()
    ['tiny', 'vitb32', 'vitl14', 'vitg14']
    """
    return [row.name for row in load_registry(registry).values() if row.kind == kind]


def find_checkpoint(name: str, registry: str | os.PathLike[str] | None = None) -> Row:
    """The row called `name`; `registry` as in `list_checkpoints`.

    Raises
    ------
    UnknownNameError, RegistryError
        No row has that name; a registry that cannot be read.

    Examples
    --------
    >>> row = find_checkpoint("vitg14")
    >>> row.spec.up, row.sizes.embedding_dim
    ('z', 1280)
    """
    rows = load_registry(registry)
    if not isinstance(name, str) or name not in rows:
        raise UnknownNameError(f"unknown checkpoint {name!r}; known: {', '.join(rows)}{_meant(str(name), rows, 0.4)}")
    return rows[name]


def load_registry(registry: str | os.PathLike[str] | None = None) -> dict[str, Row]:
    """All rows by name, the packaged ones first, checked field by field; `registry` as in `list_checkpoints`.

    A row with the name of a packaged one takes its place.

    Raises
    ------
    RegistryError
        A file that cannot be read or a row that cannot be used, naming table and field.
    """
    rows = _read_rows(PACKAGE / "checkpoints.toml")
    own = os.environ.get(REGISTRY_VARIABLE) if registry is None else registry
    if registry is None and not own:
        return rows
    from openshape_ood.checks import given_path  # numpy, which the packaged rows do without

    return rows | _read_rows(given_path(own, "registry", RegistryError))


@cache
def template_lists() -> dict[str, tuple[str, ...]]:
    """The lists of templates.toml: sentences with one {} each."""
    lists = tomllib.loads((PACKAGE.parent / "encoders" / "text" / "templates.toml").read_text(encoding="utf-8"))
    return {name: tuple(sentences) for name, sentences in lists.items()}


def _read_rows(path: Path) -> dict[str, Row]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RegistryError(f"cannot read the registry {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # also of numbers without end
        raise RegistryError(f"the registry {path} is not valid TOML: {error}") from error
    try:
        return {name: _row(name, table, path.parent) for name, table in tables.items()}
    except RegistryError as error:
        raise RegistryError(f"registry {path}: {error}") from None


def _row(name: str, table: Any, folder: Path) -> Row:
    where = f"[{name}]"
    _check_table(table, where)
    kind = _read_value(str, table.get("kind", "shape"), where, "kind")
    _check_one_of(where, "kind", kind, KINDS)
    needed = ("licence", "source", *KINDS[kind])
    hints = get_type_hints(Row)
    _check_fields(table, where, (*needed, "kind"), {field: hints[field] for field in needed})
    if "sizes" in needed:
        architecture = _read_value(str, table["architecture"], where, "architecture")
        _check_one_of(where, "architecture", architecture, ARCHITECTURES)
        hints["sizes"] = ARCHITECTURES[architecture].sizes
    values = {field: _read_value(hints[field], value, where, field) for field, value in table.items()}
    row = Row(name, folder, **values)
    _check(row)
    return row


def _check(row: Row) -> None:
    """What the types alone do not say."""
    source, keys, where = row.source, row.keys, f"[{row.name}.source]"
    if [source.package, source.file, source.url].count("") != 2 or (source.repo and not source.file):
        known = "either 'package' or 'file' (with 'repo' when it is on the Hub) or 'url'"
        raise RegistryError(f"{where} takes {known}; expected one")
    if source.url and urlsplit(source.url).scheme != "https":
        raise RegistryError(f"{where} field 'url' is {source.url!r}; expected an address that begins with https://")
    _check_sha256(where, source.sha256)
    if source.repo and not {"", "..", "\\"}.isdisjoint(re.split(r"/|(\\)", source.file)):
        raise RegistryError(f"{where} field 'file' is {source.file!r}; expected its path inside the repository")
    where = f"[{row.name}.keys]"
    if any(len(rule) != 2 for rule in keys.rename):
        raise RegistryError(f"{where} field 'rename' is {keys.rename}; expected pairs: pattern, replacement")
    for pattern in (*keys.drop, *(rule[0] for rule in keys.rename)):
        try:
            re.compile(pattern)
        except re.error as error:
            raise RegistryError(f"{where} {pattern!r} is no regular expression: {error}") from error
    for rule in keys.merge:
        if len(rule) < 3 or len({name.count("*") for name in rule}) != 1 or rule[0].count("*") > 1:
            expected = "two or more parts and then the whole, with at most one * in each"
            raise RegistryError(f"{where} field 'merge' has {list(rule)}; expected {expected}")
    if is_dataclass(row.sizes):
        _check_most(f"[{row.name}.sizes]", row.sizes, MOST_SIZE)
    if row.spec:
        _check_most(f"[{row.name}.spec]", row.spec, MOST_POINTS)
        _check_one_of(f"[{row.name}.spec]", "up", row.spec.up, ("x", "y", "z"))
        if row.spec.color > 1:
            raise RegistryError(f"[{row.name}.spec] field 'color' is {row.spec.color}; expected 0 to 1")
    if row.text:
        _check_text(row.text, f"[{row.name}.text]")
    if row.kind == "shape" and not isinstance(getattr(row.sizes, "embedding_dim", None), int):
        what = f"[{row.name}] the sizes of {row.architecture!r}"
        raise RegistryError(f"{what} have no embedding_dim, the width of embeddings")


def _check_most(where: str, part: Any, most: int) -> None:
    for name, value in ((field.name, getattr(part, field.name)) for field in fields(part)):
        if isinstance(value, int | float) and value > most:
            raise RegistryError(f"{where} field {name!r} is {value!s:.20}; expected at most {most:,}")


def _check_text(text: Text, where: str) -> None:
    _check_one_of(where, "kind", text.kind, ("open_clip", "static"))
    _check_one_of(where, "average", text.average, ("mean", "mean_of_units"))
    if text.templates:
        _check_one_of(where, "templates", text.templates, template_lists())
    if not text.model:
        expected = "the name of an open_clip model" if text.kind == "open_clip" else "a file of token vectors"
        raise RegistryError(f"{where} field 'model' is empty; expected {expected}")
    _check_sha256(where, text.sha256)
    # open_clip builds what the model name says, and only warns when OpenAI's weights meet the plain GELU
    if text.pretrained == "openai" and not text.model.endswith("-quickgelu"):
        raise RegistryError(
            f"{where} field 'model' is {text.model!r}, but OpenAI's weights were trained with QuickGELU "
            f"and are silently wrong without it; use {text.model + '-quickgelu'!r}"
        )


def _check_sha256(where: str, value: str) -> None:
    if value and not re.fullmatch(r"[0-9a-f]{64}", value):
        raise RegistryError(f"{where} field 'sha256' is {value!r}; expected 64 hexadecimal digits")


def _check_table(table: Any, where: str) -> None:
    if not isinstance(table, dict):
        raise RegistryError(f"{where} is {_type_name(table)}; expected a table")


def _check_fields(table: Mapping[str, Any], where: str, known: Collection[str], needed: Mapping[str, Any]) -> None:
    for field in table:
        if field not in known:
            hint = _meant(field, known) or f"; known: {', '.join(known)}"
            raise RegistryError(f"{where} has an unknown field {field!r}{hint}")
    for field, kind in needed.items():
        if field not in table:
            raise RegistryError(f"{where} lacks the field {field!r} ({_type_name(kind)})")


def _meant(given: str, known: Collection[str], cutoff: float = 0.6) -> str:
    close = difflib.get_close_matches(given, known, n=1, cutoff=cutoff)
    return f"; did you mean {close[0]!r}?" if close else ""


def read_table(kind: Any, table: Any, where: str) -> Any:
    """A dataclass from a TOML table: no field unknown, none missing, each of its declared type."""
    _check_table(table, where)
    hints = get_type_hints(kind)
    declared = [f for f in fields(kind) if f.init]
    needed = {f.name: hints[f.name] for f in declared if f.default is MISSING and f.default_factory is MISSING}
    _check_fields(table, where, [f.name for f in declared], needed)
    values = {field: _read_value(hints[field], value, where, field) for field, value in table.items()}
    for f in declared:
        value, may_be_zero = values.get(f.name), "zero" in f.metadata
        if not isinstance(value, int | float) or isinstance(value, bool) or (may_be_zero and value == 0):
            continue
        if not 0 < value < math.inf:  # so that NaN is refused
            expected = "0 or more" if may_be_zero else "a positive, finite number"
            raise RegistryError(f"{where} field {f.name!r} is {value}; expected {expected}")
    try:
        return kind(**values)
    except ValueError as error:
        raise RegistryError(f"{where} {error}") from error


def _read_value(kind: Any, value: Any, where: str, field: str) -> Any:
    if is_dataclass(kind):
        return read_table(kind, value, f"{where[:-1]}.{field}]")
    if get_origin(kind) is tuple and isinstance(value, list) and len(value) <= MOST_ENTRIES:
        return tuple(_read_value(get_args(kind)[0], entry, where, field) for entry in value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise RegistryError(f"{where} field {field!r} is {_type_name(value)} ({value!r}); expected {_type_name(kind)}")
    return value


def _type_name(value: Any) -> str:
    if get_origin(value) is tuple:
        return f"a list of at most {MOST_ENTRIES}"
    kind = value if isinstance(value, type) else type(value)
    names = {str: "a string", int: "a whole number", float: "a number", bool: "a boolean", list: "a list"}
    return names.get(kind, "a table")


def _check_one_of(where: str, field: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise RegistryError(f"{where} field {field!r} is {value!r}; known: {', '.join(known)}")
