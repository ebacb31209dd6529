"""A registry with rows like `tiny`, of untrained networks, for ensembles."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from openshape_ood.registry import ARCHITECTURES, find_checkpoint
from openshape_ood.registry.files import sha256

SPECS = {"tiny-b": "", "tiny-z": 'up = "z"', "tiny-few": "count = 256", "tiny-gray": "color = 0.5"}
ROW = """
[{name}]
like = "tiny"
licence = "MIT"
source = {{ file = "{name}.safetensors", sha256 = "{digest}" }}
spec = {{ {spec} }}
"""


def write_rows(folder: Path) -> Path:
    """A registry with `tiny-b`; others under another axis, of fewer points, of another gray; and one without file."""
    rows = []
    for seed, (name, spec) in enumerate(SPECS.items()):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = ARCHITECTURES["pointbert"].build(find_checkpoint("tiny").sizes)
        weights = folder / f"{name}.safetensors"
        save_file(network.state_dict(), weights)
        rows.append(ROW.format(name=name, digest=sha256(weights), spec=spec))
    path = folder / "further.toml"
    path.write_text("".join(rows) + '[lost]\nlike = "tiny"\nlicence = "MIT"\nsource = { file = "lost.safetensors" }\n')
    return path
