"""`python -m benchmarks NAME`: every benchmark by its name; without one, the list of them.

The protocol commands of 3DOS are modules of their own: `python -m benchmarks.sr1`, `sr2`, `sn` and `r2r`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

# name: the module whose `main` it is, what that takes before the command line, and what it answers
COMMANDS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "axis": ("questions.axis", (), "is the gravity axis of a set of shapes found?"),
    "baselines": ("baselines.command", (), "the trained baselines of 3DOS, trained, scored and tabled"),
    "calls": ("performance.calls", (), "a prepared pipeline called many times, beside its encoder alone"),
    "changes": ("questions.scene_changes", (), "changes between two scans of a room: found, and none made up?"),
    "comparators": ("questions.comparators", (), "do learned comparators pay?"),
    "compare": ("report.compare", (), "one table of many runs, published figures among them"),
    "coverage": ("questions.coverage", (), "do thresholds keep their promise?"),
    "data": ("threedos.data.command", (), "the release of 3DOS, checked and downloaded"),
    "dents": ("surfaces.dents", (), "are dents in the surface of a scanned object found?"),
    "discovery": ("questions.discovery", (), "are novel classes found again as groups?"),
    "engines": ("performance.engines", (), "many files on one machine and with Ray"),
    "guarantees": ("questions.guarantees", (), "do alarms, repair and error rates keep what they promise?"),
    "localize": ("questions.localize", (), "is a planted part found?"),
    "map": ("questions.scene_maps", (), "a map with unknowns: rooms, guarantee, labels, cost"),
    "mvtec": ("surfaces.published", ("mvtec",), "reconstructors on MVTec AD"),
    "neighbors": ("performance.neighbors", (), "large sets of examples"),
    "objects": ("questions.objects", (), "are real objects known, and are novel ones found?"),
    "panorama": ("surfaces.published", ("panorama",), "reconstructors on panoramas"),
    "rasters": ("performance.rasters", (), "clouds of surfaces as tiles: speed and memory"),
    "relevancy": ("questions.relevancy", (), "where CLIP looks: does it find things by name, and how fast?"),
    "resend": ("images.command", (), "ReSeND's evaluation on its own image lists"),
    "resend_train": ("images.training", (), "training of ReSeND"),
    "roads": ("surfaces.published", ("roads",), "reconstructors on published road images"),
    "rooms": ("questions.rooms", (), "does a point encoder label the points of rooms?"),
    "scannet20": ("questions.scannet", ("scannet20",), "points of ScanNet's scans by 20 names"),
    "scannet200": ("questions.scannet", ("scannet200",), "points of ScanNet's scans by 200 names"),
    "scans": ("performance.scans", (), "scans and their voxels: speed and memory"),
    "scenes": ("questions.scenes", (), "are the objects of a scan found, named, and told from novel ones?"),
    "scores": ("questions.scores", (), "every method side by side"),
    "search": ("surfaces.search", (), "settings of the competing U-Nets by Optuna"),
    "semabs": ("semabs.command", (), "Semantic Abstraction's data, losses, metrics and tables"),
    "sparse": ("performance.sparse", (), "networks of scans beside their bound"),
    "speed": ("performance.speed.command", (), "the encoder beside the plain way and its bound"),
    "surfaces": ("surfaces.command", (), "where is a generated road damaged?"),
    "train_scenes": ("training.train_scenes", (), "an encoder of points, in the stages of the paper"),
    "unets": ("performance.unets", (), "a training step of the U-Nets beside its bound"),
    "view_novelty": ("questions.view_novelty", (), "what does no known name explain in a view?"),
    "views": ("questions.views", (), "is what one view hides completed?"),
}


def main(argv: Sequence[str]) -> int:
    """The exit status of the command that the first word names; 2 with the list of them for any other word."""
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
