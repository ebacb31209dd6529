"""Train the completion network that is in the package: from the affinity of a name to the whole of what it names.

    python -m benchmarks.training.completion_samples VIEWS                                       # once, 10 minutes
    python -m benchmarks.training.train_completion VIEWS --out completion.safetensors --minutes 45
    python -m benchmarks.training.train_completion VIEWS --out completion.safetensors --minutes 60 --resume

A step is one view: some of its names, completed from a stand-in for relevancy, and two targets in a relation to a
reference, one of them hidden, by the same U-Net. A run of `--steps` is a pure function of its arguments on one machine;
one of `--minutes` sees the same views in the same order, but how many is a matter of the machine. Its state is kept
beside the weights.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmarks.training.completion_affinities import stand_in
from benchmarks.training.completion_losses import iou, soft_jaccard, weighted_cross_entropy
from benchmarks.training.completion_samples import CENTERS, SIZES, Sample, Views
from benchmarks.training.completion_triples import MIRRORED, Triple, draw_triples
from openshape_ood.storage import replacing
from openshape_ood.views.completion.network import TEMPERATURE, CompletionNetwork

RELATION_SIZES = replace(SIZES, head="relation", pointing=64)
WARM, FALL = 0.03, 0.7  # shares of a run: the learning rate rises in the first, and falls over the last
EVERY = 3.0  # minutes between two states that are kept
CLEAN = 0.15  # share of views whose affinities are clean masks
PLACES = 8192  # cells at which a relation is learned
CUTOFFS = torch.arange(-6, 6.01, 0.25)
MOST_STEPS = 1_000_000


class Batch(NamedTuple):
    """Names of one view: points (n, 3), affinities (b, n), filled cells (b, c), cells in view (c,), and triples.

    names: (b,) of the rows.
    """

    names: list[str]

    points: Tensor
    affinities: Tensor
    labels: Tensor
    counted: Tensor
    triples: list[Triple]


class Pair(nn.Module):
    """The network of names and that of relations, with one U-Net."""

    def __init__(self) -> None:
        super().__init__()
        self.names = CompletionNetwork(SIZES)
        self.pair = CompletionNetwork(RELATION_SIZES)
        self.pair.points, self.pair.unet = self.names.points, self.names.unet

    def weights(self) -> dict[str, Tensor]:
        """Of both, each once, in half precision: those of relations begin with "pair."."""
        own = self.names.state_dict()
        own |= {f"pair.{key}": value for key, value in self.pair.state_dict().items() if key not in own}
        own |= {f"pair.{key}": value for key, value in self.pair.state_dict().items() if key.startswith("decoder.")}
        return {key: value.half().contiguous() for key, value in own.items()}


def volumes(network: CompletionNetwork, points: Tensor, affinities: Tensor, half: bool = False) -> Tensor:
    """The volumes (b, f, s, s, s) of names with affinities (b, n) at points (n, 3); half: in bfloat16."""
    scattered = network.scattered(points.expand(len(affinities), -1, -1), affinities[..., None])
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        return network.unet(scattered).float()


def at_centers(network: CompletionNetwork, volume: Tensor, cells: Tensor | None = None) -> Tensor:
    """What `decode` gives at the middles of the grid's own cells (c,), or some of them, without interpolation."""
    at = network.grid.positions(torch.from_numpy(CENTERS).float())
    found = volume.flatten(2)
    if cells is not None:
        found, at = found[..., cells], at[cells]
    return network.decoder(torch.cat([found.transpose(1, 2), at.expand(len(found), -1, -1)], -1))


def relation_logits(
    network: CompletionNetwork, joined: Tensor, relations: Sequence[str], cells: Tensor | None = None
) -> Tensor:
    """Logits (b, c) of targets in relations, joined (b, 2f, s, s, s) being the volumes of target and reference."""
    query = network.relation_query(relations)[:, None]
    return nn.functional.cosine_similarity(at_centers(network, joined, cells), query, dim=-1) / TEMPERATURE


