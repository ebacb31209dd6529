"""Chairs from four legs and a back to folding and garden chairs."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both, row, spread
from openshape_ood.synthetic.builders._easy_chairs import (
    bean_bag,
    club_chair,
    egg_chair,
    lounge_chair,
    recliner,
    shell_chair,
    throne,
    tub_chair,
    tulip_chair,
    wing_chair,
)
from openshape_ood.synthetic.builders._seats import backrest, legs, open_arms, star_base, stretchers
from openshape_ood.synthetic.builders._shapes import (
    bent_board,
    curved_board,
    curved_wall,
    disc,
    rails,
    rounded,
    slab,
    soft,
)
from openshape_ood.synthetic.catalog import Random, category, chance, pick
from openshape_ood.synthetic.mesh import Mesh, cushion, join, rod, torus, tube


def seat_plate(rng: Random, width: float, depth: float, y: float) -> tuple[Mesh, float]:
    """A seat with its underside at `y` (board, pad, disc or trapezium), and the height of its top."""
    kind = pick(rng, ("board", "pad", "both", "disc", "wedge"))
    t = rng.uniform(0.05, 0.11) if kind in ("pad", "both") else rng.uniform(0.018, 0.05)
    if kind == "pad":
        return soft(width, t, depth, y, edge=rng.uniform(0.12, 0.4)), y + t
    if kind == "both":
        top = soft(width * 0.95, t, depth * 0.95, y + 0.02, edge=rng.uniform(0.3, 0.5))
        return join(rails(width, 0.05, depth, 0.025, y - 0.02), top), y + t + 0.02
    if kind == "disc":
        return disc(0.5, t, y).scaled(width, 1, depth), y + t
    narrow = rng.uniform(0.75, 1)
    return slab(width, t, depth, y).deformed(lambda p: narrowed(p, narrow, depth)), y + t


def narrowed(points: np.ndarray, factor: float, depth: float) -> np.ndarray:
    """Points with x scaled from 1 at the front to `factor` at the back."""
    points[:, 0] *= factor + (1 - factor) * (points[:, 2] / depth + 0.5)
    return points


def four_leg_chair(rng: Random) -> Mesh:
    w, d, under = rng.uniform(0.37, 0.56), rng.uniform(0.37, 0.54), rng.uniform(0.37, 0.48)
    seat, top = seat_plate(rng, w, d, under)
    back = backrest(rng, w * rng.uniform(0.75, 1), rng.uniform(0.3, 0.68)).moved(0, top - 0.02, -d / 2 + 0.03)
    parts = [seat, back, legs(rng, w * 0.95, d * 0.95, under)]
    if chance(rng, 0.4):
        parts.append(stretchers(rng, w * 0.95, d * 0.95, under))
    if chance(rng, 0.3):
        parts.append(open_arms(rng, w * 1.02, d, top))
    return join(*parts)


def post_chair(rng: Random) -> Mesh:
    """Chair whose rear legs continue straight as the posts of the back."""
    w, d, h, t = rng.uniform(0.38, 0.52), rng.uniform(0.38, 0.5), rng.uniform(0.4, 0.48), rng.uniform(0.025, 0.045)
    rise = rng.uniform(0.35, 0.7)
    lean = rise * rng.uniform(0.05, 0.22)
    rear = [(-d / 2 - rng.uniform(0, 0.06), 0), (-d / 2, h * 0.8), (-d / 2, h), (-d / 2 - lean, h + rise)]
    parts = [both(bent_board(rear, t, t).moved(w / 2 - t / 2)), both(slab(t, h, t, x=w / 2 - t / 2, z=d / 2 - t / 2))]
    parts += [rails(w, 0.06, d, 0.02, h - 0.06), soft(w, rng.uniform(0.025, 0.08), d, h - 0.01)]
    fill = pick(rng, ("ladder", "slats", "panel"))
    tilt = np.degrees(np.arctan2(lean, rise))
    if fill == "slats":
        bars = row(slab(0.025, rise * 0.85, 0.014, 0.05), spread(rng.randint(3, 7), w - 2 * t))
        infill = join(bars, slab(w - t, 0.07, 0.022, rise - 0.07), slab(w - t, 0.03, 0.02, 0.04))
    elif fill == "ladder":
        infill = join(*[slab(w - t, 0.05, 0.018, y) for y in np.linspace(0.12, rise - 0.05, rng.randint(2, 5))])
    else:
        infill = soft(w - t, rise * rng.uniform(0.5, 0.9), 0.05, rise * 0.1)
    parts.append(infill.turned("x", -tilt).moved(0, h, -d / 2 - t / 2))
    if chance(rng, 0.3):
        parts.append(open_arms(rng, w, d, h))
    return join(*parts, stretchers(rng, w, d, h)) if chance(rng, 0.5) else join(*parts)


def parsons_chair(rng: Random) -> Mesh:
    """A dining chair upholstered all over."""
    w, d, under, t = rng.uniform(0.42, 0.6), rng.uniform(0.42, 0.58), rng.uniform(0.26, 0.4), rng.uniform(0.08, 0.16)
    r, thickness = rng.uniform(0.1, 0.3), rng.uniform(0.06, 0.13)
    back = soft(w * rng.uniform(0.9, 1), rng.uniform(0.4, 0.75), thickness, edge=r)
    back = back.turned("x", -rng.uniform(0, 12)).moved(0, under + t * 0.4, -d / 2 + thickness / 2)
    parts = [soft(w, t, d, under, edge=r), back, legs(rng, w * 0.94, d * 0.94, under + 0.02)]
    if chance(rng, 0.35):
        parts.append(both(soft(0.07, t + 0.22, d * 0.9, under, x=w / 2, edge=0.3)))
    return join(*parts)


def office_back(rng: Random, width: float, height: float, thickness: float) -> Mesh:
    kind = pick(rng, ("cushion", "curve", "frame"))
    if kind == "cushion":
        return soft(width, height, thickness, edge=rng.uniform(0.25, 0.5))
    profile = np.linspace(0, 1, 9)
    path = np.column_stack([0.05 * np.sin(profile * 5 + 0.5), profile * height])
    panel = bent_board(path, width, thickness * 0.4 if kind == "curve" else 0.012)
    return panel if kind == "curve" else join(panel, both(bent_board(path, 0.03, 0.03).moved(width / 2)))


def office_arms(rng: Random, width: float, depth: float, seat: float) -> Mesh:
    y, x = seat + rng.uniform(0.16, 0.24), width / 2 + 0.03
    rest = soft(0.08, 0.035, depth * rng.uniform(0.45, 0.7), y, x=x)
    if chance(rng, 0.5):
        stem = join(slab(0.03, y - seat + 0.05, 0.06, seat - 0.05, x=x), slab(0.1, 0.02, 0.05, seat - 0.06, x=x - 0.05))
        return both(join(rest, stem))
    z = depth * 0.3
    loop = rounded([(x - 0.04, seat - 0.03, z * 0.6), (x, seat, z), (x, y, z), (x, y, -z), (x - 0.04, seat - 0.03, -z)])
    return both(join(rest, tube(loop, 0.015, 6)))


def swivel_chair(rng: Random) -> Mesh:
    w, d, seat = rng.uniform(0.42, 0.56), rng.uniform(0.42, 0.54), rng.uniform(0.4, 0.54)
    t, rise, gap = rng.uniform(0.05, 0.11), rng.uniform(0.32, 0.78), rng.uniform(0, 0.14)
    back = office_back(rng, w * rng.uniform(0.75, 1), rise, t)
    if chance(rng, 0.3):
        back = join(back, soft(w * 0.6, 0.16, 0.07, rise + 0.03, edge=0.4), slab(0.05, 0.1, 0.02, rise - 0.03))
    back = back.turned("x", -rng.uniform(2, 16)).moved(0, seat + gap, -d / 2 + 0.02)
    parts = [soft(w, t, d, seat - t, edge=rng.uniform(0.2, 0.4)), back, star_base(rng, seat - t * 0.7)]
    spine = [(-d * 0.2, seat - t), (-d / 2 - 0.03, seat - t), (-d / 2 - 0.05, seat + gap + 0.15)]
    parts.append(bent_board(rounded(spine), 0.07, 0.02))
    if chance(rng, 0.6):
        parts.append(office_arms(rng, w, d, seat))
    return join(*parts)


def cantilever_chair(rng: Random) -> Mesh:
    w, d, h, r = rng.uniform(0.42, 0.56), rng.uniform(0.42, 0.55), rng.uniform(0.41, 0.47), rng.uniform(0.009, 0.016)
    x, z, rise = w / 2, d / 2, rng.uniform(0.35, 0.55)
    side = [(x, r, -z), (x, r, z), (x, h, z * 1.05), (x, h, -z), (x, h + rise, -z - rng.uniform(0.04, 0.16))]
    parts = [both(tube(rounded(side, 3), r, 6)), rod((-x, r, -z), (x, r, -z), r)]
    t = rng.uniform(0.02, 0.07)
    parts.append(soft(w * 0.97, t, d * 0.95, h - t * 0.3))
    pane = soft(w * 0.97, rise * rng.uniform(0.45, 0.9), t, rise * 0.1).turned("x", -10)
    parts.append(pane.moved(0, h + 0.05, -z - 0.02))
    if chance(rng, 0.4):
        arm = rounded([(x, h, z), (x, h + 0.22, z), (x, h + 0.22, -z - 0.05)])
        parts.append(both(tube(arm, r * 1.2, 6).moved(0.02)))
    return join(*parts)


def folding_chair(rng: Random) -> Mesh:
    w, h, r = rng.uniform(0.4, 0.5), rng.uniform(0.42, 0.47), rng.uniform(0.008, 0.014)
    x, reach, rise = w / 2, rng.uniform(0.2, 0.28), rng.uniform(0.3, 0.42)
    front = [(x, 0, reach), (x, h, -reach * 0.7), (x, h + rise, -reach * 0.7 - rise * rng.uniform(0.2, 0.5))]
    rear = rod((x - 0.03, 0, -reach * 1.1), (x - 0.03, h, reach * 0.8), r)
    bars = [rod((-x, y, z), (x, y, z), r) for y, z in ((0.08, reach * 0.75), (0.08, -reach * 0.8))]
    tilt = np.degrees(np.arctan2(front[1][2] - front[2][2], rise))
    if chance(rng, 0.5):
        seat = join(*[slab(w - 0.03, 0.016, 0.05, h, z=z) for z in spread(5, 0.38)])
        pane = join(*[slab(w, 0.05, 0.016, y) for y in (rise * 0.45, rise * 0.8)])
    else:
        seat, pane = soft(w - 0.02, rng.uniform(0.02, 0.05), 0.4, h, edge=0.25), slab(w, rise * 0.5, 0.02, rise * 0.5)
    pane = pane.turned("x", -tilt).moved(0, h, front[1][2])
    return join(both(tube(front, r * 1.2, 6)), both(rear), *bars, seat, pane)


def rocking_chair(rng: Random) -> Mesh:
    w, d, h = rng.uniform(0.46, 0.6), rng.uniform(0.44, 0.55), rng.uniform(0.36, 0.42)
    seat, top = seat_plate(rng, w, d, h)
    back = backrest(rng, w * 0.9, rng.uniform(0.5, 0.8), (10, 22)).moved(0, top - 0.02, -d / 2 + 0.03)
    z = np.linspace(-1, 1, 11) * d * rng.uniform(0.75, 1.0) - 0.06
    runner = bent_board(np.column_stack([z, 0.32 * (z + 0.06) ** 2]), rng.uniform(0.025, 0.05), 0.03)
    stand = legs(rng, w, d * 0.9, h, ("square", "round", "turned")).moved(y=0.03)
    frame = join(seat, back, stand, both(runner.moved(w / 2 - 0.03)))
    return join(frame, open_arms(rng, w * 1.05, d, top)) if chance(rng, 0.85) else frame


def low_back_chair(rng: Random) -> Mesh:
    """A round seat with a low bent rail, close to a stool."""
    r, h = rng.uniform(0.18, 0.24), rng.uniform(0.42, 0.7)
    seat = disc(r, 0.03, h) if chance(rng, 0.5) else cushion(2 * r, 0.08, 2 * r, 0.4).moved(y=h + 0.02)
    rise, band = rng.uniform(0.14, 0.3), rng.uniform(0.05, 0.12)
    span = rng.uniform(110, 210)
    rail = curved_wall(r * 1.05, 0.022, h + rise, np.full(13, h + rise + band), span)
    angles = np.linspace(-span / 2.3, span / 2.3, rng.randint(3, 7))
    stick = rod((0, h, -r * 0.95), (0, h + rise + 0.02, -r * 1.02), 0.009)
    parts = [seat, rail, *[stick.turned("y", a) for a in angles], legs(rng, r * 1.6, r * 1.6, h)]
    return join(*parts, torus(r * 1.0, 0.01).moved(y=h * 0.35)) if h > 0.55 else join(*parts)


def windsor_chair(rng: Random) -> Mesh:
    w, d, h, rise = rng.uniform(0.42, 0.55), rng.uniform(0.4, 0.5), rng.uniform(0.4, 0.46), rng.uniform(0.4, 0.68)
    seat = cushion(w, 0.05, d, 0.5).moved(y=h)
    a = np.linspace(0, np.pi, 13)
    hoop = tube(np.column_stack([np.cos(a) * w * 0.42, np.sin(a) ** 0.6 * rise, np.zeros(13)]), 0.011, 6)
    xs = spread(rng.randint(5, 10), w * 0.72)
    sticks = [rod((x * 0.75, 0, 0), (x, rise * (1 - (2 * x / w / 0.85) ** 2) ** 0.3, 0), 0.006) for x in xs]
    back = join(hoop, *sticks).turned("x", -rng.uniform(6, 16)).moved(0, h, -d * 0.42)
    parts = [seat, back, legs(rng, w * 0.75, d * 0.75, h, ("splayed",)), stretchers(rng, w * 0.85, d * 0.85, h)]
    if chance(rng, 0.5):
        parts.append(curved_wall(w * 0.56, 0.04, h + 0.22, np.full(13, h + 0.245), 220, deep=0.85))
        stick = rod((0, h, -w * 0.44), (0, h + 0.23, -w * 0.52), 0.008)
        parts += [stick.turned("y", s * angle) for s in (-1, 1) for angle in (70, 95)]
    return join(*parts)


def director_chair(rng: Random) -> Mesh:
    w, d, h, r = rng.uniform(0.48, 0.6), rng.uniform(0.38, 0.46), rng.uniform(0.42, 0.5), rng.uniform(0.01, 0.018)
    x, z, arm = w / 2, d / 2, h + rng.uniform(0.18, 0.24)
    cross = both(rod((-x, 0.03, z), (x, h, z), r))
    side = [slab(0.03, arm - h, 0.03, h, z=z * 0.9), slab(0.03, arm + 0.22 - h, 0.03, h, z=-z * 0.9)]
    side += [slab(0.05, 0.02, d * 1.05, arm), slab(0.03, 0.03, d * 1.05, 0.0), slab(0.03, 0.03, d, h)]
    sag = np.linspace(-1, 1, 9)
    cloth = bent_board(np.column_stack([sag * x, h - 0.04 * (1 - sag**2)]), d * 0.9, 0.012).turned("y", 90)
    pane = curved_board(w, rng.uniform(0.14, 0.22), 0.01, 0.03, arm + 0.04).moved(z=-z * 0.9)
    return join(both(cross, "z"), both(join(*side).moved(x)), cloth, pane)


def garden_chair(rng: Random) -> Mesh:
    """Chair of molded plastic: broad splayed legs, arms that join them and a pierced back."""
    w, d, h, rise = rng.uniform(0.46, 0.58), rng.uniform(0.42, 0.5), rng.uniform(0.38, 0.44), rng.uniform(0.36, 0.5)
    out = rng.uniform(0.03, 0.07)
    x, z, arm = w / 2, d / 2, h + 0.2
    front = bent_board([(z + out, 0), (z, h), (z * 0.8, arm)], 0.06, 0.02)
    rear = bent_board([(-z - 2 * out, 0), (-z, h), (-z - 0.05, arm)], 0.06, 0.02)
    side = join(front, rear, soft(0.06, 0.025, d * 1.1, arm - 0.01)).moved(x)
    strips = row(slab(w / 9, rise * 0.8, 0.012, 0.05), spread(rng.randint(4, 7), w * 0.85))
    back = join(strips, curved_board(w, 0.1, 0.014, 0.03, rise * 0.85), curved_board(w, 0.05, 0.014, 0.0))
    return join(both(side), soft(w, 0.025, d, h - 0.02), back.turned("x", -14).moved(0, h, -z))


def adirondack_chair(rng: Random) -> Mesh:
    w, d, arm = rng.uniform(0.5, 0.62), rng.uniform(0.5, 0.6), rng.uniform(0.5, 0.6)
    count, rise = rng.randint(4, 8), rng.uniform(0.65, 0.85)
    tops = rise - rng.uniform(0, 0.25) * (2 * spread(count, 1)) ** 2
    planks = [
        slab(w / count * 0.85, h, 0.018).moved(x).turned("z", -x * rng.uniform(5, 12))
        for x, h in zip(spread(count, w), tops, strict=True)
    ]
    back = join(*planks).turned("x", -rng.uniform(18, 30)).moved(0, 0.2, -d / 2)
    seat = join(*[slab(w, 0.018, 0.08, 0.24 + 0.28 * (z / d), z=z) for z in spread(5, d)])
    stringer = rod((w / 2 - 0.02, 0.36, d / 2), (w / 2 - 0.02, 0.03, -d * 0.95), 0.03)
    side = [slab(0.025, arm, 0.09, z=d / 2), slab(rng.uniform(0.09, 0.15), 0.02, d * 1.3, arm, z=-0.03)]
    side.append(slab(0.025, arm, 0.07, z=-d / 2 - 0.08))
    return join(back, seat, both(stringer), both(join(*side).moved(w / 2 + 0.02)))


def ribbon_chair(rng: Random) -> Mesh:
    """One bent sheet from foot to back: S or Z curves of plastic, plywood or steel."""
    w, d, h, rise = rng.uniform(0.4, 0.56), rng.uniform(0.4, 0.55), rng.uniform(0.4, 0.46), rng.uniform(0.35, 0.5)
    z = d / 2
    foot = [(z, 0), (-z, 0.02), (-z * rng.uniform(0.2, 1.0), 0.1)] if chance(rng, 0.6) else [(-z, 0), (z * 0.8, 0.02)]
    path = [*foot, (z, h), (z * 0.8, h + 0.02), (-z * 0.8, h - 0.03), (-z * 1.2, h + rise)]
    return bent_board(rounded(path, rng.randint(0, 4)), w, rng.uniform(0.015, 0.05))


category(
    "chair",
    four_legs=four_leg_chair,
    posts=post_chair,
    parsons=parsons_chair,
    wing=wing_chair,
    swivel=swivel_chair,
    cantilever=cantilever_chair,
    club=club_chair,
    tub=tub_chair,
    folding=folding_chair,
    shell=shell_chair,
    egg=egg_chair,
    rocking=rocking_chair,
    low_back=low_back_chair,
    throne=throne,
    windsor=windsor_chair,
    recliner=recliner,
    lounge=lounge_chair,
    tulip=tulip_chair,
    director=director_chair,
    garden=garden_chair,
    adirondack=adirondack_chair,
    ribbon=ribbon_chair,
    bean_bag=bean_bag,
)
