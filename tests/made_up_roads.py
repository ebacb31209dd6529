"""Small road tiles for tests: slope, camber, roughness, lane markings; potholes, cracks and debris."""

from __future__ import annotations

import numpy as np

SIDE = 32


def road_tiles(n: int, rng: np.random.Generator) -> np.ndarray:
    """Normal tiles (n, 3, 32, 32) in [-1, 1]: height, intensity, intensity."""
    v, u = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    tiles = np.empty((n, 3, SIDE, SIDE))
    for one in tiles:
        slope = rng.normal(0, 0.1, 2)
        height = slope[0] * u + slope[1] * v - abs(rng.normal(0, 0.3)) * u**2 + rng.normal(0, 0.03, u.shape)
        wave, phase = rng.uniform(1, 3, 2), rng.uniform(0, 2 * np.pi)
        intensity = -0.2 + 0.1 * np.sin(2 * np.pi * (wave[0] * u + wave[1] * v) + phase) + rng.normal(0, 0.03, u.shape)
        if rng.random() < 0.5:
            left = rng.integers(2, 8)
            intensity[:, left : left + 3] += 0.5
        one[:] = height, intensity, intensity
    return tiles.clip(-1, 1).astype(np.float32)


def damaged_tiles(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Tiles (n, 3, 32, 32) with one defect each, and where it is (n, 32, 32)."""
    tiles, where = road_tiles(n, rng).astype(np.float64), np.zeros((n, SIDE, SIDE), dtype=bool)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    for one, mark in zip(tiles, where, strict=True):
        kind, (r, c) = rng.integers(3), rng.integers(6, SIDE - 6, 2)
        if kind == 0:
            dip = np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / (2 * rng.uniform(2, 4) ** 2))
            one[0] -= 0.7 * dip
            one[1:] -= 0.4 * dip
            mark |= dip > 0.2
        elif kind == 1:
            for _ in range(rng.integers(20, 40)):
                mark[r, c] = True
                step = rng.integers(-1, 2, 2)
                r, c = np.clip([r + step[0], c + 1 if rng.random() < 0.7 else c + step[1]], 0, SIDE - 1)
            one[0][mark] -= 0.4
            one[1:, mark] -= 0.5
        else:
            h, w = rng.integers(4, 9, 2)
            mark[r : r + h, c : c + w] = True
            one[0][mark] += 0.5
    return tiles.clip(-1, 1).astype(np.float32), where
