"""Labeled shapes for training comparators of `tiny`, without the classes of 3DOS.

Two kinds of base classes: the structural variants of generated categories, and compounds. A compound is two shapes
of these categories, joined in the way of its class. The encoder never saw compounds, and their classes are unlimited.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.threedos.splits import load_split, split_names
from benchmarks.training.vocabulary import UNSEEN
from openshape_ood.comparison.vocabulary import overlaps
from openshape_ood.synthetic import categories, generate, variants
from openshape_ood.synthetic.mesh import Mesh, join
from openshape_ood.synthetic.sampling import sample_surface
from openshape_ood.synthetic.scanner import scan

# shapes of `tiny`'s training have seeds from 2**24 on, those of the benchmarks lie below 8 million
FIRST_SEED = 12_000_000
POINTS = 1024
SEVERITIES = (None, 0.4, 0.8)  # the clouds of a shape: one clean, two scans
OVERLAP = 0.97  # of the distance at which the boxes of a compound's shapes touch
EXTENT = 1.2  # meters, the diagonal of a compound


def asked() -> tuple[str, ...]:
    """All names and generated categories of all classes of 3DOS, and the categories that `tiny` never saw."""
    classes = [c for name in split_names() for c in load_split(name).classes]
    return tuple(sorted({*UNSEEN, *(name for c in classes for name in (*c.names, *c.generated))}))


def base_categories() -> list[str]:
    """Generated categories that are neither classes of 3DOS, nor kinds of them, nor new to `tiny`."""
    left = overlaps(categories(), asked())
    return [c for c in categories() if c not in left]


@dataclass(frozen=True)
class Variant:
    """A base class that is a structural variant of a category."""

    category: str
    variant: str

    @property
    def name(self) -> str:
        return f"{self.category}/{self.variant}"

    @property
    def family(self) -> str:
        return self.category

    def mesh(self, seed: int) -> Mesh:
        return generate(self.category, FIRST_SEED + seed, self.variant)


@dataclass(frozen=True)
class Compound:
    """A base class of two variants, joined; everything about how is a function of its number."""

    number: int
    of: tuple[Variant, ...]

    @property
    def name(self) -> str:
        return f"compound {self.number}"

    @property
    def family(self) -> str:
        return self.name

    def mesh(self, seed: int) -> Mesh:
        rng = np.random.RandomState([self.number, 0])
        first, second = (self.of[i] for i in rng.randint(len(self.of), size=2))
        side, turn, scale = rng.randint(3), 90 * rng.randint(4), rng.uniform(0.4, 1.2)
        stretch, across = rng.uniform(0.6, 1.6, 3), rng.uniform(-0.3, 0.3)
        own = np.random.RandomState([self.number, 1, seed])
        below = first.mesh(seed).scaled(*stretch).grounded()
        above = second.mesh(seed).turned("y", turn)
        factor = scale * own.uniform(0.9, 1.1) * np.linalg.norm(below.size()) / np.linalg.norm(above.size())
        above = above.scaled(factor, factor, factor).grounded()
        reach = OVERLAP * (below.size() + above.size()) / 2
        along = (across + own.uniform(-0.05, 0.05)) * below.size()
        places = (
            {"x": along[0], "y": OVERLAP * below.size()[1]},
            {"x": reach[0], "z": along[2]},
            {"x": along[0], "z": reach[2]},
        )
        whole = join(below, above.moved(**places[side])).grounded()
        unit = float(EXTENT / np.linalg.norm(whole.size()))
        return whole.scaled(unit, unit, unit)


def base_classes(compounds: int) -> list[Variant | Compound]:
    """Every variant of every base category, then so many compounds of them."""
    of = tuple(Variant(c, v) for c in base_categories() for v in variants(c))
    return [*of, *(Compound(i, of) for i in range(compounds))]


def clouds(classes: list[Variant | Compound], shapes: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Of each class so many shapes, of each shape a cloud (n, 3) for each of `SEVERITIES`."""
    for number, one in enumerate(classes):
        for i in range(shapes):
            mesh = one.mesh(seed * shapes + i)
            for k, severity in enumerate(SEVERITIES):
                rng = np.random.RandomState([seed, number, i, k])
                xyz = sample_surface(mesh, POINTS, rng)[0] if severity is None else scan(mesh, POINTS, severity, rng)
                yield xyz.astype(np.float32)
