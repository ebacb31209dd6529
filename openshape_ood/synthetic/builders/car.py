"""Cars, vans and racing cars, front towards +z."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from openshape_ood.synthetic.builders._bodies import body_along_z
from openshape_ood.synthetic.builders._copies import both, stamped
from openshape_ood.synthetic.builders._shapes import axle, barrel, bars, frame, from_side, half_ring, rounded_corners
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cushion, ellipsoid, join


class Car(NamedTuple):
    """Side view of a car. Lengths are in meters; positions are fractions of the length, from tail (0) to nose (1)."""

    length: float
    width: float
    height: float
    bonnet: float  # where the windscreen meets the bonnet
    boot: float  # where the rear window meets the boot
    roof_back: float
    roof_front: float
    wheel: float = 0.33


CARS = {
    "sedan": Car(4.6, 1.8, 1.45, 0.7, 0.14, 0.28, 0.56),
    "hatchback": Car(4.0, 1.75, 1.5, 0.74, 0.01, 0.1, 0.58),
    "suv": Car(4.6, 1.9, 1.8, 0.73, 0.0, 0.05, 0.6, 0.4),
    "van": Car(4.9, 1.95, 2.1, 0.88, 0.0, 0.01, 0.78, 0.35),
    "sports": Car(4.4, 1.9, 1.2, 0.66, 0.1, 0.3, 0.5, 0.34),
    "pickup": Car(5.2, 1.9, 1.8, 0.74, 0.36, 0.4, 0.62, 0.4),
    "convertible": Car(4.3, 1.8, 1.3, 0.66, 0.2, 0.3, 0.56),
}


def car_wheels(rng: Random, x: float, radius: float, front: float, back: float) -> Mesh:
    tire = axle(radius, radius * rng.uniform(0.55, 0.75), 18)
    hub = axle(radius * 0.55, radius * 0.8, 12)
    return stamped(join(tire, hub), [(s * x, radius, z) for s in (-1, 1) for z in (front, back)])


def car_body(rng: Random, car: Car, belt: float, clearance: float) -> Mesh:
    n = car.length
    nose, tail = belt * rng.uniform(0.72, 0.9), belt * rng.uniform(0.9, 1)
    outline = [
        (-0.5, clearance), (0.5, clearance), (0.5, nose), (car.bonnet - 0.5, belt),
        (car.boot - 0.5, belt), (-0.5, tail),
    ]  # fmt: skip
    outer = rounded_corners([(z * n, y) for z, y in outline], 1)

    def narrow_ends(p: np.ndarray) -> np.ndarray:
        p[:, 0] *= 1 - 0.5 * np.abs(p[:, 2] / n) ** 3
        return p

    return from_side(outer, car.width).deformed(narrow_ends)


def car_cabin(car: Car, belt: float, lean: float) -> Mesh:
    """Windows and roof: a frustum whose sides lean in."""
    n, sill = car.length, belt - 0.05
    outline = [(car.boot, sill), (car.bonnet, sill), (car.roof_front, car.height), (car.roof_back, car.height)]

    def lean_in(p: np.ndarray) -> np.ndarray:
        p[:, 0] *= 1 - lean * (p[:, 1] - sill) / (car.height - sill)
        return p

    return from_side([((z - 0.5) * n, y) for z, y in outline], car.width * 0.95).deformed(lean_in)


def car_trim(car: Car, belt: float) -> Mesh:
    n, w = car.length, car.width
    mirrors = both(ellipsoid(0.18, 0.13, 0.1, 8).moved(w / 2 + 0.07, belt + 0.06, (car.bonnet - 0.54) * n))
    bumpers = stamped(cushion(w * 0.9, 0.18, 0.2, 0.4, 10), [(0, 0.4, z * n) for z in (-0.5, 0.5)])
    lamps = both(ellipsoid(0.28, 0.14, 0.1, 8).moved(w * 0.36, belt * 0.75, n * 0.49))
    return join(mirrors, bumpers, lamps)


def cargo_bed(car: Car, belt: float) -> Mesh:
    """Side walls and tailgate above the belt line behind a pickup's cabin."""
    n, length = car.length, car.boot * car.length
    wall = both(box(0.07, 0.35, length).moved(car.width * 0.46, belt + 0.12, -n / 2 + length / 2))
    return join(wall, box(car.width * 0.9, 0.35, 0.07).moved(y=belt + 0.12, z=-n / 2 + 0.04))


