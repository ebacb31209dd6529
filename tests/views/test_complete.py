from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from published_completion import completion_file, network_of, small_row, text_embedding

from openshape_ood.encoders.protocols import Identity
from openshape_ood.encoders.text.encoder import clean_names
from openshape_ood.errors import CloudError, InputError, UnknownNameError
from openshape_ood.registry.architectures import CompletionSizes
from openshape_ood.views import View, ViewWarning, lift
from openshape_ood.views.affinities import Affinities
from openshape_ood.views.completion import Completer, camera_frame, complete, locate
from openshape_ood.views.completion.network import CompletionNetwork
from openshape_ood.views.geometry import looking, moved

H, W, NAME = 24, 32, ("lamp", "chair")
INTRINSICS = np.array([[30.0, 0, 15.5], [0, 30, 11.5], [0, 0, 1]])
SMALL = CompletionSizes(
    "name", side=8, hidden=8, channels=4, maps=4, groups=2, levels=2, low=(0.6, -1.8, -0.1), high=(4.2, 1.8, 2.3)
)


def view(depth: float = 2.0, yaw: float = 0.7, eye: tuple[float, ...] = (5.0, -3.0, 1.2)) -> View:
    """A wall before a camera that stands somewhere in the world."""
    rgb = np.random.default_rng(0).random((H, W, 3), dtype=np.float32)
    return View(rgb, np.full((H, W), depth, np.float32), INTRINSICS, looking(np.array(eye), yaw, 0.1))


def affinities(names: tuple[str, ...] = NAME) -> Affinities:
    values = np.random.default_rng(1).standard_normal((len(names), H, W)).astype(np.float32)
    values[0, :3] = np.nan
    return Affinities(values, names)


def completer(sizes: CompletionSizes = SMALL) -> Completer:
    torch.manual_seed(0)
    return Completer(CompletionNetwork(sizes), Identity("small", "completion"), torch.device("cpu"))


