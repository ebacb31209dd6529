"""Rasters of surfaces and the way back, checks C17 and C18 of the specification, and clouds that are none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import maximum_filter, minimum_filter

from openshape_ood.errors import CloudError, InputError
from openshape_ood.surfaces import Raster, Rasterizer
from openshape_ood.surfaces.rasterizer import CHANNELS

PIT, DEEP = 0.1, 0.05  # meters: radius and depth


def pitted(count: int, side: float = 2.0, noise: float = 0.001, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
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
    return rasterizer.rasterize(pitted(50_000, 1.0)[0])


def test_c17_a_pit_is_recovered_and_its_points_found_again(raster: Raster) -> None:
    _, pit = pitted(50_000, 1.0)
    height = raster.values("height")
    share = raster.to_tiles(pit)
    assert np.nanmean(height[share == 1]) == pytest.approx(-DEEP, abs=0.005)
    assert np.nanmean(height[share == 0]) == pytest.approx(0, abs=0.001)
    assert raster.seen.mean() > 0.99
    found = raster.to_points(share >= 0.5) >= 0.5
    assert (found & pit).sum() / (found | pit).sum() >= 0.95


def test_points_get_what_lies_between_the_middles_of_cells_up_to_the_rim_of_a_tile() -> None:
    raster = Rasterizer(cell=0.02, channels=("height",), overlap=0).rasterize(pitted(60_000)[0])
    ramp = np.broadcast_to(np.arange(raster.mask.shape[1])[:, None] + 0.5, raster.mask.shape)
    found, (row, column) = raster.to_points(ramp), raster.spot.T
    around = minimum_filter(raster.mask, (1, 3, 3))[raster.tile, row.astype(int), column.astype(int)]
    alone = around & (np.bincount(raster.rows)[raster.rows] == 1)  # in one tile only
    expected = row.clip(0.5, ramp.max())
    np.testing.assert_allclose(found[raster.rows[alone]], expected[alone], atol=1e-3)
    assert (row[alone] < 0.5).any()  # beyond the middle of the first cell


def test_c17_tilting_the_cloud_changes_no_height(rasterizer: Rasterizer, raster: Raster) -> None:
    other = rasterizer.rasterize(tilted(pitted(50_000, 1.0)[0], 20) + [1000, -500, 30])
    difference = other.to_points(other.values("height")) - raster.to_points(raster.values("height"))
    assert np.isfinite(difference).mean() > 0.99
    assert np.nanquantile(np.abs(difference), 0.999) < 0.005


def test_c18_a_hole_changes_no_cell_beyond_the_3_by_3_about_it() -> None:
    points, _ = pitted(60_000, noise=0)
    rasterizer = Rasterizer(cell=0.03, tile=32, fill=0, channels=("height", "intensity", "normal"))
    frame = rasterizer.frame(points)
    inside, intensity = frame.inside(points), np.random.default_rng(1).uniform(-1, 1, len(points))
    left = np.linalg.norm(points[:, :2] - [0.5, 1.4], axis=1) > 0.1
    whole = rasterizer.cut(frame, inside, {"intensity": intensity})
    holed = rasterizer.cut(frame, inside[left], {"intensity": intensity[left]})
    hole = whole.mask & ~holed.mask
    thinned = whole.to_tiles(left) < 1  # cells at the rim of the hole have lost points
    beyond = ~maximum_filter(hole | thinned, (1, 3, 3))
    assert hole.any(axis=(1, 2)).sum() >= 4
    assert (whole.mask == holed.mask)[beyond].all()
    for channel in range(3):
        assert np.abs(whole.tiles[:, channel] - holed.tiles[:, channel])[beyond].max() < 1e-5
    # what is masked has no say in the score of a point, whatever the network makes of it
    scores = np.where(holed.mask, 0.5, 1e9)
    assert holed.to_points(scores) == pytest.approx(0.5)


def test_c18_what_no_tile_saw_is_nan(rasterizer: Rasterizer) -> None:
    plane, _ = pitted(40_000)
    roof = plane[:4000] * [0.2, 0.2, 1] + [1, 1, 1.5]
    raster = Rasterizer(cell=0.02, tile=64, channels=("height",)).rasterize(np.vstack([plane, roof]))
    found = raster.to_points(np.ones(raster.mask.shape))
    assert (found[:40_000] == 1).mean() > 0.99
    assert np.isnan(found[40_000:]).all()
    assert np.isnan(raster.to_points(np.full(raster.mask.shape, np.nan))).all()


def test_small_holes_are_filled_and_large_ones_masked() -> None:
    grid = np.argwhere(np.ones((64, 64))) * 0.05 + 0.025
    apart = np.linalg.norm(grid - 1.6, axis=1)
    points = np.column_stack([grid, np.zeros(len(grid))])[(apart > 0.5) | (apart < 0.1)]
    raster = Rasterizer(cell=0.05, tile=64, overlap=0, channels=("height",), fill=3).rasterize(points)
    hole = raster.to_tiles(np.ones(raster.points))
    assert raster.mask[np.isfinite(hole)].all()
    assert np.isnan(hole[raster.mask]).any() and not raster.mask.all()
    assert (raster.tiles[:, 0][~raster.mask] == 0).all()


def test_camber_is_taken_off_and_a_pothole_stays() -> None:
    rng = np.random.default_rng(0)
    u, v = rng.uniform(0, 6, 60_000), rng.uniform(-2, 2, 60_000)
    hole = np.hypot(u - 3, v - 1) < 0.15
    points = np.column_stack([u, v, 0.05 * u - 0.025 * np.abs(v) - 0.04 * hole])  # crowned, on a slope
    raster = Rasterizer(cell=0.04, tile=64, channels=("height",)).rasterize(points)
    height = raster.to_points(raster.values("height"))
    inner = np.hypot(u - 3, v - 1) < 0.1
    assert np.nanquantile(np.abs(height[~hole]), 0.95) < 0.008  # of 25 mm, at the crown most
    assert np.nanmedian(height[inner]) == pytest.approx(-0.04, abs=0.006)


def test_channels_have_their_ranges() -> None:
    points, pit = pitted(40_000)
    rng = np.random.default_rng(0)
    intensity = np.where(pit, 20.0, 100.0) * rng.uniform(0.9, 1.1, len(points))
    color = np.where(pit[:, None], [255, 0, 0], [128, 128, 128])
    raster = Rasterizer(cell=0.03, tile=32, channels=CHANNELS).rasterize(points, intensity, color)
    assert raster.channels == ("height", "intensity", "normal", "density", "red", "green", "blue")
    assert raster.tiles.dtype == np.float32 and np.abs(raster.tiles).max() <= 1
    within = raster.to_tiles(pit)
    inner, outer = within == 1, within == 0
    medians = {
        name: (np.nanmedian(raster.values(name)[inner]), np.nanmedian(raster.values(name)[outer]))
        for name in raster.channels
    }
    assert medians["intensity"][0] == -1 and abs(medians["intensity"][1]) < 0.4
    assert medians["red"] == pytest.approx((1, 128 / 255)) and medians["blue"] == pytest.approx((0, 128 / 255))
    assert abs(medians["density"][0]) < 0.5
    edge = (within > 0) & (within < 1)
    assert np.nanmedian(raster.values("normal")[edge]) > 0.05 > 0.02 > medians["normal"][1]


def test_strips_of_two_gains_come_to_one_scale() -> None:
    points, _ = pitted(40_000)
    intensity, strips = np.random.default_rng(0).gamma(9, 100, 40_000), np.arange(40_000) % 2
    rasterizer = Rasterizer(cell=0.05, tile=32, channels=("intensity",))
    gained = rasterizer.rasterize(points, intensity * np.where(strips, 8, 1), strips=strips).tiles
    assert np.abs(gained - rasterizer.rasterize(points, intensity).tiles).max() < 0.05


@pytest.mark.parametrize("normal", [(0, 0, 1), (0, 0, -1), None])
def test_a_wall_and_a_road_have_the_frame_that_is_asked_for(normal: tuple[float, ...] | None) -> None:
    points, pit = pitted(30_000)
    raster = Rasterizer(cell=0.05, tile=32, channels=("height",), normal=normal, along=(0, 1, 0)).rasterize(points)
    assert raster.frame is not None and raster.frame.axes[0] == pytest.approx([0, 1, 0], abs=1e-3)
    down = np.nanmedian(raster.values("height")[raster.to_tiles(pit) == 1])
    assert down == pytest.approx(0.05 if normal == (0, 0, -1) else -0.05, abs=0.01)


def test_a_tile_without_a_plane_is_left_out_and_counted() -> None:
    plane, _ = pitted(20_000, side=3.0)
    bush = np.random.default_rng(0).uniform([3, 0, -1], [6, 3, 3], (20_000, 3))
    raster = Rasterizer(cell=0.06, tile=32, channels=("height",), normal=(0, 0, 1)).rasterize(np.vstack([plane, bush]))
    found = raster.to_points(np.ones(raster.mask.shape))
    assert raster.left_out["no plane"] > 0
    assert np.isfinite(found[:20_000]).mean() > 0.95 and np.isnan(found[20_000:]).mean() > 0.7


HEIGHTS = Rasterizer(channels=("height",))
BAD: list[tuple[str, Callable[[np.ndarray], object], type[Exception], str]] = [
    ("NaN", lambda p: HEIGHTS.rasterize(np.where(p > 1.9, np.nan, p)), CloudError, "NaN.*Drop"),
    ("centimeters", lambda p: HEIGHTS.rasterize(p * 100), CloudError, "centimeter.*0.01"),
    ("one cell", lambda p: HEIGHTS.rasterize(p * 1e-3), CloudError, "no tile.*no plane"),
    ("one point", lambda p: HEIGHTS.rasterize(p * 0), CloudError, "line"),
    ("a line", lambda p: HEIGHTS.rasterize(p * [1, 0, 0]), CloudError, "line"),
    ("no plane", lambda p: HEIGHTS.rasterize(3 * np.random.default_rng(0).random((20_000, 3))), CloudError, "plane"),
    ("all holes", lambda p: Rasterizer(cell=0.005, channels=("height",)).rasterize(p[:900]), CloudError, "are empty"),
    ("far away", lambda p: HEIGHTS.rasterize(np.vstack([p, [[1e300] * 3]])), CloudError, "stray"),
    ("no intensity", lambda p: Rasterizer().rasterize(p), InputError, "no intensity.*channels="),
    ("below 0", lambda p: Rasterizer().rasterize(p, p[:, 0] - 1), InputError, "of at least 0"),
    ("lengths", lambda p: Rasterizer().rasterize(p, p[:9, 0]), InputError, "9 rows of intensity"),
    ("columns", lambda p: Rasterizer().rasterize(np.hstack([p, p])), CloudError, r"\(n, 3\)"),
    ("tile", lambda p: Rasterizer(tile=100), InputError, "multiple of 16"),
    ("overlap", lambda p: Rasterizer(overlap=1), InputError, "from 0 to 0.9"),
    ("overlap of words", lambda p: Rasterizer(overlap="a"), InputError, "overlap is 'a'"),
    ("channel", lambda p: Rasterizer(channels=("heigth",)), InputError, "unknown channel"),
    ("channels", lambda p: Rasterizer(channels="height"), InputError, "each once"),
    ("cell", lambda p: Rasterizer(cell=0), InputError, "above 0"),
    ("normal", lambda p: Rasterizer(normal=(0, 0, 0)), InputError, "direction"),
    ("one number", lambda p: Rasterizer(normal=5), InputError, "normal have the shape"),
    ("along", lambda p: Rasterizer(channels=("height",), along=(0, 0, 1)).rasterize(p), CloudError, "direction in the"),
    ("colors", lambda p: Rasterizer(channels=("color",)).rasterize(p, color=p[:, :2]), InputError, "red, green"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, says", [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_cannot_be_rasterized_is_refused(
    call: Callable[[np.ndarray], object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        call(pitted(20_000)[0])


def test_scores_of_another_shape_are_refused(raster: Raster) -> None:
    with pytest.raises(InputError, match="one number per pixel"):
        raster.to_points(np.ones(3))
    with pytest.raises(InputError, match="Expected one for each"):
        raster.to_tiles(np.ones(3))
