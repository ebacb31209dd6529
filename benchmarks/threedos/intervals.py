"""Bootstrap 95 % intervals of AUROC, FPR95, AUPR and accuracy over test objects.

Objects are resampled with replacement. Each resample is used for all sampling seeds, and the figure is the mean over
the seeds. The draws are integers of numpy's `RandomState`, which never change for a seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.intervals import PERCENTILES
from openshape_ood.decisions.metrics import ood_metrics

Pairs = Sequence[tuple[np.ndarray, np.ndarray]]  # per sampling seed: novelty of known (m,) and of novel objects (n,)
Interval = tuple[float, float]
Difference = tuple[float, float, float]

HELD = 2**16  # draws times objects per block, for 5 MiB of temporary arrays; larger blocks are not faster


def metric_intervals(pairs: Pairs, draws: int = 1000, seed: int = 0) -> dict[str, Interval]:
    """Metric -> (low, high) of its mean over the pairs, as fractions. All pairs have the same objects in one order.

    Known and novel objects are resampled separately. Novel 1 and novel 2 are resampled together.
    """
    (means,) = _resampled_means([pairs], draws, seed)
    return {name: _interval(values) for name, values in means.items()}


def paired_differences(base: Pairs, other: Pairs, draws: int = 1000, seed: int = 0) -> dict[str, Difference]:
    """Metric -> (mean of other - mean of base, low, high); both use the same resamples."""
    now = [_means([ood_metrics(*pair) for pair in pairs]) for pairs in (base, other)]
    return _differences(now, _resampled_means([base, other], draws, seed))


def accuracy_intervals(right: np.ndarray, titles: np.ndarray, draws: int = 1000, seed: int = 0) -> dict[str, Interval]:
    """(low, high) of accuracy and balanced accuracy, from right (s, m) bool of s seeds and true titles (m,).

    Objects are resampled within their class, so class sizes do not change.
    """
    (drawn,) = _resampled_accuracies([right], titles, draws, seed)
    return {name: _interval(values) for name, values in drawn.items()}


def accuracy_differences(
    base: np.ndarray, other: np.ndarray, titles: np.ndarray, draws: int = 1000, seed: int = 0
) -> dict[str, Difference]:
    """(other - base, low, high) of accuracy and balanced accuracy; both use the same resamples."""
    _, labels = np.unique(titles, return_inverse=True)
    sizes = np.bincount(labels)
    now = [_accuracies((np.bincount(labels, weights=r.mean(axis=0)) / sizes)[None], sizes) for r in (base, other)]
    now = [{name: value.item() for name, value in side.items()} for side in now]
    return _differences(now, _resampled_accuracies([base, other], titles, draws, seed))


def weighted_metrics(
    known: np.ndarray, novel: np.ndarray, known_weights: np.ndarray, novel_weights: np.ndarray
) -> dict[str, np.ndarray]:
    """auroc, fpr95, aupr_in and aupr_out (draws,) of weighted novelty known (m,) and novel (n,).

    Weights (draws, m) and (draws, n) are integers. Each value equals `ood_metrics` on the repeated scores.
    """
    thresholds = np.unique(np.concatenate([known, novel]))
    kept, taken = _accepted(known, known_weights, thresholds), _accepted(novel, novel_weights, thresholds)
    return {
        "auroc": (np.diff(taken) * (kept[:, 1:] + kept[:, :-1])).sum(axis=1) / (2 * kept[:, -1] * taken[:, -1]),
        "fpr95": _fpr95(kept, taken),
        "aupr_in": _aupr(kept, taken),
        "aupr_out": _aupr(_rejected(taken), _rejected(kept)),
    }


def _accepted(scores: np.ndarray, weights: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Number of objects at or below each threshold (draws, 1 + thresholds). Sums of integers are exact."""
    order = np.argsort(scores)
    sums = np.zeros((len(weights), 1 + len(scores)), dtype=np.float64)
    np.cumsum(weights.take(order, axis=1), axis=1, out=sums[:, 1:])
    steps = np.searchsorted(scores[order], thresholds, side="right")
    # unlike sums[:, steps], `take` gives contiguous rows, whose sums do not depend on the block size
    return sums.take(np.concatenate([[0], steps]), axis=1)


