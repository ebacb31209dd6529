"""Skateboards and kick scooters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from openshape_ood.synthetic.builders._copies import both, stamped
from openshape_ood.synthetic.builders._shapes import axle, bars
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, join, sheet


def curved_deck(rng: Random, length: float, width: float, nose: float, tail: float, taper: float) -> Mesh:
    """A rounded board along z with upturned ends. nose, tail: lengths of the ends, as fractions of the half length."""
    thickness, steep = rng.uniform(0.008, 0.014), rng.uniform(0.25, 0.45)

    def surface(lift: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        def f(u: np.ndarray, v: np.ndarray) -> np.ndarray:
            t = 2 * u - 1
            half = width / 2 * np.clip(1 - np.abs(t) ** 8, 0, 1) ** 0.5 * (1 - taper * np.abs(t) ** 2)
            kick = steep * length / 2 * (np.maximum(0, t - 1 + nose) + np.maximum(0, -t - 1 + tail))
            return np.stack([half * (2 * v - 1), kick + lift + 0.004 * (2 * v - 1) ** 2, length / 2 * t], axis=-1)

        return f

    return join(sheet(surface(0.0), 22, 5), sheet(surface(thickness), 22, 5))


def wheel_truck(rng: Random, width: float, wheel: float) -> Mesh:
    """Axle, hanger, base plate and two wheels; the plate's top at y = 0."""
    drop = wheel * rng.uniform(1.3, 1.8)
    hanger = join(axle(0.007, width * 0.95, 8).moved(y=-drop), cylinder(0.014, drop, 0.022, 8).moved(y=-drop / 2))
    wheels = both(axle(wheel, wheel * rng.uniform(1.1, 1.5), 16).moved(x=width * 0.42, y=-drop))
    return join(box(0.055, 0.008, 0.08), hanger, wheels)


def board(rng: Random, length: float, width: float, nose: float, tail: float, taper: float = 0.0) -> Mesh:
    wheel = rng.uniform(0.025, 0.036)
    truck = wheel_truck(rng, width, wheel)
    inset = length / 2 * (1 - max(nose, tail, 0.25)) - 0.02
    return join(
        curved_deck(rng, length, width, nose, tail, taper), stamped(truck, [(0, -0.004, -inset), (0, -0.004, inset)])
    )


def street_board(rng: Random) -> Mesh:
    u = rng.uniform
    return board(rng, u(0.74, 0.84), u(0.19, 0.22), u(0.3, 0.42), u(0.3, 0.42))


def longboard(rng: Random) -> Mesh:
    u = rng.uniform
    return board(rng, u(0.9, 1.2), u(0.21, 0.26), 0.01, 0.01 if chance(rng, 0.6) else 0.2, u(0, 0.6))


def cruiser(rng: Random) -> Mesh:
    u = rng.uniform
    return board(rng, u(0.55, 0.7), u(0.15, 0.19), 0.02, u(0.25, 0.4), u(0.1, 0.45))


def kick_scooter(rng: Random) -> Mesh:
    u = rng.uniform
    n, wheel, height = u(0.5, 0.6), u(0.05, 0.1), u(0.7, 1.0)
    deck = box(u(0.1, 0.14), 0.03, n).moved(y=wheel + 0.01)
    wheels = [axle(wheel, 0.028).moved(y=wheel, z=z) for z in (-n / 2 - wheel, n / 2 + wheel)]
    stem = bars(
        [
            ((0, wheel, n / 2 + wheel), (0, height, n / 2 - 0.02)),
            ((-0.2, height, n / 2 - 0.02), (0.2, height, n / 2 - 0.02)),
        ],
        0.017,
    )
    return join(deck, *wheels, stem)


category(
    "skateboard",
    street=street_board,
    longboard=longboard,
    cruiser=cruiser,
    upside_down=lambda rng: street_board(rng).turned("z", 180),
    leaning=lambda rng: street_board(rng).turned("x", -rng.uniform(65, 90)),
    scooter=kick_scooter,
)
