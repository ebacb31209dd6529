"""AUPRO and overlaps against plain loops over every threshold, and against anomalib where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.decisions.metrics import image_regions, overlap_at, region_overlap
from openshape_ood.errors import InputError


def by_loop(novelty: np.ndarray, regions: np.ndarray, most_false: float) -> float:
    """The definition: thresholds from high to low, the mean share of each region, lines between."""
    false, found = [0.0], [0.0]
    for threshold in sorted(set(novelty.tolist()), reverse=True):
        beyond = novelty >= threshold
        false.append(beyond[regions == 0].mean())
        found.append(np.mean([beyond[regions == r].mean() for r in set(regions.tolist()) - {0}]))
    area = 0.0
    for x0, x1, y0, y1 in zip(false, false[1:], found, found[1:], strict=False):
        if x1 > most_false:
            y1, x1 = y0 + (y1 - y0) * (most_false - x0) / (x1 - x0), most_false
        area += (x1 - x0) * (y0 + y1) / 2
        if x1 == most_false:
            break
    return area / most_false


@pytest.mark.parametrize("most_false", [0.05, 0.3, 1.0])
def test_region_overlap_is_its_definition(most_false: float) -> None:
    random = np.random.RandomState(0)
    for values in (random.normal(size=300), random.randint(0, 8, 300).astype(float)):  # without ties, and with many
        regions = random.randint(0, 30, 300)
        regions[regions > 4] = 0
        novelty = values + 2 * (regions > 0)
        assert region_overlap(novelty, regions, most_false) == pytest.approx(by_loop(novelty, regions, most_false))


def test_a_small_region_counts_as_much_as_a_large_one() -> None:
    regions = np.array([0] * 50 + [1] * 99 + [2])
    novelty = np.concatenate([np.linspace(0.1, 0.2, 50), np.ones(99), [0.0]])
    assert region_overlap(novelty, regions) == pytest.approx(0.5)  # the one pixel of region 2 is never found
    assert region_overlap(np.zeros(150), regions) == pytest.approx(0.15)


def test_regions_connect_at_corners_and_not_across_images() -> None:
    truth = np.zeros((3, 4, 4), dtype=bool)
    truth[0, 0, 0] = truth[0, 1, 1] = truth[1, 1, 1] = truth[1, 3, 3] = True
    found = image_regions(truth)
    assert found.max() == 3 and found[0, 0, 0] == found[0, 1, 1] != found[1, 1, 1] and not found[2].any()


def test_overlap_at_a_threshold() -> None:
    found = overlap_at(np.arange(10) < 4, np.arange(10) < 6)
    assert found == pytest.approx({"iou": 4 / 6, "f1": 0.8, "precision": 4 / 6, "recall": 1.0})
    nothing = overlap_at(np.ones(3, dtype=bool), np.zeros(3, dtype=bool))
    assert nothing["iou"] == nothing["f1"] == nothing["recall"] == 0 and np.isnan(nothing["precision"])


def test_what_has_no_answer_is_refused() -> None:
    for regions in (np.zeros(3, int), np.ones(3, int)):
        with pytest.raises(InputError, match="Expected both kinds"):
            region_overlap([1.0, 2, 3], regions)
    with pytest.raises(InputError, match="NaN"):
        region_overlap([1.0, np.nan], [0, 1])
    with pytest.raises(InputError, match="share"):
        region_overlap([1.0, 2], [0, 1], most_false=0)
    with pytest.raises(InputError, match="bool"):
        overlap_at([0.1, 0.2], [True, False])


@pytest.mark.filterwarnings("ignore")
def test_anomalib_says_the_same() -> None:
    metrics = pytest.importorskip("anomalib.metrics.aupro", reason="an oracle where it is installed")
    torch = pytest.importorskip("torch")
    random = np.random.RandomState(1)
    truth = np.zeros((4, 32, 32), dtype=bool)
    truth[0, 3:9, 4:8], truth[0, 20:23, 20:30], truth[1, 5:15, 5:15] = True, True, True
    novelty = random.random_sample(truth.shape) + 0.5 * truth
    aupro = metrics._AUPRO()
    aupro.update(torch.from_numpy(novelty), torch.from_numpy(truth))
    ours = region_overlap(novelty.ravel(), image_regions(truth).ravel())
    assert float(aupro.compute()) == pytest.approx(ours, abs=2e-3)
