"""localize on the embedded encoder: planted parts, frames, banks, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from openshape_ood import KnownClasses, NoveltyMap, ShapeEncoder, TextEncoder, localize
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Identity, Patches
from openshape_ood.errors import CloudError, FileError, InputError, MixedEncodersError, UnknownNameError
from openshape_ood.known import MemoryBank
from openshape_ood.novelty_map.patches import baseline
from openshape_ood.novelty_map.patches import weights as patch_weights
from openshape_ood.shapes import CloudSpec
from openshape_ood.shapes.points import check_cloud, prepare
from openshape_ood.shapes.reading import load_shape
from openshape_ood.shapes.shape import list_shapes, resolve_ups
from openshape_ood.synthetic import sample
from openshape_ood.synthetic.planted import plant

EXAMPLES = {name: [sample(name, 1024, seed) for seed in range(12)] for name in ("chair", "table")}


@pytest.fixture(scope="module")
def bank(tiny: ShapeEncoder) -> KnownClasses:
    return KnownClasses.from_examples(EXAMPLES, tiny, patches="local")


@pytest.fixture(scope="module")
def found(tiny: ShapeEncoder, bank: KnownClasses) -> NoveltyMap:
    return localize(plant("chair", "guitar", 1500, seed=3).cloud, bank, encoder=tiny)


def test_the_foreign_part_is_the_most_novel(tiny: ShapeEncoder, bank: KnownClasses) -> None:
    shapes = [
        plant(host, "plant", 1500, seed, keep) for host, keep in (("chair", 0.55), ("table", 1)) for seed in (1, 2)
    ]
    areas = [roc_auc_score(s.foreign, localize(s.cloud, bank, encoder=tiny).novelty) for s in shapes]
    # 97 on average over 180 shapes, by `python -m benchmarks localize`
    assert np.mean(areas) > 0.9


def test_the_most_novel_region_is_the_foreign_part(tiny: ShapeEncoder, bank: KnownClasses) -> None:
    shape = plant("table", "plant", 1500, seed=1, keep=1)
    region = localize(shape.cloud, bank, encoder=tiny).peak(0.1)
    assert region.sum() == 150
    assert shape.foreign[region].mean() > 0.9


def test_a_point_s_novelty_is_the_weighted_mean_of_its_patches(
    tiny: ShapeEncoder, bank: KnownClasses, found: NoveltyMap
) -> None:
    # written out: every patch against every row of the bank, Gaussian weights in the encoder's frame
    features, centers, radius = tiny.encode_patches([found.points], stage="local")
    own = features[0].astype(np.float64) / np.linalg.norm(features[0].astype(np.float64), axis=1, keepdims=True)
    distance = 1 - own @ bank.patches.features.astype(np.float64).T
    np.testing.assert_allclose(found.patches.novelty, distance.min(axis=1), atol=1e-5)
    places = (found.points - found.points[_sampled(found)].mean(axis=0)) / _radius(found)
    far = np.linalg.norm(places[:, None] - centers[0][None], axis=-1)
    weights = np.exp(-(far**2) / (2 * radius**2))
    np.testing.assert_allclose(found.novelty, weights @ found.patches.novelty / weights.sum(axis=1), atol=1e-5)
    names = np.array(bank.names)[bank.patches.labels[distance.argmin(axis=1)]]
    assert (found.patches.nearest == names).all()
    votes = np.stack([weights[:, names == name].sum(axis=1) for name in bank.names], axis=1)
    assert (np.array(bank.names)[votes.argmax(axis=1)] == found.nearest).all()


def _sampled(found: NoveltyMap) -> np.ndarray:
    from openshape_ood.shapes.points import resample

    return resample(len(found.points), 1024, 0)


def _radius(found: NoveltyMap) -> float:
    own = found.points[_sampled(found)]
    return float(np.linalg.norm(own - own.mean(axis=0), axis=1).max())


@pytest.mark.parametrize("up", ["y", "z", "x", "-y", "-z"])
def test_centers_are_points_of_the_shape_in_its_own_frame(tiny: ShapeEncoder, bank: KnownClasses, up: str) -> None:
    cloud = 1000 * plant("chair", "guitar", 1500, seed=3).cloud + [5e6, -3e6, 40]
    found = localize(cloud, bank, encoder=tiny, up=up)
    assert (found.points == cloud).all()
    assert all((cloud == center).all(axis=1).any() for center in found.patches.centers)
    # and they are where the encoder put its patches
    own = prepare(check_cloud(cloud, "it"), CloudSpec(1024, "y", 0.4), up=up, seed=0, name="it")[:, :3]
    centers = tiny.encode_patches([cloud], up=up, stage="local").centers
    order = [np.flatnonzero((own == center).all(axis=1))[0] for center in centers[0]]
    assert (cloud[_sampled(found)][order] == found.patches.centers).all()


def test_unit_and_place_change_nothing(tiny: ShapeEncoder, bank: KnownClasses, found: NoveltyMap) -> None:
    moved = localize(found.points * 25.4 - [1e5, 2e5, 0], bank, encoder=tiny)
    np.testing.assert_allclose(moved.novelty, found.novelty, atol=1e-5)


def test_a_known_shape_stays_mostly_below_the_limit(tiny: ShapeEncoder, bank: KnownClasses) -> None:
    shapes = [localize(sample("chair", 1024, seed), bank, encoder=tiny) for seed in range(50, 58)]
    assert np.mean([~one.is_novel for one in shapes]) > 0.8
    assert 0 < shapes[0].baseline < shapes[0].threshold.value


def test_the_threshold_compares_each_shape_with_the_others_only(tiny: ShapeEncoder) -> None:
    def measured(examples: dict[str, list[np.ndarray]]) -> Threshold:
        return baseline(MemoryBank.from_examples(examples, tiny, stage="local"))[1]

    pair = measured({"chair": EXAMPLES["chair"][:2]})
    assert pair.value > 0.005
    # a copy is no other shape, and a class of one has no like to be compared with
    copied = measured({"chair": [*EXAMPLES["chair"][:2], EXAMPLES["chair"][0]]})
    assert copied.value == pytest.approx(pair.value, abs=1e-5)
    beside = measured({"chair": EXAMPLES["chair"][:2], "lamp": [sample("lamp", 1024, 1)]})
    assert 0 < beside.value <= pair.value + 1e-5  # the chairs alone say it; the lamp can only be nearer


def test_by_tokens_and_by_names(tiny: ShapeEncoder) -> None:
    cloud = sample("chair", 1024, 3)
    tokens = localize(cloud, EXAMPLES, encoder=tiny, by="tokens")
    names = localize(cloud, ["chair", "table"], encoder=tiny)
    assert (tokens.provenance.method, names.provenance.method) == ("tokens", "text")
    assert names.threshold is None and np.isnan(names.baseline) and np.isfinite(tokens.threshold.value)
    text = TextEncoder.from_pretrained("tiny").encode(["chair", "table"]).astype(np.float64)
    own = tiny.encode_patches([cloud], stage="projected")[0][0].astype(np.float64)
    cosine = (own / np.linalg.norm(own, axis=1, keepdims=True)) @ text.T
    np.testing.assert_allclose(names.patches.novelty, 1 - cosine.max(axis=1), atol=1e-5)
    low, high = names.bounds()
    assert (low, high) == (names.novelty.min(), names.novelty.max())


def test_known_names_are_compared_with(tiny: ShapeEncoder) -> None:
    bank = KnownClasses.from_names(["chair", "table"], TextEncoder.from_pretrained("tiny"))
    cloud = sample("chair", 1024, 3)
    one, other = localize(cloud, bank, encoder=tiny), localize(cloud, ["chair", "table"], encoder=tiny)
    assert (one.novelty == other.novelty).all()


def test_saved_classes_give_the_same_map(
    tiny: ShapeEncoder, bank: KnownClasses, found: NoveltyMap, tmp_path: Path
) -> None:
    again = localize(found.points, KnownClasses.load(bank.save(tmp_path / "known.safetensors")), encoder=tiny)
    assert (again.novelty == found.novelty).all() and (again.nearest == found.nearest).all()
    assert (again.baseline, again.threshold.value) == (found.baseline, found.threshold.value)


def test_joined_classes_are_one_memory(tiny: ShapeEncoder, bank: KnownClasses, found: NoveltyMap) -> None:
    parts = [KnownClasses.from_examples({name: own}, tiny, patches="local") for name, own in EXAMPLES.items()]
    joined = localize(found.points, KnownClasses.join(*parts), encoder=tiny)
    np.testing.assert_allclose(joined.novelty, found.novelty, atol=1e-5)
    assert joined.threshold.value == pytest.approx(found.threshold.value, abs=1e-5)


def test_classes_known_both_ways_are_compared_by_patches_unless_told(tiny: ShapeEncoder, found: NoveltyMap) -> None:
    text = TextEncoder.from_pretrained("tiny")
    both = KnownClasses.from_both(["lamp", "chair", "table"], EXAMPLES, tiny, text, patches="local")
    own = localize(found.points, both, encoder=tiny)
    np.testing.assert_allclose(own.novelty, found.novelty, atol=1e-5)
    assert own.classes.tolist() == ["chair", "table"]
    by_name = localize(found.points, both, encoder=tiny, by="text")
    assert by_name.classes.tolist() == ["lamp", "chair", "table"] and by_name.threshold is None


def test_the_threshold_says_whose_it_is(tiny: ShapeEncoder, found: NoveltyMap) -> None:
    threshold = found.threshold
    assert threshold.coverage == 0.95 and threshold.n == 24 * 48
    threshold.check_fits(found.provenance)
    assert (threshold.scores <= threshold.value).mean() == pytest.approx(0.95, abs=1e-3)
    assert (threshold.scores <= found.baseline).mean() == pytest.approx(0.5, abs=1e-3)


class Corners:
    """An encoder of patches of one's own: eight balls about the points nearest the corners, by their mean height."""

    identity = Identity("corners", "none", "1")
    spec = CloudSpec(256, "y", 0.4)
    dim, temperature = 4, None

    def encode_patches(
        self, shapes: Any, *, stage: Any = "tokens", up: Any = "file", seed: int = 0, **_: Any
    ) -> Patches:
        listed = list_shapes(shapes)
        ups = resolve_ups(up, listed)
        clouds = [
            prepare(one.cloud(256, seed), CloudSpec(256, "y", 0.4), up=axis, seed=seed, name=one.name)[:, :3]
            for one, axis in zip(listed, ups, strict=True)
        ]
        corners = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, -1).T
        features, centers = [], []
        for cloud in clouds:
            own = cloud[np.linalg.norm(cloud[:, None] - corners[None], axis=2).argmin(axis=0)]
            near = np.linalg.norm(cloud[None] - own[:, None], axis=2) < 0.5
            height = np.array([cloud[ball, 1].mean() for ball in near])
            features.append(np.stack([height, 1 - height, near.mean(axis=1), np.ones(8)], axis=1))
            centers.append(own)
        return Patches(np.float32(features), np.float32(centers), 0.5)


