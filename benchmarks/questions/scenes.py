"""`python -m benchmarks scenes`: are the objects of a scan found and named, and are novel ones recognized?

Scans are of generated rooms and, with `--real DIR`, of the small house in three areas. For each proposal method and for
the true instances, the table has recall and precision of proposals, accuracy of names of the objects found, AUROC of
known against novel objects, and mean IoU of labelled points. In other rooms one foreign object is ranked by novelty.
Prints tables, writes the same as JSON, and draws three rooms.

`--only-pictures` only draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest
from tqdm import tqdm

from benchmarks import options
from benchmarks.questions import harness
from benchmarks.report.pictures.scenes import draw_rooms
from benchmarks.scene_data.house import house_rooms
from benchmarks.scene_data.judging import (
    FLAT,
    LEAST,
    TRUE,
    WAYS,
    Case,
    Names,
    counted,
    examined,
    foreign_ranks,
    share,
    summary,
    verdicts,
)
from openshape_ood import ShapeEncoder, TextEncoder
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.text.encoder import UntrainedNameWarning
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.novelty import NoveltyPipeline
from openshape_ood.synthetic import categories
from openshape_ood.synthetic.rooms import Room, room

KNOWN = ("bed", "bookshelf", "cabinet", "chair", "desk", "door", "sofa", "table")
AMONG = tuple(name for name in KNOWN if name != "door")  # furniture in rooms with a foreign object
FOREIGN = (
    *("bathtub", "bicycle", "bin", "fan", "guitar", "ladder", "lamp", "person", "plant", "refrigerator", "toilet"),
    "washing machine",
)
OBJECTS = 7  # objects of `AMONG` in rooms with a foreign object
FIRST = 15_000  # seed of the first room
LATER = 1000  # offset to the seeds of rooms with a foreign object
RANKED = ("connected pieces", "merge tree", TRUE)
ROOMS, HOUSE = "generated rooms", "small house"
SHOWN = 3  # scans in the picture
COLUMNS = {
    "proposals": "proposals",
    "recall25": "R25",
    "recall50": "R50",
    "free25": "free R25",
    "free50": "free R50",
    "precision25": "P25",
    "name": "name right",
    "known": "known right",
    "auroc": "AUROC",
    "auroc_unnamed": "unnamed too",
    "miou": "mIoU",
    "miou_known": "known",
    "miou_novel": "novel",
}


def names_of(rooms: Sequence[Room], text: TextEncoder, known: Sequence[str] = KNOWN) -> Names:
    """The known names, and the vocabulary: known names and all generated categories in the rooms."""
    occur = {of.items[one - 1].category for of in rooms for one in counted(of)} & set(categories())
    return Names(*(KnownClasses.from_names(sorted(one), text) for one in (known, occur | set(known))))


def compared(rooms: Sequence[Room], encoder: ShapeEncoder, text: TextEncoder, args: argparse.Namespace) -> Any:
    """Figures of every proposal method over some rooms."""
    names = names_of(rooms, text)
    cases: dict[str, list[Case]] = {}
    for way in (*WAYS, TRUE):
        work = tqdm(rooms, desc=way, unit="scan", disable=not args.progress)
        cases[way] = [examined(one, way, encoder, names, **how(args)) for one in work]
    return {way: summary(of, names) for way, of in cases.items()}


def how(args: argparse.Namespace) -> dict[str, Any]:
    return {"method": args.method, "size_weight": args.size_weight}


def foreign(encoder: ShapeEncoder, text: TextEncoder, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Rooms with one foreign object: its category, its rank by each proposal method, and verdicts."""
    rows: list[dict[str, Any]] = []
    names = Names(*(KnownClasses.from_names(list(AMONG), text),) * 2)
    # the default threshold of the command line
    threshold = None if args.size_weight else _default(names.known, encoder, args.method)
    for i in tqdm(range(args.foreign), desc="foreign", unit="room", disable=not args.progress):
        kind = FOREIGN[i % len(FOREIGN)]
        seed = args.seed + LATER + i
        made = room(seed, categories=AMONG, foreign=[kind], objects=OBJECTS)
        cases = {way: examined(made, way, encoder, names, **how(args)) for way in RANKED}
        row = {"seed": seed, "foreign": kind, "ranks": {way: foreign_ranks(c) for way, c in cases.items()}}
        if threshold is not None:
            row["verdicts"] = {way: verdicts(case, threshold.value) for way, case in cases.items()}
        rows.append(row)
    return rows


def _default(known: KnownClasses, encoder: ShapeEncoder, method: str | None) -> Threshold | None:
    return NoveltyPipeline.prepare(known, encoder=encoder, method=method).threshold