def _rejected(accepted: np.ndarray) -> np.ndarray:
    """Number of objects above each threshold, ascending, from `_accepted`."""
    return np.ascontiguousarray((accepted[:, -1:] - accepted)[:, ::-1])


def _fpr95(kept: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """FPR at TPR 0.95, interpolated linearly. On a flat part of the curve the last point counts, as in np.interp."""
    # an exact comparison works, because 19 n / 20 n is the float 0.95 for every n
    tpr = kept / kept[:, -1:]
    before = (tpr <= 0.95).sum(axis=1) - 1
    draw = np.arange(len(tpr))
    x0, x1 = tpr[draw, before], tpr[draw, before + 1]
    y0, y1 = (taken[draw, at] / taken[:, -1] for at in (before, before + 1))
    return y0 + (y1 - y0) / (x1 - x0) * (0.95 - x0)


def _aupr(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Area under precision over recall by trapezoids, from (recall 0, precision 1), as in scikit-learn."""
    both = positive + negative
    precision = np.divide(positive, both, out=np.ones_like(both), where=both > 0)
    areas = np.diff(positive) * (precision[:, 1:] + precision[:, :-1])
    return areas.sum(axis=1) / (2 * positive[:, -1])


def _resampled_means(sides: Sequence[Pairs], draws: int, seed: int) -> list[dict[str, np.ndarray]]:
    """For each side, metric -> mean over its pairs (draws,); all pairs use the same resamples."""
    random, counts, blocks = np.random.RandomState(seed), list(map(len, sides[0][0])), []
    for block in _blocks(draws, sum(counts)):
        # drawing one resample after the other makes the random numbers independent of the block size
        drawn = [[random.randint(count, size=count, dtype=np.int64) for count in counts] for _ in range(block)]
        known, novel = (np.stack([np.bincount(d[i], minlength=counts[i]) for d in drawn]) for i in (0, 1))
        blocks.append([_means([weighted_metrics(*pair, known, novel) for pair in pairs]) for pairs in sides])
    return [{name: np.concatenate([of[name] for of in side]) for name in side[0]} for side in zip(*blocks, strict=True)]


def _means(metrics: Sequence[dict]) -> dict:
    return {name: np.mean([m[name] for m in metrics], axis=0) for name in metrics[0]}


def _blocks(draws: int, objects: int) -> Iterator[int]:
    block = max(1, HELD // objects)
    for start in range(0, draws, block):
        yield min(block, draws - start)


def _resampled_accuracies(
    sides: Sequence[np.ndarray], titles: np.ndarray, draws: int, seed: int
) -> list[dict[str, np.ndarray]]:
    """For each side (s, m), accuracy and balanced accuracy (draws,); all use the same resamples."""
    random = np.random.RandomState(seed)
    _, labels = np.unique(titles, return_inverse=True)
    sizes, shares = np.bincount(labels), [right.mean(axis=0) for right in sides]
    recalls = [np.empty((draws, len(sizes))) for _ in sides]
    # drawing all resamples of a class at a time makes the random numbers independent of the block size
    for label, count in enumerate(sizes.tolist()):
        members, start = np.flatnonzero(labels == label), 0
        for block in _blocks(draws, count):
            objects = members[random.randint(count, size=(block, count), dtype=np.int64)]
            for recall, share in zip(recalls, shares, strict=True):
                recall[start : start + block, label] = share[objects].mean(axis=1)
            start += block
    return [_accuracies(side, sizes) for side in recalls]


def _accuracies(recalls: np.ndarray, sizes: np.ndarray) -> dict[str, np.ndarray]:
    """Accuracy and balanced accuracy (draws,) from recalls (draws, classes) and class sizes."""
    return {"accuracy": np.average(recalls, axis=1, weights=sizes), "balanced_accuracy": recalls.mean(axis=1)}


def _interval(values: np.ndarray) -> Interval:
    low, high = np.percentile(values, PERCENTILES)
    return float(low), float(high)


def _differences(now: Sequence[dict], drawn: Sequence[dict[str, np.ndarray]]) -> dict[str, Difference]:
    """Figure -> (second - first, low, high)."""
    return {
        name: (float(now[1][name] - now[0][name]), *_interval(drawn[1][name] - values))
        for name, values in drawn[0].items()
    }
