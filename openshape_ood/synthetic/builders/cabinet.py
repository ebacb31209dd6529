"""Cabinets from kitchen runs to lockers."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from openshape_ood.synthetic.builders._cases import WHOLE, Cell, cased, columns, cornice, fitted, grid, rows
from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._furniture import (
    Style,
    based,
    cupboard_door,
    front,
    high_base,
    low_base,
    style_of,
)
from openshape_ood.synthetic.builders._shapes import block, blocks, slab
from openshape_ood.synthetic.catalog import Random, category, chance, count, pick
from openshape_ood.synthetic.mesh import Mesh, extrude, join, lathe, tube


def cupboard(rng: Random) -> Mesh:
    size = (rng.uniform(0.5, 1.2), rng.uniform(0.7, 1.9), rng.uniform(0.3, 0.55))
    door = "pair" if size[0] > 0.6 else pick(rng, ("left", "right"))
    cells = rows([door] * count(rng, 1, 2))
    if chance(rng, 0.4):
        cells = rows([door, "drawer"], weights=(4, 1))
    return cased(rng, size, cells, *low_base(rng), style=style_of(rng, 0.25))


def sideboard(rng: Random) -> Mesh:
    size = (rng.uniform(1.2, 2.4), rng.uniform(0.55, 0.9), rng.uniform(0.35, 0.55))
    cells = []
    for column in columns(["open"] * count(rng, 3, 4)):
        kind = pick(rng, ("door", "drawers", "mixed"))
        inner = {"door": ["left"], "drawers": ["drawer"] * 3, "mixed": ["right", "drawer"]}[kind]
        cells += rows(inner, column, (3, 1) if kind == "mixed" else None)
    base = low_base(rng) if chance(rng, 0.5) else high_base(rng)
    return cased(rng, size, cells, *base)


def base_unit(rng: Random) -> Mesh:
    """One kitchen base unit with its recessed plinth and, mostly, a worktop."""
    w, h, d = rng.uniform(0.4, 1.0), rng.uniform(0.68, 0.76), rng.uniform(0.52, 0.6)
    cells = unit_cells(rng, w)
    parts = [fitted(rng, style_of(rng, 0.15), w, h, d, cells).moved(y=0.12), slab(w, 0.12, d - 0.1).moved(z=-0.05)]
    if chance(rng, 0.7):
        parts.append(slab(w + 0.02, rng.uniform(0.025, 0.045), d + 0.05, 0.12 + h))
    return join(*parts)


def unit_cells(rng: Random, width: float, within: Cell = WHOLE) -> list[Cell]:
    door = "pair" if width > 0.62 else pick(rng, ("left", "right"))
    kind = pick(rng, ("door", "drawers", "both"))
    if kind == "drawers":
        return rows(["drawer"] * count(rng, 2, 4), within)
    return rows([door] if kind == "door" else [door, "drawer"], within, None if kind == "door" else (4, 1))


def wall_unit(rng: Random) -> Mesh:
    n = count(rng, 1, 3)
    w, h, d = n * rng.uniform(0.35, 0.6), rng.uniform(0.4, 0.95), rng.uniform(0.28, 0.4)
    cells = columns([pick(rng, ("left", "right", "glass", "bars", "flap")) for _ in range(n)])
    if chance(rng, 0.3):
        cells = [replace(c, y0=0.3) for c in cells] + [Cell(0, 1, 0, 0.3, "open")]
    return fitted(rng, style_of(rng, 0.2), w, h, d, cells)


def kitchen_run(rng: Random) -> Mesh:
    """A run of base units under one worktop, often with sink, hob and wall units."""
    n, unit, h, d = count(rng, 3, 6), rng.uniform(0.45, 0.65), rng.uniform(0.68, 0.76), 0.58
    w, style = n * unit, style_of(rng, 0.04)
    cells = [cell for column in columns(["open"] * n) for cell in unit_cells(rng, unit, column)]
    t, y = rng.uniform(0.025, 0.045), 0.12 + h
    parts = [fitted(rng, style, w, h, d, cells).moved(y=0.12), slab(w, 0.12, d - 0.1).moved(z=-0.05)]
    parts.append(slab(w + 0.02, t, d + 0.05, y))
    if chance(rng, 0.5):
        parts.append(tap(y + t).moved((count(rng, 0, n - 1) + 0.5 - n / 2) * unit, 0, -0.2))
    if chance(rng, 0.6):
        upper = columns([pick(rng, ("left", "right", "glass")) for _ in range(n)])
        hung = fitted(rng, style, w, rng.uniform(0.5, 0.8), 0.34, upper)
        parts.append(hung.moved(0, y + rng.uniform(0.45, 0.6), 0.17 - d / 2))
    if chance(rng, 0.3):
        tall = fitted(rng, style, 0.6, rng.uniform(1.9, 2.2), d, rows(["left", "flap", "left"]))
        parts.append(tall.moved(w / 2 + 0.31))
    return join(*parts)


def tap(y: float) -> Mesh:
    t = np.linspace(0, np.pi, 7)
    return tube(np.stack([0 * t, y + 0.2 + 0.08 * np.sin(t), 0.08 * (1 - np.cos(t))], axis=1), 0.012)


def vitrine(rng: Random) -> Mesh:
    size = (rng.uniform(0.4, 1.1), rng.uniform(1.3, 2.1), rng.uniform(0.32, 0.45))
    glass = [pick(rng, ("glass", "bars"))] * (2 if size[0] > 0.65 else 1)
    split = rng.uniform(0.2, 0.4) if chance(rng, 0.6) else 0.0
    cells = columns(glass, Cell(0, 1, split, 1, "open"))
    if split:
        cells += unit_cells(rng, size[0], Cell(0, 1, 0, split, "open"))
    case = cased(rng, size, cells, *low_base(rng))
    return join(case, cornice(rng, size[0], size[2], float(case.vertices[:, 1].max()))) if chance(rng, 0.4) else case


def filing(rng: Random) -> Mesh:
    n = count(rng, 2, 5)
    size = (
        rng.uniform(0.38, 0.55) if chance(rng, 0.7) else rng.uniform(0.75, 1.0),
        n * rng.uniform(0.27, 0.34),
        rng.uniform(0.45, 0.7),
    )
    style = replace(style_of(rng, 0.12), panel="flat", handle=pick(rng, ("bar", "cup", "bow")))
    base = ("casters", 0.06) if n < 4 and chance(rng, 0.35) else ("plinth", 0.04)
    return cased(rng, size, rows(["drawer"] * n), *base, style=style)


def lockers(rng: Random) -> Mesh:
    n, tiers = count(rng, 1, 5), count(rng, 1, 3)
    size = (n * rng.uniform(0.28, 0.42), rng.uniform(1.6, 2.0), rng.uniform(0.38, 0.55))
    style = replace(style_of(rng, 0.1), panel=pick(rng, ("flat", "flat", "framed")))
    case = cased(rng, size, grid("left", n, tiers), *low_base(rng), style=style)
    if chance(rng, 0.5):
        x = (np.arange(n) + 0.5 - n / 2) * size[0] / n
        z = size[2] / 2 + style.board
        vents = [(a - 0.08, a + 0.08, y, y + 0.01, z, z + 0.012) for a in x for y in (1.3, 1.34, 1.38, 1.42)]
        case = join(case, blocks(vents))
    return case


def dresser_hutch(rng: Random) -> Mesh:
    """A kitchen dresser: cupboards below, a shallower rack of shelves or glass above."""
    w, h, d, style = rng.uniform(0.9, 1.6), rng.uniform(0.75, 0.9), rng.uniform(0.4, 0.55), style_of(rng)
    n = count(rng, 2, 3)
    lower = [c for column in columns(["open"] * n) for c in rows(["left", "drawer"], column, (3, 1))]
    parts = [fitted(rng, style, w, h, d, lower), slab(w + 0.04, 0.03, d + 0.03, h)]
    high, deep, gap = rng.uniform(0.8, 1.2), rng.uniform(0.22, 0.34), rng.uniform(0, 0.3)
    upper = columns([pick(rng, ("shelves", "glass", "bars")) for _ in range(n)])
    rack = fitted(rng, style, 0.98 * w, high, deep, upper)
    parts += [
        rack.moved(0, h + 0.03 + gap, (deep - d) / 2),
        cornice(rng, w, deep, h + 0.03 + gap + high).moved(z=(deep - d) / 2),
    ]
    if gap:
        parts.append(block(-0.49 * w, 0.49 * w, h, h + 0.03 + gap, -d / 2, 0.02 - d / 2))
    base, lift = low_base(rng)
    return based(rng, join(*parts), w, d, base, lift)


def apothecary(rng: Random) -> Mesh:
    n, m = count(rng, 3, 6), count(rng, 3, 7)
    size = (n * rng.uniform(0.16, 0.28), m * rng.uniform(0.13, 0.2), rng.uniform(0.28, 0.45))
    style = replace(style_of(rng, 0.03), panel="flat", handle=pick(rng, ("knob", "cup")))
    base = low_base(rng) if chance(rng, 0.5) else high_base(rng)
    return cased(rng, size, grid("drawer", n, m), *base, style=style)


def corner_cabinet(rng: Random) -> Mesh:
    """A five-sided case that fits a room's corner, its door across the front."""
    s, flank, h, t = rng.uniform(0.5, 0.9), rng.uniform(0.12, 0.3), rng.uniform(0.7, 2.1), 0.03
    plan = [(0.0, 0.0), (s, 0.0), (s, flank), (flank, s), (0.0, s)]
    case = extrude(plan, h).turned("x", 90).moved(y=h / 2).turned("y", -45)
    width, reach = float(np.sqrt(2) * (s - flank)), float((s + flank) / np.sqrt(2))
    style = style_of(rng)
    x = 0.46 * width
    levels = [0.03, h - 0.03] if h < 1.2 else [0.03, 0.4 * h, h - 0.03]
    sides = ((-x, 0.0, "left"), (0.0, x, "right")) if width > 0.6 else ((-x, x, "left"),)
    doors = [
        cupboard_door(style, a, b, y0, y1, hinge, style.panel, 0.0).moved(z=reach)
        for y0, y1 in pairwise(levels)
        for a, b, hinge in sides
    ]
    lid = extrude(plan, t).turned("x", 90).turned("y", -45).scaled(1.05, 1, 1.03).moved(y=h)
    return join(case, *doors, lid)


