"""How `small` is trained: growth out of `tiny`, targets, clouds of a pack, and a run that goes on."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from benchmarks.object_pack import ObjectPack, read_pack
from benchmarks.training import evaluate_small, fpfh, small_data, small_names, train_pointnet, train_small
from openshape_ood.encoders.pointbert.network import PointBERT
from openshape_ood.errors import InputError
from openshape_ood.registry.files import fetch
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.synthetic import sample
from openshape_ood.synthetic.mesh import rotation


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """Four objects of two names of two sources."""
    names = ["chair", "pine tree", "chair", "pine tree"]
    xyz = np.stack([sample(one, 700, seed=i) for i, one in enumerate(["chair", "tree", "chair", "tree"])])
    np.savez(tmp_path / "objects.npz", xyz=xyz.astype(np.float16), rgb=np.full(xyz.shape, 90, dtype=np.uint8))
    with (tmp_path / "objects.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "coarse", "source"])
        sources = ["aws-robotics/one", "aws-robotics/one", "pmndrs/two", "pmndrs/two"]
        writer.writerows(zip(names, ["chair", "tree"] * 2, sources, strict=True))
    return tmp_path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A folder with made-up features of a few names beside those of Open Images."""
    folder = tmp_path / "clip"
    folder.mkdir()
    rows = len(small_names.OPEN_IMAGES.read_text(encoding="utf-8").splitlines())
    random = np.random.RandomState(0)
    for name, count in (("oid_clip_a+cname", rows), ("o365_clip_a+cnamefix", 1), ("lvis_v1_clip_a+cname", 2)):
        np.save(folder / f"{name}.npy", (random.normal(size=(count, 512)) + 1).astype(np.float16))
    (folder / "Objects365_names_fix.csv").write_text("1,Pool Table,Pool Table\n")
    lvis = [
        {"id": 2, "name": "arctic_(type_of_shoe)", "synonyms": ["overshoe"]},
        {"id": 1, "name": "bow_(weapon)", "synonyms": ["longbow"]},
    ]
    (folder / "lvis_v1_train_cat_info.json").write_text(json.dumps(lvis))
    return folder


def test_a_grown_network_says_what_tiny_says() -> None:
    tiny = load_file(fetch(find_checkpoint("tiny"), False))
    old = PointBERT(find_checkpoint("tiny").sizes)
    old.load_state_dict(tiny)
    network, static = train_small.grown(tiny, 0.0, 0)
    points = torch.rand(2, 256, 6) - 0.5
    with torch.no_grad():
        expected = old.eval()(points)
        network.proj = static
        network.sizes = find_checkpoint("tiny").sizes  # as many patches
        torch.testing.assert_close(network.eval()(points), expected, atol=1e-4, rtol=1e-4)


def test_names_are_found_by_their_spellings(clip: Path) -> None:
    table = small_names.read_table(clip)
    assert table.find("Chairs") == table.find("chair") != table.find("tree")
    assert table.find("longbow") == table.find("bow") and table.find("flurb") is None
    np.testing.assert_allclose(np.linalg.norm(table.vectors, axis=1), 1)
    assert abs(table.vectors @ unit(table.mean)).mean() < 0.2  # out of the cone


def unit(row: np.ndarray) -> np.ndarray:
    return row / np.linalg.norm(row)


def test_kinds_of_a_class_are_no_others() -> None:
    words = [("chair", "seat"), ("armchair", "chair"), ("tree",), ("flurb",)]
    found = small_names.targets(words, {"chair": 0, "seat": 1, "armchair": 2, "tree": 3}, np.eye(4))
    assert found.others.tolist()[0] == [False, False, False, True]  # an armchair may be called a chair
    assert found.others.tolist()[2] == [True, True, True, False]
    np.testing.assert_allclose(found.weights[0], [1.25, 0.25, 0, 0])
    np.testing.assert_allclose(found.weights[1], [0.25, 0, 1.25, 0])
    assert not found.weights[3].any()


@pytest.fixture
def mixture(pack: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., small_data.Mixture]:
    monkeypatch.setattr(small_data, "BLOCK", 4)

    def build(**how: object) -> small_data.Mixture:
        return small_data.Mixture(["chair", "table"], read_pack(pack), (128, 8, 4, 0.3), 4, 3, **how)

    return build


