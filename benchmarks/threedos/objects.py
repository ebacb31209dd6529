"""Shapes of a benchmark run, from any data set; a cloud is read when it is needed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.threedos.splits import ObjectClass
from openshape_ood.errors import InputError


class Shape(Protocol):
    """One shape of a data set: a small dataclass. It can be sent to another process, which reads the cloud."""

    @property
    def title(self) -> str: ...

    @property
    def id(self) -> str: ...

    def read(self) -> np.ndarray:
        """Read the cloud (n, 3) float32, y up. Raises `ShapeFileError` with the file's name."""
        ...


def to_words(value: Any) -> Any:
    """Convert a shape to JSON values; dataclasses and paths get the name of their class."""
    if isinstance(value, Path):
        return {"class": "pathlib:Path", "values": [str(value)]}
    if not is_dataclass(value):
        return value
    name = f"{type(value).__module__}:{type(value).__qualname__}"
    return {"class": name, "values": [to_words(getattr(value, part.name)) for part in fields(value)]}


def from_words(words: Any) -> Any:
    """Inverse of `to_words`."""
    if not isinstance(words, dict):
        return words
    module, _, name = words["class"].partition(":")
    return getattr(import_module(module), name)(*map(from_words, words["values"]))


@dataclass(frozen=True)
class Objects:
    """Shapes in the order of their data set."""

    shapes: tuple[Shape, ...] = ()

    def __len__(self) -> int:
        return len(self.shapes)

    @cached_property
    def titles(self) -> np.ndarray:
        return np.array([shape.title for shape in self.shapes], dtype=np.str_)

    def counts(self) -> dict[str, int]:
        titles, counts = np.unique(self.titles, return_counts=True)
        return {str(title): int(count) for title, count in zip(titles, counts, strict=True)}

    def of(self, classes: Iterable[ObjectClass]) -> Objects:
        """The shapes of these classes, in the same order."""
        wanted = {c.title for c in classes}
        return Objects(tuple(shape for shape in self.shapes if shape.title in wanted))


@dataclass(frozen=True)
class BenchmarkData:
    """Support, validation and test shapes of a benchmark, y up.

    known: in label order; validation may be empty; absent: classes without data.
    """

    source: str
    generated: bool
    known: tuple[ObjectClass, ...]
    support: Objects
    test_known: Objects
    novel1: Objects
    novel2: Objects
    validation: Objects = field(default_factory=Objects)
    absent: tuple[str, ...] = ()

    @property
    def sets(self) -> dict[str, Objects]:
        """Name -> shapes."""
        known = {"support": self.support, "validation": self.validation, "known": self.test_known}
        return known | {"novel1": self.novel1, "novel2": self.novel2}

    def with_shots(self, shots: int | None, seed: int) -> BenchmarkData:
        """Keep `shots` random support shapes per known class; None keeps all.

        Raises `InputError` if a class has fewer.
        """
        if shots is None:
            return self
        random, titles = np.random.RandomState([seed, 41]), self.support.titles
        kept: list[int] = []
        for one in self.known:
            members = np.flatnonzero(titles == one.title)
            if len(members) < shots:
                raise InputError(f"--shots {shots}: {one.title} has {len(members)} examples; expected {shots} or more")
            kept += sorted(random.permutation(members)[:shots].tolist())
        return replace(self, support=Objects(tuple(self.support.shapes[i] for i in kept)))

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Name -> class title -> shapes."""
        return {name: objects.counts() for name, objects in self.sets.items()}
