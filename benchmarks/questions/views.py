"""`python -m benchmarks views`: is what one view hides completed, and is a thing found by its relation to another?

Generated rooms in one view each, a third of all kinds of things never trained on. What a name lights up in the image is
a stand-in for relevancy, no better than CLIP's. Names: IoU of the completed cells in view with those of the whole
thing, beside what the visible points say, by the stand-in and by true masks. Relations: where a target can be, visible
or hidden, beside the target's name alone and another relation. Then rooms with one thing whose name is withheld.
Intervals are bootstraps over rooms. Baselines take the best of their thresholds and variants on these very rooms; the
network has the threshold of its registry row. Prints tables, writes the same as JSON, and draws rooms, the worst too.
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

FIRST = 16_000  # seed of the first room; those with a foreign thing begin a thousand later
SETS = ("known", "never trained")
KINDS = {"one": "visible, one of its name", "several": "visible, several of its name", "hidden": "hidden"}
AGAINST = ("network", "the same, dilated", "true mask, dilated")


def interval(
    rows: Sequence[Row], key: str, less: str = "", draws: int = 1000, seed: int = 0
) -> dict[str, float] | None:
    """The mean of a figure over rows, or of how much more it is than another, at the best of its thresholds (t,).

    With a bootstrap over rooms; None where no row has it.
    """
    own = [row for row in rows if row.figures[key].size and (not less or row.figures[less].size)]
    if not own:
        return None
    values = best(own, key) - (best(own, less) if less else 0)
    return {**bootstrap(values, draws, [row.room for row in own], seed), "n": len(own)}


def best(rows: Sequence[Row], key: str) -> np.ndarray:
    """A figure of each row, at the threshold whose mean over the rows is highest."""
    figures = np.stack([row.figures[key] for row in rows])
    return figures[:, figures.mean(0).argmax()]


def name_figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Every figure by set, the gain of the network over baselines, and its IoU by size."""
    found: dict[str, Any] = {}
    for of in SETS:
        own = [row for row in rows if row.kind == of]
        found[of] = {key: interval(own, key) for key in rows[0].figures}
        found[of] |= {f"network - {key}": interval(own, "network", key) for key in AGAINST[1:]}
        for low, high in ((1, 30), (30, 100), (100, 300), (300, 10**6)):
            sized = [row for row in own if low <= row.cells < high]
            found[of][f"network, {low} cells or more"] = interval(sized, "network")
    return found


def relation_figures(rows: Sequence[Row]) -> dict[str, Any]:
    """By relation and by kind of target, and all: IoU of each way, and what the relation adds."""
    groups = {relation: [row for row in rows if row.what == relation] for relation in RELATIONS}
    groups |= {words: [row for row in rows if row.kind == kind] for kind, words in KINDS.items()}
    groups |= {"visible": [row for row in rows if row.kind != "hidden"], "all": list(rows)}
    return {
        name: {key: interval(own, key) for key in own[0].figures}
        | {f"relation - {key}": interval(own, "relation", key) for key in ("relation ignored", "another relation")}
        for name, own in groups.items()
        if own
    }


def untrained(completer: Completer, seed: int = 0) -> Completer:
    """The same network before training."""
    torch.manual_seed(seed)
    return Completer(CompletionNetwork(completer.network.sizes), Identity("untrained", "completion"), completer.device)


def stand_in_figures(rooms: Iterable[Seen]) -> dict[str, float]:
    """Quality of the stand-in, over names."""
    found = np.concatenate(
        [quality(one.sample, one.names, one.affinities.values[: len(one.names)]) for one in rooms if one.names]
    )
    words = ("pixel average precision", "pointing game", "best pixel IoU")
    return dict(zip(words, map(float, found.mean(0)), strict=True))


def tables(report: Mapping[str, Any]) -> list[str]:
    names = report["names"]
    said = []
    head = tuple(f"{of}, {names[of]['network']['n']} names" for of in SETS if names[of]["network"])
    keys = [key for key in names[SETS[0]] if any(names[of][key] for of in SETS)]
    lines = [(key, *(cell(names[of][key]) for of in SETS if names[of]["network"])) for key in keys]
    said.append(options.grid(("IoU in view", *head), lines))
    if report["relations"]:
        keys = list(next(iter(report["relations"].values())))
        lines = [
            (name, str(own["relation"]["n"]), *(cell(own[key]) for key in keys))
            for name, own in report["relations"].items()
        ]
        said.append(options.grid(("IoU of a target", "n", *keys), lines))
    if report["foreign"]:
        lines = [(key, cell(own)) for key, own in report["foreign"].items()]
        said.append(options.grid(("AUROC of the unnamed thing", f"{report['settings']['foreign']} rooms"), lines))
    return said


def cell(figure: Mapping[str, float] | None) -> str:
    return "-" if figure is None else f"{figure['mean']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def run(args: argparse.Namespace) -> None:
    options.check(args, rooms=1, foreign=0)
    if not 1 <= args.things[0] <= args.things[1]:
        raise InputError(f"--things {args.things[0]} {args.things[1]}: expected at least 1, and no fewer at most")
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
        raise InputError(f"nothing is to be seen in {args.rooms} rooms of {things[0]} to {things[1]} things; give more")
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
    said = [f"stand-in for relevancy: {quality_words}", *tables(report)]
    name = f"views-{completer.identity.checkpoint}"
    name += f"-{completer.identity.sha256[:8]}" if args.checkpoint else ""
    # the figures of the package are of 90 rooms, in bfloat16
    usual: dict[str, Any] = {"named": ("bfloat16",), "rooms": 90, "foreign": 24}
    harness.finish(args, name, report, said, lambda path: [draw_views(path, shown(rooms, names), completer)], **usual)


def shown(rooms: Sequence[Seen], rows: Sequence[Row]) -> dict[str, Seen]:
    """Three rooms: with most names, with the median IoU, and the worst one."""
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
    about = "is what one view hides completed, and is a thing found by its relation to another?"
    parser = options.parser("views", about, "checkpoint", "device", model=DEFAULT)
    parser.add_argument("--rooms", type=int, default=20, help="generated rooms (default: 20)")
    parser.add_argument("--foreign", type=int, default=12, help="rooms with a thing without a name (default: 12)")
    parser.add_argument(
        "--things", type=int, nargs=2, default=[8, 13], metavar=("FEWEST", "MOST"), help="in a room (default: 8 13)"
    )
    parser.add_argument("--bfloat16", action="store_true", help="volumes in bfloat16, on processors made for it")
    parser.add_argument("--no-pictures", dest="pictures", action="store_false", help="figures only")
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))
