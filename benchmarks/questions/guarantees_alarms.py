"""Drift alarms: false alarms of streams and batches, delay compared with an oracle, drifts that cannot be detected.

An oracle knows the distribution of the known novelties before and after the drift, and alarms at a likelihood ratio of
100. The first oracle uses all values below the cut 0.05. The second one has the information of the test: the same
values below the same cuts, ranked in the same growing pool.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from benchmarks import options
from benchmarks.questions import harness
from benchmarks.questions.guarantees_pools import Pools, facts, load_pools
from benchmarks.report.tables import percent
from openshape_ood.decisions.drift import CUTS, DriftStream, batch_drift

LENGTH, LATEST = 10_000, 3_000  # objects of a stream: for false alarms, for delays
SIZES, DELAY_SIZES = (50, 200, 1000), (50, 200, 2000)
SHARES = (0.0, 0.2, 0.6)  # fraction of novel objects
LEVEL = 0.01
MADE = 100_000  # random novelties of a simulated distribution
STEP = 20  # objects between two points of the picture
EMPIRICAL = {"clean to scans": ("generated", "clean", "scans"), "models to scans": ("house", "models", "scans")}


class FixedRanks(DriftStream):
    """A test that is wrong, for comparison: ranks against the calibration values only, without the growing pool."""

    def _ranks(self, values: np.ndarray, limits: np.ndarray) -> np.ndarray:
        values, limits = values[values < limits], limits[values < limits]
        low, high = (np.searchsorted(self._pool, values, side=side) for side in ("left", "right"))
        sizes = np.searchsorted(self._pool, limits, side="left")
        ranks = (low + self._uniform(len(values)) * (1 + high - low)) / (sizes + 1)
        return np.minimum(ranks, 1 - 1e-12)


def alarm_at(stream: DriftStream, values: np.ndarray, step: int = 1000) -> float:
    """Number of objects until the alarm; infinity without one. Values are passed in steps of `step`."""
    for begin in range(0, len(values), step):
        before = deepcopy(stream)
        if stream.update(values[begin : begin + step]).alarm:
            one_by_one = (before.update([value]).alarm for value in values[begin : begin + step])
            return begin + 1 + next(i for i, alarm in enumerate(one_by_one) if alarm)
    return np.inf


def false_alarms(pool: np.ndarray, n: int, draws: int, random: np.random.Generator) -> list[dict[str, Any]]:
    """False alarms of streams whose novel objects are all above the cut."""
    rows = []
    for share in SHARES:
        alarms = []
        for seed in range(draws):
            values = mixed(pool, np.array([pool.max() + 1]), share, LENGTH, random)
            alarms.append(bool(DriftStream(random.choice(pool, n), seed=seed).update(values).alarm))
        rows.append(alarm_row(np.array(alarms), n=n, novel=share))
    return rows


def alarm_row(alarms: np.ndarray, **about: Any) -> dict[str, Any]:
    low, high = binomtest(int(alarms.sum()), len(alarms)).proportion_ci(0.95, "exact")
    return {**about, "draws": len(alarms), "alarms": float(alarms.mean()), "low": float(low), "high": float(high)}


def fixed_ranks(draws: int, random: np.random.Generator) -> list[dict[str, Any]]:
    """False alarms of streams of known objects with ranks in a fixed calibration set."""
    rows = []
    for n in SIZES:
        streams = [FixedRanks(random.normal(size=n)) for _ in range(draws)]
        alarms = [bool(stream.update(random.normal(size=LENGTH)).alarm) for stream in streams]
        rows.append(alarm_row(np.array(alarms), n=n))
    return rows


def contaminated(known: np.ndarray, novel: np.ndarray, draws: int, random: np.random.Generator) -> list[dict[str, Any]]:
    """Alarms by cut for streams with real novel objects, some of them below the cut; n = 200."""
    rows = []
    for cut in (None, *CUTS):
        below = float((novel < np.quantile(known, 1 - (cut or CUTS[0]))).mean())
        for share in SHARES[1:]:
            alarms = [
                bool(stream.update(mixed(known, novel, share, LENGTH, random)).alarm)
                for stream in (DriftStream(random.choice(known, 200), cut, seed=seed) for seed in range(draws))
            ]
            rows.append(alarm_row(np.array(alarms), cut=cut, novel=share, novel_below_cut=below))
    return rows


def mixed(known: np.ndarray, novel: np.ndarray, share: float, length: int, random: np.random.Generator) -> np.ndarray:
    return np.where(random.random(length) < share, random.choice(novel, length), random.choice(known, length))


def drifts(pools: Mapping[str, Pools], random: np.random.Generator) -> dict[str, tuple[np.ndarray, np.ndarray, int]]:
    """Name -> novelties before and after the drift, and number of bins of the oracle."""
    base, moved = random.normal(size=(2, MADE))
    few = random.random(MADE)
    made = {
        "shift by -1": moved - 1,
        "scale by 0.5": moved * 0.5,
        "scale by 2 (U)": moved * 2,
        "half shifted by -1.5": np.where(few < 0.5, moved - 1.5, moved),
        "beyond the cut only": np.where((few < 0.3) | (moved > 1.645), 3.0, moved),
    }
    cases = {name: (base, after, 50) for name, after in made.items()}
    for name, (source, before, after) in EMPIRICAL.items():
        for method, of in pools.get(source, {}).items():
            cases[f"{name}, {method}"] = (of[before], of[after], 20)
    return cases


def law_ratio(before: np.ndarray, after: np.ndarray, bins: int, cut: float = CUTS[0]) -> tuple[np.ndarray, np.ndarray]:
    """Edges (bins - 1,) of bins below a cut, and likelihood ratio (bins,) of after to before the drift."""
    limit = np.quantile(before, 1 - cut)
    edges = np.quantile(before[before < limit], np.linspace(0, 1, bins + 1)[1:-1])
    ends = np.array([np.bincount(np.searchsorted(edges, z[z < limit]), minlength=bins) + 0.5 for z in (before, after)])
    return edges, (ends[1] / ends[1].sum()) / (ends[0] / ends[0].sum())


def oracle_delay(values: np.ndarray, stream: DriftStream, laws: Sequence[Any], alike: bool) -> float:
    """Number of objects until the oracle's alarm; laws: result of `law_ratio` for each cut.

    alike: True to use the cuts and the growing pool of the stream; False to use all values below the first cut.
    """
    limits = stream._limits
    chosen = stream._chosen(values) if alike else np.full(len(values), limits[0])
    gains = np.ones(len(values))
    for limit, (edges, ratio) in zip(limits, laws, strict=False):
        below = values < limit
        here = below & (chosen == limit)
        gain = ratio[np.searchsorted(edges, values[here])]
        if alike:  # the pool has the calibration values, and earlier values from after the drift
            held, earlier = (stream._pool < limit).sum(), (np.cumsum(below) - below)[here]
            gain = gain * (held + earlier) / (held + earlier * gain)
        gains[here] = gain
    beyond = np.flatnonzero(np.cumsum(np.log(gains)) >= np.log(1 / LEVEL))
    return float(beyond[0] + 1) if len(beyond) else np.inf


def delays(
    name: str, before: np.ndarray, after: np.ndarray, bins: int, draws: int, random: np.random.Generator
) -> list[dict[str, Any]]:
    rows = []
    laws = [law_ratio(before, after, bins, cut) for cut in CUTS]
    for n in DELAY_SIZES:
        for share in (0.0, 0.3):
            lists: dict[str, list[float]] = {"delay": [], "oracle": [], "oracle_alike": []}
            for seed in range(draws):
                values = np.where(random.random(LATEST) < share, np.inf, random.choice(after, LATEST))
                values[~np.isfinite(values)] = max(before.max(), after.max()) + 1
                stream = DriftStream(random.choice(before, n), seed=seed)
                lists["oracle"].append(oracle_delay(values, stream, laws, alike=False))
                lists["oracle_alike"].append(oracle_delay(values, stream, laws, alike=True))
                lists["delay"].append(alarm_at(stream, values, 50))
            medians = {key: median(several) for key, several in lists.items()}
            ratios = {f"times_{key}": medians["delay"] / medians[key] for key in ("oracle", "oracle_alike")}
            alarms = float(np.isfinite(lists["delay"]).mean())
            rows.append({"drift": name, "n": n, "novel": share, **medians, "found": alarms, **ratios})
    return rows


def median(values: Sequence[float]) -> float:
    """Upper median; values may be infinite."""
    return float(np.sort(values)[len(values) // 2])


def batches(named: Mapping[str, Any], draws: int, random: np.random.Generator) -> list[dict[str, Any]]:
    """Alarms of batches of 200 objects with 200 calibration shapes, without drift and for each drift."""
    cases = {"none": (*(random.normal(size=MADE),) * 2, 50), **named}
    rows = []
    for name, (before, after, bins) in cases.items():
        alarms, known = [], []
        for seed in range(draws if name == "none" else max(2, draws // 5)):
            tested, held = random.choice(after, 200), random.choice(before, 200)
            alarms.append(bool(batch_drift(tested, held, seed=seed).alarm))
            known.append(oracle_finds(tested, held, before, after, bins, random))
        kept = float((after <= np.quantile(before, 0.95)).mean())
        rows.append(alarm_row(np.array(alarms), drift=name, kept=kept, oracle=float(np.mean(known))))
    return rows


def oracle_finds(
    tested: np.ndarray, held: np.ndarray, before: np.ndarray, after: np.ndarray, bins: int, random: np.random.Generator
) -> bool:
    """Permutation test at 1 % of the likelihood ratio below the cut, which is the most powerful rank test."""
    limit = np.sort(held)[-math.floor(CUTS[0] * (len(held) + 1))]
    edges, ratio = law_ratio(before, after, bins)
    held, tested = held[held < limit], tested[tested < limit]
    gains = np.log(ratio[np.searchsorted(edges, np.concatenate([tested, held]))])
    drawn = random.permuted(np.tile(gains, (999, 1)), axis=1)[:, : len(tested)].sum(axis=1)
    return bool((1 + (drawn >= gains[: len(tested)].sum() - 1e-9).sum()) / 1000 <= LEVEL)


Task = tuple[str, Callable[..., list[dict[str, Any]]], tuple[Any, ...], dict[str, Any]]


def tasks(pools: Mapping[str, Pools], draws: int, seed: int) -> list[Task]:
    """Tasks: section of the report, function, its arguments, labels of its rows."""
    few, named = max(2, min(40, draws // 10)), drifts(pools, np.random.default_rng(seed))
    each = [(source, method, sets) for source, of in pools.items() for method, sets in of.items()]
    listed: list[Task] = [("fixed_ranks", fixed_ranks, (few,), {})]
    for source, method, sets in each:
        about = {"source": source, "method": method}
        sizes = SIZES if method == "prototypes" else SIZES[1:2]
        if source == "generated":  # one source suffices, because ranks do not depend on the distribution
            listed += [("false_alarms", false_alarms, (sets["scans"], n, draws), about) for n in sizes]
        listed.append(("contaminated", contaminated, (sets["scans"], sets["novel"], few), about))
    listed += [("delays", delays, (name, *drift, few), {}) for name, drift in named.items()]
    return [*listed, ("batches", batches, (named, draws), {})]


def rows_of(task: Task, seed: int, place: int) -> list[dict[str, Any]]:
    _, function, given, about = task
    return [{**about, **row} for row in function(*given, np.random.default_rng([seed, place]))]


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All simulations: `draws` streams for false alarms, a tenth of that, at most 40, for the rest."""
    from openshape_ood import ShapeEncoder, TextEncoder

    encoder = ShapeEncoder.from_pretrained("tiny", device="cpu")
    pools = load_pools(args, encoder, TextEncoder.from_pretrained("tiny"))
    report: dict[str, Any] = {"pools": facts(pools)}
    for place, task in enumerate(tasks(pools, args.draws, args.seed), 1):
        report.setdefault(task[0], []).extend(rows_of(task, args.seed, place))
    return harness.facts(encoder) | report


