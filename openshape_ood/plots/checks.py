"""What callers hand over -> arrays, or an error that says what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from openshape_ood.checks import array
from openshape_ood.errors import CloudError, InputError
from openshape_ood.shapes.shape import list_shapes, resolve_ups

POINTS = 10_000  # sampled from a surface


def one_cloud(shape: Any, up: str) -> tuple[np.ndarray, str]:
    """One shape in any accepted form as its cloud (n, 3|6), colors in [0, 1], and its gravity axis."""
    listed = list_shapes(shape)
    if len(listed) != 1:
        raise CloudError(f"{len(listed)} shapes were given; expected one. contact_sheet draws many")
    return listed[0].cloud(POINTS, seed=0), resolve_ups(up, listed)[0]


def finite(values: Any, what: str, count: int | None = None) -> np.ndarray:
    """One finite number a shape or a point as (m,) float64; `count` of them, if given."""
    return _counted(array(values, what, "m").astype(np.float64), what, count)


def finite_number(value: Any, what: str) -> float:
    """One finite number, or that of a `Threshold`."""
    return float(finite([getattr(value, "value", value)], f"values of {what}")[0])


def names(values: Any, what: str, count: int | None = None) -> np.ndarray:
    """One name a shape or a point as (m,) of str; `count` of them, if given."""
    if isinstance(values, str | bytes) or not isinstance(values, Sequence | np.ndarray):
        raise InputError(f"{what} are {type(values).__name__}; expected a list of names, or an array (m,)")
    return _counted(np.asarray([str(value) for value in values], dtype=str), what, count)


def _counted(found: np.ndarray, what: str, count: int | None) -> np.ndarray:
    if count is not None and len(found) != count:
        raise InputError(f"{len(found)} {what} for {count}; expected one for each")
    return found
