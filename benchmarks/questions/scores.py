"""`python -m benchmarks scores`: all methods of `openshape_ood.scoring.METHODS` on SR1 and SR2.

Prints AUROC and FPR95 of known against novel 1 and 2 together, with bootstrap intervals; closed-set accuracy; seconds
per thousand embedded shapes; and the best method for names, for examples, and for both. Writes the same as JSON.
Methods by Euclidean distance are left out: on unit embeddings, the cosine gives the same order.

`--data-seeds 0 1 2 3 4` repeats the measurement on other data, with paired differences to the default of each group.
`--shots 1 5 20` sets the number of examples per class. Both also write a table as Markdown, CSV and LaTeX. `--import
my_module` adds your methods, which the module registers in `METHODS`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import options
from benchmarks.questions import harness
from benchmarks.questions.methods_compared import compared_rows, csv_text
from benchmarks.questions.methods_compared import table as comparison_table
from benchmarks.threedos.command import with_shots
from benchmarks.threedos.embedder import Embedder
from benchmarks.threedos.evaluation import labels_of
from benchmarks.threedos.intervals import metric_intervals
from benchmarks.threedos.objects import BenchmarkData, Objects
from benchmarks.threedos.protocol import cache_folder, load
from benchmarks.threedos.recipes import SEEDS, openshape
from benchmarks.threedos.results import Figure
from benchmarks.threedos.splits import load_split, split_names
from openshape_ood.checks import check_seed
from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses, MemoryBank
from openshape_ood.registry import load_registry
from openshape_ood.scoring import DEFAULTS, METHODS, Judgement, Method, find_method, judge
from openshape_ood.scoring.methods import Kind, fitted
from openshape_ood.scoring.text_scores import negative_words

if TYPE_CHECKING:  # reader processes import this module, and importing torch would slow them
    from openshape_ood import ShapeEncoder, TextEncoder

# kind of known classes -> `needs` of its methods
GROUPS: dict[Kind, tuple[str, ...]] = {
    "names": ("any", "negatives"),
    "examples": ("examples", "patches"),
    "both": ("text and examples",),
}
TESTED = ("known", "novel1", "novel2")
AT_ONCE = 32  # shapes whose patches are in memory


@dataclass(frozen=True)
class Row:
    """Figures of one method on one benchmark over the seeds, and seconds per thousand embedded shapes."""

    benchmark: str
    known_by: Kind
    method: str
    accuracy: float
    auroc: Figure
    fpr95: Figure
    seconds: float

    def as_json(self) -> dict[str, Any]:
        words = {"benchmark": self.benchmark, "known_by": self.known_by, "method": self.method}
        figures = {"accuracy": round(self.accuracy, 9), "auroc": self.auroc.as_json(), "fpr95": self.fpr95.as_json()}
        return words | figures | {"seconds_per_1000": round(self.seconds, 4)}


def compared() -> dict[str, Method]:
    """All registered methods, except those by Euclidean distance."""
    return {name: method for name, method in METHODS.items() if not name.endswith("_euclidean")}


def known_classes(
    data: BenchmarkData, support: np.ndarray, encoder: ShapeEncoder, text: TextEncoder
) -> dict[str, KnownClasses]:
    """Group -> known classes, from embeddings (m, d) of the support; each name of a class is an entry of its own."""
    names = [name for c in data.known for name in c.names]
    words = [word for word in negative_words() if word not in names]
    by_class = {c.title: support[data.support.titles == c.title] for c in data.known}
    by_each_name = {name: by_class[c.title] for c in data.known for name in c.names}
    return {
        "names": KnownClasses.from_names(names, text, negatives=words, temperature=encoder.temperature),
        "examples": KnownClasses.from_examples(by_class, encoder),
        "both": KnownClasses.from_both(names, by_each_name, encoder, text),
    }


def _with_patches(data: BenchmarkData, support: np.ndarray, encoder: ShapeEncoder, seed: int) -> KnownClasses:
    tokens = np.concatenate(list(patches(data.support, encoder, seed)))
    m, p, width = tokens.shape
    rows = tokens.reshape(-1, width)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels, none = labels_of(data.support, data), np.empty((0, 3), dtype=np.float32)  # patch centers are not needed
    memory = MemoryBank(rows, np.repeat(labels, p), none, np.repeat(np.arange(m), p), "tokens", radius=0.0)
    names = tuple(c.title for c in data.known)
    return KnownClasses(names, encoder.identity, examples=support, labels=labels, patches=memory)


def patches(objects: Objects, encoder: ShapeEncoder, seed: int) -> Iterator[np.ndarray]:
    """Yield patch tokens (b, p, w) of the shapes batch by batch, because all of them do not fit into memory."""
    for i in range(0, len(objects), AT_ONCE):
        clouds = [shape.read() for shape in objects.shapes[i : i + AT_ONCE]]
        yield encoder.encode_patches(clouds, up="y", batch_size=AT_ONCE, seed=seed).features


def measure(name: str, args: argparse.Namespace, encoder: ShapeEncoder, text: TextEncoder) -> list[Row]:
    """Rows of every method on one benchmark."""
    data = load(load_split(name), args, cache_folder(args)).with_shots(args.shots, args.data_seed)
    embedder = Embedder(encoder, cache_folder(args), args.batch_size, args.workers, args.progress)
    recipe = openshape(encoder.row).recipe("known", encoder.row)
    sets = {part: objects for part, objects in data.sets.items() if part != "validation"}
    embedded = embedder.embed(sets, recipe, args.seeds, args.num_samples)
    known = [
        known_classes(data, z["support"], encoder, text) | {"patches": _with_patches(data, z["support"], encoder, seed)}
        for z, seed in zip(embedded, args.seeds, strict=True)
    ]
    tests = {part: data.sets[part] for part in TESTED if len(data.sets[part])}
    owners = np.repeat(np.arange(len(data.known)), [len(c.names) for c in data.known])
    labels, count = labels_of(data.test_known, data), sum(map(len, tests.values()))
    rows = list[Row]()
    for method in _measured(encoder):
        if args.shots and not _takes(method, known[0]):
            continue
        group = _group(method)
        pairs, right, spent = [], [], []
        for z, classes, seed in zip(embedded, known, args.seeds, strict=True):
            queries: dict[str, Iterable[np.ndarray]] = {part: [z[part]] for part in tests}
            if method.rows == "patches":
                queries = {part: patches(objects, encoder, seed) for part, objects in tests.items()}
            novelty, nearest, seconds = _judged(method, queries, _of(method, classes))
            pairs.append((novelty["known"], np.concatenate([novelty[part] for part in tests if part != "known"])))
            right.append(np.mean((nearest if group == "examples" else owners[nearest]) == labels))
            spent.append(seconds)
        values, intervals = [ood_metrics(*pair) for pair in pairs], metric_intervals(pairs, args.draws)
        auroc, fpr95 = (Figure(tuple(v[m] for v in values), *intervals[m]) for m in ("auroc", "fpr95"))
        seconds = 1000 * float(np.mean(spent)) / count
        rows.append(Row(name, group, method.name, float(np.mean(right)), auroc, fpr95, seconds))
    return rows


def _group(method: Method) -> Kind:
    return next(group for group, needs in GROUPS.items() if method.needs in needs)


def _of(method: Method, classes: Mapping[str, KnownClasses]) -> KnownClasses:
    return classes["patches" if method.rows == "patches" else _group(method)]


def _takes(method: Method, classes: Mapping[str, KnownClasses]) -> bool:
    """True if the method has enough examples; else a line on stderr gives the reason."""
    try:
        fitted(method, _of(method, classes))
    except InputError as error:
        print(f"without {method.name}: {error}", file=sys.stderr)
        return False
    return True


def _measured(encoder: ShapeEncoder) -> list[Method]:
    """All methods of `compared`, and the comparator if the registry has one for the encoder."""
    learned = any(row.encoder == encoder.identity.checkpoint for row in load_registry().values())
    return [*compared().values(), *([find_method("comparator")] if learned else [])]


def _judged(
    method: Method, queries: Mapping[str, Iterable[np.ndarray]], known: KnownClasses
) -> tuple[dict[str, np.ndarray], np.ndarray, float]:
    """Novelty (b,) of each set, nearest class (m,) of the known shapes, and seconds of scoring."""
    fitted(method, known)  # fit before timing
    results: dict[str, list[Judgement]] = {part: [] for part in queries}
    seconds = 0.0
    for part, batches in queries.items():
        for batch in batches:
            started = time.perf_counter()
            results[part].append(judge(batch, known, method))
            seconds += time.perf_counter() - started
    novelty = {part: np.concatenate([one.novelty for one in each]) for part, each in results.items()}
    return novelty, np.concatenate([one.nearest for one in results["known"]]), seconds


def table(rows: Sequence[Row]) -> str:
    """One row per method with the figures of each benchmark; within a group the best method first."""
    names = list(dict.fromkeys(row.benchmark for row in rows))
    head = ["known by", "method"]
    head += [f"{name.upper()} {figure}" for name in names for figure in ("AUROC", "FPR95", "accuracy")]
    lines = []
    for group in GROUPS:
        for method in ranked(rows, group):
            of = {row.benchmark: row for row in rows if row.method == method}
            cells = []
            for row in (of[name] for name in names):
                cells += [f"{100 * f.mean:.1f} [{100 * f.low:.1f}-{100 * f.high:.1f}]" for f in (row.auroc, row.fpr95)]
                cells.append(f"{100 * row.accuracy:.1f}")
            lines.append((group, method, *cells, f"{np.mean([row.seconds for row in of.values()]):.3f}"))
    return options.grid([*head, "s/1,000"], lines, words=2)


def ranked(rows: Sequence[Row], group: str) -> list[str]:
    """The methods of a group by decreasing mean AUROC over the benchmarks."""
    methods = dict.fromkeys(row.method for row in rows if row.known_by == group)
    return sorted(methods, key=lambda method: -_mean(rows, method))


def recommendation(rows: Sequence[Row]) -> list[str]:
    """One sentence per group: the method with the best AUROC. With both names and examples, all methods compete."""
    lines = []
    for group in GROUPS:
        open_to = list(GROUPS) if group == "both" else [group]
        best, *others = sorted((m for g in open_to for m in ranked(rows, g)), key=lambda m: -_mean(rows, m))
        close = [method for method in others if _overlap(rows, best, method)]
        also = f"; within its interval on every benchmark: {', '.join(close)}" if close else ""
        why = f"the largest mean AUROC, {100 * _mean(rows, best):.1f}{also}"
        lines.append(f"{group}: {best}, with {why}. Default method: {DEFAULTS[group]}")
    return lines


def _mean(rows: Sequence[Row], method: str) -> float:
    return float(np.mean([row.auroc.mean for row in rows if row.method == method]))


def _overlap(rows: Sequence[Row], best: str, other: str) -> bool:
    """True if a method's AUROC is within the interval of the best method on every benchmark."""
    lows = {row.benchmark: row.auroc.low for row in rows if row.method == best}
    return all(row.auroc.mean >= lows[row.benchmark] for row in rows if row.method == other)


