"""Boats and ships, bow towards +z."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from openshape_ood.synthetic.builders._bodies import body_along_z
from openshape_ood.synthetic.builders._copies import both, stamped
from openshape_ood.synthetic.builders._shapes import bars, from_side
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cushion, cylinder, join, rod, sheet, torus


def boat_shell(length: float, beam: float, depth: float, transom: float, rocker: float, wall: float = 0.03) -> Mesh:
    """An open hull along z: bow at +z, gunwale near y = depth. transom: width of the stern, relative to the beam."""

    def surface(shrink: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        def f(u: np.ndarray, v: np.ndarray) -> np.ndarray:
            plan = np.minimum(1, transom + (1 - transom) * np.sin(np.pi / 2 * np.minimum(1, u / 0.45)))
            half = (beam / 2 - shrink) * plan * np.sqrt(np.clip(1 - np.maximum(0, (u - 0.45) / 0.55) ** 2.2, 0, 1))
            keel = shrink + rocker * depth * np.abs(2 * u - 1) ** 3
            rim = depth * (1 + 0.35 * u**3)
            across = np.cos(np.pi * v)
            y = keel + (rim - keel) * np.abs(across) ** 2.5
            return np.stack([half * np.sign(across) * np.abs(across) ** 0.6, y, length * (u - 0.5)], axis=-1)

        return f

    return join(sheet(surface(0.0), 14, 13), sheet(surface(wall), 14, 13))


def decked_hull(length: float, beam: float, depth: float, transom: float) -> Mesh:
    """A hull closed by a deck at about y = depth."""
    u = np.linspace(0, 1, 12)
    half = beam / 2 * np.minimum(1, transom + (1 - transom) * np.sin(np.pi / 2 * np.minimum(1, u / 0.4)))
    half = half * np.sqrt(np.clip(1 - np.maximum(0, (u - 0.4) / 0.6) ** 2.2, 0.0004, 1))
    z, rim = length * (u - 0.5), depth * (1 + 0.3 * u**3)
    keel = depth * (0.25 * u**4)
    section = np.array([(-1, 1), (-0.92, 0.4), (-0.55, 0), (0.55, 0), (0.92, 0.4), (1, 1), (-1, 1)], dtype=np.float64)
    x, y = np.outer(half, section[:, 0]), keel[:, None] + np.outer(rim - keel, section[:, 1])
    grid = np.stack([x, y, np.broadcast_to(z[:, None], x.shape)], axis=-1)
    stern = np.broadcast_to(grid[:1].mean(axis=1, keepdims=True), grid[:1].shape)
    closed = np.concatenate([stern, grid])
    return sheet(lambda u, v: closed, *closed.shape[:2])


def rowing_boat(rng: Random) -> Mesh:
    u = rng.uniform
    n, beam, depth = u(2.5, 4.5), u(1.1, 1.6), u(0.4, 0.6)
    benches = stamped(box(beam * 0.85, 0.03, 0.25), [(0, depth * 0.75, z * n) for z in (-0.32, -0.05, 0.18)])
    hull = join(boat_shell(n, beam, depth, u(0.5, 0.8), u(0.1, 0.5)), benches)
    oar = both(
        join(
            rod((beam * 0.2, depth * 1.3, 0), (beam * 1.2, depth * 0.5, -0.3), 0.025),
            box(0.4, 0.02, 0.14).turned("z", -20).moved(beam * 1.25, depth * 0.45, -0.32),
        )
    )
    return join(hull, oar) if chance(rng, 0.5) else hull


def canoe(rng: Random) -> Mesh:
    u = rng.uniform
    n, beam = u(3.5, 5.5), u(0.6, 0.95)
    if chance(rng, 0.4):  # a kayak, decked over
        deck = body_along_z(
            [
                (-n / 2, 0.1, 0.02, 0.02), (-n * 0.25, 0, beam * 0.35, 0.14), (0, 0, beam / 2, 0.17),
                (n * 0.25, 0, beam * 0.35, 0.15), (n / 2, 0.1, 0.02, 0.02),
            ]
        )  # fmt: skip
        return join(deck, torus(beam * 0.35, 0.03).scaled(z=1.4).moved(y=0.17))
    half = boat_shell(n, beam, u(0.3, 0.4), 0.03, u(0.4, 0.9))
    thwarts = stamped(box(beam * 0.8, 0.02, 0.06), [(0, 0.27, z * n) for z in (-0.2, 0, 0.2)])
    return join(half, thwarts)


def sail(height: float, foot: float, belly: float) -> Mesh:
    """A triangle of cloth in the y-z plane: luff on the y axis, foot towards -z, bellied towards +x."""

    def f(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.stack(
            [belly * np.sin(np.pi * u) * np.sin(np.pi * v) * (1 - u), height * u, -foot * v * (1 - u)], axis=-1
        )

    return sheet(f, 8, 6)


def sailboat(rng: Random) -> Mesh:
    u = rng.uniform
    n = u(4, 11)
    beam, depth, mast = n * u(0.25, 0.35), n * u(0.1, 0.15), n * u(1.0, 1.35)
    cabin = cushion(beam * 0.5, depth * 0.7, n * 0.3, 0.4).moved(y=depth * 1.2, z=n * 0.05)
    main = sail(mast * 0.85, n * 0.45, n * 0.06).turned("y", u(0, 25)).moved(y=depth * 1.7, z=n * 0.12)
    jib = sail(mast * 0.75, n * 0.3, n * 0.05).turned("x", -18).moved(y=depth * 1.5, z=n * 0.46)
    spars = [((0, depth, n * 0.13), (0, mast, n * 0.13)), ((0, depth * 1.6, n * 0.12), (0, depth * 1.6, -n * 0.36))]
    parts = [decked_hull(n, beam, depth, u(0.4, 0.8)), cabin, bars(spars, n * 0.009)]
    if chance(rng, 0.85):
        parts += [main, jib]
    if chance(rng, 0.4):
        parts.append(
            from_side([(-n * 0.05, 0), (n * 0.06, 0), (n * 0.1, n * 0.12), (-n * 0.08, n * 0.12)], n * 0.02).moved(
                y=-n * 0.1
            )
        )
    return join(*parts)


def motor_boat(rng: Random) -> Mesh:
    u = rng.uniform
    n = u(4, 10)
    beam, depth = n * u(0.28, 0.38), n * u(0.12, 0.17)
    shield = box(beam * 0.75, depth * 0.8, 0.05).turned("x", -35).moved(y=depth * 1.4, z=n * 0.08)
    seats = stamped(
        cushion(beam * 0.3, depth * 0.6, n * 0.08, 0.4, 10),
        [(x * beam, depth * 1.2, z * n) for x in (-0.2, 0.2) for z in (-0.05, -0.28)],
    )
    cabin = box(beam * 0.7, depth * u(0.8, 1.4), n * 0.35).tapered(u(0.6, 0.9)).moved(y=depth * 1.6)
    upper = join(shield, seats) if chance(rng, 0.5) else cabin
    motor = join(
        cushion(n * 0.06, n * 0.09, n * 0.08, 0.4, 10), box(n * 0.02, depth * 1.2, n * 0.03).moved(y=-depth * 0.5)
    ).moved(y=depth * 1.2, z=-n * 0.54)
    return join(decked_hull(n, beam, depth, u(0.75, 0.95)), upper, motor)


def ship(rng: Random) -> Mesh:
    u = rng.uniform
    n = u(8, 14)
    beam, depth, decks = n * u(0.13, 0.2), n * u(0.08, 0.12), rng.randint(2, 5)
    z, length = n * u(-0.35, 0.05), n * u(0.12, 0.4)
    tiers = [
        box(beam * (0.85 - 0.1 * i), depth * 0.45, length * (1 - 0.15 * i)).moved(0, depth * (1.2 + 0.45 * i), z)
        for i in range(decks)
    ]
    top = depth * (1 + 0.45 * decks)
    funnel = cylinder(beam * 0.14, depth * 0.8, beam * 0.11).moved(0, top + depth * 0.4, z - length * 0.2)
    mast = rod((0, top, z + length * 0.2), (0, top + depth * u(0.8, 1.6), z + length * 0.2), n * 0.006)
    cargo = [
        box(beam * 0.75, depth * u(0.3, 0.9), n * 0.09).moved(0, depth * 1.3, n * t)
        for t in (0.15, 0.26, 0.37)
        if n * t > z + length * 0.6
    ]
    return join(decked_hull(n, beam, depth, u(0.6, 0.9)), *tiers, funnel, mast, *cargo)


def tall_ship(rng: Random) -> Mesh:
    u = rng.uniform
    n = u(6, 12)
    beam, depth = n * u(0.2, 0.28), n * u(0.12, 0.18)
    parts = [decked_hull(n, beam, depth, 0.6), box(beam * 0.7, depth * 0.6, n * 0.2).moved(y=depth * 1.2, z=-n * 0.38)]
    for z, share in ((-0.25, 0.75), (0.02, 1.0), (0.27, 0.8)):
        mast = n * u(0.6, 0.8) * share
        parts.append(rod((0, depth, z * n), (0, depth + mast, z * n), n * 0.01))
        for level in (0.3, 0.62, 0.88):
            width, high = n * 0.34 * share * (1.2 - level * 0.7), mast * 0.24
            parts.append(square_sail(width, high, n * 0.03).moved(0, depth + mast * level, z * n))
    return join(*parts, rod((0, depth * 1.3, n * 0.45), (0, depth * 1.9, n * 0.68), n * 0.008))


def square_sail(width: float, height: float, belly: float) -> Mesh:
    return sheet(
        lambda u, v: np.stack([width * (v - 0.5), height * (u - 0.5), belly * np.sin(np.pi * u)], axis=-1), 5, 4
    )


category(
    "boat",
    rowing=rowing_boat,
    canoe=canoe,
    sailboat=sailboat,
    motor=motor_boat,
    ship=ship,
    tall_ship=tall_ship,
)
