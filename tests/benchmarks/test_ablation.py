from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from test_evaluation import DRAWS, made_up, results

from benchmarks.ablation import ablate, switches
from benchmarks.recipes import Settings, openshape, seed
from benchmarks.results import MethodResult
from openshape_ood.checkpoints import find_checkpoint

ROW = find_checkpoint("vitg14")


@pytest.mark.parametrize("base, other", [(openshape(ROW), seed(ROW)), (seed(ROW), openshape(ROW))])
def test_one_switch_at_a_time(base: Settings, other: Settings) -> None:
    rows = switches(base, other)
    assert [row.name for row in rows] == [
        *("points", "colour", "axis", "normalisation", "templates", "views", "support", "support")
    ]
    for row in rows:
        changed = {key for key, value in asdict(row.settings).items() if value != asdict(base)[key]}
        assert changed == ({"support_points", "test_points"} if row.name == "points" else changed) and changed
        assert len(changed) == (2 if row.name == "points" else 1)
    both = {key: value for row in rows[:5] for key, value in asdict(row.settings).items() if value != asdict(base)[key]}
    assert {**asdict(base), **both, "protocol": other.protocol} == asdict(other)


def test_switches_that_change_nothing_are_left_out() -> None:
    tiny = find_checkpoint("tiny")  # y up and without templates: nothing to exchange, no sentence to take away
    names = [row.name for row in switches(openshape(tiny), seed(tiny))]
    assert "templates" not in names
    assert "points" in names and "colour" in names


def test_each_switch_is_paired_with_the_base() -> None:
    data, embedded = made_up()
    noisy = [{name: z + 0.3 for name, z in sets.items()} for sets in embedded]
    base = openshape(ROW)

    def run(settings: Settings) -> list[MethodResult]:
        return results(data, noisy if settings.colour == 0 else embedded)

    rows = ablate(base, switches(base, seed(ROW)), data, run, DRAWS)
    assert len(rows) == 8 * 3
    before, after = results(data, embedded), results(data, noisy)
    for row in rows:
        old, new = (next(r for r in rs if r.known_by == row["known_by"]) for rs in (before, after))
        changed = row["switch"] == "colour"
        for metric in ("auroc", "fpr95"):
            expected = new.metrics["both"][metric].mean - old.metrics["both"][metric].mean if changed else 0
            assert row[metric]["difference"] == pytest.approx(expected, abs=1e-9)
            assert row[metric]["low"] <= row[metric]["difference"] + 1e-9 or not changed
        expected = new.accuracy.mean - old.accuracy.mean if changed else 0
        assert row["accuracy"]["difference"] == pytest.approx(expected, abs=1e-9)
        assert changed or row["auroc"] == {"difference": 0, "low": 0, "high": 0}
    colour = next(row for row in rows if row["switch"] == "colour")
    assert (colour["from"], colour["to"]) == ("0.4", "0")
    assert any(np.abs(row["auroc"]["difference"]) > 0 for row in rows if row["switch"] == "colour")
