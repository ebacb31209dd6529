"""What a cloud is like, and what looks wrong with it."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.shapes.statistics import SPACED, CloudFacts, likely_unit
from openshape_ood.synthetic import sample

CHAIR = sample("chair", 2000, 1)


def test_a_sound_cloud() -> None:
    facts = CloudFacts.of(CHAIR)
    assert facts.points == 2000 and facts.remarks == () and facts.colors is None
    assert facts.size == pytest.approx(np.ptp(CHAIR, axis=0)) and facts.length == pytest.approx(
        np.linalg.norm(facts.size)
    )
    assert 0.001 < facts.spacing < 0.1


def test_huge_numbers() -> None:
    facts = CloudFacts.of(CHAIR * 1e200)
    assert facts.length == pytest.approx(1e200 * CloudFacts.of(CHAIR).length) and facts.remarks == ()


@pytest.mark.parametrize(
    "cloud, remark",
    [
        (CHAIR[:100], "only 100 points"),
        (CHAIR[np.arange(2000) // 2], "50 % of the points are repeated"),
        (np.concatenate([CHAIR, [[50.0, 0, 0]]]), "a few stray points make it several times as large"),
        (CHAIR + [1e5, 0, 0], "times its size from the origin"),
        (CHAIR * [1, 0.001, 1], "flat: a plane, not an object"),
        (np.hstack([CHAIR, np.full((2000, 3), 0.5)]), "of one color only"),
    ],
)
def test_what_looks_wrong(cloud: np.ndarray, remark: str) -> None:
    assert len(CloudFacts.of(cloud).remarks) == 1 and remark in CloudFacts.of(cloud).remarks[0]


def test_spacing_of_very_many_points_is_theirs() -> None:
    plane = np.random.default_rng(0).random((3 * SPACED, 3)) * [1, 1, 0]
    few = CloudFacts.of(plane[: SPACED - 1]).spacing
    assert CloudFacts.of(plane).spacing == pytest.approx(few / np.sqrt(3), rel=0.1)


def test_units() -> None:
    assert [likely_unit([x]) for x in (1.0, 90.0, 900.0, 1e9)] == [
        "meters",
        "centimeters, or inches",
        "millimeters",
        "none that is usual",
    ]
