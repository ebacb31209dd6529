"""Encoders of any registered architecture with random weights.

They need no download and are as fast as trained ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from openshape_ood.encoders.grouping.samplers import find_grouping
from openshape_ood.encoders.shape_encoder import Precision, ShapeEncoder
from openshape_ood.registry import ARCHITECTURES, Row

RANDOM = "random weights"


def made_up_weights(row: Row, seed: int = 0) -> dict[str, Tensor]:
    """Random weights for all keys of the network, scaled so that the outputs of all layers are near 1."""
    stream = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        keys = ARCHITECTURES[row.architecture].build(row.sizes).state_dict()
    return {key: _noise(key.rpartition(".")[2], like, stream) for key, like in keys.items()}


def _noise(name: str, like: Tensor, stream: torch.Generator) -> Tensor:
    if not like.is_floating_point():  # counter of a batch normalization
        return torch.full(like.shape, 1000, dtype=like.dtype, device="cpu")
    noise = torch.randn(like.shape, generator=stream)
    if like.ndim > 1:
        return noise * like[0].numel() ** -0.5
    if name == "running_var":
        return (0.2 * noise).exp()
    if name in ("bias", "running_mean"):
        return 0.1 * noise
    return 1 + 0.1 * noise if name == "weight" else noise


def made_up_encoder(
    row: Row, weights: Mapping[str, Tensor], device: torch.device, precision: Precision = "float32"
) -> ShapeEncoder:
    """Encoder of a registry row with the given weights."""
    with torch.device("meta"):
        network = ARCHITECTURES[row.architecture].build(row.sizes)
    if hasattr(network, "grouping"):
        network.grouping = find_grouping("auto", device)
    network.load_state_dict({key: tensor.clone() for key, tensor in weights.items()}, assign=True)
    return ShapeEncoder(row, network, RANDOM, device, precision=precision)
