"""Fittings: handles, knobs, casters, windows, taps and basins, fields of keys."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import Ring, hollow
from openshape_ood.synthetic.builders._copies import both, stamped
from openshape_ood.synthetic.builders._shapes import arch
from openshape_ood.synthetic.catalog import Random, pick
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, join, rod, tube


def hung(leaf: Mesh, x: float, z: float, degrees: float) -> Mesh:
    """A door leaf that reaches from its hinge at the origin to +x, opened towards +z."""
    return leaf.turned("y", -degrees).moved(x, z=z)


def bar_handle(length: float, reach: float = 0.04, radius: float = 0.01) -> Mesh:
    """An upright bar in front of z = 0 on two stays."""
    stay = rod((0, 0, 0), (0, 0, reach), radius * 0.8)
    bar = rod((0, -length / 2, reach), (0, length / 2, reach), radius)
    return join(bar, stay.moved(y=0.4 * length), stay.moved(y=-0.4 * length))


def dial(radius: float, thickness: float) -> Mesh:
    """A knob that sticks out of z = 0."""
    return cylinder(radius, thickness, top=0.85 * radius, segments=10).turned("x", 90).moved(z=thickness / 2)


def caster(radius: float) -> Mesh:
    return cylinder(radius, radius * 0.6, segments=12).turned("z", 90).moved(y=radius)


def window(width: float, height: float, border: float, thickness: float) -> Mesh:
    """A frame with a sunk pane, around the origin in the x-y plane."""
    x, y = (width - border) / 2, (height - border) / 2
    side, edge = box(border, height, thickness), box(width, border, thickness)
    pane = box(width - border, height - border, 0.3 * thickness)
    return join(both(side.moved(x)), edge.moved(y=y), edge.moved(y=-y), pane)


def bail(rng: Random, r: float, angle: float) -> Mesh:
    """A swinging handle at y = 0; 0 degrees upright, 90 lying to the front."""
    hoop = tube(arch(2.06 * r, r * rng.uniform(0.9, 1.3), 0.9), 0.004, segments=6)
    grip = rod((-0.05, 0, 0), (0.05, 0, 0), 0.011).moved(y=hoop.size()[1] - 0.004)
    lugs = both(cylinder(0.018, 0.015, segments=8).turned("z", 90).moved(1.02 * r))
    return join(join(hoop, grip).turned("x", angle), lugs)


def gooseneck_tap(rng: Random) -> Mesh:
    """A tall tap whose pipe bends over."""
    height, reach, r = rng.uniform(0.2, 0.4), rng.uniform(0.07, 0.12), rng.uniform(0.01, 0.016)
    t = np.linspace(0, np.pi * rng.uniform(0.8, 1.0), 9)
    bow = np.stack([0 * t, height - reach + reach * np.sin(t), reach - reach * np.cos(t)], axis=1)
    lever = rod((0, 0.05, 0), (0.09, 0.08, 0), 0.007)
    return join(cylinder(0.026, 0.08).moved(y=0.04), tube([(0, 0, 0), *bow], r), lever)


def mixer_tap(rng: Random) -> Mesh:
    height, reach = rng.uniform(0.1, 0.18), rng.uniform(0.1, 0.17)
    body = cylinder(0.024, height).moved(y=height / 2)
    spout = rod((0, 0.65 * height, 0), (0, 0.75 * height, reach), 0.017, 0.013)
    lever = box(0.02, 0.01, 0.1).turned("x", -rng.uniform(0, 35)).moved(y=height + 0.015, z=0.02)
    return join(body, spout, lever)


def pillar_taps(rng: Random) -> Mesh:
    gap, height = rng.uniform(0.08, 0.12), rng.uniform(0.06, 0.1)
    cross = join(rod((-0.03, 0, 0), (0.03, 0, 0), 0.007), rod((0, 0, -0.03), (0, 0, 0.03), 0.007))
    valve = join(cylinder(0.018, height).moved(y=height / 2), cross.moved(y=height))
    spout = tube([(0, 0, 0), (0, 0.1, 0.01), (0, 0.12, 0.06), (0, 0.09, 0.13)], 0.013)
    return join(valve.moved(gap), valve.moved(-gap), spout)


def tap(rng: Random) -> Mesh:
    return pick(rng, (gooseneck_tap, mixer_tap, mixer_tap, pillar_taps))(rng)


def basin(rng: Random, width: float, height: float, depth: float, power: float, deck: float = 0.0) -> Mesh:
    """A rounded basin on y = 0, its rim at `height`."""
    base, swell, wall = rng.uniform(0.35, 0.75), rng.uniform(0.4, 0.9), rng.uniform(0.012, 0.035)
    rings = []
    for t in (0.0, 0.12, 0.35, 0.65, 1.0):
        s = base + (1 - base) * t**swell
        rings.append(Ring(t * height, s * width, s * depth, power, (s - 1) * depth * 0.2, max(power, 3.5)))
    return hollow(rings, wall, deck=deck)


def inset_basin(rng: Random, width: float, depth: float, deep: float, power: float) -> Mesh:
    """The bowl below a hole of the given size in a counter at y = 0; thin, open at the top."""
    s = rng.uniform(0.6, 0.95)
    rings = [
        Ring(-deep, s * width, s * depth, power),
        Ring(-0.85 * deep, (1 + s) / 2 * width, (1 + s) / 2 * depth, power),
    ]
    return hollow([*rings, Ring(0.0, width, depth, power)], 0.004)


def key_field(rng: Random, columns: int, rows: int, height: float) -> Mesh:
    """Rows of key caps and a space bar, level, centered, pitch 19 mm."""
    pitch, cap = 0.019, rng.uniform(0.0145, 0.0175)
    z, x = np.meshgrid(
        (np.arange(rows) - (rows - 1) / 2) * pitch, (np.arange(columns) - (columns - 1) / 2) * pitch, indexing="ij"
    )
    stagger = (np.arange(rows) % 3)[:, None] * 0.002
    middle = np.abs(x) < columns * pitch * 0.2
    keep = ~(middle & (np.arange(rows) == rows - 1)[:, None])
    offsets = np.stack([x + stagger, np.full_like(x, height / 2), z], axis=-1)[keep]
    space = box(columns * pitch * 0.38, height, cap).moved(y=height / 2, z=float(z.max()))
    return join(stamped(box(cap, height, cap).tapered(rng.uniform(0.7, 1)), offsets), space)
