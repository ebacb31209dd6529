from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.performance.speed.products import flop, products_of
from benchmarks.performance.unets import main, tasks


def test_operations_of_a_step_and_of_maps() -> None:
    """Counted by hand; a step makes as many products to the weights as forward, and to all inputs but the tiles."""
    found = {task.name: flop(task.products())[task.stage] for task in tasks(32, 2, 2, 2, 1)}
    # channels in and out of each level, and its pixels: 4 x 4 kernels down, 3 x 3 up, where twice as many come in
    levels = [(3, 2, 16), (2, 4, 8), (4, 8, 4), (8, 16, 2), (16, 16, 1)]
    first = 2 * 16**2 * 16 * 3 * 2
    down = sum(2 * side**2 * 16 * outer * inner for outer, inner, side in levels)
    up = sum(2 * (2 * side) ** 2 * 9 * inner * (1 if side == 1 else 2) * outer for outer, inner, side in levels)
    tile = down + up
    assert found["U-Net, map of a tile"] == 2 * tile and found["CRN, map of a tile"] == 2 * 2 * tile
    assert found["U-Net, step"] == 2 * (3 * tile - first)
    assert found["CRN, step"] == 4 * found["U-Net, step"]


def test_gradients_that_nobody_asks_for_are_not_counted() -> None:
    layer, x = torch.nn.Conv2d(4, 6, 3, groups=2, bias=False), torch.rand(2, 4, 10, 10)

    def products(asked: bool) -> int:
        given = x.clone().requires_grad_(asked)
        return flop(products_of(lambda clock: (layer(given).sum().backward(), clock.mark("all")), ["all"]))["all"]

    forward = 2 * (2 * 8 * 8) * 6 * (2 * 9)
    assert products(False) == 2 * forward and products(True) == 3 * forward


def test_what_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--sides", "32", "--width", "1", "--units", "2", "--batch", "2", "--steps", "1", "--repeats", "1"]
    assert main([*small, "--out", str(tmp_path)]) == 0
    results = json.loads(next(tmp_path.glob("unets-*.json")).read_text())["results"]
    assert len(results) == 4 and all(one["gflop"] > 0 and one["over_products"]["median"] > 0 for one in results)
    assert "share of the bound" in capsys.readouterr().out
    assert main(["--sides", "16"]) == 1
