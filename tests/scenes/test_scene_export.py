"""Objects of a scan as files: points, colors and axis come back, names make no folders elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from openshape_ood import Scene, Threshold, load_shape, score_scene
from openshape_ood.errors import FileError
from openshape_ood.shapes.formats.pcd import pcd_bytes, read_pcd
from openshape_ood.shapes.reading import stated_up
from openshape_ood.synthetic import sample


def test_points_colors_and_axis_come_back(tmp_path: Path) -> None:
    random = np.random.RandomState(0)
    xyz, rgb = random.normal(size=(50, 3)) + [100, 0, 2], random.rand(50, 3)
    path = tmp_path / "one.pcd"
    path.write_bytes(pcd_bytes(xyz, rgb))
    assert stated_up(path) == "z"
    shape = load_shape(path)
    assert np.abs(shape[:, :3] - xyz).max() < 1e-4 and np.abs(shape[:, 3:] - rgb).max() < 0.0021
    assert set(read_pcd(pcd_bytes(xyz))) == {"x", "y", "z"}


def test_objects_are_files_and_a_full_folder_is_refused(tmp_path: Path) -> None:
    chair, guitar = (sample(name, 1200, seed=1)[:, [0, 2, 1]] for name in ("chair", "guitar"))
    points = np.concatenate([chair, guitar + [3, 0, 0]])
    scene = Scene(points, color=np.full((len(points), 3), 0.25))
    result = score_scene(scene, ["chair", "sofa"], model="tiny", proposals="contact", threshold=Threshold(0.8))
    named = replace(result, objects=tuple(replace(one, name="../chair") for one in result.objects))
    files = named.export(tmp_path / "crops")
    assert {path.parent for path in files} == {tmp_path / "crops" / "___chair"}
    for path, one in zip(files, named.objects, strict=True):
        assert np.abs(load_shape(path)[:, :3] - scene.points[one.rows, :3]).max() < 1e-5
    with pytest.raises(FileError, match="not empty"):
        named.export(tmp_path / "crops")
