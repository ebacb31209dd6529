"""Files of the published point encoders with made-up weights, and what golden answers are for.

As in `published`: every tensor is a pure function of its key, its shape and a seed, and so is every input.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from openshape_ood.scenes.sparse.grid import Grid
from openshape_ood.scenes.sparse.network import SparseUNet, sizes_of

Shapes = dict[str, tuple[int, ...]]

BLOCKS34, BLOCKS18 = (2, 3, 4, 6, 2, 2, 2, 2), (2,) * 8
DOWN = (32, 64, 128, 256)
# name -> width of the first convolution and its cells, widths, blocks, `final` and its bias
PUBLISHED: dict[str, tuple[int, int, Sequence[int], Sequence[int], int, bool]] = {
    "34C": (32, 27, (*DOWN, 256, 128, 96, 96), BLOCKS34, 200, True),
    "34D": (32, 27, (*DOWN, 256, 256, 256, 512), BLOCKS34, 200, True),
    "mini": (6, 27, (6, 8, 10, 12, 14, 16, 18, 20), BLOCKS34, 7, True),
    "lseg": (32, 125, (*DOWN, 128, 128, 96, 96), BLOCKS18, 512, False),
    "openseg": (32, 125, (*DOWN, 128, 128, 96, 96), BLOCKS18, 768, False),
    "small": (4, 27, (4, 4, 6, 6, 6, 6, 4, 8), (1,) * 8, 3, True),
}
LIGHTNING = ("epoch", "global_step", "pytorch-lightning_version", "state_dict", "loops", "callbacks")
LIGHTNING += ("optimizer_states", "lr_schedulers", "hparams_name", "hyper_parameters")


def unet_shapes(name: str) -> Shapes:
    """Key -> shape without prefix, in the order of the file."""
    stem, cells, widths, blocks, outputs, bias = PUBLISHED[name]
    shapes: Shapes = {"conv0p1s1.kernel": (cells, 3, stem)} | _norm("bn0", stem)
    inside, skips = stem, [stem, *widths[:3]]
    for i in range(8):
        down = i < 4
        step = f"conv{i + 1}p{2**i}s2" if down else f"convtr{i}p{2 ** (8 - i)}s2"
        through = inside if down else widths[i]
        shapes |= {f"{step}.kernel": (8, inside, through)} | _norm(f"bn{i + 1}" if down else f"bntr{i}", through)
        inside = through if down else through + skips.pop()
        for j in range(blocks[i]):
            shapes |= _block(f"block{i + 1}.{j}", inside, widths[i])
            inside = widths[i]
    shapes["final.kernel"] = (inside, outputs)
    return shapes | ({"final.bias": (1, outputs)} if bias else {})


def _block(key: str, inside: int, width: int) -> Shapes:
    shapes: Shapes = {f"{key}.conv1.kernel": (27, inside, width)} | _norm(f"{key}.norm1", width)
    shapes |= {f"{key}.conv2.kernel": (27, width, width)} | _norm(f"{key}.norm2", width)
    if inside != width:
        shapes |= {f"{key}.downsample.0.kernel": (inside, width)} | _norm(f"{key}.downsample.1", width)
    return shapes


def _norm(key: str, width: int) -> Shapes:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{key}.bn.{part}": (width,) for part in parts} | {f"{key}.bn.num_batches_tracked": ()}


def criterion_shapes(stage: str) -> Shapes:
    """What else stands beside the weights of stage "pretrain", "finetune" or "focal"."""
    shapes: Shapes = {"criterion.nll_loss.weight": (200,)} if stage == "focal" else {}
    shapes["embedding_criterion.confusion_hist"] = (200, 200)
    for i in range(8):
        key = f"embedding_criterion.projection_model.attr_linears.{i}"
        shapes |= {f"{key}.weight": (512, 512), f"{key}.bias": (512,)}
    return shapes


def value(key: str, shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """Weights of a sensible scale by their key without prefix."""
    rng = np.random.RandomState((zlib.crc32(key.encode()) + 7919 * seed) % 2**32)
    if key.endswith("num_batches_tracked"):
        return torch.tensor(1000)
    noise = rng.standard_normal(shape).astype(np.float32)
    if key.endswith("running_var"):
        noise = np.exp(0.2 * noise).astype(np.float32)
    elif key.endswith("kernel"):
        noise = noise * np.float32(np.sqrt(3 / math.prod(shape[:-1])))
    elif len(shape) == 1 and key.endswith("weight"):
        noise = 1 + np.float32(0.1) * noise
    else:
        noise = np.float32(0.1) * noise
    return torch.from_numpy(noise)


def weights(name: str, seed: int = 0) -> dict[str, Tensor]:
    return {key: value(key, shape, seed) for key, shape in unet_shapes(name).items()}


def lightning_file(name: str, stage: str, seed: int = 0, **more: Any) -> dict[str, Any]:
    """What `torch.load` gives for a file of the authors of `lground`; more: tensors to add to or change in it."""
    own = {f"model.{key}": one for key, one in weights(name, seed).items()}
    state = {key: one for key, one in own.items() if stage != "pretrain" or not key.startswith("model.final.")}
    # nobody reads these: a number each in the file
    state |= {key: torch.ones(()).expand(shape) for key, shape in criterion_shapes(stage).items()}
    content: dict[str, Any] = dict.fromkeys(LIGHTNING)
    content |= {"state_dict": state | more, "epoch": 0, "loops": {}, "optimizer_states": []}
    return content | {"hyper_parameters": {"model": f"Res16UNet{name}"}}


def openscene_file(name: str, prefix: str = "net3d.", seed: int = 0) -> dict[str, Any]:
    """What `torch.load` gives for a file of OpenScene."""
    state = {prefix + key: one for key, one in weights(name, seed).items()}
    return {"state_dict": state, "epoch": 100, "best_iou": 0.5, "optimizer": {"state": {}, "param_groups": []}}


def write(content: Mapping[str, Any], path: Path) -> Path:
    torch.save(content, path)
    return path


def network(name: str, seed: int = 0, **changes: Any) -> SparseUNet:
    """The network of that name with made-up weights, in evaluation mode."""
    stem, cells, widths, blocks, outputs, bias = PUBLISHED[name]
    own = {"stem": stem, "side": 3 if cells == 27 else 5, "widths": widths, "blocks": blocks}
    own |= {"outputs": outputs, "bias": bias, "embedding": "features" if bias else "final", **changes}
    family = "Res16UNet34D" if cells == 27 else "MinkUNet18A"
    made = SparseUNet(sizes_of(family, **own))
    made.load_state_dict(weights(name, seed))
    return made.eval()


def scan(seed: int = 0, size: int = 14) -> tuple[np.ndarray, np.ndarray]:
    """Two voxelised scans in one batch: (v, 4) int32 in scrambled order, partly negative; color (v, 3) 0-255."""
    rng = np.random.RandomState(2000 + seed)
    rows = []
    for b in range(2):
        a = np.arange(size)
        floor = np.stack(np.meshgrid(a, a, [0], indexing="ij"), -1).reshape(-1, 3)
        wall = np.stack(np.meshgrid([0], a, a[: size // 2], indexing="ij"), -1).reshape(-1, 3)
        box = np.stack(np.meshgrid(*[np.arange(3, 3 + k) for k in (4, 5, 3)], indexing="ij"), -1).reshape(-1, 3)
        loose = rng.randint(0, size, (40, 3))
        c = np.concatenate([floor, wall, box, loose, [[size + 37, -29, 11]]])
        c = c[rng.uniform(size=len(c)) < (0.75 if b else 0.9)]
        c = np.unique(c, axis=0) + rng.randint(-20, 20, 3)
        c = c[rng.permutation(len(c))]
        rows.append(np.c_[np.full(len(c), b), c])
    coords = np.concatenate(rows).astype(np.int32)
    return coords, rng.randint(0, 256, (len(coords), 3)).astype(np.float32)


def probe(n: int, d: int, seed: int = 0) -> np.ndarray:
    """(n, d) float32; golden gradients are those of sum(features * probe)."""
    return np.random.RandomState(3000 + seed).standard_normal((n, d)).astype(np.float32)


def kernels(seed: int = 0) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Single operations: coordinates (n, 4), features (n, 4), and a kernel for each."""
    rng = np.random.RandomState(4000 + seed)
    c = np.unique(np.c_[rng.randint(0, 2, 160), rng.randint(-6, 6, (160, 3))], axis=0)
    c = c[rng.permutation(len(c))].astype(np.int32)

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    features = draw(len(c), 4)
    shapes = {"3": (27, 4, 5), "down": (8, 4, 5), "3_on_stride_2": (27, 5, 5), "up": (8, 5, 3)}
    shapes |= {"1": (4, 5), "1_bias": (1, 5)}
    return c, features, {name: draw(*shape) for name, shape in shapes.items()}


def on_grid(coords: np.ndarray, features: np.ndarray) -> tuple[Grid, Tensor, Tensor]:
    """The grid, the features in its order, and where each row of `coords` is in it."""
    grid, order = Grid.of(torch.from_numpy(coords.astype(np.int64)))
    return grid, torch.from_numpy(features)[order], order.argsort()
