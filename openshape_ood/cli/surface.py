"""openshape-ood surface: learn what good surfaces look like, and say where others are wrong."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from openshape_ood.cli import options
from openshape_ood.cli.console import Failure, finish, print_json, print_line, print_note, progress, shown
from openshape_ood.cli.known_options import OneAxisOptions
from openshape_ood.cli.options import argument, option
from openshape_ood.errors import CheckpointError, InputError, OpenShapeError

if TYPE_CHECKING:
    from openshape_ood.surfaces import SurfaceModel
    from openshape_ood.surfaces.inputs import Source

SURFACE = "Surface"
GOOD = 20  # generated roads that are learned: as many as a threshold of 95 % needs

EXAMPLES = """
  openshape-ood surface fit good/ --out model
  openshape-ood surface score model scans/ --out found
  openshape-ood surface score --out found
  openshape-ood surface score model scans/ --known chair table --out found

The last but one needs no file: it learns and scores generated roads.
"""

app = options.group(
    """Where is a surface damaged, when only good ones are known? Images, or clouds of roads and things.""", EXAMPLES
)


@options.command(app, "fit")
def fit(
    good: Annotated[
        list[str] | None,
        argument(
            "Good images, or good clouds, as files or folders (searched through and through). If left out, "
            "generated roads.",
            "[GOOD]...",
        ),
    ] = None,
    /,
    *,
    out: options.Folder = None,
    reconstructor: Annotated[
        Literal["mean", "pca", "unet", "crn", "memory"],
        option(SURFACE, "What learns. unet and crn train in steps; memory needs timm."),
    ] = "pca",
    shape: Annotated[
        Literal["sheets", "objects"] | None,
        option(SURFACE, "What clouds are of: roads and walls, or things seen from all around. Else found."),
    ] = None,
    size: Annotated[int | None, option(SURFACE, "Pixels or cells along a tile or view.", min=16, max=1024)] = None,
    cell: Annotated[float | None, option(SURFACE, "Meters of a cell of sheets; by their density if left out.")] = None,
    channels: Annotated[
        list[str] | None,
        option(
            SURFACE,
            "Of sheets: height, intensity, normal, density, color; height, normal and, where all have it, intensity if "
            "left out.",
            "NAME...",
        ),
    ] = None,
    values: Annotated[
        tuple[float, float] | None,
        option(SURFACE, "Of images of floats, or of another range than their type's.", "LOW HIGH"),
    ] = None,
    folds: Annotated[
        int | None,
        option(SURFACE, "Rounds of holding out for the thresholds; 5, or 1 of unet and crn, if left out.", min=1),
    ] = None,
    steps: Annotated[int | None, option(SURFACE, "Of a training of unet and crn.", min=1)] = None,
    seed: options.Seed = 0,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Learn what good surfaces look like, with thresholds from good ones that were held out."""
    from openshape_ood.surfaces import SurfaceModel
    from openshape_ood.surfaces.inputs import list_sources

    if out is None:
        raise InputError("expected a folder for the model: --out FOLDER")
    if out.expanduser().is_file():
        raise InputError(f"--out is the file {out}; expected a folder")
    sources = list_sources(good) if good else _roads(seed, [""] * GOOD)
    how: dict[str, Any] = {"shape": shape, "size": size, "cell": cell, "channels": channels, "values": values}
    how |= {name: one for name, one in (("steps", steps), ("device", device)) if one is not None}
    model = SurfaceModel.fit(sources, reconstructor, folds=folds, seed=seed, progress=sys.stderr.isatty(), **how)
    record = {**_told(model), "good": [one.name for one in sources], "written": model.save(out.expanduser())}
    if json:
        print_json(record)
        return
    _print_model(model)
    print_line(f"written: {shown(out)}; next: openshape-ood surface score {shown(out)} FILES --out found")


