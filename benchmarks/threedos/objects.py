"""The shapes of one benchmark run, whichever data they come from; none is read before it is needed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from benchmarks.threedos.splits import ObjectClass


class Shape(Protocol):
    """One shape of a data set: a few words that another process can be handed, and that read the cloud.

    title: its class in the benchmark; id: what people call it, a file or a row of one.
    """

    @property
    def title(self) -> str: ...

    @property
    def id(self) -> str: ...

    def read(self) -> np.ndarray:
        """The cloud (n, 3) float32, y up. Raises `ShapeFileError` naming the file."""
        ...


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
        """Those of some classes only, in the same order."""
        wanted = {c.title for c in classes}
        return Objects(tuple(shape for shape in self.shapes if shape.title in wanted))


@dataclass(frozen=True)
class BenchmarkData:
    """Support shapes of the known classes, known ones held out, and what is tested; all y up.

    source says in a sentence where they come from; generated, whether no data set was read; known, the classes
    in label order; validation may be empty; absent names classes that the data lack wholly.
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
        return {
            "support": self.support,
            "validation": self.validation,
            "known": self.test_known,
            "novel1": self.novel1,
            "novel2": self.novel2,
        }
