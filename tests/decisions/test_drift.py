"""Drift alarms: false alarms, power, the pitfalls of the tests, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, kstest

from openshape_ood.decisions.drift import CUTS, HISTOGRAMS, Drift, DriftStream, Share, batch_drift
from openshape_ood.errors import FileError, InputError


def mixed(known: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Known novelties, some replaced by those of novel objects, far above."""
    return np.where(rng.random(len(known)) < share, rng.normal(8, 1, len(known)), known)


def streamed(novelty: np.ndarray, calibration: np.ndarray, cut: float | None = None) -> Drift:
    return DriftStream(calibration, cut).update(novelty)


def u_shaped(size: int, rng: np.random.Generator) -> np.ndarray:
    """Wider to both sides, with the same median."""
    return rng.normal(0, 2, size)


@pytest.mark.parametrize("n", [20, 50, 200])
def test_ranks_of_known_objects_are_uniform_and_independent(n: int) -> None:
    rng = np.random.default_rng(n)
    ranks = []
    for seed in range(60):
        stream = DriftStream(rng.normal(size=n), seed=seed)
        values = rng.normal(size=60)
        values = values[values < stream._limits[0]]
        limits = stream._limits[np.arange(len(values)) % len(stream._limits)]  # any choice that does not look ahead
        ranks.append(stream._ranks(values, limits)[:12])
    flat = np.concatenate(ranks)
    assert kstest(flat, "uniform").pvalue > 0.001
    means = [np.mean(of_one) for of_one in ranks]
    assert np.std(means) == pytest.approx(np.sqrt(1 / 12 / 12), rel=0.4)


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_a_stream_without_drift_hardly_ever_alarms(share: float) -> None:
    rng = np.random.default_rng(7)
    alarms = 0
    for seed in range(30):
        stream = DriftStream(rng.normal(size=50), seed=seed)
        alarms += bool(stream.update(mixed(rng.normal(size=400), share, rng)).alarm)
    assert alarms <= 2


