"""Consensus of several runs over a scan: sets of points that recur, and their common points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from openshape_ood.scenes.proposals.choice import members

SAME = 0.5  # minimum intersection over union of two sets that are one object
LEAST = 0.35  # minimum stability of an object
USUAL = 0.5  # minimum stability of a plane
TAKEN = 0.5  # maximum fraction of an object's points in more stable groups; above it, the object is dropped
DIGITS = 9  # decimal places to which stabilities are rounded before comparison
OBJECT = "object"


@dataclass(frozen=True, eq=False)
class Sets:
    """p nested or disjoint sets of points from one run.

    inner: innermost set (n,) of each point, -1 for none; around: smallest enclosing set (p,) of each set, -1 for none;
    kind: (p,), only sets of equal kind are compared; worth: score (p,) of each set.
    """

    inner: np.ndarray
    around: np.ndarray
    kind: np.ndarray
    worth: np.ndarray


@dataclass(frozen=True, eq=False)
class Group:
    """Sets of several runs that are one object.

    rows: sorted points that are in most of the sets; stability: mean over all runs of the largest intersection over
    union of `rows` with a set of the run; worth: mean worth of the sets; made_of: run and index of each set.
    """

    kind: str
    rows: np.ndarray
    stability: float
    worth: float
    made_of: list[tuple[int, int]]


def agreed(runs: Iterable[Sets], count: int, *, nested: bool = False) -> list[Group]:
    """Groups of matching sets of several runs over `count` points, most stable first; disjoint unless `nested`."""
    pool = _Pool.of(runs, count)
    if not len(pool.kind):
        return []
    groups = pool.grouped()
    masks, kinds = pool.majorities(groups), pool.kind[[group[0] for group in groups]]
    stability, is_object = pool.stability(masks, kinds), kinds == OBJECT
    taken, kept = np.zeros(len(pool.size), dtype=bool), list[int]()
    for i in sorted(range(len(groups)), key=lambda i: (nested and not is_object[i], -stability[i], i)):
        shared = taken[masks[i]]
        stable = stability[i] >= (LEAST if is_object[i] else USUAL)
        if not (nested and is_object[i]):
            stable &= not (is_object[i] and pool.size[masks[i][shared]].sum() > TAKEN * pool.size[masks[i]].sum())
            masks[i] = masks[i][~shared]
        if stable and len(masks[i]):
            taken[masks[i]] = True
            kept.append(i)
    masks, kinds, groups = [masks[i] for i in kept], kinds[kept], [groups[i] for i in kept]
    stability = pool.stability(masks, kinds)
    return [
        Group(
            str(kinds[i]),
            np.flatnonzero(pool.among(masks[i])),
            float(stability[i]),
            float(pool.worth[groups[i]].mean()),
            [(int(pool.run[j]), int(j - pool.start[pool.run[j]])) for j in groups[i]],
        )
        for i in sorted(range(len(masks)), key=lambda i: -stability[i])
    ]


@dataclass(frozen=True, eq=False)
class _Pool:
    """Sets of all runs. An atom is a maximal group of points that are in the same sets in every run.

    atom: atom (n,) of each point; size: number (a,) of points of each atom; table: membership (p, a) of atoms in sets;
    run, kind, worth: (p,), one for each set; start: first set (k + 1,) of each run, then the number of sets.
    """

    atom: np.ndarray
    size: np.ndarray
    table: csr_array
    run: np.ndarray
    kind: np.ndarray
    worth: np.ndarray
    start: np.ndarray

    @classmethod
    def of(cls, runs: Iterable[Sets], count: int) -> _Pool:
        atom, labels = np.zeros(count, dtype=np.int64), np.empty((1, 0), dtype=np.int64)
        seen: list[Sets] = []
        for one in runs:
            width = len(one.kind) + 1
            keys, atom = _distinct(atom * width + one.inner + 1)
            labels = np.column_stack([labels[keys // width], keys % width - 1])
            # atoms represent the points from here on
            seen.append(Sets(one.inner[:0], one.around, one.kind, one.worth))
        start = np.cumsum([0, *(len(one.kind) for one in seen)])
        rows, columns = [], []
        for first, one, inner in zip(start[:-1], seen, labels.T, strict=True):
            places = np.flatnonzero(inner >= 0)
            while len(places):
                rows.append(inner[places] + first)
                columns.append(places)
                inner = np.append(one.around, -1)[inner]  # the next enclosing set
                places = np.flatnonzero(inner >= 0)
        at = (np.concatenate([*rows, np.empty(0, np.int64)]), np.concatenate([*columns, np.empty(0, np.int64)]))
        table = csr_array((np.ones(len(at[0]), dtype=np.int64), at), shape=(int(start[-1]), len(labels)))
        kind = np.concatenate([np.empty(0, "U7"), *(one.kind for one in seen)])
        worth = np.concatenate([np.empty(0), *(one.worth for one in seen)])
        size = np.bincount(atom, minlength=len(labels))
        return cls(atom, size, table, np.repeat(np.arange(len(seen)), np.diff(start)), kind, worth, start)

    def grouped(self) -> list[list[int]]:
        """Groups of sets that are one object, at most one set per run; most stable first."""
        overlap = self._overlap(self.table, self.kind).tocoo()
        i, j = overlap.coords
        near = overlap.data >= SAME
        i, j, iou = i[near], j[near], np.round(overlap.data[near], DIGITS)
        best = np.zeros((len(self.kind), len(self.start) - 1))
        np.maximum.at(best, (i, self.run[j]), iou)
        points = self.table @ self.size
        support = np.round(best.mean(axis=1), DIGITS)
        order = np.lexsort((j, -iou, i))
        others = np.split(j[order], np.searchsorted(i[order], np.arange(1, len(self.kind))))
        free, groups = np.ones(len(self.kind), dtype=bool), []
        for first in np.lexsort((np.arange(len(points)), -points, -support)).tolist():
            if not free[first]:
                continue
            by_run: dict[int, int] = {}
            for other in [first, *others[first].tolist()]:
                if free[other]:
                    by_run.setdefault(int(self.run[other]), other)
            groups.append(list(by_run.values()))
            free[groups[-1]] = False
        return groups

    def majorities(self, groups: list[list[int]]) -> list[np.ndarray]:
        """For each group, the atoms that are in more than half of its sets."""
        votes = members(groups, len(self.kind)) @ self.table
        return [
            np.sort(votes.indices[low:high][2 * votes.data[low:high] > len(group)])
            for group, low, high in zip(groups, votes.indptr[:-1], votes.indptr[1:], strict=True)
        ]

    def among(self, atoms: np.ndarray) -> np.ndarray:
        """Mask (n,) of the points of some atoms."""
        mask = np.zeros(len(self.size), dtype=bool)
        mask[atoms] = True
        return mask[self.atom]

    def stability(self, masks: Sequence[np.ndarray], kinds: np.ndarray) -> np.ndarray:
        """Stability (g,) of masks: mean over runs of the largest intersection over union with a set of equal kind."""
        overlap = self._overlap(members(masks, len(self.size)), kinds).tocoo()
        best = np.zeros((len(masks), len(self.start) - 1))
        np.maximum.at(best, (overlap.coords[0], self.run[overlap.coords[1]]), overlap.data)
        stable: np.ndarray = np.round(best.mean(axis=1), DIGITS)
        return stable

    def _overlap(self, masks: csr_array, kinds: np.ndarray) -> csr_array:
        """Intersection over union (g, p) of masks with sets, 0 for different kinds."""
        both = ((masks * self.size[None]).tocsr() @ self.table.T).tocoo()
        i, j = both.coords
        either = (masks @ self.size)[i] + (self.table @ self.size)[j] - both.data
        iou = np.where(kinds[i] == self.kind[j], both.data / np.maximum(either, 1), 0)
        return csr_array((iou, (i, j)), shape=both.shape)


def _distinct(key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`np.unique` with inverse, but faster for small numbers, which need no sorting."""
    if key.max() > 4 * len(key):
        values, inverse = np.unique(key, return_inverse=True)
        return values, inverse
    there = np.zeros(int(key.max()) + 1, dtype=bool)
    there[key] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[key]
