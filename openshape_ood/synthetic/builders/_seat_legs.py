"""Legs, feet and swivel bases under seats and beds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from openshape_ood.synthetic.builders._blocks import slab
from openshape_ood.synthetic.builders._boards import rounded
from openshape_ood.synthetic.builders._chance import Random, chance, pick
from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._rows import four, ring_of
from openshape_ood.synthetic.mesh import Mesh, cylinder, ellipsoid, join, lathe, rod, tube


def square_leg(rng: Random, height: float, thickness: float) -> Mesh:
    return slab(thickness, height, thickness)


def round_leg(rng: Random, height: float, thickness: float) -> Mesh:
    return cylinder(thickness / 2, height, segments=10).moved(y=height / 2)


def tapered_leg(rng: Random, height: float, thickness: float) -> Mesh:
    return slab(thickness, height, thickness).tapered(rng.uniform(1.4, 2.2)).scaled(0.6, 1, 0.6)


def splayed_leg(rng: Random, height: float, thickness: float) -> Mesh:
    x, z = rng.uniform(0.05, 0.25, 2) * height
    return rod((x, 0, z), (0, height, 0), thickness * rng.uniform(0.25, 0.45), thickness * 0.5)


def turned_leg(rng: Random, height: float, thickness: float) -> Mesh:
    y = np.linspace(0, 1, 9) * height
    r = thickness * rng.uniform(0.25, 0.65, 9)
    r[-2:] = thickness * 0.6
    return lathe([(0, 0), *zip(r, y, strict=True), (0, height)], 10)


def cabriole_leg(rng: Random, height: float, thickness: float) -> Mesh:
    out = np.array([0.1, -0.02, 0.0, 0.08, 0.1, 0.0]) * height * 0.6
    path = np.column_stack([out, np.array([0, 0.08, 0.35, 0.7, 0.85, 1]) * height, out])
    return tube(path, [thickness * swell for swell in (0.5, 0.35, 0.35, 0.55, 0.65, 0.6)])


LEGS: dict[str, Callable[[Random, float, float], Mesh]] = {
    "square": square_leg,
    "round": round_leg,
    "tapered": tapered_leg,
    "splayed": splayed_leg,
    "turned": turned_leg,
    "cabriole": cabriole_leg,
}


def legs(
    rng: Random,
    width: float,
    depth: float,
    height: float,
    kinds: Sequence[str] = tuple(LEGS),
    thickness: tuple[float, float] = (0.028, 0.06),
) -> Mesh:
    """Four legs of one kind from the floor up to `height`, inside width x depth at their tops."""
    t = rng.uniform(*thickness)
    leg = LEGS[pick(rng, kinds)](rng, height, t)
    return four(leg.moved(width / 2 - 0.6 * t, 0, depth / 2 - 0.6 * t))


def feet(rng: Random, width: float, depth: float, height: float) -> Mesh:
    """Short feet below an upholstered body: blocks, buns, cones or thin pins."""
    kind = pick(rng, ("block", "bun", "cone", "pin"))
    r = rng.uniform(0.02, 0.05) if kind != "pin" else 0.012
    if kind == "block":
        foot = slab(2 * r, height, 2 * r)
    elif kind == "bun":
        foot = ellipsoid(2.4 * r, height, 2.4 * r, 10).moved(y=height / 2)
    else:
        foot = cylinder(r * 0.6, height, r, segments=10).moved(y=height / 2)
    return four(foot.moved(width / 2 - 1.5 * r, 0, depth / 2 - 1.5 * r))


def stretchers(rng: Random, width: float, depth: float, height: float) -> Mesh:
    """Bars between four legs: side to side, an H, or a ring all round at one or two heights."""
    r = rng.uniform(0.008, 0.018)
    x, z = width / 2 - 0.03, depth / 2 - 0.03
    low, high = height * rng.uniform(0.2, 0.4), height * rng.uniform(0.45, 0.65)
    bars = [both(rod((x, low, -z), (x, low, z), r))]
    kind = pick(rng, ("sides", "h", "ring", "double"))
    if kind == "h":
        bars.append(rod((-x, low, 0), (x, low, 0), r))
    if kind in ("ring", "double"):
        front = rod((-x, high, z), (x, high, z), r)
        bars.append(both(front, "z"))
    if kind == "double":
        bars.append(both(rod((x, high, -z), (x, high, z), r)))
    return join(*bars)


def castor(radius: float) -> Mesh:
    wheel = cylinder(radius, radius * 0.9, segments=10).turned("z", 90).moved(y=radius)
    return join(wheel, cylinder(radius * 0.3, radius, segments=6).moved(y=radius * 2))


def star_base(rng: Random, height: float) -> Mesh:
    """Spokes on castors or glides round a column that ends at `height`."""
    reach, wheel = rng.uniform(0.24, 0.36), rng.uniform(0.022, 0.035)
    count, castors = rng.randint(4, 6), chance(rng, 0.8)
    hub = 2.6 * wheel + rng.uniform(0, 0.05)
    spoke = rod((0, hub, 0), (reach, 2.2 * wheel if castors else 0.015, 0), 0.026, 0.016)
    if castors:
        spoke = join(spoke, castor(wheel).moved(reach))
    column = cylinder(0.035, 0.6 * (height - hub), segments=10).moved(y=hub + 0.3 * (height - hub))
    piston = cylinder(0.02, height - hub, segments=8).moved(y=(height + hub) / 2)
    return join(ring_of(spoke, count, 18), column, piston, slab(0.2, 0.03, 0.22, height - 0.03))


def disc_base(rng: Random, height: float) -> Mesh:
    """A round foot flaring out of a column: trumpet or flat plate."""
    foot, neck = rng.uniform(0.17, 0.28), rng.uniform(0.02, 0.045)
    swell = rng.uniform(0.06, 0.5) * height
    plate = [(0, 0), (foot, 0), (foot, 0.012), (foot * 0.5, 0.2 * swell)]
    column = [(neck, swell), (neck, 0.8 * height), (neck * rng.uniform(1, 3), height), (0, height)]
    return lathe(plate + column, 16)


def sled_base(rng: Random, width: float, depth: float, height: float) -> Mesh:
    """Bent tubes that run along the floor on both sides."""
    r, x, z = rng.uniform(0.007, 0.015), width / 2, depth / 2
    lean = rng.uniform(0, 0.05)
    path = [(0.7 * x, height, z * 0.6), (x, r, z + lean), (x, r, -z - lean), (0.7 * x, height, -z * 0.6)]
    bar = rod((-0.7 * x, height, 0.6 * z), (0.7 * x, height, 0.6 * z), r)
    return join(both(tube(rounded(path), r, 6)), both(bar, "z"))


def pedestal(rng: Random, width: float, depth: float, height: float) -> Mesh:
    """Any base that may carry a moulded seat."""
    kind = pick(rng, ("legs", "star", "disc", "sled"))
    if kind == "star":
        return star_base(rng, height)
    if kind == "disc":
        return disc_base(rng, height)
    if kind == "sled":
        return sled_base(rng, width * 0.9, depth * 0.85, height)
    return legs(rng, width * 0.75, depth * 0.75, height, ("splayed", "round"), (0.02, 0.045))
