"""Stairs."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._shapes import band, block, blocks, slab
from openshape_ood.synthetic.catalog import Random, category, chance, count, pick
from openshape_ood.synthetic.mesh import Mesh, cylinder, extrude, join, rod, tube


def stair_size(rng: Random) -> tuple[int, float, float, float]:
    """Number of steps, their rise and run, and the width."""
    return count(rng, 6, 15), rng.uniform(0.15, 0.2), rng.uniform(0.22, 0.32), rng.uniform(0.7, 1.4)


def solid_flight(n: int, rise: float, run: float, width: float, slab: float | None = None) -> Mesh:
    """Steps that climb backwards from z = 0. slab: thickness under the steps. None: solid down to the floor."""
    i = np.arange(n)
    z = -np.stack([i, i + 1], axis=1).ravel() * run
    high = np.repeat((i + 1) * rise, 2)
    low = np.zeros(2 * n) if slab is None else np.maximum(-z / run * rise - slab, 0.0)
    return band(z, low, high, width)


def open_flight(rng: Random, n: int, rise: float, run: float, width: float) -> Mesh:
    """Treads without risers, on two side boards or on one beam in the middle."""
    t, over = rng.uniform(0.025, 0.06), rng.uniform(0, 0.05)
    treads = [
        (-width / 2, width / 2, (i + 1) * rise - t, (i + 1) * rise, -(i + 1) * run, over - i * run) for i in range(n)
    ]
    deep = rng.uniform(0.15, 0.28)
    z, low = np.array([0.0, -n * run]), np.array([0.0, n * rise])
    if chance(rng, 0.3):
        strings = band(z, low - 0.6 * deep, low, rng.uniform(0.08, 0.2))
    else:
        strings = both(band(z, low - 0.3 * deep, low + 0.7 * deep, 0.04).moved(width / 2))
    return join(blocks(treads), strings)


def railing(rng: Random, n: int, rise: float, run: float, x: float) -> Mesh:
    """Balusters and a handrail along one side of a flight."""
    h, r, every = rng.uniform(0.8, 1.0), rng.uniform(0.008, 0.02), count(rng, 1, 2)
    posts = [
        (x - r, x + r, (i + 1) * rise, (i + 1) * rise + h, -(i + 0.5) * run - r, r - (i + 0.5) * run)
        for i in range(0, n, every)
    ]
    hand = rod((x, rise + h, -0.5 * run), (x, n * rise + h, -(n - 0.5) * run), rng.uniform(0.02, 0.035))
    parts = [blocks(posts), hand]
    if chance(rng, 0.35):
        parts.append(blocks([(x - 0.05, x + 0.05, 0, rise + h + 0.12, -0.5 * run - 0.05, 0.05 - 0.5 * run)]))
    if chance(rng, 0.25):
        parts += [
            rod((x, rise + k * h, -0.5 * run), (x, n * rise + k * h, -(n - 0.5) * run), 0.008) for k in (0.3, 0.65)
        ]
    return join(*parts)


def railed(rng: Random, stairs: Mesh, n: int, rise: float, run: float, width: float, share: float = 0.6) -> Mesh:
    sides = [s * (width / 2 - 0.03) for s in (-1, 1) if chance(rng, share)]
    return join(stairs, *[railing(rng, n, rise, run, x) for x in sides])


def solid_stairs(rng: Random) -> Mesh:
    n, rise, run, w = stair_size(rng)
    return railed(
        rng, solid_flight(n, rise, run, w, rng.uniform(0.12, 0.25) if chance(rng, 0.5) else None), n, rise, run, w, 0.35
    )


def open_stairs(rng: Random) -> Mesh:
    n, rise, run, w = stair_size(rng)
    return railed(rng, open_flight(rng, n, rise, run, w), n, rise, run, w)


def closed_string_stairs(rng: Random) -> Mesh:
    """Steps between side boards that rise above them, with railings on both sides."""
    n, rise, run, w = stair_size(rng)
    line = np.array([0.0, n * rise])
    string = band(np.array([0.0, -n * run]), np.maximum(line - 0.1, 0), line + rise + 0.08, 0.04).moved(w / 2)
    stairs = join(solid_flight(n, rise, run, w, 0.05), both(string))
    return join(stairs, both(railing(rng, n, rise, run, w / 2)))


def l_stairs(rng: Random) -> Mesh:
    """Two flights at a right angle with a landing between."""
    n, rise, run, w = stair_size(rng)
    a = count(rng, 2, n - 2)
    seed = rng.randint(2**31)
    airy = chance(rng, 0.4)
    first, second = (
        railed(
            Random(seed),
            open_flight(Random(seed), k, rise, run, w) if airy else solid_flight(k, rise, run, w, 0.16),
            k,
            rise,
            run,
            w,
        )
        for k in (a, n - a)
    )
    y, z = a * rise, -a * run
    deep = y + rise if chance(rng, 0.4) else 0.12
    landing = block(-w / 2, w / 2, y + rise - deep, y + rise, z - w, z)
    stairs = join(first, landing, second.turned("y", 90).moved(-w / 2, y + rise, z - w / 2))
    return stairs.mirrored("x") if chance(rng, 0.5) else stairs


def u_stairs(rng: Random) -> Mesh:
    """Two flights back to back with a half landing."""
    n, rise, run, w = stair_size(rng)
    a, gap, seed = n // 2 + 1, rng.uniform(0.05, 0.3), rng.randint(2**31)
    make = open_flight(Random(seed), a, rise, run, w) if chance(rng, 0.4) else solid_flight(a, rise, run, w, 0.16)
    half_flight = railed(Random(seed), make, a, rise, run, w)
    y, z = a * rise, -a * run
    landing = block(-w / 2, 1.5 * w + gap, y + rise - 0.15, y + rise, z - w, z)
    return join(half_flight, landing, half_flight.turned("y", 180).moved(w + gap, y + rise, z))


def wedge(inner: float, outer: float, degrees: float, thickness: float) -> Mesh:
    """A step of a winding stair between two radii, centered on +x, its upper face at y = 0."""
    a = np.radians(np.linspace(-degrees / 2, degrees / 2, 4))
    plan = [
        *zip(outer * np.cos(a), outer * np.sin(a), strict=True),
        *zip(inner * np.cos(a[::-1]), inner * np.sin(a[::-1]), strict=True),
    ]
    return extrude(plan, thickness).turned("x", 90).moved(y=-thickness / 2)


def winding(rng: Random, inner: float, outer: float, n: int, rise: float, degrees: float, riser: bool) -> Mesh:
    step = wedge(inner, outer, degrees * rng.uniform(0.9, 1.15), rise if riser else rng.uniform(0.03, 0.06))
    parts = [step.turned("y", i * degrees).moved(y=(i + 1) * rise) for i in range(n)]
    a, h = np.radians(-np.arange(n) * degrees), rng.uniform(0.8, 1.0)
    x, y, z = outer * 0.97 * np.cos(a), (np.arange(n) + 1) * rise, outer * 0.97 * np.sin(a)
    if chance(rng, 0.85):
        parts.append(tube(np.stack([x, y + h, z], axis=1), 0.022))
        parts.append(
            blocks([(p - 0.01, p + 0.01, q, q + h, r - 0.01, r + 0.01) for p, q, r in zip(x, y, z, strict=True)])
        )
    return join(*parts)


def spiral_stairs(rng: Random) -> Mesh:
    """Wedges around a central pole."""
    n, r, rise = count(rng, 9, 16), rng.uniform(0.6, 1.1), rng.uniform(0.17, 0.23)
    pole = rng.uniform(0.04, 0.1)
    stairs = winding(rng, 0.6 * pole, r, n, rise, rng.uniform(20, 32), False)
    stairs = join(stairs, cylinder(pole, n * rise + 1.0).moved(y=(n * rise + 1.0) / 2))
    return stairs.mirrored("x") if chance(rng, 0.5) else stairs


def curved_stairs(rng: Random) -> Mesh:
    """A sweep round an open well."""
    n, rise, inner = count(rng, 9, 14), rng.uniform(0.15, 0.19), rng.uniform(0.7, 2.0)
    stairs = winding(rng, inner, inner + rng.uniform(0.8, 1.3), n, rise, rng.uniform(8, 16), chance(rng, 0.5))
    return stairs.mirrored("x") if chance(rng, 0.5) else stairs


def porch_stairs(rng: Random) -> Mesh:
    """A few broad steps, plain, stepped on three sides or with cheek walls, up to a landing."""
    n, rise, run, w = count(rng, 2, 6), rng.uniform(0.14, 0.19), rng.uniform(0.27, 0.38), rng.uniform(1.0, 3.0)
    deep = rng.uniform(0.3, 1.2)
    kind = pick(rng, ("plain", "pyramid", "cheeks"))
    if kind == "pyramid":
        return join(
            *[
                slab(w + 2 * (n - 1 - i) * run, rise, deep + (n - 1 - i) * run, i * rise).moved(z=(n - 1 - i) * run / 2)
                for i in range(n)
            ]
        )
    stairs = join(solid_flight(n, rise, run, w), block(-w / 2, w / 2, 0, n * rise, -n * run - deep, -n * run))
    if kind == "cheeks":
        t, up = rng.uniform(0.12, 0.3), rng.uniform(0.05, 0.5)
        wall = band(
            np.array([0.0, -n * run, -n * run - deep]), np.zeros(3), np.array([rise, n * rise, n * rise]) + up, t
        )
        stairs = join(stairs, both(wall.moved(w / 2 + t / 2)))
    return railed(rng, stairs, n, rise, run, w, 0.3)


category(
    "stairs",
    solid=solid_stairs,
    open=open_stairs,
    closed_string=closed_string_stairs,
    l_shape=l_stairs,
    u_shape=u_stairs,
    spiral=spiral_stairs,
    curved=curved_stairs,
    porch=porch_stairs,
)
