"""Tablet computers: bare, on a stand, with a cover or a keyboard."""

from __future__ import annotations

from openshape_ood.synthetic.builders._copies import laid, on_back, stamped
from openshape_ood.synthetic.builders._fittings import key_field
from openshape_ood.synthetic.builders._shapes import barrel, frame, half_ring, panel
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cushion, cylinder, join, rod


def bare_tablet(rng: Random) -> tuple[Mesh, float, float]:
    """An upright tablet centered on the origin, and its width and height."""
    u = rng.uniform
    width, height, depth = u(0.15, 0.28), u(0.1, 0.2), u(0.006, 0.014)
    if chance(rng, 0.4):
        width, height = height, width
    slab = panel(width, height, depth, u(0.006, 0.02))
    button = barrel(0.006, 0.002, segments=8).moved(y=-height * 0.45, z=depth / 2)
    rim = frame(width * 0.97, height * 0.97, u(0.006, 0.018), 0.002).moved(z=depth / 2 + 0.001)
    return join(slab, button, rim), width, height


def standing_tablet(rng: Random) -> Mesh:
    slate, width, height = bare_tablet(rng)
    lean = rng.uniform(12, 35)
    prop = (
        box(width * rng.uniform(0.3, 0.9), height * 0.8, 0.004)
        .turned("x", lean)
        .moved(y=height * 0.38, z=-height * 0.35)
    )
    return join(slate.turned("x", -lean).moved(y=height / 2), prop)


def wall_tablet(rng: Random) -> Mesh:
    u = rng.uniform
    slate, width, height = bare_tablet(rng)
    plate = box(width * u(0.3, 1.15), height * u(0.3, 1.15), u(0.006, 0.02)).moved(z=-0.014)
    body = join(slate, plate)
    return join(body, frame(width * 1.1, height * 1.1, 0.02, 0.02)) if chance(rng, 0.4) else body


def keyboard_tablet(rng: Random) -> Mesh:
    slate, width, height = bare_tablet(rng)
    cover = box(width, 0.005, 0.13).moved(z=0.06)
    keys = key_field(rng, 12, 5, 0.002).scaled(width / 0.25, 1, 1).moved(y=0.003, z=0.06)
    return join(slate.turned("x", -rng.uniform(10, 30)).moved(y=height * 0.48, z=-0.02), cover, keys)


def pedestal_tablet(rng: Random) -> Mesh:
    u = rng.uniform
    slate, _, height = bare_tablet(rng)
    rise = u(0.04, 1.1)
    foot = cylinder(u(0.06, 0.09) + rise * 0.12, 0.012).moved(y=0.006)
    post = rod((0, 0, 0), (0, rise + height / 2, -0.02), u(0.008, 0.02))
    return join(slate.turned("x", -u(10, 50)).moved(y=rise + height / 2), foot, post)


def rugged_tablet(rng: Random) -> Mesh:
    slate, width, height = bare_tablet(rng)
    corners = [(x * width / 2, y * height / 2, 0) for x in (-1, 1) for y in (-1, 1)]
    bumpers = stamped(cushion(0.04, 0.04, 0.03, 0.4, 8), corners)
    return laid(rng, join(slate, bumpers, half_ring(width * 0.25, 0.006).moved(y=height / 2)), 0.6)


category(
    "tablet",
    lying=lambda rng: on_back(bare_tablet(rng)[0]),
    standing=standing_tablet,
    wall=wall_tablet,
    keyboard_cover=keyboard_tablet,
    pedestal=pedestal_tablet,
    rugged=rugged_tablet,
)
