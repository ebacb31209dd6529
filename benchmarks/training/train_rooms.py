"""Train a small point encoder in the text space of `tiny`, on generated rooms.

    python -m benchmarks.training.train_rooms --out tiny-points.safetensors --minutes 120
    python -m benchmarks.training.train_rooms --out tiny-points.safetensors --minutes 240 --resume    # resume it

A step uses a few whole rooms, which another process makes during the training: furniture of `room_samples.KNOWN`, and
other objects without a name. A voxel is attracted to the text vector of its class; a voxel without a name is trained to
equal probabilities of all classes. On one machine, a run with `--steps` is deterministic; a run with `--minutes` uses
the same rooms in the same order, but their number and the learning rates depend on the machine. The state is saved
every few minutes next to the weights, as NAME.state.safetensors.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from benchmarks.training import point_losses
from benchmarks.training.room_samples import CLASSES, OTHER, Batch, GeneratedRooms, as_they_are, together
from benchmarks.training.runs import EVERY, Run, ramp
from openshape_ood.encoders.text.encoder import TextEncoder, UntrainedNameWarning
from openshape_ood.errors import InputError
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.registry.rows import Row
from openshape_ood.scenes.sparse.network import SparseUNet
from openshape_ood.storage import replacing

NAME = "tiny-points"
LOSSES = ("softmax", "hinge", "focal", "cross_entropy")
FALL = 0.5  # fraction of a run over which the learning rate falls
MOST_STEPS = 1_000_000


def row() -> Row:
    return find_checkpoint(NAME, kinds=("points",))


def anchors_of(text: TextEncoder, center: bool = True) -> Tensor:
    """Unit text vectors (k, d) of the classes, centered unless `center` is False."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrainedNameWarning)  # `tiny` was not trained on "floor" and "wall"
        vectors = torch.from_numpy(text.encode(CLASSES))
    return point_losses.centered(vectors) if center else vectors


def initial_network(seed: int) -> SparseUNet:
    """The network before training, which the benchmark uses as "untrained"."""
    torch.manual_seed(seed)
    return SparseUNet(row().sizes)


