"""A completion network with made-up weights that fills something, as a row of a registry."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import torch
from safetensors.torch import save_file

from openshape_ood.registry.architectures import CompletionSizes
from openshape_ood.views.completion.network import CompletionNetwork

SIZES = {"side": 8, "hidden": 8, "channels": 4, "maps": 4, "groups": 2, "levels": 2}
LOW, HIGH = (0.6, -1.8, -0.1), (4.2, 1.8, 2.3)


def write_completion_row(folder: Path, name: str = "small", head: str = "name") -> Path:
    """A registry with one row; its file lies beside it."""
    torch.manual_seed(1)
    sizes = CompletionSizes(head, low=LOW, high=HIGH, pointing=8 if head == "relation" else 0, **SIZES)
    path = folder / f"{name}.safetensors"
    save_file(CompletionNetwork(sizes).state_dict(), path)
    registry = folder / f"{name}.toml"
    told = {"head": f'"{head}"', **SIZES, "low": list(LOW), "high": list(HIGH), "threshold": 0.0}
    told |= {"pointing": 8} if head == "relation" else {}
    lines = [f"{key} = {value}" for key, value in told.items()]
    digest = sha256(path.read_bytes()).hexdigest()
    registry.write_text(
        f'[{name}]\nkind = "completion"\narchitecture = "completion"\nlicence = "none"\n\n[{name}.sizes]\n'
        + "\n".join(lines)
        + f'\n\n[{name}.source]\nfile = "{path}"\nsha256 = "{digest}"\n\n[{name}.keys]\n'
    )
    return registry
