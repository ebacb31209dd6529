"""openshape-ood scene and show: a scan from a file, a generated room, pictures of what was saved."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from openshape_ood.cli.commands import app
from openshape_ood.scenes import Scene, save_scene
from openshape_ood.synthetic import sample

NAMES = ["--known", "chair", "sofa"]


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)))


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    chair, guitar = (sample(name, 3000, seed=1)[:, [0, 2, 1]] for name in ("chair", "guitar"))
    path = tmp_path_factory.mktemp("scan") / "room.ply"
    save_scene(Scene(np.concatenate([chair, guitar + [3, 0, 0]])), path)
    return path


def test_scene_writes_what_show_draws(scan, tmp_path):
    out = tmp_path / "found"
    done = run("scene", scan, *NAMES, "--proposals", "contact", "--threshold", "0.8", "--out", out, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert [one["name"] for one in told["objects"]] == ["new", "chair"]
    assert {path.rsplit("/", 1)[1] for path in told["written"]} >= {
        "scene.json",
        "objects.ply",
        "novelty.ply",
        "name.png",
    }
    for file, color in (("objects.ply", "class"), ("novelty.ply", "novelty"), ("novelty.ply", "own")):
        picture = tmp_path / f"{color}.html"
        done = run("show", out / file, "--color", color, "--out", picture)
        assert done.exit_code == 0, done.output
        assert "plotly" in picture.read_text(encoding="utf-8")[:10_000]
    assert "chair" in (tmp_path / "class.html").read_text(encoding="utf-8")[-200_000:]
    done = run("show", scan, "--color", "novelty")
    assert done.exit_code == 2
    assert "no column 'novelty'" in done.stderr.replace("\n", " ")


def test_what_cannot_be_is_said_first(scan, tmp_path):
    assert "generated categories" in run("scene", "--known", "quark").stderr.replace("\n", " ")
    sized = run("scene", scan, *NAMES, "--size-weight", "0.1", "--threshold", "0.8")
    assert sized.exit_code == 2
    assert "without sizes" in sized.stderr.replace("\n", " ")
    assert run("show", tmp_path / "nothing.ply").exit_code == 2
