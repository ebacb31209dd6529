"""The scores of a bank: (queries (b, d), known) -> (b,), larger meaning more novel, by their names in the literature.

`SCORES` lists them by the name that `score_novelty(method=...)` takes. Queries need not be unit vectors. The
formulas stand in `by_names`, `by_examples`, `by_patches` and `fusion`, as functions of arrays.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from openshape_ood.decisions.calibration import p_values
from openshape_ood.errors import InputError, MixedEncodersError, UnknownNameError
from openshape_ood.known import Known, unit
from openshape_ood.scoring import by_examples, by_names, by_patches, fusion
from openshape_ood.scoring.neighbors import nearest

CLIP_TEMPERATURE = 0.01  # what CLIP was trained to, arXiv 2103.00020; for checkpoints that do not say theirs
NEIGHBORS = 5
GROUPS = 5  # of negative words; the paper has 100 for its 10,000

Needs = Literal["", "negatives", "examples", "patches", "both"]
Fit = TypeVar("Fit")


def cosine(queries: np.ndarray, known: Known) -> np.ndarray:
    """Cosine (b, k) of every query with every class anchor."""
    # rounding takes the cosine of a vector with itself beyond 1, and its novelty below 0
    return np.clip(_unit_queries(queries, known) @ known.anchors.T, -1, 1)


def text_cosine(queries: np.ndarray, known: Known) -> np.ndarray:
    """Cosine (b, k) of every query with every class's name, or its anchor in a bank that has no names."""
    if not known.text.size:
        return cosine(queries, known)
    return np.clip(_unit_queries(queries, known) @ known.text.T, -1, 1)


def max_cosine(queries: np.ndarray, known: Known) -> np.ndarray:
    """1 - max_c cos(z, a_c): distance to the best anchor, 0 (the anchor itself) to 2 (its opposite)."""
    return by_names.max_cosine_distance(cosine(queries, known))


def mcm(queries: np.ndarray, known: Known) -> np.ndarray:
    """`by_names.softmax_uncertainty` at the checkpoint's own temperature, CLIP's where it does not say one."""
    return by_names.softmax_uncertainty(text_cosine(queries, known), _temperature(known))


def energy(queries: np.ndarray, known: Known) -> np.ndarray:
    """`by_names.energy`, likewise."""
    return by_names.energy(text_cosine(queries, known), _temperature(known))


def entropy(queries: np.ndarray, known: Known) -> np.ndarray:
    """`by_names.entropy`, likewise."""
    return by_names.entropy(text_cosine(queries, known), _temperature(known))


def margin(queries: np.ndarray, known: Known) -> np.ndarray:
    """`by_names.margin_uncertainty`, likewise."""
    return by_names.margin_uncertainty(text_cosine(queries, known), _temperature(known))


def neglabel(queries: np.ndarray, known: Known) -> np.ndarray:
    """`by_names.negative_label_share` against the bank's negative words."""
    if not known.negatives.size:
        raise InputError(f"the known classes of {known.identity} have no negative words; expected at least one")
    negatives = np.clip(_unit_queries(queries, known) @ known.negatives.T, -1, 1)
    groups = min(GROUPS, len(known.negatives))
    return by_names.negative_label_share(text_cosine(queries, known), negatives, _temperature(known), groups)


def prototype_distance(queries: np.ndarray, known: Known) -> np.ndarray:
    """min_c |z - p_c|, z and p_c unit vectors, p_c the mean of class c's examples: 0 to 2.

    Snell et al., "Prototypical networks", arXiv 1703.05175, on the unit sphere.
    """
    return _chord(by_examples.prototype_cosine_distance(_unit_queries(queries, known), _prototypes(known)))


def nearest_distance(queries: np.ndarray, known: Known) -> np.ndarray:
    """min_i |z - s_i| over all examples s_i, unit vectors: 0 to 2.

    The nearest neighbor of 3DOS, arXiv 2207.11554; Sun et al., arXiv 2204.06507, with k = 1.
    """
    return _chord(by_examples.nearest_cosine_distance(_unit_queries(queries, known), _examples(known)))


