"""`python -m benchmarks scannet200` and `scannet20`: labels of points in real scans, and novelty of hidden classes.

Scans are read one at a time, and every point gets the class of its voxel. Mean IoU is computed over voxels and over
vertices; classes without a true or predicted point are left out, or count as 0. Then the names of some classes are
hidden. AUROC and FPR95 of their novelty are measured for points and objects, with the false alarms in each group of
known classes. Only names are hidden: a network trained with all classes has seen the hidden ones.
"""

from __future__ import annotations

import argparse
import csv
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks import options
from benchmarks.questions import harness
from benchmarks.report.tables import percent
from benchmarks.scene_data.point_figures import Tally
from benchmarks.scene_data.scannet import PARTS, SCALES, TABLES, ClassTable, find_scans, hidden_classes, read_scan
from openshape_ood.checks import log_sum_exp
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.scenes import save_labels
from openshape_ood.scenes.point_encoder import BLOCK, PointEncoder, VoxelEmbeddings
from openshape_ood.scoring import find_method, judge
from openshape_ood.storage import replacing

PUBLISHED = Path(__file__).parents[1] / "scene_data" / "published.toml"
MODELS = {"scannet200": "lground-34d", "scannet20": "openscene-scannet-openseg"}
HIDDEN = {"scannet200": 30, "scannet20": 4}
REST = "other"  # embedded without templates
WORST = 3  # number of scans to draw, those with the lowest mIoU

# voxels of a scan -> class (v,), and novelty (v,) for each split
Judges = Callable[[VoxelEmbeddings], tuple[np.ndarray, list[np.ndarray]]]


def known_of(table: ClassTable, encoder: PointEncoder, args: argparse.Namespace) -> KnownClasses:
    """Known classes in the order of the table, by names or from a file that has all of them."""
    if args.known is None:
        settings = {"checkpoint": args.text_checkpoint} if args.text_checkpoint else {}
        text = encoder.text(**settings)
        known = KnownClasses.from_names(table.names, text, temperature=encoder.temperature)
        if REST in table.names and known.text is not None:
            bare = encoder.text(**settings, templates="").encode([REST])
            vectors = known.text.copy()
            vectors[table.names.index(REST)] = bare[0]
            known = replace(known, text=vectors)
        return known
    given = KnownClasses.load(args.known)
    given.check_fits(encoder.identity)
    missing = [name for name in table.names if name not in given.names]
    if missing:
        raise InputError(f"{args.known} lacks {len(missing)} classes of {table.title}: {', '.join(missing[:5])}")
    rows = [given.names.index(name) for name in table.names]
    return KnownClasses(table.names, given.identity, given.anchors[rows], temperature=encoder.temperature)


def by_names(known: KnownClasses, splits: Sequence[np.ndarray], method: str) -> Judges:
    text = known.text
    assert text is not None
    left = [replace(known, names=tuple(np.array(known.names)[~h]), text=text[~h]) for h in splits]

    def judged(block: np.ndarray) -> list[np.ndarray]:
        return [judge(block, known, "max_cosine").nearest, *(judge(block, one, method).novelty for one in left)]

    return lambda voxels: joined(judged(block) for _, block in voxels.blocks())


def by_classifier(encoder: PointEncoder, table: ClassTable, splits: Sequence[np.ndarray]) -> Judges:
    """Predictions of the checkpoint's classifier; novelty is 1 - largest softmax over the remaining classes."""
    import torch

    sizes = encoder.network.sizes
    if sizes.embedding == "final" or sizes.outputs != len(table):
        has = "none" if sizes.embedding == "final" or not sizes.outputs else f"one of {sizes.outputs} classes"
        raise InputError(
            f"--by classifier needs a file with a classifier of the {len(table)} classes of {table.title}; the one of "
            f"{encoder.identity.checkpoint} has {has}. Give --by names, or --checkpoint of a later stage"
        )

    def judged(features: torch.Tensor) -> list[np.ndarray]:
        with torch.inference_mode():
            logits = encoder.network.classify(features).double().cpu().numpy()
        largest = [(of := logits[:, ~hidden]).max(axis=1) - log_sum_exp(of) for hidden in splits]
        return [logits.argmax(axis=1), *(1 - np.exp(one) for one in largest)]

    return lambda voxels: joined(map(judged, voxels.features.split(BLOCK)))


