"""Checkpoints of the further published encoders with made-up weights, and the clouds of their golden numbers.

As in `published`, whose made-up tensors these are; Uni3D's files are in half precision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from published import _batch_norm, _linear, _norm, ball, body_shapes, made_up
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]

# name -> clouds, points, seed, color (None: random), kind
CASES: dict[str, tuple[int, int, int, float | None, str]] = {
    "rgb_10000": (2, 10_000, 0, None, "ball"),
    "grey_10000": (2, 10_000, 1, 0.4, "ball"),
    "grey_2048": (2, 2048, 2, 0.4, "ball"),
    "upsampled_10000": (1, 10_000, 3, 0.4, "upsampled"),
    "core_2048": (1, 2048, 4, None, "core"),
    "lattice_2048": (1, 2048, 5, None, "lattice"),
}


@dataclass(frozen=True)
class Trunk:
    """In what the files of Uni3D differ; joined: queries, keys and values in one tensor, and gate and value.

    patch, out: widths that are the same in all published ones.
    """

    width: int
    depth: int
    mlp: int
    tokens: int
    joined: bool
    gated: bool = True
    head: bool = True
    patch: int = 512
    out: int = 1024


TRUNKS = {
    "uni3d-ti": Trunk(192, 12, 512, 257, joined=True, head=False),
    "uni3d-s": Trunk(384, 12, 1024, 257, joined=True, head=False),
    "uni3d-b": Trunk(768, 12, 2048, 1025, joined=False),
    "uni3d-l": Trunk(1024, 24, 2730, 1025, joined=False),
    "uni3d-g": Trunk(1408, 40, 6144, 1601, joined=True, gated=False),
}


def uni3d_shapes(trunk: Trunk) -> Shapes:
    """Key -> shape as in the file."""
    w, s = trunk.width, trunk.patch
    shapes: Shapes = {"cls_token": (1, 1, w), "cls_pos": (1, 1, w)}
    shapes |= _linear("encoder.first_conv.0", s // 4, 6, 1) | _batch_norm("encoder.first_conv.1", s // 4)
    shapes |= _linear("encoder.first_conv.3", s // 2, s // 4, 1)
    shapes |= _linear("encoder.second_conv.0", s, s, 1) | _batch_norm("encoder.second_conv.1", s)
    shapes |= _linear("encoder.second_conv.3", s, s, 1)
    shapes |= _linear("encoder2trans", w, s) | _linear("trans2embed", trunk.out, w)
    shapes |= _linear("pos_embed.0", 128, 3) | _linear("pos_embed.2", w, 128)
    visual: Shapes = {"cls_token": (1, 1, w), "pos_embed": (1, trunk.tokens, w)}
    visual |= _linear("patch_embed.proj", w, 3, 14, 14) | _norm("fc_norm", w)
    visual |= _linear("head", 1000, w) if trunk.head else {}
    for i in range(trunk.depth):
        visual |= {f"blocks.{i}.{key}": shape for key, shape in block_shapes(trunk).items()}
    shapes |= {f"visual.{key}": shape for key, shape in visual.items()}
    return {"logit_scale": (), **{f"point_encoder.{key}": shape for key, shape in shapes.items()}}


def block_shapes(trunk: Trunk) -> Shapes:
    w, h = trunk.width, trunk.mlp
    shapes = _norm("norm1", w) | _norm("norm2", w) | _linear("attn.proj", w, w) | _linear("mlp.fc2", w, h)
    if trunk.joined:
        shapes |= {"attn.qkv.weight": (3 * w, w), "attn.q_bias": (w,), "attn.v_bias": (w,)}
        return shapes | _linear("mlp.fc1", 2 * h if trunk.gated else h, w)
    shapes |= _linear("attn.q_proj", w, w) | {"attn.k_proj.weight": (w, w)} | _linear("attn.v_proj", w, w)
    return shapes | _linear("mlp.fc1_g", h, w) | _linear("mlp.fc1_x", h, w) | _norm("mlp.norm", h)


def shapenet_shapes() -> Shapes:
    """Those of OpenShape's smallest network, "scaling 1", as in the file."""
    body = body_shapes(1024, 96, width=256, depth=6)
    shapes = {f"ppat.{key}": shape for key, shape in body.items()} | _linear("proj", 1280, 256)
    return {f"module.{key}": shape for key, shape in shapes.items()}


