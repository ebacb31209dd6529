"""The toy of relevancy: four scales find small discs that one tile misses."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.questions.relevancy import SIDE, discs, pointing, toy, trained


def test_discs_do_not_touch_and_have_their_color() -> None:
    picture, colors, masks = discs(np.random.default_rng(3), SIDE * 4, 3)
    assert picture.shape == (128, 128, 3) and len(set(colors)) == 3
    assert np.sum(masks, axis=0).max() == 1
    assert all(28 <= mask.sum() <= 160 for mask in masks)


@pytest.mark.slow
def test_four_scales_find_small_things() -> None:
    model = trained(seed=3, steps=400)
    found = pointing(toy(model), pictures=15, seed=40)
    assert found["four scales"] >= 0.85
    assert found["four scales"] >= found["one tile"] + 0.2
