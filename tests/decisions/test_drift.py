"""Drift alarms: false alarms, power, the pitfalls of the tests, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import kstest

from openshape_ood.decisions.drift import DriftStream, batch_drift
from openshape_ood.errors import InputError


def mixed(known: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Known novelties, some replaced by those of novel objects, far above."""
    return np.where(rng.random(len(known)) < share, rng.normal(8, 1, len(known)), known)


def u_shaped(size: int, rng: np.random.Generator) -> np.ndarray:
    """Wider to both sides, with the same median."""
    return rng.normal(0, 2, size)


@pytest.mark.parametrize("n", [20, 50, 200])
def test_ranks_of_known_objects_are_uniform_and_independent(n: int) -> None:
    rng = np.random.default_rng(n)
    ranks = []
    for seed in range(60):
        stream = DriftStream(rng.normal(size=n), seed=seed)
        ranks.append([stream._rank(value) for value in rng.normal(size=60) if value < stream.limit][:12])
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
    whole = DriftStream._rank

    def fixed(self: DriftStream, value: float) -> float:
        pool = list(self._pool)
        rank = whole(self, value)
        self._pool = pool
        return rank

    monkeypatch.setattr(DriftStream, "_rank", fixed)
    rng = np.random.default_rng(7)
    alarms = sum(bool(DriftStream(rng.normal(size=30)).update(rng.normal(size=800)).alarm) for _ in range(10))
    assert alarms >= 4


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


def test_few_objects_give_no_answer() -> None:
    calibration = np.random.default_rng(0).normal(size=50)
    assert DriftStream(calibration).update([0.0, 0.1]).alarm is None
    assert batch_drift([0.0, 0.1], calibration).alarm is None
    assert DriftStream(calibration).update([]).alarm is None


def test_what_is_refused() -> None:
    calibration = np.random.default_rng(0).normal(size=50)
    with pytest.raises(InputError, match="18 calibration scores cannot show drift. Expected 19"):
        DriftStream(calibration[:18])
    with pytest.raises(InputError, match="cut is 0.01 for 50"):
        DriftStream(calibration, cut=0.01)
    with pytest.raises(InputError, match="below the cut"):
        batch_drift(calibration, np.ones(50))
    with pytest.raises(InputError, match="0.001 or more"):
        batch_drift(calibration, calibration, level=0.0001)
    stream = DriftStream(calibration)
    with pytest.raises(InputError):
        stream.update([0.0, np.nan])
    assert stream.tested == 0
