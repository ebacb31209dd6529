"""Birds: perched, swimming, wading and in flight."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import blade, body_along_z
from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._shapes import axle, barrel, bars, from_above
from openshape_ood.synthetic.catalog import Random, category, chance, count
from openshape_ood.synthetic.mesh import Mesh, box, cushion, cylinder, ellipsoid, join, lathe, rod, torus, tube


def egg(length: float, width: float, height: float) -> Mesh:
    """A bird's body along z, fuller towards the breast at +z, thin towards the tail."""
    shape = [(-0.6, 0.12, 0.05), (-0.4, 0.45, 0.4), (-0.1, 0.9, 0.9), (0.15, 1, 1), (0.36, 0.75, 0.8), (0.5, 0.2, 0.25)]
    return body_along_z([(z * length, 0, w * width / 2, h * height / 2) for z, w, h in shape])


def bird_head(rng: Random, size: float, beak: float, flat: bool = False) -> Mesh:
    base = size * 0.22
    bill = body_along_z(
        [(size * 0.3, 0, base, base), (size * 0.4 + beak, -size * 0.08, base * (1.1 if flat else 0.1), base * 0.15)],
        columns=8,
    )
    return join(ellipsoid(size, size, size * 1.1, 12), bill)


def tail_fan(length: float, width: float) -> Mesh:
    """A flat tail from the origin backwards."""
    return from_above([(-width * 0.3, 0), (width * 0.3, 0), (width / 2, -length), (-width / 2, -length)], length * 0.08)


def folded_wing(length: float, height: float, x: float) -> Mesh:
    return both(ellipsoid(0.2 * height, height, length).turned("x", 12).moved(x=x))


def bird_legs(height: float, spread: float, radius: float) -> Mesh:
    toes = [((0, -height, 0), (t * height * 0.25, -height, height * (0.35 - 0.1 * abs(t)))) for t in (-1, 0, 1)]
    leg = bars([((0, 0, 0), (0, -height, 0)), *toes], radius)
    return both(leg.moved(x=spread))


def perched_bird(rng: Random) -> Mesh:
    u = rng.uniform
    n, pitch = u(0.1, 0.3), u(15, 50)
    wide = n * u(0.5, 0.65)
    body = join(
        egg(n, wide, wide),
        folded_wing(n * 0.8, wide * 0.6, wide * 0.45),
        tail_fan(n * u(0.3, 0.8), wide * 0.5).moved(z=-n * 0.5),
    )
    head = bird_head(rng, n * 0.38, n * u(0.08, 0.2)).moved(y=n * (0.25 + pitch / 150), z=n * 0.42)
    legs = bird_legs(n * u(0.35, 0.6), n * 0.12, n * 0.02)
    perch = axle(n * 0.06, n * 1.6, 8).moved(y=-n * 0.45)
    return (
        join(body.turned("x", -pitch), head, legs, perch)
        if chance(rng, 0.3)
        else join(body.turned("x", -pitch), head, legs)
    )


def duck(rng: Random) -> Mesh:
    u = rng.uniform
    n = u(0.15, 0.5)
    wide, neck = n * u(0.5, 0.65), n * u(0.2, 0.55)
    body = join(egg(n, wide, wide * 0.85), folded_wing(n * 0.75, wide * 0.5, wide * 0.42))
    tail = tail_fan(n * 0.2, wide * 0.5).turned("x", 30).moved(y=n * 0.05, z=-n * 0.5)
    throat = tube(
        [(0, 0, n * 0.3), (0, neck * 0.6, n * 0.48), (0, neck + n * 0.1, n * 0.45)], [n * 0.16, n * 0.1, n * 0.09]
    )
    head = bird_head(rng, n * 0.27, n * 0.15, flat=True).moved(y=neck + n * 0.15, z=n * 0.48)
    bird = join(body, tail, throat, head)
    return join(bird, bird_legs(n * 0.35, n * 0.12, n * 0.03)) if chance(rng, 0.5) else bird


