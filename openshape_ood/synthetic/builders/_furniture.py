"""Legs, bases and tops of tables and case furniture, and its fronts: doors, drawers, handles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from openshape_ood.synthetic.builders._copies import both, four
from openshape_ood.synthetic.builders._shapes import Rows, blocks, slab
from openshape_ood.synthetic.catalog import Random, pick
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, ellipsoid, extrude, join, lathe, rod, tube

TURNED = [(0.7, 0.0), (1.0, 0.06), (0.6, 0.12), (0.75, 0.4), (1.1, 0.62), (0.6, 0.72), (1.2, 0.76), (1.2, 1.0)]
LEGS = ("square", "square", "tapered", "splayed", "turned", "round", "cabriole", "hairpin")


def leg(kind: str, height: float, radius: float) -> Mesh:
    """One leg on the floor at the origin; it leans or bends towards +x and +z."""
    if kind == "tapered":
        return (
            box(2 * radius, height, 2 * radius).scaled(-1, -1, -1).tapered(1.7).scaled(0.6, 1, 0.6).moved(y=height / 2)
        )
    if kind == "splayed":
        lean = 0.16 * height
        return rod((0, height, 0), (lean, 0, lean), radius, 0.6 * radius)
    if kind == "turned":
        return lathe([(0, 0), *((radius * r, height * y) for r, y in TURNED), (0, height)], segments=10)
    if kind == "round":
        return cylinder(radius, height, segments=10).moved(y=height / 2)
    if kind == "cabriole":
        t = np.linspace(0, 1, 7)
        bow = 0.1 * height * np.sin(2 * np.pi * t) * (1 - 0.4 * t)
        return tube(np.stack([bow, height * (1 - t), bow], axis=1), (radius * (1.25 - 0.7 * t)).tolist())
    if kind == "hairpin":
        foot = (0.0, 0.0, 0.0)
        spread, wire = min(0.15, 0.25 * height), max(0.006, 0.2 * radius)
        return join(rod((-spread, height, 0), foot, wire), rod((0, height, -spread), foot, wire))
    return slab(2 * radius, height, 2 * radius)


def legs(kind: str, width: float, depth: float, height: float, radius: float) -> Mesh:
    """Four legs under a rectangle; splayed ones start further in."""
    inset = radius + (0.17 * height if kind == "splayed" else 0.05 * height if kind == "cabriole" else 0.0)
    one = leg(kind, height, radius)
    return four(one.moved(max(width / 2 - inset, radius), 0, max(depth / 2 - inset, radius)))


def based(rng: Random, case: Mesh, width: float, depth: float, kind: str, height: float) -> Mesh:
    """A case lifted onto a base: none, plinth, panels (side boards), sled, casters, bun, or a kind of leg."""
    if kind == "none":
        return case
    lifted = case.moved(y=height)
    x, z = width / 2, depth / 2
    if kind == "plinth":
        return join(slab(width - rng.uniform(0, 0.04), height, depth * rng.uniform(0.85, 0.95)), lifted)
    if kind == "panels":
        return join(lifted, blocks([(-x, 0.02 - x, 0, height, -z, z), (x - 0.02, x, 0, height, -z, z)]))
    if kind == "sled":
        r = 0.012
        side = blocks([
            (x - 2 * r, x, 0, 2 * r, -z, z), (x - 2 * r, x, 0, height, z - 2 * r, z),
            (x - 2 * r, x, 0, height, -z, 2 * r - z),
        ])  # fmt: skip
        return join(lifted, both(side))
    if kind == "casters":
        wheel = join(
            cylinder(0.4 * height, 0.025, segments=10).turned("z", 90).moved(y=0.4 * height),
            cylinder(0.012, 0.4 * height, segments=6).moved(y=0.8 * height),
        )
        return join(lifted, four(wheel.moved(x - 0.05, 0, z - 0.05)))
    if kind == "bun":
        foot = ellipsoid(1.2 * height, height, 1.2 * height, segments=10).moved(y=height / 2)
        return join(lifted, four(foot.moved(x - 0.6 * height, 0, z - 0.6 * height)))
    return join(lifted, legs(kind, width, depth, height, rng.uniform(0.014, 0.03)))


def low_base(rng: Random) -> tuple[str, float]:
    """A kind of base for case furniture on the floor, and its height."""
    kind = pick(rng, ("none", "plinth", "plinth", "square", "tapered", "bun", "panels"))
    return kind, rng.uniform(0.03, 0.12)


def high_base(rng: Random) -> tuple[str, float]:
    kind = pick(rng, ("square", "tapered", "splayed", "turned", "round", "cabriole", "hairpin", "sled"))
    return kind, rng.uniform(0.12, 0.3)


def outline(kind: str, width: float, depth: float) -> list[tuple[float, float]]:
    """The plan of a table top: round, octagon, rounded (soft corners) or boat (bowed long sides)."""
    if kind == "boat":
        x = np.linspace(-1, 1, 11)
        z = 1 - 0.28 * x**2
        points = np.concatenate([np.stack([x, z], 1), np.stack([x, -z], 1)[::-1]])
    else:
        angle = np.arange(8) * np.pi / 4 + np.pi / 8 if kind == "octagon" else np.arange(28) * np.pi / 14
        power = 0.35 if kind == "rounded" else 1.0
        points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        points = np.sign(points) * np.abs(points) ** power
        points /= np.abs(points).max(axis=0)
    return [(float(x), float(z)) for x, z in points * [width / 2, depth / 2]]


def top(kind: str, width: float, thickness: float, depth: float, y: float) -> Mesh:
    """A table top whose underside lies at `y`: rectangle or any plan of `outline`."""
    if kind == "rectangle":
        return slab(width, thickness, depth, y)
    return extrude(outline(kind, width, depth), thickness).turned("x", 90).moved(y=y + thickness / 2)


def apron(width: float, depth: float, y: float, height: float, thickness: float = 0.02) -> Mesh:
    """The rectangle of rails under a table top, its upper edge at `y`."""
    x, z = width / 2, depth / 2
    rows = [(-x, x, y - height, y, side - thickness / 2, side + thickness / 2) for side in (-z, z)]
    rows += [(side - thickness / 2, side + thickness / 2, y - height, y, -z, z) for side in (-x, x)]
    return blocks(rows)


@dataclass(frozen=True)
class Style:
    """Settings of all fronts of one piece: panel kind, handle kind, board thickness and gap (meters)."""

    panel: str
    handle: str
    board: float
    gap: float
    ajar: float  # probability that a door or drawer is open


def style_of(rng: Random, ajar: float = 0.08) -> Style:
    panel = pick(rng, ("flat", "flat", "framed", "raised"))
    grip = pick(rng, ("knob", "bar", "bar", "bow", "cup", "none"))
    return Style(panel, grip, rng.uniform(0.014, 0.028), rng.uniform(0.002, 0.008), ajar)


def handle(kind: str, length: float) -> list[Mesh]:
    """A handle on the plane z = 0, along x and centered on the origin; an empty list for kind "none"."""
    if kind == "knob":
        knob = lathe([(0.006, 0), (0.006, 0.012), (0.016, 0.018), (0.012, 0.028), (0, 0.03)], segments=8)
        return [knob.turned("x", 90)]
    if kind == "bar":
        x, r = length / 2, 0.005
        posts = [(side - r, side + r, -r, r, 0, 0.03) for side in (-0.8 * x, 0.8 * x)]
        return [blocks([*posts, (-x, x, -r, r, 0.028, 0.038)])]
    if kind == "bow":
        t = np.linspace(0, np.pi, 6)
        return [tube(np.stack([-length / 2 * np.cos(t), 0 * t, 0.03 * np.sin(t)], axis=1), 0.005, segments=6)]
    if kind == "cup":
        return [ellipsoid(length * 0.8, 0.035, 0.045, segments=8)]
    return []


def slats(x0: float, x1: float, y0: float, y1: float, z0: float, z1: float, count: int) -> Mesh:
    """Louvers: `count` boards from y0 to y1 that slope down towards +z."""
    pitch = (y1 - y0) / count
    y = y0 + pitch * (np.arange(count) + 0.5)
    rows = [(x0, x1, v - 0.12 * pitch, v + 0.12 * pitch, z0, z1) for v in y]
    slope = 0.75 * pitch / (z1 - z0)

    def shear(v: np.ndarray) -> np.ndarray:
        v[:, 1] -= slope * (v[:, 2] - (z0 + z1) / 2)
        return v

    return blocks(rows).deformed(shear)


def framed_leaf(
    width: float,
    height: float,
    thickness: float,
    filling: str,
    columns: int = 1,
    rows: Sequence[float] = (1,),
    stile: float = 0.07,
) -> Mesh:
    """A leaf of stiles and rails, its lower left corner at the origin, from z = 0 to `thickness`.

    rows: relative heights of the fields from below. filling: their kind (recessed, raised, glass, louver or void).
    """
    stile = min(stile, 0.25 * width, 0.25 * height)
    heights = np.cumsum([0, *rows]) / sum(rows) * (height - stile)
    across = np.arange(columns + 1) * (width - stile) / columns
    frame: Rows = [(x, x + stile, 0, height, 0, thickness) for x in across]
    frame += [(0, width, y, y + stile, 0.001, thickness - 0.001) for y in heights]
    fields = [(a + stile, b, c + stile, d) for a, b in pairwise(across) for c, d in pairwise(heights)]
    return join(blocks(frame), *_fillings(fields, thickness, filling))


def _fillings(fields: list[tuple[float, float, float, float]], thickness: float, filling: str) -> list[Mesh]:
    if filling == "void":
        return []
    if filling == "louver":
        return [slats(*f, 0.1 * thickness, 0.9 * thickness, max(3, int((f[3] - f[2]) / 0.05))) for f in fields]
    middle, half = thickness / 2, {"glass": 0.003}.get(filling, 0.3 * thickness)
    panes = [(*f, middle - half, middle + half) for f in fields]
    if filling == "raised":
        inset = [0.2 * min(f[1] - f[0], f[3] - f[2]) for f in fields]
        panes += [(f[0] + i, f[1] - i, f[2] + i, f[3] - i, 0, thickness) for f, i in zip(fields, inset, strict=True)]
    return [blocks(panes)]


def front(panel: str, width: float, height: float, thickness: float) -> Mesh:
    """A drawer or cupboard front, its lower left corner at the origin."""
    if panel == "framed":
        return framed_leaf(width, height, thickness, "recessed", stile=0.06)
    if panel == "louver":
        return framed_leaf(width, height, thickness, "louver", stile=0.05)
    if panel == "glass":
        return framed_leaf(width, height, thickness, "glass", stile=0.05)
    if panel == "bars":
        return framed_leaf(width, height, thickness, "glass", 2, (1, 1, 1), stile=0.03)
    cuboids: Rows = [(0, width, 0, height, 0, thickness)]
    if panel == "raised":
        i = 0.18 * min(width, height)
        cuboids.append((i, width - i, i, height - i, 0, 1.4 * thickness))
    return blocks(cuboids)


def cupboard_door(
    style: Style, x0: float, x1: float, y0: float, y1: float, hinge: str, panel: str, angle: float
) -> Mesh:
    """A door over an opening in the plane z = 0, hung left or right and swung out by `angle` degrees."""
    g = style.gap
    width, height = x1 - x0 - 2 * g, y1 - y0 - 2 * g
    grip_y = height * (0.5 if height > 1.2 else 0.82 if y0 < 0.4 else 0.18)
    grips = [
        h.turned("z", 90).moved(0.9 * width, grip_y, style.board) for h in handle(style.handle, min(0.16, 0.4 * height))
    ]
    door = join(front(panel, width, height, style.board), *grips)
    if hinge == "right":
        return door.mirrored("x").turned("y", angle).moved(x1 - g, y0 + g)
    return door.turned("y", -angle).moved(x0 + g, y0 + g)


def drawer(style: Style, x0: float, x1: float, y0: float, y1: float, depth: float, out: float) -> Mesh:
    """A drawer in the plane z = 0, pulled out by `out`; if it is open, it has a tray."""
    g, t = style.gap, 0.012
    width, height = x1 - x0 - 2 * g, y1 - y0 - 2 * g
    face = front(style.panel, width, height, style.board).moved(x0 + g, y0 + g)
    places = (0.25, 0.75) if width > 0.7 else (0.5,)
    grips = [
        h.moved(x0 + g + place * width, (y0 + y1) / 2, style.board)
        for place in places
        for h in handle(style.handle, min(0.15, 0.5 * width))
    ]
    if out <= 0:
        return join(face, *grips)
    low, high, back = y0 + 0.02, y0 + 0.8 * (y1 - y0), -min(0.9 * depth, 0.3)
    a, b = x0 + 0.02, x1 - 0.02
    tray = [
        (a, a + t, low, high, back, 0),
        (b - t, b, low, high, back, 0),
        (a, b, low, low + t, back, 0),
        (a, b, low, high, back, back + t),
    ]
    return join(face, blocks(tray), *grips).moved(z=out)
