"""What the handlers of the page answer, without a browser."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood.app import rooms, surfaces, views
from openshape_ood.app.judge import Judge
from openshape_ood.app.page import _Page
from openshape_ood.app.rooms import Room
from openshape_ood.app.session import Session
from openshape_ood.app.surfaces import Surface
from openshape_ood.app.turns import HERE, Visitor
from openshape_ood.app.views import Look
from openshape_ood.app.visits import Visit
from openshape_ood.synthetic.roads import road_scan

# not imported to find out: that takes every process which only collects the tests seconds
EXTRA = all(map(find_spec, ("gradio", "plotly")))
pytestmark = pytest.mark.skipif(not EXTRA, reason="the page needs the extra [app]")
ME = Visitor(HERE, "me")
SETTINGS = ("chair, table", "tiny", "automatic", "file", "whole model", "novelty")


class Components:
    """Each is called as its attribute."""

    files = ("dropped", "room", "look", "good", "surface", "calibration")

    def __getattr__(self, name: str) -> str:
        return name


@pytest.fixture
def page(tmp_path: Path) -> _Page:
    begin: Any = Components()
    return _Page(begin, Judge(), tmp_path, Session().with_names("chair, table"), 1)


def generated(page: _Page, visit: Visit, make: Any) -> dict[Any, Any]:
    """The last update."""
    *_, update = page.on_generated(make, "", visit, ME, *SETTINGS)
    assert Path(update["cloud"]["value"]).is_file() and update["plot"]["visible"]
    return update


def test_a_surface_then_good_ones_of_ones_own(page: _Page, tmp_path: Path) -> None:
    visit = Visit(page.begin)
    update = generated(page, visit, surfaces.generated)
    assert "Damaged" in update["said"] == visit.said and not update["color"]["visible"]
    assert isinstance(visit.held, Surface) and visit.verdict is None and visit.good is not None
    paths = [str(tmp_path / f"good {i}.npy") for i in range(3)]
    for i, path in enumerate(paths):
        np.save(path, road_scan(i, density=1200).points)
    *_, update = page.on_good(visit, ME, paths, *SETTINGS)
    assert visit.good.names == ("good 0.npy", "good 1.npy", "good 2.npy") and update["good"] is None
    assert "beside 3 good clouds" in update["said"]  # what was compared is compared with these


@pytest.mark.slow
def test_a_room_and_a_view(page: _Page) -> None:
    visit = Visit(page.begin)
    update = generated(page, visit, rooms.generated)
    assert isinstance(visit.held, Room) and "object 1" in update["table"] and update["color"]["visible"]
    *_, update = page.on_color(visit, ME, "object")
    assert Path(update["cloud"]["value"]).name == "a_generated_room.object.ply"
    *_, update = page.on_show(visit, ME, 1, "name")
    assert "of object 2" in update["bars"]
    update = generated(page, visit, views.generated)
    assert isinstance(visit.held, Look) and visit.verdict is None and not visit.session.shapes
    assert "in this view" in update["said"] and "chair" in update["table"] and "sheet" in update["compared"]
