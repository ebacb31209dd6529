"""The registry: which encoders there are, and every number that tells them apart.

The rows come from `checkpoints.toml`, or from the file that `registry=` or the environment variable
OPENSHAPE_OOD_CHECKPOINTS names (that file alone is then the registry).
"""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

from openshape_ood.errors import InputError, OpenShapeError, RegistryError, UnknownNameError
from openshape_ood.registry.architectures import ARCHITECTURES, PointBERTSizes
from openshape_ood.shapes.spec import CloudSpec

PACKAGE = Path(__file__).parent  # what is packaged: the registry, and tiny
REGISTRY_VARIABLE = "OPENSHAPE_OOD_CHECKPOINTS"

Row = TypeVar("Row")


@dataclass(frozen=True)
class Source:
    """Where the weights are: in this package, on the Hub, or beside the registry."""

    sha256: str
    package: str = ""
    repo: str = ""
    file: str = ""
    revision: str = "main"


@dataclass(frozen=True)
class Keys:
    """How the weights are named inside the file."""

    inside: str
    prefix: str
    body: str


@dataclass(frozen=True)
class Text:
    """The text tower the encoder was aligned with, and how a class name becomes its embedding."""

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
class Checkpoint:
    """One row of the registry."""

    name: str
    folder: Path
    architecture: str
    licence: str
    sizes: PointBERTSizes
    source: Source
    keys: Keys
    text: Text
    points: CloudSpec


def list_checkpoints(registry: str | os.PathLike[str] | None = None) -> list[str]:
    """The names of the registered checkpoints, in the registry's order.

    >>> list_checkpoints()
    ['tiny', 'vitb32', 'vitl14', 'vitg14']
    """
    return list(load_registry(registry))


def find_checkpoint(name: str, registry: str | os.PathLike[str] | None = None) -> Checkpoint:
    """The row called `name`. Raises `UnknownNameError` with the known names, or `RegistryError`.

    >>> row = find_checkpoint("vitg14")
    >>> row.points.up, row.sizes.embedding_dim
    ('z', 1280)
    """
    rows = load_registry(registry)
    if not isinstance(name, str) or name not in rows:
        close = difflib.get_close_matches(str(name), rows, n=1, cutoff=0.4)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise UnknownNameError(f"unknown checkpoint {name!r}; known: {', '.join(rows)}{hint}")
    return rows[name]


