"""`python -m benchmarks scannet200`, `scannet20` and `train_scenes`, on generated rooms in ScanNet's layouts."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.questions import scannet
from benchmarks.scene_data.point_figures import DROPPED, NoveltyCounts, Tally
from benchmarks.scene_data.scannet import (
    Labelled,
    find_scans,
    hidden_classes,
    read_scan,
    scannet20,
    scannet200,
)
from benchmarks.training import point_augmentation, train_scenes
from benchmarks.training.point_training import Plan, batch_of, train
from benchmarks.training.room_samples import Batch
from openshape_ood import KnownClasses, PointEncoder, TextEncoder, load_scene, segment_scene
from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import InputError
from openshape_ood.scenes import Scene, load_labels, save_scene, voxelize
from openshape_ood.scenes.sparse.network import SparseUNet, sizes_of
from openshape_ood.synthetic.rooms import room

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # sparse scans, names that tiny does not know
VOXEL = 0.2
QUICK = ["--voxel", str(VOXEL), "--batch-size", "1", "--every", "1", "--quiet"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan in train/, two in val/, with raw ids; a guitar is a tail class."""
    root, table = tmp_path_factory.mktemp("scannet"), scannet200()
    ids = dict(zip(table.names, table.ids.tolist(), strict=True))
    for seed, part in ((1, "train"), (0, "val"), (2, "val")):
        made = room(seed, categories=["chair", "table"], foreign=["guitar"], objects=3, views=1, spacing=0.1,
                    color="material")  # fmt: skip
        assert made.scene.labels is not None
        labels = np.array([ids.get(name, 0) for name in made.names])[made.scene.labels]
        (root / part).mkdir(exist_ok=True)
        save_scene(replace(made.scene, labels=labels), root / part / f"scene000{seed}_00.ply")
    return root


@pytest.fixture(scope="module")
def stages(tree: Path) -> Path:
    """All three stages, a step or two each."""
    out = tree.parent / "trained"
    for stage, more in {
        "pretrain": ["--mix", "--sample-tail", "--steps", "2"],
        "train": ["--init", str(out / "pretrain/pretrain.safetensors"), "--loss", "focal", "--steps", "1"],
        "finetune": ["--init", str(out / "train/train.safetensors"), "--steps", "2", "--optimizer", "sgd"],
    }.items():
        assert train_scenes.main([stage, "--data-root", str(tree), "--out", str(out), *QUICK, *more]) == 0, stage
    return out


def test_the_table_of_classes() -> None:
    table, small = scannet200(), scannet20()
    assert len(table) == 200 and (np.diff(table.ids) > 0).all() and len(set(table.names)) == 200
    assert [int(mask.sum()) for mask in table.groups.values()] == [66, 68, 66]
    assert sorted(np.array(table.names)[table.absent])[:3] == ["alarm clock", "bicycle", "candle"]
    assert table.absent.sum() == 11 and len({*map(tuple, table.colors)}) == 200
    assert len(small) == 20 and small.names[small.of["nyu40"][39] - 1] == "other"
    stove = table.ids[table.names.index("office chair")]
    assert small.names[small.of["raw"][stove] - 1] == "chair" and small.of["raw"][0] == 0
    hidden = hidden_classes(table, 30, 0)
    assert [int(hidden[mask].sum()) for mask in table.groups.values()] == [10, 10, 10]
    assert (hidden == hidden_classes(table, 30, 0)).all() and (hidden != hidden_classes(table, 30, 1)).any()
    assert not (hidden & table.absent).any() and not hidden[[table.names.index(n) for n in ("wall", "floor")]].any()
    with pytest.raises(InputError, match="--hidden is 20; expected 1 to 16 of the 20 classes"):
        hidden_classes(small, 20, 0)


