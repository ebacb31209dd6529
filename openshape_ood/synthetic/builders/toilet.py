"""Toilets: with a cistern behind, above or hidden, squat toilets and bidets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from openshape_ood.synthetic.builders._bodies import SHARP, Ring, collar, hollow, slab, solid
from openshape_ood.synthetic.builders._copies import both, placed
from openshape_ood.synthetic.builders._fittings import inset_basin, mixer_tap
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cushion, cylinder, ellipsoid, join, rod, tube


class Seat(NamedTuple):
    """Rim of a toilet: height, widths along x and z, and superellipse power of its back half (see `Ring`)."""

    y: float
    width: float
    depth: float
    back: float

    def ring(self, y: float, grow: float = 0.0) -> Ring:
        return Ring(y, self.width + grow, self.depth + grow, 2.1, 0.0, self.back)


def some_seat(rng: Random, low: float = 0.37, high: float = 0.45) -> Seat:
    width = rng.uniform(0.34, 0.41)
    return Seat(rng.uniform(low, high), width, width * rng.uniform(1.15, 1.5), rng.uniform(2.2, 6.0))


def toilet_bowl(rng: Random, seat: Seat, foot: float = 0.0) -> Mesh:
    """A bowl that narrows to its foot and stands on it; `foot` is the foot's height above the floor."""
    w, d, back = seat.width, seat.depth, seat.back
    base, waist = rng.uniform(0.5, 0.75), rng.uniform(0.45, 0.65)
    long, z, tall = rng.uniform(0.7, 0.95), -0.08 * d, seat.y - foot
    shape = (
        (0.0, base, long), (0.08, base, long), (0.4, waist, long - 0.15),
        (0.75, 0.88, 0.9), (0.92, 1, 1), (1, 1, 1),
    )  # fmt: skip
    rings = [Ring(foot + t * tall, a * w, b * d, 2.3, z * (1 - t), back) for t, a, b in shape]
    return hollow(rings, 0.045, floor=0.45 * tall)


def wall_bowl(rng: Random, seat: Seat) -> Mesh:
    """A bowl that hangs from the wall behind it."""
    w, d, deep = seat.width, seat.depth, rng.uniform(0.24, 0.34)
    shape = ((0.0, 0.55, 0.5), (0.15, 0.75, 0.72), (0.5, 0.92, 0.9), (0.9, 1.0, 1.0), (1.0, 1.0, 1.0))
    rings = [Ring(seat.y - deep * (1 - t), a * w, b * d, 2.2, (b - 1) * d / 2, 8.0) for t, a, b in shape]
    return hollow(rings, 0.04, floor=0.08)


def seat_and_lid(rng: Random, seat: Seat) -> Mesh:
    """The seat with its lid: both down, only the lid up, both up, or a seat without lid."""
    thick, z = rng.uniform(0.015, 0.03), -seat.depth / 2
    hole = Ring(seat.y, seat.width - 0.14, seat.depth - 0.18, 2.1, 0.01)
    circle = collar(seat.ring(seat.y, 0.01), hole, thick)
    lid = slab(seat.ring(seat.y + thick + 0.004, 0.012), thick)

    def raised(part: Mesh, degrees: float) -> Mesh:
        return part.moved(y=-seat.y, z=-z).turned("x", -degrees).moved(y=seat.y, z=z)

    state, lean = rng.uniform(), rng.uniform(88, 105)
    if state < 0.42:
        return join(circle, lid)
    if state < 0.78:
        return join(circle, raised(lid, lean))
    return join(raised(circle, lean - 4), raised(lid, lean)) if state < 0.86 else circle


