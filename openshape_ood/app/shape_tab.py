"""Tab for shapes: dropped files, calibration shapes or a threshold, and generated examples."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from openshape_ood.app.fair_queue import Visitor
from openshape_ood.app.quotas import EXAMPLE_POINTS, MAX_FILES, MAX_POINTS, REQUEST_BYTES
from openshape_ood.app.session import Calibration, Shape
from openshape_ood.app.uploads import NOBODY, kept_rows, read_cloud, read_sealed, read_threshold, taken
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import FileError, InputError, OpenShapeError, ShapeFileError
from openshape_ood.shapes.failure import Failure
from openshape_ood.shapes.points import check_cloud, check_up
from openshape_ood.synthetic import sample, scan
from openshape_ood.synthetic.planted import plant

POINTS = 4096  # points of an example
NO_FILE = "there is no file. Expected one or more files. Drop a file."
One = TypeVar("One")


class GeneratedShape(NamedTuple):
    """Generated shape, y up, in meters; origin: one of `verdicts.ORIGINS`."""

    make: Callable[[], np.ndarray]
    origin: str


FIRST = "chair with a guitar for a back"
EXAMPLES = {
    FIRST: GeneratedShape(
        lambda: plant("chair", "guitar", POINTS, 109, 0.45, "parsons", "acoustic").cloud, "whole model"
    ),
    "chair": GeneratedShape(lambda: sample("chair", POINTS, seed=3), "whole model"),
    "guitar": GeneratedShape(lambda: sample("guitar", POINTS, seed=3), "whole model"),
    "airplane": GeneratedShape(lambda: sample("airplane", POINTS, seed=3), "whole model"),
    "scan of a table": GeneratedShape(lambda: scan("table", POINTS, seed=4), "scan"),
    "scan of a piano": GeneratedShape(lambda: scan("piano", POINTS, seed=5), "scan"),
}


def read_shape(path: Path, visitor: Visitor = NOBODY, **bounds: Any) -> Shape:
    """Read an uploaded shape. bounds: limits for `read_sealed`."""
    most = MAX_POINTS * 6 * 8  # xyz and rgb with 8 bytes each
    return read_sealed(read_cloud, path, visitor, _checked, most=most, **bounds)


def _checked(answer: Any, cloud: np.ndarray, *, name: str) -> Shape:
    """Validate the answer of `read_cloud`, and make the result from it."""
    cloud, points = check_cloud(cloud, name), int(answer["points"])
    stated = check_up(answer["stated"]) if answer["stated"] else ""
    kept = len(cloud)
    notes = [f"thinned from {points:,} to {kept:,} points" if kept < points else f"{kept:,} points"]
    notes += [f"its file states {stated} up"] if stated else []
    return Shape(name, cloud, ", ".join(notes), stated)


def read_each(
    paths: Sequence[str], read: Callable[[Path], One], strict: bool = False
) -> Generator[str, None, tuple[list[One], list[Failure]]]:
    """Read dropped files, and yield the progress as text.

    strict: True to raise the first error. Otherwise, at least one file must be readable.
    """
    if len(paths) > MAX_FILES:
        raise InputError(f"{len(paths)} files were dropped. Expected at most {MAX_FILES} at once. Drop fewer files.")
    results, failures = [], []
    with taken(paths) as files:
        for i, path in enumerate(files):
            if len(files) > 1:
                yield f"Read {i} of {len(files)} files."
            try:
                results.append(read(path))
            except OpenShapeError as error:
                if strict:
                    raise
                failures.append(Failure(path.name, str(error)))
    if not results:
        raise ShapeFileError("; ".join(failure.error for failure in failures[:3]) or NO_FILE)
    return results, failures


def read_calibration(
    paths: Sequence[str], read: Callable[..., Shape], visitor: Visitor
) -> Generator[str, None, tuple[Calibration, list[Failure]]]:
    """Calibration from dropped files: a threshold from one .json file, else known shapes, each read by `read`."""
    if len(paths) == 1 and Path(paths[0]).suffix.lower() == ".json":
        return Calibration(threshold=_read_threshold(paths[0], visitor)), []
    shapes, failures = yield from read_each(paths, read)
    thinned = (replace(shape, cloud=shape.cloud[kept_rows(len(shape.cloud), EXAMPLE_POINTS)]) for shape in shapes)
    return Calibration(tuple(thinned)), failures


def _read_threshold(path: str, visitor: Visitor) -> Threshold:
    with taken([path]) as (file,):
        if file.is_file() and file.stat().st_size > REQUEST_BYTES:
            raise FileError(
                f"{file.name} is no threshold. Expected less than {REQUEST_BYTES / 2**20:.0f} MB. Drop a file of "
                "openshape-ood score --save-threshold."
            )
        how: dict[str, Any] = {"suffixes": [".json"], "what": "threshold", "most": 8 * REQUEST_BYTES}
        return read_sealed(read_threshold, file, visitor, _checked_threshold, **how)


def _checked_threshold(answer: Any, scores: np.ndarray, *, name: str) -> Threshold:
    return Threshold.from_state({**answer, "scores": scores})
