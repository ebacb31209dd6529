from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openshape_ood.comparison.pairs import PairSampler
from openshape_ood.errors import InputError


def test_shares_and_seeds() -> None:
    """R4."""
    labels = np.random.RandomState(0).permutation(np.repeat(np.arange(20), 50))
    a, b, different = PairSampler(labels, negatives=20).draw(10_000, step=3)
    assert len(a) == 210_000 and (~different).mean() == pytest.approx(1 / 21, abs=0.001)
    assert (a != b).all() and ((labels[a] == labels[b]) == ~different).all()
    for rows, most in ((a, 0.2), (b[different], 0.05)):
        np.testing.assert_allclose(np.bincount(labels[rows], minlength=20) / len(rows), 1 / 20, rtol=most)
    same = PairSampler(labels, negatives=20).draw(10_000, step=3)
    assert all(np.array_equal(one, other) for one, other in zip((a, b, different), same, strict=True))
    for seed, step in ((1, 3), (0, 4)):
        assert not np.array_equal(b, PairSampler(labels, 20, seed).draw(10_000, step)[1])


def test_rare_classes_are_drawn_as_often_and_single_rows_only_as_others() -> None:
    labels = ["b"] * 2 + ["a"] * 500 + ["c"]  # names, in no order
    a, b, different = PairSampler(labels).draw(4000, step=0)
    named = np.array(labels)
    assert set(named[a]) == {"a", "b"} and np.mean(named[a] == "b") == pytest.approx(0.5, abs=0.03)
    assert np.mean(named[b[different & (named[a] == "a")]] == "c") == pytest.approx(0.5, abs=0.03)


def test_labels_may_have_gaps() -> None:
    a, b, different = PairSampler([7, 7, -3, -3, 100]).draw(50, step=0)
    assert a.max() < 5 and different.sum() == 150 and (a != b).all()


def test_negatives_of_the_same_family() -> None:
    labels = np.repeat(np.arange(12), 5)
    families = ["chair", "lamp"] * 5 + ["dog", "cup"]
    family = np.unique(families, return_inverse=True)[1]
    a, b, different = PairSampler(labels, 3, families=families, akin=1.0).draw(4000, step=0)
    assert ((labels[a] == labels[b]) == ~different).all()
    of, to = family[labels[a[different]]], family[labels[b[different]]]
    several = np.bincount(family)[of] > 1  # of two families there is one class each
    assert (of == to)[several].all() and not (of == to)[~several].any()
    half = PairSampler(labels, 3, families=families, akin=0.5).draw(4000, step=0)
    near = (family[labels[half[0]]] == family[labels[half[1]]])[half[2]]
    assert near.mean() == pytest.approx(10 / 12 * (0.5 + 0.5 * 4 / 11), abs=0.02)


@pytest.mark.parametrize(
    "labels, more",
    [
        (["a", "a", "a"], {}),
        (["a", "b", "c"], {}),
        ([], {}),
        ([0.0, float("nan")], {}),
        ([0, 0, 1], {"negatives": 0}),
        ([0, 0, 1], {"families": ["x"]}),
        ([0, 0, 1], {"akin": 1.5}),
        ([0, 0, 1], {"seed": -1}),
    ],
)
def test_pairs_that_cannot_be_drawn(labels: Any, more: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"[Ee]xpected"):
        PairSampler(labels, **more)
