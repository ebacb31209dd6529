"""Voxels against a loop over points, and the way back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from openshape_ood.errors import InputError
from openshape_ood.scenes import majority_label, mean_color, spread, voxelize

SCAN = np.random.default_rng(0).uniform(-0.3, 0.3, (500, 3)).astype(np.float32)


def by_hand(points: np.ndarray, size: float) -> tuple[list[tuple[int, ...]], list[int], list[int]]:
    places: dict[tuple[int, ...], int] = {}
    first, inverse = [], []
    for row, point in enumerate(points.tolist()):
        cell = tuple(math.floor(value * (1 / size)) for value in point)
        if cell not in places:
            places[cell] = len(places)
            first.append(row)
        inverse.append(places[cell])
    return list(places), first, inverse


@pytest.mark.parametrize("far", [0.0, 1e6, [0.0, 0.0, 1e13]])
def test_voxels_come_in_the_order_of_their_first_points(far: float | list[float]) -> None:
    """Also where the corners of the scan are farther apart than one number can count."""
    points = SCAN.astype(np.float64)
    points[::7] += far
    if np.ndim(far):
        points[::5, :2] += 1e13
    coords, first, inverse = by_hand(points, 0.1)
    found = voxelize(points, 0.1)
    assert found.coords.tolist() == [list(cell) for cell in coords]
    assert found.first.tolist() == first and found.inverse.tolist() == inverse
    assert {array.dtype for array in (found.coords, found.first, found.inverse)} == {np.dtype(np.int64)}


def test_cells_whose_number_would_overflow_are_told_apart() -> None:
    corner = 2.0**32 - 0.5  # spans 2, 2^32 and 2^32: the first two points would both have the number 0
    points = np.array([[0.5, 0.5, 0.5], [1.5, 0.5, 0.5], [0.5, corner, corner]])
    assert voxelize(points, 1.0).first.tolist() == [0, 1, 2]


def test_single_precision_is_divided_in_double() -> None:
    points = (np.arange(60)[:, None] * np.float32(0.05)).repeat(3, axis=1)  # corners of cells, but for the rounding
    assert voxelize(points, 0.05).coords.tolist() == [list(cell) for cell in by_hand(points, 0.05)[0]]


def test_a_shuffled_scan_has_the_same_voxels_and_every_point_its_own() -> None:
    order = np.random.default_rng(1).permutation(len(SCAN))
    one, other = voxelize(SCAN, 0.05), voxelize(SCAN[order], 0.05)
    assert {*map(tuple, one.coords.tolist())} == {*map(tuple, other.coords.tolist())}
    np.testing.assert_array_equal(spread(other, other.coords), spread(one, one.coords)[order])


def test_all_in_one_voxel_and_the_same_point_again() -> None:
    assert len(voxelize(SCAN + 1, 9.0)) == 1
    repeated = voxelize(np.repeat(SCAN[:5], 3, axis=0), 1e-4)
    assert len(repeated) == 5 and repeated.first.tolist() == [0, 3, 6, 9, 12]


def test_color_is_the_mean_and_the_label_that_of_most() -> None:
    points = np.array([[0.1, 0, 0], [0.2, 0, 0], [0.3, 0, 0], [1.5, 0, 0], [2.5, 0, 0], [2.6, 0, 0]])
    voxels = voxelize(points, 1.0)
    color = np.array([[0, 0, 0], [0.3, 0, 0], [0.6, 0, 0.3], [1, 1, 1], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
    np.testing.assert_allclose(mean_color(voxels, color), [[0.3, 0, 0.1], [1, 1, 1], [0, 0.5, 0.5]], atol=1e-7)
    # one vote beats two points without a label; of as many votes the smaller label wins
    assert majority_label(voxels, np.array([0, 0, 9, 0, 8, 3])).tolist() == [9, 0, 3]
    assert majority_label(voxels, np.array([3, 9, 9, 4, 3, 3])).tolist() == [9, 4, 3]
    assert majority_label(voxels, np.array([-1, -1, 9, 0, -1, -1])).tolist() == [9, 0, 0]  # nor have those below 0


def test_the_majority_is_that_of_a_count() -> None:
    labels = np.random.default_rng(2).integers(0, 4, len(SCAN))
    voxels = voxelize(SCAN, 0.2)
    for voxel, label in enumerate(majority_label(voxels, labels)):
        votes = np.bincount(labels[voxels.inverse == voxel], minlength=4)
        votes[0] = 0
        assert label == votes.argmax()


@pytest.mark.parametrize(
    ("points", "size", "said"),
    [
        (np.zeros((0, 3)), 0.1, "n at least 1"),
        (np.zeros((4, 2)), 0.1, r"\(4, 2\)"),
        (np.zeros((4, 3)), 0.0, "size is 0.0"),
        (np.full((4, 3), np.nan), 0.1, "NaN"),
        (np.full((4, 3), 1e300), 0.1, "beyond 2\\^62 voxels"),
    ],
)
def test_what_has_no_voxels(points: np.ndarray, size: float, said: str) -> None:
    with pytest.raises(InputError, match=said):
        voxelize(points, size)


def test_values_of_another_length() -> None:
    voxels = voxelize(SCAN, 0.1)
    with pytest.raises(InputError, match=f"2 values for {len(voxels)} voxels"):
        spread(voxels, np.zeros(2))
    with pytest.raises(InputError, match="7 labels for 500 points"):
        majority_label(voxels, np.zeros(7))
    with pytest.raises(InputError, match=r"labels have shape \(500, 2\)"):
        majority_label(voxels, np.zeros((500, 2)))
    with pytest.raises(InputError, match="7 colors for 500 points"):
        mean_color(voxels, np.zeros((7, 3)))
    with pytest.raises(InputError, match=r"colors have shape \(500,\)\. Expected \(500, 3\)"):
        mean_color(voxels, np.zeros(500))
    with pytest.raises(InputError, match=r"labels of type <U1\. Expected numbers"):
        majority_label(voxels, np.array(["a"] * 500))
