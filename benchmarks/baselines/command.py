"""The command `python -m benchmarks baselines`: the trained baselines of 3DOS, trained, scored and tabled.

python -m benchmarks baselines train --set sr1 --network dgcnn            # writes a file in the published layout
python -m benchmarks baselines eval --set sr1 --ckpt FILE.pth             # your own file, or another one
python -m benchmarks baselines table --data-seeds 0 1 2                   # all of it, beside a frozen encoder
"""

from __future__ import annotations

import argparse
import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import options
from benchmarks.baselines.jobs import BATCH_SIZE, GOES_ON, SUPPORT_POINTS, evaluate, train
from benchmarks.baselines.networks import HEADS, NETWORKS
from benchmarks.threedos.splits import split_names

SHARED = ("data_root", "device")
TRAIN_OPTIONS = {
    "epochs": (int, "passes over the data (3DOS: 250)"),
    "batch": (int, "shapes of a step (3DOS: 64, pn2_torch 32)"),
    "rate": (float, "the first one (3DOS: 0.1 for dgcnn, 0.001 else)"),
    "points": (int, "of a training shape (3DOS: 1024)"),
    "augmentation": (str, "rw or st (3DOS: rw)"),
}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = options.Parser(
        prog="python -m benchmarks baselines", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, dest="mode", metavar="train|eval|table")
    sets = [name for track in ("synthetic to real", "synthetic") for name in split_names(track)]
    for mode, about in (("train", "train a network"), ("eval", "score a file, one's own or somebody else's")):
        one = options.add(commands.add_parser(mode, help=about, allow_abbrev=False), *SHARED, "per_class", "data_seed")
        one.add_argument("--set", choices=sets, default="sr1", help="(default: %(default)s)")
        if mode == "train":
            one.add_argument("--network", choices=tuple(NETWORKS), default="dgcnn", help="(default: %(default)s)")
            one.add_argument("--head", choices=HEADS, default="CE", help="(default: %(default)s)")
            one.add_argument("--seed", type=int, default=1, help="of the training; 3DOS: 1, 41, 13718")
            for name, (kind, words) in TRAIN_OPTIONS.items():
                one.add_argument(options.flag(name), type=kind, help=words)
        else:
            one.add_argument("--ckpt", type=Path, required=True, help="the file, as 3DOS's trainer writes it")
            one.add_argument("--network", choices=tuple(NETWORKS), help="refuse the file of another")
            one.add_argument("--head", choices=HEADS, help="likewise")
            one.add_argument("--seed", type=int, default=1, help="of drawing points")
            one.add_argument("--support-points", type=int, default=SUPPORT_POINTS, help="(default: %(default)s)")
            one.add_argument("--test-points", type=int, help="(default: 2048 of scans, else 1024)")
            one.add_argument("--batch-size", type=int, default=BATCH_SIZE, help="(default: %(default)s)")
            words = "norms' statistics anew, from the support: a training of few steps leaves them wrong"
            one.add_argument("--settle", action="store_true", help=words)
            one.add_argument("--draws", **options.OPTIONS["draws"])
            one.add_argument("--no-pictures", **options.OPTIONS["no_pictures"])
    about = "train and score all, beside a frozen encoder"
    one = options.add(commands.add_parser("table", help=about, allow_abbrev=False), *SHARED, "model", "import")
    many: dict[str, Any] = {"nargs": "+", "help": "(default: %(default)s)"}
    one.add_argument("--sets", choices=sets, default=sets, **many)
    one.add_argument("--networks", choices=tuple(NETWORKS), default=["dgcnn", "pn2"], **many)
    one.add_argument("--heads", choices=HEADS, default=["CE"], **many)
    one.add_argument("--data-seeds", type=int, default=[0, 1, 2], **many | {"help": "of generated shapes"})
    one.add_argument("--seeds", type=int, default=[1], **many | {"help": "of trainings; 3DOS: 1 41 13718"})
    one.add_argument("--per-class", type=int, help="generated shapes (default: 12, of sn sets 5)")
    for name in ("epochs", "batch", "rate", "points"):
        kind, words = TRAIN_OPTIONS[name]
        one.add_argument(options.flag(name), type=kind, help=f"{words}; without data: small ones")
    for one in commands.choices.values():
        one.add_argument("--copies", action="store_true", help="trained with corrupted copies beside the support")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    args = parse(argv)

    def work() -> None:
        args.out.mkdir(parents=True, exist_ok=True)
        if args.mode == "table":
            from benchmarks.baselines.table import make

            options.check(args, data_seeds=0)
            return make(args)
        options.check(args, data_seed=0)
        return (train if args.mode == "train" else evaluate)(args)

    _keep_freed_memory()
    return options.finish(work, "" if args.mode == "eval" else GOES_ON)


def _keep_freed_memory() -> None:
    """Large arrays are made and freed at every layer: glibc gives them back to the system, which clears them anew."""
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
            library.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD
