"""Taps and basins; a tap stands on the origin and pours towards +z."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._chance import Random, between, pick
from openshape_ood.synthetic.builders._rings import Ring, hollow
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, join, rod, tube


def gooseneck_tap(rng: Random) -> Mesh:
    """A tall tap whose pipe bends over."""
    height, reach, r = between(rng, 0.2, 0.4), between(rng, 0.07, 0.12), between(rng, 0.01, 0.016)
    t = np.linspace(0, np.pi * between(rng, 0.8, 1.0), 9)
    bow = np.stack([0 * t, height - reach + reach * np.sin(t), reach - reach * np.cos(t)], axis=1)
    lever = rod((0, 0.05, 0), (0.09, 0.08, 0), 0.007)
    return join(cylinder(0.026, 0.08).moved(y=0.04), tube([(0, 0, 0), *bow], r), lever)


def mixer_tap(rng: Random) -> Mesh:
    height, reach = between(rng, 0.1, 0.18), between(rng, 0.1, 0.17)
    body = cylinder(0.024, height).moved(y=height / 2)
    spout = rod((0, 0.65 * height, 0), (0, 0.75 * height, reach), 0.017, 0.013)
    lever = box(0.02, 0.01, 0.1).turned("x", -between(rng, 0, 35)).moved(y=height + 0.015, z=0.02)
    return join(body, spout, lever)


def pillar_taps(rng: Random) -> Mesh:
    gap, height = between(rng, 0.08, 0.12), between(rng, 0.06, 0.1)
    cross = join(rod((-0.03, 0, 0), (0.03, 0, 0), 0.007), rod((0, 0, -0.03), (0, 0, 0.03), 0.007))
    valve = join(cylinder(0.018, height).moved(y=height / 2), cross.moved(y=height))
    spout = tube([(0, 0, 0), (0, 0.1, 0.01), (0, 0.12, 0.06), (0, 0.09, 0.13)], 0.013)
    return join(valve.moved(gap), valve.moved(-gap), spout)


def tap(rng: Random) -> Mesh:
    return pick(rng, (gooseneck_tap, mixer_tap, mixer_tap, pillar_taps))(rng)


def basin(rng: Random, width: float, height: float, depth: float, power: float, deck: float = 0.0) -> Mesh:
    """A rounded basin on y = 0, its rim at `height`."""
    base, swell, wall = between(rng, 0.35, 0.75), between(rng, 0.4, 0.9), between(rng, 0.012, 0.035)
    rings = []
    for t in (0.0, 0.12, 0.35, 0.65, 1.0):
        s = base + (1 - base) * t**swell
        rings.append(Ring(t * height, s * width, s * depth, power, (s - 1) * depth * 0.2, max(power, 3.5)))
    return hollow(rings, wall, deck=deck)


def inset_basin(rng: Random, width: float, depth: float, deep: float, power: float) -> Mesh:
    """The bowl below a hole of the given size in a counter at y = 0; thin, open at the top."""
    s = between(rng, 0.6, 0.95)
    rings = [
        Ring(-deep, s * width, s * depth, power),
        Ring(-0.85 * deep, (1 + s) / 2 * width, (1 + s) / 2 * depth, power),
    ]
    return hollow([*rings, Ring(0.0, width, depth, power)], 0.004)
