"""openshape-ood surface: learn from undamaged surfaces, then find and map damage on other surfaces."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

from openshape_ood.cli import options
from openshape_ood.cli.console import (
    Failure,
    failed_json,
    finish,
    print_line,
    print_note,
    print_table,
    progress,
    shown,
    write,
)
from openshape_ood.cli.known_options import OneAxisOptions
from openshape_ood.cli.marks import MarksOptions
from openshape_ood.cli.options import argument, option
from openshape_ood.cli.outputs import can_draw, check_picture, save_table
from openshape_ood.cli.thresholds import Decision
from openshape_ood.cli.training_options import TrainingOptions
from openshape_ood.errors import CheckpointError, InputError, OpenShapeError

if TYPE_CHECKING:
    from openshape_ood.decisions.threshold import Threshold
    from openshape_ood.novelty import NoveltyPipeline
    from openshape_ood.surfaces import Defect, SurfaceModel
    from openshape_ood.surfaces.inputs import Source

SURFACE = "Surface"
PICTURES = ("images", "pairs")  # kinds of data with maps of pixels; the other kinds have maps of points
TABLE = ("file", "novelty", "p_value", "verdict", "defects", "beyond", "unseen")
CLASS = {"class": "nearest", "class_novelty": "novelty", "class_p_value": "p_value", "class_verdict": "verdict"}
PROMISING = 19  # minimum number of held-out surfaces for a threshold with coverage 95 %
SURE = 0.9  # probability of the interval in `spread`
GOOD = 20  # number of generated good roads; a threshold with coverage 95 % needs 19

EXAMPLES = """
  openshape-ood surface fit good/ --out model
  openshape-ood surface score model scans/ --out found
  openshape-ood surface score --out found
  openshape-ood surface score model scans/ --known chair table --model tiny --out found

The third line needs no file: it learns and scores generated roads.
"""

app = options.group(
    "surface",
    """Learn from good (undamaged) surfaces, then find damaged ones. Surfaces are images, pairs of height and intensity
    images, or point clouds.""",
    EXAMPLES,
)


@options.command(app, "fit")
def fit(
    good: Annotated[
        list[str] | None,
        argument(
            "Images or clouds of good surfaces: files or folders (searched recursively). Images in the subfolders "
            "height_files and intensity_files of one folder are paired. Default: generated roads.",
            "[GOOD]...",
        ),
    ] = None,
    /,
    *,
    out: options.Folder = None,
    reconstructor: Annotated[
        Literal["height", "nearest", "mean", "pca", "patches", "unet", "crn", "memory"] | None,
        option(
            SURFACE,
            "Method that learns good surfaces. Default: patches for images and pairs, height for sheets, nearest for "
            "objects. unet and crn are networks trained in steps; memory needs the package timm.",
        ),
    ] = None,
    shape: Annotated[
        Literal["sheets", "objects"] | None,
        option(
            SURFACE, "Kind of clouds: sheets such as roads, or objects seen from all sides. Default: from the clouds."
        ),
    ] = None,
    size: Annotated[
        int | None, option(SURFACE, "Side of a tile or view, in pixels or cells.", min=16, max=1024)
    ] = None,
    cell: Annotated[
        float | None, option(SURFACE, "Cell size of sheets in meters. Default: from the point density.")
    ] = None,
    channels: Annotated[
        list[str] | None,
        option(
            SURFACE,
            "Channels of sheets: height, intensity, normal, density, color. Default: height and normal, and "
            "intensity if all clouds have it.",
            "NAME...",
        ),
    ] = None,
    values: Annotated[
        tuple[float, float] | None,
        option(
            SURFACE,
            "Lowest and highest value of the images. Needed for floats, and for integers that use part of their range.",
            "LOW HIGH",
        ),
    ] = None,
    folds: Annotated[
        int | None,
        option(SURFACE, "Rounds of cross-validation for the thresholds. Default: 1 for unet and crn, else 5.", min=1),
    ] = None,
    coverage: Annotated[
        float | None, option(SURFACE, "Fraction of good surfaces to classify as good. Default: 0.95.", "SHARE")
    ] = None,
    marks: MarksOptions = MarksOptions(),
    training: TrainingOptions = TrainingOptions(),
    seed: options.Seed = 0,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Learn from good surfaces, and calibrate thresholds on held-out good surfaces.

    The training of unet and crn is resumable: its state is saved in FOLDER, and the same command continues it.
    """
    from openshape_ood.surfaces import SurfaceModel
    from openshape_ood.surfaces.fit import state_files
    from openshape_ood.surfaces.inputs import good_sources, pairs_by

    if out is None:
        raise InputError("--out is missing. Expected a folder for the model. Give --out FOLDER.")
    if out.expanduser().is_file():
        raise InputError(f"--out is the file {out}. Expected a folder. Give another path.")
    sources = good_sources(good) if good else _roads(seed, [""] * GOOD)
    how: dict[str, Any] = {"shape": shape, "size": size, "cell": cell, "channels": channels, "values": values}
    marks.check(True)
    how |= marks.how if marks.requested else {}
    how |= training.of(reconstructor) | ({} if device is None else {"device": device})
    how |= {"folds": folds, "seed": seed, "progress": sys.stderr.isatty()}
    out = out.expanduser()
    if kept := state_files(out):
        print_note(f"resuming the training in {shown(kept[-1])}")
    model = SurfaceModel.fit(sources, reconstructor, states=out, **how)
    model = replace(model, threshold=model.threshold.at(coverage))
    pairs = pairs_by(sources)
    record = {**_record(model), **({"pairs": pairs} if pairs else {})}
    record |= {"good": [one.name for one in sources], "written": model.save(out)}
    for path in state_files(out):
        path.unlink(missing_ok=True)

    _warn_of_few(model)

    def show() -> None:
        _print_pairs(pairs)
        _print_model(model)
        print_line(f"written: {shown(out)}; next: openshape-ood surface score {shown(out)} FILES --out found")

    write(record, json, show)


