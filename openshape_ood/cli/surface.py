"""openshape-ood surface: learn what good surfaces look like, and say where others are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from openshape_ood.cli import options
from openshape_ood.cli.console import Failure, print_failures, print_json, print_line, print_note, progress, shown
from openshape_ood.errors import CheckpointError, InputError, OpenShapeError

if TYPE_CHECKING:
    from openshape_ood.cli.judging import Judge
    from openshape_ood.reconstruction import SurfaceModel
    from openshape_ood.reconstruction.inputs import Source

SURFACE = "Surface"
GOOD = 20  # generated roads that are learned: as many as a threshold of 95 % needs

app = typer.Typer(
    help="""Where is a surface damaged, when only good ones are known? Images, or clouds of roads, walls and objects.

\b
Examples:
  openshape-ood surface fit good/ --out model
  openshape-ood surface score model scans/ --out found
  openshape-ood surface score --out found
  openshape-ood surface score model scans/ --known chair table --out found

The last but one needs no file: it learns and scores generated roads.
""",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
Folder = Annotated[
    Path | None,
    options.option(options.RESULT, "--out -o", "A folder for what is written, which is made.", metavar="FOLDER"),
]


@app.command("fit")
def fit(
    good: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[GOOD]...",
            help="Good images, or good clouds, as files or folders (searched through and through). If left out, "
            "generated roads.",
        ),
    ] = None,
    out: Folder = None,
    reconstructor: Annotated[
        Literal["mean", "pca", "unet", "crn", "memory"],
        options.option(SURFACE, "--reconstructor", "What learns. unet and crn train in steps; memory needs timm."),
    ] = "pca",
    shape: Annotated[
        Literal["sheets", "objects"] | None,
        options.option(
            SURFACE, "--shape", "What clouds are of: roads and walls, or things seen from all around. Else found."
        ),
    ] = None,
    size: Annotated[
        int | None, options.option(SURFACE, "--size", "Pixels or cells along a tile or view.", min=16, max=1024)
    ] = None,
    cell: Annotated[
        float | None, options.option(SURFACE, "--cell", "Meters of a cell of sheets; by their density if left out.")
    ] = None,
    channels: Annotated[
        list[str] | None,
        options.option(
            SURFACE,
            "--channels",
            "Of sheets: height, intensity, normal, density, color; height, normal and, where all have it, intensity if "
            "left out.",
            metavar="NAME...",
        ),
    ] = None,
    values: Annotated[
        tuple[float, float] | None,
        options.option(
            SURFACE, "--values", "Of images of floats, or of another range than their type's.", metavar="LOW HIGH"
        ),
    ] = None,
    folds: Annotated[
        int | None,
        options.option(
            SURFACE, "--folds", "Rounds of holding out for the thresholds; 5, or 1 of unet and crn, if left out.", min=1
        ),
    ] = None,
    steps: Annotated[int | None, options.option(SURFACE, "--steps", "Of a training of unet and crn.", min=1)] = None,
    seed: options.Seed = 0,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Learn what good surfaces look like, with thresholds from good ones that were held out."""
    from openshape_ood.reconstruction import SurfaceModel
    from openshape_ood.reconstruction.inputs import list_sources

    if out is None:
        raise InputError("expected a folder for the model: --out FOLDER")
    sources = list_sources(good) if good else _roads(seed, [""] * GOOD)
    params: dict[str, Any] = {name: one for name, one in (("steps", steps), ("device", device)) if one is not None}
    model = SurfaceModel.fit(
        sources,
        reconstructor,
        shape=shape,
        size=size,
        cell=cell,
        channels=channels,
        values=values,
        folds=folds,
        seed=seed,
        progress=_on_terminal(),
        **params,
    )
    record = {**_told(model), "good": [one.name for one in sources], "written": model.save(out.expanduser())}
    if json:
        print_json(record)
        return
    _print_model(model)
    print_line(f"written: {shown(out)}; next: openshape-ood surface score {shown(out)} FILES --out found")


