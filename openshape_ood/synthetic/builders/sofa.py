"""Sofas, sectionals, settees and day beds to sit on."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both, row, spread
from openshape_ood.synthetic.builders._seats import feet, legs
from openshape_ood.synthetic.builders._shapes import bent_board, curved_wall, rails, rounded, slab, soft
from openshape_ood.synthetic.builders._textiles import (
    back_cushions,
    block_arm,
    bolster,
    couch,
    flared_arm,
    framed_arm,
    padded_arm,
    rolled_arm,
    seat_cushions,
    slim_arm,
    throw_pillows,
    underframe,
)
from openshape_ood.synthetic.catalog import Random, category, chance, pick
from openshape_ood.synthetic.mesh import Mesh, cylinder, ellipsoid, extrude, join


def cushioned_sofa(rng: Random) -> Mesh:
    seats = rng.randint(2, 5)
    return couch(rng, 0.3 + seats * rng.uniform(0.55, 0.8), seats)


def corner_sofa(rng: Random) -> Mesh:
    """An L: a row with a back along -z and a second one at the side, or a chaise without a back."""
    w, d, leg = rng.uniform(2.0, 3.1), rng.uniform(0.8, 1.0), rng.uniform(1.3, 2.4)
    foot, seat, t = rng.uniform(0.02, 0.14), rng.uniform(0.38, 0.46), rng.uniform(0.1, 0.18)
    wall, rise, r = rng.uniform(0.1, 0.2), rng.uniform(0.28, 0.42), rng.uniform(0.12, 0.35)
    x = (w - d) / 2
    long = leg - d
    parts = [underframe(rng, w, seat - t - foot, d, foot)]
    parts.append(underframe(rng, d, seat - t - foot, long, foot).moved(x, 0, leg / 2))
    parts.append(soft(w, seat + rise - foot - 0.05, wall, foot, z=-(d - wall) / 2, edge=0.12))
    count = rng.randint(2, 4)
    parts.append(seat_cushions(rng, w - d, d - wall, count, seat - t, t).moved(-d / 2, 0, wall / 2))
    parts.append(soft(d, t, leg - wall, seat - t, x=x, z=(leg - d + wall) / 2, edge=r * 0.7))
    parts.append(back_cushions(rng, w - d, count, rise).moved(-d / 2, seat, -d / 2 + wall + 0.1))
    arm, wide = (block_arm, slim_arm, padded_arm)[rng.randint(3)](rng, d, seat - foot + rng.uniform(0.1, 0.25))
    parts.append(arm.moved(-(w + wide) / 2, foot, 0))
    if chance(rng, 0.5):
        parts.append(soft(wall, seat + rise - foot - 0.05, leg, foot, x=(w - wall) / 2, z=(leg - d) / 2, edge=0.12))
        side = back_cushions(rng, leg - d, rng.randint(1, 3), rise).turned("y", -90)
        parts.append(side.moved(w / 2 - wall - 0.1, seat, leg / 2))
    else:
        parts.append(back_cushions(rng, d, 1, rise).moved(x, seat, -d / 2 + wall + 0.1))
    if chance(rng, 0.4):
        parts.append(throw_pillows(rng, w * 0.8, seat, 0.0))
    parts.append(feet(rng, w, d, foot + 0.01))
    whole = join(*parts)
    return whole.mirrored("x") if chance(rng, 0.5) else whole


def chesterfield(rng: Random) -> Mesh:
    """Tufted sofa with rolled arms and a rolled back of the same height."""
    w, d, foot = rng.uniform(1.5, 2.3), rng.uniform(0.8, 1.0), rng.uniform(0.05, 0.12)
    seat, h, r, t = rng.uniform(0.4, 0.46), rng.uniform(0.66, 0.8), rng.uniform(0.08, 0.13), rng.uniform(0.12, 0.2)
    arm = join(slab(t, h - foot - r, d, foot), cylinder(r, d).turned("x", 90).moved(y=h - r))
    back = join(slab(w, h - foot - r, t, foot), cylinder(r, w + 1.6 * r).turned("z", 90).moved(y=h - r))
    count = rng.randint(1, 4)
    parts = [
        both(arm.moved((w - t) / 2 + r * 0.4)),
        back.moved(z=-(d - t) / 2),
        slab(w - 2 * t, seat - 0.15 - foot, d - 0.04, foot),
        seat_cushions(rng, w - 2 * t, d - t, count, seat - 0.15, 0.16).moved(z=t / 2),
        feet(rng, w, d, foot + 0.01),
    ]
    if chance(rng, 0.6):
        y, z = (seat + h - r) / 2, -d / 2 + t
        dent = ellipsoid((w - 2 * t) / 6, (h - r - seat) / 1.6, 0.08, 8)
        parts.append(row(dent.moved(0, y, z), spread(6, w - 2 * t)))
    return join(*parts)


def chaise(rng: Random) -> Mesh:
    """A long seat for lying on: raised head end along x, sometimes a back along half of one side."""
    length, d, h = rng.uniform(1.5, 1.95), rng.uniform(0.6, 0.8), rng.uniform(0.26, 0.4)
    t, rise = rng.uniform(0.1, 0.2), rng.uniform(0.25, 0.5)
    end = length / 2
    style = pick(rng, ("curve", "roll", "block"))
    if style == "curve":
        path = [(end, h), (end * 0.2, h), (-end * 0.5, h), (-end * 1.0, h + rise)]
        body = bent_board(rounded(path, 3), d, t).turned("y", 90)
    elif style == "roll":
        head = cylinder(0.12, d, segments=14).turned("x", 90).moved(-end, h + t + rise * 0.7, 0)
        rest = soft(0.16, rise + t, d, h, x=-end + 0.04)
        body = join(soft(length, t, d, h, edge=0.2), rest, head)
    else:
        body = join(soft(length, t, d, h), soft(0.2, rise + t, d, h, x=-end + 0.1, edge=0.25))
    parts = [body, legs(rng, length * 0.85, d * 0.9, h + 0.02)]
    if style != "curve" and chance(rng, 0.5):
        parts.append(soft(length * rng.uniform(0.5, 0.8), rise + t, 0.12, h, x=-length * 0.12, z=-d / 2, edge=0.3))
    if chance(rng, 0.4):
        parts.append(bolster(rng, d * 0.8, 0.09).turned("y", 90).moved(-end * 0.65, h + t + 0.1, 0))
    whole = join(*parts)
    return whole.mirrored("x") if chance(rng, 0.5) else whole


def armless_sofa(rng: Random) -> Mesh:
    """A modern seat and back on thin legs, flat or buttoned in squares."""
    w, d, h = rng.uniform(1.3, 2.2), rng.uniform(0.7, 0.9), rng.uniform(0.18, 0.32)
    t, rise, count = rng.uniform(0.1, 0.2), rng.uniform(0.3, 0.45), rng.randint(1, 5)
    r = rng.uniform(0.12, 0.35)
    seat = row(soft(w / count, t, d, h, edge=r), spread(count, w))
    back = row(soft(w / count, rise + t, t, edge=r), spread(count, w)).turned("x", -rng.uniform(0, 15))
    return join(seat, back.moved(0, h + 0.02, -d / 2 + t / 2), legs(rng, w * 0.9, d * 0.85, h + 0.02))


def sofa_bed(rng: Random) -> Mesh:
    """Sofa pulled out into a bed, or a folded futon on a wooden frame."""
    w, d = rng.uniform(1.5, 2.2), rng.uniform(0.85, 1.0)
    if chance(rng, 0.5):
        body = couch(rng, w, 2, depth=d)
        reach = rng.uniform(0.8, 1.2)
        sheet_bed = soft(w - 0.5, 0.14, reach, 0.3, z=d / 2 + reach / 2 - 0.02, edge=0.15)
        stand = both(slab(0.03, 0.32, 0.03, x=w / 2 - 0.3, z=d / 2 + reach - 0.08))
        return join(body, sheet_bed, stand)
    h, t = rng.uniform(0.28, 0.36), rng.uniform(0.1, 0.18)
    seat = soft(w, t, d * 0.85, h, edge=0.25).turned("x", -4)
    back = soft(w, rng.uniform(0.5, 0.65), t, edge=0.25).turned("x", -rng.uniform(12, 30)).moved(0, h + 0.04, -d * 0.4)
    arm, wide = (slim_arm if chance(rng, 0.4) else framed_arm)(rng, d, rng.uniform(0.5, 0.65))
    slats = join(*[slab(w, 0.03, 0.06, h - 0.03, z=z) for z in spread(5, d * 0.8)])
    return join(seat, back, slats, both(arm.moved((w + wide) / 2)))


def camelback_sofa(rng: Random) -> Mesh:
    """A back with a swung upper edge, rolled or flared arms and visible legs."""
    w, d, h, seat = rng.uniform(1.4, 2.1), rng.uniform(0.7, 0.85), rng.uniform(0.14, 0.24), rng.uniform(0.42, 0.48)
    hump, t, low = rng.uniform(0.05, 0.2), rng.uniform(0.1, 0.16), rng.uniform(0.25, 0.35)
    x = np.linspace(-w / 2, w / 2, 15)
    top = seat + low + hump * np.cos(x / w * np.pi * rng.choice([1, 2])) ** 2
    back = extrude([*zip(x, top, strict=True), (w / 2, h), (-w / 2, h)], t).moved(z=-d / 2 + t / 2)
    arm, wide = (rolled_arm if chance(rng, 0.6) else flared_arm)(rng, d, seat + 0.2 - h)
    inner, count = w - wide * 2, rng.randint(1, 4)
    cushions = seat_cushions(rng, inner, d - t, count, seat - 0.14, 0.14).moved(z=t / 2)
    body = slab(inner, seat - 0.14 - h, d - 0.03, h)
    stand = legs(rng, w * 0.95, d * 0.9, h + 0.02, ("turned", "tapered", "cabriole"), (0.04, 0.07))
    return join(back, both(arm.moved((w - wide) / 2, h, 0)), cushions, body, stand)


def curved_sofa(rng: Random) -> Mesh:
    """Seat and back along an arc."""
    r, t, foot = rng.uniform(1.0, 1.5), rng.uniform(0.12, 0.25), rng.uniform(0.02, 0.15)
    span, seat, rise = rng.uniform(70, 130), rng.uniform(0.38, 0.45), rng.uniform(0.28, 0.4)
    back = curved_wall(r, t, foot, np.full(17, seat + rise), span, rng.uniform(1, 1.05))
    depth = rng.uniform(0.5, 0.65)
    base = curved_wall(r - t, depth, foot, np.full(17, seat), span)
    foot_at = cylinder(0.025, foot + 0.02, segments=8).moved(0, foot / 2, -r + 0.15)
    ends = [foot_at.turned("y", a) for a in np.linspace(-span / 2.2, span / 2.2, 4)]
    return join(back, base, *ends)


def framed_sofa(rng: Random) -> Mesh:
    """Loose cushions in an open wooden or metal frame."""
    seats = rng.randint(2, 4)
    return couch(rng, 0.2 + seats * rng.uniform(0.55, 0.7), seats, framed_arm)


def wood_settee(rng: Random) -> Mesh:
    """Loose cushions on a see-through frame with a slatted back."""
    w, d, h, t = rng.uniform(1.3, 2.0), rng.uniform(0.65, 0.8), rng.uniform(0.26, 0.34), rng.uniform(0.03, 0.05)
    rise, count = rng.uniform(0.4, 0.5), rng.randint(2, 4)
    slats = row(slab(t, rise, 0.015), spread(rng.randint(6, 14), w - t))
    back = join(slats, slab(w, 0.06, 0.03, rise), slab(w, 0.05, 0.03)).turned("x", -10).moved(0, h, -d / 2)
    arm, wide = framed_arm(rng, d, h + rng.uniform(0.22, 0.3))
    frame = join(rails(w, 0.07, d, 0.025, h - 0.04), both(arm.moved((w + wide) / 2)), back)
    pads = seat_cushions(rng, w, d * 0.95, count, h + 0.02, rng.uniform(0.1, 0.15))
    return join(frame, pads, back_cushions(rng, w, count, rise * 0.95).moved(0, h + 0.12, -d / 2 + 0.12))


def sofa_module(rng: Random) -> Mesh:
    """One deep seat of a sectional: a block with a back, one arm or none."""
    w, d, foot = rng.uniform(0.65, 1.2), rng.uniform(0.8, 1.2), rng.uniform(0.0, 0.12)
    seat, t, rise = rng.uniform(0.36, 0.48), rng.uniform(0.12, 0.24), rng.uniform(0.22, 0.48)
    wall, edge = rng.uniform(0.1, 0.3), rng.uniform(0.08, 0.3)
    parts = [underframe(rng, w, seat - t - foot, d, foot), seat_cushions(rng, w, d - wall, 1, seat - t, t)]
    parts[1] = parts[1].moved(z=wall / 2)
    parts.append(soft(w, seat + rise - foot, wall, foot, z=-(d - wall) / 2, edge=edge))
    if chance(rng, 0.6):
        parts.append(back_cushions(rng, 0.95 * w, 1, rise).moved(0, seat, -d / 2 + wall + 0.1))
    if chance(rng, 0.6):
        arm, wide = pick(rng, (block_arm, slim_arm, padded_arm))(rng, d, seat - foot + rng.uniform(0, rise))
        parts.append(arm.moved((w + wide) / 2, foot, 0))
    if foot > 0.02:
        parts.append(feet(rng, w, d, foot + 0.01))
    whole = join(*parts)
    return whole.mirrored("x") if chance(rng, 0.5) else whole


def loose_corner_sofa(rng: Random) -> Mesh:
    """A low L of two seat blocks on small feet, with a low wall and many loose cushions leaning on it."""
    w, d, leg = rng.uniform(2.0, 3.4), rng.uniform(0.8, 1.05), rng.uniform(1.5, 2.8)
    foot, seat, wall = rng.uniform(0.03, 0.14), rng.uniform(0.32, 0.44), rng.uniform(0.08, 0.2)
    rise, edge, x = rng.uniform(0.05, 0.3), rng.uniform(0.08, 0.2), (w - d) / 2
    parts = [soft(w, seat - foot, d, foot, edge=edge), feet(rng, w, d, foot + 0.02)]
    parts.append(soft(d, seat - foot, leg - d, foot, x=x, z=leg / 2, edge=edge))
    parts.append(feet(rng, d, leg - d, foot + 0.02).moved(x, 0, leg / 2))
    parts.append(soft(w, seat + rise - foot, wall, foot, z=-(d - wall) / 2, edge=edge))
    parts.append(soft(wall, seat + rise - foot, leg, foot, x=(w - wall) / 2, z=(leg - d) / 2, edge=edge))
    tall, t = rise + rng.uniform(0.1, 0.3), rng.uniform(0.14, 0.26)
    runs = [(w - d, 0.0, -d / 2, rng.randint(2, 5)), (leg - d, -90.0, leg / 2, rng.randint(1, 4))]
    for length, turn, place, n in runs:
        for at in spread(n, length):
            one = soft(length / n * rng.uniform(0.8, 1), tall * rng.uniform(0.9, 1.1), t, edge=rng.uniform(0.3, 0.6))
            one = one.turned("x", -rng.uniform(5, 22)).turned("y", turn + rng.uniform(-6, 6))
            back = wall + t / 2 + 0.04
            spot = (w / 2 - back, seat, place + at) if turn else (at - d / 2, seat, place + back)
            parts.append(one.moved(*spot))
    if chance(rng, 0.5):
        parts.append(throw_pillows(rng, w * 0.7, seat, -d / 2 + wall + 0.35))
    whole = join(*parts)
    return whole.mirrored("x") if chance(rng, 0.5) else whole


category(
    "sofa",
    cushioned=cushioned_sofa,
    love_seat=lambda rng: couch(rng, rng.uniform(1.2, 1.55), rng.randint(1, 3)),
    boxy=lambda rng: couch(rng, rng.uniform(1.6, 2.5), rng.randint(1, 4), block_arm),
    corner=corner_sofa,
    chesterfield=chesterfield,
    chaise=chaise,
    armless=armless_sofa,
    sofa_bed=sofa_bed,
    camelback=camelback_sofa,
    curved=curved_sofa,
    framed=framed_sofa,
    settee=wood_settee,
    module=sofa_module,
    low_loose=loose_corner_sofa,
)
