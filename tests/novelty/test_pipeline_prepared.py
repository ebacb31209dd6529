"""NoveltyPipeline: prepared once, applied to any number of shapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import Farthest

from openshape_ood import Embeddings, KnownClasses, NoveltyPipeline, ShapeEncoder, Threshold, score_novelty
from openshape_ood.errors import FileError, InputError, MixedEncodersError
from openshape_ood.novelty import generated
from openshape_ood.scoring import METHODS, Method
from openshape_ood.shapes import batches as reading
from openshape_ood.shapes.points import AxisWarning
from openshape_ood.synthetic import categories, sample

NAMES = ["chair", "sofa", "table"]


@pytest.fixture(scope="module")
def clouds() -> list[np.ndarray]:
    return [sample(name, 300, seed).astype(np.float32) for seed in range(3) for name in ("chair", "guitar", "table")]


@pytest.fixture(scope="module")
def files(clouds: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    for i, cloud in enumerate(clouds):
        np.save(folder / f"{i}.npy", cloud)
    return [folder / f"{i}.npy" for i in range(len(clouds))]


class Counting:
    """An encoder that counts the shapes it is given."""

    def __init__(self, encoder: ShapeEncoder) -> None:
        self.encoder, self.count = encoder, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.encoder, name)

    def encode(self, shapes: Any, **how: Any) -> np.ndarray:
        self.count += len(shapes)
        return self.encoder.encode(shapes, **how)


def test_known_shapes_are_encoded_once_for_all_calls(tiny: ShapeEncoder, clouds: list[np.ndarray]) -> None:
    examples, counting = {"chair": clouds[0:9:3], "table": clouds[2:9:3]}, Counting(tiny)
    pipeline = NoveltyPipeline.prepare(examples, encoder=counting, up="y")
    assert counting.count == 6
    found = [pipeline(cloud) for cloud in clouds[:3]]
    assert counting.count == 9
    whole = score_novelty(clouds[:3], examples, encoder=tiny, up="y")
    np.testing.assert_allclose([one.novelty[0] for one in found], whole.novelty, atol=1e-5)
    assert found[0].threshold.value == whole.threshold.value
    assert {one.provenance for one in found} == {whole.provenance}


def test_a_stream_is_in_order_with_failures_and_reads_each_file_once(
    tiny: ShapeEncoder, files: list[Path], clouds: list[np.ndarray], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    read: list[str] = []
    load = reading.load_shape
    monkeypatch.setattr(reading, "load_shape", lambda path, *more: (read.append(str(path)), load(path, *more))[1])
    pipeline = NoveltyPipeline.prepare(NAMES, encoder=tiny, up="y", batch_size=4, errors="skip")
    pipeline = NoveltyPipeline(**{**vars_of(pipeline), "readers": 0})
    given = [*files[:3], tmp_path / "none.ply", clouds[3], *files[4:]]
    results = list(pipeline.stream(given))
    assert [len(one) for one in results] == [4, 4, 1]
    whole = pipeline(clouds)
    np.testing.assert_allclose(np.concatenate([one.novelty for one in results]), whole.novelty, atol=1e-5)
    assert [failure.source for one in results for failure in one.failures] == [str(tmp_path / "none.ply")]
    assert [name for one in results for name in one.shapes][:3] == [str(file) for file in files[:3]]
    assert sorted(read) == sorted([*map(str, files[:3]), str(tmp_path / "none.ply"), *map(str, files[4:])])


def vars_of(pipeline: NoveltyPipeline) -> dict[str, Any]:
    return {name: getattr(pipeline, name) for name in pipeline.__dataclass_fields__}


def test_a_stream_has_no_end_of_its_own(tiny: ShapeEncoder, clouds: list[np.ndarray]) -> None:
    taken: list[int] = []

    def endless() -> Iterator[np.ndarray]:
        while True:
            taken.append(1)
            yield clouds[0]

    stream = NoveltyPipeline.prepare(NAMES, encoder=tiny, up="y", batch_size=3).stream(endless())
    assert [len(next(stream)) for _ in range(3)] == [3, 3, 3]
    assert len(taken) <= 10


def test_embeddings_need_no_shape_encoder(tiny: ShapeEncoder, clouds: list[np.ndarray], monkeypatch: Any) -> None:
    known = KnownClasses.from_examples({"chair": clouds[0:9:3], "table": clouds[2:9:3]}, tiny, up="y")
    rows = tiny.encode(clouds, up="y")

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("a shape encoder is loaded")

    monkeypatch.setattr(ShapeEncoder, "from_pretrained", refused)
    pipeline = NoveltyPipeline.prepare(known)
    results = list(pipeline.stream(Embeddings(block, tiny.identity) for block in (rows[:5], rows[5:])))
    assert [len(one) for one in results] == [5, 4]
    np.testing.assert_allclose(
        np.concatenate([one.novelty for one in results]),
        score_novelty(clouds, known, encoder=tiny, up="y").novelty,
        atol=1e-5,
    )
    assert results[0].threshold.is_generated  # from embeddings in the package


def test_embeddings_bring_the_temperature_of_their_encoder(tiny: ShapeEncoder) -> None:
    known = KnownClasses.from_embeddings(np.eye(3), ["a", "b", "c"], tiny.identity)
    pipeline = NoveltyPipeline.prepare(known, method="mcm", generated=None)
    rows = np.array([[0.9, 0.3, 0.1]]) / np.linalg.norm([0.9, 0.3, 0.1])
    cosines = np.exp(rows / 0.2)
    assert pipeline(Embeddings(rows, tiny.identity, temperature=0.2)).novelty[0] == pytest.approx(
        1 - cosines.max() / cosines.sum(), rel=1e-6
    )


@pytest.mark.parametrize("method", ["max_cosine", "nearest_distance", "vote_entropy"])
def test_a_saved_pipeline_answers_as_before(
    method: str, tiny: ShapeEncoder, clouds: list[np.ndarray], tmp_path: Path
) -> None:
    examples = {"chair": clouds[0:9:3], "table": clouds[2:9:3]}
    how: dict[str, Any] = {"up": "z", "seed": 3, "method": method, "generated": None}
    pipeline = NoveltyPipeline.prepare(examples, encoder=tiny, **how, threshold=Threshold(0.3))
    path = pipeline.save(tmp_path / "pipeline.safetensors")
    again = NoveltyPipeline.load(path, encoder=tiny)
    assert (again.method, again.up, again.seed, again.threshold.value) == (pipeline.method, "z", 3, 0.3)
    np.testing.assert_array_equal(again(clouds).novelty, pipeline(clouds).novelty)
    assert KnownClasses.load(path).names == ("chair", "table")
    assert NoveltyPipeline.load(path, encoder=tiny, seed=0).seed == 0


def test_a_file_of_known_classes_is_a_pipeline_too(
    tiny: ShapeEncoder, clouds: list[np.ndarray], tmp_path: Path
) -> None:
    known = KnownClasses.from_examples({"chair": clouds[:1], "table": clouds[2:3]}, tiny, up="y")
    pipeline = NoveltyPipeline.load(known.save(tmp_path / "known.safetensors"))
    assert pipeline(clouds[0], up="y").nearest.tolist() == ["chair"]


@pytest.mark.parametrize("note", [{"up": "north"}, {"seed": "x"}, {"method": "none"}, {"num_samples": -1}])
def test_a_damaged_note_is_an_error(note: dict[str, Any], tiny: ShapeEncoder, tmp_path: Path) -> None:
    known = KnownClasses.from_embeddings(np.eye(192)[:2], ["chair", "table"], tiny.identity)
    with pytest.raises(FileError, match="is damaged, or not a pipeline"):
        NoveltyPipeline.load(known.save(tmp_path / "known.safetensors", note=note))


def test_a_method_without_a_name_is_in_no_file(tiny: ShapeEncoder, tmp_path: Path) -> None:
    for method in (Method("farthest", Farthest), METHODS["knn"].configured(k=2)):
        known = KnownClasses.from_embeddings(np.eye(192)[:4], ["chair", "chair", "table", "table"], tiny.identity)
        pipeline = NoveltyPipeline.prepare(known, method=method, generated=None)
        with pytest.raises(InputError):
            pipeline.save(tmp_path / "pipeline.safetensors")


def test_the_axis_of_shapes_that_state_none(tiny: ShapeEncoder, clouds: list[np.ndarray]) -> None:
    pipeline = NoveltyPipeline.prepare(NAMES, encoder=tiny)
    with pytest.warns(AxisWarning, match="no up axis is given"):
        assert next(pipeline.stream(clouds[:1])).up == ("y",)
    silent = NoveltyPipeline(**{**vars_of(pipeline), "silent": "z"})
    assert silent(clouds[:1]).up == next(silent.stream(clouds[:1])).up == ("z",)
    np.testing.assert_allclose(
        silent(clouds[:1]).novelty, score_novelty(clouds[:1], NAMES, encoder=tiny, up="z").novelty, atol=1e-5
    )


def test_rows_of_another_encoder_are_refused(tiny: ShapeEncoder, clouds: list[np.ndarray]) -> None:
    pipeline = NoveltyPipeline.prepare({"chair": clouds[:1], "table": clouds[2:3]}, encoder=tiny, up="y")
    with pytest.raises(MixedEncodersError):
        pipeline(Embeddings(np.eye(192), type(tiny.identity)("other", "other", "5e")))


def test_the_embeddings_in_the_package_are_those_of_the_encoder(tiny: ShapeEncoder) -> None:
    for kind in ("scans", "models"):
        packaged = generated._packaged()[f"{kind} chair"]
        made = tiny.encode(generated.shapes_of(["chair"], kind), up="y")
        np.testing.assert_allclose(packaged.astype(np.float32), made, atol=2e-4)  # float16


def test_the_scans_of_small_are_in_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = generated._packaged("small")
    assert set(packaged) == {f"scans {category}" for category in categories()}
    made = ShapeEncoder.from_pretrained("small").encode(generated.shapes_of(["chair"], "scans")[:4], up="y")
    np.testing.assert_allclose(packaged["scans chair"][:4].astype(np.float32), made, atol=2e-4)  # float16
    monkeypatch.setattr(generated, "shapes_of", lambda *_: pytest.fail("shapes were made"))
    assert NoveltyPipeline.prepare(["chair", "sofa"], model="small").threshold.n == 100


def test_without_the_file_they_are_made(tiny: ShapeEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = NoveltyPipeline.prepare(["chair"], encoder=tiny).threshold.value
    kept: dict[str, np.ndarray] = {}
    monkeypatch.setattr(generated, "_packaged", lambda model: kept)
    assert NoveltyPipeline.prepare(["chair"], encoder=tiny).threshold.value == pytest.approx(expected, abs=2e-4)
    assert list(kept) == ["scans chair"]


def test_classes_that_cannot_be_generated_are_named(tiny: ShapeEncoder) -> None:
    known = KnownClasses.from_embeddings(np.eye(192)[:2], ["couch", "robot arm"], tiny.identity)
    threshold = NoveltyPipeline.prepare(known).threshold
    assert threshold.source == "generated scans of couch, none of robot arm" and threshold.n == 50
    alone = KnownClasses.from_embeddings(np.eye(192)[:1], ["robot arm"], tiny.identity)
    assert NoveltyPipeline.prepare(alone).threshold is None
