"""Curtains and blinds."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._furniture import slats
from openshape_ood.synthetic.builders._shapes import block, blocks, slab
from openshape_ood.synthetic.catalog import Random, category, chance, count, pick
from openshape_ood.synthetic.mesh import Mesh, cushion, cylinder, ellipsoid, join, rod, sheet, tube


def drape(rng: Random, width: float, height: float, waist: float = 1.0, waist_y: float = 0.4) -> Mesh:
    """Hanging cloth from y = 0 to `height`, centered in x, in folds that deepen downwards.

    `waist` below 1 gathers it at the fraction `waist_y` of its height, as a tie does.
    """
    folds = max(3, int(width / rng.uniform(0.07, 0.16)))
    amplitude, phase, sway = rng.uniform(0.02, 0.06), rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5)

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        gather = 1 - (1 - waist) * np.exp(-(((u - waist_y) / 0.22) ** 2))
        wave = 2 * np.pi * folds * v + phase + sway * np.sin(3 * u)
        z = amplitude * np.sin(wave) * (0.6 + 0.6 * (1 - u)) + 0.02 * np.sin(7 * v + 4 * u)
        return np.stack([(v - 0.5) * width * gather, u * height, z], axis=-1)

    return sheet(surface, rows=10 if waist < 1 else 6, columns=min(6 * folds + 1, 140))


def curtain_rod(rng: Random, width: float, y: float) -> list[Mesh]:
    """A pole with finials and rings, or a flat rail; sometimes nothing."""
    kind = pick(rng, ("pole", "pole", "rail", "none"))
    if kind == "none":
        return []
    x, r = width / 2 + rng.uniform(0.03, 0.15), rng.uniform(0.008, 0.02)
    if kind == "rail":
        return [block(-x, x, y, y + 0.03, -0.03, 0.03)]
    finial = (
        ellipsoid(4 * r, 4 * r, 4 * r, segments=8)
        if chance(rng, 0.6)
        else cylinder(1.8 * r, 2 * r, segments=8).turned("z", 90)
    )
    brackets = blocks([(s * 0.9 * x - 0.01, s * 0.9 * x + 0.01, y, y + 0.02, -0.12, 0.0) for s in (-1, 1)])
    return [rod((-x, y + r, 0), (x, y + r, 0), r), both(finial.moved(x, y + r)), brackets]


def curtain_size(rng: Random) -> tuple[float, float]:
    return rng.uniform(1.0, 2.8), rng.uniform(1.2, 2.6)


def curtain_pair(rng: Random) -> Mesh:
    w, h = curtain_size(rng)
    share = rng.uniform(0.25, 0.5)
    cloth = [drape(rng, share * w, h).moved(s * (1 - share) * w / 2) for s in (-1, 1)]
    return join(*cloth, *curtain_rod(rng, w, h))


def curtain_single(rng: Random) -> Mesh:
    w, h = rng.uniform(0.5, 1.8), rng.uniform(1.2, 2.6)
    return join(drape(rng, w, h), *curtain_rod(rng, w, h))


def curtain_tied(rng: Random) -> Mesh:
    w, h = curtain_size(rng)
    y, waist, half = rng.uniform(0.3, 0.5), rng.uniform(0.25, 0.5), 0.5 * w

    def pulled(v: np.ndarray) -> np.ndarray:
        # gathered towards the outer edge, not towards the middle of the cloth
        v[:, 0] += 0.5 * half * (1 - waist) * np.exp(-(((v[:, 1] / h - y) / 0.22) ** 2)) + half / 2
        return v

    cloth = drape(rng, half, h, waist, y).deformed(pulled)
    tie = cushion(1.1 * waist * half, 0.06, 0.16, 0.5, segments=10).moved(half - 0.5 * waist * half, y * h)
    sides = both(join(cloth, tie)) if chance(rng, 0.8) else join(cloth, tie)
    return join(sides, *curtain_rod(rng, w, h))


def curtain_valance(rng: Random) -> Mesh:
    """A pair of curtains below a pelmet, which is a board, a short flounce or swags."""
    pair = curtain_pair(rng)
    w, h, _ = pair.size()
    drop, kind = rng.uniform(0.15, 0.4), pick(rng, ("board", "flounce", "swags"))
    if kind == "board":
        pelmet = blocks([(-w / 2, w / 2, h - drop, h + 0.02, 0.1, 0.12), (-w / 2, w / 2, h, h + 0.02, -0.08, 0.12)])
        return join(pair, pelmet)
    if kind == "flounce":
        return join(pair, drape(rng, 1.04 * w, drop).moved(0, h - drop, 0.09))
    n = count(rng, 2, 4)

    def swag(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        x = (v - 0.5) * w
        depth = np.abs(np.sin(np.pi * n * v))
        return np.stack(
            [x, h - u * drop * (0.35 + depth), 0.08 + 0.05 * depth * np.sin(np.pi * u) + 0.02 * np.sin(18 * u)], axis=-1
        )

    return join(pair, sheet(swag, 10, 8 * n + 1))


def curtain_cafe(rng: Random) -> Mesh:
    """Short curtains over half of a window, with tabs or rings on the rod."""
    w, h = rng.uniform(0.7, 1.6), rng.uniform(0.4, 0.9)
    gap = rng.uniform(0.04, 0.1)
    tabs = blocks(
        [(x - 0.02, x + 0.02, h - 0.01, h + gap, -0.012, 0.012) for x in np.linspace(-0.47, 0.47, int(w / 0.13)) * w]
    )
    return join(drape(rng, w, h), tabs, rod((-0.55 * w, h + gap, 0), (0.55 * w, h + gap, 0), 0.01))


def curtain_shower(rng: Random) -> Mesh:
    """A curtain round a corner on a bent rail, hung from rings."""
    a, b, h = rng.uniform(0.7, 1.6), rng.uniform(0.5, 0.9), rng.uniform(1.7, 2.1)
    t = np.linspace(0, 1, 80)
    corner = np.clip((t * (a + b) - a + 0.2) / 0.4, 0, 1)
    heading = corner * np.pi / 2
    step = (a + b) / 79
    x, z = np.cumsum(step * np.cos(heading)), -np.cumsum(step * np.sin(heading))
    wave, extent = 0.03 * np.sin(2 * np.pi * t * (a + b) / rng.uniform(0.09, 0.16)), rng.uniform(0.4, 1.0)

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        i = np.minimum((v * extent * 79).astype(int), 79)
        out = wave[i] * (1.3 - 0.6 * u)
        return np.stack([x[i] + out * np.sin(heading[i]), u * h, z[i] + out * np.cos(heading[i])], axis=-1)

    rail = tube(np.stack([x, np.full(80, h + 0.04), z], axis=1)[::6], 0.012)
    return join(sheet(surface, 5, 80), rail)


def roman_blind(rng: Random) -> Mesh:
    """Cloth drawn up in flat folds, or a roller with plain cloth."""
    w, h, folds = rng.uniform(0.6, 1.5), rng.uniform(0.6, 1.8), count(rng, 3, 7)
    if chance(rng, 0.4):
        roll = cylinder(0.03, w, segments=10).turned("z", 90).moved(y=h + 0.02)
        return join(
            block(-0.48 * w, 0.48 * w, 0, h, 0.02, 0.024), roll, block(-0.48 * w, 0.48 * w, -0.02, 0, 0.01, 0.034)
        )
    pitch, belly = h / folds, rng.uniform(0.03, 0.09)

    def surface(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        fold = (u * folds) % 1.0
        z = belly * np.sin(np.pi * fold) ** 0.7 * (1.2 - u)
        return np.stack([(v - 0.5) * w, u * h - 0.25 * pitch * np.sin(np.pi * fold), z], axis=-1)

    return join(sheet(surface, 8 * folds + 1, 3), block(-w / 2, w / 2, h, h + 0.05, -0.02, 0.04))


def venetian_blind(rng: Random) -> Mesh:
    w, h, n = rng.uniform(0.6, 1.6), rng.uniform(0.7, 1.8), count(rng, 14, 36)
    upright = chance(rng, 0.3)
    if upright:
        blades = [
            slab(0.085, h, 0.004).turned("y", rng.uniform(10, 70)).moved(x) for x in np.linspace(-w / 2, w / 2, n // 2)
        ]
        return join(*blades, block(-w / 2 - 0.05, w / 2 + 0.05, h, h + 0.05, -0.03, 0.03))
    cords = blocks([(x - 0.004, x + 0.004, 0, h, -0.004, 0.004) for x in (-0.35 * w, 0.35 * w)])
    rails = blocks([(-w / 2, w / 2, h, h + 0.05, -0.03, 0.03), (-w / 2, w / 2, -0.02, 0, -0.02, 0.02)])
    return join(slats(-w / 2, w / 2, 0, h, -0.022, 0.022, n), cords, rails)


category(
    "curtain",
    pair=curtain_pair,
    single=curtain_single,
    tied_back=curtain_tied,
    valance=curtain_valance,
    cafe=curtain_cafe,
    shower=curtain_shower,
    roman_blind=roman_blind,
    venetian_blind=venetian_blind,
)
