"""Boxes around points: they stand where the points are, however these are turned; likelihoods of sizes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from openshape_ood.scenes.boxes import LEAST, Box, size_likelihood

# four corners below in turn, then the four above
CORNERS = np.array([[x, y, z] for z in (0, 0.3) for x, y in ((-1, -0.5), (1, -0.5), (1, 0.5), (-1, 0.5))])


@pytest.mark.parametrize("yaw", [0.0, 0.4, 1.2, 2.0, -0.7])
@pytest.mark.parametrize("middle", [(0, 0, 0), (3, -2, 1)])
def test_a_box_stands_where_its_points_do(yaw: float, middle: tuple[float, ...]) -> None:
    turn = np.array([[np.cos(yaw), np.sin(yaw), 0], [-np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    inside = np.random.default_rng(0).uniform(CORNERS.min(axis=0), CORNERS.max(axis=0), (50, 3))
    found = Box.around(np.concatenate([CORNERS, inside]) @ turn + middle)
    np.testing.assert_allclose(found.center, [0, 0, 0.15] + np.array(middle), atol=1e-6)
    np.testing.assert_allclose(found.size, [2, 1, 0.3], atol=1e-6)
    assert np.cos(2 * (found.yaw - yaw)) == pytest.approx(1)  # half a turn is none
    own, true = found.corners(), CORNERS @ turn + middle
    far = np.linalg.norm(own[:, None] - true, axis=2)
    assert far.min(axis=1).max() < 1e-6 and far.min(axis=0).max() < 1e-6
    # in turn: the long side first, and what is above the fourth below is the eighth
    np.testing.assert_allclose(np.linalg.norm(np.diff(own[:4], axis=0), axis=1), [2, 1, 2], atol=1e-6)
    np.testing.assert_allclose(own[4:] - own[:4], np.tile([0, 0, 0.3], (4, 1)), atol=1e-6)


def test_points_on_a_line_have_a_box_without_a_width() -> None:
    line = np.linspace(0, 1, 7)[:, None] * [3.0, 4, 0] + [1, 1, 2]
    found = Box.around(line)
    np.testing.assert_allclose(found.size, [5, 0, 0], atol=1e-6)
    np.testing.assert_allclose(found.center, [2.5, 3, 2], atol=1e-6)
    assert found.yaw % np.pi == pytest.approx(np.arctan2(4, 3))


def test_the_likelihood_of_a_size_is_that_of_three_normal_distributions() -> None:
    sizes = {"chair": ([-0.5, -0.6, -0.1], [0.1, 0.2, 0.1]), "Table": ([0.3, -0.2, -0.3], [0.3, 0.2, 0.1])}
    boxes = [Box(np.zeros(3), np.array(size), 0.0) for size in ([0.6, 0.5, 0.9], [1.4, 0.8, 0.7], [9.0, 0.0, 0.0])]
    found = size_likelihood(boxes, ["chair", "table"], sizes)
    for i, box in enumerate(boxes):
        for k, (means, deviations) in enumerate(sizes.values()):
            # a category has more sizes than its examples: 0.2 is added; nothing is thinner than a centimeter
            told = norm.logpdf(np.log(np.maximum(box.size, 0.01)), means, np.array(deviations) + 0.2).sum()
            assert found[i, k] == pytest.approx(max(told, LEAST))
    assert (found[2] == LEAST).all() and found[0].argmax() == 0 and found[1].argmax() == 1