def vanity(rng: Random) -> Mesh:
    """A bathroom unit: cupboards under a basin, on the floor or hung."""
    w, h, d = rng.uniform(0.5, 1.3), rng.uniform(0.45, 0.8), rng.uniform(0.4, 0.55)
    style, y = style_of(rng), h + 0.03
    cells = [c for column in columns(["open"] * (1 if w < 0.9 else 2)) for c in unit_cells(rng, w / 2, column)]
    parts = [fitted(rng, style, w, h, d, cells), slab(w + 0.02, 0.03, d + 0.02, h)]
    bowl = [(0, 0), (0.12, 0.01), (0.19, 0.1), (0.2, 0.12), (0.175, 0.1), (0.1, 0.03), (0, 0.025)]
    parts += [lathe(bowl, 16).moved(y=y), tap(y).moved(z=-0.42 * d)]
    if chance(rng, 0.5):
        parts.append(block(-0.45 * w, 0.45 * w, y + 0.35, y + 1.1, -d / 2, 0.02 - d / 2))
    base = ("none", 0.0) if chance(rng, 0.4) else pick(rng, (low_base, high_base))(rng)
    return based(rng, join(*parts), w, d, *base)


def sliding_cabinet(rng: Random) -> Mesh:
    """Sliding or louvred doors: two overlapping leaves before a low or tall case."""
    w, h, d = rng.uniform(0.8, 1.8), rng.uniform(0.7, 1.9), rng.uniform(0.38, 0.5)
    style = style_of(rng)
    panel, t, over = pick(rng, ("flat", "framed", "louver", "glass")), style.board, rng.uniform(0.03, 0.3)
    case = fitted(rng, style, w, h, d, columns([pick(rng, ("shelves", "open"))] * 2))
    near, far = front(panel, w / 2 + over / 2, h - 0.06, t), front(panel, w / 2, h - 0.06, t)
    doors = join(far.moved(-w / 2, 0.03, d / 2), near.moved(-over / 2, 0.03, d / 2 + t))
    frame = blocks([(-w / 2, w / 2, y, y + 0.03, d / 2, d / 2 + 2 * t) for y in (0, h - 0.03)])
    return based(rng, join(case, doors, frame), w, d, *pick(rng, (low_base, high_base))(rng))


