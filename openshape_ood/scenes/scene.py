"""Scan: points in meters with z up, and their attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from openshape_ood.checks import holds_words, to_numpy
from openshape_ood.errors import CloudError, InputError
from openshape_ood.shapes.fields import check_exact, given_cloud, holds_points
from openshape_ood.shapes.statistics import spacing


@dataclass(frozen=True, eq=False)
class Scene:
    """Scan of a place, in meters, z up.

    Parameters
    ----------
    points : (n, 3) float64, structured array, or object
        Meters. Double precision, because survey coordinates are millions of meters from the origin. Duplicate points
        are allowed. A structured array (n,) has fields x, y, z and optionally colors; an object has `points` (n, 3)
        and optionally `colors`, as in Open3D. Their colors are used unless `color` is given.
    color : (n, 3) float32 in [0, 1], optional
    labels, instances : (n,) int64, optional
        Class and object number of each point in an annotated scan; 0 is none, and negative numbers become 0.
    name : str
        Name in messages and pictures.

    Raises
    ------
    CloudError
        For invalid or non-finite points.
    InputError
        For arrays of another shape or length, and colors outside [0, 1].
    """

    points: np.ndarray
    color: np.ndarray | None = None
    labels: np.ndarray | None = None
    instances: np.ndarray | None = None
    name: str = field(default="scene", kw_only=True)
    up: ClassVar[str] = "z"

    def __post_init__(self) -> None:
        if holds_points(self.points) or getattr(getattr(self.points, "dtype", None), "names", None):
            cloud = given_cloud(self.points, self.name)
            object.__setattr__(self, "points", cloud[:, :3])
            if self.color is None and cloud.shape[1] == 6:
                object.__setattr__(self, "color", cloud[:, 3:])
        points = _numbers(self.points, f"{self.name}: points").astype(np.float64, copy=False)
        if points.ndim != 2 or points.shape[1] != 3 or len(points) == 0:
            raise CloudError(
                f"{self.name}: points have shape {points.shape}. Expected (n, 3) with n of at least 1. Give one "
                "row per point."
            )
        if not np.isfinite(points).all():
            bad = int((~np.isfinite(points)).any(axis=1).sum())
            raise CloudError(
                f"{self.name}: {bad} of {len(points)} points are not finite. Expected finite points. Leave them out."
            )
        object.__setattr__(self, "points", points)
        for what, shape in (("color", (len(points), 3)), ("labels", (len(points),)), ("instances", (len(points),))):
            if getattr(self, what) is None:
                continue
            given = _numbers(getattr(self, what), f"{self.name}: {what}")
            if given.shape != shape:
                raise InputError(
                    f"{self.name}: {what} has shape {given.shape}. Expected {shape}. Give one row per point."
                )
            if what == "color":
                object.__setattr__(self, what, given.astype(np.float32, copy=False))
            else:
                object.__setattr__(self, what, whole_numbers(given, f"{self.name}: {what}"))
        if self.color is not None and not -0.01 <= self.color.min() <= self.color.max() <= 1.01:  # False for NaN too
            runs = f"{self.color.min():g} to {self.color.max():g}"
            raise InputError(f"{self.name}: color runs from {runs}. Expected 0 to 1. Divide bytes by 255.")

    def __len__(self) -> int:
        return len(self.points)

    def take(self, rows: np.ndarray) -> Scene:
        """Subset of the points: indices (m,) or a mask (n,)."""
        arrays = {name: getattr(self, name) for name in ("points", "color", "labels", "instances")}
        return replace(self, **{name: array[rows] for name, array in arrays.items() if array is not None})

    def crop(self, low: Sequence[float], high: Sequence[float]) -> Scene:
        """Subset of the points in a box.

        Parameters
        ----------
        low, high : (3,)
            Corners in meters, inclusive; infinite for an open side.

        Raises
        ------
        InputError
            For invalid corners, and if no point lies in the box.

        Examples
        --------
        >>> len(Scene(np.eye(3)).crop((0, 0, 0.5), (np.inf, np.inf, np.inf)))
        1
        """
        try:
            corners = np.array([low, high], dtype=np.float64)
        except (TypeError, ValueError):  # not numbers, or another count
            corners = np.empty(0)
        if corners.shape != (2, 3) or not (corners[0] <= corners[1]).all():
            raise InputError(
                f"{self.name}: low is {low!r}, high {high!r}. Expected three numbers each, low below high. Correct the "
                "corners."
            )
        inside = ((self.points >= corners[0]) & (self.points <= corners[1])).all(axis=1)
        if not inside.any():
            box = " to ".join(str(corner.round(3).tolist()) for corner in (self.points.min(0), self.points.max(0)))
            raise InputError(
                f"{self.name}: no point lies in {list(low)} to {list(high)}. Expected a box that meets the scan, "
                f"whose points lie in {box} in meters. Correct the corners."
            )
        return self.take(inside)

    def spacing(self) -> float:
        """Median distance in meters from a point to its nearest neighbor; infinite if all points coincide."""
        return spacing(self.points)


def as_scene(scene: Any) -> Scene:
    """A `Scene` unchanged, or a `Scene` of points. Raises `InputError` or `CloudError` for other values."""
    if isinstance(scene, Scene):
        return scene
    if not (hasattr(scene, "ndim") or holds_points(scene)):
        what = f"the scan is a {type(scene).__name__}"
        raise InputError(f"{what}. Expected a Scene. Give load_scene(path), or Scene(points) in meters, z up.")
    if getattr(scene, "ndim", 0) == 2 and scene.shape[1] == 6:
        cloud = given_cloud(scene, "the scan")
        return Scene(cloud[:, :3], cloud[:, 3:])
    return Scene(scene)


def whole_numbers(given: np.ndarray, what: str) -> np.ndarray:
    """Labels (n,) as int64; negative labels become 0 (none). Raises `CloudError` for values that are not whole."""
    given = _numbers(given, what)
    with np.errstate(invalid="ignore"):
        whole = given.astype(np.int64, copy=False)
    if given.dtype.kind not in "ib" and not (whole == given).all():
        raise CloudError(
            f"{what} holds values that are no whole numbers below 2**63. Expected labels. Round the values."
        )
    check_exact(given, what)
    return np.maximum(whole, 0) if whole.min(initial=0) < 0 else whole


def _numbers(values: Any, what: str) -> np.ndarray:
    if holds_words(values, 2):
        raise InputError(f"{what} of type str. Expected numbers. Convert them first.")
    try:
        given = np.asarray(to_numpy(values))
    except ValueError as error:
        raise InputError(
            f"{what} in rows of different lengths. Expected rows of one length. Correct the rows."
        ) from error
    if given.dtype.kind not in "fiub":
        raise InputError(f"{what} of type {given.dtype}. Expected numbers. Convert them first.")
    return given
