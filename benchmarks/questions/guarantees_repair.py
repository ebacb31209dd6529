"""Recalibration with few labels, and two error rates with the verdict "unsure".

A draw calibrates on one set, scores a batch from another one, labels a random part of the batch, and recalibrates on
its known shapes. `kept` is the fraction of new known shapes that the new threshold keeps.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import options
from benchmarks.questions import harness
from benchmarks.questions.guarantees_pools import Pools, facts, load_pools
from benchmarks.report.tables import percent
from openshape_ood.decisions.calibration import calibration_needed
from openshape_ood.decisions.drift import Share
from openshape_ood.decisions.threshold import Threshold

LABELS = (19, 30, 50, 100)
BATCH, CALIBRATION, NOVEL = 300, 200, 0.3  # shapes in a batch and in the first calibration set; fraction of novel ones
COVERAGE = 0.95
SHIFTS = {"clean to scans": ("generated", "clean", "scans"), "models to scans": ("house", "models", "scans")}
RATES = (0.05, 0.05)
UNSURE_SIZES = ((50, 50), (200, 200))  # known shapes and novel examples


def repaired(
    of: Mapping[str, np.ndarray], before: str, after: str, draws: int, random: np.random.Generator
) -> list[dict[str, Any]]:
    """One row per number of labeled known shapes, chosen at random; the last row has the 30 most novel ones."""
    known, novel = of[after], of["novel"]
    first = [Threshold.from_novelty(random.choice(of[before], CALIBRATION)) for _ in range(draws)]
    truth = np.array([(known <= one.value).mean() for one in first])
    rows = [{"labels": 0, "by": "none", **shares([one.value for one in first], known, novel)}]
    for n in LABELS:
        values, covered = [], []
        for threshold, kept in zip(first, truth, strict=True):
            labeled = random.choice(known, n)
            values.append(Threshold.from_novelty(labeled, COVERAGE).value)
            low, high = Share(int((labeled <= threshold.value).sum()), n).interval
            covered.append(low <= kept <= high)
        rows.append({"labels": n, "by": "random", **shares(values, known, novel), "covered": float(np.mean(covered))})
    rows.append({"labels": 30, "by": "most novel", **shares(chosen_badly(known, draws, random), known, novel)})
    return rows


def chosen_badly(known: np.ndarray, draws: int, random: np.random.Generator) -> list[float]:
    """Thresholds from the 30 most novel known shapes of a batch, a choice that `recalibrate` refuses."""
    count = round(BATCH * (1 - NOVEL))
    return [Threshold.from_novelty(np.sort(random.choice(known, count))[-30:]).value for _ in range(draws)]


def budget(of: Mapping[str, np.ndarray], after: str, draws: int, random: np.random.Generator) -> dict[str, Any]:
    """30 labels in a batch with 30 % novel shapes: fraction of draws with enough known ones, and their coverage."""
    counts = random.binomial(30, 1 - NOVEL, draws)
    enough = counts >= calibration_needed(COVERAGE)
    values = [Threshold.from_novelty(random.choice(of[after], n)).value for n in counts[enough]]
    return {"enough": float(enough.mean()), **shares(values, of[after], of["novel"])}


def shares(values: Sequence[float], known: np.ndarray, novel: np.ndarray) -> dict[str, float]:
    """Means over thresholds: known shapes kept with standard deviation, and novel shapes found."""
    held, new = np.sort(known), np.sort(novel)
    kept = np.searchsorted(held, values, side="right") / len(held)
    caught = 1 - np.searchsorted(new, values, side="right") / len(new)
    return {"kept": float(kept.mean()), "spread": float(kept.std()), "found": float(caught.mean())}


def unsure(of: Mapping[str, np.ndarray], draws: int, random: np.random.Generator) -> list[dict[str, Any]]:
    """Mean error rates of two thresholds, and fractions called unsure; m = 0: no novel examples, first rate only."""
    known, novel = of["scans"], of["novel"]
    rows = []
    for n, m in (*UNSURE_SIZES, (200, 0)):
        errors = []
        for _ in range(draws):
            made = Threshold.from_novelty(random.choice(known, n))
            made = made.with_unsure(RATES[0], RATES[1], random.choice(novel, m)) if m else made.with_unsure(RATES[0])
            low = made.value if made.low is None else made.low
            errors.append([
                (known > made.value).mean(), (novel <= low).mean(),
                ((known > low) & (known <= made.value)).mean(), ((novel > low) & (novel <= made.value)).mean(),
            ])  # fmt: skip
        names = ("known_called_novel", "novel_called_known", "known_unsure", "novel_unsure")
        rows.append({"n": n, "m": m, **dict(zip(names, np.mean(errors, axis=0).tolist(), strict=True))})
    return rows


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All simulations, with `draws` draws each."""
    from openshape_ood import ShapeEncoder, TextEncoder

    encoder = ShapeEncoder.from_pretrained("tiny", device="cpu")
    pools: dict[str, Pools] = load_pools(args, encoder, TextEncoder.from_pretrained("tiny"))
    random = np.random.default_rng(args.seed)
    report: dict[str, Any] = {"pools": facts(pools), "repair": [], "budget": [], "unsure": []}
    for name, (source, before, after) in SHIFTS.items():
        for method, of in pools.get(source, {}).items():
            about = {"shift": name, "method": method}
            report["repair"] += [{**about, **row} for row in repaired(of, before, after, args.draws, random)]
            report["budget"].append({**about, **budget(of, after, args.draws, random)})
    for source, methods in pools.items():
        for method, of in methods.items():
            report["unsure"] += [{"source": source, "method": method, **row} for row in unsure(of, args.draws, random)]
    return harness.facts(encoder) | report


