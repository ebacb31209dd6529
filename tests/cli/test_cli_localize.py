"""openshape-ood localize and demo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_runs import run, run_json, write_shape

from openshape_ood import KnownClasses, ShapeEncoder, score_novelty
from openshape_ood.errors import InputError
from openshape_ood.novelty_map import localize
from openshape_ood.shapes.reading import load_shape
from openshape_ood.synthetic.planted import plant

SAVED = "--known-file"
QUICK = ["--model", "tiny", "--threshold", "1"]


@pytest.fixture
def chair(tmp_path: Path) -> Path:
    np.save(tmp_path / "chair.npy", plant("chair", "guitar", 1024, 101, 0.52, "parsons").cloud)
    return tmp_path / "chair.npy"


def test_by_examples(chair: Path, tmp_path: Path, tiny: ShapeEncoder) -> None:
    paths = [write_shape(tmp_path / "examples" / "chair" / f"{i}.npy", "chair", seed=i) for i in range(4)]
    found = run_json("localize", chair, "--examples", tmp_path / "examples", "--model", "tiny")
    expected = localize(chair, {"chair": paths}, encoder=tiny)
    assert found["provenance"] == expected.provenance.as_json() and found["provenance"]["method"] == "local"
    [row] = found["shapes"]
    told = row["map"]
    assert told["points"] == 1024 and told["class_shares"] == {"chair": 1.0}
    assert found["threshold"]["value"] == pytest.approx(expected.threshold.value)
    assert told["novelty"]["max"] == pytest.approx(expected.novelty.max())
    region = expected.points[expected.peak(0.2)]
    assert told["most_novel"]["center"] == pytest.approx(region.mean(axis=0).tolist())
    whole = score_novelty([chair], {"chair": paths}, encoder=tiny)
    assert row["novelty"] == pytest.approx(whole.novelty[0]) and found["whole"]["threshold"]["n"] == 50


def test_by_saved_classes(chair: Path, tmp_path: Path, tiny: ShapeEncoder) -> None:
    paths = [write_shape(tmp_path / "examples" / "chair" / f"{i}.npy", "chair", seed=i) for i in range(4)]
    saved = KnownClasses.from_examples({"chair": paths}, tiny, patches="local").save(tmp_path / "chairs.safetensors")
    found = run_json("localize", chair, SAVED, saved, *QUICK)
    by_files = run_json("localize", chair, "--examples", tmp_path / "examples", *QUICK)
    assert found == by_files
    result = run("localize", chair, SAVED, saved, "--known", "sofa", "--model", "tiny")
    assert result.exit_code == 2 and "embeddings of the same kinds" in result.stderr
    joined = run_json("localize", chair, SAVED, saved, "--known", "sofa", "--generated", "models", *QUICK)
    assert joined["classes"] == ["sofa", "chair"]
    KnownClasses.from_examples({"chair": paths}, tiny).save(saved)
    result = run("localize", chair, SAVED, saved)
    assert result.exit_code == 2 and "`openshape-ood known save --patches`" in result.stderr


def test_regions_are_listed(chair: Path, tmp_path: Path) -> None:
    words = ["localize", chair, "--known", "chair", "--generated", "models", "--model", "tiny", "--threshold", "1"]
    [row] = run_json(*words)["shapes"]
    regions = row["map"]["regions"]
    assert regions and regions[0]["points"] == max(region["points"] for region in regions) > 100
    assert sum(region["points"] for region in regions) <= 1024 * row["map"]["share_beyond_threshold"]
    # the guitar stands on the seat, above the middle of the chair
    assert regions[0]["center"][1] > 0 and regions[0]["nearest"] == "chair"
    said = run(*words[:-2]).stdout
    assert regions[0]["where"].startswith("top") and 0.3 < regions[0]["heights"][0] < regions[0]["heights"][1] <= 1
    assert (
        "points, top" in said
        and "% of the height, about (" in said
        and "96.1 % of 50 held-out generated whole models" in said
    )


def test_by_generated_examples_with_a_cloud_and_a_picture(chair: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out, picture = tmp_path / "where.ply", tmp_path / "where.png"
    words = ["--known", "chair", "couch", "--generated", "models", "--model", "tiny", "--threshold", "1"]
    result = run("localize", chair, *words, "--out", out, "--picture", picture)
    assert result.exit_code == 0, result.output
    assert "nearest class" in result.stdout and "which keeps 95 % of known shapes like" in result.stdout
    assert load_shape(out).shape == (1024, 6)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_by_names_says_that_this_says_little(chair: Path) -> None:
    words = ["localize", chair, "--model", "tiny", "--threshold", "1", "--known", "chair"]
    found = run_json(*words, "guitar")
    assert found["provenance"]["method"] == "text"
    assert found["threshold"] is None and found["shapes"][0]["map"]["share_beyond_threshold"] is None
    assert "--examples" in run(*words).stderr


@pytest.mark.parametrize(
    "words, message",
    [
        (["--known", "chair", "--out", "x.obj"], ".ply"),
        (["--known", "chair", "--picture", "x.bmp"], ".png"),
        (["--known", "robot arm", "--generated", "scans"], "no generated category for 'robot arm'"),
        ([], "no known classes"),
    ],
)
def test_wrong_usage_of_localize(chair: Path, words: list[str], message: str) -> None:
    result = run("localize", chair, *words, "--model", "tiny")
    assert result.exit_code == 2 and message in result.stderr


def test_a_file_that_cannot_be_read_is_2(tmp_path: Path) -> None:
    result = run("localize", tmp_path / "gone.ply", "--known", "chair", "--model", "tiny")
    assert result.exit_code == 2 and "no such file" in result.stderr


def test_the_demo_shows_known_and_novel_and_writes_two_files(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = run_json("demo", "--folder", tmp_path)
    verdicts = {row["shape"]: row["verdict"] for row in found["shapes"]}
    assert verdicts["chair 1"] == "known" and verdicts["guitar"] == "novel" and len(verdicts) == 11
    assert {path.name for path in tmp_path.iterdir()} == {"demo.png", "demo.ply"}
    assert run("demo", "--folder", tmp_path / "gone").exit_code == 2


def test_a_picture_without_its_extra_is_told_before_the_work(chair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openshape_ood.cli.outputs.find_spec", lambda name: None)
    result = run("localize", chair, "--known", "chair", "--picture", "x.html", "--model", "vitb32")
    assert result.exit_code == 2 and "package plotly. Run pip install 'openshape-ood[plots]'" in result.stderr


def test_debug_shows_where_an_error_comes_from(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        run("--debug", "localize", tmp_path, "--known", "chair", "--model", "tiny")


def test_marks_of_calibration_shapes_keep_their_promise(chair: Path, tmp_path: Path) -> None:
    for i in range(12):
        write_shape(tmp_path / "examples" / "chair" / f"{i}.npy", "chair", seed=i)
    for i in range(20):
        write_shape(tmp_path / "held" / f"{i}.npy", "chair", seed=100 + i)
    calibrated = ["--model", "tiny", "--calibrate", tmp_path / "held", "--false-regions", "0.5"]
    words = ["localize", chair, "--examples", tmp_path / "examples", *calibrated]
    told = run_json(*words)
    assert told["threshold"]["marks"] == {
        **{"of": "regions", "rate": 0.5, "shapes": 20, "largest": 1.0, "min_size": 0.01},
        "promise": "at most 1 in 2 known, undamaged shapes has a false region (1 % or more of it)",
    }
    regions = told["shapes"][0]["map"]["regions"]
    assert all(1 / 21 <= region["p_value"] <= 1 for region in regions) and regions
    said = " ".join(run(*words, "--report", tmp_path / "page.html").stdout.split())
    assert "at most 1 in 2 known, undamaged shapes has a false region" in said and ", p 0." in said
    page = (tmp_path / "page.html").read_text()
    assert "at most 1 in 2 known, undamaged shapes has a false region" in page and ", p 0." in page
    # saved with the known classes, they say the same
    saved = tmp_path / "known.safetensors"
    shown = run_json("known", "save", "--examples", tmp_path / "examples", "--patches", *calibrated, "--out", saved)
    assert shown["marks"]["promise"] == told["threshold"]["promise"]
    again = run_json("localize", chair, SAVED, saved)
    assert again["threshold"] == told["threshold"] and again["shapes"] == told["shapes"]
    several = " ".join(run("localize", chair, tmp_path / "held" / "0.npy", SAVED, saved).stdout.split())
    assert f"above {told['threshold']['value']:.3f}: at most 1 in 2 known, undamaged shapes" in several
    assert "for points of maps: threshold" in run("known", "show", saved).stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--false-points", "0.01"], "Give --calibrate PATHS"),
        (["--largest", "0.5"], "--largest was given alone"),
        (["--false-points", "0.1", "--false-regions", "0.1", "--calibrate", "x"], "both given"),
        (["--false-points", "2", "--calibrate", "x"], "rate is 2"),
    ],
)
def test_promises_that_cannot_be_given_are_told_first(chair: Path, words: list[str], message: str) -> None:
    result = run("localize", chair, "--known", "chair", "--generated", "models", "--model", "tiny", *words)
    assert result.exit_code == 2 and message in " ".join(result.stderr.split()), result.stderr


def test_too_few_calibration_shapes_are_told_how_many_are_needed(chair: Path, tmp_path: Path) -> None:
    for i in range(20):
        write_shape(tmp_path / "held" / f"{i // 10}" / f"{i}.npy", "chair", seed=100 + i)
    words = ["localize", chair, "--known", "chair", "--generated", "models", "--model", "tiny", "--threshold", "1"]
    words = [word for word in words if word not in ("--threshold", "1")] + ["--calibrate", tmp_path / "held"]
    result = run(*words, "--false-points", "0.01")
    assert result.exit_code == 2 and "20 calibration shapes cannot promise" in " ".join(result.stderr.split())
    assert "99 or more can" in " ".join(result.stderr.split())
    result = run(*words, "--coverage", "0.5", "--false-regions", "0.05", "--calibrate-by", "folder")
    assert result.exit_code == 2 and "2 calibration shapes cannot promise" in " ".join(result.stderr.split())
