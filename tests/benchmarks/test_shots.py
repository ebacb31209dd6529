"""Figures by the number of examples, and methods compared over draws of data."""

from __future__ import annotations

import csv
import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from benchmarks.questions import scores
from benchmarks.questions.methods_compared import compared_rows, csv_text, table
from benchmarks.questions.scores import Row
from benchmarks.report import output
from benchmarks.report.tables import Table, latex_words
from benchmarks.threedos.command import main
from benchmarks.threedos.generated import load
from benchmarks.threedos.results import Figure
from benchmarks.threedos.splits import load_split
from openshape_ood.errors import InputError
from openshape_ood.scoring import METHODS
from openshape_ood.scoring.methods import Kind

SMALL = ["--model", "tiny", "--per-class", "4", "--draws", "100", "--quiet", "--no-cache", "--workers", "0"]
FEW = pytest.mark.filterwarnings("ignore:k is 5, but")


def test_as_many_of_each_class_as_are_wanted_and_others_for_another_seed() -> None:
    data = load(load_split("sr2"), 5, 0)
    drawn = [data.with_shots(2, seed).support for seed in (0, 0, 1)]
    assert all(list(one.titles).count(c.title) == 2 for one in drawn for c in data.known)
    first, again, other = ([id(shape) for shape in one.shapes] for one in drawn)
    assert first == again and first != other
    assert data.with_shots(None, 0) is data
    with pytest.raises(InputError, match=r"--shots 6: .* has 5 examples; expected 6 or more"):
        data.with_shots(6, 0)


def test_a_run_for_each_number_and_one_table_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "write_shapes", lambda *_: {})  # the pictures of each run: test_command.py
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main("sr2", ["sr2"], [*SMALL, "--shots", "1", "3", "--out", str(tmp_path)]) == 0
    reports = {path.stem.partition("-shots-")[2]: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    assert set(reports) == {"1", "3", "1-3"}
    assert reports["3"]["settings"]["shots"] == 3 and set(reports["3"]["data"]["counts"]["support"].values()) == {3}
    rows = reports["1-3"]["rows"]
    ways = ["names", "prototypes", "nearest example"]
    assert [(row["shots"], row["known_by"]) for row in rows] == [(n, way) for n in (1, 3) for way in ways]
    one, three = ([row["auroc"]["mean"] for row in rows if row["shots"] == n] for n in (1, 3))
    assert one[0] == three[0]  # names know no examples
    assert one[1:] != three[1:]
    assert one[1] == one[2]  # of a single example both are the same
    assert (tmp_path / "sr2-tiny-openshape-generated-per-class-4-draws-100-shots-1-3.png").stat().st_size > 10_000
    assert printed.getvalue().count("nearest example") >= 2


def test_more_shots_than_examples_are_refused_before_any_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*SMALL, "--shots", "1", "5", "--out", str(tmp_path / "results")]
    for start in (lambda: main("sr2", ["sr2"], words), lambda: scores.main([*words, "--name", "sr2"])):
        status, told = start(), capsys.readouterr()
        assert status == 1 and not told.out
        assert "--shots has 5, and --per-class 4 generates 4 examples of each class" in told.err
        assert "Give --per-class 5 or fewer shots" in told.err
    assert not (tmp_path / "results").exists()


@FEW
def test_methods_over_draws_of_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = ("max_cosine", "energy", "mcm", "knn", "prototype_distance", "mahalanobis", "rank_fusion")
    monkeypatch.setattr(scores, "METHODS", {name: METHODS[name] for name in kept})
    words = [*SMALL, "--seeds", "1", "--name", "sr2", "--out", str(tmp_path)]
    assert scores.main([*words, "--data-seeds", "0", "1", "--shots", "1", "3"]) == 0
    assert "without mahalanobis: none of the 4 classes has two examples" in capsys.readouterr().err
    (report,) = (json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
    by = {(row["shots"], row["method"]): row for row in report["rows"]}
    assert {key for key in by if key[1] in ("knn", "mahalanobis")} == {(1, "knn"), (3, "knn"), (3, "mahalanobis")}
    assert [shots for shots, method in by if method == "mcm"] == [0]
    one = by[0, "mcm"]
    versus = by[0, "max_cosine"]["auroc"]["data_seeds"]
    difference = np.mean(np.subtract(one["auroc"]["data_seeds"], versus))
    assert one["difference"]["mean"] == pytest.approx(difference, abs=1e-8) and one["versus"] == "max_cosine"
    assert by[0, "max_cosine"]["difference"] is None and by[1, "rank_fusion"]["versus"] == "energy"
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".md", ".csv", ".tex"}
    (lines,) = (list(csv.DictReader(path.read_text().splitlines())) for path in tmp_path.glob("*.csv"))
    assert float(lines[0]["auroc_mean"]) == report["rows"][0]["auroc"]["mean"] and len(lines) == len(by)


def row(method: str, auroc: float, group: Kind = "names") -> Row:
    figure = Figure((auroc,), auroc - 0.1, auroc + 0.1)
    return Row("sr1", group, method, 0.5, figure, figure, 1.0)


def test_differences_are_taken_within_a_draw() -> None:
    """Draws differ by far more than the methods do, and the difference is certain all the same."""
    drawn = {
        seed: [row("max_cosine", level), row("mcm", level + gain)]
        for seed, level, gain in ((0, 0.5, 0.02), (1, 0.9, 0.03), (2, 0.7, 0.025))
    }
    usual, other = compared_rows(drawn, None)
    assert other["auroc"]["low"] < usual["auroc"]["mean"]
    # t of 2 degrees of freedom is 4.303: 0.025 -+ 4.303 * 0.005 / sqrt(3)
    assert [other["difference"][key] for key in ("mean", "low", "high")] == pytest.approx(
        [0.025, 0.012578, 0.037422], abs=1e-5
    )
    assert "+2.5 [+1.3 to +3.7] *" in table([usual, other]).text(width=200)
    assert "auroc_mean" in csv_text([usual, other]).splitlines()[0]


def test_of_a_single_draw_the_interval_is_over_shapes() -> None:
    (one,) = compared_rows({0: [row("knn", 0.5, "examples")]}, 5)
    assert one["auroc"] == {"mean": 0.5, "low": 0.4, "high": 0.6, "data_seeds": [0.5]}
    assert one["difference"] is None and one["shots"] == 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["--data-seeds", "1"], "--data-seeds are 1; expected two or more, each once"),
        (["--data-seeds", "1", "1"], "expected two or more, each once"),
        (["--data-seeds", "0", "-1"], "seed is -1. Expected a whole number"),
        (["--shots", "0"], "--shots is 0; expected 1 or more"),
        (["--shots", "9", "--name", "sr2"], "generates 4 examples of each class"),
        (["--data-root", "tests", "--data-seeds", "0", "1"], "expected --shots too"),
    ],
)
def test_bad_settings(settings: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scores.main([*SMALL, "--out", str(tmp_path), *settings]) == 1
    assert message in capsys.readouterr().err


def test_latex_shows_words_as_they_are() -> None:
    shown = Table(("a_b", "50 %"), (("x & y", "1.0 ±0.1"),)).latex()
    assert shown.splitlines() == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"a\_b & 50 \% \\",
        r"\midrule",
        r"x \& y & 1.0 $\pm$0.1 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    assert latex_words("\\~^{}") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}\{\}"
