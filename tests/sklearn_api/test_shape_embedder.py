from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from openshape_ood import ShapeEncoder
from openshape_ood.errors import CloudError, InputError, MixedEncodersError, NoSuchShapeError, UnknownNameError
from openshape_ood.sklearn_api import embedder
from openshape_ood.sklearn_api.detector import NoveltyDetector
from openshape_ood.sklearn_api.embedder import ShapeEmbedder
from openshape_ood.synthetic import sample

# clouds of different sizes, so that no array can hold them
CLOUDS = [sample(name, 500 + 10 * i, seed=i) for name in ("chair", "lamp") for i in range(6)]
LABELS = ["chair"] * 6 + ["lamp"] * 6
FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)


@pytest.fixture(scope="module")
def embeddings(tiny: ShapeEncoder) -> np.ndarray:
    return tiny.encode(CLOUDS)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clouds")
    paths = [folder / f"{i}.npy" for i in range(len(CLOUDS))]
    for path, cloud in zip(paths, CLOUDS, strict=True):
        np.save(path, cloud)
    return paths


def tiny_embedder(**settings: Any) -> ShapeEmbedder:
    return ShapeEmbedder("tiny", device="cpu", **settings)


def as_objects(items: list[Any]) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def test_embeddings_are_those_of_the_encoder(embeddings: np.ndarray, files: list[Path]) -> None:
    for shapes in (CLOUDS, tuple(CLOUDS), as_objects(CLOUDS), files, np.array([str(p) for p in files])):
        found = tiny_embedder().fit(shapes).transform(shapes)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, embeddings, atol=1e-5)
    np.testing.assert_allclose(tiny_embedder().transform(CLOUDS[:1]), embeddings[:1], atol=1e-5)  # without fit
    stack = np.stack([cloud[:500] for cloud in CLOUDS[:2]])
    np.testing.assert_allclose(tiny_embedder().fit_transform(stack), tiny_embedder().transform(list(stack)), atol=1e-5)


def test_settings_reach_the_encoder(tiny: ShapeEncoder) -> None:
    turned = [cloud[:, [0, 2, 1, *range(3, cloud.shape[1])]] for cloud in CLOUDS[:2]]
    found = tiny_embedder(up="z", seed=7, batch_size=1).transform(turned)
    np.testing.assert_allclose(found, tiny.encode(turned, up="z", seed=7), atol=1e-5)
    found = tiny_embedder(num_samples=2).transform(CLOUDS[:2])
    np.testing.assert_allclose(found, tiny.encode(CLOUDS[:2], num_samples=2), atol=1e-5)


def test_the_encoder_is_loaded_when_needed_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    original = ShapeEncoder.from_pretrained.__func__

    def counting(cls: type, name: str, **settings: Any) -> ShapeEncoder:
        loaded.append(name)
        return original(cls, name, **settings)

    monkeypatch.setattr(ShapeEncoder, "from_pretrained", classmethod(counting))
    embedder._encoder.cache_clear()
    first = tiny_embedder().fit(CLOUDS)
    assert loaded == []
    first.transform(CLOUDS[:1])
    clone(first).set_params(seed=3).transform(CLOUDS[:1])
    pickle.loads(pickle.dumps(first)).transform(CLOUDS[:1])
    assert loaded == ["tiny"]
    assert len(pickle.dumps(first)) < 1000


def test_another_file_in_place_of_a_checkpoint_is_loaded_anew(tmp_path: Path, tiny: ShapeEncoder) -> None:
    import os

    from openshape_ood.registry.rows import PACKAGE

    path = tmp_path / "own.safetensors"
    shutil.copy(PACKAGE / tiny.row.source.package, path)
    own = tiny_embedder(checkpoint=path)
    one = own.encoder
    assert own.encoder is one and own.identity.sha256 == tiny.identity.sha256
    os.utime(path, (1, 1))
    assert own.encoder is not one


@pytest.mark.parametrize("kind", ["clouds", "objects", "paths", "strings"])
def test_a_pipeline_on_clouds_and_files(kind: str, files: list[Path], embeddings: np.ndarray) -> None:
    forms = {
        "clouds": CLOUDS,
        "objects": as_objects(CLOUDS),
        "paths": files,
        "strings": np.array(list(map(str, files))),
    }
    shapes = forms[kind]
    pipeline = make_pipeline(tiny_embedder(), NoveltyDetector(method="knn", k=2)).fit(shapes, LABELS)
    alone = NoveltyDetector(method="knn", k=2).fit(embeddings, LABELS)
    np.testing.assert_allclose(pipeline.decision_function(shapes), alone.decision_function(embeddings), atol=1e-5)
    assert pipeline.predict([CLOUDS[0], sample("car", 600, seed=1)]).tolist() == [1, -1]
    scores = cross_val_score(pipeline, shapes, LABELS, cv=FOLDS)
    np.testing.assert_allclose(scores, cross_val_score(alone, embeddings, LABELS, cv=FOLDS))


