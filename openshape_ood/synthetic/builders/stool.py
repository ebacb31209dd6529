"""Stools for bars, pianos, steps and gardens."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both, ring_of
from openshape_ood.synthetic.builders._seats import ladder_back, legs, padded_back, panel_back, star_base, stretchers
from openshape_ood.synthetic.builders._shapes import bent_board, curved_wall, disc, rails, rounded, slab, soft
from openshape_ood.synthetic.catalog import Random, category, chance, pick
from openshape_ood.synthetic.mesh import Mesh, cushion, join, lathe, rod, torus


def stool_seat(rng: Random, size: float, y: float) -> Mesh:
    """Seat, round or square, as board, pad or saddle, with its underside at `y`."""
    kind = pick(rng, ("disc", "pad", "square", "cushion", "saddle"))
    if kind == "disc":
        return disc(size / 2, rng.uniform(0.02, 0.05), y)
    if kind == "pad":
        return cushion(size, rng.uniform(0.06, 0.12), size, rng.uniform(0.5, 1)).moved(y=y + 0.03)
    if kind == "square":
        return slab(size, rng.uniform(0.02, 0.05), size * rng.uniform(0.7, 1), y)
    if kind == "cushion":
        return soft(size, rng.uniform(0.05, 0.12), size, y, edge=rng.uniform(0.15, 0.4))
    x = np.linspace(-1, 1, 9)
    return bent_board(np.column_stack([x * size / 2, y + 0.05 * x**2]), size * 0.75, 0.03).turned("y", 90)


def spread_legs(rng: Random, count: int, top: float, foot: float, height: float) -> Mesh:
    """Slanting legs on a circle: radius `top` at the seat and `foot` on the floor."""
    r = rng.uniform(0.01, 0.022)
    return ring_of(rod((foot, 0, 0), (top, height, 0), r * rng.uniform(0.7, 1), r), count, 45)


def foot_ring(rng: Random, radius: float, y: float) -> Mesh:
    return torus(radius, rng.uniform(0.006, 0.012), 16).moved(y=y)


def bar_stool(rng: Random) -> Mesh:
    """High stool on four legs, with a foot ring or rungs and sometimes a low back."""
    s, h = rng.uniform(0.3, 0.44), rng.uniform(0.6, 0.8)
    parts = [stool_seat(rng, s, h)]
    if chance(rng, 0.5):
        top, foot = s * 0.36, s * rng.uniform(0.45, 0.75)
        low = rng.uniform(0.25, 0.45)
        parts += [spread_legs(rng, 4, top, foot, h), foot_ring(rng, foot + (top - foot) * low, h * low)]
    else:
        parts += [legs(rng, s, s, h, ("square", "round", "tapered", "turned")), stretchers(rng, s, s, h)]
    if chance(rng, 0.35):
        back = (ladder_back, panel_back, padded_back)[rng.randint(3)](rng, s * 0.95, rng.uniform(0.15, 0.3))
        parts.append(back.turned("x", -8).moved(0, h + 0.02, -s / 2 + 0.02))
    return join(*parts)


def pedestal_stool(rng: Random) -> Mesh:
    """One column on a plate, with a foot rest, for bars."""
    s, h = rng.uniform(0.32, 0.46), rng.uniform(0.55, 0.82)
    foot, neck = rng.uniform(0.18, 0.25), rng.uniform(0.022, 0.04)
    column = lathe([(0, 0), (foot, 0), (foot, 0.015), (neck * 1.5, 0.04), (neck, 0.08), (neck, h), (0, h)], 16)
    parts = [stool_seat(rng, s, h), column]
    if chance(rng, 0.7):
        ring = foot_ring(rng, 0.14, h * rng.uniform(0.3, 0.5))
        y = float(ring.vertices[:, 1].mean())
        parts += [ring, rod((0, y, -0.14), (0, y, 0.14), 0.01)]
    if chance(rng, 0.45):
        top = h + rng.uniform(0.16, 0.32)
        parts.append(curved_wall(s * 0.5, 0.04, h + 0.03, np.full(13, top), rng.uniform(120, 230), 1.05))
    return join(*parts)


def round_stool(rng: Random) -> Mesh:
    """A low disc on three or four straight or slanting legs."""
    s, h = rng.uniform(0.28, 0.42), rng.uniform(0.25, 0.48)
    seat = disc(s / 2, rng.uniform(0.02, 0.06), h)
    if chance(rng, 0.4):
        seat = cushion(s, rng.uniform(0.07, 0.14), s, 0.5).moved(y=h + 0.04)
    foot = s * rng.uniform(0.36, 0.62)
    parts = [seat, spread_legs(rng, rng.randint(3, 5), s * 0.36, foot, h)]
    return join(*parts, foot_ring(rng, (foot + s * 0.36) / 2, h / 2)) if chance(rng, 0.25) else join(*parts)


def square_stool(rng: Random) -> Mesh:
    w, d, h = rng.uniform(0.28, 0.46), rng.uniform(0.26, 0.42), rng.uniform(0.35, 0.5)
    t = rng.uniform(0.02, 0.05)
    top = slab(w, t, d, h) if chance(rng, 0.6) else soft(w, 2.5 * t, d, h, edge=0.3)
    parts = [top, legs(rng, w, d, h), rails(w * 0.95, rng.uniform(0.03, 0.08), d * 0.95, 0.02, h - 0.06)]
    return join(*parts, stretchers(rng, w, d, h)) if chance(rng, 0.6) else join(*parts)


def swivel_stool(rng: Random) -> Mesh:
    """Laboratory, drafting or piano stool on a star base or on a screw with three feet."""
    s, h = rng.uniform(0.3, 0.4), rng.uniform(0.42, 0.7)
    seat = cushion(s, rng.uniform(0.06, 0.12), s, rng.uniform(0.3, 0.5)).moved(y=h + 0.03)
    parts = [seat, star_base(rng, h)]
    if chance(rng, 0.3):
        parts.append(foot_ring(rng, 0.19, h * 0.4))
    return join(*parts)


def step_stool(rng: Random) -> Mesh:
    """Two treads between side boards, or a little folding ladder."""
    w, h, d = rng.uniform(0.34, 0.45), rng.uniform(0.4, 0.55), rng.uniform(0.3, 0.4)
    z, t = d / 2, rng.uniform(0.018, 0.03)
    upper, lower = slab(w, t, d * 0.5, h - t, z=-z * 0.5), slab(w, t, d * 0.5, h * 0.5 - t, z=z * 0.5)
    if chance(rng, 0.6):
        high, low = slab(t, h, d * 0.5, z=-z * 0.5, x=w / 2), slab(t, h * 0.5, d * 0.5, z=z * 0.5, x=w / 2)
        return join(upper, lower, both(join(high, low)))
    side = join(rod((w / 2, 0, z), (w / 2, h, -z * 0.5), 0.014), rod((w / 2, 0, -z * 1.2), (w / 2, h, -z * 0.5), 0.014))
    return join(upper, lower, both(side))


def drum_stool(rng: Random) -> Mesh:
    """A garden stool: a drum, an hourglass, a stump or a closed cube."""
    r, h = rng.uniform(0.15, 0.22), rng.uniform(0.38, 0.5)
    bulge = rng.uniform(-0.45, 0.35)
    t = np.linspace(0, 1, 9)
    profile = r * (0.85 + bulge * np.sin(np.pi * t) * 0.8)
    body = lathe([(0, 0), *zip(profile, t * h, strict=True), (0, h)], 16)
    if chance(rng, 0.3):
        return join(body, cushion(2 * r, 0.08, 2 * r, 0.5).moved(y=h + 0.02))
    return body


def camp_stool(rng: Random) -> Mesh:
    """Crossed legs with a cloth or a board on top."""
    w, d, h, r = rng.uniform(0.35, 0.5), rng.uniform(0.3, 0.4), rng.uniform(0.35, 0.46), rng.uniform(0.009, 0.018)
    x, z = w / 2, d / 2
    cross = both(rod((-x, 0, z), (x, h, z), r))
    bars = both(join(rod((x, h, -z), (x, h, z), r), rod((x, r, -z), (x, r, z), r)))
    a = np.linspace(-1, 1, 9)
    sag = rng.uniform(0, 0.06)
    cloth = bent_board(np.column_stack([a * x, h - sag * (1 - a**2)]), d, rng.uniform(0.01, 0.05)).turned("y", 90)
    return join(both(cross, "z"), bars, cloth)


def bent_stool(rng: Random) -> Mesh:
    """One board bent down at both ends, sharply or in a curve, with a rail or shelf below."""
    w, d, h, t = rng.uniform(0.35, 0.48), rng.uniform(0.25, 0.36), rng.uniform(0.4, 0.5), rng.uniform(0.018, 0.045)
    x = w / 2
    foot = x * rng.uniform(0.9, 1.15)
    bend = rounded([(-foot, 0), (-x, h), (x, h), (foot, 0)], rng.randint(0, 4))
    parts = [bent_board(bend, d, t).turned("y", 90)]
    if chance(rng, 0.6):
        parts.append(slab(w * 0.95, 0.03, d * rng.uniform(0.1, 0.8), h * rng.uniform(0.2, 0.6)))
    return join(*parts)


category(
    "stool",
    bar=bar_stool,
    pedestal=pedestal_stool,
    round=round_stool,
    square=square_stool,
    swivel=swivel_stool,
    step=step_stool,
    drum=drum_stool,
    camp=camp_stool,
    bent=bent_stool,
)
