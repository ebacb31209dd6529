"""openshape-ood surface: folders of images and clouds are learned and scored, and what cannot be is said."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from cli_runs import run, run_json
from PIL import Image

from openshape_ood.errors import FileError
from openshape_ood.shapes.formats.ply import ply_bytes
from openshape_ood.surfaces import SurfaceModel, competition, inputs
from openshape_ood.synthetic import sample


def write_image(path, seed, hole=False, spot=0):
    waves = 120 + 60 * np.sin(np.linspace(0, 6, 32))[None, :, None] + np.zeros((24, 32, 3))
    waves += np.random.default_rng(seed).normal(0, 4, waves.shape)
    waves[8:14, 10:16] = 20 if hole else waves[8:14, 10:16]
    waves[8:14, 10:16] += spot
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(waves.clip(0, 255).astype(np.uint8)).save(path)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def write_sheet(path, seed, pit=False):
    rng = np.random.default_rng(seed)
    rows = np.empty(2000, [(name, "<f8") for name in ("x", "y", "z", "intensity")])
    rows["x"], rows["y"], rows["z"] = rng.uniform(0, 2, 2000), rng.uniform(0, 1.6, 2000), rng.normal(0, 0.002, 2000)
    rows["z"][np.hypot(rows["x"] - 1, rows["y"] - 0.8) < 0.2] -= 0.05 * pit
    rows["intensity"] = rng.gamma(9, 50, 2000)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ply_bytes(rows))


@pytest.fixture(scope="module")
def of_images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for seed in range(20):
        write_image(folder / "good" / f"{seed:02}.png", seed)
    told = run_json("surface", "fit", folder / "good", "--out", folder / "model", "--size", "16")
    assert told["data"]["kind"] == "images" and len(told["good"]) == 20 and told["threshold"]["coverage"] > 0.95
    return folder


def test_a_folder_of_images_is_scored(of_images, tmp_path):
    write_image(tmp_path / "test" / "crack" / "000.png", 50, hole=True)
    write_image(tmp_path / "test" / "good" / "000.png", 51)
    (tmp_path / "test" / "broken.png").write_bytes(b"no image")
    done = run("surface", "score", of_images / "model", tmp_path / "test", "--out", tmp_path / "found")
    assert done.exit_code == 1  # one was no image
    assert "1 damaged, 1 good" in done.stdout and "needs 19" not in done.stderr
    rows = list(csv.DictReader((tmp_path / "found" / "scores.csv").read_text().splitlines()))
    assert [row["verdict"] for row in rows] == ["damaged", "good", ""] and "no image" in rows[2]["error"]
    told = json.loads((tmp_path / "found" / "scores.json").read_text())
    assert told["classes"] is None and len(told["failed"]) == 1
    drawn = pixels(tmp_path / "found" / "maps" / "crack" / "000.png")
    assert drawn.shape[:2] == (24, 32)
    assert np.ptp(drawn[10:12, 12:14].mean(axis=(0, 1))) > 50  # red there
    assert (tmp_path / "found" / "maps" / "good" / "000.png").exists()


def test_notes_beside_images_and_a_threshold_from_two(tmp_path):
    for seed in range(2):
        write_image(tmp_path / "good" / f"{seed}.png", seed)
    (tmp_path / "good" / "notes.txt").write_text("taken on Monday\n")
    done = run("surface", "fit", tmp_path / "good", "--out", tmp_path / "model", "--size", "16")
    assert done.exit_code == 0, done.output
    said = " ".join(done.stderr.split())
    assert "ignored text files among images" in said and "notes.txt" in said
    assert "the threshold is from 2 surfaces and keeps 67 % of good surfaces. Expected 19 or more" in said


def test_images_whose_names_differ_by_their_suffixes_have_maps_of_their_own(of_images, tmp_path):
    names = ["a.bmp", "a.png", "a.png.bmp"]
    for seed, name in enumerate(names):
        write_image(tmp_path / "test" / name, 50 + seed)
    told = run_json("surface", "score", of_images / "model", tmp_path / "test", "--out", tmp_path / "found")
    maps = {row["file"].rpartition("/")[2]: row["maps"] for row in told["files"]}
    assert sorted(maps) == names and len({path for (path,) in maps.values()}) == 3
    assert len(list((tmp_path / "found" / "maps").iterdir())) == 3


def test_what_cannot_be_is_said(of_images, tmp_path):
    model = of_images / "model"

    def said(*words):
        done = run("surface", *words)
        assert done.exit_code == 2, done.output
        return " ".join(done.stderr.split())

    write_sheet(tmp_path / "mixed" / "one.ply", 1)
    write_image(tmp_path / "mixed" / "two.png", 1)
    (tmp_path / "empty").mkdir()
    assert "is an image" in said("fit", tmp_path / "mixed", "--out", tmp_path / "m")
    assert "no image and no cloud" in said("fit", tmp_path / "empty", "--out", tmp_path / "m")
    assert "one image. Expected two" in said("fit", tmp_path / "mixed" / "two.png", "--out", tmp_path / "m")
    assert "--out FOLDER" in said("fit", of_images / "good")
    assert "00.png. Expected a folder" in said("fit", of_images / "good", "--out", of_images / "good" / "00.png")
    assert "this model is of images" in said("score", model, tmp_path / "mixed" / "one.ply")
    assert "for a model of images" in said("score", model, of_images / "good", "--known", "chair")
    for words in (("--threshold", "0.3"), ("--calibrate-by", "folder")):
        assert f"{words[0]} was given without known classes" in said("score", model, *words)
    assert "Expected files to score" in said("score", model)
    assert "holds no surface.safetensors. Expected" in said("score", tmp_path / "empty", of_images / "good")
    for words, told in (
        (
            ["mean", "--steps", "5"],
            "--steps was given with --reconstructor mean. Expected the reconstructor unet or crn",
        ),
        (["unet", "--weights", "1", "0", "0"], "--weights was given with --reconstructor unet. Expected"),
        (["crn", "--depth", "4"], "depth is 4. Expected"),
        (["crn", "--rate", "0"], "rate is 0.0. Expected"),
    ):
        assert told in said("fit", of_images / "good", "--out", tmp_path / "m", "--reconstructor", *words)
    none = said("fit", of_images / "good", "--out", tmp_path / "m", "--units", "2")
    assert "--units was given without --reconstructor. Expected the reconstructor crn" in none
    deep = pixels(of_images / "good" / "00.png")[..., 0].astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert "is of uint16, but the good images are of uint8" in said("score", model, tmp_path / "deep.png")


def write_pairs(folder, count, bad=False, words=("height", "intensity")):
    rng = np.random.default_rng(count)
    for i in range(count):
        for side, word in zip(("height_files", "intensity_files"), words, strict=True):
            gray = rng.integers(90, 110, (24, 32)).astype(np.uint8)
            gray[8:14, 10:16] = 200 if bad else 100
            (folder / side).mkdir(parents=True, exist_ok=True)
            Image.fromarray(gray).save(folder / side / f"{i:03}{word}.png")


def test_a_road_data_set_is_learned_as_pairs(tmp_path):
    write_pairs(tmp_path / "roads" / "good_ones", 20)
    write_pairs(tmp_path / "roads" / "bad_ones", 2, True, ("", ""))
    done = run("surface", "fit", tmp_path / "roads", "--out", tmp_path / "model", "--size", "16")
    assert done.exit_code == 0, done.output
    assert "20 pairs of height and intensity, paired by sorted order, as no name is on both sides" in done.stdout
    assert "patches on pairs: tiles of 2 × 16 × 16" in done.stdout
    assert "ignored 2 pairs in bad_ones" in " ".join(done.stderr.split())
    found = run("surface", "score", tmp_path / "model", tmp_path / "roads" / "bad_ones", "--out", tmp_path / "found")
    assert "2 pairs of height and intensity, paired by their names" in found.stdout
    assert "2 damaged, 0 good" in found.stdout
    assert pixels(tmp_path / "found" / "maps" / "001.png").shape[:2] == (24, 32)
    told = run_json("surface", "score", tmp_path / "model", tmp_path / "roads")
    assert told["pairs"] == {"order": 20, "names": 2} and told["model"]["data"]["kind"] == "pairs"
    refused = run("surface", "score", tmp_path / "model", tmp_path / "roads", "--known", "chair")
    assert refused.exit_code == 2 and "for a model of pairs" in " ".join(refused.stderr.split())
    (tmp_path / "roads" / "bad_ones" / "height_files" / "000.png").unlink()
    alone = run("surface", "score", tmp_path / "model", tmp_path / "roads")
    assert alone.exit_code == 2 and "000 of intensity_files, which has no partner" in " ".join(alone.stderr.split())


def test_plain_images_of_bad_ones_are_not_learned(tmp_path):
    for kind, count in (("good_ones", 3), ("bad_ones", 2)):
        for i in range(count):
            folder = tmp_path / "panoramas" / kind / f"{i:03}"  # also further down
            folder.mkdir(parents=True)
            Image.fromarray(np.full((24, 32), 90 + i, np.uint8)).save(folder / f"{kind}{i}.png")
    words = ["--out", tmp_path / "model", "--size", "16", "--reconstructor", "mean"]
    done = run("surface", "fit", tmp_path / "panoramas", *words)
    assert done.exit_code == 0, done.output
    assert "ignored 2 images in bad_ones" in " ".join(done.stderr.split())
    assert "of good samples like the 3 used for calibration" in " ".join(done.stdout.split())
    words[1] = tmp_path / "other"
    alone = run("surface", "fit", tmp_path / "panoramas" / "bad_ones", *words)
    assert alone.exit_code == 0 and "ignored" not in alone.stderr, alone.output


def test_the_settings_of_a_training_are_kept(of_images, tmp_path):
    words = ["--steps", "2", "--batch", "4", "--rate", "0.001", "--optimizer", "adamw", "--rate-schedule", "cosine"]
    words += ["--width", "2", "--depth", "5", "--units", "3", "--norm", "batch", "--weights", "1", "0.5", "0.25"]
    words += ["--margin", "0.1", "--size", "32", "--device", "cpu"]
    run_json("surface", "fit", of_images / "good", "--out", tmp_path / "model", "--reconstructor", "crn", *words)
    kept = SurfaceModel.load(tmp_path / "model", device="cpu").reconstructor.get_params()
    own = {"steps": 2, "batch": 4, "rate": 0.001, "optimizer": "adamw", "rate_schedule": "cosine", "width": 2}
    own |= {"depth": 5, "units": 3, "norm": "batch", "weights": (1.0, 0.5, 0.25), "margin": 0.1}
    assert {name: kept[name] for name in own} == own
    words[words.index("--margin") + 1] = "none"
    run_json("surface", "fit", of_images / "good", "--out", tmp_path / "other", "--reconstructor", "crn", *words)
    assert SurfaceModel.load(tmp_path / "other", device="cpu").reconstructor.margin is None


def test_clouds_are_scored_colored_and_drawn_large_ones_in_blocks(tmp_path, monkeypatch):
    for seed in range(3):
        write_sheet(tmp_path / "good" / f"{seed}.ply", seed)
    write_sheet(tmp_path / "bad.ply", 9, pit=True)
    done = run("surface", "fit", tmp_path / "good", "--out", tmp_path / "model", "--size", "16", "--folds", "2")
    assert done.exit_code == 0 and "is from 3 surfaces and keeps 75 %" in " ".join(done.stderr.split())
    words = ["surface", "score", tmp_path / "model", tmp_path / "bad.ply"]
    (first,) = run_json(*words)["files"]
    monkeypatch.setattr(inputs, "LARGE_ELSE", 0)
    monkeypatch.setattr(SurfaceModel, "score", None)  # would read all of it
    (second,) = run_json(*words, "--out", tmp_path / "found")["files"]
    assert {**run_json(*words)["files"][0], "maps": second["maps"]} == second
    assert first["verdict"] == "damaged" and second["novelty"] == pytest.approx(first["novelty"], rel=1e-5)
    assert {path.name for path in (tmp_path / "found" / "maps").iterdir()} == {"bad.ply", "bad.png"}
    monkeypatch.undo()
    np.save(tmp_path / "bare.npy", np.random.default_rng(0).random((2000, 3)) * [2, 1.6, 0.01])
    bare = run("surface", "score", tmp_path / "model", tmp_path / "bare.npy")
    assert bare.exit_code == 2 and "has no intensity" in " ".join(bare.stderr.split())


def test_the_class_is_told_beside_the_surface(tmp_path):
    from openshape_ood.synthetic import generate

    mesh = generate("chair", 3)
    for seed in range(4):
        (tmp_path / "good").mkdir(exist_ok=True)
        np.save(tmp_path / "good" / f"{seed}.npy", sample(mesh, 4000, seed))
    (tmp_path / "test").mkdir()
    np.save(tmp_path / "test" / "chair.npy", sample(mesh, 4000, 9))
    np.save(tmp_path / "test" / "guitar.npy", sample("guitar", 4000, 1))
    run_json("surface", "fit", tmp_path / "good", "--out", tmp_path / "model", "--reconstructor", "pca", "--size", "32")
    words = ["--known", "chair", "table", "--model", "tiny", "--threshold", "0.8"]
    told = run_json("surface", "score", tmp_path / "model", tmp_path / "test", *words, "--out", tmp_path / "found")
    assert len(told["written"]) == 6 and (tmp_path / "found" / "maps" / "guitar.ply").exists()
    rows = {row["file"].rsplit("/", 1)[1]: row for row in told["files"]}
    assert rows["chair.npy"]["class"] == "chair" and rows["chair.npy"]["class_verdict"] == "known"
    assert rows["guitar.npy"]["class_verdict"] == "novel" and rows["guitar.npy"]["verdict"] == "damaged"
    assert told["classes"]["threshold"]["value"] == 0.8 != told["model"]["threshold"]["value"]


@pytest.mark.slow
def test_without_files_roads_are_generated(tmp_path):
    told = run_json("surface", "score", "--out", tmp_path)
    verdicts = {row["file"].split(", ")[1]: row["verdict"] for row in told["files"]}
    assert verdicts["crack"] == verdicts["debris"] == "damaged" and verdicts["undamaged"] == "good"
    assert len(list((tmp_path / "maps").glob("*.ply"))) == 6


def test_a_report_shows_the_worst_first_with_its_defects(of_images, tmp_path):
    write_image(tmp_path / "test" / "<b>hole.png", 50, spot=30)
    write_image(tmp_path / "test" / "good.png", 51)
    (tmp_path / "test" / "broken.png").write_bytes(b"no image")
    run_json(
        "surface", "fit", of_images / "good", "--out", tmp_path / "model", "--size", "16", "--reconstructor", "pca"
    )
    words = ["--out", tmp_path / "found", "--report", tmp_path / "found" / "page.html", "--coverage", "0.9"]
    done = run("surface", "score", tmp_path / "model", tmp_path / "test", *words)
    assert done.exit_code == 1 and "keeps 90.5 % of" in done.stdout
    assert "90 % of the thresholds would keep between 78.4 % and 98.2 % of good surfaces" in " ".join(
        done.stdout.split()
    )
    page = (tmp_path / "found" / "page.html").read_text()
    assert page.index("&lt;b&gt;hole.png") < page.index("good.png") and "<b>hole" not in page
    assert page.count("data:image/png;base64,") == 2 and "1 could not be used" in page
    rows = list(csv.DictReader((tmp_path / "found" / "scores.csv").read_text().splitlines()))
    assert re.match(r"x \d+-\d+, y \d+-\d+, \d+ px", rows[0]["defects"]) and rows[1]["defects"] == ""
    assert rows[0]["defects"].split(";")[0] in page
    told = json.loads((tmp_path / "found" / "scores.json").read_text())
    assert told["files"][0]["defects"][0].keys() == {"box", "area", "novelty", "where", "p_value"}


def test_a_coverage_that_the_good_ones_cannot_promise_is_refused(of_images, tmp_path):
    done = run("surface", "score", of_images / "model", of_images / "good", "--coverage", "0.99")
    assert done.exit_code == 2 and "cannot promise a coverage of 0.99" in done.stderr
    told = run_json("surface", "fit", of_images / "good", "--out", tmp_path / "m", "--size", "16", "--coverage", "0.8")
    assert told["threshold"]["coverage"] == pytest.approx(17 / 21)


def test_marks_with_a_promise(of_images, tmp_path):
    words = [
        "surface",
        "fit",
        of_images / "good",
        "--out",
        tmp_path / "model",
        "--size",
        "16",
        "--reconstructor",
        "pca",
    ]
    told = run_json(*words, "--false-regions", "0.05")
    assert told["place_threshold"]["marks"]["rate"] == 0.05
    done = run("surface", "score", tmp_path / "model", of_images / "good", "--report", tmp_path / "page.html")
    assert "at most 1 in 20 known, undamaged shapes has a false region" in " ".join(done.stdout.split())
    assert "has a false region" in (tmp_path / "page.html").read_text()
    done = run(*words, "--false-points", "0.01")
    assert done.exit_code == 2 and "99 or more can" in " ".join(done.stderr.split())


CRN = ["--reconstructor", "crn", "--units", "2", "--size", "32", "--seed", "3", "--device", "cpu"]


def test_a_fit_that_was_stopped_goes_on_to_the_same_model(of_images, tmp_path, monkeypatch):
    words = ["surface", "fit", of_images / "good", *CRN, "--width", "2", "--steps", "5", "--folds", "2", "--out"]
    whole, steps, record = run_json(*words, tmp_path / "whole"), [], competition._record
    assert [one.name for one in (tmp_path / "whole").iterdir()] == ["surface.safetensors"]

    def stopped(step, *others):
        steps.append(step)
        if len(steps) == 8:
            raise FileError("stopped")
        return record(step, *others)

    monkeypatch.setattr(competition, "_record", stopped)
    assert run(*words, tmp_path / "cut").exit_code == 2
    kept = ["training-1.safetensors", "training-2.safetensors"]
    assert sorted(one.name for one in (tmp_path / "cut").iterdir()) == kept
    other = run(*words, tmp_path / "cut", "--rate", "0.01")
    assert other.exit_code == 2 and "other settings" in other.stderr
    again = run(*words, tmp_path / "cut")
    assert again.exit_code == 0 and "resuming the training in" in again.stderr
    assert steps.count(0) == 3 and 15 < len(steps) < 20  # of three trainings; no more than some steps were done again
    assert [one.name for one in (tmp_path / "cut").iterdir()] == ["surface.safetensors"]
    one, other = (SurfaceModel.load(tmp_path / name, device="cpu") for name in ("whole", "cut"))
    assert whole["identity"] == one.reconstructor.identity.sha256 == other.reconstructor.identity.sha256
    assert (one.threshold.value, one.pixel_threshold.value) == (other.threshold.value, other.pixel_threshold.value)


@pytest.mark.slow
def test_a_fit_that_was_killed_goes_on_to_the_same_model(of_images, tmp_path):
    def command(name):
        words = [sys.executable, "-m", "openshape_ood", "surface", "fit", of_images / "good", *CRN, "--steps", "60"]
        return subprocess.Popen([*map(str, words), "--out", str(tmp_path / name)], stderr=subprocess.PIPE)

    assert (whole := command("whole")).communicate() and whole.returncode == 0
    cut, state = command("cut"), tmp_path / "cut" / "training-1.safetensors"
    while not state.is_file():
        time.sleep(0.01)
    time.sleep(0.5)
    cut.kill()
    assert (
        cut.communicate()
        and cut.returncode
        and state.is_file()
        and not (tmp_path / "cut" / "surface.safetensors").is_file()
    )
    assert b"resuming the training" in (again := command("cut")).communicate()[1] and again.returncode == 0
    one, other = ((tmp_path / name / "surface.safetensors").read_bytes() for name in ("whole", "cut"))
    assert one == other
