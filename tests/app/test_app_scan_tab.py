"""Scans of rooms on the page: read by a process of their own, judged object by object, said and saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood import Scene, load_scene
from openshape_ood.app import scan_tab, texts, uploads
from openshape_ood.app.downloads import save_results
from openshape_ood.app.pipelines import Pipelines
from openshape_ood.app.scan_tab import ScanInput, read_scan
from openshape_ood.app.session import Session
from openshape_ood.app.verdicts import ScanVerdict
from openshape_ood.errors import ShapeFileError
from openshape_ood.scenes import Proposals, find_objects, save_scene
from openshape_ood.synthetic import sample
from openshape_ood.workers import Done


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A floor with a chair and a guitar on it."""
    floor = np.random.default_rng(0).uniform(0, 1, (4000, 3)) * [4, 3, 0]
    chair, guitar = (sample(name, 1500, seed=3)[:, [0, 2, 1]] for name in ("chair", "guitar"))
    chair, guitar = (points - [0, 0, points[:, 2].min()] for points in (chair, guitar))
    points = np.concatenate([floor, chair + [1, 1, 0], guitar + [3, 2, 0]])
    return Scene(points, np.full((len(points), 3), 0.4), name="my room.ply")


@pytest.fixture(scope="module")
def proposals(scene: Scene) -> Proposals:
    return find_objects(scene)


@pytest.fixture(scope="module")
def pipelines() -> Pipelines:
    return Pipelines()


@pytest.fixture(scope="module")
def found(pipelines: Pipelines, scene: Scene, proposals: Proposals) -> ScanVerdict:
    session = Session().with_names("chair, table")
    return pipelines.score_scan(ScanInput(scene, proposals, ("Thinned.",)), session, "tiny")


def test_a_scan_is_read_and_searched_elsewhere(scene: Scene, proposals: Proposals, tmp_path: Path) -> None:
    room = read_scan(save_scene(scene, tmp_path / scene.name))
    assert room.scene.name == scene.name and np.array_equal(room.scene.points, scene.points)
    assert room.scene.color is not None and room.nbytes >= scene.points.nbytes
    here = proposals
    assert [rows.tolist() for rows in room.proposals] == [rows.tolist() for rows in here]
    assert [plane.kind for plane in room.proposals.layout] == ["floor"]
    assert (room.proposals.by, room.proposals.n, room.remarks) == (here.by, len(scene), ())


def test_what_is_wrong_with_a_scan_is_said_of_the_file_as_the_visitor_named_it(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "hall.npy"
    np.save(path, scene.points * 1000)
    with pytest.raises(ShapeFileError, match=r"“hall\.npy” as NPY: it would be .* give unit='mm'"):
        read_scan(path)
    np.save(path, np.full((5, 3), np.nan))
    with pytest.raises(ShapeFileError, match=r"hall\.npy.*NaN or infinity in 5 of 5 points"):
        scan_tab._read(str(path), "file", "file")


def test_many_points_are_thinned_and_warnings_reach_the_visitor(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_tab, "MAX_ROOM_POINTS", 2000)
    nothing = Proposals((), np.empty(0), (), "tree", 0, 2000, np.empty(0))
    monkeypatch.setattr(scan_tab, "find_objects", lambda kept: nothing)
    path = tmp_path / "shape.npy"
    np.save(path, scene.points * 100)  # centimeters: too large for a place indoors, not for any place
    answer, (points, members) = scan_tab._read(str(path), "file", "file")
    room = scan_tab._checked(answer, points, members, name="hall.npy")
    assert len(room.scene) == 2000 and room.remarks[0] == "Thinned from 7,000 to 2,000 points."
    assert "hall.npy is 39" in room.remarks[1] and "shape.npy" not in room.remarks[1]


@pytest.mark.parametrize(
    "changed, members",
    [
        ({"sizes": [2]}, [0.0]),
        ({"stability": []}, [0.0]),
        ({}, [-1.0]),
        ({}, [3.0]),
        ({"points": None}, [0.0]),
        ({"planes": [1]}, [0.0]),
    ],
)
def test_an_answer_that_is_no_scan_is_refused(
    changed: dict[str, Any], members: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"name": "a", "points": 3, "warnings": [], "planes": [], "sizes": [1], "score": [1], "by": "tree"}
    arrays = (np.eye(3), np.array(members))
    answer = {**told, "candidates": 1, "stability": [1], **changed}
    monkeypatch.setattr(uploads.workers, "once", lambda *asked: Done(0, "", answer, arrays))
    (tmp_path / "a.npy").touch()
    with pytest.raises(ShapeFileError, match="the reading process returned no valid scan"):
        read_scan(tmp_path / "a.npy")


def test_objects_are_listed_with_size_and_verdict(pipelines: Pipelines, found: ScanVerdict) -> None:
    assert [one.verdict for one in found.scene] == found.answers == ["novel", "known"]
    said, listed = texts.verdict(found), texts.table(found)
    assert "2 objects, 1 of them novel" in said and "7,000 points" in said and "<p>Thinned.</p>" in said
    assert "held-out generated scans of chair, table (not your own" in said and listed.count("data-place") == 2
    size = " × ".join(f"{side:.2f}" for side in found.scene.objects[0].box.size)
    assert f"<td>{size}</td>" in listed and "size, m" in listed
    assert "Nearest classes of object 1" in texts.bars(found)
    assert pipelines.show(found, 1).shape.name == "object 2"


def test_nothing_but_a_floor(pipelines: Pipelines, scene: Scene) -> None:
    floor = scene.take(np.arange(4000))
    empty = pipelines.score_scan(ScanInput(floor, find_objects(floor)), Session().with_names("chair"), "tiny")
    assert "No object found" in texts.verdict(empty) and texts.table(empty) == texts.bars(empty) == ""


def test_an_object_becomes_an_example(found: ScanVerdict) -> None:
    session = found.session.with_example("lyre", "z")
    (example,) = session.of("lyre")
    assert example.name == "object 1" and len(example.cloud) == len(found.scene.objects[0].rows)
    assert np.ptp(example.cloud[:, 1]) == pytest.approx(found.scene.objects[0].box.size[2], abs=1e-3)  # y up


@pytest.mark.parametrize("color", ["novelty", "name", "object"])
def test_what_can_be_downloaded(found: ScanVerdict, tmp_path: Path, color: str) -> None:
    cloud, figures = save_results(found, tmp_path, color)
    assert cloud.name == f"my_room.{color}.ply" and len(load_scene(cloud)) == len(found.scene.scene)
    told = json.loads(figures.read_text(encoding="utf-8"))
    assert [one["verdict"] for one in told["objects"]] == ["novel", "known"] and told["calibrated_on"] == "generated"
    if color != "novelty":
        labels = load_scene(cloud).labels
        assert labels is not None
        names = {told["labels"][str(label)] for label in np.unique(labels)}
        assert names >= {"new", "chair", "layout"}