def cistern(rng: Random, width: float, height: float, depth: float) -> Mesh:
    """A flush tank on y = 0 with its lid and a button or lever."""
    roundness, taper = rng.choice([0.1, 0.2, 0.35]), rng.uniform(0.98, 1.12)
    tank = cushion(width, height, depth, roundness).tapered(taper).moved(y=height / 2)
    lid = cushion(width * taper + 0.02, 0.04, depth * taper + 0.02, 0.2).moved(y=height + 0.015)
    lever = join(rod((0, 0, 0), (0, 0, 0.03), 0.01), rod((0, 0, 0.03), (0.08, -0.01, 0.03), 0.008))
    lever = lever.moved(-0.38 * width, 0.85 * height, depth / 2)
    button = cylinder(0.025, 0.015).moved(y=height + 0.04)
    return join(tank, lid, lever if chance(rng) else button)


def close_coupled_toilet(rng: Random) -> Mesh:
    seat = some_seat(rng)
    w, h, d = rng.uniform(0.34, 0.5), rng.uniform(0.28, 0.42), rng.uniform(0.15, 0.22)
    z = -seat.depth / 2 - d / 2 + 0.02
    shelf = cushion(rng.uniform(0.2, 0.34), 0.16, d + 0.14, 0.3).moved(y=seat.y - 0.08, z=z + 0.05)
    parts = [toilet_bowl(rng, seat), seat_and_lid(rng, seat), shelf, cistern(rng, w, h, d).moved(y=seat.y, z=z)]
    return join(*parts)


def one_piece_toilet(rng: Random) -> Mesh:
    """Bowl with closed sides, and a tank that stands on the floor behind it."""
    seat = some_seat(rng)
    w, d = seat.width, rng.uniform(0.18, 0.26)
    z, h = -seat.depth / 2 - d / 2 + 0.02, rng.uniform(0.5, 0.75)
    shape = ((0.0, 0.75, 0.85, -0.05), (0.7, 0.85, 0.9, -0.03))
    rings = [Ring(t * seat.y, a * w, b * seat.depth, 2.2, shift, 8) for t, a, b, shift in shape]
    skirt = hollow([*rings, seat.ring(seat.y)], 0.045, floor=0.2)
    tank = solid([Ring(0, 0.75 * w, d + 0.05, 8, z), Ring(seat.y, w, d, 8, z), Ring(h, w, d * 0.8, 6, z - 0.1 * d)])
    return join(skirt, seat_and_lid(rng, seat), tank, cylinder(0.025, 0.02).moved(y=h, z=z))


def wall_hung_toilet(rng: Random) -> Mesh:
    seat = some_seat(rng)
    parts = [wall_bowl(rng, seat), seat_and_lid(rng, seat)]
    z = -seat.depth / 2 - 0.01
    if chance(rng, 0.4):
        height = rng.uniform(0.9, 1.2)
        flush = box(0.24, 0.16, 0.015).moved(y=0.85 * height, z=z + 0.01)
        parts += [box(rng.uniform(0.45, 0.9), height, 0.12).moved(y=height / 2, z=z - 0.06), flush]
    return join(*parts)


def high_tank_toilet(rng: Random) -> Mesh:
    seat, top = some_seat(rng), rng.uniform(1.4, 2.0)
    z = -seat.depth / 2 - 0.08
    tank = cistern(rng, rng.uniform(0.36, 0.5), rng.uniform(0.22, 0.32), 0.19).moved(y=top, z=z)
    pipe = tube([(0, top, z), (0, seat.y, z), (0, seat.y - 0.08, z + 0.04), (0, seat.y - 0.1, z + 0.14)], 0.02)
    chain = join(
        rod((0.2, top + 0.2, z + 0.1), (0.2, top - 0.6, z + 0.1), 0.006),
        ellipsoid(0.03, 0.1, 0.03).moved(0.2, top - 0.6, z + 0.1),
    )
    return join(toilet_bowl(rng, seat), seat_and_lid(rng, seat), tank, pipe, chain)


