"""Accuracy and AUROC of an encoder on held-out objects of a pack.

    python -m benchmarks.training.evaluate_small PACK --part realistic --model small --checkpoint fold.safetensors

The objects are one part of the pack (`small_data.FOLDS`; "all" for your own pack). They are used whole, and in
four simulated scans (`small_data.viewed`) each, without and with floor, wall and a part of another object.

The first figure is the accuracy among all classes. Then half of the classes are known, by names or by up to three whole
objects, which are not tested; accuracy among the known classes and AUROC are means over 40 seeds. Baselines without a
network are the nearest example by distances between points (D2) and by FPFH; --pointnet evaluates PointNet. Classes
without a vector in the text encoder are left out and listed.
"""

from __future__ import annotations

import argparse
import json
import warnings
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from benchmarks.intervals import bootstrap, over_seeds
from benchmarks.object_pack import ObjectPack, read_pack
from benchmarks.questions.objects import EXAMPLES, one_sided, pair_distances
from benchmarks.report.output import write_json
from benchmarks.report.tables import Table
from benchmarks.training import fpfh, real, train_pointnet
from benchmarks.training.small_data import FOLDS, fold_of, viewed
from openshape_ood import ShapeEncoder, TextEncoder
from openshape_ood.encoders.text.encoder import UntrainedNameWarning
from openshape_ood.registry.files import sha256

SEEDS = range(40)
VIEWS = {"whole": 1, "one-sided": 4, "cluttered": 4}  # view -> clouds per object
RULES = {"D2": pair_distances, "FPFH": fpfh.histogram}
# substitutes for names of real.toml that a table lacks
ALIASES = {"tv stand": ("television", "cabinet")}


def measured(args: argparse.Namespace) -> dict[str, Any]:
    where = {"registry": args.registry}
    text = TextEncoder.from_pretrained(args.model, **where)
    if not args.pointnet:
        encoder = ShapeEncoder.from_pretrained(args.model, checkpoint=args.checkpoint, device="cpu", **where)
    if args.real:
        aliases = {name: words for name, words in ALIASES.items() if not text.serves(name)}
        text = TextEncoder.from_pretrained(args.model, aliases=aliases, **where)
        identity = {"model": encoder.identity.checkpoint, "checkpoint_sha256": encoder.identity.sha256}
        return identity | {"aliases": aliases, "real": real.figures(args.real, encoder, text)}
    pack = read_pack(args.pack)
    if args.part != "all":
        pack = pack.of(np.array([fold_of(one) == args.part for one in pack.sources]))
    names_of = TextEncoder.from_pretrained(args.names_of or args.model, **where)
    served = [bool(names_of.serves(name)) for name in pack.classes.tolist()]
    left_out = sorted(set(pack.classes[~np.array(served)].tolist()))
    pack = pack.of(np.array(served))
    clouds = {view: seen(pack, view, count) for view, count in VIEWS.items()}
    features: dict[str, dict[str, np.ndarray]] = {}
    for view, some in clouds.items():
        features[view] = {name: np.stack([rule(one, i) for i, one in enumerate(some)]) for name, rule in RULES.items()}
        if args.pointnet:
            features[view]["embedding"] = train_pointnet.embeddings(args.pointnet, some)
        else:
            features[view]["embedding"] = encoder.encode(some, up="y")
    names = np.unique(pack.classes)
    vectors = text.encode(names.tolist())
    right = {
        view: (names[(rows["embedding"] @ vectors.T).argmax(axis=1)] == np.tile(pack.classes, VIEWS[view]))
        for view, rows in features.items()
    }
    each = [one for seed in SEEDS for one in of_seed(seed, pack.classes, features, vectors)]
    figures = []
    for view, way in product(VIEWS, dict.fromkeys(one["way"] for one in each)):
        some_rows = [one for one in each if (one["view"], one["way"]) == (view, way)]
        means = {name: over_seeds([one[name] for one in some_rows]) for name in ("accuracy", "auroc")}
        figures.append({"view": view, "way": way} | means)
    return {
        "model": "PointNet" if args.pointnet else encoder.identity.checkpoint,
        "checkpoint_sha256": sha256(args.pointnet) if args.pointnet else encoder.identity.sha256,
        "training": trained(args.pointnet or args.checkpoint),
        "torch": torch.__version__,
        "part": args.part,
        "objects": len(pack.classes),
        "classes": len(names),
        "without_vector": left_out,
        "zero_shot": {
            view: bootstrap(hits, 1000, owner=np.tile(np.arange(len(pack.classes)), VIEWS[view]))
            for view, hits in right.items()
        },
        "half_known": figures,
        "accuracy_by_name": {
            name: round(float(right["whole"][pack.classes == name].mean()), 3) for name in names.tolist()
        },
    }


