"""`python -m benchmarks views`: completion of objects from one view, and objects found by relations.

Each generated room has one view; a third of the categories was not in training. Affinities are simulated, and not
better than CLIP's relevancy.

- Names: IoU of the completed cells in view with the true cells. Baselines are the visible points, by simulated
  affinities and by true masks.
- Relations: IoU of visible and hidden targets. Baselines are the target's name alone, and another relation.
- Rooms with one object whose name is withheld: AUROC of its voxels.

Intervals are a bootstrap over rooms. Baselines use their best threshold and variant on the test rooms; the network uses
the threshold of its registry row. Prints tables, writes the same as JSON, and draws rooms, including the worst one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from benchmarks import options
from benchmarks.intervals import bootstrap
from benchmarks.questions import harness
from benchmarks.report.pictures.views import draw_views
from benchmarks.scene_data.completed import Row, Seen, foreign, named, related
from benchmarks.training.completion_affinities import quality
from benchmarks.training.completion_samples import NEVER
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import InputError
from openshape_ood.views.completion.complete import DEFAULT, RELATIONAL, Completer
from openshape_ood.views.completion.network import RELATIONS, CompletionNetwork

FIRST = 16_000  # seed of the first room; rooms with a foreign object begin at FIRST + 1000
SETS = ("known", "never trained")
KINDS = {"one": "visible, one of its name", "several": "visible, several of its name", "hidden": "hidden"}
AGAINST = ("network", "the same, dilated", "true mask, dilated")


def interval(
    rows: Sequence[Row], key: str, less: str = "", draws: int = 1000, seed: int = 0
) -> dict[str, float] | None:
    """Mean of a figure over rows at its best threshold, with a bootstrap interval over rooms; None without values.

    less: another figure, which is subtracted at its own best threshold.
    """
    chosen = [row for row in rows if row.figures[key].size and (not less or row.figures[less].size)]
    if not chosen:
        return None
    values = best(chosen, key) - (best(chosen, less) if less else 0)
    return {**bootstrap(values, draws, [row.room for row in chosen], seed), "n": len(chosen)}


def best(rows: Sequence[Row], key: str) -> np.ndarray:
    """A figure of each row (r,), at the threshold where the mean over the rows is largest."""
    figures = np.stack([row.figures[key] for row in rows])
    return figures[:, figures.mean(0).argmax()]


def name_figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Figures of each set, differences of the network to baselines, and its IoU by size."""
    result: dict[str, Any] = {}
    for of in SETS:
        some = [row for row in rows if row.kind == of]
        result[of] = {key: interval(some, key) for key in rows[0].figures}
        result[of] |= {f"network - {key}": interval(some, "network", key) for key in AGAINST[1:]}
        for low, high in ((1, 30), (30, 100), (100, 300), (300, 10**6)):
            sized = [row for row in some if low <= row.cells < high]
            result[of][f"network, {low} cells or more"] = interval(sized, "network")
    return result


def relation_figures(rows: Sequence[Row]) -> dict[str, Any]:
    """IoU by relation, by kind of target, and over all; with differences of the relation to its baselines."""
    groups = {relation: [row for row in rows if row.what == relation] for relation in RELATIONS}
    groups |= {words: [row for row in rows if row.kind == kind] for kind, words in KINDS.items()}
    groups |= {"visible": [row for row in rows if row.kind != "hidden"], "all": list(rows)}
    return {
        name: {key: interval(some, key) for key in some[0].figures}
        | {f"relation - {key}": interval(some, "relation", key) for key in ("relation ignored", "another relation")}
        for name, some in groups.items()
        if some
    }


def untrained(completer: Completer, seed: int = 0) -> Completer:
    """A network of the same sizes with random weights."""
    torch.manual_seed(seed)
    return Completer(CompletionNetwork(completer.network.sizes), Identity("untrained", "completion"), completer.device)


def stand_in_figures(rooms: Iterable[Seen]) -> dict[str, float]:
    """Quality of the simulated affinities, mean over names."""
    each = np.concatenate(
        [quality(one.sample, one.names, one.affinities.values[: len(one.names)]) for one in rooms if one.names]
    )
    words = ("pixel average precision", "pointing game", "best pixel IoU")
    return dict(zip(words, map(float, each.mean(0)), strict=True))


