"""What is fitted to an appliance or a container: handles, knobs, castors, doors and windows."""

from __future__ import annotations

from openshape_ood.synthetic.builders._bends import arch
from openshape_ood.synthetic.builders._chance import Random, between
from openshape_ood.synthetic.builders._copies import both
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


def castor(radius: float) -> Mesh:
    return cylinder(radius, radius * 0.6, segments=12).turned("z", 90).moved(y=radius)


def window(width: float, height: float, border: float, thickness: float) -> Mesh:
    """A frame with a sunk pane, around the origin in the x-y plane."""
    x, y = (width - border) / 2, (height - border) / 2
    side, edge = box(border, height, thickness), box(width, border, thickness)
    pane = box(width - border, height - border, 0.3 * thickness)
    return join(both(side.moved(x)), edge.moved(y=y), edge.moved(y=-y), pane)


def bail(rng: Random, r: float, angle: float) -> Mesh:
    """A swinging handle at y = 0; 0 degrees upright, 90 lying to the front."""
    hoop = tube(arch(2.06 * r, r * between(rng, 0.9, 1.3), 0.9), 0.004, segments=6)
    grip = rod((-0.05, 0, 0), (0.05, 0, 0), 0.011).moved(y=hoop.size()[1] - 0.004)
    lugs = both(cylinder(0.018, 0.015, segments=8).turned("z", 90).moved(1.02 * r))
    return join(join(hoop, grip).turned("x", angle), lugs)
