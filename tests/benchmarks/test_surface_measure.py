"""Figures of places: exact ones by their functions, and intervals that hold them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.surfaces.measure import Places, _sums, below_half, image_figures, place_figures, resampled
from openshape_ood.decisions.metrics import auroc, image_regions, region_overlap
from openshape_ood.decisions.threshold import Threshold


def places(skill: float, images: int = 12) -> Places:
    random = np.random.RandomState(4)
    truth = np.zeros((images, 16, 16), dtype=bool)
    for i in range(images // 2):
        row, column = random.randint(0, 10, 2)
        truth[i, row : row + 4, column : column + 3] = True
    novelty = random.normal(size=truth.shape) + skill * truth
    owner = np.repeat(np.arange(images), 256)
    return Places(novelty.ravel(), image_regions(truth).ravel(), owner, 1.5)


def test_drawing_each_image_once_gives_the_figures_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.surfaces import measure

    given = places(2.0)
    monkeypatch.setattr(measure, "_weights", lambda damaged, draws: np.ones((1, len(damaged))))
    drawn, exact = resampled(given, 1), place_figures(given, 1)
    for name, (value, *_) in exact.items():
        assert drawn[name][0] == pytest.approx(value, abs=2e-3)
    bad = given.regions > 0
    assert exact["auroc"][0] == auroc(given.novelty[~bad], given.novelty[bad])
    assert exact["aupro"][0] == region_overlap(given.novelty, given.regions)


def test_intervals_hold_the_figure_and_come_of_whole_images() -> None:
    figures = place_figures(places(1.0), 300)
    for value, low, high in figures.values():
        assert low < value < high and high - low < 0.4
    sums = _sums(places(1.0))
    assert sums["regions"][:6, -1] == pytest.approx(1) and not sums["regions"][6:].any()


def test_figures_of_images_and_what_is_below_one_half() -> None:
    bad = np.arange(40) < 20
    score = np.where(bad, 0.0, 1.0) + np.linspace(0, 0.1, 40)
    figures = image_figures(score, bad, 50, Threshold(0.5))
    assert figures["image_auroc"][0] == 0 and figures["image_kept"] == 0 and below_half(figures) == ["image_auroc"]
    figures = image_figures(-score, bad, 50, Threshold(-0.5))
    assert figures["image_auroc"][0] == figures["image_f1"] == figures["image_kept"] == 1 and not below_half(figures)
