"""Evaluation of a trained baseline on a benchmark. The network runs once over each set; all scores use its features."""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from benchmarks.baselines.checkpoints import read
from benchmarks.baselines.clouds import tested
from benchmarks.baselines.networks import TITLES, Classifier, PointNet2Torch
from benchmarks.baselines.scores import SCORES, Fitted, Head, distances
from benchmarks.baselines.training import LOG
from benchmarks.performance.harness import peak_mb
from benchmarks.report.output import write_shapes
from benchmarks.report.tables import confusion_table, figures_table
from benchmarks.threedos.copies import with_copies
from benchmarks.threedos.data.check import differences
from benchmarks.threedos.evaluation import labels_of, method_result
from benchmarks.threedos.objects import BenchmarkData, Objects
from benchmarks.threedos.protocol import load as load_data
from benchmarks.threedos.published import score_words
from benchmarks.threedos.recipes import SEMNOV_POINTS, Settings
from benchmarks.threedos.record import result_json
from benchmarks.threedos.results import Finished, Scored
from benchmarks.threedos.splits import Split, load_split
from benchmarks.threedos.store import content_key
from openshape_ood.encoders.devices import find_device
from openshape_ood.errors import InputError, OpenShapeError
from openshape_ood.registry.files import sha256
from openshape_ood.storage import own_folder, save_whole

PROTOCOL, LONGEST = "3DOS", 100_000


def load(split: Split, args: argparse.Namespace) -> tuple[BenchmarkData, Objects]:
    """Load the data of a benchmark and the training shapes of a baseline.

    Raises `InputError` for fewer than two known classes or a real-to-real benchmark, and `ShapeFileError` for missing
    files.
    """
    if split.track == "real":
        raise InputError(
            f"{split.name} is real to real, which has no trained baselines. Expected sr1, sr2 or an sn set. Change it"
        )
    data = load_data(split, args, own_folder("benchmarks"))
    if len(data.known) < 2:
        names = ", ".join(c.title for c in data.known)
        raise InputError(
            f"{split.name} has one known class here, {names}. Expected two or more for a classifier. Complete the data"
        )
    return data, with_copies(split, data, args.data_root) if args.copies else data.support


def features(
    network: Classifier, objects: Objects, count: int, seed: int, batch_size: int, progress: bool
) -> tuple[np.ndarray, str]:
    """Penultimate features (b, 256) of shapes, each sampled to `count` points; and the sha256 of their content."""
    digest, rows = hashlib.sha256(), [np.empty((0, 256), dtype=np.float32)]
    device = next(network.parameters()).device
    if isinstance(network.enco, PointNet2Torch):  # its first center is random, also in evaluation
        network.enco.start = torch.Generator().manual_seed(seed)
    for start in tqdm(range(0, len(objects), batch_size), disable=not progress or not len(objects), unit="batch"):
        made = []
        for shape in objects.shapes[start : start + batch_size]:
            cloud = shape.read()
            digest.update(content_key(cloud))
            made.append(tested(cloud, count, seed, shape.id))
        with torch.inference_mode():
            part = network(torch.from_numpy(np.stack(made)).to(device))[0].cpu().numpy()
        if not np.isfinite(part).all():
            raise OpenShapeError("the features are not finite. Expected finite weights. Use another checkpoint")
        rows.append(part)
    return np.concatenate(rows), digest.hexdigest()


