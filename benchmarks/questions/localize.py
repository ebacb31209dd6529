"""`python -m benchmarks localize`: does a novelty map show the foreign part of a shape?

Shapes are generated with a planted part, for example a chair with a guitar as its back. For each kind of feature, the
first figure of `localize` is the AUROC of foreign points against the host's points. The second figure is the decrease
of the shape's novelty if its most novel region is cut out; for comparison, a random region of the same size and the
foreign part are cut out. Prints both with bootstrap intervals over the shapes, writes the same as JSON, and draws a
chair.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from benchmarks import options
from benchmarks.intervals import bootstrap
from benchmarks.questions import harness
from benchmarks.report.pictures.explained import EXAMPLES, KNOWN, PLANTED, draw_chair
from openshape_ood import ShapeEncoder, TextEncoder
from openshape_ood.known import KnownClasses
from openshape_ood.novelty_map import NoveltyMap, localize
from openshape_ood.novelty_map.connectivity import around
from openshape_ood.novelty_map.patches import weights
from openshape_ood.scoring import judge
from openshape_ood.scoring.neighbors import nearest
from openshape_ood.shapes.points import in_frame
from openshape_ood.synthetic import sample
from openshape_ood.synthetic.planted import plant

KINDS = {"in place of the upper part": lambda keep: keep < 1, "on top of the whole": lambda keep: keep == 1}
BY = {
    "local": "patches before the transformer",
    "tokens": "patches after it",
    "text": "patches after it, against names",
    "position": "position of the patch only",
}
REGION = 0.2  # fraction of the points in a region
RANDOM = 8  # random regions per shape


@dataclass(frozen=True)
class Measured:
    """Figures of one shape with a planted part.

    auroc: kind of feature -> AUROC of points; drop_region, drop_random, drop_part: decrease of the shape's novelty by
    each cut; above_foreign, above_host: fraction of foreign points and of the host's points above the threshold.
    """

    host: str
    donor: str
    keep: float
    seed: int
    auroc: Mapping[str, float]
    novelty: float
    drop_region: float
    drop_random: float
    drop_part: float
    above_foreign: float
    above_host: float


def measure(encoder: ShapeEncoder, text: TextEncoder, args: argparse.Namespace) -> list[Measured]:
    """Measure `--count` shapes of every pair of `PLANTED`, with `--examples` shapes per known class."""
    shapes = {name: [sample(name, args.points, seed) for seed in range(args.examples)] for name in KNOWN}
    known: dict[str, Any] = {
        stage: KnownClasses.from_examples(shapes, encoder, up="y", patches=stage) for stage in ("local", "tokens")
    }
    known["text"] = list(KNOWN)
    work = [(*pair, seed) for pair in PLANTED for seed in range(EXAMPLES, EXAMPLES + args.count)]
    rows = []
    for host, donor, keep, seed in tqdm(work, desc="localizing", unit="shape", disable=not args.progress):
        shape = plant(host, donor, args.points, seed, keep)
        maps = {by: localize(shape.cloud, one, encoder=encoder, text=text, up="y") for by, one in known.items()}
        local, foreign = maps["local"], shape.foreign
        novelty = {by: one.novelty for by, one in maps.items()}
        novelty["position"] = _position(local, known["local"], encoder)
        auroc = {by: float(roc_auc_score(foreign, novelty[by])) for by in BY}
        at_random = np.random.RandomState(seed).randint(len(shape.cloud), size=RANDOM).tolist()
        cuts = [local.peak(REGION), foreign, *(around(shape.cloud, place, REGION) for place in at_random)]
        left = encoder.encode([shape.cloud, *(shape.cloud[~cut] for cut in cuts)], up="y")
        whole, region, part, *random = judge(left, known["local"], "prototype_distance").novelty
        above = (local.is_novel[foreign].mean(), local.is_novel[~foreign].mean())
        figures = map(float, (whole, whole - region, whole - np.mean(random), whole - part, *above))
        rows.append(Measured(host, donor, keep, seed, auroc, *figures))
    return rows


def _position(local: NoveltyMap, known: Any, encoder: ShapeEncoder) -> np.ndarray:
    """Baseline by position: distance (n,) to the nearest patch center of a known shape, in the encoder's frame."""
    assert local.patches is not None
    # the frame comes from the shape's points, not from the patch centers
    points = in_frame(local.points, encoder.spec, up=local.up, seed=0)
    centers = points[nearest(local.patches.centers, local.points[:, :3], metric="euclidean")[1][:, 0]]
    distance = nearest(centers, known.patches.centers, metric="euclidean")[0][:, 0]
    return weights(points, centers, known.patches.radius) @ distance


def summary(rows: Sequence[Measured], draws: int) -> dict[str, Any]:
    """Means of all figures over all shapes, over each kind of planting, and over each pair."""
    kinds = {"all": list(rows)} | {kind: [row for row in rows if of(row.keep)] for kind, of in KINDS.items()}
    pairs = {f"{h} + {d}": [row for row in rows if (row.host, row.donor) == (h, d)] for h, d, _ in PLANTED}
    fields = ("novelty", "drop_region", "drop_random", "drop_part", "above_foreign", "above_host")
    return {
        name: {
            "shapes": len(chosen),
            "auroc": {by: bootstrap([row.auroc[by] for row in chosen], draws) for by in BY},
            **{field: bootstrap([getattr(row, field) for row in chosen], draws) for field in fields},
            "drop_beyond_random": bootstrap([row.drop_region - row.drop_random for row in chosen], draws),
        }
        for name, chosen in (kinds | pairs).items()
        if chosen
    }


def tables(figures: Mapping[str, Any]) -> list[str]:
    """Two tables: AUROC by feature, and decreases of novelty."""
    auroc = [(name, *(harness.words(f["auroc"][by], 100, 1) for by in BY)) for name, f in figures.items()]
    cuts = ("novelty", "drop_region", "drop_random", "drop_beyond_random", "drop_part")
    drops = [(name, *(harness.words(f[key], 1, 3) for key in cuts)) for name, f in figures.items()]
    head = ("novelty lost", "whole", "novel region", "at random", "difference", "foreign part")
    return [options.grid(("point AUROC, %", *BY), auroc), options.grid(head, drops)]


def run(args: argparse.Namespace) -> None:
    options.check(args, count=1, examples=2, points=1)
    encoder, text = harness.loaded(args)
    rows = measure(encoder, text, args)
    figures = summary(rows, args.draws)
    report = harness.facts(encoder, text) | {
        "settings": {key: getattr(args, key) for key in ("count", "examples", "points", "draws")}
        | {"region": REGION, "random_regions": RANDOM, "known": KNOWN},
        "figures": figures,
        "shapes": [asdict(row) for row in rows],
    }
    lines = [*tables(figures), "\n".join(f"{by}: {words}" for by, words in BY.items())]

    def drawn(path: Path) -> list[Path]:
        return [draw_chair(path.with_stem(path.stem.replace(stem, "explain-chair", 1)), encoder)]

    stem = f"explain-{harness.named(report)}"
    harness.finish(args, stem, report, lines, drawn)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    about = "novelty maps of shapes with a planted foreign part"
    names = ("model", "checkpoint", "text_checkpoint", "draws", "device", "no_pictures")
    parser = options.parser("localize", about, *names)
    parser.add_argument("--count", type=int, default=30, help="shapes per pair (default: 30)")
    parser.add_argument("--examples", type=int, default=40, help="example shapes per known class (default: 40)")
    parser.add_argument("--points", type=int, default=2048, help="points per shape (default: 2048)")
    return options.run(parser, run, argv)
