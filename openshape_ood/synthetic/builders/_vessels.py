"""Turned vessels and the profiles they come from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openshape_ood.synthetic.mesh import Mesh, lathe


def pot(profile: Sequence[tuple[float, float]], wall: float, segments: int = 20, filled: float = 0.0) -> Mesh:
    """A turned vessel open at the top, its outside given as (radius, y) from the foot up; filled up to a height."""
    floor = max(profile[0][1] + wall, filled)
    inside = [(max(r - wall, 0.001), max(y, floor)) for r, y in profile]
    return lathe([(0, profile[0][1]), *profile, *inside[::-1], (0, floor)], segments)


def smooth(profile: Sequence[tuple[float, float]], points: int = 12) -> list[tuple[float, float]]:
    """A (radius, y) profile rounded by a Catmull-Rom spline."""
    p = np.asarray(profile, dtype=np.float64)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, len(profile) - 1, points)
    i = np.minimum(t.astype(int), len(profile) - 2)
    s = (t - i)[:, None]
    a, b, c, d = (p[i + k] for k in range(4))
    curve = b + 0.5 * s * (c - a + s * (2 * a - 5 * b + 4 * c - d + s * (3 * (b - c) + d - a)))
    return [(max(float(r), 0.001), float(y)) for r, y in curve]
