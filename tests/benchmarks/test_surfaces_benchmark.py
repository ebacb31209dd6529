"""`python -m benchmarks surfaces` and the commands on published layouts: their figures, small runs, and the search."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_crn import checkpoint, written
from PIL import Image

from benchmarks.surfaces import command, contenders, generated, layouts, published, search, textures
from benchmarks.training.log import training_log
from openshape_ood import ShapeEncoder
from openshape_ood.decisions.metrics import auroc
from openshape_ood.errors import InputError
from openshape_ood.surfaces import (
    CompetitiveReconstructor,
    MeanReconstructor,
    PCAReconstructor,
    SurfaceModel,
    TokenPCA,
    competition,
    read_published,
)
from openshape_ood.surfaces.pairs import BAD, GOOD, HEIGHT, INTENSITY
from openshape_ood.synthetic.roads import DAMAGES, road_scan, road_tiles

SMALL = ["--quiet", "--draws", "20", "--steps", "2", "--width", "2", "--units", "2", "--device", "cpu"]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_the_mean_image_finds_some_damage_and_pca_nearly_all(seed: int) -> None:
    """C10."""
    train = road_tiles(200, 3 * seed)[0]
    good, bad = road_tiles(100, 3 * seed + 1)[0], road_tiles(100, 3 * seed + 2, DAMAGES)[0]
    fitted = [one.fit(train, seed=0) for one in (MeanReconstructor(), PCAReconstructor(32))]
    found = [auroc(one.score(good), one.score(bad)) for one in fitted]
    assert 0.70 <= found[0] <= 0.87 and found[1] >= 0.97


def test_the_whole_way_from_cloud_to_cloud() -> None:
    train = generated.sound_roads(3, 0)
    test = generated.joined(generated.sound_roads(1, 0, tested=True), generated.damaged_roads(4, 0, 1.0))
    assert not {id(s) for s in train.scans} & {id(s) for s in test.scans} and len(train.tiles) == len(train.owner)
    own = PCAReconstructor(16, pixel_coverage=0.99).fit(train.tiles, mask=train.mask, groups=train.owner)
    judged = generated.judge(own, test)
    found = generated.figures(judged, test, own.pixel_threshold_.value, 20)
    assert found["point_auroc"][0] > 0.9 and found["pixel_aupro"][0] > 0.7 and found["unseen"] < 0.01
    places = generated.point_places(judged, test, 0.0)
    assert len(places.novelty) == sum(len(scan.points) for scan in test.scans)
    assert np.unique(places.regions[places.regions > 0]).tolist() == [1, 2, 3, 4]  # one of each road


def test_tokens_are_judged_by_points_alone() -> None:
    encoder = ShapeEncoder.from_pretrained("tiny", device="cpu")
    patches, places = generated.seen_by(encoder, generated.sound_roads(3, 0).scans)
    test = generated.joined(generated.sound_roads(1, 0, tested=True), generated.damaged_roads(1, 0, 1.0))
    assert len(patches.features) == 3 and all(np.abs(own).max() < 1.05 for own in places)
    own = TokenPCA(4).fit(patches)
    found = generated.figures(generated.judge_tokens(own, encoder, test), test, own.pixel_threshold_.value, 20)
    assert "point_iou" in found and not any(name.startswith("pixel") for name in found) and found["unseen"] == 0


def test_who_loses_to_the_baselines_is_said_where_these_were_run() -> None:
    own, better = ({"image_auroc": (value, 0.0, 1.0)} for value in (0.4, 0.6))
    assert [line.split(":")[0] for line in command.notes({"CRN": own})] == ["CRN"]
    said = command.notes({contenders.BASELINES[0]: better, "CRN": own})
    assert said[0] == "CRN is below the best baseline: image AUROC" and "one half" in said[1]


@pytest.mark.slow
def test_a_watched_training_is_the_same_and_is_logged(tmp_path: Path) -> None:
    tiles = road_tiles(20, 5)[0]
    given = CompetitiveReconstructor(2, width=2, steps=4, batch=6, norm="batch")
    with training_log(tmp_path / "log.jsonl") as log:
        alone = contenders.fitted(given, {"normal": tiles}, 3, log, method="alone")
        watched = contenders.fitted(given, {"normal": tiles}, 3, log, tiles[:5], method="watched")
    assert (alone.reconstructor.novelty(tiles[:3]) == watched.reconstructor.novelty(tiles[:3])).all()
    assert [one.shape for one in watched.epochs] == [(5,)] and not alone.epochs
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(line["method"], line["step"]) for line in lines[3:5]] == [("alone", 4), ("watched", 1)]


def trees(root: Path, kind: str) -> None:
    """Small images of gray noise, bad ones with a white square, in the layout of `kind`."""
    random = np.random.RandomState(0)

    def save(name: str, bad: bool = False) -> None:
        pixels = random.randint(90, 110, (40, 48)).astype(np.uint8)
        truth = np.zeros_like(pixels)
        truth[10:20, 10:22] = 255
        path = root / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.where(truth, 255, pixels) if bad else pixels).save(path)
        if bad and kind == "mvtec":
            mask = root / "tile" / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(truth).save(mask)

    if kind == "mvtec":
        names = [(f"tile/train/good/{i:03d}", False) for i in range(22)]
        names += [(f"tile/test/{folder}/{i:03d}", folder != "good") for folder in ("good", "cut") for i in range(3)]
    else:
        sides = (HEIGHT, INTENSITY) if kind == "roads" else ("",)
        names = [(f"{GOOD}/{side}/{i:03d}", False) for side in sides for i in range(30)]
        names += [(f"{BAD}/{side}/{i:03d}", True) for side in sides for i in range(3)]
    for name, bad in names:
        save(name, bad)


@pytest.mark.parametrize("kind", layouts.LAYOUTS)
def test_a_command_on_a_published_layout(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees(tmp_path / "data", kind)
    argv = ["--data-root", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--size", "32", *SMALL]
    saved = ["--save", str(tmp_path / "models")]
    assert published.main(kind, [*argv, "--only", "mean", "PCA", "--maps", *saved]) == 0
    name = "mvtec-tile" if kind == "mvtec" else kind
    report = json.loads((tmp_path / "out" / f"{name}.json").read_text())
    assert report["images"]["trained"] >= 21 and list(report["figures"]) == list(contenders.BASELINES[1:])
    for figures in report["figures"].values():
        assert figures["image_auroc"][0] == 1 and ("pixel_aupro" in figures) == (kind == "mvtec")
        assert kind != "mvtec" or figures["pixel_aupro"][0] > 0.9
    rows = (tmp_path / "out" / name / "mean-image" / "scores.csv").read_text().splitlines()
    files = {row.split(",")[0] for row in rows[1:]}
    assert len(files) == len(rows) - 1 == report["images"]["good"] + report["images"]["bad"]
    assert all((tmp_path / "out" / name / "mean-image" / f"{file}.png").is_file() for file in files)
    model = SurfaceModel.load(tmp_path / "models" / name / "mean-image")
    own = layouts.mvtec(tmp_path / "data", "tile") if kind == "mvtec" else layouts.LAYOUTS[kind](tmp_path / "data")
    scored = [f"{model.score(image.source).novelty:.6g}" for image in own.test]
    assert scored == [row.split(",")[1] for row in rows[1:]]
    said = capsys.readouterr().out
    assert "good ones kept" in said
    if kind == "roads":
        assert report["pairing"] == {GOOD: "names", BAD: "names"}
        assert "height and intensity of good_ones and bad_ones are paired by their names" in said


def test_a_published_file_is_scored_beside_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openshape_ood.registry.torch_files.check", lambda path, name: None)
    trees(tmp_path / "data", "roads")
    file = written(tmp_path / "epoch=0-step=2.ckpt", checkpoint())
    argv = ["--data-root", str(tmp_path / "data"), "--out", str(tmp_path), "--only", "mean", "--compat", str(file)]
    assert published.main("roads", [*argv, "--size", "32", "--draws", "2", "--quiet"]) == 0
    figures = json.loads((tmp_path / "roads.json").read_text())["figures"]
    assert list(figures) == [published.OF_FILE, contenders.BASELINES[1]]
    rows = (tmp_path / "roads" / "crn-published-file" / "scores.csv").read_text().splitlines()
    data = layouts.load(layouts.roads(tmp_path / "data").test, 32)
    expected = read_published(file).score(data.tiles[:, [0, 1, 1]])  # as published, intensity comes twice
    assert [float(row.split(",")[1]) for row in rows[1:]] == pytest.approx(expected.tolist(), rel=1e-5)
    larger = layouts.Loaded(np.zeros((2, 3, 64, 64), np.float32), np.ones((2, 64, 64), bool), None)
    with pytest.raises(InputError, match="takes images of 32 x 32 pixels; give --size 32"):
        published.of_file(file, larger, larger, "cpu")


def test_wrong_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert published.main("roads", ["--data-root", str(tmp_path / "none")]) == 1
    assert published.main("mvtec", ["--data-root", str(tmp_path)]) == 1
    assert command.main(["--only", "nobody", "--out", str(tmp_path)]) == 1
    assert command.main(["--roads", "3"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4 and "no category" in lines[1] and "mean image" in lines[2]


@pytest.mark.slow
def test_a_small_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--out", str(tmp_path), "--roads", "8", "--tested", "8", "--seeds", "0", "1", "--compat-report", *SMALL]
    assert command.main([*argv, "--only", "mean", "CR"]) == 0
    path = next(tmp_path.glob("surfaces-generated-*.json"))
    report = json.loads(path.read_text())
    assert len(report["runs"]) == 8 and path.with_suffix(".png").is_file()
    for figures in report["figures"].values():
        assert all(0 <= low <= value <= high <= 1 for value, low, high in figures.values())
    said = capsys.readouterr().out
    assert "the published protocol reports" in said and "cable, 58 + 92 images, 2,500 epochs" in said


def test_a_search_tries_the_defaults_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")
    monkeypatch.setattr(search, "on_roads", lambda _: lambda _: 0.5)
    monkeypatch.setattr(search, "value", lambda given, *_: 1 - abs(np.log10(given["rate"] / 2e-3)))
    assert search.main(["--trials", "4", "--quiet", "--out", str(tmp_path)]) == 0
    found = json.loads(next(tmp_path.glob("surfaces-search-*.json")).read_text())
    assert len(found["trials"]) == 4 and found["best"]["aupro"] == 1 and found["best"]["settings"]["rate"] == 2e-3


@pytest.mark.parametrize("kind", layouts.LAYOUTS)
def test_a_search_on_a_data_set_opens_no_test_image(kind: str, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("optuna")
    trees(tmp_path / "data", kind)
    own = layouts.mvtec(tmp_path / "data", "tile") if kind == "mvtec" else layouts.LAYOUTS[kind](tmp_path / "data")
    for image in own.test:
        for path in (*image.files, *([image.truth] if image.truth else [])):
            path.write_bytes(b"never opened")
    words = ["--data", kind, "--data-root", str(tmp_path / "data"), "--quiet", "--out", str(tmp_path / "out")]
    words += ["--category", "tile"] if kind == "mvtec" else []
    small = ["--size", "32", "--steps", "2", "--width", "2", "--trials", "2", "--device", "cpu"]
    assert search.main([*words, *small]) == 0
    said = capsys.readouterr().out
    assert "PCA of patches, without search" in said and "no test image was opened" in said
    found = json.loads(next((tmp_path / "out").glob("*.json")).read_text())
    assert found["settings"]["data"] == own.name and found["settings"]["learned from"] < len(own.train)
    assert 0.5 < found["simple"]["PCA of patches"] <= 1
    # the words of the last line are options of the other commands
    (line,) = (line for line in said.splitlines() if line.startswith("best options"))
    parser = argparse.ArgumentParser()
    contenders.add_training(parser, 2, 2)
    given = contenders.settings(parser.parse_args(line.split(": ")[1].split()))
    assert len(given["weights"]) == 3 and ("corruption" in given) and given["rate"] > 0


def test_planted_defects_are_where_they_are_said_to_be() -> None:
    tile = np.zeros((2, 64, 64), np.float32)
    for kind in textures.DEFECTS:
        found, where = search.planted(tile, kind, np.random.RandomState(3))
        changed = np.abs(found - tile).max(axis=0)
        assert 4 < where.sum() < 64 * 64 / 4 and np.abs(found).max() <= 1
        assert changed[where].mean() > 10 * changed[~where].mean()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data-root", "."], "--data"),
        (["--data", "roads"], "--data-root DIR"),
        (["--data", "mvtec"], "--category NAME"),
    ],
)
def test_a_search_says_what_it_lacks(words: list[str], said: str, capsys: Any) -> None:
    assert search.main(words) == 1 and said in capsys.readouterr().err


@pytest.fixture(scope="module")
def brushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first of the generated textures; the others, with three times as many images, are not written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textures, "TEXTURES", {"brushed": textures.brushed})
        return textures.write_textures(tmp_path_factory.mktemp("brushed"))


@pytest.fixture
def written_once(brushed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "write_textures", lambda root, seed: brushed)


def test_without_data_textures_are_generated(brushed: Path, tmp_path: Path) -> None:
    argv = ["--out", str(tmp_path), "--category", "brushed", "--size", "64", "--only", "PCA of", *SMALL]
    assert published.main("mvtec", argv) == 0
    report = json.loads((tmp_path / "textures-brushed.json").read_text())
    assert report["images"] == {"trained": 20, "good": 10, "bad": 30}
    assert report["figures"]["PCA of patches"]["image_auroc"][0] > 0.9
    for path in (tmp_path / "textures" / "brushed").rglob("*.png"):
        assert path.read_bytes() == (brushed / path.relative_to(tmp_path / "textures")).read_bytes()


def test_every_texture_has_its_own_images_of_middle_gray() -> None:
    made = [texture(np.random.RandomState(0)) for texture in textures.TEXTURES.values()]
    assert {image.shape for image in made} == {(textures.SIDE, textures.SIDE, 3)}
    assert all(0.3 < image.mean() < 0.7 and 0.05 < image.std() < 0.2 for image in made)
    assert len({round(float(image.mean()), 6) for image in made}) == len(made) == 4


def test_an_uneven_road_is_another_road_with_the_same_damage() -> None:
    flat, uneven = (road_scan(3, "pothole", uneven=one) for one in (False, True))
    assert (flat.truth == uneven.truth).all()
    rise = (uneven.points - flat.points)[:, 2]
    assert rise.min() < -0.01 and np.abs(np.median(rise)) < 0.01


KEPT = ("crn", "crn-without-competition", "crn-published-recipe")
TUNING = ["--batch", "3", "--rate", "0.01", "--optimizer", "adamw", "--rate-schedule", "cosine", "--depth", "5"]
TUNING += ["--norm", "none", "--weights", "1", "0.5", "0.25", "--margin", "0.1"]


@pytest.mark.usefixtures("written_once")
def test_settings_of_a_training_reach_the_networks_and_the_report(tmp_path: Path) -> None:
    argv = ["--out", str(tmp_path), "--category", "brushed", "--size", "64", *SMALL, *TUNING]
    assert published.main("mvtec", [*argv, "--only", "CR", "--save", str(tmp_path / "models")]) == 0
    given = {"batch": 3, "rate": 0.01, "optimizer": "adamw", "rate_schedule": "cosine", "depth": 5, "norm": "none"}
    given |= {"weights": [1.0, 0.5, 0.25], "margin": 0.1}
    report = json.loads((tmp_path / "textures-brushed.json").read_text())
    assert {name: report["settings"][name] for name in given} == given
    tuned, plain, theirs = (
        SurfaceModel.load(tmp_path / "models" / "textures-brushed" / name).reconstructor for name in KEPT
    )
    assert (tuned.rate, tuned.optimizer, tuned.norm) == (0.01, "adamw", "none")
    assert tuned.weights == (1.0, 0.5, 0.25) and tuned.margin == 0.1
    assert (plain.rate, plain.optimizer, plain.weights) == (2e-3, "adam", (1.0, 0.0, 0.0))
    assert (theirs.rate, theirs.batch, theirs.margin) == (1e-4, 3, None)
    # a whole name is that row alone; no margin, as published
    unbound = ["--only", "CRN", "--margin", "none", "--save", str(tmp_path / "unbound")]
    assert published.main("mvtec", [*argv, *unbound]) == 0
    (folder,) = (tmp_path / "unbound" / "textures-brushed").iterdir()
    assert folder.name == "crn" and SurfaceModel.load(folder).reconstructor.margin is None


@pytest.mark.parametrize("kind", layouts.LAYOUTS)
def test_a_training_that_was_stopped_goes_on_to_the_same_report(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trees(tmp_path / "data", kind)
    argv = ["--data-root", str(tmp_path / "data"), "--size", "32", *SMALL, "--only", "denoising", "CR", "--steps", "5"]
    kept = [*argv, "--state", str(tmp_path / "states"), "--log-file", str(tmp_path / "log"), "--out"]
    assert published.main(kind, [*argv, "--out", str(tmp_path / "whole")]) == 0
    steps, record = list[int](), competition._record

    def stopped(step: int, *others: Any) -> Any:
        steps.append(step)
        if len(steps) == 8:
            raise InputError("stopped")
        return record(step, *others)

    monkeypatch.setattr(competition, "_record", stopped)
    assert published.main(kind, [*kept, str(tmp_path / "cut")]) == 1 and not list((tmp_path / "cut").glob("*.json"))
    assert published.main(kind, [*kept, str(tmp_path / "cut")]) == 0 and steps.count(0) == 4
    whole, cut = (json.loads(next((tmp_path / name).glob("*.json")).read_text()) for name in ("whole", "cut"))
    assert whole["settings"] == cut["settings"] and len(list((tmp_path / "states").iterdir())) == 4
    for name, figures in whole["figures"].items():
        assert figures | {"training": 0} == cut["figures"][name] | {"training": 0}
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["step"] for line in lines] == 4 * [1, 2, 3, 4, 5]
    assert published.main(kind, [*kept, str(tmp_path / "cut"), "--compat-report"]) == 1
    assert "--compat-report scores the networks of all epochs" in capsys.readouterr().err


@pytest.mark.usefixtures("written_once")
def test_settings_that_cannot_be_are_refused_before_anything_is_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--out", str(tmp_path), "--category", "brushed", "--size", "64", *SMALL, "--rate", "-1"]
    assert published.main("mvtec", argv) == 1
    assert "rate" in capsys.readouterr().err and not list(tmp_path.glob("*.json"))
