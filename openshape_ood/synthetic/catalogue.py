"""The catalogue that category builders enter themselves into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from openshape_ood.synthetic.mesh import Mesh

Builder = Callable[[np.random.RandomState, str], Mesh]


@dataclass(frozen=True)
class Category:
    """One everyday category: its name, other words for it, and how its shapes are built.

    `build(rng, variant)` returns a mesh in the frame of `mesh.py`; `variants` names the structural
    kinds (four legs, pedestal, ...) that it knows.
    """

    name: str
    synonyms: tuple[str, ...]
    variants: tuple[str, ...]
    build: Builder


CATEGORIES: dict[str, Category] = {}


def category(name: str, *, synonyms: Sequence[str], variants: Sequence[str]) -> Callable[[Builder], Builder]:
    """Decorator: enter a builder into `CATEGORIES` under `name`."""

    def enter(build: Builder) -> Builder:
        if name in CATEGORIES:
            raise ValueError(f"category {name!r} is entered twice")
        CATEGORIES[name] = Category(name, tuple(synonyms), tuple(variants), build)
        return build

    return enter