def test_every_layout_is_found(tmp_path: Path) -> None:
    def place(*names: str) -> None:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()

    place("a/train/s1.ply", "a/val/s2.ply", "a/val/s0.ply")
    assert [path.name for path in find_scans(tmp_path / "a", "val")] == ["s0.ply", "s2.ply"]
    place("b/train/s1.ply", "b/train/s2.ply")
    (tmp_path / "b/val.txt").write_text("train/s2.ply\n")
    (tmp_path / "b/train.txt").write_text("s1.ply\n")
    assert [find_scans(tmp_path / "b", part)[0].name for part in ("val", "train")] == ["s2.ply", "s1.ply"]
    place(*(f"c/scans/{name}/{name}_vh_clean_2{end}" for name in ("s7", "s8") for end in (".ply", ".labels.ply")))
    (tmp_path / "c/scannetv2_val.txt").write_text("s8\n")
    assert [path.name for path in find_scans(tmp_path / "c", "val")] == ["s8_vh_clean_2.ply"]
    with pytest.raises(InputError, match=r"has no part 'train'.*it holds scannetv2_val"):
        find_scans(tmp_path / "c", "train")
    (tmp_path / "c/scannetv2_val.txt").write_text("s8\ns9\n")
    with pytest.raises(InputError, match="1 of the scans in it are not there: s9; expected paths relative to"):
        find_scans(tmp_path / "c", "val")
    with pytest.raises(InputError, match="--data-root: no folder"):
        find_scans(tmp_path / "d", "val")


def test_labels_of_either_scale(tmp_path: Path) -> None:
    def saved(name: str, labels: list[int]) -> Path:
        points = np.random.default_rng(0).uniform(size=(len(labels), 3))
        return save_scene(Scene(points, labels=np.array(labels)), tmp_path / name)

    other = next(i for i in range(1, 1191) if i not in scannet200().ids)  # one of the 549 that is none of the 200
    own = read_scan(saved("s0.ply", [0, 1, 2, other, other]), scannet200())
    assert own.scene.labels is not None and own.scene.labels.tolist() == [0, 1, 2, 0, 0] and own.outside == {other: 2}
    nyu = read_scan(saved("s1_vh_clean_2.ply", [39, 38, 5, 0]), scannet20())
    assert nyu.scene.labels is not None and nyu.scene.labels.tolist() == [20, 0, 5, 0] and nyu.scene.name == "s1"
    with pytest.raises(
        InputError, match=rf"none of its labels \({other}, 60000\) is the raw id of a class of ScanNet200"
    ):
        read_scan(saved("s2.ply", [other, 60000]), scannet200())
    with pytest.raises(InputError, match=r"label 163; expected at most 40 in NYU40\. Try --labels raw"):
        read_scan(saved("s3_vh_clean_2.ply", [163, 1]), scannet20())
    with pytest.raises(InputError, match="its labels are NYU40's 40 classes"):
        read_scan(saved("s4_vh_clean_2.ply", [1, 2]), scannet200())
    assert not read_scan(saved("s5.ply", [0, 0]), scannet200()).has_labels


def test_novelty_that_is_counted_is_novelty_that_is_sorted() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, 4000).astype(np.float32)
    values = (values.view(np.uint32) >> DROPPED << DROPPED).view(np.float32)  # what the table tells apart
    group = rng.integers(-1, 3, 4000)
    values[group == -1] += 1
    values = (values.view(np.uint32) >> DROPPED << DROPPED).view(np.float32)
    counts = NoveltyCounts(("head", "common", "tail"))
    for part in np.array_split(np.arange(4000), 3):
        counts.add(values[part], group[part])
    found, known = counts.figures(), values[group >= 0]
    expected = ood_metrics(known, values[group < 0])
    assert found["auroc"] == pytest.approx(expected["auroc"]) and found["fpr95"] == pytest.approx(expected["fpr95"])
    threshold = np.sort(known)[int(np.ceil(0.95 * len(known))) - 1]
    alarms = [(values[group == i] > threshold).mean() for i in range(3)]
    assert list(found["false_alarms"].values()) == pytest.approx(alarms)
    empty = NoveltyCounts(("head",)).figures()
    assert np.isnan(empty["auroc"]) and np.isnan(empty["false_alarms"]["head"])


