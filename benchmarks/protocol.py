"""One benchmark run: objects -> embeddings -> scores -> metrics -> a table, a JSON file and a picture."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import generated, threedos
from benchmarks.objects import BenchmarkData
from benchmarks.splits import Split, load_split
from openshape_ood import Known, OpenShapeError, ShapeEncoder, TextEncoder, __version__
from openshape_ood.known import identity_of
from openshape_ood.metrics import METRICS, balanced_accuracy, ood_metrics
from openshape_ood.scores import SCORES

SHOWN = ("auroc", "fpr95", "aupr_in", "aupr_out")
METHODS = (("names", "max_cosine"), ("prototypes", "prototype_distance"), ("nearest example", "nearest_distance"))


@dataclass(frozen=True)
class Embedded:
    """Unit embeddings of a run's objects, set by set."""

    support: np.ndarray
    test_known: np.ndarray
    novel1: np.ndarray
    novel2: np.ndarray


@dataclass(frozen=True)
class MethodResult:
    """What one method found: novelty of each test set, the known objects' classes, and the figures."""

    known_by: str
    score: str
    known: np.ndarray
    novel1: np.ndarray
    novel2: np.ndarray
    predicted: np.ndarray
    accuracy: float
    balanced_accuracy: float
    metrics: dict[str, dict[str, float]]

    def as_json(self) -> dict[str, Any]:
        return {
            "known_by": self.known_by,
            "score": self.score,
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            **self.metrics,
        }


def embed(data: BenchmarkData, encoder: ShapeEncoder, args: argparse.Namespace) -> Embedded:
    sets = data.sets.values()
    clouds = [cloud for objects in sets for cloud in objects.clouds]
    z = encoder.encode(clouds, up="y", batch_size=args.batch_size, seed=args.seed, progress=args.progress)
    return Embedded(*np.split(z, np.cumsum([len(objects) for objects in sets])[:-1]))


def banks(data: BenchmarkData, embedded: Embedded, encoder: ShapeEncoder, text: TextEncoder) -> dict[str, Known]:
    """The known classes by name and by example. Names of one class stay apart: the best one counts."""
    by_example = {c.title: embedded.support[data.support.titles == c.title] for c in data.known}
    return {
        "names": Known.from_names([name for c in data.known for name in c.names], text),
        "examples": Known.from_examples(by_example, encoder),
    }


def evaluate(data: BenchmarkData, embedded: Embedded, known_banks: dict[str, Known]) -> list[MethodResult]:
    titles = {name: c.title for c in data.known for name in (*c.names, c.title)}
    return [
        _evaluate(known_by, score, known_banks["names" if known_by == "names" else "examples"], data, embedded, titles)
        for known_by, score in METHODS
    ]


def _evaluate(
    known_by: str, score: str, bank: Known, data: BenchmarkData, embedded: Embedded, titles: dict[str, str]
) -> MethodResult:
    novelty = SCORES[score].novelty
    known, novel1, novel2 = (novelty(z, bank) for z in (embedded.test_known, embedded.novel1, embedded.novel2))
    nearest = SCORES[score].nearest(embedded.test_known, bank)
    predicted = np.array([titles[bank.names[i]] for i in nearest])
    pairs = {"novel1": novel1, "novel2": novel2, "both": np.concatenate([novel1, novel2])}
    return MethodResult(
        known_by=known_by,
        score=score,
        known=known,
        novel1=novel1,
        novel2=novel2,
        predicted=predicted,
        accuracy=float(np.mean(predicted == data.test_known.titles)),
        balanced_accuracy=balanced_accuracy(data.test_known.titles, predicted),
        metrics={name: ood_metrics(known, novel) for name, novel in pairs.items() if len(novel)},
    )


def table(results: Sequence[MethodResult]) -> str:
    """The figures in percent: a row a method and novel set."""
    columns = ("AUROC", 6), ("FPR95", 6), ("AUPR-in", 8), ("AUPR-out", 9), ("acc.", 6), ("bal.", 6)
    head = " ".join([f"{'known by':16} {'against':8}", *(f"{name:>{width}}" for name, width in columns)])
    rows = [head, "-" * len(head)]
    for result in results:
        for name, values in result.metrics.items():
            first = name == next(iter(result.metrics))
            auroc, fpr95, aupr_in, aupr_out = (100 * values[m] for m in SHOWN)
            closed = f"{100 * result.accuracy:6.1f} {100 * result.balanced_accuracy:6.1f}" if first else ""
            label = result.known_by if first else ""
            figures = f"{auroc:6.1f} {fpr95:6.1f} {aupr_in:8.1f} {aupr_out:9.1f} {closed}"
            rows.append(f"{label:16} {name:8} {figures}".rstrip())
    return "\n".join(rows)


