"""Records of a training that goes on, and how several processes talk."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from benchmarks.training.log import training_log
from benchmarks.training.processes import backend, joined
from openshape_ood.errors import MissingPackageError


def test_a_resumed_log_has_every_step_once(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "log.jsonl"
    with training_log(path) as log:
        for step in (1, 2, 3, 4):
            log(seed=0)({"step": step, "loss": 1.0})
    with path.open("a") as file:
        file.write('{"step": 5, "lo')  # killed here
    with training_log(path, resumed=True) as log:
        for step in (3, 4, 5):  # the state that was kept is of step 2
            log(seed=0)({"step": step, "loss": 2.0})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["step"], line["loss"]) for line in lines] == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0), (5, 2.0)]
    with training_log(path) as log:
        log(seed=1)({"step": 1})
    assert path.read_text() == '{"seed": 1, "step": 1}\n'


def test_tensorboard(tmp_path: Path) -> None:
    if find_spec("tensorboard") is None:
        with pytest.raises(MissingPackageError, match="pip install tensorboard"), training_log(None, tmp_path):
            pass
        return
    with training_log(None, tmp_path / "board") as log:
        log(seed=0)({"step": 1, "loss": 1.0})
    assert list((tmp_path / "board").iterdir())


@pytest.mark.parametrize(
    ("device", "here", "gpus", "chosen"),
    [("cuda", "2", 2, "nccl"), ("cuda", "2", 1, "gloo"), ("cpu", "2", 2, "gloo"), ("cuda", "8", 8, "nccl")],
)
def test_nccl_needs_a_gpu_for_each_process(
    device: str, here: str, gpus: int, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", here)
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: True)
    assert backend(torch.device(device), gpus) == chosen


def test_one_process_joins_no_group() -> None:
    with joined("cpu") as (rank, world):
        assert (rank, world) == (0, 1) and not torch.distributed.is_initialized()