def knn(queries: np.ndarray, known: Known) -> np.ndarray:
    """|z - s_(5)|, unit vectors, s_(5) the fifth nearest example: 0 to 2. Of fewer examples the farthest.

    Sun et al., "Out-of-distribution detection with deep nearest neighbors", arXiv 2204.06507.
    """
    k = min(NEIGHBORS, len(_examples(known)))
    return _chord(by_examples.knn_distance(_unit_queries(queries, known), known.examples, k))


def mahalanobis(queries: np.ndarray, known: Known) -> np.ndarray:
    """`by_examples.mahalanobis_distance` of unit vectors."""
    return by_examples.mahalanobis_distance(_unit_queries(queries, known), _fitted(known, _gaussian))


def relative_mahalanobis(queries: np.ndarray, known: Known) -> np.ndarray:
    """`by_examples.relative_mahalanobis_distance` of unit vectors."""
    return by_examples.relative_mahalanobis_distance(_unit_queries(queries, known), _fitted(known, _gaussian))


def vim(queries: np.ndarray, known: Known) -> np.ndarray:
    """`by_examples.vim`, with the cosines of names, or of prototypes, over the temperature as logits."""
    logits = text_cosine(queries, known) / _temperature(known)
    return by_examples.vim(_unit_queries(queries, known), logits, _fitted(known, _subspace))


def vote_entropy(patches: np.ndarray, known: Known) -> np.ndarray:
    """`by_patches.vote_entropy` of patch tokens (b, p, w) against those of the examples."""
    return by_patches.vote_entropy(patches, known.patches, known.patch_labels, len(known.names))


def rank_fusion(queries: np.ndarray, known: Known) -> np.ndarray:
    """min_c of the mean of two ranks, by name and by prototype, among the known examples: 0 to 1.

    Class by class, so that a class known by name only is judged by its name. See `fusion.rank_fusion`.
    """
    return _fused_by_class(queries, known, "ranks").min(axis=1)


def p_value_fusion(queries: np.ndarray, known: Known) -> np.ndarray:
    """min_c of -ln P, P Fisher's p value of two, by name and by prototype, against the known examples: from 0.

    Class by class, so that a class known by name only is judged by its name. See `fusion.p_value_fusion`.
    """
    return _fused_by_class(queries, known, "p values").min(axis=1)


def nearest_anchor(queries: np.ndarray, known: Known) -> np.ndarray:
    """Index (b,) of the class whose anchor has the largest cosine."""
    return cosine(queries, known).argmax(axis=1)


def nearest_name(queries: np.ndarray, known: Known) -> np.ndarray:
    """Index (b,) of the class whose name, or anchor in a bank without names, has the largest cosine."""
    return text_cosine(queries, known).argmax(axis=1)


def nearest_example(queries: np.ndarray, known: Known) -> np.ndarray:
    """Index (b,) of the class of the nearest example."""
    return known.labels[nearest(_unit_queries(queries, known), _examples(known))[1][:, 0]]


def nearest_prototype(queries: np.ndarray, known: Known) -> np.ndarray:
    """Index (b,) of the class, among those with examples, whose mean example has the largest cosine."""
    classes = np.unique(known.labels)
    return classes[(_unit_queries(queries, known) @ _prototypes(known).T).argmax(axis=1)]


def most_votes(patches: np.ndarray, known: Known) -> np.ndarray:
    """Index (b,) of the class that most patches lie nearest to; the first of several."""
    b, p, w = patches.shape
    votes = known.patch_labels[nearest(patches.reshape(-1, w), known.patches)[1][:, 0]].reshape(b, p)
    return np.stack([(votes == c).sum(axis=1) for c in range(len(known.names))], axis=1).argmax(axis=1)


def _fused_nearest(how: Literal["ranks", "p values"], queries: np.ndarray, known: Known) -> np.ndarray:
    """Index (b,) of the class with the least fused novelty; of several, that whose name has the largest cosine."""
    fused = _fused_by_class(queries, known, how)
    # ranks and p values have few steps: what lies beyond all references is equally far from every class
    least = fused <= fused.min(axis=1, keepdims=True)
    return np.where(least, text_cosine(queries, known), -np.inf).argmax(axis=1)


