"""openshape-ood scene and show: a scan from a file, a generated room, pictures of what was saved."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from cli_runs import run

from openshape_ood.scenes import Scene, save_scene
from openshape_ood.shapes.ply import ply_bytes
from openshape_ood.synthetic import sample

NAMES = ["--known", "chair", "sofa"]


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    chair, guitar = (sample(name, 1200, seed=1)[:, [0, 2, 1]] for name in ("chair", "guitar"))
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
    assert "comment up z" in (out / "novelty.ply").read_bytes()[:2000].decode("latin-1")
    done = run("show", scan, "--color", "novelty")
    assert done.exit_code == 2
    assert "no column 'novelty'" in done.stderr.replace("\n", " ")


def test_a_scan_in_millimeters_or_on_its_side_is_said(scan, tmp_path):
    rng = np.random.default_rng(0)
    floor, wall = rng.random((900, 3)) * [4, 0, 3], rng.random((500, 3)) * [4, 2, 0]  # y up
    thing = sample("chair", 900, seed=1) + [2, 0, 1.5]
    points = np.concatenate([floor, wall, thing])
    large, turned = tmp_path / "large.npz", tmp_path / "turned.npz"
    np.savez(large, points=points * 1000)
    np.savez(turned, points=points)
    done = run("scene", large, *NAMES, "--threshold", "0.8")
    assert done.exit_code == 2
    assert "give --unit mm (or" in " ".join(done.stderr.split())
    done = run("scene", turned, *NAMES, "--threshold", "0.8", "--proposals", "contact")
    assert done.exit_code == 0
    assert "warning: turned.npz was read with z up, but looks like a room with y up" in " ".join(done.stderr.split())
    done = run("scene", large, *NAMES, "--threshold", "0.8", "--unit", "mm", "--up", "y", "--json")
    assert done.exit_code == 0 and done.stderr == ""
    assert {plane["kind"] for plane in json.loads(done.stdout)["layout"]} >= {"floor"}


def test_what_cannot_be_is_said_first(scan, tmp_path):
    assert "generated categories" in run("scene", "--known", "quark").stderr.replace("\n", " ")
    for decision in ("--threshold", "--coverage"):
        sized = run("scene", scan, *NAMES, "--size-weight", "0.1", decision, "0.8")
        assert sized.exit_code == 2
        assert "without sizes" in sized.stderr.replace("\n", " ")
    sized = run("scene", scan, *NAMES, "--size-weight", "0.1", "--proposals", "contact")
    assert "no threshold is made with --size-weight" in sized.stdout and "--calibrate" not in sized.stdout
    generated = run("scene", *NAMES, "--unit", "mm")
    assert generated.exit_code == 2
    assert "of a FILE, and none is given" in generated.stderr.replace("\n", " ")
    assert run("show", tmp_path / "nothing.ply").exit_code == 2


def test_show_asks_the_file_for_its_axis(tmp_path):
    chair = sample("chair", 300, seed=1)
    rows = np.zeros(300, dtype=[(axis, "<f4") for axis in "xyz"])
    rows["x"], rows["y"], rows["z"] = chair.T
    heights = []
    for comments, words in (["up y"], []), ([], []), (["up y"], ["--up", "z"]):
        (tmp_path / "a.ply").write_bytes(ply_bytes(rows, comments))
        assert run("show", tmp_path / "a.ply", *words, "--out", tmp_path / "a.html").exit_code == 0
        heights.append(
            re.search(r'"aspectratio":{"x":[^,]+,"y":[^,]+,"z":([^}]+)}', (tmp_path / "a.html").read_text())[1]
        )
    assert heights[0] != heights[1] == heights[2]
