"""Protocol of scorers, and scorers by names, by patches, and by names and examples together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from openshape_ood.checks import unit_or_zero
from openshape_ood.decisions.calibration import p_values
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses, MemoryBank
from openshape_ood.scoring import distances, fitted, fusion, patch_scores, text_scores

CLIP_TEMPERATURE = 0.01  # temperature of CLIP, arXiv 2103.00020; used if the temperature of a checkpoint is unknown
GROUPS = 5  # groups of negative words; the paper has 100 groups for 10,000 words


@dataclass(frozen=True, eq=False)
class Judgement:
    """Result of a scorer for b rows and k known classes.

    Attributes
    ----------
    novelty : (b,) float64
        Larger is more novel.
    nearest : (b,) int64
        Nearest class, an index into the names of the known classes.
    similarity : (b, k) float64
        Cosine with each class. For patches: fraction of the patches that vote for the class. For a comparator: the
        similarity that it computes.
    """

    novelty: np.ndarray
    nearest: np.ndarray
    similarity: np.ndarray


class Scorer(Protocol):
    """Method fitted to known classes. It scores rows: embeddings (b, d) or patches (b, p, w).

    The scikit-learn detector uses three optional methods. `left_out(known)` returns the novelty (m,) of the m examples;
    each is scored by a fit without this example. `extended(known)` returns a scorer with more examples of its classes.
    `beside(known)` returns a scorer for other known classes. It keeps the estimates from the examples of this scorer,
    such as a covariance.
    """

    def judge(self, rows: np.ndarray) -> Judgement: ...


@dataclass(frozen=True, eq=False)
class CosineScorer:
    """Scorer by cosines of rows with one vector per class: the embedding of its name, else the mean of its examples.

    State: unit vectors `anchors` (k, d) for the similarity, `targets` (k, d) for the novelty, `negatives` (j, d).
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
            raise InputError(
                f"the known classes of {known.identity} have no negative words. Expected at least one. "
                "Make them with KnownClasses.from_names(..., negatives=words)."
            )
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
    """Novelty (b,) of rows from their similarities (b, k) with the classes."""
    if formula == "max_cosine":
        return np.asarray(1 - cosines.max(axis=1))
    novelty: np.ndarray = getattr(text_scores, formula)(cosines, temperature)
    return novelty


@dataclass(frozen=True, eq=False)
class VimScorer:
    """`fitted.vim` of unit rows. Logits are cosines with names (else class means), divided by the temperature."""

    anchors: np.ndarray
    targets: np.ndarray
    temperature: float
    subspace: fitted.Subspace

    @classmethod
    def fit(cls, known: KnownClasses) -> VimScorer:
        """Fit with min(m, d) / 2 principal directions, for m examples. The paper uses 1,000 for d = 2,048."""
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
    """`patch_scores.vote_entropy` against the patches of the examples; the nearest class has the most votes.

    A class with only a name has no patches and gets no votes.
    """

    memory: MemoryBank
    classes: int

    @classmethod
    def fit(cls, known: KnownClasses) -> VoteScorer:
        if known.patches is None:
            raise InputError(
                f"the known classes of {known.identity} have no patches. Expected patches of example shapes. "
                "Make them with KnownClasses.from_examples(..., patches='tokens')."
            )
        return cls(known.patches, len(known.names))

    def judge(self, rows: np.ndarray) -> Judgement:
        distance, votes = patch_scores.nearest_votes(rows, self.memory.features, self.memory.labels, self.classes)
        share = patch_scores.vote_shares(votes, self.classes)
        return Judgement(patch_scores.entropy_of_votes(distance, votes, self.classes), share.argmax(axis=1), share)


@dataclass(frozen=True, eq=False)
class FusionScorer:
    """Fusion of name and prototype scores of each class. A class with only a name is scored by its name.

    "ranks": mean of the two ranks among the known examples, 0 to 1. "p values": -ln P, where P is Fisher's combination
    of the two p-values. The novelty is the minimum over the classes. `by_name` and `by_prototype` (m,) are distances of
    the known examples from the name and the prototype of their own class.
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
            raise InputError(
                f"the known classes of {known.identity} have no embeddings of names. Expected names and examples. "
                "Make them with KnownClasses.from_both."
            )
        to_name = 1 - np.einsum("md,md->m", examples, known.text[known.labels])
        to_prototype = _left_out_of_mean(examples, known.labels)
        return cls(how, known.text, known.anchors, np.unique(known.labels), to_name, to_prototype)

    def judge(self, rows: np.ndarray) -> Judgement:
        z = unit_or_zero(rows)
        fused = self._by_class(z)
        least = fused.min(axis=1)
        # rows more novel than all examples have equal ranks and p-values for every class. Then the nearest name decides
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
    # rounding can make the cosine of a vector with itself larger than 1, and its novelty negative
    return np.clip(z @ targets.T, -1, 1)


def _left_out_of_mean(examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """1 - cosine (m,) of each unit example with the mean of the other examples of its class; 1 if there are none."""
    rest = distances.rest_of_class(examples, labels)
    lengths = np.linalg.norm(rest, axis=1)
    return 1 - np.einsum("md,md->m", examples, rest) / np.where(lengths > 0, lengths, 1)
