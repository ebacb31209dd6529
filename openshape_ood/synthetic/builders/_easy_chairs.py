"""Easy chairs: upholstered, molded, reclined."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._seats import disc_base, legs, pedestal, star_base
from openshape_ood.synthetic.builders._shapes import (
    bent_board,
    curved_wall,
    disc,
    normals,
    rails,
    rounded,
    slab,
    soft,
    thick,
)
from openshape_ood.synthetic.builders._textiles import couch
from openshape_ood.synthetic.catalog import Random, chance
from openshape_ood.synthetic.mesh import Mesh, cushion, ellipsoid, extrude, join, lathe


def shell(rng: Random, width: float, depth: float, height: float, wings: float) -> Mesh:
    """A molded seat with its back, seat at y = 0; `wings` lifts its sides like low arms."""
    profile = rounded([(depth / 2, -0.03), (0.2 * depth, 0.01), (-0.45 * depth, -0.03), (-0.62 * depth, height)], 3)
    t = np.linspace(0, 1, len(profile))[:, None]
    across = np.linspace(-1, 1, 9)[None]
    span = width / 2 * (1 - rng.uniform(0, 0.25) * t**2) * np.sqrt(np.clip(1 - 0.5 * (2 * t - 1) ** 8, 0, 1))
    rise = across**4 * (0.03 + wings * np.sin(np.pi * np.clip(1.25 * t - 0.1, 0, 1)) ** 2)
    hug = across**2 * rng.uniform(0.02, 0.12) * t
    grid = np.stack([span * across, profile[:, 1:] + rise, profile[:, :1] + hug], axis=-1)
    n = normals(profile) * rng.uniform(0.008, 0.03)
    return thick(grid, np.column_stack([np.zeros(len(n)), n[:, 1], n[:, 0]])[:, None])


def wing_chair(rng: Random) -> Mesh:
    w, d, foot = rng.uniform(0.62, 0.85), rng.uniform(0.6, 0.85), rng.uniform(0.06, 0.22)
    seat, t = rng.uniform(0.38, 0.48), rng.uniform(0.07, 0.13)
    rise = rng.uniform(0.55, 0.8)
    back = soft(w, rise, t * 1.4, edge=0.2)
    wing = extrude([(0, 0), (0.16, 0.05), (0.24, 0.6 * rise), (0.14, rise), (0, rise)], t * 0.7).turned("y", -90)
    wings = both(wing.moved(w / 2 - t * 0.35, 0, 0.02))
    top = join(back, wings).turned("x", -rng.uniform(3, 14)).moved(0, seat - 0.05, -d / 2 + t * 0.7)
    arm = soft(t * 1.2, rng.uniform(0.16, 0.24), d, seat - 0.02, x=w / 2, edge=rng.uniform(0.3, 0.6))
    body = soft(w, seat - foot - 0.06, d, foot, edge=0.12)
    pillow = soft(w - t, 0.13, d * 0.9, seat - 0.09, z=0.04, edge=0.3)
    return join(top, both(arm), body, pillow, legs(rng, w, d * 0.92, foot + 0.03, ("tapered", "turned", "cabriole")))


def club_chair(rng: Random) -> Mesh:
    """Upholstered armchair with closed sides down to the floor or onto short feet."""
    return couch(rng, rng.uniform(0.7, 1.05), 1)


def tub_chair(rng: Random) -> Mesh:
    """A round wall for back and arms about a thick seat."""
    r, t, foot = rng.uniform(0.3, 0.42), rng.uniform(0.05, 0.12), rng.uniform(0, 0.25)
    seat, rise, drop = rng.uniform(0.38, 0.47), rng.uniform(0.22, 0.45), rng.uniform(0, 0.2)
    bend = np.linspace(-1, 1, 17)
    top = seat + rise - drop * np.abs(bend) ** rng.uniform(1, 3)
    deep = rng.uniform(0.9, 1.1)
    wall = curved_wall(r, t, foot, top, rng.uniform(190, 270), rng.uniform(0.95, 1.12), deep)
    base = disc(r - t * 0.6, seat - foot - 0.05, foot).scaled(1, 1, deep)
    pad_top = cushion(2 * r - 1.6 * t, 0.13, 2 * r - 1.6 * t, 0.5).moved(0, seat - 0.04, 0.02)
    under = legs(rng, r * 1.4, r * 1.4, foot + 0.02) if foot > 0.05 else disc(r * 0.9, foot + 0.01)
    return join(wall, base, pad_top, under)


def shell_chair(rng: Random) -> Mesh:
    w, d, h = rng.uniform(0.42, 0.66), rng.uniform(0.4, 0.52), rng.uniform(0.36, 0.48)
    wings = rng.uniform(0.1, 0.2) if chance(rng, 0.5) else rng.uniform(0, 0.03)
    parts = [shell(rng, w, d, rng.uniform(0.3, 0.5), wings).moved(y=h + 0.03), pedestal(rng, w, d, h)]
    if chance(rng, 0.25):
        parts.append(cushion(w * 0.8, 0.05, d * 0.8, 0.5).moved(y=h + 0.05))
    return join(*parts)


def egg_chair(rng: Random) -> Mesh:
    """A deep rounded bowl on a swivel foot."""
    r, h, t = rng.uniform(0.36, 0.5), rng.uniform(0.32, 0.42), rng.uniform(0.03, 0.08)
    rise = rng.uniform(0.45, 0.85)
    bend = np.abs(np.linspace(-1, 1, 17))
    top = h + 0.22 + (rise - 0.22) * np.cos(bend * np.pi / 2) ** rng.uniform(0.5, 1.5)
    wall = curved_wall(r * 0.75, t, h - 0.05, top, rng.uniform(210, 260), rng.uniform(1.2, 1.4))
    bowl = ellipsoid(1.5 * r, 0.16, 1.5 * r).moved(y=h - 0.03)
    seat = cushion(r * 1.35, 0.14, r * 1.35, 0.6).moved(y=h + 0.06)
    return join(wall, bowl, seat, disc_base(rng, h - 0.08) if chance(rng, 0.6) else star_base(rng, h - 0.08))


def throne(rng: Random) -> Mesh:
    w, d, h, rise = rng.uniform(0.6, 0.9), rng.uniform(0.5, 0.75), rng.uniform(0.42, 0.55), rng.uniform(0.8, 1.4)
    t, crest = rng.uniform(0.06, 0.1), rng.uniform(0.05, 0.3)
    y = np.linspace(0, np.pi, 9)
    arch = [(-w / 2 * np.cos(a), rise + crest * np.sin(a)) for a in y]
    back = extrude([(w / 2, 0), *arch[::-1], (-w / 2, 0)], t).moved(0, h - 0.1, -d / 2)
    post = join(slab(t, h + rise, t, x=w / 2), ellipsoid(t * 1.4, t * 1.8, t * 1.4, 10).moved(w / 2, h + rise + t / 2))
    arm = join(slab(t, 0.06, d, h + 0.22, x=w / 2), slab(t, h + 0.22, t, x=w / 2, z=d / 2 - t / 2))
    sides = [slab(0.03, h + 0.2, d - t, x=w / 2)] if chance(rng, 0.4) else []
    parts = [back, both(post.moved(z=-d / 2)), both(join(arm, *sides)), soft(w, 0.1, d, h - 0.02)]
    parts.append(slab(w, h, d) if chance(rng, 0.4) else rails(w, 0.12, d, 0.04, h - 0.12))
    if chance(rng, 0.3):
        parts = [join(*parts).moved(y=0.12), slab(w * 1.4, 0.12, d * 1.5)]
    return join(*parts)


def recliner(rng: Random) -> Mesh:
    w, d, seat, arm = rng.uniform(0.75, 0.95), rng.uniform(0.6, 0.75), rng.uniform(0.4, 0.48), rng.uniform(0.1, 0.18)
    inner, tilt = w - 2 * arm, rng.uniform(12, 45)
    body = slab(w - 0.02, seat - 0.14, d, 0.03)
    sides = both(soft(arm, seat + 0.14, d, 0.02, x=(w - arm) / 2, edge=rng.uniform(0.12, 0.35)))
    rise = rng.uniform(0.6, 0.75)
    rolls = join(*[soft(inner, rise / 3 * 1.04, 0.18, rise / 3 * i, edge=0.4) for i in range(3)])
    back = rolls.turned("x", -tilt).moved(0, seat - 0.06, -d / 2 + 0.1)
    pillow = soft(inner, 0.16, d * 0.95, seat - 0.14, z=0.06, edge=0.3)
    rest = soft(inner, 0.1, rng.uniform(0.3, 0.42), edge=0.3).moved(z=0.2)
    rest = rest.turned("x", rng.uniform(0, 85)).moved(0, seat - 0.12, d / 2 + 0.05)
    return join(body, sides, back, pillow, rest)


def lounge_chair(rng: Random) -> Mesh:
    """A reclined sling or padded curve between bent wooden or metal sides."""
    w, d, h = rng.uniform(0.52, 0.7), rng.uniform(0.5, 0.65), rng.uniform(0.34, 0.42)
    rise, lean = rng.uniform(0.45, 0.7), rng.uniform(0.2, 0.45)
    curve = rounded([(d / 2, h), (-d / 2, h - 0.1), (-d / 2 - lean, h - 0.1 + rise)], 3)
    t = rng.uniform(0.02, 0.12)
    parts = [bent_board(curve, w - 0.06, t)]
    if chance(rng, 0.35):
        return join(*parts, star_base(rng, h - 0.1), both(soft(0.08, 0.06, d * 0.7, h + 0.1, x=w / 2)))
    x, z, arm = w / 2, d / 2, h + rng.uniform(0.12, 0.2)
    if chance(rng, 0.5):
        loop = [(z * 1.0, 0.0), (z * 1.05, arm), (-z * 1.2, arm - 0.06)]
        side = [bent_board(rounded(loop, 3), 0.05, 0.025), bent_board([(z, 0), (-z * 1.3, 0)], 0.05, 0.025)]
        side.append(bent_board([(-z * 1.2, 0), (-z * 1.1, arm)], 0.05, 0.025))
    else:
        side = [slab(0.04, arm, 0.05, z=z * 0.9), slab(0.04, arm - 0.05, 0.05, z=-z * 0.9)]
        side.append(slab(0.07, 0.025, d * 1.1, arm))
    parts.append(both(join(*side).moved(x)))
    bars = [slab(w, 0.05, 0.025, h - 0.08, z=z * 0.8), slab(w, 0.05, 0.025, h - 0.16, z=-z * 0.9)]
    return join(*parts, *bars)


def tulip_chair(rng: Random) -> Mesh:
    w, d, h = rng.uniform(0.46, 0.62), rng.uniform(0.44, 0.54), rng.uniform(0.38, 0.44)
    body = shell(rng, w, d, rng.uniform(0.32, 0.42), rng.uniform(0.05, 0.18)).moved(y=h + 0.03)
    return join(body, disc_base(rng, h), cushion(w * 0.75, 0.05, d * 0.75, 0.6).moved(y=h + 0.04))


def bean_bag(rng: Random) -> Mesh:
    """A bean bag: flat below, with a neck at the back and a hollow for the seat."""
    w, h, d = rng.uniform(0.7, 1.0), rng.uniform(0.7, 1.0), rng.uniform(0.75, 1.05)
    peak, hollow, folds = rng.uniform(0.25, 0.7), rng.uniform(0.0, 0.35), rng.uniform(0.0, 0.04)
    t = np.linspace(0, 1, 11)
    belly = np.sin(np.pi * t ** rng.uniform(0.45, 0.6)) ** 0.6 / 2
    sack = lathe([(0, 0), (0.36, 0), *zip(belly[1:-1], t[1:-1], strict=True), (0.03, 1), (0, 1)], 20)

    def slump(p: np.ndarray) -> np.ndarray:
        p *= (1 + folds * np.cos(8 * np.arctan2(p[:, 2], p[:, 0])))[:, None]
        p[:, 2] -= peak * 0.5 * p[:, 1] ** 2
        p[:, 1] *= 1 - hollow * np.exp(-8 * p[:, 0] ** 2 - 12 * (p[:, 2] - 0.2) ** 2)
        return p * [w, h, d]

    return sack.deformed(slump)
