"""Places in words: as the pictures show a thing, whatever axis is up."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.novelty_map.places import in_words, oriented
from openshape_ood.plots.points import view
from openshape_ood.shapes.points import UPS, upright

CORNERS = np.array([[x, y, z] for x in (0.0, 2.0) for y in (0.0, 5.0) for z in (0.0, 1.0)])


@pytest.mark.parametrize("up", UPS)
def test_top_right_and_front_are_those_of_the_pictures(up: str) -> None:
    across, height, towards = view(upright(CORNERS, up), turn=0, tilt=0)
    shares = oriented(CORNERS, up)
    for i in range(len(CORNERS)):
        words = in_words(shares[[i]]).split()
        assert words == [
            "top" if height[i] > height.mean() else "bottom",
            "right" if across[i] > across.mean() else "left",
            "front" if towards[i] > towards.mean() else "back",
        ]


def test_a_piece_in_the_middle_or_across_a_whole_side() -> None:
    assert in_words(np.full((3, 3), 0.5)) == "middle"
    assert in_words(np.array([[0.0, 1.0, 0.5], [1.0, 1.0, 0.5]])) == "top"


def test_words_agree_with_the_range_of_heights() -> None:
    """Most points low, the range from 39 to 100 %: the words are of the range, as the heights next to them are."""
    rows = np.full((11, 3), 0.5)
    rows[:, 1] = [0.39] * 10 + [1.0]
    assert in_words(rows) == "top"


def test_a_piece_over_two_thirds_of_every_axis_is_throughout() -> None:
    assert in_words(np.array([[0.1, 0.1, 0.1], [0.9, 0.9, 0.9]])) == "throughout"
    assert in_words(np.array([[0.1, 0.1, 0.4], [0.9, 0.9, 0.6]])) == "middle"


def test_pixels_have_rows_from_the_top() -> None:
    pixels = np.argwhere(np.ones((10, 20), dtype=bool))
    shares = oriented(pixels, "y")
    assert in_words(shares[:1]) == "top left" and in_words(shares[-1:]) == "bottom right"


def test_what_has_no_extent_is_in_the_middle() -> None:
    assert in_words(oriented(np.zeros((4, 3)), "y")) == "middle"
