"""The trained baselines: networks by their definition, training that goes on, scores, files, and bad input."""

from __future__ import annotations

import argparse
import csv
import json
import os
import pickle
import signal
import subprocess
import sys
from copy import deepcopy
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_ood.detector import EnergyBased, MaxLogit, MaxSoftmax
from release_tree import write_release

from benchmarks.baselines import networks, table, training
from benchmarks.baselines.checkpoints import read, write
from benchmarks.baselines.clouds import augmented, batch, centered
from benchmarks.baselines.clouds import tested as drawn_to_test
from benchmarks.baselines.command import main, parse
from benchmarks.baselines.evaluation import features, settle
from benchmarks.baselines.losses import with_margin
from benchmarks.baselines.networks import DGCNN, Classifier, Sizes, _of_members, nearest_rows, strict_ball
from benchmarks.baselines.scores import Fitted, Head, softmax
from benchmarks.baselines.training import Recipe, fresh, train
from benchmarks.report.compare import Estimate, Row, Run
from benchmarks.threedos.generated import Generated
from benchmarks.threedos.objects import Objects
from openshape_ood.errors import FileError, InputError, WeightsError

COUNTS = {"dgcnn": 1_800_325, "pn2": 1_733_861, "pn2_torch": 1_737_605}


def clouds(count: int, points: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([centered(rng.normal(size=(points, 3))) for _ in range(count)])


class Small(torch.nn.Module):
    """In the place of a network that takes seconds."""

    out = 64

    def __init__(self) -> None:
        super().__init__()
        self.points = torch.nn.Linear(3, 64)

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return self.points(given).amax(dim=1)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(networks.NETWORKS, "dgcnn", Small)


@pytest.mark.parametrize("network", COUNTS)
def test_sizes_are_the_published(network: str) -> None:
    with torch.device("meta"):
        built = Classifier(Sizes(network, "CE", 5))
    assert sum(one.numel() for one in built.parameters()) == COUNTS[network]


def same_statistics(norm: torch.nn.Module, other: torch.nn.Module) -> None:
    torch.testing.assert_close(norm.running_mean, other.running_mean)
    torch.testing.assert_close(norm.running_var, other.running_var)
    assert norm.num_batches_tracked == other.num_batches_tracked > 0


def test_a_level_of_dgcnn_is_a_convolution_of_edges() -> None:
    torch.manual_seed(0)
    network, rows = DGCNN().double(), torch.randn(2, 30, 3, dtype=torch.float64, requires_grad=True)
    convolution, norm = network.conv1
    with torch.no_grad():
        norm.weight.uniform_(-1, 1)  # also where the order is turned round
        norm.running_mean.normal_()
    plain, given = deepcopy(norm), torch.randn(2, 30, 64, dtype=torch.float64)
    neighbors = nearest_rows(rows)
    others = torch.stack([row[own] for row, own in zip(rows, neighbors, strict=True)])
    edges = torch.cat([others - rows[:, :, None], rows[:, :, None].expand_as(others)], dim=3).permute(0, 3, 1, 2)
    for state in (False, True):
        norm.train(state), plain.train(state)
        found = network._level(rows, convolution, norm)
        right = torch.nn.functional.leaky_relu(plain(convolution(edges)), 0.2).amax(dim=3).transpose(1, 2)
        torch.testing.assert_close(found, right)
        wanted = [rows, convolution.weight, *(norm.parameters() if state else ())]
        gradients = torch.autograd.grad(found, wanted, given)
        wanted = [rows, convolution.weight, *(plain.parameters() if state else ())]
        torch.testing.assert_close(gradients, torch.autograd.grad(right, wanted, given, retain_graph=True))
    same_statistics(norm, plain)


def test_members_that_are_repeated_count_as_often() -> None:
    torch.manual_seed(0)
    xyz, features = torch.randn(2, 40, 3, dtype=torch.float64), torch.randn(2, 40, 5, dtype=torch.float64)
    features.requires_grad_(True)
    centers, members = xyz[:, :7], strict_ball(xyz, xyz[:, :7], 1.5, 9)
    assert (members[..., 1:] == members[..., :1]).any() and (members[..., -1] != members[..., 0]).any()
    layers = torch.nn.ModuleList([torch.nn.Conv2d(8, 6, 1), torch.nn.BatchNorm2d(6), torch.nn.Conv2d(6, 4, 1)])
    layers = layers.append(torch.nn.BatchNorm2d(4)).double()
    plain, given = deepcopy(layers), torch.randn(2, 7, 4, dtype=torch.float64)
    groups = torch.stack([torch.cat([x, f], dim=1)[m] for x, f, m in zip(xyz, features, members, strict=True)])
    groups = torch.cat([groups[..., :3] - centers[:, :, None], groups[..., 3:]], dim=3).permute(0, 3, 1, 2)
    for state in (True, False):
        layers.train(state), plain.train(state)
        pairs = [(layers[0], layers[1]), (layers[2], layers[3])]
        found = _of_members(pairs, members, xyz, centers, features, offset_first=True)
        hidden = plain[1](plain[0](groups)).relu()
        right = plain[3](plain[2](hidden)).relu().amax(dim=3).transpose(1, 2)
        torch.testing.assert_close(found, right)
        both = zip((found, right), (layers, plain), strict=True)
        one, other = (torch.autograd.grad(v, [features, *m.parameters()], given, retain_graph=True) for v, m in both)
        torch.testing.assert_close(one, other)
    same_statistics(layers[3], plain[3])


def test_the_ball_is_open() -> None:
    line = torch.tensor([[[0.0, 0, 0], [0.5, 0, 0], [1.0, 0, 0]]])
    assert strict_ball(line, line, 0.5, 2).tolist() == [[[0, 0], [1, 1], [2, 2]]]


def test_augmentation_moves_all_axes_by_one_number_and_keeps_the_axis_upright() -> None:
    cloud = clouds(1, 500)[0]
    moved = augmented(cloud, "st", np.random.default_rng(3))
    scale = np.ptp(moved, axis=0) / np.ptp(cloud, axis=0)
    np.testing.assert_allclose(scale, scale[0], rtol=1e-4)
    np.testing.assert_allclose(moved - scale * cloud, (moved - scale * cloud)[0, 0], atol=1e-5)
    turned = augmented(cloud, "rw", np.random.default_rng(3))
    # y leans by the tilts only, of 0.18 at most each
    change = np.linalg.lstsq(cloud, turned - turned.mean(axis=0), rcond=None)[0]
    assert change[1, 1] / np.linalg.norm(change[1]) > np.cos(0.26)
    assert np.abs(np.linalg.norm(turned - turned.mean(axis=0), axis=1).max()) < 1.35


def test_clouds_depend_on_seed_epoch_and_row_only() -> None:
    own = list(clouds(3, 40))
    a, b = (batch(own, np.array(rows), 50, "rw", 1, 2) for rows in ([0, 1], [1, 2]))
    np.testing.assert_array_equal(a[1], b[0])
    assert not np.array_equal(a, batch(own, np.array([0, 1]), 50, "rw", 1, 3))
    given = drawn_to_test(own[0] * 7 + 3, 32, 0, "a cloud")
    assert given.shape == (32, 3) and np.linalg.norm(given, axis=1).max() == pytest.approx(1)


def test_settled_norms_tell_shapes_apart_after_few_steps(small: None) -> None:
    support = Objects(tuple(Generated("Chair", "chair", seed, scanned=False) for seed in range(4)))
    args = argparse.Namespace(batch_size=4, support_points=64, seed=0)

    def spread(network: Classifier) -> float:
        rows, _ = features(network.eval(), support, 64, 0, 4, progress=False)
        return float(rows.std(axis=0).mean() / np.abs(rows).mean())

    network = fresh(Sizes("dgcnn", "CE", 2), seed=1)
    before = spread(network)
    settle(network, support, args)
    after, state = spread(network), deepcopy(network.state_dict())
    assert after > 5 * before and not network.training
    settle(network, support, args)
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("head", ["CE", "ARPL"])
def test_a_stopped_training_goes_on_to_the_same_numbers(small: None, tmp_path: Path, head: str) -> None:
    data, labels = clouds(6, 40), np.array([0, 1, 0, 1, 0, 1])
    recipe = Recipe("dgcnn", head, epochs=3, batch=3, points=32)

    def stop(line: dict[str, Any]) -> None:
        if line["epoch"] == 2:
            raise KeyboardInterrupt

    whole = train(data, labels, recipe, tmp_path / "whole.pth")
    with pytest.raises(KeyboardInterrupt):
        train(data, labels, recipe, tmp_path / "cut.pth", report=stop)
    assert not (tmp_path / "cut.pth").exists()
    lines = list[dict[str, Any]]()
    went_on = train(data, labels, recipe, tmp_path / "cut.pth", report=lines.append)
    assert [line["epoch"] for line in lines] == [3]
    assert [line["loss"] for line in went_on] == [line["loss"] for line in whole]
    one, other = (torch.load(tmp_path / f"{name}.pth", weights_only=True)["model"] for name in ("whole", "cut"))
    assert all(torch.equal(one[key], other[key]) for key in one)
    kept = [json.loads(line) for line in (tmp_path / "cut.jsonl").read_text().splitlines()]
    assert [line.get("epoch") for line in kept] == [None, 1, 2, 3]
    with pytest.raises(InputError, match="other settings"):
        train(data, labels, Recipe("dgcnn", head, epochs=4, batch=3, points=32), tmp_path / "cut.pth")


def test_the_recipe_is_that_of_3dos() -> None:
    recipe = Recipe("dgcnn")
    assert (recipe.epochs, recipe.rate_at(0), recipe.points) == (250, 0.1, 1024)
    assert recipe.rate_at(125) == pytest.approx((0.1 + 1e-4) / 2)
    network = fresh(Sizes("dgcnn", "CE", 5), 1)
    assert isinstance(recipe.optimizer(network), torch.optim.SGD)
    assert isinstance(Recipe("pn2").optimizer(network), torch.optim.Adam)
    weight = network.enco.conv5[0].weight
    assert float(weight.detach().std()) == pytest.approx(0.02, rel=0.02)
    assert torch.equal(weight, fresh(Sizes("dgcnn", "CE", 5), 1).enco.conv5[0].weight)


def test_the_margin_is_an_angle() -> None:
    cosines = torch.tensor([[0.3, 0.2], [0.1, -0.99]])
    found = with_margin(cosines, torch.tensor([0, 1]))
    assert found[0].tolist() == pytest.approx([np.cos(np.arccos(0.3) + 0.5), 0.2])
    assert found[1].tolist() == pytest.approx([0.1, -0.99 - 0.5 * np.sin(0.5)])


def fitted(head: str = "CE", classes: int = 3) -> tuple[Fitted, np.ndarray]:
    network = Classifier(Sizes("pn2", head, classes)).requires_grad_(False)
    torch.manual_seed(1)
    for own in islice(network.head.parameters(), 4):
        own.normal_()
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(12, 256)).astype(np.float32)
    return Fitted.of(Head.of(network), rows[:9], np.arange(9) % classes, rows[9:]), rows


