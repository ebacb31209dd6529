"""Augmentation of scans: rotation, elastic distortion, color changes, pasted rare objects, mixed scans.

Parameters are those of Rozenberszki et al., arXiv 2204.07761, and of their code; mixing is Mix3D, arXiv 2110.02210.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from openshape_ood.scenes import Scene

AUGMENTATIONS = ("turn", "elastic", "color")
TILT = np.pi / 64  # largest rotation about x and y
BENDS = ((0.2, 0.4), (0.8, 1.6))  # elastic distortion in meters: cell size of the noise, displacement
OFTEN, RARELY = 0.95, 0.2  # probabilities: of distortion, color shift and noise; of contrast changes
CELL, WIDE = 0.05, 5  # height map: cell size in meters, width of the maximum filter in cells
PASTED, TRIES = 5, 50


def augmented(scene: Scene, rng: np.random.RandomState, how: Sequence[str] = AUGMENTATIONS) -> Scene:
    """Augment a scan; how: some of `AUGMENTATIONS`."""
    points = scene.points
    if "elastic" in how and rng.random_sample() < OFTEN:
        for cell, far in BENDS:
            points = bent(points, cell, far, rng)
    if "turn" in how:
        points = turned(points, rng)
    color = scene.color
    if color is not None and "color" in how:
        color = recolored(color, rng)
    return replace(scene, points=points, color=color)


def turned(points: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Rotate points by any angle about z and slightly about x and y, scale by up to 10 %, mirror at random."""
    matrix = np.eye(3)
    for axis, angle in enumerate((*rng.uniform(-TILT, TILT, 2), rng.uniform(-np.pi, np.pi))):
        a, b = [i for i in range(3) if i != axis]
        turn = np.eye(3)
        turn[[a, a, b, b], [a, b, a, b]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        matrix = turn @ matrix
    matrix *= rng.uniform(0.9, 1.1)
    matrix[:2] *= rng.choice([-1, 1], 2)[:, None]
    middle = points.mean(axis=0) * [1, 1, 0]
    return np.asarray((points - middle) @ matrix.T + middle)


def bent(points: np.ndarray, cell: float, far: float, rng: np.random.RandomState) -> np.ndarray:
    """Elastic distortion by smoothed noise on a grid of `cell` meters; `far` is its deviation before smoothing."""
    low = points.min(axis=0)
    sides = ((points.max(axis=0) - low) // cell).astype(int) + 3
    noise = [rng.standard_normal(sides) for _ in range(3)]
    for axis in (0, 1, 2, 0, 1, 2):
        noise = [ndimage.uniform_filter1d(one, 3, axis=axis, mode="constant") for one in noise]
    place = ((points - low) / cell + 1).T
    return points + far * np.stack([ndimage.map_coordinates(one, place, order=1) for one in noise], axis=1)


def recolored(color: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Change colors in [0, 1] at random: contrast stretch, shift by up to 0.1, noise."""
    if rng.random_sample() < RARELY:
        low, high = color.min(axis=0), color.max(axis=0)
        share = rng.random_sample()
        color = (1 - share) * color + share * (color - low) / np.maximum(high - low, 1e-6)
    if rng.random_sample() < OFTEN:
        color = color + rng.uniform(-0.1, 0.1, 3)
    if rng.random_sample() < OFTEN:
        color = color + rng.normal(0, 0.05 * rng.random_sample(), color.shape)
    return np.asarray(color).clip(0, 1).astype(np.float32)


def mixed(first: Scene, second: Scene) -> Scene:
    """Two scans in one, with aligned centers and floors."""
    moved = second.points - _foot(second.points) + _foot(first.points)
    return joined(first, replace(second, points=moved))


def joined(first: Scene, second: Scene) -> Scene:
    """Concatenate two scans; missing labels and instances are 0, missing colors gray."""
    sides = (first, second)

    def of(name: str, missing: float, width: tuple[int, ...]) -> np.ndarray | None:
        both = [getattr(one, name) for one in sides]
        if all(one is None for one in both):
            return None
        filled = [np.full((len(s), *width), missing) if o is None else o for s, o in zip(sides, both, strict=True)]
        return np.concatenate(filled)

    points = np.concatenate([first.points, second.points])
    return Scene(points, of("color", 0.5, (3,)), of("labels", 0, ()), of("instances", 0, ()), name=first.name)


def pasted(scene: Scene, things: Sequence[Scene], rng: np.random.RandomState, count: int = PASTED) -> Scene:
    """Paste `count` random `things` on top of the scan, rotated about z; a thing without a free place is left out.

    A place is free if the surface below is level to 10 cm and lower than 1.5 m above the floor.
    """
    for _ in range(count if things else 0):
        thing = things[rng.randint(len(things))]
        angle = rng.uniform(-np.pi, np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centered = thing.points - _foot(thing.points)
        centered[:, :2] = centered[:, :2] @ turn.T
        place = _free_place(scene.points, centered, rng)
        if place is not None:
            scene = joined(scene, replace(thing, points=centered + place))
    return scene


def _free_place(points: np.ndarray, thing: np.ndarray, rng: np.random.RandomState) -> np.ndarray | None:
    low = points.min(axis=0)
    cells = ((points[:, :2] - low[:2]) / CELL).astype(int)
    heights = np.full(cells.max(axis=0) + 1, -np.inf)
    np.maximum.at(heights, tuple(cells.T), points[:, 2])
    heights = ndimage.maximum_filter(heights, WIDE, mode="constant", cval=-np.inf)
    foot = np.unique(np.floor(thing[:, :2] / CELL).astype(int), axis=0)
    for _ in range(TRIES):
        middle = np.array([rng.randint(side) for side in heights.shape])
        where = foot + middle
        if (where < 0).any() or (where >= heights.shape).any():
            continue
        below = heights[tuple(where.T)]
        if np.isfinite(below).all() and np.ptp(below) < 0.1 and below.max() - low[2] < 1.5:
            return np.array([*(low[:2] + (middle + 0.5) * CELL), below.max()])
    return None


def _foot(points: np.ndarray) -> np.ndarray:
    low, high = points.min(axis=0), points.max(axis=0)
    return np.array([*((low + high) / 2)[:2], low[2]])
