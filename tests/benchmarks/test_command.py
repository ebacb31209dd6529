"""Whole runs with `tiny`, as a user types them."""

from __future__ import annotations

import csv
import io
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from independent import Answer, answers, cached, figures, key, models, read_release, scans
from made_up_run import made_up_finished
from published import PUBLISHED, write_checkpoint
from release_tree import write_release
from safetensors.numpy import load, save_file
from sklearn.metrics import roc_auc_score

import openshape_ood
from benchmarks.questions import scores
from benchmarks.report import failures
from benchmarks.report.compare import Run
from benchmarks.report.failures import worst
from benchmarks.report.pictures.run import heading
from benchmarks.threedos.command import main
from benchmarks.threedos.results import SHOWN
from benchmarks.threedos.splits import load_split
from openshape_ood import ShapeEncoder, TextEncoder
from openshape_ood.encoders.text.encoder import UntrainedNameWarning
from openshape_ood.registry.files import sha256
from openshape_ood.registry.rows import PACKAGE
from openshape_ood.shapes.points import resample

ROOT = Path(__file__).parents[2]
PER_CLASS = 2
SETTINGS = ["--model", "tiny", "--quiet", "--device", "cpu", "--workers", "0", "--draws", "100", "--no-pictures"]
GENERATED = [*SETTINGS, "--per-class", str(PER_CLASS)]
STEM = f"sr2-tiny-openshape-generated-per-class-{PER_CLASS}-draws-100"
KNOWN_BY = ["names", "prototypes", "nearest example"]
LONGER = 1000
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
    """With pictures, of two failures a method: these take the most time."""
    drawn = [setting for setting in GENERATED if setting != "--no-pictures"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failures, "worst", lambda finished, method, count: worst(finished, method, 2))
        return run("sr2", out, *drawn, "--cache", str(cache))


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("3D_OS_release_data"), per_class=PER_CLASS)


# ------------------------------------------------------------------ generated shapes


def test_the_report_says_what_was_run(done: tuple[dict[str, Any], str], tiny: ShapeEncoder) -> None:
    report, _ = done
    assert report["provenance"]["identity"]["sha256"] == tiny.identity.sha256
    assert (report["benchmark"], report["protocol"], report["provenance"]["identity"]["checkpoint"]) == (
        "sr2",
        "openshape",
        "tiny",
    )
    assert report["device"] == "cpu"
    assert report["settings"] == {
        **{"support_points": 1024, "test_points": 1024, "color": 0.4, "exchange": False, "unit": True},
        **{"templates": "", "num_samples": 1, "support": "clean", "encoder_up": "y", "seeds": [1, 41, 13718]},
        **{"draws": 100, "batch_size": 32, "data_seed": 0, "per_class": PER_CLASS, "shots": None},
    }
    assert report["provenance"]["version"] == openshape_ood.__version__
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
    for name in (f"{STEM}.json", f"{STEM}.md"):
        assert str(out / name) in printed
    assert f"{3 * (8 + 4 + 8 + 10 + 10)} embeddings computed" in printed
    wide = [line for line in printed.splitlines() if len(line) > 120]
    assert all(line.startswith("to spreadsheet: ") or str(out) in line for line in wide)


def test_everything_is_written_whole(done: tuple[dict[str, Any], str], out: Path) -> None:
    assert sorted(path.name for path in out.iterdir()) == [STEM, f"{STEM}.json", f"{STEM}.md"]
    assert {path.name for path in (out / STEM).iterdir()} == {"overview.png", "failures.html", "objects.csv"}
    assert (out / STEM / "overview.png").read_bytes().startswith(b"\x89PNG")
    assert f"({STEM}/overview.png)" in (out / f"{STEM}.md").read_text(encoding="utf-8")


