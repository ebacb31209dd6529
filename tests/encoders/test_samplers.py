"""Which implementation of sampling and ball query is taken where."""

from __future__ import annotations

import pytest
import torch

from openshape_ood import ShapeEncoder
from openshape_ood.encoders.grouping import kernels
from openshape_ood.encoders.grouping import plain as grouping
from openshape_ood.encoders.grouping.plain import PLAIN, Grouping
from openshape_ood.encoders.grouping.samplers import SWITCH, find_grouping
from openshape_ood.errors import InputError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
KERNELS = Grouping(kernels.farthest_point_sampling, kernels.ball_query)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine whose GPU runs Triton."""
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.setattr(kernels, "available", lambda device: torch.device(device).type == "cuda")


def test_on_the_cpu_it_is_torch(running: None) -> None:
    assert find_grouping("auto", CPU) is find_grouping("torch", CPU) is PLAIN
    assert (grouping.farthest_point_sampling, grouping.ball_query, grouping.nearest_points) == PLAIN


def test_on_a_gpu_it_is_triton_where_that_runs(running: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_grouping("auto", CUDA) == find_grouping("triton", CUDA) == KERNELS
    assert find_grouping("torch", CUDA) is PLAIN
    monkeypatch.setattr(kernels, "available", lambda device: False)
    assert find_grouping("auto", CUDA) is PLAIN


@pytest.mark.parametrize("value, expected", [("1", PLAIN), ("yes", PLAIN), ("0", KERNELS), ("", KERNELS)])
def test_the_switch(running: None, monkeypatch: pytest.MonkeyPatch, value: str, expected: Grouping) -> None:
    monkeypatch.setenv("OPENSHAPE_OOD_NO_TRITON", value)
    assert find_grouping("auto", CUDA) == expected
    assert find_grouping("triton", CUDA) == KERNELS  # asked for by name


def test_dgl_samples_only() -> None:
    assert find_grouping("dgl", CPU) == PLAIN._replace(sample=grouping.farthest_point_sampling_dgl)


def test_triton_where_it_does_not_run() -> None:
    with pytest.raises(InputError, match=r"the sampler 'triton' does not run on 'cpu'\. Expected an NVIDIA GPU"):
        ShapeEncoder.from_pretrained("tiny", device="cpu", sampler="triton")
