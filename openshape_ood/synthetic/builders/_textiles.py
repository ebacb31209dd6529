"""Pillows, cushions, arms and couches; covers and headboards of beds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from openshape_ood.synthetic.builders._copies import both, row, spread
from openshape_ood.synthetic.builders._seats import feet
from openshape_ood.synthetic.builders._shapes import rails, slab, soft, surface
from openshape_ood.synthetic.catalog import Random, chance, pick
from openshape_ood.synthetic.mesh import Mesh, cushion, cylinder, ellipsoid, extrude, join, lathe, rod


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
    """The box below the cushions: closed, or boards only, so that few points are on hidden surfaces."""
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


def lying_size(rng: Random, widest: float = 2.0) -> tuple[float, float]:
    """Width and length of a mattress, single to king."""
    return rng.uniform(0.85, widest), rng.uniform(1.85, 2.15)


def bed_pillows(rng: Random, width: float, length: float, y: float) -> Mesh:
    count = 1 if width < 1.15 else rng.randint(2, 4 if width > 1.5 else 3)
    w, d, t = width / count * rng.uniform(0.75, 0.95), rng.uniform(0.3, 0.48), rng.uniform(0.1, 0.2)
    one = sewn(rng, w, t, d)
    if chance(rng, 0.25):
        one = one.turned("x", rng.uniform(40, 75)).moved(y=d * 0.3)
    z = -length / 2 + d / 2 + 0.06
    parts = [one.moved(x, y + t / 2, z).turned("y", rng.uniform(-2, 2)) for x in spread(count, width * 0.96)]
    if chance(rng, 0.3):
        parts += [one.scaled(0.8, 1, 0.8).moved(x, y + t, z + 0.18) for x in spread(count, width * 0.9)]
    return join(*parts)


def duvet(rng: Random, width: float, length: float, y: float) -> Mesh:
    """A cover over the foot part of a mattress whose top lies at `y`: it hangs down and has folds."""
    hang, puff = rng.uniform(0.05, 0.3), rng.uniform(0.01, 0.06)
    start = rng.uniform(-0.3, 0.15) * length
    u, v = np.meshgrid(np.linspace(0, 1, 12), np.linspace(-1, 1, 17), indexing="ij")
    over = np.clip(np.abs(v) * (width / 2 + hang) - width / 2, 0, None)
    x = np.sign(v) * np.minimum(np.abs(v) * (width / 2 + hang), width / 2 + 0.02)
    along = start + u * (length / 2 - start + hang)
    down = np.clip(along - length / 2, 0, None)
    fold = 0.012 * np.sin(rng.uniform(4, 12) * u + rng.uniform(3, 9) * v + rng.uniform(0, 6))
    height = y + puff + fold - np.maximum(over, down)
    return surface(np.stack([x + (over > 0) * fold, height, np.minimum(along, length / 2 + 0.02)], axis=-1))


def bedding(rng: Random, width: float, length: float, y: float, thickness: float | None = None) -> Mesh:
    """A mattress lying at height `y`, mostly with pillows and a cover."""
    t = rng.uniform(0.12, 0.3) if thickness is None else thickness
    parts = [soft(width, t, length, y, edge=rng.uniform(0.06, 0.2))]
    if chance(rng, 0.85):
        parts.append(bed_pillows(rng, width, length, y + t))
    if chance(rng, 0.65):
        parts.append(duvet(rng, width, length, y + t))
    return join(*parts)


def arched_board(width: float, height: float, thickness: float, arch: float) -> Mesh:
    a = np.linspace(0, np.pi, 11)
    top = [(width / 2 * np.cos(i), height - arch * (1 - np.sin(i))) for i in a]
    return extrude([*top, (-width / 2, 0), (width / 2, 0)], thickness)


def panel_board(rng: Random, width: float, height: float) -> Mesh:
    t = rng.uniform(0.03, 0.09)
    if chance(rng, 0.4):
        return arched_board(width, height, t, rng.uniform(0.05, 0.3) * height)
    return slab(width, height, t)


def barred_board(rng: Random, width: float, height: float) -> Mesh:
    r = rng.uniform(0.012, 0.025)
    bars = row(cylinder(r * 0.6, height * 0.95, segments=6).moved(y=height / 2), spread(rng.randint(5, 13), width))
    rail = rod((-width / 2, 0, 0), (width / 2, 0, 0), r)
    ends = both(cylinder(r * 1.3, height, segments=8).moved(width / 2, height / 2, 0))
    knobs = both(ellipsoid(4 * r, 4 * r, 4 * r, 8).moved(width / 2, height + r, 0))
    return join(bars, rail.moved(y=height * 0.93), rail.moved(y=height * 0.3), ends, knobs)


def slatted_board(rng: Random, width: float, height: float) -> Mesh:
    t, count = rng.uniform(0.04, 0.08), rng.randint(2, 14)
    ends = both(slab(t, height, t, x=(width - t) / 2))
    top, low = slab(width, 0.08, t * 0.8, height - 0.08), slab(width, 0.06, t * 0.6, height * 0.35)
    if count < 6:
        pitch = height / count
        return join(ends, top, *[slab(width, pitch * 0.5, t * 0.5, i * pitch) for i in range(count)])
    return join(ends, top, low, row(slab(0.04, height * 0.6, 0.02, height * 0.35), spread(count, width - 2 * t)))


def tufted_board(rng: Random, width: float, height: float) -> Mesh:
    """Upholstered headboard: one pad, upright channels or squares."""
    t, columns, rows = rng.uniform(0.07, 0.14), rng.randint(1, 9), rng.randint(1, 4)
    one = soft(width / columns, height / rows, t, edge=rng.uniform(0.15, 0.4))
    return join(*[row(one, spread(columns, width)).moved(y=i * height / rows) for i in range(rows)])


BOARDS = (panel_board, barred_board, slatted_board, tufted_board)


def board(rng: Random, width: float, height: float) -> Mesh:
    return pick(rng, BOARDS)(rng, width, height)
