"""Bookcases, shelves and racks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from openshape_ood.synthetic.builders._cases import Cell, books, carcass, columns, cornice, fitted, grid
from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._furniture import based, legs, low_base, style_of
from openshape_ood.synthetic.builders._shapes import Rows, block, blocks
from openshape_ood.synthetic.catalog import Random, category, chance, count, pick
from openshape_ood.synthetic.mesh import Mesh, cushion, extrude, join, rod


def shelf_kind(rng: Random) -> str:
    return pick(rng, ("shelves", "shelves", "books"))


def open_case(rng: Random, width: float, height: float, depth: float, bays: int) -> Mesh:
    """A bookcase: bays of shelves, with or without back, plinth and cornice."""
    style, kind = style_of(rng), shelf_kind(rng)
    case = fitted(rng, style, width, height, depth, columns([kind] * bays), back=chance(rng, 0.75))
    if chance(rng, 0.3):
        case = join(case, cornice(rng, width, depth, height))
    base, lift = low_base(rng)
    return based(rng, case, width, depth, base, lift)


def tall_bookcase(rng: Random) -> Mesh:
    return open_case(rng, rng.uniform(0.6, 1.2), rng.uniform(1.5, 2.3), rng.uniform(0.22, 0.4), count(rng, 1, 2))


def low_bookcase(rng: Random) -> Mesh:
    return open_case(rng, rng.uniform(0.8, 1.8), rng.uniform(0.65, 1.2), rng.uniform(0.25, 0.4), count(rng, 1, 3))


def wall_bookcase(rng: Random) -> Mesh:
    return open_case(rng, rng.uniform(1.8, 4.0), rng.uniform(1.8, 2.6), rng.uniform(0.25, 0.42), count(rng, 3, 5))


def cube_shelf(rng: Random) -> Mesh:
    n, m, side, d = count(rng, 2, 5), count(rng, 2, 5), rng.uniform(0.28, 0.42), rng.uniform(0.3, 0.42)
    mix = pick(rng, ("open", "books", "mixed"))
    cells = grid("open", n, m)
    if mix != "open":
        cells = [replace(c, kind=pick(rng, ("open", "books", "drawer" if mix == "mixed" else "books"))) for c in cells]
    base, lift = low_base(rng)
    return based(
        rng, fitted(rng, style_of(rng), n * side, m * side, d, cells, back=chance(rng, 0.3)), n * side, d, base, lift
    )


def etagere(rng: Random) -> Mesh:
    w, h, d = rng.uniform(0.5, 1.6), rng.uniform(0.9, 2.2), rng.uniform(0.28, 0.55)
    post, t, r = pick(rng, ("square", "round")), rng.uniform(0.012, 0.035), rng.uniform(0.01, 0.025)
    levels = np.linspace(rng.uniform(0.05, 0.2), h - t - rng.uniform(0, 0.15), count(rng, 3, 6))
    parts = [legs(post, w, d, h, r), blocks([(-w / 2, w / 2, y, y + t, -d / 2, d / 2) for y in levels])]
    if chance(rng, 0.35):
        parts += [rod((s * w / 2, levels[0], -d / 2), (-s * w / 2, levels[-1], -d / 2), 0.006) for s in (-1, 1)]
    if chance(rng, 0.45):
        lines = [books(rng, -0.45 * w, 0.45 * w, y + t, d, levels[1] - levels[0] - t) for y in levels[:-1]]
        parts += [blocks(line) for line in lines if len(line)]
    return join(*parts)


def leaning_shelf(rng: Random) -> Mesh:
    w, h, d = rng.uniform(0.45, 0.9), rng.uniform(1.5, 2.1), rng.uniform(0.35, 0.55)
    t, n = rng.uniform(0.015, 0.025), count(rng, 4, 6)
    levels = np.linspace(0.15, 0.92 * h, n)
    depth = d * (1 - 0.65 * levels / h)
    shelves: Rows = [(-w / 2, w / 2, y, y + t, 0, a) for y, a in zip(levels, depth, strict=True)]
    shelves += [(-w / 2, w / 2, y, y + 0.07, 0, 0.012) for y in levels]
    pole = rod((w / 2, 0, d), (w / 2, h, 0.35 * d), 0.02)
    parts = [blocks(shelves), both(pole)]
    if chance(rng, 0.5):
        parts.append(both(rod((w / 2, 0, 0), (w / 2, h, 0), 0.02)))
    return join(*parts)


def staggered(rng: Random) -> Mesh:
    w, h, d, t = rng.uniform(0.6, 1.1), rng.uniform(1.2, 2.1), rng.uniform(0.22, 0.35), rng.uniform(0.018, 0.035)
    n = count(rng, 4, 7)
    levels = np.linspace(0, h - t, n + 1)
    cuboids: Rows = [(-w / 2, w / 2, y, y + t, -d / 2, d / 2) for y in levels]
    reach = rng.uniform(0.1, 0.5) * w
    for i, (a, b) in enumerate(pairwise(levels)):
        side = reach if i % 2 else -reach
        cuboids.append((side - t / 2, side + t / 2, a, b, -d / 2, d / 2))
        if i % 2 and chance(rng, 0.5):
            cuboids.append((-w / 2, t - w / 2, a, b, -d / 2, d / 2))
    parts = [blocks(cuboids)]
    if chance(rng, 0.4):
        lines = [books(rng, -0.3 * w, 0.3 * w, y + t, d, levels[1] - t) for y in levels[:-1]]
        parts += [blocks(line) for line in lines if len(line)]
    return join(*parts)


def stepped(rng: Random) -> Mesh:
    n, side, d, t = count(rng, 3, 5), rng.uniform(0.3, 0.42), rng.uniform(0.28, 0.4), rng.uniform(0.016, 0.03)
    unit = carcass(side + t, side + t, d, t, back=chance(rng, 0.4))
    shelf = join(*[unit.moved(side * i, side * j) for i in range(n) for j in range(n - i)])
    return shelf.mirrored("x") if chance(rng, 0.5) else shelf


def corner_shelf(rng: Random) -> Mesh:
    r, h, t, n = rng.uniform(0.25, 0.5), rng.uniform(0.9, 2.0), rng.uniform(0.012, 0.025), count(rng, 3, 6)
    quarter = np.linspace(0, np.pi / 2, 8)
    arc = [(0.0, 0.0), *((r * np.cos(a), r * np.sin(a)) for a in quarter)]
    shelf = extrude(arc, t).turned("x", 90)
    parts = [shelf.moved(y=y) for y in np.linspace(t, h - t, n)]
    if chance(rng, 0.6):
        parts.append(blocks([(0, r, 0, h, -t, 0), (-t, 0, 0, h, 0, r)]))
    else:
        parts += [rod((x, 0, z), (x, h, z), 0.012) for x, z in ((0.02, 0.02), (r - 0.03, 0.02), (0.02, r - 0.03))]
    return join(*parts).turned("y", -45)


def shelf_with_cupboards(rng: Random) -> Mesh:
    w, h, d, style = rng.uniform(0.8, 2.0), rng.uniform(1.7, 2.3), rng.uniform(0.28, 0.42), style_of(rng)
    n, split = count(rng, 1, 3), rng.uniform(0.25, 0.42)
    lower = columns([pick(rng, ("pair", "drawer"))] * n, Cell(0, 1, 0, split, "open"))
    upper = columns([shelf_kind(rng)] * n, Cell(0, 1, split, 1, "open"))
    base, lift = low_base(rng)
    case = fitted(rng, style, w, h, d, [*lower, *upper])
    if chance(rng, 0.4):
        case = join(case, cornice(rng, w, d, h))
    return based(rng, case, w, d, base, lift)


def wall_boards(rng: Random) -> Mesh:
    n, w, d, t = count(rng, 1, 4), rng.uniform(0.6, 1.4), rng.uniform(0.16, 0.3), rng.uniform(0.018, 0.045)
    pitch = rng.uniform(0.28, 0.42)
    parts = []
    for i in range(n):
        shift = rng.uniform(-0.15, 0.15) * w if chance(rng, 0.3) else 0.0
        parts.append(block(shift - w / 2, shift + w / 2, i * pitch, i * pitch + t, 0, d))
        bracket = extrude([(0, 0), (0.8 * d, 0), (0, -0.7 * d)], 0.02).turned("y", -90)
        parts += [bracket.moved(shift + s * 0.36 * w, i * pitch) for s in (-1, 1)]
        line = books(rng, shift - 0.48 * w, shift + 0.48 * w, i * pitch + t, d, 0.9 * pitch)
        if len(line) and chance(rng, 0.7):
            parts.append(blocks(line).moved(z=d / 2))
    return join(*parts)


def shoe_rack(rng: Random) -> Mesh:
    w, d, n = rng.uniform(0.5, 1.1), rng.uniform(0.25, 0.36), count(rng, 2, 5)
    pitch, bars, tilt = rng.uniform(0.16, 0.24), count(rng, 3, 6), rng.uniform(0, 20)
    h = n * pitch
    z = np.linspace(-0.45 * d, 0.45 * d, bars)
    level = blocks([(-w / 2, w / 2, -0.006, 0.006, a - 0.008, a + 0.008) for a in z]).turned("x", tilt)
    parts = [level.moved(y=0.08 + i * pitch) for i in range(n)]
    if chance(rng, 0.5):
        parts.append(legs(pick(rng, ("square", "round")), w, d, h, 0.014))
    else:
        parts.append(both(block(w / 2, w / 2 + 0.016, 0, h, -d / 2, d / 2)))
    if chance(rng, 0.5):
        shoe = cushion(0.09, 0.08, 0.26, 0.6, segments=8).turned("x", tilt).moved(y=0.13)
        parts += [
            shoe.moved(x, i * pitch) for i in range(n) for x in (np.arange(-0.42, 0.43, 0.14) * w) if chance(rng, 0.6)
        ]
    return join(*parts)


category(
    "bookshelf",
    tall=tall_bookcase,
    narrow=lambda rng: open_case(rng, rng.uniform(0.3, 0.5), rng.uniform(1.2, 2.2), rng.uniform(0.2, 0.35), 1),
    low=low_bookcase,
    wall=wall_bookcase,
    cubes=cube_shelf,
    etagere=etagere,
    leaning=leaning_shelf,
    staggered=staggered,
    stepped=stepped,
    corner=corner_shelf,
    cupboards_below=shelf_with_cupboards,
    wall_boards=wall_boards,
    shoe_rack=shoe_rack,
)
