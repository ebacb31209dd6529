"""Training of the paper's networks by its recipe; the head in the registry row selects the network.

A step uses one scene and four of its classes or descriptions, with LAMB, cosine schedule with warm-up, and clipped
gradients. On one machine a run is deterministic, also after a stop. Under torchrun each process has another scene in
each step, and gradients are averaged over the processes, as published.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.semabs.evaluation import left_out, query_vectors, questions, visible, volume
from benchmarks.semabs.reader import Datum, load_datum, view_files
from benchmarks.semabs.texts import Texts
from benchmarks.training.processes import average, processes
from benchmarks.training.runs import Run
from openshape_ood.errors import InputError
from openshape_ood.registry.rows import Row
from openshape_ood.storage import replacing, save_whole
from openshape_ood.views.completion.network import CompletionNetwork
from openshape_ood.views.geometry import in_bounds, moved

CLIP_NORM = 2.0  # largest norm of the gradients
TURN, STRETCH = 0.15, 0.1  # random affine map: largest rotation in radians, largest relative stretch
FIRST, SECOND, EPSILON = 0.9, 0.999, 1e-6  # beta1, beta2 and epsilon of LAMB
FIGURES = ("loss", "accuracy", "asked")  # logged for each step
SHIFT = {"name": 0.05, "text": 0.05}  # standard deviation of the shift in box lengths, by head; default 0.1
PUBLISHED = (  # our key pattern -> key of the released files; registry rows have the inverse
    (r"^points\.", "pts_feat_extractor."),
    (r"^unet\.last\.", "vol_feature_extractor.final_conv."),
    (r"^unet\.upsamplings\.(\d+)\.", r"vol_feature_extractor.decoders.\1.upsampling.upsample."),
    (r"^unet\.", "vol_feature_extractor."),
    (r"^relations\.", "relation_embeddings."),
    (r"^query\.", "mlp."),
)


@dataclass(frozen=True)
class Recipe:
    """The published settings, except `steps`: they are 200 epochs, with 8 processes of one scene per step."""

    steps: int
    warm: int = 1024
    lr: float = 1e-3
    asked: int = 4
    points: int = 80_000
    queries: int = 400_000
    seed: int = 0
    balance: bool = False

    def rate(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, then half a cosine."""
        if step < self.warm:
            return self.lr * (step + 1) / self.warm
        return self.lr * 0.5 * (1 + math.cos(math.pi * (step - self.warm) / max(1, self.steps - self.warm)))


