"""openshape-ood view, with a made-up completion network."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cli_runs import run, run_json
from made_up_completion import write_completion_row
from PIL import Image

from openshape_ood import plots
from openshape_ood.errors import OfflineError
from openshape_ood.synthetic.views import RoomView, room_view
from openshape_ood.views import save_view
from openshape_ood.views.affinities import Affinities


@pytest.fixture(scope="module")
def made() -> RoomView:
    return room_view(3, categories=["chair", "table"], foreign=["bicycle"], objects=3)


@pytest.fixture
def folder(made: RoomView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(write_completion_row(tmp_path)))
    folder = save_view(made.view, tmp_path / "view")
    masks = {name: made.mask(name) for name in ("chair", "table", "lamp")}
    np.savez(folder / "masks.npz", **masks)
    Affinities.from_masks(np.stack(list(masks.values())), list(masks)).save(folder / "affinities.npz")
    return folder


SMALL = ["--completion", "small", "--side", "12"]


def test_files_by_masks_and_by_affinities(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openshape_ood.plots.film", partial(plots.film, frames=2))  # as it takes long
    out = tmp_path / "found"
    how = [folder / "rgb.png", "--depth", folder / "depth.png", "--camera", folder / "camera.json", *SMALL]
    told = run_json("view", *how, "--masks", folder / "masks.npz", "--known", "chair", "table", "--out", out)
    assert [one["status"] for one in told["found"]][:3] == ["known", "known", "not known"]
    names = {Path(path).name for path in told["written"]}
    assert {"view.json", "affinities.npz", "view.png", "view.html", "view.gif"} <= names
    assert told["found"] == json.loads((out / "view.json").read_text())["found"]
    again = run_json("view", folder, *SMALL, "--affinities", folder / "affinities.npz", "--names", "table", "chair")
    assert [one["name"] for one in again["found"]][:2] == ["table", "chair"]
    assert again["found"][0]["liters"] == told["found"][1]["liters"]


def test_a_film_in_mp4(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setattr("openshape_ood.plots.film", partial(plots.film, frames=2))
    how = [folder / "rgb.png", "--depth", folder / "depth.png", "--camera", folder / "camera.json", *SMALL]
    how += ["--masks", folder / "masks.npz", "--film", "mp4"]
    assert str(tmp_path / "view.mp4") in run_json("view", *how, "--out", tmp_path)["written"]
    assert not (tmp_path / "view.gif").exists()
    assert "mp4 needs pip install 'openshape-ood[film]'" in " ".join(
        run("view", "--help").stdout.replace("│", " ").split()
    )
    refused = run("view", *how)
    assert refused.exit_code == 2 and "--film mp4 was given without --out" in " ".join(refused.stderr.split())


def test_clip_that_cannot_be_had(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise OfflineError("cannot reach the Hub. Give --checkpoint FILE.")

    monkeypatch.setattr("openshape_ood.views.relevancy.relevancy.load_clip", missing)
    done = run("view", folder, *SMALL, "--names", "chair")
    words = " ".join(done.stderr.split())
    assert done.exit_code == 2 and words.endswith(
        "--checkpoint FILE. To work without CLIP, give --masks FILE.npz or --affinities FILE.npz."
    )


def test_from_nothing(folder: Path) -> None:
    done = run("view", "--names", "chair", "table", *SMALL)
    assert done.exit_code == 0, done.output
    assert "a generated room of chair, table, and one bicycle" in done.stderr
    assert "192 x 144 pixels" in done.stdout and "completed by small" in done.stdout


def test_what_is_lacking_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(folder))
    monkeypatch.setenv("HF_HUB_CACHE", str(folder / "hub"))
    masks = ["--masks", folder / "masks.npz"]
    relations = ["--locate", "lamp; behind; chair", "--relations", "semabs-vool"]
    for words, said in (
        ([folder, *masks, *relations], "semantic-abstraction.cs.columbia.edu"),
        ([folder, *masks, "--locate", "lamp; behind; chair", "--relations", "small"], "was not trained on relations"),
        ([folder, *masks, "--locate", "lamp behind chair"], "Expected 'target; relation; reference'"),
        ([folder, *masks, "--locate", "lamp; beside; chair"], "unknown relation 'beside'; known: in, behind"),
        ([folder, *masks, "--names", "sofa"], "there are no affinities to 'sofa'. Expected one of chair, table, lamp"),
        ([folder, *masks, "--known", "sofa"], "there are no affinities to 'sofa'"),
        ([folder], "there are no class names"),
        ([folder, *masks, "--affinities", folder / "affinities.npz"], "Leave one out"),
        (["--masks", folder / "masks.npz"], "without an image. Expected FILE too"),
        (["--depth-scale", "1000"], "without an image. Expected FILE too"),
        ([folder, *masks, "--checkpoint", "clip.pt"], "--checkpoint was given with --masks"),
        (
            [folder, *masks, "--preset", "paper", "--model", "ViT-B-16"],
            "--preset, --model was given with --masks",
        ),
        (["--checkpoint", "clip.pt", "--names", "chair"], "--checkpoint was given without an image"),
        ([folder, *masks, "--relations", "small"], "was given without --locate"),
        (["--names", "quark"], "--names has no generated category"),
        ([folder, "--masks", folder / "affinities.npz"], "Expected one array (h, w) per name"),
        ([folder, "--masks", folder / "rgb.png"], "holds no masks, or is damaged"),
    ):
        done = run("view", *words, *SMALL)
        assert done.exit_code == 2, done.output
        assert said in done.stderr.replace("\n", " "), done.stderr


def test_relations_are_located(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = write_completion_row(tmp_path, "related", "relation")
    both = tmp_path / "both.toml"
    both.write_text((tmp_path / "small.toml").read_text() + "\n" + rows.read_text())
    asked = [
        folder,
        "--masks",
        folder / "masks.npz",
        *SMALL,
        "--locate",
        "lamp; behind; chair",
        "--relations",
        "related",
    ]
    monkeypatch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(both))
    told = run_json("view", *asked)
    assert [one["status"] for one in told["found"] if one["name"] == "lamp behind chair"] == ["located"]
    assert told["provenance"]["relations"]["identity"]["checkpoint"] == "related"


def test_names_are_counted_as_many_as_there_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openshape_ood.cli.console.SECONDS", 0.0)  # a line a step
    done = run("view", folder, "--masks", folder / "masks.npz", *SMALL)
    assert "names: 1 of 3, about" in done.stderr and "names: 2 of 3, about" in done.stderr, done.stderr


def test_bad_input(folder: Path, made: RoomView) -> None:
    masks = ["--masks", folder / "masks.npz"]
    camera = json.loads((folder / "camera.json").read_text())
    with Image.open(folder / "depth.png") as image:
        depth = np.asarray(image)

    def done(words: list[str] | None = None, **changed: object) -> str:
        told = {key: value for key, value in (camera | changed).items() if value is not None}
        (folder / "camera.json").write_text(json.dumps(told))
        result = run("view", folder, *masks, *SMALL, *(words or []))
        return f"{result.exit_code} " + " ".join(result.stderr.split())

    assert done(depth_scale=1).startswith("2 ") and "Divide millimeters by 1000" in done(depth_scale=1)
    assert "taken as millimeters. If this is right, give --depth-scale 1000" in done(depth_scale=None)
    assert "warning" not in done(["--depth-scale", "1000"], depth_scale=None)
    turned = np.array(camera["pose"]) * 2
    turned[3] = [0, 0, 0, 1]
    assert "the pose scales by 2" in done(pose=turned.tolist())
    away = np.array(camera["pose"])
    away[2, 3] += 50
    assert "Expected a floor at z = 0" in done(pose=away.tolist())
    (folder / "camera.json").write_text(json.dumps(camera))
    Image.fromarray(np.zeros_like(depth)).save(folder / "depth.png")
    assert "is in the box" in done() or "no pixel has a depth" in done()
    Image.fromarray(depth[::2]).save(folder / "depth.png")
    assert "the image is 96 x 72, the depth 96 x 36" in done()
