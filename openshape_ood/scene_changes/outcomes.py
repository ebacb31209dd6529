"""Outcome of each object of two scans: moved, removed, added, replaced, unchanged or undecided."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from openshape_ood.scene_changes.calibration import ChangeCalibration, discoveries
from openshape_ood.scene_changes.candidates import SEEN, Candidate
from openshape_ood.scene_changes.matching import WIDER, differences, moved, overlap, replaced, usual_distance
from openshape_ood.scene_changes.registration import Registration, Surface
from openshape_ood.scene_changes.result import CANNOT_TELL, UNCHANGED, ObjectChange, SceneChanges
from openshape_ood.scene_changes.space import Space
from openshape_ood.scenes import Scene, SceneResult
from openshape_ood.scenes.boxes import Box
from openshape_ood.scenes.proposals import Proposals

STAYED = 0.5  # minimum occupied fraction of the seen part of an unchanged object
INSIDE = 0.7  # minimum fraction of an object's points in the box of a changed object, to pair them in `_hidden`
LISTED = 0.5  # maximum p-value of an apparent change that is listed as undecided


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two scans in one frame with spaces and candidates, but without names and p-values."""

    scans: tuple[Scene, Scene]
    found: tuple[Proposals, Proposals]
    surfaces: tuple[Surface, Surface]
    registration: Registration
    spaces: tuple[Space, ...] = ()
    candidates: tuple[list[Candidate], ...] = ()

    @property
    def strength(self) -> float:
        """Strength of the strongest apparent change; 0 without one."""
        return max((one.strength for side in self.candidates for one in side if one.whole), default=0.0)


def compared(
    pair: Comparison,
    first: SceneResult,
    second: SceneResult,
    calibration: ChangeCalibration,
    fdr: float,
    control: str,
) -> SceneChanges:
    """Changes of two scans and outcomes of their objects. first, second: scored candidates of each scan."""
    sides = [_Side(listed, result) for listed, result in zip(pair.candidates, (first, second), strict=True)]
    gone, new = sides[0].changed, sides[1].changed
    table = np.empty((0, 0))
    if gone and new:
        every = np.concatenate([side.vectors(range(len(side.candidates))) for side in sides])
        boxes, later = sides[0].boxes(gone), sides[1].boxes(new)
        table = differences(sides[0].vectors(gone), sides[1].vectors(new), boxes, later, usual_distance(every))
    pairs = [("moved", gone[i], new[j]) for i, j in moved(table, calibration.limit)]
    left = [i for i in gone if i not in {a for _, a, _ in pairs}], [j for j in new if j not in {b for _, _, b in pairs}]
    together = replaced(sides[0].boxes(left[0]), sides[1].boxes(left[1]))
    pairs += [("replaced", left[0][i], left[1][j]) for i, j in together]
    pairs += _hidden(sides, ({a for _, a, _ in pairs}, {b for _, _, b in pairs}), calibration.limit)
    taken = {a for _, a, _ in pairs}, {b for _, _, b in pairs}
    entries: list[tuple[str, int | None, int | None]] = list(pairs)
    entries += [("removed", i, None) for i in gone if i not in taken[0]]
    entries += [("added", None, j) for j in new if j not in taken[1]]
    made = [_change(kind, a, b, sides, calibration) for kind, a, b in entries]
    made = [one for one in made if one.p_value <= LISTED]
    reported = discoveries([one.p_value for one in made], fdr, control)
    objects = [
        one if good else replace(one, kind=CANNOT_TELL, guess=one.kind, reason=_too_weak(one, fdr, control))
        for one, good in zip(made, reported, strict=True)
    ]
    objects += _others(sides, taken)
    objects.sort(key=lambda one: (not one.reported, one.kind == UNCHANGED, one.p_value, -one.strength))
    numbered = tuple(replace(one, number=i) for i, one in enumerate(objects, 1))
    return SceneChanges(first, second, numbered, pair.registration, pair.spaces, calibration, fdr, control)


def _hidden(sides: Sequence[_Side], taken: Sequence[set[int]], limit: float) -> list[tuple[str, int, int]]:
    """Pairs of a changed object and an object of the other scan inside its box.

    The changed object filled the place of the other object, so this place was not seen empty. The other object is the
    same object after a short move, or it replaces the changed object. taken: paired objects of each scan; the
    function adds the new pairs.
    """
    pairs = list[tuple[str, int, int]]()
    for late, (side, other) in enumerate((sides, sides[::-1])):
        rest = [
            j
            for j, one in enumerate(other.candidates)
            if not one.whole and one.proposal >= 0 and one.occupied < STAYED and j not in taken[1 - late]
        ]
        for i in (i for i in side.changed if i not in taken[late]):
            inside = [j for j in rest if _inside(other, j, side.objects[i].box) >= INSIDE]
            if not inside:
                continue
            j = max(inside, key=lambda j: len(other.candidates[j].rows))
            rest.remove(j)
            taken[late].add(i)
            taken[1 - late].add(j)
            vectors, boxes = (side.vectors([i]), other.vectors([j])), (side.boxes([i]), other.boxes([j]))
            usual = usual_distance(np.concatenate([side.vectors(range(len(side.candidates))) for side in sides]))
            same = float(differences(*vectors, *boxes, usual)[0, 0]) <= limit
            pairs.append(("moved" if same else "replaced", *((j, i) if late else (i, j))))
    return pairs


