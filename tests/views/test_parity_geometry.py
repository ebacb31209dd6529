"""Geometry against that of the published code: keys `geometry/*` of the golden numbers."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from golden import FOLDER
from golden_completion import Found, absent, check, pack, seed
from published_completion import BOUNDS, box_points, corner_grid

from openshape_ood.views import geometry
from openshape_ood.views.completion.grid import Grid
from openshape_ood.views.geometry import in_bounds, in_picture, moved, signed_distance, unproject

pytestmark = absent


def of_geometry(_: torch.dtype) -> Found:
    sys.path.insert(0, FOLDER)
    try:
        make = importlib.import_module("make_semabs")
    finally:
        sys.path.remove(FOLDER)
    shape = tuple(json.loads(str(pack()["sizes"]))["scene"])
    depth, camera = make.depth(seed(), *shape), make.camera(*shape)
    queries = box_points("geometry", seed(), (400,))
    seen = unproject(depth, camera[0])
    points, corners = moved(seen, camera[1]), BOUNDS[0] + np.argwhere(np.ones((16, 16, 16))) * 2 / 16
    found = {"camera_points": seen[::7], "points": points, "in_bounds": in_bounds(points)}
    found |= {"query_in_bounds": in_bounds(queries), "query_in_view": in_picture(queries, *camera, shape)}
    found |= {"grid_points_3": corner_grid(3).reshape(3, 3, 3, 3), "sample_points_4": corner_grid(4)}
    found["tsdf_16"] = signed_distance(corners, depth, *camera, 2 / 16).reshape(16, 16, 16)
    for side in (8, 16, 32):
        grid = Grid(side, *map(tuple, geometry.BOUNDS.tolist()), legacy=True)
        flat = grid.cells(torch.from_numpy(queries)).numpy()
        found |= {f"flat_{side}": flat, f"cell_{side}": np.stack(np.unravel_index(flat, (side,) * 3), -1)}
        if side == 16:  # -1 to 1 over the box, by the legacy rule
            found["cell_16_continuous"] = (grid.positions(torch.from_numpy(queries)).numpy() + 1) / 2 * 16
    for key, values in found.items():
        assert f"geometry/{key}" in pack()
        yield f"geometry/{key}", torch.from_numpy(np.asarray(values))


def test_the_same_geometry() -> None:
    check(of_geometry, "single")
