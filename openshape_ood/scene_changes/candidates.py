"""Objects of one scan at places that the other scan saw as empty space.

Points are evidence of a change, proposals are not: proposals may be merged or split differently in the other scan.
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

GONE = 0.5  # minimum changed fraction of the seen part of a changed object
LEAST = 8  # minimum voxels of a change
LINK = 2.5  # maximum distance in voxels between neighbors in a connected component
FAR = 0.3  # meters; voxels at least this far from the other scan have full weight
SEEN = 0.4  # minimum seen fraction of an object; below it, the object is undecided
PART = 1 / 3  # minimum voxels that a proposal shares with a component, relative to the maximum over proposals
STACKED = 0.4  # minimum common footprint of two pieces of one object, relative to the smaller footprint
HANGING = 1.0  # meters, maximum gap between two pieces of one object, one above the other
CUT = 0.1  # minimum fraction of the smaller piece within two voxels of the larger piece, for pieces of a cut object
TOUCHING = 1.5  # maximum distance between two touching pieces, in voxels
FRAGMENT = 0.05  # minimum voxels of a change in an unchanged proposal, relative to the proposal
INSIDE = 0.5  # minimum fraction of a component in its object's box, which is widened by LINK voxels


@dataclass(frozen=True, eq=False)
class Candidate:
    """An object of one scan, and the state of its place in the other scan.

    rows: points (m,) of its scan, ascending; free, occupied, unseen: fractions of its voxels in the other scan;
    strength: square meters of surface at places that the other scan saw empty, weighted by distance to that scan;
    whole: True for a changed object; proposal: index of its proposal, -1 for points outside all proposals.
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
    """Voxels of a scan.

    inverse: voxel (n,) of each point; places: mean point (v, 3); distance: meters (v,) to the other scan; changed: mask
    (v,), seen empty in the other scan; occupied: mask (v,), near a point of the other scan; size: voxel side in meters.
    """

    inverse: np.ndarray
    places: np.ndarray
    distance: np.ndarray
    changed: np.ndarray
    occupied: np.ndarray
    size: float


def candidates(scene: Scene, proposals: Proposals, other: Space, gone: np.ndarray | None = None) -> list[Candidate]:
    """Objects of a scan, compared with the space of the other scan; both in one frame.

    gone: mask (n,) of points of the other scan that belong to changed objects. A voxel near these
    points alone does not count as occupied.
    """
    cells = _cells(scene, proposals, other, gone)
    sets = [np.unique(cells.inverse[rows]) for rows in proposals.rows]
    parts = _components(cells)
    compared = [
        _compared(cells, rows, voxels, i, parts)
        for i, (rows, voxels) in enumerate(zip(proposals.rows, sets, strict=True))
    ]
    whole = [one.proposal for one in compared if one.whole]
    claimed, loose = {i: [sets[i]] for i in whole}, list[np.ndarray]()
    for part in parts:
        owners = _owners(part, whole, sets, cells)
        if not owners:
            loose.append(part)
        for i, voxels in owners.items():
            claimed[i].append(voxels)
    pieces = list[np.ndarray]()
    for part in loose:
        owner = _around(part, claimed, cells)
        if owner is None:
            pieces.append(part)
        else:
            claimed[owner].append(part)
    changed = [_grown(cells, compared[i], voxels) for i, voxels in claimed.items()]
    changed += [_of_component(cells, part) for part in _of_proposals(pieces, sets, compared)]
    rest = [one for one in compared if not one.whole]
    return [one for one in _joined(cells, changed) if one.proposal >= 0 or one.strength > 0] + rest


