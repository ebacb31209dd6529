"""`python -m benchmarks surfaces`: localize damage on generated roads after training on undamaged ones.

Generated clouds of roads with markings, camber and slope are converted to rasters. Each reconstructor learns from
undamaged roads. Half of the test roads have a pothole, a crack, a bump or debris. The novelty maps of rasters are
transferred back to the points. The command prints figures of images, pixels and points with intervals, also of
baselines, and figures of random scores under the published protocol. It writes the same as JSON, and draws one road per
kind of damage.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks import options
from benchmarks.intervals import over_seeds
from benchmarks.report.output import write_json
from benchmarks.surfaces import measure, protocol
from benchmarks.surfaces.contenders import (
    BASELINES,
    PIXELS_KEPT,
    Fitted,
    add_training,
    contenders,
    fitted,
    settings,
    some_of,
    state_folder,
)
from benchmarks.surfaces.generated import (
    Judged,
    Roads,
    damaged_roads,
    figures,
    joined,
    judge,
    judge_tokens,
    seen_by,
    sound_roads,
    worst,
)
from benchmarks.training.log import Log, training_log
from openshape_ood import __version__
from openshape_ood.encoders.shape_encoder import ShapeEncoder
from openshape_ood.surfaces import Reconstructor, TokenPCA
from openshape_ood.surfaces.tokens import Tokens

COLUMNS = {
    "image_auroc": "image AUROC",
    "pixel_auroc": "pixel AUROC",
    "pixel_aupro": "AUPRO",
    "point_aupro": "point AUPRO",
    "point_iou": "point IoU",
}
TOKENS = "PCA of tokens, tiny"  # a reconstructor of clouds, not of rasters
FULL = {"seeds": [0, 1, 2, 3, 4], "roads": 80, "tested": 48, "steps": 300, "width": 16}


@dataclass(frozen=True, eq=False)
class Run:
    """Results of one reconstructor on the roads of one data seed."""

    name: str
    seed: int
    figures: Mapping[str, Any]
    seconds: Mapping[str, float]
    judged: Judged
    fitted: Fitted


def run_one(
    name: str, given: Reconstructor, train: Roads, test: Roads, args: argparse.Namespace, seed: int, log: Log
) -> Run:
    encoder = ShapeEncoder.from_pretrained("tiny", device=args.device) if isinstance(given, Tokens) else None
    if encoder:
        trained = fitted(given, {"normal": seen_by(encoder, train.scans)[0]}, seed, log, method=name, data_seed=seed)
    else:
        normal = {"normal": train.tiles, "mask": train.mask, "groups": train.owner}
        watched = test.tiles if args.compat_report else None
        trained = fitted(given, normal, seed, log, watched, state_folder(args), method=name, data_seed=seed)
    start = time.perf_counter()
    judged = judge_tokens(trained.reconstructor, encoder, test) if encoder else judge(trained.reconstructor, test)
    seconds = {"training": trained.seconds, "a tile": (time.perf_counter() - start) / len(test.tiles)}
    result = figures(judged, test, trained.reconstructor.pixel_threshold_.value, args.draws)
    return Run(name, seed, result, seconds, judged, trained)


def summary(runs: Sequence[Run]) -> dict[str, measure.Figure]:
    """Figures with intervals: by bootstrap for one data seed, by Student's t over several data seeds."""
    names = [name for name in (*COLUMNS, "point_f1", "pixel_iou") if name in runs[0].figures]
    if len(runs) == 1:
        return {name: runs[0].figures[name] for name in names}
    means = {name: over_seeds([run.figures[name][0] for run in runs]) for name in names}
    return {name: (mean["mean"], mean["low"], mean["high"]) for name, mean in means.items()}


def notes(shown: Mapping[str, Mapping[str, measure.Figure]]) -> list[str]:
    """Notes on the table: methods that are worse than a baseline, and AUROCs below one half."""
    baselines, lines = [shown[name] for name in BASELINES if name in shown], list[str]()
    for name, row in shown.items():
        compared = [key for key in ("image_auroc", "pixel_aupro") if key in row and name not in BASELINES]
        lost = [COLUMNS[key] for key in compared if any(one[key][0] > row[key][0] for one in baselines)]
        if lost:
            lines.append(f"{name} is below the best baseline: {' and '.join(lost)}")
        for key in measure.below_half(row):
            lines.append(f"{name}: {key} is below one half; its novelty is lower where the road is damaged")
    return lines


