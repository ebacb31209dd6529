"""`python -m benchmarks.resend_train`: an image encoder and a relation network trained together, as ReSeND was."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks import options
from benchmarks.images.encoders import find_encoder, new_network
from benchmarks.images.generated import generated
from benchmarks.images.lists import read_list
from benchmarks.images.training import SMALL, ImageRecipe, processes, published, small, train_system
from openshape_ood.cli.comparator import told
from openshape_ood.errors import InputError
from openshape_ood.storage import own_folder


def recipe_of(args: argparse.Namespace) -> ImageRecipe:
    start = published() if args.published else small() if args.list is None else ImageRecipe(center=False)
    given = {f.name: value for f in fields(ImageRecipe) if (value := getattr(args, f.name, None)) is not None}
    return replace(start, **given)


def run(args: argparse.Namespace) -> None:
    options.check(args, workers=0)
    recipe = recipe_of(args)
    rank, world = processes()
    if world > 1:
        torch.distributed.init_process_group("gloo")
    try:
        if args.list is None:
            place = generated(args.cache or own_folder("benchmarks"))
            path, root, name = place / "lists/ImageNet/train.txt", place / "data", args.encoder or SMALL
        else:
            path, root, name = args.list, args.images, args.encoder or "resnet18"
            if root is None or not root.is_dir():
                raise InputError(f"--data-root is {root}; expected the folder that the paths of {path} start from")
        images, missing = read_list(path, root, args.skip_missing)
        untrained = args.untrained or (name == SMALL and args.weights is None)  # nothing is published for it
        encoder: Any = new_network(name) if untrained else find_encoder(name, args.weights).network
        encoder.requires_grad_(True)
        show = rank == 0 and args.progress
        if show:
            skipped = f", {missing:,} not there" if missing else ""
            print(f"{len(images):,} images of {len(images.names)} classes{skipped}; {world} processes", file=sys.stderr)
        report = told(recipe.steps) if show else None
        comparator = train_system(
            images, encoder, name, recipe, args.out, workers=args.workers, device=args.device, report=report
        )
        if rank == 0:
            print(f"{comparator}\n{args.out}: python -m benchmarks.resend --checkpoint {args.out} takes it")
    finally:
        if world > 1:
            torch.distributed.destroy_process_group()


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done, 1 with one line on stderr when the input was wrong or the training collapsed."""
    about = "an image encoder and a relation network trained together on a list of base classes"
    parser = options.parser("resend_train", about, "device", "cache", workers=0)
    parser.set_defaults(out=Path("results/resend"))
    parser.add_argument("--list", type=Path, help="lines of a path and a label; without it, generated outlines")
    parser.add_argument("--data-root", dest="images", type=Path, help="the folder that the paths start from")
    parser.add_argument("--skip-missing", action="store_true", help="leave out images that are not there")
    parser.add_argument("--encoder", help=f"a network of timm (default: resnet18; {SMALL} for generated outlines)")
    parser.add_argument("--weights", type=Path, help="a file with the encoder's first weights")
    parser.add_argument("--untrained", action="store_true", help="the encoder's first weights at random")
    parser.add_argument("--published", action="store_true", help="the paper's settings where none is given")
    for one in fields(ImageRecipe):
        if one.name not in ("center", "akin"):
            kind: Any = type(one.default)
            how = {"type": kind, "metavar": kind.__name__.upper()}
            how = {"action": argparse.BooleanOptionalAction} if kind is bool else how
            parser.add_argument(options.flag(one.name), default=None, help=f"(ours: {one.default})", **how)
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args), kept="; the same command goes on from the last step that was kept")
