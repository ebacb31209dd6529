"""`python -m benchmarks objects`: the two layouts of a folder, objects from one side, and the figures."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from benchmarks.object_pack import read_pack
from benchmarks.questions import objects
from openshape_ood.errors import InputError
from openshape_ood.synthetic import sample

CLASSES = ("bottle", "chair", "guitar", "lamp")


def write_pack(folder: Path, each: int = 4, points: int = 256) -> Path:
    titles = [name for name in CLASSES for _ in range(each)]
    clouds = np.stack([sample(name, points, seed=i)[:, :3] for i, name in enumerate(titles)])
    np.savez(folder / "objects.npz", xyz=clouds.astype(np.float16), rgb=np.full(clouds.shape, 102, np.uint8))
    with (folder / "objects.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "name", "coarse", "source"])
        writer.writerows([i, f"a {name}", name, "here"] for i, name in enumerate(titles))
    return folder


def test_a_pack_is_read(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path))
    assert len(pack.clouds) == 16 and pack.clouds[0].shape == (256, 6)
    assert pack.classes[4] == "chair" and pack.names[4] == "a chair" and set(pack.sources) == {"here"}
    assert pack.clouds[0][0, 3] == pytest.approx(0.4)
    assert sorted(set(pack.of(pack.classes != "lamp").classes)) == ["bottle", "chair", "guitar"]
    assert not pack.with_at_least(5).clouds


def test_subfolders_are_classes(tmp_path: Path) -> None:
    for name in CLASSES:
        (tmp_path / name).mkdir()
        trimesh.PointCloud(sample(name, 100, seed=0)[:, :3]).export(tmp_path / name / "one.ply")
    pack = read_pack(tmp_path)
    assert pack.classes.tolist() == list(CLASSES) and set(pack.sources) == {tmp_path.name}


@pytest.mark.parametrize("damage", ["no lines", "few lines", "no column", "no array", "shapes", "no zip", "empty"])
def test_what_is_wrong_with_a_folder_is_named(damage: str, tmp_path: Path) -> None:
    write_pack(tmp_path)
    table, arrays = tmp_path / "objects.csv", tmp_path / "objects.npz"
    lines = table.read_text().splitlines(keepends=True)
    if damage in ("no lines", "few lines", "no column"):
        kept = {
            "no lines": lines[:1],
            "few lines": lines[:5],
            "no column": [lines[0].replace("coarse", "c"), *lines[1:]],
        }
        table.write_text("".join(kept[damage]))
    elif damage == "no zip":
        arrays.write_bytes(b"PK\x03\x04 cut off")
    elif damage == "empty":
        table.unlink()
    else:
        rgb = {"rgb": np.zeros((16, 9, 3), np.uint8)} if damage == "shapes" else {}
        np.savez(arrays, xyz=np.zeros((16, 8, 3)), **rgb)
    with pytest.raises(InputError, match=r"[Ee]xpected"):
        read_pack(tmp_path)


def test_one_side_of_a_ball_is_seen() -> None:
    ball = np.random.RandomState(0).normal(size=(2000, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    cloud = np.hstack([ball, np.full((2000, 3), 0.4)]).astype(np.float32)
    seen = objects.one_sided(cloud, 5)
    middle = seen[:, :3].mean(axis=0)
    toward = middle / np.linalg.norm(middle)
    assert (seen[:, :3] @ toward).min() > 0.25  # a camera at 2.5 radii sees down to 0.4
    assert 300 < len(seen) < 800 and toward[1] > -0.05
    assert np.array_equal(seen, objects.one_sided(cloud, 5)) and not np.array_equal(seen, objects.one_sided(cloud, 6))


def test_distances_of_pairs_know_a_stick_from_a_ball_of_any_size() -> None:
    random = np.random.RandomState(0)
    ball, stick = random.normal(size=(500, 3)), random.uniform(size=(500, 3)) * [1, 0.01, 0.01]
    first, other = (objects.pair_distances(cloud, 0) for cloud in (ball, stick))
    assert np.abs(first - other).sum() > 0.3
    assert np.abs(first - objects.pair_distances(7 * ball, 0)).sum() < 1e-9


def test_figures_of_a_perfect_answer() -> None:
    classes = np.array(["chair", "lamp", "boat", "boat"])
    found = objects.figures(
        np.array(["chair", "lamp", "lamp", "chair"]), np.array([0, 0, 1, 1]), classes, ["chair", "lamp"]
    )
    assert found == {"accuracy": 1.0, "auroc": 1.0, "fpr95": 0.0}


def test_examples_are_not_judged_and_half_of_the_classes_are_known() -> None:
    classes = np.repeat(list(CLASSES), 5)
    known, examples = objects.split(classes, 0)
    assert len(known) == 2 and examples.shape == (2, 3) and len(np.unique(examples)) == 6
    assert all(set(classes[own]) == {name} for name, own in zip(known, examples, strict=True))
    assert any(objects.split(classes, seed)[0] != known for seed in range(1, 5))


def test_a_small_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_pack(data, each=5)
    argv = [str(data), "--seeds", "0", "1", "--at-least", "4", "--quiet", "--draws", "20", "--out", str(tmp_path)]
    assert objects.main([*argv, "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "20 objects of 4 classes" in said and "3 examples, D2" in said
    report = json.loads(next(tmp_path.glob("objects-tiny-data*.json")).read_text())
    assert next(tmp_path.glob("objects-tiny-data*.png")).stat().st_size > 1000
    best = {(one["view"], one["way"]): one["auroc"]["mean"] for one in report["figures"]}
    assert len(best) == 6 and best["whole", "3 examples"] > 0.8 and report["zero_shot"]["whole"]["mean"] > 0.5
    assert objects.main([str(data), "--out", str(tmp_path)]) == 1
    assert "lower --at-least" in capsys.readouterr().err
