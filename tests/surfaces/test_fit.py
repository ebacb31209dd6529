"""What is held out has no say in its own novelty: neither in what was learned, nor in what is usual."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from openshape_ood.errors import InputError
from openshape_ood.surfaces import MeanReconstructor
from openshape_ood.surfaces.fit import Good, fitted, worst_points

SIDE = 5


class Noting(MeanReconstructor):
    """A mean image that notes the first value of each tile that it learns from, and is asked about."""

    rounds: ClassVar[list[tuple[list[float], list[float]]]] = []

    def _learn(self, tiles: np.ndarray, seen: np.ndarray, seed: int, progress: Any) -> None:
        self.rounds.append((tiles[:, 0, 0, 0].tolist(), []))
        super()._learn(tiles, seen, seed, progress)

    def _residual(self, tiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
        self.rounds[-1][1].extend(tiles[:, 0, 0, 0].tolist())
        return super()._residual(tiles, seen)


def good(values: Any, owner: Any, place: Any = None, objects: int = 0) -> Good:
    tiles = np.zeros((len(values), 1, SIDE, SIDE), np.float32)
    tiles[:] = np.reshape(values, (-1, 1, 1, 1))
    spread = [np.ravel] * objects
    return Good(tiles, np.ones((len(values), SIDE, SIDE), bool), np.asarray(owner), spread, place)


def rounds_of(data: Good, rounds: int) -> list[tuple[list[float], list[float]]]:
    Noting.rounds.clear()
    fitted(Noting(), data, rounds, 0, False, "images")
    return [one for one in Noting.rounds if one[1]]


@pytest.mark.parametrize("rounds", [2, 3, 7])
def test_each_item_is_held_out_once_and_whole(rounds: int) -> None:
    owner = np.repeat(np.arange(7), [1, 2, 3, 1, 2, 3, 1])
    values = (owner + np.linspace(0, 0.5, len(owner))) / 8
    found = rounds_of(good(values, owner), rounds)
    assert len(found) == rounds and Noting.rounds[-1][0] == pytest.approx(values)  # in the end of all
    assert sorted(value for _, tested in found for value in tested) == pytest.approx(values)
    for learned, tested in found:
        own = [{int(value * 8) for value in which} for which in (learned, tested)]
        assert not own[0] & own[1] and len(own[0] | own[1]) == 7


def test_with_one_round_the_rest_is_what_was_learned() -> None:
    values = np.arange(20) / 20
    (found,) = rounds_of(good(values, np.arange(20)), 1)
    assert len(found[1]) == 2 and sorted([*found[0], *found[1]]) == pytest.approx(values)
    assert len(Noting.rounds) == 1


def test_no_tile_is_learned_that_overlaps_one_that_is_held_out() -> None:
    place = np.arange(0, 12, 0.5)
    found = rounds_of(good(place / 12, np.zeros(len(place), int), place), 5)
    assert len(found) == 5 and sorted(value for _, tested in found for value in tested) == pytest.approx(place / 12)
    for learned, tested in found:
        gap = 12 * np.abs(np.subtract.outer(tested, learned)).min()
        assert gap == pytest.approx(1)  # a tile's width, and no more than that is lost
    with pytest.raises(InputError, match="too short to hold out"):
        fitted(Noting(), good(place[:3] / 12, np.zeros(3, int), place[:3] / 3), 5, 0, False, "images")


def test_an_object_has_no_say_in_what_is_usual_for_it() -> None:
    """One of four has a spot of 0.9, which the others learn a third of."""
    data = good(np.zeros(4), np.arange(4), objects=4)
    data.tiles[1, 0, 2, 2] = 0.9
    _, scale, threshold, places, _ = fitted(MeanReconstructor(), data, 4, 0, False, "objects")
    floor = 1e-3
    own = [0.3 / ((0.9 + 2 * 0.3) / 3 + floor)] * 3 + [0.9 / (3 * 0.3 / 3 + floor)]  # means of the three others
    np.testing.assert_allclose(np.sort(threshold.scores), own, rtol=1e-4)
    # for what is judged later all four count, beside the spot as on it
    expected = np.full((SIDE, SIDE), floor)
    expected[1:4, 1:4] += (0.9 + 3 * 0.3) / 4
    np.testing.assert_allclose(scale[0], expected, rtol=1e-4)
    assert places.n == 4 * SIDE**2


def test_what_no_other_object_shows_is_an_edge() -> None:
    data = good(np.zeros(3), np.arange(3), objects=3)
    data.tiles[0, 0, 2, 2] = 0.6
    data.mask[1:, 0, 0] = False  # seen of the first alone
    scale = fitted(MeanReconstructor(), data, 3, 0, False, "objects")[1]
    assert scale[0, 0, 0] == pytest.approx(1e-3, rel=1e-3)  # once it is among them: rebuilt perfectly
    data.mask[0, 0, 0] = False
    scale = fitted(MeanReconstructor(), data, 3, 0, False, "objects")[1]
    np.testing.assert_allclose(scale[0, :2, :2], 0.6 + 1e-3, rtol=1e-3)


def test_of_images_the_worst_tile_counts() -> None:
    data = good(np.zeros(6), [0, 0, 1, 1, 2, 2])
    data.tiles[1] = 0.6
    _, scale, threshold, _, _ = fitted(MeanReconstructor(), data, 3, 0, False, "images")
    np.testing.assert_allclose(np.sort(threshold.scores), [0.15, 0.15, 0.6], rtol=1e-4)
    assert scale.tolist() == [[[1.0]]]


@pytest.mark.parametrize("count", [1, 50, 149, 250, 1000])
def test_the_most_novel_hundredth_is_the_novelty_of_a_whole(count: int) -> None:
    novelty = np.random.default_rng(0).permutation(np.arange(1.0, count + 1))
    worst = max(1, round(count / 100))
    expected = np.arange(count - worst + 1, count + 1).mean()
    assert worst_points(np.append(novelty, [np.nan] * 7)) == pytest.approx(expected)
