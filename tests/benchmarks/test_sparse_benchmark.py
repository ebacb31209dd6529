from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.performance.sparse import made_up_room, main, plain_convolve, plain_map
from openshape_ood.scenes.sparse.convolution import convolve
from openshape_ood.scenes.sparse.grid import Grid


def test_the_plain_way_gives_the_same() -> None:
    grid, _ = Grid.of(made_up_room(400))
    x, kernel = torch.randn(len(grid), 3), torch.randn(27, 3, 2)
    torch.testing.assert_close(plain_convolve(x, kernel, plain_map(grid)), convolve(x, kernel, grid.neighbors(3)))


def test_a_room_is_about_as_large_as_asked() -> None:
    grid, _ = Grid.of(made_up_room(20_000))
    pairs = len(grid) + sum(len(rows) for _, rows, _ in grid.neighbors(3).pairs)
    assert 12_000 < len(grid) < 30_000 and 8 < pairs / len(grid) < 12


def test_what_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--voxels", "300", "--width", "2", "--repeats", "1", "--out", str(tmp_path)]
    assert main(small) == 0
    found = json.loads(next(tmp_path.glob("sparse-*.json")).read_text())["convolution"]
    assert found["seconds"].keys() == {"ours", "bound", "plain"} and found["pairs_a_voxel"] > 1
    assert "forward and backward" in capsys.readouterr().out
    assert main([*small[:1], "0", *small[2:]]) == 1
