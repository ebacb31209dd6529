"""`python -m benchmarks scenes`: its house, its ranks, its table, and a small run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from benchmarks.questions import harness, scenes
from benchmarks.scene_data import house
from benchmarks.scene_data.judging import LEAST, TRUE, WAYS, Case, counted, foreign_ranks
from openshape_ood.errors import InputError
from openshape_ood.scenes import Scene
from openshape_ood.synthetic.rooms import Room
from openshape_ood.synthetic.rooms.furnish import Item


def layout(folder: Path) -> Path:
    """A house of a floor and two tables, in centimeters."""
    for name, extents in {"floor": (1800, 600, 2), "table": (100, 60, 75)}.items():
        trimesh.creation.box(extents).export(folder / f"{name}.dae")
    table = {"mesh": "table.dae", "scale": 0.01, "class": "coffee table", "structure": False}
    models = {
        "Floor_01": {"mesh": "floor.dae", "scale": 0.01, "class": "floor", "structure": True, "poses": [[0] * 6]},
        "Table_01": table | {"poses": [[-6, 0, 0.385, 0, 0, 0], [2, 1, 0.385, 0, 0, np.pi / 2]]},
        "Lost_01": table | {"mesh": None, "poses": [[0] * 6]},
    }
    (folder / house.LAYOUT).write_text(json.dumps({"models": models}))
    return folder


def test_a_house_is_assembled_and_scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces, items = house.assemble(layout(tmp_path))
    assert [(item.category, item.instance, item.source) for item in items] == [
        ("table", 1, "Table_01"),
        ("table", 2, "Table_01"),
    ]
    assert np.allclose(items[0].box, [[-6.5, -0.3, 0.01], [-5.5, 0.3, 0.76]])
    assert np.allclose(items[1].box, [[1.7, 0.5, 0.01], [2.3, 1.5, 0.76]])  # turned by a quarter
    assert [piece.instance for piece in pieces] == [0, 1, 2]
    monkeypatch.setattr(house, "AREAS", {"left": (-9.0, -2.5), "middle": (-2.4, 4.7)})
    left, middle = house.house_rooms(tmp_path, views=3, spacing=0.05)
    assert (counted(left), counted(middle)) == ([1], [2])
    assert left.scene.points[:, 0].max() < -2.4 < middle.scene.points[:, 0].min() + 0.1
    assert {left.names[i] for i in left.scene.labels[left.scene.instances == 1]} == {"table"}


def test_a_house_that_is_not_whole_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no small_house_layout\.json"):
        house.house_rooms(tmp_path)
    (layout(tmp_path) / "table.dae").unlink()
    with pytest.raises(InputError, match=r"lacks 2 meshes|lacks 1 mesh"):
        house.house_rooms(tmp_path)


def test_a_foreign_object_ranks_among_objects_and_among_all() -> None:
    overlap = np.array([[0.9, 0.0], [0.0, 0.4], [0.1, 0.0]])
    case = Case(["chair", "bicycle"], np.array([False, True]), overlap, np.array([0.2, 0.5, 0.8]))
    assert foreign_ranks(case) == {"objects": 1.0, "all": 2.0}
    lost = Case(["chair", "bicycle"], np.array([False, True]), overlap[:1], np.array([0.2]))
    assert foreign_ranks(lost) == {"objects": np.inf, "all": np.inf}
    rows = [{"ranks": {TRUE: foreign_ranks(one)}} for one in (case, lost)]
    figures = scenes.rank_figures(rows)[TRUE]
    assert figures == {"found": 0.5, "objects_1": 0.5, "objects_3": 0.5, "all_1": 0.0, "all_3": 0.5}
    assert scenes.percents(figures, 2) == ["50", "50", "50", "0 [0, 66]", "50"]
    assert harness.finite({"ranks": [np.inf, 1.0]}) == {"ranks": [None, 1.0]}


def test_only_objects_of_enough_points_count() -> None:
    instances = np.repeat([0, 1, 2], [10, LEAST, LEAST - 1])
    scene = Scene(np.random.RandomState(0).rand(len(instances), 3), labels=instances, instances=instances)
    items = tuple(Item("cup", i, False, np.eye(4), np.zeros((2, 3))) for i in (1, 2))
    assert counted(Room(scene, ("none", "cup"), items, np.empty((0, 3)))) == [1]


@pytest.mark.slow
def test_a_small_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--rooms", "1", "--foreign", "1", "--quiet", "--no-pictures", "--out", str(tmp_path)]
    assert scenes.main(argv) == 0
    report = json.loads(next(tmp_path.glob("scenes-tiny-*.json")).read_text())
    figures = report["figures"]["generated rooms"]
    assert set(figures) == {*WAYS, TRUE}
    assert figures[TRUE]["recall50"] == figures[TRUE]["precision25"] == 1
    assert figures["merge tree, all"]["recall25"] >= figures["merge tree"]["recall25"] > 0.3
    said = capsys.readouterr().out
    assert "free R50" in said and "one foreign object" in said


def test_wrong_options_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scenes.main(["--rooms", "-1", "--out", str(tmp_path)]) == 1
    assert "--rooms is -1; expected 0 or more" in capsys.readouterr().err
    assert scenes.main(["--rooms", "0", "--foreign", "0", "--out", str(tmp_path)]) == 1
    assert "there is nothing to measure" in capsys.readouterr().err and not list(tmp_path.iterdir())
