"""How the completion network of rooms is trained and measured."""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.questions import views as question
from benchmarks.scene_data.completed import Row, Seen, dilated, highest, iou
from benchmarks.training import completion_samples, train_completion
from benchmarks.training.completion_affinities import quality, stand_in
from benchmarks.training.completion_samples import (
    CELL,
    CENTERS,
    MORE,
    NEVER,
    SIZES,
    TRAINED,
    Sample,
    Views,
    cells_of,
    drawn_view,
    sample_of,
    save_shard,
)
from benchmarks.training.completion_triples import draw_triples, hidden_triples, holds, visible_triples
from benchmarks.training.runs import Run
from openshape_ood.synthetic import categories
from openshape_ood.synthetic.rooms import FURNITURE
from openshape_ood.views.affinities import Affinities
from openshape_ood.views.completion.complete import Completer, complete

SEED = 16_001


@pytest.fixture(scope="module")
def sample() -> Sample:
    return sample_of(drawn_view(SEED, FURNITURE), SEED)


def test_what_is_never_trained_is_in_no_room_of_training() -> None:
    assert set(NEVER) | set(TRAINED) == set(FURNITURE) and len(NEVER) == 12
    assert not set(NEVER) & {*TRAINED, *MORE}
    assert {*TRAINED, *MORE} <= set(categories())


def test_a_hollow_box_fills_what_it_encloses() -> None:
    low, high = np.array([2.0, -0.5, 0.0]), np.array([2.9, 0.6, 0.7])
    u, v = np.meshgrid(np.linspace(0, 1, 60), np.linspace(0, 1, 60))
    faces = [np.insert(np.stack([u.ravel(), v.ravel()], 1), i, side, axis=1) for i in range(3) for side in (0, 1)]
    cells = cells_of(low + np.concatenate(faces) * (high - low))
    inside = (np.minimum(CENTERS - low, high - CENTERS) / CELL).min(axis=1) > 1
    outside = (np.maximum(low - CENTERS, CENTERS - high) / CELL).max(axis=1) > 1
    assert inside.sum() > 100 and cells[inside].all()
    assert not cells[outside].any()


def test_a_sample_agrees_with_its_view(sample: Sample) -> None:
    names = sample.visible()
    assert names and all(sample.mask(name).sum() >= 12 for name in names)
    for name in names:  # what is seen of a thing lies in its cells
        seen = highest(sample, sample.mask(name)) > 0.5
        assert (seen & sample.cells(name)).sum() > 0.8 * seen.sum()
    assert not (sample.free & ~sample.in_view).any()
    assert not (sample.behind & (sample.filled.any(axis=0) | sample.free)).any()


def test_shards_give_samples_back(sample: Sample, tmp_path: Path) -> None:
    save_shard(tmp_path / "train-000.npz", [sample, sample])
    views = Views([tmp_path / "train-000.npz"])
    assert len(views) == 2
    for field in fields(Sample):
        np.testing.assert_allclose(
            getattr(views[1], field.name) if field.name != "categories" else 0,
            getattr(sample, field.name) if field.name != "categories" else 0,
            atol=3e-4 if field.name == "depth" else 1e-6,
        )
    assert views[1].categories.tolist() == sample.categories.tolist()


