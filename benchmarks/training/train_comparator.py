"""Comparators for `tiny`: every family, fitted to the same embeddings of base classes.

`python -m benchmarks comparators --save DIR` fits and evaluates them; the packaged ones were made with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.training.base_shapes import SEVERITIES, base_classes, clouds, evaluation_names
from openshape_ood import ShapeEncoder
from openshape_ood.comparison import FAMILIES, Comparator
from openshape_ood.comparison.training import Progress, Recipe, fit_comparator
from openshape_ood.known import KnownClasses

COMPOUNDS, SHAPES = 600, 8  # number of compounds; shapes per variant and per compound
SHRINKAGE = 0.3
RECIPE = Recipe(width=96, steps=5_000, whiten=SHRINKAGE, turned=0.95)
AT_ONCE = 512  # clouds in memory


def base(encoder: ShapeEncoder, compounds: int, shapes: int, progress: bool) -> KnownClasses:
    """The base classes by embeddings of their clouds: categories (all variants together) and compounds."""
    classes = base_classes(compounds)
    per_class = shapes * len(SEVERITIES)
    bar = tqdm(total=per_class * len(classes), desc="base shapes", unit="cloud", disable=not progress)
    rows = list[np.ndarray]()
    with bar:
        for some in _batches(clouds(classes, shapes)):
            rows.append(encoder.encode(some, up="y"))
            bar.update(len(some))
    names = np.repeat([one.family for one in classes], per_class)
    embedded = np.concatenate(rows)
    return KnownClasses.from_examples({str(name): embedded[names == name] for name in np.unique(names)}, encoder)


def comparators(encoder: ShapeEncoder, compounds: int, shapes: int, progress: bool = False) -> dict[str, Comparator]:
    """Family -> fitted comparator, without the cosine, which has nothing to fit."""
    known = base(encoder, compounds, shapes, progress)
    bar = tqdm(total=RECIPE.steps, desc="relation", unit="step", disable=not progress)

    def report(now: Progress) -> None:
        bar.set_postfix(loss=f"{now.loss:.3f}", balanced_accuracy=f"{now.balanced_accuracy:.3f}", refresh=False)
        bar.update(now.step - bar.n)

    with bar:
        how: dict[str, dict[str, Any]] = {
            "relation": {"recipe": RECIPE, "report": report},
            "whitened": {"shrinkage": SHRINKAGE},
        }
        return {
            family: fit_comparator(known, family, evaluation=evaluation_names(), **how.get(family, {}))
            for family in FAMILIES
            if family != "cosine"
        }


def _batches(made: Iterator[np.ndarray]) -> Iterator[list[np.ndarray]]:
    held = list[np.ndarray]()
    for one in made:
        held.append(one)
        if len(held) == AT_ONCE:
            yield held
            held = []
    if held:
        yield held
