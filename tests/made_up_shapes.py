"""Shapes for tests of the benchmarks: a cloud that is a pure function of a number, and shapes that go wrong."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from openshape_ood.errors import ShapeFileError


@dataclass(frozen=True)
class MadeUp:
    """A random cloud (n, 3) float32, n 40 or more."""

    number: int
    title: str = "chair"

    @property
    def id(self) -> str:
        return f"made up {self.number}"

    def read(self) -> np.ndarray:
        rng = np.random.RandomState(self.number)
        return rng.normal(size=(40 + self.number % 7, 3)).astype(np.float32)


@dataclass(frozen=True)
class Unreadable(MadeUp):
    def read(self) -> np.ndarray:
        raise ShapeFileError(f"cannot read {self.id}")


@dataclass(frozen=True)
class Deadly(MadeUp):
    """Ends the process that reads it, as the kernel does when memory runs out."""

    def read(self) -> np.ndarray:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().read()


class Mean:
    """A network of a few numbers: statistics of a prepared cloud; counts the clouds it was given."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def encode_prepared(self, clouds: Sequence[np.ndarray]) -> np.ndarray:
        points = np.asarray(clouds)
        self.batches.append(len(points))
        return np.concatenate([np.abs(points).mean(axis=1), points.std(axis=1)], axis=1).astype(np.float32)
