"""Hammers and mallets."""

from __future__ import annotations

from openshape_ood.synthetic.builders._bodies import blade
from openshape_ood.synthetic.builders._copies import both, laid
from openshape_ood.synthetic.builders._shapes import axle
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, ellipsoid, join, lathe, tube


def haft(rng: Random, length: float, radius: float) -> Mesh:
    """A handle upwards from y = 0, thicker where it is held."""
    swell = rng.uniform(1, 1.5)
    profile = [(0, 0), (swell, 0.01), (swell * 1.1, 0.12), (swell, 0.35), (0.8, 0.5), (0.8, 1), (0, 1)]
    return lathe([(r * radius, y * length) for r, y in profile], 10).scaled(x=rng.uniform(1, 1.4))


def claw_hammer(rng: Random) -> Mesh:
    u = rng.uniform
    length, face = u(0.26, 0.36), u(0.012, 0.017)
    front = join(axle(face, 0.03, 12).moved(x=0.055), axle(face * 0.7, 0.05, 10).moved(x=0.025), box(0.03, 0.035, 0.03))
    curve = u(0.02, 0.05)
    spread = u(0.006, 0.012)
    claw = tube(
        [(-0.01, 0.005, spread * 0.4), (-0.05, 0, spread), (-0.09, -curve, spread * 1.4)],
        [0.012, 0.009, 0.003],
        segments=6,
    )
    return laid(rng, join(haft(rng, length, u(0.011, 0.017)), join(front, both(claw, "z")).moved(y=length)))


def ball_hammer(rng: Random) -> Mesh:
    u = rng.uniform
    length, r = u(0.25, 0.38), u(0.012, 0.018)
    head = join(
        axle(r, 0.03, 12).moved(x=0.045), axle(r * 0.75, 0.08, 10), ellipsoid(r * 2, r * 2, r * 2, 10).moved(x=-0.045)
    )
    return laid(rng, join(haft(rng, length, u(0.01, 0.014)), head.moved(y=length)))


def sledge_hammer(rng: Random) -> Mesh:
    u = rng.uniform
    length, size = u(0.25, 0.95), u(0.04, 0.07)
    head = axle(size / 1.8, size * u(1.8, 2.8), 8)
    return laid(rng, join(haft(rng, length, u(0.014, 0.018)), head.moved(y=length - size * 0.3)))


def mallet(rng: Random) -> Mesh:
    u = rng.uniform
    length, width = u(0.25, 0.36), u(0.09, 0.15)
    round_head = axle(width * u(0.25, 0.4), width, 16)
    block = box(width * 0.7, width, width * 0.5).tapered(u(1, 1.3)).moved(y=0.01)
    head = block if chance(rng, 0.4) else round_head
    return laid(rng, join(haft(rng, length, u(0.011, 0.016)), head.moved(y=length)), 0.7)


def cross_peen_hammer(rng: Random) -> Mesh:
    u = rng.uniform
    length, r = u(0.25, 0.4), u(0.011, 0.018)
    wedge = blade(0.07, 2 * r, 2 * r, 0, 2 * r).mirrored("x")
    head = join(box(0.05, 2 * r, 2 * r).moved(x=0.02), wedge)
    return laid(rng, join(haft(rng, length, u(0.01, 0.015)), head.moved(y=length)))


category(
    "hammer",
    claw=claw_hammer,
    ball_peen=ball_hammer,
    sledge=sledge_hammer,
    mallet=mallet,
    cross_peen=cross_peen_hammer,
)
