"""Airplanes: airliners, light aircraft, fighters and gliders."""

from __future__ import annotations

from openshape_ood.synthetic.builders._bodies import blade, body_along_z
from openshape_ood.synthetic.builders._copies import both, stamped, stamped_around
from openshape_ood.synthetic.builders._shapes import axle, barrel, bars
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, ellipsoid, join, lathe


def fuselage(length: float, radius: float, nose: float, tail: float) -> Mesh:
    """Round body along z. `nose` and `tail` are the fractions of its length that taper."""
    n, r = length, radius
    front, back = 0.5 - nose, tail - 0.5
    shape = [
        (-0.5, 0.6, 0.1), (back, 0, 1), (front, 0, 1), (0.5 - nose * 0.4, -0.05, 0.8),
        (0.5 - nose * 0.1, -0.15, 0.4), (0.5, -0.2, 0.1),
    ]  # fmt: skip
    return body_along_z([(z * n, y * r, s * r, s * r) for z, y, s in shape])


def tailplane(rng: Random, size: float, t_tail: bool) -> Mesh:
    """Fin and stabilizers; the fin's foot is at the origin."""
    u = rng.uniform
    fin = blade(size, size * u(0.7, 1), size * 0.4, size * u(0.4, 0.8), size * 0.08).turned("z", 90)
    span = size * u(0.9, 1.2)
    level = both(blade(span, size * 0.6, size * 0.3, size * 0.4, size * 0.06, 0 if t_tail else size * 0.1))
    return join(fin, level.moved(y=size, z=-size * 0.6) if t_tail else level.moved(y=-size * 0.05))


def engine(radius: float, length: float) -> Mesh:
    shape = [
        (radius * 0.5, -length / 2), (radius, -length * 0.1), (radius, length * 0.4), (radius * 0.9, length / 2),
        (radius * 0.8, length * 0.4), (0, length * 0.3),
    ]  # fmt: skip
    return lathe([(0, -length / 2), *shape], 14).turned("x", 90)


def airliner(rng: Random, engines: int = 1, rear: bool = False) -> Mesh:
    u = rng.uniform
    n = u(8, 14)
    r = n * u(0.045, 0.065)
    span, chord, sweep = n * u(0.4, 0.52), n * u(0.18, 0.24), n * u(0.15, 0.26)
    wing = blade(span, chord, chord * 0.3, sweep, n * 0.015, span * u(0.03, 0.12)).moved(y=-r * 0.6, z=n * 0.06)
    parts = [fuselage(n, r, u(0.08, 0.15), u(0.2, 0.35)), both(wing)]
    parts.append(tailplane(rng, n * u(0.12, 0.17), rear).moved(y=r * 0.7, z=-n * 0.42))
    size = r * u(0.4, 0.6)
    spots = (
        [(r * 1.5, r * 0.3, -n * 0.28)]
        if rear
        else [(span * t, -r * 0.9 - size * 0.3, n * 0.13 - sweep * t) for t in (0.35, 0.62)[:engines]]
    )
    parts += [both(engine(size, size * u(2.2, 3.5)).moved(*spot)) for spot in spots]
    return join(*parts)


def landing_gear(n: float, y: float, z: float, track: float, tail_wheel: bool) -> Mesh:
    wheel = axle(n * 0.03, n * 0.015, 12)
    spots = [(track, y, z), (-track, y, z), (0, y, z - n * 0.55 if tail_wheel else z + n * 0.3)]
    struts = bars([((0.4 * x, y + n * 0.09, z0), (x, y, z0)) for x, _, z0 in spots], n * 0.008)
    return join(stamped(wheel, spots), struts)


def propeller(rng: Random, radius: float) -> Mesh:
    vane = box(radius * 0.12, radius, radius * 0.03).moved(y=radius / 2)
    return join(stamped_around(vane, rng.randint(2, 5), "z"), barrel(radius * 0.13, radius * 0.3, 0.01, 10)).turned(
        "z", rng.uniform(0, 90)
    )


