"""discover: groups of novel rows.

The result does not depend on the order of the rows: they are sorted by value, and duplicates are grouped once. The same
embeddings, settings and seed give the same groups with the same numbers.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from openshape_ood.checks import check_rows, check_seed, check_whole, originals, unit
from openshape_ood.decisions.calibration import calibration_needed
from openshape_ood.decisions.threshold import Threshold, check_threshold
from openshape_ood.discovery.grouping import Grouping, find_grouping, sample_of, spread_labels, stability
from openshape_ood.discovery.result import Discovery, Group, Suggestion, text_for
from openshape_ood.encoders.protocols import Embeddings, Identity, NamesEncoder
from openshape_ood.errors import ClassNamesError, InputError, MixedEncodersError
from openshape_ood.known import folded

SUGGESTED = 3  # names per group
COVERAGE = 0.95  # fraction of the known classes whose name must fit their rows; sets the threshold for names
LEAST_CLASSES = 4  # with fewer classes, the threshold would reject more than one correct name in five


def discover(
    judgement: Any,
    embeddings: Embeddings,
    names: Sequence[str] | None = None,
    *,
    text: NamesEncoder | None = None,
    threshold: Threshold | None = None,
    grouping: str | Grouping = "hdbscan",
    min_size: int = 5,
    seed: int = 0,
) -> Discovery:
    """Group the novel rows and suggest names for the groups.

    A name fits a group if its median cosine with the group's rows reaches a threshold. The threshold is calibrated on
    the known classes: each class gives the median cosine between its name and its known rows. Known rows are rows that
    are not novel; a row belongs to its nearest class. The threshold accepts 95 % of the known classes, or k / (k + 1)
    if there are k < 19. Only classes with at least `min_size` distinct known rows count. With fewer than four such
    classes, there is no threshold. The text encoder must know the class names.

    If more than 5,000 distinct rows are novel, only a random sample of 5,000 is clustered. Every other row joins the
    group of its nearest sampled row, if it is near enough. The maximum distance is the 95 % quantile of the neighbor
    distances in that group. A group with fewer than `min_size` sampled rows is not found.

    Parameters
    ----------
    judgement : NoveltyResult or Judgement
        Result for b rows from `score_novelty` or a scorer. A `Judgement` has no class names, so `fits`
        is None for all groups.
    embeddings : Embeddings
        Embeddings of the same b rows, such as `result.embeddings`.
    names : sequence of str, optional
        Candidate names. Default: no suggestions.
    text : NamesEncoder, optional
        Text encoder of the names. Default: the text encoder of the embeddings' checkpoint.
    threshold : Threshold, optional
        Threshold for novel rows. Default: the threshold of `judgement`.
    grouping : {"hdbscan", "agglomerative"} or callable
        "hdbscan" groups by density; if it finds no separate groups, the densest part is the only group. "agglomerative"
        groups by average linkage of cosines, with the number of groups that has the largest silhouette. A function gets
        distinct unit rows (n, d) and `min_size`, and returns group numbers (n,); negative means no group.
    min_size : int
        Minimum number of distinct rows in a group, 2 or more.
    seed : int
        Seed of the random sample and of the stability.

    Returns
    -------
    Discovery
        It has no groups if fewer than `min_size` distinct rows are novel.

    Raises
    ------
    InputError
        If there is no threshold, the judgement belongs to other rows, or a value is invalid. `ClassNamesError`: the
        list of names is empty or has a blank name.
    MixedEncodersError
        If embeddings, threshold or names belong to another encoder.

    References
    ----------
    Campello, Moulavi and Sander, "Density-based clustering based on hierarchical density estimates", 2013; Hennig,
    "Cluster-wise assessment of cluster stability", 2007.

    Examples
    --------
    >>> from openshape_ood import score_novelty
    >>> from openshape_ood.synthetic import sample
    >>> shapes = [sample(name, 1024, seed) for name in ("sofa", "car", "guitar") for seed in range(8)]
    >>> calibration = [sample("sofa", 1024, seed) for seed in range(100, 119)]
    >>> result = score_novelty(shapes, ["sofa", "table"], model="tiny", calibration=calibration)
    >>> found = discover(result, result.embeddings, ["car", "guitar", "ladder"])
    >>> [(group.names[0].name, len(group)) for group in found.groups]
    [('car', 8), ('guitar', 8)]
    """
    check_seed(seed)
    check_whole(min_size, "min_size", 2)
    grouped = find_grouping(grouping)
    novel = _novel(judgement, embeddings, threshold)
    nearest = np.asarray(getattr(judgement, "nearest", ()))
    vocabulary, known = word_vectors(names, getattr(judgement, "classes", nearest), text, embeddings.identity)
    z = unit(embeddings.vectors, "embedding", embeddings.names)
    rows, owner = np.unique(z[novel], axis=0, return_inverse=True)
    sampled = sample_of(len(rows), seed)
    kept, same = np.unique(originals(rows[sampled]), return_inverse=True)
    clusters = grouped(rows[sampled][kept], min_size)
    stable = stability(rows[sampled][kept], clusters, grouped, min_size, seed)
    labels, owner = spread_labels(rows, sampled, clusters[same]), owner.ravel()
    order = np.argsort(owner, kind="stable")
    places, owned = np.flatnonzero(novel)[order], labels[owner[order]]
    members = [places[owned == g] for g in range(len(stable))]
    fits = name_threshold(z, ~novel, nearest, known, min_size)
    groups = []
    # largest group first; ties: the group with the smallest row in sorted order
    for number, g in enumerate(sorted(range(len(members)), key=lambda g: -len(members[g])), 1):
        inside = z[members[g]]
        outwards = np.argsort(-(inside @ inside.sum(axis=0)), kind="stable")
        cosines = sorted(((-float(np.median(inside @ v)), name) for name, v in vocabulary.items()))[:SUGGESTED]
        suggested = tuple(Suggestion(name, -cosine, folded(name) in known) for cosine, name in cosines)
        fit = None if fits is None else 1 - suggested[0].cosine <= fits.value
        groups.append(Group(number, members[g][outwards], float(stable[g]), suggested, fit))
    return Discovery(tuple(groups), novel, embeddings, fits, grouped=len(sampled))


def _novel(judgement: Any, embeddings: Embeddings, threshold: Threshold | None) -> np.ndarray:
    """Mask (b,) of novel rows. Raises errors if judgement, embeddings and threshold are not of the same rows."""
    if not hasattr(judgement, "novelty") or not isinstance(embeddings, Embeddings):
        given = f"{type(judgement).__name__} and {type(embeddings).__name__}"
        raise InputError(
            f"the arguments are {given}. Expected a result of score_novelty, and its Embeddings. "
            "Give result and result.embeddings."
        )
    check_rows(judgement.novelty, "the judgement", embeddings.vectors, "the embeddings")
    provenance = getattr(judgement, "provenance", None)
    if provenance is not None and not provenance.identity.fits(embeddings.identity):
        raise MixedEncodersError(
            f"the judgement is of rows by {provenance.identity}, but the embeddings are by {embeddings.identity}. "
            "Expected the same rows. Give result.embeddings."
        )
    if threshold is None:
        if not hasattr(judgement, "is_novel"):
            raise InputError(
                "there is no threshold between known and novel. Expected one, because a Judgement has none. "
                "Give threshold=."
            )
        return np.asarray(judgement.is_novel)
    check_threshold(threshold)
    if provenance is not None:
        threshold.check_fits(provenance)
    return threshold.is_novel(judgement.novelty)


def word_vectors(
    names: Sequence[str] | None, classes: np.ndarray, text: NamesEncoder | None, identity: Identity
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Unit vectors (d,) of the candidate names, and of the known class names. Without candidates, both are empty.

    The keys are the candidate names as given, and the class names as returned by `folded`.
    """
    if names is None:
        return {}, {}
    listed = [] if isinstance(names, str) else list(names)
    if not listed or not all(isinstance(name, str) and name.strip() for name in listed):
        raise ClassNamesError(
            f"names are {reprlib.repr(names)}. Expected a list of one or more nonempty names. "
            "Give such a list, or None."
        )
    known = sorted({name for name in classes.tolist() if isinstance(name, str)})
    words = {folded(word): word for word in (*known, *listed)}
    texts = list(words.values())
    rows = dict(zip(words, unit(text_for(identity, text).encode(texts), "the text embedding of", texts), strict=True))
    return {words[folded(name)]: rows[folded(name)] for name in listed}, {folded(c): rows[folded(c)] for c in known}


def name_threshold(
    z: np.ndarray, kept: np.ndarray, nearest: np.ndarray, vectors: Mapping[str, np.ndarray], min_size: int
) -> Threshold | None:
    """Threshold of 1 - cosine for a name that fits, as described in `discover`; None with too few classes.

    `kept` (b,) is True for known rows, and `vectors` are the unit vectors of the class names.
    """
    distances = []
    for name in np.unique(nearest[kept]) if vectors else ():
        rows = np.unique(z[kept & (nearest == name)], axis=0)
        if len(rows) >= min_size:
            distances.append(1 - float(np.median(rows @ vectors[folded(str(name))])))
    source = f"{len(distances)} classes and their names"
    if len(distances) >= calibration_needed(COVERAGE):
        return Threshold.from_novelty(distances, COVERAGE, source=source)
    if len(distances) < LEAST_CLASSES:
        return None
    return Threshold(max(distances), len(distances) / (len(distances) + 1), np.array(distances), source=source)
