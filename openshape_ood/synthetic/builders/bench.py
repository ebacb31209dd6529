"""Benches for parks, halls and churches."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both, four, row, spread
from openshape_ood.synthetic.builders._seats import (
    crossed_back,
    ladder_back,
    legs,
    open_arms,
    panel_back,
    slatted_back,
    spindle_back,
)
from openshape_ood.synthetic.builders._shapes import bent_board, curved_wall, rails, rounded, slab, soft
from openshape_ood.synthetic.builders._textiles import bolster
from openshape_ood.synthetic.catalog import Random, category, chance, pick
from openshape_ood.synthetic.mesh import Mesh, extrude, join, lathe, rod, tube


def planks(rng: Random, width: float, depth: float, y: float) -> Mesh:
    """A seat of one board or of slats along x, underside at `y`."""
    count, t = rng.randint(1, 8), rng.uniform(0.02, 0.06)
    return join(*[slab(width, t, depth / count * (1 if count == 1 else 0.82), y, z=z) for z in spread(count, depth)])


def end_support(rng: Random, depth: float, height: float) -> Mesh:
    """One trestle under a bench, in the y-z plane: board, X, frame, splayed pair, or loop."""
    t, z = rng.uniform(0.03, 0.07), depth / 2
    kind = pick(rng, ("board", "cross", "frame", "splayed", "loop"))
    if kind == "board":
        return slab(t, height, depth * rng.uniform(0.6, 0.95))
    if kind == "cross":
        bar = rod((0, 0, -z), (0, height, z), t / 2)
        return both(bar, "z")
    if kind == "splayed":
        bar = rod((0, 0, z * rng.uniform(0.8, 1.1)), (0, height, z * 0.5), t / 2)
        return both(bar, "z")
    if kind == "loop":
        path = rounded([(0, height, -z * 0.8), (0, t / 2, -z * 0.9), (0, t / 2, z * 0.9), (0, height, z * 0.8)])
        return tube(path, t / 2, 6)
    post = slab(t, height, t, z=z - t)
    bar = slab(t, t, depth - 2 * t)
    return join(both(post, "z"), bar.moved(y=height - t), bar.moved(y=height * 0.2))


def bench_size(rng: Random) -> tuple[float, float, float]:
    return rng.uniform(0.9, 2.0), rng.uniform(0.28, 0.5), rng.uniform(0.36, 0.47)


def plank_bench(rng: Random) -> Mesh:
    w, d, h = bench_size(rng)
    parts = [planks(rng, w, d, h)]
    if chance(rng, 0.5):
        parts.append(both(end_support(rng, d, h).moved(w * rng.uniform(0.35, 0.48))))
        if chance(rng, 0.5):
            parts.append(slab(w * 0.8, 0.06, 0.03, h * rng.uniform(0.2, 0.85)))
    else:
        parts += [legs(rng, w * 0.96, d * 0.96, h), rails(w * 0.94, 0.06, d * 0.9, 0.02, h - 0.06)]
    return join(*parts)


def park_bench(rng: Random) -> Mesh:
    """Slats for seat and back on cast or wooden ends, mostly with arms."""
    w, d, h = rng.uniform(1.1, 2.1), rng.uniform(0.4, 0.52), rng.uniform(0.4, 0.46)
    rise, count = rng.uniform(0.35, 0.5), rng.randint(2, 6)
    slat = rise / count * rng.uniform(0.4, 0.85)
    if chance(rng, 0.3):
        bars = row(slab(0.04, rise, 0.018), spread(rng.randint(9, 18), w * 0.95))
        back = join(bars, slab(w, 0.06, 0.03, rise - 0.03))
    else:
        back = join(*[slab(w, slat, 0.025, y) for y in np.linspace(0.08, rise - slat, count)])
    post = slab(0.05, rise, 0.04)
    back = join(back, both(post.moved(w * 0.46, 0, -0.03))).turned("x", -rng.uniform(6, 18)).moved(0, h, -d / 2)
    parts = [planks(rng, w, d, h - 0.03), back, both(end_support(rng, d, h - 0.03).moved(w * 0.46))]
    if chance(rng, 0.65):
        parts.append(open_arms(rng, w * 0.96, d, h))
    return join(*parts)


def storage_bench(rng: Random) -> Mesh:
    """A chest for sitting: lid or cushion, panels, drawers or cubby holes, perhaps a back."""
    w, d, h = rng.uniform(0.8, 1.5), rng.uniform(0.35, 0.5), rng.uniform(0.4, 0.5)
    top = soft(w, 0.07, d, h, edge=0.2) if chance(rng, 0.6) else slab(w + 0.04, 0.03, d + 0.03, h)
    cells = rng.randint(1, 4)
    if chance(rng, 0.4):
        body = [slab(w, 0.025, d, y) for y in (0.06, h - 0.025)]
        body += [row(slab(0.025, h, d), np.linspace(-w / 2, w / 2, cells + 2)), slab(w, h, 0.015, z=-d / 2)]
    else:
        body = [slab(w, h - 0.04, d, 0.04), four(slab(0.06, 0.05, 0.06, x=w / 2 - 0.03, z=d / 2 - 0.03))]
        body.append(row(slab(w / cells * 0.88, h * 0.7, 0.02, h * 0.18, z=d / 2 + 0.005), spread(cells, w)))
    if chance(rng, 0.4):
        body.append(slab(w, rng.uniform(0.35, 1.2), 0.025, h, z=-d / 2))
    if chance(rng, 0.3):
        body.append(both(slab(0.03, 0.2, d, h, x=w / 2)))
    return join(top, *body)


def upholstered_bench(rng: Random) -> Mesh:
    """A long pad at the end of a bed or in a hall."""
    w, d, h, t = rng.uniform(0.9, 1.6), rng.uniform(0.35, 0.5), rng.uniform(0.26, 0.4), rng.uniform(0.07, 0.16)
    count = rng.randint(1, 6) if chance(rng, 0.4) else 1
    top = row(soft(w / count, t, d, h, edge=rng.uniform(0.15, 0.4)), spread(count, w))
    parts = [top, slab(w * 0.98, 0.04, d * 0.95, h - 0.03)]
    if chance(rng, 0.6):
        parts.append(legs(rng, w * 0.96, d * 0.95, h))
    else:
        parts.append(both(end_support(rng, d, h).moved(w * 0.42)))
    if chance(rng, 0.3):
        roll = bolster(rng, d, 0.08).turned("y", 90)
        parts.append(both(roll.moved(w / 2, h + t + 0.05, 0)))
    return join(*parts)


def pew(rng: Random) -> Mesh:
    """Bench with solid ends cut in a profile, a closed back and a plank seat."""
    w, d, h, rise = rng.uniform(1.3, 2.6), rng.uniform(0.4, 0.5), rng.uniform(0.42, 0.47), rng.uniform(0.4, 0.55)
    z, top = d / 2, h + rise
    outline = [(z, 0), (z, h), (z * 0.9, h + 0.18), (0, h + 0.22), (-z * 0.6, top), (-z, top), (-z, 0)]
    end = extrude([(-a, b) for a, b in outline], rng.uniform(0.03, 0.06)).turned("y", 90)
    back = slab(w, rise + 0.05, 0.025).turned("x", -8).moved(0, h, -z + 0.08)
    parts = [both(end.moved(w / 2)), back, slab(w, 0.035, d, h - 0.03), slab(w, 0.1, 0.02, h - 0.13, z=z * 0.6)]
    if chance(rng, 0.4):
        parts.append(slab(w, h, 0.02, z=-z + 0.05))
    return join(*parts)


def stone_bench(rng: Random) -> Mesh:
    """A thick slab on two blocks, straight or curved."""
    w, d, h, t = rng.uniform(1.0, 1.8), rng.uniform(0.35, 0.55), rng.uniform(0.3, 0.38), rng.uniform(0.07, 0.14)
    if chance(rng, 0.35):
        r, span = rng.uniform(0.9, 1.5), rng.uniform(60, 120)
        top = curved_wall(r, d, h, np.full(15, h + t), span)
        block = slab(0.25, h, d * 0.7, z=-r + d / 2)
        return join(top, *[block.turned("y", a) for a in np.linspace(-span * 0.4, span * 0.4, rng.randint(2, 4))])
    kind = pick(rng, ("block", "baluster", "solid"))
    if kind == "solid":
        return slab(w, h + t, d)
    foot = slab(rng.uniform(0.1, 0.3), h, d * 0.75)
    if kind == "baluster":
        foot = lathe([(0, 0), (0.14, 0), (0.14, 0.05), (0.08, h * 0.4), (0.12, h * 0.7), (0.14, h), (0, h)], 12)
    return join(soft(w, t, d, h, edge=0.08), both(foot.moved(w * 0.33)))


def metal_bench(rng: Random) -> Mesh:
    """Row of single seats on a beam, for waiting rooms."""
    count, pitch, h = rng.randint(2, 6), rng.uniform(0.5, 0.62), rng.uniform(0.38, 0.44)
    w = count * pitch
    curve = rounded([(0.22, 0.0), (0.18, 0.03), (-0.2, 0.0), (-0.32, rng.uniform(0.3, 0.45))], 2)
    one = bent_board(curve, pitch * rng.uniform(0.8, 0.95), rng.uniform(0.012, 0.06))
    parts = [row(one, spread(count, w)).moved(y=h + 0.03), slab(w, 0.06, 0.06, h - 0.05)]
    foot = join(slab(0.05, h - 0.03, 0.06), soft(0.05, 0.04, 0.55))
    parts.append(both(foot.moved(w * 0.38)))
    if chance(rng, 0.6):
        arm = [slab(0.04, 0.025, 0.36, h + 0.22), slab(0.025, 0.24, 0.04, h)]
        parts.append(row(join(*arm), (np.arange(count + 1) / count - 0.5) * w))
    return join(*parts)


def settle_bench(rng: Random) -> Mesh:
    """A long four-legged bench with the back of a chair and perhaps arms."""
    w, d, h = rng.uniform(0.9, 1.6), rng.uniform(0.38, 0.5), rng.uniform(0.4, 0.46)
    make = (spindle_back, slatted_back, panel_back, crossed_back, ladder_back)[rng.randint(5)]
    count = rng.randint(1, 4)
    back = row(make(rng, w / count * 0.98, rng.uniform(0.35, 0.55)), spread(count, w)).turned("x", -rng.uniform(4, 14))
    parts = [planks(rng, w, d, h), back.moved(0, h, -d / 2 + 0.02), legs(rng, w * 0.97, d * 0.95, h)]
    if chance(rng, 0.5):
        parts.append(open_arms(rng, w, d, h))
    if chance(rng, 0.3):
        parts.append(soft(w * 0.97, 0.06, d * 0.95, h + 0.03, edge=0.3))
    return join(*parts)


category(
    "bench",
    plank=plank_bench,
    park=park_bench,
    storage=storage_bench,
    upholstered=upholstered_bench,
    pew=pew,
    stone=stone_bench,
    waiting_room=metal_bench,
    settle=settle_bench,
)