@options.command(app, "score")
def score(
    folder: Annotated[
        Path | None,
        argument("The folder that surface fit wrote. If left out, generated roads are learned.", "[DIR]"),
    ] = None,
    files: Annotated[
        list[str] | None,
        argument("Images or clouds, as files or folders. If left out, generated roads.", "[FILES]..."),
    ] = None,
    /,
    *,
    chosen: OneAxisOptions = OneAxisOptions(),
    out: options.Folder = None,
    json: options.Json = False,
) -> None:
    """Say which images or clouds are damaged, and where: tables, a map over each image, colored clouds and pictures.

    With known classes (--known, --examples, --known-file) a second question is answered beside the first, and apart
    from it: of which class is each cloud? Its encoder is tiny if left out.
    """
    from openshape_ood.cli.inputs import Found
    from openshape_ood.cli.surface_files import Scored
    from openshape_ood.surfaces import SurfaceModel
    from openshape_ood.surfaces.inputs import list_sources

    by_class = bool(chosen.known or chosen.examples or chosen.known_file)
    if not by_class:
        for name in ("method", "threshold", "calibrate", "calibrate_by", "coverage", "known_up"):
            if getattr(chosen, name) != getattr(type(chosen), name):
                raise InputError(
                    f"--{name.replace('_', '-')} is of the question of which class; expected --known, --examples or "
                    "--known-file beside it. The thresholds of surfaces are those of the model"
                )
    if folder is None:
        print_note(f"no DIR: learning {GOOD} generated roads, which are sound")
        model = SurfaceModel.fit(_roads(chosen.seed, [""] * GOOD), seed=chosen.seed, progress=sys.stderr.isatty())
    else:
        model = SurfaceModel.load(folder, device=chosen.device)
    sources = list_sources(files) if files else _to_be_scored(model, chosen.seed)
    found, pipeline = Found(), None
    if by_class:
        if model.data.kind == "images":
            raise InputError(
                "--known, --examples and --known-file ask of which class shapes are; the model is of images"
            )
        pipeline = chosen.pipeline(found, model="tiny")
    failures, done = found.failures, Scored.of(sources, out)
    with progress("scoring", len(sources)) as bar:
        for source in sources:
            try:
                done.add(source, model, pipeline)
            except CheckpointError:
                raise
            except OpenShapeError as error:
                failures.append(Failure(source.name, str(error)))
            bar.step()
    done.finish(_told(model), pipeline, failures)
    if json:
        print_json(done.record)
    else:
        done.print()
        _print_model(model)
        if done.written:
            print_line(f"written: {len(done.written)} files in {shown(out)}")
    finish(failures, bool(done.rows))


def _told(model: SurfaceModel) -> dict[str, Any]:
    from openshape_ood.surfaces.data import settings

    return {
        "data": settings(model.data),
        "reconstructor": model.reconstructor.method,
        "identity": model.reconstructor.identity.sha256,
        "threshold": model.threshold.as_json(),
        "place_threshold": model.pixel_threshold.as_json(),
    }


def _print_model(model: SurfaceModel) -> None:
    from openshape_ood.surfaces.data import Sheets

    tiles = " × ".join(map(str, model.reconstructor.shape_))
    cells = f", cells of {model.data.rasterizer.cell:.3g} m" if isinstance(model.data, Sheets) else ""
    print_line(f"{model.reconstructor.method} on {model.data.kind}: tiles of {tiles}{cells}")
    print_line(shown(model.threshold))
    if model.threshold.coverage is not None and model.threshold.coverage < model.reconstructor.coverage:
        print_note(
            f"note: a threshold that keeps {model.reconstructor.coverage:.0%} of good ones needs 19 of them or more; "
            f"there were {model.threshold.n}",
            "yellow",
        )


def _to_be_scored(model: SurfaceModel, seed: int) -> list[Source]:
    from openshape_ood.synthetic.roads import DAMAGES

    if model.data.kind != "sheets":
        raise InputError(f"the model is of {model.data.kind}; expected FILES to score")
    return _roads(seed + GOOD, ["", "", *DAMAGES])


def _roads(seed: int, damages: Sequence[str]) -> list[Source]:
    """Generated roads, turned so that they run along x."""
    import numpy as np

    from openshape_ood.surfaces.inputs import Source
    from openshape_ood.synthetic.roads import road_scan

    made = []
    for i, damage in enumerate(damages):
        road = road_scan(seed + i, damage or ())
        along = road.heading[:2] / np.linalg.norm(road.heading[:2])
        points = road.points.copy()
        points[:, :2] = (points[:, :2] - points[0, :2]) @ np.stack([along, [-along[1], along[0]]]).T
        name = f"road {i + 1}, {damage or 'sound'}"
        made.append(Source({"points": points, "intensity": road.intensity}, name, "cloud"))
    return made
