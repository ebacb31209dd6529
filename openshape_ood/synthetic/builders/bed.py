"""Beds from cribs to bunks."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both, four, row, spread
from openshape_ood.synthetic.builders._seats import LEGS, caster, feet, legs
from openshape_ood.synthetic.builders._shapes import bent_board, rails, rounded, rumpled, slab, soft
from openshape_ood.synthetic.builders._textiles import (
    BOARDS,
    arched_board,
    bedding,
    board,
    lying_size,
    sewn,
    tufted_board,
)
from openshape_ood.synthetic.catalog import Random, category, chance, pick
from openshape_ood.synthetic.mesh import Mesh, cylinder, join, rod, sheet


def bed_frame(rng: Random, width: float, length: float, y: float) -> Mesh:
    """Side rails with their upper edge at `y`, on legs or down to the floor."""
    if chance(rng, 0.3):
        return slab(width, y, length)
    deep = rng.uniform(0.08, 0.22)
    frame = rails(width, deep, length, rng.uniform(0.02, 0.06), y - deep)
    slats = [slab(width, 0.015, 0.07, y - 0.04, z=z) for z in spread(7, length)]
    stand = legs(rng, width, length, y - deep * 0.5, ("square", "round", "tapered", "turned"), (0.04, 0.1))
    return join(frame, *slats, stand)


def headboard_bed(rng: Random) -> Mesh:
    w, d = lying_size(rng)
    y = rng.uniform(0.22, 0.42)
    h = y + rng.uniform(0.45, 0.95)
    parts = [bed_frame(rng, w + 0.04, d + 0.04, y), bedding(rng, w, d, y - rng.uniform(0, 0.08))]
    parts.append(board(rng, w + rng.uniform(0.04, 0.15), h).moved(z=-d / 2 - 0.06))
    if chance(rng, 0.4):
        parts.append(board(rng, w + 0.06, rng.uniform(0.4, 0.75)).moved(z=d / 2 + 0.06))
    return join(*parts)


def single_bed(rng: Random) -> Mesh:
    w, d = lying_size(rng, 1.1)
    y = rng.uniform(0.22, 0.4)
    parts = [bed_frame(rng, w + 0.04, d + 0.04, y), bedding(rng, w, d, y)]
    parts.append(board(rng, w + 0.05, y + rng.uniform(0.4, 0.75)).moved(z=-d / 2 - 0.05))
    return join(*parts)


def four_poster(rng: Random) -> Mesh:
    w, d = rng.uniform(1.3, 2.0), rng.uniform(1.95, 2.15)
    y, h, t = rng.uniform(0.3, 0.5), rng.uniform(1.7, 2.3), rng.uniform(0.05, 0.12)
    post = LEGS[pick(rng, ("square", "round", "turned"))](rng, h, t)
    parts = [four(post.moved(w / 2 + t / 2, 0, d / 2 + t / 2)), rails(w + t, 0.18, d + t, 0.04, y - 0.15)]
    parts += [bedding(rng, w, d, y), board(rng, w, rng.uniform(0.8, 1.3)).moved(z=-d / 2 - t / 2)]
    kind = pick(rng, ("open", "roof", "frame", "curtains"))
    if kind != "open":
        parts.append(rails(w + 2 * t, rng.uniform(0.04, 0.15), d + 2 * t, 0.04, h - 0.04))
    if kind == "roof":
        parts.append(slab(w + 2 * t, 0.04, d + 2 * t, h))
    if kind == "curtains":
        parts.append(four(curtain(rng, 0.35, h).moved(w / 2 + t, 0, d / 2 - 0.17)))
    return join(*parts)


def curtain(rng: Random, width: float, height: float) -> Mesh:
    """A gathered cloth from the floor up, along z about the origin."""
    waves = rng.uniform(15, 30)
    return sheet(lambda u, v: np.stack([0.03 * np.sin(waves * v), u * height, (v - 0.5) * width], axis=-1), 4, 17)


def ladder(width: float, height: float, lean: float, count: int) -> Mesh:
    """Ladder in the x-y plane, leaning to -z."""
    side = rod((width / 2, 0, lean), (width / 2, height, 0), 0.02)
    rung = rod((-width / 2, 0, 0), (width / 2, 0, 0), 0.015)
    rungs = [rung.moved(0, h * height, lean * (1 - h)) for h in np.linspace(0.15, 0.9, count)]
    return join(both(side), *rungs)


def guard_rail(rng: Random, length: float, height: float) -> Mesh:
    """Boards or bars along x, from y = 0."""
    if chance(rng, 0.5):
        boards = [slab(length, height * 0.28, 0.02, y) for y in (height * 0.1, height * 0.7)]
        return join(*boards)
    rail = slab(length, 0.03, 0.03, height - 0.03)
    return join(rail, row(slab(0.02, height, 0.02), spread(rng.randint(6, 14), length)))


def raised_bed(rng: Random, width: float, length: float, y: float, height: float) -> Mesh:
    """The upper bed of a bunk: rails, mattress, posts to the floor and guard rails."""
    t = rng.uniform(0.04, 0.09)
    post = LEGS[pick(rng, ("square", "round"))](rng, height, t).moved(width / 2, 0, length / 2)
    side = guard_rail(rng, length * rng.uniform(0.6, 0.95), height - y - 0.05).turned("y", 90)
    ends = guard_rail(rng, width, height - y).moved(0, y, length / 2)
    fence = join(both(side.moved(width / 2, y + 0.05)), both(ends, "z"))
    frame = join(four(post), rails(width, 0.13, length, 0.03, y - 0.06))
    return join(frame, fence, bedding(rng, width - 0.06, length - 0.06, y, rng.uniform(0.1, 0.18)))


def bunk_bed(rng: Random) -> Mesh:
    w, d = rng.uniform(0.85, 1.1), rng.uniform(1.85, 2.1)
    y, top = rng.uniform(0.25, 0.4), rng.uniform(1.2, 1.5)
    low = rng.uniform(w, w * 1.5) if chance(rng, 0.25) else w
    parts = [raised_bed(rng, w, d, top, top + rng.uniform(0.3, 0.5)), rails(low, 0.13, d, 0.03, y - 0.06)]
    parts.append(bedding(rng, low - 0.06, d - 0.06, y, 0.15))
    end = guard_rail(rng, w, 0.45).moved(0, y, d / 2)
    parts.append(both(end, "z"))
    climb = ladder(0.4, top + 0.1, rng.uniform(0, 0.35), rng.randint(4, 7)).turned("y", 90)
    parts.append(climb.moved(w / 2 + 0.03, 0, rng.uniform(-0.3, 0.35) * d))
    return join(*parts).turned("y", -90 * rng.randint(0, 2))


def loft_bed(rng: Random) -> Mesh:
    """A high bed above a desk, shelves or nothing."""
    w, d, top = rng.uniform(0.9, 1.3), rng.uniform(1.9, 2.1), rng.uniform(1.2, 1.7)
    parts = [raised_bed(rng, w, d, top, top + rng.uniform(0.28, 0.45))]
    kind = pick(rng, ("desk", "shelves", "empty"))
    if kind == "desk":
        parts.append(slab(w * 0.6, 0.03, d * 0.9, 0.72, x=-w * 0.18))
    elif kind == "shelves":
        parts += [slab(w * 0.9, 0.025, 0.4, y, z=-d / 2 + 0.25) for y in np.linspace(0.1, top - 0.3, 4)]
    climb = ladder(0.4, top + 0.1, rng.uniform(0, 0.4), 5).turned("y", 90)
    return join(*parts, climb.moved(w / 2 + 0.03, 0, 0.3 * d))


def platform_bed(rng: Random) -> Mesh:
    """Bed with upholstery on all sides; the mattress is sunk into a thick rim or is on a wider slab."""
    w, d = lying_size(rng)
    t, y, foot = rng.uniform(0.06, 0.15), rng.uniform(0.22, 0.36), rng.uniform(0.0, 0.1)
    if chance(rng, 0.6):
        side = soft(t, y - foot, d + t, foot, x=(w + t) / 2, edge=0.25)
        frame = join(both(side), soft(w + 2 * t, y - foot, t, foot, z=(d + t) / 2, edge=0.25))
    else:
        frame = join(slab(w + 3 * t, 0.1, d + 2 * t, y - 0.14), slab(w * 0.85, y - 0.12, d * 0.85))
    head = tufted_board(rng, w + 2 * t * rng.uniform(1, 2), rng.uniform(0.75, 1.3)).moved(z=-d / 2 - t / 2)
    return join(frame, head, bedding(rng, w, d, y - 0.1), feet(rng, w, d, foot + 0.02))


def sleigh_bed(rng: Random) -> Mesh:
    w, d = lying_size(rng)
    y, t = rng.uniform(0.28, 0.42), rng.uniform(0.03, 0.07)

    def scroll(height: float) -> Mesh:
        path = np.array([(0, 0.05), (-0.02, 0.5), (-0.06, 0.85), (-0.2, 1.0), (-0.28, 0.9)]) * height
        return join(bent_board(rounded(path), w + 0.1, t), slab(w + 0.12, 0.12, t * 1.6))

    head = scroll(rng.uniform(0.9, 1.25)).moved(z=-d / 2 - t)
    foot = scroll(rng.uniform(0.55, 0.85)).turned("y", 180).moved(z=d / 2 + t)
    side = both(slab(0.04, 0.25, d, y - 0.15, x=w / 2 + 0.02))
    return join(head, foot, side, bedding(rng, w, d, y))


def crib(rng: Random) -> Mesh:
    w, d, y, h = rng.uniform(0.55, 0.78), rng.uniform(1.1, 1.45), rng.uniform(0.2, 0.5), rng.uniform(0.8, 1.1)
    t, bar = rng.uniform(0.03, 0.06), rng.uniform(0.006, 0.011)
    stick = cylinder(bar, h - y, segments=6).moved(y=(h + y) / 2)
    side = row(stick, spread(rng.randint(9, 18), d - t)).turned("y", 90)
    side = join(side, slab(0.03, 0.04, d, h - 0.04), slab(0.03, 0.05, d, y - 0.05)).moved(w / 2)
    if chance(rng, 0.4):
        end = arched_board(w, h - y + rng.uniform(0.03, 0.2), 0.025, 0.1).moved(0, y, d / 2)
    else:
        end = join(row(stick, spread(6, w - t)), slab(w, 0.05, 0.03, h - 0.03), slab(w, 0.06, 0.03, y - 0.06))
        end = end.moved(z=d / 2)
    post = LEGS[pick(rng, ("square", "round", "turned"))](rng, h + 0.02, t)
    parts = [both(side), both(end, "z"), four(post.moved(w / 2, 0, d / 2))]
    parts.append(soft(w - t, 0.1, d - t, y, edge=0.12))
    if chance(rng, 0.25):
        parts.append(rails(w - t, 0.18, d - t, 0.02, 0.05))
    return join(*parts)


def hospital_bed(rng: Random) -> Mesh:
    """Adjustable bed: raised head part, boards at the ends, side rails, a frame on casters."""
    w, d, y = rng.uniform(0.85, 1.0), rng.uniform(1.95, 2.2), rng.uniform(0.4, 0.65)
    lift, knee = rng.uniform(0, 55), rng.uniform(0, 20)
    hinge, t = -d * 0.08, rng.uniform(0.1, 0.16)
    upper = soft(w, t, d * 0.42, edge=0.15).moved(z=-d * 0.21).turned("x", lift).moved(0, y, hinge)
    lower = soft(w, t, d * 0.56, edge=0.15).moved(z=d * 0.28).turned("x", -knee * 0.2).moved(0, y, hinge)
    wheel = caster(rng.uniform(0.05, 0.075)).moved(w * 0.4, 0, d * 0.4)
    under = join(slab(w * 0.7, 0.08, d * 0.85, 0.2), four(wheel), four(rod((0.25, 0.25, 0.5), (0.25, y, 0.3), 0.025)))
    head = soft(w, rng.uniform(0.4, 0.55), 0.05, y - 0.05, z=-d / 2 - 0.03)
    foot = soft(w, rng.uniform(0.3, 0.45), 0.05, y - 0.05, z=d / 2 + 0.03)
    parts = [upper, lower, under, slab(w, 0.06, d, y - 0.08), head, foot]
    if chance(rng, 0.75):
        rail = guard_rail(rng, d * 0.35, 0.35).turned("y", 90)
        parts.append(both(rail.moved(w / 2 + 0.03, y + 0.05, -0.05 * d)))
    pillow = sewn(rng, w * 0.6, 0.12, 0.35).moved(0, t + 0.05, -d * 0.3)
    return join(*parts, pillow.turned("x", lift).moved(0, y, hinge))


def daybed(rng: Random) -> Mesh:
    """A single bed with boards on three sides and cushions along the back; its long side faces front."""
    w, d, y = rng.uniform(1.9, 2.15), rng.uniform(0.85, 1.0), rng.uniform(0.28, 0.42)
    h = rng.uniform(0.65, 1.0)
    end = BOARDS[rng.randint(1, 4)]
    parts = [end(rng, w, h).moved(z=-d / 2), both(end(rng, d, h * rng.uniform(0.8, 1)).turned("y", 90).moved(w / 2))]
    parts += [rails(w, 0.15, d, 0.03, y - 0.1), soft(w - 0.08, rng.uniform(0.13, 0.22), d - 0.06, y, edge=0.15)]
    if chance(rng, 0.6):
        count, s = rng.randint(2, 5), rng.uniform(0.38, 0.5)
        one = sewn(rng, s, 0.16, s).turned("x", 70).moved(0, y + 0.15 + s / 2, -d / 2 + 0.2)
        parts.append(row(one, spread(count, w * 0.9)))
    if chance(rng, 0.4):
        parts.append(slab(w * 0.92, y - 0.14, d * 0.95, 0.03, z=rng.uniform(0.02, 0.5)))
    return join(*parts)


def divan_bed(rng: Random) -> Mesh:
    """A box base with drawers, mattress on top, often with a shelved headboard."""
    w, d = lying_size(rng)
    y, h = rng.uniform(0.25, 0.42), rng.uniform(0.7, 1.1)
    parts = [slab(w, y - 0.03, d, 0.03), bedding(rng, w - 0.02, d - 0.02, y)]
    parts.append(four(caster(0.02).moved(w * 0.45, 0, d * 0.45)))
    front = slab(0.025, y * 0.75, d / 3 * 0.9, y * 0.15, x=w / 2 + rng.uniform(0.01, 0.05))
    drawers = join(*[front.moved(z=z) for z in spread(rng.randint(2, 4), d)])
    parts.append(both(drawers))
    if chance(rng, 0.5):
        shelf = [slab(w, 0.025, 0.25, i) for i in (y + 0.35, h)]
        uprights = row(slab(0.025, h, 0.25), (-w / 2, 0, w / 2))
        parts.append(join(*shelf, uprights, slab(w, h, 0.02, z=-0.12)).moved(z=-d / 2 - 0.13))
    elif chance(rng, 0.7):
        parts.append(board(rng, w, h).moved(z=-d / 2 - 0.06))
    return join(*parts)


def flat_bed(rng: Random) -> Mesh:
    """Bed without headboard: a mattress on the floor or on a thin slab, a camp bed or a futon base."""
    w, d = lying_size(rng)
    kind = pick(rng, ("floor", "slab", "camp", "legs"))
    if kind == "floor":
        return bedding(rng, w, d, 0.0)
    if kind == "slab":
        return join(slab(w + 0.3, 0.1, d + 0.2, 0.06), slab(w * 0.8, 0.06, d * 0.8), bedding(rng, w, d, 0.16))
    if kind == "camp":
        stand = [both(rod((-0.35, 0, z), (0.35, 0.42, z), 0.014)) for z in (-d * 0.42, 0, d * 0.42)]
        return join(soft(0.75, 0.05, d, 0.4), *stand, both(rod((0.36, 0.43, -d / 2), (0.36, 0.43, d / 2), 0.018)))
    return join(legs(rng, w, d, 0.25), bedding(rng, w, d, 0.22, rng.uniform(0.25, 0.35)))


def duvet_bed(rng: Random) -> Mesh:
    """A made bed: a thick puffed cover that hangs over three sides, plump pillows, a low headboard or none."""
    w, d = lying_size(rng)
    y, t = rng.uniform(0.1, 0.35), rng.uniform(0.18, 0.32)
    top, puff, hang = y + t, rng.uniform(0.05, 0.14), rng.uniform(0.12, 0.4)
    hang = min(hang, top - 0.03)
    length, edge = d * rng.uniform(0.6, 0.85), rng.uniform(0.12, 0.3)
    cover = soft(w + 2 * puff, puff + hang, length, top - hang, z=(d - length) / 2 + puff, edge=edge)
    parts = [bed_frame(rng, w, d, y), soft(w, t, d, y, edge=0.12)]
    parts.append(rumpled(rng, cover, rng.uniform(0.01, 0.05), 5))
    for x in spread(rng.randint(1, 3) if w < 1.3 else rng.randint(2, 4), w):
        one = sewn(rng, rng.uniform(0.5, 0.75), rng.uniform(0.14, 0.24), rng.uniform(0.35, 0.5))
        parts.append(one.turned("x", rng.uniform(0, 45)).moved(x * 0.9, top + 0.12, -d / 2 + 0.25))
    if chance(rng, 0.6):
        parts.append(board(rng, w + rng.uniform(0, 0.2), top + rng.uniform(0.1, 0.7)).moved(z=-d / 2 - 0.06))
    return join(*parts)


category(
    "bed",
    headboard=headboard_bed,
    single=single_bed,
    four_poster=four_poster,
    bunk=bunk_bed,
    loft=loft_bed,
    platform=platform_bed,
    sleigh=sleigh_bed,
    crib=crib,
    hospital=hospital_bed,
    daybed=daybed,
    divan=divan_bed,
    flat=flat_bed,
    thick_duvet=duvet_bed,
)
