"""`python -m benchmarks.scores`: every method of `openshape_ood.scoring.METHODS` on SR1 and SR2, side by side.

Prints AUROC and FPR95 of known against novel 1 and 2 together, with bootstrap intervals, the closed-set accuracy,
what a thousand shapes cost once they are embedded, and which method the figures speak for where the classes are known
by name, by example, or by both. Writes the same as JSON. Methods by Euclidean distance are left out: between unit
embeddings it orders neighbors as the cosine does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import options
from benchmarks.report.output import write_json
from benchmarks.threedos.embedder import Embedder
from benchmarks.threedos.evaluation import labels_of
from benchmarks.threedos.intervals import metric_intervals
from benchmarks.threedos.objects import BenchmarkData, Objects
from benchmarks.threedos.protocol import cache_folder, load
from benchmarks.threedos.recipes import SEEDS, openshape
from benchmarks.threedos.results import Figure
from benchmarks.threedos.splits import load_split, split_names
from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses, MemoryBank
from openshape_ood.scoring import DEFAULTS, METHODS, Method, judge
from openshape_ood.scoring.methods import Kind
from openshape_ood.scoring.words import negative_words

if TYPE_CHECKING:  # the reader processes import this module, and must not wait for torch
    from openshape_ood import ShapeEncoder, TextEncoder

# what stands for a user who has names, examples, or both; the last may use any method
GROUPS: dict[Kind, tuple[str, ...]] = {
    "names": ("any", "negatives"),
    "examples": ("examples", "patches"),
    "both": ("text and examples",),
}
MEASURED = {name: method for name, method in METHODS.items() if not name.endswith("_euclidean")}
TESTED = ("known", "novel1", "novel2")
AT_ONCE = 32  # shapes whose patches are held


@dataclass(frozen=True)
class Row:
    """One method on one benchmark: figures over the seeds, and seconds for a thousand embedded shapes."""

    benchmark: str
    known_by: str
    method: str
    accuracy: float
    auroc: Figure
    fpr95: Figure
    seconds: float

    def as_json(self) -> dict[str, Any]:
        figures = {"auroc": self.auroc.as_json(), "fpr95": self.fpr95.as_json()}
        words = {"benchmark": self.benchmark, "known_by": self.known_by, "method": self.method}
        return words | {"accuracy": round(self.accuracy, 9), **figures, "seconds_per_1000": round(self.seconds, 4)}


def known_classes(
    data: BenchmarkData, support: np.ndarray, encoder: ShapeEncoder, text: TextEncoder, seed: int
) -> dict[str, KnownClasses]:
    """The known classes under one seed, by group, from the embeddings (m, d) of the support.

    Names of one class stay apart; patch tokens are of the same shapes under the same seed.
    """
    names = [name for c in data.known for name in c.names]
    words = [word for word in negative_words() if word not in names]
    by_class = {c.title: support[data.support.titles == c.title] for c in data.known}
    by_each_name = {name: by_class[c.title] for c in data.known for name in c.names}
    return {
        "names": KnownClasses.from_names(names, text, negatives=words, temperature=encoder.temperature),
        "examples": KnownClasses.from_examples(by_class, encoder),
        "patches": _with_patches(data, support, encoder, seed),
        "both": KnownClasses.from_both(names, by_each_name, encoder, text),
    }


def _with_patches(data: BenchmarkData, support: np.ndarray, encoder: ShapeEncoder, seed: int) -> KnownClasses:
    tokens = np.concatenate(list(patches(data.support, encoder, seed)))
    m, p, width = tokens.shape
    rows = tokens.reshape(-1, width)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels, none = labels_of(data.support, data), np.empty((0, 3), dtype=np.float32)  # nobody asks where they lie
    memory = MemoryBank(rows, np.repeat(labels, p), none, np.repeat(np.arange(m), p), "tokens", radius=0.0)
    names = tuple(c.title for c in data.known)
    return KnownClasses(names, encoder.identity, examples=support, labels=labels, patches=memory)


def patches(objects: Objects, encoder: ShapeEncoder, seed: int) -> Iterator[np.ndarray]:
    """Patch tokens (b, p, w) of the shapes, a batch at a time: they are too many to be kept."""
    for i in range(0, len(objects), AT_ONCE):
        clouds = [shape.read() for shape in objects.shapes[i : i + AT_ONCE]]
        yield encoder.encode_patches(clouds, up="y", batch_size=AT_ONCE, seed=seed).features


def measure(name: str, args: argparse.Namespace, encoder: ShapeEncoder, text: TextEncoder) -> list[Row]:
    """Every method on one benchmark."""
    data = load(load_split(name), args, cache_folder(args))
    embedder = Embedder(encoder, cache_folder(args), args.batch_size, args.workers, args.progress)
    recipe = openshape(encoder.row).recipe("known", encoder.row)
    sets = {part: objects for part, objects in data.sets.items() if part != "validation"}
    embedded = embedder.embed(sets, recipe, args.seeds, args.num_samples)
    known = [known_classes(data, z["support"], encoder, text, s) for z, s in zip(embedded, args.seeds, strict=True)]
    tests = {part: data.sets[part] for part in TESTED if len(data.sets[part])}
    owners = np.repeat(np.arange(len(data.known)), [len(c.names) for c in data.known])
    rows = []
    for method in MEASURED.values():
        group = next(group for group, needs in GROUPS.items() if method.needs in needs)
        judged = []
        for z, classes, seed in zip(embedded, known, args.seeds, strict=True):
            queries: dict[str, Iterable[np.ndarray]] = {part: [z[part]] for part in tests}
            if method.rows == "patches":
                queries = {part: patches(objects, encoder, seed) for part, objects in tests.items()}
            judged.append(_judged(method, queries, classes["patches" if method.rows == "patches" else group]))
        rows.append(_row(name, group, method.name, judged, data, owners, args.draws))
    return rows


@dataclass(frozen=True, eq=False)
class Judged:
    """One method under one seed: novelty and nearest class of each set, and the seconds it took."""

    novelty: Mapping[str, np.ndarray]
    nearest: np.ndarray
    seconds: float


def _judged(method: Method, queries: Mapping[str, Iterable[np.ndarray]], known: KnownClasses) -> Judged:
    novelty, nearest, seconds, fitted = {}, np.empty(0), 0.0, False
    for part, batches in queries.items():
        found = []
        for batch in batches:
            if not fitted:  # what is fitted to the known classes is fitted once
                judge(batch[:1], known, method)
                fitted = True
            started = time.perf_counter()
            found.append(judge(batch, known, method))
            seconds += time.perf_counter() - started
        novelty[part] = np.concatenate([one.novelty for one in found])
        if part == "known":
            nearest = np.concatenate([one.nearest for one in found])
    return Judged(novelty, nearest, seconds)


def _row(
    name: str,
    group: str,
    method: str,
    judged: Sequence[Judged],
    data: BenchmarkData,
    owners: np.ndarray,
    draws: int,
) -> Row:
    novel = [np.concatenate([j.novelty[part] for part in TESTED[1:] if part in j.novelty]) for j in judged]
    pairs = [(j.novelty["known"], n) for j, n in zip(judged, novel, strict=True)]
    values, intervals = [ood_metrics(*pair) for pair in pairs], metric_intervals(pairs, draws)
    labels = labels_of(data.test_known, data)
    nearest = [j.nearest if group == "examples" else owners[j.nearest] for j in judged]
    count = sum(map(len, judged[0].novelty.values()))
    figures = {m: Figure(tuple(v[m] for v in values), *intervals[m]) for m in ("auroc", "fpr95")}
    return Row(
        benchmark=name,
        known_by=group,
        method=method,
        accuracy=float(np.mean([np.mean(n == labels) for n in nearest])),
        seconds=1000 * float(np.mean([j.seconds for j in judged])) / count,
        **figures,
    )


def table(rows: Sequence[Row]) -> str:
    """A row a method, AUROC and FPR95 of each benchmark beside one another; within a group the best first."""
    names = list(dict.fromkeys(row.benchmark for row in rows))
    head = ["known by", "method"]
    head += [f"{name.upper()} {figure}" for name in names for figure in ("AUROC", "FPR95", "accuracy")]
    lines = []
    for group in GROUPS:
        for method in ranked(rows, group):
            of = {row.benchmark: row for row in rows if row.method == method}
            cells = [cell for name in names for cell in _cells(of[name])]
            lines.append((group, method, *cells, f"{np.mean([row.seconds for row in of.values()]):.3f}"))
    return options.grid([*head, "s/1,000"], lines, words=2)


def _cells(row: Row) -> tuple[str, str, str]:
    def words(figure: Figure) -> str:
        return f"{100 * figure.mean:.1f} [{100 * figure.low:.1f}-{100 * figure.high:.1f}]"

    return words(row.auroc), words(row.fpr95), f"{100 * row.accuracy:.1f}"


def ranked(rows: Sequence[Row], group: str) -> list[str]:
    """The methods of a group, that with the largest AUROC over the benchmarks first."""
    methods = dict.fromkeys(row.method for row in rows if row.known_by == group)
    return sorted(methods, key=lambda method: -_mean(rows, method))


def recommendation(rows: Sequence[Row]) -> list[str]:
    """What the figures speak for, a sentence a group; who has both names and examples may take any method."""
    lines = []
    for group in GROUPS:
        open_to = list(GROUPS) if group == "both" else [group]
        best, *others = sorted((m for g in open_to for m in ranked(rows, g)), key=lambda m: -_mean(rows, m))
        close = [method for method in others if _overlap(rows, best, method)]
        also = f"; within its interval on every benchmark: {', '.join(close)}" if close else ""
        why = f"the largest mean AUROC, {100 * _mean(rows, best):.1f}{also}"
        lines.append(f"{group}: {best}, for {why}. Default where none is named: {DEFAULTS[group]}")
    return lines


def _mean(rows: Sequence[Row], method: str) -> float:
    return float(np.mean([row.auroc.mean for row in rows if row.method == method]))


def _overlap(rows: Sequence[Row], best: str, other: str) -> bool:
    """Whether a method's AUROC lies within the best one's interval everywhere."""
    pairs = [
        (first, second)
        for first in rows
        for second in rows
        if (first.method, second.method, first.benchmark) == (best, other, second.benchmark)
    ]
    return all(second.auroc.mean >= first.auroc.low for first, second in pairs)


def run(args: argparse.Namespace) -> None:
    from openshape_ood import ShapeEncoder, TextEncoder

    if len(set(args.seeds)) < len(args.seeds):
        raise InputError(f"--seeds are {' '.join(map(str, args.seeds))}; expected each once")
    args.out.mkdir(parents=True, exist_ok=True)
    where = {"registry": args.registry, "device": args.device}
    encoder = ShapeEncoder.from_pretrained(args.model, checkpoint=args.checkpoint, **where)
    text = TextEncoder.from_pretrained(args.model, checkpoint=args.text_checkpoint, **where)
    rows = [row for name in args.name for row in measure(name, args, encoder, text)]
    report = {
        "model": encoder.identity.checkpoint,
        "checkpoint_sha256": encoder.identity.sha256,
        "generated": args.data_root is None,
        "settings": {key: getattr(args, key) for key in ("num_samples", "seeds", "draws", "per_class", "data_seed")},
        "rows": [row.as_json() for row in rows],
        "recommended": recommendation(rows),
    }
    num_samples = "" if args.num_samples == 1 else f"-num_samples-{args.num_samples}"
    data = "generated" if args.data_root is None else "3dos"
    path = write_json(args.out / f"scores-{encoder.identity.checkpoint}-{data}{num_samples}.json", report)
    print(table(rows), *recommendation(rows), path, sep="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done, 1 with one line on stderr when the input was wrong."""
    names = ("model", "checkpoint", "text_checkpoint", "registry", "data_root", "per_class", "data_seed")
    more = ("num_samples", "draws", "device", "batch_size", "workers", "cache", "no_cache")
    parser = options.parser("scores", "every method on SR1 and SR2", *names, *more)
    splits = split_names("synthetic to real")
    parser.add_argument("--name", nargs="+", choices=splits, default=list(splits), help="benchmarks (default: both)")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="of sampling (default: 1 41 13718)")
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))
