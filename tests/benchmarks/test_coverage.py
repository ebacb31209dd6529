from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import betabinom

from benchmarks.questions import coverage
from benchmarks.questions.coverage import Pools, between, made_up, main, reach, reach_on, supports, within

SMALL = ["--per-class", "8", "--tests", "20", "--draws", "60", "--workers", "0", "--quiet"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: Any) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("coverage") / "new"
    assert main([*SMALL, "--out", str(out)]) == 0
    (path,) = out.glob("sr1-tiny-coverage-*.json")
    return out, json.loads(path.read_text(encoding="utf-8"))


def rows_of(report: dict[str, Any], **wanted: Any) -> list[dict[str, Any]]:
    return [row for row in report["coverage"] if all(row[key] == value for key, value in wanted.items())]


def test_a_small_run_leaves_figures(run: tuple[Path, dict[str, Any]]) -> None:
    out, report = run
    assert [path.suffix for path in out.iterdir()] == [".json"]
    assert "scans, tested on scans" in coverage.tables(report)[0]
    # 5 known classes of SR1: 8 shapes each, half as many for the prototypes; 9 novel ones
    assert report["pools"] == {"bank": 20, "clean": 40, "scans": 40, "novel": 72}


def test_a_small_run_keeps_the_promise_where_it_can_be_kept(run: tuple[Path, dict[str, Any]]) -> None:
    for score, case in (("made up", "made up"), ("names", coverage.CLEAN), ("prototypes", coverage.AGAIN)):
        for row in rows_of(run[1], score=score, case=case):
            assert abs(row["mean"] - row["promise"]) < 4 * row["error"] + 1e-9
    assert {row["n"] for row in rows_of(run[1], case=coverage.CLEAN)} == {20}  # 50 and 20 tests are more than 40
    assert {row["coverage"] for row in rows_of(run[1], n=20)} == {0.5, 0.8, 0.9, 0.95}  # 20 cannot promise 0.99
    broken = rows_of(run[1], case=coverage.BROKEN, coverage=0.8)
    assert len(broken) == 2 and all(row["mean"] < row["promise"] - 0.05 for row in broken)


def test_the_same_seed_draws_the_same() -> None:
    assert reach(made_up, "any", "any", 20, 30, 20, seed=3) == reach(made_up, "any", "any", 20, 30, 20, seed=3)
    assert reach(made_up, "any", "any", 20, 30, 20, seed=3) != reach(made_up, "any", "any", 20, 30, 20, seed=4)


def test_splits_of_one_pool_follow_the_law_exactly() -> None:
    # 20 of the 60 calibrate, 40 are tested: all 60! orders are alike, whatever the pool is
    pool = np.random.RandomState(0).gamma(1, size=60) ** 3
    (row,) = [r for r in reach(within(pool), "any", "any", 20, 40, draws=2000, seed=0) if r.coverage == 0.95]
    law = betabinom(40, 20, 1)
    assert row.promise == 20 / 21 == pytest.approx(law.mean() / 40)
    assert abs(row.mean - row.promise) < 3 * row.error
    assert row.law == pytest.approx(law.std() / 40)
    assert row.spread == pytest.approx(row.law, rel=0.1)
    assert (row.low, row.high) == pytest.approx((row.law_low, row.law_high), abs=0.05)
    assert row.novel is None


def test_a_calibration_set_and_its_tests_share_no_shape() -> None:
    random = np.random.RandomState(0)
    calibration, tested = within(np.arange(50.0))(20, 30, random)
    assert sorted([*calibration, *tested]) == list(range(50))
    calibration, tested = between(np.zeros(30), np.ones(40))(20, 25, random)
    assert (calibration.shape, tested.shape) == ((20,), (25,)) and not calibration.any() and tested.all()
    calibration, tested = made_up(5, 7, random)
    assert len({*calibration, *tested}) == 12


def made_up_pools() -> Pools:
    random = np.random.RandomState(1)
    return Pools("any", random.normal(size=600), random.normal(1, 1, size=600), random.normal(4, 1, size=200))


def test_scans_that_are_more_novel_break_the_promise_and_recalibration_mends_it() -> None:
    pools = made_up_pools()
    rows = {(row.case, row.n): row for row in reach_on(pools, 100, 200, 0) if row.coverage == 0.95}
    assert {n for case, n in rows if case == coverage.AGAIN} == {20, 50, 100}
    assert {n for case, n in rows if case == coverage.BROKEN} == {20, 50, 100, 200}
    # the share that the whole clean pool as a calibration set would keep
    expected = np.mean(pools.scans <= np.quantile(pools.clean, 0.95))
    assert expected < 0.85 and rows[coverage.BROKEN, 200].mean == pytest.approx(expected, abs=0.03)
    for key, row in rows.items():
        if key[0] != coverage.BROKEN:
            assert abs(row.mean - row.promise) < 4 * row.error
    assert rows[coverage.AGAIN, 100].novel > rows[coverage.CLEAN, 100].novel  # the price of it


def test_a_support_left_in_itself_promises_too_much() -> None:
    random = np.random.RandomState(2)
    labels = np.arange(300) % 5
    rows = random.normal(size=(300, 16)) + 2 * np.eye(5, 16)[labels]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    left_in, left_out = (
        next(
            r for r in reach(supports(rows, labels, out), "any", "any", 40, 100, draws=60, seed=0) if r.coverage == 0.9
        )
        for out in (False, True)
    )
    assert left_in.mean < left_in.promise - 0.1
    assert left_out.mean == pytest.approx(left_out.promise, abs=0.04)


@pytest.mark.parametrize(
    "options, message",
    [
        (["--per-class", "5"], "25 shapes of the known classes are too few for 200 tests .* --per-class 44 or more"),
        (["--draws", "1"], "--draws is 1; expected 2 or more"),
        (["--tests", "0"], "--tests is 0; expected 1 or more"),
        (["--seed", "-1"], "seed"),
        (["--model", "tinny"], "tinny"),
    ],
)
def test_options_that_cannot_be_used(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--workers", "0", "--quiet", "--out", str(tmp_path), *options]) == 1
    assert re.search(f"^error: .*{message}", capsys.readouterr().err)
