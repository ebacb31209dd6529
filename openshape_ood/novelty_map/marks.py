"""calibrate_marks: threshold of maps with a guaranteed rate of false marks, made from maps of known shapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from openshape_ood.decisions.risk import (
    FALSE_POINTS,
    LossCurve,
    Marks,
    check_shapes,
    object_weights,
    risk_threshold,
    shapes_needed,
)
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Provenance
from openshape_ood.errors import InputError, MixedEncodersError
from openshape_ood.novelty_map.connectivity import highest_region
from openshape_ood.novelty_map.result import Elements, NoveltyMap, region_size

MIN_SIZE = 0.01  # minimum size of a region, as a fraction of the seen elements


def calibrate_marks(
    maps: Iterable[NoveltyMap],
    *,
    false_points: float | None = None,
    false_regions: float | None = None,
    min_size: float = MIN_SIZE,
    groups: Sequence[Any] | None = None,
    weights: Iterable[Any] | None = None,
    largest: float = 1.0,
    source: str = "",
) -> Threshold:
    """Threshold of maps with a guaranteed rate of false marks on known, undamaged shapes.

    Elements beyond the threshold are marked. On these shapes, every mark is false.

    Parameters
    ----------
    maps : iterable of n NoveltyMap
        Maps of known, undamaged shapes that are not among the examples. Make them with the same settings as the maps
        that the threshold will mark. Only one map at a time is in memory.
    false_points : float, optional
        Maximum mean fraction of falsely marked elements. A rate of 0.01 needs 99 objects. Default: 0.01.
    false_regions : float, optional
        Alternative rate: maximum fraction of shapes with any false region. A rate of 0.05 needs 19 objects.
    min_size : int or float
        Minimum size of a region: a number of elements, or if below 1 a fraction of the seen elements.
    groups : sequence (n,), optional
        Object of each map, if objects have several maps, such as scans from several sides. Each object counts once,
        with the mean loss of its maps.
    weights : iterable of n arrays, optional
        Weight of each element of each map, such as the area around a point. Elements with weight 0 are ignored.
    largest : float
        Maximum fraction of a shape that is marked, most novel elements first. Other elements beyond the threshold are
        not marked. The number of objects needed is largest / rate - 1.
    source : str
        Description of the maps, which the threshold stores.

    Returns
    -------
    Threshold
        Threshold for `localize(..., threshold=)`, `segment_scene(..., threshold=)`, `KnownClasses.with_marks`, and
        `dataclasses.replace(novelty_map, threshold=...)`. Its `marks` contain the guarantee. With them,
        `NoveltyMap.regions` also gives p-values.

    Raises
    ------
    InputError
        For too few objects (the message has the required number), if both `false_points` and `false_regions` are given,
        and for values out of range.
    MixedEncodersError
        If maps belong to several encoders or methods.

    References
    ----------
    Angelopoulos et al., "Conformal risk control", arXiv 2208.02814; for masks arXiv 2511.15406.

    Examples
    --------
    >>> from openshape_ood import KnownClasses, ShapeEncoder
    >>> from openshape_ood.novelty_map import localize_many
    >>> from openshape_ood.synthetic import sample
    >>> encoder = ShapeEncoder.from_pretrained("tiny")
    >>> chairs = [sample("chair", 500, seed) for seed in range(26)]
    >>> known = KnownClasses.from_examples({"chair": chairs[:6]}, encoder, patches="local")
    >>> threshold = calibrate_marks(localize_many(chairs[6:], known, encoder=encoder), false_regions=0.05)
    >>> threshold.promise
    'at most 1 in 20 known, undamaged shapes has a false region (1 % or more of it) (from 20 objects)'
    """
    of, rate = rate_of(false_points, false_regions, largest)
    if weights is not None and largest != 1:
        raise InputError("largest is a fraction of elements, weights are areas. Expected one of them. Leave one out.")
    curves, peaks, made = [], [], None
    for novelty_map, areas in _paired(maps, weights):
        made = _same(made, novelty_map)
        curve, peak = summary(novelty_map.elements, novelty_map.novelty, min_size, areas)
        curves.append(curve)
        peaks.append(peak)
    return marks_threshold(curves, np.array(peaks), of, rate, min_size, groups, largest, made, source)


def rate_of(false_points: float | None, false_regions: float | None, largest: float = 1.0) -> tuple[Any, float]:
    """Kind of guarantee, "points" or "regions", and its rate. Raises `InputError` for values out of range."""
    if false_points is not None and false_regions is not None:
        raise InputError("false_points and false_regions are both given. Expected one of them. Leave one out.")
    if false_regions is not None and largest != 1:
        raise InputError("largest has no effect on false_regions. Expected it with false_points. Leave it out.")
    rate = ("points", FALSE_POINTS if false_points is None else false_points)
    rate = rate if false_regions is None else ("regions", false_regions)
    shapes_needed(rate[1], largest)
    return rate


def summary(elements: Elements, novelty: np.ndarray, min_size: float, weights: Any = None) -> tuple[LossCurve, float]:
    """Loss curve of a map, and the highest threshold that a region of the minimum size reaches."""
    curve = LossCurve.of(novelty, weights)
    if weights is not None:
        novelty = np.where(np.asarray(weights) > 0, novelty, np.nan)
    least = region_size(min_size, int(np.isfinite(novelty).sum()))
    return curve, highest_region(elements.places, novelty, least, cells=elements.kind != "points")


def marks_threshold(
    curves: Sequence[LossCurve],
    peaks: np.ndarray,
    of: Any,
    rate: float,
    min_size: float = MIN_SIZE,
    groups: Any = None,
    largest: float = 1.0,
    provenance: Provenance | None = None,
    source: str = "",
) -> Threshold:
    """Threshold from the `summary` of n known shapes. Errors are as in `calibrate_marks`."""
    if not len(curves):
        needed = shapes_needed(rate, largest)
        raise InputError(
            f"there are no maps of known shapes. Expected {needed} or more for the rate {rate:g}. Give some."
        )
    weights, n = object_weights(groups, len(curves))
    check_shapes(n, rate, largest, bounded=of == "points")
    if of == "regions":  # the loss is 1 for thresholds below the peak, else 0
        curves = [LossCurve(peak, np.ones(1)) for peak in peaks[:, None]]
    value = risk_threshold(curves, rate, groups=groups, largest=largest)
    marks = Marks(of, rate, n, largest, min_size, peaks, weights)
    return Threshold(value, provenance=provenance, source=source, marks=marks)


def _paired(maps: Any, weights: Any) -> Iterator[tuple[NoveltyMap, Any]]:
    """Maps with their weights or None. Raises `InputError` for invalid values, and if the numbers differ."""
    if not isinstance(maps, Iterable) or not isinstance(weights, Iterable | None):
        raise InputError(f"maps are {maps!r:.40}, weights {weights!r:.40}. Expected a list of each. Give maps.")
    missing = object()
    for novelty_map, areas in zip_longest(maps, () if weights is None else weights, fillvalue=missing):
        if weights is not None and (novelty_map is missing or areas is missing):
            raise InputError(
                "the numbers of maps and weights differ. Expected weights for each map. Give as many weights as maps."
            )
        if not isinstance(novelty_map, NoveltyMap):
            raise InputError(f"a map is a {type(novelty_map).__name__}. Expected a NoveltyMap. Give maps of localize.")
        yield novelty_map, None if weights is None else areas


def _same(made: Provenance | None, novelty_map: NoveltyMap) -> Provenance:
    """Provenance of all maps so far. Raises `MixedEncodersError` if this map has another encoder or method."""
    provenance = novelty_map.provenance
    if made is not None and not (made.identity.fits(provenance.identity) and made.method == provenance.method):
        raise MixedEncodersError(
            f"there are maps by {made.method!r} with {made.identity} and by {provenance.method!r} with "
            f"{provenance.identity}. Expected one encoder and method. Give only maps of one."
        )
    return made or provenance