def _cells(scene: Scene, proposals: Proposals, other: Space, gone: np.ndarray | None) -> _Cells:
    voxels = voxelize(scene.points, other.size)
    counts = np.bincount(voxels.inverse)
    places = np.stack([np.bincount(voxels.inverse, column) for column in scene.points.T], axis=1) / counts[:, None]
    level = np.zeros(len(scene), dtype=bool)
    for plane in proposals.layout:
        if plane.kind != "wall":
            level[plane.rows] = True
    distance = other.distance(places)
    occupied = distance <= other.reach
    flat = np.bincount(voxels.inverse, level) / counts > 0.5
    changed = ~occupied & other.is_free(places) & ~flat
    if gone is not None and gone.any() and occupied.any():
        stayed = cKDTree(other.points[~gone]).query(places[occupied], distance_upper_bound=other.reach)[0]
        occupied[occupied] = np.isfinite(stayed)
    return _Cells(voxels.inverse, places, distance, changed, occupied, other.size)


def _compared(
    cells: _Cells, rows: np.ndarray, voxels: np.ndarray, proposal: int, parts: Sequence[np.ndarray]
) -> Candidate:
    """Candidate of a proposal: changed if at least half of its seen part, and LEAST voxels, were seen empty.

    If less than a fraction SEEN of it was seen, it must also share LEAST voxels with a changed component.
    """
    free, occupied = int(cells.changed[voxels].sum()), int(cells.occupied[voxels].sum())
    whole = free >= max(LEAST, GONE * (free + occupied))
    if whole and free + occupied < SEEN * len(voxels):
        whole = any(len(np.intersect1d(voxels, part, assume_unique=True)) >= LEAST for part in parts)
    return _candidate(cells, rows, voxels, whole, proposal)


def _candidate(cells: _Cells, rows: np.ndarray, voxels: np.ndarray, whole: bool, proposal: int) -> Candidate:
    free, occupied = float(cells.changed[voxels].mean()), float(cells.occupied[voxels].mean())
    return Candidate(rows, free, occupied, 1 - free - occupied, _strength(cells, voxels), whole, proposal)


def _strength(cells: _Cells, voxels: np.ndarray) -> float:
    voxels = voxels[cells.changed[voxels]]
    return float(np.minimum(cells.distance[voxels] / FAR, 1).sum() * cells.size**2)


def _components(cells: _Cells) -> list[np.ndarray]:
    """Connected components of the changed voxels; voxels at most LINK voxel sides apart are neighbors."""
    rows = np.flatnonzero(cells.changed)
    if len(rows) < LEAST:
        return []
    pairs = cKDTree(cells.places[rows]).query_pairs(LINK * cells.size, output_type="ndarray")
    parts = [rows[part] for part in _connected(pairs, len(rows))]
    return [part for part in parts if len(part) >= LEAST]


def _connected(pairs: np.ndarray, count: int) -> list[np.ndarray]:
    """Connected components of a graph of `count` nodes with edges (m, 2), each as ascending nodes."""
    pairs = np.reshape(pairs, (-1, 2))
    table = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, label = connected_components(table, directed=False)
    return np.split(np.argsort(label, kind="stable"), np.cumsum(np.bincount(label))[:-1])


def _joined(cells: _Cells, changed: list[Candidate]) -> list[Candidate]:
    """Changed objects of one scan, after joining pieces of one object."""
    if len(changed) < 2:
        return changed
    sets = [np.unique(cells.inverse[one.rows]) for one in changed]
    edges = [(i, j) for i in range(len(sets)) for j in range(i) if _of_one_object(cells, sets[i], sets[j])]
    joined = list[Candidate]()
    for group in _connected(np.array(edges, dtype=np.int64), len(changed)):
        largest = max(group, key=lambda i: (changed[i].proposal >= 0, len(sets[i])))
        if len(group) == 1:
            joined.append(changed[largest])
            continue
        rows, voxels = (
            np.unique(np.concatenate([lists[i] for i in group])) for lists in ([c.rows for c in changed], sets)
        )
        joined.append(_candidate(cells, rows, voxels, True, changed[largest].proposal))
    return joined


