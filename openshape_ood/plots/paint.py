"""Which color each point of a cloud has: by height, by its own color, by novelty, by class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.localization.colors import CLASSES, class_colors, hex_to_rgb, ramp
from openshape_ood.plots.checks import finite, finite_number, names
from openshape_ood.plots.view import upright

COLORS = ("height", "rgb", "novelty", "class")
OTHER, OTHER_COLOR = "others", "#9AA0A8"


@dataclass(frozen=True, eq=False)
class Paint:
    """What n points are colored by.

    color: one of COLORS. values (n,): height, novelty or class; (n, 3) rgb in [0, 1]. low, high: ends of the ramp of
    heights or novelties. classes: name -> "#RRGGBB", in the order of the legend.
    """

    color: str
    values: np.ndarray
    low: float = 0.0
    high: float = 1.0
    classes: dict[str, str] = field(default_factory=dict)

    def rgb(self) -> np.ndarray:
        """Colors (n, 3) in [0, 1]."""
        if self.color == "height":
            return viridis(self.values)
        if self.color == "novelty":
            return ramp(self.values, self.low, self.high)
        if self.color == "class":
            return np.stack([hex_to_rgb(self.classes[name]) for name in self.values.tolist()])
        return self.values


def choose_paint(
    cloud: np.ndarray,
    up: str,
    color: str,
    values: Any = None,
    low: float | None = None,
    high: float | None = None,
    classes: Sequence[str] | None = None,
) -> Paint:
    """The colors of a cloud (n, 3|6). `classes` orders the names; without it they are sorted.

    Raises `UnknownNameError` for a color that does not exist, `InputError` for values that do not fit it.
    """
    if color not in COLORS:
        raise UnknownNameError(f"color is {color!r}; expected one of {', '.join(COLORS)}")
    _check_meant(color, values, low, high)
    if color == "height":
        height = upright(cloud, up)[:, 1]
        return Paint("height", height, float(height.min()), float(height.max()))
    if color == "rgb":
        if cloud.shape[1] != 6:
            raise InputError(f"color is 'rgb', but the cloud is {cloud.shape}: without colors. Use color='height'")
        return Paint("rgb", cloud[:, 3:])
    if color == "novelty":
        return _by_novelty(finite(values, "values (novelties of points)", len(cloud)), low, high)
    return _by_class(names(values, "values (classes of points)", len(cloud)), classes)


def _check_meant(color: str, values: Any, low: float | None, high: float | None) -> None:
    """Values that would be left unused are a mistake, and so are those that lack."""
    if color in ("novelty", "class") and values is None:
        raise InputError(f"color is {color!r}, but there are no values; give values=, one for each point")
    if color in ("height", "rgb") and values is not None:
        raise InputError(f"values are given, but color is {color!r}; use color='novelty' or color='class'")
    if color != "novelty" and (low is not None or high is not None):
        raise InputError(f"low and high are the ends of the novelties' ramp, but color is {color!r}; leave them out")


def _by_novelty(values: np.ndarray, low: float | None, high: float | None) -> Paint:
    bottom = float(values.min()) if low is None else finite_number(low, "the values of low")
    top = float(values.max()) if high is None else finite_number(high, "the values of high")
    if bottom > top:
        raise InputError(f"low is {bottom:g} and high is {top:g}; expected low <= high")
    return Paint("novelty", values, bottom, top)


def _by_class(values: np.ndarray, classes: Sequence[str] | None) -> Paint:
    """A color a class; with more classes than colors, all but the commonest are put together."""
    counts = Counter(values.tolist())
    order = [name for name in (sorted(counts) if classes is None else dict.fromkeys(map(str, classes))) if counts[name]]
    if lacking := sorted(counts.keys() - set(order)):
        raise InputError(f"{lacking[0]!r} is not among the classes; they are {', '.join(order)}")
    all_colors = class_colors(order if classes is None else [str(name) for name in classes])
    if len(all_colors) <= len(CLASSES):  # so that a class has its color in every picture, also where some lack
        return Paint("class", values, classes={name: all_colors[name] for name in order})
    if len(order) <= len(CLASSES):
        return Paint("class", values, classes=class_colors(order))
    common = {name for name, _ in counts.most_common(len(CLASSES) - 1)}
    colors = class_colors([name for name in order if name in common])
    other = f"{len(order) - len(common)} {OTHER}"
    return Paint("class", np.where(np.isin(values, list(common)), values, other), classes=colors | {other: OTHER_COLOR})


def viridis(values: np.ndarray) -> np.ndarray:
    """Colors (n, 3) from dark blue at the least of the values (n,) to yellow at the largest."""
    from matplotlib import colormaps

    span = np.ptp(values)
    share = (values - values.min()) / (span if span > 0 else 1.0)
    return np.asarray(colormaps["viridis"](share))[:, :3]
