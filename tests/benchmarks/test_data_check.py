"""`python -m benchmarks data check`, and the published counts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from release_tree import write_release

from benchmarks.threedos.data import load, modelnet, scanobjectnn, shapenet
from benchmarks.threedos.data.check import (
    check,
    check_benchmark,
    differences,
    published_class_counts,
    published_counts,
)
from benchmarks.threedos.data.command import main
from benchmarks.threedos.splits import load_split, split_names

# scans of each class: those published, and the rest of a set shared out so that the published total comes out
SCANS = {
    "chair": 400, "shelf": 267, "door": 221, "sink": 117, "sofa": 250,  # 1,255
    "bed": 135, "toilet": 82, "desk": 149, "table": 241, "display": 181,  # 788
    "bag": 78, "bin": 201, "box": 108, "cabinet": 344, "pillow": 116,  # 847
}  # fmt: skip


def empty_h5(path: Path, clouds: int, points: int, labels: Sequence[int] | None = None) -> None:
    """A file as long as the real one whose clouds were never written, and take no room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("data", (clouds, points, 3), "f4", chunks=(1, points, 3))
        if labels is not None:
            file["label"] = np.array(labels)


def repeat(counts: Sequence[int]) -> list[int]:
    return [label for label, count in enumerate(counts) for _ in range(count)]


MODELS = {  # train and test split of ModelNet40, by label
    "sr1": {"train": (889, 572, 109, 128, 680), "test": (100, 100, 20, 20, 100)},
    "sr2": {"train": (515, 344, 592, 465), "test": (100, 100, 186, 100)},
}


def write_published(root: Path) -> Path:
    """A tree with as many objects as published in every file, none of them written out."""
    for name, parts in MODELS.items():
        for part, counts in parts.items():
            path = modelnet.original_cache(root, load_split(name), part)
            assert path is not None
            empty_h5(path, sum(counts), 10_000, repeat(counts))
        for path in modelnet.corrupted_paths(root, load_split(name)):
            empty_h5(path, sum(parts["train"]), 768, repeat(parts["train"]))
    labels = repeat([SCANS[name] for name in scanobjectnn.CLASSES])
    mixed = [label for start in range(5) for label in labels[start::5]]  # of each class about a fifth is for testing
    empty_h5(scanobjectnn.path_of(root, "training"), 2309, 2048, mixed[:2309])
    empty_h5(scanobjectnn.path_of(root, "test"), 581, 2048, mixed[2309:])
    for part in shapenet.PARTS:
        write_models(root, part, {"sn1": 2240, "sn2": 4696, "sn3": 3324})
    return root


def write_models(root: Path, part: str, totals: dict[str, int]) -> None:
    """Models of the known categories of each benchmark, as even as the total allows."""
    ids = []
    for name, total in totals.items():
        synsets = [synset for c in load_split(name).known for synset in c.shapenet]
        ids += [synsets[i % len(synsets)] for i in range(total)]
    clouds, synset_path, model_path = shapenet.paths_of(root, part)
    empty_h5(clouds, len(ids), 4096)
    synset_path.write_text(json.dumps(ids))
    model_path.write_text(json.dumps([str(i) for i in range(len(ids))]))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing may be changed in it."""
    return write_published(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing may be changed in it."""
    return write_release(tmp_path_factory.mktemp("release"), per_class=1, points=64)


@pytest.fixture
def scans_only(release: Path, tmp_path: Path) -> Path:
    shutil.copytree(release / "ScanObjectNN", tmp_path / "ScanObjectNN")
    return tmp_path


def verdicts(lines: list[str]) -> dict[str, str]:
    found = [line.partition(": ") for line in lines]
    return {name: verdict for name, _, verdict in found if name in split_names()}