def tables(report: Mapping[str, Any]) -> list[str]:
    """Tables of false alarms, contamination, delays and batches."""
    rows: list[tuple[str, ...]] = [
        (
            row["source"],
            row["method"],
            str(row["n"]),
            percent(row["novel"]),
            f"{percent(row['alarms'])} [{percent(row['low'])}, {percent(row['high'])}]",
        )
        for row in report["false_alarms"]
    ]
    blocks = [options.grid(("known scans", "method", "n", "novel, %", "false alarms, %"), rows, words=2)]
    lines: list[tuple[str, ...]] = [(str(row["n"]), percent(row["alarms"])) for row in report["fixed_ranks"]]
    blocks.append(options.grid(("ranks in a fixed set, n", "false alarms, %"), lines))
    lines = [
        (
            row["source"],
            row["method"],
            "chosen" if row["cut"] is None else f"{row['cut']:g}",
            percent(row["novel_below_cut"]),
            percent(row["novel"]),
            percent(row["alarms"]),
        )
        for row in report["contaminated"]
    ]
    blocks.append(options.grid(("real novel", "method", "cut", "below it, %", "novel, %", "alarms, %"), lines, words=2))
    lines = [
        (
            row["drift"],
            str(row["n"]),
            percent(row["novel"]),
            objects(row["delay"]),
            *(cell for key in ("oracle_alike", "oracle") for cell in (objects(row[key]), times(row[f"times_{key}"]))),
        )
        for row in report["delays"]
    ]
    blocks.append(options.grid(("drift", "n", "novel, %", "delay", "oracle, alike", "times", "oracle", "times"), lines))
    names = ("kept", "alarms", "oracle")
    lines = [(row["drift"], *(percent(row[name]) for name in names)) for row in report["batches"]]
    return [*blocks, options.grid(("batch of 200", "kept, %", "alarms, %", "oracle, %"), lines)]


