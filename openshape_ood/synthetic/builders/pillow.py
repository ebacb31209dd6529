"""Pillows and cushions."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._shapes import rails, slab, soft
from openshape_ood.synthetic.builders._textiles import bolster, pad, sewn
from openshape_ood.synthetic.catalog import Random, category, chance, pick
from openshape_ood.synthetic.mesh import Mesh, cushion, ellipsoid, extrude, join, lathe, torus, tube


def posed(rng: Random, mesh: Mesh) -> Mesh:
    """Pillow, mostly lying flat, otherwise standing on an edge or leaning back."""
    if chance(rng, 0.6):
        return mesh
    return mesh.turned("x", rng.uniform(55, 90))


def wrinkled(rng: Random, mesh: Mesh, amount: float) -> Mesh:
    """Mesh with soft waves over its surface."""
    k, phase = rng.uniform(-14, 14, (3, 3)), rng.uniform(0, 6, 3)
    return mesh.deformed(lambda p: p * (1 + amount * np.sin(p @ k + phase).mean(axis=1, keepdims=True)))


def square_pillow(rng: Random) -> Mesh:
    s = rng.uniform(0.35, 0.65)
    return posed(rng, wrinkled(rng, sewn(rng, s, s * rng.uniform(0.2, 0.5), s * rng.uniform(0.9, 1.05)), 0.06))


def bed_pillow(rng: Random) -> Mesh:
    w, d = rng.uniform(0.55, 0.95), rng.uniform(0.35, 0.55)
    body = wrinkled(rng, sewn(rng, w, rng.uniform(0.1, 0.24), d), 0.08)
    if chance(rng, 0.25):
        flange = rng.uniform(1.05, 1.15)
        body = join(body, slab(w * flange, 0.008, d * flange, -0.004))
    return posed(rng, body)


def neck_roll(rng: Random) -> Mesh:
    length, r = rng.uniform(0.3, 0.5), rng.uniform(0.05, 0.1)
    body = bolster(rng, length, r)
    if chance(rng, 0.3):
        tail = ellipsoid(r * 0.9, r * 1.8, r * 1.8, 10).moved(length / 2 + r * 0.3)
        body = join(body, both(tail))
    return body if chance(rng, 0.6) else body.scaled(1, rng.uniform(0.6, 1), 1)


def dented_pillow(rng: Random) -> Mesh:
    """Pillow with a hollow from a head, or with a dent from the edge of a hand."""
    w, d, t = rng.uniform(0.4, 0.8), rng.uniform(0.35, 0.55), rng.uniform(0.14, 0.28)
    depth, cx, cz = rng.uniform(0.4, 0.85), *rng.uniform(-0.15, 0.15, 2)
    wide = rng.uniform(10, 30)

    def dent(p: np.ndarray) -> np.ndarray:
        hollow = np.exp(-wide * ((p[:, 0] / w - cx) ** 2 + (p[:, 2] / d - cz) ** 2))
        p[:, 1] *= np.where(p[:, 1] > 0, 1 - depth * hollow, 1)
        return p

    return posed(rng, sewn(rng, w, t, d).deformed(dent))


def chopped_pillow(rng: Random) -> Mesh:
    """A throw pillow standing up with a V pressed into its upper edge."""
    s, t = rng.uniform(0.38, 0.6), rng.uniform(0.12, 0.22)
    drop = rng.uniform(0.08, 0.25)

    def press(p: np.ndarray) -> np.ndarray:
        up = np.clip(p[:, 1] / s + 0.5, 0, 1)
        p[:, 1] -= s * drop * up**2 * np.clip(1 - np.abs(p[:, 0]) / s * 2.4, 0, 1)
        return p

    standing = pad(s, t, s, rng.uniform(0.3, 0.6), 0.1).turned("x", 90)
    return standing.deformed(press).turned("x", -rng.uniform(0, 25))


def floor_cushion(rng: Random) -> Mesh:
    """Flat broad cushion with boxed edges, round or square, perhaps with buttons; also seat pads."""
    s, t = rng.uniform(0.4, 0.9), rng.uniform(0.05, 0.18)
    d = s * rng.uniform(0.65, 1)
    if chance(rng, 0.3):
        return lathe([(0, 0), (s * 0.48, 0), (s / 2, t * 0.3), (s / 2, t * 0.7), (s * 0.48, t), (0, t * 0.9)], 20)
    body = soft(s, t, d, edge=rng.uniform(0.1, 0.35))
    if chance(rng, 0.3):
        edge = rails(s, 0.012, d, 0.012)
        body = join(body, edge, edge.moved(y=t - 0.012))
    return posed(rng, body)


def round_pillow(rng: Random) -> Mesh:
    """A disc, a ball, a pleated tuffet or a ring."""
    s, kind = rng.uniform(0.3, 0.5), pick(rng, ("disc", "ball", "pleated", "ring"))
    if kind == "ball":
        return ellipsoid(s * 0.8, s * rng.uniform(0.6, 0.8), s * 0.8, 18)
    if kind == "ring":
        return torus(s * 0.33, s * rng.uniform(0.12, 0.2)).scaled(1, 0.8, 1)
    body = ellipsoid(s, s * rng.uniform(0.25, 0.5), s, 24)
    if kind == "pleated":
        body = body.deformed(lambda p: p * (1 + 0.04 * np.cos(12 * np.arctan2(p[:, 2], p[:, 0])))[:, None])
    return posed(rng, body)


def neck_pillow(rng: Random) -> Mesh:
    """A horseshoe-shaped travel pillow."""
    r, t = rng.uniform(0.09, 0.13), rng.uniform(0.045, 0.07)
    angle = np.radians(np.linspace(0, 1, 17) * rng.uniform(240, 310))
    path = np.column_stack([r * np.cos(angle), np.zeros(17), r * np.sin(angle) * 1.1])
    thickness = t * (0.85 + 0.15 * np.cos(np.linspace(-np.pi, np.pi, 17)))
    thickness[[0, -1]] *= 0.5
    return tube(path, thickness.tolist(), 12).scaled(1, rng.uniform(0.7, 1.1), 1)


def contour_pillow(rng: Random) -> Mesh:
    """Pillow of memory foam: two rolls of different height along the long edges, with a trough between them."""
    w, d = rng.uniform(0.45, 0.7), rng.uniform(0.3, 0.42)
    z = np.linspace(-1, 1, 15)
    rolls = rng.uniform(0.06, 0.1) + 0.03 * np.cos(2.2 * np.pi * z / 2 * 1.6 + np.pi) + rng.uniform(0, 0.02) * z
    edge = np.clip(1 - np.abs(z) ** 8, 0.1, 1)
    outline = [*zip(z * d / 2, rolls * edge + 0.02, strict=True), (d / 2, 0), (-d / 2, 0)]
    return extrude(outline, w).turned("y", 90)


def wedge_pillow(rng: Random) -> Mesh:
    """A reading wedge or a backrest with two arms."""
    w, d, h = rng.uniform(0.5, 0.75), rng.uniform(0.35, 0.6), rng.uniform(0.18, 0.5)
    wedge = extrude([(-d / 2, 0), (d / 2, 0), (d / 2, 0.03), (-d / 2, h)], w).turned("y", -90)
    if chance(rng, 0.3):
        arm = cushion(0.16, h * 0.6, d * 1.2, 0.6).moved(w / 2, h * 0.3, d * 0.4)
        return join(soft(w, h * 1.1, 0.22, edge=0.4), both(arm))
    return wedge


def stacked_pillows(rng: Random) -> Mesh:
    """Two or three pillows on top of each other, or leaning together."""
    w, d, t = rng.uniform(0.4, 0.75), rng.uniform(0.35, 0.5), rng.uniform(0.1, 0.18)
    parts = []
    for i in range(rng.randint(2, 4)):
        one = sewn(rng, w * rng.uniform(0.85, 1), t, d * rng.uniform(0.85, 1)).turned("y", rng.uniform(-15, 15))
        parts.append(one.moved(0, i * t * 0.8, 0))
    return join(*parts)


def any_pillow(rng: Random, size: float) -> Mesh:
    """A pillow of a random kind, lying flat about the origin."""
    kind = pick(rng, ("sewn", "sewn", "sewn", "roll", "round"))
    if kind == "roll":
        return bolster(rng, size * rng.uniform(0.8, 1.3), size * rng.uniform(0.15, 0.25))
    if kind == "round":
        return ellipsoid(size, size * rng.uniform(0.3, 0.55), size, 18)
    return wrinkled(rng, sewn(rng, size * rng.uniform(0.9, 1.5), size * rng.uniform(0.22, 0.45), size), 0.06)


def leaning_pillows(rng: Random) -> Mesh:
    """Two to four pillows in a row, each leaning on the one behind it. Perhaps one more lies in front."""
    size, z, parts = rng.uniform(0.35, 0.6), 0.0, []
    for _ in range(rng.randint(2, 5)):
        one = any_pillow(rng, size).turned("x", rng.uniform(55, 80)).turned("y", rng.uniform(-20, 20))
        one = one.grounded()
        parts.append(one.moved(rng.uniform(-0.35, 0.35) * size, 0, z))
        z += 0.5 * float(one.size()[2])
        size *= rng.uniform(0.7, 0.95)
    if chance(rng, 0.4):
        parts.append(any_pillow(rng, size).grounded().moved(0, 0, z + 0.4 * size))
    return join(*parts)


def pile_of_pillows(rng: Random) -> Mesh:
    """Two to four pillows of different kinds, thrown on and beside one another at odd angles."""
    size, y, parts = rng.uniform(0.35, 0.6), 0.0, []
    for _ in range(rng.randint(2, 5)):
        one = any_pillow(rng, size * rng.uniform(0.7, 1)).turned("z", rng.uniform(-22, 22))
        one = one.turned("y", rng.uniform(0, 180)).grounded()
        parts.append(one.moved(rng.uniform(-0.4, 0.4) * size, y, rng.uniform(-0.4, 0.4) * size))
        y += float(one.size()[1]) * rng.uniform(0.1, 0.55)
    return join(*parts)


category(
    "pillow",
    square=square_pillow,
    bed=bed_pillow,
    bolster=lambda rng: bolster(rng, rng.uniform(0.6, 1.4), rng.uniform(0.08, 0.15)),
    neck_roll=neck_roll,
    dented=dented_pillow,
    chopped=chopped_pillow,
    floor_cushion=floor_cushion,
    round=round_pillow,
    neck=neck_pillow,
    contour=contour_pillow,
    wedge=wedge_pillow,
    stacked=stacked_pillows,
    pile=pile_of_pillows,
    leaning=leaning_pillows,
)
