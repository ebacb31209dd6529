"""complete_view on made-up networks: figures, what is new, files, pictures."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from openshape_ood import plots
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.plots.views import drawn_at, faces
from openshape_ood.registry.architectures import CompletionSizes
from openshape_ood.scenes import load_scene
from openshape_ood.synthetic.views import RoomView, room_view
from openshape_ood.views import View, ViewWarning
from openshape_ood.views.affinities import Affinities
from openshape_ood.views.completion import CompletedView, Completer, complete_view
from openshape_ood.views.completion.network import CompletionNetwork
from openshape_ood.views.geometry import looking, moved

NAMES = ("chair", "table", "lamp <b>")
SIZES = CompletionSizes(
    "name", side=8, hidden=8, channels=4, maps=4, groups=2, levels=2, low=(0.6, -1.8, -0.1), high=(4.2, 1.8, 2.3)
)


class Near(torch.nn.Module):
    """Fills what is within 0.2 m of a point of the name."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes, self.grid = SIZES, CompletionNetwork(SIZES).grid

    def volume(self, points: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        own = points[0][numbers[0, :, 0] > 0.5]
        return (own if len(own) else torch.full((1, 3), 99.0))[None]

    def decode(self, volume: torch.Tensor, queries: torch.Tensor, query: torch.Tensor | None) -> torch.Tensor:
        return 10 * (0.2 - torch.cdist(queries[0], volume[0]).min(dim=1).values)[None]


@pytest.fixture(scope="module")
def made() -> RoomView:
    return room_view(3, categories=["chair", "table"], foreign=["bicycle"], objects=3)


@pytest.fixture(scope="module")
def found(made: RoomView) -> CompletedView:
    masks = Affinities.from_masks(np.stack([made.mask(name) for name in NAMES]), NAMES)
    model = Completer(Near(), Identity("near", "completion"), torch.device("cpu"))
    return complete_view(made.view, masks, model=model, side=24)


def test_hundreds_of_names_share_the_points_and_are_counted(made: RoomView) -> None:
    many = [f"name {i}" for i in range(120)]
    masks = Affinities.from_masks(np.zeros((120, *made.view.shape), dtype=bool), many)
    said: list[tuple[int, int]] = []
    model = Completer(Near(), Identity("near", "completion"), torch.device("cpu"))
    found = complete_view(made.view, masks, model=model, side=8, progress=lambda *told: said.append(told))
    assert len({part.points.data_ptr() for part in found.field.parts}) == 1
    assert len(found.cells) == 120 and said == [(i + 1, 120) for i in range(120)]
    assert found.field.logits(np.zeros((2, 3)), many[5:7]).shape == (2, 2)


def test_what_no_name_explains_is_listed_with_size_and_place(made: RoomView, found: CompletedView) -> None:
    rows = {one["name"]: one for one in found.rows()}
    assert rows["lamp <b>"] == {
        "name": "lamp <b>", "status": "known", "affinity": 0.0, "liters": 0.0, "size": None, "center": None
    }  # fmt: skip
    seen = [name for name in ("chair", "table") if made.mask(name).any()]
    assert seen and all(rows[name]["liters"] > 10 for name in seen)
    bicycle = next(item for item in made.items if item.foreign)
    center = np.mean(bicycle.box, axis=0)
    new = [one for one in rows.values() if one["status"] == "new"]
    assert min(np.linalg.norm(one["center"] - center) for one in new) < 0.4
    # neither floor nor walls, of which there are most of the points
    assert len(found.voxels) < 0.5 * len(found.field.unexplained(NAMES, 24))
    explained = replace(found, affinities=found.affinities.of(["table"]))
    assert [one["affinity"] for one in explained.rows()][:2] == [None, rows["table"]["affinity"]]


def test_what_is_smaller_than_asked_is_not_listed(found: CompletedView, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = sorted(len(one.indices) for one in found.voxels.regions(1))
    assert cells[0] < 3 <= cells[-2] < 4 < cells[-1]
    monkeypatch.setattr("openshape_ood.views.completion.result.LEAST", 3.4 * found._volume)  # a little over three cells
    assert [len(one.indices) for one in CompletedView.new.func(found)] == cells[-1:]


def test_names_are_checked(found: CompletedView) -> None:
    with pytest.raises(UnknownNameError, match=r"no affinities to 'sofa'\. Expected one of chair"):
        complete_view(found.view, found.affinities, ["sofa"])
    with pytest.raises(InputError, match=r"the view is int\. Expected a CompletedView"):
        plots.completed(3)


def test_files_are_in_meters_and_named_safely(found: CompletedView, tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    written = {path.name: path for path in found.save(tmp_path / "found")}
    told = json.loads(written["view.json"].read_text(encoding="utf-8"))
    assert told["found"] == found.rows() and told["cell_m"] == pytest.approx(np.cbrt(3.6 * 3.6 * 2.4) / 24, abs=1e-3)
    name = next(name for name in NAMES if found.cells[name].any())
    number = NAMES.index(name) + 1
    cells = load_scene(written[f"{number:02}-{name}.ply"])
    assert np.allclose(np.sort(cells.points, axis=0), np.sort(found.centers[found.cells[name]], axis=0))
    assert "03-lamp-b-.ply" not in written  # it fills nothing
    novelty = load_scene(written["novelty.ply"])
    assert len(novelty) == len(found.novelty)
    alone, mesh = trimesh.load(written[f"{number:02}-{name}.obj"], process=False), found.meshes()[name]
    assert np.allclose(alone.vertices, mesh.vertices, atol=1e-6) and np.array_equal(alone.faces, mesh.faces)  # z up
    assert np.array_equal(alone.visual.vertex_colors[0], mesh.visual.vertex_colors[0])
    assert "03-lamp-b-.obj" not in written
    room = trimesh.load(written["completed.glb"])
    turned = room.to_geometry().vertices  # y up
    own = np.concatenate([mesh.vertices for mesh in found.meshes().values()])
    assert np.allclose([turned[:, 1].min(), turned[:, 1].max()], [own[:, 2].min(), own[:, 2].max()], atol=1e-4)
    assert Affinities.load(written["affinities.npz"]).names == NAMES


def test_it_is_drawn_filmed_and_turned(found: CompletedView, tmp_path: Path) -> None:
    pytest.importorskip("imageio")
    drawn = plots.save(found.plot(), tmp_path / "view.png", 40)
    with Image.open(drawn) as picture:
        assert picture.size[0] > 600 and len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 100
    with Image.open(plots.film(found, tmp_path / "view.gif", frames=2)) as film:
        assert film.n_frames == 2
    with pytest.raises(InputError, match=r"Expected a \.gif or \.mp4"):
        plots.film(found, tmp_path / "view.avi")
    figure = plots.turnable(found)
    eye, ahead = figure.layout.scene.camera.eye, found.view.pose[:2, 2]
    assert np.array([eye.x, eye.y]) @ ahead < -0.8 * np.hypot(eye.x, eye.y) * np.linalg.norm(ahead)  # from its camera
    names = [trace.name for trace in figure.data]
    assert names[-1] == "new" and {"chair", "table"} & set(names) and "lamp <b>" not in names


@pytest.mark.parametrize("yaw", [0.0, 0.7, 2.0, -2.8])
def test_what_is_completed_is_drawn_as_the_camera_sees_it(yaw: float) -> None:
    pose = looking(np.array([1.0, 2, 1.5]), yaw, 0.3)
    seen = SimpleNamespace(view=SimpleNamespace(pose=pose))
    middle, right, far, high = moved(np.array([[0, 0, 3.0], [1, 0, 3], [0, 0, 4], [0, -1, 3]]), pose)
    across, rise, near = drawn_at(np.stack([middle, right, far, high]), seen, 0.0)
    assert across[1] - across[0] == pytest.approx(1) and np.allclose(across[2:], across[0])
    assert near[2] < near[0] and rise[3] > rise[0]
    aside, _, _ = drawn_at(np.stack([middle, far]), seen, 30.0)
    assert aside[1] > aside[0]  # from the right of the camera what is far moves to the right


def test_faces_are_those_that_nothing_covers() -> None:
    paint = np.full((3, 3, 3, 3), np.nan)
    paint[1, 1, 1] = paint[1, 1, 2] = 0.5
    quads, colors = faces(paint)
    assert len(quads) == len(colors) == 10  # of twelve, two touch
    assert np.allclose(quads.min(axis=(0, 1)), [1, 1, 1]) and np.allclose(quads.max(axis=(0, 1)), [2, 2, 3])
    assert (np.ptp(quads, axis=1).max(axis=1) == 1).all()


def test_a_view_without_anything_in_it(found: CompletedView) -> None:
    view = found.view
    wall = View(view.rgb, np.full(view.shape, 2.0), view.intrinsics, view.pose, name="a wall")
    none = Affinities.from_masks(np.zeros((1, *view.shape), dtype=bool), ["chair"])
    model = Completer(Near(), Identity("near", "completion"), torch.device("cpu"))
    empty = complete_view(wall, none, model=model, side=8)
    assert [one["liters"] for one in empty.rows()][:1] == [0.0] and not empty.cells["chair"].any()
    assert plots.completed(empty) is not None
    depth = wall.depth.copy()
    depth[:2] = 1e10  # a background, as renderers write it
    assert complete_view(replace(wall, depth=depth), none, model=model, side=8).rows()[0]["liters"] == 0.0
    unknown = Affinities(np.full((1, *view.shape), np.nan), ["chair"])
    with pytest.warns(ViewWarning, match="no visible point"):
        untold = complete_view(wall, unknown, model=model, side=8)
    assert json.loads(json.dumps(untold.as_json(), allow_nan=False))["found"][0]["affinity"] is None


def test_an_mp4_film_has_every_frame_to_the_other_side_and_back(found: CompletedView, tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    film = plots.film(found, tmp_path / "view.mp4", frames=3)
    how = ["-vf", "scale=64:64", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run([ffmpeg, "-v", "error", "-i", film, *how], capture_output=True, check=True)
    first, middle, last, again = np.frombuffer(done.stdout, np.uint8).reshape(-1, 64, 64, 3).astype(int)
    assert np.abs(first - last).mean() > 1 > np.abs(middle - again).mean()
    assert [path.name for path in tmp_path.iterdir()] == ["view.mp4"]
