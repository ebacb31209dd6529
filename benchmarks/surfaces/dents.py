"""`python -m benchmarks dents`: are dents in the surface of a scanned object found?"""

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
from openshape_ood.surfaces.model import SurfaceResult
from openshape_ood.synthetic import generate, sample
from openshape_ood.synthetic.dents import Dented, dented
from openshape_ood.synthetic.mesh import Mesh

KNOWN, NOVEL = ["chair", "table", "sofa"], "guitar"  # of the picture
THINGS = (("chair", 2), ("chair", 1), ("chair", 3), ("chair", 4), ("table", 3), ("sofa", 1))
WHOLE, DENTED = 100, 200  # first seeds of the test scans
METHODS = {"nearest": "nearest good point", "pca": "PCA of views"}
COLUMNS = ("thing", "by", "turned", "place AUROC", "whole AUROC", "whole, damaged", "dented, damaged")
TURNS = 9  # number of the random stream for the rotations


def run(args: argparse.Namespace) -> None:
    options.check(args, good=4, tested=1, points=1000, things=1)
    rows: list[dict[str, Any]] = []
    drawn: list[tuple[str, Examination]] = []
    for degrees in args.turned:
        for category, seed in THINGS[: args.things]:
            mesh = generate(category, seed)
            scans = {first: _scans(mesh, first, args, degrees) for first in (0, WHOLE, DENTED)}
            for method in METHODS:
                model = SurfaceModel.fit([one.cloud for one in scans[0]], method)
                whole, spoilt = ([model.score(one.cloud) for one in scans[of]] for of in (WHOLE, DENTED))
                named = {"thing": f"{category} {seed}", "by": METHODS[method], "turned": degrees}
                rows.append(named | figures(whole, spoilt, scans[DENTED]))
                drawn = drawn or examples(model, category, [scans[WHOLE][0], *scans[DENTED][:2]], args.points)
    settings = {name: getattr(args, name) for name in ("points", "good", "tested", "turned")}
    report = {"version": __version__, "settings": settings, "things": rows}
    path = write_json(args.out / f"surfaces-dents{options.suffix(args)}.json", report)
    files = [path, draw(path.with_suffix(".png"), drawn)]
    print(options.grid(COLUMNS, [[_words(row[name]) for name in COLUMNS] for row in rows]), "", *files, sep="\n")


def examples(model: SurfaceModel, category: str, scans: Sequence[Dented], points: int) -> list[tuple[str, Examination]]:
    """Class and damage of a whole object, of the same object with dents, and of an object of a novel class."""
    encoder, text = ShapeEncoder.from_pretrained("tiny"), TextEncoder.from_pretrained("tiny")
    clouds = [*(one.cloud for one in scans), sample(NOVEL, points, 1)]
    found = examine(clouds, model, KnownClasses.from_names(KNOWN, text), encoder=encoder, up="y")
    names = [f"{category}, whole", *[f"{category}, with a dent"] * (len(scans) - 1), f"{NOVEL}, whole"]
    return list(zip(names, found, strict=True))


def draw(path: Path, drawn: Sequence[tuple[str, Examination]]) -> Path:
    """Draw the novelty map of each object, with class and damage in the title."""
    from benchmarks.report.pictures.scenes import by_palette

    figure, axes = plots.panels(1, len(drawn), size=(3.4 * len(drawn), 4.0))
    for ax, (name, one) in zip(axes.flat, drawn, strict=True):
        one.surface.map.plot(ax=ax)
        parts = one.as_json()
        lines = [f"{part}: {parts[part]['verdict']} ({parts[part]['novelty']:.2f})" for part in ("class", "surface")]
        ax.set_title("\n".join([name, *lines]), fontsize=9)
    return by_palette(plots.save(figure, path, dpi=80))


def _scans(mesh: Mesh, first: int, args: argparse.Namespace, degrees: float) -> list[Dented]:
    """Scans of an object, good or dented, each rotated about the up axis by at most `degrees`. first: first seed."""
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


def figures(whole: list[SurfaceResult], spoilt: list[SurfaceResult], shapes: list[Dented]) -> dict[str, Any]:
    """Figures of one object: AUROC of points and of scans, number of scans called damaged."""
    apart = []
    for one, shape in zip(spoilt, shapes, strict=True):
        novelty, seen = one.map.novelty, one.map.seen
        apart.append(auroc(novelty[seen & ~shape.truth], novelty[seen & shape.truth]))
    scores = [np.array([one.novelty for one in group]) for group in (whole, spoilt)]
    cells: list[Any] = [float(np.mean(apart)), float(auroc(*scores))]
    cells += [f"{sum(one.is_novel for one in group)} of {len(group)}" for group in (whole, spoilt)]
    return dict(zip(COLUMNS[3:], cells, strict=True))


def _words(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = options.parser("dents", "are dents in the surface of a scanned object found?")
    options.add_numbers(
        parser, points=(60_000, "points per scan"), good=(20, "training scans per object"),
        tested=(8, "undamaged test scans per object, as many dented"), things=(len(THINGS), "objects, at most six"),
    )  # fmt: skip
    words = "largest rotation of each scan about the up axis; one run per value"
    parser.add_argument("--turned", type=float, nargs="+", default=[0.0], metavar="DEGREES", help=words)
    return options.run(parser, run, argv)