def rank_figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Fractions of rooms by proposal method: foreign object found, ranked first, ranked among the first three.

    With verdicts also known objects that the default threshold keeps, and foreign objects that it calls new.
    """
    figures = {}
    for way in rows[0]["ranks"]:
        ranks = {among: np.array([row["ranks"][way][among] for row in rows]) for among in ("objects", "all")}
        figures[way] = {"found": float(np.isfinite(ranks["all"]).mean())} | {
            f"{among}_{most}": float((rank <= most).mean()) for among, rank in ranks.items() for most in (1, 3)
        }
        for what in ("kept", "new") if "verdicts" in rows[0] else ():
            figures[way][what] = share(np.concatenate([row["verdicts"][way][what] for row in rows]))
    return figures


def tables(report: Mapping[str, Any]) -> list[str]:
    blocks = []
    for title, figures in report["figures"].items():
        lines = [(way, *(cell(key, row.get(key, np.nan)) for key in COLUMNS)) for way, row in figures.items()]
        blocks.append(options.grid((title, *COLUMNS.values()), lines))
    if report["foreign"]:
        what = f"one foreign object, % of {len(report['foreign'])} rooms"
        head: tuple[str, ...] = (what, "found", "first of objects", "in three", "first of all", "in three")
        head += ("known kept", "foreign new")[: 2 * ("verdicts" in report["foreign"][0])]
        lines = [(way, *percents(row, len(report["foreign"]))) for way, row in report["ranks"].items()]
        blocks.append(options.grid(head, lines))
    return blocks


def percents(row: Mapping[str, float], count: int) -> list[str]:
    """Fractions of `count` rooms in percent; "first of all" with its 95 % Wilson interval."""
    cells = {key: f"{100 * value:.0f}" for key, value in row.items()}
    ends = binomtest(round(row["all_1"] * count), count).proportion_ci(method="wilson")
    cells["all_1"] += f" [{100 * ends.low:.0f}, {100 * ends.high:.0f}]"
    return list(cells.values())


def cell(key: str, value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.{0 if key == 'proposals' else 2}f}"


def run(args: argparse.Namespace) -> None:
    options.check(args, rooms=0, foreign=0)
    if not (args.rooms or args.real or (args.foreign and not args.only_pictures)):
        raise InputError("there is nothing to measure or draw; expected --rooms or --foreign above 0, or --real DIR")
    encoder, text = harness.loaded(args)
    sets = {ROOMS: [room(args.seed + i) for i in range(args.rooms)]} if args.rooms else {}
    if args.real:
        sets[HOUSE] = house_rooms(args.real)

    def drawn(path: Path) -> list[Path]:
        """Draw three scans, first those of the small house."""
        shown = (sets.get(HOUSE, []) + sets.get(ROOMS, []))[:SHOWN]
        return [draw_rooms(path, shown, encoder, names_of(shown, text), **how(args))] if shown else []

    name = f"scenes-{harness.named(harness.facts(encoder, text))}{'' if args.real else '-generated'}"
    if args.only_pictures:
        print(*drawn(args.out / f"{name}{harness.settings_of(args, 'real', 'only_pictures')}.png"))
        return
    ranked = foreign(encoder, text, args)
    report = harness.facts(encoder, text) | {
        "settings": {"rooms": args.rooms, "foreign": args.foreign, "known": KNOWN, "among": AMONG, "objects": OBJECTS}
        | how(args)
        | {"least_points": LEAST, "not_free_standing": FLAT, "first_seed": args.seed},
        "scans": {
            name: [{"name": r.scene.name, "points": len(r.scene), "objects": len(counted(r))} for r in rooms]
            for name, rooms in sets.items()
        },
        "figures": {name: compared(rooms, encoder, text, args) for name, rooms in sets.items()},
        "foreign": ranked,
        "ranks": rank_figures(ranked) if ranked else {},
    }
    harness.finish(args, name, report, tables(report), drawn, ("real", "only_pictures"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    about = "are the objects of a scan found and named, and are novel ones recognized?"
    names = ("model", "checkpoint", "text_checkpoint", "device", "real", "no_pictures")
    parser = options.parser("scenes", about, *names)
    parser.add_argument("--rooms", type=int, default=10, help="generated rooms; 0 for none (default: 10)")
    parser.add_argument("--foreign", type=int, default=20, help="rooms with one foreign object (default: 20)")
    parser.add_argument("--seed", type=int, default=FIRST, help=f"seed of the first room (default: {FIRST})")
    parser.add_argument("--method", help="novelty method (default: the one for names)")
    parser.add_argument("--size-weight", type=float, default=0.0, help="weight of the size in meters (default: 0)")
    parser.add_argument("--only-pictures", action="store_true", help="only draw three scans")
    return options.run(parser, run, argv, ignored=UntrainedNameWarning)  # untrained names are part of this benchmark
