"""Train `small`, the packaged encoder that is also trained on modelled objects; resumable.

    python -m benchmarks.training.train_small PACK CLIP --out small.safetensors --state state.safetensors --minutes 240

PACK: named objects, in a layout of `benchmarks.object_pack`. CLIP: text features, as in
`benchmarks.training.small_names`.

The network is initialized from `tiny`: every channel, head and hidden unit is repeated, so that the output is equal;
noise then makes the copies different. Its cls token has two projections: to CLIP's centered names, which is the
embedding, and to the static names of `tiny`, for comparison (--space static writes that one). An auxiliary classifier
learns the variants of generated categories and the pack's names, and is not saved.

First, only the new layers are trained. The written weights are interpolated between the network at the end of this
phase and the moving average of its later weights (Wortsman et al., "Robust fine-tuning of zero-shot models", arXiv
2109.01903). They are written with every saved state. A run with --steps is deterministic; the number of steps of a run
with
--minutes depends on the machine.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks.object_pack import read_pack
from benchmarks.training.runs import keep, ramp, resumed
from benchmarks.training.small_data import FOLDS, Clouds, Mixture, fold_of
from benchmarks.training.small_names import Targets, class_words, clip_targets, read_table, static_targets
from benchmarks.training.vocabulary import trained_categories
from openshape_ood.encoders.pointbert.network import PointBERT
from openshape_ood.encoders.text.encoder import TextEncoder
from openshape_ood.registry.architectures import PointBERTSizes
from openshape_ood.registry.files import fetch
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.storage import replacing

POINTS, STATIC = 1024, 192
ALONE, ALONE_RATE = 0.04, 3e-3  # first fraction of the run, in which only the new layers learn, and its rate
EVERY = 4.0  # minutes between two saved states
SIZES = PointBERTSizes(
    width=256,
    depth=4,
    heads=8,
    head_width=32,
    mlp_width=1024,
    patches=48,
    radius=0.3,
    patch_points=24,
    patch_width=128,
    channels=6,
    projection=512,
)


def grown(tiny: Mapping[str, Tensor], noise: float, seed: int) -> tuple[PointBERT, nn.Linear]:
    """A network whose cls token is `tiny`'s, repeated, and the projection that gives `tiny`'s embeddings.

    noise: added to the copied matrices, as a fraction of their standard deviation.
    """
    torch.manual_seed(seed)
    network, static = PointBERT(SIZES), nn.Linear(SIZES.width, STATIC)
    own = network.state_dict()
    for key, value in tiny.items():
        if not key.startswith("proj."):
            own[key] = value if key.startswith("sa.") else _twice(value, own[key].shape, key)
    for key, value in own.items():
        if key.startswith(("transformer.", "lift.0")) and value.ndim > 1 and noise:
            own[key] = value + noise * value.std() * torch.randn_like(value)
    network.load_state_dict(own)
    static.load_state_dict({"weight": _twice(tiny["proj.weight"], static.weight.shape, ""), "bias": tiny["proj.bias"]})
    return network, static


def _twice(value: Tensor, shape: torch.Size, key: str) -> Tensor:
    """Repeat rows and columns up to a shape; columns are divided, so that products do not change."""
    if key.endswith("to_qkv.weight"):
        parts = [_twice(part, torch.Size((shape[0] // 3, shape[1])), "") for part in value.chunk(3)]
        return torch.cat(parts)
    times = [a // b for a, b in zip(shape, value.shape, strict=True)]
    return value.repeat(times) / (times[1] if len(times) > 1 else 1)


class Names(nn.Module):
    """Cross-entropy of embeddings over the words of a text space, see `Targets`."""

    vectors: Tensor
    weights: Tensor
    others: Tensor

    def __init__(self, targets: Targets) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))
        for name in ("vectors", "weights", "others"):
            self.register_buffer(name, torch.from_numpy(getattr(targets, name)), persistent=False)

    def forward(self, embedding: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of embeddings (b, d) with classes (b,), and accuracy: is the main word nearer than all negatives?"""
        scale = self.log_scale.clamp(max=np.log(50)).exp()
        logits = scale * F.normalize(embedding, dim=-1) @ self.vectors.T
        weights = self.weights[classes]
        others = logits.masked_fill(~self.others[classes], -torch.inf).logsumexp(dim=1, keepdim=True)
        loss = (weights * F.softplus(others - logits)).sum(dim=1)
        named = weights.sum(dim=1) > 0
        best = logits.masked_fill(~(self.others[classes] | (weights > 1)), -torch.inf).argmax(dim=1)
        right = weights.gather(1, best[:, None])[:, 0] > 1
        return loss.sum() / named.sum().clamp(min=1), right[named].float().mean()


