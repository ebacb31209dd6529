"""`python -m benchmarks.localize`: does a novelty map point at the foreign part of a shape?

Generated shapes with a planted part, which is known point by point: a chair with a guitar for a back, a table with a
plant on it. Two measures of `localize`, by each kind of feature: the AUROC of the novelty of foreign points
against the host's, and what cutting out the most novel region takes off the shape's novelty, beside cutting out a
region of the same size at random, and the foreign part itself. Prints both with bootstrap intervals over the shapes,
writes the same as JSON, and draws six of the shapes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from benchmarks.report.output import write_json
from benchmarks.report.pictures.explained import EXAMPLES, KNOWN, PLANTED, draw_chair, draw_pairs
from benchmarks.report.tables import Table
from openshape_ood.errors import InputError, OpenShapeError

if TYPE_CHECKING:
    from openshape_ood import ShapeEncoder, TextEncoder
    from openshape_ood.novelty_map import NoveltyMap, PatchNovelty
    from openshape_ood.synthetic.planted import Planted

KINDS = {"in place of the upper part": lambda keep: keep < 1, "on top of the whole": lambda keep: keep == 1}
BY = {
    "local": "patches before the transformer",
    "tokens": "patches after it",
    "text": "patches after it, against names",
    "position": "where the patch lies, nothing else",
}
REGION = 0.2  # of the points
RANDOM = 8  # regions a shape


@dataclass(frozen=True)
class Measured:
    """One planted shape: AUROC by each kind of feature, the shape's novelty, and what it loses by three cuts.

    above_foreign and above_host: the share of the foreign points, and of the host's, above the threshold.
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


def measure(
    encoder: ShapeEncoder, text: TextEncoder, count: int, examples: int, points: int, progress: bool
) -> list[Measured]:
    """Every pair of `PLANTED`, `count` shapes of each, against `examples` shapes of each known class."""
    from openshape_ood.known import KnownClasses
    from openshape_ood.synthetic import sample

    shapes = {name: [sample(name, points, seed) for seed in range(examples)] for name in KNOWN}
    banks = {stage: KnownClasses.from_examples(shapes, encoder, patches=stage) for stage in ("local", "tokens")}
    known = banks["local"]
    work = [(*pair, seed) for pair in PLANTED for seed in range(EXAMPLES, EXAMPLES + count)]
    return [
        _measured(host, donor, keep, seed, points, encoder, text, banks, known)
        for host, donor, keep, seed in _bar(work, progress)
    ]


def _measured(
    host: str,
    donor: str,
    keep: float,
    seed: int,
    points: int,
    encoder: ShapeEncoder,
    text: TextEncoder,
    banks: Mapping[str, Any],
    known: Any,
) -> Measured:
    from openshape_ood.scoring import judge
    from openshape_ood.synthetic.planted import plant

    shape = plant(host, donor, points, seed, keep)
    found = localized(shape, encoder, text, banks)
    local = found["local"]
    novelty = {by: one.novelty for by, one in found.items()} | {"position": _position(local, banks["local"], encoder)}
    cuts = [local.peak(REGION), shape.foreign, *_regions(shape.cloud, seed)]
    left = encoder.encode([shape.cloud, *(shape.cloud[~cut] for cut in cuts)])
    whole, region, part, *random = judge(left, known, "prototype_distance").novelty
    above = local.is_novel
    return Measured(
        host=host,
        donor=donor,
        keep=keep,
        seed=seed,
        auroc={by: _auroc(novelty[by], shape.foreign) for by in BY},
        novelty=float(whole),
        drop_region=float(whole - region),
        drop_random=float(whole - np.mean(random)),
        drop_part=float(whole - part),
        above_foreign=float(above[shape.foreign].mean()),
        above_host=float(above[~shape.foreign].mean()),
    )


def localized(
    shape: Planted, encoder: ShapeEncoder, text: TextEncoder, banks: Mapping[str, Any]
) -> dict[str, NoveltyMap]:
    from openshape_ood.localization import localize

    known: dict[str, Any] = {**banks, "text": list(KNOWN)}
    return {by: localize(shape.cloud, one, encoder=encoder, text=text) for by, one in known.items()}


def _position(found: NoveltyMap, bank: Any, encoder: ShapeEncoder) -> np.ndarray:
    """What the place alone says: distance (n,) of the nearest patch center of a known shape, in the encoder's frame."""
    from openshape_ood.localization.interpolation import weights
    from openshape_ood.scoring.neighbors import nearest
    from openshape_ood.shapes.points import in_frame

    # the shape's own points alone say what its frame is
    points = in_frame(found.points, count=encoder.spec.count, up=found.up, to=encoder.spec.up, seed=0)
    own = nearest(cast("PatchNovelty", found.patches).centers, found.points[:, :3], metric="euclidean")[1][:, 0]
    centers = points[own]
    distance = nearest(centers, bank.patches.centers, metric="euclidean")[0][:, 0]
    return weights(points, centers, bank.patches.radius) @ distance


