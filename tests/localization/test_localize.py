"""localize on the embedded encoder: planted parts, frames, banks, errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from openshape_ood import Known, NoveltyMap, ShapeEncoder, TextEncoder, localize
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import CloudError, FileError, InputError, MixedEncodersError
from openshape_ood.localization.bank import PatchBank
from openshape_ood.localization.baseline import baseline
from openshape_ood.localization.interpolation import weights as patch_weights
from openshape_ood.shapes.points import check_cloud, prepare
from openshape_ood.shapes.reading import load_shape
from openshape_ood.synthetic import sample
from openshape_ood.synthetic.planted import plant

EXAMPLES = {name: [sample(name, 1024, seed) for seed in range(12)] for name in ("chair", "table")}


@pytest.fixture(scope="module")
def bank(tiny: ShapeEncoder) -> PatchBank:
    return PatchBank.from_examples(EXAMPLES, tiny)


@pytest.fixture(scope="module")
def found(tiny: ShapeEncoder, bank: PatchBank) -> NoveltyMap:
    return localize(plant("chair", "guitar", 1500, seed=3).cloud, bank, encoder=tiny)


def test_the_foreign_part_is_the_most_novel(tiny: ShapeEncoder, bank: PatchBank) -> None:
    shapes = [
        plant(host, "plant", 1500, seed, keep) for host, keep in (("chair", 0.55), ("table", 1)) for seed in (1, 2)
    ]
    areas = [roc_auc_score(s.foreign, localize(s.cloud, bank, encoder=tiny).novelty) for s in shapes]
    # 97 on average over 180 shapes, by `python -m benchmarks.localize`
    assert np.mean(areas) > 0.9


def test_the_most_novel_region_is_the_foreign_part(tiny: ShapeEncoder, bank: PatchBank) -> None:
    shape = plant("table", "plant", 1500, seed=1, keep=1)
    region = localize(shape.cloud, bank, encoder=tiny).peak(0.1)
    assert region.sum() == 150
    assert shape.foreign[region].mean() > 0.9


def test_a_point_s_novelty_is_the_weighted_mean_of_its_patches(
    tiny: ShapeEncoder, bank: PatchBank, found: NoveltyMap
) -> None:
    # written out: every patch against every row of the bank, Gaussian weights in the encoder's frame
    features, centers, radius = tiny.encode_patches([found.points], stage="local")
    own = features[0].astype(np.float64) / np.linalg.norm(features[0].astype(np.float64), axis=1, keepdims=True)
    distance = 1 - own @ bank.patches.features.astype(np.float64).T
    np.testing.assert_allclose(found.patches.novelty, distance.min(axis=1), atol=1e-6)
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
def test_centers_are_points_of_the_shape_in_its_own_frame(tiny: ShapeEncoder, bank: PatchBank, up: str) -> None:
    cloud = 1000 * plant("chair", "guitar", 1500, seed=3).cloud + [5e6, -3e6, 40]
    found = localize(cloud, bank, encoder=tiny, up=up)
    assert (found.points == cloud).all()
    assert all((cloud == center).all(axis=1).any() for center in found.patches.centers)
    # and they are where the encoder put its patches
    own = prepare(check_cloud(cloud, "it"), count=1024, up=up, to="y", color=0.4, seed=0, name="it")[:, :3]
    centers = tiny.encode_patches([cloud], up=up, stage="local").centers
    order = [np.flatnonzero((own == center).all(axis=1))[0] for center in centers[0]]
    assert (cloud[_sampled(found)][order] == found.patches.centers).all()


def test_unit_and_place_change_nothing(tiny: ShapeEncoder, bank: PatchBank, found: NoveltyMap) -> None:
    moved = localize(found.points * 25.4 - [1e5, 2e5, 0], bank, encoder=tiny)
    np.testing.assert_allclose(moved.novelty, found.novelty, atol=1e-5)


def test_a_known_shape_stays_mostly_below_the_limit(tiny: ShapeEncoder, bank: PatchBank) -> None:
    shapes = [localize(sample("chair", 1024, seed), bank, encoder=tiny) for seed in range(50, 58)]
    assert np.mean([~one.is_novel for one in shapes]) > 0.8
    assert 0 < shapes[0].baseline < shapes[0].threshold.value


def test_the_threshold_compares_each_shape_with_the_others_only(tiny: ShapeEncoder) -> None:
    def measured(examples: dict[str, list[np.ndarray]]) -> Threshold:
        return baseline(PatchBank.from_examples(examples, tiny).patches)[1]

    pair = measured({"chair": EXAMPLES["chair"][:2]})
    assert pair.value > 0.005
    # a copy is no other shape, and a class of one has no like to be compared with
    copied = measured({"chair": [*EXAMPLES["chair"][:2], EXAMPLES["chair"][0]]})
    assert copied.value == pair.value
    beside = measured({"chair": EXAMPLES["chair"][:2], "lamp": [sample("lamp", 1024, 1)]})
    assert 0 < beside.value <= pair.value  # the chairs alone say it; the lamp can only be nearer


def test_by_tokens_and_by_names(tiny: ShapeEncoder) -> None:
    cloud = sample("chair", 1024, 3)
    tokens = localize(cloud, EXAMPLES, encoder=tiny, by="tokens")
    names = localize(cloud, ["chair", "table"], encoder=tiny)
    assert (tokens.provenance.method, names.provenance.method) == ("tokens", "text")
    assert names.threshold is None and np.isnan(names.baseline) and np.isfinite(tokens.threshold.value)
    text = TextEncoder.from_pretrained("tiny").encode(["chair", "table"]).astype(np.float64)
    own = tiny.encode_patches([cloud], stage="projected")[0][0].astype(np.float64)
    cosine = (own / np.linalg.norm(own, axis=1, keepdims=True)) @ text.T
    np.testing.assert_allclose(names.patches.novelty, 1 - cosine.max(axis=1), atol=1e-6)
    low, high = names.bounds()
    assert (low, high) == (names.novelty.min(), names.novelty.max())


def test_known_names_are_compared_with(tiny: ShapeEncoder) -> None:
    bank = Known.from_names(["chair", "table"], TextEncoder.from_pretrained("tiny"))
    cloud = sample("chair", 1024, 3)
    one, other = localize(cloud, bank, encoder=tiny), localize(cloud, ["chair", "table"], encoder=tiny)
    assert (one.novelty == other.novelty).all()


def test_classes_without_examples_are_left_out(tiny: ShapeEncoder) -> None:
    found = localize(sample("chair", 1024, 3), {**EXAMPLES, "lamp": None}, encoder=tiny)
    assert found.classes.tolist() == ["chair", "table"]
    assert sum(found.shares().values()) == pytest.approx(1)


def test_same_arguments_same_map(tiny: ShapeEncoder, bank: PatchBank, found: NoveltyMap) -> None:
    again = localize(found.points, bank, encoder=tiny)
    assert (again.novelty == found.novelty).all() and (again.nearest == found.nearest).all()
    assert not np.array_equal(localize(found.points, bank, encoder=tiny, seed=1).novelty, found.novelty)


def test_the_file_reads_back(found: NoveltyMap, tmp_path: Path) -> None:
    path = found.save(tmp_path / "chair.ply")
    cloud = load_shape(path)
    assert (cloud[:, :3] == found.points).all()
    np.testing.assert_allclose(cloud[:, 3:], found.colors(), atol=0.5 / 255 + 1e-9)
    header = path.read_bytes().split(b"end_header")[0].decode()
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
    with pytest.raises(InputError, match=r"\.ply file; given was points and .*chair\.obj"):
        found.save(tmp_path / "chair.obj")
    with pytest.raises(FileError, match="cannot write the novelty map"):
        found.save(tmp_path / "nowhere" / "chair.ply")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "known, by, message",
    [
        (["chair"], "local", "these are names only"),
        (["chair"], "guess", "by is 'guess'; expected one of 'local', 'tokens', 'text'"),
        ("chair", None, "known is 'chair'; expected a list of names"),
        ({"chair": None}, "local", "only names"),
        ({"chair": EXAMPLES["chair"][:1]}, None, "no class has two different example shapes"),
        ({"chair": EXAMPLES["chair"][:1] * 2}, None, "no class has two different example shapes"),
        ({"chair": np.ones((3, 192), dtype=np.float32)}, None, "Patches need the example shapes"),
        ([], None, "no known classes"),
    ],
)
def test_what_cannot_be_compared_is_said(tiny: ShapeEncoder, known: object, by: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        localize(EXAMPLES["chair"][0], known, encoder=tiny, by=by)  # type: ignore[arg-type]


def test_more_than_one_shape_is_refused(tiny: ShapeEncoder, bank: PatchBank) -> None:
    with pytest.raises(CloudError, match="there are 2 shapes; expected one"):
        localize(EXAMPLES["chair"][:2], bank, encoder=tiny)


def test_a_bank_keeps_its_stage(tiny: ShapeEncoder, bank: PatchBank) -> None:
    with pytest.raises(InputError, match="holds patches of the stage 'local'"):
        localize(EXAMPLES["chair"][0], bank, encoder=tiny, by="tokens")
    embeddings = Known.from_examples(EXAMPLES, tiny)
    with pytest.raises(InputError, match="keeps no patches"):
        localize(EXAMPLES["chair"][0], embeddings, encoder=tiny)


def test_a_bank_of_another_encoder_is_refused(tiny: ShapeEncoder, bank: PatchBank) -> None:
    from dataclasses import replace

    other = replace(bank, identity=replace(bank.identity, checkpoint="vitb32", sha256="0" * 64))
    with pytest.raises(MixedEncodersError, match="vitb32"):
        localize(EXAMPLES["chair"][0], other, encoder=tiny)


def test_a_bank_says_whose_it_is_before_anything_is_fetched(bank: PatchBank) -> None:
    with pytest.raises(MixedEncodersError, match=r"by tiny .* by vitb32"):
        localize(EXAMPLES["chair"][0], bank)


def test_what_a_bank_cannot_be_made_of(tiny: ShapeEncoder, bank: PatchBank) -> None:
    with pytest.raises(InputError, match="encoder is 'tiny'; expected a ShapeEncoder"):
        PatchBank.from_examples(EXAMPLES, "tiny")
    with pytest.raises(InputError, match="unknown stage 'projected' of a bank; known: local, tokens"):
        PatchBank.from_examples(EXAMPLES, tiny, patches="projected")
    with pytest.raises(InputError, match="Leave known_up out"):
        localize(EXAMPLES["chair"][0], bank, encoder=tiny, known_up="z")


def test_they_print_in_a_line(bank: PatchBank, found: NoveltyMap) -> None:
    assert repr(found) == "NoveltyMap('the shape', 1500 points, by 'local' against chair, table)"
    assert repr(bank).startswith("PatchBank(chair, table: 1152 local patches of tiny (sha256")


@pytest.mark.parametrize("share", ["a", 0, -1, 1.5, float("nan")])
def test_a_region_is_a_part(found: NoveltyMap, share: float) -> None:
    with pytest.raises(InputError, match="share is"):
        found.peak(share)


def test_weights_sum_to_one_however_far() -> None:
    weights = patch_weights(np.array([[0.0, 0, 0], [1e6, 0, 0]]), np.eye(3), radius=0.01)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights[0], 1 / 3)
    assert weights[1].tolist() == [1, 0, 0]