def owl(rng: Random) -> Mesh:
    u = rng.uniform
    h = u(0.1, 0.45)
    w = h * u(0.5, 0.7)
    profile = [
        (0, 0), (0.35, 0.02), (0.48, 0.25), (0.5, 0.45), (0.42, 0.62),
        (0.4, 0.68), (0.43, 0.8), (0.3, 0.95), (0, 1),
    ]  # fmt: skip
    body = lathe([(r * w, y * h) for r, y in profile], 18).scaled(z=u(0.75, 1))
    eyes = both(torus(w * 0.13, w * 0.035, 12).turned("x", 85).moved(w * 0.16, h * 0.8, w * 0.34))
    beak = cylinder(w * 0.06, w * 0.2, 0.0, 8).turned("x", 150).moved(y=h * 0.73, z=w * 0.38)
    ears = both(cylinder(w * 0.1, h * 0.18, 0.0, 8).turned("z", -20).moved(w * 0.28, h * 0.98))
    wings = both(ellipsoid(w * 0.25, h * 0.6, w * 0.6).moved(w * 0.45, h * 0.38, -w * 0.05))
    feet = both(cushion(w * 0.25, h * 0.08, w * 0.35, 0.6, 8).moved(w * 0.2, h * 0.03, w * 0.3))
    return join(body, eyes, beak, wings, feet, ears) if chance(rng, 0.6) else join(body, eyes, beak, wings, feet)


def flying_bird(rng: Random) -> Mesh:
    u = rng.uniform
    n = u(0.2, 0.7)
    wide = n * u(0.28, 0.4)
    inner, outer, chord = n * u(0.5, 0.8), n * u(0.6, 1.1), n * u(0.3, 0.5)
    near = blade(inner, chord, chord * 0.9, -n * 0.1, 0.03 * n, inner * u(-0.1, 0.5))
    lift = float(near.vertices[:, 1].max())
    far = blade(outer, chord * 0.9, chord * 0.2, n * u(0.1, 0.5), 0.025 * n, outer * u(-0.3, 0.3)).moved(
        inner, lift, n * 0.1
    )
    head = bird_head(rng, n * 0.26, n * 0.1).moved(y=n * 0.04, z=n * 0.55)
    tail = tail_fan(n * 0.45, n * 0.35).moved(z=-n * 0.45)
    return join(egg(n, wide, wide), both(join(near, far)), head, tail)


def penguin(rng: Random) -> Mesh:
    u = rng.uniform
    h = u(0.3, 1.0)
    w = h * u(0.3, 0.42)
    profile = [
        (0, 0), (0.4, 0.03), (0.5, 0.25), (0.48, 0.5), (0.33, 0.72),
        (0.24, 0.78), (0.26, 0.88), (0.16, 0.97), (0, 1),
    ]  # fmt: skip
    body = lathe([(r * w, y * h) for r, y in profile], 16).scaled(z=0.9)
    beak = barrel(w * 0.07, w * 0.35, 0.005, 8).moved(y=h * 0.88, z=w * 0.38)
    wing = both(ellipsoid(w * 0.1, h * 0.45, w * 0.35).turned("z", u(5, 35)).moved(w * 0.55, h * 0.45))
    feet = both(cushion(w * 0.3, h * 0.05, w * 0.5, 0.6, 8).moved(w * 0.22, h * 0.01, w * 0.3))
    return join(body, beak, wing, feet)


def wader(rng: Random) -> Mesh:
    u = rng.uniform
    n = u(0.25, 0.6)
    legs, neck = n * u(0.9, 1.8), n * u(0.8, 1.4)
    wide = n * u(0.4, 0.5)
    curve = [(0, 0.05 * n, 0.35 * n), (0, 0.35 * neck, 0.6 * n), (0, 0.7 * neck, 0.45 * n), (0, neck, 0.5 * n)]
    head = bird_head(rng, n * 0.2, n * u(0.15, 0.5)).moved(y=neck + n * 0.03, z=0.52 * n)
    body = join(egg(n, wide, wide), tail_fan(n * 0.25, n * 0.25).moved(z=-n * 0.5))
    return join(body, tube(curve, [n * 0.12, n * 0.07, n * 0.06, n * 0.06]), head, bird_legs(legs, n * 0.08, n * 0.025))


