"""Figures of one setting: AUROC, two kinds of FPR95 and closed-set accuracy of every comparator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.images.lists import ImageList, Setting
from benchmarks.threedos.intervals import metric_intervals
from openshape_ood.comparison import Comparator, Cosine
from openshape_ood.comparison.released import ImageFeatures
from openshape_ood.comparison.training import fit_comparator
from openshape_ood.comparison.vocabulary import overlaps
from openshape_ood.decisions.metrics import balanced_accuracy, ood_metrics, published_fpr95
from openshape_ood.known import KnownClasses
from openshape_ood.scoring import Method, judge

CONVENTION = (
    "Known images are positive. FPR95 is the fraction of unknown images that is accepted if 95 % of the known images "
    "are: at the threshold nearest to 95 % (published), or interpolated on the curve."
)


@dataclass(frozen=True, eq=False)
class Measured:
    """Figures of one method on one setting, as fractions; 95 % intervals by bootstrap over images."""

    setting: str
    method: str
    auroc: float
    fpr95_published: float
    fpr95: float
    accuracy: float
    balanced_accuracy: float
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def figures(self) -> tuple[float, ...]:
        return self.auroc, self.fpr95_published, self.fpr95, self.accuracy, self.balanced_accuracy


def few_shot(labels: np.ndarray, shots: int | None, replacement: bool, seed: int) -> np.ndarray:
    """Indices of the support images to use: all, or `shots` per class.

    With replacement, as published, an image may be drawn twice. Without replacement, all images of a class with too few
    are used. The random draw of a class depends only on the seed and the index of its label.
    """
    if shots is None:
        return np.arange(len(labels))
    drawn = []
    for c, label in enumerate(np.unique(labels)):
        members, rng = np.flatnonzero(labels == label), np.random.default_rng([seed, c])
        drawn.append(rng.choice(members, shots if replacement else min(shots, len(members)), replace=replacement))
    return np.sort(np.concatenate(drawn))


def known_classes(support: ImageList, features: np.ndarray, rows: np.ndarray, encoder: ImageFeatures) -> KnownClasses:
    labels, numbers = np.unique(support.labels[rows], return_inverse=True)
    names = tuple(support.names[int(label)] for label in labels)
    return KnownClasses(names, encoder.identity, examples=features[rows], labels=numbers)


def learned(base: KnownClasses | None, relation: Comparator | None, families: Sequence[str]) -> dict[str, Comparator]:
    """Comparators: the relation network, the cosine, and families fitted to the base classes."""
    made = ({} if relation is None else {"relation": relation}) | {"cosine": Comparator.of(Cosine())}
    return made if base is None else made | {f"{one}, of base": fit_comparator(base, one) for one in families}


def ways(compared: Mapping[str, Comparator], evaluators: Sequence[str], k: int, many: bool) -> dict[str, Method]:
    """Title -> method, for every comparator and evaluator.

    With two classes or more, a relation network is also scored by softmax, the published score.
    """
    settings: dict[str, dict[str, Any]] = {
        "prototypes": {},
        "significant": {"prototypes": "k-center", "k": k},
        "neighbors": {"prototypes": "all", "score": "neighbors", "k": k},
    }
    methods: dict[str, Method] = {}
    for name, one in compared.items():
        trained = one.similarity.family == "relation"
        for evaluator in dict.fromkeys((*evaluators, *([] if trained else ["neighbors"]))):
            title = f"{name}, {evaluator}" + ("" if evaluator == "prototypes" else f" ({k})")
            if trained and evaluator != "neighbors" and many:
                methods[f"{title}, softmax"] = one.configured(**settings[evaluator], score="softmax")
            methods[title] = one.configured(**settings[evaluator])
    return methods


def measure(
    setting: Setting, target: ImageList, rows: np.ndarray, known: KnownClasses, labels: np.ndarray, draws: int,
    methods: Mapping[str, Method],
) -> list[Measured]:  # fmt: skip
    """Figures of every method on the features (n, d) of the target. labels (k,): labels of the known classes."""
    is_known = np.isin(target.labels, labels)
    measured = list[Measured]()
    for name, method in methods.items():
        result = judge(rows, known, method)
        sides = result.novelty[is_known], result.novelty[~is_known]
        figures = ood_metrics(*sides)
        predicted, true = labels[result.nearest[is_known]], target.labels[is_known]
        intervals = metric_intervals([sides], draws) if draws else {}
        measured.append(
            Measured(
                setting.title, name, figures["auroc"], published_fpr95(*sides), figures["fpr95"],
                float(np.mean(predicted == true)), balanced_accuracy(true, predicted),
                {metric: span for metric, span in intervals.items() if metric in ("auroc", "fpr95")},
            )
        )  # fmt: skip
    return measured


def overlap_notes(base: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Notes on base classes that are also classes of support or target."""
    if any(name[0] == "n" and name[1:].isdigit() for name in base):
        return ["the base classes have WordNet numbers as names; their overlap with the target is not checked"]
    same = overlaps(base, classes)
    some = ", ".join(f"{name} (is {other})" for name, other in list(same.items())[:6]) + ", …" * (len(same) > 6)
    note = f"{len(same)} base classes are also classes of support or target, and therefore not novel: {some}"
    return [note] if same else []
