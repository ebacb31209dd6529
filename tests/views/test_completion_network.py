from dataclasses import replace

import pytest
import torch
from published_completion import (
    LAYOUTS,
    affinities,
    box_points,
    completion_file,
    network_of,
    small_row,
    write_completion,
)

from openshape_ood.errors import WeightsError
from openshape_ood.registry.architectures import CompletionSizes
from openshape_ood.registry.weights import load_network
from openshape_ood.views.completion.network import CompletionNetwork

OURS = CompletionSizes("name", side=32, hidden=32, channels=8, maps=8, groups=4, levels=4)


def points_and_affinities(n: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    points = torch.from_numpy(box_points("input", 0, (1, n), spread=0.9))
    return points, torch.from_numpy(affinities("input", 0, (1, n, 1)))


def test_our_sizes_make_a_small_network_that_runs() -> None:
    torch.manual_seed(0)
    network = CompletionNetwork(replace(OURS, side=8))  # as many parameters as with 32 cells
    assert sum(one.numel() for one in network.parameters()) == 552_161
    points, affinity = points_and_affinities()
    logits = network(points, affinity, points[:, :50])
    assert logits.shape == (1, 50) and logits.isfinite().all()
    logits.sum().backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in network.parameters())


def test_padding_outside_of_the_box_changes_nothing() -> None:
    torch.manual_seed(0)
    network = CompletionNetwork(replace(OURS, side=8)).eval()
    points, affinity = points_and_affinities()
    padded = torch.cat([points, torch.full((1, 9, 3), 50.0)], 1), torch.cat([affinity, torch.ones(1, 9, 1)], 1)
    with torch.inference_mode():
        torch.testing.assert_close(network.volume(points, affinity), network.volume(*padded), atol=1e-5, rtol=1e-5)
        nothing = network.volume(torch.full((2, 9, 3), 50.0), torch.ones(2, 9, 1))
    assert nothing.shape == (2, 8, 8, 8, 8) and nothing.isfinite().all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_published_file_loads_strictly(layout: str, tmp_path) -> None:
    path, row = write_completion(tmp_path / "net.pth", layout), small_row(layout)
    network, sha256, temperature = load_network(row, path)
    assert len(sha256) == 64 and temperature is None
    own = network_of(row, completion_file(layout)["net"]).state_dict()
    assert all(torch.equal(one, own[key]) for key, one in network.state_dict().items())


def test_a_file_that_lacks_a_tensor_is_refused(tmp_path) -> None:
    state = completion_file("ovssc")
    del state["net"]["module.vol_feature_extractor.final_conv.bias"]
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(WeightsError, match=r"missing keys: unet\.last\.bias"):
        load_network(small_row("ovssc"), tmp_path / "net.pth")


def test_the_checkpoint_of_another_layout_is_told(tmp_path) -> None:
    from published_completion import FULL, completion_shapes

    hollow = {key: torch.zeros(()).expand(shape) for key, shape in completion_shapes("semaware_vool", FULL).items()}
    torch.save({"net": hollow, "optimizer": {}, "epochs": 0}, tmp_path / "net.pth")
    from openshape_ood.registry import find_checkpoint

    row = replace(find_checkpoint("semabs-vool", kinds=("completion",)), unconfirmed="")
    with pytest.raises(WeightsError, match="Its sizes fit semabs-semaware-vool"):
        load_network(row, tmp_path / "net.pth")


@pytest.mark.parametrize(
    "change, told",
    [
        ({"side": 20}, "multiple of 2\\^\\(levels - 1\\), 8"),
        ({"head": "name it"}, "Expected one of name, sentence"),
        ({"groups": 3}, "divisor"),
        ({"pooling": "sum"}, "mean, max"),
        ({"head": "relation"}, "pointing"),
        ({"low": (0.0, 0.0, 5.0)}, "two corners"),
    ],
)
def test_sizes_that_make_no_network_are_refused(change: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        replace(OURS, **change)