def load_registry(registry: str | os.PathLike[str] | None = None) -> dict[str, Checkpoint]:
    """All rows of a registry, checked field by field. Raises `RegistryError` naming table and field."""
    if registry is None:
        registry = os.environ.get(REGISTRY_VARIABLE) or PACKAGE / "checkpoints.toml"
    path = given_path(registry, "registry", RegistryError)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RegistryError(f"cannot read the registry {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RegistryError(f"the registry {path} is not valid TOML: {error}") from error
    return {name: _checkpoint(name, table, path) for name, table in tables.items()}


def given_path(given: Any, name: str, error: type[OpenShapeError] = InputError) -> Path:
    """The path that a caller gave as the argument `name`, its ~ expanded."""
    try:
        return Path(given).expanduser()
    except (TypeError, RuntimeError) as cause:  # no path; no such home
        raise error(f"{name} is {given!r}; expected the path of a file ({cause})") from None


@cache
def template_lists() -> dict[str, tuple[str, ...]]:
    """The lists of templates.toml: sentences with one {} each."""
    lists = tomllib.loads((PACKAGE.parent / "encoders" / "text" / "templates.toml").read_text(encoding="utf-8"))
    return {name: tuple(sentences) for name, sentences in lists.items()}


def _checkpoint(name: str, table: Any, path: Path) -> Checkpoint:
    try:
        row = _read(Checkpoint, table, f"[{name}]", {"name": name, "folder": path.parent})
        _check(row)
    except RegistryError as error:
        raise RegistryError(f"registry {path}: {error}") from None
    return row


def _read(kind: type[Row], table: Any, where: str, given: Mapping[str, Any] = {}) -> Row:
    """A dataclass from a TOML table: no field unknown, none missing, each of its declared type."""
    if not isinstance(table, dict):
        raise RegistryError(f"{where} is {_type_name(table)}; expected a table")
    hints = get_type_hints(kind)
    expected = [f for f in fields(kind) if f.name not in given]  # type: ignore[arg-type]
    names = [f.name for f in expected]
    for field in table:
        if field not in names:
            close = difflib.get_close_matches(field, names, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(names)}"
            raise RegistryError(f"{where} has an unknown field {field!r}{hint}")
    for f in expected:
        if f.name not in table and f.default is MISSING:
            raise RegistryError(f"{where} lacks the field {f.name!r} ({_type_name(hints[f.name])})")
    values = {field: _value(hints[field], value, where, field) for field, value in table.items()}
    return kind(**given, **values)


def _value(kind: type, value: Any, where: str, field: str) -> Any:
    if kind not in (str, int, float):
        return _read(kind, value, f"{where[:-1]}.{field}]")
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise RegistryError(f"{where} field {field!r} is {_type_name(value)} ({value!r}); expected {_type_name(kind)}")
    return value


def _type_name(value: Any) -> str:
    kind = value if isinstance(value, type) else type(value)
    names = {str: "a string", int: "a whole number", float: "a number", bool: "a boolean", list: "a list"}
    return names.get(kind, "a table")


def _check(row: Checkpoint) -> None:
    """What the types alone do not say."""
    _one_of(row, "architecture", row.architecture, ARCHITECTURES)
    _one_of(row, "points.up", row.points.up, ("x", "y", "z"))
    for field in fields(row.sizes):
        _check_size(row, field.name, getattr(row.sizes, field.name))
    if row.sizes.channels != 6:
        raise RegistryError(f"[{row.name}.sizes] field 'channels' is {row.sizes.channels}; clouds have 6: xyz and rgb")
    if row.points.count < 1:
        raise RegistryError(f"[{row.name}.points] field 'count' is {row.points.count}; expected a positive number")
    if not 0 <= row.points.color <= 1:
        raise RegistryError(f"[{row.name}.points] field 'color' is {row.points.color}; expected 0 to 1")
    _check_sha256(row, "source", row.source.sha256)
    if bool(row.source.package) == bool(row.source.file):
        raise RegistryError(f"[{row.name}.source] takes either 'package' or 'file' (with 'repo' when it is on the Hub)")
    _check_text(row)
    _check_activation(row)


def _check_size(row: Checkpoint, field: str, value: float) -> None:
    may_be_zero = field == "projection"  # for no projection
    if not (0 < value < math.inf or (may_be_zero and value == 0)):  # so that NaN is refused
        expected = "0 or more" if may_be_zero else "a positive, finite number"
        raise RegistryError(f"[{row.name}.sizes] field {field!r} is {value}; expected {expected}")


def _check_text(row: Checkpoint) -> None:
    text = row.text
    _one_of(row, "text.kind", text.kind, ("open_clip", "static"))
    _one_of(row, "text.average", text.average, ("mean", "mean_of_units"))
    if text.templates:
        _one_of(row, "text.templates", text.templates, template_lists())
    if not text.model:
        expected = "the name of an open_clip model" if text.kind == "open_clip" else "a file of token vectors"
        raise RegistryError(f"[{row.name}.text] field 'model' is empty; expected {expected}")
    if text.sha256:
        _check_sha256(row, "text", text.sha256)


def _one_of(row: Checkpoint, field: str, value: str, known: Any) -> None:
    if value not in known:
        table, _, last = f"{row.name}.{field}".rpartition(".")
        raise RegistryError(f"[{table}] field {last!r} is {value!r}; known: {', '.join(known)}")


def _check_sha256(row: Checkpoint, table: str, value: str) -> None:
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise RegistryError(f"[{row.name}.{table}] field 'sha256' is {value!r}; expected 64 hexadecimal digits")


def _check_activation(row: Checkpoint) -> None:
    # open_clip builds what the model name says, and only warns when OpenAI's weights meet the plain GELU
    if row.text.pretrained == "openai" and not row.text.model.endswith("-quickgelu"):
        raise RegistryError(
            f"[{row.name}.text] field 'model' is {row.text.model!r}, but OpenAI's weights were trained with QuickGELU "
            f"and are silently wrong without it; use {row.text.model + '-quickgelu'!r}"
        )


def source_kind(row: Checkpoint) -> Literal["package", "hub", "beside"]:
    if row.source.package:
        return "package"
    return "hub" if row.source.repo else "beside"
