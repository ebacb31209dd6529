"""One rule for the category that a class name means, and the shapes that calibrate it."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.errors import UnknownNameError
from openshape_ood.synthetic import calibration as module
from openshape_ood.synthetic import categories, sample, scan, synonyms
from openshape_ood.synthetic.calibration import calibration_models, calibration_scans, resolve
from openshape_ood.synthetic.catalog import words


def test_every_word_resolves_to_its_category() -> None:
    for category in categories():
        for word in (category, *synonyms(category)):
            for form in (word, word.upper(), f" {word.title()} ", word.replace(" ", "_"), word.replace(" ", "-")):
                assert resolve(form) == category
            assert resolve(word + "s") == category or word.endswith(("s", "y", "x", "ch", "sh", "f", "fe"))


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("couch", "sofa"),
        ("Night_Stand", "night stand"),
        ("night-stands", "night stand"),
        ("Knives", "knife"),
        ("bookshelves", "bookshelf"),
        ("boxes", "box"),
        ("benches", "bench"),
        ("vases", "vase"),
        ("stoves", "stove"),
        ("scissor", "scissors"),
        ("stair", "stairs"),
        ("people", "person"),
    ],
)
def test_plural_case_and_underscores_make_no_difference(name: str, category: str) -> None:
    assert resolve(name) == category


@pytest.mark.parametrize("name", ["robot arm", "chairman", "chai", "", " _ ", "glass", "table chair"])
def test_what_no_category_means(name: str) -> None:
    assert resolve(name) is None


def test_a_word_for_two_categories_is_resolved_only_where_one_is_named_to_the_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, others in (("cane", ("stick", "pole")), ("canes", ("sticks", "pole"))):
        monkeypatch.setitem(words(), name, others)
    module._words.cache_clear()
    try:
        assert [resolve(word) for word in ("cane", "canes", "Stick", "sticks")] == ["cane", "canes", "cane", "canes"]
        assert resolve("pole") is None and resolve("poles") is None
    finally:
        module._words.cache_clear()


def test_calibration_is_of_the_category_once_however_it_is_called() -> None:
    scans = calibration_scans(["Couches", "sofa", "night_stand"], scans=2)
    seed = module.FIRST_SEED
    made = [scan(name, 2048, seed + i, severity=0.8) for name in ("sofa", "night stand") for i in range(2)]
    np.testing.assert_array_equal(scans, made)
    np.testing.assert_array_equal(calibration_models(["couch"], models=1), [sample("sofa", 2048, seed)])


def test_what_cannot_be_generated_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"called 'robot arm'\. Expected one of"):
        calibration_scans(["chair", "robot arm"])
    with pytest.raises(UnknownNameError, match="'robot arm'"):
        calibration_models(["robot arm"])
