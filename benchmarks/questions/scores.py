"""`python -m benchmarks.scores`: every score of `openshape_ood.scoring.SCORES` on SR1 and SR2, side by side.

Prints AUROC and FPR95 of known against novel 1 and 2 together, with bootstrap intervals, the closed-set accuracy,
what a thousand shapes cost once they are embedded, and which score the figures speak for where the classes are known
by name, by example, or by both. Writes the same as JSON.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.report.output import write_json
from benchmarks.report.tables import Table
from benchmarks.threedos.embedder import Embedder
from benchmarks.threedos.evaluation import labels_of
from benchmarks.threedos.intervals import metric_intervals
from benchmarks.threedos.objects import BenchmarkData, Objects
from benchmarks.threedos.protocol import cache_folder, load
from benchmarks.threedos.recipes import SEEDS, openshape
from benchmarks.threedos.results import Figure
from benchmarks.threedos.splits import load_split, split_names
from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.errors import InputError, OpenShapeError
from openshape_ood.known import Known
from openshape_ood.scoring import DEFAULTS, SCORES, Score
from openshape_ood.scoring.words import negative_words

if TYPE_CHECKING:  # the reader processes import this module, and must not wait for torch
    from openshape_ood import ShapeEncoder, TextEncoder

# what stands for a user who has names, examples, or both; the last may use any score
GROUPS = {"names": ("", "negatives"), "examples": ("examples", "patches"), "both": ("both",)}
TESTED = ("known", "novel1", "novel2")


@dataclass(frozen=True)
class Row:
    """One score on one benchmark: figures over the seeds, and seconds for a thousand embedded shapes."""

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


@dataclass(frozen=True, eq=False)
class Banks:
    """The known classes under one seed, by what they are known by; names of one class stay apart.

    owners: the class of each name.
    """

    names: Known
    examples: Known
    both: Known
    owners: np.ndarray

    def of(self, group: str) -> Known:
        return {"names": self.names, "examples": self.examples, "both": self.both}[group]


def banks(data: BenchmarkData, support: np.ndarray, encoder: ShapeEncoder, text: TextEncoder, seed: int) -> Banks:
    """From the embeddings (m, d) of the support; patch tokens are of the same shapes under the same seed."""
    names = [name for c in data.known for name in c.names]
    words = [word for word in negative_words() if word not in names]
    by_name = Known.from_names(names, text, negatives=words, temperature=encoder.temperature)
    titles = data.support.titles
    by_class = {c.title: support[titles == c.title] for c in data.known}
    by_each_name = {name: by_class[c.title] for c in data.known for name in c.names}
    tokens, labels = _support_patches(data, encoder, seed)
    return Banks(
        names=by_name,
        examples=replace(Known.from_examples(by_class, encoder), patches=tokens, patch_labels=labels),
        both=Known.from_both(names, by_each_name, encoder, text),
        owners=np.repeat(np.arange(len(data.known)), [len(c.names) for c in data.known]),
    )


def _support_patches(data: BenchmarkData, encoder: ShapeEncoder, seed: int) -> tuple[np.ndarray, np.ndarray]:
    tokens = np.concatenate([own for _, own in _patches(data.support, encoder, seed)])
    rows = tokens.reshape(-1, tokens.shape[-1])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, np.repeat(labels_of(data.support, data), tokens.shape[1])


def _patches(objects: Objects, encoder: ShapeEncoder, seed: int, at_once: int = 32) -> Iterator[tuple[int, np.ndarray]]:
    """Patch tokens of the shapes, a batch at a time, with the place of its first: they are too many to be kept."""
    for i in range(0, len(objects), at_once):
        clouds = [shape.read() for shape in objects.shapes[i : i + at_once]]
        yield i, encoder.encode_patches(clouds, up="y", batch_size=at_once, seed=seed)[0]


def measure(name: str, args: argparse.Namespace, encoder: ShapeEncoder, text: TextEncoder) -> list[Row]:
    """Every score on one benchmark."""
    data = load(load_split(name), args, cache_folder(args))
    embedder = Embedder(encoder, cache_folder(args), args.batch_size, args.workers, args.progress)
    recipe = openshape(encoder.row).recipe("known", encoder.row)
    sets = {part: objects for part, objects in data.sets.items() if part != "validation"}
    embedded = embedder.embed(sets, recipe, args.seeds, args.num_samples)
    known = [banks(data, z["support"], encoder, text, s) for z, s in zip(embedded, args.seeds, strict=True)]
    tests = {part: data.sets[part] for part in TESTED if len(data.sets[part])}
    rows = []
    for method, score in SCORES.items():
        group = next(group for group, needs in GROUPS.items() if score.needs in needs)
        judged = [
            _judge_patches(score, tests, encoder, bank.of(group), seed)
            if score.needs == "patches"
            else _judge(score, {part: z[part] for part in tests}, bank.of(group))
            for z, bank, seed in zip(embedded, known, args.seeds, strict=True)
        ]
        rows.append(_row(name, group, method, judged, data, known[0].owners, args.draws))
    return rows


@dataclass(frozen=True, eq=False)
class Judged:
    """One score under one seed: novelty and nearest class of each set, and the seconds it took."""

    novelty: Mapping[str, np.ndarray]
    nearest: np.ndarray
    seconds: float


def _judge(score: Score, queries: Mapping[str, np.ndarray], bank: Known) -> Judged:
    score.novelty(queries["known"][:1], bank)  # what is fitted to the bank is fitted once
    started = time.perf_counter()
    novelty = {part: score.novelty(z, bank) for part, z in queries.items()}
    return Judged(novelty, score.nearest(queries["known"], bank), time.perf_counter() - started)


def _judge_patches(score: Score, tests: Mapping[str, Objects], encoder: ShapeEncoder, bank: Known, seed: int) -> Judged:
    novelty, nearest, seconds = {}, [], 0.0
    for part, objects in tests.items():
        found = []
        for _, tokens in _patches(objects, encoder, seed):
            started = time.perf_counter()
            found.append(score.novelty(tokens, bank))
            seconds += time.perf_counter() - started
            if part == "known":
                nearest.append(score.nearest(tokens, bank))
        novelty[part] = np.concatenate(found)
    return Judged(novelty, np.concatenate(nearest), seconds)


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


def table(rows: Sequence[Row]) -> Table:
    """A row a score, AUROC and FPR95 of each benchmark beside one another; within a group the best first."""
    names = list(dict.fromkeys(row.benchmark for row in rows))
    head = ["known by", "method"]
    head += [f"{name.upper()} {figure}" for name in names for figure in ("AUROC", "FPR95", "accuracy")]
    lines = []
    for group in GROUPS:
        for method in ranked(rows, group):
            of = {row.benchmark: row for row in rows if row.method == method}
            cells = [cell for name in names for cell in _cells(of[name])]
            lines.append((group, method, *cells, f"{np.mean([row.seconds for row in of.values()]):.3f}"))
    return Table((*head, "s/1,000"), tuple(lines), words=2)


def _cells(row: Row) -> tuple[str, str, str]:
    def words(figure: Figure) -> str:
        return f"{100 * figure.mean:.1f} [{100 * figure.low:.1f}-{100 * figure.high:.1f}]"

    return words(row.auroc), words(row.fpr95), f"{100 * row.accuracy:.1f}"


def ranked(rows: Sequence[Row], group: str) -> list[str]:
    """The scores of a group, that with the largest AUROC over the benchmarks first."""
    methods = dict.fromkeys(row.method for row in rows if row.known_by == group)
    return sorted(methods, key=lambda method: -_mean(rows, method))


def recommendation(rows: Sequence[Row]) -> list[str]:
    """What the figures speak for, a sentence a group; who has both names and examples may take any score."""
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
    """Whether a score's AUROC lies within the best one's interval everywhere."""
    pairs = [
        (first, second)
        for first in rows
        for second in rows
        if (first.method, second.method, first.benchmark) == (best, other, second.benchmark)
    ]
    return all(second.auroc.mean >= first.auroc.low for first, second in pairs)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scores", description="every score on SR1 and SR2", allow_abbrev=False
    )
    names = split_names("synthetic to real")
    parser.add_argument("--name", nargs="+", choices=names, default=list(names), help="benchmarks (default: both)")
    parser.add_argument("--model", default="tiny", help="a checkpoint of the registry (default: tiny)")
    parser.add_argument("--checkpoint", type=Path, help="a weights file at hand instead of the Hub's")
    parser.add_argument("--text-checkpoint", type=Path, help="a file with the text tower's weights, likewise")
    parser.add_argument("--registry", type=Path, help="a registry of your own")
    parser.add_argument("--data-root", type=Path, help="the unpacked 3DOS release; without it, generated shapes")
    parser.add_argument("--per-class", type=int, default=60, help="generated shapes a class (default: 60)")
    parser.add_argument("--data-seed", type=int, default=0, help="which generated shapes (default: 0)")
    parser.add_argument("--num-samples", type=int, default=1, help="embeddings a shape, averaged (default: 1)")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="of sampling (default: 1 41 13718)")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap draws for intervals (default: 1000)")
    parser.add_argument("--device", help="cpu, cuda, mps (default: the best there is)")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--workers", type=int, default=1, help="reader processes (default: 1)")
    parser.add_argument("--cache", type=Path, help="folder for embeddings (default: that of the benchmarks)")
    parser.add_argument("--no-cache", action="store_true", help="compute every embedding, keep none")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the results (default: results)")
    parser.add_argument("--quiet", dest="progress", action="store_false", help="no progress bars")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done, 1 with one line on stderr when the input was wrong."""
    from openshape_ood import ShapeEncoder, TextEncoder

    args = parse(argv)
    try:
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
            "settings": {
                key: getattr(args, key) for key in ("num_samples", "seeds", "draws", "per_class", "data_seed")
            },
            "rows": [row.as_json() for row in rows],
            "recommended": recommendation(rows),
        }
        num_samples = "" if args.num_samples == 1 else f"-num_samples-{args.num_samples}"
        data = "generated" if args.data_root is None else "3dos"
        path = write_json(args.out / f"scores-{encoder.identity.checkpoint}-{data}{num_samples}.json", report)
    except (OpenShapeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table(rows).text(width=160), *recommendation(rows), path, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
