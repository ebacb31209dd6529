"""What must hold of a row of the registry that the types of its fields do not say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from openshape_ood.errors import RegistryError
from openshape_ood.registry.tables import check_one_of

if TYPE_CHECKING:
    from openshape_ood.registry.rows import Keys, Row, ScanSpec, Source, Text
    from openshape_ood.shapes import CloudSpec

MOST_SIZE, MOST_POINTS = 65_536, 1_000_000  # of a network, each; of a cloud
MOST_VOXEL, INPUTS = 10, ("ones", "color", "height-color")  # meters; of a voxel
TEMPLATES = Path(__file__).parents[1] / "encoders" / "text" / "templates.toml"


@cache
def template_lists() -> dict[str, tuple[str, ...]]:
    """The lists of templates.toml: sentences with one {} each."""
    lists = tomllib.loads(TEMPLATES.read_text(encoding="utf-8"))
    return {name: tuple(sentences) for name, sentences in lists.items()}


def check_row(row: Row, needed: Collection[str]) -> None:
    """Raises `RegistryError` naming table and field; needed: the fields that rows of this kind have."""
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
        raise RegistryError(f"{what} have no embedding_dim, the width of embeddings")


def _check_source(source: Source, where: str) -> None:
    if [source.package, source.file, source.url].count("") != 2 or (source.repo and not source.file):
        known = "either 'package' or 'file' (with 'repo' when it is on the Hub) or 'url'"
        raise RegistryError(f"{where} takes {known}; expected one")
    if source.url and not _is_https(source.url):
        raise RegistryError(f"{where} field 'url' is {source.url!r}; expected an address that begins with https://")
    if source.page and (not source.file or source.repo or not _is_https(source.page)):
        raise RegistryError(f"{where} field 'page' is {source.page!r}; expected an https address beside 'file' alone")
    _check_sha256(where, source.sha256)
    if source.repo and not {"", "..", "\\"}.isdisjoint(re.split(r"/|(\\)", source.file)):
        raise RegistryError(f"{where} field 'file' is {source.file!r}; expected its path inside the repository")


def _is_https(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:  # brackets without an address in them
        return False
    return parts.scheme == "https" and bool(parts.hostname)


def _check_keys(keys: Keys, where: str) -> None:
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


def _check_spec(spec: CloudSpec, where: str) -> None:
    _check_most(where, spec, MOST_POINTS)
    check_one_of(where, "up", spec.up, ("x", "y", "z"))
    check_one_of(where, "fewer", spec.fewer, ("repeat", "keep"))
    if spec.color > 1:
        raise RegistryError(f"{where} field 'color' is {spec.color}; expected 0 to 1")


def _check_scan(scan: ScanSpec, where: str) -> None:
    _check_most(where, scan, MOST_VOXEL)
    check_one_of(where, "input", scan.input, INPUTS)


def _check_most(where: str, part: Any, most: int) -> None:
    for name, value in ((one.name, getattr(part, one.name)) for one in fields(part)):
        if isinstance(value, int | float) and value > most:
            raise RegistryError(f"{where} field {name!r} is {value!s:.20}; expected at most {most:,}")


def _check_text(text: Text, where: str) -> None:
    check_one_of(where, "kind", text.kind, ("open_clip", "static"))
    check_one_of(where, "average", text.average, ("mean", "mean_of_units"))
    if text.templates:
        check_one_of(where, "templates", text.templates, template_lists())
    if not text.model:
        expected = "the name of an open_clip model" if text.kind == "open_clip" else "a file of token vectors"
        raise RegistryError(f"{where} field 'model' is empty; expected {expected}")
    _check_sha256(where, text.sha256)


def _check_sha256(where: str, value: str) -> None:
    if value and not re.fullmatch(r"[0-9a-f]{64}", value):
        raise RegistryError(f"{where} field 'sha256' is {value!r}; expected 64 hexadecimal digits")
