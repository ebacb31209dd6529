"""The catalog that categories enter themselves into, and the random draws their shapes are made of."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from openshape_ood.synthetic.mesh import Mesh

Random = np.random.RandomState
Builder = Callable[[Random], Mesh]
_T = TypeVar("_T")


WORDS = Path(__file__).with_name("categories.toml")

# category -> structural kind (four legs, pedestal, ...) -> function of a random stream that returns a mesh in the
# frame of `mesh.py`. The order of kinds is part of what a seed means: it picks a kind by its place.
BUILDERS: dict[str, Mapping[str, Builder]] = {}


@cache
def words() -> dict[str, tuple[str, ...]]:
    """Every category and other words for it; known without any builder."""
    return {name: tuple(others) for name, others in tomllib.loads(WORDS.read_text(encoding="utf-8")).items()}


def category(name: str, /, **variants: Builder) -> None:
    """Enter what builds a category, which `categories.toml` has words for, into `BUILDERS`."""
    if name in BUILDERS:
        raise ValueError(f"category {name!r} is entered twice")
    if name not in words():
        raise ValueError(f"category {name!r} has no words; expected a line in {WORDS.name}")
    BUILDERS[name] = variants


def count(rng: Random, low: int, high: int) -> int:
    """A whole number, both ends included."""
    return int(rng.randint(low, high + 1))


def chance(rng: Random, probability: float = 0.5) -> bool:
    return bool(rng.uniform() < probability)


def pick(rng: Random, options: Sequence[_T]) -> _T:
    return options[rng.randint(len(options))]
