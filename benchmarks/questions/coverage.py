"""Coverage of thresholds: nominal against measured, over many calibration sets.

    python -m benchmarks coverage --name sr1 --draws 1000

Scores are random numbers, or novelties of generated shapes. Calibration and test shapes are both clean, or both
simulated scans: coverage must hold. If calibration shapes are clean and test shapes are scans, it does not hold. Writes
<name>-<model>-coverage.json.
"""

from __future__ import annotations

import argparse
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import options
from benchmarks.questions import harness
from benchmarks.report.tables import percent
from benchmarks.threedos import generated
from benchmarks.threedos.embedder import Embedder
from benchmarks.threedos.objects import BenchmarkData, Objects
from benchmarks.threedos.recipes import openshape
from benchmarks.threedos.splits import load_split
from openshape_ood.decisions.calibration import (
    calibration_needed,
    coverage_law,
    expected_coverage,
    leave_one_out,
)
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.scoring import judge

if TYPE_CHECKING:  # reader processes import this module, and importing torch would slow them
    from openshape_ood import ShapeEncoder

Draw = Callable[[int, int, np.random.RandomState], tuple[np.ndarray, np.ndarray]]

COVERAGE = 0.95  # shown in the table
MADE_UP, CLEAN, BROKEN, AGAIN = "made up", "clean, tested on clean", "clean, tested on scans", "scans, tested on scans"
EXCHANGEABLE = (MADE_UP, CLEAN, AGAIN)
COVERAGES = (0.5, 0.8, 0.9, COVERAGE, 0.99)
SIZES = (20, 50, 100, 200, 1000)
SMALL = (20, 50, 100)  # sizes of calibration sets of scans, and of supports for leave-one-out
CENTRAL = 0.9  # fraction of the draws between low and high
LEFT_IN, LEFT_OUT = "the support itself, tested on clean", "leave-one-out on the support, tested on clean"


@dataclass(frozen=True)
class Reached:
    """Fraction of known shapes kept by thresholds from calibration sets of n shapes.

    Parameters
    ----------
    promise : float
        Expected coverage for exchangeable shapes.
    mean, error, spread : float
        Mean over the draws, its standard error, and the standard deviation over the draws.
    low, high : float
        Central 90 % of the draws.
    law, law_low, law_high : float
        Standard deviation and central 90 % of the beta-binomial distribution.
    novel : float, optional
        Fraction of novel scans accepted as known.
    """

    score: str
    case: str
    n: int
    coverage: float
    promise: float
    mean: float
    error: float
    spread: float
    law: float
    low: float
    high: float
    law_low: float
    law_high: float
    novel: float | None = None


@dataclass(frozen=True, eq=False)
class Pools:
    """Novelty by one score of the shapes to draw from: clean, scans, novel scans."""

    score: str
    clean: np.ndarray
    scans: np.ndarray
    novel: np.ndarray


