"""The objects of one benchmark run, whichever data they come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.splits import ObjectClass


@dataclass(frozen=True)
class Objects:
    """Clouds and the class title of each. A list, since clouds may differ in size."""

    clouds: list[np.ndarray]
    titles: np.ndarray

    def __len__(self) -> int:
        return len(self.clouds)

    def counts(self) -> dict[str, int]:
        titles, counts = np.unique(self.titles, return_counts=True)
        return {str(title): int(count) for title, count in zip(titles, counts, strict=True)}


@dataclass(frozen=True)
class BenchmarkData:
    """Support shapes of the known classes, and what is tested: known, novel 1, novel 2; all y up.

    source says in a sentence where they come from; absent names classes that the data lack wholly.
    """

    source: str
    known: tuple[ObjectClass, ...]
    support: Objects
    test_known: Objects
    novel1: Objects
    novel2: Objects
    absent: tuple[str, ...] = ()

    @property
    def sets(self) -> dict[str, Objects]:
        return {"support": self.support, "known": self.test_known, "novel1": self.novel1, "novel2": self.novel2}


def collect(parts: list[tuple[str, list[np.ndarray]]]) -> Objects:
    """(title, clouds) pairs as one list of objects."""
    titles = [title for title, clouds in parts for _ in clouds]
    return Objects([cloud for _, clouds in parts for cloud in clouds], np.array(titles, dtype=np.str_))
