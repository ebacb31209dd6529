"""Proposals come in the order of their score, and the first ones are those that `most` leaves."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.scenes import Scene, find_objects


@pytest.fixture(scope="module")
def scan() -> Scene:
    """A floor with three boxes on it, one of them beside another."""
    rng = np.random.RandomState(0)
    floor = rng.uniform(0, 1, (3000, 3)) * [3, 2, 0]
    places = (([0.3, 0.3, 0], [0.6, 0.5, 0.7]), ([1.2, 0.4, 0], [0.9, 0.8, 0.5]), ([2.12, 0.5, 0], [0.5, 0.5, 0.9]))
    things = []
    for low, size in places:
        sides = rng.uniform(0, 1, (900, 3))
        sides[np.arange(900), rng.randint(3, size=900)] = rng.randint(2, size=900)
        things.append(sides * size + low)
    return Scene(np.concatenate([floor, *things]) + rng.randn(5700, 3) * 0.002)


@pytest.mark.parametrize("how", [{}, {"score": "size"}, {"by": "contact"}, {"overlapping": True}])
def test_the_best_come_first(scan: Scene, how: dict) -> None:
    found = find_objects(scan, **how)
    assert len(found) > 1 and (np.diff(found.score) <= 0).all() and found.score[0] > found.score[-1]
    few = find_objects(scan, **how, most=2)
    assert [rows.tolist() for rows in few] == [rows.tolist() for rows in found.rows[:2]]
    np.testing.assert_allclose(few.score, found.score[:2])
    assert all((np.diff(rows) > 0).all() for rows in found) and max(rows.max() for rows in found) < len(scan)
    if how == {"by": "contact"}:  # these do not overlap
        taken = np.concatenate([*found.rows, *(plane.rows for plane in found.layout)])
        assert len(np.unique(taken)) == len(taken)
