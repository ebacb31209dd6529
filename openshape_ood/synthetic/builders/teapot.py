"""Teapots, coffee pots and kettles."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._shapes import half_ring
from openshape_ood.synthetic.catalog import Random, category
from openshape_ood.synthetic.mesh import Mesh, cushion, join, lathe, rod, tube


def curved_spout(root: float, y: float, reach: float, rise: float, thick: float) -> Mesh:
    """An S-shaped spout towards +x from (root, y)."""
    path = [
        (root * 0.9, y, 0),
        (root + reach * 0.45, y + rise * 0.15, 0),
        (root + reach * 0.7, y + rise * 0.6, 0),
        (root + reach, y + rise, 0),
    ]
    return tube(path, [thick * 1.5, thick * 1.1, thick * 0.8, thick * 0.65])


def ear_handle(root: float, low: float, high: float, reach: float, thick: float) -> Mesh:
    """A loop at -x between two heights."""
    middle, half = (low + high) / 2, (high - low) / 2
    a = np.linspace(-np.pi / 2, np.pi / 2, 9)
    return tube(np.stack([-root - reach * np.cos(a), middle + half * np.sin(a), 0 * a], axis=1), thick)


def knobbed_lid(radius: float, rise: float, knob: float) -> Mesh:
    profile = [
        (radius, 0), (radius * 0.7, rise * 0.6), (knob * 0.5, rise), (knob * 0.5, rise + knob * 0.5),
        (knob, rise + knob), (knob * 0.7, rise + knob * 1.8), (0, rise + knob * 2),
    ]  # fmt: skip
    return lathe(profile, 18)


def round_teapot(rng: Random) -> Mesh:
    u = rng.uniform
    r = u(0.06, 0.11)
    h = r * u(1.1, 1.7)
    profile = [(0, 0), (0.6, 0), (0.65, 0.05), (0.95, 0.3), (1, 0.5), (0.9, 0.78), (0.55, 1)]
    body = lathe([(x * r, y * h) for x, y in profile], 22)
    lid = knobbed_lid(r * 0.56, h * 0.12, r * u(0.1, 0.18)).moved(y=h * 0.99)
    spout = curved_spout(r, h * u(0.3, 0.45), r * u(0.6, 0.9), h * u(0.4, 0.65), r * 0.13)
    return join(body, lid, spout, ear_handle(r * 0.85, h * 0.2, h * 0.8, r * u(0.4, 0.7), r * u(0.06, 0.1)))


def tall_pot(rng: Random) -> Mesh:
    u = rng.uniform
    r = u(0.05, 0.075)
    h, neck = r * u(2.4, 3.8), u(0.5, 0.8)
    body = lathe([(0, 0), (r * u(0.7, 1), 0), (r, h * u(0.2, 0.4)), (r * 0.9, h * 0.6), (r * neck, h)], 20)
    spout = curved_spout(r * 0.9, h * 0.35, r * u(0.7, 1.1), h * u(0.4, 0.55), r * 0.14)
    handle = ear_handle(r * 0.8, h * 0.2, h * 0.85, r * u(0.5, 0.9), r * 0.09)
    return join(body, spout, handle, knobbed_lid(r * neck, h * 0.08, r * 0.14).moved(y=h))


def iron_teapot(rng: Random) -> Mesh:
    u = rng.uniform
    r = u(0.07, 0.1)
    h = r * u(0.9, 1.2)
    body = lathe([(0, 0), (r * 0.6, 0), (r, h * 0.4), (r * 0.95, h * 0.65), (r * 0.5, h)], 22)
    hoop = half_ring(r * 0.85, r * 0.06).scaled(y=u(0.9, 1.3)).moved(y=h * 0.85)
    spout = curved_spout(r * 0.9, h * 0.5, r * 0.5, h * 0.4, r * 0.12)
    return join(body, hoop, spout, knobbed_lid(r * 0.5, h * 0.08, r * 0.1).moved(y=h * 0.98))


def stove_kettle(rng: Random) -> Mesh:
    u = rng.uniform
    r = u(0.09, 0.12)
    h = r * u(0.9, 1.5)
    body = lathe([(0, 0), (r, 0), (r, h * 0.15), (r * u(0.75, 0.95), h * 0.6), (r * 0.35, h)], 22)
    spout = rod((r * 0.6, h * 0.5, 0), (r * 1.25, h * 1.0, 0), r * 0.18, r * 0.12)
    hoop = half_ring(r * 0.75, r * 0.07).scaled(y=u(0.9, 1.2)).moved(y=h * 0.8)
    return join(body, spout, hoop, knobbed_lid(r * 0.35, h * 0.05, r * 0.1).moved(y=h))


def square_teapot(rng: Random) -> Mesh:
    u = rng.uniform
    w, h = u(0.1, 0.16), u(0.09, 0.15)
    body = cushion(w, h, w * u(0.7, 1), u(0.15, 0.4)).tapered(u(0.75, 1.1)).moved(y=h / 2)
    spout = curved_spout(w / 2, h * 0.35, w * 0.35, h * 0.5, w * 0.07)
    handle = ear_handle(w * 0.45, h * 0.2, h * 0.8, w * 0.3, w * 0.05)
    return join(body, spout, handle, knobbed_lid(w * 0.25, h * 0.08, w * 0.06).moved(y=h))


category(
    "teapot",
    round=round_teapot,
    tall=tall_pot,
    iron=iron_teapot,
    stove_kettle=stove_kettle,
    square=square_teapot,
)