def tamm_shapes() -> dict[str, Shapes]:
    """Entry of the top-level table -> its keys and shapes."""
    adapter: Shapes = {}
    for i, (out, inner) in enumerate([(1024, 512), (1280, 1024)]):
        adapter |= _linear(f"module.classifier.{4 * i}", out, inner) | _batch_norm(
            f"module.classifier.{4 * i + 1}", out
        )
    return {
        "state_dict": {f"module.ppat.{key}": shape for key, shape in body_shapes(1536, 256).items()},
        "text_alignment_adapter": adapter,
        "image_alignment_adapter": adapter,
        "logit_scale": {"module.logit_scale": ()},
    }


def tensor(key: str, shape: tuple[int, ...], seed: int) -> Tensor:
    if shape or key.endswith("num_batches_tracked"):
        return made_up(key, shape, seed)
    return made_up(key, (1,), seed)[0] + 4  # a logarithm


def uni3d_checkpoint(trunk: Trunk, seed: int = 0) -> dict[str, Any]:
    tensors = {key: tensor(key, shape, seed) for key, shape in uni3d_shapes(trunk).items()}
    return {"module": {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}}


def checkpoint(name: str, seed: int = 0, depth: int | None = None) -> dict[str, Any]:
    """What `torch.load` gives for the published file of that name; depth: with only so many blocks of Uni3D's."""

    def value(key: str, shape: tuple[int, ...]) -> Tensor:
        return tensor(key, shape, seed)

    if name in TRUNKS:
        trunk = TRUNKS[name]
        return uni3d_checkpoint(trunk if depth is None else replace(trunk, depth=depth), seed)
    if name == "tamm":
        tables = tamm_shapes()
        own = {name: "" if name == "state_dict" else f"{name}." for name in tables}
        return {n: {key: value(own[n] + key, shape) for key, shape in t.items()} for n, t in tables.items()}
    return {"state_dict": {key: value(key, shape) for key, shape in shapenet_shapes().items()}}


def write_checkpoint(name: str, path: Path, seed: int = 0, depth: int | None = None) -> Path:
    torch.save(checkpoint(name, seed, depth), path)
    return path


def clouds(case: str, seed: int = 0) -> np.ndarray:
    """The clouds (b, n, 6) float32 of a case, in the unit ball.

    upsampled: 2,048 points drawn 10,000 times, so that most occur several times; core: half of the points near the
    origin, where Uni3D never samples; lattice: corners of a cubic lattice, where every step of the sampler has ties.
    """
    count, points, own, color, kind = CASES[case]
    own += 20 + 4 * seed
    if kind == "ball":
        return ball(count, points, own, color)
    rng = np.random.RandomState(5000 + own)
    if kind == "upsampled":
        return np.stack([cloud[rng.randint(0, 2048, points)] for cloud in ball(count, 2048, own, color)])
    made = ball(count, points, own, color).astype(np.float64)
    if kind == "lattice":
        made[..., :3] = rng.randint(-4, 5, size=(count, points, 3)) / 8
        return made.astype(np.float32)
    near = rng.uniform(size=(count, points, 1)) < 0.5
    near[:, 0] = False
    inner = rng.uniform(-1, 1, size=(count, points, 3)) * 0.02 / np.sqrt(3)
    norm = np.linalg.norm(made[..., :3], axis=-1, keepdims=True)
    xyz = np.where(near, inner, made[..., :3] * (0.5 + 0.5 * norm) / norm)
    xyz -= np.where(near, 0, xyz).sum(axis=1, keepdims=True) / (~near).sum(axis=1, keepdims=True) * ~near
    made[..., :3] = xyz / np.linalg.norm(xyz, axis=-1).max(axis=1)[:, None, None]
    return made.astype(np.float32)


def text_rows(classes: int, width: int, seed: int) -> np.ndarray:
    """Unit rows (classes, width) float32, as if of names."""
    rows = np.random.RandomState(7000 + seed).standard_normal((classes, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
