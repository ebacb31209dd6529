"""The metrics against the reference code of 3DOS: the pack `metrics.json` of the folder OPENSHAPE_OOD_PARITY.

Every case says its seed; scores in it are normality, the opposite of novelty. The figures that are committed are in
`test_metrics.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import golden
import numpy as np
import pytest

from openshape_ood.decisions.metrics import METRICS, ood_metrics

NAMES = {"fpr95": "fpr_at_95_tpr"}  # where the pack calls it otherwise


def normality(case: dict[str, Any]) -> dict[str, np.ndarray]:
    random = np.random.RandomState(case["seed"])
    sets = {
        "known": random.normal(1, 1, case["n"]),
        "novel1": random.normal(0, 1.2, case["m1"]),
        "novel2": random.normal(-0.3, 0.8, case["m2"]),
    }
    sets = {name: values.round(1) if case["ties"] else values for name, values in sets.items()}
    return {**sets, "both": np.concatenate([sets["novel1"], sets["novel2"]])}


@pytest.mark.slow
@golden.needs("metrics.json")
def test_parity_metrics() -> None:
    cases = json.loads(Path(golden.FOLDER, "metrics.json").read_text(encoding="utf-8"))["cases"]
    assert cases
    for name, case in cases.items():
        sets = normality(case)
        for against, expected in case["metrics"].items():
            found = ood_metrics(-sets["known"], -sets[against])
            for metric in METRICS:
                difference = abs(found[metric] - expected[NAMES.get(metric, metric)])
                assert difference <= 1e-9, f"{name}, {against}, {metric}: {difference:.1e}"
