"""Changes of scans for training: turned, bent, recolored, with rare things pasted, two scans mixed.

Amounts are those of Rozenberszki et al., arXiv 2204.07761, and of its code; two scans in one is
Mix3D, arXiv 2110.02210.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from openshape_ood.scenes import Scene

AUGMENTATIONS = ("turn", "elastic", "color")
TILT = np.pi / 64  # about x and y
BENDS = ((0.2, 0.4), (0.8, 1.6))  # meters: cells of the noise, how far it moves a point
OFTEN, RARELY = 0.95, 0.2  # how often a scan is bent; how often its colors are stretched
CELL, WIDE = 0.05, 5  # meters: of the map of heights, and how many cells around count
PASTED, TRIES = 5, 50


def augmented(scene: Scene, rng: np.random.RandomState, how: Sequence[str] = AUGMENTATIONS) -> Scene:
    """The scan after some of `AUGMENTATIONS`."""
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
    """Points turned about z at will and about x and y a little, scaled by a tenth, perhaps mirrored."""
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
    """Points moved by smooth noise of a grid of `cell` meters, by `far` at its deviation before smoothing."""
    low = points.min(axis=0)
    sides = ((points.max(axis=0) - low) // cell).astype(int) + 3
    noise = [rng.standard_normal(sides) for _ in range(3)]
    for axis in (0, 1, 2, 0, 1, 2):
        noise = [ndimage.uniform_filter1d(one, 3, axis=axis, mode="constant") for one in noise]
    place = ((points - low) / cell + 1).T
    return points + far * np.stack([ndimage.map_coordinates(one, place, order=1) for one in noise], axis=1)


def recolored(color: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Colors in [0, 1], in floats all along: perhaps stretched, shifted by a tenth, with noise."""
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
    """Two scans in one place, their middles on one another, their lowest points level."""
    moved = second.points - _foot(second.points) + _foot(first.points)
    return joined(first, replace(second, points=moved))


def joined(first: Scene, second: Scene) -> Scene:
    """The points of both; what only one of them has is 0 in the other, gray for color."""
    sides = (first, second)

    def of(name: str, missing: float, width: tuple[int, ...]) -> np.ndarray | None:
        own = [getattr(one, name) for one in sides]
        if all(one is None for one in own):
            return None
        filled = [np.full((len(s), *width), missing) if o is None else o for s, o in zip(sides, own, strict=True)]
        return np.concatenate(filled)

    points = np.concatenate([first.points, second.points])
    return Scene(points, of("color", 0.5, (3,)), of("labels", 0, ()), of("instances", 0, ()), name=first.name)


def pasted(scene: Scene, things: Sequence[Scene], rng: np.random.RandomState, count: int = PASTED) -> Scene:
    """With some of `things` put on what is highest at a place, turned about z; one that fits nowhere is left out.

    It fits where what is below it is level to 10 cm, lower than 1.5 m above the floor.
    """
    for _ in range(count if things else 0):
        thing = things[rng.randint(len(things))]
        angle = rng.uniform(-np.pi, np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        own = thing.points - _foot(thing.points)
        own[:, :2] = own[:, :2] @ turn.T
        place = _free_place(scene.points, own, rng)
        if place is not None:
            scene = joined(scene, replace(thing, points=own + place))
    return scene


def _free_place(points: np.ndarray, own: np.ndarray, rng: np.random.RandomState) -> np.ndarray | None:
    low = points.min(axis=0)
    cells = ((points[:, :2] - low[:2]) / CELL).astype(int)
    heights = np.full(cells.max(axis=0) + 1, -np.inf)
    np.maximum.at(heights, tuple(cells.T), points[:, 2])
    heights = ndimage.maximum_filter(heights, WIDE, mode="constant", cval=-np.inf)
    foot = np.unique(np.floor(own[:, :2] / CELL).astype(int), axis=0)
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
