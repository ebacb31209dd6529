"""Backs and open arms of chairs, benches and stools."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from openshape_ood.synthetic.builders._blocks import slab, soft
from openshape_ood.synthetic.builders._boards import curved_board, rounded
from openshape_ood.synthetic.builders._chance import Random, pick
from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._rows import spread
from openshape_ood.synthetic.mesh import Mesh, cushion, cylinder, extrude, join, rod, tube


def posts(width: float, height: float, thickness: float) -> Mesh:
    return both(slab(thickness, height, thickness, x=(width - thickness) / 2))


def slatted_back(rng: Random, width: float, height: float) -> Mesh:
    count, bow = rng.randint(3, 8), rng.uniform(0, 0.05)
    slat = slab(width / count * rng.uniform(0.25, 0.7), height * 0.92, 0.014)
    slats = [slat.moved(x, 0, bow * ((2 * x / width) ** 2 - 1)) for x in spread(count, width * 0.9)]
    top = curved_board(width, rng.uniform(0.04, 0.12), 0.025, bow, height * 0.88)
    return join(posts(width, height * 0.9, 0.03), top, *slats)


def ladder_back(rng: Random, width: float, height: float) -> Mesh:
    count, bow = rng.randint(2, 6), rng.uniform(0, 0.05)
    slat = height / count * rng.uniform(0.3, 0.65)
    boards = [curved_board(width * 0.95, slat, 0.016, bow, y - slat / 2) for y in spread(count, height) + height / 2]
    return join(posts(width, height * rng.uniform(1, 1.1), rng.uniform(0.025, 0.04)), *boards)


def panel_back(rng: Random, width: float, height: float) -> Mesh:
    lift = rng.uniform(0, 0.4) * height
    panel = curved_board(width, height - lift, rng.uniform(0.012, 0.035), rng.uniform(0, 0.07), lift)
    return join(panel, posts(width * 0.9, height * 0.97, 0.025).moved(z=-0.02))


def spindle_back(rng: Random, width: float, height: float) -> Mesh:
    count = rng.randint(4, 9)
    spindle = cylinder(rng.uniform(0.006, 0.011), height, segments=6).moved(y=height / 2)
    fan = [spindle.moved(x).turned("z", -x / width * 12) for x in spread(count, width * 0.85)]
    return join(*fan, curved_board(width * 1.1, rng.uniform(0.05, 0.1), 0.022, rng.uniform(0, 0.04), height * 0.95))


def splat_back(rng: Random, width: float, height: float) -> Mesh:
    """One shaped board in the middle between posts, as on Queen Anne chairs."""
    y = np.linspace(0, height * 0.95, 9)
    half = width * rng.uniform(0.1, 0.25) * (1 + rng.uniform(0.1, 0.5) * np.sin(y / height * rng.uniform(4, 9)))
    outline = [*zip(half, y, strict=True), *zip(-half[::-1], y[::-1], strict=True)]
    crest = curved_board(width * 1.05, rng.uniform(0.05, 0.1), 0.03, 0.02, height * 0.93)
    return join(posts(width, height, 0.03), extrude(outline, 0.015), crest)


def crossed_back(rng: Random, width: float, height: float) -> Mesh:
    x = width / 2 - 0.02
    bars = both(rod((-x, height * 0.1, 0), (x, height * 0.9, 0), rng.uniform(0.009, 0.016)))
    return join(posts(width, height, 0.03), bars, slab(width, 0.05, 0.025, height - 0.05))


def padded_back(rng: Random, width: float, height: float) -> Mesh:
    lift, thickness = rng.uniform(0, 0.3) * height, rng.uniform(0.035, 0.1)
    back = soft(width, height - lift, thickness, lift, edge=rng.uniform(0.15, 0.45))
    return join(back, posts(width * 0.85, height * 0.9, 0.025).moved(z=-thickness * 0.3))


def hooped_back(rng: Random, width: float, height: float) -> Mesh:
    """A bent hoop, empty or with a pad, a round medallion or bars inside."""
    a = np.linspace(0, np.pi, 13)
    hoop = np.column_stack([np.cos(a) * width / 2, np.sin(a) ** 0.7 * height, np.zeros(13)])
    parts = [tube(hoop, rng.uniform(0.01, 0.02), 6)]
    kind = pick(rng, ("pad", "bars", "inner", "rail"))
    if kind == "pad":
        parts.append(cushion(width * 0.9, height * 0.7, 0.05, 0.6).moved(y=height * 0.62))
    elif kind == "bars":
        parts += [slab(0.014, height * 0.95 * (1 - (2 * x / width) ** 4), 0.014, x=x) for x in spread(5, width * 0.9)]
    elif kind == "inner":
        parts.append(tube(hoop * [0.6, 0.7, 1], 0.009, 6))
    else:
        parts.append(slab(width * 0.95, 0.06, 0.016, height * 0.45))
    return join(*parts)


BACKS: tuple[Callable[[Random, float, float], Mesh], ...] = (
    slatted_back,
    ladder_back,
    panel_back,
    spindle_back,
    splat_back,
    crossed_back,
    padded_back,
    hooped_back,
)


def backrest(rng: Random, width: float, height: float, tilt: tuple[float, float] = (2, 14)) -> Mesh:
    """A back of any kind with its foot at the origin, leaning to -z."""
    return pick(rng, BACKS)(rng, width, height).turned("x", -rng.uniform(*tilt))


def open_arms(rng: Random, width: float, depth: float, seat: float) -> Mesh:
    """Two arm rests on posts: flat boards, tubes or pads."""
    y, x, z = seat + rng.uniform(0.16, 0.26), width / 2, depth / 2
    front = z * rng.uniform(0.3, 0.95)
    kind = pick(rng, ("board", "tube", "pad"))
    if kind == "tube":
        path = rounded([(x, seat, front), (x, y, front), (x, y + 0.02, -z)])
        return both(tube(path, rng.uniform(0.009, 0.018), 6))
    rest = slab(rng.uniform(0.03, 0.07), 0.025, depth, y) if kind == "board" else soft(0.06, 0.05, depth * 0.8, y)
    post = rod((0, seat - 0.02, front), (0, y, front), rng.uniform(0.01, 0.02))
    return both(join(rest, post).moved(x))
