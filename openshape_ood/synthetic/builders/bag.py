"""Bags: carried by hand, on the shoulder or the back, and luggage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openshape_ood.synthetic.builders._bodies import SHARP, Ring, hollow, pot, smooth, solid
from openshape_ood.synthetic.builders._copies import at_corners, both, placed
from openshape_ood.synthetic.builders._fittings import caster
from openshape_ood.synthetic.builders._shapes import arch, ribbon, rumpled
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cushion, join, lathe, torus, tube


def handle_strap(rng: Random, width: float, height: float, across: Sequence[float] = (0, 0, 1)) -> Mesh:
    """An arched handle in the x-y plane from y = 0 up: a flat strap or a cord."""
    path = arch(width, height, rng.uniform(0.5, 1.0))
    if chance(rng, 0.4):
        return tube(path, rng.uniform(0.006, 0.013), segments=6)
    return ribbon(path, across, rng.uniform(0.015, 0.04), 0.006)


def double_handles(rng: Random, width: float, height: float, gap: float, drop: float = 0.0) -> Mesh:
    """Two handles; they stand upright, or one has fallen over by `drop` degrees."""
    handle = handle_strap(rng, width, height)
    lean = rng.uniform(0, 25)
    return join(handle.turned("x", -lean).moved(z=-gap / 2), handle.turned("x", lean + drop).moved(z=gap / 2))


def bag_rings(width: float, height: float, depth: float, top_w: float, top_d: float, belly: float) -> list[Ring]:
    """A soft body from y = 0: fullest at a third of its height, flat at the mouth."""
    shape = (
        (0.0, 0.92, 0.85),
        (0.06, 1.0, 1.0),
        (0.35, 1.0 + 0.3 * belly, 1.0 + belly),
        (0.75, 0.5 + top_w / 2, 0.5 + top_d / 2),
    )
    rings = [Ring(t * height, a * width, b * depth, 5.0) for t, a, b in shape]
    return [*rings, Ring(height, top_w * width, top_d * depth, 4.0)]


def handbag(rng: Random) -> Mesh:
    w, h, d = rng.uniform(0.22, 0.42), rng.uniform(0.15, 0.3), rng.uniform(0.08, 0.18)
    top = rng.uniform(0.5, 0.95)
    body = rumpled(rng, solid(bag_rings(w, h, d, top, rng.uniform(0.12, 0.5), rng.uniform(0, 0.2))), 0.01)
    span = top * w * rng.uniform(0.45, 0.8)
    parts = [body]
    if chance(rng):
        parts += [handle_strap(rng, span, rng.uniform(0.08, 0.25)).moved(y=h - 0.01)]
    else:
        parts += [double_handles(rng, span, rng.uniform(0.08, 0.22), 0.04, rng.choice([0, 0, 70])).moved(y=h - 0.01)]
    if chance(rng, 0.4):
        parts += [cushion(0.8 * w, 0.5 * h, 0.012, 0.3).turned("x", 8).moved(y=0.72 * h, z=0.42 * d)]
    return join(*parts)


def shoulder_strap(rng: Random, path: np.ndarray, width: float = 0.035) -> Mesh:
    return ribbon(path, (1, 0, 0), width * rng.uniform(0.8, 1.6), rng.uniform(0.006, 0.02))


def backpack(rng: Random) -> Mesh:
    w, h, d = rng.uniform(0.26, 0.36), rng.uniform(0.38, 0.6), rng.uniform(0.12, 0.24)
    rings = [Ring(0, 0.85 * w, 0.8 * d, 5), Ring(0.06 * h, w, d, 5), Ring(0.6 * h, w * 0.97, d * 0.95, 5)]
    rings += [
        Ring(0.85 * h, 0.85 * w, 0.75 * d, 4),
        Ring(0.96 * h, 0.6 * w, 0.45 * d, 3),
        Ring(h, 0.25 * w, 0.15 * d, 2),
    ]
    parts = [rumpled(rng, solid(rings), 0.012)]
    pocket_h = h * rng.uniform(0.35, 0.5)
    parts += [cushion(0.78 * w, pocket_h, 0.12, 0.4).moved(y=0.06 * h + pocket_h / 2, z=d / 2 + 0.01)]
    z, bow = -0.4 * d, rng.uniform(0.04, 0.16)
    path = np.array([[0, 0.9, 0], [0, 0.88, -0.5], [0, 0.7, -1], [0, 0.4, -0.9], [0, 0.15, -0.3], [0, 0.08, 0]])
    strap = shoulder_strap(rng, path * [0, h, bow] + [0, 0, z], 0.05)
    parts += [both(strap.moved(0.25 * w)), handle_strap(rng, 0.09, 0.05).moved(y=0.95 * h, z=-0.2 * d)]
    if chance(rng, 0.5):
        parts += [both(cushion(0.08, 0.4 * h, 0.6 * d, 0.5).moved(w / 2, 0.28 * h))]
    if chance(rng, 0.35):
        parts += [cushion(0.95 * w, 0.12, 1.1 * d, 0.4).moved(y=h)]
    return join(*parts)


def tote(rng: Random) -> Mesh:
    """An open shopper with two long handles."""
    w, h, d = rng.uniform(0.3, 0.48), rng.uniform(0.28, 0.45), rng.uniform(0.06, 0.2)
    mouth = rng.uniform(0.3, 1.0)
    rings = [Ring(0, 0.9 * w, d, 6), Ring(0.1 * h, 0.93 * w, d, 6), Ring(0.6 * h, 0.97 * w, (1 + mouth) / 2 * d, 5)]
    body = rumpled(rng, hollow([*rings, Ring(h, w, mouth * d, 3)], 0.004), 0.012)
    drop = rng.choice([0.0, 0.0, 100.0])
    handles = double_handles(rng, 0.45 * w, rng.uniform(0.15, 0.32), mouth * d, drop)
    return join(body, handles.moved(y=h - 0.02))


def duffel(rng: Random) -> Mesh:
    length, r = rng.uniform(0.45, 0.8), rng.uniform(0.12, 0.2)
    flat = rng.choice([2.0, 3.0])
    ends = ((0, 0.8), (0.03, 0.97), (0.25, 1.0), (0.5, 1.02), (0.75, 1.0), (0.97, 0.97), (1, 0.8))
    roll = solid([Ring(t * length, 2 * r * s, 2 * r * s, flat) for t, s in ends]).turned("z", 90).moved(length / 2)
    body = rumpled(rng, roll.scaled(1, rng.uniform(0.8, 1.0), 1), 0.015)
    handles = double_handles(rng, 0.4 * length, rng.uniform(0.1, 0.2), 0.5 * r, rng.choice([0, 60]))
    parts = [body, handles.moved(y=0.8 * r)]
    if chance(rng):
        parts += [ribbon(arch(0.9 * length, rng.uniform(0.15, 0.4)), (0, 0, 1), 0.04, 0.006).moved(y=0.5 * r)]
    if chance(rng):
        parts += [cushion(0.4 * length, 1.1 * r, 0.08, 0.3).moved(z=r)]
    return join(*parts)


def suitcase(rng: Random) -> Mesh:
    w, h, d = rng.uniform(0.34, 0.52), rng.uniform(0.5, 0.78), rng.uniform(0.2, 0.32)
    parts = [cushion(w, h, d, rng.choice([0.12, 0.2, 0.3])).moved(y=h / 2 + 0.05)]
    parts += [at_corners(caster(0.025), w / 2 - 0.05, d / 2 - 0.05)]
    if chance(rng, 0.6):
        grip = tube(arch(0.55 * w, rng.uniform(0.15, 0.45), 0.3), 0.009, segments=6)
        parts += [grip.moved(y=h + 0.04, z=-d / 2 + 0.04)]
    if chance(rng):
        parts += [placed(box(0.02, 0.9 * h, 0.02), [(x * w, h / 2 + 0.05, d / 2) for x in (-0.3, -0.1, 0.1, 0.3)])]
    if chance(rng):
        parts += [cushion(0.8 * w, 0.45 * h, 0.06, 0.3).moved(y=0.35 * h, z=d / 2)]
    return join(*parts, handle_strap(rng, 0.14, 0.04).moved(y=h + 0.05))


def briefcase(rng: Random) -> Mesh:
    w, h, d = rng.uniform(0.36, 0.48), rng.uniform(0.26, 0.36), rng.uniform(0.07, 0.15)
    body = box(w, h, d) if chance(rng, 0.3) else cushion(w, h, d, rng.uniform(0.1, 0.3))
    parts = [body.moved(y=h / 2), handle_strap(rng, 0.14, rng.uniform(0.04, 0.08)).moved(y=h - 0.005)]
    if chance(rng, 0.6):
        flap = cushion(0.98 * w, 0.55 * h, 0.012, 0.15).moved(y=0.72 * h, z=d / 2)
        parts += [flap, placed(box(0.03, 0.05, 0.015), [(x * w, 0.45 * h, d / 2 + 0.01) for x in (-0.28, 0.28)])]
    if chance(rng, 0.4):
        parts += [ribbon(arch(0.95 * w, rng.uniform(0.2, 0.45)), (0, 0, 1), 0.035, 0.006).moved(y=0.9 * h)]
    return join(*parts)


def paper_bag(rng: Random) -> Mesh:
    """A gusseted bag, open, with cord handles, or rolled shut at the top."""
    w, h, d = rng.uniform(0.18, 0.4), rng.uniform(0.25, 0.48), rng.uniform(0.08, 0.18)
    if chance(rng, 0.25):
        shape = [
            Ring(0, w, d, SHARP),
            Ring(0.65 * h, w, d, 20),
            Ring(0.9 * h, w, 0.12 * d, 10),
            Ring(h, w, 0.1 * d, 10),
        ]
        return rumpled(rng, solid(shape), 0.01)
    body = hollow([Ring(0, w, d, SHARP), Ring(0.5 * h, w, d * rng.uniform(0.85, 1), 20), Ring(h, w, d, 20)], 0.002)
    body = rumpled(rng, body, rng.uniform(0.0, 0.012))
    if chance(rng, 0.2):
        return body
    return join(body, double_handles(rng, 0.35 * w, rng.uniform(0.08, 0.16), 0.95 * d).moved(y=h - 0.01))


def sack(rng: Random) -> Mesh:
    """A filled sack tied below its mouth, or a rubbish bag with a knot."""
    r, h = rng.uniform(0.14, 0.32), rng.uniform(0.35, 0.85)
    neck_y, tie = rng.uniform(0.72, 0.85), rng.uniform(0.12, 0.3)
    profile = [(0.75 * r, 0), (r, 0.12 * h), (r * rng.uniform(0.95, 1.1), 0.4 * h), (0.7 * r, 0.62 * h)]
    profile += [(tie * r, neck_y * h), (tie * 1.2 * r, (neck_y + 0.03) * h), (rng.uniform(0.3, 0.75) * r, h)]
    outside = smooth(profile, 14)
    body = lathe([(0, 0), *outside, (0.02, outside[-1][1] - 0.05)], 18).scaled(1, 1, rng.uniform(0.7, 1.0))
    ring = torus(tie * r + 0.008, 0.01, segments=12).moved(y=neck_y * h)
    return join(rumpled(rng, body, rng.uniform(0.02, 0.05), 5), ring)


def shoulder_bag(rng: Random) -> Mesh:
    """A satchel with a flap and one long strap, standing up or hanging down beside it."""
    w, h, d = rng.uniform(0.22, 0.4), rng.uniform(0.18, 0.32), rng.uniform(0.07, 0.14)
    body = cushion(w, h, d, rng.uniform(0.15, 0.4)).moved(y=h / 2)
    flap = cushion(1.02 * w, h * rng.uniform(0.5, 0.85), 0.015, 0.25)
    flap = flap.moved(y=h - flap.size()[1] / 2, z=d / 2)
    lid = cushion(1.02 * w, 0.02, d, 0.2).moved(y=h)
    strap = ribbon(arch(0.98 * w, rng.uniform(0.3, 0.75), rng.uniform(0.5, 1)), (0, 0, 1), 0.03, 0.005)
    return join(
        rumpled(rng, join(body, flap, lid), 0.008), strap.turned("x", rng.choice([0, 0, 20, 50])).moved(y=0.9 * h)
    )


def drawstring_bag(rng: Random) -> Mesh:
    """A bucket-shaped bag gathered at the mouth, hung from cords."""
    r, h = rng.uniform(0.1, 0.2), rng.uniform(0.22, 0.5)
    profile = smooth([(0.85 * r, 0), (r, 0.15 * h), (r, 0.6 * h), (0.55 * r, 0.85 * h), (0.75 * r, h)], 12)
    body = rumpled(rng, pot(profile, 0.006, 18), 0.012)
    cord = tube(arch(1.1 * r, rng.uniform(0.1, 0.4)), 0.006, segments=6).moved(y=0.83 * h)
    return join(body, cord)


def plastic_bag(rng: Random) -> Mesh:
    """A carrier bag: bulging, pinched to two loops at the top."""
    w, h, d = rng.uniform(0.25, 0.36), rng.uniform(0.28, 0.42), rng.uniform(0.12, 0.24)
    rings = [Ring(0, 0.7 * w, 0.7 * d, 3), Ring(0.1 * h, 0.95 * w, d, 3), Ring(0.45 * h, w, d, 2.5)]
    body = hollow([*rings, Ring(0.8 * h, 0.8 * w, 0.45 * d, 2.5), Ring(h, 0.75 * w, 0.25 * d, 2.5)], 0.003)
    loop = ribbon(arch(0.28 * w, rng.uniform(0.1, 0.18)), (0, 0, 1), 0.05, 0.004).moved(0.22 * w, h - 0.02)
    return rumpled(rng, join(body, both(loop)), 0.03, 5)


category(
    "bag",
    handbag=handbag,
    backpack=backpack,
    tote=tote,
    duffel=duffel,
    suitcase=suitcase,
    briefcase=briefcase,
    paper_bag=paper_bag,
    sack=sack,
    shoulder_bag=shoulder_bag,
    drawstring=drawstring_bag,
    plastic_bag=plastic_bag,
)
