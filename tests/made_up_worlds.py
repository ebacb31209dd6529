"""Embeddings of made-up classes, in worlds where it is known what comparing takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openshape_ood import KnownClasses
from openshape_ood.encoders.protocols import ANONYMOUS

DIM, MEANINGS = 256, 24


@dataclass(frozen=True)
class World:
    """Base classes to learn from, and others: known by examples, and queries of these and of novel classes."""

    base: KnownClasses
    known: KnownClasses
    queries: np.ndarray
    labels: np.ndarray
    novel: np.ndarray


def world(seed: int, *, antipodal: bool = False, base: int = 100) -> World:
    """Directions that mean something and as many that do not, and one that all share.

    antipodal: meanings come with either sign, so that the mean of a class says nothing.
    """
    rng = np.random.RandomState(seed)
    basis = np.linalg.qr(rng.standard_normal((DIM, 2 * MEANINGS + 1)))[0].T
    nuisance, within = (0.5, 0.25) if antipodal else (2.0, 0.35)

    def draw(classes: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.repeat(np.arange(classes), count)
        meaning = rng.standard_normal((classes, MEANINGS))[labels]
        if antipodal:
            meaning = meaning * rng.choice([-1, 1], (len(labels), 1))
        meaning = meaning + within * rng.standard_normal(meaning.shape)
        rows = meaning @ basis[:MEANINGS] + nuisance * rng.standard_normal(meaning.shape) @ basis[MEANINGS:-1]
        rows = rows + 6 * basis[-1] + 0.02 * rng.standard_normal((len(labels), DIM))
        return rows / np.linalg.norm(rows, axis=1, keepdims=True), labels

    learned, other = draw(base, 30), draw(40, 20)
    places = np.arange(800).reshape(40, 20)
    shown, asked, novel = places[:20, :5].ravel(), places[:20, 5:].ravel(), places[20:, 5:].ravel()
    return World(
        classes("base", *learned),
        classes("known", other[0][shown], other[1][shown]),
        other[0][asked],
        other[1][asked],
        other[0][novel],
    )


def classes(word: str, rows: np.ndarray, labels: np.ndarray) -> KnownClasses:
    names = tuple(f"{word} {i:03}" for i in range(labels.max() + 1))
    return KnownClasses(names, ANONYMOUS, examples=rows, labels=labels)
