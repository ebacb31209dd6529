"""Refrigerators: one door or several, open, and glass-fronted."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import at_corners, both, placed
from openshape_ood.synthetic.builders._fittings import bar_handle, hung
from openshape_ood.synthetic.builders._shapes import open_front
from openshape_ood.synthetic.catalog import Random, category, chance, count
from openshape_ood.synthetic.mesh import Mesh, box, cushion, cylinder, join, rod


def fridge_door(width: float, height: float, handle_y: float, long: float) -> Mesh:
    """A door with its lower hinge at the origin; its handle far from the hinge."""
    leaf = cushion(width - 0.006, height - 0.008, 0.06, 0.12).moved(width / 2, height / 2, 0.03)
    return join(leaf, bar_handle(long, 0.045, 0.012).moved(width - 0.05, handle_y, 0.06))


def fridge_body(rng: Random, width: float, height: float, depth: float) -> Mesh:
    feet = at_corners(cylinder(0.02, 0.03).moved(y=0.015), width / 2 - 0.04, depth / 2 - 0.04)
    return join(box(width, height - 0.03, depth).moved(y=height / 2 + 0.015), feet)


def stacked_doors(rng: Random, split: float) -> Mesh:
    """A fridge door and a freezer door, one above the other. split: height between them, as a fraction of the whole."""
    w, h, d = rng.uniform(0.5, 0.8), rng.uniform(1.35, 2.0), rng.uniform(0.5, 0.7)
    cut, long = split * h, rng.uniform(0.2, 0.45)
    low = fridge_door(w, cut, cut - 0.6 * long, long).moved(y=0.03)
    high = fridge_door(w, h - cut - 0.03, 0.7 * long, long).moved(y=cut + 0.03)
    doors = join(low, high).moved(-w / 2, z=d / 2 + 0.004)
    return join(fridge_body(rng, w, h, d), doors.mirrored("x") if chance(rng) else doors)


def side_by_side(rng: Random) -> Mesh:
    w, h, d = rng.uniform(0.8, 1.0), rng.uniform(1.65, 1.95), rng.uniform(0.6, 0.75)
    cut, long = w * rng.uniform(0.38, 0.5), rng.uniform(0.5, 1.2)
    left = fridge_door(cut, h - 0.05, 0.55 * h, long).moved(-w / 2, 0.04)
    right = fridge_door(w - cut, h - 0.05, 0.55 * h, long).mirrored("x").moved(w / 2, 0.04)
    parts = [fridge_body(rng, w, h, d), join(left, right).moved(z=d / 2 + 0.004)]
    if chance(rng):
        parts += [open_front(0.2, 0.32, 0.06, 0.012).moved(-w / 2 + cut / 2 - 0.03, 0.55 * h, d / 2 + 0.08)]
    return join(*parts)


def french_door(rng: Random) -> Mesh:
    """Double doors above one or two drawers."""
    w, h, d = rng.uniform(0.8, 0.95), rng.uniform(1.7, 1.9), rng.uniform(0.65, 0.78)
    cut, drawers = rng.uniform(0.3, 0.42) * h, count(rng, 1, 2)
    leaf = fridge_door(w / 2, h - cut - 0.02, 0.35 * h, rng.uniform(0.4, 0.7)).moved(-w / 2, cut + 0.02)
    tall = (cut - 0.04) / drawers
    pull = bar_handle(0.75 * w, 0.045, 0.012).turned("z", 90).moved(y=0.8 * tall, z=0.06)
    drawer = join(box(w - 0.006, tall - 0.01, 0.06).moved(y=tall / 2, z=0.03), pull)
    front = join(both(leaf), placed(drawer, [(0, 0.04 + i * tall, 0) for i in range(drawers)]))
    return join(fridge_body(rng, w, h, d), front.moved(z=d / 2 + 0.004))


def mini_fridge(rng: Random) -> Mesh:
    w, h, d = rng.uniform(0.42, 0.56), rng.uniform(0.5, 0.9), rng.uniform(0.42, 0.56)
    door = fridge_door(w, h - 0.03, 0.65 * h, rng.uniform(0.1, 0.25)).moved(-w / 2, 0.03, d / 2 + 0.004)
    return join(fridge_body(rng, w, h, d), door, box(w + 0.01, 0.03, d + 0.04).moved(y=h + 0.01))


def retro_fridge(rng: Random) -> Mesh:
    """Refrigerator with round shoulders and a lever handle."""
    w, h, d = rng.uniform(0.55, 0.7), rng.uniform(1.2, 1.8), rng.uniform(0.55, 0.7)
    body = cushion(w, h, d, rng.uniform(0.2, 0.35)).moved(y=h / 2 + 0.05)
    door = cushion(0.98 * w, 0.95 * h, 0.14, 0.25).moved(y=h / 2 + 0.05, z=0.46 * d)
    lever = rod((0.3 * w, 0.65 * h, d / 2 + 0.06), (0.42 * w, 0.5 * h, d / 2 + 0.06), 0.015)
    return join(body, door, lever, box(0.8 * w, 0.06, 0.7 * d).moved(y=0.03))


def shelves(rng: Random, width: float, height: float, depth: float) -> Mesh:
    levels = np.linspace(0, 1, count(rng, 4, 7))[1:-1] * height
    return placed(box(width, 0.01, depth), [(0, y, 0) for y in levels])


def open_fridge(rng: Random) -> Mesh:
    """The door ajar, shelves inside and in the door."""
    w, h, d = rng.uniform(0.5, 0.75), rng.uniform(0.8, 1.9), rng.uniform(0.5, 0.65)
    body = join(open_front(w, h, d, 0.04), shelves(rng, w - 0.08, h, d - 0.1))
    tray = box(w - 0.12, 0.06, 0.08).moved(w / 2, 0, -0.04)
    door = join(fridge_door(w, h, 0.6 * h, 0.3), placed(tray, [(0, y * h, 0) for y in (0.15, 0.45, 0.7)]))
    return join(body, hung(door, -w / 2, d / 2 + 0.01, rng.uniform(30, 130)))


def display_fridge(rng: Random) -> Mesh:
    """A shop's cooler: framed glass door, light box on top, cans on the shelves."""
    w, h, d = rng.uniform(0.55, 1.2), rng.uniform(1.6, 2.0), rng.uniform(0.5, 0.7)
    crown = rng.uniform(0.12, 0.25)
    body = join(open_front(w, h - crown, d, 0.04), shelves(rng, w - 0.08, h - crown, d - 0.1))
    stile, rail = box(0.05, h - crown, 0.04), box(w, 0.05, 0.04)
    frame = join(
        both(stile.moved(w / 2 - 0.025)), rail.moved(y=(h - crown) / 2 - 0.03), rail.moved(y=-(h - crown) / 2 + 0.03)
    )
    can = cylinder(0.035, 0.16, segments=8)
    xs = np.linspace(-0.38, 0.38, max(3, int(w / 0.13))) * w
    cans = placed(can, [(x, y * (h - crown) + 0.1, 0.1) for x in xs for y in (0.05, 0.5)])
    return join(body, frame.moved(y=(h - crown) / 2, z=d / 2), box(w, crown, d).moved(y=h - crown / 2), cans)


category(
    "refrigerator",
    top_freezer=lambda rng: stacked_doors(rng, rng.uniform(0.62, 0.75)),
    bottom_freezer=lambda rng: stacked_doors(rng, rng.uniform(0.3, 0.42)),
    side_by_side=side_by_side,
    french_door=french_door,
    mini=mini_fridge,
    retro=retro_fridge,
    door_open=open_fridge,
    display=display_fridge,
)