def test_published_counts_fit_together() -> None:
    """The known of one benchmark are novel in another; classes add up; 1,635 and 2,102 are the published pairs."""
    counts = {name: published_counts(name) for name in split_names()}
    assert counts["sr1"]["known"] == counts["sr2"]["novel1"] == counts["sr23"]["novel1"] == 1255
    assert counts["sr2"]["known"] == counts["sr1"]["novel1"] == counts["sr13"]["novel1"] == 788
    assert counts["sr1"]["novel2"] == counts["sr2"]["novel2"] == counts["sr12"]["novel1"] == 2890 - 1255 - 788
    assert [counts[name]["novel1"] + counts[name]["novel2"] for name in ("sr1", "sr2")] == [1635, 2102]
    for name in ("sr1", "sr2"):
        for part in ("support", "validation"):
            classes = published_class_counts(name)[part]
            assert sum(classes.values()) == counts[name][part]
            assert list(classes) == [c.title for c in load_split(name).known]


def test_published_counts_of_shapenet_give_the_published_figures() -> None:
    """The example output in the README of github.com/antoalli/3D_OS, for SN1: its shares are of whole objects."""
    counts = published_counts("sn1")
    one, two = counts["novel1"], counts["novel2"]
    assert round(0.8522321428571429 * counts["known"]) / counts["known"] == 0.8522321428571429
    first, second = round(0.7904599659284497 * one), round(0.7457882069795427 * two)
    assert (first / one, second / two) == (0.7904599659284497, 0.7457882069795427)
    assert (first + second) / (one + two) == 0.7719451371571072
    assert published_counts("sn2") == {"known": one, "novel1": counts["known"], "novel2": two}
    assert published_counts("sn3") == {"known": two, "novel1": counts["known"], "novel2": one}


def test_published_classes_are_classes_of_their_part() -> None:
    for name in split_names():
        split = load_split(name)
        for part, classes in published_class_counts(name).items():
            there = {"novel1": split.novel1, "novel2": split.novel2}.get(part, split.known)
            assert set(classes) <= {c.title for c in there}


def test_nothing_is_published_of_other_benchmarks() -> None:
    assert (published_counts("nobody's"), published_class_counts("nobody's")) == ({}, {})


def test_differences_name_part_and_class(release: Path, published: Path) -> None:
    found = differences("sr1", load(load_split("sr1"), release).counts)
    assert found[0] == "support: 5 found, 2,378 published"
    assert "validation: 5 found, 340 published" in found
    assert "known, bookshelf: 2 found, 267 published" in found
    assert differences("sr12", load(load_split("sr12"), release).counts) == ["novel1: 10 found, 847 published"]
    for name in split_names():
        assert differences(name, load(load_split(name), published).counts) == []


