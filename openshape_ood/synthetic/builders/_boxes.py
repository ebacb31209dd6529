"""Boxes without a side, and frames."""

from __future__ import annotations

from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.mesh import Mesh, box, join


def open_box(width: float, height: float, depth: float, wall: float) -> Mesh:
    """A box without its top, standing on y = 0."""
    side = box(wall, height, depth).moved(y=height / 2)
    end = box(width - 2 * wall, height, wall).moved(y=height / 2)
    x, z = (width - wall) / 2, (depth - wall) / 2
    floor = box(width - 2 * wall, wall, depth - 2 * wall).moved(y=wall / 2)
    return join(side.moved(-x), side.moved(x), end.moved(z=-z), end.moved(z=z), floor)


def open_front(width: float, height: float, depth: float, wall: float) -> Mesh:
    """A box without its front, standing on y = 0."""
    return open_box(width, depth, height, wall).turned("x", 90).moved(y=height / 2, z=-depth / 2)


def frame(width: float, height: float, bar: float, depth: float) -> Mesh:
    """Four bars about an opening, in the x-y plane."""
    upright = box(bar, height, depth).moved(x=(width - bar) / 2)
    across = box(width - 2 * bar, bar, depth).moved(y=(height - bar) / 2)
    return join(both(upright, "x"), both(across, "y"))