@app.command("score")
def score(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]", help="The folder that surface fit wrote. If left out, generated roads are learned."
        ),
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILES]...", help="Images or clouds, as files or folders. If left out, generated roads."
        ),
    ] = None,
    out: Folder = None,
    known: options.Names = None,
    examples: options.Examples = None,
    known_file: options.KnownFiles = None,
    method: options.MethodName = None,
    threshold: options.ThresholdGiven = None,
    encoder: options.OwnModel = None,
    checkpoint: options.CheckpointFile = None,
    text_checkpoint: options.TextCheckpoint = None,
    up: options.Up = "file",
    num_samples: options.NumSamples = 1,
    seed: options.Seed = 0,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Say which images or clouds are damaged, and where: tables, a map over each image, colored clouds and pictures.

    With known classes (--known, --examples, --known-file) a second question is answered beside the first, and apart
    from it: of which class is each cloud? Its encoder is tiny if left out.
    """
    from openshape_ood.cli.surface_files import Scored
    from openshape_ood.reconstruction import SurfaceModel
    from openshape_ood.reconstruction.inputs import list_sources

    if model is None:
        print_note(f"no DIR: learning {GOOD} generated roads, which are sound")
        found = SurfaceModel.fit(_roads(seed, [""] * GOOD), seed=seed, progress=_on_terminal())
    else:
        found = SurfaceModel.load(model)
    sources = list_sources(files) if files else _to_be_scored(found, seed)
    failures: list[Failure] = []
    judge = None
    if known or examples or known_file:
        asked = (known, examples, known_file, method, threshold, encoder, checkpoint, text_checkpoint, device)
        judge = _judge(found, asked, (up, seed, num_samples), failures)
    done = Scored.of(sources, out)
    with progress("scoring", len(sources)) as bar:
        for source in sources:
            try:
                done.add(source, found, judge)
            except CheckpointError:
                raise
            except OpenShapeError as error:
                failures.append(Failure(source.name, str(error)))
            bar.step()
    done.finish(_told(found), judge, failures)
    if json:
        print_json(done.record)
    else:
        done.print()
        _print_model(found)
        if done.written:
            print_line(f"written: {len(done.written)} files in {shown(out)}")
    print_failures(failures)
    if not done.rows:
        raise typer.Exit(2)
    if failures:
        raise typer.Exit(1)


def _judge(model: SurfaceModel, asked: tuple[Any, ...], reading: tuple[Any, ...], failures: list[Failure]) -> Judge:
    """What says of which class a cloud is."""
    from openshape_ood.cli import thresholds
    from openshape_ood.cli.batches import Reading
    from openshape_ood.cli.encoders import Encoders, check_ups
    from openshape_ood.cli.judging import Judge
    from openshape_ood.cli.known import gather
    from openshape_ood.scoring import find_method

    known, examples, known_file, method, threshold, encoder, checkpoint, text_checkpoint, device = asked
    up, seed, num_samples = reading
    if model.data.kind == "images":
        raise InputError("--known, --examples and --known-file ask of which class shapes are; the model is of images")
    check_ups(up)
    wanted = gather(known, examples, known_file)
    decided = thresholds.given(threshold, None, 0.95, wanted)
    chosen = None if method is None else find_method(method, wanted.kind)
    name = encoder or (None if wanted.saved else "tiny")
    encoders = Encoders(name, checkpoint, text_checkpoint, device, wanted.identities)
    judge = Judge.of(wanted, chosen, encoders, Reading(encoders.points, up, seed, num_samples), None, failures)
    return thresholds.decided(judge, decided, thresholds.Calibration((), "file", 0.95), failures)


def _told(model: SurfaceModel) -> dict[str, Any]:
    from openshape_ood.reconstruction.kinds import settings

    return {
        "data": settings(model.data),
        "reconstructor": model.reconstructor.method,
        "identity": model.reconstructor.identity.sha256,
        "threshold": model.threshold.as_json(),
        "place_threshold": model.pixel_threshold.as_json(),
    }


def _print_model(model: SurfaceModel) -> None:
    from openshape_ood.reconstruction.kinds import Sheets

    tiles = " × ".join(map(str, model.reconstructor.shape_))
    cells = f", cells of {model.data.rasterizer.cell:.3g} m" if isinstance(model.data, Sheets) else ""
    print_line(f"{model.reconstructor.method} on {model.data.kind}: tiles of {tiles}{cells}")
    print_line(f"{shown(model.threshold)}")
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

    from openshape_ood.reconstruction.inputs import Source
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


def _on_terminal() -> bool:
    import sys

    return sys.stderr.isatty()