def test_figures_of_two_scans_by_hand() -> None:
    table, rng = scannet20(), np.random.default_rng(1)
    hidden = hidden_classes(table, 4, 0)
    tally, rows = Tally(table, [hidden]), list[Any]()
    for name in ("a", "b"):
        inverse = np.concatenate([np.arange(60), rng.integers(0, 60, 240)])
        nearest, novelty = rng.integers(0, 8, 60), rng.uniform(size=60)
        labels, instances = rng.integers(0, 7, 300), rng.integers(0, 5, 300)
        tally.add(Labelled(Scene(np.zeros((300, 3)), labels=labels, instances=instances, name=name), {}),
                  inverse, nearest, [novelty])  # fmt: skip
        rows += [(name, labels[i] - 1, nearest[v], instances[i], novelty[v]) for i, v in enumerate(inverse)]
    found = tally.figures()
    true, both, called = Counter(r[1] for r in rows), Counter(r[1] for r in rows if r[1] == r[2]), Counter[int]()
    called.update(r[2] for r in rows if r[1] >= 0)
    ious = [both[c] / (true[c] + called[c] - both[c]) for c in range(8) if true[c] + called[c]]
    assert found["miou"]["vertices"]["absent left out"]["all"] == (pytest.approx(np.mean(ious)), 8)
    assert found["miou"]["vertices"]["absent as 0"]["all"] == (pytest.approx(np.sum(ious) / 20), 20)
    assert found["only_called"] == [table.names[6], table.names[7]] and len(found["absent"]) == 14
    things: dict[Any, list[Any]] = {}
    for name, label, guess, instance, value in rows:
        if label >= 0 and instance > 0:
            things.setdefault((name, instance, label), []).append((guess, value))
    assert found["objects"]["all"][1] == len(things) == len(tally.object_rows)
    for row in tally.object_rows:
        own = things[row["scan"], row["instance"], table.names.index(row["class"])]
        assert row["points"] == len(own) and row["novelty 0"] == pytest.approx(np.mean([value for _, value in own]))
        most = Counter(guess for guess, _ in own)
        assert most[table.names.index(row["called"])] == max(most.values())
    split = found["open_set"][0]["points"]
    assert split["hidden"] == sum(n for c, n in true.items() if c >= 0 and hidden[c])
    assert split["known"] + split["hidden"] == sum(n for c, n in true.items() if c >= 0)


def test_names_of_a_trained_encoder(tree: Path, stages: Path, tmp_path: Path, capsys: Any) -> None:
    registry = stages / "pretrain/registry.toml"
    own = ["--data-root", str(tree), "--registry", str(registry), "--model", "scenes-pretrain", "--splits", "1"]
    argv = [*own, "--out", str(tmp_path), "--predictions", str(tmp_path / "said"), "--quiet", "--no-pictures"]
    assert scannet.main("scannet200", argv) == 0, capsys.readouterr().err
    report = json.loads(next(tmp_path.glob("scannet200-scenes-pretrain-*.json")).read_text())
    table = scannet200()
    encoder = PointEncoder.from_pretrained("scenes-pretrain", registry=registry)
    text = encoder.text()
    hit, union = Counter[int](), Counter[int]()
    for path in sorted((tree / "val").glob("*.ply")):
        scene = load_scene(path)
        said = load_labels(tmp_path / "said" / f"{path.stem}.txt")
        found = segment_scene(scene, table.names, encoder=encoder, text=text)
        ids = dict(zip(table.names, table.ids.tolist(), strict=True))
        assert found.nearest is not None and said.tolist() == [ids[name] for name in found.nearest]
        assert scene.labels is not None
        for true, called in zip(scene.labels.tolist(), said.tolist(), strict=True):
            if true:
                union.update({true, called})
                hit[true] += true == called
    mean, count = report["figures"]["miou"]["vertices"]["absent left out"]["all"]
    assert count == len(union) and mean == pytest.approx(np.mean([hit[c] / n for c, n in union.items()]))
    with next(tmp_path.glob("scannet200-scenes-pretrain*-objects.csv")).open() as file:
        objects = list(csv.DictReader(file))
    assert {row["class"] for row in objects} <= {"chair", "table", "guitar"} and objects
    assert len(report["figures"]["open_set"][0]["hidden"]) == 30 and report["published"][0]["miou"] == 27.73
    said_here = capsys.readouterr().out
    assert "false alarms, tail" in said_here and "without a labelled point" in said_here


