"""The published protocol on scores of no skill, and the honest one."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.surfaces import protocol
from openshape_ood.decisions.metrics import auroc


def random_epochs(epochs: int, seed: int, good: int = 25, bad: int = 25) -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.RandomState(seed)
    return [(random.random_sample(good), random.random_sample(bad)) for _ in range(epochs)]


def test_noise_profits_from_the_published_protocol_and_not_from_the_honest_one() -> None:
    """C14."""
    runs = [random_epochs(20, seed) for seed in range(60)]
    said = np.mean([protocol.published_auroc(run) for run in runs])
    honest = np.mean([auroc(*epoch) for run in runs for epoch in run])
    assert said == pytest.approx(0.68, abs=0.02) and honest == pytest.approx(0.5, abs=0.02)
    assert said == pytest.approx(protocol.noise(25, 25, 20).mean, abs=0.015)


@pytest.mark.parametrize("setting, mean", [((25, 25, 1), 0.57), ((25, 25, 20), 0.68), ((58, 92, 2500), 0.676)])
def test_exact_law_of_noise(setting: tuple[int, int, int], mean: float) -> None:
    found = protocol.noise(*setting)
    assert found.mean == pytest.approx(mean, abs=0.005) and found.high > found.mean


def test_the_law_of_two_and_three_is_counted_by_hand() -> None:
    assert protocol._auroc_law(2, 3) * 10 == pytest.approx([1, 1, 2, 2, 2, 1, 1])


def test_a_report_has_both_numbers_and_what_noise_reaches() -> None:
    epochs = random_epochs(20, 3)
    lines = "\n".join(protocol.compat_report("crn", epochs, 0.41))
    said = f"reports {protocol.published_auroc(epochs):.3f}"
    assert (
        "image AUROC 0.410" in lines and said in lines and "0.677 on average" in lines and "no more than that" in lines
    )
    skilled = [(np.zeros(25), np.ones(25))]
    assert "1.000 is more than that" in "\n".join(protocol.compat_report("crn", skilled, 1.0))
    assert protocol.noise_table().count("0.500") == len(protocol.SETTINGS)
