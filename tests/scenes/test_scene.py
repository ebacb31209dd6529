from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.errors import InputError
from openshape_ood.scenes import Scene


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
        ({"points": np.zeros((4, 3)), "labels": np.zeros(3)}, r"labels has shape \(3,\); expected \(4,\)"),
        ({"points": np.zeros((4, 3)), "color": np.zeros((4, 4))}, r"color has shape \(4, 4\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Scene(**arrays)
