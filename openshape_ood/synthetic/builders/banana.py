"""Bananas: single, in a bunch, peeled."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import laid, on_back, stamped_around
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, cylinder, join, tube


def one_banana(rng: Random, sides: int = 6) -> Mesh:
    """Banana bent in the x-y plane about the origin, with the stalk at the upper end."""
    u = rng.uniform
    radius, arc, thick = u(0.1, 0.18), u(60, 115), u(0.015, 0.022)
    a = np.radians(np.linspace(-arc / 2, arc / 2, 12))
    path = np.stack([-radius * np.cos(a), radius * np.sin(a), 0 * a], axis=1)
    width = thick * np.array([0.3, 0.65, 0.88, 0.97, 1, 1, 1, 0.95, 0.85, 0.6, 0.28, 0.22])
    stalk = path[-1] + (path[-1] - path[-2]) * u(0.6, 1.4)
    return tube(np.concatenate([path, stalk[None]]), [*width, thick * 0.25], segments=sides).moved(x=radius)


def rocking_banana(rng: Random) -> Mesh:
    """Banana on its belly, with both ends up."""
    return one_banana(rng, rng.randint(5, 9)).turned("z", 90 if chance(rng, 0.6) else -90)


def banana_bunch(rng: Random) -> Mesh:
    fingers = []
    count, spread = rng.randint(2, 7), rng.uniform(5, 12)
    for i in range(count):
        place = i - (count - 1) / 2
        finger = one_banana(rng).moved(y=-0.13).turned("z", rng.uniform(-10, 10)).turned("x", -place * spread)
        fingers.append(finger.turned("y", place * 6).moved(z=place * 0.014))
    stem = cylinder(0.014, 0.05, 0.01, 8).moved(y=0.01)
    return laid(rng, join(*fingers, stem), 0.7)


def peeled_banana(rng: Random) -> Mesh:
    fruit = one_banana(rng, 8).turned("z", 180)
    strip = np.array([(0.0, 0.0, 0.0), (0.035, 0.025, 0.0), (0.06, -0.01, 0.0), (0.07, -0.06, 0.0)])
    strips = stamped_around(tube(strip, [0.006, 0.012, 0.012, 0.003], 5).scaled(z=1.6), rng.randint(3, 5))
    return laid(rng, join(fruit, strips), 0.6)


category(
    "banana",
    lying=lambda rng: on_back(one_banana(rng, rng.randint(5, 9))).turned("x", rng.uniform(-15, 15)),
    rocking=rocking_banana,
    bunch=banana_bunch,
    peeled=peeled_banana,
)