def _of_one_object(cells: _Cells, first: np.ndarray, second: np.ndarray) -> bool:
    """True if two pieces are parts of one object: at one place on the floor, or cut."""
    places = sorted((cells.places[voxels] for voxels in (first, second)), key=len)
    low, high = (np.stack([bound(voxels, axis=0) for voxels in places]) for bound in (np.min, np.max))
    high = high + cells.size
    apart = low.max(axis=0) - high.min(axis=0)
    if apart.max() > HANGING:
        return False
    if np.maximum(0, -apart)[:2].prod() >= STACKED * (high - low)[:, :2].prod(axis=1).min():
        return True
    touching = cKDTree(places[1]).query(places[0], distance_upper_bound=2 * cells.size)[0]
    return bool(np.isfinite(touching).mean() >= CUT and touching.min() <= TOUCHING * cells.size)


def _owners(part: np.ndarray, whole: Sequence[int], sets: Sequence[np.ndarray], cells: _Cells) -> dict[int, np.ndarray]:
    """A component's voxels by changed proposal: each voxel goes to the nearest proposal that shares the component."""
    size = {i: len(np.intersect1d(sets[i], part, assume_unique=True)) for i in whole}
    sharing = [i for i, count in size.items() if count >= max(LEAST, PART * max(size.values()))]
    if not sharing:
        return {}
    away = np.stack([cKDTree(cells.places[sets[i]]).query(cells.places[part])[0] for i in sharing])
    nearest = away.argmin(axis=0)
    return {i: part[nearest == place] for place, i in enumerate(sharing)}


def _around(part: np.ndarray, claimed: Mapping[int, Sequence[np.ndarray]], cells: _Cells) -> int | None:
    """Changed proposal whose box contains most of a component's voxels; None without one."""
    best, share = None, INSIDE
    places = cells.places[part]
    for i, (voxels, *_) in claimed.items():
        low, high = cells.places[voxels].min(axis=0), cells.places[voxels].max(axis=0)
        inside = ((places > low - LINK * cells.size) & (places < high + LINK * cells.size)).all(axis=1).mean()
        if inside >= share:
            best, share = i, float(inside)
    return best


def _of_proposals(
    pieces: Sequence[np.ndarray], sets: Sequence[np.ndarray], compared: Sequence[Candidate]
) -> list[np.ndarray]:
    """Pieces outside all changed proposals. Pieces in one proposal are joined.

    A piece below FRAGMENT of an unchanged proposal is left out: a part of a surface that the other scan did not sample.
    """
    groups = dict[int, list[np.ndarray]]()
    for k, part in enumerate(pieces):
        common = [len(np.intersect1d(voxels, part, assume_unique=True)) for voxels in sets]
        i = int(np.argmax(common)) if common else 0
        groups.setdefault(i if common and common[i] >= INSIDE * len(part) else -1 - k, []).append(part)
    joined = {i: np.unique(np.concatenate(group)) for i, group in groups.items()}
    return [
        part
        for i, part in joined.items()
        if i < 0 or len(part) >= FRAGMENT * len(sets[i]) or compared[i].occupied < compared[i].free
    ]


def _of_component(cells: _Cells, part: np.ndarray) -> Candidate:
    return _candidate(cells, _points_of(cells, part), part, True, -1)


def _points_of(cells: _Cells, voxels: np.ndarray) -> np.ndarray:
    """Points (m,) in some voxels, ascending."""
    inside = np.zeros(len(cells.places), dtype=bool)
    inside[voxels] = True
    return np.flatnonzero(inside[cells.inverse])


def _grown(cells: _Cells, one: Candidate, claimed: list[np.ndarray]) -> Candidate:
    """Changed proposal, extended by the changed voxels `claimed` for it."""
    voxels = np.unique(np.concatenate(claimed))
    more = _points_of(cells, np.setdiff1d(voxels, claimed[0]))
    return _candidate(cells, np.union1d(one.rows, more), voxels, True, one.proposal)
