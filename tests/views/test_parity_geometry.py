"""Geometry against that of the published code.

Where the environment variable OPENSHAPE_OOD_PARITY names a folder with `semabs_golden.npz` and `make_semabs.py`, they
are compared; seed and sizes are those that the file holds.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood.views.geometry import (
    BOUNDS,
    grid_points,
    in_bounds,
    in_picture,
    moved,
    signed_distance,
    unproject,
)

FOLDER = os.environ.get("OPENSHAPE_OOD_PARITY")
pytestmark = pytest.mark.skipif(not FOLDER, reason="OPENSHAPE_OOD_PARITY names no folder with semabs_golden.npz")


@pytest.fixture(scope="module")
def ours() -> dict[str, Any]:
    sys.path.insert(0, str(FOLDER))
    try:
        made = importlib.import_module("make_semabs")
    finally:
        sys.path.remove(str(FOLDER))
    with np.load(Path(str(FOLDER), "semabs_golden.npz")) as golden:
        seed, shape = int(golden["seed"]), tuple(json.loads(str(golden["sizes"]))["scene"])
    depth, (intrinsics, pose) = made.depth(seed, *shape), made.camera(*shape)
    queries = made.points("geometry", seed, (400,))
    camera_points = unproject(depth, intrinsics)
    points = moved(camera_points, pose)
    return {
        "camera_points": camera_points[::7],
        "points": points,
        "in_bounds": in_bounds(points),
        "query_in_bounds": in_bounds(queries),
        "query_in_view": in_picture(queries, intrinsics, pose, shape),
        "grid_points_3": grid_points(3),
        "sample_points_4": grid_points(4).reshape(-1, 3),
        "tsdf_16": signed_distance(depth, intrinsics, pose, BOUNDS[0], 2 / 16, 16),
    }


@pytest.mark.parametrize(
    "key",
    ["camera_points", "points", "in_bounds", "query_in_bounds", "query_in_view"]
    + ["grid_points_3", "sample_points_4", "tsdf_16"],
)
def test_the_same_geometry(ours: dict[str, Any], key: str) -> None:
    with np.load(Path(str(FOLDER), "semabs_golden.npz")) as golden:
        expected = golden[f"geometry/{key}"]
        allowed = json.loads(str(golden["tolerances"])).get(f"geometry/{key}", {"tolerance": 0})["tolerance"]
    assert ours[key].shape == expected.shape
    assert np.abs(ours[key].astype(np.float64) - expected).max() <= allowed
