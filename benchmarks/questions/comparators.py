"""`python -m benchmarks comparators`: are learned comparators better than the distance to prototypes?

All families are fitted to the same embeddings of base classes (`benchmarks.training.base_shapes`), without the classes
of 3DOS. They are compared with the distance to prototypes on generated SR1, SR2 and SN, on categories that the
encoder was not trained on, and on the base classes, divided at random into known and novel. Figures over the data seeds
are AUROC, FPR95, accuracy, and paired differences to the prototypes. `--save DIR` writes the comparators.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks import options
from benchmarks.intervals import over_seeds
from benchmarks.questions import harness
from benchmarks.threedos import generated
from benchmarks.threedos.embedder import Embedder
from benchmarks.threedos.protocol import cache_folder
from benchmarks.threedos.recipes import SEEDS, openshape
from benchmarks.threedos.splits import ObjectClass, Split, load_split, split_names
from benchmarks.training.base_shapes import base_categories
from benchmarks.training.train_comparator import COMPOUNDS, SHAPES, comparators
from benchmarks.training.vocabulary import UNSEEN
from openshape_ood.comparison import Comparator
from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.known import KnownClasses
from openshape_ood.scoring import METHODS, Method, judge

BASELINE = "prototype_distance"
HALVINGS = 5  # random divisions of classes into known and novel, if there are more than 6 classes
FIGURES = ("auroc", "fpr95", "accuracy")


@dataclass(frozen=True)
class Task:
    """Splits whose figures are averaged; by_lot: a random half of the classes is known."""

    name: str
    splits: tuple[Split, ...]
    by_lot: bool = False


@dataclass(frozen=True, eq=False)
class Question:
    """Known classes; test embeddings (b, d) of known shapes with labels (b,); test embeddings of novel shapes."""

    known: KnownClasses
    rows: np.ndarray
    labels: np.ndarray
    novel: np.ndarray


def tasks() -> list[Task]:
    def lot(name: str, categories: Sequence[str]) -> Task:
        classes = tuple(ObjectClass(c, (c,), generated=(c,)) for c in categories)
        return Task(name, (Split(name, name, "synthetic to real", classes, (), ()),), True)

    sn = tuple(load_split(name) for name in split_names("synthetic"))
    fixed = [Task(name.upper(), (load_split(name),)) for name in split_names("synthetic to real")]
    return [*fixed, Task("SN", sn), lot("never trained", UNSEEN), lot("base", base_categories())]


def questions(task: Task, embedder: Embedder, per_class: int, data_seed: int) -> Iterator[Question]:
    encoder = embedder.encoder
    recipe = openshape(encoder.row).recipe("known", encoder.row)
    for split in task.splits:
        data = generated.load(split, per_class, data_seed)
        sets = {part: objects for part, objects in data.sets.items() if part != "validation" and len(objects)}
        (z,) = embedder.embed(sets, recipe, SEEDS[:1], 1)
        names = [c.title for c in data.known]
        of = {part: data.sets[part].titles for part in z}
        rows = {c: (z["support"][of["support"] == c], z["known"][of["known"] == c]) for c in names}
        if task.by_lot:
            for some in halvings(len(names)):
                chosen = [names[i] for i in some]
                yield question(encoder, {c: rows[c] for c in chosen}, [rows[c][1] for c in names if c not in chosen])
        else:
            yield question(encoder, rows, [z[part] for part in ("novel1", "novel2") if part in z])


def question(encoder: Any, known: Mapping[str, tuple[np.ndarray, np.ndarray]], novel: Sequence[np.ndarray]) -> Question:
    examples = KnownClasses.from_examples({name: support for name, (support, _) in known.items()}, encoder)
    tested = [rows for _, rows in known.values()]
    labels = np.repeat(np.arange(len(tested)), [len(rows) for rows in tested])
    return Question(examples, np.concatenate(tested), labels, np.concatenate(novel))


def halvings(count: int) -> list[tuple[int, ...]]:
    """Halves of `count` classes: all of them if `count` is at most 6, else some random ones."""
    if count <= 6:
        return list(combinations(range(count), count // 2))
    rng = np.random.RandomState(count)
    return [tuple(sorted(rng.permutation(count)[: count // 2].tolist())) for _ in range(HALVINGS)]


def figures(question: Question, method: Method) -> dict[str, float]:
    of_known, of_novel = (judge(rows, question.known, method) for rows in (question.rows, question.novel))
    metrics = ood_metrics(of_known.novelty, of_novel.novelty)
    return {m: metrics[m] for m in FIGURES[:2]} | {"accuracy": float(np.mean(of_known.nearest == question.labels))}


def measured_methods(fitted: Mapping[str, Comparator]) -> dict[str, Method]:
    """Two distances, every family with prototypes, and two other settings of the relation network."""
    relation = fitted["relation"]
    return {
        BASELINE: METHODS[BASELINE],
        "nearest_distance": METHODS["nearest_distance"],
        **fitted,
        "relation, softmax": relation.configured(score="softmax"),
        "relation, all examples": relation.configured(prototypes="all", pool="mean"),
    }


def summary(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Figures of each task and method with intervals over the data seeds, and paired gains over the baseline."""
    means = []
    for task, method in dict.fromkeys((row["task"], row["method"]) for row in rows):
        some, base = ([r for r in rows if (r["task"], r["method"]) == (task, m)] for m in (method, BASELINE))
        figures = {m: over_seeds([row[m] for row in some]) for m in FIGURES}
        gain = {m: over_seeds([a[m] - b[m] for a, b in zip(some, base, strict=True)], -1.0) for m in FIGURES}
        means.append({"task": task, "method": method, **figures, "gain": gain})
    return means


