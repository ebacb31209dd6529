"""Guitars and their kin: acoustic, electric, ukulele, banjo."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both, laid, stamped, stamped_around
from openshape_ood.synthetic.builders._shapes import axle, barrel, bars, from_front, hoop, rounded_corners, symmetric
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, join


def guitar_neck(rng: Random, length: float, width: float, depth: float, head: float) -> Mesh:
    """Neck, headstock and tuning pegs, upwards from the origin."""
    pegs = rng.randint(2, 4)
    tilt = rng.uniform(0, 15)
    y = np.linspace(0.25, 0.85, pegs) * head
    x = np.where(np.arange(2 * pegs) < pegs, -1, 1) * width
    peg = axle(0.006, 0.04, 8)
    headstock = box(width * 1.5, head, depth * 0.7).moved(y=head / 2)
    offsets = np.stack([x, np.tile(y, 2), np.zeros(2 * pegs)], axis=1)
    top = join(headstock, stamped(peg, offsets)).turned("x", -tilt).moved(y=length)
    frets = stamped(box(width, 0.003, 0.004), [(0, t * length, depth / 2) for t in np.linspace(0.1, 0.95, 12)])
    return join(box(width, length, depth).moved(y=length / 2), frets, top)


def eight(length: float, width: float, waist: float) -> np.ndarray:
    """The outline of a guitar's body, its lower end on y = 0."""
    half = width / 2
    points = [(0, 0), (0.8, 0), (1.1, 0.14), (1.05, 0.36), (waist, 0.56), (0.82, 0.72), (0.8, 0.92), (0.5, 1), (0, 1)]
    return rounded_corners(symmetric([(x * half, y * length) for x, y in points]))


def acoustic(rng: Random, size: float = 1.0) -> Mesh:
    u = rng.uniform
    length, width, depth = size * u(0.44, 0.54), size * u(0.33, 0.42), size * u(0.08, 0.13)
    body = from_front(eight(length, width, u(0.55, 0.75)), depth)
    hole = hoop(width * 0.14, 0.006).moved(y=length * 0.66, z=depth / 2)
    bridge = box(width * 0.45, 0.03, 0.015).moved(y=length * 0.3, z=depth / 2 + 0.007)
    neck = guitar_neck(rng, size * u(0.4, 0.5), 0.055, 0.025, size * u(0.14, 0.2)).moved(y=length * 0.95, z=depth * 0.4)
    board = box(0.055, length * 0.2, 0.012).moved(y=length * 0.9, z=depth / 2)
    strings = bars(
        [((x, length * 0.3, depth * 0.6), (x, length * 1.8, depth * 0.6)) for x in (-0.015, 0, 0.015)], 0.002
    )
    return join(body, hole, bridge, neck, board, strings)


def solid_body(rng: Random, length: float, neck: float) -> Mesh:
    u = rng.uniform
    width, depth = u(0.28, 0.36), u(0.035, 0.06)
    right, left = u(0.95, 1.15), u(1.05, 1.35)
    half = [(0, 0), (0.75, 0), (1.1, 0.15), (1, 0.38), (0.7, 0.58), (0.85, 0.78), (0.75, right), (0.5, right * 0.97)]
    other = [(-0.5, left * 0.97), (-0.8, left), (-0.85, 0.78), (-0.7, 0.58), (-1, 0.38), (-1.1, 0.15), (-0.75, 0)]
    points = [(x * width / 2, y * length) for x, y in [*half, (0.25, 0.8), (-0.25, 0.8), *other]]
    pickups = stamped(box(0.08, 0.03, 0.015), [(0, length * t, depth / 2) for t in (0.35, 0.55, 0.7)])
    knobs = stamped(barrel(0.012, 0.02, segments=8), [(0.09, length * t, depth / 2) for t in (0.12, 0.25)])
    top = guitar_neck(rng, neck, 0.05, 0.022, u(0.14, 0.2)).moved(y=length * 0.8, z=depth * 0.4)
    return join(from_front(rounded_corners(points), depth), pickups, knobs, top)


def flying_v(rng: Random) -> Mesh:
    u = rng.uniform
    depth, length, spread = u(0.035, 0.05), u(0.4, 0.5), u(0.18, 0.25)
    wing = from_front([(-0.02, length), (0.06, length), (spread, 0.03), (spread - 0.12, 0)], depth)
    return join(
        both(wing), guitar_neck(rng, u(0.5, 0.6), 0.05, 0.022, u(0.15, 0.2)).moved(y=length * 0.75, z=depth / 2)
    )


def banjo(rng: Random) -> Mesh:
    u = rng.uniform
    radius, depth = u(0.13, 0.17), u(0.06, 0.09)
    lugs = stamped_around(box(0.012, 0.015, depth).moved(y=radius * 1.03), 14, "z")
    rim = join(hoop(radius, 0.012).moved(z=depth / 2), box(0.08, 0.012, 0.02).moved(y=-radius * 0.4, z=depth / 2))
    return join(
        barrel(radius, depth, segments=20),
        lugs,
        rim,
        guitar_neck(rng, u(0.5, 0.65), 0.045, 0.025, 0.17).moved(y=radius),
    )


def on_guitar_stand(rng: Random) -> Mesh:
    instrument = acoustic(rng) if chance(rng, 0.5) else solid_body(rng, 0.42, 0.5)
    feet = [((0, 0.25, -0.12), (x, -0.12, z)) for x, z in ((-0.22, 0.1), (0.22, 0.1), (0, -0.3))]
    arms = [((0, 0.05, -0.12), (x, -0.02, 0.1)) for x in (-0.1, 0.1)]
    post = [((0, 0, -0.12), (0, 0.6, -0.12))]
    return join(instrument.turned("x", -8), bars([*feet, *arms, *post], 0.012))


category(
    "guitar",
    acoustic=lambda rng: laid(rng, acoustic(rng), 0.3),
    electric=lambda rng: laid(rng, solid_body(rng, rng.uniform(0.38, 0.46), rng.uniform(0.45, 0.55)), 0.3),
    bass=lambda rng: laid(rng, solid_body(rng, rng.uniform(0.42, 0.5), rng.uniform(0.65, 0.8)), 0.3),
    flying_v=lambda rng: laid(rng, flying_v(rng), 0.3),
    ukulele=lambda rng: laid(rng, acoustic(rng, rng.uniform(0.5, 0.7)), 0.3),
    banjo=lambda rng: laid(rng, banjo(rng), 0.3),
    on_stand=on_guitar_stand,
)
