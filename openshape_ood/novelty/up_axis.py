"""Search for the up axis of a set of shapes without a stated axis: the axis under which the known classes fit best.

A single shape is ambiguous: a table on its side looks like a shelf. For a set, the best axis must meet two conditions.
First, the mean novelty is significantly lower than under the next best axis, in a paired test. Second, clearly more
shapes are kept as known than under any other axis. If all shapes are novel, no axis meets the second condition, and the
result is "undecided".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from openshape_ood.checks import check_whole, originals, unit_or_zero
from openshape_ood.encoders.loading import text_of
from openshape_ood.encoders.protocols import Encoder, NamesEncoder, check_encoders
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.scoring import METHODS, judge
from openshape_ood.scoring.methods import fitted, kind_of
from openshape_ood.scoring.text_scores import negative_words
from openshape_ood.shapes.points import UPS, check_up
from openshape_ood.shapes.shape import Shape, list_shapes

SCANS = ("y", "z", "-y")  # two world frames, and the frame of most cameras, where y points down
SIGNIFICANCE = 0.01  # significance level of the paired test
RISE = 0.15  # minimum of `UpAxis.margin`
COVERAGE = 0.95  # fraction of the examples that count as known
MOST = 200  # maximum number of shapes to compare; more are sampled evenly
FALLBACK = "y"

Judging = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # rows (n, d) -> novelty (n,), kept (n,)


@dataclass(frozen=True)
class UpAxis:
    """Up axis of a set of shapes, with the fit of the known classes under each axis.

    Attributes
    ----------
    axis : str or None
        "y", "z", ...; None means undecided.
    margin : float
        Fraction of shapes kept under the best axis, minus the largest fraction under any other axis; -1 to 1. The best
        axis has the lowest mean novelty.
    kept, novelty : mapping
        Fraction of the shapes kept as known, and mean novelty, for each axis.
    p_value : float
        p-value of a one-sided paired t test of the novelties under the best and the next best axis.
    shapes : int
        Number of compared shapes.

    Examples
    --------
    >>> print(UpAxis("z", 0.6, {"y": 0.4, "z": 1.0}, {"y": 0.8, "z": 0.5}, 1e-9, 42))
    z is up: the known classes fit 100 % of 42 shapes under z, 40 % under y
    """

    axis: str | None
    margin: float
    kept: Mapping[str, float] = field(hash=False)
    novelty: Mapping[str, float] = field(hash=False)
    p_value: float
    shapes: int

    def __str__(self) -> str:
        others = ", ".join(f"{_percent(self.kept[a])} under {a}" for a in self._ranked() if a != self.axis)
        if self.axis is not None:
            fit = f"{_percent(self.kept[self.axis])} of {self.shapes} shapes under {self.axis}, {others}"
            return f"{self.axis} is up: the known classes fit {fit}"
        shapes = f"{self.shapes} shape{'s' * (self.shapes != 1)}"
        return f"the up axis of {shapes} is undecided: the known classes fit {others}"

    def _ranked(self) -> list[str]:
        return sorted(self.kept, key=lambda axis: -self.kept[axis])

    def as_json(self) -> dict[str, Any]:
        """All fields as strings and numbers."""
        counted = {"axis": self.axis, "margin": self.margin, "p_value": self.p_value, "shapes": self.shapes}
        return counted | {"kept": dict(self.kept), "novelty": dict(self.novelty)}


def find_up(
    shapes: Any,
    known: KnownClasses,
    *,
    encoder: Encoder,
    text: NamesEncoder | None = None,
    candidates: Sequence[str] | None = None,
    seed: int = 0,
    num_samples: int = 1,
    batch_size: int = 32,
    progress: bool = False,
) -> UpAxis:
    """Find the common up axis of shapes, or "undecided".

    At most 200 shapes are encoded, once for each axis. Axes stated in files are ignored here;
    `score_novelty(..., up="auto")` uses them.

    Parameters
    ----------
    shapes : shapes
        Any form that `ShapeEncoder.encode` takes, b shapes of one source. For a single shape the result is "undecided".
    known : KnownClasses
        With examples, a shape counts as known if its novelty is at most the 95 % quantile of the examples. Each example
        is scored against the others. With names only, a shape counts as known if it is nearer to a known name than to
        every negative word (`negative_words`). A threshold of `known` is ignored.
    encoder : Encoder
    text : NamesEncoder, optional
        Encoder of the negative words, if the known classes have none. Default: the encoder's text encoder.
    candidates : sequence of axes, optional
        Two or more axes. Default: y, z and -y, the axes of scanners and cameras. If every shape is a mesh (PLY
        counts as a cloud): all six axes, because CAD programs have no common up axis.
    seed, num_samples, batch_size, progress
        As in `ShapeEncoder.encode`.

    Returns
    -------
    UpAxis

    Examples
    --------
    >>> from openshape_ood import KnownClasses, ShapeEncoder, TextEncoder
    >>> from openshape_ood.synthetic import sample
    >>> known = KnownClasses.from_names(["chair", "table"], TextEncoder.from_pretrained("tiny"))
    >>> lying = [sample(name, 1024, seed)[:, [0, 2, 1]] for name in ("chair", "table") for seed in range(8)]
    >>> find_up(lying, known, encoder=ShapeEncoder.from_pretrained("tiny")).axis
    'z'
    """
    check_encoders(encoder, text)
    listed = list_shapes(shapes)
    known.check_fits(encoder.identity)
    judged = judging(known, encoder, text)
    settings = {"seed": seed, "num_samples": num_samples, "batch_size": batch_size, "progress": progress}
    sample = [listed[i] for i in spread(len(listed), MOST)]
    return _compared(_encoded(sample, plausible(sample, candidates), encoder, settings), judged)


def compare_axes(novelty: Mapping[str, np.ndarray], kept: Mapping[str, np.ndarray]) -> UpAxis:
    """Best up axis, from the novelty (n,) of n shapes and the mask (n,) of shapes kept as known, for each axis.

    Examples
    --------
    >>> novelty = {"y": np.array([0.9, 0.8, 0.7, 0.9]), "z": np.array([0.2, 0.3, 0.1, 0.2])}
    >>> compare_axes(novelty, {axis: values < 0.5 for axis, values in novelty.items()}).axis
    'z'
    """
    means = {axis: float(np.mean(values)) for axis, values in novelty.items()}
    shares = {axis: float(np.mean(values)) for axis, values in kept.items()}
    best, second, *_ = sorted(means, key=lambda axis: means[axis])
    margin = shares[best] - max(share for axis, share in shares.items() if axis != best)
    # copies of one shape count once, because they have the same novelty under every axis
    apart = np.unique(originals(np.stack([*novelty.values()], axis=1)))
    p_value = _paired((novelty[second] - novelty[best])[apart])
    chosen_axis = best if p_value < SIGNIFICANCE and margin > RISE else None
    return UpAxis(chosen_axis, margin, shares, means, p_value, len(novelty[best]))


def _paired(differences: np.ndarray) -> float:
    """One-sided p-value of a t test that the mean of differences (n,) is positive."""
    from scipy.special import stdtr

    n = len(differences)
    spread = np.std(differences, ddof=1) if n > 1 else 0.0
    return float(stdtr(n - 1, -np.mean(differences) * np.sqrt(n) / spread)) if spread else 1.0


def _compared(encoded: Mapping[str, np.ndarray], judged: Judging) -> UpAxis:
    novelty = {axis: judged(rows) for axis, rows in encoded.items()}
    return compare_axes(
        {axis: n for axis, (n, _) in novelty.items()}, {axis: kept for axis, (_, kept) in novelty.items()}
    )


def judging(known: KnownClasses, encoder: Any, text: NamesEncoder | None = None) -> Judging:
    """Function from rows to their novelty and the mask of rows that count as known, as `find_up` defines it."""
    if kind_of(known) == "examples":
        scorer: Any = fitted(METHODS["prototype_distance"], known)
        labels, left_out = known.labeled_examples()[1], scorer.left_out(known)
        several = np.bincount(labels)[labels] > 1
        limit = np.quantile(left_out[several] if several.any() else left_out, COVERAGE)

        def by_examples(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            novelty = judge(rows, known, "prototype_distance").novelty
            return novelty, novelty <= limit

        return by_examples
    names: Any = known.text
    words: Any = known.negatives
    if by_words(known):
        text = text or text_of(encoder)
        others = [word for word in negative_words(text) if word not in known.names]
        words = KnownClasses.from_names(known.names, text, negatives=others).negatives

    def by_names(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = unit_or_zero(rows)
        kept = (z @ names.T).max(axis=1) > (z @ words.T).max(axis=1)
        return judge(rows, known, "max_cosine").novelty, kept

    return by_names


def by_words(known: KnownClasses) -> bool:
    """True if the text encoder must embed the negative words."""
    return kind_of(known) != "examples" and known.negatives is None


def plausible(shapes: Sequence[Shape], given: Sequence[str] | None = None) -> tuple[str, ...]:
    """Plausible up axes of shapes of one source. If axes are given, they are validated and returned."""
    if given is None:
        return UPS if all(shape.is_surface for shape in shapes) else SCANS
    axes = tuple(dict.fromkeys(check_up(axis, "a candidate") for axis in given))
    if len(axes) < 2:
        raise InputError(f"candidates are {', '.join(axes) or 'none'}. Expected at least two axes. Give more axes.")
    return axes


def spread(count: int, most: int) -> list[int]:
    """At most `most` indices spread evenly over `count`."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int)).tolist() if count else []


def _encoded(
    shapes: Sequence[Shape], axes: Sequence[str], encoder: Any, settings: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Embeddings (n, d) under every axis. Files are read once, unless `num_samples` is above 1."""
    once, size = settings["num_samples"] == 1 and hasattr(encoder, "spec"), settings["batch_size"]
    rows_by_axis: dict[str, list[np.ndarray]] = {axis: [] for axis in axes}
    for start in range(0, len(shapes), check_whole(size, "batch_size")):
        batch = shapes[start : start + size]
        values = [s.cloud(encoder.spec.count, settings["seed"]) if once else s.value for s in batch]
        for axis in axes:
            rows_by_axis[axis].append(encoder.encode(values, up=axis, **settings))
    return {axis: np.concatenate(rows) for axis, rows in rows_by_axis.items()}


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