def test_scores_of_logits_are_those_of_pytorch_ood() -> None:
    known, rows = fitted()
    found, logits = known.novelty(rows), torch.from_numpy(known.head.logits(rows))
    for name, score in {"msp": MaxSoftmax.score, "mls": MaxLogit.score, "energy": EnergyBased.score}.items():
        np.testing.assert_allclose(found[name], score(logits).numpy(), rtol=1e-12)
    assert known.classes(rows)["l2_nearest"][:9].tolist() == (np.arange(9) % 3).tolist()
    assert np.isfinite(found["l2_nearest"]).all() and found["l2_nearest"][0] == 0  # a duplicate


@pytest.mark.parametrize("head", ["CE", "cosine", "ARPL"])
def test_gradnorm_is_the_norm_of_the_gradient(head: str) -> None:
    known, rows = fitted(head)
    module = known.head.module
    weight = module[-1].weight if head == "CE" else next(module.parameters())
    row = torch.from_numpy(rows[:1].astype(np.float64))
    weight.requires_grad_(True)
    (-module(row).log_softmax(dim=1).sum()).backward()
    weight.requires_grad_(False)
    assert -known.novelty(rows[:1])["gradnorm"][0] == pytest.approx(float(weight.grad.abs().sum()), rel=1e-12)
    np.testing.assert_allclose(softmax(known.head.logits(rows)).sum(axis=1), 1)


