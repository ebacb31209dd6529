"""Scorers by names, by cosines with one vector a class, by patches, and by names and examples together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from openshape_ood.checks import unit_or_zero
from openshape_ood.decisions.calibration import p_values
from openshape_ood.errors import InputError, MixedEncodersError
from openshape_ood.known import KnownClasses, MemoryBank
from openshape_ood.scoring import distances, fusion, patch_scores, text_scores
from openshape_ood.scoring.method import Judgement

CLIP_TEMPERATURE = 0.01  # what CLIP was trained to, arXiv 2103.00020; for checkpoints that do not say theirs
GROUPS = 5  # of negative words; the paper has 100 for its 10,000


@dataclass(frozen=True, eq=False)
class CosineScorer:
    """By the cosines of rows with one vector a class: its name, or its mean example where it has none.

    anchors, targets (k, d), unit vectors: what similarity and what novelty is measured to; negatives (j, d).
    """

    formula: str
    anchors: np.ndarray
    targets: np.ndarray
    negatives: np.ndarray
    temperature: float

    @classmethod
    def fit(cls, known: KnownClasses, formula: str) -> CosineScorer:
        negatives = known.negatives
        if formula == "neglabel" and negatives is None:
            raise InputError(f"the known classes of {known.identity} have no negative words; expected at least one")
        by_anchor = formula == "max_cosine" or known.text is None
        targets = known.anchors if by_anchor else known.text
        none = np.empty((0, known.dim))
        return cls(formula, known.anchors, targets, none if negatives is None else negatives, temperature_of(known))

    def judge(self, rows: np.ndarray) -> Judgement:
        z = unit_rows(rows, self.anchors)
        cosines = cosine(z, self.targets)
        similarity = cosines if self.targets is self.anchors else cosine(z, self.anchors)
        return Judgement(self._novelty(z, cosines), cosines.argmax(axis=1), similarity)

    def _novelty(self, z: np.ndarray, cosines: np.ndarray) -> np.ndarray:
        match self.formula:
            case "max_cosine":
                return text_scores.max_cosine_distance(cosines)
            case "neglabel":
                words = cosine(z, self.negatives)
                groups = min(GROUPS, len(self.negatives))
                return text_scores.negative_label_share(cosines, words, self.temperature, groups)
        return getattr(text_scores, self.formula)(cosines, self.temperature)


@dataclass(frozen=True, eq=False)
class VimScorer:
    """`distances.vim` of unit rows, with the cosines of names, or of mean examples, over the temperature as logits."""

    anchors: np.ndarray
    targets: np.ndarray
    temperature: float
    complement: np.ndarray
    alpha: float

    @classmethod
    def fit(cls, known: KnownClasses) -> VimScorer:
        """With half as many principal directions as there are numbers, or examples: the paper's are 1,000 of 2,048."""
        examples, targets = unit_examples(known), known.anchors if known.text is None else known.text
        logits = cosine(examples, targets) / temperature_of(known)
        found = distances.Subspace.fit(examples, logits, max(1, min(examples.shape) // 2))
        return cls(known.anchors, targets, temperature_of(known), found.complement, found.alpha)

    def judge(self, rows: np.ndarray) -> Judgement:
        z = unit_rows(rows, self.anchors)
        similarity = cosine(z, self.anchors)
        subspace = distances.Subspace(self.complement, self.alpha)
        novelty = distances.vim(z, cosine(z, self.targets) / self.temperature, subspace)
        return Judgement(novelty, similarity.argmax(axis=1), similarity)


@dataclass(frozen=True, eq=False)
class VoteScorer:
    """`patch_scores.vote_entropy` against the patches of the examples; nearest is the class of most patches."""

    memory: MemoryBank
    classes: int

    @classmethod
    def fit(cls, known: KnownClasses) -> VoteScorer:
        if known.patches is None:
            raise InputError(f"the known classes of {known.identity} have no patches; expected some of example shapes")
        return cls(known.patches, len(known.names))

    def judge(self, rows: np.ndarray) -> Judgement:
        distance, votes = patch_scores.nearest_votes(rows, self.memory.features, self.memory.labels, self.classes)
        share = patch_scores.vote_shares(votes, self.classes)
        return Judgement(patch_scores.entropy_of_votes(distance, votes, self.classes), share.argmax(axis=1), share)


@dataclass(frozen=True, eq=False)
class FusionScorer:
    """By name and by prototype at once, class by class, so that a class known by name only is judged by its name.

    "ranks": min_c of the mean of two ranks among the known examples, 0 to 1; "p values": min_c of -ln P, P Fisher's p
    value of the two, from 0. by_name, by_prototype (m,): how novel the known examples are to their own class.
    """

    how: str
    text: np.ndarray
    anchors: np.ndarray
    shown: np.ndarray
    by_name: np.ndarray
    by_prototype: np.ndarray

    @classmethod
    def fit(cls, known: KnownClasses, how: Literal["ranks", "p values"]) -> FusionScorer:
        examples = unit_examples(known)
        if known.text is None or known.labels is None:
            raise InputError(f"the known classes of {known.identity} are examples only; expected names too")
        own_name = 1 - np.einsum("md,md->m", examples, known.text[known.labels])
        own_prototype = _left_out_of_mean(examples, known.labels)
        return cls(how, known.text, known.anchors, np.unique(known.labels), own_name, own_prototype)

    def judge(self, rows: np.ndarray) -> Judgement:
        z = unit_rows(rows, self.anchors)
        fused = self._by_class(z)
        least = fused.min(axis=1)
        # ranks and p values have few steps: what lies beyond all references is equally far from every class, and then
        # that with the nearest name counts
        tied = np.where(fused <= least[:, None], cosine(z, self.text), -np.inf)
        return Judgement(least, tied.argmax(axis=1), cosine(z, self.anchors))

    def _by_class(self, z: np.ndarray) -> np.ndarray:
        novelty = np.empty((len(z), len(self.text)))
        for c in range(len(self.text)):
            parts = [(1 - z @ self.text[c], self.by_name)]
            if c in self.shown:
                parts.append((1 - z @ self.anchors[c], self.by_prototype))
            if self.how == "ranks":
                novelty[:, c] = fusion.rank_fusion(*zip(*parts, strict=True))
            else:
                novelty[:, c] = fusion.p_value_fusion([p_values(found, among) for found, among in parts])
        return novelty


def temperature_of(known: KnownClasses) -> float:
    return CLIP_TEMPERATURE if known.temperature is None else known.temperature


def unit_rows(rows: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Rows (b, d) of length 1, as wide as those of `like`; a zero row stays zero."""
    rows = np.asarray(rows)
    if rows.ndim != 2 or rows.shape[1] != like.shape[1]:
        raise MixedEncodersError(
            f"queries have the shape {rows.shape}, the known classes embeddings of {like.shape[1]}; "
            f"expected (b, {like.shape[1]}) from the same encoder"
        )
    return unit_or_zero(rows)


def unit_examples(known: KnownClasses) -> np.ndarray:
    if known.examples is None:
        raise InputError(f"the known classes of {known.identity} are names only; expected example shapes")
    return unit_or_zero(known.examples)


def cosine(z: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Cosines (b, k) of unit vectors."""
    # rounding takes the cosine of a vector with itself beyond 1, and its novelty below 0
    return np.clip(z @ targets.T, -1, 1)


def _left_out_of_mean(examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """1 - cosine (m,) of each unit example with the mean of the others of its class; of a single one, 1."""
    rest = distances.rest_of_class(examples, labels)
    lengths = np.linalg.norm(rest, axis=1)
    return 1 - np.einsum("md,md->m", examples, rest) / np.where(lengths > 0, lengths, 1)
