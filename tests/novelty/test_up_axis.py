"""Which axis is up: found where the known classes tell, undecided where they do not."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood import KnownClasses, ShapeEmbedder, ShapeEncoder, TextEncoder, localize, score_novelty
from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.novelty import up_axis
from openshape_ood.novelty.up_axis import compare_axes, find_up
from openshape_ood.shapes.points import AxisWarning
from openshape_ood.shapes.shape import list_shapes
from openshape_ood.synthetic import sample

NAMES = ["chair", "table", "sofa"]
EACH = 7


def z_up(cloud: np.ndarray) -> np.ndarray:
    return np.stack([cloud[:, 0], -cloud[:, 2], cloud[:, 1]], axis=1)


def lying(*names: str) -> list[np.ndarray]:
    """Clouds with z up."""
    return [z_up(sample(name, 1024, seed)) for name in names for seed in range(EACH)]


@pytest.fixture(scope="module")
def text() -> TextEncoder:
    return TextEncoder.from_pretrained("tiny")


@pytest.fixture(scope="module")
def by_name(text: TextEncoder) -> KnownClasses:
    return KnownClasses.from_names(NAMES, text)


@pytest.fixture(scope="module")
def by_example(tiny: ShapeEncoder) -> KnownClasses:
    examples = {name: [sample(name, 1024, 100 + seed) for seed in range(10)] for name in NAMES}
    return KnownClasses.from_examples(examples, tiny, up="y")


@pytest.fixture(scope="module")
def furniture() -> list[np.ndarray]:
    return lying(*NAMES)


class Counting:
    """An encoder that counts what it encodes."""

    def __init__(self, encoder: ShapeEncoder) -> None:
        self.encoder, self.count = encoder, 0
        self.identity, self.dim, self.temperature, self.spec = (
            getattr(encoder, name) for name in ("identity", "dim", "temperature", "spec")
        )

    def encode(self, shapes: Any, **settings: Any) -> np.ndarray:
        self.count += len(shapes)
        return self.encoder.encode(shapes, **settings)


@pytest.mark.parametrize("known", ["by_name", "by_example"])
def test_found_by_names_and_by_examples(
    known: str, tiny: ShapeEncoder, furniture: list[np.ndarray], request: pytest.FixtureRequest
) -> None:
    found = find_up(furniture, request.getfixturevalue(known), encoder=tiny)
    assert found.axis == "z" and found.shapes == len(furniture) and set(found.kept) == {"y", "z", "-y"}
    assert (
        found.margin == pytest.approx(found.kept["z"] - max(found.kept["y"], found.kept["-y"])) and found.margin > 0.15
    )
    assert str(found).startswith("z is up: the known classes fit") and found.as_json()["axis"] == "z"


def test_only_novel_shapes_are_not_forced(tiny: ShapeEncoder, by_name: KnownClasses, by_example: KnownClasses) -> None:
    novel = lying("lamp", "car", "guitar")
    for known in (by_name, by_example):
        found = find_up(novel, known, encoder=tiny)
        assert found.axis is None and str(found).startswith("the up axis of 21 shapes is undecided")


def test_one_shape_does_not_tell_and_copies_are_one(tiny: ShapeEncoder, by_name: KnownClasses) -> None:
    one = lying("chair")[:1]
    assert find_up(one, by_name, encoder=tiny).axis is None
    copies = find_up(one * 30, by_name, encoder=tiny)
    assert copies.axis is None and copies.p_value == 1


def test_of_what_is_kept_and_how_novel_each_is() -> None:
    rng = np.random.default_rng(0)
    better = {"y": rng.normal(0.8, 0.1, 40), "z": rng.normal(0.6, 0.1, 40)}
    kept = {"y": np.arange(40) < 10, "z": np.arange(40) < 30}
    assert compare_axes(better, kept).axis == "z" and compare_axes(better, kept).margin == 0.5
    # less novel under z, but no more of them are known: a set of novel shapes
    assert compare_axes(better, {"y": kept["y"], "z": kept["y"]}).axis is None
    # more are kept, but which axis is less novel is chance
    chance = compare_axes({"y": better["y"], "z": better["y"] + rng.normal(0, 0.1, 40)}, kept)
    assert chance.axis is None and chance.p_value > 0.01
    # copies of one shape, embedded in several batches, are one shape
    copies = {"y": 0.8 + rng.uniform(-1e-6, 1e-6, 40), "z": np.full(40, 0.6)}
    assert compare_axes(copies, kept).axis is None and compare_axes(copies, kept).p_value == 1
    # other shapes, by which the axes differ nearly alike, are no copies
    others = {"y": better["z"] + 0.2 + rng.uniform(-1e-6, 1e-6, 40), "z": better["z"]}
    assert compare_axes(others, kept).axis == "z"


def test_score_novelty_finds_it(tiny: ShapeEncoder, furniture: list[np.ndarray]) -> None:
    counting: Any = Counting(tiny)
    text = TextEncoder.from_pretrained("tiny")
    found = score_novelty(furniture, NAMES, encoder=counting, text=text, up="auto")
    assert counting.count == 4 * len(furniture)  # under three axes, then under the one that was found
    told = score_novelty(furniture, NAMES, encoder=tiny, up="z")
    np.testing.assert_allclose(found.embeddings.vectors, told.embeddings.vectors, atol=1e-5)
    np.testing.assert_allclose(found.novelty, told.novelty, atol=1e-5)
    assert found.up_axis.axis == "z" and set(found.up) == {"z"} and found.provenance.up == "auto"
    assert told.up_axis is None


def test_undecided_is_y_and_says_so(tiny: ShapeEncoder) -> None:
    with pytest.warns(AxisWarning, match="1 shape is undecided.* read with y up"):
        found = score_novelty(lying("chair")[:1], NAMES, encoder=tiny, up="auto")
    assert found.up == ("y",) and found.up_axis.axis is None


def test_what_files_state_is_not_questioned(tiny: ShapeEncoder, furniture: list[np.ndarray], tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    path = tmp_path / "box.glb"
    trimesh.creation.box((1, 2, 3)).export(path)
    found = score_novelty([path, *furniture], NAMES, encoder=tiny, up="auto")
    assert found.up == ("y",) + ("z",) * len(furniture) and found.up_axis.shapes == len(furniture)
    alone = score_novelty([path], NAMES, encoder=tiny, up="auto")
    assert alone.up == ("y",) and alone.up_axis is None
    assert found.novelty[0] == pytest.approx(alone.novelty[0], abs=1e-5)


def test_of_very_many_shapes_some_are_read_under_every_axis(
    tiny: ShapeEncoder, text: TextEncoder, by_name: KnownClasses, furniture: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up_axis, "MOST", 16)
    counting: Any = Counting(tiny)
    found = score_novelty(furniture, by_name, encoder=counting, text=text, up="auto")
    assert found.up_axis.shapes == 16 and counting.count == 3 * 16 + len(furniture)
    told = score_novelty(furniture, by_name, encoder=tiny, up="z")
    assert found.up_axis.axis == "z" and np.allclose(found.novelty, told.novelty, atol=1e-5)


class Noting:
    """An encoder that notes which clouds it is given, told by their first number."""

    temperature = None

    def __init__(self, encoder: ShapeEncoder) -> None:
        self.identity, self.dim, self.read = encoder.identity, encoder.dim, list[int]()

    def encode(self, shapes: Any, *, up: Any, **settings: Any) -> np.ndarray:
        self.read += [int(np.asarray(cloud)[0, 0]) for cloud in shapes] if up == "z" else []
        return np.resize(np.eye(self.dim), (len(shapes), self.dim))


@pytest.mark.parametrize("count, most", [(21, 16), (40, 7), (5, 7), (7, 7)])
def test_those_that_are_read_are_spread_over_all(
    tiny: ShapeEncoder, text: TextEncoder, by_name: KnownClasses, count: int, most: int, monkeypatch: Any
) -> None:
    """Files come sorted by folder: the first ones may all be of one class."""
    monkeypatch.setattr(up_axis, "MOST", most)
    noting: Any = Noting(tiny)
    found = find_up([np.full((4, 3), float(i)) for i in range(count)], by_name, encoder=noting, text=text)
    assert found.shapes == len(noting.read) == min(count, most) and noting.read[0] == 0
    assert noting.read[-1] == count - 1 and np.diff(noting.read).min() >= 1
    assert np.diff(noting.read).max() <= np.ceil((count - 1) / (found.shapes - 1))


def test_surfaces_may_lie_any_way(tiny: ShapeEncoder, by_name: KnownClasses) -> None:
    trimesh = pytest.importorskip("trimesh")
    assert list_shapes(["a.OBJ"])[0].is_surface and not list_shapes(["a.ply"])[0].is_surface
    box, cloud = trimesh.creation.box((1, 2, 3)), trimesh.PointCloud(np.eye(3))
    assert list_shapes([box])[0].is_surface and not list_shapes([cloud])[0].is_surface
    assert len(find_up([box, box], by_name, encoder=tiny).kept) == 6
    assert len(find_up([box, np.asarray(box.vertices)], by_name, encoder=tiny).kept) == 3


def test_where_it_makes_no_sense_it_is_refused(tiny: ShapeEncoder, by_name: KnownClasses) -> None:
    cloud = sample("chair", 500, 0)
    for call in (
        lambda: tiny.encode(cloud, up="auto"),
        lambda: ShapeEmbedder("tiny", up="auto").fit(),
        lambda: localize(cloud, NAMES, encoder=tiny, up="auto"),
        lambda: score_novelty(cloud, {"chair": cloud}, encoder=tiny, known_up="auto"),
    ):
        with pytest.raises(UnknownNameError, match="needs known classes and several shapes"):
            call()
    with pytest.raises(InputError, match="at least two axes"):
        find_up([cloud], by_name, encoder=tiny, candidates=["z"])
    with pytest.raises(UnknownNameError, match="a candidate is 'w'"):
        find_up([cloud], by_name, encoder=tiny, candidates=["z", "w"])


def test_where_nothing_states_an_axis_it_is_said(tiny: ShapeEncoder, tmp_path: Path) -> None:
    cloud = sample("chair", 500, 0)
    with pytest.warns(AxisWarning, match="no up axis is given"):
        tiny.encode(cloud)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny.encode(cloud, up="y")
        path = tmp_path / "box.glb"
        pytest.importorskip("trimesh").creation.box((1, 2, 3)).export(path)
        tiny.encode([path])


def test_a_picture_shows_what_is_up_and_says_nothing() -> None:
    plots = pytest.importorskip("openshape_ood.plots")
    pytest.importorskip("matplotlib")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.cloud(sample("chair", 200, 0))
