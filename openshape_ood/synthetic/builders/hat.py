"""Hats, caps and helmets."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._shapes import Points, bumpy, from_above, half_ring, rounded_corners
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, ellipsoid, join, lathe, sheet, torus


def brimmed(profile: Points, brim: float, curl: float = 0.0, oval: float = 1.2) -> Mesh:
    """A hollow crown with a brim. profile: (radius, y) of the crown from the brim upwards. brim: width of the brim."""
    r0 = profile[0][0]
    inside = [(max(0.0, r - 0.006), y - 0.006) for r, y in profile]
    edge = r0 + brim
    rim = [(edge, -0.004), (edge, 0.004)] if brim > 0 else []
    crown = lathe([*reversed([p for p in inside if p[1] > 0]), (r0 - 0.006, -0.004), *rim, *profile], 24)

    def curl_up(p: np.ndarray) -> np.ndarray:
        out = np.maximum(0, np.hypot(p[:, 0], p[:, 2]) - r0) / (brim or 1)
        p[:, 1] += curl * out**2 * (p[:, 0] / edge) ** 2
        return p

    return crown.deformed(curl_up).scaled(z=oval)


def top_hat(rng: Random) -> Mesh:
    u = rng.uniform
    r, h, flare = u(0.08, 0.095), u(0.1, 0.22), u(0.95, 1.15)
    band = torus(r * 1.01, 0.006).scaled(y=3, z=1.2).moved(y=0.02)
    return join(brimmed([(r, 0), (r * 0.95, h * 0.5), (r * flare, h), (0, h)], u(0.04, 0.07), u(0, 0.04)), band)


def fedora(rng: Random) -> Mesh:
    u = rng.uniform
    r, h, dent = u(0.08, 0.095), u(0.1, 0.13), u(0.02, 0.04)
    hat = brimmed(
        [(r, 0), (r * 0.93, h * 0.6), (r * 0.75, h), (r * 0.4, h - dent * 0.5), (0, h - dent)],
        u(0.05, 0.09),
        u(-0.02, 0.05),
    )
    return join(hat, torus(r * 1.0, 0.005).scaled(y=3, z=1.2).moved(y=0.018))


def cowboy_hat(rng: Random) -> Mesh:
    u = rng.uniform
    r, h = u(0.085, 0.1), u(0.11, 0.15)
    return brimmed(
        [(r, 0), (r * 0.9, h * 0.6), (r * 0.7, h), (r * 0.3, h * 0.85), (0, h * 0.78)], u(0.08, 0.12), u(0.06, 0.13)
    )


def sun_hat(rng: Random) -> Mesh:
    u = rng.uniform
    r, h = u(0.08, 0.1), u(0.08, 0.12)
    profile = [(r * np.cos(t) ** 0.7, h * np.sin(t)) for t in np.linspace(0, np.pi / 2 - 0.05, 7)]
    return brimmed([*profile, (0, h)], u(0.06, 0.16), u(-0.08, 0.02), u(1, 1.2))


def cap(rng: Random) -> Mesh:
    u = rng.uniform
    r, h = u(0.085, 0.1), u(0.1, 0.13)
    dome = brimmed([*[(r * np.cos(t) ** 0.8, h * np.sin(t)) for t in np.linspace(0, 1.5, 7)], (0, h)], 0.0)
    wide, reach, bend = r * u(0.75, 0.95), u(0.06, 0.09), u(0.005, 0.04)

    def visor(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        t = np.pi * b
        x = wide * np.cos(t)
        z = r * 1.2 * np.sqrt(np.clip(1 - (x / r) ** 2, 0, 1)) + a * reach * np.sin(t) ** 0.7
        return np.stack([x, -bend * (x / wide) ** 2 - 0.15 * a * reach, z], axis=-1)

    peak = sheet(visor, 5, 11)
    return join(dome, peak, peak.moved(y=0.004), ellipsoid(0.014, 0.01, 0.014, 8).moved(y=h))


def beanie(rng: Random) -> Mesh:
    u = rng.uniform
    r, h = u(0.085, 0.1), u(0.15, 0.22)
    dome = brimmed([(r, 0), (r, h * 0.5), (r * 0.8, h * 0.8), (r * 0.4, h * 0.97), (0, h)], 0.0)
    cuff = lathe([(r, 0), (r + 0.01, 0), (r + 0.01, u(0.04, 0.07)), (r, 0.06)], 24).scaled(z=1.2)
    bobble = bumpy(rng, ellipsoid(0.06, 0.06, 0.06, 12), 0.15).moved(y=h + 0.02)
    return join(dome, cuff, bobble) if chance(rng, 0.6) else join(dome, cuff)


def hard_hat(rng: Random) -> Mesh:
    u = rng.uniform
    r, h = u(0.1, 0.115), u(0.12, 0.15)
    dome = brimmed([*[(r * np.cos(t) ** 0.7, h * np.sin(t)) for t in np.linspace(0, 1.5, 7)], (0, h)], u(0.01, 0.025))
    ridge = half_ring(1, 0.09).turned("y", 90).scaled(0.12, h * 1.0, r * 1.15)
    peak = from_above(
        rounded_corners([(-r * 0.8, 0), (r * 0.8, 0), (r * 0.6, 0.05), (-r * 0.6, 0.05)], 1), 0.008
    ).moved(z=r * 1.1)
    return join(dome, ridge, peak)


def pointed_hat(rng: Random) -> Mesh:
    u = rng.uniform
    r, h = u(0.06, 0.1), u(0.18, 0.38)
    wide = u(0.06, 0.12) if chance(rng, 0.6) else 0.0
    cone = brimmed([(r, 0), (r * 0.5, h * 0.5), (0, h)], wide, 0.0, 1.0)
    bend = u(-0.15, 0.15)
    return cone.deformed(
        lambda p: np.stack([p[:, 0] + bend * (np.maximum(0, p[:, 1]) / h) ** 2, p[:, 1], p[:, 2]], axis=1)
    )


category(
    "hat",
    top_hat=top_hat,
    fedora=fedora,
    cowboy=cowboy_hat,
    sun_hat=sun_hat,
    cap=cap,
    beanie=beanie,
    hard_hat=hard_hat,
    pointed=pointed_hat,
)
