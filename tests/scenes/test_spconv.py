"""spconv as the backend gives what plain torch gives: a stand-in, and the package itself where it is installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import made_up_spconv
import numpy as np
import pytest
import torch
from published_scenes import network, on_grid

from openshape_ood import PointEncoder, Scene
from openshape_ood.errors import InputError, MissingPackageError, UnknownNameError
from openshape_ood.scenes.sparse.convolution import convolve
from openshape_ood.scenes.sparse.grid import Grid
from openshape_ood.scenes.sparse.on_spconv import SpconvGrid, SpconvMap, load_spconv

PACKAGES = [
    "stand-in",
    pytest.param("spconv", marks=pytest.mark.skipif(find_spec("spconv") is None, reason="spconv is not installed")),
]
CPU = torch.device("cpu")


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "stand-in":
        made_up_spconv.install(monkeypatch)
    return str(request.param)


def cells(low: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Voxels (v, 4) of two scans within 18 x 5 x 11 cells from `low` on, whose corners are among them."""
    rng, size = np.random.default_rng(seed), np.array([18, 5, 11])
    found = np.concatenate([[[0, 0, 0]], [size - 1], rng.integers(0, size, (150, 3))])
    return np.unique(np.c_[rng.integers(3, 5, len(found)), found + low], axis=0)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("low", [(-7, 3, -40), (0, -1, 5)])
def test_every_step_is_that_of_plain_torch(package: str, low: tuple[int, int, int]) -> None:
    grid, _ = Grid.of(torch.from_numpy(cells(low)))
    other, x = SpconvGrid.of(grid), random(len(grid), 3)
    for side in (3, 5, 3):  # the second time by what it has found
        kernel = random(side**3, 3, 4)
        torch.testing.assert_close(
            convolve(x, kernel, other.neighbors(side)), convolve(x, kernel, grid.neighbors(side)), atol=2e-5, rtol=1e-5
        )
    with pytest.raises(InputError, match="Expected a convolution `down`"):
        _ = other.coarser
    down, up = random(8, 3, 5), random(8, 5, 2)
    ours, theirs = convolve(x, down, grid.down), convolve(x, down, other.down)
    # spconv has an order of its own in there, which nobody sees from above
    shift = torch.tensor([*(int(n) >> 4 << 3 for n in grid.cells[:, 1:].min(dim=0).values)])
    there = torch.cat([other.coarser.cells[:, :1] + 3, other.coarser.cells[:, [3, 2, 1]] + shift], dim=1).tolist()
    rows = {tuple(cell): row for row, cell in enumerate(grid.coarser.cells.tolist())}
    torch.testing.assert_close(theirs, ours[[rows[tuple(cell)] for cell in there]], atol=1e-5, rtol=1e-5)
    assert len(theirs) == len(ours) == len(rows)
    torch.testing.assert_close(convolve(theirs, up, other.up), convolve(ours, up, grid.up), atol=1e-5, rtol=1e-5)


def test_the_whole_network_is_the_same_wherever_the_scan_lies(package: str) -> None:
    small, state = network("small"), torch.get_rng_state()
    for low in ((-9, -17, 3), (0, 0, 0), (1, 31, -5)):
        found = cells(low)
        grid, x, _ = on_grid(found, np.random.default_rng(1).random((len(found), 3), dtype=np.float32) - 0.5)
        with torch.inference_mode():
            ours, other = small(x, grid), SpconvGrid.of(grid)
            for _ in range(2):  # a grid may be taken again
                assert (ours - small(x, other)).norm() < 1e-5 * ours.norm()
    assert torch.equal(torch.get_rng_state(), state)


def test_an_encoder_takes_it_by_name_with_the_same_weights(package: str) -> None:
    rng = np.random.default_rng(0)
    scene = Scene(rng.uniform([-0.7, 1.3, 0], [-0.1, 1.9, 0.6], (500, 3)), rng.uniform(size=(500, 3)))
    plain = PointEncoder.from_pretrained(device="cpu")
    other = PointEncoder.from_pretrained(device="cpu", backend="spconv")
    assert (plain.backend, other.backend) == ("torch", "spconv") and plain.identity == other.identity
    found, expected = other.encode_voxels(scene), plain.encode_points(scene)
    assert np.linalg.norm(found.of_points() - expected) < 1e-5 * np.linalg.norm(expected)
    assert len(found.touching.pairs) == 26  # smoothing goes on as before


def test_what_spconv_cannot_number_is_refused(package: str) -> None:
    far = torch.tensor([[0, 0, 0, 0], [0, 1300, 1300, 1300]])
    with pytest.raises(InputError, match=r"1,301 x 1,301 x 1,301 cells, too many for spconv\. .* Take backend 'torch'"):
        SpconvGrid.of(Grid.of(far)[0])
    near = SpconvGrid.of(Grid.of(far % 1290)[0])
    assert near.box == [16, 16, 16]
    wide = torch.empty(1).expand(2**20, 512)
    with pytest.raises(InputError, match="1,048,576 voxels of 512 numbers need 2 GiB"):
        convolve(wide, torch.empty(1).expand(27, 512, 4), near.neighbors(3))


def test_a_missing_package_or_one_without_cuda_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not run on mps"):
        load_spconv(torch.device("mps"))
    with pytest.raises(UnknownNameError, match="unknown backend 'minkowski'; known: torch, spconv"):
        PointEncoder.from_pretrained(device="cpu", backend="minkowski")
    made_up_spconv.install(monkeypatch)
    with pytest.raises(
        MissingPackageError, match=r"without CUDA\. .* Uninstall spconv and cumm, then run pip install spconv-cu"
    ):
        load_spconv(torch.device("cuda"))
    made_up_spconv.install(monkeypatch, cpu_only=False)
    assert load_spconv(torch.device("cuda")) is sys.modules["spconv.pytorch"]
    monkeypatch.setitem(sys.modules, "spconv.pytorch", None)
    with pytest.raises(
        MissingPackageError, match=r"cannot be loaded .*pip install spconv-cu126 .*take backend 'torch'"
    ):
        PointEncoder.from_pretrained(checkpoint=tmp_path / "none.pt", device="cpu", backend="spconv")


def test_the_stand_in_refuses_what_spconv_gets_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    made_up_spconv.install(monkeypatch)
    made, grid = made_up_spconv, SpconvGrid.of(Grid.of(torch.from_numpy(cells((0, 0, 0))))[0])
    for wrong in (-1, 16):
        with pytest.raises(AssertionError, match="out of the box"):
            made.SparseConvTensor(torch.ones(1, 1), torch.tensor([[0, wrong, 0, 0]], dtype=torch.int32), [16] * 3, 1)
    grid.reached, alone = grid, SpconvMap(grid, "SparseInverseConv3d", 2, "never went down")
    with pytest.raises(AssertionError, match="no convolution has had the key never went down"):
        convolve(torch.ones(len(grid.cells), 1), torch.ones(8, 1, 1), alone)
