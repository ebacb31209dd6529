"""openshape-ood segment: every point of a scan gets a name and a novelty."""

from __future__ import annotations

import numpy as np
import pytest
from cli_runs import run, run_json

from openshape_ood.shapes.formats.ply import ply_columns
from openshape_ood.synthetic.rooms import room

NAMES = ["floor", "wall", "chair", "table"]


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "room.npz"
    made = room(3, categories=["chair", "table"], color="material").scene
    np.savez(path, points=made.points[::4].astype(np.float32), color=made.color[::4])
    return path


def test_clouds_labels_and_pictures_are_written(scan, tmp_path):
    told = run_json("segment", scan, "--known", *NAMES, "--out", tmp_path / "found", "--threshold", "0.6")
    assert {row["class"] for row in told["classes"]} == set(NAMES) and told["threshold"]["value"] == 0.6
    assert sum(row["points"] for row in told["classes"]) == told["points"]
    assert told["classes"][0]["points"] == max(row["points"] for row in told["classes"])
    labels = np.array((tmp_path / "found" / "labels.txt").read_text().split(), dtype=int)
    columns = ply_columns((tmp_path / "found" / "classes.ply").read_bytes())
    novel = columns["novelty"] > 0.6
    assert len(labels) == told["points"] and (labels[novel] == 0).all() and 0 < novel.sum() < len(novel)
    assert (labels[~novel] == columns["class"][~novel] + 1).all()
    assert (tmp_path / "found" / "novelty.ply").is_file()


def test_labels_have_the_numbers_that_are_given(scan, tmp_path):
    told = run_json("segment", scan, "--known", *NAMES, "--ids", "1", "2", "5", "7", "--out", tmp_path, "--smooth", "1")
    assert told["ids"] == {"floor": 1, "wall": 2, "chair": 5, "table": 7} and told["threshold"] is None
    assert set((tmp_path / "labels.txt").read_text().split()) <= {"1", "2", "5", "7"}


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "--known is empty"),
        (["--known", "floor", "wall", "--ids", "1"], "--ids has 1 numbers for 2 classes"),
        (["--known", "chair", "--model", "tiny"], "tiny"),
        (["--known", "floor", "--up", "z"], "because a generated room is in meters with z up"),
    ],
)
def test_what_cannot_be_is_said(words, said):
    done = run("segment", *words)
    assert done.exit_code == 2 and said in " ".join(done.stderr.split()), done.stderr


def test_a_file_that_is_not_there_is_said(tmp_path):
    done = run("segment", tmp_path / "none.ply", "--known", "floor")
    assert done.exit_code == 2 and "no such file" in done.stderr


def test_marks_from_known_scans(scan, tmp_path):
    held = []
    for i in range(4):
        made = room(10 + i, categories=["chair", "table"], color="material").scene
        held.append(tmp_path / f"{i}.npz")
        np.savez(held[-1], points=made.points[::8].astype(np.float32), color=made.color[::8])
    words = ["segment", scan, "--known", *NAMES]
    told = run_json(*words, "--calibrate", *held, "--false-regions", "0.2", "--save-threshold", tmp_path / "marks.json")
    assert told["threshold"]["marks"]["rate"] == 0.2 and told["threshold"]["marks"]["shapes"] == 4
    assert "has a false region" in told["threshold"]["promise"]
    again = run_json(*words, "--threshold", tmp_path / "marks.json")
    assert again["threshold"]["value"] == told["threshold"]["value"] and again["regions"] == told["regions"]
    assert all(region["p_value"] is not None for region in told["regions"])
    assert (
        "1 in 5 known, undamaged shapes has a false region"
        in run(*words, "--threshold", tmp_path / "marks.json").stdout
    )
    for more, said in (
        (["--calibrate", held[0]], "Expected --false-points or --false-regions"),
        (["--calibrate", *held, "--false-points", "0.01"], "99 or more can"),
        (["--false-points", "0.01"], "Give --calibrate FILES"),
        (["--save-threshold", tmp_path / "x.json"], "--save-threshold was given, but there is no threshold"),
    ):
        done = run(*words, *more)
        assert done.exit_code == 2 and said in " ".join(done.stderr.split()), done.stderr
