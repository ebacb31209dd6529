"""`python -m benchmarks guarantees --parts alarms`: the oracle, and the object at which an alarm comes."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.questions import guarantees_alarms as alarms
from openshape_ood.decisions.drift import CUTS, DriftStream


@pytest.fixture(scope="module")
def laws() -> list[tuple[np.ndarray, np.ndarray]]:
    """Novelties spread evenly before, and in the lower half of what lies below the first cut after."""
    before, after = np.linspace(0, 1, 20_001), np.linspace(0, 0.474, 20_001)
    return [alarms.law_ratio(before, after, 2, cut) for cut in CUTS]


def test_a_likelihood_ratio_of_two_alarms_at_the_seventh_object(laws: list[tuple[np.ndarray, np.ndarray]]) -> None:
    assert laws[0][1] == pytest.approx([2, 0], abs=1e-3)
    values = np.full(60, 0.2)
    stream = DriftStream(np.linspace(0, 1, 200))
    assert alarms.oracle_delay(values, stream, laws, alike=False) == 7  # 2^7 is the first power above 100
    values[:4] = 2.0  # novel objects say nothing
    assert alarms.oracle_delay(values, stream, laws, alike=False) == 11


def test_the_oracle_with_the_tests_information_learns_less_from_a_small_pool(
    laws: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    values = np.full(60, 0.2)
    for n, latest in ((2000, 7), (200, 8), (40, 10)):
        stream = DriftStream(np.linspace(0, 1, n))
        found = alarms.oracle_delay(values, stream, laws, alike=True)
        assert 7 <= found <= latest
    held = (stream._pool < stream._limits[0]).sum()  # of the last, by the definition
    earlier = np.arange(len(values))
    capital = np.cumprod(2 * (held + earlier) / (held + 2 * earlier))
    assert found == 1 + np.argmax(capital >= 100)


def test_an_alarm_is_found_to_the_object() -> None:
    rng = np.random.default_rng(0)
    calibration, values = rng.normal(size=200), rng.normal(-1, 1, size=400)
    at = alarms.alarm_at(DriftStream(calibration), values, step=50)
    assert DriftStream(calibration).update(values[: int(at)]).alarm
    assert not DriftStream(calibration).update(values[: int(at) - 1]).alarm
    assert alarms.alarm_at(DriftStream(calibration), rng.normal(size=40)) == np.inf
