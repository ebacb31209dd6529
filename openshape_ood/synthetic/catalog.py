"""Catalog of categories, and random draws for their shapes."""

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

# category -> structural variant (four legs, pedestal, ...) -> function from a random stream to a mesh in the frame
# of `mesh.py`. Never change the order of variants, because a seed picks a variant by its position.
BUILDERS: dict[str, Mapping[str, Builder]] = {}


@cache
def words() -> dict[str, tuple[str, ...]]:
    """Synonyms of each category. Builders are not imported."""
    return {name: tuple(others) for name, others in tomllib.loads(WORDS.read_text(encoding="utf-8")).items()}


def category(name: str, /, **variants: Builder) -> None:
    """Register the builders of a category in `BUILDERS`. Its synonyms must be in `categories.toml`."""
    if name in BUILDERS:
        raise ValueError(f"category {name!r} is registered twice")
    if name not in words():
        raise ValueError(f"category {name!r} has no synonyms. Expected a line in {WORDS.name}. Add it.")
    BUILDERS[name] = variants


def count(rng: Random, low: int, high: int) -> int:
    """Random whole number from `low` to `high`, inclusive."""
    return int(rng.randint(low, high + 1))


def chance(rng: Random, probability: float = 0.5) -> bool:
    return bool(rng.uniform() < probability)


def pick(rng: Random, options: Sequence[_T]) -> _T:
    return options[rng.randint(len(options))]