def run(args: argparse.Namespace) -> None:
    options.check(args)
    _check_data_seeds(args)
    encoder, text = harness.loaded(args)
    if args.data_seeds or args.shots:
        return compare(args, encoder, text)
    rows = [row for name in args.name for row in measure(name, args, encoder, text)]
    report = harness.facts(encoder, text) | {
        "generated": args.data_root is None,
        "settings": {key: getattr(args, key) for key in ("num_samples", "seeds", "draws", "per_class", "data_seed")},
        "rows": [row.as_json() for row in rows],
        "recommended": recommendation(rows),
    }
    name = f"scores-{harness.named(report)}-{'generated' if args.data_root is None else '3dos'}"
    harness.finish(args, name, report, [table(rows), "\n".join(recommendation(rows))], named=("data_root",))


def compare(args: argparse.Namespace, encoder: ShapeEncoder, text: TextEncoder) -> None:
    """Compare the methods over data seeds and numbers of examples; writes text, Markdown, CSV, LaTeX and JSON."""
    rows: list[dict[str, Any]] = []
    for shots in args.shots or [None]:
        drawn = {}
        for seed in args.data_seeds or [args.data_seed]:
            one = with_shots(args, shots, data_seed=seed)
            drawn[seed] = [row for name in args.name for row in measure(name, one, encoder, text)]
        rows += [row for row in compared_rows(drawn, shots) if row["shots"] != 0 or not rows]
    settings = ("num_samples", "seeds", "draws", "per_class", "data_seed", "data_seeds", "shots")
    report = harness.facts(encoder, text) | {
        "generated": args.data_root is None,
        "settings": {key: getattr(args, key) for key in settings},
        "rows": rows,
    }
    name = f"scores-{harness.named(report)}-{'generated' if args.data_root is None else '3dos'}"
    shown = comparison_table(rows)
    texts = {".md": shown.markdown() + "\n", ".csv": csv_text(rows), ".tex": shown.latex()}
    harness.finish(args, name, report, [shown.text(width=240)], named=("data_root",), texts=texts)


def _check_data_seeds(args: argparse.Namespace) -> None:
    seeds = args.data_seeds or []
    for seed in seeds:
        check_seed(seed)
    if seeds and len(set(seeds)) < max(2, len(seeds)):
        raise InputError(f"--data-seeds are {' '.join(map(str, seeds))}; expected two or more, each once")
    if seeds and args.data_root and not args.shots:
        raise InputError("--data-seeds with --data-root draw examples; expected --shots too. Add it, or leave out one")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    names = ("model", "checkpoint", "text_checkpoint", "registry", "data_root", "per_class", "data_seed")
    more = ("num_samples", "draws", "shots", "device", "batch_size", "workers", "cache", "no_cache")
    parser = options.parser("scores", "every method on SR1 and SR2", *names, *more, seeds=list(SEEDS))
    splits = split_names("synthetic to real")
    parser.add_argument("--name", nargs="+", choices=splits, default=list(splits), help="benchmarks (default: both)")
    parser.add_argument(
        "--data-seeds",
        type=int,
        nargs="+",
        help="compare the methods over these seeds of the data, with paired 95 %% intervals",
    )
    return options.run(parser, run, argv)
