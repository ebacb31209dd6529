"""The benchmarks as data: `splits.toml`, read."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ObjectClass:
    """One class of a benchmark and its names: in prompts, in the data sets, among generated shapes."""

    title: str
    names: tuple[str, ...]
    modelnet40: tuple[str, ...]
    scanobjectnn: tuple[str, ...]
    generated: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """A benchmark: known classes against two sets of novel ones."""

    name: str
    title: str
    known: tuple[ObjectClass, ...]
    novel1: tuple[ObjectClass, ...]
    novel2: tuple[ObjectClass, ...]

    @property
    def novel_categories(self) -> tuple[str, ...]:
        """Generated categories of all novel classes."""
        return tuple(g for c in self.novel1 + self.novel2 for g in c.generated)


def load_split(name: str) -> Split:
    """The benchmark called `name`: sr1 or sr2."""
    tables = tomllib.loads(Path(__file__).with_name("splits.toml").read_text(encoding="utf-8"))
    classes = {
        title: ObjectClass(title, **{field: tuple(values) for field, values in row.items()})
        for title, row in tables["classes"].items()
    }
    row = tables["benchmarks"][name]
    parts = {part: tuple(classes[title] for title in row[part]) for part in ("known", "novel1", "novel2")}
    return Split(name, row["title"], **parts)