def open_top(car: Car, belt: float) -> Mesh:
    n, w = car.length, car.width
    screen = frame(w * 0.85, 0.4, 0.04, 0.04).turned("x", -40).moved(y=belt + 0.15, z=(car.bonnet - 0.53) * n)
    seats = stamped(
        cushion(0.5, 0.6, 0.2, 0.4, 10), [(x, belt, (z - 0.5) * n) for x in (-0.4, 0.4) for z in (0.26, 0.42)]
    )
    return join(screen, seats)


def road_car(rng: Random, kind: str) -> Mesh:
    u, base = rng.uniform, CARS[kind]
    stretch = u(0.92, 1.08, 3)
    car = base._replace(length=base.length * stretch[0], width=base.width * stretch[1], height=base.height * stretch[2])
    belt, clearance = car.height * u(0.55, 0.66), u(0.16, 0.22) + (car.wheel - 0.33)
    top = open_top(car, belt) if kind == "convertible" else car_cabin(car, belt, u(0.12, 0.3))
    wheels = car_wheels(
        rng, car.width * 0.44, car.wheel * u(0.92, 1.1), car.length * u(0.29, 0.34), -car.length * u(0.26, 0.31)
    )
    parts = [car_body(rng, car, belt, clearance), top, wheels, car_trim(car, belt)]
    if kind == "pickup":
        parts.append(cargo_bed(car, belt))
    if kind == "suv" and chance(rng, 0.4):
        parts.append(barrel(0.36, 0.2).moved(y=belt * 0.9, z=-car.length / 2 - 0.08))
    return join(*parts)


def racing_car(rng: Random) -> Mesh:
    u = rng.uniform
    n, radius = u(3.8, 4.8), u(0.3, 0.38)
    body = body_along_z(
        [
            (-n * 0.42, 0.45, 0.2, 0.2), (-n * 0.1, 0.45, 0.45, 0.3),
            (n * 0.1, 0.4, 0.4, 0.25), (n * 0.48, 0.3, 0.12, 0.1),
        ],
        0.6,
    )  # fmt: skip
    pods = both(cushion(0.45, 0.35, n * 0.3, 0.5).moved(0.5, 0.35, -n * 0.06))
    wing = join(box(1.5, 0.04, 0.4), both(box(0.03, 0.3, 0.45).moved(0.75)))
    arms = bars([((0, 0.4, z), (x, radius, z)) for x in (-0.75, 0.75) for z in (n * 0.33, -n * 0.35)], 0.03)
    hoop = half_ring(0.2, 0.04).moved(y=0.75, z=-n * 0.1)
    return join(
        body,
        pods,
        wing.moved(y=0.85, z=-n * 0.45),
        wing.moved(y=0.2, z=n * 0.48),
        arms,
        hoop,
        car_wheels(rng, 0.8, radius, n * 0.33, -n * 0.35),
    )


def vintage_car(rng: Random) -> Mesh:
    u = rng.uniform
    n, w, radius = u(3.4, 4.2), u(1.4, 1.6), u(0.34, 0.4)
    bonnet = box(w * 0.5, 0.5, n * 0.32).moved(y=0.8, z=n * 0.28)
    cabin = box(w * 0.85, u(0.9, 1.1), n * 0.42).moved(y=1.1, z=-n * 0.1)
    floor = box(w * 0.8, 0.12, n * 0.9).moved(y=0.5)
    fender = half_ring(radius * 1.2, 0.1).turned("y", 90).scaled(x=1.6)
    fenders = stamped(fender, [(s * w * 0.45, radius, z) for s in (-1, 1) for z in (n * 0.36, -n * 0.34)])
    lamps = both(ellipsoid(0.22, 0.22, 0.22, 10).moved(w * 0.3, 0.95, n * 0.45))
    boards = both(box(0.25, 0.05, n * 0.4).moved(w * 0.47, 0.4))
    return join(bonnet, cabin, floor, fenders, lamps, boards, car_wheels(rng, w * 0.45, radius, n * 0.36, -n * 0.34))


category(
    "car",
    **{kind: partial(road_car, kind=kind) for kind in CARS},
    racing=racing_car,
    vintage=vintage_car,
)