def tables(report: Mapping[str, Any]) -> list[str]:
    names = report["names"]
    blocks = []
    head = tuple(f"{of}, {names[of]['network']['n']} names" for of in SETS if names[of]["network"])
    keys = [key for key in names[SETS[0]] if any(names[of][key] for of in SETS)]
    lines = [(key, *(cell(names[of][key]) for of in SETS if names[of]["network"])) for key in keys]
    blocks.append(options.grid(("IoU in view", *head), lines))
    if report["relations"]:
        keys = list(next(iter(report["relations"].values())))
        lines = [
            (name, str(row["relation"]["n"]), *(cell(row[key]) for key in keys))
            for name, row in report["relations"].items()
        ]
        blocks.append(options.grid(("IoU of a target", "n", *keys), lines))
    if report["foreign"]:
        lines = [(key, cell(figure)) for key, figure in report["foreign"].items()]
        blocks.append(options.grid(("AUROC of the unnamed object", f"{report['settings']['foreign']} rooms"), lines))
    return blocks


def cell(figure: Mapping[str, float] | None) -> str:
    return "-" if figure is None else harness.words(figure, 1, 3)


def run(args: argparse.Namespace) -> None:
    options.check(args, rooms=1, foreign=0)
    if not 1 <= args.things[0] <= args.things[1]:
        raise InputError(f"--things is {args.things[0]} {args.things[1]}; expected 1 <= FEWEST <= MOST")
    args.out.mkdir(parents=True, exist_ok=True)
    how: dict[str, Any] = {"checkpoint": args.checkpoint, "device": args.device}
    completer, relater = (Completer.from_pretrained(name, **how) for name in (args.model, RELATIONAL))
    before = untrained(completer)

    def bar(given: Iterable[Any], words: str) -> Iterable[Any]:
        return tqdm(given, desc=words, unit="room", disable=not args.progress)

    things = tuple(args.things)
    rooms = [Seen.of(FIRST + i, args.bfloat16, things) for i in bar(range(args.rooms), "views")]
    names = [row for one in bar(rooms, "names") for row in named(one, completer, before)]
    if not names:
        raise InputError(f"{args.rooms} rooms of {things[0]} to {things[1]} objects show no object; give more")
    relations = [row for one in bar(rooms, "relations") for row in related(one, completer, relater)]
    seeds = bar(range(args.foreign), "foreign")
    unnamed = [foreign(FIRST + 1000 + i, NEVER[i % len(NEVER)], completer) for i in seeds]
    novel = [row for row in unnamed if row is not None]
    report: dict[str, Any] = {
        "model": completer.identity.checkpoint,
        "checkpoint_sha256": completer.identity.sha256,
        "threshold": completer.network.sizes.threshold,
        "settings": {"rooms": args.rooms, "things": args.things, "foreign": len(novel)}
        | {"first_seed": FIRST, "never_trained": NEVER},
        "stand_in": stand_in_figures(rooms),
        "names": name_figures(names),
        "relations": relation_figures(relations) if relations else {},
        "foreign": {key: interval(novel, key) for key in novel[0].figures} if novel else {},
    }
    quality_words = ", ".join(f"{key} {value:.2f}" for key, value in report["stand_in"].items())
    lines = [f"simulated affinities: {quality_words}", *tables(report)]
    name = f"views-{completer.identity.checkpoint}"
    name += f"-{completer.identity.sha256[:8]}" if args.checkpoint else ""
    # the committed results have 90 rooms, in bfloat16
    usual: dict[str, Any] = {"named": ("bfloat16",), "rooms": 90, "foreign": 24}
    harness.finish(args, name, report, lines, lambda path: [draw_views(path, shown(rooms, names), completer)], **usual)


def shown(rooms: Sequence[Seen], rows: Sequence[Row]) -> dict[str, Seen]:
    """Three rooms: the one with the most names, the one with the median IoU, and the worst one."""
    figures = {
        number: np.mean([r.figures["network"] for r in rows if r.room == number]) for number in {r.room for r in rows}
    }
    order = sorted(figures, key=lambda number: figures[number])
    most = max(figures, key=lambda number: sum(row.room == number for row in rows))
    seen = {one.made.view.name: one for one in rooms}
    chosen = {"most names": most, "median": order[len(order) // 2], "worst": order[0]}
    return {f"{words}: IoU {figures[number]:.2f}": seen[f"room {number}"] for words, number in chosen.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    about = "completion of objects from one view, and objects found by relations"
    parser = options.parser("views", about, "checkpoint", "device", model=DEFAULT)
    parser.add_argument("--rooms", type=int, default=20, help="generated rooms (default: 20)")
    parser.add_argument("--foreign", type=int, default=12, help="rooms with one unnamed object (default: 12)")
    parser.add_argument(
        "--things", type=int, nargs=2, default=[8, 13], metavar=("FEWEST", "MOST"), help="objects per room (8 13)"
    )
    parser.add_argument("--bfloat16", action="store_true", help="volumes in bfloat16, for processors that support it")
    parser.add_argument("--no-pictures", dest="pictures", action="store_false", help="write no pictures")
    return options.run(parser, run, argv)
