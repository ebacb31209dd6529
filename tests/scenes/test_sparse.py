"""Sparse convolution without golden numbers: dense convolution on a full grid, lone voxels, batches, order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from published_scenes import PUBLISHED, network, on_grid, scan
from torch.nn import functional as F

from openshape_ood.errors import InputError
from openshape_ood.scenes.sparse.convolution import convolve
from openshape_ood.scenes.sparse.grid import Grid
from openshape_ood.scenes.sparse.network import NETWORKS, SparseUNet, sizes_of

SIDE, INSIDE, OUTSIDE = 8, 3, 5


def full_grid() -> tuple[Grid, torch.Tensor]:
    """All cells of a cube in scrambled order, and the place of each grid row in a dense array, flattened."""
    axes = np.meshgrid(*[np.arange(SIDE)] * 3, indexing="ij")
    cells = np.random.default_rng(0).permutation(np.stack(axes, -1).reshape(-1, 3))
    grid, _ = Grid.of(torch.from_numpy(np.pad(cells, ((0, 0), (1, 0)))))
    return grid, flat(grid.cells, SIDE)


def flat(cells: torch.Tensor, side: int) -> torch.Tensor:
    return (cells[:, 1] * side + cells[:, 2]) * side + cells[:, 3]


def dense(x: torch.Tensor, place: torch.Tensor, side: int) -> torch.Tensor:
    """Rows (v, c) as (1, c, x, y, z)."""
    return x[place.argsort()].T.reshape(1, -1, side, side, side)


def cube(kernel: torch.Tensor) -> torch.Tensor:
    """(cells, i, o), x fastest, as dense convolution takes it: (o, i, x, y, z)."""
    side = round(len(kernel) ** (1 / 3))
    return kernel.reshape(side, side, side, *kernel.shape[1:]).permute(4, 3, 2, 1, 0)


def made(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


@pytest.mark.parametrize("what", ["3", "5", "down", "up"])
def test_a_full_grid_is_dense_convolution(what: str) -> None:
    """Values, and gradients of input and kernel, in double precision."""
    grid, fine = full_grid()
    coarse = flat(grid.coarser.cells, SIDE // 2)
    cells = {"3": 27, "5": 125}.get(what, 8)
    where = {"down": grid.down, "up": grid.up}.get(what) or grid.neighbors(int(what))
    source, target = (coarse if what == "up" else fine), (coarse if what == "down" else fine)
    x, kernel = made(len(source), INSIDE).requires_grad_(), made(cells, INSIDE, OUTSIDE).requires_grad_()
    whole, weight = dense(x, source, SIDE // (2 if what == "up" else 1)), cube(kernel)
    if what == "up":
        expected = F.conv_transpose3d(whole, weight.transpose(0, 1), stride=2)
    elif what == "down":
        expected = F.conv3d(whole, weight, stride=2)
    else:
        expected = F.conv3d(whole, weight, padding=int(what) // 2)
    rows = expected[0].flatten(1).T[target]
    probe = made(*rows.shape)
    found = convolve(x, kernel, where)
    torch.testing.assert_close(found, rows, atol=1e-10, rtol=0)
    ours = torch.autograd.grad((found * probe).sum(), (x, kernel))
    theirs = torch.autograd.grad((rows * probe).sum(), (x, kernel))
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, atol=1e-10, rtol=0)


@pytest.mark.parametrize("side", [3, 5])
def test_one_cell_of_a_kernel_brings_the_voxel_at_its_offset(side: int) -> None:
    own = torch.tensor([[0, -7, 3, -20]])
    for i in range(side**3):
        offset = [i % side - side // 2, i // side % side - side // 2, i // side**2 - side // 2]
        there = own + torch.tensor([0, *offset])
        grid, _ = Grid.of(torch.cat([own, there]).unique(dim=0))
        x = (grid.cells == there).all(dim=1).double()[:, None]  # the neighbor has 1, the voxel nothing
        kernel = torch.zeros(side**3, 1, 1, dtype=torch.float64)
        kernel[i] = 1
        out = convolve(x, kernel, grid.neighbors(side))
        assert out[(grid.cells == own).all(dim=1)].item() == 1
        assert out.sum() == 1


def test_each_place_in_a_coarse_voxel_has_its_cell() -> None:
    for i in range(8):
        offset = torch.tensor([0, i % 2, i // 2 % 2, i // 4])
        grid, _ = Grid.of(torch.tensor([[0, -6, 4, -20]]) + offset)
        assert grid.coarser.cells.tolist() == [[0, -3, 2, -10]]
        kernel = torch.arange(8.0).reshape(8, 1, 1)
        assert convolve(torch.ones(1, 1), kernel, grid.down).item() == i
        assert convolve(torch.ones(1, 1), kernel, grid.up).item() == i
    assert Grid.of(torch.tensor([[0, -1, -1, -1]]))[0].coarser.cells.tolist() == [[0, -1, -1, -1]]


def test_a_scan_alone_is_as_in_a_batch_and_rows_may_come_in_any_order() -> None:
    coords, color = scan()
    grid, x, back = on_grid(coords, color / 255)
    small = network("small")
    with torch.inference_mode():
        whole = small.features(x, grid)[back]
        for b in (0, 1):
            own = coords[:, 0] == b
            grid, x, back = on_grid(coords[own] * [0, 1, 1, 1], color[own] / 255)
            torch.testing.assert_close(small.features(x, grid)[back], whole[own], atol=1e-5, rtol=1e-5)
        mixed = np.random.default_rng(1).permutation(len(coords))
        grid, x, back = on_grid(coords[mixed], color[mixed] / 255)
        assert torch.equal(small.features(x, grid)[back], whole[mixed])


def test_an_untrained_network_learns() -> None:
    coords, color = scan(size=8)
    grid, x, _ = on_grid(coords, color / 255 - 0.5)
    torch.manual_seed(0)
    fresh = SparseUNet(sizes_of("MinkUNet14A", stem=4, side=3, widths=(4,) * 8, outputs=2, embedding="final"))
    wanted, losses = (grid.cells[:, 3] > 0).long(), []
    for _ in range(8):
        loss = F.cross_entropy(fresh(x, grid), wanted)
        slopes = torch.autograd.grad(loss, list(fresh.parameters()))
        with torch.no_grad():  # importing an optimizer takes longer than this training
            for own, slope in zip(fresh.parameters(), slopes, strict=True):
                own -= 0.02 * slope.sign()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_named_networks_are_the_published_ones() -> None:
    for name, published in {"Res16UNet34C": "34C", "Res16UNet34D": "34D", "MinkUNet18A": "lseg"}.items():
        stem, cells, widths, blocks, _, _ = PUBLISHED[published]
        sizes = sizes_of(name)
        assert (sizes.stem, sizes.side**3, sizes.widths, sizes.blocks) == (stem, cells, widths, blocks)
    depths = {name: 2 * sum(sizes_of(name).blocks) for name in NETWORKS}
    assert depths["MinkUNet14A"] == 16 and depths["MinkUNet34A"] == depths["MinkUNet34C"] == 46
    relu = {name: sizes_of(name).last_relu for name in NETWORKS if name.startswith("Res16")}
    assert relu == {"Res16UNet34C": True, "Res16UNet34CR": False, "Res16UNet34D": False}


@pytest.mark.parametrize(
    "coords, said",
    [
        (torch.zeros(0, 4, dtype=torch.int64), r"\(0, 4\)"),
        (torch.zeros(2, 4, dtype=torch.int64), "1 of 2 voxels are given twice"),
        (torch.zeros(1, 3, dtype=torch.int64), r"\(1, 3\)"),
        (torch.tensor([[0, 0, 0, 0], [0, 2**22, 2**22, 2**22]]), "reach over 4,194,305 x"),
    ],
)
def test_voxels_that_make_no_grid(coords: torch.Tensor, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Grid.of(coords)
