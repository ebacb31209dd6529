"""Scans hide the back, stay within their bounds and repeat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from openshape_ood.errors import InputError
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, ellipsoid, join
from openshape_ood.synthetic.sampling import sample_oriented
from openshape_ood.synthetic.scanner import Scan, scan, scan_with
from openshape_ood.synthetic.visibility import visible

ONE_VIEW = Scan(views=1, azimuth=0, elevation=10, noise=0)


def rng(seed: int = 0) -> np.random.RandomState:
    return np.random.RandomState(seed)


def cube() -> Mesh:
    return box(1, 1, 1).grounded()


def stool() -> Mesh:
    leg = cylinder(0.02, 0.45).moved(0.2, 0.225, 0.2)
    return join(box(0.5, 0.05, 0.5).moved(y=0.475), *[leg.turned("y", 90 * i) for i in range(4)])


def distance_to_cube(cloud: np.ndarray) -> np.ndarray:
    return np.abs(np.abs(cloud - [0, 0.5, 0]).max(axis=1) - 0.5)


@pytest.mark.parametrize("severity", [0, 0.3, 0.7, 1])
@pytest.mark.parametrize("points", [1, 100, 1024, 2048])
def test_exactly_the_points_asked_for(points: int, severity: float) -> None:
    for seed in range(5):
        cloud = scan(stool(), points, severity, rng(seed))
        assert (cloud.shape, cloud.dtype) == ((points, 3), np.float64)
        assert np.isfinite(cloud).all()


def test_processors_make_the_same_scan() -> None:
    """Weighted sums over the points (x, y, z), made with AVX2. Another order of the points draws other noise."""
    weights = rng().uniform(-1, 1, 300)
    sums = [weights @ scan(stool(), 300, 0.8, rng(seed)) for seed in (3, 4)]
    expected = [[-0.20148697, 0.09818311, -1.94866263], [-1.61065491, 0.73919941, 1.6859085]]
    np.testing.assert_allclose(sums, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "mesh",
    [box(1, 1, 0), box(1e-3, 1, 1e-3), ellipsoid(0.01, 0.01, 0.01), box(100, 100, 100)],
    ids=["sheet", "needle", "pea", "house"],
)
def test_extreme_objects_can_be_scanned(mesh: Mesh) -> None:
    for seed in range(10):
        assert np.isfinite(scan(mesh.grounded(), 256, 1.0, rng(seed))).all()


def test_the_seed_decides() -> None:
    first, again, other = (scan(stool(), 200, 0.8, rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_one_view_hides_the_far_side() -> None:
    cloud, _ = scan_with(ONE_VIEW, cube(), 2000, rng())
    assert (cloud[:, 2] > 0.49).mean() > 0.4
    assert (cloud[:, 2] < -0.49).mean() < 0.01
    # a strip along its front edge is within the tolerance that oblique surfaces need
    assert (cloud[:, 1] < 0.01).mean() < 0.1


def test_neighboring_views_see_more() -> None:
    def sides(views: int) -> float:
        cloud, _ = scan_with(replace(ONE_VIEW, views=views, spread=90), cube(), 2000, rng())
        return float((np.abs(cloud[:, 0]) > 0.49).mean())

    assert sides(1) < 0.25
    assert sides(3) > 0.4


def test_no_views_see_every_side() -> None:
    cloud, _ = scan_with(Scan(), cube(), 6000, rng())
    shares = [(cloud @ np.asarray(normal) > bound).mean() for normal, bound in [((0, 0, -1), 0.49), ((0, 1, 0), 0.99)]]
    assert shares == pytest.approx([1 / 6, 1 / 6], abs=0.02)


def test_visible_keeps_nearly_all_of_what_faces_the_camera() -> None:
    camera = np.array([1.5, 1.5, 2.5])
    cloud, normals, _ = sample_oriented(ellipsoid(1, 1, 1, segments=40), 4096, rng())
    outwards = normals * np.sign(np.sum(normals * cloud, axis=1, keepdims=True))
    towards = np.sum(outwards * (camera - cloud), axis=1) / np.linalg.norm(camera - cloud, axis=1)
    seen = visible(cloud, normals, camera)
    assert seen[towards > 0.3].mean() > 0.98
    assert seen[towards < -0.2].mean() < 0.01


def test_a_board_hides_what_is_behind_it() -> None:
    board, ball = box(1, 1, 0.02).moved(z=0.5), ellipsoid(0.5, 0.5, 0.5)
    cloud, normals, face = sample_oriented(join(board, ball), 6000, rng())
    behind = join(board, ball).parts[face] == 1
    assert visible(cloud, normals, np.array([0.0, 0.0, 3.0]))[behind].mean() < 0.01
    assert visible(cloud, normals, np.array([0.0, 0.0, -3.0]))[behind].mean() > 0.3


def test_severity_0_stays_on_the_whole_surface() -> None:
    cloud = scan(cube(), 2000, 0.0, rng(), turn=False)
    assert distance_to_cube(cloud).max() < 0.004
    np.testing.assert_allclose(np.ptp(cloud, axis=0), 1, atol=0.02)
    np.testing.assert_allclose(cloud.mean(axis=0), [0, 0.5, 0], atol=0.05)


def test_severity_brings_the_cloud_off_the_surface() -> None:
    def off(severity: float) -> float:
        return float(np.mean([distance_to_cube(scan(cube(), 500, severity, rng(i), turn=False)) for i in range(20)]))

    assert off(0.0) < off(0.3) < off(1.0) < 0.1


def test_turning_is_about_gravity_only() -> None:
    still = scan(stool(), 300, 0.6, rng(3), turn=False)
    turned = scan(stool(), 300, 0.6, rng(3))
    np.testing.assert_allclose(turned[:, 1], still[:, 1])
    np.testing.assert_allclose(np.hypot(*turned[:, [0, 2]].T), np.hypot(*still[:, [0, 2]].T))
    assert not np.allclose(turned, still)


def test_the_object_dominates() -> None:
    for seed in range(60):
        random = rng(seed)
        _, own = scan_with(Scan.of_severity(1.0, random), stool(), 400, random)
        assert (~own).mean() <= 0.25


def test_floor_and_clutter_stay_in_the_box_around_the_object() -> None:
    settings = Scan(noise=0, floor=True, wall=True, clutter=3, background=0.25)
    cloud, own = scan_with(settings, cube(), 2000, rng())
    assert (~own).mean() == pytest.approx(0.25, abs=0.001)
    assert np.abs(cloud - [0, 0.5, 0]).max() < 0.5 + 0.1 * np.sqrt(3) + 1e-9
    assert (np.abs(cloud[~own][:, 1]) < 1e-9).mean() > 0.1


def test_crops_take_an_end_but_not_the_object() -> None:
    directions = rng().normal(size=(3, 500))
    directions /= np.linalg.norm(directions, axis=0)
    whole, _ = scan_with(Scan(noise=0), cube(), 1000, rng())
    for seed in range(20):
        cut, _ = scan_with(Scan(noise=0, crop=0.25), cube(), 1000, rng(seed))
        shorter = 1 - np.ptp(cut @ directions, axis=0) / np.ptp(whole @ directions, axis=0)
        assert 0.15 < shorter.max() < 0.3


def test_holes_leave_most_of_the_object() -> None:
    cloud, _ = scan_with(Scan(noise=0, holes=6, hole_radius=0.12), cube(), 1500, rng())
    cells = np.unique(np.floor((cloud + 1) * 8), axis=0)
    whole = np.unique(np.floor((scan_with(Scan(noise=0), cube(), 1500, rng())[0] + 1) * 8), axis=0)
    assert 0.5 * len(whole) < len(cells) < 0.97 * len(whole)


def test_falloff_thins_the_far_end() -> None:
    long = box(0.3, 0.3, 3).grounded()
    settings = replace(ONE_VIEW, elevation=40, distance=0.8)
    far = [np.mean(scan_with(replace(settings, falloff=f), long, 1000, rng())[0][:, 2] < 0) for f in (0.0, 1.0)]
    assert far[1] < 0.8 * far[0]


def test_tilt_is_by_the_angle_asked_for() -> None:
    pole = box(0.01, 1, 0.01).grounded()
    cloud, _ = scan_with(Scan(noise=0, tilt=5.0), pole, 500, rng())
    axis = np.linalg.svd(cloud - cloud.mean(axis=0))[2][0]
    assert np.degrees(np.arccos(abs(axis[1]))) == pytest.approx(5.0, abs=0.2)


def test_small_objects_get_little_noise() -> None:
    cup = cylinder(0.04, 0.1).grounded()
    cloud, _ = scan_with(Scan(noise=0.02, range_noise=0.02), cup, 1000, rng())
    assert np.ptp(cloud, axis=0).max() < 0.13


def test_a_rack_of_small_parts_does_not_vanish() -> None:
    rack = join(*[cylinder(0.01, 1).moved(x=0.1 * i) for i in range(30)]).grounded()
    cloud, _ = scan_with(Scan(noise=0, lost=1.0), rack, 1000, rng())
    assert len(np.unique(np.round((cloud[:, 0] + 1.45) / 0.1))) == 30


@pytest.mark.parametrize("severity", [-0.1, 1.1, float("nan")])
def test_severity_out_of_range_is_refused(severity: float) -> None:
    with pytest.raises(InputError, match="from 0"):
        scan(cube(), 10, severity, rng())