def test_ranks_against_the_fixed_calibration_set_alarm_falsely(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = DriftStream._ranks

    def fixed(self: DriftStream, values: np.ndarray, limits: np.ndarray) -> np.ndarray:
        pool, ranks = self._pool, list[np.ndarray]()
        for i in range(len(values)):
            ranks.append(whole(self, values[i : i + 1], limits[i : i + 1]))
            self._pool = pool
        return np.concatenate(ranks)

    monkeypatch.setattr(DriftStream, "_ranks", fixed)
    rng = np.random.default_rng(7)
    alarms = sum(bool(DriftStream(rng.normal(size=30)).update(rng.normal(size=800)).alarm) for _ in range(10))
    assert alarms >= 4


def test_capital_is_that_of_bets_made_one_by_one() -> None:
    """The sums over a batch against the definition, value by value."""
    rng = np.random.default_rng(1)
    calibration = np.sort(rng.normal(size=60))
    stream = DriftStream(calibration, seed=5)
    limits = [calibration[60 - int(cut * 61)] for cut in CUTS]
    pool, below, beyond = calibration[calibration < limits[0]].tolist(), 0, 0
    uniform = stream._uniform(600)
    copies: list[tuple[list[np.ndarray], np.ndarray]] = []
    highest, used = 1.0, set()
    # some are equal, and the share of novel ones changes the cut
    values = np.where(rng.random(500) < np.repeat([0.1, 0.9], [200, 300]), 9, rng.normal(-0.3, 1, size=500).round(2))
    exponents = [(a, b) for a in (0.4, 0.8, 1.5, 3.0) for b in (0.4, 0.8, 1.5, 3.0)]
    x = (np.arange(60) + 0.5) / 60
    bets = [x ** (a - 1) * (1 - x) ** (b - 1) for a, b in exponents]
    weights = np.array([1 / 6] * 3 + [1 / 32] * 16)
    for i, value in enumerate(values):
        share = (beyond + 2) / (i + 10)
        limit = limits[sum(share > one for one in (0.35, 0.45))]
        if value >= limits[0]:
            beyond += 1
            continue
        inside = [one for one in pool if one < limit]
        pool.append(value)
        if value >= limit:
            continue
        used.add(limit)
        low, ties = sum(one < value for one in inside), sum(one == value for one in inside)
        rank = (low + uniform[below] * (1 + ties)) / (len(inside) + 1)
        if below in (0, 64, 128):
            copies.append(([np.zeros(bins) for bins, _ in HISTOGRAMS], np.ones(19)))
        for counts, capital in copies:
            for j, (bins, floor) in enumerate(HISTOGRAMS):
                held = counts[j][int(rank * bins)]
                capital[j] *= floor + (1 - floor) * bins * (held + 1) / (counts[j].sum() + bins)
                counts[j][int(rank * bins)] += 1
            capital[3:] *= [0.1 + 0.9 * bet[int(rank * 60)] / bet.mean() for bet in bets]
        below += 1
        shares = [1 / ((j + 1) * (j + 2)) for j in range(len(copies))]
        total = sum(w * (c @ weights) for w, (_, c) in zip(shares, copies, strict=True)) + 1 / (len(copies) + 1)
        highest = max(highest, total)
    found = stream.update(values)
    assert len(used) == 3 and below > 128
    assert found.below == below
    assert found.e_value == pytest.approx(highest, rel=1e-9)


@pytest.mark.parametrize("size", [1, 7, 70])
def test_batches_of_any_size_give_the_same_state(size: int) -> None:
    rng = np.random.default_rng(1)
    calibration, values = rng.normal(size=60), rng.normal(size=300)
    whole, parts = DriftStream(calibration), DriftStream(calibration)
    whole.update(values)
    for begin in range(0, len(values), size):
        parts.update(values[begin : begin + size])
    assert parts.state() == whole.state()


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_drift_of_the_known_is_found(share: float) -> None:
    rng = np.random.default_rng(3)
    for drifted in (rng.normal(-1, 1, 600), rng.normal(0, 0.4, 600), u_shaped(600, rng)):
        stream = DriftStream(rng.normal(size=200))
        assert stream.update(mixed(drifted, share, rng)).alarm


def test_novel_objects_alone_raise_no_alarm() -> None:
    rng = np.random.default_rng(5)
    known, calibration = rng.normal(size=400), rng.normal(size=200)
    added = np.concatenate([known, rng.normal(8, 1, 600)])
    assert DriftStream(calibration).update(added).alarm is False
    assert batch_drift(added, calibration).alarm is False


@pytest.mark.parametrize("test", [batch_drift, streamed])
def test_the_cut_rises_with_the_share_of_novel_objects(test: Any) -> None:
    """One in six novel objects lies below the first cut, and hardly any below the last one."""
    rng = np.random.default_rng(5)
    known, novel = rng.normal(size=1200), rng.normal(2.3, 0.7, size=1800)
    mixed_up = rng.permutation(np.concatenate([known, novel]))
    calibration = rng.normal(size=300)
    low, chosen = test(mixed_up, calibration, cut=0.05), test(mixed_up, calibration)
    assert chosen.alarm is False
    assert low.p_value < chosen.p_value and low.below > chosen.below


def test_drift_after_a_long_quiet_stretch_is_found() -> None:
    rng = np.random.default_rng(11)
    stream = DriftStream(rng.normal(size=200))
    assert stream.update(rng.normal(size=1000)).alarm is False
    assert stream.update(rng.normal(-1, 1, 600)).alarm


def test_a_batch_alarms_at_its_level_and_finds_drift() -> None:
    rng = np.random.default_rng(2)
    false = sum(bool(batch_drift(rng.normal(size=60), rng.normal(size=60), level=0.05).alarm) for _ in range(40))
    found = sum(bool(batch_drift(u_shaped(200, rng), rng.normal(size=200)).alarm) for _ in range(10))
    assert false <= 6
    assert found >= 8


def test_a_stream_goes_on_from_its_saved_state() -> None:
    rng = np.random.default_rng(4)
    stream = DriftStream(rng.normal(size=100), seed=9)
    stream.update(rng.normal(size=150))
    again = DriftStream.from_state(json.loads(json.dumps(stream.state())))
    rest = rng.normal(-0.5, 1, size=150)
    assert again.update(rest) == stream.update(rest)
    assert again.state() == stream.state()


def test_a_batch_test_of_many_values_draws_some_of_both_samples() -> None:
    rng = np.random.default_rng(0)
    calibration = rng.normal(size=12_000)
    assert batch_drift(rng.normal(size=12_000), calibration).alarm is False
    assert batch_drift(rng.normal(-0.2, 1, size=12_000), calibration).alarm


def test_few_objects_give_no_answer() -> None:
    calibration = np.random.default_rng(0).normal(size=50)
    assert DriftStream(calibration).update([0.0, 0.1]).alarm is None
    few, many = batch_drift([0.0, 0.1], calibration), batch_drift(calibration, calibration)
    assert few.alarm is None and few.describe() == f"No drift test: {few.reason}."
    assert many.alarm is False and many.describe().startswith("No sign that the known objects differ")
    assert DriftStream(calibration).update([]).alarm is None


def test_what_is_refused() -> None:
    calibration = np.random.default_rng(0).normal(size=50)
    with pytest.raises(InputError, match=r"18 calibration scores cannot show drift\. Expected 19"):
        DriftStream(calibration[:18])
    with pytest.raises(InputError, match=r"cut is 0\.01 for 50"):
        DriftStream(calibration, cut=0.01)
    with pytest.raises(InputError, match="below the cut"):
        batch_drift(calibration, np.ones(50))
    with pytest.raises(InputError, match=r"0\.001 or more"):
        batch_drift(calibration, calibration, level=0.0001)
    stream = DriftStream(calibration)
    with pytest.raises(InputError):
        stream.update([0.0, np.nan])
    for groups in (["a"], 5, [["a"], ["b"]], [None, "a"]):
        with pytest.raises(InputError, match="groups"):
            stream.update([0.0, 0.1], groups=groups)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"0 calibration scores are below the cut 0\.999"):
        DriftStream(calibration, cut=0.999)
    with pytest.raises(InputError, match="coverage is 2"):
        DriftStream(calibration, coverage=2)
    with pytest.raises(InputError, match="thresholds"):
        DriftStream(calibration, value=np.nan)
    with pytest.raises(InputError, match="expected_novel is 2"):
        DriftStream(calibration, expected_novel=2)
    assert stream.tested == 0