@options.command(app, "score")
def score(
    folder: Annotated[
        Path | None,
        argument("Folder of a model, written by `surface fit`. Default: a model of generated roads.", "[DIR]"),
    ] = None,
    files: Annotated[
        list[str] | None,
        argument("Images or clouds to score: files or folders. Default: generated roads.", "[FILES]..."),
    ] = None,
    /,
    *,
    chosen: OneAxisOptions = OneAxisOptions(),
    out: options.Folder = None,
    report: Annotated[
        Path | None,
        option(SURFACE, "Write a page with the picture and the defects of each surface, worst first.", "FILE.html"),
    ] = None,
    json: options.Json = False,
) -> None:
    """Find damaged images or clouds, and locate the damage. Writes tables, maps of images, colored clouds and pictures.

    With known classes (--known, --examples or --known-file), each cloud also gets its nearest class, and a verdict:
    known or novel class. This verdict is independent of the verdict about damage.
    """
    from openshape_ood.cli.inputs import Inputs
    from openshape_ood.surfaces import SurfaceModel
    from openshape_ood.surfaces.inputs import list_sources, pairs_by

    check_picture("--report", report, (".html",), out=out)
    by_class = bool(chosen.known or chosen.examples or chosen.known_file)
    if not by_class:
        _check_no_decision(chosen)
    if folder is None:
        print_note(f"no FOLDER: learning from {GOOD} generated good roads")
        model = SurfaceModel.fit(_roads(chosen.seed, [""] * GOOD), seed=chosen.seed, progress=sys.stderr.isatty())
    else:
        model = SurfaceModel.load(folder, device=chosen.device)
    model = replace(model, threshold=model.threshold.at(chosen.coverage))
    sources = list_sources(files) if files else _roads_to_score(model, chosen.seed)
    inputs, pipeline = Inputs(), None
    if by_class:
        if model.data.kind in PICTURES:
            raise InputError(
                f"known classes were given for a model of {model.data.kind}. Expected a model of clouds, because known "
                "classes are classes of shapes. Leave out --known, --examples and --known-file."
            )
        pipeline = chosen.pipeline(inputs)
    failures, maps = inputs.failures, Maps.of(sources, out, {} if report else None)
    rows: list[dict[str, Any]] = []
    with progress("scoring", len(sources)) as bar:
        for source in sources:
            try:
                rows.append(_scored(source, model, pipeline, maps))
            except CheckpointError:
                raise
            except OpenShapeError as error:
                failures.append(Failure(source.name, str(error)))
            bar.step()
    rows.sort(key=lambda row: -row["novelty"])
    pairs = pairs_by(sources)
    record = _scores(model, pipeline, rows, failures, maps, {"pairs": pairs} if pairs else {})
    if maps.pictures and report:
        from openshape_ood.cli.surface_report import write_report

        record["written"].append(write_report(report.expanduser(), record, maps.pictures, spread(model.threshold)))
    write(record, json, lambda: _print(record, model, out))
    finish(failures, bool(rows))


def _check_no_decision(chosen: OneAxisOptions) -> None:
    """Raise `InputError` for an option that needs known classes, because none are given."""
    named = (*(one.name for one in fields(Decision) if one.name != "coverage"), "method", "known_up")
    given = next((name for name in named if getattr(chosen, name) != getattr(type(chosen), name)), None)
    if given:
        raise InputError(
            f"--{given.replace('_', '-')} was given without known classes. Expected --known, --examples or "
            "--known-file too. Give one of them, or leave the option out: the verdict about damage does not use it."
        )


