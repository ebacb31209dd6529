"""Wardrobes and garment racks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from openshape_ood.synthetic.builders._cases import Cell, cased, clothes, columns, cornice, fitted, rows
from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._furniture import based, cupboard_door, framed_leaf, low_base, style_of
from openshape_ood.synthetic.builders._shapes import block, blocks, slab
from openshape_ood.synthetic.catalog import Random, category, chance, count, pick
from openshape_ood.synthetic.mesh import Mesh, extrude, join, rod


def wardrobe_size(rng: Random, doors: int) -> tuple[float, float, float]:
    return doors * rng.uniform(0.42, 0.6), rng.uniform(1.75, 2.4), rng.uniform(0.5, 0.68)


def hinged_wardrobe(rng: Random) -> Mesh:
    n = count(rng, 2, 5)
    style = style_of(rng, 0.06)
    kinds = [("left", "right")[i % 2] for i in range(n)]
    return cased(rng, wardrobe_size(rng, n), columns(kinds), *low_base(rng), style=style)


def wardrobe_with_drawers(rng: Random) -> Mesh:
    n, split = count(rng, 2, 4), rng.uniform(0.15, 0.35)
    upper = columns([("left", "right")[i % 2] for i in range(n)], Cell(0, 1, split, 1, "open"))
    lower = [
        c
        for col in columns(["open"] * count(rng, 1, n), Cell(0, 1, 0, split, "open"))
        for c in rows(["drawer"] * count(rng, 1, 2), col)
    ]
    return cased(rng, wardrobe_size(rng, n), [*upper, *lower], *low_base(rng))


def wardrobe_with_loft(rng: Random) -> Mesh:
    """Doors with a second row of short cupboards over them."""
    n, split = count(rng, 2, 4), rng.uniform(0.72, 0.85)
    kinds = [("left", "right")[i % 2] for i in range(n)]
    cells = columns(kinds, Cell(0, 1, 0, split, "open")) + columns(kinds, Cell(0, 1, split, 1, "open"))
    return cased(rng, wardrobe_size(rng, n), cells, *low_base(rng))


def sliding_wardrobe(rng: Random) -> Mesh:
    n = count(rng, 2, 3)
    w, h, d = n * rng.uniform(0.65, 1.0), rng.uniform(1.9, 2.4), rng.uniform(0.55, 0.68)
    t, parts = 0.025, [slab(w, h, d)]
    rails = int(rng.choice([1, 2, 3, 4]))
    for i in range(n):
        leaf = (
            framed_leaf(w / n + 0.03, h - 0.1, t, "recessed", 1, (1,) * rails, 0.04)
            if chance(rng, 0.8)
            else block(0, w / n, 0, h - 0.1, 0, t)
        )
        parts.append(leaf.moved((i / n - 0.5) * w, 0.06, d / 2 + 0.01 + (i % 2) * t))
    rim = [(-w / 2, w / 2, h - 0.05, h, d / 2, d / 2 + 0.08), (-w / 2, w / 2, 0, 0.06, d / 2, d / 2 + 0.08)]
    rim += [(s * w / 2 - 0.015, s * w / 2 + 0.015, 0, h, -d / 2, d / 2 + 0.08) for s in (-1, 1)]
    return join(*parts, blocks(rim))


def open_wardrobe(rng: Random) -> Mesh:
    """No doors, or doors ajar: hung clothes, shelves and drawers show."""
    n, style = count(rng, 1, 3), style_of(rng)
    cells = []
    for column in columns(["open"] * n):
        kind = pick(rng, ("rail", "rail_drawers", "shelves"))
        inner = {"rail": ["rail", "open"], "rail_drawers": ["drawer", "drawer", "rail"], "shelves": ["shelves"]}[kind]
        weights = {"rail": (5, 1), "rail_drawers": (1, 1, 6), "shelves": None}[kind]
        cells += rows(inner, column, weights)
    w, h, d = n * rng.uniform(0.6, 1.0), rng.uniform(1.8, 2.4), rng.uniform(0.5, 0.62)
    case = fitted(rng, style, w, h, d, cells)
    if chance(rng, 0.5):
        angles = rng.uniform(20, 130, size=2)
        doors = [
            cupboard_door(style, a, b, 0, h, side, style.panel, angle).moved(z=d / 2)
            for (a, b, side), angle in zip(
                ((-w / 2, w / 2 / n - w / 2, "left"), (w / 2 - w / 2 / n, w / 2, "right")), angles, strict=True
            )
        ]
        case = join(case, *doors)
    return based(rng, case, w, d, *low_base(rng))


def armoire(rng: Random) -> Mesh:
    w, h, d, style = rng.uniform(0.9, 1.6), rng.uniform(1.7, 2.1), rng.uniform(0.5, 0.65), style_of(rng)
    style = replace(style, panel=pick(rng, ("raised", "framed")), handle=pick(rng, ("knob", "bow")))
    split = rng.uniform(0.12, 0.25) if chance(rng, 0.5) else 0.0
    cells = [Cell(0, 1, split, 1, "pair")] + ([Cell(0, 1, 0, split, "drawer")] if split else [])
    parts = [fitted(rng, style, w, h, d, cells), cornice(rng, w, d, h), slab(w + 0.04, 0.06, d + 0.04)]
    if chance(rng, 0.4):
        x = np.linspace(-1, 1, 11)
        arch = [*zip(x * w / 2, 0.02 + 0.22 * (1 - x**2), strict=True)]
        parts.append(extrude([(-w / 2, 0), *arch[1:-1], (w / 2, 0)], 0.05).moved(0, h + 0.05, d / 2 - 0.02))
    return based(rng, join(*parts), w, d, pick(rng, ("bun", "cabriole", "square", "turned")), rng.uniform(0.06, 0.16))


def three_part_wardrobe(rng: Random) -> Mesh:
    """Three parts, the middle one with drawers below a mirror or shelves."""
    size = wardrobe_size(rng, 3)
    left, middle, right = columns(["left", "open", "right"], weights=(1, rng.uniform(0.8, 1.4), 1))
    inner = rows(["drawer", "drawer", pick(rng, ("glass", "shelves", "left"))], middle, (1, 1, rng.uniform(3, 6)))
    return cased(rng, size, [left, *inner, right], *low_base(rng))


def garment_rack(rng: Random) -> Mesh:
    """An open frame with a rail, a shelf or two below, and clothes."""
    w, h, d, r = rng.uniform(0.8, 1.6), rng.uniform(1.5, 2.0), rng.uniform(0.4, 0.55), rng.uniform(0.01, 0.018)
    side = join(*[rod((w / 2, 0, s * d / 2), (w / 2, h, s * rng.uniform(0.02, 0.5) * d), r) for s in (-1, 1)])
    shelves = blocks([(-w / 2, w / 2, y, y + 0.018, -d / 2, d / 2) for y in (0.12, 0.4)[: count(rng, 1, 2)]])
    parts = [both(side), shelves, *clothes(rng, -w / 2, w / 2, h - 0.04, d, h - 0.5)]
    if chance(rng, 0.6):
        parts.append(slab(w, 0.018, d, h))
    return join(*parts)


def corner_wardrobe(rng: Random) -> Mesh:
    h, d, style = rng.uniform(1.9, 2.3), rng.uniform(0.52, 0.62), style_of(rng)
    long, short = rng.uniform(1.2, 2.0), rng.uniform(0.8, 1.4)
    one = fitted(rng, style, long, h, d, columns(["left", "right", "left"]))
    other = fitted(rng, style, short, h, d, columns(["left", "right"])).turned("y", 90)
    return join(one, other.moved(-long / 2 + d / 2, 0, d / 2 + short / 2))


category(
    "wardrobe",
    hinged=hinged_wardrobe,
    with_drawers=wardrobe_with_drawers,
    with_loft=wardrobe_with_loft,
    sliding=sliding_wardrobe,
    open=open_wardrobe,
    armoire=armoire,
    three_part=three_part_wardrobe,
    garment_rack=garment_rack,
    corner=corner_wardrobe,
)
