"""PointEncoder and segment_scene with made-up weights: what they promise whatever the weights are."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from published_scenes import network, weights

from openshape_ood import KnownClasses, NoveltyMap, PointEncoder, Scene, TextEncoder, Threshold, segment_scene
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import InputError, MixedEncodersError
from openshape_ood.registry import find_checkpoint
from openshape_ood.registry.rows import ScanSpec
from openshape_ood.scenes import ScanWarning
from openshape_ood.scenes.point_encoder import height_and_color
from openshape_ood.scenes.sparse.network import SparseUNet
from openshape_ood.scenes.voxels import voxelize
from openshape_ood.scoring import judge

NAMES = ["chair", "table", "lamp"]
VOXEL, DIM = 0.1, 192


def made_encoder(**changes: Any) -> PointEncoder:
    """In the text space of tiny, 192 wide by its `final`."""
    row = find_checkpoint("openscene-scannet-openseg", kinds=("points",))
    small = network("small")
    sizes = replace(small.sizes, outputs=DIM, embedding="final", bias=False)
    row = replace(row, name="made-up", sizes=sizes, text=find_checkpoint("tiny").text)
    row = replace(row, scan=replace(row.scan, voxel=VOXEL, input="color"), **changes)
    made = SparseUNet(row.sizes)
    stream = torch.Generator().manual_seed(0)
    final = {"final.kernel": torch.randn(8, row.sizes.outputs, generator=stream)}
    kept = {key: one for key, one in weights("small").items() if not key.startswith("final.")}
    made.load_state_dict({**kept, **({} if row.sizes.embedding == "features" else final)}, strict=False)
    return PointEncoder(row, made, "5e", torch.device("cpu"))


@pytest.fixture(scope="module")
def encoder() -> PointEncoder:
    return made_encoder()


@pytest.fixture(scope="module")
def scene() -> Scene:
    """A floor and a box, 4 cm apart, far from the origin."""
    rng = np.random.default_rng(0)
    points = rng.uniform([0, 0, 0], [1.6, 1.2, 0.01], (1500, 3))
    points[:500] = rng.uniform(0.4, 0.8, (500, 3))
    return Scene(points + [1000, -50, 3], rng.uniform(size=(1500, 3)), name="room")


@pytest.fixture(scope="module")
def known() -> KnownClasses:
    return KnownClasses.from_names(NAMES, TextEncoder.from_pretrained("tiny"))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_points_of_a_voxel_share_its_embedding(encoder: PointEncoder, scene: Scene) -> None:
    found = encoder.encode_points(scene)
    assert found.shape == (len(scene), DIM) == (len(scene), encoder.dim) and found.dtype == np.float32
    np.testing.assert_array_equal(found, encoder.encode_points(scene))
    voxels = voxelize(scene.points, VOXEL)
    np.testing.assert_array_equal(found, found[voxels.first][voxels.inverse])
    assert len(np.unique(found, axis=0)) == len(voxels)
    first = Scene(scene.points[voxels.first], scene.color[voxels.first])
    np.testing.assert_array_equal(encoder.encode_points(first), found[voxels.first])
    mixed = np.random.default_rng(1).permutation(len(first))
    np.testing.assert_array_equal(encoder.encode_points(first.take(mixed)), found[voxels.first][mixed])


def test_the_network_is_given_what_the_row_says(encoder: PointEncoder, scene: Scene) -> None:
    row = replace(encoder.row, scan=replace(encoder.row.scan, input="ones"))
    ones = PointEncoder(row, encoder.network, "5e", torch.device("cpu"))
    bare = Scene(scene.points)
    np.testing.assert_array_equal(ones.encode_points(scene), ones.encode_points(bare))
    with pytest.warns(ScanWarning, match="has no color, but made-up was trained with color"):
        gray = encoder.encode_points(bare)
    assert np.array_equal(gray, encoder.encode_points(Scene(scene.points, np.full((len(scene), 3), 0.5))))
    assert not np.array_equal(gray, encoder.encode_points(scene))


def test_height_above_the_floor_and_color_go_in_without_a_warning(scene: Scene) -> None:
    first = np.arange(len(scene))
    found, bare = height_and_color(scene, first), height_and_color(Scene(scene.points), first)
    assert found.shape == (len(scene), 5) and found.dtype == np.float32 and (bare[:, [0]] == 1).all()
    np.testing.assert_allclose(found[:, 2:], scene.color - 0.5, atol=1e-5)
    np.testing.assert_array_equal(found[:, :2], bare[:, :2])
    assert not bare[:, 2:].any()
    np.testing.assert_allclose(bare[:, 1], scene.points[:, 2] - 4, atol=0.02)  # the floor is at 3 m
    higher = Scene(scene.points + [0, 0, 7], scene.color)
    np.testing.assert_allclose(height_and_color(higher, first), found, atol=1e-5)
    made = made_encoder()
    row = replace(made.row, sizes=replace(made.row.sizes, channels=5), scan=ScanSpec(VOXEL, "height-color"))
    encoder = PointEncoder(row, SparseUNet(row.sizes), "5e", torch.device("cpu"))
    assert not np.array_equal(encoder.encode_points(scene), encoder.encode_points(Scene(scene.points)))


def test_a_scan_of_lone_points_is_warned_of(encoder: PointEncoder) -> None:
    points = np.stack(np.meshgrid(*[np.arange(5) * 10.0] * 3), -1).reshape(-1, 3)
    with pytest.warns(ScanWarning, match="hardly touch"):
        assert np.isfinite(encoder.encode_points(Scene(points, np.zeros((125, 3))))).all()


def test_one_point_and_repeated_points(encoder: PointEncoder) -> None:
    one = encoder.encode_points(Scene(np.zeros((1, 3)), np.zeros((1, 3))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ScanWarning)
        many = encoder.encode_points(Scene(np.zeros((4, 3)), np.zeros((4, 3))))
    assert one.shape == (1, DIM) and (many == one).all()


@pytest.mark.parametrize("method", [None, "energy", "mcm", "neglabel"])
def test_a_map_is_what_the_method_says_of_every_point(encoder: PointEncoder, scene: Scene, method: str | None) -> None:
    found = segment_scene(scene, NAMES, encoder=encoder, method=method)
    assert isinstance(found, NoveltyMap) and found.up == "z" and found.name == "room" and found.threshold is None
    assert found.provenance.method == (method or "max_cosine") and found.provenance.identity == encoder.identity
    np.testing.assert_array_equal(found.points, np.hstack([scene.points, scene.color]))
    assert found.nearest is not None and found.similarity is not None
    if method != "neglabel":  # its negative words are not among the known classes here
        text = KnownClasses.from_names(NAMES, TextEncoder.from_pretrained("tiny"))
        expected = judge(encoder.encode_points(scene), text, found.provenance.method)
        np.testing.assert_allclose(found.novelty, expected.novelty, atol=1e-5)
        assert (found.nearest == np.array(NAMES)[expected.nearest]).all()
        np.testing.assert_allclose(found.similarity, expected.similarity.max(axis=1), atol=1e-5)
    assert sum(found.shares().values()) == pytest.approx(1)


def test_classes_by_example_points_and_their_threshold(encoder: PointEncoder, scene: Scene) -> None:
    vectors = encoder.encode_points(scene)
    labels = ["box"] * 500 + ["floor"] * 1000
    known = KnownClasses.from_embeddings(vectors, labels, encoder.identity)
    found = segment_scene(scene, known, encoder=encoder, method="knn")
    value = float(np.quantile(found.novelty, 0.9))
    threshold = Threshold(value, provenance=found.provenance)
    again = segment_scene(scene, known, encoder=encoder, method="knn", threshold=threshold)
    assert 0 < again.is_novel.mean() < 0.2 and again.regions()
    kept = segment_scene(scene, known.with_threshold(threshold), encoder=encoder)
    assert kept.threshold is threshold and kept.provenance.method == "knn"
    with pytest.raises(MixedEncodersError, match="Expected the same encoder and method"):
        segment_scene(scene, known, encoder=encoder, method="nearest_distance", threshold=threshold)


def test_smoothing_is_the_mean_of_what_touches(encoder: PointEncoder, known: KnownClasses) -> None:
    """Three voxels in a row and one alone."""
    points = np.array([[0.05, 0, 0], [0.15, 0, 0], [0.25, 0.1, 0.1], [2, 0, 0]])
    scene = Scene(points, np.eye(4, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ScanWarning)
        raw = segment_scene(scene, known, encoder=encoder)
        once = segment_scene(scene, known, encoder=encoder, smooth=1)
        every = judge(encoder.encode_points(scene), known, "max_cosine").similarity
    groups = [[0, 1], [0, 1, 2], [1, 2], [3]]
    np.testing.assert_allclose(once.novelty, [raw.novelty[group].mean() for group in groups])
    means = np.stack([every[group].mean(axis=0) for group in groups])
    assert once.nearest is not None and (once.nearest == np.array(NAMES)[means.argmax(axis=1)]).all()
    np.testing.assert_allclose(once.similarity, means.max(axis=1), atol=1e-5)


def test_another_text_space_is_refused_and_both_are_named(encoder: PointEncoder, scene: Scene) -> None:
    other = KnownClasses(("chair",), Identity("vitb32", "ViT-B-32-quickgelu/openai"), text=np.eye(1, DIM))
    with pytest.raises(MixedEncodersError, match=r"the text encoder of vitb32, .* by made-up \(sha256 5e\)"):
        segment_scene(scene, other, encoder=encoder)
    with pytest.raises(MixedEncodersError, match=r"vitb32.*openscene-scannet-openseg"):
        segment_scene(scene, other, model="openscene-scannet-openseg")  # before any download
    with pytest.raises(MixedEncodersError, match="the text encoder of vitb32"):
        segment_scene(scene, ["chair"], encoder=encoder, text=TextEncoder.from_pretrained("vitb32"))


@pytest.mark.parametrize(
    "known, settings, said",
    [
        ({"chair": None}, {}, "known is a mapping. Expected a list of names"),
        (["chair", "chair"], {}, "are repeated"),
        (["chair"], {"method": "knn"}, "needs example shapes"),
        (["chair"], {"smooth": -1}, "smooth is -1"),
        (["chair"], {"threshold": 0.5}, "Expected a Threshold"),
        (["chair"], {"encoder": "tiny"}, "has no identity"),
    ],
)
def test_what_cannot_be_used(
    encoder: PointEncoder, scene: Scene, known: Any, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        segment_scene(scene, known, **{"encoder": encoder, **settings})
    with pytest.raises(InputError, match="Expected a Scene"):
        encoder.encode_points("room.ply")  # type: ignore[arg-type]


def test_features_of_another_width_than_names_need_a_projection(encoder: PointEncoder) -> None:
    sizes = replace(encoder.row.sizes, embedding="features", outputs=0, text_width=DIM)
    row = replace(encoder.row, sizes=sizes)
    torch.manual_seed(0)
    projected = PointEncoder(row, SparseUNet(sizes), "5e", torch.device("cpu"))
    text, layer = projected.text(), projected.network.projection_layer
    names = torch.from_numpy(TextEncoder.from_pretrained("tiny").encode(NAMES))
    expected = torch.nn.functional.normalize(layer(names[:, :, None])[:, :, 0], dim=1)
    np.testing.assert_allclose(text.encode(NAMES), expected, atol=1e-5)
    assert projected.dim == 8 and text.identity.fits(projected.identity)
    assert not text.identity.fits(encoder.identity)
    without = PointEncoder(row, SparseUNet(replace(sizes, text_width=0)), "5e", torch.device("cpu"))
    with pytest.raises(InputError, match="has no projection of names"):
        without.text()


def test_a_saved_map_is_read_by_others(encoder: PointEncoder, scene: Scene, tmp_path: Path) -> None:
    import trimesh

    found = segment_scene(scene, NAMES, encoder=encoder)
    cloud: Any = trimesh.load(found.save(tmp_path / "room.ply", color="class"))
    assert len(cloud.vertices) == len(scene)