def settle(network: Classifier, support: Objects, args: argparse.Namespace) -> None:
    """Recompute the running statistics of all batch normalizations on the support.

    The running variance starts at 1, about 10,000 times the true variance under the initial weights. Each step reduces
    it by a tenth. After fewer than about 100 steps it is still too large, and all shapes have nearly equal features.
    """
    norms = [one for one in network.modules() if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    # full batches of mixed classes, as in training
    size = min(args.batch_size, len(support))
    order = np.random.default_rng(args.seed).permutation(len(support))[: len(support) // size * size]
    mixed = Objects(tuple(support.shapes[i] for i in order))
    features(network, mixed, args.support_points, args.seed, size, progress=False)
    network.eval()


def scored(fitted: Fitted, rows: np.ndarray) -> dict[str, Scored]:
    """Novelty and classes of features (b, 256) by every score."""
    novelty, classes = fitted.novelty(rows), fitted.classes(rows)
    nearest = distances(rows.astype(np.float64), fitted.examples).argmin(axis=1)
    return {name: Scored(novelty[name], classes[name], nearest) for name in SCORES}


def run(args: argparse.Namespace) -> str:
    """Evaluate a checkpoint on a benchmark and write the report; returns the tables as text."""
    started, split = time.perf_counter(), load_split(args.set)
    data, support = load(split, args)
    network = read(args.ckpt, len(data.known), args.network, args.head).to(find_device(args.device))
    points = args.support_points, args.test_points or SEMNOV_POINTS[split.track][1]
    if args.settle:
        settle(network, support, args)
    features_of, contents = {}, {}
    for name, objects in {**data.sets, "support": support}.items():
        count = points[0] if name in ("support", "validation") else points[1]
        features_of[name], contents[name] = features(network, objects, count, args.seed, args.batch_size, args.progress)
    held_out = "validation" if len(features_of["validation"]) else "support"
    fitted = Fitted.of(Head.of(network), features_of["support"], labels_of(support, data), features_of[held_out])
    judged = {name: scored(fitted, rows) for name, rows in features_of.items() if name != "support" and len(rows)}
    settings = Settings(PROTOCOL, *points, 0.0, False, True, "", support=SUPPORT[args.copies])
    results = [
        method_result(title, score_words(title), ({part: of[name] for part, of in judged.items()},), data, args.draws)
        for name, title in SCORES.items()
    ]
    report = _described(split, data, network, args, contents)
    switches = asdict(settings) | {key: getattr(args, key) for key in ("draws", "batch_size")}
    switches |= {"seeds": [args.seed], "react_of": held_out, "settled": args.settle, **_training(args.ckpt)}
    unused = {} if data.generated else {"data_seed": None, "per_class": None}
    report["settings"] = switches | {"data_seed": args.data_seed, "per_class": args.per_class} | unused
    report["results"] = [result_json(result, settings) for result in results]
    report["react_threshold"] = fitted.clip
    if "validation" in judged:  # for the choice of a recipe
        right = judged["validation"]["mls"].nearest == labels_of(data.validation, data)
        report["validation_accuracy"] = round(float(right.mean()), 4)
    report["run"] = {"seconds": round(time.perf_counter() - started, 1), "peak_mb": peak_mb()}
    path = args.out / f"{args.ckpt.stem}-on-{split.name}{'-copies' if args.copies else ''}.json"
    save_whole(path, json.dumps(report, indent=1).encode(), "report")
    unit = {name: rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12) for name, rows in features_of.items()}
    with_support = replace(data, support=support)  # with corrupted copies, because a copy may be the nearest example
    name = report["provenance"]["identity"]["checkpoint"]
    finished = Finished(split, with_support, name, PROTOCOL, [args.seed], results, unit, report)
    drawn = write_shapes(path.with_suffix(""), finished, args.pictures)
    words = [f"accuracy on validation shapes {report['validation_accuracy']:.1%}"] if "validation" in judged else []
    files = [path, *([drawn["Overview"], path.with_suffix("") / "failures.html"] if drawn else [])]
    tables = [figures_table(report).text(), *words, "", confusion_table(report), ""]
    return "\n".join([*tables, f"{report['run']['seconds']} s", *map(str, files)])


SUPPORT: Any = {False: "clean", True: "with corrupted copies"}


def model_name(network: Classifier, copies: bool) -> str:
    """Name of a network in the tables, as in published rows: "DGCNN (trained)", or "DGCNN (trained, ARPL)"."""
    head = "" if network.sizes.head == "CE" else f", {network.sizes.head}"
    return f"{TITLES[network.sizes.network]} (trained{head}{' + copies' if copies else ''})"


def _described(
    split: Split, data: BenchmarkData, network: Classifier, args: argparse.Namespace, contents: Mapping[str, str]
) -> dict[str, Any]:
    """First part of a report: benchmark, data, classes, network and versions."""
    identity = {"checkpoint": model_name(network, args.copies), "space": "", "sha256": sha256(args.ckpt)}
    classes = {"known": data.known, "novel1": split.novel1, "novel2": split.novel2}
    return {
        "benchmark": split.name,
        "title": split.title,
        "protocol": PROTOCOL,
        "data": {
            "source": data.source,
            "generated": data.generated,
            "absent": list(data.absent),
            "counts": data.counts,
            "differs": [] if data.generated else differences(split.name, data.counts),
            "sha256": dict(contents),
        },
        "classes": {part: [[c.title, list(c.names)] for c in of] for part, of in classes.items()},
        "provenance": {"identity": identity, "file": args.ckpt.name},
        "architecture": {"name": network.sizes.network, "head": network.sizes.head, "classes": network.sizes.classes},
        "device": str(next(network.parameters()).device),
        "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
    }


def recipe_of(path: Path) -> dict[str, Any]:
    """Training recipe of a checkpoint, from its log; empty for files without a log."""
    try:
        with path.with_suffix(LOG).open("rb") as file:
            return dict(json.loads(file.readline(LONGEST))["recipe"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}


def _training(path: Path) -> dict[str, Any]:
    """Training settings for a report; empty for files without a log."""
    recipe = recipe_of(path)
    try:
        known = {"epochs": int(recipe["epochs"]), "training_points": int(recipe["points"])}
        return known | {"training_copies": bool(recipe["copies"])}
    except (ValueError, LookupError, TypeError):
        return {}
