"""Whole runs with `tiny`, as a user types them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from published import PUBLISHED, write_checkpoint
from release_tree import write_release
from safetensors.numpy import load
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, roc_curve

import openshape_ood
from benchmarks.command import main
from benchmarks.data.scanobjectnn import CLASSES
from benchmarks.results import SHOWN
from benchmarks.splits import load_split
from openshape_ood import ShapeEncoder, TextEncoder
from openshape_ood.hub import sha256

ROOT = Path(__file__).parents[2]
PER_CLASS = 2
SETTINGS = ["--model", "tiny", "--quiet", "--device", "cpu", "--workers", "0", "--draws", "100", "--no-pictures"]
GENERATED = [*SETTINGS, "--per-class", str(PER_CLASS)]
KNOWN_BY = ["names", "prototypes", "nearest example"]
TRACKS = {"synthetic to real": ("sr1", "sr2"), "synthetic": ("sn1",), "real": ("sr12", "sr13", "sr23")}


def run(name: str, out: Path, *settings: str) -> tuple[dict[str, Any], str]:
    """The report of one benchmark, and what was printed."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main(name, [name], ["--out", str(out), *settings]) == 0
    (path,) = out.glob("*.json")
    return json.loads(path.read_text(encoding="utf-8")), printed.getvalue()


