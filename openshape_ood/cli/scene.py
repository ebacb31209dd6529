"""openshape-ood scene: find the objects of a scan, and classify each as a known class or as new."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from cyclopts import Parameter

from openshape_ood.cli import options
from openshape_ood.cli.console import finish, print_line, print_note, print_table, shown, warnings_as_notes, write
from openshape_ood.cli.drift import DriftOptions
from openshape_ood.cli.known_options import KnownOptions
from openshape_ood.cli.options import KNOWN, NOT_HERE, RESULT, argument, option
from openshape_ood.cli.outputs import can_draw, check_empty, print_written
from openshape_ood.errors import InputError, ShapeFileError

if TYPE_CHECKING:
    from openshape_ood.novelty import NoveltyPipeline
    from openshape_ood.scenes import Scene, SceneResult
    from openshape_ood.shapes.batches import Reading

EXAMPLES = """
  openshape-ood scene room.ply --known chair table sofa --model small --out found
  openshape-ood scene --known chair table sofa bed --model small
  openshape-ood scene room.ply --known chair table --export crops
  openshape-ood scene room.glb --known-file known.safetensors --unit cm --json
"""
SCAN = "Scan"
SETTING = re.compile(r"\b(unit|up)='(-?\w+)'")  # arguments of load_scene in its messages
FOREIGN = ("bicycle", "guitar", "toilet")  # a generated room has the first one that is not a known class
COLUMNS = ("object", "name", "novelty", "p_value", "verdict", "stability", "points", "size", "center", "nearest")


@Parameter(name="*")
@dataclass(frozen=True)
class ScanOptions(KnownOptions):
    """Options of `KnownOptions` for a scan: --up applies to the scan, --known-up to all known shapes."""

    known_up: Annotated[
        str | None,
        option(
            KNOWN,
            "Up axis of the shapes in --examples and --calibrate. Default: the axis stated by each file, else the "
            "value of --up, else z.",
            "AXIS",
            completer=options.up_names,
        ),
    ] = None
    up: Annotated[str, option(SCAN, "Up axis of the scan. 'file': the axis it states, else z.", "AXIS")] = "file"
    readers: Annotated[int | None, NOT_HERE] = None
    auto: ClassVar[bool] = False
    of_scans: ClassVar[bool] = True

    def readings(self, points: int) -> tuple[Reading, Reading]:
        from openshape_ood.scenes.crop_axis import crop_axis

        up, silent = crop_axis(self.known_up, self.up)
        reading = replace(super().readings(points)[0], up=up, silent=silent)
        return reading, reading


def scene(
    file: Annotated[
        Path | None,
        argument("A scan: .ply .pcd .las .laz .npz, or a mesh. Default: a generated room.", "[FILE]"),
    ] = None,
    /,
    *,
    chosen: ScanOptions = ScanOptions(),
    drift: DriftOptions = DriftOptions(),
    proposals: Annotated[
        Literal["tree", "contact", "density"],
        option(SCAN, "Method of object proposals: merge tree, contact, or density."),
    ] = "tree",
    most: Annotated[int, option(SCAN, "Maximum number of objects.", min=1)] = 100,
    size_weight: Annotated[
        float, option(SCAN, "Weight of an object's size in meters relative to its shape.", min=0)
    ] = 0.0,
    unit: Annotated[
        Literal["file", "m", "cm", "mm", "in", "ft"], option(SCAN, "Unit of the file's coordinates.")
    ] = "file",
    export: Annotated[
        Path | None,
        option(
            RESULT,
            "Write the points of each object to a new folder, with one subfolder per name. The files are input for "
            "--calibrate. After you have checked the names, they are also input for --examples.",
            "FOLDER",
        ),
    ] = None,
    out: options.Folder = None,
    json: options.Json = False,
) -> None:
    """Find the objects of a scan, and classify each as a known class or as new."""
    from openshape_ood.cli.drift import print_drift, recalibrated
    from openshape_ood.cli.inputs import Inputs
    from openshape_ood.scenes import score_scene

    drift.check()
    labels = drift.read()
    if size_weight and (chosen.calibrate or chosen.threshold or chosen.coverage is not None):
        raise InputError(
            "--size-weight was given with --threshold, --calibrate or --coverage. Expected only one of them, "
            "because thresholds ignore sizes. Leave --size-weight out, or the other options."
        )
    if file is None and (unit, chosen.up) != ("file", "file"):
        raise InputError(
            "--unit or --up was given without FILE. Expected a file, because a generated room is in meters with z up. "
            "Give FILE, or leave these options out."
        )
    check_empty("--export", export)
    names, inputs = list(chosen.wanted.examples), Inputs()
    scan = loaded_scan(file, chosen.up, unit) if file is not None else generated_room(names, chosen.seed)
    pipeline = chosen.pipeline(inputs, decide=not size_weight)
    result = score_scene(
        scan,
        recalibrated(pipeline, labels, chosen, inputs.failures),
        size_weight=size_weight,
        proposals=proposals,
        most=most,
    )
    # the drift test checks the threshold before its recalibration with --labels
    tested = drift.tested(
        result.result if labels is None else replace(result.result, threshold=pipeline.threshold), labels
    )
    written = [] if out is None else _written(result, out.expanduser())
    crops = [] if export is None else result.export(export)
    record = {**result.as_json(), "drift": tested.drift.as_json(), "written": written, "exported": crops}

    def show() -> None:
        _print(result, written, bool(size_weight))
        print_drift(tested, drift.label)
        if export is not None:
            print_line(f"{len(crops)} objects in {shown(export)}")

    write(record, json, show)
    _warn_of_axes(file, chosen, pipeline)
    finish(inputs.failures)


app = options.single(scene, EXAMPLES)


def loaded_scan(file: Path, up: str, unit: str) -> Scene:
    """Load a scan, and print its warnings as notes."""
    from openshape_ood.scenes import load_scene

    with warnings_as_notes(_by_options):
        try:
            return load_scene(file, up=up, unit=unit)
        except ShapeFileError as error:
            raise type(error)(_by_options(error)) from error


def _warn_of_axes(file: Path | None, chosen: ScanOptions, pipeline: NoveltyPipeline) -> None:
    """Print notes about known shapes without a stated up axis, and about a scan whose threshold has another axis."""
    from openshape_ood.cli import thresholds
    from openshape_ood.cli.axes import silent_files, warn_of_known
    from openshape_ood.cli.inputs import File, find_files

    examples = [one for class_files in chosen.wanted.with_files.values() for one in class_files]
    if pipeline.up == "file":
        warn_of_known([*examples, *find_files(chosen.calibrate or ()).files], pipeline.silent or "z")
    if file is not None and chosen.up == "file" and not chosen.calibrate and silent_files([File(str(file), "")]):
        remedy = (
            "if the shapes are crops of scans, calibrate again with --up z; if {up} is up in the scan, give --up {up}"
        )
        thresholds.warn_of_axis(pipeline.threshold, "z", remedy)


def _by_options(warning: object) -> str:
    """Message with Python arguments, such as up='z', replaced by options of this command, such as --up z."""
    return SETTING.sub(r"--\1 \2", str(warning))


def generated_room(names: list[str], seed: int, **how: Any) -> Scene:
    """Generated room of known classes and one foreign object. **how: arguments of `synthetic.rooms.room`."""

    from openshape_ood.synthetic.rooms import room

    categories, foreign = foreign_to(names, "--known")
    made = room(seed, categories=categories, foreign=[foreign], **how)
    print_note(f"no FILE: a generated room of {', '.join(categories)}, and one {foreign}")
    return replace(made.scene, labels=None, instances=None, name=f"generated room {seed}")


def foreign_to(names: list[str], option: str) -> tuple[list[str], str]:
    """Generated categories among the names, and one category that is not among them.

    Raises `InputError` if no name is a generated category.
    """
    from openshape_ood.synthetic.calibration import resolve

    categories = list(dict.fromkeys(category for category in map(resolve, names) if category))
    if not categories:
        raise InputError(
            f"there is no FILE, and {option} has no generated category. Expected at least one for a generated room. "
            f"Give FILE, or {option} chair."
        )
    return categories, next(name for name in FOREIGN if name not in categories)


def _written(result: SceneResult, folder: Path) -> list[Path]:
    written = result.save(folder)
    if not can_draw():
        return written
    from openshape_ood import plots

    return written + [
        plots.save(result.plot(color), folder / f"{color}.png") for color in ("name", "novelty", "object")
    ]


def _print(result: SceneResult, written: list[Path], sized: bool) -> None:
    from openshape_ood.cli.thresholds import words

    rows = result.rows()
    if rows:
        print_table(rows, [name for name in COLUMNS if any(row[name] is not None for row in rows)])
    else:
        print_line("no object found: only floor, walls and ceiling, or the objects are too small")
    shares = ", ".join(f"{share:.0%} {what}" for what, share in result.shares().items())
    layout = ", ".join(plane.kind for plane in result.proposals.layout) or "none"
    print_line(f"{shown(result.scene.name)}: {len(result.scene)} points, {shares}; layout found: {layout}")
    if len(result) < (count := result.proposals.found):
        print_line(f"{len(result)} of {count} proposals are used; --most {count} uses all", "yellow")
    print_line("no verdict: there is no threshold with --size-weight" if sized else words(result.result.threshold))
    print_written(written)
