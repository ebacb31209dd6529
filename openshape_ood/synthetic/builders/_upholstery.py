"""Pillows, cushions, arms, and the couch they make."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from openshape_ood.synthetic.builders._blocks import rails, slab, soft
from openshape_ood.synthetic.builders._boards import surface
from openshape_ood.synthetic.builders._chance import Random, chance, pick
from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._rows import row, spread
from openshape_ood.synthetic.builders._seat_legs import feet
from openshape_ood.synthetic.mesh import Mesh, cushion, cylinder, extrude, join, lathe


def pad(width: float, thickness: float, depth: float, power: float = 0.5, pinch: float = 0.08) -> Mesh:
    """A sewn cushion lying flat about the origin: full in the middle, thin at the seam, corners drawn out."""
    t = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 11))
    u, v = np.meshgrid(t, t, indexing="ij")
    y = ((1 - u**2) * (1 - v**2)) ** power
    x, z = u * (1 - pinch * (1 - v**2)), v * (1 - pinch * (1 - u**2))
    top = surface(np.stack([x * width, y * thickness, z * depth], axis=-1) / 2)
    return both(top, "y")


def sewn(rng: Random, width: float, thickness: float, depth: float) -> Mesh:
    """A throw or bed pillow lying flat: pinched at the seams or stuffed tight."""
    if chance(rng, 0.3):
        return cushion(width, thickness, depth, rng.uniform(0.3, 0.6))
    return pad(width, thickness, depth, rng.uniform(0.3, 0.65), rng.uniform(0, 0.12))


def block_arm(rng: Random, depth: float, height: float) -> tuple[Mesh, float]:
    t = rng.uniform(0.1, 0.3)
    return soft(t, height, depth, edge=rng.uniform(0.05, 0.25)), t


def rolled_arm(rng: Random, depth: float, height: float) -> tuple[Mesh, float]:
    t, r = rng.uniform(0.1, 0.18), rng.uniform(0.08, 0.13)
    roll = cylinder(r, depth, segments=14).turned("x", 90).moved(t * 0.25, height - r, 0)
    return join(slab(t, height - r, depth), roll), t


def slim_arm(rng: Random, depth: float, height: float) -> tuple[Mesh, float]:
    t = rng.uniform(0.04, 0.09)
    return slab(t, height, depth), t


def padded_arm(rng: Random, depth: float, height: float) -> tuple[Mesh, float]:
    t, top = rng.uniform(0.14, 0.26), rng.uniform(0.08, 0.16)
    pillow = soft(t * 1.15, top, depth * 1.02, height - top, edge=rng.uniform(0.3, 0.5))
    return join(slab(t, height - top * 0.7, depth * 0.97), pillow), t


def flared_arm(rng: Random, depth: float, height: float) -> tuple[Mesh, float]:
    t, out = rng.uniform(0.08, 0.14), rng.uniform(0.05, 0.15)
    outline = [(-t / 2, 0), (t / 2, 0), (t / 2 + out, height), (-t / 2 + out * 0.7, height)]
    return extrude(outline, depth), t


def framed_arm(rng: Random, depth: float, height: float) -> tuple[Mesh, float]:
    """An open frame of wood or metal."""
    t = rng.uniform(0.03, 0.06)
    post = slab(t, height, t, z=depth / 2 - t / 2)
    return join(both(post, "z"), slab(t * 1.3, t * 0.7, depth, height - t * 0.7)), t


ARMS = (block_arm, rolled_arm, slim_arm, padded_arm, flared_arm, framed_arm)
Arm = Callable[[Random, float, float], tuple[Mesh, float]]


def back_cushions(rng: Random, width: float, count: int, height: float) -> Mesh:
    """Loose cushions side by side with their feet at y = 0, leaning to -z."""
    t, tilt = rng.uniform(0.12, 0.24), rng.uniform(4, 18)
    one = soft(width / count * 0.98, height, t, edge=rng.uniform(0.2, 0.5))
    if chance(rng, 0.25):
        one = pad(width / count, t * 1.4, height, 0.4, 0.05).turned("x", 90).moved(y=height / 2)
    return row(one.turned("x", -tilt), spread(count, width))


def throw_pillows(rng: Random, width: float, seat: float, z: float) -> Mesh:
    parts = []
    for x in rng.uniform(-0.45, 0.45, rng.randint(1, 4)) * width:
        s = rng.uniform(0.3, 0.45)
        one = sewn(rng, s, rng.uniform(0.1, 0.18), s).turned("x", rng.uniform(60, 80))
        parts.append(one.turned("y", rng.uniform(-20, 20)).moved(x, seat + s * 0.45, z))
    return join(*parts)


def seat_cushions(rng: Random, width: float, depth: float, count: int, y: float, thickness: float) -> Mesh:
    one = soft(width / count * 0.99, thickness, depth, y, edge=rng.uniform(0.12, 0.4))
    return row(one, spread(count, width))


def underframe(rng: Random, width: float, height: float, depth: float, y: float) -> Mesh:
    """The box below the cushions: closed, or boards only so that few points fall where nobody sees them."""
    return slab(width, height, depth, y) if chance(rng, 0.4) else rails(width, height, depth, 0.03, y)


def couch(rng: Random, width: float, seats: int, arm: Arm | None = None, depth: float | None = None) -> Mesh:
    """An upholstered seat row: base, seat and back cushions, a back and two arms, on feet or on the floor."""
    d = rng.uniform(0.75, 1.05) if depth is None else depth
    foot = rng.uniform(0.02, 0.2)
    seat, t, rise = rng.uniform(0.38, 0.5), rng.uniform(0.1, 0.2), rng.uniform(0.28, 0.5)
    side, wide = (arm or pick(rng, ARMS))(rng, d, seat + rng.uniform(0.1, 0.28) - foot)
    inner, wall = width - 2 * wide, rng.uniform(0.08, 0.2)
    parts = [
        underframe(rng, inner, seat - t - foot, d * 0.97, foot),
        both(side.moved((width - wide) / 2, foot, 0)),
        soft(inner + wide * rng.uniform(0, 1), seat + rise - foot - 0.06, wall, foot, z=-(d - wall) / 2, edge=0.12),
        seat_cushions(rng, inner, d - wall, seats, seat - t, t).moved(z=wall / 2),
        feet(rng, width, d, foot + 0.01),
    ]
    if chance(rng, 0.8):
        parts.append(back_cushions(rng, inner, seats, rise).moved(0, seat, -d / 2 + wall + 0.12))
    if seats > 1 and chance(rng, 0.4):
        parts.append(throw_pillows(rng, inner, seat, -d / 2 + wall + 0.3))
    return join(*parts)


def bolster(rng: Random, length: float, radius: float) -> Mesh:
    """A roll along x about the origin: flat, round or drawn-together ends."""
    soften = rng.uniform(0.02, 0.9) * radius
    x = np.array([0, 0, soften, length - soften, length, length]) - length / 2
    r = radius * np.array([0, rng.uniform(0.6, 0.95), 1, 1, 0, 0])
    r[4] = r[1]
    return lathe(list(zip(r, x, strict=True)), 16).turned("z", 90)
