"""The verdict on a session's shape, with `tiny`, and what the page says and saves of it."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from openshape_ood import KnownClasses, TextEncoder, load_shape, score_novelty
from openshape_ood.app import texts
from openshape_ood.app.downloads import remove_results, save_results
from openshape_ood.app.examples import EXAMPLES, FIRST
from openshape_ood.app.session import Session, Shape
from openshape_ood.app.verdicts import ORIGINS, Judge, Verdict, method_names
from openshape_ood.decisions.calibration import conformal_threshold, p_values
from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.synthetic import sample
from openshape_ood.synthetic.calibration import calibration_models, calibration_scans

NAMES = "chair, table"


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


@pytest.fixture(scope="module")
def chair() -> Session:
    return Session().with_names(NAMES).with_shape(Shape("my chair", sample("chair", 2048, seed=3)))


@pytest.fixture(scope="module")
def guitar(chair: Session) -> Session:
    return chair.with_shape(Shape("my guitar", sample("guitar", 2048, seed=3)))


@pytest.fixture(scope="module")
def found(judge: Judge, guitar: Session) -> Verdict:
    return judge.judge(guitar, "tiny")


def test_a_known_and_a_novel_shape(judge: Judge, chair: Session, found: Verdict) -> None:
    known = judge.judge(chair, "tiny")
    assert (known.nearest, known.answer) == ("chair", "known")
    assert found.answer == "novel"
    assert known.p_value is not None and found.p_value is not None
    assert found.p_value <= 0.05 < known.p_value
    assert known.novelty_map.novelty.mean() < found.novelty_map.novelty.mean()


@pytest.mark.parametrize("origin, made", [("whole model", calibration_models), ("scan", calibration_scans)])
def test_the_figures_are_the_librarys_own(
    judge: Judge, guitar: Session, tiny: object, origin: str, made: object
) -> None:
    verdict = judge.judge(guitar, "tiny", origin=origin)
    names = ["chair", "table"]
    shapes = [guitar.shape.cloud, *made(names)]  # type: ignore[operator, union-attr]
    novelty = score_novelty(shapes, names, encoder=tiny).novelty  # type: ignore[arg-type]
    assert verdict.novelty == pytest.approx(novelty[0])
    assert verdict.p_value == pytest.approx(p_values(novelty[:1], novelty[1:])[0])
    assert verdict.threshold is not None
    assert verdict.threshold.value == pytest.approx(conformal_threshold(novelty[1:], 0.95))


def test_examples_change_what_is_known_and_the_method(judge: Judge, guitar: Session, tiny: object) -> None:
    names = ("chair", "table", "guitar")
    mixed = guitar.with_example("guitar", "y").with_shape(Shape("other", sample("guitar", 2048, seed=9)))
    verdict = judge.judge(mixed, "tiny")
    assert verdict.result.provenance.method == "energy"  # of names, where some classes have examples and some have none
    assert (verdict.nearest, verdict.answer) == ("guitar", "known")
    assert "the 1 example that you added" in verdict.compared
    full = mixed
    for name in ("chair", "table"):
        full = full.with_shape(Shape(name, sample(name, 2048, seed=5))).with_example(name, "y")
    full = full.with_shape(mixed.shape)  # type: ignore[arg-type]
    verdict = judge.judge(full, "tiny")
    assert verdict.result.provenance.method == "prototype_distance"
    examples = {name: [example.cloud for example in own] for name, own in full.known().items()}
    known = KnownClasses.from_both(names, examples, tiny, TextEncoder.from_pretrained("tiny"))  # type: ignore[arg-type]
    same = score_novelty(mixed.shape.cloud, known, encoder=tiny)  # type: ignore[arg-type, union-attr]
    assert verdict.novelty == pytest.approx(same.novelty[0], abs=1e-5)


def test_sessions_do_not_see_each_other(judge: Judge, guitar: Session) -> None:
    before = judge.judge(guitar, "tiny")
    judge.judge(guitar.with_example("chair", "y"), "tiny")
    after = judge.judge(guitar, "tiny")
    assert after.novelty == before.novelty
    assert np.array_equal(after.novelty_map.novelty, before.novelty_map.novelty)


@pytest.mark.parametrize("method", ["neglabel", "mcm", "energy", "margin"])
def test_other_methods_by_name(judge: Judge, guitar: Session, method: str) -> None:
    verdict = judge.judge(guitar, "tiny", method)
    assert verdict.result.provenance.method == method and verdict.p_value is not None


def test_a_method_that_needs_examples_says_so(judge: Judge, guitar: Session) -> None:
    for method in ("knn", "vote_entropy"):
        assert method in method_names()
        with pytest.raises(InputError, match=f"'{method}' needs example"):
            judge.judge(guitar, "tiny", method)


def test_classes_that_cannot_be_generated_have_no_verdict(judge: Judge, chair: Session) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what is warned of is said on the page
        verdict = judge.judge(chair.with_names("chair, robot arm"), "tiny")
    assert verdict.p_value is None and verdict.answer is None and verdict.threshold is None
    assert "robot arm" in verdict.remarks[0]
    assert verdict.novelty_map.provenance.method == "text" and "class names" in verdict.compared
    said = texts.verdict(verdict)
    assert "No verdict" in said and "no p-value" in said and "Threshold.from_novelty" in said


@pytest.mark.parametrize("names", ["Chair, Table", "armchair, tables", "chair, couch, sofa"])
def test_spelling_and_synonyms_do_not_matter_for_what_can_be_generated(
    judge: Judge, chair: Session, names: str
) -> None:
    assert judge.judge(chair.with_names(names), "tiny").p_value is not None


def test_what_cannot_be_judged(judge: Judge, chair: Session) -> None:
    with pytest.raises(InputError, match="no shape yet"):
        judge.judge(Session().with_names(NAMES), "tiny")
    with pytest.raises(InputError, match="unknown method 'best'"):
        judge.judge(chair, "tiny", "best")
    with pytest.raises(InputError, match="origin is 'drawing'"):
        judge.judge(chair, "tiny", origin="drawing")
    with pytest.raises(UnknownNameError, match="unknown checkpoint"):
        judge.judge(chair, "huge")


def test_the_page_speaks_of_what_was_found(found: Verdict) -> None:
    said = texts.verdict(found)
    assert "Novel" in said and f"{found.p_value:.3f}" in said and "50 generated whole models a class" in said
    assert texts.bars(found).count('class="bar') == 2
    assert "24 generated whole models of each class" in texts.compared(found)


def test_names_are_escaped_everywhere(judge: Judge, chair: Session) -> None:
    evil = '<img src=x onerror="alert(1)">'
    named = chair.with_shape(Shape(evil, chair.shape.cloud, evil)).with_names("chair, <b>x</b>")  # type: ignore[union-attr]
    named = named.with_example("<b>x</b>", "y")
    verdict = judge.judge(named, "tiny")
    pieces = [
        texts.verdict(verdict),
        texts.bars(verdict),
        texts.known(named),
        texts.message(evil),
        texts.compared(verdict),
    ]
    for piece in pieces:
        assert "<b>x" not in piece and "<img src=x" not in piece
    assert "&lt;b&gt;x" in texts.bars(verdict) and "&lt;img" in texts.message(evil)


def test_what_is_downloaded(found: Verdict, guitar: Session, tmp_path: Path) -> None:
    cloud, figures = save_results(found, guitar, tmp_path)
    assert (cloud.name, figures.name) == ("my_guitar.novelty.ply", "my_guitar.novelty.json")
    assert load_shape(cloud).shape == (2048, 6)
    said = json.loads(figures.read_text(encoding="utf-8"))
    assert said["verdict"] == "novel" and said["p_value"] == pytest.approx(found.p_value)
    assert said["classes"] == ["chair", "table"] and said["examples"] == {"chair": 0, "table": 0}
    assert said["threshold"]["n"] == 100 and said["provenance"] == found.result.provenance.as_json()
    assert len(said["novelty_map"]["patch_novelty"]) == len(found.novelty_map.patches.novelty)
    remove_results(str(cloud.parent))
    assert not list(tmp_path.iterdir())
    remove_results("")  # before there is anything


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_shapes_on_offer(name: str) -> None:
    offered = EXAMPLES[name]
    assert offered.make().shape == (4096, 3) and offered.origin in ORIGINS


def test_the_first_shape_on_offer_is_novel(judge: Judge) -> None:
    session = Session().with_names("chair, sofa, table, bed, cabinet").with_shape(Shape(FIRST, EXAMPLES[FIRST].make()))
    assert judge.judge(session, "tiny").answer == "novel"
