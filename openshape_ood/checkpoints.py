"""The registry: which encoders there are, and every number that tells them apart.

The rows come from `checkpoints.toml`, or from the file that `registry=` or the environment variable
OPENSHAPE_OOD_CHECKPOINTS names (that file alone is then the registry).
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_type_hints

from openshape_ood.architectures import ARCHITECTURES, PointBERTSizes
from openshape_ood.errors import RegistryError, UnknownNameError

PACKAGE = Path(__file__).parent
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

    @property
    def tower(self) -> str:
        """One word for the tower, the same for encoders that share it."""
        return f"{self.model}/{self.pretrained}" if self.pretrained else self.model


@dataclass(frozen=True)
class Points:
    """What clouds the encoder was trained on: number of points, gravity axis, grey of uncoloured ones."""

    count: int
    up: str
    colour: float


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
    points: Points


def list_checkpoints(registry: str | os.PathLike[str] | None = None) -> list[str]:
    """The names of the registered checkpoints, in the registry's order.

    >>> list_checkpoints()
    ['tiny', 'vitb32', 'vitl14', 'vitg14']
    """
    return list(load_registry(registry))


def find_checkpoint(name: str, registry: str | os.PathLike[str] | None = None) -> Checkpoint:
    """The row called `name`; raises `UnknownNameError` with the known names otherwise."""
    rows = load_registry(registry)
    if name not in rows:
        close = difflib.get_close_matches(str(name), rows, n=1, cutoff=0.4)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise UnknownNameError(f"unknown checkpoint {name!r}; known: {', '.join(rows)}{hint}")
    return rows[name]


def load_registry(registry: str | os.PathLike[str] | None = None) -> dict[str, Checkpoint]:
    """All rows of a registry, checked field by field. Raises `RegistryError` naming table and field."""
    path = Path(registry or os.environ.get(REGISTRY_VARIABLE) or PACKAGE / "checkpoints.toml")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RegistryError(f"cannot read the registry {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RegistryError(f"the registry {path} is not valid TOML: {error}") from error
    return {name: _checkpoint(name, table, path) for name, table in tables.items()}


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
    _one_of(row, "text.kind", row.text.kind, ("open_clip", "static"))
    _one_of(row, "text.average", row.text.average, ("mean", "mean_of_units"))
    _one_of(row, "points.up", row.points.up, ("x", "y", "z"))
    for field in fields(row.sizes):
        value = getattr(row.sizes, field.name)
        least = 0 if field.name == "projection" else 1e-9
        if not value >= least:  # so that NaN is refused
            raise RegistryError(f"[{row.name}.sizes] field {field.name!r} is {value}; expected a positive number")
    if row.sizes.channels != 6:
        raise RegistryError(f"[{row.name}.sizes] field 'channels' is {row.sizes.channels}; clouds have 6: xyz and rgb")
    if row.points.count < 1:
        raise RegistryError(f"[{row.name}.points] field 'count' is {row.points.count}; expected a positive number")
    if not 0 <= row.points.colour <= 1:
        raise RegistryError(f"[{row.name}.points] field 'colour' is {row.points.colour}; expected 0 to 1")
    _check_source(row)
    _check_activation(row)


def _one_of(row: Checkpoint, field: str, value: str, known: Any) -> None:
    if value not in known:
        table, _, last = f"{row.name}.{field}".rpartition(".")
        raise RegistryError(f"[{table}] field {last!r} is {value!r}; known: {', '.join(known)}")


def _check_source(row: Checkpoint) -> None:
    source = row.source
    if not re.fullmatch(r"[0-9a-f]{64}", source.sha256):
        raise RegistryError(f"[{row.name}.source] field 'sha256' is {source.sha256!r}; expected 64 hexadecimal digits")
    if bool(source.package) == bool(source.file):
        raise RegistryError(f"[{row.name}.source] takes either 'package' or 'file' (with 'repo' when it is on the Hub)")


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
