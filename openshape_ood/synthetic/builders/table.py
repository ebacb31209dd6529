"""Tables from bistro to conference."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from openshape_ood.synthetic.builders._cases import cased, columns, fitted, rows
from openshape_ood.synthetic.builders._copies import both, ring_of
from openshape_ood.synthetic.builders._furniture import LEGS, TURNED, apron, based, leg, legs, style_of, top
from openshape_ood.synthetic.builders._shapes import Rows, block, blocks, slab
from openshape_ood.synthetic.catalog import Random, category, chance, count, pick
from openshape_ood.synthetic.mesh import Mesh, cylinder, join, lathe, rod, tube


def table_size(rng: Random) -> tuple[float, float, float, float]:
    """Width, depth, height of the underside and thickness of a table or desk top."""
    return rng.uniform(0.9, 2.2), rng.uniform(0.6, 1.05), rng.uniform(0.66, 0.76), rng.uniform(0.018, 0.06)


def four_legs_table(rng: Random) -> Mesh:
    w, d, h, t = table_size(rng)
    if chance(rng, 0.3):
        w = d = rng.uniform(0.6, 1.3)
    kind, r = pick(rng, LEGS), rng.uniform(0.018, 0.055)
    over = rng.uniform(0, 0.12)
    parts = [top(pick(rng, ("rectangle", "rectangle", "rounded")), w, t, d, h)]
    parts.append(legs(kind, w - 2 * over, d - 2 * over, h, r))
    if kind != "hairpin" and chance(rng, 0.65):
        parts.append(apron(w - 2 * over - 2 * r, d - 2 * over - 2 * r, h, rng.uniform(0.05, 0.14)))
    if kind in ("square", "round", "turned") and chance(rng, 0.3):
        parts.append(stretchers(w - 2 * over - 2 * r, d - 2 * over - 2 * r, rng.uniform(0.08, 0.25)))
    return join(*parts)


def stretchers(width: float, depth: float, y: float) -> Mesh:
    """An H of rails between legs."""
    x, z, r = width / 2, depth / 2, 0.015
    return blocks(
        [(-x, x, y - r, y + r, -r, r), (-x - r, r - x, y - r, y + r, -z, z), (x - r, x + r, y - r, y + r, -z, z)]
    )


def round_pedestal_table(rng: Random) -> Mesh:
    w, h, t = rng.uniform(0.55, 1.6), rng.uniform(0.62, 0.76), rng.uniform(0.018, 0.05)
    shape = pick(rng, ("round", "round", "octagon", "rounded", "rectangle"))
    return join(top(shape, w, t, w, h), pedestal(rng, h, 0.65 * w))


def pedestal(rng: Random, height: float, spread: float) -> Mesh:
    """A column on a disc, a trumpet foot, a cross of feet or a drum."""
    kind, r = pick(rng, ("disc", "trumpet", "claw", "drum", "square")), rng.uniform(0.03, 0.07)
    if kind == "trumpet":
        y = np.linspace(0, 1, 9)
        radius = r + (0.5 * spread - r) * (np.exp(-6 * y) + 0.6 * np.exp(-9 * (1 - y)))
        return lathe([(0, 0), *zip(radius, height * y, strict=True), (0, height)])
    if kind == "drum":
        return cylinder(0.4 * spread, height, top=rng.uniform(0.25, 0.5) * spread).moved(y=height / 2)
    if kind == "square":
        return join(slab(2 * r, height, 2 * r), slab(0.7 * spread, 0.03, 0.7 * spread))
    column = lathe([(0, 0), *((r * a, height * y) for a, y in TURNED), (0, height)]) if chance(rng, 0.5) else None
    column = column or cylinder(r, height).moved(y=height / 2)
    if kind == "disc":
        return join(column, cylinder(spread / 2, 0.03, top=0.45 * spread).moved(y=0.015))
    toes, arch = count(rng, 3, 5), np.linspace(0, 1, 6)
    path = np.stack([r + (0.5 * spread - r) * arch, 0.025 + 0.22 * height * (1 - arch) ** 1.5, 0 * arch], axis=1)
    foot = tube(path, (0.8 * r * (1 - 0.5 * arch)).tolist())
    return join(column, ring_of(foot, toes, 45))


def round_legs_table(rng: Random) -> Mesh:
    w, h, t = rng.uniform(0.4, 1.5), rng.uniform(0.35, 0.76), rng.uniform(0.018, 0.05)
    d = w * rng.uniform(0.55, 1) if chance(rng, 0.4) else w
    kind, r, n = (
        pick(rng, ("square", "tapered", "splayed", "turned", "round", "cabriole")),
        rng.uniform(0.014, 0.04),
        count(rng, 3, 4),
    )
    one = leg(kind, h, r).turned("y", 45).moved(rng.uniform(0.28, 0.42))
    ring = ring_of(one, n, 45)
    # the ring of legs is scaled to the oval top, which flattens the legs, too
    parts = [top("round", w, t, d, h), ring.scaled(w, 1, d) if w > 0.9 else ring.scaled(max(w, 0.6), 1, max(d, 0.5))]
    if chance(rng, 0.3):
        parts.append(top("round", 0.6 * w, 0.018, 0.6 * d, 0.3 * h))
    return join(*parts)


def trestle_table(rng: Random) -> Mesh:
    w, d, h, t = table_size(rng)
    x, r = w * rng.uniform(0.3, 0.4), rng.uniform(0.03, 0.06)
    post, foot = rng.uniform(0.05, 0.25) * d, rng.uniform(0.6, 0.85) * d
    side = blocks([
        (x - r, x + r, 0, 0.07, -foot / 2, foot / 2), (x - r, x + r, 0, h, -post, post),
        (x - r, x + r, h - 0.06, h, -foot / 2, foot / 2),
    ])  # fmt: skip
    y = rng.uniform(0.15, 0.4)
    return join(
        top(pick(rng, ("rectangle", "boat", "round")), 1.1 * w, t, d, h),
        both(side),
        block(-x, x, y, y + 0.09, -0.02, 0.02),
    )


def x_frame_table(rng: Random) -> Mesh:
    w, d, h, t = table_size(rng)
    x, z, r = 0.36 * w, 0.4 * d, rng.uniform(0.02, 0.045)
    cross = join(rod((x, 0, -z), (x, h, z), r), rod((x, 0, z), (x, h, -z), r))
    return join(slab(w, t, d, h), both(cross), rod((-x, h / 2, 0), (x, h / 2, 0), 0.7 * r))


def waterfall_table(rng: Random) -> Mesh:
    w, d, h = rng.uniform(0.5, 2.0), rng.uniform(0.35, 1.0), rng.uniform(0.35, 0.78)
    t = rng.uniform(0.02, 0.08)
    parts = [slab(w, t, d, h), both(block(w / 2 - t, w / 2, 0, h, -d / 2, d / 2))]
    if chance(rng, 0.4):
        parts.append(slab(w - 2 * t, 0.02, 0.9 * d, rng.uniform(0.2, 0.5) * h))
    return join(*parts)


def coffee_table(rng: Random) -> Mesh:
    w, d, h, t = rng.uniform(0.7, 1.4), rng.uniform(0.45, 0.8), rng.uniform(0.3, 0.48), rng.uniform(0.018, 0.07)
    kind, r = pick(rng, LEGS), rng.uniform(0.018, 0.045)
    parts = [
        top(pick(rng, ("rectangle", "rectangle", "rounded", "boat")), w, t, d, h),
        legs(kind, 0.94 * w, 0.92 * d, h, r),
    ]
    if chance(rng, 0.5):
        parts.append(slab(0.86 * w, 0.02, 0.82 * d, rng.uniform(0.2, 0.5) * h))
    elif chance(rng, 0.5):
        parts.append(
            fitted(rng, style_of(rng), 0.8 * w, 0.35 * h, 0.8 * d, columns(["drawer"] * count(rng, 1, 2))).moved(
                y=0.65 * h
            )
        )
    return join(*parts)


def console_table(rng: Random) -> Mesh:
    w, d, h, t = rng.uniform(0.7, 1.6), rng.uniform(0.25, 0.45), rng.uniform(0.7, 0.92), rng.uniform(0.02, 0.04)
    kind, r = pick(rng, ("square", "tapered", "turned", "round", "cabriole")), rng.uniform(0.015, 0.03)
    parts = [slab(w, t, d, h), legs(kind, 0.96 * w, 0.94 * d, h, r)]
    if chance(rng, 0.6):
        drawers = columns(["drawer"] * count(rng, 1, 3))
        parts.append(fitted(rng, style_of(rng), 0.92 * w, 0.14, 0.85 * d, drawers).moved(y=h - 0.14))
    if chance(rng, 0.5):
        parts.append(slab(0.92 * w, 0.02, 0.85 * d, rng.uniform(0.1, 0.3)))
    return join(*parts)


def picnic_table(rng: Random) -> Mesh:
    w, d, h = rng.uniform(1.4, 2.1), rng.uniform(0.65, 0.85), rng.uniform(0.68, 0.76)
    planks = count(rng, 4, 6)
    edges = np.linspace(-d / 2, d / 2, planks + 1)
    seat, reach = rng.uniform(0.4, 0.46), d / 2 + rng.uniform(0.2, 0.35)
    deck: Rows = [(-w / 2, w / 2, h, h + 0.04, a + 0.005, b - 0.005) for a, b in pairwise(edges)]
    x = 0.36 * w
    deck += [
        (x - 0.02, x + 0.02, seat - 0.1, seat, -reach - 0.12, reach + 0.12),
        (x - 0.02, x + 0.02, h - 0.08, h, -d / 2, d / 2),
    ]
    deck += [(-x - 0.02, 0.02 - x, *row[2:]) for row in deck[-2:]]
    deck += [(-w / 2, w / 2, seat, seat + 0.04, s * reach - 0.13, s * reach + 0.13) for s in (-1, 1)]
    prop = rod((x, h, 0.3 * d), (x, 0, 0.85 * reach), 0.035)
    return join(blocks(deck), both(both(prop, "z")))


def drop_leaf_table(rng: Random) -> Mesh:
    w, d, h, t = rng.uniform(0.8, 1.3), rng.uniform(0.3, 0.6), rng.uniform(0.68, 0.76), rng.uniform(0.018, 0.03)
    flap = rng.uniform(0.3, 0.5)
    parts = [
        slab(w, t, d, h),
        legs(pick(rng, ("square", "turned", "tapered")), 0.9 * w, 0.9 * d, h, rng.uniform(0.02, 0.03)),
    ]
    parts.append(apron(0.85 * w, 0.8 * d, h, 0.1))
    hanging = [chance(rng, 0.6), chance(rng, 0.6)]
    for side, hangs in zip((-1, 1), hanging, strict=True):
        lying = block(-w / 2, w / 2, h, h + t, d / 2 + 0.004, d / 2 + flap)
        leaf = block(-w / 2, w / 2, h + t - flap, h + t, d / 2 + 0.004, d / 2 + 0.004 + t) if hangs else lying
        gate = leg("square", h, 0.02).moved(z=d / 2 + 0.6 * flap)
        parts += [m if side > 0 else m.mirrored("z") for m in ([leaf] if hangs else [leaf, gate])]
    return join(*parts)


def folding_table(rng: Random) -> Mesh:
    w, d, h, t = rng.uniform(1.0, 1.9), rng.uniform(0.55, 0.8), rng.uniform(0.68, 0.75), rng.uniform(0.02, 0.045)
    x, z, r, foot = 0.36 * w, 0.42 * d, rng.uniform(0.01, 0.016), rng.uniform(-0.08, 0.1) * w
    posts = [rod((x, h, z), (x + foot, 0, z), r), rod((x, h, -z), (x + foot, 0, -z), r)]
    bars = [rod((x + k * foot, h * (1 - k), -z), (x + k * foot, h * (1 - k), z), r) for k in (0.05, 0.85)]
    brace = rod((x + 0.5 * foot, h / 2, 0), (0.35 * x, h, 0), 0.7 * r)
    return join(top(pick(rng, ("rectangle", "rounded")), w, t, d, h), both(join(*posts, *bars, brace)))


def bistro_table(rng: Random) -> Mesh:
    w, h = rng.uniform(0.45, 0.85), rng.uniform(0.85, 1.12)
    return join(top(pick(rng, ("round", "round", "rectangle")), w, 0.03, w, h), pedestal(rng, h, 0.75 * w))


def conference_table(rng: Random) -> Mesh:
    w, d, h, t = rng.uniform(2.2, 4.5), rng.uniform(1.0, 1.5), rng.uniform(0.68, 0.74), rng.uniform(0.025, 0.06)
    base = pick(rng, ("panels", "drums", "pedestals"))
    x = 0.3 * w
    if base == "panels":
        support = join(block(x - 0.03, x + 0.03, 0, h, -0.35 * d, 0.35 * d), block(0, x, 0.2, h, -0.02, 0.02))
    elif base == "drums":
        support = cylinder(0.25 * d, h).moved(x, h / 2)
    else:
        support = pedestal(rng, h, 0.7 * d).moved(x)
    return join(top(pick(rng, ("boat", "round", "rectangle", "rounded")), w, t, d, h), both(support))


def nest_table(rng: Random) -> Mesh:
    w, d, h = rng.uniform(0.5, 0.7), rng.uniform(0.35, 0.5), rng.uniform(0.42, 0.6)
    kind, r, shift = pick(rng, ("square", "round", "tapered")), rng.uniform(0.012, 0.022), rng.uniform(0, 0.35)
    tables = []
    for i in range(count(rng, 2, 3)):
        k = 1 - 0.17 * i
        tables.append(join(slab(k * w, 0.02, d, k * h), legs(kind, k * w, d, k * h, r)).moved(z=i * shift))
    return join(*tables)


def work_bench(rng: Random) -> Mesh:
    w, d, h = rng.uniform(1.2, 2.0), rng.uniform(0.55, 0.8), rng.uniform(0.78, 0.92)
    parts = [slab(w, rng.uniform(0.04, 0.08), d, h), legs("square", 0.95 * w, 0.92 * d, h, rng.uniform(0.03, 0.05))]
    parts.append(slab(0.9 * w, 0.025, 0.85 * d, rng.uniform(0.1, 0.3)))
    if chance(rng, 0.5):
        parts.append(block(-w / 2, w / 2, h, h + rng.uniform(0.2, 0.7), -d / 2, 0.02 - d / 2))
    if chance(rng, 0.6):
        parts.append(cased(rng, (0.3 * w, 0.4, 0.8 * d), rows(["drawer"] * 3), "none", 0).moved(0.28 * w, h - 0.42))
    return join(*parts)


def storage_coffee_table(rng: Random) -> Mesh:
    """A low block: compartments and drawers beneath a top; part of the top may be a tray with a rim."""
    w, d, h, t = rng.uniform(0.75, 1.5), rng.uniform(0.45, 0.9), rng.uniform(0.22, 0.42), rng.uniform(0.018, 0.07)
    kinds = [pick(rng, ("open", "open", "drawer", "flap")) for _ in range(count(rng, 1, 3))]
    cells = [c for column in columns(kinds) for c in rows([column.kind] * count(rng, 1, 2), column)]
    case = fitted(rng, style_of(rng), w * rng.uniform(0.8, 1), h, d * rng.uniform(0.8, 1), cells, back=chance(rng))
    base, lift = pick(rng, (("none", 0.0), ("plinth", 0.06), ("square", 0.1), ("panels", 0.08), ("casters", 0.06)))
    body = based(rng, case, 0.8 * w, 0.8 * d, base, lift)
    y, tray = h + lift, rng.uniform(0.3, 0.7) * w if chance(rng, 0.45) else 0.0
    parts = [body, slab(w - tray, t, d, y, x=-tray / 2)]
    if tray:
        middle, drop = (w - tray) / 2, rng.uniform(0, 0.08)
        rim = blocks([(-tray / 2, tray / 2, 0, 0.06, s * d / 2 - 0.01, s * d / 2 + 0.01) for s in (-1, 1)])
        parts += [slab(tray, 0.02, d, y - drop, x=middle), rim.moved(middle, y - drop)]
    return join(*parts)


def a_frame_table(rng: Random) -> Mesh:
    """A long slab on a trestle at either end: two splayed legs, a cross bar and nothing between the trestles."""
    w, d, h, t = rng.uniform(1.2, 2.4), rng.uniform(0.6, 1.0), rng.uniform(0.4, 0.76), rng.uniform(0.025, 0.1)
    x, foot, head = w * rng.uniform(0.3, 0.45), rng.uniform(0.36, 0.5) * d, rng.uniform(0.04, 0.3) * d
    r, lean, bar = rng.uniform(0.015, 0.045), rng.uniform(-0.12, 0.12), rng.uniform(0.1, 0.6)
    z = foot + (head - foot) * bar
    end = [both(rod((x + lean, 0, foot), (x, h, head), r), "z")]
    end.append(rod((x + lean * (1 - bar), bar * h, -z), (x + lean * (1 - bar), bar * h, z), 0.8 * r))
    end.append(slab(2.2 * r, 2 * r, d * rng.uniform(0.7, 0.95), h - 2 * r, x=x))
    return join(top(pick(rng, ("rectangle", "rectangle", "rounded", "boat")), w, t, d, h), both(join(*end)))


def column_table(rng: Random) -> Mesh:
    """A square or rounded top on one stout column with a small foot or none."""
    w, h, t = rng.uniform(0.45, 1.2), rng.uniform(0.4, 0.78), rng.uniform(0.018, 0.07)
    shape, r = pick(rng, ("rectangle", "rounded", "rounded", "octagon", "round")), rng.uniform(0.025, 0.1)
    column = slab(2 * r, h, 2 * r) if chance(rng) else cylinder(r, h).moved(y=h / 2)
    foot = w * rng.uniform(0.3, 0.7)
    base = top(shape, foot, rng.uniform(0.012, 0.05), foot, 0)
    return join(top(shape, w, t, w * rng.uniform(0.8, 1), h), column, base)


category(
    "table",
    four_legs=four_legs_table,
    round_pedestal=round_pedestal_table,
    round_legs=round_legs_table,
    trestle=trestle_table,
    x_frame=x_frame_table,
    waterfall=waterfall_table,
    coffee=coffee_table,
    console=console_table,
    picnic=picnic_table,
    drop_leaf=drop_leaf_table,
    folding=folding_table,
    bistro=bistro_table,
    conference=conference_table,
    nest=nest_table,
    work_bench=work_bench,
    storage_coffee=storage_coffee_table,
    a_frame=a_frame_table,
    column=column_table,
)
