"""Generated roads: what is damaged is where the truth says, and as deep as it should be."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.synthetic.roads import DAMAGES, ORIGIN, RELIEF, road_scan, road_tiles


def above_plane(points: np.ndarray, sound: np.ndarray) -> np.ndarray:
    flat = np.column_stack([points[:, :2] - points[:, :2].mean(axis=0), np.ones(len(points))])
    return points[:, 2] - flat @ np.linalg.lstsq(flat[sound], points[sound, 2], rcond=None)[0]


@pytest.mark.parametrize("damage, rise", [("pothole", -0.7), ("crack", -0.4), ("bump", 0.5), ("debris", 0.5)])
def test_damage_is_as_deep_as_it_should_be_and_only_there(damage: str, rise: float) -> None:
    road = road_scan(7, damage)
    assert set(np.unique(road.truth)) == {0, 1 + DAMAGES.index(damage)}
    height = above_plane(road.points, ~road.damaged) / RELIEF
    extreme = np.percentile(np.sign(rise) * height[road.damaged], 90 if damage in ("crack", "debris") else 99)
    assert extreme == pytest.approx(abs(rise), abs=0.15)
    assert np.abs(height[~road.damaged]).max() < 0.35  # roughness, camber, the skirt of a bell
    assert np.abs(road.points.mean(axis=0) - ORIGIN).max() < 1 and np.ptp(road.intensity) <= 1


def test_a_seed_names_a_road_for_ever() -> None:
    road, again, other = road_scan(5, DAMAGES), road_scan(5, DAMAGES), road_scan(6, DAMAGES)
    assert (road.points == again.points).all() and (road.truth == again.truth).all()
    assert len(np.unique(road.truth)) == 5 and not np.array_equal(road.points, other.points)
    assert road.points[0] - ORIGIN == pytest.approx([-1.30666623, -0.37780494, 0.07781538], abs=1e-7)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="pothole"):
        road_scan(0, "potholes")
    with pytest.raises(InputError, match="no point"):
        road_scan(0, density=0.01)
    with pytest.raises(InputError, match="size"):
        road_tiles(1, 0, size=2)
