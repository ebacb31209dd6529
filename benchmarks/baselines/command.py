"""`python -m benchmarks baselines`: train and evaluate the networks of 3DOS, and compare them in a table.

python -m benchmarks baselines train --set sr1 --network dgcnn            # writes a checkpoint in the published layout
python -m benchmarks baselines eval --set sr1 --ckpt FILE.pth             # evaluates your checkpoint or a published one
python -m benchmarks baselines table --data-seeds 0 1 2                   # all networks and a frozen encoder
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
    "epochs": (int, "epochs (3DOS: 250)"),
    "batch": (int, "shapes per step (3DOS: 64, pn2_torch 32)"),
    "rate": (float, "initial learning rate (3DOS: 0.1 for dgcnn, else 0.001)"),
    "points": (int, "points per training shape (3DOS: 1024)"),
    "augmentation": (str, "augmentation, rw or st (3DOS: rw)"),
}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = options.Parser(
        prog="python -m benchmarks baselines", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, dest="mode", metavar="train|eval|table")
    sets = [name for track in ("synthetic to real", "synthetic") for name in split_names(track)]
    for mode, about in (("train", "train a network"), ("eval", "evaluate a checkpoint of your own or a published one")):
        one = options.add(commands.add_parser(mode, help=about, allow_abbrev=False), *SHARED, "per_class", "data_seed")
        one.add_argument("--set", choices=sets, default="sr1", help="benchmark (default: %(default)s)")
        if mode == "train":
            one.add_argument("--network", choices=tuple(NETWORKS), default="dgcnn", help="(default: %(default)s)")
            one.add_argument("--head", choices=HEADS, default="CE", help="head (default: %(default)s)")
            one.add_argument("--seed", type=int, default=1, help="seed of the training (3DOS: 1, 41, 13718)")
            for name, (kind, words) in TRAIN_OPTIONS.items():
                one.add_argument(options.flag(name), type=kind, help=words)
        else:
            one.add_argument("--ckpt", type=Path, required=True, help="checkpoint in the layout of 3DOS's trainer")
            one.add_argument("--network", choices=tuple(NETWORKS), help="refuse checkpoints of other networks")
            one.add_argument("--head", choices=HEADS, help="refuse checkpoints of other heads")
            one.add_argument("--seed", type=int, default=1, help="seed of the drawn points")
            points, size = (SUPPORT_POINTS, "points per support shape"), (BATCH_SIZE, "shapes evaluated at once")
            options.add_numbers(one, support_points=points, batch_size=size)
            words = "points per test shape (default: 2048 for scans, else 1024)"
            one.add_argument("--test-points", type=int, help=words)
            words = "recompute the statistics of batch normalization on the support; needed after few training steps"
            one.add_argument("--settle", action="store_true", help=words)
            one.add_argument("--draws", **options.OPTIONS["draws"])
            one.add_argument("--no-pictures", **options.OPTIONS["no_pictures"])
    about = "train and evaluate all networks, and compare them with a frozen encoder"
    one = options.add(commands.add_parser("table", help=about, allow_abbrev=False), *SHARED, "model", "import")
    many: dict[str, Any] = {"nargs": "+", "help": "(default: %(default)s)"}
    one.add_argument("--sets", choices=sets, default=sets, **many)
    one.add_argument("--networks", choices=tuple(NETWORKS), default=["dgcnn", "pn2"], **many)
    one.add_argument("--heads", choices=HEADS, default=["CE"], **many)
    one.add_argument("--data-seeds", type=int, default=[0, 1, 2], **many | {"help": "seeds of the generated shapes"})
    one.add_argument("--seeds", type=int, default=[1], **many | {"help": "seeds of the trainings (3DOS: 1 41 13718)"})
    one.add_argument("--per-class", type=int, help="generated shapes per class (default: 12, for sn sets 5)")
    for name in ("epochs", "batch", "rate", "points"):
        kind, words = TRAIN_OPTIONS[name]
        one.add_argument(options.flag(name), type=kind, help=f"{words}; without --data-root: a small value")
    for one in commands.choices.values():
        one.add_argument("--copies", action="store_true", help="train on the support and its corrupted copies")
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
    """Make glibc keep freed memory. Else it returns the large arrays of each layer to the system, which costs time."""
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt"):
            library.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
            library.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD
