from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood import Threshold
from openshape_ood.decisions.calibration import conformal_threshold, expected_coverage, p_values
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.errors import FileError, InputError, MixedEncodersError

SCORES = np.random.default_rng(0).uniform(size=100)
OF = Provenance(Identity("tiny", "words", "ab" * 32), "knn", "file", 3, 2, "0.1.0")


def made(**settings: Any) -> Threshold:
    return Threshold.from_novelty(SCORES, 0.9, provenance=OF, source="100 scans", **settings)


def test_it_is_the_conformal_one_with_its_count_and_coverage() -> None:
    found = made()
    assert (found.value, found.n) == (conformal_threshold(SCORES, 0.9), 100)
    assert found.coverage == expected_coverage(100, 0.9)
    np.testing.assert_array_equal(found.is_novel(SCORES), found.value < SCORES)
    np.testing.assert_array_equal(found.p_values([0.2, 0.99]), p_values([0.2, 0.99], SCORES))
    kept = "keeps 90.1 % of known shapes like the 100 used for calibration (100 scans)"
    assert str(found) == found.describe() == f"threshold {found.value:.3f} {kept}"
    assert found.as_json()["promise"] == found.promise == kept and not found.is_generated


def test_a_threshold_of_generated_shapes_says_so_and_what_would_be_better() -> None:
    found = Threshold.from_novelty(SCORES, source="generated scans of chair, sofa")
    kept = "keeps 95 % of 100 held-out generated scans of chair, sofa"
    better = "not your own shapes; calibrate on 19 or more of your known shapes"
    assert found.promise == found.as_json()["promise"] == f"{kept} ({better})"
    assert found.describe("--calibrate PATHS").endswith(f"{kept} ({better}: --calibrate PATHS)")
    assert str(found) == f"threshold {found.value:.3f} {kept} ({better}: calibration=)" and found.is_generated


@pytest.mark.parametrize(
    "found, words",
    [
        (Threshold(0.5, 0.95), "keeps 95 % of known shapes like those used for calibration"),
        (Threshold.from_novelty(range(5), few=True), "keeps 83.3 % of known shapes like the 5 used for calibration"),
        (
            Threshold(0.5, source="by eye"),
            "(by eye): the share of known shapes that it keeps is unknown",
        ),
    ],
)
def test_every_threshold_says_which_share_of_what_it_keeps(found: Threshold, words: str) -> None:
    assert words in found.describe()


def test_too_few_scores_make_no_threshold_unless_few_are_accepted() -> None:
    with pytest.raises(InputError, match=r"^18 calibration scores cannot promise"):
        Threshold.from_novelty(range(18))
    assert Threshold.from_novelty(range(18), few=True).coverage == 18 / 19


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    first = made()
    again = Threshold.load(first.save(tmp_path / "t.json"))
    assert (again.value, again.coverage, again.provenance, again.source) == (
        first.value,
        first.coverage,
        OF,
        "100 scans",
    )
    np.testing.assert_array_equal(again.scores, np.sort(SCORES))
    assert Threshold.load(Threshold(0.5).save(tmp_path / "bare.json")).value == 0.5


def test_a_bare_number_has_no_p_values() -> None:
    assert Threshold(0.5).is_novel([0.5, 0.6]).tolist() == [False, True]
    assert str(Threshold(0.5, source="by eye")) == "threshold 0.500 (by eye)"
    with pytest.raises(InputError, match=r"bare number\. P-values need the scores of known rows"):
        Threshold(0.5).p_values([0.1])


@pytest.mark.parametrize("value", [None, "0.5", True, float("nan"), float("inf")])
def test_what_is_no_threshold(value: Any) -> None:
    with pytest.raises(InputError, match="a threshold is"):
        Threshold(value)


def test_it_belongs_to_one_encoder_and_method() -> None:
    made().check_fits(Provenance(OF.identity, "knn", seed=9))
    for other in (Provenance(OF.identity, "max_cosine"), Provenance(Identity("a", "words", "cd" * 32), "knn")):
        with pytest.raises(MixedEncodersError, match=r"the threshold is for 'knn' by tiny"):
            made().check_fits(other)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "x"},
        {"value": "high"},
        {"scores": ...},
        {"scores": [1, None]},
        {"scores": [[1]]},
        {"value": 10**400},
        {"value": float("nan")},
        {"coverage": "most"},
        {"coverage": 10**400},
        {"provenance": {"identity": 3}},
        {"x": 1},
    ],
)
def test_damaged_files_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    path = made().save(tmp_path / "t.json")
    state = json.loads(path.read_text()) | change
    path.write_text(json.dumps({name: value for name, value in state.items() if value is not ...}))
    with pytest.raises(FileError, match="is no threshold, or a damaged one"):
        Threshold.load(path)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read the threshold"):
        Threshold.load(tmp_path / "none.json")
    with pytest.raises(FileError, match="cannot write the threshold"):
        made().save(tmp_path / "nowhere" / "t.json")


@pytest.mark.parametrize("novelty", [[0.1, np.nan], "high", [[0.1]]])
def test_novelty_that_is_none_is_neither_known_nor_novel(novelty: Any) -> None:
    with pytest.raises(InputError, match="novelty"):
        Threshold(0.5).is_novel(novelty)


@pytest.mark.parametrize("coverage", ["x", 0, 1.5, float("nan"), True])
def test_a_coverage_is_a_share(coverage: Any) -> None:
    with pytest.raises(InputError, match="Expected a share between 0 and 1"):
        Threshold(0.5, coverage)


def test_of_several_rows_of_one_object_one_counts() -> None:
    threshold = Threshold.from_novelty(np.arange(40.0), groups=np.arange(40) // 2)
    assert threshold.n == 20 and (np.sort(threshold.scores // 2) == np.arange(20)).all()
    assert threshold.coverage == expected_coverage(20)
    with pytest.raises(InputError, match=r"groups have the shape \(2,\) for 40"):
        Threshold.from_novelty(np.arange(40.0), groups=[1, 2])
    with pytest.raises(InputError, match="groups are lists of different lengths"):
        Threshold.from_novelty(np.arange(40.0), groups=[[1], [2, 3]])


@pytest.mark.parametrize("novelty", [0.5, None, ["a"] * 30, [[1.0], [1.0, 2.0]], [[1.0]] * 30, [], [np.nan] * 30])
@pytest.mark.parametrize("few", [False, True])
def test_calibration_scores_are_a_list_of_numbers(novelty: Any, few: bool) -> None:
    with pytest.raises(InputError, match="calibration scores"):
        Threshold.from_novelty(novelty, few=few)


def test_numbers_of_any_kind_make_one_that_can_be_saved(tmp_path: Path) -> None:
    given: Any = (np.float32(0.5), np.float32(0.75), [3, 1, 2])
    again = Threshold.load(Threshold(*given).save(tmp_path / "t.json"))
    assert (again.value, again.coverage, again.scores.tolist()) == (0.5, 0.75, [1, 2, 3])
    with pytest.raises(InputError, match="scores of a threshold"):
        Threshold(0.5, 0.9, np.array([[1.0]]))


def test_a_bare_number_with_a_second_limit_promises_nothing() -> None:
    made = Threshold(0.5, low=0.2)
    assert made.promise == "" and str(made) == "threshold 0.500, unsure from 0.200"
    assert made.describe().startswith(
        "threshold 0.500, unsure from 0.200: the share of known shapes that it keeps is unknown"
    )
    assert made.verdicts([0.1, 0.3, 0.6]) == ["known", "unsure", "novel"]
