"""Random pairs of the same class and of different classes. The pairs of each step are reproducible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from openshape_ood.checks import check_seed, check_share, check_whole, grouped
from openshape_ood.errors import InputError


class PairSampler:
    """Sampler of pairs of rows (embeddings), of the same class or of different classes.

    An anchor is a random row of a class with two or more rows. It is paired with one other row of its class, and with
    rows of other classes. The other classes are equally likely, whatever their sizes. Several samplings or scans of one
    shape count as separate rows.

    Parameters
    ----------
    labels : array (n,)
        Class of each row, as a name or any number.
    negatives : int
        Number of pairs of different classes for each pair of one class.
    seed : int
    families : sequence of k, optional
        Family of each class, in the sorted order of the labels. Similar classes, such as variants of a category, form a
        family.
    akin : float
        Probability that the other class of a different pair is drawn from the anchor's family. Otherwise it is drawn
        from all other classes, as for anchors whose family has one class only.
    balanced : bool
        True: every class is equally likely for an anchor. False: probabilities are proportional to class sizes.

    Raises
    ------
    InputError
        If there is a single class, or no class has two rows.

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
        classes, index = grouped(labels, np.empty(len(labels)))
        self.negatives, self.seed = check_whole(negatives, "negatives"), check_seed(seed)
        self.akin = check_share(akin, "akin")
        self.order = np.argsort(index, kind="stable")  # rows sorted by class
        self.counts = np.bincount(index)
        self.starts = np.cumsum(self.counts) - self.counts
        self.several = np.flatnonzero(self.counts > 1)
        if len(classes) < 2 or not len(self.several):
            raise InputError(
                f"no pairs can be drawn from {len(index)} rows of {len(classes)} classes, {len(self.several)} of them "
                "with two rows or more. Expected two classes, and two rows of one of them. Add rows."
            )
        sizes = self.counts[self.several]
        self.share = None if balanced else sizes / sizes.sum()
        if families is not None and len(families) != len(classes):
            raise InputError(
                f"there are {len(families)} families for {len(classes)} classes. Expected one family per class. "
                "Give a family for each class, in sorted order."
            )
        self.family = np.zeros(len(classes), dtype=np.int64)
        if families is not None:
            self.family = np.unique(np.asarray(families), return_inverse=True)[1]

    def draw(self, anchors: int, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pairs of one step.

        Parameters
        ----------
        anchors : int
            Number of anchors. Each anchor has 1 + negatives pairs.
        step : int
            Number of the step. The same step always gives the same pairs.

        Returns
        -------
        anchor, partner : (p,) int64
            Rows of each pair. A row is never paired with itself.
        different : (p,) bool
            True for pairs of two classes. It is False only for the first pair of each anchor.
        """
        rng = np.random.default_rng([self.seed, step])
        order, starts, counts = self.order, self.starts, self.counts
        drawn = rng.choice(self.several, anchors, p=self.share)
        place = rng.integers(counts[drawn])
        other = _any_but(place, counts[drawn], rng)
        classes = self._others(np.repeat(drawn, self.negatives), rng)
        away = order[starts[classes] + rng.integers(counts[classes])].reshape(anchors, self.negatives)
        partner = np.column_stack([order[starts[drawn] + other], away])
        different = np.tile(np.arange(1 + self.negatives) > 0, anchors)
        return np.repeat(order[starts[drawn] + place], 1 + self.negatives), partner.ravel(), different

    def _others(self, given: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Random other class (p,) for each class."""
        other = _any_but(given, len(self.counts), rng)
        members = np.argsort(self.family, kind="stable")  # classes sorted by family
        sizes = np.bincount(self.family)
        starts = np.cumsum(sizes) - sizes
        place = np.empty_like(members)
        place[members] = np.arange(len(members))
        mine = self.family[given]
        near = np.flatnonzero((rng.random(len(given)) < self.akin) & (sizes[mine] > 1))
        first = starts[mine[near]]
        other[near] = members[first + _any_but(place[given[near]] - first, sizes[mine[near]], rng)]
        return other


def _any_but(one: np.ndarray, counts: Any, rng: np.random.Generator) -> np.ndarray:
    """Random indices (n,) below `counts`, all different from the indices `one` (n,)."""
    other = rng.integers(np.broadcast_to(counts, one.shape) - 1)
    return other + (other >= one)