def batch_of(sample: Sample, rng: np.random.RandomState, most: int, measured: bool = False) -> Batch | None:
    """At least `most` names of a view, if it has them, mirrored every other time; None where nothing is in view.

    Severity and scale of what the names light up vary, unless it is to be measured.
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
    # what is shown beside them counts in the mean that is taken off
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
    """Cells (..., c) with left and right exchanged."""
    side = SIZES.side
    return np.flip(cells.reshape(*cells.shape[:-1], side, side, side), -2).reshape(cells.shape).copy()


def losses(network: Pair, batch: Batch, args: argparse.Namespace, rng: np.random.RandomState) -> tuple[Tensor, Tensor]:
    """Of the names and of the relation."""
    found = volumes(network.names, batch.points, batch.affinities, args.bfloat16)
    counted = batch.counted.expand_as(batch.labels)
    logits = at_centers(network.names, found)[..., 0]
    names = (weighted_cross_entropy(logits, batch.labels, counted) + soft_jaccard(logits, batch.labels, counted)).mean()
    if not batch.triples:
        return names, names.new_zeros(())
    inside = np.flatnonzero(batch.counted.numpy())
    logits, labels = related(network, batch, found, torch.from_numpy(inside[rng.permutation(len(inside))[:PLACES]]))
    every = torch.ones_like(labels)
    return names, (weighted_cross_entropy(logits, labels, every) + soft_jaccard(logits, labels, every)).mean()


def related(network: Pair, batch: Batch, found: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and labels of the triples at some cells, found: the volumes of the names."""
    rows = [[batch.names.index(name) for name in (one.target, one.reference)] for one in batch.triples]
    joined = found[torch.tensor(rows)].flatten(1, 2)
    logits = relation_logits(network.pair, joined, [one.relation for one in batch.triples], cells)
    return logits, torch.from_numpy(np.stack([one.cells for one in batch.triples]))[:, cells]