def joined(blocks: Iterable[Sequence[np.ndarray]]) -> tuple[np.ndarray, list[np.ndarray]]:
    nearest, *novelty = (np.concatenate(column) for column in zip(*blocks, strict=True))
    return nearest, novelty


def tallied(
    paths: Sequence[Path], table: ClassTable, encoder: PointEncoder, judges: Judges, tally: Tally, args: Any
) -> None:
    work = tqdm(paths, desc=args.part, unit="scan", disable=not args.progress)
    for path in work:
        scan = read_scan(path, table, args.labels)
        if encoder.spec.input == "color" and scan.scene.color is None:
            raise InputError(f"{path} has no color, and {encoder.identity.checkpoint} was trained with it")
        voxels = encoder.encode_voxels(scan.scene)
        nearest, novelty = judges(voxels)
        if args.predictions:
            save_labels(table.ids[nearest][voxels.inverse], args.predictions / f"{scan.scene.name}.txt")
        tally.add(scan, voxels.inverse, nearest, novelty)
        miou = tally.scans[-1]["miou"]
        work.set_postfix_str("no labels" if miou is None else f"{scan.scene.name} mIoU {100 * miou:.1f}")


def tables(report: Mapping[str, Any], table: ClassTable) -> list[str]:
    figures = report["figures"]
    groups = ["all", *table.groups]
    lines = [
        (where, convention, *(f"{percent(of[name][0])} ({of[name][1]})" for name in groups))
        for where, each in figures["miou"].items()
        for convention, of in each.items()
    ]
    head = (f"{table.title}, mIoU in % (classes that counted)", "", *groups)
    blocks = [options.grid(head, lines, words=2)]
    if figures["absent"]:
        blocks.append(f"classes without a labelled point: {', '.join(figures['absent'])}")
    blocks.append(f"predicted classes without a labelled point: {', '.join(figures['only_called']) or 'none'}")
    lines = [
        (
            f"split {i}: {len(split['hidden'])} classes",
            what,
            *(percent(split[what][key]) for key in ("auroc", "fpr95")),
            *map(percent, split[what]["false_alarms"].values()),
        )
        for i, split in enumerate(figures["open_set"])
        for what in ("points", "objects")
    ]
    alarms = [f"false alarms, {name}" for name in (table.groups or ["all"])]
    blocks.append(options.grid(("hidden", "", "AUROC", "FPR95", *alarms), lines, words=2))
    lines = [(name, str(count), percent(share)) for name, (share, count) in figures["objects"].items()]
    blocks.append(options.grid(("objects", "number", "named right, %"), lines))
    if report["published"]:
        lines = [(one["what"], f"{one['miou']:.1f}", one["source"]) for one in report["published"]]
        blocks.append(options.grid(("published, mIoU in %", "", "source"), lines))
    return blocks


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def run(benchmark: str, args: argparse.Namespace) -> None:
    options.check(args, splits=0, most=1, hidden=1)
    table = TABLES[benchmark]()
    paths = find_scans(args.root, args.part)[: args.most]
    splits = [hidden_classes(table, args.hidden, args.seed + i) for i in range(args.splits)]
    encoder = PointEncoder.from_pretrained(
        args.model, checkpoint=args.checkpoint, registry=args.registry, device=args.device
    )
    method = "max softmax of the classifier"
    if args.by == "classifier":
        judges = by_classifier(encoder, table, splits)
    else:
        method = find_method(args.method, "names").name
        judges = by_names(known_of(table, encoder, args), splits, method)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.predictions:
        args.predictions.mkdir(parents=True, exist_ok=True)
    tally = Tally(table, splits)
    tallied(paths, table, encoder, judges, tally, args)
    unlabeled = [row["scan"] for row in tally.scans if row["miou"] is None]
    if len(unlabeled) == len(paths) and not args.predictions:
        raise InputError(f"no labels: all points of the {len(paths)} scans of {args.part!r} have label 0, no class")
    report = {
        "benchmark": benchmark,
        "model": encoder.identity.checkpoint,
        "checkpoint_sha256": encoder.identity.sha256,
        "trained_with": encoder.spec.labels,
        "voxel": encoder.spec.voxel,
        "settings": {"part": args.part, "by": args.by, "method": method, "seed": args.seed, "hidden": args.hidden},
        "without_labels": unlabeled,
        "never_in_validation": [name for name, absent in zip(table.names, table.absent, strict=True) if absent],
        "figures": tally.figures(),
        "scans": tally.scans,
        "published": tomllib.loads(PUBLISHED.read_text(encoding="utf-8")).get(benchmark, []),
    }
    digest = encoder.identity.sha256[:8] if args.checkpoint else ""
    name = "-".join(filter(None, (benchmark, encoder.identity.checkpoint, digest, args.by * (args.by != "names"))))
    worst = sorted((row["miou"], i) for i, row in enumerate(tally.scans) if row["miou"] is not None)[:WORST]

    def drawn(i: int) -> tuple[Any, np.ndarray, np.ndarray]:
        scan = read_scan(paths[i], table, args.labels)
        voxels = encoder.encode_voxels(scan.scene)
        nearest, novelty = judges(voxels)
        return scan.scene, nearest[voxels.inverse], novelty[0][voxels.inverse]

    def draw(path: Path) -> list[Path]:
        from benchmarks.report.pictures.scenes import draw_labelled

        return [draw_labelled(path, [i for _, i in worst], drawn, table)] if worst and splits else []

    lines = [f"no labels, so not in the figures: {', '.join(unlabeled)}"] if unlabeled else []
    named = ("root", "by", "predictions")
    harness.finish(args, name, report, lines + (tables(report, table) if worst else []), draw, named)
    if tally.object_rows:
        print(write_rows(args.out / f"{name}{harness.settings_of(args, *named)}-objects.csv", tally.object_rows))


