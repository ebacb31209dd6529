"""`python -m benchmarks resend`: the evaluation of ReSeND on its image lists, with baselines.

The images of a support list are examples of the known classes. The target list has images of known and of unknown
classes. Without --data-root, the command draws images and trains a small encoder and relation network once.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import options
from benchmarks.images.encoders import embed, find_encoder, read_system
from benchmarks.images.evaluation import (
    CONVENTION,
    Measured,
    few_shot,
    known_classes,
    learned,
    measure,
    overlap_notes,
    ways,
)
from benchmarks.images.generated import generated
from benchmarks.images.lists import (
    DATASETS,
    ImageList,
    Setting,
    counts,
    folder_settings,
    listed,
    read_setting,
    settings,
)
from benchmarks.report.output import write_json
from benchmarks.report.tables import percent
from benchmarks.threedos.protocol import cache_folder
from openshape_ood.comparison import Comparator
from openshape_ood.comparison.families import FAMILIES
from openshape_ood.comparison.released import NETWORKS, ImageFeatures
from openshape_ood.encoders.devices import find_device
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.storage import own_folder

EVALUATORS = ("prototypes", "significant", "neighbors")
DRAWN = "!!! GENERATED IMAGES (no --data-root): figures are of drawn outlines, not of ReSeND's data sets"


Read = tuple[Setting, ImageList, ImageList, list[str]]  # setting, support, target, notes


def places(args: argparse.Namespace) -> tuple[Path, Path | None, Path | None]:
    """Folder of the images, folder of the lists (None: classes are folders), and list or folder of the base classes."""
    if args.root is None:
        if args.lists or args.dataset not in (None, "PACS_DG") or args.unknown:
            words = f"{args.dataset or 'PACS_DG'} with --lists {args.lists}"
            raise InputError(f"{words} needs --data-root, the folder of the images")
        place = generated(cache_folder(args) or args.out)
        return place / "data", place / "lists", args.base or place / "lists/ImageNet/train.txt"
    for option, folder in (("--data-root", args.root), ("--lists", args.lists)):
        if folder is not None and not folder.is_dir():
            raise InputError(
                f"{option}: there is no folder {folder}; expected the folder that benchmarks/README.md describes"
            )
    if args.lists is None and args.dataset is not None:
        raise InputError(
            f"--dataset {args.dataset} needs --lists; without lists, --data-root is read as DOMAIN/CLASS/IMAGE"
        )
    if args.lists is not None and args.unknown:
        raise InputError("--unknown and --lists are given together; the lists already define the known classes")
    return args.root, args.lists, args.base


def read_settings(args: argparse.Namespace, root: Path, lists: Path | None) -> list[Read]:
    """Read all requested settings, from lists or from folders."""
    if lists is None:
        made = folder_settings(root, args.unknown, args.source, args.target)
        note = f"lists made from the folders of {root}; --unknown: {', '.join(args.unknown) or 'none'}"
        return [(*one, [note] if i == 0 else []) for i, one in enumerate(made)]
    wanted = settings(args.dataset or "PACS_DG", args.source, args.target)
    return [(one, *read_setting(one, lists, root, args.skip_missing)) for one in wanted]


def system(args: argparse.Namespace, base: ImageList | None) -> tuple[Comparator | None, ImageFeatures, list[str]]:
    """The relation network (None if the encoder has none), the encoder, and notes on them."""
    relation, notes = None, list[str]()
    if args.checkpoint is not None and args.encoder is not None:
        raise InputError("--checkpoint and --encoder are given together. A checkpoint has its own encoder. Remove one")
    if args.checkpoint is not None:
        relation, images = read_system(args.checkpoint, args.network)
    elif args.encoder is not None:
        images = find_encoder(args.encoder, args.weights)
    elif args.root is None and base is not None:
        from benchmarks.images.training import SMALL, small_system

        folder = (cache_folder(args) or args.out) / f"resend-{SMALL}"
        relation, images = read_system(small_system(base, folder, args.progress))
        notes = [f"!!! A SMALL NETWORK, {SMALL} AT 48 x 48 PIXELS, trained for a minute on outlines: {folder}"]
    else:
        raise InputError("there is no encoder. Expected --checkpoint DIR (published files) or --encoder NAME. Give one")
    device = find_device(args.device)
    images.network.to(device)
    if relation is not None:
        network: Any = relation.similarity
        network.network.to(device)
    return relation, images, notes


def table(rows: Sequence[Measured]) -> str:
    """One line per setting and method, then means over the settings if there are several."""
    several, lines = len({row.setting for row in rows}) > 1, list[tuple[str, ...]]()
    for row in [*rows, *(means(rows) if several else [])]:
        auroc, *others = (percent(value) for value in row.figures[:4])
        if row.intervals:
            auroc += " [{}-{}]".format(*map(percent, row.intervals["auroc"]))
        lines.append((row.setting, row.method, auroc, *others))
    head = ("setting", "compared by", "AUROC", "FPR95 published", "FPR95 interpolated", "accuracy")
    return options.grid(head, lines, words=2)


def means(rows: Sequence[Measured]) -> list[Measured]:
    """Mean of each method over the settings."""
    by_method = {row.method: [one.figures for one in rows if one.method == row.method] for row in rows}
    return [Measured("mean", name, *np.mean(figures, axis=0).tolist()) for name, figures in by_method.items()]


def run(args: argparse.Namespace) -> None:
    options.check(args, nnk=1, few_shot=1, draws=0)
    root, lists, base_list = places(args)
    args.out.mkdir(parents=True, exist_ok=True)
    read = read_settings(args, root, lists)
    base, lacking = (None, 0) if base_list is None else listed(base_list, root, args.skip_missing)
    relation, images, notes = system(args, base)
    notes += [DRAWN] if args.root is None else []
    notes += [f"!!! {lacking:,} images of {base_list} are not there"] if lacking else []
    how = {"workers": args.workers, "cache": cache_folder(args), "progress": args.progress}
    features: Any = partial(embed, images, batch_size=args.batch_size, **how)
    fitted = None
    if base is not None:
        names = [base.names[int(label)] for label in base.labels]
        fitted = KnownClasses.from_embeddings(features(base.paths), names, images.identity)
    compared = learned(fitted, relation, args.families)
    rows, lines, records = list[Measured](), list[str](), list[dict[str, Any]]()
    for setting, support, target, warnings in read:
        counted = counts(support, target)
        differ = counted.differences(setting.published) if args.root and setting.published else []
        warnings += overlap_notes(fitted.names if fitted else (), [*support.names.values(), *target.names.values()])
        lines.append(f"{setting.title}: {counted}")
        lines += [f"!!! COUNTS DIFFER FROM THE PUBLISHED ONES: {'; '.join(differ)}"] if differ else []
        lines += [f"!!! {one}" for one in warnings]
        everything, tested = features(support.paths), features(target.paths)
        taken = few_shot(support.labels, args.few_shot, args.replacement, args.seed)
        known = known_classes(support, everything, taken, images)
        methods = ways(compared, args.evaluators, args.nnk, len(known.names) > 1)
        rows += measure(setting, target, tested, known, np.unique(support.labels), args.draws, methods)
        record = {
            "setting": setting.title,
            "counts": asdict(counted),
            "published": setting.published and asdict(setting.published),
        }
        records.append(record | {"differs": differ, "notes": warnings})
    path = write_json(args.out / f"{stem(args)}.json", report(args, images, notes, records, rows))
    print(*notes, *lines, f"encoder: {images.identity}", CONVENTION, "", table(rows), "", path, sep="\n")


def report(
    args: argparse.Namespace,
    images: ImageFeatures,
    notes: Sequence[str],
    records: Sequence[Mapping[str, Any]],
    rows: Sequence[Measured],
) -> dict[str, Any]:
    keys = ("few_shot", "replacement", "seed", "nnk", "evaluators", "families", "draws", "skip_missing", "unknown")
    return {
        "dataset": dataset_of(args),
        "generated": args.root is None,
        "notes": list(notes),
        "identity": asdict(images.identity),
        "settings": {key: getattr(args, key) for key in keys},
        "convention": CONVENTION,
        "lists": list(records),
        "rows": [asdict(row) for row in rows],
        "means": [asdict(row) for row in means(rows)],
    }


def dataset_of(args: argparse.Namespace) -> str:
    """Name of the data set; without lists, the name of its folder."""
    return str(args.root.resolve().name if args.root and not args.lists else args.dataset or "PACS_DG")


def stem(args: argparse.Namespace) -> str:
    """File name of a run: data set, encoder, and changed settings."""
    words = ["resend", dataset_of(args) if args.root else "generated", args.source, args.target]
    words += [args.checkpoint.name if args.checkpoint else args.encoder or "small"]
    words += ["unknown", *args.unknown] if args.unknown else []
    if args.few_shot is not None:
        words.append(f"{args.few_shot}-shot{'' if args.replacement else '-once'}-{args.seed}")
    if (args.evaluators, args.nnk) != (["prototypes"], 1):
        words += [*args.evaluators, str(args.nnk)]
    return "-".join(word.replace("/", "_").replace(":", "_") for word in words if word)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    about = "ReSeND's evaluation on its image lists, with baselines"
    names = ("seed", "device", "batch_size", "workers", "cache", "no_cache")
    parser = options.parser("resend", about, *names, draws=200)
    add = parser.add_argument
    add("--dataset", choices=DATASETS, help="data set of the lists (default: PACS_DG)")
    add("--source", help="one source of the data set (default: all)")
    add("--target", help="one target of the data set (default: all)")
    add("--data-root", dest="root", type=Path, help="folder of the images in the lists; without it, drawn images")
    words = "folder with <data set>/<list>.txt; without it, the layout of --data-root is DOMAIN/CLASS/IMAGE"
    add("--lists", type=Path, help=words)
    words = "without lists: classes to leave out of the support"
    add("--unknown", nargs="+", default=[], metavar="CLASS", help=words)
    add("--checkpoint", type=Path, help="folder of the published files, or output folder of benchmarks resend_train")
    add("--network", choices=NETWORKS, default="resnet18", help="network of published files (default: %(default)s)")
    add(
        "--encoder",
        help="instead of a checkpoint: a network of timm, for example resnet50, or open_clip:MODEL/PRETRAINED",
    )
    add("--weights", type=Path, help="a file with weights of the encoder, instead of the published weights")
    add("--base", type=Path, help="a list or a folder of images of base classes, for --families")
    words = "comparators to fit to --base (default: whitened)"
    add("--families", nargs="+", choices=FAMILIES, default=["whitened"], help=words)
    words = "how a class is represented (default: prototypes, its mean)"
    add("--evaluators", nargs="+", choices=EVALUATORS, default=["prototypes"], help=words)
    add("--nnk", type=int, default=1, help="prototypes per class, or neighbors (default: %(default)s)")
    add("--few-shot", type=int, help="support images per class (default: all)")
    add(
        "--without-replacement",
        dest="replacement",
        action="store_false",
        help="draw each image at most once for --few-shot",
    )
    add("--skip-missing", action="store_true", help="continue without missing images, and report their number")
    args = parser.parse_args(argv)
    args.cache = args.cache or own_folder("benchmarks")
    return options.finish(lambda: run(args))