@dataclass(frozen=True)
class Score:
    """A method: its novelty (b,), the class (b,) it finds nearest, and what the bank needs for it.

    needs: "" for any bank, "negatives" for names with negative words, "examples", "patches" (of the examples, and
    patch tokens as queries), "both" for names and examples.
    """

    novelty: Callable[[np.ndarray, Known], np.ndarray]
    nearest: Callable[[np.ndarray, Known], np.ndarray]
    needs: Needs = ""


SCORES = {
    "max_cosine": Score(max_cosine, nearest_anchor),
    "mcm": Score(mcm, nearest_name),
    "energy": Score(energy, nearest_name),
    "entropy": Score(entropy, nearest_name),
    "margin": Score(margin, nearest_name),
    "neglabel": Score(neglabel, nearest_name, "negatives"),
    "prototype_distance": Score(prototype_distance, nearest_prototype, "examples"),
    "nearest_distance": Score(nearest_distance, nearest_example, "examples"),
    "knn": Score(knn, nearest_example, "examples"),
    "mahalanobis": Score(mahalanobis, nearest_prototype, "examples"),
    "relative_mahalanobis": Score(relative_mahalanobis, nearest_prototype, "examples"),
    "vim": Score(vim, nearest_anchor, "examples"),
    "vote_entropy": Score(vote_entropy, most_votes, "patches"),
    "rank_fusion": Score(rank_fusion, partial(_fused_nearest, "ranks"), "both"),
    "p_value_fusion": Score(p_value_fusion, partial(_fused_nearest, "p values"), "both"),
}

# what is taken where no method is named; the evidence stands in README.md, by `python -m benchmarks.scores`
# where some classes have examples and some have none, names are the one thing that all of them have
DEFAULTS = {"names": "max_cosine", "examples": "prototype_distance", "both": "energy"}


def find_score(method: str, known: Literal["names", "examples", "both"] | None) -> Score:
    """The score called `method`; raises `UnknownNameError` with the closest names, or says what it lacks.

    known: how the classes are known: by name, by example, or some this way and some that; None leaves that to
    `check_bank`.

    >>> find_score("knn", "examples").needs
    'examples'
    """
    if not isinstance(method, str) or method not in SCORES:
        close = difflib.get_close_matches(str(method), SCORES, n=2, cutoff=0.4)
        hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise UnknownNameError(f"unknown method {method!r}; known: {', '.join(SCORES)}{hint}")
    score = SCORES[method]
    if known and score.needs not in USABLE[known]:
        usable = ", ".join(name for name, other in SCORES.items() if other.needs in USABLE[known])
        raise InputError(f"method {method!r} needs {_LACKS[known]}. With these: {usable}")
    return score


USABLE: dict[str, tuple[Needs, ...]] = {
    "names": ("", "negatives"),
    "examples": ("", "examples", "patches", "both"),
    "both": ("", "both"),
}
_LACKS = {
    "names": "example shapes, known={name: shapes}; the known classes are names only",
    "examples": "names and nothing else, known=[name, ...]; the known classes come with examples",
    "both": "examples of every class, or names only; some of the known classes have examples and some have none",
}


def check_bank(score: Score, method: str, known: Known) -> None:
    """Raises `InputError` where a bank lacks what a score needs."""
    have = {
        "": True,
        "negatives": known.negatives.size > 0,
        "examples": len(known.examples) > 0,
        "patches": len(known.patches) > 0,
        "both": len(known.examples) > 0 and known.text.size > 0,
    }
    if not have[score.needs]:
        raise InputError(
            f"method {method!r} needs a bank with {_MAKES[score.needs]}; that of {known.identity} has none. "
            f"With it: {', '.join(name for name, other in SCORES.items() if have[other.needs])}"
        )


