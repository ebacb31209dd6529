"""Train the packaged completion network: from affinities of a name to the cells of the whole object.

    python -m benchmarks.training.completion_samples VIEWS --views 4000                          # once, 10 minutes
    python -m benchmarks.training.train_completion VIEWS --out completion.safetensors --steps 11500  # as packaged
    python -m benchmarks.training.train_completion VIEWS --out completion.safetensors --minutes 45
    python -m benchmarks.training.train_completion VIEWS --out completion.safetensors --minutes 60 --resume

A step uses one view. One U-Net completes some of its names from simulated affinities, and two targets in a relation to
a reference, one of them hidden. On one machine, a run with `--steps` is deterministic; a run with `--minutes` uses the
same views in the same order, but their number depends on the machine. The state is saved next to the weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cosine_similarity

from benchmarks.training.completion_affinities import stand_in
from benchmarks.training.completion_samples import CENTERS, SIZES, Sample, Views
from benchmarks.training.completion_triples import MIRRORED, Triple, draw_triples
from benchmarks.training.runs import EVERY, Run, ramp
from openshape_ood.errors import InputError
from openshape_ood.storage import replacing
from openshape_ood.views.completion.network import TEMPERATURE, CompletionNetwork

RELATION_SIZES = replace(SIZES, head="relation", pointing=64)
FALL = 0.7  # fraction of a run over which the learning rate falls
CLEAN = 0.15  # fraction of views with true masks as affinities
PLACES = 8192  # cells per step in the loss of relations
CUTOFFS = torch.arange(-6, 6.01, 0.25)


class Batch(NamedTuple):
    """Names (b,) of a view: points (n, 3), affinities (b, n), filled cells (b, c), cells in view (c,), and triples."""

    names: list[str]
    points: Tensor
    affinities: Tensor
    labels: Tensor
    counted: Tensor
    triples: list[Triple]


class Pair(nn.Module):
    """The networks of names and of relations, which share one U-Net."""

    def __init__(self) -> None:
        super().__init__()
        self.names = CompletionNetwork(SIZES)
        self.pair = CompletionNetwork(RELATION_SIZES)
        self.pair.points, self.pair.unet = self.names.points, self.names.unet

    def weights(self) -> dict[str, Tensor]:
        """Weights of both networks in half precision, shared ones once; keys of the relation network have "pair."."""
        state = self.names.state_dict()
        state |= {f"pair.{key}": value for key, value in self.pair.state_dict().items() if key not in state}
        state |= {f"pair.{key}": value for key, value in self.pair.state_dict().items() if key.startswith("decoder.")}
        return {key: value.half().contiguous() for key, value in state.items()}


def volumes(network: CompletionNetwork, points: Tensor, affinities: Tensor, half: bool = False) -> Tensor:
    """Volumes (b, f, s, s, s) of names from affinities (b, n) at points (n, 3); half: compute in bfloat16."""
    scattered = network.scattered(points.expand(len(affinities), -1, -1), affinities[..., None])
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        return network.unet(scattered).float()


def at_centers(network: CompletionNetwork, volume: Tensor, cells: Tensor | None = None) -> Tensor:
    """Values of `decode` at the centers of all cells, or of `cells` (c,), without interpolation."""
    at = network.grid.positions(torch.from_numpy(CENTERS).float())
    features = volume.flatten(2)
    if cells is not None:
        features, at = features[..., cells], at[cells]
    return network.decoder(torch.cat([features.transpose(1, 2), at.expand(len(features), -1, -1)], -1))


def relation_logits(
    network: CompletionNetwork, joined: Tensor, relations: Sequence[str], cells: Tensor | None = None
) -> Tensor:
    """Logits (b, c) of targets in relations; joined (b, 2f, s, s, s): volumes of target and reference."""
    query = network.relation_query(relations)[:, None]
    return cosine_similarity(at_centers(network, joined, cells), query, dim=-1) / TEMPERATURE


def batch_of(sample: Sample, rng: np.random.RandomState, most: int, measured: bool = False) -> Batch | None:
    """Batch of a view with at least `most` names, if it has them, mirrored half of the time; None without names.

    Severity and scale of the affinities are random, except if `measured`, for evaluation.
    """
    names = sample.visible()
    if not names:
        return None
    triples = draw_triples(sample, rng)
    chosen = list(dict.fromkeys(name for one in triples for name in (one.target, one.reference)))
    rest = [names[i] for i in rng.permutation(len(names)) if names[i] not in chosen]
    chosen += rest[: max(most - len(chosen), 0)]
    severity, scale = 0.0 if rng.random_sample() < CLEAN else rng.uniform(0.4, 1.2), rng.uniform(0.7, 1.3)
    if measured:
        severity = scale = 1.0
    # the mean over all visible names is subtracted
    maps = stand_in(sample, [*chosen, *(name for name in names if name not in chosen)], rng, severity)[: len(chosen)]
    points, labels, counted = sample.points(), np.stack([sample.cells(name) for name in chosen]), sample.in_view
    if rng.random_sample() < 0.5:
        points = points * np.array([1, -1, 1], dtype=np.float32)
        labels, counted = mirrored(labels), mirrored(counted)
        triples = [
            one._replace(cells=mirrored(one.cells), relation=MIRRORED.get(one.relation, one.relation))
            for one in triples
        ]
    known = np.isfinite(points).all(axis=1)
    return Batch(
        chosen,
        torch.from_numpy(points[known]),
        torch.from_numpy(scale * maps.reshape(len(maps), -1)[:, known]).float(),
        torch.from_numpy(labels),
        torch.from_numpy(counted),
        triples,
    )


def mirrored(cells: np.ndarray) -> np.ndarray:
    """Cells (..., c) mirrored left to right."""
    side = SIZES.side
    return np.flip(cells.reshape(*cells.shape[:-1], side, side, side), -2).reshape(cells.shape).copy()


def losses(network: Pair, batch: Batch, args: argparse.Namespace, rng: np.random.RandomState) -> tuple[Tensor, Tensor]:
    """Loss of the names, and loss of the relations."""
    volume = volumes(network.names, batch.points, batch.affinities, args.bfloat16)
    counted = batch.counted.expand_as(batch.labels)
    logits = at_centers(network.names, volume)[..., 0]
    names = (weighted_cross_entropy(logits, batch.labels, counted) + soft_jaccard(logits, batch.labels, counted)).mean()
    if not batch.triples:
        return names, names.new_zeros(())
    inside = np.flatnonzero(batch.counted.numpy())
    logits, labels = related(network, batch, volume, torch.from_numpy(inside[rng.permutation(len(inside))[:PLACES]]))
    every = torch.ones_like(labels)
    return names, (weighted_cross_entropy(logits, labels, every) + soft_jaccard(logits, labels, every)).mean()


def related(network: Pair, batch: Batch, volume: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and labels of the triples at some cells; volume: of the names."""
    rows = [[batch.names.index(name) for name in (one.target, one.reference)] for one in batch.triples]
    joined = volume[torch.tensor(rows)].flatten(1, 2)
    logits = relation_logits(network.pair, joined, [one.relation for one in batch.triples], cells)
    return logits, torch.from_numpy(np.stack([one.cells for one in batch.triples]))[:, cells]


