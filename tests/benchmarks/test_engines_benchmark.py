"""benchmarks.performance.engines: the files it makes, what it counts, and the local engine end to end."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.performance import engines
from openshape_ood.errors import OpenShapeError
from openshape_ood.shapes.reading import load_shape

pytest.importorskip("pyarrow")


def test_both_kinds_of_file_hold_a_mesh(tmp_path: Path) -> None:
    engines.write_shapes(tmp_path, 2, seed=0)
    files = [path for path in tmp_path.rglob("*.*") if path.suffix == ".obj" or "broken" not in path.name]
    assert sorted(path.suffix for path in files) == [".obj", ".ply"]
    for path in files:
        assert load_shape(path, points=100).shape == (100, 3)


def test_the_local_engine(tmp_path: Path) -> None:
    engines.write_shapes(tmp_path / "shapes", 6, seed=0)
    for name in ("a", "b"):
        found = engines.run_engine("local", tmp_path / "shapes", tmp_path / name, workers=1, kill=True)
        assert (found["rows_in"], found["embedded"], found["failed"], found["killed_worker"]) == (11, 6, 5, False)
    counts = engines.count_rows(tmp_path / "a")
    assert counts == {"rows_out": 6, "errors": 5, "duplicates": 0}
    assert engines.largest_difference([tmp_path / "a", tmp_path / "b"]) == 0
    result = {**found, **counts}
    assert engines._is_sound(result) and not engines._is_sound(result | {"rows_out": 5})
    shown = engines.table({"results": [result | {"peak_mib": None, "processes_left": 0}]})
    assert shown.splitlines()[2].startswith("| local | 11 | 6 | 5 | 0 | no |")


def test_tables_of_other_shapes_are_not_compared(tmp_path: Path) -> None:
    for name, count in (("a", 1), ("b", 2)):
        engines.write_shapes(tmp_path / name / "shapes", count, seed=0)
        engines.run_engine("local", tmp_path / name / "shapes", tmp_path / name / "table", 1, kill=False)
    with pytest.raises(OpenShapeError, match="different shapes"):
        engines.largest_difference([tmp_path / "a" / "table", tmp_path / "b" / "table"])


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux")
def test_memory_of_this_process() -> None:
    held = np.ones(50 * engines.MIB, dtype=np.uint8)
    assert os.getpid() in engines._family(os.getpid())
    assert engines._memory(os.getpid()) > 50 and held.all()
    assert engines._memory(2**22 + 1) == 0