class Training:
    """A run: network, optimizer, and how far it is."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(args.seed)
        self.args, self.step, self.minutes, self.network = args, 0, 0.0, Pair()
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=args.learning_rate, weight_decay=0.01)
        self.settings = {key: getattr(args, key) for key in ("seed", "names", "relations", "learning_rate")}
        self.started = time.monotonic()

    def share(self) -> float:
        """Of the run, what is over."""
        self.minutes = (time.monotonic() - self.started) / 60
        return self.step / self.args.steps if self.args.steps else self.minutes / self.args.minutes

    def learn(self, views: Views, share: float) -> tuple[float, float]:
        """One step; the loss of names and that of the relation."""
        args, rng = self.args, np.random.RandomState([self.args.seed, self.step])
        order = np.random.RandomState([args.seed, self.step // len(views), 1]).permutation(len(views))
        batch = batch_of(views[order[self.step % len(views)]], rng, args.names)
        self.step += 1
        if batch is None:
            return 0.0, 0.0
        for group in self.optimizer.param_groups:
            group["lr"] = args.learning_rate * max(min(share / WARM, 1.0, (1 - share) / FALL), 0.005)
        names, relation = losses(self.network, batch, args, rng)
        self.optimizer.zero_grad()
        (names + args.relations * relation).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        return names.item(), relation.item()

    def keep(self, path: Path) -> None:
        state = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(), "step": self.step}
        with replacing(path) as partial:
            torch.save(state | {"minutes": self.minutes, "settings": self.settings}, partial)

    def resume(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        if state["settings"] != self.settings:
            raise SystemExit(f"error: {path} is of a run with {state['settings']}; this one has {self.settings}")
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.started = state["step"], time.monotonic() - 60 * state["minutes"]


@torch.no_grad()
def checked(network: Pair, views: Views, count: int, half: bool) -> dict[str, tuple[float, float]]:
    """The best mean IoU over cut-offs on the first held-out views, and that cut-off: of names, and of relations."""
    figures: dict[str, list[Tensor]] = {"names": [], "relations": []}
    every = torch.arange(len(CENTERS))
    for i in range(min(count, len(views))):
        batch = batch_of(views[i], np.random.RandomState([i, 3]), most=100, measured=True)
        if batch is None:
            continue
        found = volumes(network.names, batch.points, batch.affinities, half)
        there = (batch.labels & batch.counted).any(1)
        pairs = {"names": (at_centers(network.names, found[there])[..., 0], batch.labels[there])}
        if batch.triples:
            pairs["relations"] = related(network, batch, found, every)
        for key, (logits, labels) in pairs.items():
            figures[key].append(iou(logits, labels, batch.counted.expand_as(labels), CUTOFFS))
    means = {key: torch.cat(of).nanmean(0) for key, of in figures.items() if of}
    return {key: (float(mean.max()), float(CUTOFFS[mean.argmax()])) for key, mean in means.items()}


def train(run: Training, views: Views, held_out: Views, state: Path) -> None:
    args, kept, sums = run.args, run.minutes, np.zeros(3)
    while run.step < (args.steps or MOST_STEPS) and (share := run.share()) < 1:
        names, relation = run.learn(views, share)
        sums += [names, relation, 1]
        if run.step % args.every == 0:
            figures = f"names {sums[0] / sums[2]:.3f}  relation {sums[1] / sums[2]:.3f}  {run.minutes:.1f} min"
            print(f"step {run.step}  {figures}", flush=True)
            sums[:] = 0
        if run.minutes - kept >= EVERY:
            report(run, held_out)
            run.keep(state)
            kept = run.minutes
    report(run, held_out)
    run.keep(state)


def report(run: Training, held_out: Views) -> None:
    for key, (best, cutoff) in checked(run.network, held_out, run.args.check, run.args.bfloat16).items():
        print(f"step {run.step}  held-out {key}: IoU {best:.3f} at {cutoff:+.2f}", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.train_completion", description=__doc__.split("\n")[0]
    )
    parser.add_argument("views", type=Path, help="a folder of `completion_samples`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=45.0, help="wall time of the run, resumed or not (45)")
    parser.add_argument("--steps", type=int, default=0, help="in place of minutes")
    parser.add_argument("--resume", action="store_true", help="go on from the state beside --out")
    parser.add_argument("--names", type=int, default=4, help="of a view, if it has them (default: 4)")
    parser.add_argument("--relations", type=float, default=0.5, help="weight of their loss (default: 0.5)")
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--float32", dest="bfloat16", action="store_false", help="where bfloat16 is slow")
    parser.add_argument("--every", type=int, default=100, help="steps between two lines (default: 100)")
    parser.add_argument("--check", type=int, default=20, help="held-out views of the curve (default: 20)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    if args.minutes <= 0 or args.steps < 0 or args.names < 1:
        parser.error("--minutes must be above 0, --steps 0 or more, --names 1 or more")
    paths = {what: sorted(args.views.glob(f"{what}-*.npz")) for what in ("train", "held-out")}
    if not all(paths.values()):
        parser.error(f"{args.views} has no views; make them with `python -m benchmarks.training.completion_samples`")
    torch.set_num_threads(args.threads)
    run, state = Training(args), args.out.with_suffix(".state.pt")
    if args.resume:
        run.resume(state)
    train(run, Views(paths["train"]), Views(paths["held-out"]), state)
    facts: dict[str, Any] = run.settings | {"steps": run.step, "minutes": round(run.minutes, 1)}
    with replacing(args.out) as partial:
        save_file(run.network.weights(), partial, metadata={"training": json.dumps(facts)})
    print(f"{args.out}: {sum(p.numel() for p in run.network.parameters()):,} parameters, {run.step} steps")


if __name__ == "__main__":
    main()
