"""The paper's evaluation on made-up views in the published layout."""

from __future__ import annotations

import copy
import csv
import itertools
import json
import pickle
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from made_up_clip import clip
from published_completion import ROWS, SMALL, completion_shapes, evaluation, result_rows, write_completion
from scipy.spatial import KDTree

from benchmarks.semabs import command, training
from benchmarks.semabs.evaluation import all_scores, left_out, scores
from benchmarks.semabs.reader import load_datum, read_published, save_datum
from benchmarks.semabs.summary import best_cutoff, column_rows, curve, interval, nyu_figures, table
from benchmarks.semabs.texts import texts_of
from benchmarks.semabs.training import Lamb, balanced_weights, occupancy_loss
from openshape_ood.errors import FileError, InputError, UnknownNameError
from openshape_ood.registry import find_checkpoint
from openshape_ood.scenes import Scene, save_scene
from openshape_ood.synthetic.sampling import sample_surface
from openshape_ood.synthetic.views import room_view
from openshape_ood.views import save_view
from openshape_ood.views.completion import Completer
from openshape_ood.views.completion.network import CompletionNetwork
from openshape_ood.views.geometry import in_bounds, moved, unproject
from openshape_ood.views.relevancy import loading, relevancy
from openshape_ood.views.relevancy.loading import Loaded, clip_tokenizer

SCENE, H, N = "00003|FloorPlan26_physics", 12, 400
LABELS = ["sofa", "couch", "lamp", "lamp on a sofa", "mean"]
CLASSES = ["empty[0]", "sofa[1]", "lamp[2]", "lamp[3]"]