def objects(count: float | None) -> str:
    return "never" if count is None or not np.isfinite(count) else f"{count:.0f}"


def times(ratio: float | None) -> str:
    return "-" if ratio is None or not np.isfinite(ratio) else f"{ratio:.1f}"


def draw(report: Mapping[str, Any], path: Path) -> Sequence[Path]:
    """Draw e-values of streams with and without drift, and the delay of every drift next to the oracle's, n = 200."""
    from openshape_ood import plots
    from openshape_ood.novelty_map.colors import BLACK, BLUE, GREEN, ORANGE

    rows = [row for row in report["delays"] if (row["n"], row["novel"]) == (200, 0.3)]
    figure, axes = plots.panels(1, 2, size=(12.0, 5.0))
    left, right = axes[0]
    for seed in range(3):
        random = np.random.default_rng(seed)
        calibration = random.normal(size=200)
        for shift, color, label in ((0.0, BLUE, "no drift"), (-0.7, ORANGE, "drift after 300 objects")):
            stream, capital = DriftStream(calibration, seed=seed), []
            values = random.normal(size=900) + shift * (np.arange(900) >= 300)
            for begin in range(0, 900, STEP):
                capital.append(stream.update(values[begin : begin + STEP]).e_value or 1.0)
            left.semilogy(np.arange(STEP, 901, STEP), capital, color=color, label=label if seed == 0 else None)
    left.axhline(1 / LEVEL, color=BLACK, lw=1)
    left.set(
        xlabel="objects tested", ylabel="highest capital (e-value)", ylim=(0.8, 1e6), title="The alarm comes at 100"
    )
    left.legend(loc="upper left")
    places = np.arange(len(rows))
    for key, color, shift, label in (("delay", ORANGE, -0.2, "alarm"), ("oracle_alike", GREEN, 0.2, "oracle")):
        seen = [LATEST if not finite(row[key]) else row[key] for row in rows]
        right.barh(places + shift, seen, 0.38, color=color, label=label)
    right.set_yticks(places, [row["drift"] for row in rows], fontsize=8)
    right.invert_yaxis()
    right.set(
        xscale="log",
        xlabel=f"objects until the alarm, median ({LATEST:,}: never)",
        title="200 calibration shapes, 30 % novel",
    )
    right.legend(loc="lower right")
    return [plots.save(figure, path)]


def finite(value: float | None) -> bool:
    return value is not None and bool(np.isfinite(value))
