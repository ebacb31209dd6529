"""Potted plants, cacti and cut flowers."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import (
    SHARP,
    Ring,
    bush_of,
    hollow,
    leaf_blade,
    pot,
    rosette,
    shell_rings,
    smooth,
)
from openshape_ood.synthetic.builders._copies import around, both, copies, headings
from openshape_ood.synthetic.builders._shapes import rumpled
from openshape_ood.synthetic.catalog import Random, category, chance, count
from openshape_ood.synthetic.mesh import Mesh, box, cushion, ellipsoid, join, rod, torus, tube


def planter(rng: Random, radius: float, height: float) -> Mesh:
    """A pot on y = 0, filled with earth to just below its rim."""
    kind, s, earth, wall = rng.randint(5), rng.uniform(0.6, 0.85), 0.85 * height, 0.06 * radius
    if kind == 0:
        return hollow(shell_rings(height, s, 2 * radius, 2 * radius, SHARP), wall, earth)
    if kind == 1:
        return pot(smooth([(s * radius, 0), (1.25 * radius, 0.5 * height), (radius, height)], 8), wall, filled=earth)
    body = pot([(s * radius, 0), (radius, height)], wall, filled=earth)
    if kind == 2:
        return join(body, torus(radius, 0.1 * radius, segments=18).scaled(1, 1.6, 1).moved(y=0.9 * height))
    if kind == 3:
        return join(body, pot([(0.9 * radius, 0), (1.15 * radius, 0.12 * height)], 0.03))
    return body


def some_planter(rng: Random) -> tuple[Mesh, float, float]:
    radius = rng.uniform(0.07, 0.2)
    height = radius * rng.uniform(1.0, 2.4)
    return planter(rng, radius, height), radius, 0.85 * height


def leafy_plant(rng: Random) -> Mesh:
    """Broad leaves on long stalks: monstera, rubber plant."""
    vessel, r, y = some_planter(rng)
    n, height = count(rng, 7, 15), r * rng.uniform(2.5, 5)
    leaf = leaf_blade(r * rng.uniform(1.0, 2.0), r * rng.uniform(0.7, 1.4), rng.uniform(0.1, 0.5))
    yaw, out, rise = 2.4 * np.arange(n), r * rng.uniform(0.3, 2.0, n), height * rng.uniform(0.4, 1.0, n)
    tips = np.stack([out * np.sin(yaw), y + rise, out * np.cos(yaw)], axis=1)
    leaves = copies(leaf, headings(yaw, -rng.uniform(0.1, 0.9)), tips)
    bends = tips * [0.4, 0.6, 0.4] + [0, 0.4 * y, 0]
    stalks = [tube([(0, y, 0), bend, tip], 0.006, segments=5) for bend, tip in zip(bends, tips, strict=True)]
    return join(vessel, leaves, *stalks)


def bushy_plant(rng: Random) -> Mesh:
    vessel, r, y = some_planter(rng)
    spread = np.array([1, rng.uniform(0.7, 1.6), 1]) * r * rng.uniform(1.1, 2.2)
    leaf = leaf_blade(r * rng.uniform(0.4, 0.9), r * rng.uniform(0.2, 0.5), 0.3)
    return join(vessel, bush_of(rng, leaf, count(rng, 60, 160), (0, y + 0.9 * spread[1], 0), spread))


def tree_plant(rng: Random) -> Mesh:
    """A trunk, straight or braided, under one crown or several."""
    vessel, r, y = some_planter(rng)
    trunk, spread = r * rng.uniform(2.5, 6), np.array([1, rng.uniform(0.8, 1.4), 1]) * r * rng.uniform(1.3, 2.4)
    lean = rng.uniform(-0.3, 0.3) * r
    stem = tube([(0, y, 0), (lean, y + 0.5 * trunk, -lean), (0, y + trunk, 0)], [0.1 * r, 0.08 * r, 0.06 * r])
    crown = (0, y + trunk + 0.5 * spread[1], 0)
    if chance(rng, 0.3):
        return join(
            vessel,
            stem,
            rumpled(rng, ellipsoid(2 * spread[0], 2 * spread[1], 2 * spread[2], 20).moved(*crown), 0.05 * r),
        )
    leaf = leaf_blade(r * rng.uniform(0.4, 0.8), r * rng.uniform(0.2, 0.4), 0.3)
    return join(vessel, stem, bush_of(rng, leaf, count(rng, 70, 180), crown, spread))


def frond(rng: Random, length: float) -> Mesh:
    """A feathered palm leaf along +z: stalk and leaflets in pairs."""
    rise, droop, n = rng.uniform(0.2, 0.5), rng.uniform(0.5, 1.0), 11
    t = np.linspace(0.2, 1, n)
    spine = np.stack([0 * t, length * (rise * t - droop * t**2.5), length * t], axis=1)
    leaflet = leaf_blade(length * 0.32, length * 0.05, 0.3)
    half = copies(leaflet, headings(np.full(n, 0.9), -0.2), spine, np.sin(np.pi * (0.15 + 0.8 * t)))
    return join(tube(np.concatenate([[[0, 0, 0]], spine]), 0.012 * length, segments=4), both(half))


def palm_plant(rng: Random) -> Mesh:
    vessel, r, y = some_planter(rng)
    trunk = r * rng.uniform(0.0, 4.0)
    n = count(rng, 7, 14)
    yaw, pitch = np.arange(n) * 2.4, np.radians(np.linspace(15, 75, n) + rng.normal(0, 5, n))
    crown = copies(
        frond(rng, r * rng.uniform(2.5, 4.5)), headings(yaw, pitch), np.zeros((n, 3)), rng.uniform(0.8, 1.1, n)
    )
    return join(vessel, rod((0, y, 0), (0, y + trunk + 0.02, 0), 0.12 * r, 0.08 * r), crown.moved(y=y + trunk))


def cactus(rng: Random) -> Mesh:
    """A ribbed column with arms, or a ball."""
    vessel, r, y = some_planter(rng)
    thick, h, ribs = r * rng.uniform(0.35, 0.6), r * rng.uniform(1.8, 6), count(rng, 6, 10)
    if chance(rng, 0.3):
        thick, h = 0.8 * r, 1.5 * r

    def ribbed(v: np.ndarray) -> np.ndarray:
        wave = 1 + 0.12 * np.cos(ribs * np.arctan2(v[:, 2], v[:, 0]))
        return v * np.stack([wave, np.ones_like(wave), wave], axis=1)

    column = cushion(2 * thick, h, 2 * thick, 0.7, 24).deformed(ribbed).moved(y=y + 0.47 * h)
    parts = [vessel, column]
    for side in (-1, 1):
        if h > 2.5 * r and chance(rng, 0.7):
            at = y + h * rng.uniform(0.3, 0.6)
            out, up = side * thick * 2.2, at + h * rng.uniform(0.2, 0.4)
            parts += [tube([(0, at, 0), (0.7 * out, at, 0), (out, at + 0.1 * h, 0), (out, up, 0)], 0.5 * thick)]
    return join(*parts)


def sword_plant(rng: Random) -> Mesh:
    """Stiff upright blades: sansevieria, aloe, agave, grass."""
    vessel, r, y = some_planter(rng)
    length, low = r * rng.uniform(1.5, 6), rng.uniform(20, 70)
    blade = leaf_blade(length, r * rng.uniform(0.25, 0.7), rng.uniform(-0.05, 0.25), 0.25)
    return join(vessel, rosette(rng, blade, count(rng, 10, 40), low, 88).moved(y=y))


def hanging_plant(rng: Random) -> Mesh:
    """Vines that trail over the pot's rim; often hung from cords."""
    vessel, r, y = some_planter(rng)
    leaf = leaf_blade(0.4 * r, 0.3 * r, 0.4)
    parts = [vessel, bush_of(rng, leaf, 40, (0, y + 0.3 * r, 0), r * np.array([1.1, 0.6, 1.1]))]
    t = np.linspace(0, 1, 9)
    crest = 0.5 * r * np.sin(np.pi * np.minimum(1, 2 * t))
    for i in range(count(rng, 4, 8)):
        a, drop, out = 2.4 * i, r * rng.uniform(1.5, 5), r * rng.uniform(1.1, 1.5)
        reach = out * np.minimum(1, 2.5 * t)
        path = np.stack([reach * np.sin(a), y + crest - drop * t**2, reach * np.cos(a)], axis=1)
        turns = headings(a + rng.normal(0, 1.2, 9), rng.normal(-0.5, 0.3, 9))
        parts += [tube(path, 0.004, segments=4), copies(leaf, turns, path)]
    if chance(rng, 0.5):
        parts += [around(rod((0, y, 1.05 * r), (0, y + 4 * r, 0.02), 0.004), 3)]
    return join(*parts)


