"""Washing machines and dryers, loaded from the front or the top."""

from __future__ import annotations

from openshape_ood.synthetic.builders._bodies import SHARP, Ring, collar, loft
from openshape_ood.synthetic.builders._copies import placed
from openshape_ood.synthetic.builders._fittings import bar_handle, dial, hung
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, join, lathe


def washer_size(rng: Random) -> tuple[float, float, float]:
    return rng.uniform(0.55, 0.7), rng.uniform(0.8, 1.0), rng.uniform(0.45, 0.75)


def porthole(rng: Random, radius: float) -> Mesh:
    """A round door around the origin that faces +z: ring and bulging glass."""
    ring = lathe([(0.72 * radius, 0), (radius, 0), (radius, 0.02), (0.85 * radius, 0.045), (0.72 * radius, 0.02)], 22)
    glass = lathe([(0.72 * radius, 0.02), (0.5 * radius, -0.01), (0.25 * radius, -0.03), (0, -0.035)], 22)
    return join(ring, glass.scaled(1, rng.choice([-1.0, 1.0]), 1).moved(y=0.01)).turned("x", 90)


def washer_front(rng: Random, w: float, h: float) -> Mesh:
    """Control strip, drawer and knob at the top of a front, around x = 0 from y = 0."""
    parts = [
        box(0.3 * w, 0.08, 0.012).moved(-0.3 * w, h - 0.08),
        dial(rng.uniform(0.025, 0.045), 0.03).moved(rng.choice([0.0, 0.2]) * w, h - 0.08),
    ]
    if chance(rng):
        parts += [box(0.2 * w, 0.05, 0.008).moved(0.33 * w, h - 0.08)]
    if chance(rng):
        parts += [
            box(0.98 * w, rng.uniform(0.06, 0.1), 0.01).moved(y=0.05),
            box(0.98 * w, 0.006, 0.012).moved(y=h - 0.14),
        ]
    return join(*parts)


def front_loader(rng: Random) -> Mesh:
    w, h, d = washer_size(rng)
    door = porthole(rng, rng.uniform(0.3, 0.4) * w).moved(y=0.47 * h, z=d / 2)
    top = box(w + 0.01, 0.03, d + 0.02).moved(y=h + 0.012)
    return join(box(w, h, d).moved(y=h / 2), door, washer_front(rng, w, h).moved(z=d / 2), top)


def top_loader(rng: Random) -> Mesh:
    """A lid on top, controls on a raised back; the lid may stand open over the drum."""
    w, h, d = washer_size(rng)
    back, rise = 0.22 * d, rng.uniform(0.1, 0.2)
    console = box(w, rise, back).tapered(0.85).moved(y=h + rise / 2, z=-d / 2 + back / 2)
    knobs = placed(dial(0.03, 0.03), [(x * w, h + rise / 2, -d / 2 + back - 0.01) for x in (-0.3, 0, 0.3)])
    lid = box(0.8 * w, 0.025, d - back - 0.06).moved(z=(d - back - 0.06) / 2)
    if chance(rng, 0.6):
        return join(box(w, h, d).moved(y=h / 2), console, knobs, lid.moved(y=h + 0.015, z=-d / 2 + back + 0.02))
    hole, z = 0.7 * min(w, d - back), back / 2
    top = collar(Ring(h - 0.02, w, d, SHARP), Ring(h, hole, hole, 2.0, z), 0.02)
    drum = loft([Ring(h, hole, hole, 2, z), Ring(0.25 * h, hole, hole, 2, z), Ring(0.25 * h, 0, 0, 2, z)])
    shell = loft([Ring(y, w, d, SHARP) for y in (0, h)])
    return join(
        top, drum, shell, console, knobs, lid.turned("x", -rng.uniform(70, 100)).moved(y=h + 0.01, z=-d / 2 + back)
    )


def open_washer(rng: Random) -> Mesh:
    w, h, d = washer_size(rng)
    r = rng.uniform(0.28, 0.36) * w
    face = collar(Ring(-0.02, w, h, SHARP), Ring(0, 2 * r, 2 * r), 0.02)
    drum = loft([Ring(0, 2 * r, 2 * r), Ring(-0.7 * d, 2 * r, 2 * r), Ring(-0.7 * d, 0, 0)])
    shell = loft([Ring(0, w, h, SHARP), Ring(-d, w, h, SHARP), Ring(-d, 0, 0)])
    body = join(face, drum, shell).turned("x", 90).moved(y=h / 2, z=d / 2)
    door = hung(porthole(rng, 1.1 * r).moved(1.1 * r), -1.1 * r, d / 2, rng.uniform(50, 130)).moved(y=h / 2)
    return join(body, door, washer_front(rng, w, h).moved(z=d / 2))


def stacked_washer(rng: Random) -> Mesh:
    """A dryer on a washer."""
    w, h, d = washer_size(rng)
    one = join(box(w, h, d).moved(y=h / 2), porthole(rng, 0.34 * w).moved(y=0.45 * h, z=d / 2))
    one = join(one, washer_front(rng, w, h).moved(z=d / 2))
    return join(one, one.moved(y=h + 0.02))


def washer_pair(rng: Random) -> Mesh:
    """Washer and dryer side by side, perhaps on drawers."""
    w, h, d = washer_size(rng)
    lift = rng.uniform(0.25, 0.38) if chance(rng) else 0.0
    one = join(box(w, h, d).moved(y=h / 2 + lift), porthole(rng, 0.36 * w).moved(y=0.47 * h + lift, z=d / 2))
    one = join(one, washer_front(rng, w, h).moved(y=lift, z=d / 2))
    if lift:
        one = join(
            one,
            box(w, lift - 0.01, d).moved(y=lift / 2),
            bar_handle(0.3, 0.03).turned("z", 90).moved(y=0.7 * lift, z=d / 2),
        )
    return placed(one, [(s * (w / 2 + 0.01), 0, 0) for s in (-1, 1)])


category(
    "washing machine",
    front_loader=front_loader,
    top_loader=top_loader,
    door_open=open_washer,
    stacked=stacked_washer,
    washer_and_dryer=washer_pair,
)
