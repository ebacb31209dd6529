"""openshape-ood relevancy: a sheet, a table and arrays of an image, with a small made-up model."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import open_clip
import pytest
from cli_runs import run, run_json
from made_up_clip import CONFIG, clip
from made_up_completion import write_completion_row
from PIL import Image
from safetensors.torch import save_file

from openshape_ood.synthetic.views import room_view
from openshape_ood.views.affinities import Affinities


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options that name it."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "made-up.json").write_text(CONFIG, encoding="utf-8")
    open_clip.add_model_config(folder)
    path = folder / "weights.safetensors"
    save_file({key: value.contiguous() for key, value in clip().state_dict().items()}, path)
    return ["--model", "made-up", "--checkpoint", str(path), "--device", "cpu"]


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path / "cache"))
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "image.png")
    return tmp_path / "image.png"


def test_a_sheet_a_table_and_arrays(image: Path, model: list[str], tmp_path: Path) -> None:
    out, asked = tmp_path / "found", ["--names", "chair", "brown lamp", "--preset", "chefer_et_al"]
    told = run_json("relevancy", image, *asked, "--known", "chair", "--out", out, *model)
    assert [one["name"] for one in told["names"]] == ["chair", "brown lamp"]
    assert [Path(path).name for path in told["written"]] == ["relevancies.npz", "novelty.png", "relevancies.png"]
    found = Affinities.load(out / "relevancies.npz")
    assert found.values.shape == (2, 20, 30)
    assert told["names"][1]["peak"] == pytest.approx(float(found["brown lamp"].max()))
    row, column = told["names"][0]["row"], told["names"][0]["column"]
    assert found["chair"][row, column] == found["chair"].max()
    with Image.open(out / "relevancies.png") as sheet:
        assert min(sheet.size) > 200
    done = run("relevancy", image, *asked, "--prompts", "a {}.", "one {} here", "--background", "wall", *model)
    assert done.exit_code == 0, done.output
    assert "brown lamp" in done.stdout
    assert "30 x 20 pixels, preset chefer_et_al, by made-up/weights.safetensors" in done.stdout  # not openai's
    assert told["provenance"]["identity"]["checkpoint"] == "made-up/weights.safetensors"


def test_without_an_image_a_generated_room_is_searched(image: Path, model: list[str], tmp_path: Path) -> None:
    done = run("relevancy", "--out", tmp_path / "found", "--preset", "chefer_et_al", *model)
    assert done.exit_code == 0, done.output
    assert "no IMAGE: a generated room with sofa, bed, chair" in " ".join(done.stderr.split())
    assert "generated room: 448 x 336 pixels" in done.stdout
    assert Affinities.load(tmp_path / "found" / "relevancies.npz").names == ("chair", "table", "sofa", "bed", "lamp")
    told = run_json("relevancy", "--names", "window", "--preset", "chefer_et_al", *model)
    assert [one["name"] for one in told["names"]] == ["window"]


def test_a_published_scene_is_viewed_with_its_own_names_and_questions(
    image: Path, model: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(write_completion_row(tmp_path)))
    view = room_view(3, categories=["chair", "table"], objects=3, size=(48, 64)).view
    scene = {"rgb": np.rint(view.rgb * 255).astype(np.uint8), "depth": np.nan_to_num(view.depth)}
    scene |= {"cam_intr": view.intrinsics.copy(), "cam_extr": view.pose.copy()}
    scene |= {
        "ovssc_obj_classes": ["chair", "table"],
        "descriptions": [["lamp", "on", "table"], ["cat", "near", "mat"]],
    }
    path = tmp_path / "scene.pkl"
    path.write_bytes(pickle.dumps(scene, protocol=4))
    small = [path, "--completion", "small", "--side", "12", *model]
    done = run("view", *small, "--json")
    assert done.exit_code == 0, done.stderr
    names = [one["name"] for one in json.loads(done.stdout)["found"]]
    assert names[:3] == ["chair", "table", "lamp"] and "lamp on table" in names
    told = " ".join(done.stderr.split())
    assert "names of the file: chair, table" in told and "questions of the file: lamp on table" in told
    assert "1 of the file's questions are dropped" in told
    own = run_json("view", *small, "--names", "sofa", "--locate", "cup; on; sofa")
    assert [one["name"] for one in own["found"]][:2] == ["sofa", "cup"]
    masks = tmp_path / "masks.npz"
    np.savez(masks, table=view.seen, lamp=view.seen, bed=view.seen)
    given = run_json("view", *small[:-6], "--masks", masks)
    assert {"table", "lamp", "bed", "lamp on table"} <= {one["name"] for one in given["found"]}
    assert "chair" not in {one["name"] for one in given["found"]}


@pytest.mark.parametrize(
    "words, told",
    [
        ([], "there are no class names"),
        (["--names", "chair", "chair"], "are the same"),
        (["--names", "chair", "--preset", "best"], "unknown preset 'best'; known: ours, chefer_et_al, quick"),
        (
            ["--names", "chair", "--known", "sofa"],
            "--known has 'sofa', which is not among --names. Expected one of chair",
        ),
        (["--names", "chair", "--prompts", "a photo"], "Expected a string with exactly one {}"),
    ],
)
def test_wrong_usage(image: Path, model: list[str], words: list[str], told: str) -> None:
    done = run("relevancy", image, *words, *model)
    assert done.exit_code == 2
    assert told in done.stderr.replace("\n", " ")