def seen(pack: ObjectPack, view: str, count: int) -> list[np.ndarray]:
    """`count` versions of the clouds of all objects, version by version."""
    if view == "whole":
        return pack.clouds
    if view == "one-sided":
        return [one_sided(cloud, i + 1000 * turn) for turn in range(count) for i, cloud in enumerate(pack.clouds)]
    rng = np.random.RandomState([count, 35])
    rounds = [cloud for _ in range(count) for cloud in pack.clouds]
    return [viewed(cloud, pack.clouds[rng.randint(len(pack.clouds))], rng).astype(np.float32) for cloud in rounds]


def of_seed(
    seed: int, classes: np.ndarray, features: dict[str, dict[str, np.ndarray]], vectors: np.ndarray
) -> list[Any]:
    """Figures of every view and method with half of the classes known; by examples, of classes with two objects."""
    random = np.random.RandomState([seed, 33])
    names, counts = np.unique(classes, return_counts=True)
    known = random.permutation(len(names))[: (len(names) + 1) // 2]
    several = [i for i in known if counts[i] > 1]
    of = [random.permutation(np.flatnonzero(classes == names[i])) for i in several]
    examples = [members[: min(EXAMPLES, len(members) - 1)] for members in of]
    shown = np.isin(np.arange(len(classes)), np.concatenate(examples))
    rows = []
    for view, of_view in features.items():
        labels, tested = np.tile(classes, VIEWS[view]), np.tile(~shown, VIEWS[view])
        figure = partial(figures_of, view=view, seed=seed)
        rows.append(figure("names", of_view["embedding"] @ vectors[known].T, names[known], labels))
        for way, queries in of_view.items():
            whole = features["whole"][way]
            if way == "embedding":
                means = np.stack([whole[one].mean(axis=0) for one in examples])
                nearness = queries[tested] @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
            else:
                distances = [cdist(queries[tested], whole[one], "cityblock").min(axis=1) for one in examples]
                nearness = -np.stack(distances, 1)
            rows.append(figure(f"examples, {way}", nearness, names[several], labels[tested]))
    return rows


def figures_of(way: str, nearness: np.ndarray, known: np.ndarray, labels: np.ndarray, **facts: Any) -> dict[str, Any]:
    is_known = np.isin(labels, known)
    right = (known[nearness.argmax(axis=1)] == labels)[is_known].mean()
    return {"way": way, "accuracy": right, "auroc": roc_auc_score(is_known, nearness.max(axis=1)), **facts}


def trained(path: Path | None) -> Any:
    """Facts of the training in the header of a weights file; None if it has none."""
    if not path:
        return None
    with safe_open(path, "np") as file:
        return json.loads((file.metadata() or {}).get("training", "null"))


def markdown(content: dict[str, Any]) -> str:
    if "real" in content:
        figures = content["real"]
        wrong = ", ".join(f"{one['file']} {one['found']}" for one in figures["each"] if one["is"] != one["found"])
        keys = ("accuracy", "auroc", "scans_accuracy", "scans_auroc")
        lines = tuple((key.replace("_", " "), f"{100 * figures[key]:.1f}") for key in keys)
        table = Table((f"{figures['shapes']} shapes, {figures['classes']} names", "%"), lines, 1).markdown()
        return f"{table}\n\nWrong: {wrong}"
    top = {view: 100 * content["zero_shot"][view]["mean"] for view in VIEWS}
    lines = tuple(
        (one["view"], one["way"], *(f"{100 * one[name]['mean']:.1f}" for name in ("accuracy", "auroc")))
        for one in content["half_known"]
    )
    accuracy = ", ".join(f"{view} {value:.1f} %" for view, value in top.items())
    head = f"{content['objects']} objects, accuracy among all {content['classes']} classes: {accuracy}"
    return f"{head}\n\n" + Table(("objects", "known by", "right class of the known", "AUROC"), lines, 2).markdown()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.evaluate_small", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "pack", type=Path, nargs="?", help="objects.npz with objects.csv, or a subfolder for each class"
    )
    parser.add_argument("--part", choices=(*FOLDS, "all"), default="all", help="part of the pack (default: all)")
    parser.add_argument("--model", default="small")
    parser.add_argument("--checkpoint", type=Path, help="a network of `train_small --leave-out PART`")
    parser.add_argument("--pointnet", type=Path, help="a file of train_pointnet, instead of the encoder")
    parser.add_argument("--names-of", help="only classes that the text encoder of this model has, for a comparison")
    parser.add_argument("--registry", type=Path)
    parser.add_argument("--real", type=Path, help="measure the shapes of real.toml in this folder, instead of a pack")
    parser.add_argument("--out", type=Path, default=Path("results/small-part.json"))
    args = parser.parse_args()
    if not args.pack and (not args.real or args.pointnet):
        parser.error("expected a pack, or --real without --pointnet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrainedNameWarning)
        content = measured(args)
    write_json(args.out, content)
    print(markdown(content))


if __name__ == "__main__":
    main()
