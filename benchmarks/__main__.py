"""`python -m benchmarks NAME` runs a benchmark; without a name it lists all of them.

The protocol commands of 3DOS are separate modules: `python -m benchmarks.sr1`, `sr2`, `sn` and `r2r`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

# name: module with its `main`, first arguments of `main`, description
COMMANDS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "baselines": ("baselines.command", (), "train, evaluate and compare the networks of 3DOS"),
    "changes": ("questions.scene_changes", (), "changes between two scans of a room: found and false ones"),
    "comparators": ("questions.comparators", (), "are learned comparators better than prototypes?"),
    "compare": ("report.compare", (), "one table of many runs, with published figures"),
    "data": ("threedos.data.command", (), "check or download the data of 3DOS"),
    "discovery": ("questions.discovery", (), "are novel classes found again as groups?"),
    "guarantees": ("questions.guarantees", (), "do alarms, recalibration and marks keep the requested error rates?"),
    "localize": ("questions.localize", (), "do novelty maps show a planted foreign part?"),
    "map": ("questions.scene_maps", (), "maps of rooms: objects, error rates, labels, cost"),
    "mvtec": ("surfaces.published", ("mvtec",), "reconstructors on MVTec AD"),
    "objects": ("questions.objects", (), "are real objects known, and are novel ones found?"),
    "panorama": ("surfaces.published", ("panorama",), "reconstructors on panoramas"),
    "resend": ("images.command", (), "ReSeND's evaluation on its own image lists"),
    "resend_train": ("images.training", (), "training of ReSeND"),
    "roads": ("surfaces.published", ("roads",), "reconstructors on published road images"),
    "rooms": ("questions.rooms", (), "labels and novelty of the points of rooms"),
    "scannet20": ("questions.scannet", ("scannet20",), "labels of the points of ScanNet by 20 names"),
    "scannet200": ("questions.scannet", ("scannet200",), "labels of the points of ScanNet by 200 names"),
    "scenes": ("questions.scenes", (), "are the objects of a scan found and named, and novel ones recognized?"),
    "scores": ("questions.scores", (), "every method on SR1 and SR2"),
    "search": ("surfaces.search", (), "search for settings of the competing U-Nets by Optuna"),
    "semabs": ("semabs.command", (), "data, training and evaluation of Semantic Abstraction"),
    "speed": ("performance.speed.command", (), "time of an encoder, of a plain implementation and of their bound"),
    "surfaces": ("surfaces.command", (), "reconstructors on generated damaged roads"),
    "train_scenes": ("training.train_scenes", (), "training of a point encoder, in the stages of the paper"),
    "view_novelty": ("questions.view_novelty", (), "are objects without a known name found in a view?"),
    "views": ("questions.views", (), "are objects completed from one view?"),
}


def main(argv: Sequence[str]) -> int:
    """Run the command that the first word names; returns its exit status. Any other word: print the list, return 2."""
    if not argv or argv[0] not in COMMANDS:
        wanted = bool(argv) and argv[0] not in ("-h", "--help")
        lines = [f"  {name:<13} {words}" for name, (_, _, words) in COMMANDS.items()]
        head = f"unknown benchmark {argv[0]!r}" if wanted else "usage: python -m benchmarks NAME [--help]"
        print("\n".join([head, "", *lines]), file=sys.stderr if wanted else sys.stdout)
        return 2 if wanted or not argv else 0
    module, given, _ = COMMANDS[argv[0]]
    return int(import_module(f"benchmarks.{module}").main(*given, argv[1:]))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
