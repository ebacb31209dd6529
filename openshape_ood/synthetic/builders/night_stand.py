"""Night stands."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from openshape_ood.synthetic.builders._cases import WHOLE, cased, columns, fitted, rows
from openshape_ood.synthetic.builders._furniture import based, handle, high_base, legs, low_base, style_of
from openshape_ood.synthetic.builders._shapes import block, slab
from openshape_ood.synthetic.catalog import Random, category, chance, count, pick
from openshape_ood.synthetic.mesh import Mesh, extrude, join, lathe


def stand_size(rng: Random) -> tuple[float, float, float]:
    return rng.uniform(0.35, 0.6), rng.uniform(0.35, 0.62), rng.uniform(0.32, 0.48)


def night_legs(rng: Random) -> Mesh:
    w, h, d = stand_size(rng)
    return cased(rng, (w, rng.uniform(0.35, 0.6) * h, d), rows(["drawer"] * count(rng, 1, 2)), *high_base(rng))


def night_open(rng: Random) -> Mesh:
    cells = rows(["open", pick(rng, ("drawer", "drawer", "open"))], weights=(rng.uniform(0.8, 2.5), 1))
    return cased(rng, stand_size(rng), cells, *pick(rng, (low_base, high_base))(rng))


def night_door(rng: Random) -> Mesh:
    kinds, weights = (["left", "drawer"], (2, 1)) if chance(rng, 0.6) else (["right", "open"], (2, 1))
    return cased(rng, stand_size(rng), rows(kinds, weights=weights), *low_base(rng), style=style_of(rng, 0.15))


def night_table(rng: Random) -> Mesh:
    """Four long legs, a drawer under the top and a board near the floor."""
    w, h, d = stand_size(rng)
    kind, tall = pick(rng, ("square", "tapered", "turned", "round")), rng.uniform(0.1, 0.18)
    parts = [slab(w + 0.03, 0.02, d + 0.03, h), legs(kind, w, d, h, rng.uniform(0.014, 0.022))]
    parts.append(fitted(rng, style_of(rng), 0.92 * w, tall, 0.92 * d, columns(["drawer"])).moved(y=h - tall))
    if chance(rng, 0.7):
        parts.append(slab(0.92 * w, 0.018, 0.92 * d, rng.uniform(0.08, 0.2)))
    return join(*parts)


def night_round(rng: Random) -> Mesh:
    """A drum with a door or drawers let into its front."""
    r, h = rng.uniform(0.18, 0.27), rng.uniform(0.4, 0.6)
    case = lathe([(0, 0), (r, 0), (r, h), (1.05 * r, h), (1.05 * r, h + 0.02), (0, h + 0.02)], 24)
    n = count(rng, 1, 3)
    edges = np.linspace(0.04, h - 0.02, n + 1)
    a = np.radians(np.linspace(35, 145, 9))
    face = [((r + 0.012) * np.cos(t), (r + 0.012) * np.sin(t)) for t in a]
    fronts = [extrude(face, q - p - 0.015).turned("x", 90).moved(y=(p + q) / 2) for p, q in pairwise(edges)]
    grips = [g.moved(0, (p + q) / 2, r + 0.012) for p, q in pairwise(edges) for g in handle("knob", 0.1)]
    return based(
        rng,
        join(case, *fronts, *grips),
        1.3 * r,
        1.3 * r,
        pick(rng, ("none", "round", "tapered", "splayed")),
        rng.uniform(0.05, 0.2),
    )


def night_hung(rng: Random) -> Mesh:
    """A shallow box for the wall, with drawer, open slot or a back panel."""
    w, h, d = rng.uniform(0.35, 0.55), rng.uniform(0.14, 0.32), rng.uniform(0.28, 0.4)
    kinds = [["drawer"], ["drawer", "open"], ["open"]][rng.randint(3)]
    body = fitted(rng, style_of(rng, 0.2), w, h, d, rows(kinds))
    return (
        join(body, block(-w / 2, w / 2, 0, rng.uniform(0.4, 0.7), -d / 2 - 0.02, -d / 2)) if chance(rng, 0.3) else body
    )


def night_chest(rng: Random) -> Mesh:
    """Night stand wider than high: two or three drawers between a thick overhanging top and a plinth."""
    w, h, d, style = rng.uniform(0.52, 0.85), rng.uniform(0.36, 0.58), rng.uniform(0.36, 0.5), style_of(rng)
    up, t, over = count(rng, 2, 3), rng.uniform(0.02, 0.06), rng.uniform(0.01, 0.05)
    cells = rows(["drawer"] * up)
    if chance(rng, 0.3):
        cells = [*rows(["drawer"] * (up - 1), replace(WHOLE, y1=1 - 1 / up)), *columns(["drawer"] * 2, cells[-1])]
    parts = [fitted(rng, style, w, h, d, cells), slab(w + 2 * over, t, d + over, h, z=over / 2)]
    if chance(rng, 0.5):
        parts.append(slab(w + over, 0.6 * t, d + 0.5 * over, h - 0.6 * t))
    lift, out = rng.uniform(0.05, 0.14), rng.uniform(-0.02, 0.04)
    if chance(rng, 0.75):
        return join(slab(w + out, lift, d + out), join(*parts).moved(y=lift))
    return based(rng, join(*parts), w, d, pick(rng, ("bun", "square", "tapered")), lift)


category(
    "night stand",
    drawers=lambda rng: cased(rng, stand_size(rng), rows(["drawer"] * count(rng, 2, 3)), *low_base(rng)),
    on_legs=night_legs,
    open_shelf=night_open,
    door=night_door,
    table=night_table,
    round=night_round,
    hung=night_hung,
    chest=night_chest,
)