def train(
    views: Path, row: Row, out: Path, recipe: Recipe, texts: Texts | None, device: torch.device, every: int
) -> Iterator[dict[str, Any]]:
    """Train, and yield a record every `every` steps; writes `out` in the published layout, and the log <out>.jsonl.

    Resumes from the state file of `out` if there is one. Raises `InputError`.
    """
    paths, (rank, world) = view_files(views), processes()
    torch.manual_seed(recipe.seed)
    sizes: Any = row.sizes
    network = CompletionNetwork(sizes).to(device)
    settings, state = {"model": row.name, **asdict(recipe)}, out.with_name(out.name + ".state.safetensors")
    settings |= {"processes": world} if world > 1 else {}
    if out.exists() and not state.exists():
        raise InputError(f"{out} exists, but its state {state.name} does not: it cannot be resumed. Give another --out")
    run = Run(network, Lamb(network.parameters(), lr=recipe.lr), settings, state, steps=recipe.steps)
    for line in run.lines(lambda: _step(run, network, paths, recipe, texts), every):
        if not rank:
            _save(out, network, run.step * world // len(paths))
            log = "".join(json.dumps(one) + "\n" for one in run.log)
            save_whole(out.with_name(out.name + ".jsonl"), log.encode(), "log")
            run.keep()  # last, so that a run stopped before it repeats these steps
        yield line


def _step(
    run: Run, network: CompletionNetwork, paths: list[Path], recipe: Recipe, texts: Texts | None
) -> dict[str, float]:
    """One step on one view per process. Views without classes or descriptions are skipped; {} if all are skipped."""
    rank, world = processes()
    place = run.step * world + rank
    order = np.random.default_rng([recipe.seed, place // len(paths)]).permutation(len(paths))
    rng = np.random.default_rng([recipe.seed, run.step, 1, *([rank] if rank else [])])
    loss, figures = _loss(network, load_datum(paths[order[place % len(paths)]]), recipe, texts, rng)
    if not run.descend(loss, recipe.rate(run.step), CLIP_NORM):
        return {}
    means = torch.tensor([*figures, 1.0] if figures else [0.0] * 4, dtype=torch.float64)
    means = means.to(next(network.parameters()).device)
    average([means])
    return dict(zip(FIGURES, (means[:-1] / means[-1]).tolist(), strict=True))


def _loss(
    network: CompletionNetwork, datum: Datum, recipe: Recipe, texts: Texts | None, rng: np.random.Generator
) -> tuple[Tensor | None, tuple[float, ...]]:
    """Loss on a view, and `FIGURES`; (None, ()) if it has no classes or descriptions to train on."""
    device, head = next(network.parameters()).device, network.sizes.head
    seen, hidden = visible(datum, recipe.points, rng), left_out(datum, head)
    every = [(*one, seen.numbers(network, one[1])) for one in questions(datum, head, "train")]
    able = [one for one in every if one[3] is not None and (one[2] & ~hidden).any()]
    if not able:
        return None, ()
    change = drawn_affine(datum.bounds, SHIFT.get(head, 0.1), rng)
    points, queries = moved(seen.points, change), moved(datum.queries.astype(np.float64), change)
    hidden = hidden | ~in_bounds(queries, datum.bounds)
    logits, right, ignored = [], [], []
    for i in rng.permutation(len(able))[: recipe.asked]:
        about, names, labels, numbers = able[i]
        chosen = drawn_queries(labels, recipe.queries, rng)
        places = torch.from_numpy(queries[chosen]).float().to(device)[None]
        query = query_vectors(network, about, names, texts, device)
        logits.append(network.decode(volume(network, points, numbers or [], device), places, query)[0])
        right.append(torch.from_numpy(labels[chosen]).float())
        ignored.append(torch.from_numpy(hidden[chosen]))
    stacked, labels, out = torch.stack(logits), torch.stack(right).to(device), torch.stack(ignored).to(device)
    if out.all():
        return None, ()
    loss = occupancy_loss(stacked, labels, out, recipe.balance)
    return loss, (loss.item(), accuracy(stacked, labels, out).item(), float(len(stacked)))


def drawn_queries(labels: np.ndarray, count: int, rng: Any) -> np.ndarray:
    """Random indices (min(count, n),) of labels (n,), without repeats; half the probability is on true labels."""
    shares = np.where(labels, 0.5 / max(1, labels.sum()), 0.5 / max(1, (~labels).sum()))
    if count >= len(labels):
        return np.arange(len(labels))
    # weighted sampling without replacement: the smallest exponential waiting times
    times = rng.exponential(size=len(labels)) / shares
    return np.sort(
        np.argpartition(times, count)[:count]
    )  # sorted, because argpartition's order depends on the processor


def drawn_affine(bounds: np.ndarray, shift: float, rng: Any) -> np.ndarray:
    """Random affine matrix (4, 4) about the center of the box: rotation, stretch and shift along each axis."""
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
    """Key in the released files for one of our keys; networks of relations have the U-Net in another module."""
    inner = "completion_net." if head not in SHIFT else ""
    if key.startswith("decoder."):
        part = f"{inner}visual" if head.startswith("text") or head == "name" else "spatial"
        return "module." + key.replace("decoder.", f"{part}_sampler.mlp.")
    key = re.sub(r"\.stages\.(\d)\.", lambda match: f".basic_module.conv{int(match[1]) + 1}.", key)
    key = re.sub(r"\.norm\.(?=weight$|bias$)", ".groupnorm.", key)
    for ours, theirs in PUBLISHED:
        key, changed = re.subn(ours, theirs, key)
        if changed:
            break
    return "module." + (inner if key.startswith(("pts_", "vol_")) else "") + key


def _save(out: Path, network: CompletionNetwork, epochs: int) -> None:
    net = {published_key(key, network.sizes.head): value.cpu() for key, value in network.state_dict().items()}
    with replacing(out) as partial:
        torch.save({"net": net, "epochs": epochs}, partial)


def balanced_weights(labels: Tensor) -> Tensor:
    """Weights (b, m) of labels (b, m): inverse frequency of 0 and 1 in each row, with mean 1."""
    positive = labels.mean(-1, keepdim=True)
    shares = labels * positive + (1 - labels) * (1 - positive) + 1e-10  # as published, except that it is never 0
    return (1 / shares) / (1 / shares).mean()


def occupancy_loss(logits: Tensor, labels: Tensor, ignored: Tensor | None = None, balance: bool = False) -> Tensor:
    """Mean cross-entropy of logits (b, m) and labels (b, m), 0 or 1, without the ignored ones (b, m).

    The published training of relations ignores nothing, not even padding.
    """
    weights = balanced_weights(labels) if balance else None
    each = binary_cross_entropy_with_logits(logits, labels, weight=weights, reduction="none")
    return each.mean() if ignored is None else each[~ignored].mean()


def accuracy(logits: Tensor, labels: Tensor, ignored: Tensor | None = None) -> Tensor:
    """Fraction of queries on the right side of logit 0."""
    right = (logits > 0) == (labels > 0.5)
    return (right if ignored is None else right[~ignored]).to(logits.dtype).mean()


class Lamb(torch.optim.Optimizer):
    """LAMB (arXiv:1904.00962) as published: without bias correction, and with weight decay inside the step.

    Step lengths are proportional to each parameter's norm, which is capped at 10. The state has the last `trust_ratio`.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float = 1e-3, weight_decay: float = 1e-5) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for one in group["params"]:
                if one.grad is not None:
                    self._move(one, group)

    def _move(self, one: Tensor, group: dict[str, Any]) -> None:
        state = self.state[one]
        if not state:
            state["mean"], state["square"] = torch.zeros_like(one), torch.zeros_like(one)
        state["mean"].mul_(FIRST).add_(one.grad, alpha=1 - FIRST)
        state["square"].mul_(SECOND).addcmul_(one.grad, one.grad, value=1 - SECOND)
        change = state["mean"] / (state["square"].sqrt() + EPSILON) + group["weight_decay"] * one
        size, length = one.norm().clamp(0, 10), change.norm()
        state["trust_ratio"] = float(size / length) if size > 0 and length > 0 else 1.0
        one.add_(change, alpha=-group["lr"] * state["trust_ratio"])
