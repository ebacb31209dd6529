"""Scissors and shears."""

from __future__ import annotations

from openshape_ood.synthetic.builders._copies import both, laid
from openshape_ood.synthetic.builders._shapes import barrel, from_front, half_ring, hoop
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, join, tube


def scissor_half(rng: Random, blade: float, shank: float, loop: float, long_loop: float, thickness: float) -> Mesh:
    """One blade up and one finger loop down from the pivot at the origin."""
    u = rng.uniform
    wide = blade * u(0.08, 0.14)
    steel = from_front(
        [
            (-wide * 0.6, -0.01), (wide * 0.5, -0.01), (wide * 0.5, blade * 0.2),
            (wide * 0.1, blade), (-wide * 0.5, blade * 0.55),
        ],
        thickness * 0.5,
    )  # fmt: skip
    arm = tube(
        [(0, 0, 0), (-loop * 0.5, -shank * 0.5, 0), (-loop * 0.9, -shank, 0)], [wide * 0.45, wide * 0.4, thickness]
    )
    ring = hoop(loop, thickness, 16).scaled(y=long_loop).moved(-loop * 1.1, -shank - loop * long_loop * 0.85)
    return join(steel, arm, ring)


def pair_of_scissors(rng: Random, blade: float, shank: float, loop: float, lying: float = 0.9) -> Mesh:
    u = rng.uniform
    thick, opening = u(0.004, 0.008), u(3, 35) if chance(rng, 0.6) else u(0, 5)
    one = scissor_half(rng, blade, shank, loop, u(1, 1.5), thick).turned("z", -opening / 2)
    other = scissor_half(rng, blade, shank, loop * u(0.9, 1.3), u(1, 2), thick).mirrored("x").turned("z", opening / 2)
    screw = barrel(0.006, thick * 2.5, segments=8)
    return laid(rng, join(one, other.moved(z=-thick * 0.5), screw), lying)


def shears(rng: Random) -> Mesh:
    """Garden shears: long straight handles instead of loops."""
    u = rng.uniform
    blade, grip, opening = u(0.06, 0.22), u(0.12, 0.35), u(8, 30)
    wide = blade * 0.16
    steel = from_front([(-wide, -0.02), (wide, -0.02), (wide, blade * 0.4), (0, blade), (-wide, blade * 0.5)], 0.006)
    handle = tube([(0, 0, 0), (-0.025, -grip * 0.3, 0), (-0.03, -grip, 0)], [0.008, 0.011, 0.014])
    half = join(steel, handle).turned("z", -opening / 2)
    return laid(rng, join(half, half.mirrored("x").moved(z=0.006), barrel(0.01, 0.02, segments=8)), 0.9)


def spring_shears(rng: Random) -> Mesh:
    u = rng.uniform
    blade, opening = u(0.08, 0.15), u(6, 14)
    steel = from_front([(-0.012, 0), (0.012, 0), (0.012, blade * 0.3), (0, blade)], 0.005).moved(y=0.1)
    half = join(steel, box(0.016, 0.12, 0.008).moved(y=0.05)).turned("z", -opening).moved(x=0.01)
    return laid(rng, join(both(half), half_ring(0.02, 0.006).mirrored("y")), 0.9)


category(
    "scissors",
    office=lambda rng: pair_of_scissors(
        rng, rng.uniform(0.09, 0.13), rng.uniform(0.02, 0.05), rng.uniform(0.018, 0.026)
    ),
    small=lambda rng: pair_of_scissors(rng, rng.uniform(0.04, 0.06), rng.uniform(0.03, 0.05), rng.uniform(0.014, 0.02)),
    tailor=lambda rng: pair_of_scissors(
        rng, rng.uniform(0.12, 0.18), rng.uniform(0.03, 0.06), rng.uniform(0.022, 0.03)
    ),
    upright=lambda rng: pair_of_scissors(
        rng, rng.uniform(0.08, 0.13), rng.uniform(0.02, 0.06), rng.uniform(0.018, 0.026), 0.0
    ),
    shears=shears,
    spring_shears=spring_shears,
)