def test_all_there_and_as_published(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--data-root", str(published)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert verdicts(lines) == dict.fromkeys(split_names(), "complete")
    rows = [line.split() for line in lines]
    assert ["support", "2,378", "2,378"] in rows and ["bookshelf", "572", "572"] in rows
    assert ["chair", "400", "-"] in rows and ["bookshelf", "267", "267"] in rows
    assert not any("differs" in line for line in lines)


def test_a_small_tree_differs_but_is_whole(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--data-root", str(release)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert set(verdicts(lines)) == set(split_names())
    rows = [line.split() for line in lines]
    assert ["support", "5", "2,378", "differs"] in rows and ["chair", "1", "889", "differs"] in rows
    assert verdicts(lines)["sn1"] == "differs: 3 counts are not as published"


def test_quiet_leaves_out_the_tables(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--data-root", str(release), "--quiet"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 + len(split_names())  # what is there besides, a line a benchmark
    assert not any("chair" in line for line in lines)


def test_what_is_missing_is_said_with_what_to_do(scans_only: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--data-root", str(scans_only)]) == 1
    lines = capsys.readouterr().out.splitlines()
    found = verdicts(lines)
    assert found["sr1"] == (
        "cannot run: modelnet40_normal_resampled/ missing; to fetch what is missing: python -m benchmarks data download"
    )
    assert found["sn3"].startswith("cannot run: sncore_fps_4096/ missing")
    assert found["sr23"].endswith("2 counts are not as published")  # all novel ones, and shelves
    assert any("ModelNet40_corrupted: ModelNet40_corrupted/ missing; to fetch" in line for line in lines)
    assert any("ood_sets_cache: none" in line for line in lines)


def test_a_missing_file_is_named(scans_only: Path) -> None:
    scanobjectnn.path_of(scans_only, "test").unlink()
    checked = check_benchmark(load_split("sr12"), scans_only)
    assert checked.verdict.startswith(
        "cannot run: ScanObjectNN/h5_files/main_split/test_objectdataset.h5 missing; to fetch"
    )


def test_damage_is_said_and_the_others_go_on(scans_only: Path, release: Path) -> None:
    (scans_only / "sncore_fps_4096").symlink_to(release / "sncore_fps_4096")
    path = scanobjectnn.path_of(scans_only, "test")
    path.write_bytes(path.read_bytes()[:1000])
    found = verdicts(check(scans_only)[0])
    assert "cannot read" in found["sr12"] and str(path) in found["sr12"]
    assert found["sn1"] == "differs: 3 counts are not as published"


def test_absent_classes_are_named(scans_only: Path) -> None:
    labels = [i for i in range(15) if scanobjectnn.CLASSES[i] not in ("door", "bag", "table")] * 2
    for part in scanobjectnn.PARTS:
        empty_h5(scanobjectnn.path_of(scans_only, part), len(labels), 2048, labels)
    checked = check_benchmark(load_split("sr12"), scans_only)
    assert checked.absent == ("door", "bag")  # of desk and table, desks are there
    assert checked.verdict == "differs: nothing of door, bag; 1 count is not as published"
    assert not checked.complete


@pytest.mark.parametrize(
    "names, problem",
    [
        (["bag", "bin"], "cannot run: no known class has both support and test objects"),
        (["chair", "sofa"], "cannot run: no novel class has a test object"),
    ],
)
def test_a_benchmark_without_known_or_novel_ones(scans_only: Path, names: list[str], problem: str) -> None:
    labels = [scanobjectnn.CLASSES.index(name) for name in names]
    for part in scanobjectnn.PARTS:
        empty_h5(scanobjectnn.path_of(scans_only, part), len(labels), 2048, labels)
    checked = check_benchmark(load_split("sr12"), scans_only)
    assert checked.verdict == problem
    assert checked.counts is not None  # and the table shows them


def test_text_files_are_looked_for_but_not_read(release: Path, tmp_path: Path) -> None:
    for folder in ("modelnet40_normal_resampled", "ScanObjectNN"):
        shutil.copytree(release / folder, tmp_path / folder)
    sofa = tmp_path / "modelnet40_normal_resampled" / "sofa" / "sofa_0001.txt"
    sofa.write_text("no numbers")
    assert check_benchmark(load_split("sr1"), tmp_path).verdict.startswith("differs")
    sofa.unlink()
    assert str(sofa) in check_benchmark(load_split("sr1"), tmp_path).verdict


def test_corrupted_copies_belong_to_all(published: Path, tmp_path: Path) -> None:
    for folder in published.iterdir():
        if folder.name != "ModelNet40_corrupted":
            (tmp_path / folder.name).symlink_to(folder)
    lines, complete = check(tmp_path)
    assert verdicts(lines) == dict.fromkeys(split_names(), "complete") and not complete
    shutil.copytree(published / "ModelNet40_corrupted", tmp_path / "ModelNet40_corrupted")
    one = tmp_path / "ModelNet40_corrupted" / "lidar" / "modelnet_set2_train_lidar_sev4.h5"
    one.unlink()
    lines, complete = check(tmp_path)
    assert any("modelnet_set2_train_lidar_sev4.h5" in line for line in lines) and not complete
    one.write_text("<html>")
    lines, complete = check(tmp_path)
    assert any("cannot read" in line and one.name in line for line in lines) and not complete


def test_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--data-root", str(tmp_path / "nowhere")]) == 1
    assert "no folder" in capsys.readouterr().out


def test_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "check | download" in capsys.readouterr().err
