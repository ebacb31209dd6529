"""The set abstraction's weights for inference: batch-norm folded in, the first layer taken apart.

A member of a patch enters the first layer as [xyz - c, xyz, color], c the patch's center. With the layer's matrix
split alike into [A, B, C] its product is ((A + B) xyz + C color) - A c: the first part belongs to the point whatever
patch it is in, the second to the center. So both are computed once, not once a member.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class FoldedAbstraction(nn.Module):
    """Constants of the set abstraction; they follow the network's device and are in no state_dict.

    point (64, c) and bias (64,): the first layer's product with a point's c channels; center (64, 3): its product
    with a patch's center, to be taken off; second, third and their biases: the other layers.
    """

    point: Tensor
    bias: Tensor
    center: Tensor
    second: Tensor
    second_bias: Tensor
    third: Tensor
    third_bias: Tensor

    def __init__(self, convs: Iterable[nn.Module], norms: Iterable[nn.Module], dtype: torch.dtype) -> None:
        """Folds three 1x1 convolutions and batch-norms in float64, then rounds.

        dtype: of the second and third layer. The first stays in float32: it is cheap, and takes differences of
        numbers larger than its results.
        """
        super().__init__()
        layers = [fold(conv, norm) for conv, norm in zip(convs, norms, strict=True)]
        (first, bias), (second, second_bias), (third, third_bias) = layers
        offset, xyz, color = first[:, :3], first[:, 3:6], first[:, 6:]
        self._keep(torch.float32, point=torch.cat([offset + xyz, color], dim=1), bias=bias, center=offset)
        self._keep(dtype, second=second, second_bias=second_bias, third=third, third_bias=third_bias)

    def _keep(self, dtype: torch.dtype, **tensors: Tensor) -> None:
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor.to(dtype).contiguous(), persistent=False)


def fold(conv: Any, norm: Any) -> tuple[Tensor, Tensor]:
    """One matrix (out, in) and bias (out,), float64, for a 1x1 convolution followed by batch-norm in evaluation."""
    weight, bias, mean, variance, scale, shift = (
        tensor.detach().double()
        for tensor in (conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    factor = scale / (variance + norm.eps).sqrt()
    return weight.flatten(1) * factor[:, None], (bias - mean) * factor + shift
