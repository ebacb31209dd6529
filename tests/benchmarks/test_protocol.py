from __future__ import annotations

import io
import json
import runpy
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from fakes import FakeEncoder, FakeText

import openshape_ood
from benchmarks.objects import BenchmarkData, Objects, collect
from benchmarks.protocol import METHODS, Embedded, banks, evaluate, main, table
from benchmarks.splits import load_split
from openshape_ood import ShapeEncoder
from openshape_ood.metrics import METRICS, ood_metrics

PER_CLASS = 2
SETTINGS = ["--model", "tiny", "--per-class", str(PER_CLASS), "--quiet", "--device", "cpu"]


def run(name: str, out: Path, *settings: str) -> tuple[dict[str, Any], str]:
    """The report and what was printed."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main(name, [*SETTINGS, "--out", str(out), *settings]) == 0
    (path,) = out.glob("*.json")
    return json.loads(path.read_text(encoding="utf-8")), printed.getvalue()


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sr2") / "a folder" / "of results"


@pytest.fixture(scope="module")
def done(out: Path) -> tuple[dict[str, Any], str]:
    return run("sr2", out)


def test_the_report_says_what_was_run(done: tuple[dict[str, Any], str], tiny: ShapeEncoder) -> None:
    report, _ = done
    assert report["checkpoint_sha256"] == tiny.checkpoint_hash
    assert (report["benchmark"], report["model"], report["device"], report["absent"]) == ("sr2", "tiny", "cpu", [])
    assert report["preprocessing"] == {"points": tiny.num_points, "data_up": "y", "encoder_up": "y", "seed": 0}
    assert report["versions"]["openshape_ood"] == openshape_ood.__version__
    assert "generated" in report["data"]


def test_the_report_counts_its_objects(done: tuple[dict[str, Any], str]) -> None:
    split = load_split("sr2")
    parts = {"support": split.known, "known": split.known, "novel1": split.novel1, "novel2": split.novel2}
    expected = {name: {c.title: PER_CLASS for c in classes} for name, classes in parts.items()}
    assert done[0]["counts"] == expected


def test_the_report_has_every_figure(done: tuple[dict[str, Any], str]) -> None:
    results = done[0]["results"]
    assert [(r["known_by"], r["score"]) for r in results] == list(METHODS)
    for result in results:
        assert set(result["novel1"]) == set(result["novel2"]) == set(result["both"]) == set(METRICS)
        assert 0 <= result["accuracy"] <= 1
        assert result["accuracy"] == pytest.approx(result["balanced_accuracy"])  # the classes are of one size


def test_the_table_and_the_files_are_printed(done: tuple[dict[str, Any], str], out: Path) -> None:
    report, printed = done
    first = report["results"][0]
    figures = [100 * first["novel1"][m] for m in ("auroc", "fpr95", "aupr_in", "aupr_out")] + [100 * first["accuracy"]]
    (row,) = (line for line in printed.splitlines() if line.startswith("names "))
    assert [float(x) for x in row.split()[2:-1]] == pytest.approx(figures, abs=0.05)
    assert "bed, toilet, desk/table, monitor known" in printed
    assert "no data root given" in printed
    assert str(out / "sr2-tiny-generated.json") in printed
    assert printed.rstrip().endswith(str(out / "sr2-tiny-generated.png"))


def test_the_picture_is_a_picture(done: tuple[dict[str, Any], str], out: Path) -> None:
    content = (out / "sr2-tiny-generated.png").read_bytes()
    width, height = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    assert content.startswith(b"\x89PNG")
    assert width > 1000 and height > 1000 and len(content) > 50_000
    assert sorted(path.suffix for path in out.iterdir()) == [".json", ".png"]


def test_a_run_can_be_repeated(done: tuple[dict[str, Any], str], tmp_path: Path) -> None:
    again, _ = run("sr2", tmp_path)
    assert {**again, "seconds": 0} == {**done[0], "seconds": 0}


def test_real_data_with_a_class_that_is_absent(tmp_path: Path) -> None:
    """Random clouds in the layout of the 3DOS release; sofa and pillow are missing."""
    labels, root = [i for i in range(15) if i not in (11, 13)], tmp_path / "data"
    random = np.random.RandomState(0)
    scans = root / "ScanObjectNN" / "h5_files" / "main_split"
    scans.mkdir(parents=True)
    for part in ("training", "test"):
        with h5py.File(scans / f"{part}_objectdataset.h5", "w") as file:
            file["data"], file["label"] = random.normal(size=(len(labels), 2048, 3)).astype(np.float32), labels
    ids = [f"{name}_0001" for name in ("chair", "bookshelf", "door", "sink", "sofa")]
    for shape in ids:
        path = root / "modelnet40_normal_resampled" / shape[:-5] / f"{shape}.txt"
        path.parent.mkdir(parents=True)
        np.savetxt(path, random.normal(size=(40, 6)), delimiter=",")
    (root / "modelnet40_normal_resampled" / "modelnet40_train.txt").write_text("\n".join(ids))

    report, printed = run("sr1", tmp_path / "out", "--data-root", str(root))
    assert report["absent"] == ["sofa", "pillow"]
    assert report["counts"]["support"] == dict.fromkeys(["bookshelf", "chair", "door", "sink"], 1)
    assert "left out, because the data have none of them: sofa, pillow" in printed
    assert (tmp_path / "out" / "sr1-tiny-3dos.png").is_file()


@pytest.mark.parametrize(
    "settings, message",
    [
        (["--model", "tinny"], "unknown checkpoint 'tinny'"),
        (["--data-root", "no such folder"], "no folder no such folder"),
        (["--data-root", "."], "training_objectdataset.h5"),
        (["--checkpoint", "no such file"], "no such file"),
        (["--registry", "no such file"], "no such file"),
        (["--device", "abacus"], "abacus"),
        (["--out", "/dev/null/results"], "/dev/null/results"),
        (["--seed", "-1"], "seed is -1; generated benchmarks take 0 to"),
        (["--per-class", "0"], "per_class is 0; expected 1 to 1000"),
    ],
)
def test_bad_settings_end_in_one_line(
    settings: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main("sr1", [*SETTINGS, *settings]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_options_that_do_not_exist_end_in_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for settings in (["--modle", "tiny"], ["--per-class", "many"]):
        with pytest.raises(SystemExit, match="2"):
            main("sr1", settings)
        assert "usage: python -m benchmarks.sr1" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["sr1", "sr2"])
def test_a_benchmark_is_a_command(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    assert f"usage: python -m benchmarks.{name}" in capsys.readouterr().out


NAMES = ("bed", "toilet", "desk", "table", "monitor")
VECTORS = dict(zip(NAMES, np.eye(5), strict=True))
TILT = np.array([0, 0, 0.6, 0.8, 0])  # between desk and table, nearer to table


def made_up() -> tuple[BenchmarkData, Embedded]:
    """Objects whose embeddings are given; their clouds are never looked at."""
    split = load_split("sr2")
    support = [(c.title, [VECTORS[name] for name in c.names]) for c in split.known]
    known = [("bed", [VECTORS["bed"]]), ("desk/table", [VECTORS["desk"], VECTORS["table"], TILT])]
    novel = [("box", [np.ones(5), -np.ones(5)])]
    parts = [collect(p) for p in (support, known, novel, [])]
    return BenchmarkData("made up", split.known, *parts), Embedded(*(_vectors(p) for p in parts))


def _vectors(objects: Objects) -> np.ndarray:
    return np.array(objects.clouds).reshape(-1, 5)


def test_of_two_names_the_better_one_counts() -> None:
    data, embedded = made_up()
    known_banks = banks(data, embedded, FakeEncoder(embedding_dim=5), FakeText(VECTORS))
    assert known_banks["names"].names == NAMES
    by_names, by_prototypes, by_example = evaluate(data, embedded, known_banks)
    np.testing.assert_allclose(by_names.known, [0, 0, 0, 1 - 0.8], atol=1e-6)
    # the prototype of desk/table lies half-way between its two examples
    np.testing.assert_allclose(by_prototypes.known[1:3], np.sqrt(2 - 2 * np.sqrt(0.5)), atol=1e-6)
    np.testing.assert_allclose(by_example.known[:3], 0, atol=1e-6)
    for result in (by_names, by_prototypes, by_example):
        assert result.predicted.tolist() == ["bed", "desk/table", "desk/table", "desk/table"]
        assert (result.accuracy, result.balanced_accuracy) == (1, 1)


def test_metrics_take_known_first_and_skip_an_empty_set() -> None:
    data, embedded = made_up()
    results = evaluate(data, embedded, banks(data, embedded, FakeEncoder(embedding_dim=5), FakeText(VECTORS)))
    assert set(results[0].metrics) == {"novel1", "both"}
    assert results[0].metrics["both"] == ood_metrics(results[0].known, results[0].novel1)
    assert results[0].metrics["both"]["auroc"] == 1
    assert "novel2" not in table(results)
