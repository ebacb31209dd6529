"""Files of Semantic Abstraction with made-up weights, in the published layout.

The rows of the registry are those of the released sizes; `small_row` is the same with smaller ones. Weights are a pure
function of key, shape and seed, as those of `published`.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from openshape_ood.registry import Row, find_checkpoint
from openshape_ood.views.completion.network import RELATIONS, CompletionNetwork

Shapes = dict[str, tuple[int, ...]]

LAYOUTS = ("ovssc", "vool", "semaware_ovssc", "semaware_vool", "clip_spatial")
ROWS = dict(zip(LAYOUTS, ("ovssc", "vool", "semaware-ovssc", "semaware-vool", "clipspatial-vool"), strict=True))
FULL = {"hidden": 128, "channels": 16, "maps": 16, "groups": 8, "levels": 6, "pointing": 64, "text": 512}
SMALL = {"hidden": 32, "channels": 8, "maps": 8, "groups": 4, "levels": 3, "pointing": 16, "text": 64}


def completion_shapes(layout: str, sizes: dict[str, int] = FULL) -> Shapes:
    """Key -> shape with the prefix of the files, in the order of `semabs_keys.json`."""
    c, pointing, text = sizes["channels"], sizes["pointing"], sizes["text"]
    aware, vool = layout.startswith("semaware"), layout not in ("ovssc", "semaware_ovssc")
    net = "module.completion_net." if vool else "module."
    shapes: Shapes = {"module.steps": (1,), f"{net}steps": (1,)}
    shapes |= _layers(f"{net}pts_feat_extractor", [6 if aware else 4, sizes["hidden"], sizes["hidden"], c])
    shapes |= _unet(f"{net}vol_feature_extractor", sizes)
    outputs = {"semaware_ovssc": text, "semaware_vool": pointing}.get(layout, 1)
    shapes |= _layers(f"{net}visual_sampler.mlp", [c if vool else c + 3, c, outputs])
    if layout == "clip_spatial":
        shapes |= _layers("module.spatial_sampler.mlp", [c + 3, c, 1])
    elif vool:
        shapes |= _layers("module.spatial_sampler.mlp", [2 * c + 3, 2 * c, pointing])
        shapes |= {f"module.relation_embeddings.{name}": (pointing,) for name in sorted([*RELATIONS, "[pad]"])}
    if layout == "semaware_vool":
        shapes |= {"module.mlp.weight": (pointing, 2 * text + pointing), "module.mlp.bias": (pointing,)}
    return shapes


def _layers(key: str, widths: list[int]) -> Shapes:
    shapes: Shapes = {}
    for i, (inside, outside) in enumerate(pairwise(widths)):
        shapes |= {f"{key}.{2 * i}.weight": (outside, inside), f"{key}.{2 * i}.bias": (outside,)}
    return shapes


def _unet(key: str, sizes: dict[str, int]) -> Shapes:
    widths = [sizes["maps"] * 2**i for i in range(sizes["levels"])]
    shapes: Shapes = {}
    for i, (inside, outside) in enumerate(pairwise([sizes["channels"], *widths])):
        shapes |= _block(f"{key}.encoders.{i}.basic_module", inside, outside)
    for i, (inside, outside) in enumerate(pairwise(widths[::-1])):
        up = f"{key}.decoders.{i}.upsampling.upsample"
        shapes |= {f"{up}.weight": (inside, outside, 3, 3, 3), f"{up}.bias": (outside,)}
        shapes |= _block(f"{key}.decoders.{i}.basic_module", outside, outside)
    last = f"{key}.final_conv"
    return shapes | {
        f"{last}.weight": (sizes["channels"], sizes["maps"], 1, 1, 1),
        f"{last}.bias": (sizes["channels"],),
    }


def _block(key: str, inside: int, outside: int) -> Shapes:
    shapes: Shapes = {}
    for i in (1, 2, 3):
        shapes |= {f"{key}.conv{i}.groupnorm.{part}": (inside,) for part in ("weight", "bias")}
        shapes[f"{key}.conv{i}.conv.weight"] = (outside, inside, 3, 3, 3)
        inside = outside
    return shapes


def completion_file(layout: str, sizes: dict[str, int] = SMALL, seed: int = 0) -> dict[str, Any]:
    """What `torch.load` gives for a published file."""
    from published import made_up

    state = {key: made_up(key, shape, seed) for key, shape in completion_shapes(layout, sizes).items()}
    optimizer = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-3}]}
    return {"net": state, "optimizer": optimizer, "epochs": 7}


def write_completion(path: Path, layout: str, sizes: dict[str, int] = SMALL, seed: int = 0) -> Path:
    torch.save(completion_file(layout, sizes, seed), path)
    return path


def small_row(layout: str, side: int = 16, sizes: dict[str, int] = SMALL) -> Row:
    """The row of a layout with other sizes."""
    row = find_checkpoint(f"semabs-{ROWS[layout]}", kinds=("completion",))
    own = {key: value for key, value in sizes.items() if getattr(row.sizes, key)}
    return replace(row, sizes=replace(row.sizes, **own, side=side), unconfirmed="")


def network_of(row: Row, state: dict[str, Any]) -> CompletionNetwork:
    """The network of a row with the tensors of a published state, read by the row's own rules."""
    from openshape_ood.registry.weights import load_strictly, rekeyed

    made = CompletionNetwork(row.sizes)
    load_strictly(made, rekeyed(state, row.keys, "made up"), Path("made up"), row.name)
    return made.eval()


