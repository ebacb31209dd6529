"""TV stands and media walls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from openshape_ood.synthetic.builders._cases import cased, columns, fitted, grid, rows
from openshape_ood.synthetic.builders._furniture import based, high_base, legs, low_base, style_of, top
from openshape_ood.synthetic.builders._shapes import Rows, block, blocks, slab
from openshape_ood.synthetic.catalog import Random, category, chance, count, pick
from openshape_ood.synthetic.mesh import Mesh, extrude, join


def tv_size(rng: Random) -> tuple[float, float, float]:
    return rng.uniform(1.0, 2.4), rng.uniform(0.28, 0.6), rng.uniform(0.35, 0.52)


def lowboard(rng: Random) -> Mesh:
    cells = []
    for column in columns(["open"] * count(rng, 2, 4)):
        kinds = [["drawer"], ["drawer", "open"], ["flap"], ["left"], ["drawer", "drawer"]][rng.randint(5)]
        cells += rows(kinds, column)
    return cased(rng, tv_size(rng), cells, *pick(rng, (low_base, high_base))(rng))


def tv_open(rng: Random) -> Mesh:
    cells = grid("open", count(rng, 1, 3), count(rng, 1, 2))
    w, h, d = tv_size(rng)
    case = fitted(rng, style_of(rng), w, h, d, cells, back=chance(rng, 0.6))
    return based(rng, case, w, d, *pick(rng, (low_base, high_base))(rng))


def tv_flanked(rng: Random) -> Mesh:
    """Doors at both ends, open compartments for the players between them."""
    left, middle, right = columns([pick(rng, ("left", "glass")), "open", "right"], weights=(1, rng.uniform(1, 2), 1))
    right = replace(right, kind="glass" if left.kind == "glass" else "right")
    return cased(rng, tv_size(rng), [left, *grid("open", 1, 2, middle), right], *low_base(rng))


def tv_tiers(rng: Random) -> Mesh:
    """Glass or wooden tiers on posts."""
    w, h, d = rng.uniform(0.8, 1.5), rng.uniform(0.4, 0.6), rng.uniform(0.38, 0.5)
    t, n = rng.uniform(0.008, 0.025), count(rng, 2, 3)
    levels = np.linspace(0.06, h, n)
    plan = pick(rng, ("rectangle", "boat", "rounded"))
    parts = [top(plan, w * (1 - 0.08 * (n - 1 - i)), t, d, y) for i, y in enumerate(levels)]
    parts.append(legs(pick(rng, ("round", "square")), 0.84 * w, 0.75 * d, h, rng.uniform(0.018, 0.035)))
    if chance(rng, 0.35):
        parts.append(block(-0.06, 0.06, 0, rng.uniform(1.0, 1.4), -d / 2, 0.04 - d / 2))
    return join(*parts)


def media_wall(rng: Random) -> Mesh:
    """An entertainment center: a low unit, towers or a bridge around the screen."""
    w, h, d, style = rng.uniform(1.8, 3.0), rng.uniform(0.4, 0.55), rng.uniform(0.4, 0.5), style_of(rng)
    tw, th = rng.uniform(0.35, 0.5), rng.uniform(1.5, 2.1)
    low = fitted(rng, style, w, h, d, columns([pick(rng, ("drawer", "open", "left")) for _ in range(count(rng, 2, 4))]))
    tower = fitted(
        rng,
        style,
        tw,
        th,
        0.9 * d,
        rows([pick(rng, ("left", "drawer")), pick(rng, ("shelves", "glass"))], weights=(1, 2)),
    )
    parts = [low, tower.moved((w + tw) / 2), tower.moved(-(w + tw) / 2)]
    if chance(rng, 0.6):
        parts.append(fitted(rng, style, w, 0.28, 0.8 * d, columns(["open"] * 3)).moved(y=th - 0.28))
    if chance(rng, 0.3):
        parts.pop(2)
    return join(*parts)


def tv_hung(rng: Random) -> Mesh:
    w, h, d = rng.uniform(1.2, 2.2), rng.uniform(0.2, 0.4), rng.uniform(0.3, 0.42)
    cells = columns([pick(rng, ("flap", "open")) for _ in range(count(rng, 2, 4))])
    unit = fitted(rng, replace(style_of(rng), handle="none"), w, h, d, cells)
    panel = block(-0.35 * w, 0.35 * w, 0, rng.uniform(1.0, 1.5), -d / 2 - 0.025, -d / 2)
    return join(unit, panel) if chance(rng, 0.4) else unit


def tv_corner(rng: Random) -> Mesh:
    """A plan that narrows backwards, for the corner of a room."""
    w, h, d, t = rng.uniform(0.9, 1.4), rng.uniform(0.42, 0.6), rng.uniform(0.42, 0.55), 0.025
    back = rng.uniform(0.35, 0.6) * w
    plan = [
        (-w / 2, d / 2),
        (-w / 2, 0.15 * d),
        (-back / 2, -d / 2),
        (back / 2, -d / 2),
        (w / 2, 0.15 * d),
        (w / 2, d / 2),
    ]
    plate = extrude(plan, t).turned("x", 90)
    parts = [plate.moved(y=y) for y in np.linspace(0.06, h, count(rng, 2, 3))]
    walls: Rows = [(s * w / 2 - t / 2, s * w / 2 + t / 2, 0, h, 0.15 * d, d / 2) for s in (-1, 1)]
    walls.append((-back / 2, back / 2, 0, h, -d / 2, t - d / 2))
    if chance(rng, 0.5):
        walls.append((-t / 2, t / 2, 0.06, h, -0.4 * d, 0.45 * d))
    return join(*parts, blocks(walls))


def tv_long(rng: Random) -> Mesh:
    """A very long low board on a block and legs, with a second, shifted board beside or above it."""
    w, d, t = rng.uniform(1.4, 2.6), rng.uniform(0.32, 0.5), rng.uniform(0.02, 0.06)
    low, tall, shift = rng.uniform(0.06, 0.2), rng.uniform(0.14, 0.3), rng.uniform(0.2, 0.8)
    block_w = w * rng.uniform(0.3, 0.6)
    kinds = [pick(rng, ("flap", "drawer", "open")) for _ in range(count(rng, 1, 2))]
    case = fitted(rng, style_of(rng), block_w, tall, 0.95 * d, columns(kinds))
    lower = based(rng, slab(w, t, d), w, d, pick(rng, ("square", "panels", "plinth", "tapered")), low)
    y, x = low + t, -(w - block_w) / 2 * rng.uniform(0.7, 1)
    over = w * rng.uniform(0.6, 1.0)
    board = slab(over, t, d * rng.uniform(0.85, 1), y + tall, x=x + (over - block_w) / 2 + shift * 0.3 * w)
    parts = [lower, case.moved(x, y), board]
    if chance(rng, 0.7):
        end = float(board.vertices[:, 0].max()) - 0.04
        foot = y if end < w / 2 else 0.0
        parts.append(block(end - 0.03, end, foot, y + tall, -0.45 * d, 0.45 * d))
    whole = join(*parts)
    return whole.mirrored("x") if chance(rng) else whole


category(
    "tv stand",
    lowboard=lowboard,
    open=tv_open,
    flanked=tv_flanked,
    tiers=tv_tiers,
    media_wall=media_wall,
    hung=tv_hung,
    corner=tv_corner,
    stacked_long=tv_long,
)
