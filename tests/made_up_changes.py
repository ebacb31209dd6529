"""Small places with a few generated things, as points: what the tests of changes compare."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from openshape_ood import Scene
from openshape_ood.synthetic import sample

SIDE, HIGH, STEP = 4.0, 2.4, 0.04  # meters
Thing = tuple[str, float, float]  # category, x and y


def crop(name: str, seed: int = 1, points: int = 2500) -> np.ndarray:
    """A generated thing that stands on the ground, z up, meters."""
    return sample(name, points, seed)[:, [0, 2, 1]] * [1, -1, 1]


def stood(thing: Thing, seed: int = 1) -> np.ndarray:
    name, x, y = thing
    points = crop(name, seed)
    low, high = points.min(axis=0), points.max(axis=0)
    return points - [*(low + high)[:2] / 2, low[2]] + [x, y, 0.02]


def shell(walls: Sequence[int] = (0, 1, 2)) -> np.ndarray:
    """The floor and some walls of a square room from the origin, by a grid of points."""
    along, up = np.arange(0, SIDE, STEP), np.arange(0, HIGH, STEP)
    x, y = (axis.ravel() for axis in np.meshgrid(along, along))
    parts = [np.stack([x, y, np.zeros_like(x)], axis=1)]
    a, z = (axis.ravel() for axis in np.meshgrid(along, up))
    zero = np.zeros_like(a)
    sides = (zero, a), (a, zero), (zero + SIDE, a), (a, zero + SIDE)
    parts += [np.stack([*sides[i], z], axis=1) for i in walls]
    return np.concatenate(parts)


def place(things: Sequence[Thing], seed: int = 0, walls: Sequence[int] = (0, 1, 2), name: str = "place") -> Scene:
    """A room with things in it and 3 mm of noise, made once."""
    return _place(tuple(things), seed, tuple(walls), name)


@lru_cache
def _place(things: tuple[Thing, ...], seed: int, walls: tuple[int, ...], name: str) -> Scene:
    rng = np.random.RandomState(seed)
    points = np.concatenate([shell(walls), *(stood(one) for one in things)])
    return Scene(points + rng.normal(0, 0.003, points.shape), name=name)


def shaded(scene: Scene, low: Sequence[float], high: Sequence[float], eye: Sequence[float]) -> Scene:
    """Without the points that a box hides from an eye."""
    eye_, away = np.array(eye), scene.points - np.array(eye)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([(np.array(low) - eye_) / away, (np.array(high) - eye_) / away])
    enter, leave = ends.min(axis=0).max(axis=1), ends.max(axis=0).min(axis=1)
    return scene.take(~((enter < leave) & (enter > 0) & (leave < 0.98)))
