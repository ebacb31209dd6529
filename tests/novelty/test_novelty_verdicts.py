"""Verdicts of `score_novelty` and `score_embeddings`: calibration, failures, tables, embeddings of any model."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import (
    EXAMPLES,
    FAKE,
    POLE,
    SHAPES,
    SLAB,
    WORDS,
    FakeEncoder,
    PatchEncoder,
    box,
    by_example,
    by_name,
)

from openshape_ood import (
    Embeddings,
    KnownClasses,
    Threshold,
    score_embeddings,
    score_novelty,
)
from openshape_ood.checks import unit
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import FileError, InputError, MissingPackageError, MixedEncodersError
from openshape_ood.novelty.result import Failure
from openshape_ood.scoring import METHODS

# ---- calibration in the same call


def poles(count: int = 19, first: float = 2.01) -> list[np.ndarray]:
    """Known objects that are no examples: each thinner than the last."""
    return [box(0.1, first + 0.2 * i, 0.1) for i in range(count)]


def test_calibration_makes_the_threshold_in_the_same_call() -> None:
    result = by_example(calibration=poles())
    apart = by_example(poles())
    expected = Threshold.from_novelty(apart)
    assert (result.threshold.value, result.threshold.n) == (expected.value, 19)
    assert result.threshold.provenance == replace(result.provenance, up="y")  # the axis that all were read with
    np.testing.assert_array_equal(result.threshold.scores, expected.scores)
    np.testing.assert_array_equal(result.p_values, expected.p_values(result.novelty))
    assert result.is_novel[2] and not result.is_novel[0]
    ready = by_example(calibration=apart.embeddings)
    np.testing.assert_array_equal(ready.p_values, result.p_values)
    assert by_example(calibration=poles(9), coverage=0.9).threshold.coverage == 0.9


@pytest.mark.parametrize("method", ["vote_entropy", "max_cosine", "prototype_distance"])
def test_calibration_is_by_the_method_of_the_call(method: str) -> None:
    result = score_novelty(SHAPES, EXAMPLES, encoder=PatchEncoder(), calibration=poles(), method=method)
    expected = score_novelty(poles(), EXAMPLES, encoder=PatchEncoder(), method=method)
    np.testing.assert_array_equal(result.threshold.scores, np.sort(expected.novelty))


def test_several_scans_of_one_object_count_once() -> None:
    groups = [i // 2 for i in range(38)]
    threshold = by_example(calibration=poles(38), groups=groups).threshold
    scores, alone = threshold.scores, by_example(poles(38)).novelty
    assert threshold.source == "one of each object of 38 calibration shapes"
    assert by_example(calibration=poles()).threshold.source == "calibration shapes"
    assert len(scores) == 19
    for object_ in range(19):
        assert np.isin(alone[2 * object_ : 2 * object_ + 2], scores).sum() == 1
    with pytest.raises(InputError, match="18 calibration scores cannot promise"):
        by_example(calibration=poles(36), groups=groups[:36])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"calibration": poles(), "threshold": Threshold(1.0)}, "Expected one of them"),
        ({"groups": [1]}, "without calibration"),
        ({"calibration": poles(), "groups": [1]}, r"groups have the shape \(1,\) for 19"),
        ({"calibration": poles(3)}, "3 calibration scores cannot promise"),
        ({"calibration": poles(), "coverage": 2}, "coverage is 2"),
        ({"calibration": poles(), "up": ["y", "y", "y"], "known_up": "y"}, "in a separate call"),
        ({"calibration": [*poles(18), 3 * EXAMPLES["plate"]]}, r"1 of the 19 .* same as examples \(shape 18\)"),
        ({"errors": "ignore"}, "unknown errors 'ignore'; known: raise, skip"),
    ],
)
def test_what_does_not_calibrate(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        by_example(**settings)


def test_examples_do_not_calibrate_themselves(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.npy" for name in ("a", "b", "copy of a")}
    for name, path in files.items():
        np.save(path, POLE if name != "b" else SLAB)
    known = {"pole": files["a"], "slab": [files["b"]]}
    with pytest.raises(InputError, match=r"1 of the calibration files are examples too .*a\.npy.*too low"):
        by_example(SHAPES, known, calibration=[str(files["a"]), *poles()])
    with pytest.raises(InputError, match=r"1 of the 20 calibration shapes are the same as examples .*copy of a\.npy"):
        by_example(SHAPES, known, calibration=[files["copy of a"], *poles()])
    held = KnownClasses.from_examples(known, FakeEncoder())
    with pytest.raises(InputError, match=r"a\.npy"):
        by_example(SHAPES, held, calibration=[files["a"], *poles()])


# ---- shapes that cannot be read


def test_what_cannot_be_read_is_skipped_where_that_is_asked(tmp_path: Path) -> None:
    np.save(tmp_path / "pole.npy", POLE)
    (tmp_path / "bad.ply").write_bytes(b"ply\nnothing")
    shapes = [tmp_path / "bad.ply", POLE, tmp_path / "pole.npy", np.full((5, 3), np.nan), tmp_path / "none.obj", SLAB]
    with pytest.raises(FileError):
        by_name(shapes)
    result = by_name(shapes, errors="skip", calibration=[*poles(), tmp_path / "none.obj"], groups=range(20))
    assert result.shapes == ("shape 1", str(tmp_path / "pole.npy"), "shape 5")
    assert result.nearest.tolist() == ["pole", "pole", "slab"] and result.up == ("y", "y", "y")
    missing, bad, nan, again = result.failures
    assert missing == again and missing.source == str(tmp_path / "none.obj") and "no such file" in missing.error
    assert bad.source.endswith("bad.ply") and nan.source == "shape 3" and "NaN" in nan.error
    assert result.threshold.n == 19 and len(result) == len(result.p_values) == 3
    np.testing.assert_array_equal(result.novelty, by_name([POLE, tmp_path / "pole.npy", SLAB]).novelty)
    assert [failure["source"] for failure in result.as_json()["failures"]] == [f.source for f in result.failures]
    ungrouped = by_name(SLAB, errors="skip", calibration=[*poles(), tmp_path / "none.obj"])
    assert ungrouped.threshold.n == 19 and [one.source for one in ungrouped.failures] == [str(tmp_path / "none.obj")]
    with pytest.raises(InputError, match="up has 2 entries for 6 shapes"):
        by_name(shapes, errors="skip", up=["y", "x"])
    per_shape = by_name(shapes, errors="skip", up=["y", "x", "y", "y", "z", "z"])
    assert per_shape.up == ("x", "y", "z")


def test_nothing_but_failures_is_an_empty_result() -> None:
    result = by_name(["no.ply"], errors="skip", threshold=Threshold(0.5))
    assert (len(result), result.similarity.shape, result.is_novel.shape) == (0, (0, 3), (0,))
    assert result.failures[0].source == "no.ply"
    assert "1 not read" in repr(result) and "no.ply" in result._repr_html_()


# ---- a result to look at


def test_a_result_is_short_in_words_and_whole_as_a_frame() -> None:
    pandas = pytest.importorskip("pandas")
    result = by_example(calibration=poles())
    summary = "3 shapes: 1 novel, 2 known; 3 known classes, prototype_distance by fake"
    assert repr(result) == f"NoveltyResult({summary}; {result.threshold})" and "known shapes like the" in repr(result)
    assert str(result).splitlines()[-1] == str(result.threshold)
    frame = result.to_frame()
    assert isinstance(frame, pandas.DataFrame) and len(frame) == 3
    assert list(frame) == ["shape", "nearest", "similarity", "novelty", "p_value", "verdict", "up"]
    np.testing.assert_array_equal(frame["novelty"], result.novelty)
    assert frame["verdict"].tolist() == ["known", "known", "novel"]
    assert by_name().to_frame()["verdict"].isna().all()


def test_a_frame_without_pandas_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackageError, match="pip install pandas"):
        by_name().to_frame()


def test_a_table_in_a_notebook_runs_nothing_of_strangers() -> None:
    evil = "<script>alert(1)</script>"
    held = score_embeddings(Embeddings([[1.0, 0]] * 40, FAKE, [evil] * 40), {evil: [[1.0, 0]], "b": [[0, 1.0]]})
    shown = replace(held, failures=(Failure(evil, evil),), threshold=Threshold(-1.0))._repr_html_()
    # thirty rows of two, and a failure that names itself
    assert "<script" not in shown and shown.count("&lt;script&gt;") == 61
    assert "… and 10 more" in shown and "<b>novel</b>" in shown and "1 not read" in shown


# ---- embeddings of any model


RANDOM = np.random.default_rng(0)
TABLES = {name: RANDOM.normal(size=(8, 6)) + 4 * np.eye(6)[i] for i, name in enumerate(["b", "a", "c"])}
ROWS = RANDOM.normal(size=(5, 6)) + 4 * np.eye(6)[[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("method", [None, *(m for m in METHODS if METHODS[m].needs in ("any", "examples"))])
def test_embeddings_of_any_model_have_the_numbers_of_score_novelty(method: str | None) -> None:
    found = score_embeddings(ROWS, TABLES, method)
    assert found.classes.tolist() == ["b", "a", "c"]  # in the order given
    assert found.provenance.identity.checkpoint == "embeddings"
    labels = np.repeat(list(TABLES), 8)
    held = KnownClasses.from_embeddings(np.concatenate(list(TABLES.values())), labels, FAKE)
    theirs = score_novelty(Embeddings(ROWS, FAKE), held, method=method)
    np.testing.assert_allclose(found.novelty, theirs.novelty, rtol=1e-9, atol=1e-12)
    assert found.nearest.tolist() == theirs.nearest.tolist()
    np.testing.assert_array_equal(score_embeddings(ROWS.tolist(), held, method).novelty, theirs.novelty)
    units = {name: unit(table, "row") for name, table in TABLES.items()}
    by_encoder = score_novelty(Embeddings(ROWS, FAKE), units, encoder=FakeEncoder(dim=6), method=method)
    by_units = score_embeddings(Embeddings(ROWS, FAKE), units, method)
    np.testing.assert_allclose(by_units.novelty, by_encoder.novelty, rtol=1e-9, atol=1e-12)


def test_embeddings_of_any_model_are_calibrated() -> None:
    more = RANDOM.normal(size=(40, 6)) + 4 * np.eye(6)[np.arange(40) % 3]
    result = score_embeddings(ROWS, TABLES, calibration=more)
    assert result.threshold.n == 40 and not result.is_novel[:3].any() and result.is_novel[3:].all()
    again = score_embeddings(ROWS, TABLES, threshold=result.threshold)
    np.testing.assert_array_equal(again.p_values, result.p_values)
    assert score_embeddings(ROWS, TABLES, calibration=more, groups=np.arange(40) // 2).threshold.n == 20
    with pytest.raises(InputError, match=r"3 of the 43 calibration shapes are the same as examples \(row 40"):
        score_embeddings(ROWS, TABLES, calibration=np.concatenate([more, 2 * TABLES["a"][:3]]))


@pytest.mark.parametrize(
    ("rows", "known", "error", "message"),
    [
        (ROWS[:, :5], TABLES, MixedEncodersError, "embeddings have 5 numbers a row"),
        (ROWS, {**TABLES, "d": np.ones((2, 5))}, MixedEncodersError, "class 'd' have 5 numbers a row"),
        (ROWS, ["a", "b"], InputError, "known is list. Expected KnownClasses, or a mapping"),
        (ROWS, {"a": None}, InputError, "class 'a'"),
        (ROWS, {"a": np.ones((0, 6))}, InputError, "the embeddings of class 'a' are empty"),
        (ROWS, {"a": np.stack([ROWS[0], -ROWS[0]])}, InputError, "mean example of 'a'"),
        (ROWS, {"a": np.zeros((1, 6))}, InputError, "row 0 is zero"),
        (ROWS * np.nan, TABLES, InputError, "NaN"),
        (Embeddings(ROWS, FAKE), KnownClasses.from_embeddings(ROWS, list("abcde"), WORDS), None, ""),
        (
            Embeddings(ROWS, FAKE),
            KnownClasses.from_embeddings(ROWS, list("abcde"), replace(FAKE, sha256="a" * 64)),
            MixedEncodersError,
            "different encoders",
        ),
    ],
)
def test_embeddings_that_do_not_belong_together(rows: Any, known: Any, error: Any, message: str) -> None:
    if error is None:
        assert len(score_embeddings(rows, known)) == 5
        return
    with pytest.raises(error, match=message):
        score_embeddings(rows, known)


def test_known_classes_bring_their_threshold(tmp_path: Path) -> None:
    bare = KnownClasses.from_examples(EXAMPLES, FakeEncoder())
    made = by_example(calibration=poles(), known=bare, method="nearest_distance").threshold
    held = KnownClasses.load(bare.with_threshold(made).save(tmp_path / "known.safetensors"))
    result = by_example(known=held)
    assert (result.provenance.method, result.threshold.value) == ("nearest_distance", made.value)
    assert (
        result.is_novel.tolist() == by_example(known=bare, method="nearest_distance", threshold=made).is_novel.tolist()
    )
    assert by_example(known=held, method="max_cosine").threshold is None  # it is for another method
    assert by_example(known=held, threshold=Threshold(9.0)).threshold.value == 9
    with pytest.raises(MixedEncodersError):
        bare.with_threshold(replace(made, provenance=replace(made.provenance, identity=Identity("x", "y", "z"))))


def test_calibration_shapes_tell_the_axis_of_the_others() -> None:
    def turned(cloud: np.ndarray) -> np.ndarray:
        return cloud[:, [0, 2, 1]] * [1, -1, 1]  # z up

    known = {
        "pole": [box(0.1 + 0.01 * i, 2, 0.1) for i in range(9)],
        "plate": [box(1 + i / 50, 0.1, 1) for i in range(9)],
    }
    held = [turned(box(0.1 + 0.01 * i, 2.1, 0.1)) for i in range(10)]
    held += [turned(box(1 + i / 50, 0.11, 1)) for i in range(10)]
    result = by_example([turned(box(0.13, 1.9, 0.1))], known, calibration=held, up="auto")
    assert (result.up, result.up_axis.axis, result.nearest[0]) == (("z",), "z", "pole")
    assert not result.is_novel[0]