class Ball(torch.nn.Module):
    """A network that finds the same ball whatever it is given, wider by 10 times the mean of the numbers."""

    def __init__(self, sizes: CompletionSizes = SMALL) -> None:
        super().__init__()
        self.sizes, self.grid = sizes, CompletionNetwork(sizes).grid

    def volume(self, points: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        return numbers.mean().reshape(1, 1, 1, 1, 1)

    def decode(self, volume: torch.Tensor, queries: torch.Tensor, query: torch.Tensor | None) -> torch.Tensor:
        far = (queries - torch.tensor([2.4, 0.2, 1.0])).norm(dim=-1)
        return 10 * (0.5 + volume.flatten()[0] - far)


def balls(yaw: float = 0.7, depth: float = 0.7, focal: float = 30.0):
    """Fields of a lamp with radius 0.5 and a chair of none, behind a wall."""
    seen_by = replace(view(depth, yaw), intrinsics=INTRINSICS * [[focal / 30, 1, 1], [1, focal / 30, 1], [1, 1, 1]])
    seen = Affinities(np.stack([np.zeros((H, W)), np.full((H, W), -0.6)]), NAME)
    model = Completer(Ball(), Identity("ball", "completion"), torch.device("cpu"))
    return complete(seen_by, NAME, affinities=seen, model=model)


def test_a_field_moves_with_the_camera_and_is_the_same_in_pieces(monkeypatch) -> None:
    field = complete(view(), NAME, affinities=affinities(), model=completer())
    queries = moved(np.random.default_rng(2).uniform([1, -1, 0], [4, 1, 2], (50, 3)), np.linalg.inv(field.frame))
    found = field.logits(queries)
    assert found.shape == (2, 50) and np.isfinite(found).all() and not np.allclose(found[0], found[1])
    monkeypatch.setattr("openshape_ood.views.completion.field.PIECE", 7)
    assert np.allclose(field.logits(queries, ["chair"])[0], found[1], atol=1e-5)
    turned = complete(view(yaw=-1.1, eye=(0.0, 1.0, 1.2)), NAME, affinities=affinities(), model=completer())
    elsewhere = moved(moved(queries, field.frame), np.linalg.inv(turned.frame))
    assert np.allclose(turned.logits(elsewhere), found, atol=1e-4)
    assert field.grid(4).shape == (2, 4, 4, 4)
    few = complete(view(), NAME, affinities=affinities(), model=completer(), num_points=100, seed=3)
    assert len(few.points) == 100 and not np.allclose(few.logits(queries), found)


def test_a_mesh_is_in_meters_where_the_thing_is() -> None:
    field = balls()
    mesh = field.mesh("lamp", 40)
    assert mesh.is_watertight and mesh.volume == pytest.approx(4 / 3 * np.pi * 0.5**3, rel=0.03)
    assert np.allclose(moved(mesh.vertices.mean(0), field.frame), [2.4, 0.2, 1.0], atol=0.03)
    assert mesh.export(file_type="glb")[:4] == b"glTF"
    with pytest.raises(InputError, match="'chair' occupies no cell"):
        field.mesh("chair", 16)


def test_what_is_seen_to_be_empty_is_not_filled() -> None:
    behind, before = balls(depth=0.7), balls(depth=3.5)
    assert behind.occupied("lamp", 24).sum() > 100 and not before.occupied("lamp", 24).any()


def test_what_no_known_name_explains_is_novel() -> None:
    field = balls()
    found = field.unexplained(["chair"], 24)
    lamp = field.occupied("lamp", 24)
    assert found.elements.kind == "voxels" and found.is_novel.all() and len(found) >= lamp.sum() > 0
    explained = field.unexplained(["lamp", "chair"], 24)
    assert len(explained) == len(found) and (~explained.is_novel).sum() == lamp.sum()
    assert set(explained.nearest) == {"lamp"}
    with pytest.raises(UnknownNameError, match="'sofa'"):
        field.unexplained(["sofa"])


@pytest.mark.parametrize("depth, focal", [(0.7, 30.0), (3.5, 30.0), (0.7, 120.0)])
def test_what_no_name_explains_is_visible_or_filled_where_the_view_can_tell(depth: float, focal: float) -> None:
    """A ball behind a wall, one that the view sees through, one of which the picture shows a part."""
    field, side = balls(depth=depth, focal=focal), 16
    inside, cells = field.cells_of(field.points, side)
    filled = field.occupied("lamp", side) | field.occupied("chair", side)
    filled.reshape(-1)[cells] = True
    found = np.zeros_like(filled)
    found[tuple(field.unexplained(["chair"], side).elements.rows.T)] = True
    assert inside.any() and np.array_equal(found, filled)
    ball = np.linalg.norm(field.cut(side).centers().numpy() - [2.4, 0.2, 1.0], axis=1).reshape(filled.shape) < 0.5
    whole = {(0.7, 30.0): True, (3.5, 30.0): False, (0.7, 120.0): False}[depth, focal]
    assert found[ball].all() == whole and found[ball].any() == (depth < 3)


def test_names_in_the_hundreds_keep_few_volumes(monkeypatch) -> None:
    monkeypatch.setattr("openshape_ood.views.completion.field.KEPT_BYTES", 1)
    names = tuple(f"thing {i}" for i in range(20))
    field = complete(view(), names, affinities=affinities(names), model=completer())
    assert field.grid(2).shape == (20, 2, 2, 2) and len(field._volumes) <= 2


def test_points_of_views_say_where_they_are_seen_from() -> None:
    seen, told = view(), affinities()
    same = complete(seen, NAME, affinities=told, model=completer())
    lifted = lift(seen, told)
    field = complete(lifted, NAME, model=completer())
    assert np.array_equal(field.grid(3), same.grid(3)) and (field.occupied("lamp", 8) == same.occupied("lamp", 8)).all()
    with pytest.raises(InputError, match="Give the argument frame"):
        complete(replace(lifted, views=()), NAME, model=completer())
    own = complete(replace(lifted, views=()), NAME, model=completer(), frame=camera_frame(seen.pose))
    assert np.array_equal(own.grid(3), same.grid(3))
    with pytest.raises(UnknownNameError, match="'sofa'"):
        complete(lifted, ["sofa"], model=completer())


@pytest.mark.parametrize("layout", ["vool", "semaware_vool", "clip_spatial"])
def test_a_target_is_located_by_each_layout(layout: str) -> None:
    row = small_row(layout, side=8)
    model = Completer(
        network_of(row, completion_file(layout)["net"]), Identity(row.name, "completion"), torch.device("cpu")
    )
    text = SimpleNamespace(encode=lambda names: np.stack([text_embedding(name, 64) for name in clean_names(names)]))
    given = affinities(("lamp", "chair", "lamp behind a chair", "lamp on a chair"))
    seen = view(1.0, 0.0, (-1.1, 0.0, 1.0))  # the world is the frame of the released networks
    fields = [
        locate(seen, "lamp", relation, "chair", affinities=given, model=model, text=text)
        for relation in ("behind", "on")
    ]
    first, second = (field.grid(4) for field in fields)
    assert fields[0].names == ("lamp behind chair",) and np.isfinite(first).all() and not np.allclose(first, second)
    assert (fields[0].frame == np.eye(4)).all()
    if layout != "clip_spatial":
        assert locate(seen, "lamp", "on", "lamp", affinities=given, model=model, text=text).names == ("lamp on lamp",)
    if layout == "vool":
        found = fields[0].grid(8)
        inside = found.reshape(-1) >= found.max() - 0.15 - 1e-6
        assert (fields[0]._above(0, 8) >= -1e-6).sum() == inside.sum()
        with pytest.raises(InputError, match=r"Expected a network of names\. Call locate"):
            complete(seen, ["lamp"], affinities=given, model=model)
    if layout == "semaware_vool":
        with pytest.raises(InputError, match="text embeddings"):
            locate(seen, "lamp", "on", "chair", model=model)


def test_a_network_without_relations_locates_nothing() -> None:
    with pytest.raises(InputError, match=r"was not trained on relations.*semabs-vool"):
        locate(view(), "lamp", "on", "chair", affinities=affinities(), model=completer())
    with pytest.raises(UnknownNameError, match="known: in, behind"):
        locate(view(), "lamp", "beneath", "chair", affinities=affinities(), model=completer())


def test_bad_input_is_told() -> None:
    model = completer()
    with pytest.raises(UnknownNameError, match="sofa"):
        complete(view(), ["sofa"], affinities=affinities(), model=model)
    with pytest.raises(CloudError, match="none of the 768"):
        complete(view(depth=90.0), NAME, affinities=affinities(), model=model)
    with pytest.raises(CloudError, match="none of the 768"):
        complete(view(depth=0.0), NAME, affinities=affinities(), model=model)
    with pytest.raises(InputError, match="Expected equal sizes"):
        complete(view(), NAME, affinities=Affinities(np.zeros((2, 3, 3)), NAME), model=model)
    with pytest.raises(InputError, match="Expected a View"):
        complete("picture.png", NAME, affinities=affinities(), model=model)
    with pytest.raises(InputError, match="inverted"):
        complete(view(), NAME, affinities=affinities(), model=model, frame=np.diag([1, 1, 0, 1]))
    for frame, told in (("room", "finite numbers"), (2 * np.eye(4), "frame has .* as its last row")):
        with pytest.raises(InputError, match=told):
            complete(view(), NAME, affinities=affinities(), model=model, frame=frame)
    with pytest.raises(InputError, match="seed is -1"):
        complete(view(), NAME, affinities=affinities(), model=model, seed=-1)
    field = complete(view(), NAME, affinities=affinities(), model=model)
    with pytest.raises(InputError, match="NaN"):
        field.logits(np.array([[0, 0, np.nan]]))
    with pytest.raises(InputError, match="positions"):
        field.logits(np.zeros((4, 2)))
    with pytest.raises(InputError, match="side"):
        field.grid(0)
    unknown = Affinities(np.full((1, H, W), np.nan), ["lamp"])
    with pytest.warns(ViewWarning, match="no visible point"):
        assert np.isfinite(complete(view(), ["lamp"], affinities=unknown, model=model).grid(2)).all()


def test_the_frame_of_a_camera_that_looks_down() -> None:
    down = looking(np.array([1.0, 2, 3]), 0.3, np.pi / 2)
    frame = camera_frame(down)
    assert np.allclose(frame[:3, :3] @ frame[:3, :3].T, np.eye(3)) and np.allclose(frame @ [1, 2, 0, 1], [0, 0, 0, 1])
