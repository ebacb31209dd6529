"""`python -m benchmarks objects FOLDER`: accuracy on known real objects, and AUROC of novel ones.

The objects of a folder (layouts: `benchmarks.object_pack`) are used whole and seen from one side. For each seed half of
the classes are known, by their names or by three whole objects per class, which are not tested. The table has
closed-set accuracy, AUROC and FPR95, with intervals over the seeds. The baseline is the nearest of the three objects by
the histogram of distances between random pairs of points (D2; Osada et al., "Shape distributions", ACM TOG 2002). The
last line is the accuracy of all objects among all class names. Writes the same as JSON, and draws it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors
from tqdm import tqdm

from benchmarks import options
from benchmarks.intervals import bootstrap, over_seeds
from benchmarks.object_pack import ObjectPack, read_pack
from benchmarks.questions import harness
from openshape_ood import KnownClasses, ShapeEncoder, TextEncoder, plots
from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.encoders.text.encoder import UntrainedNameWarning
from openshape_ood.errors import InputError
from openshape_ood.novelty_map.colors import BLUE, GREEN, ORANGE
from openshape_ood.scoring import default_method, judge
from openshape_ood.synthetic.visibility import unhidden

EXAMPLES, DISTANCE = 3, 2.5  # examples per class; camera distance as a multiple of the object's radius
PAIRS, BINS = 20_000, 64  # of D2; its histogram goes from 0 to 3 times the mean distance
VIEWS = ("whole", "one-sided")
WAYS = ("names", f"{EXAMPLES} examples", f"{EXAMPLES} examples, D2")
FIGURES = {"accuracy": "right class of the known", "auroc": "AUROC", "fpr95": "FPR95"}
COLORS = dict(zip(WAYS, (BLUE, GREEN, ORANGE), strict=True))


def one_sided(cloud: np.ndarray, seed: int) -> np.ndarray:
    """Points (m, 6) of a y-up cloud that a random camera sees, 0 to 50 degrees above the horizon."""
    random = np.random.RandomState([seed, 31])
    azimuth, elevation = random.uniform(0, 2 * np.pi), np.radians(random.uniform(0, 50))
    level = np.cos(elevation)
    direction = np.array([level * np.sin(azimuth), np.sin(elevation), level * np.cos(azimuth)])
    xyz = cloud[:, :3].astype(np.float64)
    middle = xyz.mean(axis=0)
    return cloud[unhidden(xyz, middle + DISTANCE * np.linalg.norm(xyz - middle, axis=1).max() * direction)]


def pair_distances(cloud: np.ndarray, seed: int) -> np.ndarray:
    """Histogram (BINS,) of the distances between random pairs of points, with sum 1 or less."""
    ends = np.random.RandomState([seed, 32]).randint(len(cloud), size=(2, PAIRS))
    distances = np.linalg.norm(cloud[ends[0], :3] - cloud[ends[1], :3], axis=1)
    return np.histogram(distances / (distances.mean() or 1.0), bins=BINS, range=(0, 3))[0] / PAIRS


def split(classes: np.ndarray, seed: int) -> tuple[list[str], np.ndarray]:
    """Names of the known half of the classes, and indices (classes, EXAMPLES) of their examples."""
    random = np.random.RandomState([seed, 33])
    names = random.permutation(np.unique(classes))
    known = sorted(names[: (len(names) + 1) // 2].tolist())
    return known, np.stack([random.permutation(np.flatnonzero(classes == name))[:EXAMPLES] for name in known])


def figures(nearest: np.ndarray, novelty: np.ndarray, classes: np.ndarray, known: Sequence[str]) -> dict[str, float]:
    """Figures from the predicted class, novelty and true class (b,) of objects."""
    is_known = np.isin(classes, known)
    metrics = ood_metrics(novelty[is_known], novelty[~is_known])
    right = float((nearest == classes)[is_known].mean())
    return {"accuracy": right, "auroc": metrics["auroc"], "fpr95": metrics["fpr95"]}


def of_seed(
    seed: int, pack: ObjectPack, rows: Mapping[str, Mapping[str, np.ndarray]], encoder: ShapeEncoder, text: TextEncoder
) -> list[dict[str, Any]]:
    """Figures of one choice of known classes; rows: view -> embeddings and histograms, one row per object."""
    known, examples = split(pack.classes, seed)
    tested = np.setdiff1d(np.arange(len(pack.classes)), examples)
    classes = pack.classes[tested]
    whole = {name: rows["whole"]["embeddings"][some] for name, some in zip(known, examples, strict=True)}
    of_way = {
        WAYS[0]: KnownClasses.from_names(known, text, temperature=encoder.temperature),
        WAYS[1]: KnownClasses.from_examples(whole, encoder),
    }
    simple = NearestNeighbors(n_neighbors=1, metric="manhattan").fit(rows["whole"]["histograms"][examples.ravel()])
    results = []
    for view in VIEWS:
        for way, those in of_way.items():
            result = judge(rows[view]["embeddings"][tested], those, default_method(those))
            nearest = np.array(known)[np.asarray(result.nearest)]
            results.append({"view": view, "way": way} | figures(nearest, result.novelty, classes, known))
        distance, place = simple.kneighbors(rows[view]["histograms"][tested])
        nearest = np.array(known)[place[:, 0] // EXAMPLES]
        results.append({"view": view, "way": WAYS[2]} | figures(nearest, distance[:, 0], classes, known))
    return [one | {"seed": seed} for one in results]


def zero_shot(pack: ObjectPack, embeddings: np.ndarray, encoder: ShapeEncoder, text: TextEncoder) -> np.ndarray:
    """Mask (b,) of objects whose nearest class name, of all names, is the true one."""
    names = np.unique(pack.classes)
    known = KnownClasses.from_names(names.tolist(), text, temperature=encoder.temperature)
    return names[np.asarray(judge(embeddings, known, default_method(known)).nearest)] == pack.classes


def run(args: argparse.Namespace) -> None:
    options.check(args, at_least=EXAMPLES + 1)
    pack = read_pack(args.folder).with_at_least(args.at_least)
    classes = np.unique(pack.classes)
    if len(classes) < 4:
        what = f"{args.folder} has {len(classes)} classes of {args.at_least} objects or more"
        raise InputError(f"{what}; expected 4 or more. Give more objects, or a lower --at-least")
    encoder, text = harness.loaded(args)
    rows = {}
    for view in VIEWS:
        clouds = pack.clouds if view == "whole" else [one_sided(cloud, i) for i, cloud in enumerate(pack.clouds)]
        histograms = np.stack([pair_distances(cloud, i) for i, cloud in enumerate(clouds)])
        embeddings = encoder.encode(clouds, up="y", progress=args.progress)
        rows[view] = {"embeddings": embeddings, "histograms": histograms}
    seeds = tqdm(args.seeds, disable=not args.progress)
    results = [one for seed in seeds for one in of_seed(seed, pack, rows, encoder, text)]
    means = []
    for view, way in product(VIEWS, WAYS):
        some = [one for one in results if (one["view"], one["way"]) == (view, way)]
        means.append({"view": view, "way": way} | {name: over_seeds([one[name] for one in some]) for name in FIGURES})
    names = {view: bootstrap(zero_shot(pack, rows[view]["embeddings"], encoder, text), args.draws) for view in VIEWS}
    report = harness.facts(encoder, text) | {
        "settings": {"seeds": args.seeds, "examples": EXAMPLES, "at_least": args.at_least, "draws": args.draws},
        "objects": len(pack.classes),
        "classes": classes.tolist(),
        "sources": np.unique(pack.sources).tolist(),
        "metrics": FIGURES,
        "figures": means,
        "zero_shot": names,
        "rows": results,
    }
    lines = [
        f"{len(pack.classes)} objects of {len(classes)} classes, half of them known",
        table(means),
        sentence(names, len(classes)),
    ]
    name = f"objects-{harness.named(report)}-{args.folder.resolve().name}"
    harness.finish(args, name, report, lines, lambda path: [draw(path, report)], named=("folder",))


def table(means: Sequence[Mapping[str, Any]]) -> str:
    lines = [(one["view"], one["way"], *(harness.words(one[name], 100, 1) for name in FIGURES)) for one in means]
    return options.grid(("objects", "known by", *FIGURES.values()), lines, words=2)


def sentence(names: Mapping[str, Mapping[str, float]], classes: int) -> str:
    shown = ", ".join(f"{view} {harness.words(figure, 100, 1)} %" for view, figure in names.items())
    return f"accuracy among all {classes} names: {shown}"


def draw(path: Path, report: Mapping[str, Any]) -> Path:
    """Draw one panel per figure: bars with intervals, for whole and one-sided objects."""
    figure, axes = plots.panels(1, len(FIGURES), size=(3.6 * len(FIGURES), 3.4))
    figure.suptitle(
        f"{report['objects']} real objects, {len(report['classes'])} classes, half known · {report['model']}"
    )
    for axis, (name, title) in zip(axes[0], FIGURES.items(), strict=True):
        for i, way in enumerate(WAYS):
            values = [one[name] for one in report["figures"] if one["way"] == way]
            low, mean, high = (np.array([100 * one[end] for one in values]) for end in ("low", "mean", "high"))
            spread = np.array([mean - low, high - mean])
            places = [j + 0.27 * (i - 1) for j in range(len(values))]
            axis.bar(places, mean, width=0.25, color=COLORS[way], label=way, yerr=spread, error_kw={"lw": 0.8})
        axis.set_xticks(range(len(VIEWS)), VIEWS)
        axis.set(title=title, ylabel="%", ylim=(0, 100))
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=len(WAYS))
    return plots.save(figure, path)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    names = ("model", "checkpoint", "text_checkpoint", "registry", "device", "draws", "no_pictures")
    seeds = list(range(10))
    parser = options.parser("objects", "accuracy on known real objects, AUROC of novel ones", *names, seeds=seeds)
    parser.add_argument("folder", type=Path, help="objects.npz with objects.csv, or a subfolder for each class")
    options.add_numbers(parser, at_least=(8, "least objects of a class; smaller classes are left out"))
    return options.run(parser, run, argv, ignored=UntrainedNameWarning)  # untrained names are part of this benchmark