def run_along(rng: Random, style: Style, width: float, height: float, depth: float) -> Mesh:
    """Base units side by side on one recessed plinth, without their worktop."""
    n = max(1, round(width / rng.uniform(0.42, 0.75)))
    cells = [cell for column in columns(["open"] * n) for cell in unit_cells(rng, width / n, column)]
    plinth = slab(width, 0.12, depth - 0.08).moved(z=-0.04)
    return join(fitted(rng, style, width, height, depth, cells).moved(y=0.12), plinth)


def l_kitchen(rng: Random) -> Mesh:
    """Base units along two walls of a corner, under one worktop. Perhaps with a tap, wall units, a tall unit."""
    a, b, d, h = rng.uniform(1.5, 3.5), rng.uniform(1.3, 3.2), rng.uniform(0.52, 0.65), rng.uniform(0.68, 0.78)
    style, t, y = style_of(rng, 0.03), rng.uniform(0.025, 0.06), 0.12 + h
    side = run_along(rng, style, b - d, h, d).turned("y", 90).moved(d / 2, 0, d + (b - d) / 2)
    parts = [run_along(rng, style, a, h, d).moved(a / 2, 0, d / 2), side]
    tops = [(0, a, y, y + t, 0, d + 0.03), (0, d + 0.03, y, y + t, d + 0.03, b)]
    if chance(rng, 0.5):
        rise = rng.uniform(0.05, 0.6)
        tops += [(0, a, y + t, y + t + rise, 0, 0.015), (0, 0.015, y + t, y + t + rise, 0, b)]
    parts.append(blocks(tops))
    if chance(rng, 0.6):
        parts.append(tap(y + t).moved(rng.uniform(0.4, 0.8) * a, 0, 0.1))
    if chance(rng, 0.35):
        hung = fitted(rng, style, 0.9 * a, 0.65, 0.34, columns(["left", "right"] * count(rng, 1, 2)))
        parts.append(hung.moved(0.45 * a, y + 0.55, 0.17))
    if chance(rng, 0.25):
        tall = fitted(rng, style, 0.6, rng.uniform(1.9, 2.2), d, rows(["left", "flap", "left"]))
        parts.append(tall.moved(a + 0.3, 0, d / 2))
    whole = join(*parts)
    return whole.mirrored("x") if chance(rng) else whole