@pytest.mark.parametrize("name", ["batch", "stream"])
def test_several_scans_of_an_object_count_as_one(name: str) -> None:
    rng = np.random.default_rng(8)
    calibration = rng.normal(size=100)
    scans, owners = np.repeat([-1.0, -0.9, 0.1, 0.2], 10), np.repeat([1, 2, 3, 4], 10)

    def tested(groups: list[int] | None) -> Drift:
        if name == "batch":
            return batch_drift(scans, calibration, groups=groups)
        return DriftStream(calibration).update(scans, groups)

    assert tested(None).alarm
    found = tested(owners.tolist())
    assert found.alarm is None and found.tested == 4


def test_an_object_seen_in_an_earlier_batch_of_a_stream_counts_once() -> None:
    rng = np.random.default_rng(8)
    stream = DriftStream(rng.normal(size=100))
    stream.update([0.0, 0.1], groups=["a", "b"])
    again = DriftStream.from_state(json.loads(json.dumps(stream.state())))
    assert again.update([0.2, 0.3], groups=["b", "c"]).tested == 3


def test_the_report_says_where_the_objects_lie() -> None:
    rng = np.random.default_rng(6)
    calibration = rng.normal(size=600)
    found = batch_drift(u_shaped(600, rng), calibration)
    assert found.bins[-1].deviates and found.bins[-1].share > found.bins[-1].calibration
    assert sum(one.share for one in found.bins) == pytest.approx(1, abs=1e-5)
    assert found.bins[0].low == pytest.approx(0.05) and found.bins[-1].high == pytest.approx(1)
    assert not any(one.deviates for one in batch_drift(rng.normal(size=600), calibration).bins)


def test_the_share_called_novel_is_a_second_sign() -> None:
    rng = np.random.default_rng(6)
    calibration, tested = rng.normal(size=100), mixed(rng.normal(size=200), 0.4, rng)
    found = batch_drift(tested, calibration, value=1.7, expected_novel=0.2, coverage=0.95)
    assert found.alarm is False and found.unexpected
    assert found.called_novel is not None and found.called_novel.of == 200
    assert "are called novel, 20 % were expected. Either the fraction of novel objects is different" in found.describe()
    assert batch_drift(tested, calibration, value=1.7, expected_novel=0.42).unexpected is False
    assert batch_drift(tested, calibration, value=1.7).unexpected is None


def test_the_message_of_an_alarm() -> None:
    rng = np.random.default_rng(6)
    found = batch_drift(rng.normal(-1, 1, 200), rng.normal(size=100), coverage=0.95)
    assert found.describe("a.ply, b.ply") == (
        "The known objects here differ from the calibration set. The threshold's 95 % does not hold. "
        "Label 30 of these shapes: a.ply, b.ply."
    )
    assert found.as_json()["kept"] is None


@pytest.mark.parametrize(("count", "of"), [(0, 10), (10, 10), (28, 30), (3, 2000)])
def test_shares_have_exact_intervals(count: int, of: int) -> None:
    expected = binomtest(count, of).proportion_ci(0.95, "exact")
    assert Share(count, of).interval == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("cut", "limit"), [(0.1, 35), (0.3, 27)])
def test_the_cut_is_the_novelty_that_this_share_of_known_objects_reaches(cut: float, limit: int) -> None:
    """The largest rank with rank / (n + 1) at most the cut: 3 and 11 of 38."""
    assert DriftStream(np.arange(38.0), cut)._limits.tolist() == [limit]


def test_a_saved_stream_goes_on_and_damage_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    stream = DriftStream(rng.normal(size=100), value=1.6, expected_novel=0.1, coverage=0.95)
    stream.update(rng.normal(size=150), groups=range(150))
    again = DriftStream.load(stream.save(tmp_path / "drift.json"))
    assert again.drift == stream.drift
    rest = rng.normal(-0.5, 1, size=150)
    assert again.update(rest) == stream.update(rest)
    state = stream.state()
    for name, value in [
        ("format", "other"),
        ("below", 10**6),
        ("pool", [2.0, 1.0]),
        ("counts", [[1.0]]),
        ("logs", None),
        ("highest", np.nan),
        ("expected_novel", np.inf),
        ("level", 2),
        ("seed", -1),
        ("tested", 10**400),
        ("novel", 10**6),
        ("report", {**state["report"], "cut": np.nan}),
    ]:
        (tmp_path / "bad.json").write_text(json.dumps(state | {name: value}))
        with pytest.raises(FileError, match="is no drift test, or a damaged one"):
            DriftStream.load(tmp_path / "bad.json")
