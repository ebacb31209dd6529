"""Labeled shapes for the training of comparators for `tiny`, without the classes of 3DOS.

There are two kinds of base classes: structural variants of generated categories, and compounds. A compound is
a shape of two joined shapes of these categories; its class determines which ones, and how. The encoder was not trained
on compounds, and there are enough of them for any number of classes.
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

# the training of `tiny` uses seeds from 2**24 on, and the benchmarks use seeds below 8 million
FIRST_SEED = 12_000_000
POINTS = 1024
SEVERITIES = (None, 0.4, 0.8)  # clouds per shape: one clean, two scans
OVERLAP = 0.97  # distance of a compound's two shapes, as a fraction of the distance at which their boxes touch
EXTENT = 1.2  # diagonal of a compound in meters


def evaluation_names() -> tuple[str, ...]:
    """All names and generated categories of the classes of 3DOS, and the categories that `tiny` was not trained on."""
    classes = [c for name in split_names() for c in load_split(name).classes]
    return tuple(sorted({*UNSEEN, *(name for c in classes for name in (*c.names, *c.generated))}))


def base_categories() -> list[str]:
    """Generated categories of the training of `tiny`, without those of the evaluation and their kinds."""
    left = overlaps(categories(), evaluation_names())
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
    """A base class of two joined variants; its number determines which variants are joined, and how."""

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
        varied = np.random.RandomState([self.number, 1, seed])
        below = first.mesh(seed).scaled(*stretch).grounded()
        above = second.mesh(seed).turned("y", turn)
        factor = scale * varied.uniform(0.9, 1.1) * np.linalg.norm(below.size()) / np.linalg.norm(above.size())
        above = above.scaled(factor, factor, factor).grounded()
        reach = OVERLAP * (below.size() + above.size()) / 2
        along = (across + varied.uniform(-0.05, 0.05)) * below.size()
        places = (
            {"x": along[0], "y": OVERLAP * below.size()[1]},
            {"x": reach[0], "z": along[2]},
            {"x": along[0], "z": reach[2]},
        )
        whole = join(below, above.moved(**places[side])).grounded()
        unit = float(EXTENT / np.linalg.norm(whole.size()))
        return whole.scaled(unit, unit, unit)


def base_classes(compounds: int) -> list[Variant | Compound]:
    """Every variant of every base category, followed by `compounds` compounds of them."""
    of = tuple(Variant(c, v) for c in base_categories() for v in variants(c))
    return [*of, *(Compound(i, of) for i in range(compounds))]


def clouds(classes: list[Variant | Compound], shapes: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield the clouds (n, 3) of `shapes` shapes per class, one for each of `SEVERITIES`."""
    for number, one in enumerate(classes):
        for i in range(shapes):
            mesh = one.mesh(seed * shapes + i)
            for k, severity in enumerate(SEVERITIES):
                rng = np.random.RandomState([seed, number, i, k])
                xyz = sample_surface(mesh, POINTS, rng)[0] if severity is None else scan(mesh, POINTS, severity, rng)
                yield xyz.astype(np.float32)
