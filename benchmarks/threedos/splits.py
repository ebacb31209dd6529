"""The benchmarks as data: `splits.toml`, read."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from openshape_ood.errors import UnknownNameError

Track = Literal["synthetic to real", "synthetic", "real"]


@dataclass(frozen=True)
class ObjectClass:
    """One class of a benchmark and its names: in prompts, in the data sets, among generated shapes."""

    title: str
    names: tuple[str, ...]
    modelnet40: tuple[str, ...] = ()
    scanobjectnn: tuple[str, ...] = ()
    shapenet: tuple[str, ...] = ()
    generated: tuple[str, ...] = ()


@dataclass(frozen=True)
class Split:
    """A benchmark: known classes, in label order, against one or two sets of novel ones.

    track says what is support and what is tested: CAD models and scans, CAD models alone, or scans alone.
    """

    name: str
    title: str
    track: Track
    known: tuple[ObjectClass, ...]
    novel1: tuple[ObjectClass, ...]
    novel2: tuple[ObjectClass, ...]

    @property
    def classes(self) -> tuple[ObjectClass, ...]:
        return self.known + self.novel1 + self.novel2

    @property
    def novel_categories(self) -> tuple[str, ...]:
        """Generated categories of all novel classes."""
        return tuple(g for c in self.novel1 + self.novel2 for g in c.generated)


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("splits.toml").read_text(encoding="utf-8"))


def split_names(track: Track | None = None) -> tuple[str, ...]:
    """Names of all benchmarks, or of one track's."""
    return tuple(name for name, row in _tables()["benchmarks"].items() if track in (None, row["track"]))


def load_split(name: str) -> Split:
    """The benchmark called `name`; raises `UnknownNameError` with those there are."""
    if name not in split_names():
        raise UnknownNameError(f"unknown benchmark {name!r}; known: {', '.join(split_names())}")
    row = _tables()["benchmarks"][name]
    parts = {part: tuple(_classes(row.get(part, []))) for part in ("known", "novel1", "novel2")}
    return Split(name, row["title"], row["track"], **parts)


def _classes(sets: Iterable[str]) -> Iterable[ObjectClass]:
    for set_name in sets:
        for title in _tables()["sets"][set_name]:
            fields = {field: tuple(values) for field, values in _tables()["classes"][title].items()}
            yield ObjectClass(title, **fields)
