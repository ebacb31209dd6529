"""Headphones and earbuds."""

from __future__ import annotations

from openshape_ood.synthetic.builders._copies import both, on_back
from openshape_ood.synthetic.builders._shapes import axle, barrel, half_ring
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cushion, cylinder, ellipsoid, join, lathe, rod, torus, tube


def ear_cup(rng: Random, radius: float, depth: float) -> Mesh:
    """Shell and ring cushion about the x axis, the cushion towards -x."""
    oval = rng.uniform(1, 1.3)
    shell = lathe(
        [(0, depth / 2), (radius * 0.7, depth / 2), (radius, 0), (radius, -depth * 0.3), (0, -depth * 0.3)], 16
    ).turned("z", -90)
    pad = torus(radius * 0.75, radius * 0.27, 16).turned("z", 90).moved(x=-depth * 0.4)
    return join(shell, pad).scaled(y=oval)


def head_band(width: float, height: float, depth: float) -> Mesh:
    """A head band from cup to cup over the top, `depth` wide along z."""
    return half_ring(1, 0.1, 18).scaled(width / 2, height, depth / 0.2)


def headset(rng: Random, radius: float, depth: float, microphone: float = 0.0) -> Mesh:
    u = rng.uniform
    span, rise, splay = u(0.13, 0.17), u(0.11, 0.15), u(0, 12)
    cups = both(ear_cup(rng, radius, depth).turned("z", splay).moved(x=span / 2))
    band = head_band(span * 1.05, rise, u(0.02, 0.045)).moved(y=radius * 0.9)
    yokes = both(half_ring(radius * 1.05, 0.005).turned("y", 90).moved(x=span / 2 + depth * 0.3))
    parts = [cups, band, yokes]
    if chance(rng, microphone):
        parts.append(
            tube(
                [(span / 2, -radius * 0.5, 0.02), (span / 2, -0.05, 0.09), (span * 0.2, -0.06, 0.12)],
                [0.004, 0.004, 0.008],
            )
        )
    return join(*parts)


def over_ear(rng: Random) -> Mesh:
    return headset(rng, rng.uniform(0.038, 0.05), rng.uniform(0.03, 0.05))


def on_headphone_stand(rng: Random) -> Mesh:
    u = rng.uniform
    phones = over_ear(rng).grounded()
    top, lift = float(phones.size()[1]), u(0.05, 0.12)
    post = rod((0, 0, 0), (0, top + lift - 0.02, 0), u(0.008, 0.02))
    foot = cylinder(u(0.06, 0.09), 0.015) if chance(rng, 0.6) else box(0.15, 0.015, 0.13)
    return join(phones.moved(y=lift), post, foot.moved(y=0.0075), axle(0.02, 0.05, 10).moved(y=top + lift - 0.03))


def earbuds(rng: Random) -> Mesh:
    u = rng.uniform
    bud = join(
        ellipsoid(0.016, 0.016, 0.014, 10),
        barrel(0.005, 0.012).moved(z=-0.01),
        cylinder(0.004, u(0.02, 0.035)).moved(y=-0.018),
    )
    case = cushion(0.06, u(0.03, 0.05), 0.03, 0.5)
    lid = cushion(0.06, 0.016, 0.03, 0.5).turned("x", -70).moved(y=0.03, z=-0.02)
    return join(case, lid, both(bud.moved(0.013, 0.035)))


category(
    "headphones",
    over_ear=over_ear,
    on_ear=lambda rng: headset(rng, rng.uniform(0.025, 0.034), rng.uniform(0.015, 0.03)),
    gaming=lambda rng: headset(rng, rng.uniform(0.04, 0.052), rng.uniform(0.035, 0.055), 1.0),
    lying=lambda rng: on_back(over_ear(rng)),
    on_stand=on_headphone_stand,
    earbuds=earbuds,
)
