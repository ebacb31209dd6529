"""Published checkpoints in their layout, with made-up weights: read strictly, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_crn import checkpoint, written

from openshape_ood.errors import InputError, WeightsError
from openshape_ood.surfaces import load_reconstructor, read_published

TILES = np.random.default_rng(0).uniform(-1, 1, (3, 3, 32, 32)).astype(np.float32)


@pytest.fixture(autouse=True)
def untried(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files written here need no child process that tries them first; slow tests, and those of parity, have one."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setattr("openshape_ood.registry.torch_files.check", lambda path, name: None)


@pytest.mark.parametrize("name", [b"numpy._core.multiarray", b"numpy.core.multiarray"])
@pytest.mark.parametrize("sizes", [{}, {"variant": "plain"}, {"norm": "instance"}, {"norm": "none", "depth": 5}])
def test_weights_and_best_units_are_read(sizes: dict[str, Any], name: bytes, tmp_path: Path) -> None:
    """C3."""
    content = checkpoint(**sizes)
    made = read_published(written(tmp_path / "epoch=0-step=2.ckpt", content, name))
    state = made.units_.state_dict()
    assert all(torch.equal(state[k.removeprefix("competitive_units.")], v) for k, v in content["state_dict"].items())
    assert len(state) == len(content["state_dict"]) and made.best_ == (1, 0) and made.shape_ == (3, 32, 32)
    assert made.residual == "chain" and made.threshold_ is None
    x = torch.from_numpy(TILES)
    with torch.no_grad():
        z = made.units_[0](made.units_[1](x))
    assert np.abs(made.novelty(TILES) - (x - z).abs().mean(1).numpy()).max() < 1e-5


def test_thresholds_are_made_and_kept(tmp_path: Path) -> None:
    made = read_published(written(tmp_path / "a.ckpt", checkpoint()))
    read = load_reconstructor(made.save(tmp_path / "a.safetensors"))
    assert read.threshold_ is None and np.array_equal(read.novelty(TILES), made.novelty(TILES))
    assert read.calibrate(TILES).threshold_.n == 3 and read.localize(TILES[0]).threshold is not None
    with pytest.raises(InputError, match="no normal tile with seen pixels"):
        read.calibrate(TILES[:0])


def test_files_of_mvtec_are_normalized_as_they_were(tmp_path: Path) -> None:
    content = checkpoint()
    content["hyper_parameters"]["dataset"] = "MVTec"
    made = read_published(written(tmp_path / "a.ckpt", content), residual="best")
    center, spread = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = ((torch.from_numpy(TILES) + 1) / 2 - center[:, None, None]) / spread[:, None, None]
    with torch.no_grad():
        expected = (x - made.units_[1](x)).abs().mean(1).numpy()
    assert made.normalization == "imagenet" and np.abs(made.novelty(TILES) - expected).max() < 1e-5


KEY = "competitive_units.0.model.model.1.model.2.running_var"


def without(key: str) -> dict[str, Any]:
    content = checkpoint()
    (content["state_dict"] if key in content["state_dict"] else content).pop(key)
    return content


def with_flag(name: str, value: object) -> dict[str, Any]:
    content = checkpoint()
    content["hyper_parameters"][name] = value
    return content


@pytest.mark.parametrize(
    "content, told",
    [
        (without(KEY), r"missing keys: 0.model.model.1.model.2.running_var"),
        (checkpoint() | {"state_dict": checkpoint()["state_dict"] | {"extra": torch.zeros(1)}}, "holds 'extra'"),
        (
            checkpoint() | {"state_dict": checkpoint()["state_dict"] | {KEY: torch.zeros(3)}},
            r"running_var is \(3,\), expected \(8,\)",
        ),
        (
            checkpoint() | {"state_dict": checkpoint()["state_dict"] | {KEY: torch.full((8,), torch.nan)}},
            "running_var holds NaN",
        ),
        (with_flag("norm", "instance"), r"flags state norm='instance'\. Expected 'batch', as in the tensors"),
        (with_flag("num_competitive_units", 3), "num_competitive_units=3"),
        (with_flag("input_shape", torch.Size([1, 3, 48, 48])), "multiples of 32"),
        (without("best_gen"), r"best units are \[None, 0\]"),
        (checkpoint(best=(2, 0)), r"best units are \[2, 0\]"),
        (without("state_dict"), "no state_dict"),
        ({"state_dict": {}}, "Expected 0, 1, and so on"),
        ([1, 2], "no state_dict"),
    ],
)
def test_other_files_are_refused(content: object, told: str, tmp_path: Path) -> None:
    """C3."""
    with pytest.raises(WeightsError, match=told):
        read_published(written(tmp_path / "a.ckpt", content))


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("it was run",)


@pytest.mark.slow  # a child process tries the file first
def test_nothing_of_a_file_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """C3."""
    with pytest.raises(WeightsError):
        read_published(written(tmp_path / "a.ckpt", checkpoint() | {"callbacks": Hostile()}))
    assert "it was run" not in capsys.readouterr().out
