"""Balls for sports and play."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both, stamped
from openshape_ood.synthetic.builders._shapes import half_ring
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, ellipsoid, join, lathe, torus, tube


def sphere(radius: float, segments: int = 24) -> Mesh:
    return ellipsoid(2 * radius, 2 * radius, 2 * radius, segments)


def tumbled(rng: Random, mesh: Mesh) -> Mesh:
    return mesh.turned("x", rng.uniform(0, 360)).turned("z", rng.uniform(0, 360))


def basketball(rng: Random) -> Mesh:
    r = rng.uniform(0.1, 0.13)
    seam = torus(r, r * 0.02, 24)
    small = both(torus(r * 0.78, r * 0.02, 20).turned("z", 90).moved(x=r * 0.62))
    return tumbled(rng, join(sphere(r), seam, seam.turned("x", 90), small))


def football(rng: Random) -> Mesh:
    """Ball with shallow dents at the twelve corners of an icosahedron instead of panels."""
    r, dent, golden = rng.uniform(0.1, 0.12), rng.uniform(0.02, 0.05), (1 + 5**0.5) / 2
    corners = np.array([np.roll([0, a, b * golden], i) for i in range(3) for a in (-1, 1) for b in (-1, 1)])
    corners /= np.linalg.norm(corners, axis=1, keepdims=True)

    def panels(p: np.ndarray) -> np.ndarray:
        nearest = (p / np.linalg.norm(p, axis=1, keepdims=True) @ corners.T).max(axis=1)
        return p * (1 - dent * (np.abs(nearest - 0.93) < 0.02))[:, None]

    return sphere(r, 36).deformed(panels)


def rugby_ball(rng: Random) -> Mesh:
    u = rng.uniform
    n, wide = u(0.26, 0.3), u(0.16, 0.2)
    ball = lathe(
        [(wide / 2 * np.cos(t) ** u(1.0, 1.3), n / 2 * np.sin(t)) for t in np.linspace(-np.pi / 2, np.pi / 2, 14)], 20
    )
    laces = stamped(box(0.03, 0.006, 0.006), [(0, y, wide / 2) for y in np.linspace(-0.04, 0.04, 6)])
    return join(ball, laces).turned("z", 90 if chance(rng, 0.8) else u(0, 90))


def golf_ball(rng: Random) -> Mesh:
    ball = sphere(1, 32).deformed(lambda p: p * (1 - 0.02 * (np.sin(18 * p[:, :1]) * np.sin(18 * p[:, 1:2]) > 0.3)))
    return ball.scaled(*[rng.uniform(0.02, 0.04)] * 3)


def tennis_ball(rng: Random) -> Mesh:
    r = rng.uniform(0.03, 0.12)
    t = np.linspace(0, 2 * np.pi, 33)
    seam = np.stack([np.cos(t) + 0.4 * np.cos(3 * t), np.sin(t) - 0.4 * np.sin(3 * t), 1.26 * np.sin(2 * t)], axis=1)
    seam *= r / np.linalg.norm(seam, axis=1, keepdims=True)
    return tumbled(rng, join(sphere(r), tube(seam, r * 0.025, 6)))


def bowling_ball(rng: Random) -> Mesh:
    r = rng.uniform(0.1, 0.115)
    holes = stamped(
        torus(r * 0.11, r * 0.02, 10), [(x * r, r * 0.96, z * r) for x, z in ((-0.14, 0), (0.14, 0), (0, 0.28))]
    )
    return join(sphere(r), holes).turned("x", rng.uniform(0, 60))


def bouncing_ball(rng: Random) -> Mesh:
    """A gym ball, a bit flat where it stands, perhaps with handles or ribs."""
    r, sag = rng.uniform(0.2, 0.38), rng.uniform(0.05, 0.15)
    ball = sphere(r).deformed(lambda p: np.stack([p[:, 0], np.maximum(p[:, 1], -r * (1 - sag)), p[:, 2]], axis=1))
    if chance(rng, 0.4):
        return join(ball, both(half_ring(0.05, 0.012).moved(x=0.06, y=r * 0.95)))
    return join(ball, stamped(torus(r * 0.95, r * 0.012), [(0, y * r, 0) for y in (-0.3, 0.3)]))


category(
    "ball",
    smooth=lambda rng: sphere(rng.uniform(0.02, 0.4)),
    basketball=basketball,
    football=football,
    rugby=rugby_ball,
    golf=golf_ball,
    tennis=tennis_ball,
    bowling=bowling_ball,
    gym=bouncing_ball,
)
