"""Shape: a named shape in any accepted form, which is read when it is needed; lists of shapes and of up axes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np

from openshape_ood.errors import CloudError, InputError, ShapeFileError
from openshape_ood.shapes.fields import given_cloud, holds_points
from openshape_ood.shapes.formats import BY_SUFFIX
from openshape_ood.shapes.meshes import is_trimesh, sample_mesh
from openshape_ood.shapes.points import UPS, AxisWarning, check_up, warn_if_coarse
from openshape_ood.shapes.reading import load_shape, stated_up

# a constant text, because Python shows equal warnings once
UNSTATED = (
    "no up axis is given, and some files state none, so y is used. Expected an axis for every shape. Give up='z' for "
    "scans with z up, up='y' if y is right, or score_novelty(..., up='auto') for several shapes."
)
SURFACES = tuple(suffix for suffix, one in BY_SUFFIX.items() if one.cloud is None)


@dataclass(frozen=True)
class Shape:
    """A named shape. A file is read only by `cloud`.

    Attributes
    ----------
    value : path, trimesh object, or cloud in any form of `given_cloud`
    name : str
        Name in messages.
    up : str
        Gravity axis of this shape, or "file" for the axis in its file. "": the axis for all shapes is used.
    """

    value: Any
    name: str
    up: str = ""

    @property
    def path(self) -> str | None:
        return os.fspath(self.value) if isinstance(self.value, str | os.PathLike) else None

    @property
    def is_surface(self) -> bool:
        """True for a mesh, by its type or suffix. PLY files, which may be mesh or cloud, count as clouds."""
        if self.path is not None:
            return self.path.lower().endswith(SURFACES)
        return not hasattr(self.value, "ndim") and is_trimesh(self.value) and hasattr(self.value, "area")

    def stated_up(self) -> str | None:
        """Up axis that the file or `Scene` states; None if it states none."""
        return getattr(self.value, "up", None) if self.path is None else stated_up(self.path)

    def cloud(self, points: int, seed: int) -> np.ndarray:
        """Valid cloud (n, 3|6) float64 in the frame and units of the shape; `points` points of a surface."""
        if isinstance(self.value, str | os.PathLike):
            return load_shape(self.value, points, seed)
        if not hasattr(self.value, "ndim") and is_trimesh(self.value):
            warn_if_coarse(self.value, self.name)
            return sample_mesh(self.value, points, seed, self.name)
        cloud = given_cloud(self.value, self.name)
        warn_if_coarse(cloud, self.name)
        return cloud


def list_shapes(shapes: Any) -> list[Shape]:
    """List of `Shape` from one or many shapes in any accepted form. No file is opened.

    Accepted are a path; a cloud (n, 3|6), or structured (n,) with x, y, z and color; a stack of clouds (b, n, 3|6); a
    trimesh object; an object with `points` and optionally `colors` (n, 3), as in Open3D; a `Scene`; an iterable of
    these. Raises `CloudError` for other values and for an empty list.
    """
    if isinstance(shapes, str | os.PathLike):
        return [Shape(shapes, os.fspath(shapes))]
    given, axes = shapes, getattr(shapes, "ndim", None)
    if axes == 2 or (axes == 1 and _has_fields(shapes)):
        return [Shape(shapes, "the shape")]
    # the order of a set is undefined
    if isinstance(shapes, Mapping | bytes | set | frozenset) or not isinstance(shapes, Iterable):
        if is_trimesh(shapes) or holds_points(shapes):
            return [Shape(shapes, "the shape")]
        expected = "a cloud (n, 3|6), a stack (b, n, 3|6), a path, an object with points, or a list of these"
        raise CloudError(f"shapes is {type(shapes).__name__}. Expected {expected}. Convert it.")
    of_objects = axes == 1 and isinstance(shapes, np.ndarray) and shapes.dtype.kind in "OU"
    if axes is not None and not of_objects and not (axes == 3 and len(given)):
        expected = "one cloud (n, 3|6), or a stack (b, n, 3|6) of at least one"
        raise CloudError(f"shapes has the shape {tuple(given.shape)}. Expected {expected}. Reshape it.")
    items = list(shapes)
    if not items:
        raise CloudError("the list of shapes is empty. Expected at least one. Give shapes.")
    # nested lists are a cloud if every item is a point, which is a list of numbers
    if all(isinstance(item, list | tuple) and item and all(isinstance(v, Number) for v in item) for item in items):
        return [Shape(items, "the shape")]
    paths = (f" ({os.fspath(item)})" if isinstance(item, str | os.PathLike) else "" for item in items)
    return [Shape(item, f"shape {i}{path}") for i, (item, path) in enumerate(zip(items, paths, strict=True))]


def resolve_ups(up: str | Sequence[str], shapes: Sequence[Shape], drawn: bool = False) -> list[str]:
    """Gravity axis of every shape.

    up: one axis for all shapes, or one per shape. "file" means the axis that the shape's file states, else y.

    Warns if a single axis is given and some files state another. Also warns if "file" is given and a file states no
    axis, unless the shapes are only drawn. Raises `InputError` if the number of axes differs from the number of shapes,
    `UnknownNameError` for an unknown axis.
    """
    given = [up] * len(shapes) if isinstance(up, str) or not isinstance(up, Iterable) else list(up)
    if len(given) != len(shapes):
        raise InputError(
            f"up has {len(given)} entries for {len(shapes)} shapes. Expected one for all, or one for each. Correct up."
        )
    axes = [check_up(u) if u != "file" else shape.stated_up() for u, shape in zip(given, shapes, strict=True)]
    if None in axes and not drawn:
        warnings.warn(UNSTATED, AxisWarning, stacklevel=1)
    if isinstance(up, str):
        warn_of_stated(up, shapes)
    return [one or "y" for one in axes]


def warn_of_stated(up: str, shapes: Sequence[Shape]) -> None:
    """Warn if some files state another axis than the one given for all shapes."""
    if up not in UPS:
        return
    others = [(shape.path or shape.name, axis) for shape in shapes if (axis := _stated(shape)) not in (None, up)]
    if others:
        path, axis = others[0]
        more = f" ({len(others) - 1} more state another axis)" if len(others) > 1 else ""
        message = f"{path} states that {axis} is up, but was given up={up!r}{more}. Expected the axis of the file."
        warnings.warn(f"{message} Give up='file', or ignore this if the file is wrong", AxisWarning, stacklevel=4)


def _has_fields(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.names is not None


def _stated(shape: Shape) -> str | None:
    try:
        return shape.stated_up()
    except ShapeFileError:  # `cloud` reports the error
        return None
