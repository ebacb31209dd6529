"""Conversion of TOML tables to validated dataclasses."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from openshape_ood.errors import RegistryError

MOST_ENTRIES = 64  # maximum length of a list


def check_table(table: Any, where: str) -> None:
    if not isinstance(table, dict):
        raise RegistryError(f"{where} is {_type_name(table)}. Expected a table")


def check_fields(table: Mapping[str, Any], where: str, known: Collection[str], needed: Mapping[str, Any]) -> None:
    for field in table:
        if field not in known:
            hint = meant(field, known) or f"Expected one of {', '.join(known)}"
            raise RegistryError(f"{where} has an unknown field {field!r}. {hint}")
    for field, kind in needed.items():
        if field not in table:
            raise RegistryError(f"{where} lacks the field {field!r}. Expected {_type_name(kind)}")


def meant(given: str, known: Collection[str], cutoff: float = 0.6) -> str:
    """Question with the most similar known name; "" if no name is similar."""
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(given.lower(), names, n=1, cutoff=cutoff)
    return f"Did you mean {names[close[0]]!r}?" if close else ""


@cache  # without the cache, this dominates the time of reading a registry
def types_of(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


def read_table(kind: Any, table: Any, where: str) -> Any:
    """Dataclass from a TOML table. Raises `RegistryError` for an unknown or missing field, or another type."""
    check_table(table, where)
    hints = types_of(kind)
    declared = [f for f in fields(kind) if f.init]
    needed = {f.name: hints[f.name] for f in declared if f.default is MISSING and f.default_factory is MISSING}
    check_fields(table, where, [f.name for f in declared], needed)
    values = {field: read_value(hints[field], value, where, field) for field, value in table.items()}
    for f in declared:
        value, may_be_zero = values.get(f.name), "zero" in f.metadata
        if not isinstance(value, int | float) or isinstance(value, bool) or (may_be_zero and value == 0):
            continue
        least = -math.inf if "signed" in f.metadata else 0
        if not least < value < math.inf:  # also refuses NaN
            expected = "0 or more" if may_be_zero else "a finite number" if least else "a positive, finite number"
            raise RegistryError(f"{where} field {f.name!r} is {value}. Expected {expected}")
    try:
        return kind(**values)
    except ValueError as error:
        raise RegistryError(f"{where} {error}") from error


def read_value(kind: Any, value: Any, where: str, field: str) -> Any:
    if is_dataclass(kind):
        return read_table(kind, value, f"{where[:-1]}.{field}]")
    if get_origin(kind) is tuple and isinstance(value, list) and len(value) <= MOST_ENTRIES:
        return tuple(read_value(get_args(kind)[0], entry, where, field) for entry in value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise RegistryError(f"{where} field {field!r} is {_type_name(value)} ({value!r}). Expected {_type_name(kind)}")
    return value


def _type_name(value: Any) -> str:
    if get_origin(value) is tuple:
        return f"a list of at most {MOST_ENTRIES}"
    kind = value if isinstance(value, type) else type(value)
    names = {str: "a string", int: "a whole number", float: "a number", bool: "a boolean", list: "a list"}
    return names.get(kind, "a table")


def check_one_of(where: str, field: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise RegistryError(f"{where} field {field!r} is {value!r}. Expected one of {', '.join(known)}")
