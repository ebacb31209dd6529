"""`python -m benchmarks rasters` on few points: its road is scored, its pits found, its figures written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.performance.rasters import main, measured


def test_the_pits_of_a_made_up_road_are_found(tmp_path: Path) -> None:
    found = measured(str(tmp_path), 60_000, 0.05, 50_000)
    assert found["points"] == 60_000 and found["tiles"] >= 4
    assert found["seen"] > 0.99 and found["peak_mib"] > 0 and found["file_mib"] == pytest.approx(0.92, abs=0.02)


@pytest.mark.slow
def test_the_command_measures_in_a_process_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--points", "0.4", "--out", str(tmp_path), "--quiet"]) == 0
    (found,) = json.loads(next(tmp_path.glob("rasters-*.json")).read_text(encoding="utf-8"))["results"]
    assert "400,000" in capsys.readouterr().out and found["iou"] > 0.9
    assert main(["--block", "3", "--quiet"]) == 1
