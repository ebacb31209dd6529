"""The verdict on a session's shape, with `tiny`, and what the page says and saves of it."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from openshape_ood import KnownClasses, ShapeEncoder, TextEncoder, load_shape, score_novelty
from openshape_ood.app import texts
from openshape_ood.app.downloads import remove_results, save_results
from openshape_ood.app.pipelines import COMPARED, Pipelines, method_names
from openshape_ood.app.session import Calibration, Session, Shape
from openshape_ood.app.shape_tab import EXAMPLES, FIRST
from openshape_ood.app.verdicts import ORIGINS, Verdict
from openshape_ood.decisions.calibration import conformal_threshold, p_values
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.novelty.result import Failure
from openshape_ood.synthetic import sample
from openshape_ood.synthetic.calibration import calibration_models, calibration_scans

NAMES = "chair, table"


@pytest.fixture(scope="module")
def pipelines() -> Pipelines:
    return Pipelines()


@pytest.fixture(scope="module")
def chair() -> Session:
    return Session().with_names(NAMES).with_shapes([Shape("my chair", sample("chair", 2048, seed=3))])


@pytest.fixture(scope="module")
def guitar(chair: Session) -> Session:
    return chair.with_shapes([Shape("my guitar", sample("guitar", 2048, seed=3))])


@pytest.fixture(scope="module")
def found(pipelines: Pipelines, guitar: Session) -> Verdict:
    return pipelines.score(guitar, "tiny")


def test_a_known_and_a_novel_shape(pipelines: Pipelines, chair: Session, found: Verdict) -> None:
    known = pipelines.score(chair, "tiny")
    assert (known.nearest, known.answer) == ("chair", "known")
    assert found.answer == "novel"
    assert known.p_value is not None and found.p_value is not None
    assert found.p_value <= 0.05 < known.p_value
    assert known.map.novelty.mean() < found.map.novelty.mean()


@pytest.mark.parametrize("origin, made", [("whole model", calibration_models), ("scan", calibration_scans)])
def test_the_figures_are_the_librarys_own(
    pipelines: Pipelines, guitar: Session, tiny: object, origin: str, made: object
) -> None:
    verdict = pipelines.score(guitar, "tiny", origin=origin)
    names = ["chair", "table"]
    shapes = [guitar.shape.cloud, *made(names)]
    novelty = score_novelty(shapes, names, encoder=tiny).novelty
    assert verdict.novelty == pytest.approx(novelty[0], abs=1e-5)
    assert verdict.p_value == pytest.approx(p_values(novelty[:1], novelty[1:])[0])
    assert verdict.threshold is not None
    assert verdict.threshold.value == pytest.approx(
        conformal_threshold(novelty[1:], 0.95), abs=1e-4
    )  # float16 in the package


def test_a_class_of_ones_own_keeps_the_verdict(pipelines: Pipelines, guitar: Session) -> None:
    """With one example of one class the others are known by generated examples, and the threshold is made anew."""
    own = guitar.with_example("lyre", "y")
    verdict = pipelines.score(own, "tiny")
    assert verdict.result.provenance.method == "prototype_distance"
    assert (verdict.nearest, verdict.answer, verdict.basis.uncovered) == ("lyre", "known", ("lyre",))
    assert verdict.threshold is not None and verdict.threshold.n == 100
    said = texts.verdict(verdict)
    assert "Shapes of lyre cannot be generated" in said and f"chair, table: compared with {COMPARED} generated" in said
    assert "of each class except lyre and of the 1 example that you added" in verdict.compared
    chair = own.with_shapes([Shape("a chair", sample("chair", 2048, seed=9))])
    assert (pipelines.score(chair, "tiny").nearest, pipelines.score(chair, "tiny").answer) == ("chair", "known")
    piano = own.with_shapes([Shape("a piano", sample("piano", 2048, seed=9))])
    assert pipelines.score(piano, "tiny").answer == "novel"


def test_examples_that_do_not_count_yet_are_said(pipelines: Pipelines, chair: Session) -> None:
    verdict = pipelines.score(chair.with_names("chair, robot arm").with_example("chair", "y"), "tiny")
    assert verdict.result.provenance.method == "energy"  # of names, for one class has nothing else
    assert verdict.remarks[0].startswith("Examples are used when every class has one")


def test_examples_change_what_is_known_and_the_method(pipelines: Pipelines, guitar: Session, tiny: object) -> None:
    names = ("chair", "table", "guitar")
    mixed = guitar.with_example("guitar", "y").with_shapes([Shape("other", sample("guitar", 2048, seed=9))])
    verdict = pipelines.score(mixed, "tiny")
    assert (verdict.nearest, verdict.answer) == ("guitar", "known")
    assert "the 1 example that you added" in verdict.compared
    full = mixed
    for name in ("chair", "table"):
        full = full.with_shapes([Shape(name, sample(name, 2048, seed=5))]).with_example(name, "y")
    full = full.with_shapes([mixed.shape])
    verdict = pipelines.score(full, "tiny")
    assert verdict.result.provenance.method == "prototype_distance"
    examples = {name: [example.cloud for example in own] for name, own in full.known().items()}
    known = KnownClasses.from_both(names, examples, tiny, TextEncoder.from_pretrained("tiny"))
    same = score_novelty(mixed.shape.cloud, known, encoder=tiny)
    assert verdict.novelty == pytest.approx(same.novelty[0], abs=1e-5)


def test_sessions_do_not_see_each_other(pipelines: Pipelines, guitar: Session) -> None:
    before = pipelines.score(guitar, "tiny")
    pipelines.score(guitar.with_example("chair", "y"), "tiny")
    after = pipelines.score(guitar, "tiny")
    assert after.novelty == before.novelty
    assert np.array_equal(after.map.novelty, before.map.novelty)


@pytest.mark.parametrize("method", ["neglabel", "mcm", "energy", "margin"])
def test_other_methods_by_name(pipelines: Pipelines, guitar: Session, method: str) -> None:
    verdict = pipelines.score(guitar, "tiny", method)
    assert verdict.result.provenance.method == method and verdict.p_value is not None


def test_a_method_that_needs_examples_says_so(pipelines: Pipelines, guitar: Session) -> None:
    for method in ("knn", "vote_entropy"):
        assert method in method_names()
        with pytest.raises(InputError, match=f"'{method}' needs example"):
            pipelines.score(guitar, "tiny", method)


def test_classes_that_cannot_be_generated_have_no_verdict(pipelines: Pipelines, chair: Session) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what is warned of is said on the page
        verdict = pipelines.score(chair.with_names("flux drive, robot arm"), "tiny")
    assert verdict.p_value is None and verdict.answer is None and verdict.threshold is None
    said = " ".join(verdict.remarks)
    assert "robot arm" in said and "Add examples of every class." in said and "known={" not in said
    assert verdict.map.provenance.method == "text" and "class names" in verdict.compared
    said = texts.verdict(verdict)
    assert "No verdict" in said and "no p-value" in said and "19 or more known shapes" in said


def test_where_some_classes_can_be_generated_these_calibrate(pipelines: Pipelines, chair: Session) -> None:
    verdict = pipelines.score(chair.with_names("chair, robot arm"), "tiny")
    assert verdict.answer == "known" and verdict.threshold is not None and verdict.threshold.n == 50
    assert "Shapes of robot arm cannot be generated" in texts.verdict(verdict)


@pytest.fixture(scope="module")
def known_shapes() -> tuple[Shape, ...]:
    return tuple(Shape(f"{i}", sample(("chair", "table")[i % 2], 512, seed=i)) for i in range(20))


def test_calibration_files_of_the_visitors_decide(
    pipelines: Pipelines, guitar: Session, known_shapes: tuple[Shape, ...], tiny: object
) -> None:
    own = Calibration(known_shapes)
    verdict = pipelines.score(replace(guitar.with_names("chair, table"), calibration=own), "tiny")
    novelty = score_novelty([shape.cloud for shape in known_shapes], ["chair", "table"], encoder=tiny).novelty
    assert verdict.threshold is not None and verdict.basis.kind == "files"
    assert verdict.threshold.value == pytest.approx(conformal_threshold(novelty, 0.95), abs=1e-5)
    assert verdict.p_value == pytest.approx(p_values(verdict.result.novelty, novelty)[0]) and verdict.answer == "novel"
    sentence = "keeps 95.2 % of known shapes like the 20 used for calibration (20 calibration files)"
    assert sentence in texts.verdict(verdict)
    assert texts.calibration(own, [Failure("<b>.ply", "no header")]).count("&lt;b&gt;") == 1


def test_calibration_that_proves_nothing(
    pipelines: Pipelines, guitar: Session, known_shapes: tuple[Shape, ...]
) -> None:
    few = pipelines.score(replace(guitar, calibration=Calibration(known_shapes[:18])), "tiny")
    assert few.answer is None and "18 calibration scores cannot promise" in texts.verdict(few)
    shared = guitar.with_shapes(known_shapes[:1]).with_example("chair", "y")
    verdict = pipelines.score(replace(shared, calibration=Calibration(known_shapes)), "tiny")
    assert (
        verdict.answer is None
        and "1 of the 20 calibration shapes are the same as examples (0)" in verdict.basis.missing
    )


def test_a_threshold_made_elsewhere_decides_where_it_fits(
    pipelines: Pipelines, found: Verdict, guitar: Session
) -> None:
    assert found.threshold is not None
    for given, answer in ((replace(found.threshold, value=1.5), "known"), (Threshold(0.1), "novel")):
        verdict = pipelines.score(replace(guitar, calibration=Calibration(threshold=given)), "tiny")
        assert (verdict.answer, verdict.threshold) == (answer, given)
        assert (verdict.p_value is None) == (given.n == 0) and "threshold is yours" in texts.verdict(verdict)
    other = pipelines.score(replace(guitar, calibration=Calibration(threshold=found.threshold)), "tiny", "energy")
    assert other.answer is None and "is for 'max_cosine'" in texts.verdict(other).replace("&#x27;", "'")


def test_drift_is_reported_with_the_shapes_to_label(pipelines: Pipelines, tmp_path: Path) -> None:
    shapes = [Shape(f"<{seed}>.npy", sample("chair", 300, seed)) for seed in range(32)]
    verdict = pipelines.score(Session().with_names(NAMES).with_shapes(shapes), "tiny", origin="scan")
    said = texts.verdict(verdict)
    assert (
        "The known objects here differ from the calibration set." in said and "Label 30 of these shapes: &lt;" in said
    )
    assert (
        said.count(".npy") == 31 and "Then drop the shapes that are known" in said
    )  # the shown one, and the drawn ones
    record = json.loads(save_results(verdict, tmp_path)[1].read_text(encoding="utf-8"))
    assert record["drift"]["alarm"] is True and record["drift"]["kept"] is None
    assert "differ from" not in texts.verdict(
        pipelines.score(Session().with_names(NAMES).with_shapes(shapes[:3]), "tiny")
    )


def test_shapes_between_two_limits_are_unsure(pipelines: Pipelines, found: Verdict, guitar: Session) -> None:
    assert found.threshold is not None
    given = replace(found.threshold, value=1.5, low=0.1)
    verdict = pipelines.score(replace(guitar, calibration=Calibration(threshold=given)), "tiny")
    said = texts.verdict(verdict)
    assert verdict.answer == "unsure" and "Unsure: between known and novel" in said
    assert "known up to 0.100, novel above 1.500" in said and "threshold 1.500, unsure from 0.100" in said


def test_many_files_are_ranked_by_novelty(pipelines: Pipelines, tmp_path: Path) -> None:
    kinds = ("chair", "guitar", "table", "piano")
    shapes = [Shape(f"<{kind}>.npy", sample(kind, 2048, seed=3)) for kind in kinds]
    session = Session().with_names(NAMES).with_shapes(shapes, [Failure("bad.ply", "no <PLY> header")])
    verdict = pipelines.score(session, "tiny")
    alone = pipelines.score(session.with_shapes(shapes[1:2]), "tiny")
    assert verdict.result.novelty[1] == pytest.approx(alone.novelty, abs=1e-5)
    assert verdict.answers[1] == alone.answer == "novel"
    table = texts.table(verdict)
    assert (
        "5 files: 2 novel, 2 known, 1 not read" in table and "no &lt;PLY&gt; header" in table and "<guitar" not in table
    )
    places = [int(place) for place in re.findall(r'data-place="(\d)"', table)]
    assert places == verdict.order() == np.argsort(-verdict.result.novelty).tolist()
    shown = pipelines.show(verdict, 3)
    assert (shown.shape.name, shown.map.name) == ("<piano>.npy", "<piano>.npy")
    assert shown.novelty == verdict.result.novelty[3] and 'data-place="3" aria-current' in texts.table(shown)
    said = json.loads(save_results(shown, tmp_path)[1].read_text(encoding="utf-8"))
    assert [row["shape"] for row in said["shapes"]] == [shapes[i].name for i in places]
    assert said["shape"] == "<piano>.npy" and said["failures"] == {"bad.ply": "no <PLY> header"}
    assert texts.table(alone) == texts.table(None) == ""


def test_auto_finds_the_axis_of_all_files_together(pipelines: Pipelines) -> None:
    kinds = [("chair", "table", "bed")[i % 3] for i in range(12)]
    lying = [Shape(kind, sample(kind, 512, seed=i)[:, [0, 2, 1]]) for i, kind in enumerate(kinds)]
    upright = Shape("mesh.glb", sample("chair", 512, seed=50), stated="y")
    session = Session().with_names("chair, table, bed").with_shapes([*lying, upright])
    verdict = pipelines.score(session, "tiny", up="auto")
    assert verdict.axis is not None and verdict.axis.axis == "z"
    assert verdict.result.up == ("z",) * 12 + ("y",)  # what a file states goes before
    assert verdict.map.up == "z" and "Detection of the up axis: z is up: " in texts.verdict(verdict)
    alone = pipelines.score(session.with_shapes(lying[:1]), "tiny", up="auto")
    assert alone.result.up == ("y",) and "the up axis of 1 shape is undecided" in texts.verdict(alone)


def test_the_axis_that_a_file_states_goes_before_the_assumed_one(pipelines: Pipelines, chair: Session) -> None:
    lying = chair.shape.cloud[:, [0, 2, 1]]
    assumed, stated = Shape("scan.ply", lying), Shape("mesh.dae", lying, stated="z")
    for shape, up, axis in ((assumed, "file", "y"), (assumed, "z", "z"), (stated, "file", "z"), (stated, "y", "y")):
        verdict = pipelines.score(chair.with_shapes([shape]), "tiny", up=up)
        assert verdict.result.up == (axis,)
        assert ("Scans often have z up" in texts.verdict(verdict)) == (shape is assumed and up == "file")


@pytest.mark.parametrize("names", ["Chair, Table", "armchair, tables", "chair, couch, sofa"])
def test_spelling_and_synonyms_do_not_matter_for_what_can_be_generated(
    pipelines: Pipelines, chair: Session, names: str
) -> None:
    assert pipelines.score(chair.with_names(names), "tiny").p_value is not None


def test_what_cannot_be_judged(pipelines: Pipelines, chair: Session) -> None:
    with pytest.raises(InputError, match="no shape yet"):
        pipelines.score(Session().with_names(NAMES), "tiny")
    with pytest.raises(InputError, match="unknown method 'best'"):
        pipelines.score(chair, "tiny", "best")
    with pytest.raises(InputError, match="origin is 'drawing'"):
        pipelines.score(chair, "tiny", origin="drawing")
    with pytest.raises(UnknownNameError, match="unknown checkpoint"):
        pipelines.score(chair, "huge")


def test_the_page_speaks_of_what_was_found(found: Verdict) -> None:
    said = texts.verdict(found)
    assert "Novel" in said and f"{found.p_value:.3f}" in said and found.threshold.promise[:-1] in said
    assert "held-out generated whole models of" in said and "“Calibrate on your own shapes”" in said
    assert found.as_json()["threshold"]["promise"] == found.threshold.promise
    assert texts.bars(found).count('class="bar') == 2
    assert "24 generated whole models of each class:" in texts.compared(found)
    assert "encoder <code>tiny</code>" in said and "is a toy" in said


def test_names_are_escaped_everywhere(pipelines: Pipelines, chair: Session) -> None:
    evil = '<img src=x onerror="alert(1)">'
    named = chair.with_shapes([Shape(evil, chair.shape.cloud, evil)]).with_names("chair, <b>x</b>")
    named = named.with_example("<b>x</b>", "y")
    verdict = pipelines.score(named, "tiny")
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
    cloud, figures = save_results(found, tmp_path)
    assert (cloud.name, figures.name) == ("my_guitar.novelty.ply", "my_guitar.novelty.json")
    assert load_shape(cloud).shape == (2048, 6)
    said = json.loads(figures.read_text(encoding="utf-8"))
    assert said["verdict"] == "novel" and said["p_value"] == pytest.approx(found.p_value)
    assert said["classes"] == ["chair", "table"] and said["examples"] == {"chair": 0, "table": 0}
    assert said["threshold"]["n"] == 100 and said["provenance"] == found.result.provenance.as_json()
    assert len(said["novelty_map"]["patch_novelty"]) == len(found.map.patches.novelty)
    remove_results(cloud.parent)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_shapes_on_offer(name: str) -> None:
    offered = EXAMPLES[name]
    assert offered.make().shape == (4096, 3) and offered.origin in ORIGINS


def test_the_first_shape_on_offer_is_novel(pipelines: Pipelines) -> None:
    session = (
        Session().with_names("chair, sofa, table, bed, cabinet").with_shapes([Shape(FIRST, EXAMPLES[FIRST].make())])
    )
    assert pipelines.score(session, "tiny").answer == "novel"


def test_known_classes_of_a_file_count_until_they_are_changed(tiny: ShapeEncoder, guitar: Session) -> None:
    shapes = {name: [sample(name, 512, seed) for seed in range(12)] for name in ("chair", "table")}
    held_out = [sample(name, 512, seed) for name in shapes for seed in range(20, 35)]
    known = KnownClasses.from_examples(shapes, tiny, patches="local")
    result = score_novelty(held_out, known, encoder=tiny, method="knn", up="y")
    known = known.with_threshold(Threshold.from_novelty(result, source="held out"))
    pipelines = Pipelines(known)
    found = pipelines.score(guitar, "tiny")
    assert found.answer == "novel" and found.threshold == known.threshold
    assert found.result.provenance.method == "knn" and "Known classes from the file" in found.remarks[0]
    expected = score_novelty(guitar.shapes[0].cloud, known, encoder=tiny, up="y").novelty[0]
    assert found.novelty == pytest.approx(expected, abs=1e-5)
    assert found.map.threshold is not None and "in the file" in found.compared
    changed = pipelines.score(guitar.with_names("chair, table, sofa"), "tiny")
    assert changed.result.provenance.method != "knn" and not changed.remarks
