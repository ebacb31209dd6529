"""The picture of a growing map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.report.pictures.maps import draw_growth
from openshape_ood import SceneMap
from openshape_ood.synthetic import sample


def test_a_picture_has_a_panel_for_each_number_of_views(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    chair, guitar = (sample(name, 1000, seed=1)[:, [0, 2, 1]] for name in ("chair", "guitar"))
    looks = [chair, guitar + [3, 0, 0], chair]
    widths = []
    for shown in ((1,), (1, 3)):
        scene_map = SceneMap.prepare(["chair", "table"], model="tiny", up="z", max_jump=None)
        path = draw_growth(tmp_path / "growth.png", scene_map, looks, shown)
        with image.open(path) as picture:
            dark = (np.asarray(picture.convert("L")) < 60).sum(axis=0)
        assert len(scene_map) == 2 and scene_map.describe().startswith("2 objects after 3 views")
        edges = np.flatnonzero(dark > 0.5 * dark.max())  # the frames of the panels
        widths.append(int((np.diff(edges) > 5).sum()) + 1)
    assert widths == [2, 4]
