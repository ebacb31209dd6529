"""From where a shape is looked at: in front, a little from the right and from above; nothing is mirrored."""

from __future__ import annotations

import numpy as np

from openshape_ood.shapes.points import check_up

TURN, TILT = 30.0, 20.0  # degrees to the right and upwards


def upright(xyz: np.ndarray, up: str) -> np.ndarray:
    """Points (n, 3) with gravity axis `up`, turned until they are y up.

    A rotation, while the encoders exchange two columns, which would show left as right.

    >>> upright(np.array([[1.0, 2.0, 3.0]]), "z").tolist()  # what lay towards -y, the front of a z-up shape, faces us
    [[1.0, 3.0, -2.0]]
    """
    check_up(up)
    x, y, z = np.asarray(xyz, dtype=np.float64)[:, :3].T
    if up.startswith("-"):  # half a turn about an axis that lies level
        x, y, z = {"x": (-x, -y, z), "y": (x, -y, -z), "z": (-x, y, -z)}[up[-1]]
    return np.stack({"x": (-y, x, z), "y": (x, y, z), "z": (x, z, -y)}[up[-1]], axis=1)


def view(xyz: np.ndarray, turn: float = TURN, tilt: float = TILT) -> tuple[np.ndarray, ...]:
    """Where the points of a y-up cloud (n, 3) lie in the picture: across, up, towards the eye; and their height."""
    x, y, z = xyz.T.astype(np.float64)
    a, b = np.deg2rad(turn), np.deg2rad(tilt)
    across, near = np.cos(a) * x - np.sin(a) * z, np.sin(a) * x + np.cos(a) * z
    return across, np.cos(b) * y - np.sin(b) * near, np.sin(b) * y + np.cos(b) * near, y


def thinned(n: int, most: int) -> np.ndarray:
    """Indices (at most `most`,) evenly out of the order of n points."""
    return np.linspace(0, n - 1, min(n, most)).astype(int)