def test_files_of_3dos_are_read_with_what_stands_beside_the_weights(tmp_path: Path) -> None:
    network = fresh(Sizes("pn2", "subcenter_arcface", 4), 0)
    state = {f"module.{key}": one for key, one in network.state_dict().items()}
    beside = {"args": argparse.Namespace(loss="x", seed=1), "epoch": 250, "config": {"a": [1]}, "scaler": {}}
    torch.save({"model": state, **beside}, tmp_path / "model_last.pth")
    found = read(tmp_path / "model_last.pth", 4)
    assert found.sizes == network.sizes and not found.training
    assert torch.equal(found.head.weight, network.head.weight)


def test_files_that_are_not_what_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pth", fresh(Sizes("pn2", "CE", 5), 0), 1)
    with pytest.raises(WeightsError, match=r"has the network 'pn2'\. Expected 'dgcnn'\. Give --network pn2"):
        read(path, 5, "dgcnn")
    with pytest.raises(WeightsError, match=r"a head with 5 rows\. Expected a head for 4 known classes"):
        read(path, 4)
    with pytest.raises(WeightsError, match="Expected a checkpoint"):
        read(tmp_path / "none.pth", 4)
    torch.save({"model": {"module.fc.weight": torch.zeros(2)}}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="no weights of dgcnn, pn2, pn2_torch"):
        read(tmp_path / "other.pth", 4)
    broken = fresh(Sizes("pn2", "CE", 4), 0)
    with torch.no_grad():
        broken.head[3].bias[0] = torch.nan
    with pytest.raises(WeightsError, match="NaN or infinity"):
        read(write(tmp_path / "nan.pth", broken, 1), 4)