def _inside(side: _Side, j: int, box: Box) -> float:
    """Fraction of the points of object j that are in a box, widened by 5 cm."""
    points = side.result.scene.points[side.candidates[j].rows]
    corners = box.corners()
    return float(((points >= corners.min(axis=0) - WIDER) & (points <= corners.max(axis=0) + WIDER)).all(axis=1).mean())


class _Side:
    """Candidates of a scan with their scored objects, in the same order."""

    def __init__(self, candidates: list[Candidate], result: SceneResult) -> None:
        self.candidates = candidates
        self.result = result
        self.objects = sorted(result.objects, key=lambda one: one.proposal)
        self.changed = [i for i, one in enumerate(candidates) if one.whole]

    def boxes(self, rows: Sequence[int]) -> list[Any]:
        return [self.objects[i].box for i in rows]

    def vectors(self, rows: Sequence[int]) -> np.ndarray:
        vectors = np.asarray(getattr(self.result.result.embeddings, "vectors", ()), dtype=np.float64)[list(rows)]
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _change(
    kind: str, a: int | None, b: int | None, sides: Sequence[_Side], calibration: ChangeCalibration
) -> ObjectChange:
    """Change of object a of the first scan and object b of the second; one of them may be None."""
    ends = [side.candidates[i] for i, side in zip((a, b), sides, strict=True) if i is not None]
    strength = max(one.strength for one in ends)
    objects = [None if i is None else side.objects[i] for i, side in zip((a, b), sides, strict=True)]
    reason = {
        "removed": "its place was seen empty afterwards",
        "added": "its place was seen empty before",
        "moved": "the same shape and size is at another place",
        "replaced": "another object is in its place",
    }[kind]
    return ObjectChange(
        0,
        kind,
        objects[0],
        objects[1],
        strength,
        calibration.p_value(strength),
        free=float(np.mean([one.free for one in ends])),
        occupied=float(np.mean([one.occupied for one in ends])),
        unseen=float(np.mean([one.unseen for one in ends])),
        reason=reason,
    )


def _too_weak(one: ObjectChange, fdr: float, control: str) -> str:
    rule = "" if control == "maximum" else " by Benjamini and Yekutieli"
    why = f"p = {one.p_value:.2g} is above {fdr:g}{rule}"
    return f"maybe {one.kind}, but {why}: re-scans of unchanged places differ as much"


def _others(sides: Sequence[_Side], taken: Sequence[Collection[int]]) -> list[ObjectChange]:
    """Unchanged and undecided objects. taken: objects of each scan that are not considered."""
    made = list[ObjectChange]()
    rest = [
        [i for i, one in enumerate(side.candidates) if not one.whole and i not in paired]
        for side, paired in zip(sides, taken, strict=True)
    ]
    partners = _partners(sides, rest)
    for late, (side, rows) in enumerate(zip(sides, rest, strict=True)):
        for i in rows:
            one, thing = side.candidates[i], side.objects[i]
            when = "before" if late else "afterwards"
            seen = one.free + one.occupied
            kind, reason = CANNOT_TELL, f"{one.free:.0%} of its place was seen empty {when}, {one.occupied:.0%} taken"
            if seen < SEEN:
                reason = f"{1 - seen:.0%} of its place was not seen {when}"
            elif one.occupied >= STAYED * seen:
                kind, reason = UNCHANGED, f"{one.occupied:.0%} of it has points at its place {when}"
            partner = partners.get((late, i))
            if kind == UNCHANGED and late:
                continue  # the same points are listed with the first scan, maybe in other proposals
            other = None if late or partner is None else sides[1].objects[partner]
            before, after = (None, thing) if late else (thing, other)
            shares = one.free, one.occupied, one.unseen
            made.append(ObjectChange(0, kind, before, after, one.strength, 1.0, *shares, reason))
    return made


def _partners(sides: Sequence[_Side], rest: Sequence[Sequence[int]]) -> dict[tuple[int, int], int]:
    """One-to-one pairs of objects of both scans by the overlap of their boxes, as (0, i) -> j and (1, j) -> i."""
    overlaps = sorted(
        ((overlap(sides[0].objects[i].box, sides[1].objects[j].box), i, j) for i in rest[0] for j in rest[1]),
        key=lambda entry: -entry[0],
    )
    partners: dict[tuple[int, int], int] = {}
    for share, i, j in overlaps:
        if share >= 0.5 and (0, i) not in partners and (1, j) not in partners:
            partners[0, i], partners[1, j] = j, i
    return partners
