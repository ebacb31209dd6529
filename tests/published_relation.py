"""Files of the published relation network and its image encoder with made-up weights, and what golden answers are for.

As in `published`: every tensor is a pure function of its key, its shape and a seed, and so is every input.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import torch
import torchvision
from published import made_up
from torch import Tensor

from openshape_ood.comparison.network import Relation, RelationSizes

DIM, CLASSES = 512, 5


def relation_state(seed: int = 0, **sizes: int) -> dict[str, Tensor]:
    """Weights of the relation network; the published sizes unless told others."""
    with torch.device("meta"):
        network = Relation(RelationSizes(**{"dim": DIM, "width": 768, "depth": 4, "heads": 12, **sizes}))
    shapes = {key: tuple(one.shape) for key, one in network.state_dict().items()}
    return {key: made_up(key, shape, seed) * (2.5 if key == "head.weight" else 1) for key, shape in shapes.items()}


def extractor_state(seed: int = 0) -> dict[str, Tensor]:
    """Every tensor of the ResNet-18 twice, with its classifier once; one counter differs."""
    with torch.device("meta"):
        network = torchvision.models.resnet18(weights=None)
    whole = {key: made_up(key, tuple(one.shape), seed) for key, one in network.state_dict().items()}
    state = {f"model_resnet.{key}": one for key, one in whole.items()}
    state |= {key: one for key, one in whole.items() if not key.startswith("fc.")}
    return state | {"model_resnet.bn1.num_batches_tracked": torch.tensor(0)}


def write_released(folder: Path, seed: int = 0, **sizes: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(extractor_state(seed), folder / "feature_extractor.pkl")
    torch.save(relation_state(seed, **sizes), folder / "cls_rel.pkl")
    (folder / "last_checkpoint.txt").write_text("12500\n")
    return folder


def _random(name: str, seed: int) -> np.random.RandomState:
    return np.random.RandomState((zlib.crc32(name.encode()) + 7919 * seed) % 2**32)


def pairs(seed: int = 0, count: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Two (count, 512) float32: the first half alike, the last four very small."""
    rng = _random("pairs", seed)
    a = np.abs(rng.standard_normal((count, DIM)))
    b = np.abs(rng.standard_normal((count, DIM)))
    b[: count // 2] = np.abs(a[: count // 2] + 0.3 * rng.standard_normal((count // 2, DIM)))
    a[-4:] *= 0.05
    b[-4:] *= 0.05
    return a.astype(np.float32), b.astype(np.float32)


def toy(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Examples (40, 512) and labels, queries (20, 512) and labels, of which 5 and 6 are novel."""
    rng = _random("toy", seed)
    centers = rng.standard_normal((CLASSES + 2, DIM))

    def draw(labels: np.ndarray) -> np.ndarray:
        features = centers[labels] + rng.standard_normal((len(labels), DIM))
        return (features * rng.uniform(0.5, 2, (len(labels), 1))).astype(np.float32)

    known = rng.permutation(np.repeat(np.arange(CLASSES), [4, 6, 8, 10, 12]))
    asked = rng.permutation(np.repeat(np.arange(CLASSES + 2), [2, 2, 2, 3, 3, 4, 4]))
    return draw(known), known, draw(asked), asked


def relation_outputs(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits (64,) and (64, 2) float32, and whether each pair differs (64,)."""
    rng = _random("relation outputs", seed)
    different = (rng.uniform(size=64) < 0.7).astype(np.int64)
    z = 0.25 * rng.standard_normal(64) + 0.1 * (2 * different - 1)
    return z.astype(np.float32), (1.5 * rng.standard_normal((64, 2))).astype(np.float32), different


def normality(seed: int = 0, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Scores (500,), larger for known, and which are known (500,)."""
    rng = _random("normality", seed)
    known = rng.permutation(np.arange(500) < 287)
    scores = rng.standard_normal(500) + 1.2 * known
    return np.round(scores, 1) if ties else scores, known


def photographs(seed: int = 0) -> list[np.ndarray]:
    """Four images (h, w, 3) uint8 of blocks, two of the network's own size."""
    rng = _random("photographs", seed)
    return [_blocks(rng, h, w) for h, w in ((224, 224), (224, 224), (190, 260), (300, 240))]


def _blocks(rng: np.random.RandomState, height: int, width: int) -> np.ndarray:
    image = np.zeros((3, height, width))
    for cell, weight in ((32, 0.5), (8, 0.3), (1, 0.2)):
        grid = rng.uniform(-1, 1, (3, -(-height // cell), -(-width // cell)))
        image += weight * np.kron(grid, np.ones((cell, cell)))[:, :height, :width]
    return np.floor(128 * (1 + image)).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