class Runs:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_a_file_that_would_run_code_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "bad.pth").write_bytes(pickle.dumps({"model": {}, "args": Runs(tmp_path / "made by reading")}))
    with pytest.raises(WeightsError):
        read(tmp_path / "bad.pth", 4)
    assert not (tmp_path / "made by reading").exists()


def test_trainings_that_cannot_be(small: None, tmp_path: Path) -> None:
    data, path = clouds(4, 40), tmp_path / "a.pth"
    with pytest.raises(InputError, match=r"1 known class\. Expected two or more"):
        train(data, np.zeros(4, dtype=int), Recipe(batch=2), path)
    with pytest.raises(InputError, match=r"4 training shapes for batches of 64\. .* Give --batch 4"):
        train(data, np.array([0, 1, 0, 1]), Recipe(), path)
    with pytest.raises(InputError, match="class 1 of 3 has no training shape"):
        train(data, np.array([0, 2, 0, 2]), Recipe(batch=2), path)
    for wrong in ({"batch": 1}, {"epochs": 0}, {"rate": -1.0}, {"augmentation": "none"}, {"head": "VAE"}):
        with pytest.raises(InputError):
            Recipe(**wrong)
    (tmp_path / "a.training.safetensors").write_bytes(b"half a file")
    with pytest.raises(FileError, match=r"a\.training\.safetensors"):
        train(data, np.array([0, 1, 0, 1]), Recipe(batch=2), path)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("3D_OS_release_data"))