def test_stages_leave_what_they_should(tree: Path, stages: Path, capsys: Any) -> None:
    from safetensors.torch import load_file

    before, after = (load_file(stages / f"{one}/{one}.safetensors") for one in ("train", "finetune"))
    changed = {key for key in after if not torch.equal(before[key], after[key])}
    assert changed == {"final.kernel", "final.bias"}
    assert not any(key.startswith("final") for key in load_file(stages / "pretrain/pretrain.safetensors"))
    log = json.loads((stages / "pretrain/pretrain.json").read_text())
    assert log["steps"] == 2 and log["rare_things"] == 1 and log["points"]["guitar"] > 0
    again = ["pretrain", "--data-root", str(tree), "--out", str(stages), *QUICK, "--mix", "--sample-tail", "--steps"]
    assert train_scenes.main([*again, "2"]) == 0  # nothing to do
    assert train_scenes.main([*again, "3"]) == 1 and "a training with other settings" in capsys.readouterr().err


@pytest.mark.slow
def test_pictures_a_classifier_and_twenty_classes(tree: Path, stages: Path, tmp_path: Path) -> None:
    own = ["--registry", str(stages / "finetune/registry.toml"), "--model", "scenes-finetune", "--out", str(tmp_path)]
    own += ["--data-root", str(tree), "--quiet", "--splits", "1"]
    assert scannet.main("scannet200", [*own, "--by", "classifier"]) == 0
    (picture,) = tmp_path.glob("scannet200-scenes-finetune-*classifier*.png")
    assert picture.stat().st_size > 10_000
    assert scannet.main("scannet20", [*own, "--labels", "raw", "--no-pictures"]) == 0
    (path,) = tmp_path.glob("scannet20-scenes-finetune-*.json")
    assert json.loads(path.read_text())["published"] == []


def test_what_is_refused(tree: Path, stages: Path, tmp_path: Path, capsys: Any) -> None:
    own = ["--data-root", str(tree), "--registry", str(stages / "pretrain/registry.toml"), "--splits", "1", "--quiet"]
    own += ["--out", str(tmp_path), "--model", "scenes-pretrain", "--no-pictures", "--most", "1"]

    def refused(*more: str) -> str:
        assert scannet.main("scannet200", [*own, *more]) == 1
        return str(capsys.readouterr().err)

    assert "has no part 'test'" in refused("--part", "test") and not list(tmp_path.iterdir())
    assert "needs a file with a classifier of the 200 classes of ScanNet200" in refused("--by", "classifier")
    assert "nothing" in refused("--model", "nothing")
    vectors = np.eye(4, 192)
    KnownClasses(tuple("abcd"), Identity("x", "another/space"), vectors).save(tmp_path / "other.safetensors")
    assert "Embeddings of different encoders cannot be compared" in refused(
        "--known", str(tmp_path / "other.safetensors")
    )
    few = KnownClasses.from_names(["wall", "chair"], TextEncoder.from_pretrained("tiny"))
    few.save(tmp_path / "few.safetensors")
    assert "lacks 198 classes of ScanNet200" in refused("--known", str(tmp_path / "few.safetensors"))
    scene = load_scene(next((tree / "val").glob("*.ply")))
    (tmp_path / "t/val").mkdir(parents=True)
    gray = save_scene(replace(scene, color=None), tmp_path / "t/val/s.ply")
    own[1] = str(tmp_path / "t")
    assert "has no color, and scenes-pretrain was trained with it" in refused()
    save_scene(replace(scene, labels=None), gray)
    assert "no labels: all points of the 1 scans of 'val' have label 0" in refused()


def test_wrong_stages_are_said(tree: Path, stages: Path, tmp_path: Path, capsys: Any) -> None:
    def refused(*more: str) -> str:
        assert train_scenes.main([*more, "--data-root", str(tree), "--out", str(tmp_path), *QUICK]) == 1
        return str(capsys.readouterr().err)

    assert "--loss hinge is none of train: cross_entropy or focal" in refused("train", "--loss", "hinge")
    assert "Expected --init FILE" in refused("finetune")
    assert "missing keys" in refused("train", "--network", "MinkUNet18A", "--init",
                                     str(stages / "pretrain/pretrain.safetensors"))  # fmt: skip
    assert not (tmp_path / "train").exists()