def weighted_cross_entropy(logits: Tensor, labels: Tensor, counted: Tensor) -> Tensor:
    """Mean cross-entropy (b,) of logits and bool labels (b, c) over the counted cells (b, c).

    Filled cells have the weight sqrt(empty / filled), at least 1.
    """
    filled, every = (labels & counted).sum(1), counted.sum(1)
    weight = ((every - filled) / filled.clamp(min=1)).sqrt().clamp(min=1)
    each = binary_cross_entropy_with_logits(logits, labels.to(logits), reduction="none")
    each = each * torch.where(labels, weight[:, None], 1.0)
    return (each * counted).sum(1) / every.clamp(min=1)


def soft_jaccard(logits: Tensor, labels: Tensor, counted: Tensor) -> Tensor:
    """1 - IoU of probabilities for each name (b,); 0 for a name without a filled cell."""
    probable, labels = torch.sigmoid(logits) * counted, labels & counted
    both = (probable * labels).sum(1)
    either = probable.sum(1) + labels.sum(1) - both
    return torch.where(labels.any(1), 1 - both / either.clamp(min=1e-6), 0.0)


def iou(logits: Tensor, labels: Tensor, counted: Tensor, cutoffs: Tensor) -> Tensor:
    """IoU (b, t) at each cut-off (t,) over the counted cells; NaN if both sets are empty."""
    labels = labels & counted
    above = (logits[:, None] > cutoffs[:, None]) & counted[:, None]
    both, either = (above & labels[:, None]).sum(2), (above | labels[:, None]).sum(2)
    return both / either