def main(benchmark: str, argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    about = f"labels of points in {TABLES[benchmark]().title}, and novelty of classes whose names are hidden"
    shared = ("checkpoint", "text_checkpoint", "registry", "seed", "device", "no_pictures")
    parser = options.parser(benchmark, about, *shared, model=MODELS[benchmark])
    words = "folder of scans with train/, val/, test/, or with a list such as val.txt"
    parser.add_argument("--data-root", dest="root", type=Path, required=True, help=words)
    parser.add_argument("--part", choices=PARTS, default="val", help="(default: %(default)s)")
    words = "kind of label numbers (default: NYU40 in *_vh_clean_2.ply, else raw ids)"
    parser.add_argument("--labels", choices=SCALES, default="auto", help=words)
    parser.add_argument("--by", choices=("names", "classifier"), default="names", help="(default: %(default)s)")
    parser.add_argument(
        "--known", type=Path, help="a file of KnownClasses with all classes, instead of the text encoder"
    )
    parser.add_argument("--method", default="max_cosine", help="novelty method (default: %(default)s)")
    words = "number of hidden classes per split (default: %(default)s)"
    parser.add_argument("--hidden", type=int, default=HIDDEN[benchmark], help=words)
    parser.add_argument("--splits", type=int, default=3, help="choices of hidden classes (default: %(default)s)")
    parser.add_argument("--most", type=int, help="number of scans to use (default: all)")
    parser.add_argument("--predictions", type=Path, help="folder for predictions in ScanNet's text format")
    args = parser.parse_args(argv)
    return options.finish(lambda: run(benchmark, args))
