"""Headboards, and what lies on a bed: pillows, duvet, mattress."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._blocks import slab, soft
from openshape_ood.synthetic.builders._boards import surface
from openshape_ood.synthetic.builders._chance import Random, chance, pick
from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._rows import row, spread
from openshape_ood.synthetic.builders._upholstery import sewn
from openshape_ood.synthetic.mesh import Mesh, cylinder, ellipsoid, extrude, join, rod


def lying_size(rng: Random, widest: float = 2.0) -> tuple[float, float]:
    """Width and length of a mattress, single to king."""
    return rng.uniform(0.85, widest), rng.uniform(1.85, 2.15)


def bed_pillows(rng: Random, width: float, length: float, y: float) -> Mesh:
    count = 1 if width < 1.15 else rng.randint(2, 4 if width > 1.5 else 3)
    w, d, t = width / count * rng.uniform(0.75, 0.95), rng.uniform(0.3, 0.48), rng.uniform(0.1, 0.2)
    one = sewn(rng, w, t, d)
    if chance(rng, 0.25):
        one = one.turned("x", rng.uniform(40, 75)).moved(y=d * 0.3)
    z = -length / 2 + d / 2 + 0.06
    parts = [one.moved(x, y + t / 2, z).turned("y", rng.uniform(-2, 2)) for x in spread(count, width * 0.96)]
    if chance(rng, 0.3):
        parts += [one.scaled(0.8, 1, 0.8).moved(x, y + t, z + 0.18) for x in spread(count, width * 0.9)]
    return join(*parts)


def duvet(rng: Random, width: float, length: float, y: float) -> Mesh:
    """A cover over the foot part of a mattress whose top lies at `y`: it hangs down and has folds."""
    hang, puff = rng.uniform(0.05, 0.3), rng.uniform(0.01, 0.06)
    start = rng.uniform(-0.3, 0.15) * length
    u, v = np.meshgrid(np.linspace(0, 1, 12), np.linspace(-1, 1, 17), indexing="ij")
    over = np.clip(np.abs(v) * (width / 2 + hang) - width / 2, 0, None)
    x = np.sign(v) * np.minimum(np.abs(v) * (width / 2 + hang), width / 2 + 0.02)
    along = start + u * (length / 2 - start + hang)
    down = np.clip(along - length / 2, 0, None)
    fold = 0.012 * np.sin(rng.uniform(4, 12) * u + rng.uniform(3, 9) * v + rng.uniform(0, 6))
    height = y + puff + fold - np.maximum(over, down)
    return surface(np.stack([x + (over > 0) * fold, height, np.minimum(along, length / 2 + 0.02)], axis=-1))


def bedding(rng: Random, width: float, length: float, y: float, thickness: float | None = None) -> Mesh:
    """A mattress lying at height `y`, mostly with pillows and a cover."""
    t = rng.uniform(0.12, 0.3) if thickness is None else thickness
    parts = [soft(width, t, length, y, edge=rng.uniform(0.06, 0.2))]
    if chance(rng, 0.85):
        parts.append(bed_pillows(rng, width, length, y + t))
    if chance(rng, 0.65):
        parts.append(duvet(rng, width, length, y + t))
    return join(*parts)


def arched_board(width: float, height: float, thickness: float, arch: float) -> Mesh:
    a = np.linspace(0, np.pi, 11)
    top = [(width / 2 * np.cos(i), height - arch * (1 - np.sin(i))) for i in a]
    return extrude([*top, (-width / 2, 0), (width / 2, 0)], thickness)


def panel_board(rng: Random, width: float, height: float) -> Mesh:
    t = rng.uniform(0.03, 0.09)
    if chance(rng, 0.4):
        return arched_board(width, height, t, rng.uniform(0.05, 0.3) * height)
    return slab(width, height, t)


def barred_board(rng: Random, width: float, height: float) -> Mesh:
    r = rng.uniform(0.012, 0.025)
    bars = row(cylinder(r * 0.6, height * 0.95, segments=6).moved(y=height / 2), spread(rng.randint(5, 13), width))
    rail = rod((-width / 2, 0, 0), (width / 2, 0, 0), r)
    ends = both(cylinder(r * 1.3, height, segments=8).moved(width / 2, height / 2, 0))
    knobs = both(ellipsoid(4 * r, 4 * r, 4 * r, 8).moved(width / 2, height + r, 0))
    return join(bars, rail.moved(y=height * 0.93), rail.moved(y=height * 0.3), ends, knobs)


def slatted_board(rng: Random, width: float, height: float) -> Mesh:
    t, count = rng.uniform(0.04, 0.08), rng.randint(2, 14)
    ends = both(slab(t, height, t, x=(width - t) / 2))
    top, low = slab(width, 0.08, t * 0.8, height - 0.08), slab(width, 0.06, t * 0.6, height * 0.35)
    if count < 6:
        pitch = height / count
        return join(ends, top, *[slab(width, pitch * 0.5, t * 0.5, i * pitch) for i in range(count)])
    return join(ends, top, low, row(slab(0.04, height * 0.6, 0.02, height * 0.35), spread(count, width - 2 * t)))


def tufted_board(rng: Random, width: float, height: float) -> Mesh:
    """Upholstered: one pad, upright channels or squares."""
    t, columns, rows = rng.uniform(0.07, 0.14), rng.randint(1, 9), rng.randint(1, 4)
    one = soft(width / columns, height / rows, t, edge=rng.uniform(0.15, 0.4))
    return join(*[row(one, spread(columns, width)).moved(y=i * height / rows) for i in range(rows)])


BOARDS = (panel_board, barred_board, slatted_board, tufted_board)


def board(rng: Random, width: float, height: float) -> Mesh:
    return pick(rng, BOARDS)(rng, width, height)
