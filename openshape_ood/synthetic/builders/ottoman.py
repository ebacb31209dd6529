"""Ottomans, poufs and footstools."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both, row, spread
from openshape_ood.synthetic.builders._seats import disc_base, feet, legs, sled_base, star_base
from openshape_ood.synthetic.builders._shapes import bent_board, rails, slab, soft, surface
from openshape_ood.synthetic.catalog import Random, category, chance, pick
from openshape_ood.synthetic.mesh import Mesh, join, lathe, rod, torus, tube


def cube_ottoman(rng: Random) -> Mesh:
    w, h, d = rng.uniform(0.36, 0.65), rng.uniform(0.34, 0.48), rng.uniform(0.36, 0.6)
    body = soft(w, h, d, edge=rng.uniform(0.06, 0.3))
    return join(body, soft(w * 1.03, 0.07, d * 1.03, h - 0.05, edge=0.25)) if chance(rng, 0.5) else body


def round_ottoman(rng: Random) -> Mesh:
    """A drum, mostly with a domed top and feet."""
    r, h, foot = rng.uniform(0.2, 0.5), rng.uniform(0.3, 0.45), rng.uniform(0, 0.12)
    dome = rng.uniform(0.0, 0.08)
    side = [(r * 0.97, foot), (r, foot + 0.03), (r, h - 0.04), (r * 0.96, h), (r * 0.6, h + dome * 0.7), (0, h + dome)]
    parts = [lathe([(0, foot), *side], 22)]
    if foot > 0.03:
        parts.append(feet(rng, r * 1.4, r * 1.4, foot + 0.02))
    if chance(rng, 0.3):
        parts.append(torus(r, 0.012).moved(y=h - 0.06))
    return join(*parts)


def pouf(rng: Random) -> Mesh:
    """A knitted or leather ball pressed flat, with or without segments."""
    w, h, lobes = rng.uniform(0.4, 0.75), rng.uniform(0.28, 0.42), rng.randint(6, 17)
    deep, square = rng.uniform(0, 0.07), rng.uniform(0.5, 0.9)

    def pleat(p: np.ndarray) -> np.ndarray:
        return p * (1 + deep * np.cos(lobes * np.arctan2(p[:, 2], p[:, 0])))[:, None] ** [1, 0.4, 1]

    t = np.linspace(-np.pi / 2, np.pi / 2, 11)
    profile = [(0.5 * np.cos(a) ** square, 0.5 * np.sin(a)) for a in t]
    return lathe(profile, 40).scaled(w, h, w).deformed(pleat)


def legged_ottoman(rng: Random) -> Mesh:
    """A thick pad on short or medium legs."""
    w, d, h, t = rng.uniform(0.45, 0.9), rng.uniform(0.38, 0.65), rng.uniform(0.08, 0.28), rng.uniform(0.1, 0.26)
    top = soft(w, t, d, h, edge=rng.uniform(0.12, 0.45))
    parts = [top, legs(rng, w * 0.93, d * 0.93, h + 0.02, thickness=(0.03, 0.07))]
    if chance(rng, 0.4):
        parts.append(rails(w * 0.96, 0.06, d * 0.96, 0.025, h - 0.02))
    return join(*parts)


def tufted_ottoman(rng: Random) -> Mesh:
    """The top sewn into squares over a box or drawn-in base."""
    w, d, h, foot = rng.uniform(0.6, 1.1), rng.uniform(0.5, 0.9), rng.uniform(0.2, 0.34), rng.uniform(0.03, 0.15)
    nx, nz = rng.randint(2, 6), rng.randint(2, 5)
    one = soft(w / nx, 0.12, d / nz, h, edge=rng.uniform(0.3, 0.6))
    top = join(*[row(one, spread(nx, w)).moved(z=z) for z in spread(nz, d)])
    return join(top, slab(w * 0.97, h - foot + 0.05, d * 0.97, foot), feet(rng, w, d, foot + 0.01))


def storage_ottoman(rng: Random) -> Mesh:
    """Hollow ottoman whose lid is shut, lifted off, hinged open or turned to a tray."""
    w, d, h, t = rng.uniform(0.4, 1.1), rng.uniform(0.38, 0.5), rng.uniform(0.32, 0.42), rng.uniform(0.02, 0.04)
    lid = soft(w, rng.uniform(0.05, 0.1), d, edge=rng.uniform(0.12, 0.3))
    if chance(rng, 0.5):
        return join(slab(w * 0.97, h, d * 0.97, 0.02), lid.moved(y=h + 0.02), feet(rng, w * 0.9, d * 0.9, 0.03))
    body = join(rails(w, h, d, t), slab(w - 2 * t, 0.02, d - 2 * t))
    if chance(rng, 0.6):
        return join(body, lid.moved(z=d / 2).turned("x", -rng.uniform(30, 100)).moved(0, h, -d / 2))
    return join(body, lid.turned("y", rng.uniform(5, 40)).moved(0.1, h, 0.05))


def crossed_ottoman(rng: Random) -> Mesh:
    """A footstool on X-shaped or curule legs, or on rockers."""
    w, d, h, t = rng.uniform(0.4, 0.65), rng.uniform(0.35, 0.48), rng.uniform(0.25, 0.38), rng.uniform(0.06, 0.14)
    a = np.linspace(-1, 1, 9)
    curl = rng.uniform(0, 0.6)
    arc = np.column_stack([a * w * 0.45, h * (0.5 + 0.5 * np.sign(a) * np.abs(a) ** (1 + curl)), np.full(9, d * 0.42)])
    cross = both(tube(arc, rng.uniform(0.012, 0.025), 6))
    bar = rod((0, h / 2, -d * 0.42), (0, h / 2, d * 0.42), 0.012)
    return join(soft(w, t, d, h, edge=rng.uniform(0.2, 0.4)), both(cross, "z"), bar)


def sloped_ottoman(rng: Random) -> Mesh:
    """The footrest that belongs to a lounge chair: tilted or hollowed pad on a star, sled or disc."""
    w, d, h, t = rng.uniform(0.45, 0.65), rng.uniform(0.38, 0.55), rng.uniform(0.26, 0.36), rng.uniform(0.06, 0.14)
    if chance(rng, 0.5):
        z = np.linspace(-1, 1, 9)
        top = bent_board(np.column_stack([-z * d / 2, h + t + rng.uniform(-0.06, 0.06) * z**2]), w, t)
    else:
        top = soft(w, t, d, h, edge=0.3)
    top = top.moved(y=-h).turned("x", rng.uniform(-2, 14)).moved(y=h)
    kind = pick(rng, ("star", "disc", "sled"))
    base = star_base(rng, h + 0.02) if kind == "star" else disc_base(rng, h + 0.02)
    return join(top, sled_base(rng, w * 0.9, d * 0.85, h) if kind == "sled" else base)


def skirted_ottoman(rng: Random) -> Mesh:
    """Soft top with cloth in folds down to the floor."""
    w, d, h = rng.uniform(0.5, 0.85), rng.uniform(0.42, 0.65), rng.uniform(0.26, 0.36)
    angle = np.linspace(0, 2 * np.pi, 49)
    ring = np.stack([np.sign(f) * np.abs(f) ** 0.25 for f in (np.cos(angle), np.sin(angle))], axis=1)
    wave = 1 + rng.uniform(0.01, 0.03) * np.cos(24 * angle)
    low, high = ring * wave[:, None] * [w / 2, d / 2], ring * [w / 2 * 0.96, d / 2 * 0.96]
    skirt = np.stack([np.insert(low, 1, 0, axis=1), np.insert(high, 1, h, axis=1)])
    return join(surface(skirt), soft(w, rng.uniform(0.1, 0.18), d, h - 0.03, edge=rng.uniform(0.2, 0.4)))


category(
    "ottoman",
    cube=cube_ottoman,
    round=round_ottoman,
    pouf=pouf,
    legged=legged_ottoman,
    tufted=tufted_ottoman,
    storage=storage_ottoman,
    crossed=crossed_ottoman,
    sloped=sloped_ottoman,
    skirted=skirted_ottoman,
)
