"""A run holds no more memory for more shapes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHAPES = 43 / 2  # of one more a class: 5 known as support, half as many to validate, 14 to test
CLOUD, PREPARED = 2048 * 3 * 4 / 2**20, 1024 * 6 * 4 / 2**20  # MB that a shape takes: as it is read, as tiny takes it
FEW, MANY = 14, 220
BOUND = 80  # MB


def peak(per_class: int, out: Path, *settings: str) -> int:
    """Peak memory in MB of a run by a process of its own."""
    command = [sys.executable, "-m", "benchmarks.sr1", "--per-class", str(per_class), "--no-pictures", "--no-cache"]
    command += ["--seeds", "1", "--draws", "100", "--quiet", "--device", "cpu", "--out", str(out), *settings]
    # by way of a shell: a process is born with the peak of the one that starts it, and this one may hold much
    subprocess.run(["sh", "-c", '"$@"; exit $?', "sh", *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (path,) = out.glob("*.json")
    return json.loads(path.read_text(encoding="utf-8"))["run"]["peak_mb"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_ten_times_the_shapes_take_no_more_memory(workers: int, tmp_path: Path) -> None:
    """Clouds that were held, as they are read or as they are prepared, would each go beyond the bound by themselves."""
    more = (MANY - FEW) * SHAPES
    assert min(CLOUD, PREPARED) * more > 1.2 * BOUND
    few, many = (peak(n, tmp_path / str(n), "--workers", str(workers)) for n in (FEW, MANY))
    assert many - few < BOUND
