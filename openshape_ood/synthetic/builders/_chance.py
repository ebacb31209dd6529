"""Draws that builders make from their stream of random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Random = np.random.RandomState
_T = TypeVar("_T")


def between(rng: Random, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def count(rng: Random, low: int, high: int) -> int:
    """A whole number, both ends included."""
    return int(rng.randint(low, high + 1))


def chance(rng: Random, probability: float = 0.5) -> bool:
    return bool(rng.uniform() < probability)


def pick(rng: Random, options: Sequence[_T]) -> _T:
    return options[rng.randint(len(options))]
