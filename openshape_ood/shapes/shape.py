"""Whatever a caller hands over as shapes -> a list of shapes with a name each, loaded when needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np

from openshape_ood.checks import to_numpy
from openshape_ood.errors import CloudError, InputError
from openshape_ood.shapes.points import check_cloud, check_up
from openshape_ood.shapes.reading import file_up, load_shape
from openshape_ood.shapes.surfaces import sample_mesh


@dataclass(frozen=True)
class Shape:
    """One shape, read when it is needed.

    Attributes
    ----------
    value
        A path, a trimesh object, or an array (n, 3|6).
    name
        What tells it apart in messages.
    """

    value: Any
    name: str

    @property
    def path(self) -> str | None:
        return os.fspath(self.value) if isinstance(self.value, str | os.PathLike) else None

    def cloud(self, points: int, seed: int) -> np.ndarray:
        """Its points (n, 3|6) float64 in its own frame and units, checked; `points` of them where it is a surface."""
        if self.path is not None:
            return load_shape(self.path, points=points, seed=seed)
        if _is_trimesh(self.value):
            return sample_mesh(self.value, points, seed, self.name)
        return check_cloud(to_numpy(self.value), self.name)

    def up(self) -> str:
        """The gravity axis that its file states; y for what comes from no file."""
        return file_up(self.path) if self.path is not None else "y"


def list_shapes(shapes: Any) -> list[Shape]:
    """One shape or many, in any of the accepted forms, as a list; no file is opened.

    Parameters
    ----------
    shapes
        A cloud (n, 3|6), a stack of them (b, n, 3|6), a path, a trimesh object, or an iterable of these.

    Raises
    ------
    CloudError
        For an empty list, and for what is neither cloud nor path nor trimesh object.
    """
    if isinstance(shapes, str | os.PathLike):
        return [Shape(shapes, os.fspath(shapes))]
    if _is_trimesh(shapes):
        return [Shape(shapes, "the shape")]
    # a set has no order for the embeddings to follow
    if isinstance(shapes, Mapping | bytes | set | frozenset) or not isinstance(shapes, Iterable):
        raise CloudError(
            f"shapes is {type(shapes).__name__}; expected a cloud (n, 3|6), a stack (b, n, 3|6), a path, "
            "a trimesh object, or a list of these"
        )
    if hasattr(shapes, "ndim"):
        return _list_array(shapes)
    items = list(shapes)
    if not items:
        raise CloudError("the list of shapes is empty")
    if all(_is_row(item) for item in items):
        return [Shape(items, "the shape")]
    return [Shape(item, _name(item, i)) for i, item in enumerate(items)]


def _list_array(shapes: Any) -> list[Shape]:
    if shapes.ndim == 2:
        return [Shape(shapes, "the shape")]
    if shapes.ndim == 3 and len(shapes):
        return [Shape(cloud, f"shape {i}") for i, cloud in enumerate(shapes)]
    if shapes.ndim == 1 and isinstance(shapes, np.ndarray) and shapes.dtype.kind in "OU":
        return list_shapes(list(shapes))
    raise CloudError(
        f"shapes has the shape {tuple(shapes.shape)}; expected one cloud (n, 3|6), or a stack (b, n, 3|6) of at "
        "least one"
    )


def _name(item: Any, position: int) -> str:
    return f"shape {position} ({os.fspath(item)})" if isinstance(item, str | os.PathLike) else f"shape {position}"


def _is_row(item: Any) -> bool:
    """Whether `item` is one point of a cloud written as nested lists."""
    return isinstance(item, list | tuple) and len(item) > 0 and all(isinstance(v, Number) for v in item)


def _is_trimesh(value: Any) -> bool:
    # looked up, not imported: an object of trimesh cannot exist before trimesh was imported
    trimesh = sys.modules.get("trimesh")
    return trimesh is not None and isinstance(value, trimesh.Trimesh | trimesh.Scene | trimesh.PointCloud)


def resolve_ups(up: str | Sequence[str], shapes: Sequence[Shape]) -> list[str]:
    """The gravity axis of every shape: `up` for all, or one a shape; "file" asks the shape's own file.

    Raises
    ------
    InputError
        For another number of axes than shapes; `UnknownNameError` for what is no axis.
    """
    given = list(up) if isinstance(up, Iterable) and not isinstance(up, str) else [up] * len(shapes)
    if len(given) != len(shapes):
        raise InputError(f"up has {len(given)} entries for {len(shapes)} shapes; expected one for all or one a shape")
    return [shape.up() if u == "file" else check_up(u) for u, shape in zip(given, shapes, strict=True)]
