"""Points of one scan whose place was seen empty in the other, put together to objects.

A change needs points, not only a proposal: proposals that were merged or split differently change no point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from openshape_ood.scene_changes.space import Space
from openshape_ood.scenes.proposals import Proposals
from openshape_ood.scenes.scene import Scene
from openshape_ood.scenes.voxels import voxelize

GONE = 0.5  # of the seen part of an object: all of it has changed; one in the place of another is near its points
LEAST = 8  # voxels of a change
LINK = 2.5  # voxels between parts of one change
FAR = 0.3  # meters from the other scan, from which a voxel counts fully
SEEN = 0.4  # of an object: with less it is undecided
PART = 1 / 3  # of the voxels of another changed proposal of one component: fewer are a part of that object
STACKED = 0.5  # intersection over union of the floor under two changed proposals that touch: halves of one object
INSIDE = 0.5  # of a component's voxels in the box of a changed object, with a margin of LINK voxels: a piece of it


@dataclass(frozen=True, eq=False)
class Candidate:
    """An object of one scan, and what the other scan says of its place.

    rows: points (m,) of its scan, ascending; free, occupied, unseen: fractions of its voxels; strength: square meters
    of surface whose place was seen empty, those far from the other scan weigh most; whole: all of it has changed;
    proposal: index, -1 for points that no proposal has.
    """

    rows: np.ndarray
    free: float
    occupied: float
    unseen: float
    strength: float
    whole: bool
    proposal: int


@dataclass(frozen=True, eq=False)
class _Cells:
    """Voxels of a scan: the first point of each, the voxel of each point, its distance to the other scan, its state."""

    first: np.ndarray
    inverse: np.ndarray
    places: np.ndarray
    distance: np.ndarray
    changed: np.ndarray
    occupied: np.ndarray
    size: float


def candidates(scene: Scene, found: Proposals, other: Space) -> list[Candidate]:
    """The objects of a scan beside the space of the other scan; both in one frame."""
    cells = _cells(scene, found, other)
    sets = [np.unique(cells.inverse[rows]) for rows in found.rows]
    judged = [_judged(cells, rows, own, i) for i, (rows, own) in enumerate(zip(found.rows, sets, strict=True))]
    whole = _joined(cells, [one for one in judged if one.whole], sets)
    claimed, loose = dict[int, list[np.ndarray]](), list[np.ndarray]()
    for part in _components(cells):
        owners = _owners(part, list(whole), sets, cells)
        if not owners:
            loose.append(part)
        for i, own in owners.items():
            claimed.setdefault(i, [sets[i]]).append(own)
    parts = list[Candidate]()
    for part in loose:
        owner = _around(part, claimed, cells)
        if owner is None:
            parts.append(_of_component(cells, part))
        else:
            claimed[owner].append(part)
    members = _points_of(cells)
    grown = [_grown(cells, whole[i], own, members) for i, own in claimed.items()]
    rest = [one for one in judged if not one.whole]
    return grown + [one for one in parts if one.strength > 0] + rest


def _cells(scene: Scene, found: Proposals, other: Space) -> _Cells:
    voxels = voxelize(scene.points, other.size)
    counts = np.bincount(voxels.inverse)
    places = np.stack([np.bincount(voxels.inverse, column) for column in scene.points.T], axis=1) / counts[:, None]
    level = np.zeros(len(scene), dtype=bool)
    for plane in found.layout:
        if plane.kind != "wall":
            level[plane.rows] = True
    distance = other.distance(places)
    occupied = distance <= other.reach
    flat = np.bincount(voxels.inverse, level) / counts > 0.5
    changed = ~occupied & other.is_free(places) & ~flat
    return _Cells(voxels.first, voxels.inverse, places, distance, changed, occupied, other.size)


def _judged(cells: _Cells, rows: np.ndarray, own: np.ndarray, proposal: int) -> Candidate:
    free, occupied = cells.changed[own], cells.occupied[own]
    seen = int(free.sum() + occupied.sum())
    whole = free.sum() >= max(LEAST, GONE * seen) and seen >= SEEN * len(own)
    is_free, is_taken = float(free.mean()), float(occupied.mean())
    unseen = 1 - is_free - is_taken
    return Candidate(rows, is_free, is_taken, unseen, _strength(cells, own), bool(whole), proposal)


def _strength(cells: _Cells, own: np.ndarray) -> float:
    own = own[cells.changed[own]]
    return float(np.minimum(cells.distance[own] / FAR, 1).sum() * cells.size**2)


def _components(cells: _Cells) -> list[np.ndarray]:
    """Changed voxels that are near each other."""
    rows = np.flatnonzero(cells.changed)
    if len(rows) < LEAST:
        return []
    pairs = cKDTree(cells.places[rows]).query_pairs(LINK * cells.size, output_type="ndarray")
    table = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(rows), len(rows)))
    _, label = connected_components(table, directed=False)
    order = np.argsort(label, kind="stable")
    parts = np.split(rows[order], np.cumsum(np.bincount(label))[:-1])
    return [np.sort(part) for part in parts if len(part) >= LEAST]


def _joined(cells: _Cells, whole: Sequence[Candidate], sets: list[np.ndarray]) -> dict[int, Candidate]:
    """Changed proposals by index, halves of one object put together; so are their voxels in `sets`."""
    joined = dict[int, Candidate]()
    for one in sorted(whole, key=lambda one: (-len(sets[one.proposal]), one.proposal)):
        i = one.proposal
        j = next((j for j in joined if _stacked(cells, sets[i], sets[j])), None)
        if j is None:
            joined[i] = one
        else:
            sets[j] = np.union1d(sets[i], sets[j])
            joined[j] = _judged(cells, np.union1d(one.rows, joined[j].rows), sets[j], j)
    return joined


def _stacked(cells: _Cells, first: np.ndarray, second: np.ndarray) -> bool:
    """True if one lies on the other, over about the same floor."""
    low, high = (np.stack([bound(cells.places[own], axis=0) for own in (first, second)]) for bound in (np.min, np.max))
    common = np.maximum(0, high.min(axis=0) - low.max(axis=0))[:2].prod()
    areas = (high - low)[:, :2].prod(axis=1)
    gap = (low.max(axis=0) - high.min(axis=0))[2]
    return bool(gap <= LINK * cells.size and common >= STACKED * (areas.sum() - common))


def _owners(part: np.ndarray, whole: Sequence[int], sets: Sequence[np.ndarray], cells: _Cells) -> dict[int, np.ndarray]:
    """The voxels of a component by the changed proposal they belong to; empty if no proposal has a part of it."""
    size = {i: len(np.intersect1d(sets[i], part, assume_unique=True)) for i in whole}
    own = [i for i, count in size.items() if count >= max(LEAST, PART * max(size.values()))]
    if not own:
        return {}
    away = np.stack([cKDTree(cells.places[sets[i]]).query(cells.places[part])[0] for i in own])
    nearest = away.argmin(axis=0)
    return {i: part[nearest == place] for place, i in enumerate(own)}


def _around(part: np.ndarray, claimed: Mapping[int, Sequence[np.ndarray]], cells: _Cells) -> int | None:
    """The changed proposal in whose box most of a component lies; None if there is none."""
    best, share = None, INSIDE
    places = cells.places[part]
    for i, (own, *_) in claimed.items():
        low, high = cells.places[own].min(axis=0), cells.places[own].max(axis=0)
        inside = ((places > low - LINK * cells.size) & (places < high + LINK * cells.size)).all(axis=1).mean()
        if inside >= share:
            best, share = i, float(inside)
    return best


def _of_component(cells: _Cells, part: np.ndarray) -> Candidate:
    rows = np.flatnonzero(np.isin(cells.inverse, part))
    return Candidate(rows, 1.0, 0.0, 0.0, _strength(cells, part), True, -1)


def _points_of(cells: _Cells) -> list[np.ndarray]:
    order = np.argsort(cells.inverse, kind="stable")
    return np.split(order, np.cumsum(np.bincount(cells.inverse))[:-1])


def _grown(cells: _Cells, one: Candidate, claimed: list[np.ndarray], members: list[np.ndarray]) -> Candidate:
    """A changed proposal with the changed voxels that are around it."""
    own = np.unique(np.concatenate(claimed))
    more = [members[i] for i in np.setdiff1d(own, claimed[0])]
    rows = np.unique(np.concatenate([one.rows, *more])) if more else one.rows
    grown = _judged(cells, rows, own, one.proposal)
    return Candidate(rows, grown.free, grown.occupied, grown.unseen, grown.strength, True, one.proposal)
