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
import torch
from published_completion import corner_grid

from openshape_ood.views.completion.grid import Grid
from openshape_ood.views.geometry import BOUNDS, in_bounds, in_picture, moved, signed_distance, unproject

SIDES = (8, 16, 32)
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
    grids = {side: Grid(side, *map(tuple, BOUNDS.tolist()), legacy=True) for side in SIDES}
    flat = {f"flat_{side}": grid.cells(torch.from_numpy(queries)).numpy() for side, grid in grids.items()}
    cells = {f"cell_{side}": np.stack(np.unravel_index(flat[f"flat_{side}"], (side,) * 3), -1) for side in SIDES}
    corners = BOUNDS[0] + np.moveaxis(np.indices((16,) * 3), 0, -1).reshape(-1, 3) * 2 / 16
    read = (grids[16].positions(torch.from_numpy(queries)) + 1) / 2 * 16  # -1 to 1 over the box, by the legacy rule
    return {
        **flat,
        **cells,
        "cell_16_continuous": read.numpy(),
        "camera_points": camera_points[::7],
        "points": points,
        "in_bounds": in_bounds(points),
        "query_in_bounds": in_bounds(queries),
        "query_in_view": in_picture(queries, intrinsics, pose, shape),
        "grid_points_3": corner_grid(3).reshape(3, 3, 3, 3),
        "sample_points_4": corner_grid(4),
        "tsdf_16": signed_distance(corners, depth, intrinsics, pose, 2 / 16).reshape(16, 16, 16),
    }


@pytest.mark.parametrize(
    "key",
    ["camera_points", "points", "in_bounds", "query_in_bounds", "query_in_view"]
    + ["grid_points_3", "sample_points_4", "tsdf_16", "cell_16_continuous"]
    + [f"{what}_{side}" for what in ("cell", "flat") for side in SIDES],
)
def test_the_same_geometry(ours: dict[str, Any], key: str) -> None:
    with np.load(Path(str(FOLDER), "semabs_golden.npz")) as golden:
        expected = golden[f"geometry/{key}"]
        allowed = json.loads(str(golden["tolerances"])).get(f"geometry/{key}", {"tolerance": 0})["tolerance"]
    assert ours[key].shape == expected.shape
    assert np.abs(ours[key].astype(np.float64) - expected).max() <= allowed
