"""What `spconv.pytorch` does, by dense convolution on a full grid: its names, arguments, layouts and keys.

It refuses what spconv computes wrongly without a word (coordinates out of the box), and what spconv refuses.
"""

from __future__ import annotations

import sys
from enum import Enum
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvAlgo(Enum):
    Native = 0
    MaskImplicitGemm = 1


class SparseConvTensor:
    def __init__(
        self,
        features: Tensor,
        indices: Tensor,
        spatial_shape: list[int],
        batch_size: int,
        indice_dict: dict[str, Any] | None = None,
    ) -> None:
        assert indices.dtype == torch.int32 and indices.shape == (len(features), 4)
        limits = torch.tensor([batch_size, *spatial_shape])
        assert bool(((indices >= 0) & (indices < limits)).all()), "coordinates out of the box"
        assert len(indices.unique(dim=0)) == len(indices), "a voxel is given twice"
        self.features, self.indices = features, indices
        self.spatial_shape, self.batch_size = spatial_shape, batch_size
        self.indice_dict = {} if indice_dict is None else indice_dict

    def dense(self) -> Tensor:
        found = self.features.new_zeros(self.batch_size, *self.spatial_shape, self.features.shape[1])
        found[tuple(self.indices.long().T)] = self.features
        return found.permute(0, 4, 1, 2, 3)

    def others(self, dense: Tensor, indices: Tensor, known: dict[str, Any]) -> SparseConvTensor:
        rows = dense.permute(0, 2, 3, 4, 1)[tuple(indices.long().T)]
        return SparseConvTensor(rows, indices, list(dense.shape[2:]), self.batch_size, known)


class _Layer(nn.Module):
    def __init__(
        self, inside: int, outside: int, side: int, bias: bool = True, indice_key: str | None = None, algo: Any = None
    ) -> None:
        super().__init__()
        assert not bias and algo is ConvAlgo.Native, "a CPU has the native algorithm, and that without a bias"
        self.side, self.key = side, indice_key
        self.weight = nn.Parameter(torch.rand(outside, side, side, side, inside))

    def cube(self) -> Tensor:
        return self.weight.permute(0, 4, 1, 2, 3)

    def kept(self, x: SparseConvTensor, *what: Any) -> dict[str, Any]:
        return x.indice_dict | ({self.key: (type(self), self.side, *what)} if self.key else {})


class SubMConv3d(_Layer):
    def forward(self, x: SparseConvTensor) -> SparseConvTensor:
        if self.key in x.indice_dict:
            assert x.indice_dict[self.key] == (SubMConv3d, self.side, len(x.indices), x.spatial_shape)
        found = F.conv3d(x.dense(), self.cube(), padding=self.side // 2)
        return x.others(found, x.indices, self.kept(x, len(x.indices), x.spatial_shape))


class SparseConv3d(_Layer):
    def __init__(self, inside: int, outside: int, side: int, stride: int = 1, **settings: Any) -> None:
        super().__init__(inside, outside, side, **settings)
        self.stride = stride

    def forward(self, x: SparseConvTensor) -> SparseConvTensor:
        assert self.key not in x.indice_dict, "only SubMConv3d takes a key again"
        full = SparseConvTensor(torch.ones(len(x.indices), 1), x.indices, x.spatial_shape, x.batch_size).dense()
        there = F.conv3d(full, torch.ones(1, 1, *[self.side] * 3), stride=self.stride)[:, 0] > 0
        found = F.conv3d(x.dense(), self.cube(), stride=self.stride)
        indices = there.nonzero().flip(0).int()  # in an order that is not that of the keys
        return x.others(found, indices, self.kept(x, self.stride, x.indices, indices, x.spatial_shape))


class SparseInverseConv3d(_Layer):
    def forward(self, x: SparseConvTensor) -> SparseConvTensor:
        assert self.key in x.indice_dict, f"no convolution has had the key {self.key}"
        kind, side, stride, finer, own, shape = x.indice_dict[self.key]
        assert (kind, side) == (SparseConv3d, self.side) and torch.equal(own, x.indices)
        found = F.conv_transpose3d(x.dense(), self.cube().transpose(0, 1), stride=stride)
        assert list(found.shape[2:]) == shape, "the box had a rest"
        return x.others(found, finer, x.indice_dict)


def install(monkeypatch: pytest.MonkeyPatch, cpu_only: bool = True) -> None:
    """Let `import spconv.pytorch` find this for as long as a test runs."""
    made = {name: ModuleType(name) for name in ("spconv", "spconv.pytorch", "spconv.cppconstants")}
    package, layers, constants = made.values()
    for one in (ConvAlgo, SparseConvTensor, SubMConv3d, SparseConv3d, SparseInverseConv3d):
        setattr(layers, one.__name__, one)
    vars(package).update(pytorch=layers, cppconstants=constants)
    vars(constants).update(CPU_ONLY_BUILD=cpu_only)
    for name, module in made.items():
        monkeypatch.setitem(sys.modules, name, module)
