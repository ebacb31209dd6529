"""Traffic cones: upright, fallen, stacked."""

from __future__ import annotations

from openshape_ood.synthetic.builders._copies import stamped
from openshape_ood.synthetic.builders._shapes import panel
from openshape_ood.synthetic.catalog import Random, category
from openshape_ood.synthetic.mesh import Mesh, cylinder, join, lathe, torus


def road_cone(radius: float, height: float, tip: float, base: Mesh) -> Mesh:
    """A hollow truncated cone on a base plate."""
    lip = max(tip - 0.008, 0.004)
    shell = lathe([(radius, 0), (tip, height), (lip, height), (lip, height * 0.9)], 20)
    return join(base, shell.moved(y=float(base.size()[1])))


def cone_foot(rng: Random, radius: float) -> Mesh:
    wide, thick, kind = radius * rng.uniform(1.15, 1.4), rng.uniform(0.02, 0.05), rng.randint(4)
    if kind == 0:
        return cylinder(wide, thick, wide * 0.95, 20).moved(y=thick / 2)
    if kind == 1:
        return cylinder(wide * 1.05, thick, segments=8).turned("y", 22.5).moved(y=thick / 2)
    return panel(2 * wide, 2 * wide, thick, wide * 0.2).turned("x", 90).moved(y=thick / 2)


def plain_cone(rng: Random) -> Mesh:
    u = rng.uniform
    height = u(0.25, 0.8)
    radius = height * u(0.16, 0.26)
    return road_cone(radius, height, radius * u(0.12, 0.3), cone_foot(rng, radius))


def striped_cone(rng: Random) -> Mesh:
    u = rng.uniform
    height = u(0.4, 0.95)
    radius, tip = height * u(0.16, 0.24), height * 0.04
    cone = road_cone(radius, height, tip, cone_foot(rng, radius))

    def band(low: float, high: float) -> Mesh:
        r0, r1 = (radius + (tip - radius) * t + 0.005 for t in (low, high))
        return lathe(
            [(r0 - 0.005, low * height), (r0, low * height), (r1, high * height), (r1 - 0.005, high * height)], 20
        )

    return join(cone, band(0.35, 0.52).moved(y=0.03), band(0.65, 0.8).moved(y=0.03))


def slim_cone(rng: Random) -> Mesh:
    u = rng.uniform
    height, radius = u(0.9, 1.2), u(0.07, 0.11)
    cone = road_cone(radius, height, radius * 0.5, cone_foot(rng, radius * 1.6))
    knob = join(cylinder(radius * 0.3, 0.08), torus(radius * 0.5, 0.012, 12).moved(y=0.04)).moved(y=height + 0.05)
    return join(cone, knob)


def low_cone(rng: Random) -> Mesh:
    u = rng.uniform
    radius = u(0.08, 0.12)
    return road_cone(radius, u(0.05, 0.2), radius * u(0.25, 0.5), cylinder(radius * 1.05, 0.006).moved(y=0.003))


def stacked_cones(rng: Random) -> Mesh:
    cone = plain_cone(rng)
    rise = float(cone.size()[1]) * rng.uniform(0.1, 0.2)
    return stamped(cone, [(0, i * rise, 0) for i in range(rng.randint(2, 5))])


category(
    "traffic cone",
    plain=plain_cone,
    striped=striped_cone,
    slim=slim_cone,
    low=low_cone,
    fallen=lambda rng: plain_cone(rng).turned("z", rng.uniform(95, 115)),
    stacked=stacked_cones,
)