def tables(report: Mapping[str, Any]) -> list[str]:
    """Tables of known kept and novel found by number of labels, and of error rates with "unsure"."""
    lines: list[tuple[str, ...]] = [
        (row["shift"], row["method"], row["by"], str(row["labels"]), percent(row["kept"]), percent(row["spread"]),
         percent(row["found"]), percent(row["covered"]) if "covered" in row else "-")
        for row in report["repair"]
    ]  # fmt: skip
    head: tuple[str, ...] = ("shift", "method", "chosen", "known labels", "kept, %", "±", "novel found, %",
                             "interval covers, %")  # fmt: skip
    blocks = [options.grid(head, lines, words=3)]
    lines = [(row["shift"], row["method"], percent(row["enough"]), percent(row["kept"])) for row in report["budget"]]
    blocks.append(options.grid(("30 labels, 30 % novel", "method", "enough known, %", "kept, %"), lines, words=2))
    names = ("known_called_novel", "novel_called_known", "known_unsure", "novel_unsure")
    lines = [
        (row["source"], row["method"], f"{row['n']}, {row['m']}", *(percent(row[name]) for name in names))
        for row in report["unsure"]
    ]
    rates = ("known: novel, %", "novel: known, %", "known unsure, %", "novel unsure, %")
    return [*blocks, options.grid(("unsure", "method", "known, novel", *rates), lines, words=2)]


def draw(report: Mapping[str, Any], path: Path) -> Sequence[Path]:
    """Draw known kept and novel found by number of labels, one panel per shift."""
    from openshape_ood import plots
    from openshape_ood.novelty_map.colors import BLACK, BLUE, GREEN, ORANGE

    shifts = list(dict.fromkeys(row["shift"] for row in report["repair"]))
    figure, axes = plots.panels(1, len(shifts), size=(5.5 * len(shifts), 4.5))
    colors = (BLUE, ORANGE, GREEN)
    for axis, shift in zip(axes[0], shifts, strict=True):
        some = [row for row in report["repair"] if row["shift"] == shift and row["by"] != "most novel"]
        for method, color in zip(dict.fromkeys(row["method"] for row in some), colors, strict=False):
            rows = [row for row in some if row["method"] == method]
            labels = [str(row["labels"]) for row in rows]
            axis.errorbar(labels, [100 * row["kept"] for row in rows], [100 * row["spread"] for row in rows],
                          color=color, marker="o", capsize=3, label=f"known kept, {method}")  # fmt: skip
            shown = [100 * row["found"] for row in rows]
            axis.plot(labels, shown, color=color, ls=":", marker="s", label=f"novel found, {method}")
        axis.axhline(95, color=BLACK, lw=1)
        words = {"xlabel": "labeled known shapes (0: the old threshold)", "ylabel": "%: mean and spread of draws"}
        axis.set(title=shift, ylim=(40, 101), **words)
        axis.grid(axis="y", lw=0.4)
    axes[0][0].legend(fontsize=8, loc="lower right")
    return [plots.save(figure, path)]
