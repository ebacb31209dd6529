"""Buckets and pails, with a bail, a lid, a mop or ice."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import Ring, hollow, pot, smooth
from openshape_ood.synthetic.builders._copies import around, at_corners, both
from openshape_ood.synthetic.builders._fittings import bail, caster
from openshape_ood.synthetic.builders._shapes import arch, open_box
from openshape_ood.synthetic.builders.bottle import wine_bottle
from openshape_ood.synthetic.catalog import Random, category, chance, count
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, ellipsoid, join, lathe, rod, torus, tube


def pail_size(rng: Random) -> tuple[float, float, float]:
    """Radius at the mouth, height, and radius at the foot relative to the mouth."""
    r = rng.uniform(0.1, 0.18)
    return r, r * rng.uniform(1.5, 2.3), rng.uniform(0.6, 0.88)


def rimmed_pail(rng: Random, r: float, h: float, s: float) -> Mesh:
    return join(pot([(s * r, 0), (r, h)], 0.004), torus(r, rng.uniform(0.004, 0.009), segments=18).moved(y=h))


def plain_bucket(rng: Random) -> Mesh:
    r, h, s = pail_size(rng)
    angle = rng.choice([0.0, rng.uniform(-40, 40), 95.0, -100.0])
    return join(rimmed_pail(rng, r, h, s), bail(rng, r, angle).moved(y=0.92 * h))


def bucket_with_lid(rng: Random) -> Mesh:
    """A paint pail: nearly straight, rings below the rim, flat lid."""
    r, h, _ = pail_size(rng)
    s = rng.uniform(0.88, 1.0)
    rings = [torus(1.02 * r, 0.008, segments=18).moved(y=y * h) for y in (0.78, 0.88)]
    lid = lathe(
        [
            (0, 0.98 * h), (1.04 * r, 0.98 * h), (1.04 * r, 1.03 * h), (0.95 * r, 1.03 * h),
            (0.9 * r, 1.01 * h), (0, 1.01 * h),
        ],
        20,
    )  # fmt: skip
    body = lathe([(0, 0), (s * r, 0), (r, h)], 20)
    return join(body, *rings, lid, bail(rng, r, rng.choice([0.0, 100.0, 110.0])).moved(y=0.82 * h))


def mop_bucket(rng: Random) -> Mesh:
    """Oblong bucket on casters, with a wringer hung into one end."""
    w, h, d = rng.uniform(0.4, 0.55), rng.uniform(0.26, 0.38), rng.uniform(0.26, 0.36)
    tub = hollow([Ring(0.06, 0.8 * w, 0.8 * d, 6), Ring(h, w, d, 6)], 0.006)
    wringer = open_box(0.35 * w, 0.2, 0.8 * d, 0.01).tapered(1.2).moved(-0.28 * w, h - 0.08)
    lever = rod((-0.28 * w, h + 0.1, 0), (-0.45 * w, h + 0.45, 0), 0.012)
    parts = [tub, at_corners(caster(0.035), 0.34 * w, 0.34 * d)]
    return (
        join(*parts, wringer, lever)
        if chance(rng, 0.7)
        else join(*parts, bail(rng, d / 2, 0).turned("y", 90).moved(y=0.95 * h))
    )


def wooden_bucket(rng: Random) -> Mesh:
    """Bucket of staves and hoops, with a rope or a bar between two raised staves."""
    r, h, s = pail_size(rng)
    n = count(rng, 12, 20)
    stave = box(2 * np.pi * r / n, h, 0.015).tapered(1.0).turned("x", float(np.degrees(np.arctan2((1 - s) * r, h))))
    ring = around(stave.moved(y=h / 2, z=(1 + s) / 2 * r), n)
    hoops = [torus(r * (s + (1 - s) * t) + 0.01, 0.007, segments=18).moved(y=t * h) for t in (0.2, 0.75)]
    ears = both(box(0.015, 0.35 * h, 0.06).moved(r, 1.05 * h))
    handle = rod((-r, 1.17 * h, 0), (r, 1.17 * h, 0), 0.012)
    rope = tube(arch(2 * r, 0.8 * r), 0.008, segments=6).moved(y=1.15 * h)
    return join(ring, *hoops, cylinder(s * r, 0.01).moved(y=0.02), ears, handle if chance(rng) else rope)


def tub_bucket(rng: Random) -> Mesh:
    """A wide flexible or zinc tub with two handles."""
    r, h = rng.uniform(0.18, 0.32), rng.uniform(0.16, 0.36)
    flat = rng.uniform(0.65, 1.0)
    body = rimmed_pail(rng, r, h, rng.uniform(0.65, 0.9)).scaled(1, 1, flat)
    grip = tube(arch(0.7 * r, rng.uniform(0.05, 0.1)), 0.01, segments=6).turned("y", 90).moved(0.98 * r, h - 0.01)
    return join(body, both(grip))


def ice_bucket(rng: Random) -> Mesh:
    """A footed or straight cooler with knobs; sometimes a bottle in it."""
    r, h = rng.uniform(0.08, 0.12), rng.uniform(0.17, 0.24)
    profile = smooth([(0.7 * r, 0), (0.85 * r, 0.1 * h), (0.95 * r, 0.6 * h), (1.1 * r, h)], 9)
    parts = [pot(profile, 0.004), both(ellipsoid(0.04, 0.03, 0.03, 8).moved(1.05 * r, 0.8 * h))]
    if chance(rng, 0.4):
        parts += [wine_bottle(rng).turned("x", 12).moved(y=0.1 * h, z=-0.2 * r)]
    return join(*parts)


category(
    "bucket",
    plain=plain_bucket,
    with_lid=bucket_with_lid,
    mop=mop_bucket,
    wooden=wooden_bucket,
    two_handles=tub_bucket,
    ice=ice_bucket,
)
