"""What the handlers of the page answer, without a browser."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from openshape_ood.app import scan_tab, surface_tab, texts, view_tab
from openshape_ood.app.fair_queue import HERE, Visitor
from openshape_ood.app.page import _Page
from openshape_ood.app.pipelines import Pipelines
from openshape_ood.app.scan_tab import ScanInput
from openshape_ood.app.session import Session, Shape
from openshape_ood.app.session_store import Visit
from openshape_ood.app.surface_tab import SurfaceInput
from openshape_ood.app.view_tab import ViewInput
from openshape_ood.errors import ShapeFileError
from openshape_ood.synthetic.roads import road_scan
from openshape_ood.synthetic.views import room_view
from openshape_ood.views.affinities import Affinities

# not imported to find out: that takes every process which only collects the tests seconds
EXTRA = find_spec("plotly") is not None
pytestmark = pytest.mark.skipif(not EXTRA, reason="the page needs the extra [app]")
ME = Visitor(HERE, "me")
ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ("chair, table", "tiny", "automatic", "file", "whole model", "novelty")


class Components:
    """Each is called as its attribute."""

    zones = ("dropped", "scan", "view", "good", "surface", "calibration")

    def __getattr__(self, name: str) -> str:
        return name


@pytest.fixture
def page(tmp_path: Path) -> _Page:
    begin: Any = Components()
    gradio = SimpleNamespace(update=dict)
    return _Page(gradio, begin, Pipelines(), tmp_path, Session().with_names("chair, table"), 1)


def generated(page: _Page, visit: Visit, make: Any) -> dict[Any, Any]:
    """The last update."""
    *_, update = page.on_generated(make, "", visit, ME, *SETTINGS)
    assert Path(update["cloud"]["value"]).is_file() and update["plot"]["visible"]
    return update


def test_a_surface_then_good_ones_of_ones_own(page: _Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface_tab, "ROADS", 4)  # 20 in the browser
    visit = Visit(page.begin)
    update = generated(page, visit, surface_tab.generated.__wrapped__)
    assert "Damaged" in update["headline"] == visit.headline and not update["color"]["visible"]
    assert isinstance(visit.input, SurfaceInput) and visit.verdict is None and visit.good is not None
    files = [{"path": str(tmp_path / f"good {i}.npy")} for i in range(3)]
    for i, file in enumerate(files):
        np.save(file["path"], road_scan(i, density=1200).points)
    *_, update = page.on_good(visit, ME, files, *SETTINGS)
    assert visit.good.names == ("good 0.npy", "good 1.npy", "good 2.npy") and update["good"] is None
    assert "3 good clouds" in update["headline"]  # what was compared is compared with these


@pytest.mark.slow
def test_a_room_and_a_view(page: _Page) -> None:
    visit = Visit(page.begin)
    update = generated(page, visit, scan_tab.generated)
    assert isinstance(visit.input, ScanInput) and "object 1" in update["table"] and update["color"]["visible"]
    *_, update = page.on_color(visit, ME, "object")
    assert Path(update["cloud"]["value"]).name == "a_generated_room.object.ply"
    *_, update = page.on_show(visit, ME, 1, "name")
    assert "of object 2" in update["bars"]
    update = generated(page, visit, view_tab.generated)
    assert isinstance(visit.input, ViewInput) and visit.verdict is None and not visit.session.shapes
    assert "in this view" in update["headline"] and "chair" in update["table"] and "sheet" in update["compared"]


def test_a_published_scene_brings_its_names_and_questions(tmp_path: Path) -> None:
    made = room_view(2, categories=["chair", "table"], objects=3, size=(36, 48))
    own = {"rgb": np.rint(255 * made.view.rgb).astype(np.uint8), "depth": np.nan_to_num(made.view.depth)}
    own |= {"cam_intr": made.view.intrinsics, "cam_extr": made.view.pose}
    told = {"ovssc_obj_classes": ["chair"], "descriptions": [["chair", "behind", "table"], ["lamp", "on", "table"]]}
    (tmp_path / "scene.pkl").write_bytes(pickle.dumps(own | told, protocol=4))
    masks = np.stack([made.mask(name) for name in ("chair", "table", "floor")])
    Affinities.from_masks(masks, ["chair", "table", "floor"]).save(tmp_path / "affinities.npz")
    given = view_tab.read_view(sorted(tmp_path.iterdir()))
    shown = view_tab.complete(given, ["floor"], chosen=False)
    assert shown.completed.known == ("chair", "table") and [one.names for one in shown.completed.located]
    assert "Names of the file: chair." in shown.remarks
    assert "Questions of the file: chair behind table." in shown.remarks  # there are no affinities to a lamp
    assert "chair behind table" in texts.things(shown.completed)
    assert view_tab.complete(given, ["floor"]).completed.known[0] == "floor"  # as the visitor chose
    many = {"ovssc_obj_classes": [f"thing {i}" for i in range(60)]}
    (tmp_path / "scene.pkl").write_bytes(pickle.dumps(own | many, protocol=4))
    with pytest.raises(ShapeFileError, match="60 names and 0 questions"):
        view_tab.read_view([tmp_path / "scene.pkl"])


def test_visitors_have_their_own_classes_and_errors_become_a_message(page: _Page) -> None:
    def request(session: str) -> Any:
        return SimpleNamespace(client=None, session_hash=session)

    def answer(session: str, act: Any, *values: Any, opens: bool = False) -> dict[Any, Any]:
        *_, update = page._answered(act, request(session), values, opens)
        return update

    def put(visit: Visit, *_: Any) -> Iterator[dict[Any, Any]]:
        visit.put_shapes([Shape("lamp", np.random.RandomState(0).standard_normal((50, 3)))])
        yield {}

    assert "message" not in answer("a", put, opens=True)
    assert "lamp is now an example of lyre" in answer("a", page.on_add, "lyre", "chair, table", "y")["message"]
    refused = answer("b", page.on_add, "lyre", "chair, table", "y")
    assert "no longer has your shapes" in refused["message"] and refused["headline"] and refused["dropped"] is None
    assert "lyre" not in answer("b", page.on_clear)["known"] and "lyre" in answer("a", page.on_clear)["known"]
    assert "there is no shape yet" in answer("b", page.on_add, "lyre", "chair, table", "y")["message"]


@pytest.mark.slow  # it imports gradio in a process of its own
def test_old_uploads_are_removed_and_results_stay(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from gradio.route_utils import delete_files_created_by_app
from openshape_ood.app.page import build
from openshape_ood.app.pipelines import Pipelines

root = Path(sys.argv[1])
blocks, _ = build(Pipelines(), root / "results", "tiny", ["chair"])
assert blocks.delete_cache == (60, 600)
upload, result = root / "upload.ply", root / "results" / "a.ply"
for path in (upload, result):
    path.parent.mkdir(exist_ok=True)
    path.touch()
blocks.upload_file_set.add(str(upload))
delete_files_created_by_app(blocks, age=600)
assert upload.exists()
delete_files_created_by_app(blocks, age=-1)
assert not upload.exists() and result.exists()
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
