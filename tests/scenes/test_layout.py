"""Floor, ceiling and walls: which planes are which, by what is under, over and behind them."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.scenes import Scene, find_objects

STEP = 0.05


def level(z: float, low: tuple[float, float] = (0, 0), high: tuple[float, float] = (2.6, 2.2)) -> np.ndarray:
    x, y = (np.arange(a, b, STEP) for a, b in zip(low, high, strict=True))
    return np.stack(np.meshgrid(x, y, z), -1).reshape(-1, 3)


def upright(x: float, high: float) -> np.ndarray:
    return np.stack(np.meshgrid(x, np.arange(0, 2.2, STEP), np.arange(0, high, STEP)), -1).reshape(-1, 3)


def planes(*parts: np.ndarray) -> dict[str, list[float]]:
    """Kind -> heights of the level planes, and where on x the walls are."""
    points = np.concatenate(parts)
    points = points + np.random.RandomState(0).randn(*points.shape) * 0.002
    found: dict[str, list[float]] = {}
    for plane in find_objects(Scene(points), "contact", runs=3).layout:
        axis = 0 if plane.kind == "wall" else 2
        assert abs(plane.normal[axis]) > 0.99 and (plane.kind == "wall" or plane.normal[2] > 0)
        np.testing.assert_allclose(points[plane.rows] @ plane.normal, plane.offset, atol=0.15)
        found.setdefault(plane.kind, []).append(plane.offset / plane.normal[axis])
    return {kind: sorted(places) for kind, places in found.items()}


def test_the_ceiling_is_above_and_the_floor_below() -> None:
    table = level(0.75, (0.8, 0.6), (1.8, 1.4))
    found = planes(level(0.0), level(2.5), table)
    assert found == {"floor": [pytest.approx(0, abs=0.02)], "ceiling": [pytest.approx(2.5, abs=0.02)]}
    turned = planes(-level(0.0), -level(2.5), -table)  # upside down
    assert turned == {"floor": [pytest.approx(-2.5, abs=0.02)], "ceiling": [pytest.approx(0, abs=0.02)]}


@pytest.mark.parametrize("height", [0.75, 1.5])
def test_what_hangs_low_is_no_ceiling(height: float) -> None:
    assert planes(level(0.0), level(height)) == {"floor": [pytest.approx(0, abs=0.02)]}


def test_a_plane_with_much_over_it_is_no_ceiling_and_with_much_under_it_no_floor() -> None:
    # a loft at 2.2 m with things upon it, and a stage at 0.3 m that covers most of the floor
    things = np.random.default_rng(0).uniform([0, 0, 2.4], [2.6, 2.2, 3], (2500, 3))
    assert "ceiling" in planes(level(0.0), level(2.2)) and "ceiling" not in planes(level(0.0), level(2.2), things)
    assert planes(level(0.0), level(0.3, high=(2.2, 2.2)))["floor"] == [pytest.approx(0, abs=0.02)]


def test_what_stands_close_before_a_wall_is_furniture() -> None:
    room = level(0.0), upright(0.0, 2.4), upright(2.6, 2.4)
    assert planes(*room)["wall"] == [pytest.approx(0, abs=0.05), pytest.approx(2.6, abs=0.05)]
    front = upright(0.6, 2.0)
    assert planes(*room, front)["wall"] == [pytest.approx(0, abs=0.05), pytest.approx(2.6, abs=0.05)]
    low = upright(2.6, 1.2)
    assert planes(room[0], room[1], low)["wall"] == [pytest.approx(0, abs=0.05)]
