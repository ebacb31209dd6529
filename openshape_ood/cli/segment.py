"""openshape-ood segment: nearest known name and novelty of every point of a scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from openshape_ood.cli import options
from openshape_ood.cli.console import print_line, print_table, shown, write
from openshape_ood.cli.marks import MarksOptions
from openshape_ood.cli.options import DECISION, ENCODER, RESULT, argument, option
from openshape_ood.cli.outputs import can_draw, check_out, print_written
from openshape_ood.cli.scene import SCAN, generated_room, loaded_scan
from openshape_ood.cli.thresholds import Decision
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    from openshape_ood.novelty_map import NoveltyMap

EXAMPLES = """
  openshape-ood segment room.ply --known floor wall chair table --out found
  openshape-ood segment --known floor wall chair table bed
  openshape-ood segment room.ply --known chair table --model openscene-scannet-openseg --threshold 0.8
"""
SETTING = "Points"
COLUMNS = ("class", "points", "share", "similarity", "novelty", "novel")


def segment(
    file: Annotated[
        Path | None,
        argument("A scan: .ply .pcd .las .laz .npz, or a mesh. Default: a generated room.", "[FILE]"),
    ] = None,
    /,
    *,
    known: options.Names = None,
    model: Annotated[
        str, option(ENCODER, "Point encoder, from the second table of 'checkpoints list'.", "NAME", "--model", "-m")
    ] = "tiny-points",
    checkpoint: options.CheckpointFile = None,
    device: options.Device = None,
    method: Annotated[
        str | None,
        option(DECISION, "Scoring method. Default: max_cosine.", "NAME", completer=options.method_names),
    ] = None,
    threshold: Annotated[
        str | None,
        option(
            DECISION,
            "Threshold: a number, or a file written by --save-threshold. Points with a higher novelty are novel.",
            "X|FILE",
        ),
    ] = None,
    calibrate: Annotated[
        list[Path] | None,
        option(
            DECISION, "Calibration set for --false-points or --false-regions: scans of known classes only.", "FILES..."
        ),
    ] = None,
    marks: MarksOptions = MarksOptions(),
    save_threshold: Annotated[
        Path | None, option(DECISION, "Save the threshold to a .json file, for later runs.", "FILE")
    ] = None,
    smooth: Annotated[int, option(SETTING, "Rounds of smoothing over adjacent voxels.", min=0)] = 0,
    ids: Annotated[
        list[int] | None,
        option(RESULT, "Numbers in labels.txt for the classes of --known, in order. Default: 1, 2, …", "NUMBER..."),
    ] = None,
    unit: Annotated[
        Literal["file", "m", "cm", "mm", "in", "ft"], option(SCAN, "Unit of the file's coordinates.")
    ] = "file",
    up: Annotated[str, option(SCAN, "Up axis of the scan. 'file': the axis it states, else z.", "AXIS")] = "file",
    seed: options.Seed = 0,
    out: options.Folder = None,
    json: options.Json = False,
) -> None:
    """Find the nearest known name and the novelty of every point of a scan.

    --out writes classes.ply and novelty.ply, which have a color, a class and a novelty for each point. It also writes
    labels.txt in the format of ScanNet's benchmark: one line per point with its class number, 0 for novel points.
    """
    from openshape_ood import PointEncoder, segment_scene
    from openshape_ood.cli.maps import LISTED, p_words, region_place

    names = options.split_names(known)
    if not names:
        raise InputError(
            "--known is empty. Expected at least one name. Give names, as in --known floor wall chair table."
        )
    if ids is not None and (len(ids) != len(names) or min(ids) < 0):
        raise InputError(
            f"--ids has {len(ids)} numbers for {len(names)} classes. Expected one number of 0 or more for each class. "
            "Correct the list."
        )
    marks.check(calibrate, "--calibrate FILES")
    if calibrate and (threshold is not None or not marks.requested):
        raise InputError(
            "--calibrate was given without a guarantee, or with --threshold. Expected --false-points or "
            "--false-regions, and no --threshold. Change the options."
        )
    check_out("--save-threshold", save_threshold, (".json",))
    if save_threshold is not None and not (calibrate or threshold):
        raise InputError(
            "--save-threshold was given, but there is no threshold. Expected a calibration set. Give --calibrate FILES."
        )
    if file is None and (unit, up) != ("file", "file"):
        raise InputError(
            "--unit or --up was given without FILE. Expected a file, because a generated room is in meters with z up. "
            "Give FILE, or leave these options out."
        )
    scan = generated_room(names, seed, color="material") if file is None else loaded_scan(file, up, unit)
    encoder = PointEncoder.from_pretrained(model, checkpoint=checkpoint, device=device)
    given = Decision(threshold=threshold).given
    how: dict[str, Any] = {"encoder": encoder, "method": method, "smooth": smooth}
    if calibrate:
        maps = (segment_scene(loaded_scan(one, up, unit), names, **how) for one in calibrate)
        given = marks.threshold(maps, f"{len(calibrate)} known scans")
    novelty_map = segment_scene(scan, names, threshold=given, **how)
    if save_threshold is not None and novelty_map.threshold is not None:
        novelty_map.threshold.save(save_threshold)
    rows = table(novelty_map)
    numbers = dict(zip(names, ids or range(1, len(names) + 1), strict=True))
    written = [] if out is None else save(novelty_map, numbers, out.expanduser())
    record = {
        "scan": scan.name,
        "points": len(novelty_map),
        "provenance": novelty_map.provenance.as_json(),
        "classes": rows,
    }
    regions = novel_regions(novelty_map)
    record |= {"threshold": novelty_map.threshold and novelty_map.threshold.as_json(), "regions": regions}
    record |= {"ids": numbers, "written": written}

    def show() -> None:
        print_table(rows, [name for name in COLUMNS if any(row[name] is not None for row in rows)])
        print_line(f"{shown(scan.name)}: {len(novelty_map)} points, by {shown(model)}")
        sentence = (
            "no verdict without a threshold: give --threshold X"
            if novelty_map.threshold is None
            else str(novelty_map.threshold)
        )
        print_line(shown(sentence))
        for region in regions[:LISTED]:
            near = f"nearest to {shown(region['nearest'])}{p_words(region)}"
            print_line(f"  {region['points']} points, {region_place(region)}, {near}")
        print_written(written)

    write(record, json, show)


app = options.single(segment, EXAMPLES)


def novel_regions(novelty_map: NoveltyMap) -> list[dict[str, Any]]:
    """Regions above a threshold with a guarantee, largest first; empty for other thresholds."""
    from openshape_ood.cli.maps import region_json

    if novelty_map.threshold is None or novelty_map.threshold.marks is None:
        return []
    return [region_json(region) for region in novelty_map.regions()]


def table(novelty_map: NoveltyMap) -> list[dict[str, Any]]:
    """Table with one row per class, largest first.

    Columns: number and fraction of the points of the class, their mean similarity and novelty, and the fraction of
    novel points among them (None without a threshold).
    """
    rows = []
    for name in novelty_map.classes.tolist():
        in_class = novelty_map.nearest == name
        if not (count := int(in_class.sum())):
            rows.append(dict.fromkeys(COLUMNS) | {"class": name, "points": 0, "share": 0.0})
            continue
        similarity = None if novelty_map.similarity is None else float(novelty_map.similarity[in_class].mean())
        novel = None if novelty_map.threshold is None else float(novelty_map.is_novel[in_class].mean())
        figures = (
            name,
            count,
            count / len(novelty_map),
            similarity,
            float(novelty_map.novelty[in_class].mean()),
            novel,
        )
        rows.append(dict(zip(COLUMNS, figures, strict=True)))
    return sorted(rows, key=lambda row: -row["points"])


def save(novelty_map: NoveltyMap, numbers: dict[str, int], folder: Path) -> list[Path]:
    """Write both clouds, the labels, and pictures of both clouds if they can be drawn."""
    import numpy as np

    from openshape_ood.storage import make_folder, save_whole

    make_folder(folder)
    labels = np.array([numbers[name] for name in np.asarray(novelty_map.nearest).tolist()])
    if novelty_map.threshold is not None:
        labels = np.where(novelty_map.is_novel, 0, labels)
    content = "".join(f"{label}\n" for label in labels.tolist()).encode()
    written = [save_whole(folder / "labels.txt", content, "the labels")]
    for color, name in (("class", "classes"), ("novelty", "novelty")):
        written.append(novelty_map.save(folder / f"{name}.ply", color))
        if can_draw():
            from openshape_ood import plots

            written.append(plots.save(novelty_map.plot(color=color), folder / f"{name}.png"))
    return written
