"""Files that a visitor dropped: several shapes, calibration shapes, a threshold."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood.app.fair_queue import HERE, Visitor
from openshape_ood.app.quotas import EXAMPLE_POINTS, MAX_FILES
from openshape_ood.app.session import Shape
from openshape_ood.app.shape_tab import _checked, read_calibration, read_each
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import FileError, InputError, ShapeFileError

MINE = Visitor(HERE, "mine")


def exhausted(reading: Generator[str, None, Any]) -> tuple[list[str], Any]:
    """The progress in words, and the result."""
    progress = []
    try:
        while True:
            progress.append(next(reading))
    except StopIteration as stop:
        return progress, stop.value


def read(path: Path) -> Shape:
    """As `read_shape`, which is tested with uploads."""
    assert path.is_file()
    if path.suffix == ".ply":
        raise ShapeFileError(f"{path.name}: no header")
    return Shape(path.name, np.ones((EXAMPLE_POINTS + 7, 3)) * 1e6)


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """Two shapes and a file that is none."""
    made = [tmp_path / name for name in ("a.npy", "b.ply", "c.dae")]
    for path in made:
        path.touch()
    return list(map(str, made))


def test_what_is_not_read_costs_itself_alone(paths: list[str]) -> None:
    progress, (shapes, failures) = exhausted(read_each(paths, read))
    assert progress == ["Read 0 of 3 files.", "Read 1 of 3 files.", "Read 2 of 3 files."]
    assert [shape.name for shape in shapes] == ["a.npy", "c.dae"]
    assert failures == [("b.ply", "b.ply: no header")]
    assert exhausted(read_each(paths[:1], read))[0] == []
    with pytest.raises(ShapeFileError, match=r"^there is no file\. Expected"):
        exhausted(read_each([], read))


def test_too_many_files(paths: list[str]) -> None:
    with pytest.raises(InputError, match=f"{MAX_FILES + 1} files were dropped. Expected at most {MAX_FILES}"):
        exhausted(read_each(paths[:1] * (MAX_FILES + 1), read))


def test_calibration_shapes_keep_no_more_points_than_are_used(paths: list[str]) -> None:
    _, (calibration, failures) = exhausted(read_calibration(paths, read, MINE))
    assert [shape.cloud.shape for shape in calibration.shapes] == [(EXAMPLE_POINTS, 3)] * 2
    assert calibration.threshold is None and len(failures) == 1
    with pytest.raises(ShapeFileError, match="no header"):
        exhausted(read_calibration(paths[1:2], read, MINE))


def test_a_note_of_thinning_and_axis() -> None:
    shape = _checked({"points": 90_000, "stated": "z"}, np.eye(3), name="c.dae")
    assert shape.note == "thinned from 90,000 to 3 points, its file states z up" and shape.stated == "z"


def test_a_threshold_is_read(tmp_path: Path) -> None:
    path = Threshold.from_novelty(range(19), source="scans of mine").save(tmp_path / "threshold.json")
    progress, (calibration, failures) = exhausted(read_calibration([str(path)], read, MINE))
    assert progress == failures == [] and calibration.shapes == ()
    assert (calibration.threshold.value, calibration.threshold.n) == (18.0, 19)


@pytest.mark.parametrize(
    "content, said",
    [(b"{}", "no threshold"), (b"[" * 2**21, "Expected less than 1 MB"), (None, "no longer on the server")],
)
def test_what_is_no_threshold_is_named_as_the_visitor_named_it(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "mine.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileError, match=said) as refusal:
        exhausted(read_calibration([str(path)], read, MINE))
    assert "mine.json" in str(refusal.value) and "taken-" not in str(refusal.value)