def toy(seed: int = 0) -> tuple[SparseUNet, Any]:
    torch.manual_seed(seed)
    network = SparseUNet(sizes_of("MinkUNet14A", stem=2, side=3, widths=(2,) * 8, outputs=2))
    rng = np.random.RandomState(0)
    scene = Scene(rng.uniform(0, 2, (300, 3)), labels=rng.randint(0, 3, 300))

    def loss(of: SparseUNet, batch: Batch, stream: torch.Generator) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(of(batch.numbers, batch.grid), batch.labels, ignore_index=-1)

    return network, (lambda step: batch_of([scene], 0.2, "ones", np.random.RandomState(step)), loss)


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, (batches, loss) = toy()
    log = train(whole, batches, loss, Plan(steps=4, every=1))
    assert [line["step"] for line in log] == [1, 2, 3, 4]
    for i in range(4):  # a step each
        parts, _ = toy(seed=i)
        stopped = train(parts, batches, loss, Plan(steps=4, minutes=1e-9, every=1), folder=tmp_path)
    assert [line["loss"] for line in stopped] == [line["loss"] for line in log]
    for key, one in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[key], one, rtol=0, atol=0)
    with pytest.raises(InputError, match="a smaller --rate"):
        train(whole, batches, lambda *a: loss(*a) * float("nan"), Plan(steps=1))


def test_batches_hold_what_the_first_point_of_a_voxel_has() -> None:
    rng = np.random.RandomState(0)
    scenes = [Scene(rng.uniform(-1, 1, (50, 3)), rng.uniform(size=(50, 3)), rng.randint(0, 4, 50)) for _ in range(2)]
    batch = batch_of(scenes, 0.5, "color")
    for i, scene in enumerate(scenes):
        voxels = voxelize(scene.points, 0.5)
        own = batch.grid.cells[:, 0] == i
        assert scene.color is not None and scene.labels is not None
        cells = [tuple(cell) for cell in batch.grid.cells[own, 1:].tolist()]
        place = [cells.index(tuple(cell)) for cell in voxels.coords.tolist()]
        np.testing.assert_array_equal(batch.labels[own].numpy()[place], scene.labels[voxels.first] - 1)
        np.testing.assert_allclose(batch.numbers[own].numpy()[place], scene.color[voxels.first] - 0.5)


def test_changes_of_scans() -> None:
    rng = np.random.RandomState(0)
    floor = np.stack(np.meshgrid(np.arange(0, 3, 0.05), np.arange(0, 3, 0.05), [0.0]), -1).reshape(-1, 3)
    scene = Scene(floor, rng.uniform(size=(len(floor), 3)), labels=np.ones(len(floor)))
    thing = Scene(rng.uniform(5, 5.3, (80, 3)), labels=np.full(80, 7), instances=np.full(80, 3))
    with_things = point_augmentation.pasted(scene, [thing], rng, count=2)
    assert (with_things.labels == 7).sum() == 160 and with_things.points[with_things.labels == 7, 2].min() >= 0
    assert with_things.points[:, :2].max() < 3.1 and with_things.points[:, :2].min() > -0.1
    wide = replace(thing, points=thing.points * 100)
    assert point_augmentation.pasted(scene, [wide], rng) is scene  # fits nowhere: left out, not put anywhere
    both = point_augmentation.mixed(scene, thing)
    assert len(both) == len(scene) + 80 and both.points[-80:].mean(0)[:2] == pytest.approx([1.5, 1.5], abs=0.1)
    turned = point_augmentation.turned(floor, np.random.RandomState(1))
    scale = np.linalg.norm(turned[1] - turned[0]) / 0.05
    assert 0.9 <= scale <= 1.1 and np.ptp(turned[:, 2]) < 3 * np.sqrt(2) * 1.1 * np.sin(np.pi / 32)
    changed = [point_augmentation.augmented(scene, np.random.RandomState(5)) for _ in range(2)]
    np.testing.assert_array_equal(changed[0].points, changed[1].points)
    assert changed[0].color is not None and changed[0].color.min() >= 0 and changed[0].color.max() <= 1
    assert np.abs(changed[0].color - scene.color).mean() < 0.2
    assert point_augmentation.augmented(scene, rng, ()).points is scene.points
