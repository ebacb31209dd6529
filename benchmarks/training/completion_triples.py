"""Targets in a relation to a reference, of a view of a generated room, as Semantic Abstraction defines them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.training.completion_samples import CONTAINERS, MORE, TRAINED, Sample

ALONG = 0.6  # of the unit vector between two middles, from which on a relation holds
REACH = (0.17, 1.67)  # meters: two things further apart than twice the reference, within these, are in no relation
LEAST = {"behind": 40, "in": 10}  # cells of a hidden place
MIRRORED = {"on the left of": "on the right of", "on the right of": "on the left of"}


class Triple(NamedTuple):
    """Possible cells (c,) of a target; kind: "one" of its name, one of "several" in view, or "hidden"."""

    target: str
    relation: str
    reference: str
    cells: np.ndarray
    kind: str


def holds(target: np.ndarray, reference: np.ndarray) -> str:
    """The relation of a target's box (2, 3) to a reference's box, in the frame of the camera; "" for none."""
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
    """Of all that is in view; the target is every one of its name that is in the relation to one of the reference's."""
    names, found = sample.visible(), []
    for target in names:
        for reference in names:
            if target == reference:
                continue
            others = [sample.boxes[i - 1] for i in sample.objects(reference) if (sample.shown == i).any()]
            own: dict[str, list[int]] = {}
            for i in sample.objects(target):
                for relation in {holds(sample.boxes[i - 1], other) for other in others} - {""}:
                    own.setdefault(relation, []).append(i)
            for relation, objects in own.items():
                cells = sample.filled[np.array(objects) - 1].any(axis=0) & sample.in_view
                rest = sample.cells(target) & sample.in_view & ~cells
                if cells.any():
                    found.append(Triple(target, relation, reference, cells, "several" if rest.any() else "one"))
    return found


def hidden_triples(sample: Sample, rng: np.random.RandomState) -> list[Triple]:
    """A target that is not there, behind or in what is."""
    absent = sorted({*TRAINED, *MORE} - set(sample.categories.tolist()))
    found = []
    for reference in sample.visible():
        places = {"behind": sample.behind} | ({"in": sample.within} if reference in CONTAINERS else {})
        for relation, cells in places.items():
            own = cells[sample.objects(reference) - 1].any(axis=0)
            if own.sum() >= LEAST[relation]:
                found.append(Triple(absent[rng.randint(len(absent))], relation, reference, own, "hidden"))
    return found


def draw_triples(sample: Sample, rng: np.random.RandomState) -> list[Triple]:
    """For training, one of what is in view, rather one of several, and one hidden: each where there is one."""
    found, visible, unseen = [], visible_triples(sample), hidden_triples(sample, rng)
    if visible:
        weight = np.array([4.0 if one.kind == "several" else 2.0 if one.relation == "on" else 1.0 for one in visible])
        found.append(visible[rng.choice(len(visible), p=weight / weight.sum())])
    if unseen:  # each of the two relations as often
        kinds = sorted({one.relation for one in unseen})
        relation = kinds[rng.randint(len(kinds))]
        unseen = [one for one in unseen if one.relation == relation]
        found.append(unseen[rng.randint(len(unseen))])
    return found