def write_view(path: Path, seed: int = 0, side: int = H) -> Path:
    """A file in the published layout: growable arrays of items, and region references into them."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        data = file.create_group("data")

        def add(name: str, items: np.ndarray, into: h5py.Group = data, key: str = "") -> None:
            stack = file.require_dataset(name, (0, *items.shape[1:]), items.dtype, maxshape=(None, *items.shape[1:]))
            start = len(stack)
            stack.resize(start + len(items), axis=0)
            stack[start:] = items
            refs = into.create_dataset(key or name, (len(items),), dtype=h5py.regionref_dtype)
            for i in range(len(items)):
                refs[i] = stack.regionref[start + i]

        add("rgb", rng.integers(0, 255, (1, side, side, 3), dtype=np.uint8))
        add("depth", rng.uniform(1, 2, (1, side, side)).astype("f4"))
        add("full_xyz_pts", rng.uniform([-1, -1, -0.1], [1, 1, 1.9], (1, N, 3)).astype("f4"))
        add("full_objid_pts", rng.integers(0, 4, (1, N)).astype("i4"))
        maps = data.create_group("saliencies")
        for extractor in ("chefer_et_al", "ours"):  # the second's maps lie behind those of the first
            values = rng.standard_normal((len(LABELS), 8, 8)).astype("f4") * 0.01
            values[-1] = values[:-1].mean(axis=0)
            add("saliencies", values, maps, f"rgb|{extractor}")
            maps[f"rgb|{extractor}|saliency_text_labels"] = np.array(LABELS, dtype="S")
        data["cam_intr"] = np.array([[10.0, 0, side / 2], [0, 10, side / 2], [0, 0, 1]])
        pose = np.eye(4)
        pose[:3, :3] = 0.6 * np.array([[0, 0, 1], [-1, 0, 0], [0, 1, 0]])  # mirrors, as published
        pose[:3, 3] = [-1.5, 0, 0.8]
        data["cam_pose"], data["scene_bounds"] = pose, np.array([[-1, -1, -0.1], [1, 1, 1.9]])
        data["objid_to_class"] = np.array(CLASSES, dtype="S")
        data["visible_scene_obj_labels"] = np.array(["sofa", "lamp"], dtype="S")
        told = data.create_group("descriptions")
        for key, value in (("target", "lamp"), ("reference", "sofa")):
            told[f"{key}_obj_name"] = np.array([value], dtype="S")
        told["spatial_relation_name"], told["target_obj_id"] = np.array(["on"], dtype="S"), np.array([3])
    return path


def small_registry(folder: Path, layout: str, head: str, more: str = "") -> Path:
    """A registry with a network of small sizes, its file beside it."""
    digest = sha256(write_completion(folder / f"{layout}.pth", layout).read_bytes()).hexdigest()
    path = folder / f"{layout}.toml"
    path.write_text(
        f'[small]\nlike = "semabs-{head}"\nlicence = "none"\n'
        f'source = {{ file = "{layout}.pth", sha256 = "{digest}" }}\n'
        f"sizes = {{ side = 16, hidden = 32, channels = 8, maps = 8, groups = 4, levels = 3 {more} }}\n"
    )
    return path


def test_a_published_view_is_converted_and_read_back(tmp_path: Path) -> None:
    path = write_view(tmp_path / f"{SCENE}.hdf5")
    assert command.main(["convert", str(tmp_path), str(tmp_path / "views")]) == 0
    datum, own = load_datum(tmp_path / "views" / f"{SCENE}.npz"), read_published(path)
    assert (
        datum.scene_id == SCENE
        and datum.rgb.shape == (H, H, 3)
        and datum.classes.tolist()[1:] == ["sofa", "lamp", "lamp"]
    )
    assert np.array_equal(datum.relevancies, own.relevancies) and datum.labels.tolist() == LABELS[:-1]
    # the mean of the list that was asked for, not that of the first in the file
    assert np.allclose(datum.mean, datum.relevancies.mean(axis=0), atol=1e-7)
    assert not np.allclose(datum.mean, read_published(path, extractor="chefer_et_al").mean)
    assert datum.descriptions.tolist() == [["lamp", "on", "sofa"]] and datum.target_ids.tolist() == [3]
    faces = np.array([[-1, -1, -0.1], [1, 1, 1.9], [0, 0, -0.2]], dtype=np.float32)
    assert left_out(replace(datum, queries=faces), "relation").tolist() == [False, False, True]
    with pytest.raises(FileError, match="domain_randomized_rgb"):
        read_published(path, image="domain_randomized_rgb")
    (tmp_path / "bad.npz").write_bytes(b"none")
    with pytest.raises(FileError, match="convert"):
        load_datum(tmp_path / "bad.npz")


def test_the_views_of_a_split_are_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, views = tmp_path / "nyu_ovssc", tmp_path / "views"
    names = [write_view(data / f"{i:04}.hdf5", i).name for i in range(3)]
    (data / "vool_split.pkl").write_bytes(pickle.dumps({"train": names[:2], "test": names[2:], "gone": ["0009.hdf5"]}))
    words = ["convert", str(data), str(views), "--split"]
    assert command.main([*words, "test"]) == 0
    assert [path.name for path in views.glob("*.npz")] == ["0002.npz"]
    (data / "ssc_split.pkl").write_bytes(pickle.dumps({"train": names[:1], "out": ["../nyu_ovssc.hdf5"], "none": []}))
    write_view(tmp_path / "nyu_ovssc.hdf5")
    ssc = ["--split-file", str(data / "ssc_split.pkl")]
    assert command.main(["convert", str(data), str(tmp_path / "ssc"), "--split", "train", *ssc]) == 0
    assert [path.name for path in (tmp_path / "ssc").glob("*.npz")] == ["0000.npz"]
    capsys.readouterr()
    (data / "broken.pkl").write_bytes(pickle.dumps({"train": Path}))
    for more, said in (
        (["train"], "of the split 'test', not of 'train'"),
        (["unseen_instances"], "no split 'unseen_instances'; it has train, test, gone"),
        (["gone"], "1 of 1 views of gone are not in"),
        (["out", *ssc], "1 of 1 views of out are not in"),
        (["none", *ssc], "0 of 0 views of none are not in"),
        (["train", "--split-file", str(data / "broken.pkl")], "cannot read"),
    ):
        assert command.main([*words, *more]) == 1 and said in capsys.readouterr().err
    assert command.main(["convert", str(data), str(tmp_path / "every"), *ssc]) == 1
    assert "without --split" in capsys.readouterr().err
    assert command.main(["convert", str(data), str(tmp_path / "every")]) == 0
    assert "divides them into train (2), test (1)" in capsys.readouterr().err
    (data / "vool_split.pkl").unlink()
    (data / "ssc_split.pkl").unlink()
    assert command.main([*words, "train"]) == 1 and "no vool_split.pkl" in capsys.readouterr().err


def write_own_views(folder: Path, count: int = 2) -> Path:
    """Views of one generated room each, as a user has them: folders with a labelled scan."""
    for seed in range(count):
        made = room_view(seed, categories=("chair", "table", "sofa"), objects=4, size=(36, 48))
        save_view(made.view, folder / f"room {seed}" / "view")
        rng, names = np.random.RandomState(seed), ["none", "floor", "wall", "ceiling", "chair", "table", "sofa"]
        parts = [sample_surface(one.mesh, 400, rng)[0] for one in made.pieces]
        labels = np.repeat([names.index(one.name) for one in made.pieces], 400)
        scan = Scene(np.concatenate(parts), labels=labels)
        save_scene(scan, folder / f"room {seed}" / "scan.ply", names=dict(enumerate(names[:-1])))
    return folder


@pytest.fixture
def small_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = Loaded(clip(), clip_tokenizer(77), "made up", (0.5, 0.5, 0.5), (0.3, 0.3, 0.3))
    monkeypatch.setattr(relevancy, "load_clip", lambda *_: loaded)
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path / "cache"))


def test_published_views_without_relevancies_get_them(tmp_path: Path, small_clip: None, capsys: Any) -> None:
    path = write_view(tmp_path / "data" / f"{SCENE}.hdf5", side=32)
    with h5py.File(path, "a") as file:
        del file["data"]["saliencies"]
    words = ["convert", str(path.parent), str(tmp_path / "views"), "--preset", "quick"]
    assert command.main(words) == 0 and "relevancies by ViT-B-32 openai" in capsys.readouterr().out
    datum = load_datum(tmp_path / "views" / f"{SCENE}.npz")
    # sofa and lamp are seen, and couch is another word for sofa
    assert datum.labels.tolist() == ["sofa", "lamp", "couch", "lamp on a sofa", "lamp on a couch"]
    assert datum.relevancies.shape == (5, 128, 128) and datum.relevancies.any()
    np.testing.assert_allclose(datum.mean, datum.relevancies.mean(axis=0), atol=1e-8)
    assert command.main(words) == 0 and "relevancies by" not in capsys.readouterr().out  # it is there
    assert command.main([*words, "--seed", "1"]) == 1 and "with other settings" in capsys.readouterr().err


def test_own_views_are_converted_trained_on_and_evaluated(tmp_path, small_clip, monkeypatch, capsys) -> None:
    folder, views = write_own_views(tmp_path / "own"), tmp_path / "views"
    (tmp_path / "names.txt").write_text("chair\ntable\n\nFloor\n")
    words = ["convert", str(folder), str(views), "--preset", "quick", "--names"]
    assert command.main([*words, str(tmp_path / "names.txt")]) == 0
    assert sorted(one.name for one in views.glob("*.npz")) == ["room 0-view.npz", "room 1-view.npz"]
    datum = load_datum(views / "room 0-view.npz")
    assert datum.labels.tolist() == ["chair", "table", "floor"] and set(datum.visible) <= {"chair", "table", "floor"}
    assert "floor" in datum.visible and datum.classes.tolist()[:2] == ["empty", "floor"]
    assert in_bounds(datum.queries, datum.bounds).all()
    # the floor of the scan lies at 0, and what is empty lies beside no surface
    heights = datum.queries[datum.classes[datum.objects] == "floor", 2]
    assert np.abs(heights).max() < 0.02 and (datum.objects == 0).mean() > 0.2
    # where the view shows the floor, the scan says floor
    places = moved(unproject(datum.depth, datum.intrinsics), datum.pose)
    low = places[(np.abs(places[:, 2]) < 0.005) & in_bounds(places, datum.bounds)]
    surfaces = datum.objects > 0
    nearest = datum.objects[surfaces][KDTree(datum.queries[surfaces]).query(low)[1]]
    assert (datum.classes[nearest] == "floor").mean() > 0.9
    monkeypatch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(small_registry(tmp_path, "ovssc", "ovssc")))
    out, table = tmp_path / "own.pth", tmp_path / "own.csv"
    told = ["train", str(views), "--model", "small", "--steps", "2", "--queries", "500", "--out", str(out)]
    assert command.main(told) == 0
    told = ["evaluate", str(views), "--model", "small", "--checkpoint", str(out), "--split", "unseen_instances"]
    assert command.main([*told, "--out", str(table)]) == 0
    assert {"floor", "chair"} & {row["label"] for row in command.read_rows(table)}
    (folder / "room 1" / "scan.ply").unlink()
    for path in views.glob("*.npz"):
        path.unlink()  # as after a conversion that failed: other settings are welcome
    assert command.main(["convert", str(folder), str(views), "--names", "chair"]) == 1
    assert "with other settings" not in capsys.readouterr().err
    assert command.main(["convert", str(folder), str(tmp_path / "other"), "--names", "chair", "table"]) == 1
    assert "there is no scan.* in its folder" in capsys.readouterr().err


@pytest.mark.parametrize(("layout", "head", "more"), [("ovssc", "ovssc", ""), ("vool", "vool", ", pointing = 16")])
def test_a_network_is_evaluated_and_summarized(layout, head, more, tmp_path, monkeypatch, capsys) -> None:
    write_view(tmp_path / f"{SCENE}.hdf5")
    command.main(["convert", str(tmp_path), str(tmp_path / "views")])
    monkeypatch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(small_registry(tmp_path, layout, head, more)))
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "results.csv"
    out.touch()  # of a run that was stopped before its first view
    for split in ("unseen_instances", "unseen_instances_synonyms", "train", "train"):  # the last one is there
        arguments = ["evaluate", str(tmp_path / "views"), "--model", "small", "--split", split, "--out", str(out)]
        assert command.main(arguments) == 0
    assert f"{SCENE}.npz is in {out}" in capsys.readouterr().out
    with pytest.raises(InputError, match="another kind of network"):
        command.add_rows(out, [{"scene_id": SCENE}], ["scene_id", "split"])
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 3 * 25 * (2 if layout == "ovssc" else 1)
    named = {row["label"] for row in rows} if layout == "ovssc" else {row["reference_obj_name"] for row in rows}
    assert {"sofa", "couch"} <= named
    assert all(0 <= float(row["point_iou"]) <= 1 for row in rows)
    capsys.readouterr()
    assert command.main(["summarize", f"mine={out}"]) == 0
    told = capsys.readouterr().out
    assert "| mine | room | visual | vocab | class |" in told and "chosen on held-out training rooms" in told
    assert command.main(["summarize", str(out), "--published"]) == 0
    assert "on the same rows, as published" in capsys.readouterr().out


def test_views_of_nyu_are_evaluated_and_summarized_by_class(tmp_path, monkeypatch, capsys) -> None:
    path = write_view(tmp_path / "nyu" / "0001.hdf5")
    with h5py.File(path, "a") as file:
        del file["data"]["descriptions"]
    command.main(["convert", str(path.parent), str(tmp_path / "views")])
    monkeypatch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(small_registry(tmp_path, "ovssc", "ovssc")))
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "results.csv"
    arguments = ["evaluate", str(tmp_path / "views"), "--model", "small", "--split", "nyu", "--out", str(out)]
    assert command.main(arguments) == 0
    assert command.main(arguments) == 0  # the view is there
    assert command.main(["summarize", str(out), "--published"]) == 1
    shown = capsys.readouterr()
    assert f"0001.npz is in {out}" in shown.out and "It is of NYU: give --nyu" in shown.err
    rows = command.read_rows(out, "voxel60x60x60_iou")
    assert {row["label"] for row in rows} == {"sofa", "lamp"} and "voxel32x32x32_iou" not in rows[0]
    capsys.readouterr()
    assert command.main(["summarize", f"mine={out}", "--nyu", "--published"]) == 0
    told = capsys.readouterr().out
    assert "| mine | ceiling | floor | wall | window | chair | bed | sofa | table | tvs | furn | objs | mean |" in told
    assert "| zero-shot from THOR | 13.7 |" in told and "not published" in told and "40.1" not in told
    sofas = [row for row in rows if row["label"] == "sofa"]
    at = [row for row in sofas if row["cutoff"] == best_cutoff(sofas, "voxel60x60x60_iou")]
    assert f"Cut-off {at[0]['cutoff']:g}, chosen on the same rows" in told
    assert "no such class: lamp" in told  # and the cut-off is chosen without it
    figures = nyu_figures(rows, at[0]["cutoff"])
    assert figures[6] == figures[-1] == 100 * at[0]["voxel60x60x60_iou"] and np.isnan(figures[:6]).all()


def test_tables_by_two_protocols() -> None:
    rows = result_rows("ovssc", 0, "ours")
    published, honest = column_rows(rows, "class", True), column_rows(rows, "class", False)
    assert len(published) == 3 * len(honest) and {row["split"] for row in honest} == {"unseen_instances"}
    assert best_cutoff(rows) == max(curve(rows), key=curve(rows).get) == -1.5
    own = table(rows, -1.5)["all"]
    assert len(own) == 4 and all(0 < one < 100 for one in own)
    at = [row for row in column_rows(rows, "room", False) if row["cutoff"] == -1.5]
    low, high = interval(at, "room", draws=50)
    assert low <= own[0] <= high and (low, high) == interval(at, "room", draws=50)
    relations = table(result_rows("vool", 0, "ours"), -1.5)
    assert list(relations)[-1] == "mean" and len(relations) == 7
    with pytest.raises(InputError, match="held-out training rooms"):
        command.summary("mine", rows, published=False, cutoff_from=None)


def test_what_is_no_table_or_data_set_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, empty = tmp_path / "rows.csv", tmp_path / "empty.csv"
    rows.write_text(f"scene_id,split,cutoff,label,voxel32x32x32_iou\n{SCENE},train,-1.0,sofa,0.5\n")
    empty.touch()
    for words, said in (
        (["summarize", str(rows), "--metric", "iou"], "no column 'iou', but scene_id, split"),
        (["summarize", str(empty)], "no column 'scene_id', but none"),
        (["summarize", str(rows), "--cutoff-from", str(empty)], "empty.csv as a table of results"),
        (["convert", str(tmp_path / "none"), str(tmp_path / "views")], "no .hdf5 files and no views under"),
    ):
        assert command.main(words) == 1 and said in capsys.readouterr().err
    assert not (tmp_path / "views").exists()


def test_figures_by_hand() -> None:
    found = scores(np.array([[1, 1, 0, 0, 1]]) > 0, np.array([[1, 0, 1, 0, 1]]) > 0, np.zeros((1, 5), dtype=bool))
    assert {name: float(value[0]) for name, value in found.items()} == pytest.approx(
        {"iou": 0.5, "precision": 2 / 3, "recall": 2 / 3, "false_negative": 0.2, "false_positive": 0.2}
    )
    nothing = scores(np.zeros((1, 3), bool), np.zeros((1, 3), bool), np.zeros((1, 3), bool))
    assert np.isnan(nothing["iou"]) and np.isnan(nothing["recall"]) and nothing["false_positive"] == 0
    points = np.array([[-0.9, -0.9, 0], [-0.91, -0.9, 0], [0.9, 0.9, 1.8], [0.9, 0.9, 0]])
    truth, logits = np.array([True, False, True, False]), np.array([-1.0, 1, -1, -1])
    hidden = np.array([False, False, False, True])
    figures = all_scores(logits, truth, hidden, points, (0.0, -2.0, 2.0))
    assert figures["voxel32x32x32_iou"].tolist() == [0.5, 1, 0]  # the first voxel is right by two points
    assert figures["point_iou"].tolist() == [0, 2 / 3, 0]


def test_losses_and_steps() -> None:
    made_up = evaluation(0, n=300)
    logits, labels = torch.from_numpy(made_up["logits"][0]), torch.from_numpy(made_up["labels"][0]).float()
    weights = balanced_weights(labels)
    assert weights.mean() == pytest.approx(1, rel=1e-4) and (weights[labels > 0].min() > weights[labels == 0].max())
    ignored = torch.zeros(3, 300, dtype=torch.bool)
    ignored[2] = True
    assert occupancy_loss(logits, labels, ignored) == occupancy_loss(logits[:2], labels[:2])
    one = torch.full((3,), 100.0, requires_grad=True)
    one.grad = torch.ones(3)
    steps = Lamb([one], lr=0.1, weight_decay=0)
    steps.step()
    assert float((100 - one.detach()).norm()) == pytest.approx(
        1, rel=1e-3
    )  # lr times the norm, which counts as 10 at most


def test_embeddings_of_names_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.semabs.evaluation import result_rows as rows_of

    registry = small_registry(tmp_path, "semaware_ovssc", "semaware-ovssc", ", text = 64")
    completer = Completer.from_pretrained("small", registry=registry)
    with pytest.raises(InputError, match="--text FILE"):
        next(rows_of(read_published(write_view(tmp_path / f"{SCENE}.hdf5")), completer, "train"))
    with pytest.raises(InputError, match="have 16 numbers; the network expects 64"):
        next(rows_of(read_published(tmp_path / f"{SCENE}.hdf5"), completer, "train", texts=lambda _: torch.ones(16)))
    with pytest.raises(UnknownNameError, match="'chair'"):
        texts_of(write_texts(tmp_path), "text")("chair")
    loaded = Loaded(clip(), clip_tokenizer(77), "made up", (), ())
    monkeypatch.setattr(loading, "load_clip", lambda *_: loaded)
    of_class, bare = (texts_of(None, head)("sofa") for head in ("text", "text-relation"))
    assert of_class.norm() == pytest.approx(1, rel=1e-5) and bare.norm() != pytest.approx(1, rel=1e-2)


def write_texts(folder: Path) -> Path:
    names = ["sofa", "couch", "lamp"]
    np.savez(folder / "texts.npz", names=names, vectors=np.random.default_rng(0).standard_normal((3, 64)))
    return folder / "texts.npz"


@pytest.mark.parametrize(
    ("layout", "more"),
    [
        ("ovssc", ""),
        ("semaware_vool", ", pointing = 16, text = 64"),
        pytest.param("vool", ", pointing = 16", marks=pytest.mark.slow),
        pytest.param("semaware_ovssc", ", text = 64", marks=pytest.mark.slow),
        pytest.param("clip_spatial", "", marks=pytest.mark.slow),
    ],
)
def test_each_baseline_is_trained_stopped_resumed_and_evaluated(layout, more, tmp_path, monkeypatch, capsys) -> None:
    write_view(tmp_path / f"{SCENE}.hdf5")
    command.main(["convert", str(tmp_path), str(tmp_path / "views")])
    if layout == "clip_spatial":  # relevancy to the whole sentence
        path = tmp_path / "views" / f"{SCENE}.npz"
        save_datum(replace(load_datum(path), labels=np.array(["sofa", "couch", "lamp", "lamp on a sofa"])), path)
    monkeypatch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(small_registry(tmp_path, layout, ROWS[layout], more)))
    how = ["--model", "small", "--text", str(write_texts(tmp_path))]
    told = ["train", str(tmp_path / "views"), *how, "--steps", "3", "--warm", "2", "--queries", "200", "--every", "1"]
    whole, parts = tmp_path / "whole.pth", tmp_path / "parts.pth"
    assert command.main([*told, "--out", str(whole)]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()[-3:]]
    assert printed == [json.loads(line) for line in (tmp_path / "whole.pth.jsonl").read_text().splitlines()]
    assert [one["step"] for one in printed] == [1, 2, 3] and printed[0]["loss"] > 0
    (tmp_path / "other.pth").touch()
    assert command.main([*told, "--out", str(tmp_path / "other.pth")]) == 1
    assert not (tmp_path / "other.pth").read_bytes()
    monkeypatch.setattr(training, "_save", stopped(training._save))
    assert command.main([*told, "--out", str(parts)]) == 130
    monkeypatch.undo()
    monkeypatch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(tmp_path / f"{layout}.toml"))
    assert command.main([*told, "--out", str(parts)]) == 0
    one, other = (torch.load(path, weights_only=True) for path in (whole, parts))
    assert all(torch.equal(value, other["net"][key]) for key, value in one["net"].items())
    shapes = completion_shapes(layout, SMALL)
    assert {key: tuple(value.shape) for key, value in one["net"].items()}.items() <= shapes.items()
    out = tmp_path / "rows.csv"
    arguments = ["evaluate", str(tmp_path / "views"), *how, "--checkpoint", str(whole), "--split", "train"]
    assert command.main([*arguments, "--out", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 1 + 25 * (2 if "ovssc" in layout else 1)


@pytest.mark.slow
def test_two_processes_train_one_network_and_fill_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(3):
        write_view(tmp_path / "data" / f"{i}|FloorPlan{i}_physics.hdf5", i)
    assert command.main(["convert", str(tmp_path / "data"), str(tmp_path / "views")]) == 0
    empty = load_datum(next((tmp_path / "views").glob("*.npz")))
    save_datum(replace(empty, visible=np.array([], dtype="U1")), tmp_path / "views" / "nothing.npz")
    monkeypatch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(small_registry(tmp_path, "ovssc", "ovssc")))
    out, how = tmp_path / "two.pth", ["--steps", "5", "--warm", "2", "--queries", "200", "--every", "1", "--lr", "0.01"]
    lines = in_two_processes("train", tmp_path / "views", *how, "--out", out)
    logged = (tmp_path / "two.pth.jsonl").read_text()
    assert lines == logged.splitlines() and [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5]
    # alone, with the mean loss of the views of both
    recipe, row = training.Recipe(5, 2, 0.01, queries=200), find_checkpoint("small", kinds=("completion",))
    torch.manual_seed(0)
    network, paths = CompletionNetwork(row.sizes), training.view_files(tmp_path / "views")
    first = copy.deepcopy(network.state_dict())
    alone = training.Run(network, Lamb(network.parameters()), {}, None, steps=5)
    passed = 0  # views that show nothing
    for step in range(5):
        losses = []
        for rank in (0, 1):
            place, numbers = 2 * step + rank, [0, step, 1, *([1] if rank else [])]
            order = np.random.default_rng([0, place // 4]).permutation(4)
            datum = load_datum(paths[order[place % 4]])
            losses.append(training._loss(network, datum, recipe, None, np.random.default_rng(numbers))[0])
        learned = [loss for loss in losses if loss is not None]
        passed += 2 - len(learned)
        assert alone.descend(torch.stack(learned).mean(), recipe.rate(step), training.CLIP_NORM)
        assert json.loads(lines[step])["loss"] == pytest.approx(torch.stack(learned).mean().item(), abs=2e-5)
    found = torch.load(out, weights_only=True)
    assert found["epochs"] == 2 and passed
    # LAMB divides by the size of each gradient, so that rounding moves single weights by more
    off, way = 0.0, 0.0
    for key, one in network.state_dict().items():
        off += float((found["net"][training.published_key(key, "name")] - one).square().sum())
        way += float((one - first[key]).square().sum())
    assert way > 0 and off < 1e-4 * way, (off, way)
    told = ["evaluate", tmp_path / "views", "--checkpoint", out, "--split", "train", "--out"]
    lines = in_two_processes(*told, tmp_path / "two.csv")
    assert lines == [path.name for path in paths]
    assert command.main([*map(str, told), str(tmp_path / "one.csv"), "--model", "small"]) == 0
    one, two = (command.read_rows(tmp_path / name) for name in ("one.csv", "two.csv"))
    assert [row["scene_id"] for row in one] == [row["scene_id"] for row in two] and len(one) == 3 * 2 * 25
    np.testing.assert_allclose(*([row["voxel32x32x32_iou"] for row in rows] for rows in (one, two)), atol=1e-5)
    assert in_two_processes(*told, tmp_path / "two.csv")[0].endswith(f"is in {tmp_path / 'two.csv'}")


def in_two_processes(*words: Any) -> list[str]:
    """What a command prints under torchrun."""
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "benchmarks"]
    words = (*run, "semabs", *words, "--model", "small", "--device", "cpu")
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


def stopped(save):
    """A run that ends after its second state."""
    count = itertools.count(1)

    def saved(*given) -> None:
        save(*given)
        if next(count) == 2:
            raise KeyboardInterrupt

    return saved


def test_queries_and_affines_are_drawn_as_published() -> None:
    rates = [training.Recipe(steps=5, warm=2).rate(step) for step in range(5)]
    assert rates == pytest.approx([5e-4, 1e-3, 1e-3, 7.5e-4, 2.5e-4])
    labels = np.arange(1000) < 20
    chosen = training.drawn_queries(labels, 100, np.random.default_rng(0))
    assert (
        len(np.unique(chosen)) == 100 and labels[chosen].sum() >= 18
    )  # a tenth of the queries, most of the right ones
    bounds = np.array([[-1, -1, -0.1], [1, 1, 1.9]])
    for seed in range(20):
        change = training.drawn_affine(bounds, 0.05, np.random.default_rng(seed))
        stretch = np.linalg.svd(change[:3, :3], compute_uv=False)
        assert (stretch >= 1 - 1e-9).all() and (stretch <= 1.1 + 1e-9).all() and np.linalg.det(change[:3, :3]) > 0
        assert np.abs(change[:3, 3]).max() < 1
