"""Tents: domes, ridges, tipis, tunnels and canopies."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both, stamped, stamped_around
from openshape_ood.synthetic.builders._shapes import bars, frame, from_front, half_ring, rods
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, join, lathe, sheet, tube


def dome_tent(rng: Random) -> Mesh:
    u = rng.uniform
    radius, height, sides = u(0.9, 1.6), u(1.0, 1.6), int(rng.choice([4, 6, 8]))
    a = np.linspace(0, np.pi / 2, 7)
    dome = lathe([(radius * np.cos(t), height * np.sin(t)) for t in a], sides).turned("y", 180 / sides)
    poles = stamped_around(
        tube([(radius * np.cos(t), height * np.sin(t) + 0.02, 0) for t in a], 0.015, 5), sides
    ).turned("y", 180 / sides)
    porch = sheet(
        lambda p, q: np.stack([(q - 0.5) * radius * (1.2 - p), height * 0.75 * p, radius * (1.5 - 0.85 * p)], axis=-1),
        5,
        5,
    )
    return join(dome, poles, porch) if chance(rng, 0.6) else join(dome, poles)


def ridge_tent(rng: Random) -> Mesh:
    u = rng.uniform
    width, height, length = u(1.2, 2.4), u(1.0, 1.9), u(1.8, 3.2)
    half = width / 2
    slope = both(sheet(lambda p, q: np.stack([half * (1 - p), height * p, length * (q - 0.5)], axis=-1), 4, 4))
    back = from_front([(-half, 0), (half, 0), (0, height)], 0.02).moved(z=-length / 2)
    out = u(0.2, 0.9)
    flap = both(
        sheet(
            lambda p, q: np.stack(
                [half * (1 - p) * (1 - out * q), height * p, length / 2 + 0.3 * q * (1 - p)], axis=-1
            ),
            4,
            4,
        )
    )
    poles = bars([((0, 0, z), (0, height * 1.04, z)) for z in (-length / 2, length / 2)], 0.025)
    ropes = bars([((0, height, s * length / 2), (0, 0, s * length * 0.85)) for s in (-1, 1)], 0.008)
    return join(slope, back, flap, poles, ropes)


def tipi(rng: Random) -> Mesh:
    u = rng.uniform
    radius, height, sides = u(0.6, 1.8), u(1.4, 3.5), int(rng.choice([4, 6, 8, 12]))
    cone = lathe([(radius, 0), (radius * 0.08, height * 0.9)], sides)
    pole = np.array([[radius, 0, 0], [-radius * 0.12, height * 1.08, 0]])
    poles = stamped_around(rods(pole[:1], pole[1:], 0.025), sides)
    door = from_front([(-radius * 0.3, 0), (radius * 0.3, 0), (0, height * 0.55)], 0.02)
    tilt = np.degrees(np.arctan2(radius * 0.92, height * 0.9))
    return join(cone, poles, door.turned("x", -tilt).moved(z=radius * 1.02 * np.cos(np.pi / sides)))


def canopy_tent(rng: Random) -> Mesh:
    u = rng.uniform
    width, depth, wall, roof = u(2.2, 5), u(2.2, 5), u(1.9, 2.3), u(0.5, 1.2)
    top = frame_roof(width, depth, roof).moved(y=wall)
    posts = stamped(
        cylinder(0.04, wall, segments=8),
        [(x * width / 2, wall / 2, z * depth / 2) for x in (-0.96, 0.96) for z in (-0.96, 0.96)],
    )
    valance = join(
        both(box(0.02, 0.25, depth).moved(width / 2)), both(box(width, 0.25, 0.02).moved(z=depth / 2), "z")
    ).moved(y=wall - 0.1)
    walls = [box(width * 0.97, wall, 0.02).moved(y=wall / 2, z=-depth * 0.48)] if chance(rng, 0.4) else []
    return join(top, posts, valance, *walls)


def frame_roof(width: float, depth: float, rise: float) -> Mesh:
    """Four slopes that meet in one point."""
    return lathe([(np.sqrt(0.5), 0), (0, rise)], 4).turned("y", 45).scaled(width, 1, depth)


def tunnel_tent(rng: Random) -> Mesh:
    u = rng.uniform
    width, height, length, hoops = u(1.4, 2.6), u(1.0, 2.0), u(2.5, 5), rng.randint(2, 5)
    skin = sheet(
        lambda p, q: np.stack(
            [
                -width / 2 * np.cos(np.pi * p),
                height * np.sin(np.pi * p) * (1 - 0.12 * np.abs(2 * q - 1)),
                length * (q - 0.5),
            ],
            axis=-1,
        ),
        12,
        6,
    )
    arch = half_ring(1, 0.02).scaled(width / 2, height, 1)
    ribs = stamped(arch, [(0, 0, z) for z in np.linspace(-length / 2, length / 2, hoops)])
    end = sheet(
        lambda p, q: np.stack(
            [
                -width / 2 * np.cos(np.pi * p) * (1 - q),
                height * 0.88 * np.sin(np.pi * p) * (1 - q),
                -length / 2 - 0.6 * q,
            ],
            axis=-1,
        ),
        12,
        4,
    )
    return join(skin, ribs, end)


def cabin_tent(rng: Random) -> Mesh:
    u = rng.uniform
    width, depth, wall, rise = u(1.8, 4), u(1.8, 4), u(1.1, 1.8), u(0.4, 1)
    lower = lathe([(np.sqrt(0.5), 0), (np.sqrt(0.5) * u(0.85, 1), wall)], 4).turned("y", 45).scaled(width, 1, depth)
    roof = frame_roof(width * 1.05, depth * 1.05, rise).moved(y=wall)
    door = frame(width * 0.35, wall * 0.9, 0.04, 0.04).moved(y=wall * 0.45, z=depth * 0.49)
    windows = both(frame(depth * 0.3, wall * 0.4, 0.04, 0.04).turned("y", 90).moved(width * 0.49, wall * 0.6))
    return join(lower, roof, door, windows)


category(
    "tent",
    dome=dome_tent,
    ridge=ridge_tent,
    tipi=tipi,
    canopy=canopy_tent,
    tunnel=tunnel_tent,
    cabin=cabin_tent,
)