def island(rng: Random) -> Mesh:
    """A kitchen island: units on one or both sides, under a worktop. Perhaps with a tap."""
    w, d, h, t = rng.uniform(1.0, 2.6), rng.uniform(0.6, 1.1), rng.uniform(0.68, 0.8), rng.uniform(0.025, 0.08)
    style, over = style_of(rng, 0.03), rng.uniform(0.02, 0.4)
    parts = [run_along(rng, style, w, h, d)]
    if chance(rng, 0.4):
        parts.append(front(style.panel, w - 0.1, h - 0.1, 0.02).turned("y", 180).moved(w / 2 - 0.05, 0.17, -d / 2))
    parts.append(slab(w + rng.uniform(0.02, 0.3), t, d + 0.03 + over, 0.12 + h, z=0.02 - over / 2))
    if chance(rng, 0.5):
        parts.append(tap(0.12 + h + t).moved(rng.uniform(-0.3, 0.3) * w, 0, -0.2 * d))
    if chance(rng, 0.3):
        parts.append(both(block(w / 2, w / 2 + t, 0, 0.12 + h, -d / 2 - over, d / 2)))
    return join(*parts)


category(
    "cabinet",
    cupboard=cupboard,
    sideboard=sideboard,
    kitchen_base=base_unit,
    kitchen_wall=wall_unit,
    kitchen_run=kitchen_run,
    vitrine=vitrine,
    filing=filing,
    lockers=lockers,
    hutch=dresser_hutch,
    apothecary=apothecary,
    corner=corner_cabinet,
    vanity=vanity,
    sliding=sliding_cabinet,
    l_kitchen=l_kitchen,
    island=island,
)
