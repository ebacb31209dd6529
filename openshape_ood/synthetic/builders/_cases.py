"""Case furniture: a case whose front is divided into cells.

A `Cell`, in fractions of the front, is a door, a drawer, glass or open; `fitted` turns such a
description into a case with its fronts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from openshape_ood.synthetic.builders._furniture import Style, based, cupboard_door, drawer, style_of
from openshape_ood.synthetic.builders._shapes import Rows, blocks, slab
from openshape_ood.synthetic.catalog import Random, chance, count, pick
from openshape_ood.synthetic.mesh import Mesh, join, rod


def books(rng: Random, x0: float, x1: float, y: float, depth: float, clear: float) -> np.ndarray:
    """Rows (n, 6) for `blocks`: books on a board at height `y`. clear: space above the board."""
    if clear < 0.06 or x1 - x0 < 0.06:
        return np.zeros((0, 6))
    edges = x0 + np.concatenate([[0.0], np.cumsum(rng.uniform(0.018, 0.06, size=int((x1 - x0) / 0.03) + 1))])
    edges = edges[edges < x0 + rng.uniform(0.3, 1.0) * (x1 - x0)]
    n = len(edges) - 1
    if n < 1:
        return np.zeros((0, 6))
    high = np.minimum(rng.uniform(0.16, 0.32, size=n), clear * rng.uniform(0.75, 0.98, size=n))
    back = np.full(n, -depth / 2 + 0.01)
    deep = back + np.minimum(rng.uniform(0.12, 0.24, size=n), 0.95 * depth - 0.01)
    return np.stack([edges[:-1], edges[1:] - 0.001, np.full(n, y), y + high, back, deep], axis=1)


def clothes(rng: Random, x0: float, x1: float, y: float, depth: float, clear: float) -> list[Mesh]:
    """A rail at height `y` with garments hung from it."""
    rail = rod((x0, y, 0), (x1, y, 0), 0.012)
    n = count(rng, 0, int((x1 - x0) / 0.08))
    if n == 0:
        return [rail]
    x = np.sort(rng.uniform(x0 + 0.03, x1 - 0.03, size=n))
    drop = np.minimum(rng.uniform(0.5, 1.2, size=n), 0.95 * clear)
    wide = np.minimum(rng.uniform(0.18, 0.26, size=n), 0.45 * depth)
    lines = [(a - 0.015, a + 0.015, y - b - 0.05, y - 0.05, -c, c) for a, b, c in zip(x, drop, wide, strict=True)]
    return [rail, blocks(lines)]


@dataclass(frozen=True)
class Cell:
    """A rectangle of a front, in fractions of the front's width and height, with its kind.

    Kinds with a front: left, right (door with the hinge on this side), pair (two doors), glass, bars (glazed doors),
    drawer, flap. Kinds without a front: open, shelves, books, rail (clothes).
    """

    x0: float
    x1: float
    y0: float
    y1: float
    kind: str


WHOLE = Cell(0, 1, 0, 1, "open")


def columns(kinds: Sequence[str], within: Cell = WHOLE, weights: Sequence[float] | None = None) -> list[Cell]:
    """Cells next to each other, from the left."""
    edges = within.x0 + (within.x1 - within.x0) * _shares(kinds, weights)
    return [Cell(a, b, within.y0, within.y1, k) for a, b, k in zip(edges, edges[1:], kinds, strict=False)]


def rows(kinds: Sequence[str], within: Cell = WHOLE, weights: Sequence[float] | None = None) -> list[Cell]:
    """Cells above each other, from below."""
    edges = within.y0 + (within.y1 - within.y0) * _shares(kinds, weights)
    return [Cell(within.x0, within.x1, a, b, k) for a, b, k in zip(edges, edges[1:], kinds, strict=False)]


def _shares(kinds: Sequence[str], weights: Sequence[float] | None) -> np.ndarray:
    shares = np.ones(len(kinds)) if weights is None else np.asarray(weights, dtype=np.float64)
    return np.concatenate([[0.0], np.cumsum(shares) / shares.sum()])


def grid(kind: str, across: int, up: int, within: Cell = WHOLE) -> list[Cell]:
    return [cell for column in columns(["open"] * across, within) for cell in rows([kind] * up, column)]


def carcass(width: float, height: float, depth: float, t: float, back: bool = True) -> Mesh:
    """A case open at the front, from y = 0, centered in x and z."""
    x, z = width / 2, depth / 2
    walls = [
        (-x, t - x, 0, height, -z, z),
        (x - t, x, 0, height, -z, z),
        (-x, x, 0, t, -z, z),
        (-x, x, height - t, height, -z, z),
    ]
    if back:
        walls.append((-x, x, 0, height, -z, 0.006 - z))
    return blocks(walls)


def fitted(
    rng: Random, style: Style, width: float, height: float, depth: float, cells: Sequence[Cell], back: bool = True
) -> Mesh:
    """A case from y = 0 with the fronts and compartments that `cells` describe."""
    built = [_fill(rng, style, cell, width, height, depth) for cell in cells]
    shut = not any(open_inside for _, open_inside in built)
    case = slab(width, height, depth) if shut and chance(rng, 0.6) else carcass(width, height, depth, style.board, back)
    return join(case, *[mesh for meshes, _ in built for mesh in meshes])


def _fill(rng: Random, style: Style, cell: Cell, width: float, height: float, depth: float) -> tuple[list[Mesh], bool]:
    """The meshes of one cell, and True if its inside is visible."""
    x0, x1, y0, y1 = (cell.x0 - 0.5) * width, (cell.x1 - 0.5) * width, cell.y0 * height, cell.y1 * height
    z, kind = depth / 2, cell.kind
    if kind in ("open", "shelves", "books", "rail"):
        return _compartment(rng, style.board, x0, x1, y0, y1, depth, kind), True
    if kind == "drawer":
        out = rng.uniform(0.08, 0.7) * depth if chance(rng, style.ajar) else 0.0
        return [drawer(style, x0, x1, y0, y1, depth, out).moved(z=z)], out > 0
    if kind == "flap":
        return [drawer(style, x0, x1, y0, y1, depth, 0.0).moved(z=z)], False
    angle = rng.uniform(15, 120) if chance(rng, style.ajar) else 0.0
    panel = kind if kind in ("glass", "bars", "louver") else style.panel
    hinge = pick(rng, ("left", "right")) if kind not in ("left", "right") else kind
    sides = [(x0, (x0 + x1) / 2, "left"), ((x0 + x1) / 2, x1, "right")] if kind == "pair" else [(x0, x1, hinge)]
    doors = [cupboard_door(style, a, b, y0, y1, side, panel, angle).moved(z=z) for a, b, side in sides]
    if angle == 0 and panel not in ("glass", "bars"):
        return doors, False
    return doors + _compartment(rng, style.board, x0, x1, y0, y1, depth, "shelves"), True


def _compartment(
    rng: Random, t: float, x0: float, x1: float, y0: float, y1: float, depth: float, kind: str
) -> list[Mesh]:
    """Boards around an opening, with shelves, books or a rail of clothes in it."""
    z = depth / 2
    walls: Rows = [(x0, x0 + t, y0, y1, -z, z), (x1 - t, x1, y0, y1, -z, z), (x0, x1, y0, y0 + t, -z, z)]
    count = max(1, int((y1 - y0) / rng.uniform(0.25, 0.42))) if kind in ("shelves", "books") else 1
    levels = np.linspace(y0, y1, count + 1)
    walls += [(x0, x1, y, y + t, -z, 0.96 * z) for y in levels[1:-1]]
    meshes = [blocks(walls)]
    if kind == "books":
        lines = [
            books(rng, x0 + t, x1 - t, y + t, depth, levels[1] - y0 - 2 * t) for y in levels[:-1] if chance(rng, 0.75)
        ]
        meshes += [blocks(line) for line in lines if len(line)]
    if kind == "rail":
        meshes += clothes(rng, x0 + t, x1 - t, y1 - 0.1, depth, y1 - y0 - 0.15)
    return meshes


def cornice(rng: Random, width: float, depth: float, y: float) -> Mesh:
    """A stepped molding that crowns a case."""
    out, high = rng.uniform(0.02, 0.06), rng.uniform(0.03, 0.08)
    return join(
        slab(width + out, high / 2, depth + out, y), slab(width + 2 * out, high / 2, depth + 2 * out, y + high / 2)
    )


def cased(
    rng: Random,
    size: tuple[float, float, float],
    cells: Sequence[Cell],
    base: str,
    lift: float,
    style: Style | None = None,
) -> Mesh:
    """A finished piece: a case on its base, sometimes with an overhanging top; `size` is the size of the case."""
    width, height, depth = size
    style = style or style_of(rng)
    case = fitted(rng, style, width, height, depth, cells)
    if chance(rng, 0.4):
        over = rng.uniform(0, 0.03)
        case = join(case, slab(width + 2 * over, rng.uniform(0.015, 0.04), depth + 2 * over, height))
    return based(rng, case, width, depth, base, lift)