_MAKES = {
    "negatives": "negative words, Known.from_names(names, text, negatives=words)",
    "examples": "example shapes, Known.from_examples(...)",
    "patches": "patch tokens, Known.from_examples(..., patches=True)",
    "both": "names and examples, Known.from_both(...)",
}


def _temperature(known: Known) -> float:
    return CLIP_TEMPERATURE if known.temperature is None else known.temperature


def _unit_queries(queries: np.ndarray, known: Known) -> np.ndarray:
    queries = np.asarray(queries)
    if queries.ndim != 2 or queries.shape[1] != known.dim:
        raise MixedEncodersError(
            f"queries have the shape {queries.shape}, the known classes of {known.identity} have embeddings of "
            f"{known.dim}; expected (b, {known.dim}) from the same encoder"
        )
    return unit(queries, "query")


def _chord(distance: np.ndarray) -> np.ndarray:
    """Distance of two unit vectors from 1 - their cosine."""
    return np.sqrt(np.maximum(2 * distance, 0))


def _examples(known: Known) -> np.ndarray:
    if not len(known.examples):
        raise InputError(f"the known classes of {known.identity} are names only; expected example shapes")
    return known.examples


def _prototypes(known: Known) -> np.ndarray:
    """Unit mean examples (k, d) of the classes that have examples."""
    _examples(known)
    return known.anchors[np.unique(known.labels)]


# what is fitted to a bank once; forgotten with the bank
_FITS: WeakKeyDictionary[Known, dict[object, object]] = WeakKeyDictionary()


def _fitted(known: Known, fit: Callable[[Known], Fit]) -> Fit:
    fits = _FITS.setdefault(known, {})
    if fit not in fits:
        fits[fit] = fit(known)
    return fits[fit]  # type: ignore[return-value]


def _gaussian(known: Known) -> by_examples.Gaussian:
    return by_examples.Gaussian.fit(_examples(known), known.labels)


def _subspace(known: Known) -> by_examples.Subspace:
    """Of half as many directions as there are numbers, or examples: the paper's are 1,000 of 2,048."""
    m, d = _examples(known).shape
    logits = text_cosine(known.examples, known) / _temperature(known)
    return by_examples.Subspace.fit(known.examples, logits, max(1, min(m, d) // 2))


@dataclass(frozen=True, eq=False)
class _Reference:
    """How novel the known examples (m,) are to their own class: by its name, and by its other examples."""

    by_name: np.ndarray
    by_prototype: np.ndarray


def _reference(known: Known) -> _Reference:
    if not known.text.size:
        raise InputError(f"the known classes of {known.identity} are examples only; expected names too")
    own_name = 1 - np.einsum("md,md->m", _examples(known), known.text[known.labels])
    return _Reference(own_name, _left_out(known.examples, known.labels))


def _left_out(examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """1 - cosine (m,) of each example with the mean of the others of its class; of a single one, 1."""
    sums = np.stack([examples[labels == c].sum(axis=0) for c in range(labels.max() + 1)])
    rest = sums[labels] - examples
    lengths = np.linalg.norm(rest, axis=1)
    cosines = np.einsum("md,md->m", examples, rest) / np.where(lengths > 0, lengths, 1)
    return 1 - cosines


def _fused_by_class(queries: np.ndarray, known: Known, how: Literal["ranks", "p values"]) -> np.ndarray:
    """Novelty (b, k) of every query to every class, by its name and, where it has examples, by these too."""
    reference = _fitted(known, _reference)
    z = _unit_queries(queries, known)
    classes = np.unique(known.labels).tolist()
    novelty = np.empty((len(z), len(known.names)))
    for c in range(len(known.names)):
        parts = [(1 - z @ known.text[c], reference.by_name)]
        if c in classes:
            parts.append((1 - z @ known.anchors[c], reference.by_prototype))
        if how == "ranks":
            novelty[:, c] = fusion.rank_fusion(*zip(*parts, strict=True))
        else:
            novelty[:, c] = fusion.p_value_fusion([p_values(found, among) for found, among in parts])
    return novelty