def table(means: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(one["task"] for one in means))
    lines = []
    for method in dict.fromkeys(one["method"] for one in means):
        of = {one["task"]: one for one in means if one["method"] == method}
        cells = []
        for task in names:
            cells.append(f"{100 * of[task]['auroc']['mean']:.1f} / {100 * of[task]['fpr95']['mean']:.1f}")
            gain = {key: 100 * value for key, value in of[task]["gain"]["auroc"].items()}
            cells.append("" if method == BASELINE else f"{gain['mean']:+.1f} [{gain['low']:+.1f}, {gain['high']:+.1f}]")
        lines.append((method, *cells))
    head = ["method", *(word for task in names for word in (f"{task} AUROC / FPR95", "gain"))]
    return options.grid(head, lines)


def run(args: argparse.Namespace) -> None:
    from openshape_ood import ShapeEncoder

    options.check(args, per_class=2, compounds=0, shapes=2)
    args.out.mkdir(parents=True, exist_ok=True)
    encoder = ShapeEncoder.from_pretrained(args.model, device=args.device)
    embedder = Embedder(encoder, cache_folder(args), args.batch_size, args.workers, args.progress)
    fitted = comparators(encoder, args.compounds, args.shapes, args.progress)
    if args.save:
        args.save.mkdir(parents=True, exist_ok=True)
        for name, one in fitted.items():
            one.save(args.save / f"{name}.safetensors")
    methods = measured_methods(fitted)
    rows = []
    for task, seed in tqdm([(t, s) for t in tasks() for s in args.seeds], disable=not args.progress):
        tested = list(questions(task, embedder, args.per_class, seed))
        for name, method in methods.items():
            each = [figures(one, method) for one in tested]
            mean = {m: float(np.mean([one[m] for one in each])) for m in FIGURES}
            rows.append({"task": task.name, "method": name, "seed": seed, **mean})
    report = harness.facts(encoder) | {
        "settings": {key: getattr(args, key) for key in ("seeds", "per_class", "compounds", "shapes")},
        "base_classes": base_categories(),
        "figures": (means := summary(rows)),
        "rows": rows,
    }
    harness.finish(args, f"comparators-{harness.named(report)}-generated", report, [table(means)], named=("save",))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    names = ("model", "device", "seeds", "batch_size", "workers", "cache", "no_cache")
    parser = options.parser("comparators", "are learned comparators better than prototypes?", *names, per_class=30)
    parser.add_argument("--compounds", type=int, default=COMPOUNDS, help="compound base classes (default: %(default)s)")
    parser.add_argument("--shapes", type=int, default=SHAPES, help="shapes per base class (default: %(default)s)")
    parser.add_argument("--save", type=Path, help="folder for the fitted comparators, one file each")
    return options.run(parser, run, argv)
