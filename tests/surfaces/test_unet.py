"""The U-Net of Competitive Reconstruction Networks: sizes, shapes, initialization."""

from __future__ import annotations

import pytest
import torch

from openshape_ood.errors import InputError
from openshape_ood.surfaces.unet import UNet, UNetSizes, depth_of


def parameters(**sizes: int | str) -> int:
    with torch.device("meta"):
        return sum(one.numel() for one in UNet(UNetSizes(**sizes)).parameters())


@pytest.mark.parametrize(
    "norm, variant, counts",
    [
        ("batch", "improved", [12_412_928, 21_327_872, 30_242_816, 39_157_760]),
        ("instance", "improved", [12_411_651, 21_325_571, 30_239_491, 39_153_411]),
        ("batch", "plain", [16_659_075, 29_244_035, 41_828_995, 54_413_955]),
    ],
)
def test_it_has_the_published_sizes(norm: str, variant: str, counts: list[int]) -> None:
    """C1."""
    found = [parameters(width=64, depth=depth, norm=norm, variant=variant) for depth in (5, 6, 7, 8)]
    assert found == counts


def test_it_may_be_narrower() -> None:
    """C1."""
    assert [parameters(width=g, depth=5, norm="batch") for g in (32, 16, 8)] == [3_105_792, 777_728, 195_072]


@pytest.mark.parametrize("variant", ["improved", "plain"])
@pytest.mark.parametrize("norm", ["group", "batch", "instance", "none"])
def test_answers_have_the_shape_of_tiles(norm: str, variant: str) -> None:
    """C2."""
    torch.manual_seed(0)
    for side, channels in ((32, 3), (64, 1), (128, 5)):
        network = UNet(UNetSizes(channels, 8, depth_of(side, side), norm, variant)).initialize().eval()
        with torch.no_grad():
            answer = network(torch.rand(1, channels, side, side) * 2 - 1)
        assert answer.shape == (1, channels, side, side) and 0 < answer.abs().max() < 1


def test_tiles_too_small_are_told() -> None:
    """C2."""
    with pytest.raises(InputError, match=r"16 x 16 pixels\. Expected multiples of 32"):
        UNet(UNetSizes(width=4))(torch.zeros(1, 3, 16, 16))
    with pytest.raises(InputError, match=r"48 x 64 pixels\. Expected multiples of 64"):
        UNet(UNetSizes(width=4, depth=6))(torch.zeros(1, 3, 48, 64))
    with pytest.raises(InputError, match="depth is 4"):
        UNetSizes(depth=4)
    assert depth_of(16, 16) == depth_of(96, 160) == 5 and depth_of(128, 192) == 6


@pytest.mark.slow
def test_the_published_initialization_saturates() -> None:
    """C6."""
    noise = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    shares = {}
    for fan in ("fan_out", "fan_in"):
        torch.manual_seed(0)
        network = UNet(UNetSizes(width=64, depth=7, norm="batch")).initialize(fan)
        with torch.no_grad():
            shares[fan] = float((network(noise).abs() > 0.99).float().mean())
    print(shares)
    assert 0.35 <= shares["fan_out"] <= 0.65 and shares["fan_in"] < 0.01
