"""Laptops, from shut to lying flat."""

from __future__ import annotations

from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._fittings import key_field
from openshape_ood.synthetic.builders._shapes import axle, frame, from_side, panel
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, join


def hinged_screen(width: float, height: float, thickness: float, bezel: float) -> Mesh:
    """A lid with a raised bezel, upwards from y = 0 and looking at +z."""
    lid = box(width, height, thickness * 0.7)
    return join(lid, frame(width, height, bezel, thickness * 0.3).moved(z=thickness / 2)).moved(y=height / 2)


def clamshell(rng: Random, angle: float, base: float, lid: float) -> Mesh:
    """A laptop opened by `angle` degrees. base, lid: thicknesses."""
    u = rng.uniform
    width = u(0.26, 0.42)
    depth = width * u(0.62, 0.78)
    keys = (
        key_field(rng, 14, 5, 0.002)
        .scaled(width * 0.86 / 0.27, 1, depth * 0.48 / 0.095)
        .moved(y=base / 2, z=-depth * 0.12)
    )
    pad = box(width * u(0.2, 0.35), 0.002, depth * 0.22).moved(y=base / 2, z=depth * 0.32)
    screen = hinged_screen(width, depth * u(0.92, 1), lid, u(0.006, 0.025)).turned("x", 90 - angle)
    hinge = both(axle(base * 0.35, width * 0.12, 8).moved(x=width * 0.3)).moved(y=base * 0.4, z=-depth / 2)
    return join(box(width, base, depth), keys, pad, hinge, screen.moved(y=base / 2, z=-depth / 2))


def thin_laptop(rng: Random) -> Mesh:
    return clamshell(rng, rng.uniform(90, 135), rng.uniform(0.008, 0.018), rng.uniform(0.005, 0.009))


def tent_laptop(rng: Random) -> Mesh:
    angle = rng.uniform(40, 75)
    return clamshell(rng, angle, 0.012, 0.008).turned("x", 90 + angle / 2)


def closed_laptop(rng: Random) -> Mesh:
    u = rng.uniform
    width, base, lid = u(0.28, 0.4), u(0.01, 0.025), u(0.006, 0.014)
    depth = width * u(0.63, 0.75)
    bottom = panel(width, depth, base, 0.012).turned("x", 90)
    top = panel(width * 0.995, depth * 0.99, lid, 0.012).turned("x", 90).moved(y=(base + lid) / 2 + 0.003)
    shut = join(bottom, top, axle(base * 0.4, width * 0.7, 8).moved(y=base * 0.3, z=-depth / 2))
    return shut.turned("z", 90) if chance(rng, 0.15) else shut


def raised_laptop(rng: Random) -> Mesh:
    u = rng.uniform
    tilt, height = u(8, 25), u(0.1, 0.2)
    machine = thin_laptop(rng).turned("x", tilt).moved(y=height)
    stay = from_side([(-0.1, 0), (0.12, 0), (0.12, 0.01), (-0.06, 0.01), (-0.06, height - 0.02), (-0.1, height)], 0.03)
    return join(machine, both(stay.moved(x=0.09)), box(0.2, 0.008, 0.2).turned("x", tilt).moved(y=height - 0.02))


category(
    "laptop",
    thin=thin_laptop,
    thick=lambda rng: clamshell(rng, rng.uniform(85, 130), rng.uniform(0.022, 0.045), rng.uniform(0.01, 0.02)),
    wide_open=lambda rng: clamshell(rng, rng.uniform(140, 180), 0.014, 0.008),
    nearly_shut=lambda rng: clamshell(rng, rng.uniform(20, 75), 0.014, 0.008),
    tent=tent_laptop,
    closed=closed_laptop,
    on_stand=raised_laptop,
)
