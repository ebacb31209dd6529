"""Checkpoints of Competitive Reconstruction Networks in their published layout, with made-up weights."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from openshape_ood.surfaces.unet import UNet, UNetSizes


def checkpoint(n: int = 2, best: tuple[int, int] = (1, 0), **sizes: Any) -> dict[str, Any]:
    """What Lightning writes, its bookkeeping left empty."""
    torch.manual_seed(0)
    own = UNetSizes(**{"width": 4, "norm": "batch"} | sizes)
    units = [UNet(own).initialize() for _ in range(n)]
    state = {f"competitive_units.{u}.{k}": v for u, one in enumerate(units) for k, v in one.state_dict().items()}
    flags = {
        "input_shape": torch.Size([1, 3, 32, 32]),
        "num_competitive_units": n,
        "norm": own.norm,
        "improved": own.variant == "improved",
        "lr_scheduler": None,
    }
    return {"epoch": 0, "global_step": 2, "pytorch-lightning_version": "1.9.2", "state_dict": state, "loops": {}} | {
        "callbacks": {}, "optimizer_states": [], "lr_schedulers": [], "hparams_name": "kwargs",
        "hyper_parameters": flags, "best_gen": np.int64(best[0]), "best_disc": np.int64(best[1]),
    }  # fmt: skip


def written(path: Path, content: object, numpy_name: bytes = b"numpy._core.multiarray") -> Path:
    """A file as torch writes it, numpy's numbers under the name of another numpy."""
    torch.save(content, path.with_suffix(".new"))
    with zipfile.ZipFile(path.with_suffix(".new")) as source, zipfile.ZipFile(path, "w") as made:
        for one in source.infolist():
            made.writestr(one, source.read(one).replace(b"numpy._core.multiarray", numpy_name))
    return path
