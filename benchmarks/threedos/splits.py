"""Definitions of the benchmarks, read from `splits.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from openshape_ood.checks import check_choice

Track = Literal["synthetic to real", "synthetic", "real"]


@dataclass(frozen=True)
class ObjectClass:
    """A class of a benchmark: names in prompts, names in each data set, generated categories."""

    title: str
    names: tuple[str, ...]
    modelnet40: tuple[str, ...] = ()
    scanobjectnn: tuple[str, ...] = ()
    shapenet: tuple[str, ...] = ()
    generated: tuple[str, ...] = ()


@dataclass(frozen=True)
class Split:
    """A benchmark: known classes in label order, and one or two sets of novel classes."""

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
def tables(name: str = "splits.toml") -> dict[str, Any]:
    """Content of a TOML file in this folder."""
    return tomllib.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))


def split_names(track: Track | None = None) -> tuple[str, ...]:
    """Names of the benchmarks of a track; None: of all benchmarks."""
    return tuple(name for name, row in tables()["benchmarks"].items() if track in (None, row["track"]))


def load_split(name: str) -> Split:
    """The benchmark called `name`."""
    check_choice(name, "benchmark", split_names())
    row = tables()["benchmarks"][name]
    titles = {
        part: [t for of in row.get(part, []) for t in tables()["sets"][of]] for part in ("known", "novel1", "novel2")
    }
    return Split(name, row["title"], row["track"], **{part: tuple(map(_class, of)) for part, of in titles.items()})


def _class(title: str) -> ObjectClass:
    return ObjectClass(title, **{field: tuple(values) for field, values in tables()["classes"][title].items()})