def test_the_table_of_shapes_gives_the_figures(done: tuple[dict[str, Any], str], out: Path) -> None:
    with (out / STEM / "objects.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["known by"] == "prototypes" and r["seed"] == "41"]
    assert len(rows) == 4 + 8 + 10 + 10
    novel, novelty = zip(
        *((r["set"] != "known", float(r["novelty"])) for r in rows if r["set"] != "validation"), strict=True
    )
    figure = done[0]["results"][1]["both"]["auroc"]["seeds"][1]
    assert roc_auc_score(novel, novelty) == pytest.approx(figure, abs=2e-3)  # of rounded novelty


def test_a_second_run_computes_nothing_and_leaves_no_picture_of_another(
    done: tuple[dict[str, Any], str], cache: Path, tmp_path: Path
) -> None:
    stale = tmp_path / STEM / "failures.html"
    stale.parent.mkdir()
    stale.write_text("of another run")
    again, _ = run("sr2", tmp_path, *GENERATED, "--cache", str(cache))
    assert without_run(again) == without_run(done[0])
    assert (again["run"]["embedded"], again["run"]["reused"]) == (0, done[0]["run"]["embedded"])
    assert not stale.exists() and "failures.html" not in (tmp_path / f"{STEM}.md").read_text(encoding="utf-8")


def test_the_cache_changes_nothing(done: tuple[dict[str, Any], str], tmp_path: Path) -> None:
    again, _ = run("sr2", tmp_path / "out", *GENERATED, "--no-cache", "--seeds", "1")
    for one, other in zip(again["results"], done[0]["results"], strict=True):
        for part in ("novel1", "novel2", "both"):
            assert all(figure["seeds"] == other[part][metric]["seeds"][:1] for metric, figure in one[part].items())
    assert again["data"] == done[0]["data"]


def test_what_one_benchmark_embedded_another_one_reuses(
    done: tuple[dict[str, Any], str], cache: Path, tmp_path: Path
) -> None:
    """Novel 2 is the same in SR1 and SR2, and so are known and novel 1, turned round."""
    report, _ = run("sr1", tmp_path, *GENERATED, "--cache", str(cache))
    assert report["run"]["reused"] == 3 * (8 + 10 + 10)
    assert report["run"]["embedded"] == 3 * (10 + 5)


def test_another_network_with_the_same_weights_shares_no_embedding(cache: Path, tmp_path: Path) -> None:
    """The radius of the patches is not in the weights file."""
    registry = tmp_path / "checkpoints.toml"
    text = (Path(openshape_ood.__file__).parent / "registry" / "checkpoints.toml").read_text(encoding="utf-8")
    registry.write_text(text.replace("radius = 0.3\n", "radius = 0.9\n", 1), encoding="utf-8")
    settings = [*GENERATED, "--cache", str(cache), "--registry", str(registry), "--seeds", "1"]
    report, _ = run("sr2", tmp_path / "out", *settings)
    assert report["architecture"]["radius"] == 0.9
    assert report["run"]["reused"] == 0
    (path,) = (tmp_path / "out").glob("*.json")
    assert path.stem.endswith(f"-{report['provenance']['identity']['sha256'][:8]}")


def test_names_can_be_left_out(cache: Path, tmp_path: Path) -> None:
    report, _ = run("sr2", tmp_path, *GENERATED, "--cache", str(cache), "--no-names", "--seeds", "1")
    assert [r["known_by"] for r in report["results"]] == KNOWN_BY[1:]
    assert report["text"] is None


def test_the_switches_are_turned_one_by_one(tmp_path: Path) -> None:
    report, printed = run("sr2", tmp_path, *SETTINGS, "--per-class", "1", "--no-cache", "--seeds", "1", "--ablate")
    found = [(row["switch"], row["known_by"]) for row in report["ablation"]]
    # tiny is y up and without templates; names have neither support nor raw features
    assert found == [
        *((switch, known_by) for switch in ("points", "color") for known_by in KNOWN_BY),
        *(("normalization", known_by) for known_by in KNOWN_BY[1:]),
        *(("num_samples", known_by) for known_by in KNOWN_BY),
        *(("support", known_by) for known_by in KNOWN_BY[1:]),
        *(("support", known_by) for known_by in KNOWN_BY[1:]),
    ]
    assert any(row["auroc"]["difference"] for row in report["ablation"])
    assert "+ corrupted" in printed and "normalization" in printed


# ------------------------------------------------------------------ the release, and figures computed otherwise


@pytest.fixture(scope="module", params=["openshape", "semnov"])
def protocol(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def release_cache(protocol: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Embeddings of the release by one protocol and seed, which the benchmarks share."""
    return tmp_path_factory.mktemp(f"{protocol} cache")


@pytest.fixture(scope="module", params=[name for names in TRACKS.values() for name in names])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def released(
    name: str, protocol: str, release: Path, release_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], str, Path]:
    """A benchmark on the release: its report, what was printed, its folder."""
    out = tmp_path_factory.mktemp(f"{name} {protocol}")
    settings = [*SETTINGS, "--data-root", str(release), "--cache", str(release_cache), "--seeds", "1"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrainedNameWarning)  # tiny never heard of birdhouses
        return *run(name, out, *settings, "--protocol", protocol), out


def test_every_benchmark_runs_on_the_release(
    name: str, protocol: str, released: tuple[dict[str, Any], str, Path]
) -> None:
    report, printed, out = released
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
    assert (out / f"{name}-tiny-{protocol}-3dos-seeds-1-draws-100.md").is_file()


def test_figures_computed_otherwise(
    name: str, protocol: str, released: tuple[dict[str, Any], str, Path], release: Path, release_cache: Path
) -> None:
    """Every figure of every method, from the cached embeddings, by `independent`."""
    report, _, _ = released
    split = load_split(name)
    sets = {part: Counter(title for title, _ in clouds) for part, clouds in read_release(split, release).items()}
    assert {part: counts for part, counts in report["data"]["counts"].items() if counts} == sets
    words = [word for c in split.known for word in c.names]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrainedNameWarning)
        names = dict(zip(words, TextEncoder.from_pretrained("tiny").encode(words), strict=True))
    said, titles = answers(split, release, release_cache, unit=protocol == "openshape", names=names)
    assert [result["known_by"] for result in report["results"]] == KNOWN_BY
    for result in report["results"]:
        check_figures(result, said[result["known_by"]], titles)


def check_figures(result: dict[str, Any], said: Mapping[str, Answer], titles: Mapping[str, np.ndarray]) -> None:
    """One method's part of a report of one seed has just the figures that `independent` computes."""
    expected = figures(said, titles)
    found = {name: number(result, name) for name in expected}
    limit = found.pop("thresholds"), expected.pop("thresholds")
    assert limit[0] == pytest.approx(limit[1], abs=1e-5)  # the report has six digits
    assert found == pytest.approx(expected, rel=0, abs=1e-9)
    shares = {f"{part}.{metric}" for part in ("novel1", "novel2", "both") if part in result for metric in SHOWN}
    assert shares <= set(expected) and set(result["kept"]) == set(said)
    assert all(set(row) == set(titles["known"]) for row in result["confusion"].values())


def number(result: Mapping[str, Any], name: str) -> float:
    """A figure of a report of one seed by its place: "novel1.auroc"."""
    part: Any = result
    for word in name.split("."):
        part = part[word]
    if isinstance(part, list):
        (part,) = part
    return part["mean"] if isinstance(part, dict) else part


def test_the_semnov_protocol_prints_what_3dos_prints(release: Path, tmp_path: Path) -> None:
    settings = [*SETTINGS, "--data-root", str(release), "--cache", str(tmp_path / "cache"), "--seeds", "41"]
    report, printed = run("sr1", tmp_path / "out", *settings, "--protocol", "semnov")
    assert report["settings"]["color"] == 0 and not report["settings"]["unit"]
    assert (report["settings"]["support_points"], report["settings"]["test_points"]) == (1024, 2048)
    assert len(list((tmp_path / "cache" / "embeddings").iterdir())) == 2  # a recipe for support, one for tests
    split = load_split("sr1")
    said, titles = answers(split, release, tmp_path / "cache", unit=False)
    _, prototypes, example = report["results"]
    assert example["printed_accuracy"] is None
    # 1/distance, the original's score, ranks the same
    known = said["nearest example"]["known"].novelty
    novel = np.concatenate([said["nearest example"][part].novelty for part in ("novel1", "novel2")])
    truth = np.repeat([1, 0], [len(known), len(novel)])
    auroc = roc_auc_score(truth, 1 / np.concatenate([known, novel]))
    assert example["both"]["auroc"]["mean"] == pytest.approx(auroc, rel=0, abs=1e-9)
    # as printed: the label, in the sorted listing, of the support shape whose number is that of the nearest prototype
    classes = [c.title for c in split.known]
    taken = [titles["support"][classes.index(title)] for title in said["prototypes"]["known"].nearest]
    expected = np.mean(np.array(taken) == titles["known"])
    assert prototypes["printed_accuracy"]["mean"] == pytest.approx(expected, rel=0, abs=1e-9)
    assert "as the 3DOS code prints it" in printed


@pytest.mark.slow
@pytest.mark.parametrize("model", PUBLISHED)
def test_published_layouts_run_by_both_protocols(model: str, release: Path, tmp_path: Path) -> None:
    """Made-up weights in the published layouts: their axis, their points, their width; figures mean nothing."""
    checkpoint = write_checkpoint(model, tmp_path / "model.pt")
    encoder = ShapeEncoder.from_pretrained(model, checkpoint=checkpoint, device="cpu")
    settings = ["--model", model, "--checkpoint", str(checkpoint), "--no-names", "--data-root", str(release)]
    settings += ["--seeds", "1", "--quiet", "--draws", "100", "--batch-size", "8", "--device", "cpu", "--no-pictures"]
    split = load_split("sr1")
    for protocol, points, color in (("openshape", (10_000, 10_000), 0.4), ("semnov", (1024, 2048), 0.0)):
        out, cache = tmp_path / protocol, tmp_path / f"{protocol} cache"
        report, _ = run("sr1", out, *settings, "--protocol", protocol, "--cache", str(cache))
        assert report["provenance"]["identity"]["sha256"] == sha256(checkpoint)
        exchange = protocol == "openshape" and model == "vitg14"
        used = report["settings"]
        assert (used["support_points"], used["test_points"]) == points
        assert (used["exchange"], used["color"]) == (exchange, color)
        clouds = models(release, "train", split.known)[3], scans(release, ("test",), split.novel2)[-1]
        for (_, cloud), count in zip(clouds, points, strict=True):
            check_embedding(cached(cache)[key(cloud)], cloud, encoder, count, exchange, color)
        said, titles = answers(split, release, cache, unit=protocol == "openshape")
        for result in report["results"]:
            check_figures(result, said[result["known_by"]], titles)
            check_table(next(out.glob("*/objects.csv")), result["known_by"], said[result["known_by"]])


def check_embedding(
    found: np.ndarray, cloud: np.ndarray, encoder: ShapeEncoder, count: int, exchange: bool, color: float
) -> None:
    """A cached embedding is that of the cloud prepared so, and far from that of one prepared otherwise."""
    length = np.linalg.norm(found)
    same = encoder.encode_prepared(prepared(cloud, count, exchange, color)[None])[0]
    assert np.linalg.norm(found - same) < 1e-4 * length
    for other in (prepared(cloud, count, not exchange, color), prepared(cloud, count, exchange, 0.4 - color)):
        assert np.linalg.norm(found - encoder.encode_prepared(other[None])[0]) > 1e-2 * length


def prepared(cloud: np.ndarray, count: int, exchange: bool, color: float) -> np.ndarray:
    """A cloud (n, 3) as an encoder takes it, (count, 6): written out, but for the draw of seed 1."""
    xyz = cloud[resample(len(cloud), count, 1)].astype(np.float64)
    if exchange:
        xyz = xyz[:, [0, 2, 1]]
    xyz -= xyz.mean(axis=0)
    xyz /= np.sqrt((xyz**2).sum(axis=1).max())
    xyz = np.round(xyz * 2**16) / 2**16  # ties of distances stay ties
    return np.hstack([xyz, np.full((count, 3), color)]).astype(np.float32)


def check_table(path: Path, known_by: str, said: Mapping[str, Answer]) -> None:
    """objects.csv lists the shapes in their order; by its novelty they rank as by their distances."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["known by"] == known_by]
    novelty = np.array([float(row["novelty"]) for row in rows])
    order = [part for part in ("validation", "known", "novel1", "novel2") if part in said]
    distances = np.concatenate([said[part].novelty for part in order])
    assert [row["set"] for row in rows] == [part for part in order for _ in said[part].novelty]
    assert [row["nearest class"] for row in rows] == [title for part in order for title in said[part].nearest]
    assert np.ptp(distances) > 1e-3  # there is something to rank, at six digits
    assert np.diff(distances[np.argsort(novelty, kind="stable")]).min() > -2e-5
    assert novelty == pytest.approx(distances, rel=0, abs=1e-5)


def test_strict_refuses_other_data(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [*SETTINGS, "--data-root", str(release), "--strict", "--no-cache", "--out", str(tmp_path)]
    assert main("sr1", ["sr1"], settings) == 1
    error = capsys.readouterr().err
    assert "is not the published data of sr1" in error
    assert "published" in error and "2,378" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::openshape_ood.encoders.text.encoder.UntrainedNameWarning")
@pytest.mark.parametrize("command, names", [("sn", ("sn1", "sn2", "sn3")), ("r2r", ("sr12", "sr13", "sr23"))])
def test_commands_of_several_benchmarks_run_the_sets_that_are_asked_for(
    command: str, names: tuple[str, ...], cache: Path, tmp_path: Path
) -> None:
    settings = [*SETTINGS, "--per-class", "1", "--cache", str(cache), "--out", str(tmp_path), "--seeds", "1"]
    with redirect_stdout(io.StringIO()):
        assert main(command, names, [*settings, "--set", names[1]]) == 0
    (path,) = tmp_path.glob("*.json")
    assert path.name == f"{names[1]}-tiny-openshape-generated-seeds-1-per-class-1-draws-100.json"


# ------------------------------------------------------------------ killed in the middle


def start(name: str, *settings: str) -> subprocess.Popen[bytes]:
    """A benchmark as a process, the leader of a group with its readers."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *settings]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL)


def kill(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    """SIGKILL to all of its group as soon as it is so far."""
    while not ready():
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def shards(cache: Path) -> list[Path]:
    return list(cache.rglob("*.safetensors"))


def kept(cache: Path) -> int:
    """How many embeddings a cache folder holds."""
    return sum(len(load(path.read_bytes())["keys"]) for path in shards(cache))


def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    """SIGKILL once some shards are there; the second run gives the same JSON and computes only the rest."""
    settings = ["--per-class", "2", "--batch-size", "4", "--device", "cpu", "--draws", "100"]
    settings += ["--quiet", "--no-pictures", "--seeds", "1"]
    killed = [*settings, "--cache", str(tmp_path / "killed")]
    kill(start("sr2", *killed, "--out", str(tmp_path / "out")), lambda: len(shards(tmp_path / "killed")) >= 3)
    there = kept(tmp_path / "killed")

    second, _ = run("sr2", tmp_path / "out", *killed, "--workers", "0")
    whole, _ = run("sr2", tmp_path / "whole", *settings, "--cache", str(tmp_path / "other"), "--workers", "0")
    assert without_run(second) == without_run(whole)
    assert 0 < there < whole["run"]["embedded"]
    assert (second["run"]["reused"], second["run"]["embedded"]) == (there, whole["run"]["embedded"] - there)


@pytest.fixture(scope="module")
def long_release(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release with some text files so long that parsing them takes a while."""
    root = tmp_path_factory.mktemp("long") / "3D_OS_release_data"
    shutil.copytree(release, root)
    for path in (root / "modelnet40_normal_resampled").glob("[bc]*/*_000[12].txt"):  # of the train split
        path.write_text(path.read_text() * LONGER)
    return root


@pytest.mark.slow
def test_a_run_on_text_files_is_killed_while_it_parses_and_while_it_embeds(long_release: Path, tmp_path: Path) -> None:
    """Two runs that are killed, and a third: the same JSON as of a single one, and no cloud embedded twice."""
    settings = ["--data-root", str(long_release), "--batch-size", "4", "--device", "cpu", "--draws", "100"]
    settings += ["--quiet", "--no-pictures"]
    cache = tmp_path / "killed"
    killed = [*settings, "--cache", str(cache)]

    def parsing() -> bool:
        return any(path.stat().st_size for path in cache.glob("modelnet40_sr1_train_*.partial"))

    kill(start("sr1", *killed, "--out", str(tmp_path / "out")), parsing)
    assert list(cache.glob("*.partial")) and not list(cache.glob("*.h5")) and not shards(cache)
    kill(start("sr1", *killed, "--out", str(tmp_path / "out")), lambda: len(shards(cache)) >= 9)
    there = kept(cache)
    assert len(list(cache.glob("*.h5"))) == 2  # train and test
    assert list((tmp_path / "out").iterdir()) == []

    third, _ = run("sr1", tmp_path / "out", *killed, "--workers", "0")
    whole, _ = run("sr1", tmp_path / "whole", *settings, "--cache", str(tmp_path / "other"), "--workers", "0")
    assert without_run(third) == without_run(whole)
    assert 0 < there < whole["run"]["embedded"]
    assert (third["run"]["reused"], third["run"]["embedded"]) == (there, whole["run"]["embedded"] - there)


@pytest.mark.slow
def test_two_runs_at_once_share_a_fresh_cache(long_release: Path, tmp_path: Path) -> None:
    settings = [*SETTINGS, "--data-root", str(long_release), "--batch-size", "4"]
    shared = [*settings, "--cache", str(tmp_path / "shared")]
    outs = [tmp_path / "one", tmp_path / "other"]
    processes = [start("sr1", *shared, "--out", str(out)) for out in outs]
    try:
        assert [process.wait(timeout=120) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    reports = [json.loads(path.read_text(encoding="utf-8")) for out in outs for path in out.glob("*.json")]
    alone, _ = run("sr1", tmp_path / "alone", *settings, "--no-cache")
    after, _ = run("sr1", tmp_path / "after", *shared)
    assert [without_run(report) for report in (*reports, after)] == [without_run(alone)] * 3
    assert after["run"]["embedded"] == 0
    assert not list((tmp_path / "shared").rglob("*.partial"))


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
        (["--per-class", "0"], "--per-class is 0; expected 1 or more"),
        (["--batch-size", "0"], "--batch-size is 0; expected 1 or more"),
        (["--workers", "-1"], "--workers is -1; expected 0 or more"),
        (["--num-samples", "0"], "--num-samples is 0; expected 1 or more"),
        (["--seeds", "1", "1"], "--seeds are 1 1; expected each once"),
        (["--seeds", "-1"], "seed is -1. Expected a whole number"),
        (["--cache", "x", "--no-cache"], "--cache and --no-cache are given together"),
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
    code = "import benchmarks.threedos.command, benchmarks.threedos.stream, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


def test_a_run_with_other_weights_says_so_everywhere(tmp_path: Path) -> None:
    encoder, words = tmp_path / "made_up.safetensors", tmp_path / "words" / "text.safetensors"
    tensors = load((PACKAGE / "tiny" / "encoder.safetensors").read_bytes())
    save_file({name: np.asarray(tensor * 1.01, np.float32) for name, tensor in tensors.items()}, encoder)
    shutil.copytree(PACKAGE / "tiny", words.parent)
    table = load(words.read_bytes())
    save_file({name: np.array(row) for name, row in table.items()}, words, metadata={"made": "up"})
    settings = [*SETTINGS, "--per-class", "1", "--seeds", "1", "--no-cache", "--checkpoint", str(encoder)]
    report, printed = run("sr1", tmp_path / "out", *settings, "--text-checkpoint", str(words))
    tiny = PACKAGE / "tiny"
    assert report["other_weights"] == [
        f"{what}, sha256 {sha256(here)[:12]}, registered {sha256(there)[:12]}"
        for what, here, there in (
            ("tiny", encoder, tiny / "encoder.safetensors"),
            ("text encoder of tiny", words, tiny / "text.safetensors"),
        )
    ]
    (page,) = (tmp_path / "out").glob("*.md")
    for text in (printed, page.read_text()):
        assert "OTHER WEIGHTS THAN THE REGISTERED ONES: tiny, sha256" in " ".join(text.split())
    finished = replace(made_up_finished(), report=report)
    assert "tiny (OTHER WEIGHTS)" in heading(finished) and "OTHER" not in heading(made_up_finished())
    assert Run(page, report).kind[0] == "tiny (other weights)"


@pytest.mark.parametrize("command", ["sr1", "scores"])
def test_data_that_are_not_there_are_told_before_anything_is_loaded(
    command: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ShapeEncoder, "from_pretrained", lambda *_, **__: pytest.fail("loaded"))
    given = ["--data-root", str(tmp_path / "none"), "--out", str(tmp_path)]
    assert (main("sr1", ["sr1"], given) if command == "sr1" else scores.main(given)) == 1
    assert f"no folder {tmp_path / 'none'}" in capsys.readouterr().err
