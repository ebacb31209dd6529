"""openshape-ood changes: find objects that moved, are gone or are new between two scans of one place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from openshape_ood.cli import options
from openshape_ood.cli.console import finish, print_line, print_note, print_table, shown, warnings_as_notes, write
from openshape_ood.cli.options import RESULT, argument, option
from openshape_ood.cli.outputs import can_draw, check_out, check_picture, print_written
from openshape_ood.cli.scene import SCAN, ScanOptions, loaded_scan
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    from openshape_ood.scene_changes import ChangeCalibration, SceneChanges
    from openshape_ood.scenes import Scene

EXAMPLES = """
  openshape-ood changes before.ply after.ply --known chair table sofa --model tiny --out found
  openshape-ood changes --known chair table sofa bed --model tiny
  openshape-ood changes before.ply after.ply --known chair --aligned --fdr 0.05 --json
  openshape-ood changes before.ply after.ply --known chair --rescans monday.ply tuesday.ply
"""
CHANGE = "Change"
COLUMNS = ("change", "kind", "name", "now", "p_value", "novelty", "verdict", "distance", "size", "from", "to", "reason")


def changes(
    before: Annotated[
        Path | None, argument("The earlier scan: .ply .pcd .las .laz .npz. Default: a generated room.", "[BEFORE]")
    ] = None,
    after: Annotated[Path | None, argument("A later scan of the same place.", "[AFTER]")] = None,
    /,
    *,
    chosen: ScanOptions = ScanOptions(),
    aligned: Annotated[
        bool,
        option(
            CHANGE,
            "The scans share a coordinate frame, up to errors of 0.5 m and 10°. Default: the rotation and shift "
            "between them are estimated.",
        ),
    ] = False,
    fdr: Annotated[
        float, option(CHANGE, "Expected fraction of false changes among the reported changes.", min=0.001, max=0.999)
    ] = 0.1,
    control: Annotated[
        Literal["maximum", "by"],
        option(
            CHANGE,
            "Correction for many objects. maximum: an object is compared with the strongest change of each pair of "
            "re-scans. by: Benjamini-Yekutieli.",
        ),
    ] = "maximum",
    rescans: Annotated[
        list[Path] | None,
        option(
            CHANGE,
            "Pairs of scans of an unchanged place: A1 B1 A2 B2. They calibrate the p-values. p = 0.05 needs 19 pairs. "
            "Default: re-scans of generated rooms.",
            "A B...",
        ),
    ] = None,
    calibration: Annotated[
        Path | None, option(CHANGE, "File of --save-calibration, in place of --rescans.", "FILE")
    ] = None,
    save_calibration: Annotated[
        Path | None, option(CHANGE, "Save the calibration from --rescans to a .json file.", "FILE")
    ] = None,
    voxel: Annotated[float, option(CHANGE, "Voxel size of free space in meters.", min=0.01, max=0.5)] = 0.05,
    unit: Annotated[
        Literal["file", "m", "cm", "mm", "in", "ft"], option(SCAN, "Unit of the files' coordinates.")
    ] = "file",
    page: Annotated[Path | None, option(RESULT, "Write an interactive .html page with both scans.", "FILE")] = None,
    out: options.Folder = None,
    json: options.Json = False,
) -> None:
    """Compare two scans of one place: which objects moved, are gone, are new, or are undecided."""
    from openshape_ood.cli.inputs import Inputs
    from openshape_ood.scene_changes import compare_scenes

    check_picture("--page", page, (".html",), "plotly")
    check_out("--save-calibration", save_calibration, (".json",))
    if (before is None) != (after is None):
        raise InputError(
            f"only one scan was given: {before}. Expected two, or no scan for a generated room. Give both."
        )
    if before is None and (unit, chosen.up) != ("file", "file"):
        raise InputError(
            "--unit or --up was given without files. Expected BEFORE and AFTER. Leave the options out for a generated "
            "room."
        )
    inputs = Inputs()
    names = list(chosen.wanted.examples)
    if before is None or after is None:
        scans = _generated(names, chosen.seed)
        aligned = True
    else:
        scans = loaded_scan(before, chosen.up, unit), loaded_scan(after, chosen.up, unit)
    null = _calibration(rescans, calibration, save_calibration, chosen.up, unit, aligned, voxel)
    pipeline = chosen.pipeline(inputs)
    with warnings_as_notes():
        result = compare_scenes(
            *scans, pipeline, aligned=aligned, fdr=fdr, control=control, calibration=null, voxel=voxel
        )
    written = [] if out is None else _written(result, out.expanduser())
    if page is not None:
        written.append(_page(result, page.expanduser()))
    write({**result.as_json(), "written": written}, json, lambda: _print(result, written))
    finish(inputs.failures)


app = options.single(changes, EXAMPLES)


def _generated(names: list[str], seed: int) -> tuple[Scene, Scene]:
    """Two scans of a generated room: one known object is moved, one is removed, and one foreign object is added."""
    from openshape_ood.cli.scene import foreign_to
    from openshape_ood.synthetic.rooms.rescans import room_pair

    categories, foreign = foreign_to(names, "--known")
    for room_seed in range(seed, seed + 20):
        try:
            pair = room_pair(room_seed, added=1, removed=1, moved=1, categories=categories, new=[foreign])
        except InputError:  # this room has no space for the changes
            continue
        print_note(f"no files: a generated room; one object is moved, one is gone, and one {foreign} is new")
        scans = (replace(one, labels=None, instances=None) for one in (pair.before, pair.after))
        return next(scans), next(scans)
    raise InputError(
        f"no generated room from --seed {seed} has space for the changes. Expected one of 20 rooms. Give another seed."
    )


def _calibration(
    rescans: list[Path] | None,
    file: Path | None,
    target: Path | None,
    up: str,
    unit: str,
    aligned: bool,
    voxel: float,
) -> ChangeCalibration | None:
    from openshape_ood.scene_changes import ChangeCalibration, calibrate_changes
    from openshape_ood.scene_changes.calibration import LEAST

    if file is not None and rescans:
        raise InputError("--rescans and --calibration were both given. Expected one of them. Leave one out.")
    if target is not None and not rescans:
        raise InputError("--save-calibration was given without --rescans. Expected pairs of scans. Give --rescans A B.")
    if file is not None:
        return ChangeCalibration.load(file.expanduser())
    if not rescans:
        return None
    if len(rescans) % 2:
        raise InputError(
            f"--rescans has {len(rescans)} scans. Expected pairs, so an even number. Add or leave out one."
        )
    scans = [loaded_scan(one, up, unit) for one in rescans]
    made = calibrate_changes(list(zip(scans[::2], scans[1::2], strict=True)), aligned=aligned, voxel=voxel)
    if made.n < LEAST:
        least = 1 / (made.n + 1)
        print_note(
            f"{made.n} pair{'s' * (made.n > 1)} of re-scans: no p-value is below {least:.2g}; {LEAST} pairs would give "
            "0.05",
            "yellow",
        )
    if target is not None:
        made.save(target.expanduser())
    return made


def _written(result: SceneChanges, folder: Path) -> list[Path]:
    written = result.save(folder)
    if not can_draw():
        return written
    from openshape_ood import plots

    return [*written, plots.save(result.plot(), folder / "changes.png"), _page(result, folder / "changes.html")]


def _page(result: SceneChanges, path: Path) -> Path:
    from openshape_ood import plots

    saved: Path = plots.save(plots.turnable(result), path)
    return saved


def _print(result: SceneChanges, written: list[Any]) -> None:
    from openshape_ood.cli.thresholds import words
    from openshape_ood.scene_changes.result import BOTH

    rows = result.rows()
    if rows:
        print_table(rows, [name for name in COLUMNS if any(row[name] is not None for row in rows)], fold="reason")
    else:
        print_line("no object was found in either scan, only floor, walls and ceiling")
    print_line(", ".join(f"{count} {kind}" for kind, count in result.counts().items()) or "no objects")
    print_line(f"{shown(str(result.registration))}")
    null = result.calibration
    print_line(
        f"free space from {BOTH[result.spaces[0].by]}; p-values from {null.n} {shown(null.source)}; expected fraction "
        f"of false changes: {result.fdr:g}"
    )
    print_line(words(result.after.result.threshold))
    print_written(written)
