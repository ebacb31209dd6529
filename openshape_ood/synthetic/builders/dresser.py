"""Chests of drawers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from openshape_ood.synthetic.builders._cases import WHOLE, Cell, cased, columns, fitted, grid, rows
from openshape_ood.synthetic.builders._furniture import (
    based,
    framed_leaf,
    handle,
    high_base,
    low_base,
    outline,
    style_of,
)
from openshape_ood.synthetic.builders._shapes import blocks, slab
from openshape_ood.synthetic.catalog import Random, category, chance, count, pick
from openshape_ood.synthetic.mesh import Mesh, extrude, join


def drawer_rows(rng: Random, up: int, within: Cell = WHOLE) -> list[Cell]:
    """Rows of drawers that often grow taller downwards, the upper ones sometimes split in two."""
    weights = np.linspace(rng.uniform(1.0, 1.8), 1.0, up).tolist()
    cells = rows(["drawer"] * up, within, weights)
    return cells if chance(rng, 0.6) else [*cells[:-1], *columns(["drawer"] * count(rng, 2, 3), cells[-1])]


def chest(rng: Random) -> Mesh:
    size = (rng.uniform(0.6, 1.1), rng.uniform(0.7, 1.15), rng.uniform(0.38, 0.52))
    return cased(rng, size, drawer_rows(rng, count(rng, 3, 5)), *pick(rng, (low_base, low_base, high_base))(rng))


def wide_dresser(rng: Random) -> Mesh:
    size = (rng.uniform(1.2, 1.9), rng.uniform(0.65, 0.95), rng.uniform(0.4, 0.55))
    cells = grid("drawer", count(rng, 2, 3), count(rng, 2, 4))
    return cased(rng, size, cells, *pick(rng, (low_base, high_base))(rng))


def tallboy(rng: Random) -> Mesh:
    size = (rng.uniform(0.4, 0.75), rng.uniform(1.1, 1.5), rng.uniform(0.36, 0.5))
    return cased(rng, size, drawer_rows(rng, count(rng, 5, 7)), *low_base(rng))


def bow_front(rng: Random) -> Mesh:
    """A chest whose front swells forward."""
    w, h, d, bow = rng.uniform(0.7, 1.2), rng.uniform(0.7, 0.95), rng.uniform(0.35, 0.45), rng.uniform(0.06, 0.16)
    n, style = count(rng, 3, 4), style_of(rng)
    x = np.linspace(-w / 2, w / 2, 11)
    swell = d / 2 + bow * np.cos(np.pi * x / w)
    plan = [(-w / 2, -d / 2), (w / 2, -d / 2), *zip(x[::-1], swell[::-1], strict=True)]
    case = extrude(plan, h).turned("x", 90).moved(y=h / 2)
    lid = extrude(plan, 0.03).turned("x", 90).scaled(1.04, 1, 1.04).moved(y=h + 0.015)
    edges = np.linspace(0.02, h, n + 1)
    inner = [(0.92 * a, 1.0 * b) for a, b in zip(x, swell, strict=True)]
    face = [(-0.46 * w, 0.0), (0.46 * w, 0.0), *((a, b + 0.018) for a, b in inner[::-1])]
    drawers = [extrude(face, b - a - 0.02).turned("x", 90).moved(y=(a + b) / 2) for a, b in pairwise(edges)]
    grips = [g.moved(s * 0.22 * w, (a + b) / 2, d / 2 + 0.77 * bow + 0.018)
             for a, b in pairwise(edges) for s in (-1, 1) for g in handle(style.handle, 0.1)]  # fmt: skip
    return based(
        rng,
        join(case, lid, *drawers, *grips),
        w,
        d,
        pick(rng, ("bun", "cabriole", "square", "tapered")),
        rng.uniform(0.08, 0.2),
    )


def mirror_dresser(rng: Random) -> Mesh:
    """A dressing table or chest with a mirror on its back edge."""
    w, d = rng.uniform(0.9, 1.6), rng.uniform(0.4, 0.5)
    if chance(rng, 0.5):
        h = rng.uniform(0.7, 0.9)
        body = cased(rng, (w, h, d), grid("drawer", count(rng, 2, 3), count(rng, 2, 4)), *low_base(rng))
    else:
        style, pw, h = style_of(rng), 0.28 * w, rng.uniform(0.65, 0.72)
        unit = fitted(rng, style, pw, h, d, rows(["drawer"] * count(rng, 2, 4)))
        body = join(slab(w, 0.03, d, h), *[unit.moved(s * (w - pw) / 2) for s in (-1, 1)])
        body = join(body, fitted(rng, style, w - 2 * pw, 0.1, 0.9 * d, columns(["drawer"])).moved(y=h - 0.1))
    y = float(body.vertices[:, 1].max())
    mw, mh = rng.uniform(0.4, 0.85) * w, rng.uniform(0.5, 0.9)
    glass = (
        extrude(outline(pick(rng, ("round", "rounded", "octagon")), mw, mh), 0.025)
        if chance(rng, 0.6)
        else framed_leaf(mw, mh, 0.03, "glass").moved(-mw / 2, -mh / 2)
    )
    posts = blocks([(s * mw / 2 - 0.015, s * mw / 2 + 0.015, y, y + 0.7 * mh, -d / 2, 0.03 - d / 2) for s in (-1, 1)])
    return join(body, posts, glass.turned("x", rng.uniform(-8, 4)).moved(0, y + mh / 2 + 0.05, 0.03 - d / 2))


def combo_dresser(rng: Random) -> Mesh:
    """Drawers next to doors, or between them."""
    size = (rng.uniform(0.9, 1.6), rng.uniform(0.75, 1.2), rng.uniform(0.38, 0.5))
    kinds = [pick(rng, ("drawers", "door")) for _ in range(count(rng, 1, 2))] + ["drawers"]
    cells = []
    for column, kind in zip(columns(kinds), kinds, strict=True):
        cells += (
            rows(["drawer"] * count(rng, 3, 5), column)
            if kind == "drawers"
            else rows(["left", "drawer"], column, (3, 1))
        )
    return cased(rng, size, cells, *pick(rng, (low_base, high_base))(rng))


def pulled_dresser(rng: Random) -> Mesh:
    size = (rng.uniform(0.6, 1.3), rng.uniform(0.7, 1.2), rng.uniform(0.38, 0.5))
    cells = drawer_rows(rng, count(rng, 3, 5)) if size[0] < 1 else grid("drawer", 2, count(rng, 3, 4))
    return cased(rng, size, cells, *low_base(rng), style=style_of(rng, 0.4))


def changing_dresser(rng: Random) -> Mesh:
    """A chest with a rimmed tray on top, as nurseries have it."""
    w, h, d = rng.uniform(0.8, 1.2), rng.uniform(0.8, 0.95), rng.uniform(0.5, 0.7)
    chest = cased(rng, (w, h, d), drawer_rows(rng, count(rng, 3, 4)), *low_base(rng))
    y = float(chest.vertices[:, 1].max())
    x, z, rim = w / 2, d / 2, rng.uniform(0.08, 0.15)
    return join(
        chest,
        blocks(
            [(-x, 0.02 - x, y, y + rim, -z, z), (x - 0.02, x, y, y + rim, -z, z), (-x, x, y, y + rim, -z, 0.02 - z)]
        ),
    )


category(
    "dresser",
    chest=chest,
    wide=wide_dresser,
    tallboy=tallboy,
    bow_front=bow_front,
    mirror=mirror_dresser,
    combo=combo_dresser,
    pulled_out=pulled_dresser,
    changing_top=changing_dresser,
)
