"""Accuracy and AUROC of an encoder on the objects of a pack that its training did not show.

    python -m benchmarks.training.evaluate_small PACK --part realistic --model small --checkpoint fold.safetensors

Objects of a part of the pack (`small_data.FOLDS`; "all" for a pack of your own), whole and seen from one side, as
`python -m benchmarks objects` has them: the share given the right one of all classes, and with half of the classes
known, by names and by three examples, accuracy and AUROC over ten seeds; beside it the nearest of the examples by
distances between points. Classes that the text encoder has no vector for are left out, and counted.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.intervals import bootstrap, over_seeds
from benchmarks.object_pack import read_pack
from benchmarks.questions.objects import EXAMPLES, FIGURES, VIEWS, WAYS, of_seed, one_sided, pair_distances, zero_shot
from benchmarks.report.output import write_json
from benchmarks.report.tables import Table
from benchmarks.training import real
from benchmarks.training.small_data import FOLDS, fold_of
from openshape_ood import ShapeEncoder, TextEncoder
from openshape_ood.encoders.text.encoder import UntrainedNameWarning

SEEDS = range(10)
# what stands for names of real.toml that no table entry has
ALIASES = {"tv stand": ("television", "cabinet")}


def measured(args: argparse.Namespace) -> dict[str, Any]:
    where = {"registry": args.registry}
    encoder = ShapeEncoder.from_pretrained(args.model, checkpoint=args.checkpoint, device="cpu", **where)
    text = TextEncoder.from_pretrained(args.model, **where)
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
    rows = {}
    for view in VIEWS:
        clouds = pack.clouds if view == "whole" else [one_sided(cloud, i) for i, cloud in enumerate(pack.clouds)]
        histograms = np.stack([pair_distances(cloud, i) for i, cloud in enumerate(clouds)])
        rows[view] = {"embeddings": encoder.encode(clouds, up="y"), "histograms": histograms}
    right = {view: zero_shot(pack, rows[view]["embeddings"], encoder, text) for view in VIEWS}
    names, counts = np.unique(pack.classes, return_counts=True)
    often = np.isin(pack.classes, names[counts > EXAMPLES])
    few = {view: {kind: values[often] for kind, values in rows[view].items()} for view in VIEWS}
    found = [one for seed in SEEDS for one in of_seed(seed, pack.of(often), few, encoder, text)]
    figures = [
        {"view": view, "way": way}
        | {
            name: over_seeds([one[name] for one in found if (one["view"], one["way"]) == (view, way)])
            for name in FIGURES
        }
        for view in VIEWS
        for way in WAYS
    ]
    return {
        "model": encoder.identity.checkpoint,
        "checkpoint_sha256": encoder.identity.sha256,
        "part": args.part,
        "objects": len(pack.classes),
        "classes": len(names),
        "without_vector": left_out,
        "zero_shot": {view: bootstrap(right[view], 1000) for view in VIEWS},
        "half_known": {"objects": int(often.sum()), "classes": int((counts > EXAMPLES).sum()), "figures": figures},
        "accuracy_by_name": {
            name: round(float(right["whole"][pack.classes == name].mean()), 3) for name in names.tolist()
        },
    }


def markdown(content: dict[str, Any]) -> str:
    if "real" in content:
        found = content["real"]
        wrong = ", ".join(f"{one['file']} {one['found']}" for one in found["each"] if one["is"] != one["found"])
        keys = ("accuracy", "auroc", "scans_accuracy", "scans_auroc")
        lines = tuple((key.replace("_", " "), f"{100 * found[key]:.1f}") for key in keys)
        table = Table((f"{found['shapes']} shapes, {found['classes']} names", "%"), lines, 1).markdown()
        return f"{table}\n\nWrong: {wrong}"
    top = {view: 100 * content["zero_shot"][view]["mean"] for view in VIEWS}
    lines = tuple(
        (one["view"], one["way"], *(f"{100 * one[name]['mean']:.1f}" for name in FIGURES))
        for one in content["half_known"]["figures"]
    )
    said = f"{content['objects']} objects, {content['classes']} classes, right one of all: "
    said += ", ".join(f"{view} {value:.1f} %" for view, value in top.items())
    return f"{said}\n\n" + Table(("objects", "known by", *FIGURES.values()), lines, 2).markdown()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.evaluate_small", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "pack", type=Path, nargs="?", help="objects.npz with objects.csv, or a subfolder for each class"
    )
    parser.add_argument("--part", choices=(*FOLDS, "all"), default="all", help="which objects (default: all)")
    parser.add_argument("--model", default="small")
    parser.add_argument("--checkpoint", type=Path, help="a network of `train_small --leave-out PART`")
    parser.add_argument("--names-of", help="only classes that the names of this model serve, to compare with it")
    parser.add_argument("--registry", type=Path)
    parser.add_argument("--real", type=Path, help="measure the shapes that real.toml names instead, in this folder")
    parser.add_argument("--out", type=Path, default=Path("results/small-part.json"))
    args = parser.parse_args()
    if not args.pack and not args.real:
        parser.error("expected a pack, or --real")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrainedNameWarning)
        content = measured(args)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(args.out, content)
    print(markdown(content))


if __name__ == "__main__":
    main()
