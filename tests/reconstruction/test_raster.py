"""Rasters of surfaces and the way back, checks C17 and C18 of the specification, and clouds that are none."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.errors import CloudError, InputError
from openshape_ood.reconstruction import Raster, Rasterizer

PIT, DEEP = 0.1, 0.05  # meters: radius and depth


def pitted(
    count: int = 200_000, side: float = 2.0, noise: float = 0.001, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """A plane with a round pit in its middle, and which of its points lie in it."""
    rng = np.random.default_rng(seed)
    points = np.column_stack([rng.uniform(0, side, (count, 2)), rng.normal(0, noise, count)])
    pit = np.linalg.norm(points[:, :2] - side / 2, axis=1) < PIT
    points[pit, 2] -= DEEP
    return points, pit


def tilted(points: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    return points @ turn.T


@pytest.fixture(scope="module")
def rasterizer() -> Rasterizer:
    return Rasterizer(cell=0.01, channels=("height",))


@pytest.fixture(scope="module")
def raster(rasterizer: Rasterizer) -> Raster:
    return rasterizer.rasterize(pitted()[0])


def test_c17_a_pit_is_recovered_and_its_points_found_again(raster: Raster) -> None:
    _, pit = pitted()
    height = raster.values("height")
    share = raster.to_tiles(pit)
    assert np.nanmean(height[share == 1]) == pytest.approx(-DEEP, abs=0.005)
    assert np.nanmean(height[share == 0]) == pytest.approx(0, abs=0.001)
    assert raster.seen.mean() > 0.99
    found = raster.to_points(share >= 0.5) >= 0.5
    assert (found & pit).sum() / (found | pit).sum() >= 0.95


def test_c17_tilting_the_cloud_changes_no_height(rasterizer: Rasterizer, raster: Raster) -> None:
    other = rasterizer.rasterize(tilted(pitted()[0], 20) + [1000, -500, 30])
    difference = other.to_points(other.values("height")) - raster.to_points(raster.values("height"))
    assert np.isfinite(difference).mean() > 0.99
    assert np.nanquantile(np.abs(difference), 0.999) < 0.005