def test_an_encoder_of_one_s_own_localizes() -> None:
    encoder: Any = Corners()
    shape = plant("chair", "guitar", 700, seed=3)
    found = localize(shape.cloud, EXAMPLES, encoder=encoder)
    assert len(found) == 700 and found.patches.novelty.shape == (8,) and found.provenance.identity is encoder.identity
    assert (found.points == shape.cloud).all() and np.isfinite(found.threshold.value)
    with pytest.raises(InputError, match=r"corners has no text encoder\. Expected one for names\. Give text="):
        localize(shape.cloud, ["chair"], encoder=encoder)


def test_classes_without_examples_are_left_out(tiny: ShapeEncoder) -> None:
    found = localize(sample("chair", 1024, 3), {**EXAMPLES, "lamp": None}, encoder=tiny)
    assert found.classes.tolist() == ["chair", "table"]
    assert sum(found.shares().values()) == pytest.approx(1)


def test_same_arguments_same_map(tiny: ShapeEncoder, bank: KnownClasses, found: NoveltyMap) -> None:
    again = localize(found.points, bank, encoder=tiny)
    assert (again.novelty == found.novelty).all() and (again.nearest == found.nearest).all()
    assert not np.array_equal(localize(found.points, bank, encoder=tiny, seed=1).novelty, found.novelty)