class Objective(nn.Module):
    """Loss of embeddings (v, d) and classes (v,); rare classes have larger weights.

    Attributes
    ----------
    counts : Tensor (k,)
        Points of each class so far.
    """

    counts: Tensor

    def __init__(self, anchors: Tensor, kind: str, others: float, seed: int) -> None:
        super().__init__()
        self.anchors, self.kind, self.others = anchors, kind, others
        self.register_buffer("counts", torch.zeros(len(anchors), dtype=torch.float64))
        self.draws = torch.Generator().manual_seed(seed)

    def get_extra_state(self) -> Tensor:
        return self.draws.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        self.draws.set_state(state)

    def forward(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, and the logits (v, k)."""
        self.counts += torch.bincount(labels[labels >= 0], minlength=len(self.anchors))
        named, weights = labels.clamp(min=-1), self.weights()
        logits = point_losses.cosines(embeddings, self.anchors) / point_losses.TEMPERATURE
        if self.kind in ("softmax", "hinge"):
            per_point = point_losses.text_loss(self.kind, embeddings, self.anchors, named, self.draws)
        else:  # these logits are products with the anchors, without temperature
            gamma = 2.0 if self.kind == "focal" else 0.0
            per_point = point_losses.focal_loss(embeddings @ self.anchors.T, named, gamma=gamma)
        loss = point_losses.mean_of_labeled(per_point * weights[named.clamp(min=0)], named)
        return loss + self.others * self._of_others(logits[labels == OTHER]), logits

    def weights(self) -> Tensor:
        """Weights (k,) of the classes: frequency to the power of -1/2, with mean 1 over the points."""
        share = (self.counts + 1) / (self.counts + 1).sum()
        weights = share.rsqrt()
        return (weights / (share * weights).sum()).float()

    @staticmethod
    def _of_others(logits: Tensor) -> Tensor:
        """Loss of points without a name: cross-entropy to equal probabilities of all classes, minus its minimum."""
        if not len(logits):
            return logits.sum()
        return -F.log_softmax(logits, dim=1).mean() - torch.tensor(logits.shape[1]).log()


class Training:
    """The network, its objective and its run."""

    def __init__(self, text: TextEncoder, args: argparse.Namespace, state: Path | None = None) -> None:
        self.args, self.network = args, initial_network(args.seed).train()
        self.objective = Objective(anchors_of(text, args.center), args.loss, args.others, args.seed)
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=args.learning_rate, weight_decay=0.02)
        settings = {key: getattr(args, key) for key in ("seed", "loss", "others", "center", "rooms")}
        both = nn.ModuleDict({"network": self.network, "objective": self.objective})
        how = {key: getattr(args, key) for key in ("steps", "minutes", "resume")}
        self.run = Run(both, optimizer, settings, state, **how)

    def learn(self, batch: Batch) -> dict[str, float]:
        """One step; returns its loss, the number of right voxels and the number of named voxels."""
        rate = self.args.learning_rate * ramp(self.run.share, FALL, 0.01)
        loss, logits = self.objective(self.network(batch.numbers, batch.grid), batch.labels)
        self.run.descend(loss, rate)
        named = batch.labels >= 0
        right = (logits.argmax(1) == batch.labels)[named].sum()
        return {"loss": loss.item(), "right": int(right), "named": int(named.sum())}


def train(training: Training) -> SparseUNet:
    args, run = training.args, training.run
    left = (args.steps or MOST_STEPS) - run.step
    data = GeneratedRooms(row().scan.voxel, args.seed, run.step * args.rooms, left * args.rooms)
    how: dict[str, Any] = {"prefetch_factor": 4, "multiprocessing_context": "spawn"} if args.workers else {}
    loader = DataLoader(data, batch_size=args.rooms, num_workers=args.workers, collate_fn=as_they_are, **how)
    batches = map(together, loader)
    for line in run.lines(lambda: training.learn(next(batches)), args.every):
        accuracy = line["right"] / max(line["named"], 1)
        figures = f"loss {line['loss']:.3f}  accuracy {accuracy:.3f}  {run.minutes:.1f} min"
        print(f"step {run.step}  {figures}", flush=True)
        run.keep(EVERY)
    return training.network.eval()


def save(network: SparseUNet, path: Path, facts: dict[str, Any]) -> None:
    """Write the weights in half precision; the loader converts them to float32."""
    half = {key: one.half() if one.is_floating_point() else one for key, one in network.state_dict().items()}
    with replacing(path) as partial:
        save_file(half, partial, metadata={"training": json.dumps(facts)})


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.train_rooms", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=120.0, help="wall time of the whole run in minutes (120)")
    parser.add_argument("--steps", type=int, default=0, help="steps of the whole run, instead of minutes")
    parser.add_argument("--resume", action="store_true", help="resume from the state next to --out")
    parser.add_argument("--loss", choices=LOSSES, default="softmax")
    parser.add_argument("--others", type=float, default=0.25, help="weight of points without a name (default: 0.25)")
    parser.add_argument("--raw-anchors", dest="center", action="store_false", help="text vectors without centering")
    parser.add_argument("--rooms", type=int, default=2, help="rooms per step (default: 2)")
    parser.add_argument("--learning-rate", type=float, default=4e-3)
    parser.add_argument("--workers", type=int, default=1, help="processes that make rooms (default: 1)")
    parser.add_argument("--threads", type=int, default=1, help="threads of the network (default: 1)")
    parser.add_argument("--every", type=int, default=50, help="steps between two log lines (default: 50)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    if args.minutes <= 0 or args.steps < 0 or args.rooms < 1:
        parser.error("--minutes must be above 0, --steps 0 or more, --rooms 1 or more")
    if not args.out.parent.is_dir():
        parser.error(f"--out: there is no folder {args.out.parent}")
    torch.set_num_threads(args.threads)
    state = args.out.with_suffix(".state.safetensors")
    if args.resume and not state.is_file():
        parser.error(f"--resume: there is no {state}")
    try:
        training = Training(TextEncoder.from_pretrained("tiny", cache=False), args, state)
    except InputError as error:
        parser.error(str(error))
    network, run = train(training), training.run
    facts = run.settings | {"classes": CLASSES, "steps": run.step, "minutes": round(run.minutes, 1)}
    save(network, args.out, facts)
    print(f"{args.out}: {sum(p.numel() for p in network.parameters()):,} parameters, {run.step} steps")


if __name__ == "__main__":
    main()