class Training:
    """The network and its run."""

    def __init__(self, args: argparse.Namespace, state: Path | None = None) -> None:
        torch.manual_seed(args.seed)
        self.args, self.network = args, Pair()
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=args.learning_rate, weight_decay=0.01)
        settings = {key: getattr(args, key) for key in ("seed", "names", "relations", "learning_rate")}
        how = {key: getattr(args, key) for key in ("steps", "minutes", "resume")}
        self.run = Run(self.network, optimizer, settings, state, **how)

    def learn(self, views: Views) -> dict[str, float]:
        """One step; returns the losses of names and of relations."""
        args, step = self.args, self.run.step
        rng = np.random.RandomState([args.seed, step])
        order = np.random.RandomState([args.seed, step // len(views), 1]).permutation(len(views))
        batch = batch_of(views[order[step % len(views)]], rng, args.names)
        if batch is None:
            return {"names": 0.0, "relation": 0.0}
        names, relation = losses(self.network, batch, args, rng)
        rate = args.learning_rate * ramp(self.run.share, FALL, 0.005)
        self.run.descend(names + args.relations * relation, rate)
        return {"names": names.item(), "relation": relation.item()}


@torch.no_grad()
def checked(network: Pair, views: Views, count: int, half: bool) -> dict[str, tuple[float, float]]:
    """Best mean IoU over cut-offs on the first held-out views, and its cut-off, for names and for relations."""
    figures: dict[str, list[Tensor]] = {"names": [], "relations": []}
    every = torch.arange(len(CENTERS))
    for i in range(min(count, len(views))):
        batch = batch_of(views[i], np.random.RandomState([i, 3]), most=100, measured=True)
        if batch is None:
            continue
        volume = volumes(network.names, batch.points, batch.affinities, half)
        there = (batch.labels & batch.counted).any(1)
        pairs = {"names": (at_centers(network.names, volume[there])[..., 0], batch.labels[there])}
        if batch.triples:
            pairs["relations"] = related(network, batch, volume, every)
        for key, (logits, labels) in pairs.items():
            figures[key].append(iou(logits, labels, batch.counted.expand_as(labels), CUTOFFS))
    means = {key: torch.cat(of).nanmean(0) for key, of in figures.items() if of}
    return {key: (float(mean.max()), float(CUTOFFS[mean.argmax()])) for key, mean in means.items()}


def train(training: Training, views: Views, held_out: Views) -> None:
    args, run = training.args, training.run
    for line in run.lines(lambda: training.learn(views), args.every):
        figures = f"names {line['names']:.3f}  relation {line['relation']:.3f}  {run.minutes:.1f} min"
        print(f"step {run.step}  {figures}", flush=True)
        if run.keep(EVERY):
            for key, (best, cutoff) in checked(training.network, held_out, args.check, args.bfloat16).items():
                print(f"step {run.step}  held-out {key}: IoU {best:.3f} at {cutoff:+.2f}", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.train_completion", description=__doc__.split("\n")[0]
    )
    parser.add_argument("views", type=Path, help="a folder of `completion_samples`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=45.0, help="wall time of the whole run in minutes (45)")
    parser.add_argument("--steps", type=int, default=0, help="steps of the whole run, instead of minutes")
    parser.add_argument("--resume", action="store_true", help="resume from the state next to --out")
    parser.add_argument("--names", type=int, default=4, help="names per view, if it has them (default: 4)")
    parser.add_argument("--relations", type=float, default=0.5, help="weight of the relations' loss (default: 0.5)")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--float32", dest="bfloat16", action="store_false", help="for processors with slow bfloat16")
    parser.add_argument("--every", type=int, default=100, help="steps between two log lines (default: 100)")
    parser.add_argument("--check", type=int, default=20, help="held-out views of each check (default: 20)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    if args.minutes <= 0 or args.steps < 0 or args.names < 1:
        parser.error("--minutes must be above 0, --steps 0 or more, --names 1 or more")
    paths = {what: sorted(args.views.glob(f"{what}-*.npz")) for what in ("train", "held-out")}
    if not all(paths.values()):
        parser.error(f"{args.views} has no views; make them with `python -m benchmarks.training.completion_samples`")
    torch.set_num_threads(args.threads)
    state = args.out.with_suffix(".state.safetensors")
    if args.resume and not state.is_file():
        parser.error(f"--resume: there is no {state}")
    try:
        training = Training(args, state)
    except InputError as error:
        parser.error(str(error))
    train(training, Views(paths["train"]), Views(paths["held-out"]))
    run = training.run
    facts: dict[str, Any] = run.settings | {"steps": run.step, "minutes": round(run.minutes, 1)}
    with replacing(args.out) as partial:
        save_file(training.network.weights(), partial, metadata={"training": json.dumps(facts)})
    print(f"{args.out}: {sum(p.numel() for p in training.network.parameters()):,} parameters, {run.step} steps")


if __name__ == "__main__":
    main()
