"""Bent rods and straps: arches, hoops and ribbons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openshape_ood.synthetic.mesh import Mesh, sheet, torus


def ribbon(path: np.ndarray, across: Sequence[float], width: float, thickness: float) -> Mesh:
    """A flat strap along a polyline (m, 3), `width` wide in the direction `across`."""
    p, side = np.asarray(path, dtype=np.float64), np.asarray(across, dtype=np.float64)
    normal = np.cross(np.gradient(p, axis=0), side)
    normal *= thickness / 2 / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12)
    half = side * width / 2
    grid = np.stack([p - half - normal, p + half - normal, p + half + normal, p - half + normal], axis=1)
    grid = np.concatenate([grid, grid[:, :1]], axis=1)
    return sheet(lambda u, v: grid, rows=len(p), columns=5)


def arch(width: float, height: float, squareness: float = 0.7, points: int = 13) -> np.ndarray:
    """A path (points, 3) up and over in the x-y plane, from -width/2 to width/2."""
    t = np.linspace(0, np.pi, points)
    x = -np.sign(np.cos(t)) * np.abs(np.cos(t)) ** squareness * width / 2
    return np.stack([x, np.sin(t) ** squareness * height, np.zeros_like(t)], axis=1)


def half_ring(radius: float, thickness: float, segments: int = 14) -> Mesh:
    """A half ring in the x-y plane that stands on its two ends."""
    return torus(radius, thickness, segments, degrees=180).turned("x", -90)


def hoop(radius: float, thickness: float, segments: int = 20) -> Mesh:
    """A torus that faces +z."""
    return torus(radius, thickness, segments).turned("x", 90)
