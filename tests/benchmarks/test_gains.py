from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from further_tiny import write_rows

from benchmarks.questions.gains import gains, table
from benchmarks.questions.scores import compared, main
from openshape_ood.scoring import METHODS

DRAW = np.random.RandomState(0)
SETS = {"known": 200, "novel1": 100, "novel2": 100, "validation": 100}


def made_up(shift: float, shared: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Novelty whose novel shapes lie so much higher, with noise of its own and some that is shared."""
    means = {name: shift * name.startswith("novel") for name in SETS}
    return {name: means[name] + shared[name] + DRAW.normal(size=n) for name, n in SETS.items()}


def test_what_two_good_members_gain_and_what_a_useless_one_costs() -> None:
    shared = {name: DRAW.normal(size=n) / 4 for name, n in SETS.items()}
    good, other, useless = made_up(1, shared), made_up(0.9, shared), made_up(0, shared)
    for second, over_best in ((other, True), (useless, False)):
        together = {name: good[name] + second[name] for name in SETS}
        pair = together["known"], np.concatenate([together["novel1"], together["novel2"]])
        found = gains(("sr1", "names", "max_cosine"), ["a", "b"], [pair], [[good, second]], 10)
        assert [one.fused for one in found] == ["together", "ranks", "p values"]
        for one in found:
            value, low, high = one.over_best["auroc"]
            assert low <= high and (value > 0) == over_best
            assert value == pytest.approx(one.auroc - max(one.members.values()))
            assert one.over_mean["auroc"][0] == pytest.approx(one.auroc - np.mean(list(one.members.values())))
    assert found[0].best == "a" and "over the best" in table(found)


def test_without_validation_shapes_nothing_is_ranked() -> None:
    novelty = made_up(1, {name: np.zeros(n) for name, n in SETS.items()}) | {"validation": np.empty(0)}
    pair = novelty["known"], np.concatenate([novelty["novel1"], novelty["novel2"]])
    (only,) = gains(("sr1", "names", "max_cosine"), ["a"], [pair], [[novelty]], 10)
    assert only.fused == "together"


@pytest.mark.filterwarnings("ignore:k is 5")  # two examples of each class
@pytest.mark.slow
def test_scores_of_an_ensemble_say_its_gain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(write_rows(tmp_path)))
    small = ["--per-class", "2", "--seeds", "1", "--draws", "20", "--quiet", "--no-cache", "--workers", "0"]
    assert (
        main([*small, "--model", "tiny-b+tiny", "--name", "sr2", "--device", "cpu", "--out", str(tmp_path / "out")])
        == 0
    )
    (path,) = (tmp_path / "out").iterdir()
    report = json.loads(path.read_text(encoding="utf-8"))
    assert report["model"] == "tiny+tiny-b"
    together = {one["method"]: one for one in report["gains"] if one["fused"] == "together"}
    assert list(together) == [name for name in compared() if METHODS[name].rows != "patches"]
    auroc = {row["method"]: row["auroc"]["mean"] for row in report["rows"]}
    for name, one in together.items():
        assert one["auroc"] == pytest.approx(auroc[name])
        assert one["members"].keys() == {"tiny", "tiny-b"} and one["best"] in one["members"]
    assert together["max_cosine"]["best"] == "tiny"  # the other one is untrained
    assert "over their mean" in capsys.readouterr().out