def test_the_file_reads_back(found: NoveltyMap, tmp_path: Path) -> None:
    path = found.save(tmp_path / "chair.ply")
    cloud = load_shape(path)
    assert (cloud[:, :3] == found.points).all()
    np.testing.assert_allclose(cloud[:, 3:], found.colors(), atol=0.5 / 255 + 1e-9)
    header = path.read_bytes().split(b"end_header")[0].decode()
    assert "\ncomment up y\n" in header
    assert 'comment class 0 "chair"' in header and "property float novelty" in header
    by_class = load_shape(found.save(tmp_path / "class.ply", color="class"))
    assert len(np.unique(by_class[:, 3:], axis=0)) == len(np.unique(found.nearest))


def test_a_file_by_trimesh_reads_the_same(found: NoveltyMap, tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    other = trimesh.load(found.save(tmp_path / "chair.ply"))
    np.testing.assert_allclose(other.vertices, found.points)
    assert (other.colors[:, :3] == np.rint(found.colors() * 255)).all()


def test_a_strange_name_ends_no_header(tiny: ShapeEncoder, tmp_path: Path) -> None:
    examples = {"chair\nend_header\n": EXAMPLES["chair"][:3], "Stühle": EXAMPLES["table"][:3]}
    found = localize(EXAMPLES["chair"][0], examples, encoder=tiny)
    assert len(load_shape(found.save(tmp_path / "chair.ply"))) == 1024


def test_it_is_whole_or_not_there(found: NoveltyMap, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"chair\.obj.*of points is saved as a \.ply file"):
        found.save(tmp_path / "chair.obj")
    with pytest.raises(FileError, match="cannot write the novelty map"):
        found.save(tmp_path / "nowhere" / "chair.ply")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "known, by, message",
    [
        (["chair"], "local", "only names"),
        (["chair"], "guess", "unknown by 'guess'; known: local, tokens, text"),
        ("chair", None, r"known is 'chair'\. Expected a list of names"),
        ({"chair": None}, "local", "only names"),
        ({"chair": EXAMPLES["chair"][:1]}, None, "no class has two different example shapes"),
        ({"chair": EXAMPLES["chair"][:1] * 2}, None, "no class has two different example shapes"),
        ({"chair": np.ones((3, 192), dtype=np.float32)}, None, "embeddings have no patches"),
        ({"chair": ["sofa", "couch"]}, None, "class 'chair' has .*couch.* as its examples"),
        ([], None, "no known classes"),
    ],
)
def test_what_cannot_be_compared_is_said(tiny: ShapeEncoder, known: object, by: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        localize(EXAMPLES["chair"][0], known, encoder=tiny, by=by)


def test_more_than_one_shape_is_refused(tiny: ShapeEncoder, bank: KnownClasses) -> None:
    with pytest.raises(CloudError, match=r"there are 2 shapes\. Expected one"):
        localize(EXAMPLES["chair"][:2], bank, encoder=tiny)


def test_a_bank_keeps_its_stage(tiny: ShapeEncoder, bank: KnownClasses) -> None:
    with pytest.raises(InputError, match=r"by is 'tokens', but these known classes have 'local'\..* Leave by out"):
        localize(EXAMPLES["chair"][0], bank, encoder=tiny, by="tokens")
    embeddings = KnownClasses.from_examples(EXAMPLES, tiny)
    with pytest.raises(InputError, match="have no patches"):
        localize(EXAMPLES["chair"][0], embeddings, encoder=tiny)


def test_a_bank_of_another_encoder_is_refused(tiny: ShapeEncoder, bank: KnownClasses) -> None:
    from dataclasses import replace

    other = replace(bank, identity=replace(bank.identity, checkpoint="vitb32", sha256="0" * 64))
    with pytest.raises(MixedEncodersError, match="vitb32"):
        localize(EXAMPLES["chair"][0], other, encoder=tiny)


def test_a_bank_says_whose_it_is_before_anything_is_fetched(bank: KnownClasses) -> None:
    with pytest.raises(MixedEncodersError, match=r"by tiny .* by vitb32"):
        localize(EXAMPLES["chair"][0], bank, model="vitb32")


def test_what_patches_cannot_be_made_of(tiny: ShapeEncoder, bank: KnownClasses) -> None:
    with pytest.raises(InputError, match="Expected an encoder object"):
        localize(EXAMPLES["chair"][0], EXAMPLES, encoder="tiny")
    with pytest.raises(UnknownNameError, match="unknown stage 'last'; known: "):
        KnownClasses.from_examples(EXAMPLES, tiny, patches="last")
    with pytest.raises(InputError, match="Leave it out"):
        localize(EXAMPLES["chair"][0], bank, encoder=tiny, known_up="z")


def test_it_prints_in_a_line(found: NoveltyMap) -> None:
    assert repr(found) == "NoveltyMap('the shape', 1500 points, by 'local' against chair, table)"


@pytest.mark.parametrize("share", ["a", 0, -1, 1.5, float("nan")])
def test_a_region_is_a_part(found: NoveltyMap, share: float) -> None:
    with pytest.raises(InputError, match="share is"):
        found.peak(share)


def test_weights_sum_to_one_however_far() -> None:
    weights = patch_weights(np.array([[0.0, 0, 0], [1e6, 0, 0]]), np.eye(3), radius=0.01)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights[0], 1 / 3)
    assert weights[1].tolist() == [1, 0, 0]
