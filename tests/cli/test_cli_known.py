"""openshape-ood known, and --known-file at the other commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_runs import run, run_json, write_shape

from openshape_ood import KnownClasses, ShapeEncoder, score_novelty
from openshape_ood.novelty_map import localize

QUICK = ["--coverage", "0.8", "--model", "tiny"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """examples/ of two classes, held_out/ with two scans an object, and a shape to ask about."""
    folder = tmp_path_factory.mktemp("known")
    for seed in range(4):
        for name, category in (("chair", "chair"), ("thing", "sofa")):
            write_shape(folder / "examples" / name / f"{seed}.npy", category, seed)
    for seed in range(6):
        for side in range(2):
            write_shape(folder / "held_out" / str(seed) / f"{side}.npy", "chair", 100 + 2 * seed + side)
    write_shape(folder / "chair.npy", "chair", 50)
    return folder


@pytest.fixture(scope="module")
def saved(folder: Path) -> Path:
    path = folder / "known.safetensors"
    words = ["--examples", folder / "examples", "--calibrate", folder / "held_out", "--patches", *QUICK]
    result = run("known", "save", *words, "--out", path)
    assert result.exit_code == 0, result.output
    return path


def test_a_file_holds_what_the_library_would_make(saved: Path, folder: Path, tiny: ShapeEncoder) -> None:
    known = KnownClasses.load(saved)
    shapes = {name: sorted((folder / "examples" / name).iterdir()) for name in ("chair", "thing")}
    made = KnownClasses.from_examples(shapes, tiny, patches="local")
    assert known.names == made.names and (known.labels == made.labels).all()
    np.testing.assert_allclose(known.examples, made.examples, atol=1e-5)
    np.testing.assert_allclose(known.patches.features, made.patches.features, atol=1e-5)
    assert (known.patches.labels == made.patches.labels).all() and (known.patches.shapes == made.patches.shapes).all()
    held = sorted((folder / "held_out").rglob("*.npy"))
    expected = score_novelty(folder / "chair.npy", made, encoder=tiny, calibration=held, coverage=0.8).threshold
    assert known.threshold.value == pytest.approx(expected.value, abs=1e-5) and known.threshold.n == 12
    assert known.threshold.provenance.method == "prototype_distance"


def test_it_is_shown(saved: Path) -> None:
    found = run_json("known", "show", saved)["files"][0]
    assert found["classes"] == [{"name": name, "examples": 4, "patches": 4 * 48} for name in ("chair", "thing")]
    assert found["identity"]["checkpoint"] == "tiny" and found["dim"] == 192 and found["patches"] == "local"
    assert (found["threshold"]["n"], found["threshold"]["method"]) == (12, "prototype_distance")
    shown = run("known", "show", saved).stdout
    assert "2 classes of tiny (sha256" in shown and "by prototype_distance" in shown
    assert "known shapes like the 12" in shown


def test_every_command_takes_it_and_its_threshold(saved: Path, folder: Path, tiny: ShapeEncoder) -> None:
    known = KnownClasses.load(saved)
    scored = run_json("score", folder / "chair.npy", "--known-file", saved)  # with the encoder that the file names
    expected = score_novelty(folder / "chair.npy", known, encoder=tiny)
    assert scored["shapes"][0]["novelty"] == pytest.approx(expected.novelty[0])
    assert scored["shapes"][0]["p_value"] == pytest.approx(expected.p_values[0])
    assert scored["shapes"][0]["verdict"] == ("novel" if expected.is_novel[0] else "known")
    assert scored["threshold"] == expected.threshold.as_json()
    placed = run_json("localize", folder / "chair.npy", "--known-file", saved)
    assert placed["whole"]["threshold"] == scored["threshold"]
    assert placed["shapes"][0]["map"]["novelty"]["max"] == pytest.approx(
        localize(folder / "chair.npy", known, encoder=tiny).novelty.max(), abs=1e-5
    )


def test_a_threshold_of_another_method_is_left_out_and_said(saved: Path, folder: Path) -> None:
    result = run("score", folder / "chair.npy", "--known-file", saved, "--method", "knn")
    assert "is of another method" in result.stderr and "held-out generated scans of chair" in result.stdout
    over = run_json("score", folder / "chair.npy", "--known-file", saved, "--threshold", "0.01")
    assert over["shapes"][0]["verdict"] == "novel"


def test_a_bare_threshold_has_no_other_coverage(folder: Path, tmp_path: Path) -> None:
    path, names = tmp_path / "k.safetensors", ["--known", "chair", "--model", "tiny"]
    assert run("known", "save", *names, "--threshold", "0.5", "--out", path).exit_code == 0
    result = run("score", folder / "chair.npy", "--known-file", path, "--coverage", "0.8")
    assert result.exit_code == 2 and "is a bare number" in " ".join(result.stderr.split())


def test_another_axis_than_that_of_the_threshold_is_said(saved: Path, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "z.safetensors"
    words = ["--known-file", saved, "--calibrate", folder / "held_out", *QUICK, "--up", "z"]
    assert run("known", "save", *words, "--out", path).exit_code == 0
    said = run("score", folder / "chair.npy", "--known-file", path).stderr
    assert "from shapes with z up, but these were read with y up; try --up z" in said
    for words in (["--known-file", path, "--up", "z"], ["--known-file", path, "--up", "y"], ["--known-file", saved]):
        assert "but these were read with" not in run("score", folder / "chair.npy", *words).stderr
    generated = run("score", folder / "chair.npy", "--known", "chair", "--model", "tiny", "--up", "z")
    assert generated.exit_code == 0 and "but these were read with" not in generated.stderr


def test_scans_of_one_object_count_once(folder: Path) -> None:
    words = ["score", folder / "chair.npy", "--examples", folder / "examples", "--calibrate", folder / "held_out"]
    assert run_json(*words, *QUICK, "--calibrate-by", "folder")["threshold"]["n"] == 6
    few = run(*words, "--model", "tiny", "--calibrate-by", "folder")
    assert few.exit_code == 2 and "19 or more" in few.stderr


def test_examples_that_calibrate_are_refused(saved: Path, folder: Path, tmp_path: Path) -> None:
    calibrate = ["--calibrate", folder / "examples" / "chair", *QUICK]
    by_path = run("score", folder / "chair.npy", "--examples", folder / "examples", *calibrate)
    assert by_path.exit_code == 2 and "4 of the calibration files are examples too" in by_path.stderr
    copy = tmp_path / "copy.npy"
    copy.write_bytes((folder / "examples" / "chair" / "0.npy").read_bytes())
    for words in (["score", folder / "chair.npy"], ["known", "save", "--out", tmp_path / "x.safetensors"]):
        by_content = run(*words, "--known-file", saved, "--calibrate", folder / "held_out", copy, *QUICK)
        assert by_content.exit_code == 2 and "1 of the 13 calibration shapes are the same as" in by_content.stderr
    assert not (tmp_path / "x.safetensors").exists()


def test_files_are_joined_without_their_thresholds(saved: Path, tmp_path: Path) -> None:
    lamps = tmp_path / "lamps"
    for seed in range(2):
        write_shape(lamps / "lamp" / f"{seed}.npy", "lamp", seed)
    (lamps / "lamp" / "bad.ply").write_text("no")
    more, both = tmp_path / "lamps.safetensors", tmp_path / "both.safetensors"
    made = run("known", "save", "--examples", lamps, "--patches", "--model", "tiny", "--out", more)
    assert made.exit_code == 1 and "bad.ply" in made.stderr and more.exists()
    found = run_json("known", "join", saved, more, "--out", both)
    assert [one["name"] for one in found["classes"]] == ["chair", "thing", "lamp"] and found["threshold"] is None
    assert KnownClasses.load(both).names == ("chair", "thing", "lamp")
    assert "no threshold" in run("known", "show", both).stdout
    twice = run("known", "join", saved, saved, "--out", both)
    assert twice.exit_code == 2 and "each class once" in twice.stderr


@pytest.mark.parametrize(
    "words, message",
    [
        (["save", "--known", "chair", "--out", "x.npz"], ".safetensors"),
        (["save", "--out", "x.safetensors"], "no known classes"),
        (
            ["save", "--known", "chair", "--patches", "--known-up", "z", "--out", "x.safetensors"],
            "--known-up was given without",
        ),
        (
            ["save", "--known", "chair", "--patches", "--out", "x.safetensors"],
            "--patches was given without example files",
        ),
        (["show", "gone.safetensors"], "gone.safetensors"),
        (["save", "--known", "chair"], "parameter --out requires an argument"),
    ],
)
def test_wrong_usage_of_known(words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("known", *words)
    assert result.exit_code == 2 and message in " ".join(result.stderr.split())
    assert not list(tmp_path.iterdir())


def test_names_that_are_left_out_beside_examples_are_said(folder: Path, tmp_path: Path) -> None:
    words = ["--known", "chair", "--examples", folder / "examples", "--model", "tiny", "--readers", "0"]
    said = run("known", "save", *words, "--out", tmp_path / "k.safetensors").stderr
    assert "only examples are saved" in said and "--method rank_fusion" in said
