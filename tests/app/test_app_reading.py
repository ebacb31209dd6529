"""Files that a visitor dropped: several shapes, calibration shapes, a threshold."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood.app import reading
from openshape_ood.app.quotas import EXAMPLE_POINTS, MAX_FILES
from openshape_ood.app.reading import read_calibration, read_shapes
from openshape_ood.app.turns import HERE, Visitor
from openshape_ood.app.uploads import Upload
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import FileError, InputError, ShapeFileError

MINE = Visitor(HERE, "mine")


def told(reads: Generator[str, None, Any]) -> tuple[list[str], Any]:
    """What was said meanwhile, and what was read."""
    said = []
    try:
        while True:
            said.append(next(reads))
    except StopIteration as stop:
        return said, stop.value


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two shapes, of which one states its axis, and a file that is none; who reads them is tested with uploads."""

    def read(path: Path, visitor: Visitor, *, max_bytes: int) -> Upload:
        assert (visitor, max_bytes) == (MINE, 1000) and path.is_file()
        if path.suffix == ".ply":
            raise ShapeFileError(f"{path.name}: no header")
        return Upload(path.name, np.ones((EXAMPLE_POINTS + 7, 3)) * 1e6, 90_000, "z" if path.suffix == ".dae" else "")

    monkeypatch.setattr(reading, "read_upload", read)
    made = [tmp_path / name for name in ("a.npy", "b.ply", "c.dae")]
    for path in made:
        path.touch()
    return list(map(str, made))


def test_what_is_not_read_costs_itself_alone(paths: list[str]) -> None:
    said, (shapes, failures) = told(read_shapes(paths, MINE, 1000))
    assert said == ["Read 0 of 3 files.", "Read 1 of 3 files.", "Read 2 of 3 files."]
    assert [(shape.name, shape.stated) for shape in shapes] == [("a.npy", ""), ("c.dae", "z")]
    assert shapes[1].note == "thinned from 90,000 to 10,007 points, its file says that z is up"
    assert failures == [("b.ply", "b.ply: no header")]
    assert told(read_shapes(paths[:1], MINE, 1000))[0] == []


def test_too_many_files(paths: list[str]) -> None:
    with pytest.raises(InputError, match=f"{MAX_FILES + 1} files were dropped; this page takes at most {MAX_FILES}"):
        told(read_shapes(paths[:1] * (MAX_FILES + 1), MINE, 1000))


def test_calibration_shapes_keep_no_more_points_than_are_used(paths: list[str]) -> None:
    _, (calibration, failures) = told(read_calibration(paths, MINE, 1000))
    assert [shape.cloud.shape for shape in calibration.shapes] == [(EXAMPLE_POINTS, 3)] * 2
    assert calibration.threshold is None and len(failures) == 1
    with pytest.raises(ShapeFileError, match="no header"):
        told(read_calibration(paths[1:2], MINE, 1000))


def test_a_threshold_is_read(tmp_path: Path) -> None:
    path = Threshold.from_novelty(range(19), source="scans of mine").save(tmp_path / "threshold.json")
    said, (calibration, failures) = told(read_calibration([str(path)], MINE, 1000))
    assert said == failures == [] and calibration.shapes == ()
    assert (calibration.threshold.value, calibration.threshold.n) == (18.0, 19)


@pytest.mark.parametrize(
    "content, said", [(b"{}", "no threshold"), (b"[" * 2**21, "has less than 1 MB"), (None, "no longer there")]
)
def test_what_is_no_threshold_is_named_as_the_visitor_named_it(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "mine.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileError, match=said) as refusal:
        told(read_calibration([str(path)], MINE, 1000))
    assert "mine.json" in str(refusal.value) and "taken-" not in str(refusal.value)
