"""Training of the paper's networks by its recipe, one loop for all: which one it is, the row's head says.

A scene a step, four of its classes or descriptions; LAMB, cosine with warm-up, gradients clipped. A run is a pure
function of its arguments on one machine, also when it was stopped and resumed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.semabs.evaluation import asked, in_view, left_out, told, visible, volume
from benchmarks.semabs.lamb import Lamb
from benchmarks.semabs.losses import accuracy, occupancy_loss
from benchmarks.semabs.reader import Datum, load_datum
from benchmarks.semabs.texts import Texts
from openshape_ood.errors import InputError
from openshape_ood.registry.rows import Row
from openshape_ood.registry.weights import load_strictly, read_torch, rekeyed
from openshape_ood.storage import replacing
from openshape_ood.views.completion.network import CompletionNetwork
from openshape_ood.views.geometry import in_bounds, moved

CLIP_NORM, TURN, STRETCH = 2.0, 0.15, 0.1  # of gradients; radians and share of a random affine
SHIFT = {"name": 0.05, "text": 0.05}  # of the box, as a deviation; of relations twice as much
PUBLISHED = (  # ours -> the released files' keys, whose inverse the rows have
    (r"^points\.", "pts_feat_extractor."),
    (r"^unet\.last\.", "vol_feature_extractor.final_conv."),
    (r"^unet\.upsamplings\.(\d+)\.", r"vol_feature_extractor.decoders.\1.upsampling.upsample."),
    (r"^unet\.", "vol_feature_extractor."),
    (r"^relations\.", "relation_embeddings."),
    (r"^query\.", "mlp."),
)


@dataclass(frozen=True)
class Recipe:
    """The published numbers, but for `steps`: 200 epochs of 8 processes there."""

    steps: int
    warm: int = 1024
    lr: float = 1e-3
    asked: int = 4
    points: int = 80_000
    queries: int = 400_000
    seed: int = 0
    balance: bool = False

    def rate(self, step: int) -> float:
        """The learning rate of a step: it rises, then falls along half a cosine."""
        if step < self.warm:
            return self.lr * (step + 1) / self.warm
        return self.lr * 0.5 * (1 + math.cos(math.pi * (step - self.warm) / max(1, self.steps - self.warm)))


def train(
    views: Path, row: Row, out: Path, recipe: Recipe, texts: Texts | None, device: torch.device, every: int
) -> Iterator[dict[str, Any]]:
    """Train, and yield each step's record; `out`, with the state every so many steps, is in the published layout.

    Goes on from `out` where that is there. Beside it lies the log, <out>.jsonl. Raises `InputError`.
    """
    paths = sorted(views.glob("*.npz"))
    if not paths:
        raise InputError(f"{views} has no .npz files; make them with `python -m benchmarks.semabs convert`")
    torch.manual_seed(recipe.seed)
    sizes: Any = row.sizes
    network = CompletionNetwork(sizes)
    state = _resumed(out, row, network)
    optimizer = Lamb(network.to(device).parameters(), lr=recipe.lr)  # of the tensors that are in place now
    log, done = out.with_name(out.name + ".jsonl"), int(state.get("steps", 0))
    if done:
        optimizer.load_state_dict(state["optimizer"])
    kept = log.read_text(encoding="utf-8").splitlines()[:done] if done and log.is_file() else []
    for step in range(done, recipe.steps):
        order = np.random.default_rng([recipe.seed, step // len(paths)]).permutation(len(paths))
        path = paths[order[step % len(paths)]]
        record = {"step": step, "scene": path.stem, "lr": recipe.rate(step)}
        for group in optimizer.param_groups:
            group["lr"] = record["lr"]
        record |= _step(
            network, optimizer, load_datum(path), recipe, np.random.default_rng([recipe.seed, step, 1]), texts
        )
        kept.append(json.dumps(record))
        if (step + 1) % every == 0 or step + 1 == recipe.steps:
            _save(out, network, optimizer, step + 1, len(paths))
            with replacing(log) as partial:
                partial.write_text("\n".join(kept) + "\n", encoding="utf-8")
        yield record


def _step(
    network: CompletionNetwork, optimizer: Lamb, datum: Datum, recipe: Recipe, rng: Any, texts: Texts | None
) -> dict[str, Any]:
    """One step on a view; a view that shows nothing to ask for is passed over, with no loss."""
    device, head = next(network.parameters()).device, network.sizes.head
    seen, hidden, shown = visible(datum, recipe.points, rng), left_out(datum, head), in_view(datum)
    every = [
        (about, names, labels, seen.numbers(network, names)) for about, names, labels in asked(datum, head, "train")
    ]
    able = [one for one in every if one[3] is not None and (one[2] & shown if head in SHIFT else one[2]).any()]
    if not able:
        return {"loss": None}
    change = drawn_affine(datum.bounds, SHIFT.get(head, 0.1), rng)
    points, queries = moved(seen.points, change), moved(datum.queries.astype(np.float64), change)
    hidden = hidden | ~in_bounds(queries, datum.bounds)
    logits, right, ignored = [], [], []
    for i in rng.permutation(len(able))[: recipe.asked]:
        about, names, labels, numbers = able[i]
        chosen = drawn_queries(labels, recipe.queries, rng)
        places = torch.from_numpy(queries[chosen]).float().to(device)[None]
        query = told(network, about, names, texts, device)
        logits.append(network.decode(volume(network, points, numbers or [], device), places, query)[0])
        right.append(torch.from_numpy(labels[chosen]).float())
        ignored.append(torch.from_numpy(hidden[chosen]))
    found, labels, out = torch.stack(logits), torch.stack(right).to(device), torch.stack(ignored).to(device)
    if out.all():
        return {"loss": None}
    loss = occupancy_loss(found, labels, out, recipe.balance)
    optimizer.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
    optimizer.step()
    return {
        "loss": loss.item(),
        "accuracy": accuracy(found, labels, out).item(),
        "norm": norm.item(),
        "asked": len(found),
    }


def drawn_queries(labels: np.ndarray, count: int, rng: Any) -> np.ndarray:
    """Rows (min(count, n),) of labels (n,), none twice: half of the mass on what is right, half on the rest."""
    shares = np.where(labels, 0.5 / max(1, labels.sum()), 0.5 / max(1, (~labels).sum()))
    if count >= len(labels):
        return np.arange(len(labels))
    # the least of exponential waiting times are a draw by shares
    return np.argpartition(rng.exponential(size=len(labels)) / shares, count)[:count]


def drawn_affine(bounds: np.ndarray, shift: float, rng: Any) -> np.ndarray:
    """A random matrix (4, 4) about the middle of the box: turned about each axis, stretched along each, and moved."""
    middle, extent = bounds.mean(axis=0), np.ptp(bounds, axis=0)
    linear = np.diag(1 + rng.uniform(0, STRETCH, 3))
    for axis, angle in enumerate(rng.uniform(-TURN, TURN, 3)):
        a, b = [one for one in range(3) if one != axis]
        turn = np.eye(3)
        turn[[a, b, a, b], [a, b, b, a]] = [np.cos(angle), np.cos(angle), -np.sin(angle), np.sin(angle)]
        linear = turn @ linear
    change = np.eye(4)
    change[:3, :3] = linear
    change[:3, 3] = middle - linear @ middle + rng.normal(0, shift, 3) * extent
    return change


def published_key(key: str, head: str) -> str:
    """The key that the released files have for one of ours; of relations the U-Net lies within another module."""
    inner = "completion_net." if head not in SHIFT else ""
    if key.startswith("decoder."):
        own = f"{inner}visual" if head.startswith("text") or head == "name" else "spatial"
        return "module." + key.replace("decoder.", f"{own}_sampler.mlp.")
    key = re.sub(r"\.stages\.(\d)\.", lambda found: f".basic_module.conv{int(found[1]) + 1}.", key)
    key = re.sub(r"\.norm\.(?=weight$|bias$)", ".groupnorm.", key)
    for ours, theirs in PUBLISHED:
        key, changed = re.subn(ours, theirs, key)
        if changed:
            break
    return "module." + (inner if key.startswith(("pts_", "vol_")) else "") + key


def _save(out: Path, network: CompletionNetwork, optimizer: Lamb, steps: int, scenes: int) -> None:
    net = {published_key(key, network.sizes.head): value.cpu() for key, value in network.state_dict().items()}
    content = {"net": net, "optimizer": optimizer.state_dict(), "epochs": steps // scenes, "steps": steps}
    with replacing(out) as partial:
        torch.save(content, partial)


def _resumed(out: Path, row: Row, network: CompletionNetwork) -> dict[str, Any]:
    """The state in `out`, whose weights are taken over; nothing where it is not there."""
    if not out.is_file():
        return {}
    content = read_torch(out, row.name, trusted=False)
    if not isinstance(content, dict) or not {"net", "optimizer", "steps"} <= content.keys():
        raise InputError(f"{out} is no state of this training; give another --out")
    tensors: dict[str, Tensor] = rekeyed(content["net"], row.keys, str(out))
    load_strictly(network, tensors, out, row.name)
    return content
