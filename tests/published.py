"""Checkpoints in the published layouts with made-up weights, and the made-up clouds of the golden numbers.

Every tensor is a pure function of its key, its shape and a seed, so that another implementation can be given
the very same network without any file changing hands.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from openshape_ood.registry.names import find_checkpoint

# name -> (feed-forward width, patch feature width, projection): all in which the published networks' keys differ
PUBLISHED = {"vitb32": (1024, 128, 0), "vitl14": (1024, 128, 768), "vitg14": (1536, 256, 1280)}
WIDTH, DEPTH, CHANNELS = 512, 12, 6

# name -> clouds, points, seed, color (None: random)
CASES = {"rgb_10000": (3, 10_000, 0, None), "grey_10000": (2, 10_000, 1, 0.4), "black_2048": (2, 2_048, 2, 0.0)}


def body_shapes(
    feed_forward: int, patch_width: int, width: int = WIDTH, depth: int = DEPTH
) -> dict[str, tuple[int, ...]]:
    """Key -> shape of a published network without its projection."""
    shapes: dict[str, tuple[int, ...]] = {"cls_token": (width,)}
    widths = [CHANNELS + 3, 64, 64, patch_width]
    for i, (a, b) in enumerate(pairwise(widths)):
        shapes |= _linear(f"sa.mlp_convs.{i}", b, a, 1, 1) | _batch_norm(f"sa.mlp_bns.{i}", b)
    shapes |= _linear("lift.0", width, patch_width + 3, 1) | _norm("lift.2", width)
    for i in range(depth):
        block = f"transformer.layers.{i}"
        shapes |= _norm(f"{block}.0.norm", width) | {f"{block}.0.fn.to_qkv.weight": (3 * width, width)}
        shapes |= _linear(f"{block}.0.fn.to_out.0", width, width) | _norm(f"{block}.1.norm", width)
        shapes |= _linear(f"{block}.1.fn.net.0", feed_forward, width)
        shapes |= _linear(f"{block}.1.fn.net.3", width, feed_forward)
    return shapes


def _linear(key: str, outputs: int, *inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{key}.weight": (outputs, *inputs), f"{key}.bias": (outputs,)}


def _norm(key: str, width: int = WIDTH) -> dict[str, tuple[int, ...]]:
    return {f"{key}.weight": (width,), f"{key}.bias": (width,)}


def _batch_norm(key: str, width: int) -> dict[str, tuple[int, ...]]:
    running = {f"{key}.running_mean": (width,), f"{key}.running_var": (width,), f"{key}.num_batches_tracked": ()}
    return _norm(key, width) | running


def network_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Key -> shape of the network as `PointBERT` names them."""
    feed_forward, patch_width, projection = PUBLISHED[name]
    return body_shapes(feed_forward, patch_width) | (_linear("proj", projection, WIDTH) if projection else {})


def published_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Key -> shape as in the published file, below its outermost prefix: a projected body is called `ppat`."""
    body = "ppat." if PUBLISHED[name][2] else ""
    return {key if key.startswith("proj.") else body + key: shape for key, shape in network_shapes(name).items()}


def made_up(key: str, shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """Weights of a sensible scale: norms near 1, biases near 0, matrices that keep the variance."""
    if key.endswith("num_batches_tracked"):
        return torch.tensor(1000)
    rng = np.random.RandomState((zlib.crc32(key.encode()) + 7919 * seed) % 2**32)
    noise = rng.standard_normal(shape).astype(np.float32)
    if key.endswith("running_var"):
        noise = np.exp(0.2 * noise)
    elif key.endswith("cls_token"):
        pass
    elif len(shape) > 1:
        noise /= np.float32(np.sqrt(math.prod(shape[1:])))
    else:
        noise = noise * 0.1 + (1 if key.endswith("weight") else 0)
    return torch.from_numpy(noise.astype(np.float32))


def hollow(key: str, shape: tuple[int, ...]) -> Tensor:
    """A tensor of that shape which takes next to no room in a file."""
    return torch.ones((), dtype=torch.int64 if key.endswith("tracked") else torch.float32).expand(shape)


def checkpoint(name: str, value: Callable[[str, tuple[int, ...]], Tensor] = made_up) -> dict:
    """What `torch.load` gives for the published file of that name."""
    prefix = find_checkpoint(name).keys.prefix
    state = {prefix + key: value(key, shape) for key, shape in published_shapes(name).items()}
    return {"state_dict": state, "epoch": 0, "step": 0} if name == "vitg14" else state


def write_checkpoint(name: str, path: Path, value: Callable[[str, tuple[int, ...]], Tensor] = made_up) -> Path:
    torch.save(checkpoint(name, value), path)
    return path


def clouds(case: str, seed: int = 0) -> np.ndarray:
    """The clouds (b, n, 6) float32 of a case: flattened balls, centered and scaled, in the encoder's own frame."""
    count, points, own, color = CASES[case]
    return ball(count, points, own + seed, color)


def ball(count: int, points: int, seed: int, color: float | None) -> np.ndarray:
    rng = np.random.RandomState(1000 + seed)
    directions = rng.standard_normal((count, points, 3))
    radii = rng.uniform(size=(count, points, 1)) ** (1 / 3)
    # factor first: another order of the same product rounds differently
    xyz = directions * (radii / np.linalg.norm(directions, axis=-1, keepdims=True))
    xyz[:, :, 1] *= rng.uniform(0.3, 1.0, size=(count, 1))
    xyz -= xyz.mean(axis=1, keepdims=True)
    xyz /= np.linalg.norm(xyz, axis=-1).max(axis=1)[:, None, None]
    rgb = rng.uniform(size=(count, points, 3)) if color is None else np.full((count, points, 3), color)
    return np.concatenate([xyz, rgb], axis=-1).astype(np.float32)
