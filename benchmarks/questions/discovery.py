"""`python -m benchmarks discovery`: does `discover` find novel classes as groups, and name them?

Simulated scans are of five known and seven novel generated classes, or of five known classes and the classes that
`tiny` was not trained on. Examples are clean shapes; other scans of the known classes set the threshold. Scans above it
are grouped by `discover`, and by k-means with the true number of novel classes.

Figures over the seeds are the adjusted Rand index with the classes (an ungrouped scan is a group of one), purity, and
accuracy of names. Then groups with a fitting name are accepted as known, and new scans are scored. Prints figures with
intervals and the groups of the first seed, writes the same as JSON, and draws these groups.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from tqdm import tqdm

from benchmarks import options
from benchmarks.intervals import over_seeds
from benchmarks.questions import harness
from benchmarks.training.vocabulary import UNSEEN
from openshape_ood import Embeddings, NoveltyResult, ShapeEncoder, TextEncoder, plots, score_embeddings
from openshape_ood.discovery import Discovery, discover
from openshape_ood.encoders.text.encoder import UntrainedNameWarning
from openshape_ood.known import KnownClasses
from openshape_ood.synthetic import categories, sample, scan
from openshape_ood.synthetic.calibration import POINTS, SEVERITY, calibration_scans

KNOWN, NOVEL, EXAMPLES, FRESH, FIRST = 5, 7, 20, 10, 9_200_000
KINDS = ("seen in training", "never seen")
GROUPINGS = ("hdbscan", "agglomerative", "k-means, true number")
FIGURES = {
    "caught": "novel scans beyond the threshold",
    "false": "known scans among those beyond it",
    "ari": "adjusted Rand index",
    "purity": "scans of the largest class of their group",
    "grouped": "scans in a group",
    "groups": "number of groups",
    "right": "first name right",
    "in_three": "right name among the first three",
    "fits": "a name fits, if the right one is a candidate",
    "none": "no name fits, if the right one is left out",
    "kept": "new known scans kept, with accepted groups",
    "named": "new novel scans named by accepted groups",
}
SHOWN = {"ari": (1, 2), "groups": (1, 1)}  # printed scale and digits; default: percent
BOUNDS = {"ari": (-1.0, 1.0), "groups": (-np.inf, np.inf)}  # range of the figures that are not fractions


@dataclass(frozen=True, eq=False)
class Data:
    """Scans of one seed: clouds, classes (b,), scores; embeddings and classes of new scans."""

    novel: tuple[str, ...]
    known: KnownClasses
    clouds: list[np.ndarray]
    titles: np.ndarray
    result: NoveltyResult
    fresh: np.ndarray
    fresh_titles: np.ndarray


def make(kind: str, seed: int, encoder: ShapeEncoder, per_class: int) -> Data:
    trained = [name for name in categories() if name not in UNSEEN]
    names = np.random.RandomState([seed, 8]).permutation(trained).tolist()
    known_names = sorted(names[:KNOWN])
    novel = sorted(names[KNOWN : KNOWN + NOVEL]) if kind == KINDS[0] else sorted(UNSEEN)
    examples = {name: [sample(name, POINTS, s) for s in range(EXAMPLES)] for name in known_names}
    known = KnownClasses.from_examples(examples, encoder, up="y")
    seeds = range(FIRST + 1000 * seed, FIRST + 1000 * seed + per_class + FRESH)
    made = [[scan(name, POINTS, i, severity=SEVERITY) for i in seeds] for name in (*known_names, *novel)]
    first, rest = ([c for clouds in made for c in clouds[part]] for part in (slice(per_class), slice(per_class, None)))
    calibration = Embeddings(encoder.encode(calibration_scans(known_names, EXAMPLES), up="y"), encoder.identity)
    queries = Embeddings(encoder.encode(first, up="y"), encoder.identity)
    result = score_embeddings(queries, known, calibration=calibration)
    titles = np.array([*known_names, *novel])
    fresh = encoder.encode(rest, up="y")
    return Data(tuple(novel), known, first, np.repeat(titles, per_class), result, fresh, np.repeat(titles, FRESH))


def find(data: Data, grouping: str, text: TextEncoder, names: Sequence[str]) -> Discovery:
    def k_means(rows: np.ndarray, _: int) -> np.ndarray:
        return KMeans(min(len(data.novel), len(rows)), n_init=10, random_state=0).fit_predict(rows)

    how: Any = k_means if grouping.startswith("k-means") else grouping
    assert data.result.embeddings is not None
    return discover(data.result, data.result.embeddings, names, text=text, grouping=how)


def measured(data: Data, grouping: str, text: TextEncoder) -> tuple[dict[str, float], Discovery]:
    discovery = find(data, grouping, text, categories())
    without = find(data, grouping, text, [name for name in categories() if name not in data.novel])
    labels, truth = discovery.labels[discovery.novel], data.titles[discovery.novel]
    alone = labels == 0
    labels[alone] = -np.arange(1, alone.sum() + 1)
    largest = [majority(data, group.rows) for group in discovery.groups]
    is_novel = np.isin(data.titles, data.novel)
    right = [group.names[0].name == name for group, (name, _) in zip(discovery.groups, largest, strict=True)]
    there = [name in {n.name for n in g.names} for g, (name, _) in zip(discovery.groups, largest, strict=True)]
    figures = {
        "caught": discovery.novel[is_novel].mean(),
        "false": mean((~is_novel)[discovery.novel]),
        "ari": adjusted_rand_score(truth, labels),
        "purity": sum(count for _, count in largest) / max(1, (~alone).sum()),
        "grouped": mean(~alone),
        "groups": len(discovery.groups),
        "right": mean(right),
        "in_three": mean(there),
        "fits": mean([group.fits is True for group in discovery.groups]),
        "none": mean([group.fits is False for group in without.groups]),
        **accepted(data, discovery, text),
    }
    return {name: float(value) for name, value in figures.items()}, discovery


def accepted(data: Data, discovery: Discovery, text: TextEncoder) -> dict[str, float]:
    """Fractions of new scans: known and accepted as before; novel and accepted under their true name."""
    names = {group.number: group.names[0].name for group in discovery.groups if group.fits}
    known = discovery.accept(names, data.known, text=text) if names else data.known
    again = score_embeddings(data.fresh, known, threshold=data.result.threshold)
    novel, right = np.isin(data.fresh_titles, data.novel), again.nearest == data.fresh_titles
    return {"kept": float((~again.is_novel)[~novel].mean()), "named": float((~again.is_novel & right)[novel].mean())}


def majority(data: Data, rows: np.ndarray) -> tuple[str, int]:
    names, counts = np.unique(data.titles[rows], return_counts=True)
    return str(names[counts.argmax()]), int(counts.max())


def mean(values: Any) -> float:
    """Mean, or 0 without values."""
    return float(np.mean(values)) if len(values) else 0.0


def summary(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    result = []
    for kind, grouping in dict.fromkeys((row["kind"], row["grouping"]) for row in rows):
        each = [row["figures"] for row in rows if (row["kind"], row["grouping"]) == (kind, grouping)]
        means = {n: over_seeds([one[n] for one in each], *BOUNDS.get(n, ())) for n in FIGURES}
        result.append({"kind": kind, "grouping": grouping} | means)
    return result


def tables(figures: Sequence[Mapping[str, Any]], groups: Sequence[Mapping[str, Any]]) -> list[str]:
    """Two tables: one line per figure and one column per grouping; the groups of the first seed."""
    lines = []
    for kind in dict.fromkeys(one["kind"] for one in figures):
        of = {one["grouping"]: one for one in figures if one["kind"] == kind}
        lines += [
            (kind, words, *(harness.words(of[g][name], *SHOWN.get(name, (100, 0))) for g in of))
            for name, words in FIGURES.items()
        ]
    first = [
        (str(g["group"]), str(g["size"]), f"{g['stability']:.2f}", g["class"], f"{100 * g['purity']:.0f}", g["names"])
        for g in groups
    ]
    head = ("group", "size", "stability", "largest class", "purity", "names")
    return [options.grid(("novel classes", "", *GROUPINGS), lines, words=2), options.grid(head, first)]


def run(args: argparse.Namespace) -> None:
    options.check(args, per_class=2)
    encoder, text = harness.loaded(args)
    rows, shown = [], None
    for kind, seed in tqdm([(kind, seed) for kind in KINDS for seed in args.seeds], disable=not args.progress):
        data = make(kind, seed, encoder, args.per_class)
        for grouping in GROUPINGS:
            figures, discovery = measured(data, grouping, text)
            rows.append({"kind": kind, "grouping": grouping, "seed": seed, "figures": figures})
            shown = shown or (data, discovery)
    assert shown is not None
    data, discovery = shown
    groups = [
        {"group": g.number, "size": len(g), "stability": g.stability, "class": name, "purity": n / len(g)}
        | {"names": g.words()}
        for g in discovery.groups
        for name, n in [majority(data, g.rows)]
    ]
    report = harness.facts(encoder, text) | {
        "settings": {"seeds": args.seeds, "per_class": args.per_class, "known": KNOWN, "novel": NOVEL}
        | {"examples": EXAMPLES, "fresh": FRESH, "severity": SEVERITY},
        "metrics": FIGURES,
        "figures": (means := summary(rows)),
        "groups": groups,
        "rows": rows,
    }

    def drawn(path: Path) -> list[Path]:
        if not discovery.groups:
            return []
        return [plots.save(plots.group_sheet(data.clouds, discovery, titles=data.titles.tolist(), up="y"), path)]

    harness.finish(args, f"discovery-{harness.named(report)}-generated", report, tables(means, groups), drawn)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    about = "does discover find novel classes as groups, and name them?"
    names = ("model", "checkpoint", "text_checkpoint", "device", "seeds", "no_pictures")
    parser = options.parser("discovery", about, *names, per_class=25)
    return options.run(parser, run, argv, ignored=UntrainedNameWarning)  # untrained names are part of this benchmark
