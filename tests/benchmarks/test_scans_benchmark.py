from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.performance.scans import STAGES, made_up, main, measure
from openshape_ood.scenes import save_scene


def test_a_made_up_room_has_a_floor_walls_and_things() -> None:
    scene = made_up(5000, seed=1)
    assert scene.labels is not None and scene.instances is not None
    assert set(np.unique(scene.labels)) == set(range(1, 20)) and set(np.unique(scene.instances)) == set(range(41))
    assert (scene.points[scene.labels == 1, 2] == 0).all() and (scene.points[:, 2] >= 0).all()
    np.testing.assert_array_equal(scene.points, made_up(5000, seed=1).points)


def test_a_scan_is_measured(tmp_path: Path) -> None:
    found = measure(str(save_scene(made_up(3000, seed=0), tmp_path / "room.ply")), 0.5)
    assert found["points"] == 3000 and 100 < found["voxels"] < 1000
    assert tuple(found["seconds"]) == STAGES and sum(found["seconds"].values()) > 0
    assert found["peak_mib"]["all"] >= found["peak_mib"]["read"]


def test_a_run_prints_a_table_and_leaves_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a process of its own, as a user runs it."""
    assert main(["--points", "2000", "--voxel-size", "0.5", "--out", str(tmp_path), "--quiet"]) == 0
    found = json.loads(next(tmp_path.glob("scans-*.json")).read_text(encoding="utf-8"))
    (one,) = found["results"]
    assert one["format"] == "ply" and one["points"] == 2000 and one["file_mib"] * 2**20 > 2000 * 35
    assert "ply 2,000" in " ".join(capsys.readouterr().out.split())


def test_too_few_points_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--points", "1"]) == 1
    assert "--points is 1" in capsys.readouterr().err
