"""A small checkpoint with training state, as if the Hub's client had downloaded it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from hub_server import table
from published import made_up
from torch import Tensor

from openshape_ood.encoders.pointbert.network import PointBERT
from openshape_ood.registry.files import sha256
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.registry.rows import Row

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TEMPERATURE = 0.07


def weights(row: Row) -> dict[str, Tensor]:
    """Made-up tensors for every key of the network of `row`."""
    with torch.device("meta"):
        shapes = {key: tuple(tensor.shape) for key, tensor in PointBERT(row.sizes).state_dict().items()}
    return {key: made_up(key, shape) for key, shape in shapes.items()}


def training_checkpoint(state: dict[str, Tensor]) -> dict[str, Any]:
    """What `torch.load` gives: the weights, the optimizer's two moments of each, and the temperature."""
    moments = {
        i: {"exp_avg": torch.zeros_like(v), "exp_avg_sq": torch.ones_like(v)} for i, v in enumerate(state.values())
    }
    return {
        "state_dict": {f"module.{key}": tensor for key, tensor in state.items()},
        "optimizer": {"state": moments, "param_groups": []},
        "logit_scale": {"module.logit_scale": -torch.tensor(TEMPERATURE, dtype=torch.float64).log()},
    }


def download(folder: Path, cache: Path, file: str = "model.pt", **changes: Any) -> Path:
    """Puts `file` of lab/mine into the Hub's part of `cache`, and writes a registry with "mine", which it gives back.

    changes: of the entries of the checkpoint.
    """
    registry = folder / "mine.toml"
    source = f'repo = "lab/mine"\nfile = "{file}"'
    registry.write_text(_row(source, "0" * 64))
    blob = _blob(cache / "hub" / "models--lab--mine", file)
    torch.save(training_checkpoint(weights(find_checkpoint("mine", registry))) | changes, blob)
    registry.write_text(_row(source, sha256(blob)))
    return registry


def _row(source: str, digest: str) -> str:
    return table("mine", source, digest).replace(
        'inside = "", prefix = ""', 'inside = "state_dict", prefix = "module."'
    )


def _blob(repo: Path, file: str) -> Path:
    snapshot = repo / "snapshots" / COMMIT
    for path in (repo / "blobs", repo / "refs", snapshot):
        path.mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMIT)
    blob = repo / "blobs" / "bytes"
    (snapshot / file).symlink_to(blob)
    return blob


def delete_download(cache: Path) -> None:
    (cache / "hub" / "models--lab--mine" / "blobs" / "bytes").unlink()
