from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from benchmarks.questions.scores import GROUPS, Row, compared, main, ranked, recommendation
from benchmarks.threedos.results import Figure
from openshape_ood.scoring import DEFAULTS, METHODS, find_method

# generated shapes are fewer than the neighbors that count
pytestmark = pytest.mark.filterwarnings("ignore:k is 5, but")
SMALL = ["--per-class", "3", "--seeds", "1", "--draws", "100", "--quiet", "--no-cache", "--workers", "0"]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    out, printed = tmp_path_factory.mktemp("scores"), io.StringIO()
    with redirect_stdout(printed):
        assert main([*SMALL, "--name", "sr2", "--device", "cpu", "--out", str(out)]) == 0
    (path,) = out.iterdir()
    # not that of a run as usual, which is committed
    assert path.name == "scores-tiny-generated-per-class-3-draws-100-seeds-1-name-sr2.json"
    return json.loads(path.read_text(encoding="utf-8")), printed.getvalue()


def test_every_score_is_measured_once(done: tuple[dict[str, Any], str]) -> None:
    rows = done[0]["rows"]
    assert [row["method"] for row in rows] == [*compared(), "comparator"]  # the package has one for tiny
    assert {name for name in METHODS if name not in compared()} == {name for name in METHODS if "euclidean" in name}
    for row in rows:
        assert find_method(row["method"]).needs in GROUPS[row["known_by"]]
        assert row["auroc"]["low"] <= row["auroc"]["mean"] <= row["auroc"]["high"] <= 1
        assert 0 <= row["accuracy"] <= 1 and row["seconds_per_1000"] > 0


def test_names_do_better_than_chance(done: tuple[dict[str, Any], str]) -> None:
    by_method = {row["method"]: row for row in done[0]["rows"]}
    assert by_method["max_cosine"]["auroc"]["mean"] > 0.75
    assert by_method["max_cosine"]["accuracy"] > 0.6  # of two names of a class either one is right


def test_the_table_names_all_and_recommends(done: tuple[dict[str, Any], str]) -> None:
    _, printed = done
    assert all(f"{method} " in printed for method in compared())
    assert [line.split(":")[0] for line in printed.splitlines() if "the largest mean" in line] == list(GROUPS)


def made_up(benchmark: str, method: str, auroc: float) -> Row:
    figure = Figure((auroc,), auroc - 0.02, auroc + 0.02)
    return Row(benchmark, "names", method, 0.9, figure, figure, 1.0)


def test_the_best_is_the_best_on_average() -> None:
    rows = [made_up("sr1", "a", 0.9), made_up("sr2", "a", 0.7), made_up("sr1", "b", 0.8), made_up("sr2", "b", 0.85)]
    assert ranked(rows, "names") == ["b", "a"]
    others = [
        Row(b, group, method, 0.9, *(Figure((v,), v, v),) * 2, 1.0)
        for group, method, v in (("examples", "c", 0.5), ("both", "d", 0.5))
        for b in ("sr1", "sr2")
    ]
    close = [made_up("sr1", "e", 0.79), made_up("sr2", "e", 0.84)]
    lines = recommendation([*rows, *close, *others])
    best = "b, with the largest mean AUROC, 82.5; within its interval on every benchmark: e"
    assert [line.split(". Default")[0] for line in lines] == [
        f"names: {best}",
        "examples: c, with the largest mean AUROC, 50.0",
        f"both: {best}",  # who has both may leave the examples aside
    ]
    assert all(line.endswith(f"Default method: {DEFAULTS[line.split(':')[0]]}") for line in lines)


@pytest.mark.parametrize(
    "settings, message",
    [
        (["--model", "tinny"], "unknown checkpoint 'tinny'"),
        (["--data-root", "nowhere"], "no folder nowhere"),
        (["--seeds", "1", "1"], "expected each once"),
        (["--seeds", "-1"], "seed is -1. Expected a whole number"),
        (["--num-samples", "0"], "--num-samples is 0; expected 1 or more"),
        (["--batch-size", "0"], "--batch-size is 0; expected 1 or more"),
        (["--draws", "0"], "--draws is 0; expected 1 or more"),
        (["--workers", "-1"], "--workers is -1; expected 0 or more"),
    ],
)
def test_bad_settings_end_in_one_line(
    settings: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SMALL, "--out", str(tmp_path), *settings]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and message in error
