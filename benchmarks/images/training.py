"""`python -m benchmarks resend_train`: joint training of an image encoder and a relation network, as in ReSeND.

Training data are a list or folders of images of base classes, or generated outlines. Pairs, loss, the check for
collapse, and resuming are in `openshape_ood.comparison.training`. The random augmentation depends only on seed, process
and step. `torchrun --nproc-per-node N -m benchmarks resend_train` divides the pairs among N processes, with nccl if
each has a GPU, else with gloo. Batch normalization uses the batch of each process on the CPU, and the whole batch on
GPUs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import options
from benchmarks.images.encoders import (
    COMPARATOR,
    find_encoder,
    new_network,
    of_network,
    photograph,
    save_system,
    tolerant,
)
from benchmarks.images.generated import generated
from benchmarks.images.lists import ImageList, listed, read_list
from benchmarks.training.log import Take, training_log
from benchmarks.training.processes import joined, own_device, processes
from openshape_ood import __version__
from openshape_ood.checks import check_share
from openshape_ood.cli.comparator import reporter
from openshape_ood.comparison import Comparator
from openshape_ood.comparison.families import RelationSimilarity
from openshape_ood.comparison.network import Relation, RelationSizes
from openshape_ood.comparison.pairs import PairSampler
from openshape_ood.comparison.training import (
    STATE,
    Batch,
    CollapseWarning,
    Progress,
    Recipe,
    collapse,
    decayed,
    is_collapsed,
    train,
)
from openshape_ood.errors import InputError
from openshape_ood.storage import own_folder

SMALL = "test_resnet"  # a network of timm with 0.4 million weights, for generated outlines


@dataclass(frozen=True)
class ImageRecipe(Recipe):
    """Settings of the joint training of encoder and relation network; `published()` has those of the paper.

    Parameters
    ----------
    lars : bool
        Use timm's LARS instead of `optimizer`.
    constant : bool
        Keep the rate constant after the warm-up.
    balanced : bool
        Draw all classes equally often.
    min_scale, max_scale : float
        Range of a crop's area, as a fraction of the image.
    flip, jitter_share, gray : float
        Probabilities of mirroring, color jitter and gray images.
    jitter : float
        Strength of the color jitter.
    side : int
        Pixels per side of the network's input.
    supervised : int
        Steps of a classifier training before the joint training. The paper's encoder was trained on ImageNet; from
        random weights, hardly any pair is learned.
    """

    lars: bool = False
    constant: bool = False
    balanced: bool = True
    min_scale: float = 0.8
    max_scale: float = 1.0
    flip: float = 0.5
    jitter: float = 0.8
    jitter_share: float = 0.5
    gray: float = 0.1
    side: int = 224
    supervised: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("flip", "jitter_share", "gray", "min_scale", "max_scale"):
            check_share(getattr(self, name), options.flag(name))
        if not 0 < self.min_scale <= self.max_scale:
            raise InputError(f"--min-scale is {self.min_scale}; expected above 0, and at most {self.max_scale}")
        if self.jitter < 0 or self.side < 8:
            raise InputError(f"--jitter is {self.jitter} and --side {self.side}; expected 0 and 8 or more")

    def rate_at(self, step: int) -> float:
        rising = max(1, round(self.warm_up * self.steps))
        return self.rate if self.constant and step >= rising else super().rate_at(step)


def published() -> ImageRecipe:
    """Settings of the paper, for 16 processes of 256 pairs. From random weights or with few pairs they collapse."""
    return ImageRecipe(
        width=768, depth=4, heads=12, std=0.02, steps=13_000, pairs=4096, negatives=20, rate=0.008, decay=5e-4,
        warm_up=500 / 13_000, optimizer="sgd", lars=True, zero_head=False, center=False, constant=True,
    )  # fmt: skip


def small() -> ImageRecipe:
    """Settings for the generated outlines; they learn a little in one or two minutes."""
    return ImageRecipe(
        steps=150, pairs=64, negatives=1, rate=2e-3, center=False, depth=1, side=48, jitter=0.3, flip=0.0,
        supervised=250,
    )  # fmt: skip


class System(nn.Module):
    """Pairs of images (n, 3, h, w) -> logits (n, outputs); batch statistics are over both images of all pairs."""

    def __init__(self, encoder: nn.Module, relation: Relation) -> None:
        super().__init__()
        self.encoder, self.relation = encoder, relation

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        features = self.encoder(torch.cat([a, b]))
        return self.relation(features[: len(a)], features[len(a) :])


class Steps(torch.utils.data.Dataset[Batch]):
    """Image pairs of each step. A step of a process always has the same pairs.

    stats: mean and standard deviation per channel; share: rank of the process, and number of processes.
    """

    def __init__(
        self, images: ImageList, recipe: ImageRecipe, stats: tuple[Any, Any], share: tuple[int, int] = (0, 1)
    ) -> None:
        from torchvision.transforms import v2

        self.images, self.recipe, (self.rank, world) = images, recipe, share
        least = world * (1 + recipe.negatives)
        if recipe.pairs < least:
            raise InputError(f"--pairs is {recipe.pairs} for {world} processes; expected {least} or more")
        self.anchors = recipe.pairs // least
        seed = (recipe.seed + 7919 * self.rank) % 2**32
        self.sampler = PairSampler(images.labels, recipe.negatives, seed, balanced=recipe.balanced)
        strength = recipe.jitter
        self.changed = v2.Compose(
            [
                v2.RandomResizedCrop(recipe.side, scale=(recipe.min_scale, recipe.max_scale)),
                v2.RandomHorizontalFlip(recipe.flip),
                v2.RandomApply([v2.ColorJitter(strength, strength, strength, min(0.1, strength))], recipe.jitter_share),
                v2.RandomGrayscale(recipe.gray),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(*stats),
            ]
        )

    def __len__(self) -> int:
        return self.recipe.steps

    def __getitem__(self, step: int) -> Batch:
        first, second, different = self.sampler.draw(self.anchors, step)
        seed = int(np.random.default_rng([self.recipe.seed, self.rank, step]).integers(2**62))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.stacked(first), self.stacked(second), torch.from_numpy(different)

    def stacked(self, rows: Any) -> Tensor:
        """Augmented images (n, 3, h, w) with these indices; uses torch's global random generator."""
        paths = [self.images.paths[int(row)] for row in rows]
        with tolerant():
            return torch.stack([self.changed(photograph(path)) for path in paths])