def _regions(cloud: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    from openshape_ood.novelty_map.result import around

    random = np.random.RandomState(seed)
    for place in random.randint(len(cloud), size=RANDOM):
        yield around(cloud, int(place), REGION)


def _auroc(novelty: np.ndarray, foreign: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(foreign, novelty))


def interval(values: Sequence[float], draws: int) -> dict[str, float]:
    """Mean of the shapes' values, and its 95 % interval by resampling shapes."""
    own = np.asarray(values, dtype=np.float64)
    drawn = np.random.RandomState(0).randint(len(own), size=(draws, len(own)))
    low, high = np.percentile(own[drawn].mean(axis=1), (2.5, 97.5))
    return {"mean": float(own.mean()), "low": float(low), "high": float(high)}


def summary(rows: Sequence[Measured], draws: int) -> dict[str, Any]:
    """All figures over all shapes, over each kind of planting, and over each pair."""
    kinds = {"all": list(rows)} | {kind: [row for row in rows if of(row.keep)] for kind, of in KINDS.items()}
    pairs = {f"{h} + {d}": [row for row in rows if (row.host, row.donor) == (h, d)] for h, d, _ in PLANTED}
    return {name: _figures(chosen, draws) for name, chosen in (kinds | pairs).items() if chosen}


def _figures(rows: Sequence[Measured], draws: int) -> dict[str, Any]:
    fields = ("novelty", "drop_region", "drop_random", "drop_part", "above_foreign", "above_host")
    return {
        "shapes": len(rows),
        "auroc": {by: interval([row.auroc[by] for row in rows], draws) for by in BY},
        **{field: interval([getattr(row, field) for row in rows], draws) for field in fields},
        "drop_beyond_random": interval([row.drop_region - row.drop_random for row in rows], draws),
    }


def tables(figures: Mapping[str, Any]) -> list[Table]:
    """AUROC by feature, and the drops."""

    def words(figure: Mapping[str, float], scale: float, digits: int) -> str:
        mean, low, high = (f"{scale * figure[key]:.{digits}f}" for key in ("mean", "low", "high"))
        return f"{mean} [{low}, {high}]"

    auroc = [(name, *(words(f["auroc"][by], 100, 1) for by in BY)) for name, f in figures.items()]
    cuts = ("novelty", "drop_region", "drop_random", "drop_beyond_random", "drop_part")
    drops = [(name, *(words(f[key], 1, 3) for key in cuts)) for name, f in figures.items()]
    return [
        Table(("point AUROC, %", *BY), tuple(auroc)),
        Table(("novelty lost", "whole", "novel region", "at random", "difference", "foreign part"), tuple(drops)),
    ]


def _bar(work: Sequence[Any], progress: bool) -> Any:
    from tqdm import tqdm

    return tqdm(work, desc="localizing", unit="shape", disable=not progress)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.localize",
        description="novelty maps of shapes with a planted foreign part",
        allow_abbrev=False,
    )
    parser.add_argument("--model", default="tiny", help="a checkpoint of the registry (default: tiny)")
    parser.add_argument("--checkpoint", type=Path, help="a weights file at hand instead of the Hub's")
    parser.add_argument("--text-checkpoint", type=Path, help="a file with the text tower's weights, likewise")
    parser.add_argument("--count", type=int, default=30, help="shapes a pair (default: 30)")
    parser.add_argument("--examples", type=int, default=40, help="example shapes a known class (default: 40)")
    parser.add_argument("--points", type=int, default=2048, help="points a shape (default: 2048)")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap draws for intervals (default: 1000)")
    parser.add_argument("--device", help="cpu, cuda, mps (default: the best there is)")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the results (default: results)")
    parser.add_argument("--no-pictures", dest="pictures", action="store_false", help="figures only")
    parser.add_argument("--quiet", dest="progress", action="store_false", help="no progress bar")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done, 1 with one line on stderr when the input was wrong."""
    from openshape_ood import ShapeEncoder, TextEncoder

    args = parse(argv)
    try:
        if min(args.count, args.draws, args.points) < 1 or args.examples < 2:
            raise InputError("--count, --draws and --points are at least 1, --examples at least 2")
        args.out.mkdir(parents=True, exist_ok=True)
        encoder = ShapeEncoder.from_pretrained(args.model, checkpoint=args.checkpoint, device=args.device)
        text = TextEncoder.from_pretrained(args.model, checkpoint=args.text_checkpoint, device=args.device)
        rows = measure(encoder, text, args.count, args.examples, args.points, args.progress)
        figures = summary(rows, args.draws)
        report = {
            "model": encoder.identity.checkpoint,
            "checkpoint_sha256": encoder.identity.sha256,
            "settings": {key: getattr(args, key) for key in ("count", "examples", "points", "draws")}
            | {"region": REGION, "random_regions": RANDOM, "known": KNOWN},
            "figures": figures,
            "shapes": [asdict(row) for row in rows],
        }
        path = write_json(args.out / f"explain-{encoder.identity.checkpoint}.json", report)
        pictures = []
        if args.pictures:
            pictures = [
                draw_pairs(path.with_suffix(".png"), encoder),
                draw_chair(args.out / "explain-chair.png", encoder),
            ]
    except (OpenShapeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(*(table.text(width=160) for table in tables(figures)), sep="\n\n")
    print("", *(f"{by}: {words}" for by, words in BY.items()), path, *pictures, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