def back_to_wall_toilet(rng: Random) -> Mesh:
    """Sides that go straight down to the floor and back to the wall."""
    seat = some_seat(rng)
    s, w, d = rng.uniform(0.72, 0.95), seat.width, seat.depth
    rings = [Ring(0, s * w, 0.9 * d, 2.3, -0.05 * d, 12), Ring(0.55 * seat.y, s * w, 0.92 * d, 2.3, -0.04 * d, 12)]
    bowl = hollow([*rings, Ring(0.85 * seat.y, w, d, 2.1, 0, 12), seat.ring(seat.y)], 0.045, floor=0.2)
    parts = [bowl, seat_and_lid(rng, seat)]
    if chance(rng, 0.4):
        height = rng.uniform(0.75, 1.1)
        parts += [box(rng.uniform(0.45, 0.7), height, 0.2).moved(y=height / 2, z=-d / 2 - 0.1)]
    return join(*parts)


def smart_toilet(rng: Random) -> Mesh:
    """A washlet: thick seat that rises to the back, control arm at the side."""
    seat = some_seat(rng)
    w, d = seat.width, seat.depth
    base = hollow([Ring(0, 0.85 * w, 0.95 * d, 2.4, 0, 8), seat.ring(seat.y)], 0.045, floor=0.2)
    back = cushion(w + 0.06, 0.12, 0.2, 0.25).moved(y=seat.y + 0.06, z=-d / 2 + 0.02)
    arm = cushion(0.09, 0.05, 0.26, 0.25).moved(w / 2 + 0.05, seat.y + 0.04, -0.1)
    return (
        join(base, seat_and_lid(rng, seat), back, arm)
        if chance(rng, 0.7)
        else join(base, back, seat_and_lid(rng, seat))
    )


def squat_toilet(rng: Random) -> Mesh:
    """A pan let into the floor, with foot treads or a hood at one end."""
    width, depth, deep = rng.uniform(0.3, 0.5), rng.uniform(0.5, 0.75), rng.uniform(0.12, 0.25)
    hole_w, hole_d = rng.uniform(0.16, 0.22), depth - rng.uniform(0.12, 0.22)
    plate = collar(Ring(0, width, depth, rng.choice([3.0, SHARP])), Ring(0, hole_w, hole_d, 2.5), 0.03)
    pan = inset_basin(rng, hole_w, hole_d, deep, 2.5).moved(y=0.03)
    parts = [plate, pan]
    if chance(rng, 0.6):
        tread = placed(box(0.09, 0.012, 0.02), [(0, 0, z) for z in np.linspace(-0.12, 0.12, 6)])
        parts += [both(tread.moved((width + hole_w) / 4, 0.036))]
    if chance(rng, 0.6):
        hood = ellipsoid(hole_w + 0.06, 0.26, 0.22)
        parts += [hood.deformed(lambda v: np.maximum(v, [-9, 0, -9])).moved(y=0.03, z=hole_d / 2)]
    return join(*parts)


def bidet(rng: Random) -> Mesh:
    """A low bowl without seat, a small tap at its back."""
    seat = some_seat(rng, 0.36, 0.42)
    bowl = wall_bowl(rng, seat) if chance(rng, 0.3) else toilet_bowl(rng, seat)
    spigot = mixer_tap(rng).scaled(0.8, 0.8, 0.8).moved(y=seat.y, z=-seat.depth / 2 + 0.04)
    return join(bowl, spigot)


def plain_toilet(rng: Random) -> Mesh:
    """A bowl with seat and a bent outlet, without a tank."""
    seat = some_seat(rng)
    z = -seat.depth / 2
    outlet = tube([(0, 0.2, 0.6 * z), (0, 0.22, z), (0, 0.15, z - 0.1), (0, 0.0, z - 0.12)], 0.05)
    return join(toilet_bowl(rng, seat), seat_and_lid(rng, seat), outlet)


category(
    "toilet",
    close_coupled=close_coupled_toilet,
    one_piece=one_piece_toilet,
    wall_hung=wall_hung_toilet,
    high_tank=high_tank_toilet,
    back_to_wall=back_to_wall_toilet,
    smart=smart_toilet,
    squat=squat_toilet,
    bidet=bidet,
    plain=plain_toilet,
)