def test_more_views_are_asked_for_than_before(sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(completion_samples, "drawn_view", lambda seed: made.append(seed))
    monkeypatch.setattr(completion_samples, "sample_of", lambda *_: sample)
    for count in ("1", "3", "3"):
        completion_samples.main([str(tmp_path), "--views", count, "--held-out", "1"])
    assert len(Views([tmp_path / "train-000.npz"])) == 3 and len(made) == 5


@pytest.mark.parametrize(
    ("middle", "relation"),
    [
        ((3.0, 0, 0.4), "behind"),
        ((1.0, 0, 0.4), "in front of"),
        ((2.0, 0.9, 0.4), "on the left of"),
        ((2.0, -0.9, 0.4), "on the right of"),
        ((2.0, 0.1, 1.0), "on"),
        ((4.0, 0, 0.4), ""),  # too far
    ],
)
def test_relations_are_those_of_the_camera(middle: tuple[float, ...], relation: str) -> None:
    reference = np.array([[1.6, -0.4, 0.0], [2.4, 0.4, 0.8]])
    assert holds(np.array(middle) + [[-0.2], [0.2]], reference) == relation


def test_hidden_targets_are_not_in_the_room_and_not_seen(sample: Sample) -> None:
    hidden = hidden_triples(sample, np.random.RandomState(0))
    assert {one.relation for one in hidden} <= {"in", "behind"} and hidden
    for one in hidden:
        assert one.target not in sample.categories and one.reference in sample.visible()
        assert not (one.cells & sample.free).any()
    for one in visible_triples(sample):
        assert one.cells.any() and (one.cells <= sample.cells(one.target)).all()
    assert len(draw_triples(sample, np.random.RandomState(0))) <= 2


def test_the_stand_in_is_seeded_and_no_better_than_it_says(sample: Sample) -> None:
    names = sample.visible()
    maps = stand_in(sample, names, np.random.RandomState(0))
    np.testing.assert_array_equal(maps, stand_in(sample, names, np.random.RandomState(0)))
    assert np.abs(maps).max() == 1
    clean = stand_in(sample, names, np.random.RandomState(0), severity=0.0)
    assert (clean == np.stack([sample.mask(name) for name in names])).all()
    assert (quality(sample, names, clean) == 1).all()
    drawn = [stand_in(sample, names, np.random.RandomState(i)) for i in range(10)]
    precision = np.mean([quality(sample, names, one)[:, 0] for one in drawn])
    assert 0.3 < precision < 0.9


def test_losses_by_hand() -> None:
    labels = torch.tensor([[True, False, False, False, True]])
    counted = torch.tensor([[True, True, True, True, False]])
    logits = torch.tensor([[9.0, 9.0, -9.0, -9.0, -9.0]])
    assert train_completion.iou(logits, labels, counted, torch.tensor([0.0, 20.0])).tolist() == [[0.5, 0.0]]
    assert train_completion.soft_jaccard(logits, labels, counted).item() == pytest.approx(0.5, abs=1e-3)
    # of four cells one is filled: it weighs the root of three
    even = train_completion.weighted_cross_entropy(torch.zeros(1, 5), labels, counted).item()
    assert even == pytest.approx(np.log(2) * (3 + 3**0.5) / 4)
    nothing = torch.zeros_like(labels)
    assert train_completion.soft_jaccard(logits, nothing, counted).item() == 0


def test_a_step_without_figures_does_not_count_in_the_means() -> None:
    network, given = torch.nn.Linear(1, 1), iter([{"loss": 1.0}, {}, {"loss": 3.0}, {}])
    run = Run(network, torch.optim.SGD(network.parameters(), lr=1.0), {}, None, steps=4)
    first, last = run.lines(lambda: next(given), 3)
    assert first["loss"] == 2 and last["step"] == 4 and "loss" not in last


def test_mirroring_exchanges_left_and_right() -> None:
    left = torch.from_numpy(CENTERS[:, 1] > 0)
    np.testing.assert_array_equal(train_completion.mirrored(left.numpy()), ~left.numpy())


def test_baselines_grow_by_one_cell() -> None:
    cells = np.zeros((1, SIZES.side**3), dtype=bool)
    cells[0, np.ravel_multi_index((5, 5, 5), (SIZES.side,) * 3)] = True
    grown = dilated(cells, free=cells[0])
    assert grown.sum(1).tolist() == [7, 19, 27, 6, 18, 26]
    assert iou(grown[:1], cells[0], np.ones_like(cells[0])).tolist() == [1 / 7]


def test_a_figure_takes_the_threshold_that_is_best_over_all_rows() -> None:
    rows = [Row(i, "chair", "known", {"a": np.array([0.2, x]), "b": np.array([0.1])}) for i, x in enumerate((0.1, 0.5))]
    found = question.interval(rows, "a", draws=50)
    assert found is not None and found["mean"] == pytest.approx(0.3) and found["low"] == pytest.approx(0.1)
    gain = question.interval(rows, "a", "b", draws=50)
    assert gain is not None and gain["mean"] == pytest.approx(0.2)


def test_the_shipped_network_completes_what_is_masked() -> None:
    seen, completer = Seen.of(SEED), Completer.from_pretrained()
    sample = seen.sample
    masks = Affinities.from_masks(sample.mask("bed")[None], ["bed"])
    found = complete(seen.made.view, ["bed"], affinities=masks, model=completer).grid(SIZES.side).reshape(-1)
    true, mask = sample.cells("bed"), highest(sample, masks["bed"]) > 0.5
    ours = iou(found > completer.network.sizes.threshold, true, sample.in_view)
    assert ours > iou(mask, true, sample.in_view) + 0.05
    # what the benchmark measures is what `complete` gives
    points = sample.points()
    kept = np.isfinite(points).all(axis=1)
    values = torch.from_numpy(masks["bed"].reshape(1, -1)[:, kept])
    volume = train_completion.volumes(completer.network, torch.from_numpy(points[kept]), values)
    same = train_completion.at_centers(completer.network, volume)[0, :, 0].numpy()
    np.testing.assert_allclose(same, found, atol=2e-3 * np.abs(found).max())


@pytest.mark.slow
def test_a_run_is_a_function_of_its_arguments_and_goes_on_where_it_stopped(sample: Sample, tmp_path: Path) -> None:
    for what in ("train", "held-out"):
        save_shard(tmp_path / f"{what}-000.npz", [sample])
    command = [str(tmp_path), "--check", "1", "--float32", "--names", "2"]

    def weights(out: str, *more: str) -> bytes:
        train_completion.main([*command, "--out", str(tmp_path / out), *more])
        return (tmp_path / out).read_bytes()[1000:]

    whole = weights("a.safetensors", "--steps", "2")
    assert weights("b.safetensors", "--steps", "2") == whole
    with pytest.raises(SystemExit):
        weights("b.safetensors", "--steps", "3", "--resume", "--seed", "1")
    settings = {"seed": 0, "names": 2, "relations": 0.5, "learning_rate": 3e-3, "steps": 2, "minutes": 1.0}
    args = argparse.Namespace(**settings, bfloat16=False, resume=True)
    assert train_completion.Training(args, tmp_path / "a.state.safetensors").run.step == 2


@pytest.mark.slow
def test_the_benchmark_of_views_prints_writes_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--rooms", "2", "--foreign", "1", "--things", "2", "3", "--out", str(tmp_path)]
    assert question.main(asked) == 0
    assert "IoU in view" in capsys.readouterr().out
    path = next(tmp_path.glob("views-completion-rooms-*.json"))
    found = json.loads(path.read_text())
    network = [one["network"] for one in found["names"].values() if one["network"]]
    assert network and all(0 < one["low"] <= one["mean"] <= one["high"] < 1 for one in network)
    with Image.open(path.with_suffix(".png")) as drawn:
        assert min(drawn.size) > 500
    assert question.main([*asked[:4], "--things", "3", "2"]) == 1
