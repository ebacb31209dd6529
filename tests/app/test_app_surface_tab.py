"""Surfaces on the page: read by a process of their own, learned from good ones, compared, said and saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood.app import surface_tab, texts, uploads
from openshape_ood.app.downloads import save_results
from openshape_ood.app.fair_queue import HERE, Visitor
from openshape_ood.app.pictures import turning
from openshape_ood.app.session import Session
from openshape_ood.app.session_store import SessionStore, Visit
from openshape_ood.app.shape_tab import read_each
from openshape_ood.app.surface_tab import GoodSurfaces, SurfaceInput, SurfaceVerdict, compare, learn, read_surface
from openshape_ood.errors import InputError, ShapeFileError
from openshape_ood.shapes.formats.ply import ply_bytes, ply_columns
from openshape_ood.synthetic import generate, sample
from openshape_ood.synthetic.roads import road_scan
from openshape_ood.workers import Done


def cloud(seed: int, *damage: str) -> Mapping[str, np.ndarray]:
    road = road_scan(seed, damage, density=1200)
    return {"points": road.points, "intensity": road.intensity}


def write(path: Path, given: Mapping[str, np.ndarray]) -> Path:
    rows = np.empty(len(given["points"]), [(axis, "<f8") for axis in "xyz"] + [("intensity", "<f4")])
    for name, column in zip(rows.dtype.names or (), (*given["points"].T, given["intensity"]), strict=True):
        rows[name] = column
    path.write_bytes(ply_bytes(rows))
    return path


@pytest.fixture(scope="module")
def good() -> GoodSurfaces:
    return learn([SurfaceInput(f"<b>road</b> {i}.ply", cloud(i)) for i in range(6)])


@pytest.fixture(scope="module")
def found(good: GoodSurfaces) -> SurfaceVerdict:
    return compare(SurfaceInput("my road.ply", cloud(9, "pothole"), ("Thinned.",)), good)


def test_a_cloud_is_read_elsewhere_with_what_was_measured(tmp_path: Path) -> None:
    given = cloud(0)
    read = read_surface(write(tmp_path / "my road.ply", given))
    assert read.name == "my road.ply" and read.remarks == () and set(read.cloud) == {"points", "intensity"}
    assert all(np.array_equal(read.cloud[name], column) for name, column in given.items())
    (tmp_path / "bad.ply").write_bytes(b"ply\n")
    reading = read_each([str(tmp_path / "my road.ply"), str(tmp_path / "bad.ply")], read_surface, strict=True)
    assert next(reading) == "Read 0 of 2 files."
    with pytest.raises(ShapeFileError, match=r"bad\.ply"):
        list(reading)


def test_many_points_are_thinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface_tab, "MAX_ROOM_POINTS", 1000)
    answer, columns = surface_tab._read(str(write(tmp_path / "shape.ply", cloud(0))))
    read = surface_tab._checked(answer, *columns, name="hall.ply")
    assert [len(column) for column in read.cloud.values()] == [1000, 1000]
    assert read.remarks == ("hall.ply was thinned from 7,864 to 1,000 points.",)


@pytest.mark.parametrize(
    "changed, columns",
    [
        ({"measured": ["intensity"]}, [np.eye(3)]),
        ({"measured": ["__class__"]}, [np.eye(3), np.ones(3)]),
        ({"measured": ["intensity"]}, [np.eye(3), np.ones(2)]),
        ({}, [np.eye(4)]),
        ({}, [np.full((3, 3), np.nan)]),
        ({}, [np.empty((0, 3))]),
        ({"points": None}, [np.eye(3)]),
    ],
)
def test_an_answer_that_is_no_cloud_is_refused(
    changed: dict[str, Any], columns: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"points": 3, "measured": [], **changed}
    monkeypatch.setattr(uploads.workers, "once", lambda *asked: Done(0, "", answer, tuple(columns)))
    (tmp_path / "a.npy").touch()
    with pytest.raises(ShapeFileError, match=r"a\.npy: the reading process returned no valid cloud"):
        read_surface(tmp_path / "a.npy")


def test_what_is_said_of_a_damaged_one_and_of_a_good_one(good: GoodSurfaces, found: SurfaceVerdict) -> None:
    said = texts.surface(found)
    assert 'class="box novel"' in said and "Damaged: " in said and "<p>Thinned.</p>" in said
    assert "0 of 6 good clouds are at least as novel" in said and "p = <b>0.143</b>" in said
    assert f"{found.beyond:,} points are above" in said and f"{found.unseen:,} points have no score" in said
    assert f"Good up to {found.result.threshold.value:.3f}" in said and "6 good clouds" in said
    known = texts.surface(compare(SurfaceInput("other.ply", cloud(3)), good))
    assert 'class="box known"' in known and "Good: " in known
    assert "Learned from 6 good clouds" in texts.learned(good) and "&lt;b&gt;road&lt;/b&gt; 0.ply" in texts.learned(
        good
    )
    assert 0 < found.beyond < 2000


def test_what_is_remembered_of_a_visitor_is_counted(good: GoodSurfaces) -> None:
    visit = Visit(Session())
    visit.good = good
    before = visit.nbytes
    visit.put(SurfaceInput("a.ply", cloud(0)))
    assert before > 0 and visit.nbytes - before == 7864 * (3 * 8 + 4)
    visit.put(None)
    assert visit.nbytes == before and visit.input is None


def test_an_object_is_seen_from_all_sides() -> None:
    chair = generate("chair", 2)
    good = learn([SurfaceInput(f"{seed}.npy", {"points": sample(chair, 2000, seed)}) for seed in range(6)])
    found = compare(SurfaceInput("guitar.npy", {"points": sample("guitar", 2000, 1)}), good)
    said = texts.surface(found)
    assert (
        "Damaged" in said and f"<b>{found.result.novelty:.3f}</b>, the mean of the most novel 1 % of its points" in said
    )
    (trace,) = turning(found, "").data
    assert np.ptp(trace.z) > 0.5  # upright


def test_what_can_be_downloaded_and_turned(found: SurfaceVerdict, tmp_path: Path) -> None:
    path, figures = save_results(found, tmp_path)
    assert path.name == "my_road.novelty.ply"
    columns = ply_columns(path.read_bytes())
    assert np.allclose(np.column_stack([columns[axis] for axis in "xyz"]), cloud(9, "pothole")["points"])
    assert len(np.unique(columns["red"])) > 20
    told = json.loads(figures.read_text(encoding="utf-8"))
    assert (told["verdict"], told["unseen_points"], len(told["good"])) == ("damaged", found.unseen, 6)
    (trace,) = turning(found, "").data  # a browser's numbers have seven digits
    assert max(np.abs(trace[axis]).max() for axis in "xyz") < 4


def test_what_cannot_be_compared(good: GoodSurfaces, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"x\.ply"):
        compare(SurfaceInput("x.ply", {"points": cloud(0)["points"]}), good)  # without intensity
    monkeypatch.setattr(surface_tab, "MAX_GOOD_POINTS", 10_000)
    with pytest.raises(InputError, match=r"15,728 points in total\. Expected at most 10,000"):
        learn([SurfaceInput("a.ply", cloud(0)), SurfaceInput("b.ply", cloud(1))])


def test_good_clouds_are_forgotten_after_visits_that_hold_nothing(good: GoodSurfaces) -> None:
    visits = SessionStore(most=2)
    visits.of(Visitor(HERE, "mine"), Session())[0].good = good
    for other in "ab":
        visits.of(Visitor(HERE, other), Session())
    assert visits.of(Visitor(HERE, "mine"), Session())[0].good is good
