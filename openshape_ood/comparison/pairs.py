"""Pairs of one class and of two, drawn as they are needed: every step has its own, whatever was drawn before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from openshape_ood.checks import check_seed, check_share, check_whole, grouped
from openshape_ood.errors import InputError


class PairSampler:
    """Draws pairs of rows by their labels.

    An anchor is of a class drawn evenly among those of two rows or more, so that rare classes are as frequent as large
    ones; it is paired with one other row of its class and with rows of other classes, these drawn evenly too. Rows of
    one shape, sampled or scanned again, are rows of its class like any others.

    Parameters
    ----------
    labels : array (n,)
        Names or numbers, in any order, with any gaps.
    negatives : int
        Pairs of two classes to a pair of one.
    seed : int
    families : sequence of k, optional
        Which classes, in the sorted order of the labels, are akin: the variants of a category.
    akin : float
        Share of negatives that are drawn from a class that is akin, where there is one.
    balanced : bool
        Otherwise an anchor is of a class the more often, the more rows that has.

    Raises
    ------
    InputError
        Where no pairs can be drawn: a single class, or none with two rows.

    Examples
    --------
    >>> anchor, partner, different = PairSampler(["a", "a", "b", "b"], negatives=1).draw(2, step=0)
    >>> len(anchor), different.tolist()
    (4, [False, True, False, True])
    """

    def __init__(
        self,
        labels: Any,
        negatives: int = 3,
        seed: int = 0,
        families: Sequence[Any] | None = None,
        akin: float = 0.0,
        balanced: bool = True,
    ) -> None:
        found, index = grouped(labels, np.empty(len(labels)))
        self.negatives, self.seed = check_whole(negatives, "negatives"), check_seed(seed)
        self.akin = check_share(akin, "akin")
        self.order = np.argsort(index, kind="stable")  # rows, class by class
        self.counts = np.bincount(index)
        self.starts = np.cumsum(self.counts) - self.counts
        self.several = np.flatnonzero(self.counts > 1)
        if len(found) < 2 or not len(self.several):
            raise InputError(
                f"no pairs can be drawn from {len(index)} rows of {len(found)} classes, {len(self.several)} of these "
                "with two rows or more; expected two classes, and two rows of one of them"
            )
        own = self.counts[self.several]
        self.share = None if balanced else own / own.sum()
        if families is not None and len(families) != len(found):
            raise InputError(f"there are {len(families)} families for {len(found)} classes; expected one each")
        self.family = np.zeros(len(found), dtype=np.int64)
        if families is not None:
            self.family = np.unique(np.asarray(families), return_inverse=True)[1]

    def draw(self, anchors: int, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The pairs of a step.

        Parameters
        ----------
        anchors : int
            a; there are a (1 + negatives) pairs.
        step : int
            The same step has the same pairs.

        Returns
        -------
        anchor, partner : (p,) int64
            Rows, never twice the same.
        different : (p,) bool
            Whether they are of two classes; the first of every 1 + negatives is not.
        """
        rng = np.random.default_rng([self.seed, step])
        order, starts, counts = self.order, self.starts, self.counts
        own = rng.choice(self.several, anchors, p=self.share)
        place = rng.integers(counts[own])
        other = _any_but(place, counts[own], rng)
        classes = self._others(np.repeat(own, self.negatives), rng)
        away = order[starts[classes] + rng.integers(counts[classes])].reshape(anchors, self.negatives)
        partner = np.column_stack([order[starts[own] + other], away])
        different = np.tile(np.arange(1 + self.negatives) > 0, anchors)
        return np.repeat(order[starts[own] + place], 1 + self.negatives), partner.ravel(), different

    def _others(self, own: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Another class (p,) for each."""
        other = _any_but(own, len(self.counts), rng)
        members = np.argsort(self.family, kind="stable")  # classes, family by family
        sizes = np.bincount(self.family)
        starts = np.cumsum(sizes) - sizes
        place = np.empty_like(members)
        place[members] = np.arange(len(members))
        mine = self.family[own]
        near = np.flatnonzero((rng.random(len(own)) < self.akin) & (sizes[mine] > 1))
        first = starts[mine[near]]
        other[near] = members[first + _any_but(place[own[near]] - first, sizes[mine[near]], rng)]
        return other


def _any_but(one: np.ndarray, counts: Any, rng: np.random.Generator) -> np.ndarray:
    """A number below each count, but not this one."""
    other = rng.integers(np.broadcast_to(counts, one.shape) - 1)
    return other + (other >= one)
