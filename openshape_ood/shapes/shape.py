"""Shapes of callers as a list of named shapes, loaded on demand."""

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

# a constant text, so that Python shows it once
UNSTATED = (
    "no up axis is given, and some shapes state none. y is used for them. Give "
    "up='z' for scans with z up, up='y' if y is right; score_novelty(..., up='auto') finds it, with several shapes"
)
SURFACES = tuple(suffix for suffix, one in BY_SUFFIX.items() if one.cloud is None)


@dataclass(frozen=True)
class Shape:
    """A named shape, read on demand: a path, a trimesh object or a cloud (`given_cloud`).

    up: gravity axis of this shape alone, or "" or "file".
    """

    value: Any
    name: str
    up: str = ""

    @property
    def path(self) -> str | None:
        return os.fspath(self.value) if isinstance(self.value, str | os.PathLike) else None

    @property
    def is_surface(self) -> bool:
        """True for a mesh by its type or suffix; PLY files, which may be either, count as clouds."""
        if self.path is not None:
            return self.path.lower().endswith(SURFACES)
        return not hasattr(self.value, "ndim") and is_trimesh(self.value) and hasattr(self.value, "area")

    def stated_up(self) -> str | None:
        """Up axis stated by its file or `Scene`; None without a statement."""
        return getattr(self.value, "up", None) if self.path is None else stated_up(self.path)

    def cloud(self, points: int, seed: int) -> np.ndarray:
        """Checked points (n, 3|6) float64 in its own frame and units; a surface is sampled with `points` points."""
        if isinstance(self.value, str | os.PathLike):
            return load_shape(self.value, points, seed)
        if not hasattr(self.value, "ndim") and is_trimesh(self.value):
            warn_if_coarse(self.value, self.name)
            return sample_mesh(self.value, points, seed, self.name)
        cloud = given_cloud(self.value, self.name)
        warn_if_coarse(cloud, self.name)
        return cloud


def list_shapes(shapes: Any) -> list[Shape]:
    """List of shapes from one or many shapes in any accepted form; no file is opened.

    Accepted: a cloud (n, 3|6), or structured (n,) with x, y, z and color; a stack (b, n, 3|6); a path; a trimesh
    object; an object with `points` and optionally `colors` (n, 3), as in Open3D; a `Scene`; or an iterable of these.
    Raises `CloudError` for other values and for an empty list.
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
        raise CloudError(f"shapes is {type(shapes).__name__}; expected {expected}")
    of_objects = axes == 1 and isinstance(shapes, np.ndarray) and shapes.dtype.kind in "OU"
    if axes is not None and not of_objects and not (axes == 3 and len(given)):
        expected = "one cloud (n, 3|6), or a stack (b, n, 3|6) of at least one"
        raise CloudError(f"shapes has the shape {tuple(given.shape)}; expected {expected}")
    items = list(shapes)
    if not items:
        raise CloudError("the list of shapes is empty")
    # a cloud as nested lists: every item is a point
    if all(isinstance(item, list | tuple) and item and all(isinstance(v, Number) for v in item) for item in items):
        return [Shape(items, "the shape")]
    paths = (f" ({os.fspath(item)})" if isinstance(item, str | os.PathLike) else "" for item in items)
    return [Shape(item, f"shape {i}{path}") for i, (item, path) in enumerate(zip(items, paths, strict=True))]


def resolve_ups(up: str | Sequence[str], shapes: Sequence[Shape], drawn: bool = False) -> list[str]:
    """Gravity axis of every shape: `up` for all, or one a shape; "file" takes the axis in the shape's file, else y.

    Warns once if one axis is given for all and files state another (axes given one a shape are trusted), and if
    "file" is used and a file states none, unless the shapes are only drawn. Raises `InputError` for another number of
    axes than shapes, `UnknownNameError` for an unknown axis.
    """
    given = [up] * len(shapes) if isinstance(up, str) or not isinstance(up, Iterable) else list(up)
    if len(given) != len(shapes):
        raise InputError(f"up has {len(given)} entries for {len(shapes)} shapes; expected one for all or one a shape")
    axes = [check_up(u) if u != "file" else shape.stated_up() for u, shape in zip(given, shapes, strict=True)]
    if None in axes and not drawn:
        warnings.warn(UNSTATED, AxisWarning, stacklevel=1)
    if isinstance(up, str):
        warn_of_stated(up, shapes)
    return [one or "y" for one in axes]


def warn_of_stated(up: str, shapes: Sequence[Shape]) -> None:
    """Warn if one axis is given for all shapes and files state another."""
    others = [
        (shape.path or shape.name, axis) for shape in shapes if up in UPS and (axis := _stated(shape)) not in (None, up)
    ]
    if others:
        more = f", as {len(others) - 1} more state another axis" if len(others) > 1 else ""
        message = f"{others[0][0]} states that {others[0][1]} is up, but was given up={up!r}{more}; "
        warnings.warn(message + "up='file' takes what files state", AxisWarning, stacklevel=4)


def _has_fields(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.names is not None


def _stated(shape: Shape) -> str | None:
    try:
        return shape.stated_up()
    except ShapeFileError:  # reported when it is read
        return None
