"""Boxes: cartons, crates, chests and totes, open and closed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openshape_ood.synthetic.builders._bodies import SHARP, Ring, collar, hollow, shell_rings, slab, solid
from openshape_ood.synthetic.builders._copies import at_corners, both, placed
from openshape_ood.synthetic.builders._shapes import open_box
from openshape_ood.synthetic.catalog import Random, category, chance, count
from openshape_ood.synthetic.mesh import Mesh, box, ellipsoid, extrude, join, torus


def carton_size(rng: Random) -> tuple[float, float, float]:
    w = rng.uniform(0.2, 0.7)
    return w, w * rng.uniform(0.35, 1.1), w * rng.uniform(0.5, 1.0)


def flaps(rng: Random, width: float, height: float, depth: float, angles: Sequence[float]) -> Mesh:
    """Four flaps round the mouth of a carton; angle 0 lies level outwards, 90 upright, 180 shut."""
    reach = depth * rng.uniform(0.35, 0.5)
    sides = ((width, depth / 2), (depth, width / 2)) * 2
    leaves = []
    for i, ((length, out), angle) in enumerate(zip(sides, angles, strict=True)):
        leaf = box(length - 0.004, 0.005, reach).moved(z=reach / 2).turned("x", -angle)
        leaves.append(leaf.moved(y=height, z=out).turned("y", 90 * i))
    return join(*leaves)


def closed_carton(rng: Random) -> Mesh:
    """A plain closed box, with a strip of tape or straps around it."""
    w, h, d = carton_size(rng)
    parts = [box(w, h, d).moved(y=h / 2)]
    if chance(rng):
        tape = rng.uniform(0.04, 0.08)
        parts += [
            box(w + 0.004, 0.004, tape).moved(y=h),
            placed(box(0.004, 0.08, tape), [(s * w / 2, h - 0.04, 0) for s in (-1, 1)]),
        ]
    if chance(rng, 0.3):
        band = box(0.02, h + 0.006, d + 0.006).moved(y=h / 2)
        parts += [both(band.moved(0.25 * w))]
    return join(*parts)


def open_carton(rng: Random) -> Mesh:
    """Carton with flaps out to all sides, upright, hanging down or each in another direction."""
    w, h, d = carton_size(rng)
    style = rng.randint(4)
    spread = (rng.uniform(0, 50), rng.uniform(80, 95), rng.uniform(-80, -20))
    angles = rng.uniform(-70, 100, 4) if style == 3 else spread[style] + rng.uniform(-12, 12, 4)
    return join(open_box(w, h, d, rng.uniform(0.004, 0.012)), flaps(rng, w, h, d, [float(a) for a in angles]))


def half_open_carton(rng: Random) -> Mesh:
    """Two flaps folded in, the other two still up."""
    w, h, d = carton_size(rng)
    up, down = rng.uniform(40, 130), rng.uniform(150, 176)
    order = [up, down, up + rng.uniform(-20, 20), down] if chance(rng) else [down, up, down, up]
    return join(open_box(w, h, d, 0.006), flaps(rng, w, h, d, order))


def open_crate(rng: Random) -> Mesh:
    """An open box without flaps: straight or tapered, thin or thick walls, perhaps dividers."""
    w, h, d = carton_size(rng)
    h *= rng.uniform(0.4, 1.0)
    parts = [open_box(w, h, d, rng.uniform(0.005, 0.03)).tapered(rng.choice([1.0, 1.0, 1.12]))]
    if chance(rng, 0.3):
        parts += [
            box(0.008, 0.8 * h, d - 0.02).moved(x * w, 0.45 * h) for x in np.linspace(-0.5, 0.5, count(rng, 3, 5))[1:-1]
        ]
    return join(*parts)


def lidded_box(rng: Random) -> Mesh:
    """A shoe box: the lid on, askew on top, or leaning beside it."""
    w, h, d = rng.uniform(0.2, 0.5), rng.uniform(0.08, 0.25), rng.uniform(0.15, 0.35)
    rim = min(rng.uniform(0.02, 0.09), 0.6 * h)
    lid = open_box(w + 0.014, rim, d + 0.014, 0.005).turned("x", 180).moved(y=rim)
    state = rng.uniform()
    if state < 0.45:
        return join(box(w, h, d).moved(y=h / 2), lid.moved(y=h - rim + 0.004))
    if state < 0.75:
        askew = lid.turned("y", rng.uniform(-40, 40)).moved(rng.uniform(-0.3, 0.3) * w, h, rng.uniform(-0.3, 0.3) * d)
        return join(open_box(w, h, d, 0.005), askew)
    beside = lid.turned("x", -rng.uniform(55, 80))
    return join(open_box(w, h, d, 0.005), beside.grounded().moved(z=d / 2 + 0.06))


def chest_box(rng: Random) -> Mesh:
    """A hinged lid, flat or arched, shut or ajar: chest, jewellery box, tool box."""
    w = rng.uniform(0.2, 1.0)
    h, d = w * rng.uniform(0.3, 0.55), w * rng.uniform(0.4, 0.7)
    wall, rise = 0.03 * w + 0.003, d * rng.choice([0.05, 0.12, 0.35])
    t = np.linspace(0, np.pi, 9)
    outline = [(d / 2 * np.cos(a), rise * np.sin(a) ** 0.7) for a in t]
    lid = extrude(outline, w).turned("y", 90).moved(z=d / 2)
    clasp = box(0.1 * w, 0.12 * h, 0.02).moved(y=0.95 * h, z=d / 2)
    bands = placed(box(0.05 * w, 1.01 * h, d * 1.02).moved(y=h / 2), [(s * 0.32 * w, 0, 0) for s in (-1, 1)])
    if chance(rng, 0.55):
        body = join(box(w, h, d).moved(y=h / 2), clasp, *([bands] if chance(rng, 0.4) else []))
        return join(body, lid.moved(y=h + 0.003, z=-d / 2))
    return join(open_box(w, h, d, wall), lid.turned("x", -rng.uniform(20, 110)).moved(y=h, z=-d / 2))


def slatted_crate(rng: Random) -> Mesh:
    """Crate of boards with gaps, nailed to corner posts; open or with a lid."""
    w, h, d = carton_size(rng)
    rows = count(rng, 2, 5)
    pitch, thick = h / rows, rng.uniform(0.008, 0.02)
    board = pitch * rng.uniform(0.6, 0.92)
    levels = [(i + 0.5) * pitch for i in range(rows)]
    long, short = box(w, board, thick), box(thick, board, d)
    sides = [placed(long, [(0, y, s * d / 2) for y in levels for s in (-1, 1)])]
    sides += [placed(short, [(s * w / 2, y, 0) for y in levels for s in (-1, 1)])]
    post = box(0.03, h, 0.03).moved(y=h / 2)
    floor = placed(box(w, thick, 0.8 * d / 4), [(0, thick, ((i + 0.5) / 4 - 0.5) * d) for i in range(4)])
    parts = [*sides, at_corners(post, w / 2 - 0.02, d / 2 - 0.02), floor]
    return join(*parts, floor.moved(y=h)) if chance(rng, 0.35) else join(*parts)


def gift_box(rng: Random) -> Mesh:
    """A square or round box with a lid, ribbons and a bow."""
    w = rng.uniform(0.12, 0.4)
    h, d, rim = w * rng.uniform(0.4, 1.1), w * rng.uniform(0.7, 1.0), 0.15 * w
    power = rng.choice([2.0, SHARP, SHARP])
    body, lid = slab(Ring(0, w, d, power), h), slab(Ring(h - rim, 1.05 * w, 1.05 * d, power), rim + 0.01)
    parts = [body, lid]
    if chance(rng, 0.75):
        parts += [
            box(0.12 * w, h + 0.02, 1.06 * d).moved(y=h / 2 + 0.005),
            box(1.06 * w, h + 0.02, 0.12 * w).moved(y=h / 2 + 0.005),
        ]
        loop = torus(0.11 * w, 0.02 * w, segments=12).scaled(1.4, 3, 1).turned("x", 90).moved(0.16 * w, 0.1 * w)
        parts += [both(loop.turned("z", 20)).moved(y=h + 0.01), ellipsoid(0.1 * w, 0.1 * w, 0.1 * w).moved(y=h + 0.03)]
    return join(*parts)


def storage_tote(rng: Random) -> Mesh:
    """A tapered plastic tub with a broad rim, ribs and handles; with or without lid."""
    w, h, d = rng.uniform(0.35, 0.7), rng.uniform(0.2, 0.4), rng.uniform(0.28, 0.45)
    rings = shell_rings(h, rng.uniform(0.8, 0.95), w, d, 12.0)
    rim = collar(Ring(h - 0.02, w + 0.04, d + 0.04, 12.0), Ring(h, w - 0.01, d - 0.01, 12.0), 0.02)
    grip = both(box(0.03, 0.05, 0.3 * d).moved(w / 2 + 0.015, h - 0.05))
    rib = box(0.012, 0.8 * h, 0.02).moved(y=h / 2)
    ribs = placed(rib, [(x * w, 0, s * 0.46 * d) for x in (-0.3, -0.1, 0.1, 0.3) for s in (-1, 1)])
    if chance(rng, 0.55):
        lid = solid(
            [
                Ring(h, w + 0.05, d + 0.05, 12),
                Ring(h + 0.025, w + 0.04, d + 0.04, 12),
                Ring(h + 0.04, 0.8 * w, 0.8 * d, 12),
            ]
        )
        return join(solid(rings), lid, grip, ribs)
    return join(hollow(rings, 0.006), rim, grip, ribs)


def stacked_boxes(rng: Random) -> Mesh:
    """Two to five cartons on and beside each other."""
    w, h, d = carton_size(rng)
    parts, y = [], 0.0
    for _ in range(count(rng, 2, 4)):
        s, tall = rng.uniform(0.65, 1.0), h * rng.uniform(0.5, 1.0)
        carton = box(s * w, tall, s * d).turned("y", rng.uniform(-15, 15))
        parts.append(carton.moved(rng.uniform(-0.08, 0.08) * w, y + tall / 2))
        y += tall
    if chance(rng, 0.4):
        parts.append(box(0.7 * w, 0.6 * h, 0.8 * d).turned("y", rng.uniform(-10, 10)).moved(w, 0.3 * h))
    return join(*parts)


def flat_box(rng: Random) -> Mesh:
    """A pizza or parcel box: low and wide, its lid shut, ajar or thrown open."""
    w = rng.uniform(0.22, 0.5)
    h, d = w * rng.uniform(0.08, 0.2), w * rng.uniform(0.7, 1.0)
    lid = open_box(w + 0.006, min(0.03, h), d + 0.006, 0.003).turned("x", 180).moved(z=d / 2)
    angle = rng.uniform(5, 130) if chance(rng, 0.7) else 0.0
    return join(open_box(w, h, d, 0.004), lid.turned("x", -angle).moved(y=h + 0.01, z=-d / 2))


def cartons(rng: Random) -> Mesh:
    """An open carton among closed ones: beside them, before them, or on top."""
    w, h, d = carton_size(rng)
    parts = [open_carton(rng) if chance(rng, 0.5) else half_open_carton(rng)]
    for i in range(count(rng, 1, 3)):
        s, tall = rng.uniform(0.5, 1.0), h * rng.uniform(0.5, 1.1)
        x, z = [(-0.9, 0.1), (0.9, -0.1), (0.1, -0.9)][i]
        carton = closed_carton(rng) if chance(rng, 0.3) else box(s * w, tall, s * d).moved(y=tall / 2)
        parts.append(carton.turned("y", rng.uniform(-25, 25)).moved(x * w, 0, z * w))
    return join(*parts)


category(
    "box",
    closed=closed_carton,
    flaps_open=open_carton,
    flaps_half_open=half_open_carton,
    open_top=open_crate,
    separate_lid=lidded_box,
    hinged_lid=chest_box,
    slatted_crate=slatted_crate,
    gift=gift_box,
    storage_tote=storage_tote,
    stacked=stacked_boxes,
    flat=flat_box,
    cartons=cartons,
)