@dataclass
class Maps:
    """Paths of written maps.

    ids: source name -> path of its maps inside `folder`, without suffix. pictures: source name -> picture for a report.
    """

    ids: dict[str, str]
    folder: Path | None
    pictures: dict[str, str] | None = None
    written: list[Path] = field(default_factory=list)

    @classmethod
    def of(cls, sources: Sequence[Source], folder: Path | None, pictures: dict[str, str] | None) -> Maps:
        return cls(_ids([one.name for one in sources]), None if folder is None else folder.expanduser(), pictures)

    def stem(self, source: Source) -> str | None:
        """Path of a source's maps, without suffix; its folder is created. None if no maps are written."""
        from openshape_ood.storage import make_folder

        if self.folder is None:
            return None
        id = Path(self.ids[source.name])
        return str(make_folder((self.folder / "maps" / id).parent) / id.name)


def _scored(source: Source, model: SurfaceModel, pipeline: NoveltyPipeline | None, maps: Maps) -> dict[str, Any]:
    """Score one source, write its maps, and return its row of the table."""
    stem, of_images = maps.stem(source), model.data.kind in PICTURES
    with TemporaryDirectory(prefix="openshape_ood-") as temporary:
        cloud, picture = (Path(f"{stem or Path(temporary) / 'scored'}{suffix}") for suffix in (".ply", ".png"))
        if source.is_large and model.data.kind == "sheets":
            result = model.score_file(source.value, cloud)
        else:
            result = model.score(source)
            if stem is not None:
                result.map.save(picture if of_images else cloud)
    if maps.pictures is not None:
        from openshape_ood.cli.report import picture_of

        maps.pictures[source.name] = picture_of(result.map)
    written = [] if stem is None else [picture if of_images else cloud]
    if written and not of_images and can_draw():
        from openshape_ood import plots

        written.append(plots.save(result.map.plot(), picture))
    row = {"file": source.name, **result.as_json(), "tells": result.map.tells}
    del row["name"]
    if pipeline is not None:
        from openshape_ood.surfaces.examination import class_of

        (by_class,) = class_of(source, replace(pipeline, errors="raise")).as_json()["shapes"]
        row |= {name: by_class[of] for name, of in CLASS.items()}
    maps.written += written
    return {**row, "maps": written}


def _scores(
    model: SurfaceModel,
    pipeline: NoveltyPipeline | None,
    rows: list[dict[str, Any]],
    failures: Sequence[Failure],
    maps: Maps,
    scored: dict[str, Any],
) -> dict[str, Any]:
    """Record of all files. With an output folder, also write scores.json, and scores.csv with failures last."""
    from openshape_ood.cli.results import as_json
    from openshape_ood.storage import make_folder

    classes = pipeline and as_json(pipeline, pipeline.provenance)
    if classes:
        classes["names"] = classes.pop("classes")
    record: dict[str, Any] = {"model": _record(model), **scored, "classes": classes, "files": rows}
    record |= {"failed": failed_json(failures), "written": maps.written}
    if maps.folder is None or not (rows or failures):
        return record
    columns = [*TABLE, *(CLASS if classes else ()), "error"]
    table_rows = [{**row, "defects": "; ".join(map(str, _defects(row)))} for row in rows]
    lines = [*table_rows, *({"file": one.source, "error": one.error} for one in failures)]
    folder = make_folder(maps.folder)
    tables = [save_table(folder / name, record, columns, lines) for name in ("scores.csv", "scores.json")]
    return {**record, "written": [*maps.written, *tables]}


def _print(record: dict[str, Any], model: SurfaceModel, out: Path | None) -> None:
    rows = record["files"]
    _print_pairs(record.get("pairs", {}))
    if rows:
        print_table(
            [{**row, "defects": len(row["defects"])} for row in rows],
            [*TABLE, *(name for name in CLASS if any(row.get(name) is not None for row in rows))],
            "file",
        )
        damaged = sum(row["verdict"] == "damaged" for row in rows)
        print_line(f"{damaged} damaged, {len(rows) - damaged} good")
        if record["classes"] is not None:
            print_line("verdict: damaged or good; class_verdict: known or novel class. The two are independent.")
        if not all(row["tells"] for row in rows):
            print_note(
                "note: in some files, nearly all points are above the threshold: another object, or another pose?",
                "yellow",
            )
    _print_model(model)
    _warn_of_few(model)
    if record["written"]:
        folder = "" if out is None else f", in {shown(out)}"
        print_line(f"written: {len(record['written'])} files{folder}")


