"""Legs of tables and case furniture."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._blocks import slab
from openshape_ood.synthetic.builders._rows import four
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, join, lathe, rod, tube

TURNED = [(0.7, 0.0), (1.0, 0.06), (0.6, 0.12), (0.75, 0.4), (1.1, 0.62), (0.6, 0.72), (1.2, 0.76), (1.2, 1.0)]
LEGS = ("square", "square", "tapered", "splayed", "turned", "round", "cabriole", "hairpin")


def leg(kind: str, height: float, radius: float) -> Mesh:
    """One leg on the floor at the origin; what leans or bends does so towards +x and +z."""
    if kind == "tapered":
        return (
            box(2 * radius, height, 2 * radius).scaled(-1, -1, -1).tapered(1.7).scaled(0.6, 1, 0.6).moved(y=height / 2)
        )
    if kind == "splayed":
        lean = 0.16 * height
        return rod((0, height, 0), (lean, 0, lean), radius, 0.6 * radius)
    if kind == "turned":
        return lathe([(0, 0), *((radius * r, height * y) for r, y in TURNED), (0, height)], segments=10)
    if kind == "round":
        return cylinder(radius, height, segments=10).moved(y=height / 2)
    if kind == "cabriole":
        t = np.linspace(0, 1, 7)
        bow = 0.1 * height * np.sin(2 * np.pi * t) * (1 - 0.4 * t)
        return tube(np.stack([bow, height * (1 - t), bow], axis=1), (radius * (1.25 - 0.7 * t)).tolist())
    if kind == "hairpin":
        foot = (0.0, 0.0, 0.0)
        spread, wire = min(0.15, 0.25 * height), max(0.006, 0.2 * radius)
        return join(rod((-spread, height, 0), foot, wire), rod((0, height, -spread), foot, wire))
    return slab(2 * radius, height, 2 * radius)


def legs(kind: str, width: float, depth: float, height: float, radius: float) -> Mesh:
    """Four legs under a rectangle; splayed ones start further in."""
    inset = radius + (0.17 * height if kind == "splayed" else 0.05 * height if kind == "cabriole" else 0.0)
    one = leg(kind, height, radius)
    return four(one.moved(max(width / 2 - inset, radius), 0, max(depth / 2 - inset, radius)))
