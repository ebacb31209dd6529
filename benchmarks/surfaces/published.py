"""The commands on published data sets: `benchmarks mvtec`, `benchmarks roads` and `benchmarks panorama`.

Each reconstructor learns from the training images. A tenth of these is held out to choose the thresholds. The test
images are scored only once, and are not used to choose a checkpoint, an epoch or the sign of the score.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks import options
from benchmarks.report.output import write_json
from benchmarks.surfaces import protocol
from benchmarks.surfaces.contenders import (
    HEIGHT,
    PIXELS_KEPT,
    Fitted,
    add_training,
    contenders,
    fitted,
    settings,
    slug,
    some_of,
    state_folder,
)
from benchmarks.surfaces.layouts import LAYOUTS, Layout, Loaded, categories, load
from benchmarks.surfaces.measure import Places, below_half, image_figures, place_figures, table
from benchmarks.surfaces.textures import write_textures
from benchmarks.training.log import Log, training_log
from openshape_ood import __version__
from openshape_ood.decisions.metrics import image_regions
from openshape_ood.errors import InputError
from openshape_ood.storage import csv_cell, save_whole
from openshape_ood.surfaces import SurfaceModel, read_published
from openshape_ood.surfaces.data import Images, Pairs
from openshape_ood.surfaces.pairs import PAIRED_BY

COLUMNS = {
    "image_auroc": "image AUROC",
    "image_f1": "image F1",
    "image_kept": "good ones kept",
    "pixel_auroc": "pixel AUROC",
    "pixel_aupro": "AUPRO",
    "pixel_iou": "pixel IoU",
}
OF_FILE = "CRN, published file"


def evaluate(layout: Layout, args: argparse.Namespace, log: Log) -> tuple[dict[str, Any], list[str]]:
    """Evaluate one data set; returns its report and the lines to print."""
    train, test = load(layout.train, args.size), load(layout.test, args.size)
    bad = np.array([image.bad for image in layout.test])
    normal = {"normal": train.tiles, "mask": train.mask}
    every = contenders(args)
    if train.tiles.shape[1] != 2:  # the images have no height
        del every[HEIGHT]
    chosen = some_of(every, args.only)
    rows: dict[str, dict[str, Any]] = {}
    notes, compat = pairing(layout), list[str]()
    for name in tqdm([OF_FILE] * bool(args.compat) + list(chosen), desc=layout.name, disable=not args.progress):
        shown = test
        if name == OF_FILE:
            model, shown = of_file(args.compat, train, test, args.device)
            notes.append(f"{name}: its thresholds are chosen on the training images, which the network may have seen")
        else:
            watched = test.tiles if args.compat_report else None
            facts = {"states": state_folder(args), "data": layout.name, "method": name}
            model = fitted(chosen[name], normal, args.seed, log, watched, **facts)
        maps = model.reconstructor.novelty(shown.tiles, shown.mask)
        score = model.reconstructor.pooled(maps).astype(np.float64)
        rows[name] = figures(model, score, maps, test, bad, args.draws) | {"training": model.seconds}
        notes += [f"{name}: {key} is below one half; it is not replaced by 1 - AUROC" for key in below_half(rows[name])]
        if model.epochs:
            pairs = [(one[~bad], one[bad]) for one in model.epochs]
            compat += protocol.compat_report(name, pairs, rows[name]["image_auroc"][0])
        write_scores(args.out / layout.name / slug(name), layout, model, score)
        if args.save and name != OF_FILE:
            save_model(args.save / layout.name / slug(name), layout, model, args.size)
        if args.maps:
            write_maps(args.out / layout.name / slug(name), layout, model, shown)
    counts = {"trained": len(layout.train), "good": int((~bad).sum()), "bad": int(bad.sum())}
    lines = [layout.name, table(COLUMNS, rows), *notes, *compat]
    paired = {"pairing": dict(layout.pairing)} if layout.pairing else {}
    return {"data": layout.name, "images": counts, **paired, "figures": rows}, lines


def pairing(layout: Layout) -> list[str]:
    """A line for each way in which the images of roads were paired."""
    folders: dict[str, list[str]] = {}
    for folder, by in layout.pairing.items():
        folders.setdefault(by, []).append(folder)
    return [f"height and intensity of {' and '.join(f)} are paired by {PAIRED_BY[by]}" for by, f in folders.items()]


def of_file(path: Path, train: Loaded, test: Loaded, device: str | None) -> tuple[Fitted, Loaded]:
    """Read a published network and calibrate it; returns it, and the test images with the channels that it expects.

    For roads these are height, intensity and intensity. Raises `InputError` for a network of another image size.
    """
    made = read_published(path, device=device, pixel_coverage=PIXELS_KEPT)
    height, width = made.shape_[1:]
    if (height, width) != train.tiles.shape[2:]:
        raise InputError(f"{path} takes images of {height} x {width} pixels; give --size {height}")
    if train.tiles.shape[1] == 2:
        train, test = (replace(one, tiles=one.tiles[:, [0, 1, 1]]) for one in (train, test))
    return Fitted(made.calibrate(train.tiles, train.mask), 0.0), test


def figures(
    model: Fitted, score: np.ndarray, maps: np.ndarray, test: Loaded, bad: np.ndarray, draws: int
) -> dict[str, Any]:
    """Figures of images from score (t,), and of pixels from maps (t, h, w) if the truth is known."""
    result = image_figures(score, bad, draws, model.reconstructor.threshold_)
    if test.truth is None:
        return result
    seen = np.isfinite(maps)
    owner = np.broadcast_to(np.arange(len(maps))[:, None, None], maps.shape)
    regions = image_regions(test.truth)
    threshold = model.reconstructor.pixel_threshold_.value
    places = Places(maps[seen].astype(np.float64), regions[seen], owner[seen], threshold)
    return result | {f"pixel_{name}": value for name, value in place_figures(places, draws).items()}


def write_scores(folder: Path, layout: Layout, model: Fitted, score: np.ndarray) -> Path:
    """Write scores.csv: one row per test image, named by its path in the data set."""
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("file_name", "anomaly_score", "is_novel", "kind"))
    novel = model.reconstructor.threshold_.is_novel(score)
    for image, value, is_novel in zip(layout.test, score.tolist(), novel.tolist(), strict=True):
        rows.writerow((csv_cell(image.name), f"{value:.6g}", int(is_novel), csv_cell(image.kind)))
    return save_whole(folder / "scores.csv", text.getvalue().encode(), "the scores")


def write_maps(folder: Path, layout: Layout, model: Fitted, test: Loaded) -> None:
    """Write the map of each test image as PNG, in subfolders as in the data set."""
    for image, tile, mask in zip(layout.test, test.tiles, test.mask, strict=True):
        path = folder / f"{image.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        model.reconstructor.localize(tile, mask, name=image.name).save(path)


def save_model(folder: Path, layout: Layout, model: Fitted, size: int) -> Path:
    """Save a fitted reconstructor and its thresholds to a folder for `openshape-ood surface score`."""
    sources = [image.source for image in layout.train]
    data = (Pairs if sources[0].kind == "pair" else Images).of(sources, size, None)
    one = model.reconstructor
    thresholds = one.threshold_, one.pixel_threshold_, one.baseline_
    return SurfaceModel(data, one, np.ones((1, 1, 1), np.float32), *thresholds).save(folder)


def requested_layouts(kind: str, args: argparse.Namespace) -> list[Layout]:
    """The requested data sets. All are validated, before the first training."""
    options.check(args, steps=1, width=1, units=1, size=32)
    if kind != "mvtec":
        return [LAYOUTS[kind](args.data_root)]
    root = write_textures(args.out / "textures", args.seed) if args.data_root is None else args.data_root
    names = categories(root) if args.category == "all" else [args.category]
    if not names:
        raise InputError(f"{root} has no category, a folder with train/good; expected those of MVTec AD")
    layouts = [LAYOUTS[kind](root, name) for name in names]
    generated = args.data_root is None
    return [replace(one, name=one.name.replace("mvtec", "textures")) if generated else one for one in layouts]


def run(kind: str, args: argparse.Namespace) -> None:
    state_folder(args)
    layouts = requested_layouts(kind, args)
    chosen = {n: getattr(args, n) for n in ("size", "steps", "width", "units", "seed", "pretrained")}
    chosen |= {"compat": args.compat and args.compat.name, **settings(args)}
    with training_log(args.log_file, args.tensorboard) as log:
        for layout in layouts:
            report, lines = evaluate(layout, args, log)
            full = {"version": __version__, "settings": chosen | {"pixels kept": PIXELS_KEPT}, **report}
            print(*lines, "", write_json(args.out / f"{layout.name}.json", full), "", sep="\n")
    if args.compat_report:
        print(protocol.noise_table())


def main(kind: str, argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    about = {"mvtec": "MVTec AD", "roads": "road images, height and intensity", "panorama": "street panoramas"}[kind]
    parser = options.parser(kind, f"reconstructors on {about}", "device", "seed", draws=500)
    drawn = "; without it, generated textures" if kind == "mvtec" else ""
    parser.add_argument("--data-root", type=Path, required=not drawn, help=f"the unpacked data set{drawn}")
    if kind == "mvtec":
        parser.add_argument("--category", default="all", help="a folder of the data set, or all (default: %(default)s)")
    options.add_numbers(parser, size=(128, "pixels per side"))
    add_training(parser, steps=1000, width=16)
    parser.add_argument("--compat", type=Path, metavar="FILE", help="also score this checkpoint of the published code")
    saved = "save each fitted reconstructor in a subfolder, for `openshape-ood surface score`"
    parser.add_argument("--save", type=Path, metavar="DIR", help=saved)
    parser.add_argument("--maps", action="store_true", help="write the map of every test image")
    args = parser.parse_args(argv)
    return options.finish(lambda: run(kind, args))
