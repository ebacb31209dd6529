from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.performance import calls


def test_calls_and_a_stream_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert calls.main(["--calls", "10", "--rows", "1200", "--out", str(tmp_path)]) == 0
    found = json.loads(next(tmp_path.glob("calls-*.json")).read_text())
    assert found["stream"]["rows"] == 1200 and found["settings"]["calls"] == 10
    of = found["calls"]
    assert all(0 < of[name]["median_ms"] <= of[name]["p99_ms"] for name in ("pipeline", "encoder")) and of["ratio"] > 0
    assert "10 calls" in capsys.readouterr().out
    assert calls.main(["--calls", "9", "--out", str(tmp_path)]) == 1