def test_a_search_over_the_detector_with_a_memory(tmp_path: Path, embeddings: np.ndarray) -> None:
    memory = joblib.Memory(tmp_path, verbose=0)
    pipeline = make_pipeline(tiny_embedder(), NoveltyDetector(), memory=memory)
    grid = {"method": ["prototype_distance", "knn"], "k": [1, 3]}
    own = {f"noveltydetector__{name}": values for name, values in grid.items()}
    search = GridSearchCV(pipeline, own, cv=FOLDS).fit(CLOUDS, LABELS)
    alone = GridSearchCV(NoveltyDetector(), grid, cv=FOLDS).fit(embeddings, LABELS)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    assert search.best_estimator_.predict(CLOUDS[:1]).tolist() == [1]


@pytest.mark.slow
def test_processes_of_joblib(embeddings: np.ndarray) -> None:
    parts = joblib.Parallel(n_jobs=2)(joblib.delayed(tiny_embedder().transform)(CLOUDS[i : i + 6]) for i in (0, 6))
    np.testing.assert_allclose(np.concatenate(parts), embeddings, atol=1e-5)


def test_names_of_the_outputs_and_containers() -> None:
    names = ShapeEmbedder("vitg14").get_feature_names_out()  # nothing is loaded for it
    assert len(names) == 1280 and names[0] == "shapeembedder0"
    assert isinstance(tiny_embedder().set_output(transform="default").transform(CLOUDS[:1]), np.ndarray)
    pandas = pytest.importorskip("pandas")
    frame = tiny_embedder().set_output(transform="pandas").transform(pandas.Series(CLOUDS[:2], index=[4, 9]))
    assert frame.shape == (2, 192) and frame.index.tolist() == [4, 9] and frame.columns[1] == "shapeembedder1"


def test_scikit_learn_knows_what_it_is() -> None:
    tags = get_tags(tiny_embedder())
    assert not tags.requires_fit and tags.no_validation and not tags.input_tags.two_d_array
    assert clone(ShapeEmbedder("tiny", up="z", num_samples=4)).get_params()["num_samples"] == 4


def test_the_identity_goes_into_the_detectors_file(tmp_path: Path, tiny: ShapeEncoder, embeddings: np.ndarray) -> None:
    detector = NoveltyDetector().fit(embeddings, LABELS)
    detector.identity = tiny_embedder().identity
    path = detector.save(tmp_path / "detector.safetensors")
    assert NoveltyDetector.load(path, tiny_embedder().identity).identity.sha256 == tiny.identity.sha256
    from openshape_ood.encoders.protocols import Identity

    with pytest.raises(MixedEncodersError, match=r"tiny .* vitb32"):
        NoveltyDetector.load(path, Identity("vitb32", "other", "0" * 64))


@pytest.mark.parametrize(
    "shapes, error, message",
    [
        (CLOUDS[0], CloudError, r"an array \(500, .\).*For a single shape, give \[shape\]"),
        ([], CloudError, "Expected one or more"),
        (np.empty((0, 5, 3)), CloudError, "one or more"),
        ("chair.npy", CloudError, r"are str. .*\[shape\]"),
        ({"a": CLOUDS[0]}, CloudError, "are dict"),
        (7, CloudError, "are int"),
        (None, CloudError, "are NoneType"),
        (["nowhere.npy"], NoSuchShapeError, "nowhere.npy"),
        ([np.full((50, 3), np.nan)], CloudError, "NaN"),
        ([CLOUDS[0], np.ones((4, 5))], CloudError, "shape 1"),
    ],
)
def test_what_are_no_shapes(shapes: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tiny_embedder().transform(shapes)


@pytest.mark.parametrize(
    "settings, error, message",
    [
        ({"model": "tinny"}, UnknownNameError, "Did you mean 'tiny'"),
        ({"up": "w"}, UnknownNameError, "up is 'w'"),
        ({"up": ["y", "z"]}, InputError, "one axis for all"),
    ],
)
def test_settings_are_checked_by_fit(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ShapeEmbedder(**settings).fit(CLOUDS)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"batch_size": 0}, "batch_size"),
        ({"seed": -1}, "seed"),
        ({"num_samples": 0}, "num_samples"),
        ({"device": "abacus"}, "device"),
    ],
)
def test_other_settings_by_transform(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ShapeEmbedder(**{"model": "tiny", **settings}).transform(CLOUDS[:1])
