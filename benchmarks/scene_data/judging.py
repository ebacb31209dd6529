"""Objects of scans by several proposal methods: recall, names, novelty, labels of points."""

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

LEAST = 50  # least points of an object that counts
TRUE = "true instances"
WAYS: dict[str, dict[str, Any]] = {  # title -> arguments of find_objects
    "connected pieces": {"by": "contact"},
    "DBSCAN": {"by": "density"},
    "merge tree, largest": {"by": "tree", "score": "size"},
    "merge tree": {"by": "tree"},
    "merge tree, all": {"by": "tree", "overlapping": True, "most": 100_000},
}
ALL = "merge tree, all"  # its proposals overlap, so that objects and points get no names
FLAT = ("carpet", "curtain", "door", "picture", "picture frame", "window")  # objects that are not free-standing


class Names(NamedTuple):
    """The known names, and the vocabulary of all names, which includes them."""

    known: KnownClasses
    vocabulary: KnownClasses


@dataclass(frozen=True, eq=False)
class Case:
    """A scan with m true objects and p proposals by one method.

    objects: names of the true objects; foreign (m,): True for foreign objects; overlap (p, m): IoU; novelty (p,):
    against the known names; name, nearest (p,): index in the vocabulary and in the known names; table: confusion of
    points over the vocabulary, as `metrics.confusion`.
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
    """Instances of a room with at least `LEAST` points."""
    assert room.scene.instances is not None
    points = np.bincount(room.scene.instances, minlength=len(room.items) + 1)
    return [item.instance for item in room.items if points[item.instance] >= LEAST]


def proposed(room: Room, way: str) -> Proposals:
    """Proposals of a method, the best first."""
    if way == TRUE:
        return find_objects(room.scene, regions=[np.flatnonzero(room.scene.instances == i) for i in counted(room)])
    return find_objects(room.scene, **WAYS[way])


def examined(room: Room, way: str, encoder: ShapeEncoder, names: Names, **how: Any) -> Case:
    """Evaluate one scan with one proposal method; `how`: arguments of `score_scene`."""
    scene, objects, proposals = room.scene, counted(room), proposed(room, way)
    titles = [room.items[one - 1].category for one in objects]
    foreign = np.array([room.items[one - 1].foreign for one in objects], dtype=bool)
    assert scene.instances is not None
    overlap = metrics.overlap_table(proposals.rows, scene.instances, objects)
    if way == ALL or not len(proposals):
        return Case(titles, foreign, overlap)
    result = score_scene(scene, names.known, encoder=encoder, proposals=proposals, **how)
    titled = called(result, names.vocabulary, **how)
    nearest = np.array([names.known.names.index(name) for name in result.result.nearest])
    table = painted(room, result, titled, names.vocabulary.names)
    return Case(titles, foreign, overlap, result.result.novelty, titled, nearest, table)


def called(result: SceneResult, vocabulary: KnownClasses, method: Any = None, size_weight: float = 0.0) -> np.ndarray:
    """Index (p,) of each proposal's name in a larger vocabulary, from the embeddings of `result`."""
    assert result.result.embeddings is not None
    scored = score_novelty(result.result.embeddings, vocabulary, method=method)
    if not size_weight:
        return np.array([vocabulary.names.index(one) for one in scored.nearest])
    boxes = [one.box for one in sorted(result, key=lambda one: one.proposal)]
    sizes = size_likelihood(boxes, list(vocabulary.names), None)
    best: np.ndarray = (scored.similarity + size_weight * sizes).argmax(axis=1)
    return best


def painted(room: Room, result: SceneResult, titled: np.ndarray, vocabulary: Sequence[str]) -> np.ndarray:
    """Confusion of points that get the names of their proposals; titled (p,): as from `called`."""
    place = {name: i + 1 for i, name in enumerate(vocabulary)}
    # by number of the object: 0 for points without one, the last for the layout
    guess = np.array([0, *(titled[one.proposal] + 1 for one in result), 0])[result.numbers]
    truth = np.array([-1, *(place.get(name, 0) for name in room.names[1:])])[room.scene.labels]
    return metrics.confusion(truth, guess, len(vocabulary))


def summary(cases: Sequence[Case], names: Names) -> dict[str, float]:
    """Figures of one proposal method: proposals as means over the scans, names and novelty over all objects."""
    each = [metrics.proposal_figures(case.overlap) for case in cases]
    result = {key: float(np.nanmean([figures[key] for figures in each])) for key in each[0]}
    free = [np.array([name not in FLAT for name in case.objects], dtype=bool) for case in cases]
    best = np.concatenate([c.overlap.max(axis=0, initial=0.0)[mask] for c, mask in zip(cases, free, strict=True)])
    result |= {"free25": float((best >= 0.25).mean()), "free50": float((best >= 0.5).mean())}
    return result | named(cases, names)


def named(cases: Sequence[Case], names: Names) -> dict[str, float]:
    """Accuracy of names, AUROC of novelty, and IoU of the points, over the matched objects."""
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
    """Verdicts of a threshold on matched objects: "kept" for known ones, "new" for the foreign one."""
    assert case.novelty is not None
    match, novelty = case.match, case.novelty
    return {
        "kept": (novelty[match[(match >= 0) & ~case.foreign]] <= threshold).tolist(),
        "new": (novelty[match[(match >= 0) & case.foreign]] > threshold).tolist(),
    }


def foreign_ranks(case: Case) -> dict[str, float]:
    """Rank by novelty of a room's foreign object: among proposals that match an object, and among all proposals.

    Infinity if no proposal matches it.
    """
    match = int(case.match[case.foreign.argmax()])
    if match < 0 or case.novelty is None:
        return {"objects": float("inf"), "all": float("inf")}
    matched = case.overlap.max(axis=1) >= metrics.FOUND
    among = metrics.rank_of(case.novelty[matched], int(matched[:match].sum()))
    return {"objects": float(among), "all": float(metrics.rank_of(case.novelty, match))}
