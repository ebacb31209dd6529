"""Fronts of case furniture: door leaves, drawers and handles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from openshape_ood.synthetic.builders._blocks import Rows, blocks
from openshape_ood.synthetic.builders._chance import Random, pick
from openshape_ood.synthetic.mesh import Mesh, ellipsoid, join, lathe, tube


@dataclass(frozen=True)
class Style:
    """What all fronts of one piece share: panel kind, handle kind, board thickness and gap (metres)."""

    panel: str
    handle: str
    board: float
    gap: float
    ajar: float  # probability that a door or drawer stands open


def style_of(rng: Random, ajar: float = 0.08) -> Style:
    panel = pick(rng, ("flat", "flat", "framed", "raised"))
    grip = pick(rng, ("knob", "bar", "bar", "bow", "cup", "none"))
    return Style(panel, grip, rng.uniform(0.014, 0.028), rng.uniform(0.002, 0.008), ajar)


def handle(kind: str, length: float) -> list[Mesh]:
    """A grip on the plane z = 0, centred on the origin and lying along x; none is an empty list."""
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
    """Louvres: `count` boards from y0 to y1 that slope down towards +z."""
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

    `rows` are relative heights of the fields from below; they hold `filling`: recessed, raised, glass, louvre or void.
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
    if filling == "louvre":
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
    if panel == "louvre":
        return framed_leaf(width, height, thickness, "louvre", stile=0.05)
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
    """A drawer in the plane z = 0, pulled out by `out`; then its tray shows too."""
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
