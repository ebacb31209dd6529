"""Bootstrap 95 % intervals: how far a figure would move with other objects of the same kind.

The unit is the object, not the embedding: a draw takes as many objects as there are, with replacement, and holds
the same ones against each sampling seed; the figure is the mean over the seeds. All draws come from numpy's
`RandomState`, whose stream is frozen, by whole numbers: the same seed gives the same draws for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.errors import InputError

Pairs = Sequence[tuple[np.ndarray, np.ndarray]]  # a sampling seed each: novelty of known (m,), of novel objects (n,)
Interval = tuple[float, float]
Difference = tuple[float, float, float]

PERCENTILES = (2.5, 97.5)
HELD = 2**16  # draws times objects worked on at once: 5 MiB of temporaries; more is no faster


def metric_intervals(pairs: Pairs, draws: int = 1000, seed: int = 0, *, held: int = HELD) -> dict[str, Interval]:
    """Metric -> (low, high) of its mean over the pairs: auroc, fpr95, aupr_in, aupr_out, as fractions.

    Each pair lists the same objects in the same order. Known and novel objects are resampled apart, each as one
    set: novel 1 and novel 2 together ("both") are concatenated by the caller and not stratified, so their shares
    vary a little from draw to draw. held: draws times objects worked on at once; it changes the memory taken only.
    Raises `InputError` for no pairs, other numbers of objects in one than in the next, no objects, NaN, infinity.
    """
    (means,) = _resampled_means([_checked(pairs)], draws, seed, held)
    return {name: _interval(values) for name, values in means.items()}


def paired_differences(
    base: Pairs, other: Pairs, draws: int = 1000, seed: int = 0, *, held: int = HELD
) -> dict[str, Difference]:
    """Metric -> (mean of other - mean of base, low, high), both under the same resample of the same objects.

    The objects are those of `metric_intervals`; base and other may differ in the number of sampling seeds.
    Raises `InputError` as that does, and if base and other list other numbers of objects.
    """
    sides = [_checked(base), _checked(other)]
    _check_alike(_counts(sides[0][0]), _counts(sides[1][0]), "base and other")
    now = [_means([ood_metrics(*pair) for pair in pairs]) for pairs in sides]
    means = _resampled_means(sides, draws, seed, held)
    return {
        name: (float(now[1][name] - now[0][name]), *_interval(means[1][name] - means[0][name])) for name in means[0]
    }


def accuracy_intervals(
    right: np.ndarray, titles: np.ndarray, draws: int = 1000, seed: int = 0, *, held: int = HELD
) -> dict[str, Interval]:
    """(low, high) of accuracy and balanced accuracy, means over s sampling seeds.

    right (s, m) bool: whether each object was named rightly under each seed; titles (m,): the true classes.
    Objects are resampled within their class, for both figures: no class vanishes from a draw, and the classes'
    shares are taken as given. Balanced accuracy is the mean over the classes of the share named rightly.
    Raises `InputError` for shapes or kinds other than these.
    """
    (drawn,) = _resampled_accuracies([_checked_right(right, titles)], titles, draws, seed, held)
    return {name: _interval(values) for name, values in drawn.items()}


def accuracy_differences(
    base: np.ndarray, other: np.ndarray, titles: np.ndarray, draws: int = 1000, seed: int = 0, *, held: int = HELD
) -> dict[str, Difference]:
    """(other - base, low, high) of accuracy and balanced accuracy, both under the same resample.

    base (s, m) and other (t, m) bool, of the same objects with the classes titles (m,); all as in
    `accuracy_intervals`.
    """
    sides = [_checked_right(base, titles), _checked_right(other, titles)]
    _, labels = np.unique(titles, return_inverse=True)
    recalls = [_recalls(right.mean(axis=0), labels) for right in sides]
    now = [_accuracies(r[None], np.bincount(labels)) for r in recalls]
    drawn = _resampled_accuracies(sides, titles, draws, seed, held)
    return {
        name: ((now[1][name] - now[0][name]).item(), *_interval(drawn[1][name] - drawn[0][name])) for name in now[0]
    }


def weighted_metrics(
    known: np.ndarray, novel: np.ndarray, known_weights: np.ndarray, novel_weights: np.ndarray
) -> dict[str, np.ndarray]:
    """auroc, fpr95, aupr_in, aupr_out, each (draws,), of objects that count several times or not at all.

    known (m,), novel (n,): novelty. known_weights (draws, m), novel_weights (draws, n): how often each object
    occurs, whole numbers. Each value is that of `openshape_ood.decisions.metrics.ood_metrics` on the repeated scores.
    Raises `InputError` for other shapes, weights below 0, or a draw without known or without novel objects.
    """
    known, novel = _checked_scores(known, "known"), _checked_scores(novel, "novel")
    known_weights = _checked_weights(known_weights, len(known), "known")
    novel_weights = _checked_weights(novel_weights, len(novel), "novel")
    if len(known_weights) != len(novel_weights):
        raise InputError(f"{len(known_weights)} draws of known and {len(novel_weights)} of novel; expected as many")
    thresholds = np.unique(np.concatenate([known, novel]))
    kept = _accepted(known, known_weights, thresholds)
    taken = _accepted(novel, novel_weights, thresholds)
    return {
        "auroc": _auroc(kept, taken),
        "fpr95": _fpr95(kept, taken),
        "aupr_in": _aupr(kept, taken),
        "aupr_out": _aupr(_rejected(taken), _rejected(kept)),
    }


def _accepted(scores: np.ndarray, weights: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many objects have at most each novelty: (draws, 1 + thresholds), from 0 to all of them.

    Whole numbers, so that sums are exact and objects of one novelty come in together.
    """
    order = np.argsort(scores)
    sums = np.zeros((len(weights), 1 + len(scores)), dtype=np.float64)
    np.cumsum(weights.take(order, axis=1), axis=1, out=sums[:, 1:])
    steps = np.searchsorted(scores[order], thresholds, side="right")
    # take, not sums[:, steps]: each draw's row lies in one piece, and is later summed alike in any block of draws
    return sums.take(np.concatenate([[0], steps]), axis=1)


