"""Views of objects: what each shows, which points it sees, and scores back by the largest."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.errors import CloudError, InputError
from openshape_ood.surfaces import ViewRasterizer
from openshape_ood.surfaces.views import directions


def ball(count: int = 20_000) -> np.ndarray:
    points = np.random.default_rng(0).normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.mark.parametrize("count", [6, 12])
def test_views_of_a_ball_see_it_from_outside_only(count: int) -> None:
    inner = 0.5 * ball(2000)
    points = np.vstack([ball(), inner]) * 7 + [100, -50, 3]
    raster = ViewRasterizer(count=count, size=64).rasterize(points)
    assert raster.tiles.shape == (count, 3, 64, 64) and np.abs(raster.tiles).max() <= 1
    assert raster.seen[:20_000].mean() > 0.99 and not raster.seen[20_000:].any()
    assert np.isnan(raster.to_points(np.zeros(raster.mask.shape))[20_000:]).all()
    for view, toward in enumerate(directions(count)):
        own = points[raster.rows[raster.tile == view]] - [100, -50, 3]
        assert (own @ toward).min() > -1.5  # of a radius of 7: about the horizon
        depth = raster.values("depth")[view]
        assert depth[32, 32] == pytest.approx(1, abs=0.02)
        # from the middle outward the normal follows the place, along columns and rows
        across, down = raster.values("normal_u")[view], raster.values("normal_v")[view]
        assert across[28:36, 40:48].mean() == pytest.approx(12 / 32 / 0.96, abs=0.08)
        assert down[40:48, 28:36].mean() == pytest.approx(12 / 32 / 0.96, abs=0.08)


def test_a_point_has_the_largest_score_of_the_views_that_see_it() -> None:
    raster = ViewRasterizer(size=64).rasterize(ball())
    scores = np.broadcast_to(np.arange(6.0)[:, None, None], raster.mask.shape)
    views = np.full(raster.points, -1)
    np.maximum.at(views, raster.rows, raster.tile)
    assert np.array_equal(raster.to_points(scores)[raster.seen], views[raster.seen])
    assert len(np.unique(views)) > 3


def test_one_radius_keeps_sizes_apart() -> None:
    small, large = (ViewRasterizer(size=32).rasterize(size * ball(), radius=2).mask.mean() for size in (0.8, 1.6))
    assert large > 2.5 * small


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(InputError, match="6 or 12"):
        ViewRasterizer(count=7)
    with pytest.raises(InputError, match="multiple of 16"):
        ViewRasterizer(size=100)
    with pytest.raises(CloudError, match="all points are equal"):
        ViewRasterizer().rasterize(np.ones((5, 3)))
    with pytest.raises(InputError, match="three numbers of a point"):
        ViewRasterizer().rasterize(np.eye(3), center=(0, 0))
    with pytest.raises(CloudError, match="NaN"):
        ViewRasterizer().rasterize([[np.nan] * 3])
