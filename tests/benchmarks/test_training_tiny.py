"""How `tiny` is trained and measured, on a handful of shapes."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import trimesh
from safetensors import safe_open
from safetensors.numpy import load_file

from benchmarks.training import real, train_tiny, vocabulary
from openshape_ood import ShapeEncoder, TextEncoder
from openshape_ood.errors import InputError
from openshape_ood.synthetic import generate, variants


@pytest.fixture
def trained(tmp_path, monkeypatch, capsys):
    def run(name: str, *options: str):
        out = tmp_path / name
        what = ["train_tiny", "--out", str(out), "--samples", "2", "--batch-size", "2", "--workers", "0", *options]
        monkeypatch.setattr(sys, "argv", what)
        train_tiny.main()
        return out

    return run


def test_the_same_arguments_train_the_same_file(trained):
    first, again = trained("a.safetensors"), trained("b.safetensors")
    other = trained("c.safetensors", "--seed", "1")
    assert first.read_bytes()[1000:] != other.read_bytes()[1000:]
    one, two = load_file(first), load_file(again)
    assert all(np.array_equal(one[key], two[key]) for key in one)
    with safe_open(first, framework="numpy") as file:
        facts = json.loads(file.metadata()["training"])
    assert facts["categories"] == vocabulary.trained_categories()
    assert ShapeEncoder.from_pretrained("tiny", checkpoint=first, device="cpu").dim == 192


def test_a_sample_is_a_function_of_its_number():
    data = train_tiny.GeneratedShapes(["chair", "table"], 100, 64, 0.4, seed=3)
    cloud, *what = data[7]
    again, *same = train_tiny.GeneratedShapes(["chair", "table"], 100, 64, 0.4, seed=3)[7]
    assert cloud.shape == (64, 6) and what == same and np.array_equal(cloud, again)
    assert not np.array_equal(cloud, data[8][0])


def test_variants_are_counted_over_all_categories():
    data = train_tiny.GeneratedShapes(["chair", "table"], 40, 64, 0.4, seed=3)
    chairs = len(list(variants("chair")))
    seen = {(label, variant) for _, label, variant in (data[i] for i in range(40))}
    assert {label for label, _ in seen} == {0, 1} and len(seen) > 10
    assert all((variant >= chairs) == (label == 1) for label, variant in seen)
    assert data.first_variant.tolist() == [0, chairs, chairs + len(list(variants("table")))]


def test_real_shapes_are_measured_as_files_and_as_scans(tmp_path, monkeypatch):
    monkeypatch.setattr(real, "SCANS", 2)
    monkeypatch.setattr(real, "DRAWS", 5)
    for stem, category in (("Bed_01", "bed"), ("Sofa_01", "sofa"), ("Vase_01", "vase"), ("not_in_the_table", "car")):
        mesh = generate(category, 1)
        trimesh.Trimesh(mesh.vertices, mesh.faces).export(tmp_path / f"{stem}.obj")
    encoder, text = ShapeEncoder.from_pretrained("tiny", device="cpu"), TextEncoder.from_pretrained("tiny")
    found = real.figures(tmp_path, encoder, text)
    assert (found["shapes"], found["classes"], found["scans"]) == (3, 3, 3 * real.SCANS)
    assert found["accuracy"] == np.mean([row["is"] == row["found"] for row in found["each"]])
    assert found["benchmark"]["classes"] == 2  # a vase is no class of 3DOS
    assert 0 <= found["scans_auroc"] <= 1
    with pytest.raises(InputError, match=r"has none of the shapes in benchmarks/training/real\.toml"):
        real.figures(tmp_path / "nowhere", encoder, text)


def test_half_known_is_one_where_every_shape_lies_at_its_name(monkeypatch):
    monkeypatch.setattr(real, "DRAWS", 10)
    text, names = TextEncoder.from_pretrained("tiny"), ["chair", "car", "bottle", "airplane"]
    vectors, labels = text.encode(names), np.array(names)
    assert real.half_known(vectors, labels, text) == 1.0
    assert real.half_known(np.roll(vectors, 1, axis=0), labels, text) < 1.0
