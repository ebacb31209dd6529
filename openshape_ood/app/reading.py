"""Files that a visitor dropped: shapes and what was not read, good surfaces, calibration shapes or a threshold."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from openshape_ood.app.quotas import EXAMPLE_POINTS, MAX_FILES, REQUEST_BYTES
from openshape_ood.app.session import Calibration, Shape
from openshape_ood.app.surfaces import Surface, read_surface
from openshape_ood.app.turns import Visitor
from openshape_ood.app.uploads import Upload, kept_rows, read_sealed, read_upload, taken
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import FileError, InputError, OpenShapeError, ShapeFileError
from openshape_ood.novelty.result import Failure

Shapes = tuple[list[Shape], list[Failure]]
One = TypeVar("One")


def read_shapes(paths: Sequence[str], visitor: Visitor, max_bytes: int) -> Generator[str, None, Shapes]:
    """Shapes, and the files that are none; between two files yields how many are done, in words."""
    return (yield from _each(paths, lambda path: _shape(read_upload(path, visitor, max_bytes=max_bytes))))


def read_good(paths: Sequence[str], visitor: Visitor, max_bytes: int) -> Generator[str, None, list[Surface]]:
    """All clouds that were dropped as good, or an error."""
    good, _ = yield from _each(paths, lambda path: read_surface(path, visitor, max_bytes=max_bytes), strict=True)
    return good


def _each(
    paths: Sequence[str], read: Callable[[Path], One], strict: bool = False
) -> Generator[str, None, tuple[list[One], list[Failure]]]:
    """What was read, and what could not be; strict: the first of these is raised."""
    if len(paths) > MAX_FILES:
        raise InputError(f"{len(paths)} files were dropped; this page takes at most {MAX_FILES} at once")
    found, failures = [], []
    with taken(paths) as files:
        for i, path in enumerate(files):
            if len(files) > 1:
                yield f"Read {i} of {len(files)} files."
            try:
                found.append(read(path))
            except OpenShapeError as error:
                if strict:
                    raise
                failures.append(Failure(path.name, str(error)))
    return found, failures


def read_calibration(
    paths: Sequence[str], visitor: Visitor, max_bytes: int
) -> Generator[str, None, tuple[Calibration, list[Failure]]]:
    """What was dropped to decide by: a threshold where it is one .json file, else known shapes."""
    if len(paths) == 1 and Path(paths[0]).suffix.lower() == ".json":
        return Calibration(threshold=_threshold(paths[0], visitor)), []
    shapes, failures = yield from read_shapes(paths, visitor, max_bytes)
    if not shapes:
        raise ShapeFileError("; ".join(failure.error for failure in failures[:3]) or "there is no file")
    thinned = (replace(shape, cloud=shape.cloud[kept_rows(len(shape.cloud), EXAMPLE_POINTS)]) for shape in shapes)
    return Calibration(tuple(thinned)), failures


def _threshold(path: str, visitor: Visitor) -> Threshold:
    """Read a threshold, as `read_upload` reads shapes."""
    with taken([path]) as (file,):
        if file.is_file() and file.stat().st_size > REQUEST_BYTES:
            raise FileError(f"{file.name} is no threshold: one has less than {REQUEST_BYTES / 2**20:.0f} MB")
        how: dict[str, Any] = {"suffixes": [".json"], "what": "threshold", "most": 8 * REQUEST_BYTES}
        return read_sealed(f"{__name__}:reader", file, visitor, _checked, **how)


def _checked(told: Any, scores: np.ndarray, *, name: str) -> Threshold:
    """From the answer of `_read`."""
    return Threshold.from_state({**told, "scores": scores})


def reader() -> Callable[[str], tuple[Mapping[str, Any], list[np.ndarray]]]:
    """The task of the process that reads."""
    return _read


def _read(source: str) -> tuple[Mapping[str, Any], list[np.ndarray]]:
    found = Threshold.load(source)
    return {name: value for name, value in found.state().items() if name != "scores"}, [found.scores]


def _shape(upload: Upload) -> Shape:
    kept = len(upload.cloud)
    notes = [f"thinned from {upload.points:,} to {kept:,} points" if kept < upload.points else f"{kept:,} points"]
    notes += [f"its file says that {upload.stated} is up"] if upload.stated else []
    return Shape(upload.name, upload.cloud, ", ".join(notes), upload.stated)
