"""Gain of an ensemble over its members, for every method, on the same shapes; part of `benchmarks scores`.

There are three kinds of fusion. `together` is the library's own: the mean of the members' cosines. The other two
score each member alone, and fuse the novelties with `scoring.fusion`, by `ranks` or by `p values` among the validation
shapes, which are known shapes outside the examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import options
from benchmarks.threedos.intervals import Difference, Pairs, paired_differences
from openshape_ood.decisions.calibration import p_values
from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.known import KnownClasses
from openshape_ood.scoring import Method, judge
from openshape_ood.scoring.fusion import p_value_fusion, rank_fusion

METRICS = ("auroc", "fpr95")
Novelty = Mapping[str, np.ndarray]  # set -> (b,)


@dataclass(frozen=True)
class Gain:
    """Gain of one method with one fusion on one benchmark, as fractions.

    members: AUROC of each member alone, mean over the seeds; over_best, over_mean: metric -> difference of the ensemble
    to the member with the largest AUROC, and to the mean of the members, with paired 95 % interval.
    """

    benchmark: str
    known_by: str
    method: str
    fused: str
    auroc: float
    members: Mapping[str, float]
    over_best: Mapping[str, Difference]
    over_mean: Mapping[str, Difference]

    @property
    def best(self) -> str:
        return max(self.members, key=lambda name: self.members[name])

    def as_json(self) -> dict[str, Any]:
        words = {"benchmark": self.benchmark, "known_by": self.known_by, "method": self.method, "fused": self.fused}
        figures = {"auroc": round(self.auroc, 9), "members": {n: round(v, 9) for n, v in self.members.items()}}
        gains = {"best": self.best, "over_best": _rounded(self.over_best), "over_mean": _rounded(self.over_mean)}
        return words | figures | gains


def member_novelty(
    method: Method, known: Sequence[KnownClasses], embedded: Mapping[str, np.ndarray], tests: Sequence[str]
) -> list[Novelty]:
    """Novelty of the test sets and of validation by each member alone, for one seed.

    known: known classes of each member; embedded: set -> embeddings (b, d) of the ensemble, which are those of the
    members side by side.
    """
    ends = np.cumsum([one.dim for one in known])[:-1]
    parts = {name: np.split(embedded[name], ends, axis=1) for name in (*tests, "validation")}
    return [{name: judge(rows[i], one, method).novelty for name, rows in parts.items()} for i, one in enumerate(known)]


def gains(
    row: tuple[str, str, str], names: Sequence[str], together: Pairs, alone: Sequence[Sequence[Novelty]], draws: int
) -> list[Gain]:
    """Gain of one method by each fusion.

    row: benchmark, group and method; names: of the members; together: novelty of known and novel shapes by the
    ensemble, one pair per seed; alone: result of `member_novelty` for each seed.
    """
    of = [[_pair(seed[i]) for seed in alone] for i in range(len(names))]
    members = {name: _auroc(pairs) for name, pairs in zip(names, of, strict=True)}
    best, every = of[int(np.argmax(list(members.values())))], [pair for pairs in of for pair in pairs]
    ways = {"together": together}
    if len(alone[0][0]["validation"]):
        ways |= {how: [_pair(_fused(seed, how)) for seed in alone] for how in ("ranks", "p values")}
    return [
        Gain(*row, how, _auroc(pairs), members, *(_differences(base, pairs, draws) for base in (best, every)))
        for how, pairs in ways.items()
    ]


def _fused(alone: Sequence[Novelty], how: str) -> Novelty:
    """Fused novelty of the members, by ranks or p-values among the validation shapes."""
    references = [one["validation"] for one in alone]

    def fused(name: str) -> np.ndarray:
        each = [one[name] for one in alone]
        if how == "ranks":
            return rank_fusion(each, references)
        return p_value_fusion([p_values(one, among) for one, among in zip(each, references, strict=True)])

    return {name: fused(name) for name in alone[0]}


def _pair(novelty: Novelty) -> tuple[np.ndarray, np.ndarray]:
    """Novelty of the known shapes, and of all novel shapes."""
    return novelty["known"], np.concatenate([v for name, v in novelty.items() if name.startswith("novel")])


def _auroc(pairs: Pairs) -> float:
    return float(np.mean([ood_metrics(*pair)["auroc"] for pair in pairs]))


def _differences(base: Pairs, other: Pairs, draws: int) -> dict[str, Difference]:
    differences = paired_differences(base, other, draws)
    return {name: differences[name] for name in METRICS}


def table(rows: Sequence[Gain]) -> str:
    """One row per method: AUROC of each member and of the ensemble, and its gains in points."""
    head = ["benchmark", "method", *(rows[0].members if rows else ()), "together", "over the best", "over their mean"]
    head += [f"by {how}, over the best" for how in ("ranks", "p values")]
    lines = []
    for one in (one for one in rows if one.fused == "together"):
        others = {o.fused: o for o in rows if (o.benchmark, o.method) == (one.benchmark, one.method)}
        cells = [f"{100 * value:.1f}" for value in (*one.members.values(), one.auroc)]
        cells += [_points(one.over_best["auroc"]), _points(one.over_mean["auroc"])]
        cells += [_points(others[how].over_best["auroc"]) if how in others else "" for how in ("ranks", "p values")]
        lines.append((one.benchmark.upper(), one.method, *cells))
    return options.grid(head, lines, words=2)


def _points(difference: Difference) -> str:
    """
    >>> _points((0.012, -0.001, 0.02))
    '+1.2 [-0.1 to +2.0]'
    """
    value, low, high = (100 * one for one in difference)
    return f"{value:+.1f} [{low:+.1f} to {high:+.1f}]"


def _rounded(differences: Mapping[str, Difference]) -> dict[str, list[float]]:
    return {name: [round(value, 9) for value in values] for name, values in differences.items()}
