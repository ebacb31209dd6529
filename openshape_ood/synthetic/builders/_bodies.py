"""Bodies lofted through rings or stations, turned vessels, wings and leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from openshape_ood.synthetic.builders._copies import copies, headings
from openshape_ood.synthetic.catalog import Random
from openshape_ood.synthetic.mesh import Mesh, box, lathe, sheet


def body_along_z(stations: Sequence[Sequence[float]], roundness: float = 1.0, columns: int = 16) -> Mesh:
    """A closed body along z through stations (z, y, half width, half height); see `cushion` for roundness."""
    s = np.asarray(stations, dtype=np.float64)
    rows = np.concatenate([s[:1] * [1, 1, 0, 0], s, s[-1:] * [1, 1, 0, 0]])
    z, y, half_width, half_height = (c[:, None] for c in rows.T)

    def soft(t: np.ndarray) -> np.ndarray:
        return np.sign(t) * np.abs(t) ** roundness

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        x = half_width * soft(np.cos(2 * np.pi * v))
        return np.stack([x, y + half_height * soft(np.sin(2 * np.pi * v)), z + 0 * u], axis=-1)

    return sheet(surface, len(rows), columns + 1)


def blade(span: float, root: float, tip: float, sweep: float, thickness: float, rise: float = 0.0) -> Mesh:
    """A wing or fin from the origin along +x, chords along z. Its tip is `sweep` further back and `rise` higher."""

    def shape(p: np.ndarray) -> np.ndarray:
        t = p[:, 0] + 0.5
        chord = root + (tip - root) * t
        y = p[:, 1] * thickness * (1 - 0.6 * t) + rise * t
        return np.stack([span * t, y, p[:, 2] * chord - sweep * t], axis=1)

    return box(1, 1, 1).deformed(shape)


# A superellipse of this power has corners that look sharp at any sampling.
SHARP = 40.0


class Ring(NamedTuple):
    """A horizontal outline: a superellipse of the given full widths around (0, y, z).

    `power` 2 is an ellipse, 10 is nearly a rectangle. `back` is the power of the half towards -z.
    """

    y: float
    width: float
    depth: float
    power: float = 2.0
    z: float = 0.0
    back: float | None = None

    def shrunk(self, by: float) -> Ring:
        return self._replace(width=max(self.width - by, 0.004), depth=max(self.depth - by, 0.004))

    def closed(self) -> Ring:
        return self._replace(width=0.0, depth=0.0)


def loft(rings: Sequence[Ring], segments: int = 24) -> Mesh:
    """The surface through a stack of rings, in their order."""
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    # sin(pi) is not exactly 0, and a high power would enlarge the difference
    cos, sin = np.cos(angle).round(9), np.sin(angle).round(9)
    columns = [(r.y, r.width, r.depth, r.power, r.z, r.back or r.power) for r in rings]
    y, width, depth, front, z, back = np.array(columns).T[:, :, None]
    power = 2 / np.where(sin < 0, back, front)
    across = np.sign(cos) * np.abs(cos) ** power * width / 2
    along = np.sign(sin) * np.abs(sin) ** power * depth / 2 + z
    grid = np.stack([across, np.broadcast_to(y, across.shape), along], axis=-1)
    return sheet(lambda u, v: grid, rows=len(rings), columns=segments + 1)


def solid(rings: Sequence[Ring], segments: int = 24) -> Mesh:
    return loft([rings[0].closed(), *rings, rings[-1].closed()], segments)


def slab(ring: Ring, thickness: float) -> Mesh:
    """A plate on top of a ring, with the ring's outline."""
    return solid([ring, ring._replace(y=ring.y + thickness)])


def collar(outer: Ring, inner: Ring, thickness: float) -> Mesh:
    """A plate with a hole, from the height of `outer` upwards."""
    top, y = outer.y + thickness, outer.y
    return loft([outer, outer._replace(y=top), inner._replace(y=top), inner._replace(y=y), outer])


def hollow(rings: Sequence[Ring], wall: float, floor: float | None = None, deck: float = 0.0) -> Mesh:
    """A vessel, open at the top, whose outside is `rings`. deck: width of a broader rim at the back."""
    bottom = rings[0].y + (wall if floor is None else floor)
    inside = [r.shrunk(2 * wall)._replace(y=max(r.y, bottom)) for r in rings]
    inside = [r._replace(depth=max(r.depth - deck, 0.004), z=r.z + deck / 2) for r in inside]
    return loft([rings[0].closed(), *rings, *inside[::-1], inside[0].closed()])


def shell_rings(height: float, bottom: float, width: float, depth: float, power: float) -> list[Ring]:
    """Rings of a straight tapered outside from y = 0. bottom: scale of the foot."""
    return [Ring(0, bottom * width, bottom * depth, power), Ring(height, width, depth, power)]


def pot(profile: Sequence[tuple[float, float]], wall: float, segments: int = 20, filled: float = 0.0) -> Mesh:
    """A turned vessel, open at the top. profile: (radius, y) of its outside, from the foot up. filled: fill height."""
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


def leaf_blade(length: float, width: float, droop: float, fold: float = 0.1) -> Mesh:
    """A leaf from the origin along +z that sinks by `droop` of its length."""

    def blade(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        half = width * np.sin(np.pi * np.clip(u, 0.02, 0.98) ** 0.8) * (v - 0.5)
        lift = fold * np.abs(2 * v - 1) * width - droop * length * u**2
        return np.stack([half, lift, length * u], axis=-1)

    return sheet(blade, rows=6, columns=3)


def rosette(rng: Random, leaf: Mesh, n: int, low: float, high: float) -> Mesh:
    """n leaves from the origin all around, pitched between `low` and `high` degrees."""
    yaw = np.arange(n) * 2.4 + rng.normal(0, 0.2, n)
    pitch = np.radians(np.linspace(low, high, n) + rng.normal(0, 6, n))
    return copies(leaf, headings(yaw, pitch), np.zeros((n, 3)), rng.uniform(0.7, 1.1, n))


def bush_of(rng: Random, leaf: Mesh, n: int, center: Sequence[float], spread: np.ndarray) -> Mesh:
    """n leaves all over an ellipsoid (half axes `spread`), pointing outwards."""
    direction = rng.normal(0, 1, (n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    spots = np.asarray(center) + direction * spread * rng.uniform(0.55, 1.0, (n, 1))
    yaw, pitch = np.arctan2(direction[:, 0], direction[:, 2]), np.arcsin(direction[:, 1]) * 0.7
    turns = headings(yaw + rng.normal(0, 0.5, n), pitch + rng.normal(0, 0.4, n))
    return copies(leaf, turns, spots, rng.uniform(0.6, 1.2, n))
