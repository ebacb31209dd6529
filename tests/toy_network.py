"""An architecture that the library does not know: a linear layer a point, their maximum, a linear layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from openshape_ood.registry import ARCHITECTURES, Architecture


@dataclass(frozen=True)
class ToySizes:
    width: int
    embedding_dim: int


class ToyNetwork(torch.nn.Module):
    def __init__(self, sizes: ToySizes) -> None:
        super().__init__()
        self.points = torch.nn.Linear(6, sizes.width)
        self.out = torch.nn.Linear(sizes.width, sizes.embedding_dim)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        return self.out(self.points(points).amax(dim=1))


ARCHITECTURES["toy"] = Architecture(ToySizes, ToyNetwork)

ROW = """
[toy]
architecture = "toy"
licence = "MIT"
sizes = { width = 16, embedding_dim = 8 }
source = { file = "toy.safetensors" }
keys = { inside = "", prefix = "", body = "" }
text = { kind = "open_clip", model = "ViT-B-32", templates = "", average = "mean" }
spec = { count = 256, up = "y", color = 0.4 }
"""


def write_row(folder: Path) -> Path:
    """A registry with its row."""
    path = folder / "toy.toml"
    path.write_text(ROW, encoding="utf-8")
    return path