BOUNDS = np.array([[-1.0, -1.0, -0.1], [1.0, 1.0, 1.9]])
NAMES = ["lamp", "brown chair", "table legs", "pink make up bag", "hair dryer"]


def stream(name: str, seed: int) -> np.random.RandomState:
    """Random numbers of their own for every name and seed."""
    return np.random.RandomState((zlib.crc32(name.encode()) + 7919 * seed) % 2**32)


def text_embedding(sentence: str, dim: int, seed: int = 0) -> np.ndarray:
    """(dim,) float32, of any length."""
    return (stream("text:" + sentence, seed).standard_normal(dim) * 3).astype(np.float32)


def box_points(name: str, seed: int, shape: tuple[int, ...], spread: float = 1.08) -> np.ndarray:
    """(*shape, 3) float32 over the box made larger by `spread`, none near a face of a cell."""
    rng, count, kept = stream("points:" + name, seed), int(np.prod(shape)), np.empty((0, 3), np.float32)
    middle, half = BOUNDS.mean(0), (BOUNDS[1] - BOUNDS[0]) / 2
    sides = [s - one for one in (1, 0) for s in (8, 16, 32, 64)]
    while len(kept) < count:
        drawn = (middle + half * rng.uniform(-spread, spread, (2 * count, 3))).astype(np.float32)
        cells = [(drawn - BOUNDS[0]) * side / 2 for side in sides]
        fine = np.all([np.abs(c - np.round(c)).min(axis=1) > 1e-3 for c in cells], axis=0)
        kept = np.concatenate([kept, drawn[fine]])
    return kept[:count].reshape(*shape, 3)


def corner_grid(side: int) -> np.ndarray:
    """Points (side³, 3) float32, x slowest, evenly from corner to corner of the box."""
    axes = [np.linspace(low, high, side, dtype=np.float32) for low, high in BOUNDS.T]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def affinities(name: str, seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Relevancy as the network is given it, about -1 to 1, float32."""
    return (stream("features:" + name, seed).standard_normal(shape) * 0.5).astype(np.float32)


def evaluation(seed: int, scenes: int = 2, classes: int = 3, n: int = 20000) -> dict[str, Any]:
    """Made-up logits, labels and masks (scenes, classes, n); the last class of the first scene is padding."""
    rng = stream("evaluation", seed)
    xyz = box_points("evaluation", seed, (scenes, classes, n), spread=0.98)
    center = rng.uniform(-0.3, 0.3, (scenes, classes, 1, 3)) + [0, 0, 0.9]
    inside = ((xyz - center) ** 2).sum(-1) < 0.6**2
    inside[-1, 0] = False
    logits = (inside * 1.5 - 2.2 + rng.standard_normal(inside.shape)).astype(np.float32)
    outside = rng.uniform(size=inside.shape) < 0.04
    unseen = rng.uniform(size=inside.shape) < 0.1
    return {"xyz": xyz, "logits": logits, "labels": inside, "out_of_bounds": outside, "out_of_view": unseen}


def result_rows(task: str, seed: int, approach: str) -> list[dict[str, Any]]:
    """Rows of a table of results, values in 0 to 1, some NaN."""
    rng, rows = stream(f"results:{task}:{approach}", seed), []
    labels = ["lamp", "mug", "table", "tv", "couch", "safe", "teddy bear", "computer"]
    for split in ("unseen_instances", "unseen_instances_dr", "unseen_instances_synonyms"):
        for number, room in enumerate((26, 27, 230, 327, 430, 26, 27)):
            for label in labels:
                for relation in RELATIONS if task == "vool" else [None]:
                    level = rng.uniform(0.05, 0.6)
                    for cutoff in (-2.5, -1.5, -0.5):
                        iou = level * (1 - 0.2 * abs(cutoff + 1.4)) + rng.uniform(-0.02, 0.02)
                        row: dict[str, Any] = {"scene_id": f"{number:05d}|FloorPlan{room}_physics"}
                        row |= {"cutoff": cutoff, "split": split}
                        row["voxel32x32x32_iou"] = np.nan if rng.uniform() < 0.03 else max(iou, 0.0)
                        if relation is None:
                            row["label"] = label
                        else:
                            reference = labels[rng.randint(len(labels))]
                            row |= {"target_obj_name": label, "spatial_relation_name": relation}
                            row["reference_obj_name"] = reference
                        rows.append(row)
    return rows
