"""Encoders of any registered architecture with random weights, which are as fast as trained ones; no download."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from openshape_ood.encoders.grouping.samplers import find_grouping
from openshape_ood.encoders.shape_encoder import Precision, ShapeEncoder
from openshape_ood.registry import ARCHITECTURES, Row

RANDOM = "random weights"


def made_up_weights(row: Row, seed: int = 0) -> dict[str, Tensor]:
    """Random weights by the network's keys, scaled so that the outputs of all layers stay near 1."""
    stream = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        keys = ARCHITECTURES[row.architecture].build(row.sizes).state_dict()
    return {key: _noise(key.rpartition(".")[2], like, stream) for key, like in keys.items()}


def _noise(name: str, like: Tensor, stream: torch.Generator) -> Tensor:
    if not like.is_floating_point():  # number of batches of a batch normalization
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
    """An encoder of a registry row with given weights, set up as by the loader."""
    with torch.device("meta"):
        network = ARCHITECTURES[row.architecture].build(row.sizes)
    if hasattr(network, "grouping"):
        network.grouping = find_grouping("auto", device)
    network.load_state_dict({key: tensor.clone() for key, tensor in weights.items()}, assign=True)
    return ShapeEncoder(row, network, RANDOM, device, precision=precision)