def _rejected(accepted: np.ndarray) -> np.ndarray:
    """The same counted from the other end: how many have at least each novelty, from 0 to all."""
    return np.ascontiguousarray((accepted[:, -1:] - accepted)[:, ::-1])


def _auroc(kept: np.ndarray, taken: np.ndarray) -> np.ndarray:
    areas = np.diff(taken) * (kept[:, 1:] + kept[:, :-1])
    return areas.sum(axis=1) / (2 * kept[:, -1] * taken[:, -1])


def _fpr95(kept: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Linear between the points of the curve; where it is flat at 95 % exactly, the last of them, as np.interp."""
    # the quotient is compared as it stands: 19 of every 20 divided is the float 0.95, whatever their number
    tpr = kept / kept[:, -1:]
    before = (tpr <= 0.95).sum(axis=1) - 1
    draw = np.arange(len(tpr))
    x0, x1 = tpr[draw, before], tpr[draw, before + 1]
    y0, y1 = (taken[draw, at] / taken[:, -1] for at in (before, before + 1))
    return y0 + (y1 - y0) / (x1 - x0) * (0.95 - x0)


def _aupr(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Trapezoids under precision over recall, from (recall 0, precision 1), as scikit-learn draws the curve."""
    both = positive + negative
    precision = np.divide(positive, both, out=np.ones_like(both), where=both > 0)
    areas = np.diff(positive) * (precision[:, 1:] + precision[:, :-1])
    return areas.sum(axis=1) / (2 * positive[:, -1])


def _resampled_means(sides: Sequence[Pairs], draws: int, seed: int, held: int) -> list[dict[str, np.ndarray]]:
    """For each side, metric -> (draws,) mean over its pairs; every pair under the same resamples."""
    known, novel = _counts(sides[0][0])
    blocks = [
        [_means([weighted_metrics(*pair, *weights) for pair in pairs]) for pairs in sides]
        for weights in _resamples(known, novel, draws, seed, held)
    ]
    return [_joined(side) for side in zip(*blocks, strict=True)]


def _means(metrics: Sequence[dict]) -> dict:
    return {name: np.mean([m[name] for m in metrics], axis=0) for name in metrics[0]}


def _joined(blocks: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _resamples(known: int, novel: int, draws: int, seed: int, held: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """How often each object is drawn, (block, known) and (block, novel), a block of draws at a time."""
    random = np.random.RandomState(seed)
    for block in _blocks(draws, known + novel, held):
        # a draw after the other, known first: the stream is the same however the draws are blocked
        counts = [(_drawn(random, known), _drawn(random, novel)) for _ in range(block)]
        yield np.stack([k for k, _ in counts]), np.stack([n for _, n in counts])


def _drawn(random: np.random.RandomState, count: int) -> np.ndarray:
    """Multinomial counts (count,) of as many equal draws."""
    return np.bincount(random.randint(count, size=count, dtype=np.int64), minlength=count)


def _blocks(draws: int, objects: int, held: int) -> Iterator[int]:
    if draws < 1:
        raise InputError(f"{draws} bootstrap draws; expected at least one, as 1000")
    block = max(1, held // objects)
    for start in range(0, draws, block):
        yield min(block, draws - start)


def _resampled_accuracies(
    sides: Sequence[np.ndarray], titles: np.ndarray, draws: int, seed: int, held: int
) -> list[dict[str, np.ndarray]]:
    """For each side (s, m), accuracy and balanced accuracy (draws,), all under the same resamples."""
    random = np.random.RandomState(seed)
    _, labels = np.unique(titles, return_inverse=True)
    shares = [right.mean(axis=0) for right in sides]
    classes = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    # a class after the other, all draws of each: again the same stream in any blocks
    recalls = [_resampled_recalls([s[c] for s in shares], random, draws, held) for c in classes]
    sizes = np.bincount(labels)
    return [_accuracies(np.stack(side, axis=1), sizes) for side in zip(*recalls, strict=True)]


def _resampled_recalls(
    shares: Sequence[np.ndarray], random: np.random.RandomState, draws: int, held: int
) -> list[np.ndarray]:
    """Of the objects of one class: for each side (draws,), from each object's share of seeds named rightly."""
    count = len(shares[0])
    blocks = []
    for block in _blocks(draws, count, held):
        objects = random.randint(count, size=(block, count), dtype=np.int64)
        blocks.append([share[objects].mean(axis=1) for share in shares])
    return [np.concatenate(side) for side in zip(*blocks, strict=True)]


def _recalls(shares: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share named rightly of each class (classes,)."""
    return np.bincount(labels, weights=shares) / np.bincount(labels)


def _accuracies(recalls: np.ndarray, sizes: np.ndarray) -> dict[str, np.ndarray]:
    """Both figures (draws,) from the recall of each class (draws, classes) and the classes' sizes."""
    return {"accuracy": np.average(recalls, axis=1, weights=sizes), "balanced_accuracy": recalls.mean(axis=1)}


def _interval(values: np.ndarray) -> Interval:
    low, high = np.percentile(values, PERCENTILES)
    return float(low), float(high)


def _counts(pair: tuple[np.ndarray, np.ndarray]) -> tuple[int, int]:
    return len(pair[0]), len(pair[1])


def _checked(pairs: Pairs) -> list[tuple[np.ndarray, np.ndarray]]:
    if not len(pairs):
        raise InputError("no pairs of scores; expected (known, novel) for at least one sampling seed")
    checked = [(_checked_scores(known, "known"), _checked_scores(novel, "novel")) for known, novel in pairs]
    for pair in checked[1:]:
        _check_alike(_counts(checked[0]), _counts(pair), "two sampling seeds")
    return checked


def _check_alike(one: tuple[int, int], other: tuple[int, int], what: str) -> None:
    if one != other:
        raise InputError(
            f"{what} hold {one[0]} known and {one[1]} novel objects, and {other[0]} and {other[1]}; "
            "expected the same objects in the same order"
        )


def _checked_scores(values: np.ndarray, name: str) -> np.ndarray:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or not len(scores):
        raise InputError(f"scores {scores.shape} of {name} objects; expected novelty (count,) of at least one")
    if not np.isfinite(scores).all():
        raise InputError(f"the scores of {name} objects hold NaN or infinity; expected finite novelty")
    return scores


def _checked_weights(values: np.ndarray, count: int, name: str) -> np.ndarray:
    weights = np.asarray(values)
    if weights.ndim != 2 or weights.shape[1] != count or not np.issubdtype(weights.dtype, np.integer):
        raise InputError(
            f"weights {weights.shape} {weights.dtype} of {name} objects; expected whole numbers (draws, {count})"
        )
    if (weights < 0).any() or not weights.any(axis=1).all():
        raise InputError(f"weights below 0, or all 0 in a draw, of {name} objects; expected at least one object")
    return weights


def _checked_right(values: np.ndarray, titles: np.ndarray) -> np.ndarray:
    right, shape = np.asarray(values), np.shape(titles)
    if len(shape) != 1 or not shape[0]:
        raise InputError(f"titles {shape}; expected the class of at least one object, (m,)")
    if right.ndim != 2 or not len(right) or right.shape[1:] != shape or right.dtype != np.bool_:
        raise InputError(f"right {right.shape} {right.dtype}; expected bool (sampling seeds, {shape[0]})")
    return right
