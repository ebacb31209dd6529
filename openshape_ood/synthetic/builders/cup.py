"""Cups, mugs, glasses and goblets."""

from __future__ import annotations

from openshape_ood.synthetic.builders._bodies import Ring, loft, pot, smooth
from openshape_ood.synthetic.builders._shapes import arch
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, join, lathe, rod, tube


def ear(rng: Random, height: float, reach: float) -> Mesh:
    """A cup's handle from y = 0 to `height`, standing out from x = 0 towards +x."""
    path = arch(height, reach, rng.uniform(0.4, 1.0), 9)[:, [1, 0, 2]] + [0, height / 2, 0]
    return tube(path, rng.uniform(0.004, 0.008), segments=6)


def mug(rng: Random) -> Mesh:
    r, h = rng.uniform(0.035, 0.055), rng.uniform(0.08, 0.12)
    side = [(rng.uniform(0.75, 1.0) * r, 0), (rng.uniform(0.9, 1.08) * r, 0.5 * h), (r, h)]
    return join(pot(smooth(side, 8), 0.004), ear(rng, 0.65 * h, rng.uniform(0.025, 0.04)).moved(0.93 * r, 0.18 * h))


def tea_cup(rng: Random) -> Mesh:
    """A flared cup, most often on its saucer."""
    r, h = rng.uniform(0.04, 0.055), rng.uniform(0.05, 0.075)
    cup_ = pot(smooth([(0.45 * r, 0), (0.5 * r, 0.08 * h), (0.85 * r, 0.4 * h), (r, h)], 9), 0.003)
    cup_ = join(cup_, ear(rng, 0.6 * h, rng.uniform(0.02, 0.03)).moved(0.85 * r, 0.28 * h))
    saucer = pot([(0.6 * r, 0), (0.9 * r, 0.004), (1.6 * r, 0.015)], 0.003)
    return join(cup_.moved(y=0.005), saucer) if chance(rng, 0.7) else cup_


def tumbler(rng: Random) -> Mesh:
    r, h = rng.uniform(0.03, 0.045), rng.uniform(0.08, 0.16)
    return pot([(rng.uniform(0.65, 1.0) * r, 0), (r, h)], rng.uniform(0.002, 0.005))


def paper_cup(rng: Random) -> Mesh:
    """Tapered cup to go, with a domed or flat lid, sleeve or straw."""
    r, h = rng.uniform(0.035, 0.048), rng.uniform(0.09, 0.17)
    body = lathe([(0, 0), (0.68 * r, 0), (r, h), (0, h)], 18)
    lid = lathe(
        [
            (1.05 * r, h - 0.004),
            (1.05 * r, h + 0.006),
            (0.9 * r, h + 0.012),
            (0.8 * r, h + rng.uniform(0.012, 0.04)),
            (0, h + 0.012),
        ],
        18,
    )
    parts = [body, lid]
    if chance(rng):
        parts += [loft([Ring(0.35 * h, 1.62 * r, 1.62 * r), Ring(0.75 * h, 1.88 * r, 1.88 * r)])]
    if chance(rng, 0.4):
        parts += [rod((0, h, 0), (0.01, h + 0.09, 0.01), 0.003)]
    return join(*parts)


def goblet(rng: Random) -> Mesh:
    """A wine glass or chalice: foot, stem, bowl."""
    r, h = rng.uniform(0.03, 0.05), rng.uniform(0.13, 0.24)
    stem = rng.uniform(0.25, 0.55)
    bowl = smooth(
        [(0.12 * r, stem * h), (0.8 * r, (stem + 0.12) * h), (r, (stem + 1) / 2 * h), (rng.uniform(0.7, 1.1) * r, h)],
        10,
    )
    inside = [(max(x - 0.002, 0.001), max(y, bowl[0][1] + 0.004)) for x, y in bowl[::-1]]
    return lathe(
        [
            (0, 0), (0.85 * r, 0), (0.8 * r, 0.004), (0.1 * r, 0.03 * h), (0.1 * r, 0.95 * stem * h),
            *bowl, *inside, (0, bowl[0][1]),
        ],
        18,
    )  # fmt: skip


def stein(rng: Random) -> Mesh:
    """A tall beer mug with a thick wall, panels and a big handle, perhaps a lid."""
    r, h = rng.uniform(0.04, 0.055), rng.uniform(0.13, 0.19)
    body = pot([(1.08 * r, 0), (1.08 * r, 0.05 * h), (r, 0.08 * h), (0.95 * r, h)], 0.007, rng.choice([8, 20]))
    parts = [body, ear(rng, 0.7 * h, 0.05).moved(0.95 * r, 0.15 * h)]
    return join(*parts, lathe([(r, h), (0.7 * r, h + 0.015), (0, h + 0.03)], 18)) if chance(rng, 0.3) else join(*parts)


category(
    "cup",
    mug=mug,
    tea_cup=tea_cup,
    tumbler=tumbler,
    paper_cup=paper_cup,
    goblet=goblet,
    stein=stein,
)