def test_a_batch_is_a_function_of_its_number(mixture: Callable[..., small_data.Mixture]) -> None:
    first = mixture()
    batches = [next(each) for each in [iter(first)] for _ in range(4)]
    later = next(iter(mixture(first=3)))
    assert all(torch.equal(a, b) for a, b in zip(batches[3], later, strict=True))
    clouds = batches[0]
    assert clouds.points.shape == (4, 128, 6) and clouds.members.shape == (4, 8, 4)
    assert clouds.points[..., :3].norm(dim=-1).max() <= 1 + 1e-5
    # every other one is of the pack, with the pack's classes after the categories
    fine = torch.cat([batch.fine for batch in batches])
    assert ((fine >= len(first.variants)).sum() == len(fine) // 2) and fine.max() < first.fine


def test_a_view_has_foreign_points_only_where_they_are_given(pack: Path) -> None:
    objects = read_pack(pack)
    for seed in range(8):
        clean = small_data.viewed(objects.clouds[0], None, np.random.RandomState(seed))
        assert np.isfinite(clean).all() and small_data.FEWEST <= len(clean) <= small_data.DENSE
        seen = small_data.viewed(objects.clouds[0], objects.clouds[1], np.random.RandomState(seed))
        assert np.isfinite(seen).all() and len(seen) >= small_data.FEWEST


def test_rare_names_are_drawn_more_often_than_their_share() -> None:
    names = np.array(["chair"] * 9 + ["tree"])
    pack = ObjectPack([np.zeros((4, 6))] * 10, names, names, np.array(["pmndrs/a"] * 10))
    odds = small_data.odds(pack, np.array([0] * 9 + [1]))
    assert odds.sum() == pytest.approx(1) and odds[9] == pytest.approx(0.25)


def test_parts_of_the_pack() -> None:
    assert small_data.fold_of("pmndrs/market-assets") == "market" and small_data.fold_of("someone/else") == "realistic"


class StoppedError(Exception):
    pass


def test_a_stopped_run_goes_on(pack: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BLOCK", 4), ("DENSE", 300)):
        monkeypatch.setattr(small_data, name, value)
    monkeypatch.setattr(train_small, "EVERY", 0.0)
    keep = train_small.keep

    def run(name: str, stop: int = -1, *more: str) -> dict[str, torch.Tensor]:
        def stopping(path: Path, step: int, *rest: Any) -> None:
            keep(path, step, *rest)
            if step == stop:
                raise StoppedError

        what = [str(pack), str(clip), "--out", str(tmp_path / f"{name}.safetensors"), "--steps", "2", *more]
        what += ["--state", str(tmp_path / f"{name}-state.safetensors"), "--batch-size", "4", "--workers", "0"]
        monkeypatch.setattr(sys, "argv", ["train_small", *what])
        monkeypatch.setattr(train_small, "keep", stopping)
        train_small.main()
        return load_file(tmp_path / f"{name}.safetensors")

    whole = run("whole")
    with pytest.raises(StoppedError):
        run("again", stop=1)
    again, other = run("again"), run("other", -1, "--no-clutter", "--leave-out", "market")
    assert all(torch.equal(whole[key], again[key]) for key in whole)
    assert not all(torch.equal(whole[key], other[key]) for key in whole)
    PointBERT(train_small.SIZES).load_state_dict(whole)
    assert load_file(tmp_path / "whole.static.safetensors")["proj.weight"].shape == (192, 256)
    with pytest.raises(InputError, match="other settings"):
        run("whole", -1, "--seed", "1")


def test_the_new_layers_learn_alone_first_and_weights_go_back(
    pack: Path, mixture: Callable[..., small_data.Mixture]
) -> None:
    words = small_names.class_words(["chair", "table"], read_pack(pack))
    every = sorted({word for each in words for word in each})
    targets = [
        small_names.targets(words, {w: i for i, w in enumerate(every)}, np.eye(len(every), d)) for d in (512, 192)
    ]
    learner = train_small.Learner(*targets, mixture(), 0)
    batch = next(iter(mixture()))
    loss, _ = learner(batch, alone=True)
    loss.backward()
    assert learner.network.proj.weight.grad is not None and learner.network.cls_token.grad is None
    learner.follow(0, 0.99, alone=True)
    start = learner.weights("clip", 1.0)
    with torch.no_grad():
        learner.network.cls_token += 1
    learner.follow(0, 0.0, alone=False)
    moved = [learner.weights("clip", back)["cls_token"] - start["cls_token"] for back in (0.0, 0.25, 1.0)]
    for found, expected in zip(moved, (1.0, 0.75, 0.0), strict=True):
        torch.testing.assert_close(found, torch.full_like(found, expected))


def test_pointnet_and_rules_are_measured_beside_it(
    pack: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_data, "BLOCK", 4)
    where = tmp_path / "pointnet.safetensors"
    what = [str(pack), str(clip), "--out", str(where), "--steps", "2", "--batch-size", "4", "--leave-out", "market"]
    monkeypatch.setattr(sys, "argv", ["train_pointnet", *what])
    train_pointnet.main()
    monkeypatch.setattr(evaluate_small, "SEEDS", range(2))
    what = [str(pack), "--part", "all", "--pointnet", str(where), "--out", str(tmp_path / "found.json")]
    monkeypatch.setattr(sys, "argv", ["evaluate_small", *what])
    evaluate_small.main()
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["model"] == "PointNet" and found["training"]["leave_out"] == "market" and found["objects"] == 4
    by_rules = [one for one in found["half_known"] if one["way"] == "examples, FPFH" and one["view"] == "whole"]
    assert by_rules[0]["accuracy"]["mean"] == 1


def test_fpfh_is_the_same_for_a_turned_cloud_and_another_for_another_shape() -> None:
    chair, ball = (sample(name, 1024, seed=0) for name in ("chair", "ball"))
    own = fpfh.histogram(chair, 0)
    assert own.sum() == pytest.approx(1)
    turned = fpfh.histogram(3 * chair @ rotation("x", 70).T, 0)
    assert abs(own - turned).sum() < 0.02 < 0.2 < abs(own - fpfh.histogram(ball, 0)).sum()