def light_airplane(rng: Random) -> Mesh:
    u = rng.uniform
    n = u(6, 9)
    r, high = n * u(0.06, 0.085), chance(rng, 0.6)
    span, chord = n * u(0.55, 0.75), n * u(0.15, 0.2)
    wing = blade(span, chord, chord * u(0.5, 1), n * 0.03, n * 0.02, span * u(0, 0.08)).moved(
        y=r if high else -r * 0.7, z=n * 0.15
    )
    struts = both(bars([((r, -r * 0.7, n * 0.15), (span * 0.5, r, n * 0.13))], n * 0.006))
    cabin = body_along_z(
        [
            (-n * 0.1, r * 0.5, r * 0.6, r * 0.3),
            (n * 0.08, r * 0.7, r * 0.8, r * 0.5),
            (n * 0.25, r * 0.5, r * 0.7, r * 0.3),
        ]
    )
    parts = [fuselage(n, r, u(0.1, 0.2), 0.5), both(wing), cabin, propeller(rng, n * 0.13).moved(z=n * 0.51)]
    parts.append(tailplane(rng, n * u(0.15, 0.2), False).moved(y=r * 0.5, z=-n * 0.42))
    parts.append(landing_gear(n, -r - n * 0.07, n * 0.15, n * 0.13, chance(rng, 0.5)))
    return join(*parts, struts) if high else join(*parts)


def fighter(rng: Random) -> Mesh:
    u = rng.uniform
    n = u(9, 14)
    r = n * u(0.045, 0.06)
    delta = blade(n * u(0.22, 0.34), n * u(0.35, 0.55), n * 0.08, n * u(0.18, 0.3), n * 0.015).moved(z=-n * 0.1)
    body = body_along_z(
        [
            (-n * 0.48, 0, r * 1.3, r * 0.8), (0, 0, r * 1.4, r), (n * 0.2, 0, r, r),
            (n * 0.4, -r * 0.1, r * 0.5, r * 0.5), (n / 2, -r * 0.2, 0.02, 0.02),
        ],
        0.8,
    )  # fmt: skip
    canopy = ellipsoid(r * 1.2, r * 1.4, n * 0.2).moved(y=r * 0.8, z=n * 0.18)
    fin = blade(n * 0.15, n * 0.16, n * 0.07, n * 0.1, n * 0.012).turned("z", 90)
    fins = (
        both(fin.turned("z", -u(0, 25)).moved(r, r * 0.6, -n * 0.36))
        if chance(rng, 0.5)
        else fin.moved(y=r * 0.7, z=-n * 0.36)
    )
    stabilizers = both(blade(n * 0.15, n * 0.12, n * 0.05, n * 0.08, n * 0.01).moved(r, 0, -n * 0.42))
    missiles = both(barrel(n * 0.01, n * 0.18, 0.01, 8).moved(n * 0.2, -r * 0.4, -n * 0.12))
    return join(body, canopy, both(delta), fins, stabilizers, missiles)


def biplane(rng: Random) -> Mesh:
    u = rng.uniform
    n = u(6, 8)
    r, span, chord, gap = n * 0.06, n * u(0.55, 0.7), n * u(0.16, 0.2), n * u(0.18, 0.24)
    wings = stamped(box(2 * span, n * 0.012, chord), [(0, -r, n * 0.2), (0, gap - r, n * 0.24)])
    posts = [
        ((x, -r, n * 0.2 + z), (x, gap - r, n * 0.24 + z))
        for x in (-span * 0.7, span * 0.7, -r, r)
        for z in (-chord * 0.3, chord * 0.3)
    ]
    parts = [fuselage(n, r, 0.08, 0.6), wings, bars(posts, n * 0.006), propeller(rng, n * 0.15).moved(z=n * 0.51)]
    parts.append(tailplane(rng, n * 0.15, False).moved(y=r * 0.4, z=-n * 0.43))
    return join(*parts, landing_gear(n, -r - n * 0.09, n * 0.25, n * 0.12, True))


def glider(rng: Random) -> Mesh:
    u = rng.uniform
    n = u(5, 7)
    pod = body_along_z(
        [
            (-n / 2, n * 0.03, n * 0.015, n * 0.015),
            (-n * 0.1, 0.01, n * 0.03, n * 0.04),
            (n * 0.25, 0, n * 0.05, n * 0.07),
            (n / 2, -n * 0.02, 0.02, 0.02),
        ]
    )
    wing = blade(n * u(0.9, 1.1), n * 0.12, n * 0.05, n * 0.03, n * 0.015, n * u(0.02, 0.12)).moved(
        y=n * 0.05, z=n * 0.1
    )
    return join(pod, both(wing), tailplane(rng, n * 0.16, True).moved(y=n * 0.03, z=-n * 0.43))


category(
    "airplane",
    airliner=airliner,
    four_engines=lambda rng: airliner(rng, engines=2),
    rear_engines=lambda rng: airliner(rng, rear=True),
    light=light_airplane,
    fighter=fighter,
    biplane=biplane,
    glider=glider,
)