def flower_pot(rng: Random) -> Mesh:
    """Stems with blossoms over a few leaves."""
    vessel, r, y = some_planter(rng)
    petal = leaf_blade(r * rng.uniform(0.3, 0.6), r * rng.uniform(0.25, 0.45), -0.2)
    blossom = join(rosette(rng, petal, count(rng, 5, 9), 10, 40), ellipsoid(0.15 * r, 0.12 * r, 0.15 * r, 8))
    parts = [vessel, rosette(rng, leaf_blade(1.4 * r, 0.4 * r, 0.4), count(rng, 6, 12), 10, 60).moved(y=y)]
    for i in range(count(rng, 3, 9)):
        out, a = r * rng.uniform(0.2, 1.3), 2.4 * i
        tip = (out * np.sin(a), y + r * rng.uniform(1.5, 3.5), out * np.cos(a))
        parts += [
            rod((0, y, 0), tip, 0.005),
            blossom.turned("x", rng.uniform(0, 60)).turned("y", float(np.degrees(a))).moved(*tip),
        ]
    return join(*parts)


def bonsai(rng: Random) -> Mesh:
    """A low tray, a crooked trunk, pads of foliage."""
    w = rng.uniform(0.2, 0.4)
    tray = hollow([Ring(0, 0.8 * w, 0.55 * w, 10), Ring(0.18 * w, w, 0.7 * w, 10)], 0.015)
    x = np.concatenate([[0], rng.uniform(-0.3, 0.3, 3) * w])
    y, z = np.array([0.1, 0.4, 0.65, 0.95]) * w, np.concatenate([[0], rng.uniform(-0.12, 0.12, 3) * w])
    path = np.stack([x, y, z], axis=1)
    pads = [
        rumpled(rng, ellipsoid(0.55 * w, 0.2 * w, 0.5 * w).moved(px + rng.uniform(-0.15, 0.15) * w, py, pz), 0.015)
        for px, py, pz in path[1:]
    ]
    return join(
        tray,
        box(0.85 * w, 0.01, 0.55 * w).moved(y=0.14 * w),
        tube(path, [0.07 * w, 0.05 * w, 0.04 * w, 0.02 * w]),
        *pads,
    )


category(
    "plant",
    leafy=leafy_plant,
    bushy=bushy_plant,
    tree=tree_plant,
    palm=palm_plant,
    cactus=cactus,
    swords=sword_plant,
    hanging=hanging_plant,
    flowers=flower_pot,
    bonsai=bonsai,
)
