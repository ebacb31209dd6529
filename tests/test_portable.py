"""The run of the tests under several settings: it goes on after a failure, and names what failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import portable

TEST = """
import os

def test_threads():
    assert os.environ["OMP_NUM_THREADS"] == "2"

def test_nothing():
    pass
"""


def test_a_failure_is_named_and_the_other_settings_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_made_up.py").write_text(TEST)
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "inherited")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # but for the one whose options `portable` gives
    monkeypatch.setenv("PYTEST_PLUGINS", "xdist.plugin")
    settings = ["--setting", "OMP_NUM_THREADS=1", "--setting", "OMP_NUM_THREADS=2 MKL_CBWR=COMPATIBLE"]
    assert portable.main([*settings, "-n0", "-pno:cacheprovider", str(tmp_path)]) == 1
    rows = capfd.readouterr().out.partition("passed  failed  seconds  setting\n")[2].splitlines()
    assert [row.split()[:2] + row.split()[3:] for row in rows if "::" not in row] == [
        ["1", "1", "OMP_NUM_THREADS=1"],
        ["2", "0", "OMP_NUM_THREADS=2", "MKL_CBWR=COMPATIBLE"],
    ]
    assert [row.rpartition("::")[2] for row in rows if "::" in row] == ["test_threads"]


def test_a_run_that_fails_without_a_failed_test_shows() -> None:
    runs = [portable.Run("A=1", 0, [], 1, 5), portable.Run("B=1", 3, [], 1, 0)]
    assert [line.split()[:2] for line in portable.table(runs).splitlines()[1:]] == [["0", "exit"], ["3", "0"]]
