"""p-values of changes by re-scans, and control of false discoveries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_up_changes import place

from openshape_ood.errors import FileError, InputError
from openshape_ood.scene_changes import ChangeCalibration, calibrate_changes
from openshape_ood.scene_changes.calibration import discoveries


def test_a_p_value_is_the_rank_among_unchanged_pairs() -> None:
    found = ChangeCalibration(tuple(np.arange(19) / 10), (0.1, 0.2), "columns", "these")
    assert found.p_value(5.0) == 0.05
    assert found.p_value(1.8) == 0.1  # as strong as the strongest
    assert found.p_value(0.0) == 1.0


@pytest.mark.parametrize("by", ["columns", "rays"])
def test_the_packaged_ones_allow_a_p_value_of_a_hundredth(by: str) -> None:
    found = ChangeCalibration.packaged(by)
    assert found.n >= 19 and found.by == by
    assert found.p_value(1.0) == 1 / (found.n + 1)
    assert 0 < found.limit < 2


def test_any_change_of_unchanged_places_is_as_rare_as_promised() -> None:
    rng = np.random.RandomState(0)
    wrong = []
    for _ in range(400):
        own = ChangeCalibration(tuple(rng.gamma(2, size=(19, 4)).max(axis=1)), (1.0,), "columns", "drawn")
        wrong.append(discoveries([own.p_value(one) for one in rng.gamma(2, size=4)], 0.1).any())
    assert np.mean(wrong) < 0.14


def test_benjamini_and_yekutieli_is_stricter() -> None:
    p = [0.001, 0.04, 0.06, 0.5]
    assert discoveries(p, 0.1).tolist() == [True, True, True, False]
    assert discoveries(p, 0.1, "by").tolist() == [True, False, False, False]
    assert discoveries([], 0.1, "by").tolist() == []


def test_own_rescans_calibrate_and_are_saved(tmp_path: Path) -> None:
    things = [("sofa", 1.0, 0.6), ("chair", 3.0, 1.2)]
    made = calibrate_changes([(place(things), place(things, seed=1))], aligned=True, runs=1)
    assert made.n == 1 and made.by == "columns" and made.strengths[0] < 0.05
    again = ChangeCalibration.load(made.save(tmp_path / "own.json"))
    assert again.p_value(1.0) == made.p_value(1.0) == 0.5 and again.source == "1 pairs of scans"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"by": "columns"}', '{"strengths": "x", "differences": [], "by": "", "source": ""}']
)
def test_other_files_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises((FileError, InputError)):
        ChangeCalibration.load(path)


def test_no_pairs_are_refused() -> None:
    with pytest.raises(InputError, match="no pairs"):
        calibrate_changes([])
