from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from openshape_ood.errors import InputError
from openshape_ood.scenes import ScanWarning, Scene, warn_if_sparse


def test_points_are_double_and_rows_are_taken_together() -> None:
    scene = Scene(np.eye(3, dtype=np.float32), np.zeros((3, 3)), labels=[4, 5, 6], name="room")
    part = scene.take(np.array([True, False, True]))
    assert scene.points.dtype == np.float64 and len(part) == 2
    assert part.labels is not None and part.labels.tolist() == [4, 6]
    assert part.color is not None and part.color.dtype == np.float32 and part.instances is None and part.name == "room"


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"points": np.zeros((0, 3))}, r"\(0, 3\)"),
        ({"points": np.zeros((4, 2))}, r"\(4, 2\)"),
        ({"points": np.full((4, 3), np.nan)}, "4 of 4 points are not finite"),
        ({"points": np.zeros((4, 3)), "labels": np.zeros(3)}, r"labels has shape \(3,\)\. Expected \(4,\)"),
        ({"points": np.zeros((4, 3)), "color": np.zeros((4, 4))}, r"color has shape \(4, 4\)"),
        ({"points": [["a", "b", "c"]]}, "points of type str. Expected numbers"),
        ({"points": [[0, 0, 0], [1, 1]]}, "points in rows of different lengths"),
        ({"points": np.zeros((1, 3)), "labels": ["chair"]}, "labels of type str. Expected numbers"),
        ({"points": np.zeros((1, 3)), "labels": [1.5]}, "labels holds values that are no whole numbers"),
        (
            {"points": np.zeros((1, 3)), "labels": np.array([2**63], np.uint64)},
            "labels holds values that are no whole numbers",
        ),
        ({"points": np.zeros((1, 3)), "instances": [np.nan]}, "instances holds values that are no whole numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Scene(**arrays)


def test_labels_below_0_are_none_and_tensors_are_taken() -> None:
    scene = Scene(torch.zeros(3, 3, requires_grad=True), labels=np.array([-1.0, 0, 7]), instances=[-100, 2, 3])
    assert scene.labels is not None and scene.labels.tolist() == [0, 0, 7]
    assert scene.instances is not None and scene.instances.tolist() == [0, 2, 3]


class TestCrop:
    scene = Scene(np.arange(30.0).reshape(10, 3), labels=np.arange(10), name="room")

    def test_what_lies_in_a_box_and_on_its_sides(self) -> None:
        part = self.scene.crop((6, -np.inf, 8), (15, np.inf, 17.5))
        assert part.labels is not None and part.labels.tolist() == [2, 3, 4, 5]
        np.testing.assert_array_equal(part.points, self.scene.points[2:6])

    def test_nothing_lies_there(self) -> None:
        with pytest.raises(
            InputError, match=r"room: no point lies in \[100, 0, 0\] to \[101, 1, 1\]\. .* lie in \[0.0"
        ):
            self.scene.crop((100, 0, 0), (101, 1, 1))

    @pytest.mark.parametrize("low", [(0, 0), (2, 0, 0), (np.nan, 0, 0), 0, ("a", "b", "c")])
    def test_what_is_no_box(self, low: tuple[Any, ...]) -> None:
        with pytest.raises(InputError, match="Expected three numbers each, low below high"):
            self.scene.crop(low, (1, 1, 1))


@pytest.mark.parametrize("count", [2_000, 90_000])
def test_the_spacing_is_that_of_neighbors(count: int) -> None:
    """However many points there are: a few of very many would be farther from each other."""
    side = round(count**0.5)
    grid = np.stack(np.meshgrid(*[np.arange(side) * 0.02] * 2, [5.0]), axis=-1).reshape(-1, 3)
    assert Scene(np.concatenate([grid, grid[:500]])).spacing() == pytest.approx(0.02)
    assert Scene(np.zeros((count, 3))).spacing() == np.inf


def test_a_grid_far_finer_than_the_points_is_warned_of() -> None:
    grid = Scene(np.stack(np.meshgrid(*[np.arange(20) * 0.05] * 2, [0.0]), axis=-1).reshape(-1, 3), name="sparse.ply")
    with pytest.warns(ScanWarning, match=r"sparse.ply: its points are 0.05 m apart, so voxels of 0.02 m hardly touch"):
        warn_if_sparse(grid, 0.02)
    warn_if_sparse(grid, 0.03)
    warn_if_sparse(Scene(np.zeros((1, 3))), 0.02)  # a single point has no spacing
