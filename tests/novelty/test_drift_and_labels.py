"""Drift of results, samples to label, recalibration, and the third verdict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood import Embeddings, ShapeEncoder
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.errors import FileError, InputError
from openshape_ood.novelty import LabelSample, NoveltyPipeline, NoveltyResult
from openshape_ood.scoring import find_method

PROVENANCE = Provenance(Identity("made-up", "ab" * 32, "made-up"), "max_cosine", "y", version="0")
RNG = np.random.default_rng(0)
CALIBRATION = RNG.normal(size=200)
THRESHOLD = Threshold.from_novelty(CALIBRATION)


def result_of(novelty: Any, threshold: Threshold | None = THRESHOLD) -> NoveltyResult:
    values = np.asarray(novelty, dtype=np.float64)
    n = len(values)
    nearest, names = np.array(["chair"] * n), tuple(f"{i}.ply" for i in range(n))
    return NoveltyResult(values, nearest, np.zeros((n, 1)), np.array(["chair"]), names, (), PROVENANCE, threshold)


def drifted(n: int = 100) -> NoveltyResult:
    return result_of(np.random.default_rng(1).normal(-1, 1, size=n))


def test_a_result_reports_drift_in_words_and_json() -> None:
    found = drifted()
    assert found.drift.alarm and found.drift.describe().startswith("The known objects here differ from the calibration")
    assert "The threshold's 95" in repr(found)
    record = found.as_json()["drift"]
    assert record["alarm"] is True and record["p_value"] == 0.001 and record["kept"] is None
    quiet = result_of(np.random.default_rng(2).normal(size=100)).as_json()["drift"]
    assert quiet["alarm"] is False and "differ" not in str(quiet)


@pytest.mark.parametrize(
    ("threshold", "reason"),
    [
        (None, "there is no threshold"),
        (Threshold(0.5), "bare number without p-values"),
        (Threshold.from_novelty(range(10), 0.5), "10 calibration scores cannot show drift"),
        (Threshold.from_novelty([0.0] * 30), "are below the cut"),
        (THRESHOLD, "2 of 2 objects are below the cut, 19 are needed"),
    ],
)
def test_where_no_test_is_possible_the_reason_is_given(threshold: Threshold | None, reason: str) -> None:
    found = result_of([0.1, 0.2], threshold).drift
    assert found.alarm is None and found.p_value is None and reason in found.reason
    assert result_of([], threshold).as_json()["drift"]["alarm"] is None


def test_the_share_called_novel_stands_next_to_the_alarm() -> None:
    found = result_of([*np.random.default_rng(2).normal(size=60), *[9.0] * 60]).with_context(expected_novel=0.1)
    assert found.drift.alarm is False and found.as_json()["drift"]["unexpected"] is True
    assert "10 % were expected" in repr(found)


def test_scans_of_one_object_count_once_in_tests_and_samples() -> None:
    found = result_of(np.repeat([-1.0, 0.0, 0.1, 0.2], 10)).with_context(groups=np.repeat([0, 1, 2, 3], 10).tolist())
    assert found.drift.tested == 4 and found.drift.alarm is None
    drawn = found.to_label(4)
    assert len({row // 10 for row in drawn.rows}) == 4 and drawn.is_random
    with pytest.raises(InputError, match="there are 4 shapes to draw from"):
        found.to_label(5)
    assert (len(found.to_label()), len(drifted().to_label())) == (4, 30)


def test_labels_show_the_share_kept_and_repair_the_threshold() -> None:
    found = result_of(np.random.default_rng(3).normal(1, 1, size=300))
    drawn = found.to_label(30, seed=4).labeled(["chair"] * 28 + [None, "novel"])
    kept = found.with_context(labels=drawn).drift.kept
    assert kept is not None and kept.of == 28
    low, high = kept.interval
    assert low <= (found.novelty <= THRESHOLD.value).mean() <= high
    made = drawn.threshold(["chair"])
    assert made.n == 28 and made.value == max(drawn.novelty[:28])
    assert made.source == "28 known of 30 labeled shapes"
    assert found.to_label(30, seed=4).shapes == drawn.shapes != found.to_label(30, seed=5).shapes


def test_labels_are_kept_in_a_table_of_which_one_column_is_edited(tmp_path: Path) -> None:
    drawn = replace(drifted().to_label(20), shapes=tuple(f"=a,{i}" for i in range(20)))
    path = drawn.save(tmp_path / "todo.csv")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *(f"chair{line}" for line in lines[1:])]))
    again = LabelSample.load(path)
    assert again.is_known.all() and again.is_random and again.novelty.tolist() == drawn.novelty.tolist()
    assert again.threshold(["chair"]).n == 20
    path.write_text("\n".join([lines[0], *(f"chair{line}" for line in lines[1:-1])]))
    with pytest.raises(FileError, match="19 rows for 20 shapes"):
        LabelSample.load(path)
    for content in ("", "a,b\n1,2\n", "\0", f"{lines[0]}\nchair,a,b,nan,0,0,x\n"):
        path.write_text(content)
        with pytest.raises(FileError, match="not a table of labels"):
            LabelSample.load(path)


def test_only_the_random_sample_calibrates() -> None:
    found = drifted()
    novel = found.to_label(20, focus="informative").labeled(["chair"] * 20)
    assert novel.novelty.min() >= np.sort(found.novelty)[-20]
    with pytest.raises(InputError, match="this sample was chosen for naming"):
        novel.threshold(["chair"])
    swapped = found.to_label(20).labeled(["chair"] * 20)
    with pytest.raises(InputError, match="not the one that was drawn"):
        replace(swapped, places=tuple(range(20))).threshold(["chair"])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["chair"] * 19, "there are 19 labels"),
        (["chair"] * 19 + [""], "1 of 20 shapes have no label"),
        ({"elsewhere.ply": "chair"}, "is not in the sample"),
        (["sofa"] * 20, "the label 'sofa' is not a known class"),
        (["chair"] * 18 + ["novel"] * 2, "18 of 20 labeled shapes are known. A coverage of 0.95 needs 19"),
    ],
)
def test_labels_that_cannot_be_used(labels: Any, message: str) -> None:
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        drifted().to_label(20).labeled(labels).threshold(["chair"])


def test_contradicting_labels() -> None:
    drawn = drifted().to_label(20)
    labels = dict.fromkeys(drawn.rows, "chair")
    with pytest.raises(InputError, match="has the labels 'chair' and 'novel'"):
        drawn.labeled({**labels, drawn.shapes[0]: "novel"})
    for other in ("Novel", "lamp", "nan"):
        with pytest.raises(InputError, match=f"the label {other!r} is not a known class"):
            drifted().with_context(labels=drawn.labeled(labels | {drawn.rows[0]: other}))
    with pytest.raises(InputError, match="labels is a list"):
        drifted().with_context(labels=["chair"] * 20)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"'a' is the name of 20 shapes.*Give its row: 2, "):
        replace(drawn, shapes=("a",) * 20).labeled({"a": "chair"})
    with pytest.raises(InputError, match="labels belong to another result"):
        result_of(RNG.normal(size=100)).with_context(labels=drawn.labeled(labels))


def test_a_pipeline_is_recalibrated_and_its_stream_goes_on() -> None:
    pipeline = NoveltyPipeline.prepare(["chair", "sofa"], model="tiny")
    from openshape_ood.synthetic import sample

    rows = pipeline([sample("chair", 300, seed) for seed in range(24)]).embeddings
    assert rows is not None
    result = pipeline(rows)
    repaired = pipeline.recalibrate(result.to_label(20).labeled(["chair"] * 20))
    assert repaired.threshold is not None and repaired.threshold.n == 20
    with pytest.raises(InputError, match="labels is a list"):
        pipeline.recalibrate(["chair"] * 20)  # type: ignore[arg-type]
    parts = list(pipeline.stream([rows, rows]))
    assert [part.drift.tested for part in parts] == [24, 48]
    monitor = pipeline.monitor()
    for _ in range(2):
        list(pipeline.stream([rows], monitor=monitor))
    assert monitor.drift == parts[-1].drift
    for other in (repaired, replace(pipeline, threshold=None), replace(pipeline, method=find_method("mcm"))):
        with pytest.raises(InputError, match=r"the monitor belongs to max_cosine by tiny .*, threshold 0\."):
            next(other.stream([rows], monitor=monitor))
    with pytest.raises(InputError, match="monitor is a str"):
        next(pipeline.stream([rows], monitor="drift.json"))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="there is no threshold"):
        replace(pipeline, threshold=None).monitor()
    with pytest.raises(InputError, match="bare number"):
        replace(pipeline, threshold=Threshold(0.5)).monitor()


# the third verdict


def test_two_error_rates_hold_on_average() -> None:
    rng = np.random.default_rng(0)
    known, novel, rates = rng.normal(size=100_000), rng.normal(2, 1, size=100_000), []
    for _ in range(300):
        made = Threshold.from_novelty(rng.choice(known, 40)).with_unsure(0.1, 0.1, rng.choice(novel, 40))
        assert made.low is not None
        rates.append([(known > made.value).mean(), (novel <= made.low).mean()])
    assert (np.mean(rates, axis=0) <= 0.105).all()


def test_unsure_is_saved_shown_and_off_by_default(tmp_path: Path) -> None:
    made = THRESHOLD.with_unsure(0.05)
    assert made.low == THRESHOLD.value and made.value > made.low and made.missed is None
    assert Threshold.load(made.save(tmp_path / "t.json")).state() == made.state()
    found = result_of([0.0, (made.low + made.value) / 2, 9.0], made)
    assert found.verdicts == ["known", "unsure", "novel"] == [row["verdict"] for row in found.as_json()["shapes"]]
    assert "1 novel, 1 known, 1 unsure" in repr(found) and "unsure" in str(found)
    assert found.as_json()["threshold"]["low"] == made.low
    assert "low" not in THRESHOLD.state() and "low" not in THRESHOLD.as_json()
    assert result_of([0.0, 9.0]).verdicts == ["known", "novel"]


def test_a_pipeline_takes_one_error_rate_or_two() -> None:
    identity = ShapeEncoder.from_pretrained("tiny").identity
    calibration, novel = (Embeddings(part, identity) for part in RNG.normal(size=(2, 30, 192)))
    how: dict[str, Any] = {"model": "tiny", "identity": identity, "calibration": calibration, "coverage": 0.9}
    plain = NoveltyPipeline.prepare(["chair", "sofa"], **how)
    two = NoveltyPipeline.prepare(["chair", "sofa"], **how, unsure=(0.1, 0.2), novel=novel)
    one = NoveltyPipeline.prepare(["chair", "sofa"], **how, unsure=(0.1,))
    for made, expected in ((two, plain.with_unsure(0.1, 0.2, novel)), (one, plain.with_unsure(0.1))):
        assert made.threshold is not None and expected.threshold is not None
        assert made.threshold.state() == expected.threshold.state()


def test_what_unsure_refuses() -> None:
    with pytest.raises(InputError, match="bare number"):
        Threshold(0.5).with_unsure()
    with pytest.raises(InputError, match="there are no novel examples"):
        THRESHOLD.with_unsure(0.05, 0.05)
    with pytest.raises(InputError, match=r"5 novel examples. A rate of 0\.05 needs 19"):
        THRESHOLD.with_unsure(0.05, 0.05, range(5))
    with pytest.raises(InputError, match="no novel examples"):
        NoveltyPipeline.prepare(["chair"], model="tiny", unsure=(0.05, 0.05))
    with pytest.raises(InputError, match=r"a coverage of 0\.9 is given for a threshold with error rates"):
        THRESHOLD.with_unsure().at(0.9)
    with pytest.raises(InputError, match="low is 2"):
        Threshold(1.0, low=2.0)
