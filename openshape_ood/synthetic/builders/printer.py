"""Printers: desktop, office copiers, label printers and plotters."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both, stamped
from openshape_ood.synthetic.builders._shapes import axle, from_side, rounded_corners
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cushion, join, sheet


def output_tray(width: float, depth: float) -> Mesh:
    """A shallow tray with side rails, its back edge at z = 0."""
    rails = both(box(0.01, 0.02, depth).moved(width / 2, 0.01))
    return join(box(width, 0.008, depth), rails).moved(z=depth / 2)


def paper_support(rng: Random, width: float, height: float) -> Mesh:
    return box(width, height, 0.006).moved(y=height / 2).turned("x", -rng.uniform(10, 35))


def inkjet(rng: Random) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.38, 0.5), u(0.12, 0.2), u(0.22, 0.34)
    body = cushion(width, height, depth, 0.18).moved(y=height / 2)
    slot = box(width * 0.65, height * 0.3, 0.01).moved(y=height * 0.3, z=depth / 2)
    tray = output_tray(width * 0.6, u(0.1, 0.25)).moved(y=height * 0.15, z=depth / 2)
    paper = paper_support(rng, width * 0.6, u(0.12, 0.25)).moved(y=height * 0.9, z=-depth * 0.35)
    return join(body, slot, tray, paper)


def laser_printer(rng: Random) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.35, 0.45), u(0.22, 0.36), u(0.33, 0.45)
    step = height * u(0.7, 0.85)
    outline = [
        (-depth / 2, 0), (depth / 2, 0), (depth / 2, step), (depth * 0.3, height), (depth * 0.1, step),
        (-depth * 0.35, height * 0.97), (-depth / 2, height),
    ]  # fmt: skip
    cassette = join(box(width * 0.9, height * 0.22, 0.012), box(width * 0.3, 0.02, 0.02)).moved(
        y=height * 0.16, z=depth / 2 + 0.006
    )
    sides = both(box(width * 0.12, height, depth).moved(width * 0.44, height / 2))
    panel = box(width * 0.25, 0.01, 0.06).turned("x", 30).moved(width * 0.3, height, depth * 0.4)
    return join(from_side(outline, width * 0.76), sides, cassette, panel)


def multifunction(rng: Random) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.4, 0.5), u(0.18, 0.3), u(0.35, 0.45)
    gap = height * u(0.2, 0.4)
    base = box(width, height, depth * 0.95).moved(y=height / 2)
    pillars = both(box(width * 0.15, gap, depth * 0.9).moved(width * 0.42, height + gap / 2))
    back = box(width, gap, depth * 0.5).moved(y=height + gap / 2, z=-depth * 0.22)
    scanner = box(width, 0.06, depth).moved(y=height + gap + 0.03)
    feeder = cushion(width * 0.8, 0.09, depth * 0.6, 0.3).moved(y=height + gap + 0.09, z=-depth * 0.15)
    lid = paper_support(rng, width * 0.5, 0.2).moved(y=height + gap + 0.1) if chance(rng, 0.5) else feeder
    panel = box(width * 0.6, 0.08, 0.02).turned("x", -35).moved(y=height + gap, z=depth / 2)
    return join(
        base, pillars, back, scanner, lid, panel, output_tray(width * 0.6, 0.12).moved(y=height * 0.3, z=depth * 0.47)
    )


def copier(rng: Random) -> Mesh:
    u = rng.uniform
    width, depth, height = u(0.55, 0.7), u(0.55, 0.7), u(0.7, 0.85)
    drawers = [(0, y * height, depth / 2 + 0.008) for y in (0.15, 0.38, 0.6)]
    fronts = stamped(join(box(width * 0.92, height * 0.2, 0.015), box(width * 0.3, 0.02, 0.02).moved(z=0.015)), drawers)
    middle = join(
        box(width * 0.3, 0.18, depth).moved(-width * 0.35),
        box(width * 0.7, 0.18, depth * 0.5).moved(width * 0.15, 0, -depth * 0.25),
    )
    top = box(width, 0.1, depth).moved(y=height + 0.23)
    feeder = cushion(width * 0.95, 0.14, depth * 0.8, 0.25).moved(y=height + 0.34, z=-depth * 0.08)
    panel = box(0.3, 0.02, 0.18).turned("x", 20).moved(width * 0.3, height + 0.27, depth * 0.58)
    tray = box(0.3, 0.015, depth * 0.6).turned("z", 20).moved(width * 0.65, height * 0.75)
    parts = [box(width, height, depth).moved(y=height / 2), fronts, middle.moved(y=height + 0.09), top, feeder, panel]
    return join(*parts, tray) if chance(rng, 0.6) else join(*parts)


def label_printer(rng: Random) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.12, 0.2), u(0.12, 0.18), u(0.15, 0.24)
    outline = [
        (-depth / 2, 0), (depth / 2, 0), (depth / 2, height * 0.5),
        (depth * 0.2, height), (-depth / 2, height * 0.95),
    ]  # fmt: skip
    paper = sheet(
        lambda a, b: np.stack(
            [width * 0.7 * (b - 0.5), height * (0.75 + 0.4 * a), depth * (0.38 + 0.15 * a * a)], axis=-1
        ),
        5,
        2,
    )
    return join(
        from_side(rounded_corners(outline, 1), width),
        paper,
        box(width * 0.8, 0.01, 0.02).moved(y=height * 0.72, z=depth * 0.4),
    )


def plotter(rng: Random) -> Mesh:
    u = rng.uniform
    width, height = u(1.0, 1.8), u(0.75, 0.95)
    head = cushion(width, 0.25, 0.3, 0.2).moved(y=height)
    roll = axle(0.06, width * 0.8).moved(y=height - 0.12, z=-0.2)
    posts = both(
        join(box(0.06, height, 0.1).moved(y=height / 2), box(0.08, 0.06, 0.6).moved(y=0.03)).moved(x=width * 0.4)
    )
    bar = box(width * 0.8, 0.05, 0.04).moved(y=0.2)
    paper = box(width * 0.7, height * 0.6, 0.006).turned("x", -15).moved(y=height * 0.65, z=0.18)
    return join(head, roll, posts, bar, paper)


category(
    "printer",
    inkjet=inkjet,
    laser=laser_printer,
    multifunction=multifunction,
    copier=copier,
    label=label_printer,
    plotter=plotter,
)