@pytest.mark.slow
def test_shapes_of_the_release_with_their_copies(release: Path, tmp_path: Path, capsys: Any) -> None:
    data = ["--set", "sr1", "--data-root", str(release), "--out", str(tmp_path), "--quiet", "--copies"]
    assert main(["train", *data, "--epochs", "1", "--batch", "8", "--points", "64"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.name == "sr1-dgcnn-CE-copies-seed1.pth"
    settings = json.loads(path.with_suffix(".jsonl").read_text().splitlines()[0])
    # two shapes of each class, and eight copies of each
    assert settings["shapes"] == 5 * 2 * 9 and settings["data"]["counts"]["chair"] == 18
    points = ["--support-points", "64", "--test-points", "64", "--draws", "20"]
    assert main(["eval", *data, *points, "--ckpt", str(path)]) == 0
    report = json.loads((tmp_path / "sr1-dgcnn-CE-copies-seed1-on-sr1-copies.json").read_text())
    assert report["provenance"]["identity"]["checkpoint"] == "DGCNN (trained + copies)"
    assert (report["data"]["generated"], report["settings"]["support"]) == (False, "with corrupted copies")
    assert [result["known_by"] for result in report["results"]][:2] == ["MSP", "MLS"]
    pictured = {one.name for one in (tmp_path / "sr1-dgcnn-CE-copies-seed1-on-sr1-copies").iterdir()}
    assert pictured >= {"objects.csv", "overview.png", "failures.html"}
    capsys.readouterr()
    (release / "modelnet40_normal_resampled" / "modelnet40_train.txt").unlink()
    assert main(["train", *data]) == 1
    assert "cannot read the split" in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    def command(out: str) -> subprocess.Popen[str]:
        small = "--set sr2 --per-class 2 --epochs 8 --batch 4 --points 32"
        words = [sys.executable, "-m", "benchmarks", "baselines", "train", *small.split(), "--out", str(tmp_path / out)]
        return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)

    whole, cut = command("whole"), command("cut")
    assert cut.stderr is not None
    with cut.stderr:
        assert any(line.startswith("epoch 3,") for line in cut.stderr)
        cut.send_signal(signal.SIGKILL)
    assert cut.wait() == -signal.SIGKILL and not list((tmp_path / "cut").glob("*.pth"))
    _, lines = (again := command("cut")).communicate()
    assert whole.communicate() and (whole.returncode, again.returncode) == (0, 0)
    assert not lines.startswith("epoch 1,") and lines.splitlines()[-1].startswith("epoch 8,")
    one, other = (next((tmp_path / name).glob("*.pth")) for name in ("whole", "cut"))
    logs = [path.with_suffix(".jsonl").read_text().splitlines()[1:] for path in (one, other)]
    assert len(logs[0]) == 8
    assert [json.loads(line)["loss"] for line in logs[0]] == [json.loads(line)["loss"] for line in logs[1]]
    states = [torch.load(path, weights_only=True)["model"] for path in (one, other)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def epochs_of(rank: int, world: int, folder: Path, head: str, settled: bool) -> None:
    """Six epochs in one of some processes; each leaves its losses and weights. settled: norms see no batch."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world)}
    networks.NETWORKS["dgcnn"] = Small
    if world > 1:
        store = torch.distributed.FileStore(str(folder / f"meeting-{head}-{settled}"), world)
        torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=world)
    recipe = Recipe("dgcnn", head, batch=4, points=32, rate=0.01)
    trained = training.Trained(recipe, 2)
    trained.to_train(recipe)
    trained.train(not settled)
    data, labels = clouds(8, 40) * np.where(np.arange(8) % 2, 1, 0.2)[:, None, None], np.arange(8) % 2
    losses = [training._epoch(trained, list(data), labels, recipe, 4, epoch)["loss"] for epoch in range(6)]
    training.average(one for one in trained.buffers() if one.is_floating_point())
    torch.save({"state": trained.state_dict(), "losses": losses}, folder / f"{head}-{settled}-{rank}-of-{world}.pt")
    if world > 1:
        torch.distributed.destroy_process_group()


def every_case(rank: int, folder: Path) -> None:
    for head, settled in (("CE", True), ("CE", False), ("ARPL", False)):
        epochs_of(rank, 2, folder, head, settled)


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.multiprocessing.spawn(every_case, (tmp_path,), nprocs=2)
    monkeypatch.setenv("RANK", "0")  # which `epochs_of` sets, and which is taken back in the end
    monkeypatch.setenv("WORLD_SIZE", "1")
    epochs_of(0, 1, tmp_path, "CE", settled=True)
    found = {path.stem: torch.load(path, weights_only=True) for path in tmp_path.glob("*.pt")}
    for case in ("CE-True", "CE-False", "ARPL-False"):
        one, other = (found[f"{case}-{rank}-of-2"] for rank in (0, 1))
        assert one["losses"] == other["losses"] and one["state"].keys() == other["state"].keys()
        assert all(torch.equal(one["state"][key], other["state"][key]) for key in one["state"])
    assert found["CE-False-0-of-2"]["losses"][-1] < found["CE-False-0-of-2"]["losses"][0]
    # where norms do not look at the batch, it is one training, but for rounding
    alone, shared = found["CE-True-0-of-1"], found["CE-True-0-of-2"]
    np.testing.assert_allclose(shared["losses"], alone["losses"], atol=2e-6)
    for key, one in alone["state"].items():
        torch.testing.assert_close(shared["state"][key], one, rtol=1e-4, atol=1e-6)


def test_batches_that_processes_cannot_share(tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for batch_size in (3, 2):
        with pytest.raises(InputError, match=f"--batch is {batch_size} for 2 processes"):
            train(clouds(4, 40), np.array([0, 1, 0, 1]), Recipe(batch=batch_size), tmp_path / "a.pth")


@pytest.mark.slow
def test_torchrun_writes_one_file_and_one_log(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "benchmarks"]
    words += [
        "baselines",
        "train",
        "--set",
        "sr2",
        "--per-class",
        "2",
        "--epochs",
        "2",
        "--batch",
        "4",
        "--points",
        "32",
        "--device",
        "cpu",
        "--out",
    ]
    done = subprocess.run([*words, str(tmp_path)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    path = tmp_path / "sr2-dgcnn-CE-data0-seed1.pth"
    assert done.stdout.split() == [str(path)] and done.stderr.count("epoch 2,") == 1
    settings, *lines = [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]
    assert settings["processes"] == 2 and [line["epoch"] for line in lines] == [1, 2]


@pytest.mark.parametrize(
    ("head", "label", "cell"),
    [
        ("", "L2 1-NN", "79.7 / 84.5"),
        (", cosine", "MLS", "79.9 / 74.5"),
        (", subcenter_arcface", "cosine 1-NN", "78.7 / 84.3"),
        (", ARPL", "MLS", "82.8 / 74.9"),
        (", ARPL", "MSP", "-"),
    ],
)
def test_published_figures_stand_beside_their_own_head(head: str, label: str, cell: str) -> None:
    model, half = f"PointNet++ (trained{head})", Estimate(0.5)
    rows = [Row("sr1", model, "3DOS", "generated", one, None, half, half) for one in (label, "cosine 1-NN", "MLS")]
    page = table.model_table(model, rows).markdown()
    line = next(line for line in page.splitlines() if line.startswith(f"| {label} |"))
    assert line.endswith(f"| {cell} |")


@pytest.mark.slow
def test_the_table_is_made_once(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "POINTS", 64)
    words = ["table", "--sets", "sr2", "--networks", "dgcnn", "--data-seeds", "0", "1", "--out", str(tmp_path)]
    words += ["--epochs", "1", "--batch", "4", "--points", "64"]
    assert main([*words, "--per-class", "2"]) == 0
    first = capsys.readouterr()
    assert "4 of 4: dgcnn with CE on sr2, data seed 1, seed 1; about 0 min left" in first.err
    assert "different data" not in first.out and "DGCNN (trained)" in first.out
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json") if path.name != "baselines.json"}
    found = json.loads((tmp_path / "baselines.json").read_text())
    row = next(row for row in found["rows"] if row["known_by"] == "MSP")
    assert row["auroc"]["mean"] == pytest.approx(np.mean([auroc for auroc, _ in row["runs"]])) and len(row["runs"]) == 2
    page = (tmp_path / "baselines.md").read_text()
    assert "| known by | SR2 | published SR2 |" in page and "| nearest example |" in page
    (msp,) = (line for line in page.splitlines() if line.startswith("| MSP |"))
    assert msp.endswith("| 61.6 / 89.4 |")  # of three published trainings: 90.0, 88.2 and 90.1
    assert main([*words, "--per-class", "2", "--heads", "CE", "cosine"]) == 0
    assert written == {path: path.stat().st_mtime_ns for path in written}
    page = (tmp_path / "baselines.md").read_text()
    assert "**DGCNN (trained, cosine)**" in page
    assert main([*words, "--per-class", "2"]) == 0
    assert written == {path: path.stat().st_mtime_ns for path in written}
    assert main([*words, "--per-class", "3"]) == 1
    assert "of generated shapes, 2 per class. Expected " in capsys.readouterr().err


def test_a_table_takes_no_training_by_another_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = parse(["table", "--sets", "sr1", "--networks", "dgcnn", "--epochs", "5", "--out", str(tmp_path)])
    job = table.Job("dgcnn", "CE", "sr1", 0, 1)
    assert not table._done(job, args)
    report = {"benchmark": "sr1", "data": {"generated": True}, "settings": {"per_class": 12}}
    report["provenance"] = {"identity": {"checkpoint": "DGCNN (trained)"}}
    table._report(job, args).write_text(json.dumps(report))
    monkeypatch.setattr(table, "read_run", lambda path: Run(path, json.loads(path.read_text())))
    log = table._checkpoint(job, args).with_suffix(".jsonl")
    small = Recipe(epochs=5, batch=8, points=512, rate=0.01)
    log.write_text(json.dumps({"recipe": asdict(small)}) + "\n")
    assert table._done(job, args)
    log.write_text(json.dumps({"recipe": asdict(replace(small, epochs=100, rate=0.1))}) + "\n")
    with pytest.raises(FileError, match=r"of a training with other epochs, rate\. Expected"):
        table._done(job, args)


def test_data_without_their_split_file(tmp_path: Path, capsys: Any) -> None:
    assert main(["train", "--data-root", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "cannot read the split" in capsys.readouterr().err


def test_the_commands(small: None, tmp_path: Path, capsys: Any) -> None:
    small_run = ["--set", "sr2", "--per-class", "2", "--out", str(tmp_path), "--quiet", "--copies"]
    assert main(["train", *small_run, "--epochs", "1", "--batch", "4", "--points", "64"]) == 0
    path = capsys.readouterr().out.strip()
    assert path.endswith("sr2-dgcnn-CE-copies-data0-seed1.pth")
    state = torch.load(path, weights_only=True)
    assert state["epoch"] == 1 and all(key.startswith("module.") for key in state["model"])


def test_an_evaluation_lists_every_shape(tmp_path: Path, capsys: Any) -> None:
    path = write(tmp_path / "first.pth", fresh(Sizes("pn2", "CE", 4), 0), 1)
    given = ["--set", "sr2", "--per-class", "1", "--copies", "--no-pictures", "--quiet", "--draws", "20"]
    points = ["--support-points", "64", "--test-points", "64"]
    assert main(["eval", *given, *points, "--ckpt", str(path), "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "nearest known classes of novel shapes (percent of each novel class):" in printed
    assert "by MSP, MLS, Entropy," in " ".join(printed.split())
    (folder,) = (one for one in tmp_path.iterdir() if one.is_dir())
    assert [one.name for one in folder.iterdir()] == ["objects.csv"]
    with (folder / "objects.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    report = json.loads(folder.with_suffix(".json").read_text())
    tested = sum(sum(of.values()) for name, of in report["data"]["counts"].items() if name != "support")
    assert len(rows) == tested * 11 and {row["seed"] for row in rows} == {"1"}