def report(
    split: Split,
    data: BenchmarkData,
    encoder: ShapeEncoder,
    text: TextEncoder,
    results: Sequence[MethodResult],
    args: argparse.Namespace,
) -> dict[str, Any]:
    """Everything about a run that a reader of its figures may ask for."""
    import torch

    return {
        "benchmark": split.name,
        "title": split.title,
        "data": data.source,
        "counts": {name: objects.counts() for name, objects in data.sets.items()},
        "absent": list(data.absent),
        "model": encoder.name,
        "checkpoint_sha256": encoder.checkpoint_hash,
        "text": {"tower": text.tower, "templates": len(text.templates), "average": text.average},
        "preprocessing": {"points": encoder.num_points, "data_up": "y", "encoder_up": encoder.up, "seed": args.seed},
        "device": str(encoder.device),
        "versions": {"openshape_ood": __version__, "torch": torch.__version__, "python": platform.python_version()},
        "metrics": f"fractions; {', '.join(METRICS)} as in 3DOS: known is positive",
        "results": [result.as_json() for result in results],
    }


def write_json(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)


def run(split: Split, args: argparse.Namespace) -> dict[str, Any]:
    """Run one benchmark and write its files; returns the report."""
    from benchmarks.picture import draw

    started = time.perf_counter()
    args.out.mkdir(parents=True, exist_ok=True)
    encoder = ShapeEncoder.from_pretrained(
        args.model, checkpoint=args.checkpoint, registry=args.registry, device=args.device
    )
    text = TextEncoder.from_pretrained(
        args.model, checkpoint=args.text_checkpoint, registry=args.registry, device=args.device
    )
    data = (
        threedos.load(split, args.data_root, args.progress)
        if args.data_root
        else generated.load(split, args.per_class, args.seed, args.progress)
    )
    embedded = embed(data, encoder, args)
    known_banks = banks(data, embedded, encoder, text)
    for bank in known_banks.values():
        bank.check_fits(identity_of(encoder))
    results = evaluate(data, embedded, known_banks)
    content = report(split, data, encoder, text, results, args) | {"seconds": round(time.perf_counter() - started, 1)}
    stem = f"{split.name}-{encoder.name}-{'3dos' if args.data_root else 'generated'}"
    write_json(args.out / f"{stem}.json", content)
    picture = draw(args.out / f"{stem}.png", split, data, results, encoder.name)
    print(summary(split, data, encoder, results))
    print(f"\n{content['seconds']} s. Figures: {args.out / f'{stem}.json'}\nPicture: {picture}")
    return content


def summary(split: Split, data: BenchmarkData, encoder: ShapeEncoder, results: Sequence[MethodResult]) -> str:
    counts = ", ".join(f"{name} {len(objects)}" for name, objects in data.sets.items())
    lines = [
        f"{split.title}: {', '.join(c.title for c in data.known)} known",
        f"novel1: {', '.join(sorted(data.novel1.counts()))}; novel2: {', '.join(sorted(data.novel2.counts()))}",
        f"data: {data.source}; {counts}",
        f"encoder: {encoder.name}, checkpoint {encoder.checkpoint_hash[:12]}, {encoder.num_points} points, "
        f"{encoder.device}",
    ]
    if data.absent:
        lines.append(f"left out, because the data have none of them: {', '.join(data.absent)}")
    return "\n".join([*lines, "", table(results)])


def parse(split: Split, argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{split.name}", description=split.title)
    parser.add_argument("--model", default="tiny", help="a checkpoint of the registry (default: tiny)")
    parser.add_argument("--checkpoint", type=Path, help="a weights file at hand instead of the Hub's")
    parser.add_argument("--text-checkpoint", type=Path, help="a file with the text tower's weights, likewise")
    parser.add_argument("--registry", type=Path, help="a registry of your own")
    parser.add_argument("--data-root", type=Path, help="the unpacked 3DOS release; without it, generated shapes")
    parser.add_argument("--per-class", type=int, default=60, help="generated shapes a class (default: 60)")
    parser.add_argument("--device", help="cpu, cuda, mps (default: the best there is)")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the results (default: results)")
    parser.add_argument("--quiet", dest="progress", action="store_false", help="no progress bars")
    return parser.parse_args(argv)


def main(name: str, argv: Sequence[str] | None = None) -> int:
    """The command: 0 when done, 1 with one line on stderr when something about the input was wrong."""
    split = load_split(name)
    try:
        run(split, parse(split, argv))
    except (OpenShapeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
