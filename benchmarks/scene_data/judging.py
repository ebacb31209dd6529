"""Objects of scans under several ways to propose them: found, named, called novel, and painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from benchmarks.scene_data import metrics
from openshape_ood import ShapeEncoder
from openshape_ood.known import KnownClasses
from openshape_ood.novelty import score_novelty
from openshape_ood.scenes.boxes import size_likelihood
from openshape_ood.scenes.objects import score_scene
from openshape_ood.scenes.proposals import Proposals, find_objects
from openshape_ood.scenes.result import SceneResult
from openshape_ood.synthetic.rooms import Room

LEAST = 50  # points of an object that counts
TRUE = "true instances"
WAYS: dict[str, dict[str, Any]] = {  # what is handed to find_objects
    "connected pieces": {"by": "contact"},
    "DBSCAN": {"by": "density"},
    "merge tree, largest": {"by": "tree", "score": "size"},
    "merge tree": {"by": "tree"},
    "merge tree, all": {"by": "tree", "overlapping": True, "most": 100_000},
}
ALL = "merge tree, all"  # overlap, so they name and paint nothing
FLAT = ("carpet", "curtain", "door", "picture", "picture frame", "window")  # what is not free-standing


class Names(NamedTuple):
    """The known names, and what objects may be called at all, these among it."""

    known: KnownClasses
    vocabulary: KnownClasses


@dataclass(frozen=True, eq=False)
class Case:
    """A scan under one way to propose its objects.

    objects: the names of its m true objects; foreign (m,): which of them does not belong; overlap (p, m): IoU with the
    proposals. Of each proposal (p,): novelty against the known names, index of its name in the vocabulary and of the
    nearest known one. table: confusion of points over the vocabulary, as `metrics.confusion`.
    """

    objects: list[str]
    foreign: np.ndarray
    overlap: np.ndarray
    novelty: np.ndarray | None = None
    name: np.ndarray | None = None
    nearest: np.ndarray | None = None
    table: np.ndarray | None = None

    @property
    def match(self) -> np.ndarray:
        return metrics.matched(self.overlap)


def counted(room: Room) -> list[int]:
    """The instances of a room that count: of `LEAST` points and more."""
    assert room.scene.instances is not None
    points = np.bincount(room.scene.instances, minlength=len(room.items) + 1)
    return [item.instance for item in room.items if points[item.instance] >= LEAST]


def proposed(room: Room, way: str) -> Proposals:
    """The proposals of a way, the best first."""
    if way == TRUE:
        return find_objects(room.scene, regions=[np.flatnonzero(room.scene.instances == i) for i in counted(room)])
    return find_objects(room.scene, **WAYS[way])


def examined(room: Room, way: str, encoder: ShapeEncoder, names: Names, **how: Any) -> Case:
    """One scan under one way; `how` as `score_scene` takes it."""
    scene, objects, found = room.scene, counted(room), proposed(room, way)
    titles = [room.items[one - 1].category for one in objects]
    foreign = np.array([room.items[one - 1].foreign for one in objects], dtype=bool)
    assert scene.instances is not None
    overlap = metrics.overlap_table(found.rows, scene.instances, objects)
    if way == ALL or not len(found):
        return Case(titles, foreign, overlap)
    result = score_scene(scene, names.known, encoder=encoder, proposals=found, **how)
    titled = called(result, names.vocabulary, **how)
    nearest = np.array([names.known.names.index(name) for name in result.result.nearest])
    table = painted(room, result, titled, names.vocabulary.names)
    return Case(titles, foreign, overlap, result.result.novelty, titled, nearest, table)


def called(result: SceneResult, vocabulary: KnownClasses, method: Any = None, size_weight: float = 0.0) -> np.ndarray:
    """Index (p,) into a larger vocabulary of the name of each proposal, without encoding it again."""
    assert result.result.embeddings is not None  # score_scene has made them
    told = score_novelty(result.result.embeddings, vocabulary, method=method)
    if not size_weight:
        return np.array([vocabulary.names.index(one) for one in told.nearest])
    boxes = [one.box for one in sorted(result, key=lambda one: one.proposal)]
    sizes = size_likelihood(boxes, list(vocabulary.names), None)
    best: np.ndarray = (told.similarity + size_weight * sizes).argmax(axis=1)
    return best


def painted(room: Room, result: SceneResult, titled: np.ndarray, vocabulary: Sequence[str]) -> np.ndarray:
    """Confusion of points whose objects are painted with their names; titled: of each proposal, as in `called`."""
    place = {name: i + 1 for i, name in enumerate(vocabulary)}
    # by the number of the object: 0 left over, the last one layout
    guess = np.array([0, *(titled[one.proposal] + 1 for one in result), 0])[result.numbers]
    truth = np.array([-1, *(place.get(name, 0) for name in room.names[1:])])[room.scene.labels]
    return metrics.confusion(truth, guess, len(vocabulary))


def summary(cases: Sequence[Case], names: Names) -> dict[str, float]:
    """Figures of one way: proposals as means over the scans, names and novelty over all their objects together."""
    each = [metrics.proposal_figures(case.overlap) for case in cases]
    found = {key: float(np.nanmean([figures[key] for figures in each])) for key in each[0]}
    free = [np.array([name not in FLAT for name in case.objects], dtype=bool) for case in cases]
    best = np.concatenate([c.overlap.max(axis=0, initial=0.0)[mask] for c, mask in zip(cases, free, strict=True)])
    found |= {"free25": float((best >= 0.25).mean()), "free50": float((best >= 0.5).mean())}
    return found | named(cases, names)


def named(cases: Sequence[Case], names: Names) -> dict[str, float]:
    """Names and novelty of the objects that were found, and the points they paint."""
    vocabulary, known = (np.array(one.names) for one in (names.vocabulary, names.known))
    rows = [
        (title, vocabulary[case.name[i]], known[case.nearest[i]], case.novelty[i])
        for case in cases
        if case.name is not None and case.nearest is not None and case.novelty is not None
        for title, i in zip(case.objects, case.match, strict=True)
        if i >= 0
    ]
    if not rows:
        return {}
    title, called, nearest, novelty = map(np.array, zip(*rows, strict=True))
    has_name, is_known = np.isin(title, vocabulary), np.isin(title, known)
    iou = metrics.class_iou(np.sum([case.table for case in cases if case.table is not None], axis=0))[1:]
    of_known = np.isin(vocabulary, known)
    mean, counted = metrics.mean_iou(iou)
    return {
        "name": share((title == called)[has_name]),
        "known": share((title == nearest)[is_known]),
        "auroc": metrics.known_against_novel(novelty[has_name], ~is_known[has_name]),
        "auroc_unnamed": metrics.known_against_novel(novelty, ~is_known),
        "miou": mean,
        "miou_known": metrics.mean_iou(iou, of_known)[0],
        "miou_novel": metrics.mean_iou(iou, ~of_known)[0],
        "classes": float(counted),
    }


def share(mask: np.ndarray) -> float:
    return float(mask.mean()) if len(mask) else float("nan")


def verdicts(case: Case, threshold: float) -> dict[str, list[bool]]:
    """Verdicts of a threshold: known objects found and kept, and the foreign object called new."""
    assert case.novelty is not None
    own, novelty = case.match, case.novelty
    return {
        "kept": (novelty[own[(own >= 0) & ~case.foreign]] <= threshold).tolist(),
        "new": (novelty[own[(own >= 0) & case.foreign]] > threshold).tolist(),
    }


def foreign_ranks(case: Case) -> dict[str, float]:
    """Rank by novelty of a room's one foreign object: among proposals that are objects, and among all.

    Infinity if no proposal covers it.
    """
    own = int(case.match[case.foreign.argmax()])
    if own < 0 or case.novelty is None:
        return {"objects": float("inf"), "all": float("inf")}
    are = case.overlap.max(axis=1) >= metrics.FOUND
    among = metrics.rank_of(case.novelty[are], int(are[:own].sum()))
    return {"objects": float(among), "all": float(metrics.rank_of(case.novelty, own))}