class Learner(nn.Module):
    """All trained modules, the moving average of the weights, and the weights after the first phase."""

    def __init__(self, clip: Targets, static: Targets, data: Mixture, seed: int) -> None:
        super().__init__()
        tiny = load_file(fetch(find_checkpoint("tiny"), False))
        self.network, self.static = grown(tiny, 0.1, seed)
        self.clip_names, self.static_names = Names(clip), Names(static)
        self.classifier = nn.Linear(SIZES.width, data.fine)
        self.split = len(data.variants)
        self.average = copy.deepcopy(self._now()).requires_grad_(False)
        self.start = copy.deepcopy(self.average)
        self.network.sa.eval()  # the statistics of its batch normalization stay fixed

    def forward(self, clouds: Clouds, alone: bool = False) -> tuple[Tensor, dict[str, float]]:
        with torch.set_grad_enabled(not alone):
            cls = self._cls(clouds)
        clip, clip_right = self.clip_names(self.network.proj(cls), clouds.classes)
        static, static_right = self.static_names(self.static(cls), clouds.classes)
        fine = self._fine(self.classifier(cls), clouds.fine)
        figures = {"clip": clip.item(), "static": static.item(), "fine": fine.item()}
        figures |= {"clip right": clip_right.item(), "static right": static_right.item()}
        return clip + static + 0.7 * fine, figures

    def _cls(self, clouds: Clouds) -> Tensor:
        network = self.network
        with torch.autocast("cpu", dtype=torch.bfloat16):
            x = network._tokens(clouds.centers, network.sa(*clouds[:3]))
            *blocks, last = network._blocks()
            for block in blocks:
                x = block(x)
            return last(x, 1)[:, 0].float()

    def _now(self) -> nn.ModuleDict:
        return nn.ModuleDict({"network": self.network, "static": self.static})

    def _fine(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy over the variants for generated shapes, and over the pack's names for its objects."""
        generated = labels[:, None] < self.split
        variant = torch.arange(logits.shape[1]) < self.split
        return F.cross_entropy(logits.masked_fill(generated != variant, -1e4), labels)

    @torch.no_grad()
    def follow(self, step: int, most: float, alone: bool) -> None:
        now = self._now().state_dict()
        if alone:
            self.average.load_state_dict(now)
            self.start.load_state_dict(now)
            return
        decay = min(most, (step + 1) / (step + 20))
        for key, average in self.average.state_dict().items():
            if average.is_floating_point():
                average.lerp_(now[key], 1 - decay)

    def weights(self, space: str, back: float) -> dict[str, Tensor]:
        """Weights with the keys of PointBERT: average * (1 - back) + start * back; space: "clip" or "static"."""
        start = self.start.state_dict()
        mean = {
            key: value.lerp(start[key], back) if value.is_floating_point() else value
            for key, value in self.average.state_dict().items()
        }
        head = {"clip": "network.proj.", "static": "static."}[space]
        state = {key.removeprefix("network."): value for key, value in mean.items() if key.startswith("network.")}
        state |= {"proj." + key.removeprefix(head): value for key, value in mean.items() if key.startswith(head)}
        return {key: value.contiguous() for key, value in state.items()}


def optimizers_of(learner: Learner, matrix_rate: float, rate: float) -> list[Any]:
    """Muon for the matrices of the transformer, AdamW for all other parameters."""
    learning = {name: p for name, p in learner.named_parameters() if p.requires_grad}
    matrices = [p for name, p in learning.items() if name.startswith("network.transformer") and p.ndim == 2]
    chosen = {id(p) for p in matrices}
    rest = [p for p in learning.values() if id(p) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=matrix_rate, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=rate, weight_decay=0.02),
    ]


def write(learner: Learner, args: argparse.Namespace, facts: Mapping[str, Any]) -> None:
    for space in ("clip", "static"):
        path = args.out if space == args.space else args.out.with_suffix(f".{space}.safetensors")
        with replacing(path) as partial:
            save_file(
                learner.weights(space, args.back),
                partial,
                metadata={"training": json.dumps(dict(facts) | {"space": space})},
            )