def _defects(row: dict[str, Any]) -> list[Defect]:
    from openshape_ood.surfaces import Defect

    return [Defect(**one) for one in row["defects"]]


def spread(threshold: Threshold) -> str:
    """Sentence with the central 90 % interval of the fraction of good surfaces below the threshold.

    The fraction has a Beta distribution over calibration sets: Vovk, "Conditional validity of inductive conformal
    predictors", 2012, arXiv 1209.2673. Empty if there is no calibration set.
    """
    if not threshold.n or threshold.coverage is None:
        return ""
    from scipy.special import betaincinv

    rank = round(threshold.coverage * (threshold.n + 1))
    low, high = betaincinv(rank, threshold.n + 1 - rank, [(1 - SURE) / 2, (1 + SURE) / 2])
    return (
        f"with {threshold.n} other calibration surfaces, {100 * SURE:.0f} % of the thresholds would keep between "
        f"{100 * low:.1f} % and {100 * high:.1f} % of good surfaces"
    )


def _record(model: SurfaceModel) -> dict[str, Any]:
    from openshape_ood.surfaces.data import settings

    return {
        "data": settings(model.data),
        "reconstructor": model.reconstructor.method,
        "identity": model.reconstructor.identity.sha256,
        "threshold": model.threshold.as_json(),
        "place_threshold": model.pixel_threshold.as_json(),
    }


def _print_pairs(pairs: dict[str, int]) -> None:
    from openshape_ood.surfaces.pairs import PAIRED_BY

    for by, count in pairs.items():
        print_line(f"{count} pairs of height and intensity, paired by {PAIRED_BY[by]}")


def _print_model(model: SurfaceModel) -> None:
    from openshape_ood.surfaces.data import Sheets

    tiles = " × ".join(map(str, model.reconstructor.shape_))
    cells = f", cells of {model.data.rasterizer.cell:.3g} m" if isinstance(model.data, Sheets) else ""
    print_line(f"{model.reconstructor.method} on {model.data.kind}: tiles of {tiles}{cells}")
    print_line(shown(model.threshold))
    if sentence := spread(model.threshold):
        print_line(sentence)
    print_line(f"for points: {shown(model.pixel_threshold)}")


def _warn_of_few(model: SurfaceModel) -> None:
    if (n := model.threshold.n) < PROMISING and model.threshold.coverage is not None:
        keeps = f"keeps {100 * model.threshold.coverage:.0f} % of good surfaces"
        print_note(
            f"warning: the threshold is from {n} surfaces and {keeps}. Expected {PROMISING} or more for 95 %. Fit "
            "more.",
            "yellow",
        )


def _roads_to_score(model: SurfaceModel, seed: int) -> list[Source]:
    from openshape_ood.synthetic.roads import DAMAGES

    if model.data.kind != "sheets":
        raise InputError(f"no FILES were given for a model of {model.data.kind}. Expected files to score. Give FILES.")
    return _roads(seed + GOOD, ["", "", *DAMAGES])


def _roads(seed: int, damages: Sequence[str]) -> list[Source]:
    """Generated roads, rotated to run along x. damages: kind of damage of each road, empty for none."""
    import numpy as np

    from openshape_ood.surfaces.inputs import Source
    from openshape_ood.synthetic.roads import road_scan

    made = []
    for i, damage in enumerate(damages):
        road = road_scan(seed + i, damage or ())
        along = road.heading[:2] / np.linalg.norm(road.heading[:2])
        points = road.points.copy()
        points[:, :2] = (points[:, :2] - points[0, :2]) @ np.stack([along, [-along[1], along[0]]]).T
        name = f"road {i + 1}, {damage or 'undamaged'}"
        made.append(Source({"points": points, "intensity": road.intensity}, name, "cloud"))
    return made


def _ids(names: Sequence[str]) -> dict[str, str]:
    """Paths relative to the common folder, without suffix. The suffix stays if two paths would be equal.

    >>> _ids(["a/crack/000.png", "a/good/000.png"]) == {"a/crack/000.png": "crack/000", "a/good/000.png": "good/000"}
    True
    >>> list(_ids(["a.png", "a.bmp", "a.png.bmp"]).values())
    ['a.png', 'a.bmp', 'a.png.bmp']
    """
    folders = [os.path.dirname(os.path.abspath(name)) for name in names]
    root = os.path.commonpath(folders)
    inside = [os.path.relpath(os.path.abspath(name), root) for name in names]
    stems, before = [os.path.splitext(one)[0] for one in inside], list[str]()
    while stems != before:  # repeated, because a name with suffix may equal another name without suffix
        before, count = stems, Counter(stems)
        stems = [one if count[short] > 1 else short for one, short in zip(inside, before, strict=True)]
    return dict(zip(names, stems, strict=True))
