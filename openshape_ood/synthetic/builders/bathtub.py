"""Bathtubs: built in, freestanding, on claw feet, in a corner."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import SHARP, Ring, collar, hollow, loft
from openshape_ood.synthetic.builders._fittings import gooseneck_tap, inset_basin, mixer_tap
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, join, tube


def tub_rings(rng: Random, width: float, height: float, depth: float, power: float) -> list[Ring]:
    s, swell = rng.uniform(0.7, 0.92), rng.uniform(0.4, 0.8)
    scale = [(t, s + (1 - s) * t**swell) for t in (0.0, 0.1, 0.4, 0.8, 1.0)]
    return [Ring(t * height, k * width, k * depth, power) for t, k in scale]


def tub_size(rng: Random) -> tuple[float, float, float]:
    return rng.uniform(1.3, 1.9), rng.uniform(0.42, 0.65), rng.uniform(0.65, 0.95)


def built_in_tub(rng: Random) -> Mesh:
    """A boxed-in tub: straight apron outside, rounded bowl inside."""
    w, h, d = tub_size(rng)
    power, rim = rng.choice([2.5, 4.0, 8.0]), rng.uniform(0.1, 0.2)
    deck = collar(Ring(h - 0.04, w, d, SHARP), Ring(h, w - rim, d - rim, power), 0.04)
    bowl = inset_basin(rng, w - rim, d - rim, 0.8 * h, power).moved(y=h)
    apron = loft([Ring(y, w - 0.03, d - 0.03, SHARP) for y in (0.0, h - 0.04)])
    spigot = mixer_tap(rng).turned("y", 90).moved(-w / 2 + 0.04, h)
    return join(deck, bowl, apron, spigot) if chance(rng, 0.6) else join(deck, bowl, apron)


def oval_tub(rng: Random) -> Mesh:
    w, h, d = tub_size(rng)
    tub = hollow(tub_rings(rng, w, h, d, rng.uniform(2.0, 3.5)), rng.uniform(0.025, 0.06), 0.08)
    stand = gooseneck_tap(rng).scaled(1, 3, 1.3).moved(z=-d / 2 - 0.08)
    return join(tub, stand) if chance(rng, 0.4) else tub


def slipper(v: np.ndarray) -> np.ndarray:
    """One end of a tub drawn up."""
    x = v[:, 0] / np.abs(v[:, 0]).max()
    v[:, 1] *= 1 + 0.35 * np.clip(x, 0, 1) ** 2
    return v


def clawfoot_tub(rng: Random) -> Mesh:
    w, h, d = tub_size(rng)
    foot = rng.uniform(0.1, 0.18)
    tub = hollow(tub_rings(rng, w, h - foot, d, 2.6), 0.03)
    rolled = collar(Ring(h - foot - 0.015, w + 0.05, d + 0.05, 2.6), Ring(h - foot, w - 0.06, d - 0.06, 2.6), 0.03)
    body = join(tub, rolled)
    body = body.deformed(slipper) if chance(rng) else body
    claw = tube([(0, foot + 0.06, 0), (0.03, foot * 0.5, 0.03), (0.01, 0.02, 0.01)], [0.035, 0.02, 0.035])
    claws = join(*[claw.scaled(sx, 1, sz).moved(sx * 0.33 * w, z=sz * 0.28 * d) for sx in (-1, 1) for sz in (-1, 1)])
    return join(body.moved(y=foot), claws)


def slipper_tub(rng: Random) -> Mesh:
    w, h, d = tub_size(rng)
    return hollow(tub_rings(rng, w, h, d, rng.uniform(2.0, 2.8)), 0.035, 0.06).deformed(slipper)


def corner_tub(rng: Random) -> Mesh:
    """Two straight sides and a bowed front."""
    size, h = rng.uniform(1.2, 1.6), rng.uniform(0.45, 0.65)
    rim = rng.uniform(0.15, 0.3)
    outer, inner = Ring(h - 0.05, size, size, 2.0, 0, SHARP), Ring(h, size - rim, size - rim, 2.0, 0, 4.0)
    deck = collar(outer, inner, 0.05)
    bowl = inset_basin(rng, size - rim, size - rim, 0.75 * h, 2.3).moved(y=h)
    apron = loft([outer._replace(y=y) for y in (0.0, h - 0.05)])
    return join(deck, bowl, apron).turned("y", 45)


def screened_tub(rng: Random) -> Mesh:
    """A built-in tub with a glass screen and a shower head over it."""
    tub = built_in_tub(rng)
    width, _, depth = tub.size()
    h, x = rng.uniform(0.42, 0.65), 0.05 - width / 2
    screen = box(0.5 * width, 1.4, 0.01).moved(-0.25 * width, h + 0.7, depth / 2 - 0.03)
    riser = tube([(x, h, 0), (x, h + 1.35, 0), (x + 0.1, h + 1.45, 0), (x + 0.25, h + 1.42, 0)], 0.015)
    return join(tub, screen, riser, cylinder(0.08, 0.03, top=0.02).moved(x + 0.25, h + 1.4))


category(
    "bathtub",
    built_in=built_in_tub,
    oval_freestanding=oval_tub,
    clawfoot=clawfoot_tub,
    slipper=slipper_tub,
    corner=corner_tub,
    with_screen=screened_tub,
)
