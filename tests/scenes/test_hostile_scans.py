"""No scan in points of at most 1 MB takes more than 10 s of CPU or 500 MB in reading; meshes are read as shapes are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "shapes"))
import reading_costs
from hostile_shapes import MAKERS

SCANS = (
    "comment_of_spaces", "polygon_of_bytes", "lists_without_values", "compressed_cloud", "deflated_bytes",
    "deflated_points_and_colors", "arrays_in_an_archive", "array_of_bytes", "shortest_numbers", "one_line",
    "laz_of_one_place",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="costs are measured in forks")
def test_a_hostile_scan_is_read_or_refused_at_a_bounded_cost(tmp_path: Path) -> None:
    pytest.importorskip("laspy")
    paths = []
    for name in SCANS:
        (tmp_path / name).mkdir()
        paths.append(str(MAKERS[name](tmp_path / name)))
    run = [sys.executable, reading_costs.__file__, "scene", *paths]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    found = json.loads(subprocess.run(run, capture_output=True, text=True, env=env, check=True).stdout)
    for path in paths:
        cost = found[path]
        assert cost["seconds"] < reading_costs.SECONDS and cost["megabytes"] < reading_costs.MEGABYTES, (path, cost)
        assert cost["outcome"].startswith(("(", "cannot read")) and "no reason given" not in cost["outcome"], path
