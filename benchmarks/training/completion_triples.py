"""Targets in a relation to a reference in a view of a generated room, as defined by Semantic Abstraction."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.training.completion_samples import CONTAINERS, MORE, TRAINED, Sample

ALONG = 0.6  # least component of the unit vector between two centers along the direction of a relation
REACH = (0.17, 1.67)  # meters; the largest distance of a relation is twice the reference's size, clipped to this range
LEAST = {"behind": 40, "in": 10}  # least cells of a hidden region
MIRRORED = {"on the left of": "on the right of", "on the right of": "on the left of"}


class Triple(NamedTuple):
    """Possible cells (c,) of a target; kind: "one" (the only one of its name in view), "several" or "hidden"."""

    target: str
    relation: str
    reference: str
    cells: np.ndarray
    kind: str


def holds(target: np.ndarray, reference: np.ndarray) -> str:
    """Relation of a target's box (2, 3) to a reference's box in the camera's frame; "" for none."""
    middle, other = target.mean(axis=0), reference.mean(axis=0)
    over = ((middle >= reference[0]) & (middle <= reference[1]))[:2].all()
    if over and reference[0, 2] + 0.2 < target[0, 2] < reference[1, 2] + 0.03:
        return "on"
    away = middle - other
    distance = float(np.linalg.norm(away))
    if not 0 < distance <= np.clip(2 * np.ptp(reference, axis=0)[:2].max(), *REACH):
        return ""
    x, y, _ = away / distance
    for relation, along in (("behind", x), ("on the left of", y), ("on the right of", -y), ("in front of", -x)):
        if along > ALONG:
            return relation
    return ""


def visible_triples(sample: Sample) -> list[Triple]:
    """Triples of visible names; the cells are those of all targets in the relation to any object of the reference."""
    names, triples = sample.visible(), []
    for target in names:
        for reference in names:
            if target == reference:
                continue
            others = [sample.boxes[i - 1] for i in sample.objects(reference) if (sample.shown == i).any()]
            by_relation: dict[str, list[int]] = {}
            for i in sample.objects(target):
                for relation in {holds(sample.boxes[i - 1], other) for other in others} - {""}:
                    by_relation.setdefault(relation, []).append(i)
            for relation, objects in by_relation.items():
                cells = sample.filled[np.array(objects) - 1].any(axis=0) & sample.in_view
                rest = sample.cells(target) & sample.in_view & ~cells
                if cells.any():
                    triples.append(Triple(target, relation, reference, cells, "several" if rest.any() else "one"))
    return triples


def hidden_triples(sample: Sample, rng: np.random.RandomState) -> list[Triple]:
    """Triples of absent targets behind or in visible references."""
    absent = sorted({*TRAINED, *MORE} - set(sample.categories.tolist()))
    triples = []
    for reference in sample.visible():
        places = {"behind": sample.behind} | ({"in": sample.within} if reference in CONTAINERS else {})
        for relation, cells in places.items():
            region = cells[sample.objects(reference) - 1].any(axis=0)
            if region.sum() >= LEAST[relation]:
                triples.append(Triple(absent[rng.randint(len(absent))], relation, reference, region, "hidden"))
    return triples


def draw_triples(sample: Sample, rng: np.random.RandomState) -> list[Triple]:
    """Triples of a training step: one visible (preferably of several) and one hidden, if there are any."""
    drawn, visible, unseen = [], visible_triples(sample), hidden_triples(sample, rng)
    if visible:
        weight = np.array([4.0 if one.kind == "several" else 2.0 if one.relation == "on" else 1.0 for one in visible])
        drawn.append(visible[rng.choice(len(visible), p=weight / weight.sum())])
    if unseen:  # both relations are equally likely
        kinds = sorted({one.relation for one in unseen})
        relation = kinds[rng.randint(len(kinds))]
        unseen = [one for one in unseen if one.relation == relation]
        drawn.append(unseen[rng.randint(len(unseen))])
    return drawn
