"""How the point encoder of rooms is trained and measured, on a room of a few points."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from benchmarks.questions import rooms
from benchmarks.scene_data.judging import LEAST
from benchmarks.training import room_samples, train_rooms
from benchmarks.training.room_samples import CLASSES, KNOWN, NOVEL, OTHER, OTHERS, UNLABELED, GeneratedRooms, together
from openshape_ood import PointEncoder, Scene, TextEncoder
from openshape_ood.errors import InputError
from openshape_ood.scenes.voxels import majority_label, voxelize
from openshape_ood.synthetic import categories
from openshape_ood.synthetic.rooms import Room
from openshape_ood.synthetic.rooms.furnish import Item

NAMES = ("none", "floor", "wall", "ceiling", "bicycle", "chair", "vase")


def small(seed: int = 0, number: int = 0) -> Room:
    """A floor, a chair, a vase, a bicycle, and points of nothing."""
    rng = np.random.RandomState([seed, number])
    labels = np.repeat([1, 5, 6, 4, 0], [300, 90, 90, 90, 10])
    low = np.array([[0, 0, 0], [0, 0, 0.3], [1, 0, 0.3], [1, 1, 0.3], [0, 1, 0.3]])
    points = rng.uniform(0, 0.6, (580, 3)) + low[np.repeat(range(5), [300, 90, 90, 90, 10])]
    points[:300] *= [3, 3, 0.02]
    scene = Scene(points, rng.uniform(size=(580, 3)), labels, np.repeat([0, 1, 2, 3, 0], [300, 90, 90, 90, 10]))
    items = [Item(one, i, False, np.eye(4), np.zeros((2, 3))) for i, one in enumerate(("chair", "vase", "bicycle"), 1)]
    return Room(scene, NAMES, tuple(items), np.empty((0, 3)))


@pytest.fixture(autouse=True)
def small_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_samples, "_made", small)


@pytest.fixture(scope="module")
def text() -> TextEncoder:
    return TextEncoder.from_pretrained("tiny")


def settings(**changes: Any) -> argparse.Namespace:
    found = {"seed": 0, "loss": "softmax", "others": 0.25, "center": True, "rooms": 2, "learning_rate": 4e-3}
    return argparse.Namespace(**found | {"steps": 10, "minutes": 1.0, "resume": True} | changes)


def batches(count: int) -> list[room_samples.Batch]:
    data = GeneratedRooms(0.2, 0, 0, 2 * count)  # few voxels
    return [together([data[2 * i], data[2 * i + 1]]) for i in range(count)]


def test_no_category_has_two_parts() -> None:
    sets = [set(one) for one in (KNOWN, OTHERS, NOVEL)]
    assert len(set.union(*sets)) == len(KNOWN) + len(OTHERS) + len(NOVEL)
    assert all(one <= set(categories()) for one in sets)
    assert [rooms.is_novel(one) for one in ("chair", "bicycle", "vase", "door")] == [False, True, None, None]


def test_a_sample_is_a_function_of_its_number() -> None:
    data, later = GeneratedRooms(0.08, 3, 0, 10), GeneratedRooms(0.08, 3, 4, 10)
    for one, same in zip(data[5], later[1], strict=True):
        assert torch.equal(one, same)
    assert not torch.equal(data[5].coords, data[6].coords)
    # each of the rooms kept is shown as often as any other
    shown: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room_samples, "_made", lambda seed, number: shown.append(number) or small())
        many = GeneratedRooms(0.5, 3, 0, 1000)
        for i in range(room_samples.GROUP * room_samples.USES):
            many[i]
    assert np.bincount(shown).tolist() == [room_samples.USES] * room_samples.GROUP


def test_voxels_have_their_class_and_what_has_no_name_is_told_from_what_nobody_labelled() -> None:
    scene = small().scene
    found = room_samples.sample_of(scene, NAMES, 0.08)
    voxels = voxelize(scene.points, 0.08)
    majority = majority_label(voxels, scene.labels)
    expected = {0: UNLABELED, 1: CLASSES.index("floor"), 4: OTHER, 5: CLASSES.index("chair"), 6: OTHER}
    assert found.labels.tolist() == [expected[one] for one in majority]
    batch = together([found, found])
    assert len(batch.grid) == len(batch.labels) == 2 * len(found.labels)
    assert torch.equal(batch.labels[: len(found.labels)], batch.labels[len(found.labels) :])


@pytest.mark.parametrize("loss", train_rooms.LOSSES)
def test_every_loss_draws_points_to_their_class(text: TextEncoder, loss: str) -> None:
    objective = train_rooms.Objective(train_rooms.anchors_of(text), loss, 0.25, 0)
    labels = torch.arange(40) % 15
    labels[:5] = torch.tensor([OTHER, OTHER, UNLABELED, UNLABELED, 0])
    found = torch.randn(40, 192, generator=torch.Generator().manual_seed(0)).requires_grad_()
    optimizer = torch.optim.Adam([found], lr=0.3)
    lost = []
    for _ in range(10):
        value, logits = objective(found, labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        lost.append(value.item())
    assert lost[-1] < 0.5 * lost[0] and (logits.argmax(1) == labels)[labels >= 0].float().mean() > 0.9
    assert found.grad is not None and not found.grad[2:4].any()


def test_rare_classes_weigh_more_and_what_has_no_name_is_drawn_to_none(text: TextEncoder) -> None:
    objective = train_rooms.Objective(train_rooms.anchors_of(text), "softmax", 1.0, 0)
    objective.counts += torch.tensor([899.0, 99.0] + [0.0] * 13)
    weights, share = objective.weights(), (objective.counts + 1) / (objective.counts + 1).sum()
    assert weights[1] / weights[0] == pytest.approx(3, rel=1e-3) and float(weights.double() @ share) == pytest.approx(1)
    labels = torch.full((1,), OTHER)
    one, none = (objective(found, labels)[0] for found in (objective.anchors[:1], torch.ones(1, 192) * 1e-9))
    assert none < one and objective(objective.anchors[:1], labels - OTHER + UNLABELED)[0] == 0


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(text: TextEncoder, tmp_path: Path) -> None:
    made, state = batches(3), tmp_path / "state.safetensors"

    def taken(steps: int, path: Path | None) -> train_rooms.Training:
        training = train_rooms.Training(text, settings(loss="hinge"), path)
        shown = iter(made[training.run.step : steps])
        for _ in training.run.lines(lambda: training.learn(next(shown)), every=1):
            training.run.keep()
            if training.run.step == steps:
                break
        return training

    whole, _ = taken(3, None), taken(2, state)
    second = taken(3, state)
    assert second.run.step == whole.run.step == 3 and [line["step"] for line in second.run.log] == [1, 2, 3]
    assert all(torch.equal(one, second.network.state_dict()[key]) for key, one in whole.network.state_dict().items())
    assert torch.equal(second.objective.counts, whole.objective.counts)
    with pytest.raises(InputError, match="is from a training with other settings"):
        train_rooms.Training(text, settings(seed=1), state)


def test_the_command_writes_a_file_that_the_encoder_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.safetensors"
    train_rooms.main(["--out", str(out), "--steps", "2", "--workers", "0", "--every", "1"])
    assert "step 2  loss" in capsys.readouterr().out and out.stat().st_size < 4_000_000
    with safe_open(out, framework="numpy") as file:
        facts = json.loads(file.metadata()["training"])
    assert facts["steps"] == 2 and facts["classes"] == list(CLASSES) and facts["loss"] == "softmax"
    encoder = PointEncoder.from_pretrained(train_rooms.NAME, checkpoint=out, device="cpu")
    assert encoder.encode_points(small().scene).shape == (580, 192)
    with pytest.raises(SystemExit):
        train_rooms.main(["--out", str(tmp_path / "y.safetensors"), "--resume"])


def test_figures_of_a_guess_that_is_right() -> None:
    made = small()
    assert made.scene.labels is not None and min(np.bincount(made.scene.instances)) >= LEAST
    right = np.array([0, 1, 2, 3, 0, CLASSES.index("chair") + 1, 0])[made.scene.labels]
    masks = rooms.groups(np.arange(len(CLASSES), 0, -1))
    assert [int(masks[name].sum()) for name in ("head", "common", "tail", "furniture")] == [5, 5, 5, len(KNOWN)]
    found = rooms.figures([made], [rooms.Guess(right, (made.scene.labels == 4).astype(float))], masks)
    assert found["miou"] == found["right"] == found["auroc_points"] == found["auroc_objects"] == 1
    assert found["counted"]["miou"] == 2 and found["objects"] == {"known": 1, "novel": 1}
    wrong = rooms.figures([made], [rooms.Guess(np.ones_like(right), np.zeros(580))], masks)
    assert wrong["right"] == 0 and wrong["furniture"] == 0 and wrong["auroc_objects"] == 0.5
    assert wrong["iou"]["floor"] == pytest.approx(300 / 390)


@pytest.mark.slow
def test_a_small_run_of_the_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.safetensors"
    train_rooms.main(["--out", str(out), "--steps", "1", "--workers", "0"])
    monkeypatch.undo()
    assert rooms.main(["--checkpoint", str(out), "--rooms", "1", "--fit", "1", "--out", str(tmp_path)]) == 0
    report = json.loads(next(tmp_path.glob("rooms-*.json")).read_text())
    figures = report["figures"]["new rooms, color"]
    assert figures["object way"]["furniture"] > max(figures["untrained"]["furniture"], 0.3)
    assert "AUROC objects" in capsys.readouterr().out
