from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.performance import pairs
from openshape_ood.comparison import FAMILIES
from openshape_ood.comparison.network import Relation, RelationSizes


def test_what_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "CHUNKS", 1)
    monkeypatch.setattr(pairs, "PAIRS_AT_ONCE", 64)
    small = ["--shapes", "32", "--classes", "2", "--dim", "4", "--width", "8", "--depth", "1", "--out", str(tmp_path)]
    assert pairs.main(small) == 0
    found = json.loads(next(tmp_path.glob("pairs-*.json")).read_text())
    assert found["pairs"] == 64 and set(found["scored"]) == set(FAMILIES) and found["settings"]["classes"] == 2
    assert "pairs per second" in capsys.readouterr().out
    assert pairs.main(["--width", "30", "--heads", "4", "--out", str(tmp_path)]) == 1


def test_the_bound_is_the_products_that_the_network_cannot_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the multiplications that torch counts: what is left of a pass is attention, and little."""
    from torch.utils.flop_counter import FlopCounterMode

    network = Relation(RelationSizes(16, width=32, depth=2)).requires_grad_(False)
    bound, rows = pairs.products(network), torch.randn(pairs.PAIRS_AT_ONCE, 32)
    counts = []
    for work in (bound, lambda: network.features(rows, rows)):
        with FlopCounterMode(display=False) as counter:
            work()
        counts.append(counter.get_total_flops())
    assert 0.9 * counts[1] < counts[0] <= counts[1]
