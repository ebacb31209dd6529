"""`python -m benchmarks dents`: is the class of an object novel, and is its surface damaged?

The two questions are measured separately, on dented and on undamaged objects.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import options
from benchmarks.report.output import write_json
from openshape_ood import KnownClasses, ShapeEncoder, TextEncoder, __version__, plots
from openshape_ood.decisions.metrics import auroc
from openshape_ood.surfaces import SurfaceModel
from openshape_ood.surfaces.examination import Examination, examine
from openshape_ood.synthetic import generate, sample
from openshape_ood.synthetic.dents import Dented, dented
from openshape_ood.synthetic.mesh import Mesh

KNOWN = ["chair", "table", "sofa"]
THINGS = (("chair", 2), ("chair", 1), ("chair", 3), ("chair", 4), ("table", 3), ("sofa", 1))
NOVEL = "guitar"
WHOLE, DENTED = 100, 200  # first seeds of the test scans
METHODS = {"nearest": "nearest good point", "pca": "PCA of views"}
COLUMNS = (
    "thing", "by", "turned", "place AUROC", "whole AUROC", "whole, damaged", "dented, damaged", "of a new class",
)  # fmt: skip
TURNS = 9  # random stream of the rotations


def run(args: argparse.Namespace) -> None:
    options.check(args, good=4, tested=1, points=1000, things=1)
    encoder = ShapeEncoder.from_pretrained("tiny")
    known = KnownClasses.from_names(KNOWN, TextEncoder.from_pretrained("tiny"))
    how: dict[str, Any] = {"known": known, "encoder": encoder, "up": "y"}
    rows: list[dict[str, Any]] = []
    shown: list[tuple[str, Examination]] = []
    for degrees in args.turned:
        for category, seed in THINGS[: args.things]:
            mesh = generate(category, seed)
            scans = {first: _scans(mesh, first, args, degrees) for first in (0, WHOLE, DENTED)}
            for method in METHODS:
                model = SurfaceModel.fit([one.cloud for one in scans[0]], method)
                whole, spoilt = (examine([one.cloud for one in scans[of]], model, **how) for of in (WHOLE, DENTED))
                named = {"thing": f"{category} {seed}", "by": METHODS[method], "turned": degrees}
                rows.append(named | figures(whole, spoilt, scans[DENTED]))
                if not shown:
                    other = examine(sample(NOVEL, args.points, 1), model, **how)
                    shown = [("whole", whole[0]), *(("with a dent", one) for one in spoilt[:2])]
                    shown.append((f"{NOVEL}, whole", other[0]))
    settings = {name: getattr(args, name) for name in ("points", "good", "tested", "turned")}
    answers = [{"thing": name, **one.as_json()} for name, one in shown]
    report = {"version": __version__, "settings": settings, "things": rows, "examples": answers}
    files = [write_json(args.out / f"surfaces-dents{options.suffix(args)}.json", report)]
    files.append(draw(files[0].with_suffix(".png"), THINGS[0][0], shown))
    print(options.grid(COLUMNS, [[_words(row[name]) for name in COLUMNS] for row in rows]), "", *files, sep="\n")


def _scans(mesh: Mesh, first: int, args: argparse.Namespace, degrees: float) -> list[Dented]:
    """Scans of an object, good or dented, each rotated about the up axis by at most `degrees`."""
    scans = []
    for seed in range(first, first + (args.tested if first else args.good)):
        if first == DENTED:
            one = dented(mesh, args.points, seed)
        else:
            one = Dented(sample(mesh, args.points, seed), np.zeros(args.points, dtype=bool))
        turn = np.radians(degrees) * np.random.RandomState([seed, TURNS]).uniform(-1, 1)
        x, y, z = one.cloud.T
        turned = np.stack([np.cos(turn) * x + np.sin(turn) * z, y, np.cos(turn) * z - np.sin(turn) * x], axis=1)
        scans.append(replace(one, cloud=turned))
    return scans


def figures(whole: list[Examination], spoilt: list[Examination], shapes: list[Dented]) -> dict[str, Any]:
    """Figures of one object: AUROC of points and of scans, number of scans called damaged, number called novel."""
    apart = []
    for one, shape in zip(spoilt, shapes, strict=True):
        novelty, seen = one.surface.map.novelty, one.surface.map.seen
        apart.append(auroc(novelty[seen & ~shape.truth], novelty[seen & shape.truth]))
    scores = [np.array([one.surface.novelty for one in group]) for group in (whole, spoilt)]
    cells: list[Any] = [float(np.mean(apart)), float(auroc(*scores))]
    cells += [f"{sum(one.surface.is_novel for one in group)} of {len(group)}" for group in (whole, spoilt)]
    new = sum(bool(one.classes.is_novel[0]) for one in (*whole, *spoilt))
    return dict(zip(COLUMNS[3:], [*cells, f"{new} of {len(whole) + len(spoilt)}"], strict=True))


def draw(path: Path, category: str, shown: Sequence[tuple[str, Examination]]) -> Path:
    """Draw the novelty map of each examination, with its two verdicts in the title."""
    from benchmarks.report.pictures.scenes import by_palette

    figure, axes = plots.panels(1, len(shown), size=(3.4 * len(shown), 4.0))
    for ax, (what, one) in zip(axes.flat, shown, strict=True):
        one.surface.map.plot(ax=ax)
        verdicts = one.as_json()
        name = what if "," in what else f"{category}, {what}"
        ax.set_title(
            f"{name}\nclass: {verdicts['class']['verdict']} ({verdicts['class']['novelty']:.2f})\n"
            f"surface: {verdicts['surface']['verdict']} ({verdicts['surface']['novelty']:.2f})",
            fontsize=9,
        )
    return by_palette(plots.save(figure, path, dpi=80))


def _words(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = options.parser("dents", "is the class of an object novel, and is its surface damaged?")
    options.add_numbers(
        parser, points=(60_000, "points per scan"), good=(20, "training scans per object"),
        tested=(8, "undamaged and dented test scans per object, each"), things=(len(THINGS), "objects, at most six"),
    )  # fmt: skip
    words = "largest rotation of each scan about the up axis; one run per value"
    parser.add_argument("--turned", type=float, nargs="+", default=[0.0], metavar="DEGREES", help=words)
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))