def compat_lines(runs: Mapping[str, Sequence[Run]], test: Roads) -> list[str]:
    """Result of the published protocol on the first data seed, for each reconstructor with scores of epochs."""
    bad = np.array([scan.damaged.any() for scan in test.scans])
    lines = []
    for name, rows in runs.items():
        scans = [worst(scores, test) for scores in rows[0].fitted.epochs]
        if scans:
            honest = rows[0].figures["image_auroc"][0]
            lines += protocol.compat_report(name, [(one[~bad], one[bad]) for one in scans], honest)
    return lines


def run(args: argparse.Namespace) -> None:
    options.check(args, roads=8, tested=8, steps=1, width=1, units=1)
    state_folder(args)
    if args.full:
        vars(args).update(FULL)
    args.out.mkdir(parents=True, exist_ok=True)
    every = contenders(args)
    chosen = some_of(every | {TOKENS: TokenPCA(pixel_coverage=PIXELS_KEPT)}, args.only)
    runs: dict[str, list[Run]] = {name: [] for name in chosen}
    first: Roads | None = None
    with training_log(args.log_file, args.tensorboard) as log:
        for seed in args.seeds:
            uneven = args.surface == "uneven"
            train = sound_roads(args.roads, seed, uneven=uneven)
            test = joined(
                sound_roads(args.tested, seed, tested=True, uneven=uneven),
                damaged_roads(args.tested, seed, args.severity, uneven=uneven),
            )
            first = first or test
            for name, given in tqdm(chosen.items(), desc=f"data seed {seed}", disable=not args.progress):
                runs[name].append(run_one(name, given, train, test, args, seed, log))
    assert first is not None
    shown = {name: summary(rows) for name, rows in runs.items()}
    lines = notes(shown)
    report = {
        "version": __version__,
        "settings": {
            n: getattr(args, n) for n in ("seeds", "surface", "roads", "tested", "severity", "steps", "width", "units")
        }
        | {"pixels kept": PIXELS_KEPT, "pretrained": args.pretrained}
        | settings(args),
        "figures": shown,
        "notes": lines,
        "noise": {name: vars(protocol.noise(*s)) for name, s in protocol.SETTINGS.items()},
        "runs": [
            {"method": one.name, "data_seed": one.seed, "seconds": one.seconds, **one.figures}
            for one in chain.from_iterable(runs.values())
        ],
    }
    # the committed results have five data seeds
    name = options.suffix(args, *options.MACHINE, "full", "compat_report", seeds=FULL["seeds"])
    files = [write_json(args.out / f"surfaces-generated{name}.json", report)]
    if args.pictures:
        from benchmarks.surfaces.pictures import draw_roads

        files.append(draw_roads(files[0].with_suffix(".png"), first, {name: rows[0] for name, rows in runs.items()}))
    seconds = {name: float(np.mean([one.seconds["training"] for one in rows])) for name, rows in runs.items()}
    table = {name: {**row, "training": seconds[name]} for name, row in shown.items()}
    print(measure.table(COLUMNS, table), *lines, sep="\n")
    if args.compat_report:
        print("", *compat_lines(runs, first), "", protocol.noise_table(), sep="\n")
    print("", *files, sep="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    about = "localize damage on generated roads after training on undamaged ones"
    parser = options.parser("surfaces", about, "device", "no_pictures", draws=500, seeds=[0])
    options.add_numbers(
        parser, roads=(30, "undamaged training roads"),
        tested=(20, "undamaged test roads, and as many damaged ones"),
        severity=(0.5, "severity of the damage; 1 means 2 to 4 cm"),
    )  # fmt: skip
    surfaces = "flat roads, or uneven roads with ruts and joints that are not damage (default: %(default)s)"
    parser.add_argument("--surface", choices=("flat", "uneven"), default="flat", help=surfaces)
    add_training(parser, steps=200, width=8)
    parser.add_argument("--full", action="store_true", help="five data seeds, more roads and longer training")
    return options.run(parser, run, argv)
