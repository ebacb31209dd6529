"""Desks from school to secretary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from openshape_ood.synthetic.builders._cases import WHOLE, Cell, cased, columns, fitted, rows
from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._furniture import Style, leg, legs, style_of, top
from openshape_ood.synthetic.builders._shapes import Rows, band, block, blocks, slab
from openshape_ood.synthetic.catalog import Random, category, chance, count, pick
from openshape_ood.synthetic.mesh import Mesh, box, extrude, join, rod


def pedestal_unit(rng: Random, style: Style, width: float, height: float, depth: float) -> Mesh:
    kinds = ["drawer"] * count(rng, 2, 4)
    if chance(rng, 0.35):
        kinds = [pick(rng, ("left", "right")), "drawer"]
    weights = rng.uniform(0.7, 1.8, size=len(kinds)).tolist()
    return fitted(rng, style, width, height, depth, rows(kinds, weights=weights))


def writing(rng: Random) -> Mesh:
    w, d, h, t = rng.uniform(0.9, 1.7), rng.uniform(0.45, 0.8), rng.uniform(0.68, 0.75), rng.uniform(0.018, 0.04)
    box_height, style = rng.uniform(0.08, 0.16), style_of(rng)
    drawers = fitted(rng, style, 0.92 * w, box_height, 0.88 * d, columns(["drawer"] * count(rng, 1, 3)))
    kind = pick(rng, ("square", "tapered", "turned", "splayed", "round", "cabriole"))
    parts = [
        slab(w, t, d, h),
        drawers.moved(y=h - box_height),
        legs(kind, 0.95 * w, 0.92 * d, h, rng.uniform(0.018, 0.035)),
    ]
    if chance(rng, 0.25):
        parts.append(gallery(rng, w, d, h + t))
    return join(*parts)


def gallery(rng: Random, width: float, depth: float, y: float) -> Mesh:
    """A low row of pigeonholes or drawers along the back of a desk top."""
    h, d = rng.uniform(0.12, 0.28), rng.uniform(0.15, 0.25)
    cells = columns([pick(rng, ("drawer", "open", "open")) for _ in range(count(rng, 3, 6))])
    return fitted(rng, style_of(rng), 0.98 * width, h, d, cells).moved(0, y, (d - depth) / 2)


def double_pedestal(rng: Random) -> Mesh:
    w, d, h, t = rng.uniform(1.2, 2.0), rng.uniform(0.6, 0.95), rng.uniform(0.66, 0.74), rng.uniform(0.02, 0.05)
    style, pw = style_of(rng), rng.uniform(0.3, 0.48)
    parts = [slab(w, t, d, h)]
    parts += [pedestal_unit(rng, style, pw, h, 0.94 * d).moved(s * (w / 2 - pw / 2 - 0.02)) for s in (-1, 1)]
    inner = w - 2 * pw - 0.04
    if chance(rng, 0.6) and inner > 0.2:
        parts.append(fitted(rng, style, inner, 0.1, 0.9 * d, columns(["drawer"])).moved(y=h - 0.1))
    if chance(rng, 0.7):
        parts.append(block(-inner / 2, inner / 2, rng.uniform(0.0, 0.35), h, 0.02 - d / 2, 0.04 - d / 2))
    return join(*parts)


def single_pedestal(rng: Random) -> Mesh:
    w, d, h, t = rng.uniform(0.9, 1.7), rng.uniform(0.5, 0.8), rng.uniform(0.66, 0.74), rng.uniform(0.018, 0.04)
    pw = rng.uniform(0.3, 0.45)
    lift = pick(rng, ("none", "none", "legs"))
    unit = pedestal_unit(rng, style_of(rng), pw, h if lift == "none" else 0.45 * h, 0.92 * d)
    parts = [slab(w, t, d, h), unit.moved(w / 2 - pw / 2 - 0.02, 0 if lift == "none" else 0.55 * h)]
    if chance(rng, 0.5):
        parts.append(block(-w / 2, 0.025 - w / 2, 0, h, -0.46 * d, 0.46 * d))
        parts.append(block(-w / 2, w / 2, rng.uniform(0.2, 0.45), h, 0.02 - d / 2, 0.04 - d / 2))
    else:
        parts.append(legs(pick(rng, ("square", "round", "tapered")), 0.97 * w, 0.9 * d, h, rng.uniform(0.015, 0.03)))
    desk = join(*parts)
    return desk.mirrored("x") if chance(rng, 0.5) else desk


def panel_ends(rng: Random) -> Mesh:
    w, d, h, t = rng.uniform(1.0, 1.9), rng.uniform(0.5, 0.9), rng.uniform(0.68, 0.74), rng.uniform(0.018, 0.05)
    inset = rng.uniform(0, 0.15)
    side = block(w / 2 - inset - t, w / 2 - inset, 0, h, -0.46 * d, 0.46 * d)
    modesty = block(-w / 2 + inset, w / 2 - inset, rng.uniform(0.1, 0.45), h, -0.42 * d, 0.02 - 0.42 * d)
    parts = [top(pick(rng, ("rectangle", "rectangle", "boat")), w, t, d, h), both(side), modesty]
    if chance(rng, 0.4):
        unit = cased(rng, (0.4, 0.5, 0.5 * d + 0.15), rows(["drawer"] * 3), "casters", 0.06)
        parts.append(unit.moved(w / 2 - 0.25 - inset, 0, 0.05))
    return join(*parts)


def corner_desk(rng: Random) -> Mesh:
    w, d = rng.uniform(1.3, 2.1), rng.uniform(0.5, 0.75)
    wing, h, t = rng.uniform(0.6, 1.3), rng.uniform(0.68, 0.74), rng.uniform(0.02, 0.04)
    x, z = w / 2, d / 2
    rear = [(-x, x, h, h + t, -z, z), (-x, d - x, h, h + t, z, z + wing)]
    parts = [blocks(rear)]
    if chance(rng, 0.5):
        parts.append(extrude([(d - x, z), (d - x + 0.3, z), (d - x, z + 0.3)], t).turned("x", 90).moved(y=h + t / 2))
    if chance(rng, 0.5):
        ends = [(x - t, x, 0, h, -z, z), (-x, d - x, 0, h, z + wing - t, z + wing), (-x, x, 0.3, h, 0.02 - z, 0.04 - z)]
        parts.append(blocks([*ends, (0.02 - x, 0.04 - x, 0.3, h, -z, z + wing)]))
    else:
        r = rng.uniform(0.02, 0.035)
        feet = [(x - r, -z + r), (x - r, z - r), (r - x, r - z), (r - x, z + wing - r), (d - x - r, z + wing - r)]
        one = leg(pick(rng, ("square", "round")), h, r)
        parts += [one.moved(a, 0, b) for a, b in feet]
    if chance(rng, 0.6):
        parts.append(pedestal_unit(rng, style_of(rng), 0.4, h, 0.9 * d).moved(x - 0.25))
    desk = join(*parts)
    return desk.mirrored("x") if chance(rng, 0.5) else desk


def hutch_desk(rng: Random) -> Mesh:
    lower = pick(rng, ("double", "single", "panels"))
    desk = {"double": double_pedestal, "single": single_pedestal, "panels": panel_ends}[lower](rng)
    w, h, _ = desk.size()
    high, deep = rng.uniform(0.35, 0.95), rng.uniform(0.22, 0.35)
    kinds = [pick(rng, ("left", "shelves", "open", "glass", "books")) for _ in range(count(rng, 1, 3))]
    tall = Cell(0, 1, rng.uniform(0.35, 0.6), 1, "open")
    cells = [replace(tall, y0=0, y1=tall.y0), *columns(kinds, tall)]
    hutch = fitted(rng, style_of(rng), 0.98 * w, high, deep, cells, back=chance(rng, 0.7))
    low = desk.vertices[:, 2].min()
    return join(desk, hutch.moved(0, h, low + deep / 2))


def secretary(rng: Random) -> Mesh:
    w, d, h = rng.uniform(0.7, 1.1), rng.uniform(0.4, 0.55), rng.uniform(0.7, 0.78)
    style = style_of(rng)
    lower = cased(rng, (w, h, d), rows(["drawer"] * count(rng, 2, 4)), "none", 0, style)
    if chance(rng, 0.35):
        lower = join(slab(w, 0.15, d, h - 0.15), legs(pick(rng, ("square", "turned", "cabriole")), w, d, h, 0.025))
    high, z = rng.uniform(0.25, 0.4), d / 2
    slope = rng.uniform(0.35, 0.6) * d
    side = (
        extrude([(-z, 0), (z, 0), (z, 0.04), (z - slope, high), (-z, high)], 0.02).turned("y", -90).moved(w / 2 - 0.01)
    )
    boards = [(-w / 2, w / 2, high - 0.02, high, -z, z - slope), (-w / 2, w / 2, 0, high, -z, 0.02 - z)]
    parts = [both(side), blocks(boards)]
    if chance(rng, 0.6):
        parts.append(block(-w / 2, w / 2, 0, 0.02, z, z + high))
        parts.append(
            fitted(rng, style, 0.92 * w, 0.85 * high, 0.4 * d, columns(["open", "drawer", "open", "open"])).moved(
                z=-0.25 * d
            )
        )
    else:
        length = float(np.hypot(slope, high))
        parts.append(
            box(w, 0.02, length).turned("x", np.degrees(np.arctan2(high, slope))).moved(0, high / 2, z - slope / 2)
        )
    return join(lower, join(*parts).moved(y=h))


def roll_top(rng: Random) -> Mesh:
    desk = double_pedestal(rng)
    w, h, d = desk.size()
    high, t = rng.uniform(0.3, 0.5), np.linspace(0, np.pi / 2, 14)
    z, y = d / 2 - 0.05 - 0.75 * d * (1 - np.cos(t)), high * np.sin(t)
    cover = band(z, np.maximum(y - 0.02, 0), y + 0.01 * (np.arange(14) % 2), 0.94 * w)
    sides = both(block(0.47 * w, 0.49 * w, 0, 0.95 * high, -d / 2, -0.1 * d))
    back = block(-0.48 * w, 0.48 * w, 0, high, -d / 2, 0.03 - d / 2)
    crown = block(-0.49 * w, 0.49 * w, high, high + 0.025, -d / 2, -0.2 * d)
    return join(desk, join(cover, sides, back, crown).moved(y=h))


def sawhorse(rng: Random) -> Mesh:
    w, d, h, t = rng.uniform(1.2, 2.0), rng.uniform(0.6, 0.9), rng.uniform(0.68, 0.75), rng.uniform(0.018, 0.04)
    x, z, s, r = 0.34 * w, 0.38 * d, rng.uniform(0.1, 0.2), rng.uniform(0.016, 0.026)
    poles = [rod((x, h, k * z), (x + side * s, 0, 1.1 * k * z), r) for k in (-1, 1) for side in (-1, 1)]
    rails = [rod((x, h - r, -z), (x, h - r, z), r)]
    rails += [rod((x + side * 0.6 * s, 0.4 * h, -z), (x + side * 0.6 * s, 0.4 * h, z), 0.7 * r) for side in (-1, 1)]
    return join(slab(w, t, d, h), both(join(*poles, *rails)))


def standing(rng: Random) -> Mesh:
    w, d, h, t = rng.uniform(1.1, 1.9), rng.uniform(0.6, 0.85), rng.uniform(0.7, 1.2), rng.uniform(0.018, 0.035)
    x, r, foot = w * rng.uniform(0.3, 0.44), rng.uniform(0.025, 0.05), 0.42 * d
    cuboids = [
        (x - r, x + r, 0, h, -r, r),
        (x - r, x + r, 0, 0.035, -foot, foot),
        (x - r, x + r, h - 0.04, h, -0.4 * d, 0.4 * d),
    ]
    parts = [top(pick(rng, ("rectangle", "rounded")), w, t, d, h), both(blocks(cuboids))]
    if chance(rng, 0.7):
        parts.append(block(-x, x, h - 0.1, h - 0.04, -0.02, 0.02))
    if chance(rng, 0.3):
        parts.append(block(-x, x, 0.45 * h, h - 0.02, -0.2 * d - 0.01, 0.01 - 0.2 * d))
    if chance(rng, 0.3):
        parts.append(block(-w / 2, w / 2, h, h + 0.4, -d / 2, 0.02 - d / 2))
    return join(*parts)


def computer_desk(rng: Random) -> Mesh:
    w, d, h, t = rng.uniform(0.8, 1.4), rng.uniform(0.45, 0.65), rng.uniform(0.7, 0.76), rng.uniform(0.016, 0.025)
    x, z, raised = w / 2, d / 2, rng.uniform(0.1, 0.35)
    tall = chance(rng, 0.5)
    side = h + (raised if tall else 0)
    cuboids: Rows = [(-x, x, h, h + t, -z, z), (-x, x, h - 0.12, h - 0.12 + t, 0, z + rng.uniform(0.05, 0.3))]
    cuboids += [
        (s * (x - t / 2) - t / 2, s * (x - t / 2) + t / 2, 0, side, -z, z if not tall else 0.4 * z) for s in (-1, 1)
    ]
    cuboids += [(-x, x, 0.25, h, -0.9 * z, 0.02 - 0.9 * z), (-x, x, h + raised, h + raised + t, -z, 0)]
    split = rng.uniform(0.2, 0.35) * w
    cuboids += [(split, split + t, 0, h, -z, 0.8 * z), (split, x, 0.08, 0.08 + t, -z, 0.8 * z)]
    if chance(rng, 0.5):
        cuboids.append((split + 0.04, x - 0.05, 0.08 + t, 0.5, -0.7 * z, 0.7 * z))
    if chance(rng, 0.5):
        cuboids += [
            (-0.05, 0.05, h + raised, h + raised + 0.1, -0.6 * z, -0.5 * z),
            (-0.25, 0.25, h + raised + 0.08, h + raised + 0.4, -0.5 * z, 0.04 - 0.5 * z),
        ]
    return blocks(cuboids)


def school_desk(rng: Random) -> Mesh:
    w, d, h, r = rng.uniform(0.5, 0.8), rng.uniform(0.4, 0.55), rng.uniform(0.58, 0.76), rng.uniform(0.012, 0.02)
    tray = fitted(rng, style_of(rng), 0.9 * w, rng.uniform(0.1, 0.16), 0.9 * d, [WHOLE])
    lid = box(w, 0.022, d).turned("x", rng.uniform(0, 12)).moved(y=h + 0.02)
    parts = [lid, tray.moved(y=h - tray.size()[1])]
    if chance(rng, 0.5):
        parts.append(legs(pick(rng, ("round", "square", "splayed")), 0.95 * w, 0.9 * d, h, r))
        return join(*parts)
    parts.append(
        both(
            join(
                rod((0.42 * w, h, 0), (0.42 * w, 0.03, 0), 1.5 * r),
                rod((0.42 * w, 0.02, -0.45 * d), (0.42 * w, 0.02, 0.5 * d), 1.2 * r),
            )
        )
    )
    return join(*parts)


def hung_drawers(rng: Random) -> Mesh:
    """A table on four legs with a box of drawers hung under its top at both ends, or at one."""
    w, d, h, t = rng.uniform(1.0, 1.9), rng.uniform(0.5, 0.85), rng.uniform(0.66, 0.75), rng.uniform(0.018, 0.045)
    kind, r, style = (
        pick(rng, ("tapered", "tapered", "round", "splayed", "square")),
        rng.uniform(0.018, 0.032),
        style_of(rng),
    )
    deep, wide, up = rng.uniform(0.14, 0.38), rng.uniform(0.2, 0.32) * w, count(rng, 1, 2)
    unit = fitted(rng, style, wide, deep, 0.85 * d, rows(["drawer"] * up))
    x = 0.5 * w - 0.5 * wide - rng.uniform(0.04, 0.1)
    parts = [top(pick(rng, ("rectangle", "rectangle", "rounded")), w, t, d, h), unit.moved(x, h - deep)]
    if chance(rng, 0.75):
        parts.append(unit.mirrored("x").moved(-x, h - deep))
    parts.append(legs(kind, 0.98 * w, 0.95 * d, h, r))
    if chance(rng, 0.4):
        parts.append(block(-x, x, h - rng.uniform(0.08, 0.4), h, -0.42 * d, 0.02 - 0.42 * d))
    return join(*parts)


category(
    "desk",
    writing=writing,
    double_pedestal=double_pedestal,
    single_pedestal=single_pedestal,
    panel_ends=panel_ends,
    corner=corner_desk,
    hutch=hutch_desk,
    secretary=secretary,
    roll_top=roll_top,
    sawhorse=sawhorse,
    standing=standing,
    computer=computer_desk,
    school=school_desk,
    hung_drawers=hung_drawers,
)
