"""Shapes with a foreign part."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.synthetic import generate
from openshape_ood.synthetic.planted import plant


def test_a_replaced_part_stands_above_the_cut() -> None:
    shape = plant("chair", "guitar", points=3000, seed=3, keep=0.5)
    tall = generate("chair", 3).size()[1]
    assert shape.cloud.shape == (3000, 3) and shape.foreign.shape == (3000,)
    # the host ends within a triangle's height of the cut, the foreign part begins just below it
    assert shape.cloud[shape.foreign, 1].min() > 0.4 * tall
    assert np.quantile(shape.cloud[~shape.foreign, 1], 0.99) < 0.6 * tall
    assert shape.cloud[shape.foreign, 1].max() > 0.75 * tall


def test_on_top_of_the_whole() -> None:
    shape = plant("table", "plant", points=3000, seed=2, keep=1)
    tall = generate("table", 2).size()[1]
    assert shape.cloud[~shape.foreign, 1].max() == pytest.approx(tall, abs=0.01)
    assert shape.cloud[shape.foreign, 1].min() > 0.9 * tall


def test_same_arguments_same_shape() -> None:
    one, other, third = (plant("sofa", "lamp", 500, seed) for seed in (4, 4, 5))
    assert (one.cloud == other.cloud).all() and (one.foreign == other.foreign).all()
    assert not np.array_equal(one.cloud, third.cloud)


def test_what_there_is_not() -> None:
    with pytest.raises(InputError, match="keep is 0"):
        plant(keep=0)
    with pytest.raises(UnknownNameError, match="no category is called 'chiar'"):
        plant("chiar")
