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
        ([], "there are no class names; expected some"),
        (["--known", "floor", "wall", "--ids", "1"], "--ids has 1 numbers for 2 classes"),
        (["--known", "chair", "--model", "tiny"], "tiny"),
        (["--known", "floor", "--up", "z"], "a generated room is in meters, z up"),
    ],
)
def test_what_cannot_be_is_said(words, said):
    done = run("segment", *words)
    assert done.exit_code == 2 and said in " ".join(done.stderr.split()), done.stderr


def test_a_file_that_is_not_there_is_said(tmp_path):
    done = run("segment", tmp_path / "none.ply", "--known", "floor")
    assert done.exit_code == 2 and "no such file" in done.stderr
