"""openshape-ood scene: every object of a scan, named or new."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from openshape_ood.cli import options
from openshape_ood.cli.console import (
    Failure,
    print_failures,
    print_json,
    print_line,
    print_note,
    print_table,
    shown,
    told_warnings,
)
from openshape_ood.errors import InputError, ShapeFileError

if TYPE_CHECKING:
    from openshape_ood.scenes import Scene, SceneResult

EXAMPLES = """
  openshape-ood scene room.ply --known chair table sofa --out found
  openshape-ood scene --known chair table sofa bed
  openshape-ood scene room.glb --known-file known.safetensors --unit cm --json
"""
SCAN = "Scan"
SETTING = re.compile(r"\b(unit|up)='(-?\w+)'")  # of load_scene, in what it says
FOREIGN = ("bicycle", "guitar", "toilet")  # the first that is not known stands in a generated room
COLUMNS = ("object", "name", "novelty", "p_value", "verdict", "points", "size", "center", "nearest")


@options.with_examples(EXAMPLES)
def scene(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="A scan: .ply .pcd .las .laz .npz, or a mesh. If left out, a generated room."
        ),
    ] = None,
    known: options.Names = None,
    examples: options.Examples = None,
    known_file: options.KnownFiles = None,
    known_up: options.KnownUp = None,
    method: options.MethodName = None,
    threshold: options.ThresholdGiven = None,
    calibrate: options.Calibrate = None,
    calibrate_by: options.CalibrateBy = "file",
    coverage: options.Coverage = 0.95,
    proposals: Annotated[
        Literal["tree", "contact", "density"],
        options.option(SCAN, "--proposals", "How objects are found: by the merge tree, by contact, or by density."),
    ] = "tree",
    most: Annotated[int, options.option(SCAN, "--most", "Objects at most.", min=1)] = 100,
    size_weight: Annotated[
        float, options.option(SCAN, "--size-weight", "What an object's size in meters says beside its shape.", min=0)
    ] = 0.0,
    unit: Annotated[
        Literal["file", "m", "cm", "mm", "in", "ft"], options.option(SCAN, "--unit", "Of the file's coordinates.")
    ] = "file",
    up: Annotated[
        str,
        options.option(
            SCAN, "--up", "Which axis points up in the scan; 'file' takes what it says, else z.", metavar="AXIS"
        ),
    ] = "file",
    out: Annotated[
        Path | None,
        options.option(
            options.RESULT,
            "--out -o",
            "Write scene.json, objects.ply, novelty.ply and pictures here.",
            metavar="FOLDER",
        ),
    ] = None,
    model: options.OwnModel = None,
    checkpoint: options.CheckpointFile = None,
    text_checkpoint: options.TextCheckpoint = None,
    seed: options.Seed = 0,
    num_samples: options.NumSamples = 1,
    device: options.Device = None,
    batch_size: options.BatchSize = 32,
    json: options.Json = False,
) -> None:
    """Find the objects of a scan and say of each what it is, or that it is new. The encoder is tiny if left out."""
    from openshape_ood.cli import thresholds
    from openshape_ood.cli.batches import Reading
    from openshape_ood.cli.encoders import Encoders, check_ups
    from openshape_ood.cli.judging import Judge
    from openshape_ood.cli.known import gather
    from openshape_ood.scenes import score_scene
    from openshape_ood.scoring import find_method

    check_ups(up, known_up)
    wanted = gather(known, examples, known_file, known_up)
    decided = thresholds.given(threshold, calibrate, coverage, wanted)
    chosen = None if method is None else find_method(method, wanted.kind)
    scan = _loaded(file, up, unit) if file is not None else _generated(list(wanted.examples), seed)
    failures: list[Failure] = []
    name = model or (None if wanted.saved else "tiny")
    encoders = Encoders(name, checkpoint, text_checkpoint, device, wanted.identities)
    reading = Reading(encoders.points, "file", seed, num_samples, batch_size, None)
    judge = Judge.of(wanted, chosen, encoders, reading, known_up, failures)
    if not size_weight:
        calibration = thresholds.Calibration(calibrate or (), calibrate_by, coverage)
        judge = thresholds.decided(judge, decided, calibration, failures)
    elif calibrate or threshold:
        raise InputError(
            "a threshold is of shapes without sizes; leave out --size-weight, or --threshold and --calibrate"
        )
    how: dict[str, Any] = {"method": judge.method, "threshold": judge.threshold, "proposals": proposals, "most": most}
    how |= {"size_weight": size_weight, "seed": seed, "num_samples": num_samples, "batch_size": batch_size}
    result = score_scene(scan, judge.classes, encoders.shape, **how)
    written = [] if out is None else _written(result, out)
    if json:
        print_json({**result.as_json(), "written": written})
    else:
        _print(result, written)
    print_failures(failures)
    if failures:
        raise typer.Exit(1)


def _loaded(file: Path, up: str, unit: str) -> Scene:
    """The scan, with a line for each thing that looks wrong with it."""
    from openshape_ood.scenes import load_scene

    with told_warnings(_by_options):
        try:
            return load_scene(file, up=up, unit=unit)
        except ShapeFileError as error:
            raise type(error)(_by_options(error)) from error


def _by_options(said: object) -> str:
    """What a message names as a setting in Python, as the option of this command."""
    return SETTING.sub(r"--\1 \2", str(said))


def _generated(names: list[str], seed: int) -> Scene:
    """A room of what is known and one thing that is not."""
    from dataclasses import replace

    from openshape_ood.synthetic.rooms import room

    categories, foreign = foreign_to(names, "--known")
    made = room(seed, categories=categories, foreign=[foreign])
    print_note(f"no FILE: a generated room of {', '.join(categories)}, and one {foreign}")
    return replace(made.scene, labels=None, instances=None, name=f"generated room {seed}")


def foreign_to(names: list[str], option: str) -> tuple[list[str], str]:
    """The generated categories among names, and one that is not. Raises `InputError`."""
    from openshape_ood.synthetic.calibration import resolve

    categories = list(dict.fromkeys(category for category in map(resolve, names) if category))
    if not categories:
        raise InputError(
            f"without a FILE a room is generated, of names that are generated categories; give some by {option}"
        )
    return categories, next(name for name in FOREIGN if name not in categories)


def _written(result: SceneResult, out: Path) -> list[Path]:
    written = result.save(out.expanduser())
    if find_spec("matplotlib") is None:
        print_note("no pictures: these need pip install 'openshape-ood[plots]'", "yellow")
        return written
    from openshape_ood import plots

    folder = out.expanduser()
    return written + [
        plots.save(result.plot(color), folder / f"{color}.png") for color in ("name", "novelty", "object")
    ]


def _print(result: SceneResult, written: list[Path]) -> None:
    from openshape_ood.cli.thresholds import print_hint, words

    rows = result.rows()
    if rows:
        print_table(rows, [name for name in COLUMNS if any(row[name] is not None for row in rows)])
    else:
        print_line("no object was found: nothing is left beside floor, walls and ceiling, or it is too small")
    shares = ", ".join(f"{share:.0%} {what}" for what, share in result.shares().items())
    layout = ", ".join(plane.kind for plane in result.proposals.layout) or "none"
    print_line(f"{shown(result.scene.name)}: {len(result.scene)} points, {shares}; layout found: {layout}")
    print_line(words(result.result.threshold))
    print_hint(result.result.threshold)
    if written:
        print_line(f"written: {', '.join(shown(path) for path in written)}")
