"""Dumbbells and barbells."""

from __future__ import annotations

from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._shapes import axle
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, cylinder, ellipsoid, join, lathe, rod, tube


def weights(rng: Random, head: Mesh, grip: float, radius: float) -> Mesh:
    """A bar along x with a head at either end."""
    across = float(head.size()[0])
    swell = rng.uniform(0.8, 1.3)
    bar = tube([(-grip / 2, 0, 0), (0, 0, 0), (grip / 2, 0, 0)], [radius, radius * swell, radius])
    return join(bar, both(head.moved(x=grip / 2 + across / 2)))


def hex_dumbbell(rng: Random) -> Mesh:
    u = rng.uniform
    size, sides = u(0.035, 0.09), int(rng.choice([6, 6, 8]))
    turn = cylinder(size, size * u(0.9, 1.7), segments=sides).turned("y", 180 / sides).turned("z", 90)
    return weights(rng, turn, u(0.1, 0.14), u(0.012, 0.017))


def round_dumbbell(rng: Random) -> Mesh:
    u = rng.uniform
    size, length, edge = u(0.035, 0.09), u(0.04, 0.11), u(0.75, 0.95)
    half = length / 2
    profile = [
        (0, -half), (edge * size, -half), (size, -half * 0.7),
        (size, half * 0.7), (edge * size, half), (0, half),
    ]  # fmt: skip
    return weights(rng, lathe(profile, 20).turned("z", 90), u(0.1, 0.14), u(0.012, 0.017))


def ball_dumbbell(rng: Random) -> Mesh:
    size = rng.uniform(0.06, 0.13)
    return weights(rng, ellipsoid(size, size, size, 18), rng.uniform(0.08, 0.13), rng.uniform(0.01, 0.016))


def stacked_plates(rng: Random, radius: float, count: int) -> Mesh:
    """Plates of decreasing size along +x, outwards from the origin."""
    x, plates = 0.0, []
    for i in range(count):
        width = rng.uniform(0.015, 0.03)
        plates.append(axle(radius * (1 - 0.14 * i), width, 20).moved(x=x + width / 2))
        x += width + 0.002
    return join(*plates, axle(0.02, 0.03, 12).moved(x=x + 0.015), rod((x, 0, 0), (x + 0.06, 0, 0), 0.013))


def plate_dumbbell(rng: Random) -> Mesh:
    grip = rng.uniform(0.1, 0.14)
    return join(
        axle(0.014, grip, 10), both(stacked_plates(rng, rng.uniform(0.06, 0.12), rng.randint(1, 5)).moved(x=grip / 2))
    )


def barbell(rng: Random) -> Mesh:
    grip = rng.uniform(0.9, 1.35)
    return join(
        axle(0.014, grip, 10), both(stacked_plates(rng, rng.uniform(0.12, 0.225), rng.randint(1, 4)).moved(x=grip / 2))
    )


category(
    "dumbbell",
    hex=hex_dumbbell,
    round=round_dumbbell,
    ball_ends=ball_dumbbell,
    plates=plate_dumbbell,
    barbell=barbell,
    upended=lambda rng: (hex_dumbbell(rng) if chance(rng, 0.5) else round_dumbbell(rng)).turned("z", 90),
)
