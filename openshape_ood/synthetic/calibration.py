"""Calibration where every known class can be generated: shapes of the known classes themselves, for any bank.

The promise of `calibration` then holds for shapes drawn like these: generated scans, or generated whole models. For
objects of the real world, calibrate on scans of known objects of your own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openshape_ood.synthetic import categories, sample, scan

SCANS = 50  # a class: enough for a coverage of 95 % from the first class on
POINTS = 2048
SEVERITY = 0.8  # as in the generated benchmarks
FIRST_SEED = 7_600_000  # beyond the support, validation and test shapes of the benchmarks, below tiny's training


def can_generate(names: Sequence[str]) -> bool:
    """Whether every one of the known classes (k,) is a generated category, by exactly that name.

    >>> can_generate(["chair", "table"]), can_generate(["chair", "robot arm"])
    (True, False)
    """
    return set(names) <= set(categories())


def calibration_scans(names: Sequence[str], scans: int = SCANS) -> list[np.ndarray]:
    """Scans (2048, 3) of every known class (k,), class by class, k times `scans`; y up, meters, always the same.

    Raises `UnknownNameError` for a name that is no generated category.

    >>> len(calibration_scans(["chair", "table"], scans=3))
    6
    """
    return [scan(name, POINTS, FIRST_SEED + i, severity=SEVERITY) for name in names for i in range(scans)]


def calibration_models(names: Sequence[str], models: int = SCANS) -> list[np.ndarray]:
    """The same shapes sampled cleanly (2048, 3), for tests on whole models; scans are more novel than these.

    >>> calibration_models(["chair"], models=1)[0].shape
    (2048, 3)
    """
    return [sample(name, POINTS, FIRST_SEED + i) for name in names for i in range(models)]
