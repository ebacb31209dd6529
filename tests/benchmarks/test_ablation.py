from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import pytest
from test_evaluation import made_up, results

from benchmarks.threedos.ablation import Judged, ablate, switches
from benchmarks.threedos.recipes import Settings, openshape, semnov
from openshape_ood.registry.names import find_checkpoint

ROW = find_checkpoint("vitg14")


@pytest.mark.parametrize("base, other", [(openshape(ROW), semnov(ROW)), (semnov(ROW), openshape(ROW))])
def test_one_switch_at_a_time(base: Settings, other: Settings) -> None:
    rows = switches(base, other)
    assert [row.name for row in rows] == [
        *("points", "color", "axis", "normalization", "templates", "num_samples", "support", "support")
    ]
    for row in rows:
        changed = {key for key, value in asdict(row.settings).items() if value != asdict(base)[key]}
        assert changed == ({"support_points", "test_points"} if row.name == "points" else changed) and changed
        assert len(changed) == (2 if row.name == "points" else 1)
    both = {key: value for row in rows[:5] for key, value in asdict(row.settings).items() if value != asdict(base)[key]}
    assert {**asdict(base), **both, "protocol": other.protocol} == asdict(other)


def test_switches_that_change_nothing_are_left_out() -> None:
    tiny = find_checkpoint("tiny")  # y up and without templates: nothing to exchange, no sentence to take away
    names = [row.name for row in switches(openshape(tiny), semnov(tiny))]
    assert "templates" not in names
    assert "points" in names and "color" in names


def test_each_switch_is_paired_with_the_base() -> None:
    data, embedded = made_up()
    noisy = [{name: z + 0.3 for name, z in sets.items()} for sets in embedded]
    base = openshape(ROW)
    before, after = ({r.known_by: r for r in results(data, sets)} for sets in (embedded, noisy))
    scored = {known_by: result.scored for known_by, result in before.items()}

    def judge(settings: Settings) -> Mapping[str, Judged]:
        return {known_by: r.scored for known_by, r in (after if settings.color == 0 else before).items()}

    rows = ablate(scored, switches(base, semnov(ROW)), data, judge, 20)
    assert {(row["switch"], row["known_by"]) for row in rows} == {
        *((switch, known_by) for switch in ("points", "color", "axis", "num_samples") for known_by in before),
        *((switch, known_by) for switch in ("normalization", "support") for known_by in before if known_by != "names"),
        ("templates", "names"),
    }
    for row in rows:
        changed, old, new = row["switch"] == "color", before[row["known_by"]], after[row["known_by"]]
        for metric in ("auroc", "fpr95"):
            expected = new.metrics["both"][metric].mean - old.metrics["both"][metric].mean if changed else 0
            assert row[metric]["difference"] == pytest.approx(expected, abs=1e-9)
        expected = new.accuracy.mean - old.accuracy.mean if changed else 0
        assert row["accuracy"]["difference"] == pytest.approx(expected, abs=1e-9)
        assert changed or row["auroc"] == {"difference": 0, "low": 0, "high": 0}
    color = [row for row in rows if row["switch"] == "color"]
    assert (color[0]["from"], color[0]["to"]) == ("0.4", "0")
    assert any(row["auroc"]["difference"] for row in color)
