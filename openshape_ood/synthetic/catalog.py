"""The catalog that categories enter themselves into, and the random draws their shapes are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from openshape_ood.synthetic.mesh import Mesh

Random = np.random.RandomState
Builder = Callable[[Random], Mesh]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Category:
    """One everyday category: its name, other words for it, and what builds each of its structural kinds.

    `variants` maps a kind (four legs, pedestal, ...) to a function of a random stream that returns a mesh in the
    frame of `mesh.py`. Their order is part of what a seed means: it picks a variant by its place.
    """

    name: str
    synonyms: tuple[str, ...]
    variants: Mapping[str, Builder]


CATEGORIES: dict[str, Category] = {}


def category(name: str, synonyms: str, /, **variants: Builder) -> None:
    """Enter a category into `CATEGORIES`; the synonyms are separated by commas."""
    if name in CATEGORIES:
        raise ValueError(f"category {name!r} is entered twice")
    CATEGORIES[name] = Category(name, tuple(synonyms.split(", ")), variants)


def count(rng: Random, low: int, high: int) -> int:
    """A whole number, both ends included."""
    return int(rng.randint(low, high + 1))


def chance(rng: Random, probability: float = 0.5) -> bool:
    return bool(rng.uniform() < probability)


def pick(rng: Random, options: Sequence[_T]) -> _T:
    return options[rng.randint(len(options))]
