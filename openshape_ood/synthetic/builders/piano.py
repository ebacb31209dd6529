"""Pianos: grand, upright, digital, and synthesizers."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both, stamped
from openshape_ood.synthetic.builders._shapes import barrel, bars, from_above, rounded_corners
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cushion, cylinder, join


def piano_keys(width: float, depth: float) -> Mesh:
    """White keys as one slab, black keys on top; the fronts of the keys at z = 0."""
    x = np.linspace(-width / 2, width / 2, 38)[1:-1]
    black = x[np.isin(np.arange(len(x)) % 7, (0, 1, 3, 4, 5))]
    offsets = np.stack([black, np.full_like(black, 0.02), np.full_like(black, -depth * 0.65)], axis=1)
    return join(box(width, 0.02, depth).moved(z=-depth / 2), stamped(box(0.012, 0.02, depth * 0.6), offsets))


def bench(rng: Random) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.5, 0.9), u(0.45, 0.52), u(0.3, 0.36)
    legs = stamped(
        box(0.045, height, 0.045),
        [(x * (width / 2 - 0.04), height / 2, z * (depth / 2 - 0.04)) for x in (-1, 1) for z in (-1, 1)],
    )
    return join(cushion(width, 0.08, depth, 0.2).moved(y=height), legs)


def with_bench(rng: Random, instrument: Mesh, z: float) -> Mesh:
    return join(instrument, bench(rng).moved(z=z)) if chance(rng, 0.35) else instrument


def grand_rim(width: float, length: float) -> np.ndarray:
    """A grand piano from above: keyboard side at z = 0, tail at z = -length, the straight side at the left."""
    w = width / 2
    bend = [(w, 0), (w, -0.3), (w * 0.95, -0.5), (w * 0.45, -0.62 * length), (w * 0.2, -0.85 * length)]
    return rounded_corners([(-w, 0), *bend, (-w * 0.3, -length), (-w * 0.85, -length), (-w, -length * 0.85)], 1)


def grand_piano(rng: Random) -> Mesh:
    u = rng.uniform
    width, length, depth, height = u(1.4, 1.55), u(1.4, 2.6), u(0.26, 0.36), u(0.62, 0.7)
    rim = grand_rim(width, length)
    body = from_above(rim, depth).moved(y=height + depth / 2)
    keys = piano_keys(width * 0.85, 0.15).moved(y=height + 0.1, z=0.2)
    bed = join(
        box(width, 0.08, 0.25).moved(y=height + 0.04, z=0.1),
        both(box(0.08, 0.22, 0.25).moved(width / 2 - 0.04, height + 0.11, 0.1)),
    )
    leg = cylinder(u(0.04, 0.06), height, u(0.05, 0.09), segments=10).moved(y=height / 2)
    legs = stamped(leg, [(-width * 0.43, 0, -0.1), (width * 0.43, 0, -0.1), (-width * 0.15, 0, -length * 0.85)])
    lyre = join(box(0.18, 0.06, 0.1).moved(y=0.1), both(box(0.03, height, 0.03).moved(0.06, height / 2)))
    lid = from_above(rim, 0.025).moved(x=width / 2)
    lid = lid.turned("z", u(25, 45) if chance(rng, 0.7) else 0).moved(-width / 2, height + depth + 0.015)
    desk = box(0.7, 0.2, 0.02).turned("x", -20).moved(y=height + depth + 0.1, z=-0.2)
    return with_bench(rng, join(body, keys, bed, legs, lyre, lid, desk), 0.65)


def upright_piano(rng: Random) -> Mesh:
    u = rng.uniform
    width, height, depth, key_height = u(1.35, 1.55), u(1.0, 1.35), u(0.28, 0.4), u(0.62, 0.7)
    reach = u(0.24, 0.32)
    case = box(width, height, depth).moved(y=height / 2)
    lid = box(width + 0.04, 0.03, depth + 0.04).moved(y=height + 0.015)
    z = depth / 2 + reach
    bed = box(width, 0.06, reach).moved(y=key_height, z=depth / 2 + reach / 2)
    cheeks = both(box(0.06, 0.18, reach).moved(width / 2 - 0.03, key_height + 0.12, depth / 2 + reach / 2))
    parts = [case, lid, bed, cheeks, piano_keys(width * 0.88, 0.15).moved(y=key_height + 0.05, z=z - 0.02)]
    parts.append(both(cylinder(0.03, key_height, u(0.03, 0.06)).moved(width / 2 - 0.06, key_height / 2, z - 0.06)))
    parts.append(box(width * 0.6, 0.2, 0.02).turned("x", -12).moved(y=key_height + 0.28, z=depth / 2 + 0.05))
    parts.append(stamped(box(0.05, 0.02, 0.1), [(x, 0.08, depth / 2 + 0.05) for x in (-0.1, 0, 0.1)]))
    return with_bench(rng, join(*parts), z + 0.35)


def digital_piano(rng: Random) -> Mesh:
    u = rng.uniform
    width, depth, height = u(1.2, 1.4), u(0.28, 0.42), u(0.65, 0.75)
    slab = box(width, 0.1, depth).moved(y=height + 0.05)
    panel = box(width, 0.06, depth * 0.45).moved(y=height + 0.13, z=-depth * 0.27)
    keys = piano_keys(width * 0.9, depth * 0.45).moved(y=height + 0.11, z=depth * 0.47)
    sides = both(box(0.03, height, depth).moved(width / 2 - 0.03, height / 2))
    back = box(width - 0.06, u(0.15, 0.4), 0.02).moved(y=height * 0.6, z=-depth * 0.4)
    desk = box(width * 0.4, 0.2, 0.01).turned("x", -15).moved(y=height + 0.25, z=-depth * 0.35)
    return with_bench(rng, join(slab, panel, keys, sides, back, desk), 0.6)


def synthesizer(rng: Random) -> Mesh:
    u = rng.uniform
    width, depth, height = u(0.7, 1.3), u(0.25, 0.38), u(0.6, 0.9)
    board = join(
        box(width, 0.07, depth),
        piano_keys(width * 0.92, depth * 0.5).moved(y=0.045, z=depth * 0.48),
        stamped(
            barrel(0.012, 0.02, segments=6).turned("x", 90),
            [(x * width, 0.045, -depth * 0.3) for x in np.linspace(-0.4, 0.4, 9)],
        ),
    )
    if chance(rng, 0.3):
        return board
    cross = [((-0.35, 0, z), (0.3, height, z)) for z in (-0.12, 0.12)] + [
        ((0.35, 0, z), (-0.3, height, z)) for z in (-0.12, 0.12)
    ]
    feet = [((x, y, -0.2), (x, y, 0.2)) for x, y in ((-0.35, 0), (0.35, 0), (-0.3, height), (0.3, height))]
    return join(board.moved(y=height + 0.05), bars([*cross, *feet], 0.015))


category(
    "piano",
    grand=grand_piano,
    upright=upright_piano,
    digital=digital_piano,
    synthesizer=synthesizer,
)
