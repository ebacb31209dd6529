"""A scan: points in metres with z up, and what a file says of each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from openshape_ood.errors import InputError


@dataclass(frozen=True, eq=False)
class Scene:
    """A scan of a place, in metres, z up.

    Parameters
    ----------
    points : (n, 3) float64
        Metres. Double precision: scans in map coordinates lie millions of metres from the origin.
    color : (n, 3) float32 in [0, 1], optional
    labels, instances : (n,) int64, optional
        What an annotated scan says of each point: its class, and which object it belongs to; 0 is none.
    name : str
        For messages and pictures.

    Raises
    ------
    InputError
        For arrays of another shape or length, and for coordinates that are not finite.
    """

    points: np.ndarray
    color: np.ndarray | None = None
    labels: np.ndarray | None = None
    instances: np.ndarray | None = None
    name: str = field(default="scene", kw_only=True)

    def __post_init__(self) -> None:
        points = np.asarray(self.points, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 3 or len(points) == 0:
            raise InputError(f"{self.name}: points have shape {points.shape}; expected (n, 3) with n of at least 1")
        if not np.isfinite(points).all():
            bad = int((~np.isfinite(points)).any(axis=1).sum())
            raise InputError(f"{self.name}: {bad} of {len(points)} points are not finite; leave them out")
        object.__setattr__(self, "points", points)
        for what, dtype, shape in (
            ("color", np.float32, (len(points), 3)),
            ("labels", np.int64, (len(points),)),
            ("instances", np.int64, (len(points),)),
        ):
            given = getattr(self, what)
            if given is None:
                continue
            if np.shape(given) != shape:
                raise InputError(f"{self.name}: {what} has shape {np.shape(given)}; expected {shape}, a row a point")
            object.__setattr__(self, what, np.asarray(given, dtype=dtype))

    def __len__(self) -> int:
        return len(self.points)

    def take(self, rows: np.ndarray) -> Scene:
        """The points of `rows`: indices (m,) or a mask (n,)."""

        def of(array: np.ndarray | None) -> np.ndarray | None:
            return None if array is None else array[rows]

        return replace(
            self,
            points=self.points[rows],
            color=of(self.color),
            labels=of(self.labels),
            instances=of(self.instances),
        )
