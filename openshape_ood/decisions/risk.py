"""Conformal risk control: thresholds of novelty maps with a guaranteed rate of false marks on known, undamaged shapes.

There are two kinds of loss of a shape at a threshold. One is the fraction of its elements (points, pixels) above the
threshold. The other is 1 if a region is above the threshold, else 0. Both fall as the threshold rises. Let n
calibration shapes have losses of at most B. The chosen threshold is the smallest with (sum of losses + B) / (n + 1) <=
rate. If the calibration shapes and a new shape are exchangeable, the mean loss of the new shape is at most the rate.
The mean is over calibration sets and new shapes; it is not a bound for each shape.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from openshape_ood.checks import array, grouped
from openshape_ood.decisions.calibration import share_between
from openshape_ood.errors import InputError

LEVELS = 1024  # levels of a loss curve. For a million elements, its losses exceed the exact ones by at most 1.4 %
ROUNDING = 1e-12
FALSE_POINTS, FALSE_REGIONS = 0.01, 0.05  # default rates


@dataclass(frozen=True, eq=False)
class LossCurve:
    """Fraction of a shape above each threshold, in bounded memory.

    Attributes
    ----------
    levels : ndarray (k,)
        Novelties, descending.
    shares : ndarray (k,)
        Fraction of the shape at or above each level, ascending. If a shape has more than 1,024 distinct novelties, some
        are rounded up to the next level. This rounds losses up, so the guarantee still holds.
    """

    levels: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, novelty: Any, weights: Any = None) -> LossCurve:
        """Curve of one shape.

        Parameters
        ----------
        novelty : array (n,)
            Novelty of the elements. NaN is ignored.
        weights : array (n,), optional
            Weights of the elements, 0 or more, such as areas. Default: equal weights.

        Raises
        ------
        InputError
            For infinity, different lengths, negative weights, and a shape without finite novelty.

        Examples
        --------
        >>> curve = LossCurve.of([0.1, 0.4, 0.2, 0.2])
        >>> curve.above(0.1), curve.above(0.2), curve.above(0.4)
        (0.75, 0.25, 0.0)
        """
        values = np.asarray(novelty, dtype=np.float64)
        areas = np.ones(values.shape) if weights is None else np.asarray(weights, dtype=np.float64)
        if values.ndim != 1 or areas.shape != values.shape:
            raise InputError(
                f"novelties have the shape {values.shape}, weights {areas.shape}. Expected (n,) for both. "
                "Give one weight per novelty."
            )
        if not (np.isfinite(areas) & (areas >= 0)).all():
            raise InputError(
                "weights contain a negative number, NaN or infinity. Expected areas, 0 or more. Correct the weights."
            )
        kept = ~np.isnan(values) & (areas > 0)
        values, areas = values[kept], areas[kept]
        if not len(values) or np.isinf(values).any():
            raise InputError(
                "no element of the shape has a finite novelty and a weight above 0. Expected one or more. "
                "Leave the shape out."
            )
        order = np.argsort(-values, kind="stable")
        values, shares = values[order], np.cumsum(areas[order]) / areas.sum()
        ends = np.flatnonzero(np.diff(values, append=-np.inf))  # last of each run of equal novelties
        levels, shares = values[ends], shares[ends]
        if len(levels) > LEVELS:
            grid = np.geomspace(shares[0], 1, LEVELS)
            last = np.unique(np.minimum(np.searchsorted(shares, grid - ROUNDING), len(levels) - 1))
            levels, shares = levels[np.append(0, last[:-1] + 1)], shares[last]
        return cls(levels, shares)

    def above(self, threshold: float) -> float:
        """Fraction of the shape above a threshold."""
        count = int((self.levels > threshold).sum())
        return float(self.shares[count - 1]) if count else 0.0


def shapes_needed(rate: float, largest: float = 1.0) -> int:
    """Minimum number of calibration shapes for a rate: ceil(largest / rate - 1).

    Parameters
    ----------
    rate : float
        Maximum mean loss on known shapes, in (0, 1).
    largest : float
        Largest possible loss, above the rate and at most 1.

    Examples
    --------
    >>> shapes_needed(0.01), shapes_needed(0.05), shapes_needed(0.01, largest=0.2)
    (99, 19, 19)
    """
    return max(1, math.ceil(_bound(largest, rate) / share_between(rate, "rate") - 1))


def risk_threshold(
    curves: Sequence[LossCurve], rate: float = FALSE_POINTS, *, groups: Any = None, largest: float = 1.0
) -> float:
    """Smallest threshold with a guaranteed mean loss of at most `rate` on a new known shape.

    Parameters
    ----------
    curves : sequence of n LossCurve
        Curves of known, undamaged calibration shapes.
    rate : float
        Maximum mean loss, in (0, 1).
    groups : sequence (n,), optional
        Object of each shape. Each object counts once, with the mean loss of its curves.
    largest : float
        Upper bound of the loss of a shape. It must be fixed before the calibration. Larger losses are clipped.

    Returns
    -------
    float

    Raises
    ------
    InputError
        For too few shapes (the message has the required number), and for a rate or bound out of range.

    References
    ----------
    Angelopoulos, Bates, Fisch, Lei and Schuster, "Conformal risk control", arXiv 2208.02814, theorem 1; for masks
    arXiv 2511.15406.

    Examples
    --------
    >>> curves = [LossCurve.of(range(i, i + 100)) for i in range(120)]
    >>> risk_threshold(curves, 0.01), risk_threshold(curves, 0.1)
    (212.0, 172.0)
    """
    if not len(curves):
        raise InputError("there are no calibration shapes. Expected known, undamaged shapes. Give some.")
    weights, n = object_weights(groups, len(curves))
    check_shapes(n, rate, largest)
    bound = float(_bound(largest, rate))
    budget = float(share_between(rate, "rate") * (n + 1) - _bound(largest, rate))
    levels = np.concatenate([curve.levels for curve in curves])
    cut = [np.minimum(curve.shares, bound) for curve in curves]
    jumps = np.concatenate([w * np.diff(one, prepend=0) for w, one in zip(weights, cut, strict=True)])
    order = np.argsort(-levels, kind="stable")
    levels, total = levels[order], np.cumsum(jumps[order])
    begins = np.flatnonzero(np.diff(levels, prepend=np.inf))
    losses = np.append(0, total)[begins]  # the loss at a level counts only elements above the level
    return float(levels[begins[np.flatnonzero(losses <= budget + ROUNDING)[-1]]])


def check_shapes(n: int, rate: float, largest: float = 1.0, bounded: bool = True) -> None:
    """Raise `InputError` if n shapes cannot guarantee a rate. The message lists alternatives.

    If `bounded` is True, the message also suggests a smaller `largest`. Give False for a loss that is 0 or 1,
    because it has no smaller bound.
    """
    needed = shapes_needed(rate, largest)
    if n >= needed:
        return
    smaller = math.floor(1000 * float(share_between(rate, "rate")) * (n + 1)) / 1000
    bound = f", or a smaller bound (largest={smaller:g})" if bounded and smaller > rate else ""
    higher = math.ceil(1000 * float(_bound(largest, rate)) / (n + 1)) / 1000
    raise InputError(
        f"{n} calibration shapes cannot promise a rate of {rate:g}. {needed} or more can. Give more, or a higher rate "
        f"({higher:g}){bound}."
    )


def object_weights(groups: Any, n: int) -> tuple[np.ndarray, int]:
    """Weight (n,) of each of n shapes, and number of objects. The weight is 1 / number of shapes of the same object."""
    if groups is None:
        return np.ones(n), n
    index = grouped(groups, np.empty(n), "groups")[1]
    sizes = np.bincount(index)
    return 1 / sizes[index], len(sizes)


@dataclass(frozen=True, eq=False)
class Marks:
    """Guarantee of a threshold of novelty maps. The regions of the calibration shapes give p-values of other regions.

    Attributes
    ----------
    of : {"points", "regions"}
        Meaning of the rate. "points": mean fraction of falsely marked elements. "regions": fraction of shapes with a
        false region.
    rate : float or None
        Guaranteed rate for known, undamaged shapes; None for a threshold without this guarantee.
    shapes : int
        Number of calibration objects.
    largest : float
        Maximum marked fraction of a shape. If more elements are above the threshold, only the most novel are marked.
    min_size : int or float
        Minimum size of a region: a number of elements. If it is below 1, it is a fraction of the seen elements.
    peaks : ndarray (n,)
        Level of the most novel region of each calibration shape. Empty: p-values are not available.
    weights : ndarray (n,)
        1 / number of calibration shapes of the same object.
    """

    of: Literal["points", "regions"]
    rate: float | None
    shapes: int
    largest: float = 1.0
    min_size: float = 1
    peaks: np.ndarray = field(default_factory=lambda: np.empty(0))
    weights: np.ndarray = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        if self.of not in ("points", "regions"):
            raise InputError(f"marks are of {self.of!r:.40}. Expected 'points' or 'regions'. Give one of these.")
        if self.rate is not None:
            share_between(self.rate, "the rate of marks")
        if not 0 < self.largest <= 1 or self.shapes < 1:
            raise InputError(
                f"marks have largest {self.largest!r:.40} and shapes {self.shapes!r:.40}. Expected largest in (0, 1], "
                "and at least 1 shape. Correct these values."
            )
        if not (self.min_size >= 1 or 0 < self.min_size < 1):
            raise InputError(
                f"min_size is {self.min_size!r:.40}. Expected a number of elements, or a share between 0 and 1. "
                "Give 20 for 20 elements, or 0.01 for 1 %."
            )
        peaks = array(self.peaks, "peaks of marks", "b").astype(np.float64)
        weights = array(self.weights, "weights of marks", "b").astype(np.float64)
        if len(peaks) != len(weights) or (weights <= 0).any():
            raise InputError(
                f"marks have {len(peaks)} peaks and {len(weights)} weights, {(weights <= 0).sum()} of them 0 or less. "
                "Expected one weight above 0 per peak. Correct the weights."
            )
        order = np.argsort(peaks, kind="stable")
        object.__setattr__(self, "peaks", peaks[order])
        object.__setattr__(self, "weights", weights[order])

    def p_values(self, levels: Any) -> np.ndarray:
        """Conformal p-values (b,) of regions, by their highest novelty, `levels`.

        The formula is (1 + calibration objects with a region as high) / (n + 1).

        For a known, undamaged shape, the probability that any region has a p-value of at most t is at most t. An object
        with several shapes counts with the fraction of its shapes that have such a region. Raises `InputError` without
        peaks.

        Examples
        --------
        >>> marks = Marks("regions", 0.05, 3, peaks=np.array([0.1, 0.2, 0.3]), weights=np.ones(3))
        >>> marks.p_values([0.05, 0.25, 0.9]).tolist()
        [1.0, 0.5, 0.25]
        """
        if not len(self.peaks):
            raise InputError(
                "this threshold has no regions of known shapes. P-values need these regions. Make it with "
                "calibrate_marks(...)."
            )
        above = np.append(np.cumsum(self.weights[::-1])[::-1], 0)
        count = above[np.searchsorted(self.peaks, array(levels, "levels of regions", "b"), side="left")]
        return np.minimum(1, (1 + count) / (self.shapes + 1))

    @property
    def promise(self) -> str:
        """The guarantee as text; empty without a rate.

        Examples
        --------
        >>> Marks("points", 0.01, 120).promise
        'at most 1 % of the points of known, undamaged shapes are marked falsely, on average'
        >>> Marks("regions", 0.05, 40, min_size=20).promise
        'at most 1 in 20 known, undamaged shapes has a false region (20 or more elements)'
        """
        if self.rate is None:
            return ""
        if self.of == "points":
            share = f"{100 * self.rate:.3g} %"
            return f"at most {share} of the points of known, undamaged shapes are marked falsely, on average"
        whole = self.min_size >= 1
        size = f"{self.min_size:g} or more elements" if whole else f"{100 * self.min_size:.3g} % or more of it"
        return f"at most 1 in {1 / self.rate:.4g} known, undamaged shapes has a false region ({size})"

    def as_json(self) -> dict[str, Any]:
        """The guarantee without the peaks, for JSON."""
        return {name: getattr(self, name) for name in ("of", "rate", "shapes", "largest", "min_size", "promise")}

    def state(self) -> dict[str, Any]:
        """Complete state, as strings and numbers."""
        plain = {name: getattr(self, name) for name in ("of", "rate", "shapes", "largest", "min_size")}
        return {**plain, "peaks": self.peaks.tolist(), "weights": self.weights.tolist()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Marks:
        """Restore what `state` returned. Any other content raises one of `storage.DAMAGE`."""
        fields = dict(state)
        rate = fields.pop("rate")
        fields |= {name: float(fields[name]) for name in ("largest", "min_size")}
        return cls(rate=None if rate is None else float(rate), shapes=int(fields.pop("shapes")), **fields)


def _bound(largest: float, rate: float) -> Any:
    """Bound as a fraction. Raises `InputError` for an invalid bound, or one not above the rate."""
    if largest == 1:
        return 1
    bound = share_between(largest, "largest")
    if bound <= share_between(rate, "rate"):
        raise InputError(
            f"largest is {largest:g}, the rate {rate:g}. Expected largest above the rate, because no loss "
            "exceeds it. Give a larger bound."
        )
    return bound
