import numpy as np
import pytest
import torch

from openshape_ood.views.completion.grid import Grid, scatter

BOX = (-1.0, -1.0, -0.1), (1.0, 1.0, 1.9)


def drawn(n: int, spread: float = 1.0, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.uniform(-spread, spread, (n, 3)) + [0, 0, 0.9]).float()


@pytest.mark.parametrize("side", [4, 7, 32])
def test_a_volume_of_places_is_read_as_these_places(side: int) -> None:
    grid = Grid(side, *BOX)
    volume = grid.centers().reshape(side, side, side, 3).permute(3, 0, 1, 2)[None]
    inner = drawn(300, 1 - 1 / side)  # beyond the middle of the last cell all is as in its middle
    assert (grid.read(volume, inner[None])[0] - inner).abs().max() < 1e-5
    half = 1 / side
    everywhere = drawn(300)
    assert (grid.read(volume, everywhere[None])[0] - everywhere).abs().max() < half + 1e-5
    legacy = Grid(side, *BOX, legacy=True)
    assert (legacy.read(volume, everywhere[None])[0] - everywhere).abs().max() > 5 * half


def test_points_go_into_the_cell_that_they_are_in() -> None:
    grid = Grid(8, *BOX)
    assert (grid.cells(grid.centers()) == torch.arange(512)).all()
    points = drawn(500)
    assert ((points - grid.centers()[grid.cells(points)]).abs() <= 0.125 + 1e-6).all()
    at = grid.fractions(points)
    assert (grid.cells(points) == ((at[:, 0] * 8).long() * 8 + (at[:, 1] * 8).long()) * 8 + (at[:, 2] * 8).long()).all()


def test_points_outside_belong_to_no_cell_but_by_the_legacy_rules() -> None:
    points = torch.tensor([[0.0, 0, 0.9], [1.1, 0, 0.9], [0, 0, -0.2], [torch.nan, 0, 0], [1, 1, 1.9]])
    assert Grid(8, *BOX).inside(points).tolist() == [True, False, False, False, True]
    assert Grid(8, *BOX, legacy=True).inside(points).tolist() == [True, True, True, False, True]


def test_scatter_is_the_mean_or_the_most_of_a_cell_and_zero_elsewhere() -> None:
    features, index = torch.tensor([[1.0, -4], [3, -2], [-5, -6]]), torch.tensor([2, 2, 0])
    assert scatter(features, index, 4).tolist() == [[-5, -6], [0, 0], [2, -3], [0, 0]]
    assert scatter(features, index, 4, "max").tolist() == [[-5, -6], [0, 0], [3, -2], [0, 0]]
