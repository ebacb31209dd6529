"""What judges rows, and the scorers by names, by patches, and by names and examples together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from openshape_ood.checks import unit_or_zero
from openshape_ood.decisions.calibration import p_values
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses, MemoryBank
from openshape_ood.scoring import distances, fitted, fusion, patch_scores, text_scores

CLIP_TEMPERATURE = 0.01  # what CLIP was trained to, arXiv 2103.00020; for checkpoints that do not say theirs
GROUPS = 5  # of negative words; the paper has 100 for its 10,000


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a scorer found for b rows and k known classes, all in one pass.

    Attributes
    ----------
    novelty : (b,) float64
        Larger is more novel.
    nearest : (b,) int64
        The class behind it, an index into the names of the known classes.
    similarity : (b, k) float64
        Cosine with each class, for rows of patches the share of patches that are nearest to it, or what a comparator
        says of both.
    """

    novelty: np.ndarray
    nearest: np.ndarray
    similarity: np.ndarray


class Scorer(Protocol):
    """A method fitted to known classes: it judges rows, embeddings (b, d) or patches (b, p, w).

    Some scorers can more, which the detector for scikit-learn uses where it is there: `left_out(known)` gives the
    novelty (m,) of the m examples when each is left out in turn; `extended(known)` is the scorer with more examples of
    its classes; `beside(known)` is that of further classes, with whatever was estimated from all examples kept.
    """

    def judge(self, rows: np.ndarray) -> Judgement: ...


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
        targets = known.anchors if formula == "max_cosine" or known.text is None else known.text
        words = np.empty((0, targets.shape[1])) if negatives is None else negatives
        return cls(formula, known.anchors, targets, words, known.temperature or CLIP_TEMPERATURE)

    def judge(self, rows: np.ndarray) -> Judgement:
        z = unit_or_zero(rows)
        cosines = cosine(z, self.targets)
        similarity = cosines if self.targets is self.anchors else cosine(z, self.anchors)
        if self.formula == "neglabel":
            words, groups = cosine(z, self.negatives), min(GROUPS, len(self.negatives))
            novelty = text_scores.negative_label_share(cosines, words, self.temperature, groups)
        else:
            novelty = by_similarity(cosines, self.formula, self.temperature)
        return Judgement(novelty, cosines.argmax(axis=1), similarity)


def by_similarity(cosines: np.ndarray, formula: str, temperature: float) -> np.ndarray:
    """The novelty (b,) of rows by their similarity (b, k) with each class."""
    if formula == "max_cosine":
        return np.asarray(1 - cosines.max(axis=1))
    novelty: np.ndarray = getattr(text_scores, formula)(cosines, temperature)
    return novelty


@dataclass(frozen=True, eq=False)
class VimScorer:
    """`fitted.vim` of unit rows, with the cosines of names, or of mean examples, over the temperature as logits."""

    anchors: np.ndarray
    targets: np.ndarray
    temperature: float
    subspace: fitted.Subspace

    @classmethod
    def fit(cls, known: KnownClasses) -> VimScorer:
        """With half as many principal directions as there are numbers, or examples: the paper's are 1,000 of 2,048."""
        examples, targets = unit_examples(known), known.anchors if known.text is None else known.text
        temperature = known.temperature or CLIP_TEMPERATURE
        logits = cosine(examples, targets) / temperature
        subspace = fitted.Subspace.fit(examples, logits, max(1, min(examples.shape) // 2))
        return cls(known.anchors, targets, temperature, subspace)

    def judge(self, rows: np.ndarray) -> Judgement:
        z = unit_or_zero(rows)
        similarity = cosine(z, self.anchors)
        novelty = fitted.vim(z, cosine(z, self.targets) / self.temperature, self.subspace)
        return Judgement(novelty, similarity.argmax(axis=1), similarity)


@dataclass(frozen=True, eq=False)
class VoteScorer:
    """`patch_scores.vote_entropy` against the patches of the examples; nearest is the class of most patches.

    A class known by name only has no patches and gets no votes.
    """

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
        z = unit_or_zero(rows)
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
                novelty[:, c] = fusion.p_value_fusion([p_values(novelties, among) for novelties, among in parts])
        return novelty


def unit_examples(known: KnownClasses) -> np.ndarray:
    return unit_or_zero(known.labeled_examples()[0])


def cosine(z: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Cosines (b, k) of unit vectors."""
    # rounding takes the cosine of a vector with itself beyond 1, and its novelty below 0
    return np.clip(z @ targets.T, -1, 1)


def _left_out_of_mean(examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """1 - cosine (m,) of each unit example with the mean of the others of its class; of a single one, 1."""
    rest = distances.rest_of_class(examples, labels)
    lengths = np.linalg.norm(rest, axis=1)
    return 1 - np.einsum("md,md->m", examples, rest) / np.where(lengths > 0, lengths, 1)
