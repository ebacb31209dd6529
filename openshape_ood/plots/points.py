"""Projection of points onto the picture, and colors of points.

The camera looks at the front of the upright shape, from slightly to the right and above.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from openshape_ood.checks import check_choice
from openshape_ood.errors import CloudError, InputError
from openshape_ood.novelty_map.colors import CLASSES, class_colors, hex_to_rgb, ramp
from openshape_ood.plots.canvas import finite, finite_number, names
from openshape_ood.shapes.points import upright
from openshape_ood.shapes.shape import list_shapes, resolve_ups

POINTS = 10_000  # points sampled from a surface
TURN, TILT = 30.0, 20.0  # default camera of `view`, in degrees
COLORS = ("height", "rgb", "novelty", "class")
OTHER_COLOR = "#9AA0A8"  # gray of the rarer classes


def one_cloud(shape: Any, up: str) -> tuple[np.ndarray, str]:
    """Cloud (n, 3|6) of one shape in any form that `list_shapes` takes, with rgb in [0, 1], and its gravity axis."""
    listed = list_shapes(shape)
    if len(listed) != 1:
        raise CloudError(f"{len(listed)} shapes were given. Expected one. Draw several with contact_sheet.")
    return listed[0].cloud(POINTS, seed=0), resolve_ups(up, listed, drawn=True)[0]


def view(xyz: np.ndarray, turn: float = TURN, tilt: float = TILT) -> tuple[np.ndarray, ...]:
    """Project a y-up cloud (n, 3): horizontal position, vertical position and nearness to the camera, (n,) each.

    turn, tilt: angles in degrees from the front of the shape (+z) to the camera: to the right (+x), and upwards. The
    picture is not mirrored.
    """
    x, y, z = xyz.T.astype(np.float64)
    a, b = np.deg2rad(turn), np.deg2rad(tilt)
    across, near = np.cos(a) * x - np.sin(a) * z, np.sin(a) * x + np.cos(a) * z
    return across, np.cos(b) * y - np.sin(b) * near, np.sin(b) * y + np.cos(b) * near


def thinned(n: int, most: int) -> np.ndarray:
    """At most `most` evenly spaced indices of n points."""
    return np.linspace(0, n - 1, min(n, most)).astype(int)


@dataclass(frozen=True, eq=False)
class PointColors:
    """Colors of n points.

    Attributes
    ----------
    color : {"height", "rgb", "novelty", "class"}
        Meaning of the colors.
    values : ndarray (n,) or (n, 3)
        Height, novelty or class name of each point; for "rgb", three numbers in [0, 1] for each point.
    low, high : float
        Ends of the color ramp, for heights and novelties.
    classes : dict of str to str
        Color "#RRGGBB" of each class name, in the order of the legend.
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


def choose_colors(
    cloud: np.ndarray,
    up: str,
    color: str,
    values: Any = None,
    low: float | None = None,
    high: float | None = None,
    classes: Sequence[str] | None = None,
) -> PointColors:
    """Colors of a cloud (n, 3|6) with gravity axis `up`. Arguments and errors are as in `clouds.cloud`.

    classes: class names in the order of the legend. Default: sorted.
    """
    check_choice(color, "color", COLORS)
    if color in ("novelty", "class") and values is None:
        raise InputError(
            f"color is {color!r}, but values are missing. Expected one for each point. Give the argument values."
        )
    if color in ("height", "rgb") and values is not None:
        raise InputError(
            f"values are given, but color is {color!r}. Expected 'novelty' or 'class'. Give color='novelty'."
        )
    if color != "novelty" and (low is not None or high is not None):
        raise InputError(
            f"low or high is given, but color is {color!r}. Expected color 'novelty'. Leave low and high out."
        )
    if color == "height":
        height = upright(cloud, up)[:, 1]
        return PointColors("height", height, float(height.min()), float(height.max()))
    if color == "rgb":
        if cloud.shape[1] != 6:
            raise InputError(
                f"color is 'rgb', but the cloud has the shape {cloud.shape}. Expected (n, 6). Use color='height'."
            )
        return PointColors("rgb", cloud[:, 3:])
    if color == "class":
        return _by_class(names(values, "values (classes of points)", len(cloud)), classes)
    novelty = finite(values, "values (novelties of points)", len(cloud))
    bottom = float(novelty.min()) if low is None else finite_number(low, "low")
    top = float(novelty.max()) if high is None else finite_number(high, "high")
    if bottom > top:
        raise InputError(f"low is {bottom:g} and high is {top:g}. Expected low <= high. Exchange them.")
    return PointColors("novelty", novelty, bottom, top)


def _by_class(values: np.ndarray, classes: Sequence[str] | None) -> PointColors:
    """One color for each class. If there are more classes than colors, the rarer classes are gray.

    values: class name (n,) of each point.
    """
    counts = Counter(values.tolist())
    known = sorted(counts) if classes is None else list(dict.fromkeys(map(str, classes)))
    order = [name for name in known if counts[name]]
    if lacking := sorted(counts.keys() - set(order)):
        raise InputError(f"class {lacking[0]!r} is unknown. Expected one of {', '.join(known)}. Correct the values.")
    # classes without points also take a color if there are enough; then a class has the same color in all pictures
    colors = class_colors(known if len(known) <= len(CLASSES) else order)
    if len(order) <= len(CLASSES):
        return PointColors("class", values, classes={name: colors[name] for name in order})
    common = {name for name, _ in counts.most_common(len(CLASSES) - 1)}
    colors = class_colors([name for name in order if name in common])
    other = f"{len(order) - len(common)} others"
    shown = np.where(np.isin(values, list(common)), values, other)
    return PointColors("class", shown, classes=colors | {other: OTHER_COLOR})


def viridis(values: np.ndarray) -> np.ndarray:
    """Colors (n, 3) of values (n,), from dark blue at the minimum to yellow at the maximum."""
    from matplotlib import colormaps

    span = np.ptp(values)
    share = (values - values.min()) / (span if span > 0 else 1.0)
    return np.asarray(colormaps["viridis"](share))[:, :3]
