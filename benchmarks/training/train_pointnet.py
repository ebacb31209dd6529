"""Train PointNet as a baseline for `small`, with the same batches, losses and text space.

    python -m benchmarks.training.train_pointnet PACK CLIP --out pointnet.safetensors --minutes 10 --leave-out realistic

Qi et al., "PointNet", arXiv 1612.00593: the layers of the classifier, without its two transformation networks, because
clouds are upright. `evaluate_small --pointnet` reads the output.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmarks.object_pack import read_pack
from benchmarks.training.runs import ramp
from benchmarks.training.small_data import FOLDS, Mixture, fold_of
from benchmarks.training.small_names import class_words, clip_targets, read_table
from benchmarks.training.train_small import POINTS, SIZES, Names
from benchmarks.training.vocabulary import trained_categories
from openshape_ood.shapes.points import to_unit_ball
from openshape_ood.storage import replacing


class PointNet(nn.Module):
    """Clouds (b, n, 6) -> embeddings (b, 512)."""

    def __init__(self) -> None:
        super().__init__()
        self.points = _layers(6, 64, 64, 64, 128, 1024)
        self.cloud = _layers(1024, 512, 256)
        self.proj = nn.Linear(256, SIZES.projection)

    def forward(self, points: Tensor) -> Tensor:
        each = self.points(points.flatten(0, 1)).unflatten(0, points.shape[:2])
        return self.proj(self.cloud(each.amax(dim=1)))


def _layers(*widths: int) -> nn.Sequential:
    pairs = itertools.pairwise(widths)
    return nn.Sequential(*(nn.Sequential(nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU()) for a, b in pairs))


@torch.no_grad()
def embeddings(path: Path, clouds: list[np.ndarray], seed: int = 0) -> np.ndarray:
    """Unit embeddings (b, 512) of y-up clouds (n, 6) in any unit, by the network of a file."""
    network = PointNet()
    network.load_state_dict(load_file(path))
    rng, rows = np.random.RandomState(seed), []
    for cloud in clouds:
        points = cloud[rng.choice(len(cloud), POINTS, replace=len(cloud) < POINTS)]
        prepared = np.hstack([to_unit_ball(points[:, :3], "cloud"), points[:, 3:]]).astype(np.float32)
        rows.append(network.eval()(torch.from_numpy(prepared[None])))
    return F.normalize(torch.cat(rows), dim=-1).numpy()


def train(args: argparse.Namespace) -> None:
    pack = read_pack(args.pack)
    if args.leave_out:
        pack = pack.of(np.array([fold_of(one) != args.leave_out for one in pack.sources]))
    categories = trained_categories()
    torch.manual_seed(args.seed)
    data = Mixture(categories, pack, (POINTS, 1, 1, 0.3), args.batch_size, args.seed)
    network, names = PointNet(), Names(clip_targets(class_words(categories, pack), read_table(args.clip)))
    parameters = [*network.parameters(), *names.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=args.rate, weight_decay=0.02)
    batches: Iterator[Any] = iter(data)
    started, step, right = time.process_time(), 0, list[float]()
    while (share := (time.process_time() - started) / 60 / args.minutes if args.minutes else step / args.steps) < 1:
        clouds = next(batches)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            embedded = network(clouds.points)
        loss, hits = names(embedded.float(), clouds.classes)
        for group in optimizer.param_groups:
            group["lr"] = args.rate * ramp(share, 0.9, 0.003)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        right.append(hits.item())
        if step % 50 == 0:
            minutes = (time.process_time() - started) / 60
            print(
                f"step {step}  loss {loss.item():.3f}  right {np.mean(right[-50:]):.3f}  {minutes:.1f} min", flush=True
            )
    facts = {"samples": step * args.batch_size, "seed": args.seed, "leave_out": args.leave_out, "minutes": args.minutes}
    with replacing(args.out) as partial:
        save_file(network.state_dict(), partial, metadata={"training": json.dumps(facts)})
    print(f"{args.out}: {sum(p.numel() for p in network.parameters()):,} parameters, {facts['samples']:,} clouds")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.train_pointnet", description=__doc__.split("\n")[0]
    )
    parser.add_argument("pack", type=Path, help="objects.npz with objects.csv, or a subfolder for each class")
    parser.add_argument("clip", type=Path, help="folder of CLIP's text features")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=0, help="CPU minutes; 0: use --steps (default: 0)")
    parser.add_argument("--steps", type=int, default=1000, help="(default: 1,000)")
    parser.add_argument("--leave-out", choices=FOLDS, default="", help="part of the pack to leave out")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1e-3, help="(default: 0.001)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    train(args)


if __name__ == "__main__":
    main()