def train(args: argparse.Namespace) -> None:
    pack = read_pack(args.pack)
    if args.leave_out:
        pack = pack.of(np.array([fold_of(one) != args.leave_out for one in pack.sources]))
    categories = trained_categories()
    words = class_words(categories, None if args.no_pack else pack)
    clip = clip_targets(words, read_table(args.clip))
    static = static_targets(words, TextEncoder.from_pretrained("tiny", cache=False))
    sizes = (POINTS, SIZES.patches, SIZES.patch_points, SIZES.radius)
    how = {"views": not args.no_views, "clutter": not args.no_clutter}
    data = Mixture(categories, None if args.no_pack else pack, sizes, args.batch_size, args.seed, **how)
    learner = Learner(clip, static, data, args.seed)
    rates = (args.matrix_rate, args.learning_rate)
    optimizers = optimizers_of(learner, *rates)
    named = ("batch_size", "matrix_rate", "learning_rate", "average", "leave_out", "no_pack", "no_views", "no_clutter")
    settings = {name: getattr(args, name) for name in (*named, "seed", "steps")}
    step, log = resumed(args.state, learner, optimizers, settings)
    before: float = log[-1]["minutes"] if log else 0.0
    data.first = step
    workers: dict[str, Any] = {"num_workers": 1, "prefetch_factor": 24, "multiprocessing_context": "spawn"}
    batches = iter(DataLoader(data, batch_size=None, **(workers if args.workers else {})))
    started, kept, figures = time.monotonic(), before, list[dict[str, float]]()
    parameters = [p for p in learner.parameters() if p.requires_grad]
    while True:
        minutes = before + (time.monotonic() - started) / 60
        share = step / args.steps if args.steps else minutes / args.minutes
        done = share >= 1
        if figures and (done or step % 50 == 0):
            means = {key: round(float(np.mean([one[key] for one in figures])), 4) for key in figures[0]}
            log.append({"step": step, **means, "minutes": round(minutes, 3)})
            print(json.dumps(log[-1]), flush=True)
            figures = []
        if done or minutes - kept >= EVERY:
            if args.state:
                keep(args.state, step, log, learner, optimizers, settings)
            write(
                learner,
                args,
                settings
                | {"back": args.back, "step": step, "minutes": round(minutes, 1), "samples": step * args.batch_size},
            )
            kept = minutes
        if done:
            break
        alone = share < ALONE
        loss, found = learner(next(batches), alone)
        now = (0.0, ALONE_RATE) if alone else [rate * ramp((share - ALONE) / (1 - ALONE), 0.9, 0.003) for rate in rates]
        for optimizer, rate in zip(optimizers, now, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimizer in optimizers:
            optimizer.step()
        learner.follow(step, args.average, alone)
        step += 1
        figures.append(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.train_small", description=__doc__.split("\n")[0]
    )
    parser.add_argument("pack", type=Path, help="objects.npz with objects.csv, or a subfolder for each class")
    parser.add_argument("clip", type=Path, help="folder of CLIP's text features")
    parser.add_argument("--out", type=Path, required=True, help="file of the weights, rewritten with every saved state")
    parser.add_argument("--state", type=Path, help="file of the training state, from which the command resumes")
    parser.add_argument("--steps", type=int, default=0, help="of the whole run; 0: use --minutes (default: 0)")
    parser.add_argument("--minutes", type=float, default=240, help="of the whole run (default: 240)")
    words = "text space of --out; the other one is written to OUT.SPACE.safetensors"
    parser.add_argument("--space", choices=("clip", "static"), default="clip", help=words)
    parser.add_argument("--leave-out", choices=FOLDS, default="", help="part of the pack to leave out")
    parser.add_argument("--no-pack", action="store_true", help="generated shapes only")
    parser.add_argument("--no-views", action="store_true", help="the pack's clouds without views, clutter and noise")
    parser.add_argument("--no-clutter", action="store_true", help="no floor, wall and foreign objects")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--matrix-rate", type=float, default=5e-4, help="learning rate of matrices (default: 0.0005)")
    words = "learning rate of all other parameters (default: 0.0005)"
    parser.add_argument("--learning-rate", type=float, default=5e-4, help=words)
    parser.add_argument("--average", type=float, default=0.998, help="decay of the moving average (default: 0.998)")
    words = "interpolation of the average towards the weights after the first phase (default: 0.25)"
    parser.add_argument("--back", type=float, default=0.25, help=words)
    parser.add_argument("--workers", type=int, choices=(0, 1), default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    train(args)


if __name__ == "__main__":
    main()
