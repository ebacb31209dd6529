"""Trees: broad-leaved, coniferous, bare and palms."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import stamp, stamped_around
from openshape_ood.synthetic.builders._shapes import bumpy, rods
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, ellipsoid, join, lathe, sheet, tube


def stem(rng: Random, height: float, radius: float, sway: float = 0.04) -> Mesh:
    """A trunk on y = 0 with flared roots, bent a little."""
    y = np.linspace(0, height, 6)
    wander = np.cumsum(rng.uniform(-sway, sway, (6, 2)), axis=0) * height * (y / height)[:, None]
    path = np.stack([wander[:, 0], y, wander[:, 1]], axis=1)
    return tube(path, [radius * share for share in (1.6, 1.1, 0.95, 0.8, 0.65, 0.4)])


def twigs(rng: Random, starts: np.ndarray, length: float, radius: float, lift: float) -> tuple[Mesh, np.ndarray]:
    """A rod from every start (n, 3) in a random direction, and the tips (n, 3). lift: mean slope of the rods."""
    a = rng.uniform(0, 2 * np.pi, len(starts))
    way = np.stack([np.cos(a), rng.uniform(0.5, 1.5, len(starts)) * lift, np.sin(a)], axis=1)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    tips = starts + way * length * rng.uniform(0.6, 1.2, (len(starts), 1))
    return rods(starts, tips, radius), tips


def leaves(rng: Random, centers: np.ndarray, size: float) -> Mesh:
    """A small randomly turned quad at every center."""
    one, two = rng.normal(size=(2, len(centers), 3))
    one /= np.linalg.norm(one, axis=1, keepdims=True)
    two /= np.linalg.norm(two, axis=1, keepdims=True)
    corners = np.stack([one + two, one - two, -one - two, two - one], axis=1) * size / 2
    return stamp(centers[:, None] + corners, np.array([[0, 1, 2], [0, 2, 3]]))


def forked_boughs(rng: Random, height: float, crown: float, levels: int) -> tuple[Mesh, np.ndarray]:
    """Branches that fork `levels` times from the upper trunk, and the tips they end in."""
    starts = np.stack([np.zeros(6), rng.uniform(0.4, 0.95, 6) * height, np.zeros(6)], axis=1)
    meshes, radius, length = [], height * 0.022, crown * 0.6
    for _ in range(levels):
        mesh, tips = twigs(rng, starts, length, radius, 0.7)
        meshes.append(mesh)
        starts, radius, length = np.repeat(tips, 3, axis=0), radius * 0.62, length * 0.65
    return join(*meshes), tips


def blob_tree(rng: Random) -> Mesh:
    """Tree with a few knobbly balls of foliage."""
    u = rng.uniform
    height, crown = u(1.5, 5), u(0.6, 1.8)
    parts = [stem(rng, height, height * u(0.03, 0.06))]
    for _ in range(rng.randint(1, 6)):
        wide = crown * u(0.8, 1.4)
        blob = bumpy(rng, ellipsoid(wide, wide * u(0.7, 1.1), wide, 16), 0.1)
        parts.append(blob.moved(u(-0.4, 0.4) * crown, height + u(-0.2, 0.5) * crown, u(-0.4, 0.4) * crown))
    return join(*parts)


def leafy_tree(rng: Random) -> Mesh:
    u = rng.uniform
    height, crown = u(2, 5), u(1, 2.2)
    boughs, tips = forked_boughs(rng, height * 0.7, crown, 2)
    centers = np.repeat(tips, 14, axis=0) + rng.normal(scale=crown * u(0.15, 0.25), size=(len(tips) * 14, 3))
    return join(stem(rng, height * 0.7, height * u(0.015, 0.03)), boughs, leaves(rng, centers, crown * u(0.14, 0.26)))


def bare_tree(rng: Random) -> Mesh:
    height = rng.uniform(2, 6)
    return join(
        stem(rng, height, height * rng.uniform(0.018, 0.03)),
        forked_boughs(rng, height, height * rng.uniform(0.35, 0.6), 4)[0],
    )


def conifer(rng: Random) -> Mesh:
    """Conifer of stacked cones of needles."""
    u = rng.uniform
    height, tiers = u(1, 6), rng.randint(1, 8)
    wide, foot = height * u(0.18, 0.32), height * u(0.05, 0.18)
    skirts = []
    for i in range(tiers):
        low = foot + (height - foot) * i / tiers
        r = wide * (1 - i / tiers)
        rise = (height - foot) / tiers * (1.5 if i < tiers - 1 else 1)
        skirts.append(lathe([(0, low + rise * 0.15), (r, low), (r * 0.15, low + rise)], 14))
    return join(cylinder(height * 0.03, foot * 2).moved(y=foot), *[bumpy(rng, s, 0.03) for s in skirts])


def needle_tree(rng: Random) -> Mesh:
    """A fir of many drooping rods, perhaps on a stand."""
    u = rng.uniform
    height, count = u(1, 4), rng.randint(120, 260)
    y = height * (1 - 0.88 * np.sqrt(rng.uniform(0.02, 1, count)))
    reach = (height - y) * u(0.3, 0.42) * rng.uniform(0.7, 1, count)
    a = rng.uniform(0, 2 * np.pi, count)
    tips = np.stack([reach * np.cos(a), y + reach * u(-0.4, 0.3), reach * np.sin(a)], axis=1)
    starts = np.stack([0 * y, y, 0 * y], axis=1)
    needles = leaves(rng, np.concatenate([starts + (tips - starts) * t for t in (0.5, 0.75, 1.0)]), height * 0.035)
    base = box(height * 0.25, 0.03, 0.06) if chance(rng, 0.5) else cylinder(height * 0.07, height * 0.08, height * 0.09)
    return join(
        cylinder(height * 0.025, height, 0.005, 8).moved(y=height / 2),
        rods(starts, tips, height * 0.004, 3),
        needles,
        base,
    )


def palm(rng: Random) -> Mesh:
    u = rng.uniform
    height, count, reach = u(2, 6), rng.randint(7, 14), u(1, 2)
    lean, droop = u(-0.25, 0.25), u(0.4, 1.0)
    y = np.linspace(0, height, 8)
    path = np.stack([lean * height * (y / height) ** 2, y, 0 * y], axis=1)
    trunk = tube(path, list(np.linspace(0.04, 0.0225, 8) * height))

    def frond(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        half = 0.16 * reach * np.sin(np.pi * np.clip(p, 0.05, 1) ** 0.7)
        side = 2 * q - 1
        return np.stack(
            [reach * p, reach * (0.45 * p - droop * p**2) - 0.5 * half * np.abs(side), half * side], axis=-1
        )

    crown = stamped_around(sheet(frond, 8, 3), count).moved(x=lean * height, y=height)
    return join(
        trunk, crown.moved(y=0.02), bumpy(rng, ellipsoid(0.3, 0.3, 0.3, 8), 0.1).moved(lean * height, height - 0.1)
    )


def slender_tree(rng: Random) -> Mesh:
    """Poplar or cypress: one tall crown."""
    u = rng.uniform
    height = u(2, 7)
    crown = bumpy(rng, ellipsoid(height * u(0.18, 0.4), height * u(0.75, 0.9), height * u(0.18, 0.4), 18), 0.06)
    return join(stem(rng, height * 0.5, height * 0.025, 0.01), crown.moved(y=height * 0.56))


category(
    "tree",
    blobs=blob_tree,
    leafy=leafy_tree,
    bare=bare_tree,
    conifer=conifer,
    needles=needle_tree,
    palm=palm,
    slender=slender_tree,
)