def hen(rng: Random) -> Mesh:
    u = rng.uniform
    n = u(0.25, 0.4)
    body = egg(n, n * 0.7, n * 0.75).turned("x", -15)
    tail = blade(n * u(0.4, 0.7), n * 0.2, n * 0.5, n * 0.15, n * 0.1).turned("z", 90).moved(y=n * 0.05, z=-n * 0.5)
    neck = rod((0, 0.1 * n, n * 0.3), (0, n * 0.55, n * 0.42), n * 0.2, n * 0.1)
    head = bird_head(rng, n * 0.24, n * 0.07).moved(y=n * 0.6, z=n * 0.45)
    comb = box(n * 0.03, n * 0.15, n * 0.2).moved(y=n * 0.76, z=n * 0.45)
    return join(
        body, tail, neck, head, comb, folded_wing(n * 0.6, n * 0.4, n * 0.34), bird_legs(n * 0.6, n * 0.15, n * 0.03)
    )


def spread_wing(rng: Random, span: float, chord: float) -> Mesh:
    """A wing in the x-y plane, spread from the origin along +x, with feathers that stand apart at its tip."""
    u, n = rng.uniform, count(rng, 4, 9)
    raised, flat = u(-5, 40), chord * u(0.06, 0.14)
    arm = tube([(0, 0, 0), (0.45 * span, 0.15 * chord, 0), (0.75 * span, 0, 0)], [flat, flat, 0.6 * flat])
    feathers = []
    for t in np.linspace(0, 1, 2 * n):
        length = chord * (0.75 + 0.35 * np.sin(np.pi * t)) * u(0.92, 1.08)
        one = ellipsoid(0.75 * span / n, length, flat, 10).moved(y=-length / 2)
        angle = -8 + (t**2) * u(75, 105) if t > 0.5 else -8 + 20 * t
        feathers.append(one.turned("z", float(angle)).moved(0.75 * span * t, 0.1 * chord * np.sin(np.pi * t)))
    return join(arm, *feathers).turned("y", u(-25, 25)).turned("z", raised)


def spread_wings(rng: Random) -> Mesh:
    """An owl or an eagle that stands upright with both wings held out to its sides."""
    u = rng.uniform
    h = u(0.15, 0.7)
    w = h * u(0.32, 0.5)
    body = egg(h * 0.85, w, w * u(0.8, 1)).turned("x", -u(60, 85)).moved(y=0.45 * h)
    wings = both(spread_wing(rng, h * u(0.55, 1.1), h * u(0.35, 0.65)).moved(0.35 * w, h * u(0.55, 0.68)))
    head = bird_head(rng, w * u(0.6, 0.85), w * u(0.1, 0.3)).moved(y=0.9 * h, z=0.12 * h)
    parts = [body, wings, head, tail_fan(h * u(0.25, 0.5), w * u(0.6, 1.2)).turned("x", -u(35, 75)).moved(y=0.15 * h)]
    parts.append(bird_legs(h * u(0.15, 0.3), 0.25 * w, 0.03 * h).moved(y=0.12 * h))
    if chance(rng, 0.4):
        parts.append(both(cylinder(w * 0.1, h * 0.12, 0.0, 8).turned("z", -20).moved(w * 0.22, 1.02 * h, 0.1 * h)))
    if chance(rng, 0.35):
        parts.append(cylinder(w * u(0.4, 0.8), 0.12 * h, w * u(0.3, 0.6)).moved(y=-0.12 * h))
    return join(*parts)


category(
    "bird",
    perched=perched_bird,
    duck=duck,
    owl=owl,
    flying=flying_bird,
    penguin=penguin,
    wader=wader,
    hen=hen,
    spread_wings=spread_wings,
)