def without_run(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report without what may differ between two equal runs: its time and what the cache had."""
    return {key: value for key, value in report.items() if key != "run"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sr2") / "a folder" / "of results"


@pytest.fixture(scope="module")
def done(out: Path, cache: Path) -> tuple[dict[str, Any], str]:
    drawn = [setting for setting in GENERATED if setting != "--no-pictures"]
    return run("sr2", out, *drawn, "--cache", str(cache))


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("3D_OS_release_data"), per_class=PER_CLASS)


# ------------------------------------------------------------------ generated shapes


def test_the_report_says_what_was_run(done: tuple[dict[str, Any], str], tiny: ShapeEncoder) -> None:
    report, _ = done
    assert report["checkpoint_sha256"] == tiny.checkpoint_hash
    assert (report["benchmark"], report["protocol"], report["model"]) == ("sr2", "openshape", "tiny")
    assert report["device"] == "cpu"
    assert report["settings"] == {
        **{"support_points": 1024, "test_points": 1024, "colour": 0.4, "exchange": False, "unit": True},
        **{"templates": "", "views": 1, "support": "clean", "encoder_up": "y", "seeds": [1, 41, 13718]},
        **{"draws": 100, "batch_size": 32, "data_seed": 0, "per_class": PER_CLASS},
    }
    assert report["versions"]["openshape_ood"] == openshape_ood.__version__
    assert report["data"]["generated"] and report["data"]["absent"] == report["data"]["differs"] == []
    assert {len(digest) for digest in report["data"]["sha256"].values()} == {64}


def test_the_report_counts_its_objects(done: tuple[dict[str, Any], str]) -> None:
    split = load_split("sr2")
    parts = {"support": split.known, "known": split.known, "novel1": split.novel1, "novel2": split.novel2}
    expected = {name: {c.title: PER_CLASS for c in classes} for name, classes in parts.items()}
    assert done[0]["data"]["counts"] == expected | {"validation": {c.title: 1 for c in split.known}}


def test_the_report_has_every_figure(done: tuple[dict[str, Any], str]) -> None:
    results = done[0]["results"]
    assert [r["known_by"] for r in results] == KNOWN_BY
    for result in results:
        for part in ("novel1", "novel2", "both"):
            assert tuple(result[part]) == SHOWN
            for figure in result[part].values():
                assert len(figure["seeds"]) == 3
                assert figure["mean"] == pytest.approx(np.mean(figure["seeds"]))
                assert 0 <= figure["low"] <= figure["high"] <= 1
        assert result["accuracy"]["mean"] == pytest.approx(result["balanced_accuracy"]["mean"])  # classes of one size
        assert result["printed_accuracy"] is None
        assert set(result["kept"]) == {"validation", "known", "novel1", "novel2"}


def test_the_table_and_the_files_are_printed(done: tuple[dict[str, Any], str], out: Path) -> None:
    report, printed = done
    assert f"{100 * report['results'][0]['both']['auroc']['mean']:.1f}" in printed
    assert "to spreadsheet" in printed
    for name in ("sr2-tiny-openshape-generated.json", "sr2-tiny-openshape-generated.md"):
        assert str(out / name) in printed
    assert f"{3 * (8 + 4 + 8 + 10 + 10)} embeddings computed" in printed
    wide = [line for line in printed.splitlines() if len(line) > 120]
    assert all(line.startswith("to spreadsheet: ") or str(out) in line for line in wide)


def test_everything_is_written_whole(done: tuple[dict[str, Any], str], out: Path) -> None:
    stem = "sr2-tiny-openshape-generated"
    assert sorted(path.name for path in out.iterdir()) == [stem, f"{stem}.json", f"{stem}.md"]
    names = sorted(path.name for path in (out / stem).iterdir())
    pictures = ["confusion", "embeddings", "failures", "histograms", "overview", "roc"]
    assert names == sorted([f"{p}.png" for p in pictures] + ["failures.html", "objects.csv"])
    assert all((out / stem / f"{p}.png").read_bytes().startswith(b"\x89PNG") for p in pictures)
    page = (out / f"{stem}.md").read_text(encoding="utf-8")
    assert all(f"({stem}/{p}.png)" in page for p in pictures)


def test_the_table_of_shapes_gives_the_figures(done: tuple[dict[str, Any], str], out: Path) -> None:
    with (out / "sr2-tiny-openshape-generated" / "objects.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["known by"] == "prototypes" and r["seed"] == "41"]
    assert len(rows) == 4 + 8 + 10 + 10
    novel, novelty = zip(
        *((r["set"] != "known", float(r["novelty"])) for r in rows if r["set"] != "validation"), strict=True
    )
    figure = done[0]["results"][1]["both"]["auroc"]["seeds"][1]
    assert roc_auc_score(novel, novelty) == pytest.approx(figure, abs=2e-3)  # of rounded novelty


def test_a_second_run_computes_nothing(done: tuple[dict[str, Any], str], cache: Path, tmp_path: Path) -> None:
    again, _ = run("sr2", tmp_path, *GENERATED, "--cache", str(cache))
    assert without_run(again) == without_run(done[0])
    assert (again["run"]["embedded"], again["run"]["reused"]) == (0, done[0]["run"]["embedded"])


def test_the_cache_changes_nothing(done: tuple[dict[str, Any], str], tmp_path: Path) -> None:
    again, _ = run("sr2", tmp_path / "out", *GENERATED, "--no-cache")
    assert without_run(again) == without_run(done[0])


def test_what_one_benchmark_embedded_another_one_reuses(
    done: tuple[dict[str, Any], str], cache: Path, tmp_path: Path
) -> None:
    """Novel 2 is the same in SR1 and SR2, and so are known and novel 1, turned round."""
    report, _ = run("sr1", tmp_path, *GENERATED, "--cache", str(cache))
    assert report["run"]["reused"] == 3 * (8 + 10 + 10)
    assert report["run"]["embedded"] == 3 * (10 + 5)


def test_names_can_be_left_out(cache: Path, tmp_path: Path) -> None:
    report, _ = run("sr2", tmp_path, *GENERATED, "--cache", str(cache), "--no-names")
    assert [r["known_by"] for r in report["results"]] == KNOWN_BY[1:]
    assert report["text"] is None


def test_the_switches_are_turned_one_by_one(cache: Path, tmp_path: Path) -> None:
    report, printed = run("sr2", tmp_path, *GENERATED, "--cache", str(cache), "--seeds", "1", "--ablate")
    names = ["points", "colour", "normalisation", "views", "support", "support"]  # tiny is y up, without templates
    assert [(row["switch"], row["known_by"]) for row in report["ablation"]] == [(n, k) for n in names for k in KNOWN_BY]
    by_name = [row for row in report["ablation"] if row["known_by"] == "names" and row["switch"] == "support"]
    assert all(row["auroc"] == {"difference": 0, "low": 0, "high": 0} for row in by_name)  # names have no support
    assert any(row["auroc"]["difference"] for row in report["ablation"])
    assert "+ corrupted" in printed and "normalisation" in printed


# ------------------------------------------------------------------ the release, and figures computed otherwise


def cached(cache: Path) -> dict[bytes, np.ndarray]:
    """Every embedding below a cache folder, whatever wrote it."""
    shards = [load(path.read_bytes()) for path in cache.rglob("*.safetensors")]
    return {bytes(k): z for shard in shards for k, z in zip(shard["keys"], shard["embeddings"], strict=True)}


def key(cloud: np.ndarray) -> bytes:
    return hashlib.sha256(f"<f4{cloud.shape}".encode() + cloud.astype("<f4").tobytes()).digest()


def scans(release: Path, parts: tuple[str, ...]) -> list[tuple[str, np.ndarray]]:
    """(class name, cloud) of ScanObjectNN files, read without the benchmark's reader."""
    found = []
    for part in parts:
        path = release / "ScanObjectNN" / "h5_files" / "main_split" / f"{part}_objectdataset.h5"
        with h5py.File(path) as file:
            labels = np.asarray(file["label"]).ravel()
            found += [(CLASSES[label], cloud) for label, cloud in zip(labels, file["data"][:], strict=True)]
    return found


def fpr95(known: np.ndarray, novel: np.ndarray) -> float:
    truth = np.repeat([1, 0], [len(known), len(novel)])
    fpr, tpr, _ = roc_curve(truth, -np.concatenate([known, novel]), drop_intermediate=False)
    return float(np.interp(0.95, tpr, fpr))


def test_figures_of_sr1_computed_otherwise(release: Path, tmp_path: Path) -> None:
    settings = [*SETTINGS, "--data-root", str(release), "--cache", str(tmp_path / "cache"), "--seeds", "1"]
    report, _ = run("sr1", tmp_path / "out", *settings)
    embeddings = {k: z / np.linalg.norm(z) for k, z in cached(tmp_path / "cache").items()}
    split = load_split("sr1")
    title = {name: c.title for c in split.classes for name in c.scanobjectnn}
    tests = [(title[name], embeddings[key(cloud)]) for name, cloud in scans(release, ("training", "test"))]
    known = [c.title for c in split.known]
    z = {t: np.array([e for other, e in tests if other == t]) for t in title.values()}
    test_known = np.concatenate([z[t] for t in known])
    truth = np.repeat(known, [len(z[t]) for t in known])
    novel = np.concatenate([z[c.title] for c in (*split.novel1, *split.novel2)])
    support = {
        c.title: np.array([embeddings[key(np.loadtxt(p, delimiter=",", dtype=np.float32)[:, :3])] for p in paths])
        for c in split.known
        for paths in [listed(release, c.modelnet40)]
    }
    anchors = {
        "names": TextEncoder.from_pretrained("tiny").encode([c.names[0] for c in split.known]),
        "prototypes": np.array([m / np.linalg.norm(m) for m in (support[t].mean(axis=0) for t in known)]),
        "nearest example": np.concatenate([support[t] for t in known]),
    }
    owner = {"nearest example": np.repeat(known, [len(support[t]) for t in known])}
    for result in report["results"]:
        bank = anchors[result["known_by"]]
        owners = owner.get(result["known_by"], np.array(known))
        k, n = -(test_known @ bank.T).max(axis=1), -(novel @ bank.T).max(axis=1)
        auroc = roc_auc_score(np.repeat([0, 1], [len(k), len(n)]), np.concatenate([k, n]))
        assert result["both"]["auroc"]["mean"] == pytest.approx(auroc, abs=1e-9)
        assert result["both"]["fpr95"]["mean"] == pytest.approx(fpr95(k, n), abs=1e-9)
        guesses = owners[(test_known @ bank.T).argmax(axis=1)]
        assert result["accuracy"]["mean"] == pytest.approx(np.mean(guesses == truth), abs=1e-9)
        balanced = balanced_accuracy_score(truth, guesses)
        assert result["balanced_accuracy"]["mean"] == pytest.approx(balanced, abs=1e-9)
        chairs = owners[(z["bed"] @ bank.T).argmax(axis=1)] == "chair"
        assert result["confusion"]["bed"]["chair"] == pytest.approx(chairs.mean(), abs=1e-9)


def listed(release: Path, names: tuple[str, ...]) -> list[Path]:
    folder = release / "modelnet40_normal_resampled"
    ids = (folder / "modelnet40_train.txt").read_text(encoding="utf-8").split()
    return [folder / n / f"{i}.txt" for i in ids for n in names if i.rpartition("_")[0] == n]


@pytest.mark.filterwarnings("ignore::openshape_ood.text.UntrainedNameWarning")  # tiny never heard of birdhouses
@pytest.mark.parametrize("name", [name for names in TRACKS.values() for name in names])
def test_every_benchmark_runs_on_the_release(name: str, release: Path, cache: Path, tmp_path: Path) -> None:
    settings = [*SETTINGS, "--data-root", str(release), "--cache", str(cache), "--seeds", "1"]
    report, printed = run(name, tmp_path, *settings)
    split = load_split(name)
    counts = report["data"]["counts"]
    assert set(counts["known"]) == {c.title for c in split.known}
    assert set(counts["novel1"]) | set(counts["novel2"]) == {c.title for c in split.novel1 + split.novel2}
    assert not report["data"]["generated"] and report["data"]["absent"] == []
    for result in report["results"]:
        assert ("novel2" in result) == bool(split.novel2)
        if not split.novel2:
            assert result["both"] == result["novel1"]
    if split.track == "synthetic to real":
        assert report["data"]["published_counts"]["support"] in (2378, 1916)
        assert any("published" in line for line in report["data"]["differs"])
        assert "PointNet++" in printed  # published rows stand below ours
    assert (tmp_path / f"{name}-tiny-openshape-3dos.md").is_file()


def test_the_seed_protocol_takes_raw_features_and_distances(release: Path, tmp_path: Path) -> None:
    settings = [*SETTINGS, "--data-root", str(release), "--cache", str(tmp_path / "cache"), "--seeds", "41"]
    report, printed = run("sr1", tmp_path / "out", *settings, "--protocol", "seed")
    assert report["settings"]["colour"] == 0 and not report["settings"]["unit"]
    assert (report["settings"]["support_points"], report["settings"]["test_points"]) == (1024, 2048)
    embeddings = cached(tmp_path / "cache")
    folders = list((tmp_path / "cache" / "embeddings").iterdir())
    assert len(folders) == 2  # one recipe for support, one for what is tested
    split = load_split("sr1")
    paths = [(c.title, p) for c in split.known for p in listed(release, c.modelnet40)]
    support = np.array(
        [embeddings[key(np.loadtxt(p, delimiter=",", dtype=np.float32)[:, :3])] for _, p in paths], dtype=np.float64
    )
    names = {c.scanobjectnn[0]: c.title for c in split.known}
    tests = scans(release, ("training", "test"))
    known = np.array([embeddings[key(c)] for n, c in tests if n in names], dtype=np.float64)
    novel = np.array([embeddings[key(c)] for n, c in tests if n not in names], dtype=np.float64)
    k, n = (np.linalg.norm(z[:, None] - support[None], axis=2).min(axis=1) for z in (known, novel))
    nearest = report["results"][2]
    assert nearest["both"]["auroc"]["mean"] == pytest.approx(
        roc_auc_score(np.repeat([0, 1], [len(k), len(n)]), np.concatenate([k, n])), abs=1e-9
    )
    # 1/distance, the original's score, ranks the same
    assert roc_auc_score(np.repeat([1, 0], [len(k), len(n)]), 1 / np.concatenate([k, n])) == pytest.approx(
        nearest["both"]["auroc"]["mean"], abs=1e-9
    )
    assert nearest["printed_accuracy"] is None
    # as it should be: the class of the nearest prototype; as printed: the label of the support shape of that index
    known_titles = [c.title for c in split.known]
    truth = np.array([names[n] for n, _ in tests if n in names])
    prototypes = np.array([support[[t == title for t, _ in paths]].mean(axis=0) for title in known_titles])
    index = np.linalg.norm(known[:, None] - prototypes[None], axis=2).argmin(axis=1)
    by_listing = [title for title, _ in sorted(paths, key=lambda pair: pair[1].stem)]  # the listing is sorted
    prototype = report["results"][1]
    assert prototype["accuracy"]["mean"] == pytest.approx(np.mean(np.array(known_titles)[index] == truth))
    assert prototype["printed_accuracy"]["mean"] == pytest.approx(np.mean(np.array(by_listing)[index] == truth))
    assert "as the 3DOS code prints it" in printed


@pytest.mark.slow
@pytest.mark.parametrize("model", PUBLISHED)
def test_published_layouts_run_by_both_protocols(model: str, release: Path, tmp_path: Path) -> None:
    """Made-up weights in the published layouts: their axis, their points, their width; figures mean nothing."""
    checkpoint = write_checkpoint(model, tmp_path / "model.pt")
    settings = ["--model", model, "--checkpoint", str(checkpoint), "--no-names", "--data-root", str(release)]
    settings += ["--seeds", "1", "--quiet", "--draws", "100", "--batch-size", "8", "--no-cache", "--no-pictures"]
    for protocol, points in (("openshape", (10_000, 10_000)), ("seed", (1024, 2048))):
        report, _ = run("sr1", tmp_path / protocol, *settings, "--protocol", protocol)
        assert report["checkpoint_sha256"] == sha256(checkpoint)
        used = report["settings"]
        assert (used["support_points"], used["test_points"]) == points
        assert used["exchange"] == (protocol == "openshape" and model == "vitg14")
        assert 0 < report["results"][0]["both"]["auroc"]["mean"] < 1


def test_strict_refuses_other_data(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [*SETTINGS, "--data-root", str(release), "--strict", "--no-cache", "--out", str(tmp_path)]
    assert main("sr1", ["sr1"], settings) == 1
    error = capsys.readouterr().err
    assert "is not the published data of sr1" in error
    assert "published" in error and "2,378" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::openshape_ood.text.UntrainedNameWarning")
@pytest.mark.parametrize("command, names", [("sn", ("sn1", "sn2", "sn3")), ("r2r", ("sr12", "sr13", "sr23"))])
def test_commands_of_several_benchmarks_run_the_sets_that_are_asked_for(
    command: str, names: tuple[str, ...], cache: Path, tmp_path: Path
) -> None:
    settings = [*SETTINGS, "--per-class", "1", "--cache", str(cache), "--out", str(tmp_path), "--seeds", "1"]
    with redirect_stdout(io.StringIO()):
        assert main(command, names, [*settings, "--set", names[1]]) == 0
    assert [path.name for path in tmp_path.glob("*.json")] == [f"{names[1]}-tiny-openshape-generated.json"]


# ------------------------------------------------------------------ killed in the middle


def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    """SIGKILL once some shards are there; the second run gives the same JSON and computes only the rest."""
    settings = ["--per-class", "8", "--batch-size", "4", "--device", "cpu", "--draws", "100"]
    settings += ["--quiet", "--no-pictures"]
    killed = [*settings, "--cache", str(tmp_path / "killed"), "--out", str(tmp_path / "out")]
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.sr2", *killed], cwd=ROOT, start_new_session=True)
    shards: list[Path] = []
    while len(shards) < 9 and process.poll() is None:
        time.sleep(0.01)
        shards = list((tmp_path / "killed").rglob("*.safetensors"))
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    there = sum(len(load(path.read_bytes())["keys"]) for path in (tmp_path / "killed").rglob("*.safetensors"))

    second, _ = run("sr2", tmp_path / "out", *killed[:-2], "--workers", "0")
    whole, _ = run("sr2", tmp_path / "whole", *settings, "--cache", str(tmp_path / "other"), "--workers", "0")
    assert without_run(second) == without_run(whole)
    assert 0 < there < whole["run"]["embedded"]
    assert (second["run"]["reused"], second["run"]["embedded"]) == (there, whole["run"]["embedded"] - there)


# ------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize(
    "settings, message",
    [
        (["--model", "tinny"], "unknown checkpoint 'tinny'"),
        (["--data-root", "no such folder"], "no folder no such folder"),
        (["--data-root", "."], "modelnet40"),
        (["--checkpoint", "no such file"], "no such file"),
        (["--registry", "no such file"], "no such file"),
        (["--device", "abacus"], "abacus"),
        (["--out", "/dev/null/results"], "/dev/null/results"),
        (["--data-seed", "-1"], "data seed is -1"),
        (["--per-class", "0"], "per_class is 0; expected 1 to"),
        (["--batch-size", "0"], "--batch-size is 0; expected 1 or more"),
        (["--workers", "-1"], "--workers is -1; expected 0 or more"),
        (["--views", "0"], "--views is 0; expected 1 or more"),
        (["--seeds", "1", "1"], "--seeds are 1 1; expected each once"),
        (["--seeds", "-1"], "seed is -1; expected a whole number"),
        (["--cache", "x", "--no-cache"], "--cache and --no-cache together"),
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
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path / "cache"))
    assert main("sr1", ["sr1"], [*GENERATED, *settings]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_options_that_do_not_exist_end_in_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for settings in (["--modle", "tiny"], ["--per-class", "many"], ["--protocol", "sead"]):
        with pytest.raises(SystemExit, match="2"):
            main("sr1", ["sr1"], settings)
        assert "usage: python -m benchmarks.sr1" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["sr1", "sr2", "sn", "r2r"])
def test_a_benchmark_is_a_command(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    assert f"usage: python -m benchmarks.{name}" in capsys.readouterr().out


def test_readers_do_not_wait_for_torch() -> None:
    """A reader process imports the command it was started from."""
    code = "import benchmarks.command, benchmarks.stream, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"
