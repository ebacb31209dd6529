"""benchmarks.performance.engines: the files it makes, what it counts, and the local engine end to end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.performance import engines
from benchmarks.performance.harness import MIB, apart, family_of, memory_of
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
        found = engines.run_engine("local", str(tmp_path / "shapes"), str(tmp_path / name), workers=1, kill=True)
        assert (found["rows_in"], found["embedded"], found["failed"], found["killed_worker"]) == (11, 6, 5, False)
    counts = engines.count_rows(tmp_path / "a")
    assert counts == {"rows_out": 6, "errors": 5, "duplicates": 0}
    assert engines.largest_difference([tmp_path / "a", tmp_path / "b"]) == 0
    result = {**found, **counts}
    assert engines.is_sound(result) and not engines.is_sound(result | {"rows_out": 5})
    shown = engines.table([result | {"peak_mib": None, "processes_left": 0}])
    assert shown.splitlines()[2].split()[:6] == ["local", "11", "6", "5", "0", "no"]


def test_tables_of_other_shapes_are_not_compared(tmp_path: Path) -> None:
    for name, count in (("a", 1), ("b", 2)):
        engines.write_shapes(tmp_path / name / "shapes", count, seed=0)
        engines.run_engine("local", str(tmp_path / name / "shapes"), str(tmp_path / name / "table"), 1, kill=False)
    with pytest.raises(OpenShapeError, match="different shapes"):
        engines.largest_difference([tmp_path / "a" / "table", tmp_path / "b" / "table"])


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux")
def test_memory_of_this_process() -> None:
    held = np.ones(50 * MIB, dtype=np.uint8)
    assert os.getpid() in family_of(os.getpid())
    assert memory_of(os.getpid()) > 50 and held.all()
    assert memory_of(2**22 + 1) == 0


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux")
def test_a_process_of_its_own_is_watched_with_all_below_it() -> None:
    child = apart("a run", parent_of_one, 60, watch=True)
    assert child.result == {"given": 60} and child.peak_mib > 60 and child.left == 0


def parent_of_one(mib: int) -> dict[str, int]:
    code = f"import time; held = bytearray(b'x') * ({mib} << 20); time.sleep(1)"
    subprocess.run([sys.executable, "-c", code], check=True)
    return {"given": mib}