def made_up(n: int, tests: int, random: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """n calibration scores and `tests` test scores from one distribution."""
    scores = random.normal(size=n + tests)
    return scores[:n], scores[n:]


def within(pool: np.ndarray) -> Draw:
    """Calibration and test shapes from one pool, without repeats; the beta-binomial law is exact for them."""
    return lambda n, tests, random: ((drawn := random.permutation(pool))[:n], drawn[n : n + tests])


def between(calibration: np.ndarray, tested: np.ndarray) -> Draw:
    """Calibration shapes from one pool, test shapes from another."""
    return lambda n, tests, random: (random.permutation(calibration)[:n], random.permutation(tested)[:tests])


def supports(embeddings: np.ndarray, labels: np.ndarray, left_out: bool) -> Draw:
    """The calibration set is the support itself; left_out: each shape is scored against all others (leave-one-out)."""

    def drawn(n: int, tests: int, random: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
        support, new = within(np.arange(len(labels)))(n, tests, random)
        owners = np.unique(labels[support], return_inverse=True)[1]
        known = embeddings[support]
        scores = leave_one_out(known, owners, to_prototypes) if left_out else to_prototypes(known, known, owners)
        return scores, to_prototypes(embeddings[new], known, owners)

    return drawn


def to_prototypes(queries: np.ndarray, examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """1 - the largest cosine of unit vectors with a class mean; the order is that of prototype_distance."""
    sums = np.zeros((labels.max() + 1, examples.shape[1]))
    np.add.at(sums, labels, examples)
    return 1 - (queries @ (sums / np.linalg.norm(sums, axis=1, keepdims=True)).T).max(axis=1)


def reach(
    drawn: Draw, score: str, case: str, n: int, tests: int, draws: int, seed: int, novel: np.ndarray | None = None
) -> list[Reached]:
    """One row per coverage that n scores can guarantee; all rows use the same calibration sets."""
    random = np.random.RandomState(seed)
    coverages = [coverage for coverage in COVERAGES if n >= calibration_needed(coverage)]
    kept, accepted = np.empty((2, draws, len(coverages)))
    for i in range(draws):
        calibration, tested = drawn(n, tests, random)
        thresholds = [Threshold.from_novelty(calibration, coverage) for coverage in coverages]
        kept[i] = [np.mean(~one.is_novel(tested)) for one in thresholds]
        accepted[i] = [np.nan if novel is None else np.mean(~one.is_novel(novel)) for one in thresholds]
    rows = []
    for coverage, each, passed in zip(coverages, kept.T, accepted.T, strict=True):
        law, spread = coverage_law(n, coverage, tests), each.std(ddof=1)
        ends = (*np.quantile(each, [(1 - CENTRAL) / 2, (1 + CENTRAL) / 2]), *np.array(law.interval(CENTRAL)) / tests)
        means = (expected_coverage(n, coverage), each.mean(), spread / np.sqrt(draws), spread, law.std() / tests)
        row = Reached(score, case, n, coverage, *map(float, (*means, *ends)))
        rows.append(row if novel is None else replace(row, novel=float(passed.mean())))
    return rows


def reach_on(pools: Pools, tests: int, draws: int, seed: int) -> Iterator[Reached]:
    """All cases of one score, for each number of calibration shapes for which the pools are large enough."""
    many, few = fitting(SIZES, len(pools.clean), tests), fitting(SMALL, len(pools.scans), tests)
    broken, again = between(pools.clean, pools.scans), within(pools.scans)
    for case, drawn, sizes in ((CLEAN, within(pools.clean), many), (BROKEN, broken, many), (AGAIN, again, few)):
        for n in sizes:
            yield from reach(drawn, pools.score, case, n, tests, draws, seed, pools.novel)


def fitting(sizes: Sequence[int], pool: int, tests: int) -> list[int]:
    return [n for n in sizes if n + tests <= pool]


def pools_of(data: BenchmarkData, embedded: Mapping[str, np.ndarray], encoder: ShapeEncoder) -> list[Pools]:
    """Pools by names and by prototypes; prototypes are means of other shapes than the pools."""
    from openshape_ood import TextEncoder

    text = TextEncoder.from_pretrained(encoder.identity.checkpoint)
    examples = {c.title: embedded["bank"][data.validation.titles == c.title] for c in data.known}
    known = {
        "names": ("max_cosine", KnownClasses.from_names([name for c in data.known for name in c.names], text)),
        "prototypes": ("prototype_distance", KnownClasses.from_examples(examples, encoder)),
    }
    return [
        Pools(by, *(judge(embedded[part], classes, method).novelty for part in ("clean", "scans", "novel")))
        for by, (method, classes) in known.items()
    ]


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """The whole experiment; returns the content of the JSON file."""
    from openshape_ood import ShapeEncoder

    started = time.perf_counter()
    encoder = ShapeEncoder.from_pretrained(args.model, device="cpu")
    data = generated.load(load_split(args.name), args.per_class, args.data_seed)
    pool = min(len(data.support), len(data.test_known))
    if not fitting(SIZES, pool, args.tests):
        raise InputError(
            f"{pool} shapes of the known classes are too few for {args.tests} tests and {SIZES[0]} to calibrate on; "
            f"expected --per-class {-(-(args.tests + SIZES[0]) // len(data.known))} or more"
        )
    novel = Objects(data.novel1.shapes + data.novel2.shapes)
    sets = {"bank": data.validation, "clean": data.support, "scans": data.test_known, "novel": novel}
    embedder = Embedder(encoder, None, args.batch_size, args.workers, args.progress)
    (embedded,) = embedder.embed(sets, openshape(encoder.row).recipe("test", encoder.row), [1], num_samples=1)
    draws, tests, seed = args.draws, args.tests, args.seed
    rows = [row for n in SIZES for row in reach(made_up, MADE_UP, MADE_UP, n, tests, draws, seed)]
    for pools in pools_of(data, embedded, encoder):
        rows += reach_on(pools, tests, draws, seed)
    units = embedded["clean"] / np.linalg.norm(embedded["clean"], axis=1, keepdims=True)
    labels = np.unique(data.support.titles, return_inverse=True)[1]
    for case, left_out in ((LEFT_IN, False), (LEFT_OUT, True)):
        for n in fitting(SMALL, len(labels), tests):
            rows += reach(supports(units, labels, left_out), "prototypes", case, n, tests, draws, seed)
    return harness.facts(encoder) | {
        "benchmark": args.name,
        "source": data.source,
        "pools": {"bank": len(data.validation)} | {part: len(z) for part, z in embedded.items() if part != "bank"},
        "settings": {name: getattr(args, name) for name in ("draws", "tests", "per_class", "data_seed", "seed")},
        "metrics": "fractions; of known shapes kept, unless called novel",
        "coverage": [_rounded(row) for row in rows],
        "run": {"seconds": round(time.perf_counter() - started, 1)},
    }


def _rounded(row: Reached) -> dict[str, Any]:
    return {key: round(value, 12) if isinstance(value, float) else value for key, value in asdict(row).items()}


def tables(report: Mapping[str, Any]) -> list[str]:
    """Table for a coverage of 95 %, one row per case and n; and its caption."""
    settings, pools, rows = report["settings"], report["pools"], []
    for row in (row for row in report["coverage"] if row["coverage"] == COVERAGE):
        case = "" if row["case"] == row["score"] else row["case"]
        spread, law = (f"{100 * row[key]:.2f}" for key in ("spread", "law"))
        reached, off = f"{100 * row['mean']:.2f} ±{100 * row['error']:.2f}", 100 * (row["mean"] - row["promise"])
        known = (percent(row["promise"]), reached, f"{off:+.2f}", spread, law if row["case"] in EXCHANGEABLE else "-")
        novel = "-" if row["novel"] is None else percent(row["novel"])
        rows.append((row["score"], case, f"{row['n']:,}", *known, novel))
    head = ("score", "calibrated on", "n", "promised", "reached", "off by", "spread", "by law", "novel kept")
    about = (
        f"Percent of known shapes kept at a coverage of {100 * COVERAGE:g} %: mean over {settings['draws']:,} draws of "
        f"n calibration and {settings['tests']} test shapes, ± its standard error; spread: standard deviation over the "
        "draws; by law: the same by the beta-binomial law; novel kept: scans of novel classes accepted as known. "
        f"{report['source']}; {report['model']}. Pools: {pools['clean']:,} clean shapes and {pools['scans']:,} "
        f"scans of the known classes, {pools['novel']:,} scans of novel ones; prototypes of {pools['bank']:,} other "
        "clean shapes. If calibration and test differ in kind, other pools change the figures by up to three points."
    )
    return [options.grid(head, rows, words=2), textwrap.fill(about, 120)]


def run(args: argparse.Namespace) -> None:
    options.check(args, draws=2, tests=1, per_class=2)
    args.out.mkdir(parents=True, exist_ok=True)
    report = measure(args)
    name = f"{args.name}-{harness.named(report)}-coverage"
    harness.finish(args, name, report, tables(report), named=("name", "data_root"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    about = "coverage of thresholds: nominal against measured, over many calibration sets"
    names = ("model", "draws", "data_seed", "seed", "batch_size", "workers")
    parser = options.parser("coverage", about, *names, per_class=300)
    parser.add_argument(
        "--name", choices=("sr1", "sr2"), default="sr1", help="benchmark with the known classes (default: sr1)"
    )
    parser.add_argument("--tests", type=int, default=200, help="test shapes per draw (default: 200)")
    return options.run(parser, run, argv)