def supervise(encoder: Any, steps: Steps, rate: float = 5e-3, count: int = 64) -> None:
    """Train the encoder in place as a classifier of the base classes. All processes compute the same weights."""
    images, total = steps.images, steps.recipe.supervised
    labels = torch.from_numpy(np.unique(images.labels, return_inverse=True)[1])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(steps.recipe.seed)
        device = next(encoder.parameters()).device
        head = nn.Linear(int(encoder.num_features), len(images.names)).to(device)
        parameters = [*encoder.train().parameters(), *head.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total)
        for _ in range(total):
            rows = torch.randint(len(images), (count,))
            loss = nn.functional.cross_entropy(head(encoder(steps.stacked(rows).to(device))), labels[rows].to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def feed(steps: Steps, workers: int, device: torch.device) -> Callable[[int], Batch]:
    """Function step -> batch, for consecutive steps with any first step. `workers` processes prepare batches ahead."""
    coming = list[Iterator[Batch]]()

    def batch(step: int) -> Batch:
        if not coming:
            order = range(step, len(steps))
            coming.append(iter(torch.utils.data.DataLoader(steps, batch_size=None, sampler=order, num_workers=workers)))
        a, b, different = next(coming[0])
        return a.to(device), b.to(device), different.to(device)

    return batch


def train_system(
    images: ImageList,
    encoder: Any,
    name: str,
    recipe: ImageRecipe,
    folder: Path,
    *,
    workers: int = 0,
    device: str | None = "cpu",
    report: Callable[[Progress], None] | None = None,
) -> Comparator:
    """Train a network of timm in place, and a relation network on its features. Process 0 writes both.

    Raises `InputError` if the training has collapsed at its end. In this case only its state is written.
    """
    from timm.optim import Lars

    rank, world = processes()
    outputs = 1 + (recipe.loss != "tanh")
    sizes = RelationSizes(int(encoder.num_features), recipe.width, recipe.depth, recipe.heads, outputs=outputs)
    relation = Relation(sizes).initialize(recipe.seed, recipe.std, recipe.zero_head)
    config, what = encoder.pretrained_cfg, [asdict(recipe), name, world, images.labels.tolist()]
    steps = Steps(images, recipe, (config["mean"], config["std"]), (rank, world))
    digest = hashlib.sha256(json.dumps([*what, list(map(str, images.paths))]).encode())
    for one in encoder.parameters():
        digest.update(one.detach().cpu().numpy().tobytes())
    where = own_device(device)
    if world > 1 and where.type == "cuda":
        encoder = nn.SyncBatchNorm.convert_sync_batchnorm(encoder)
    network: nn.Module = System(encoder, relation).to(where)
    if recipe.supervised and not (folder / STATE).is_file():
        supervise(encoder, steps)
    if world > 1:
        network = nn.parallel.DistributedDataParallel(network)
    lars = Lars(decayed(network, recipe), lr=recipe.rate, momentum=0.9, always_adapt=True) if recipe.lars else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)  # shown by the report; an error is raised at the end
        history = train(
            network, feed(steps, workers, where), recipe, folder, digest.hexdigest(), None if rank else report,
            optimizer=lars, keeps=rank == 0,
        )  # fmt: skip
    if is_collapsed(history[-1]):
        raise InputError(
            f"the training has collapsed: {collapse(history[-1])}. Only the training state is written to {folder}"
        )
    made = of_network(encoder.cpu(), name, recipe.side)
    relation.cpu().eval().requires_grad_(False)
    card = {"classes": list(images.names.values()), "images": len(images), "recipe": asdict(recipe), "processes": world}
    card |= {"history": [asdict(one) for one in [*history[:: max(1, len(history) // 50)], history[-1]]]}
    similarity = RelationSimilarity(relation, np.zeros(sizes.dim), raw=True)
    comparator = Comparator.of(similarity, made.identity, card=card | {"version": __version__})
    if rank == 0:
        save_system(folder, comparator, made.network, name, recipe.side)
    return comparator


def small_system(base: ImageList, folder: Path, progress: bool = True) -> Path:
    """Train a small encoder and comparator on generated outlines, unless the folder has them; returns the folder."""
    recipe, network = small(), new_network(SMALL)
    if not (folder / COMPARATOR).is_file():
        train_system(base, network, SMALL, recipe, folder, report=reporter(recipe.steps) if progress else None)
    return folder


def recipe_of(args: argparse.Namespace) -> ImageRecipe:
    ours = small() if args.list is None and args.images is None else ImageRecipe(center=False)
    start = published() if args.published else ours
    given = {f.name: value for f in fields(ImageRecipe) if (value := getattr(args, f.name, None)) is not None}
    return replace(start, **given)


def run(args: argparse.Namespace) -> None:
    options.check(args)
    recipe = recipe_of(args)
    with joined(args.device) as (rank, world):
        images, missing, name = base_images(args)
        untrained = args.untrained or (name == SMALL and args.weights is None)  # SMALL has no published weights
        encoder: Any = new_network(name) if untrained else find_encoder(name, args.weights).network
        encoder.requires_grad_(True)
        show = rank == 0 and args.progress
        if show:
            skipped = f", {missing:,} missing" if missing else ""
            print(f"{len(images):,} images of {len(images.names)} classes{skipped}; {world} processes", file=sys.stderr)
        shown = reporter(recipe.steps) if show else None
        path, board = (args.log_file, args.tensorboard) if rank == 0 else (None, None)
        with training_log(path, board, resumed=(args.out / STATE).is_file()) as log:
            report = logged(log(encoder=name, processes=world), shown)
            comparator = train_system(
                images, encoder, name, recipe, args.out, workers=args.workers, device=args.device, report=report
            )
        if rank == 0:
            print(f"{comparator}\n{args.out}: evaluate it with python -m benchmarks resend --checkpoint {args.out}")


def base_images(args: argparse.Namespace) -> tuple[ImageList, int, str]:
    """Images of the base classes, number of missing images, and name of the encoder."""
    if args.list is None and args.images is None:
        place = generated(args.cache or own_folder("benchmarks"))
        return *read_list(place / "lists/ImageNet/train.txt", place / "data"), args.encoder or SMALL
    name, root = args.encoder or "resnet18", args.images
    if root is None or not root.is_dir():
        raise InputError(f"--data-root is {root}; expected the folder of the images in {args.list}")
    return *listed(args.list or root, root, args.skip_missing), name


def logged(take: Take, then: Callable[[Progress], None] | None) -> Callable[[Progress], None]:
    """Function that passes each record, with the elapsed seconds, to the log `take`, and then to `then`."""
    started = time.perf_counter()

    def report(now: Progress) -> None:
        take(asdict(now) | {"seconds": round(time.perf_counter() - started, 3)})
        if then:
            then(now)

    return report


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status, which is 1 for a collapsed training."""
    about = "joint training of an image encoder and a relation network on a list of base classes"
    parser = options.parser("resend_train", about, "device", "cache", "log_file", "tensorboard", workers=0)
    parser.set_defaults(out=Path("results/resend"))
    parser.add_argument(
        "--list",
        type=Path,
        help="file with a path and a label per line; without it, classes are folders of --data-root",
    )
    parser.add_argument(
        "--data-root",
        dest="images",
        type=Path,
        help="folder of the images in the list; without it, generated outlines",
    )
    parser.add_argument("--skip-missing", action="store_true", help="continue without missing images")
    parser.add_argument("--encoder", help=f"a network of timm (default: resnet18; {SMALL} for generated outlines)")
    parser.add_argument("--weights", type=Path, help="a file with the encoder's initial weights")
    parser.add_argument("--untrained", action="store_true", help="start the encoder from random weights")
    parser.add_argument("--published", action="store_true", help="use the paper's settings as defaults")
    for one in fields(ImageRecipe):
        if one.name not in ("center", "akin", "whiten", "turned"):  # these settings are for embeddings
            kind: Any = type(one.default)
            how = {"type": kind, "metavar": kind.__name__.upper()}
            how = {"action": argparse.BooleanOptionalAction} if kind is bool else how
            parser.add_argument(options.flag(one.name), default=None, help=f"(default: {one.default})", **how)
    return options.run(parser, run, argv, kept="; the same command resumes from the last saved step")
