"""Tables of names: lookup, names that are not in it, and the packaged `small` that has one."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from openshape_ood import KnownClasses, ShapeEncoder, TextEncoder, score_novelty
from openshape_ood.encoders.text import encoder as text_encoder
from openshape_ood.encoders.text.encoder import UntrainedNameWarning
from openshape_ood.errors import ClassNamesError, MixedEncodersError, OpenShapeError, WeightsError
from openshape_ood.novelty import NoveltyPipeline
from openshape_ood.novelty.generated import generated_threshold
from openshape_ood.registry import find_checkpoint
from openshape_ood.scoring.text_scores import negative_words
from openshape_ood.synthetic import sample, scan

DIM = 8
WORDS = ["armchair", "chair", "kitchen chair", "sofa", "zebra"]
ROWS = [0, 0, 1, 2, 3]


def raw() -> np.ndarray:
    """As a text tower gives them: in a cone, of any length."""
    return 10 * (np.random.RandomState(0).normal(size=(4, DIM)) + 2)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.fixture
def text(tmp_path: Path) -> Callable[..., TextEncoder]:
    def build(changed: dict[str, np.ndarray] | None = None, trained: str = '["chair", "sofa"]') -> TextEncoder:
        rows = unit(raw())
        arrays = {
            "vectors": unit(rows - rows.mean(axis=0)).astype(np.float16),
            "mean": rows.mean(axis=0).astype(np.float32),
            "row": np.array(ROWS, dtype=np.int32),
        }
        metadata = {"names": json.dumps(WORDS), "trained_names": trained, "near": "0.6"}
        save_file(arrays | (changed or {}), tmp_path / "names.safetensors", metadata=metadata)
        (tmp_path / "mine.toml").write_text(
            '[mine]\nlike = "small"\nlicence = "MIT"\nsizes = { projection = 8 }\nsource = { file = "none.pt" }\n'
            'text = { model = "names.safetensors" }\n'
        )
        return TextEncoder.from_pretrained("mine", registry=tmp_path / "mine.toml")

    return build


def test_names_are_looked_up(text: Callable[..., TextEncoder]) -> None:
    chair, same, sofa = text().encode(["Chair", "armchair", "sofa"])
    np.testing.assert_array_equal(chair, same)
    np.testing.assert_allclose(np.linalg.norm([chair, sofa], axis=1), 1, atol=1e-6)
    assert chair @ sofa < 0.9


def test_vectors_of_the_tower_are_shared_through_the_centering(text: Callable[..., TextEncoder]) -> None:
    encoder = text()
    encoder.encode(["chair"])
    shared = encoder._model.centered(raw())
    np.testing.assert_allclose(shared[0], encoder.encode(["chair"])[0], atol=2e-3)  # float16
    assert abs(unit(raw())[0] @ shared[0]) < 0.9  # which the tower's own vector is not


def test_a_name_that_is_not_there_is_an_error_with_close_names(text: Callable[..., TextEncoder]) -> None:
    with pytest.raises(ClassNamesError, match=r"'dining chair' \(close: 'chair'.*5 names.*'vitb32'"):
        text().encode(["sofa", "dining chair"])
    assert [text().serves(name) for name in ("SOFA", "dining chair")] == [True, False]
    aliased = TextEncoder(text()._row, aliases={"dining chair": "chair"})
    np.testing.assert_array_equal(aliased.encode(["dining chair"]), text().encode(["chair"]))


def test_the_tower_serves_other_names_where_it_is_here(
    text: Callable[..., TextEncoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, tower = text(trained=json.dumps(WORDS)), unit(raw())[3:]
    monkeypatch.setattr(text_encoder, "_has_tower", lambda row: True)
    monkeypatch.setattr(TextEncoder, "from_pretrained", lambda name, templates: Tower(name, templates, tower))
    _, other = encoder.encode(["sofa", "dining chair"])
    np.testing.assert_allclose(other, encoder.encode(["zebra"])[0], atol=2e-3)  # as the table has that row
    assert encoder.serves("dining chair")


class Tower:
    """A text tower that knows one vector."""

    def __init__(self, name: str, templates: list[str], rows: np.ndarray) -> None:
        assert (name, templates) == ("vitb32", ["a {}"])
        self.rows = rows

    def encode(self, names: list[str]) -> np.ndarray:
        assert names == ["dining chair"]
        return self.rows


def test_a_name_far_from_all_trained_ones_warns(text: Callable[..., TextEncoder]) -> None:
    with pytest.warns(UntrainedNameWarning, match="zebra"):
        text().encode(["zebra", "sofa"])


@pytest.mark.parametrize(
    "changed",
    [
        {"row": np.array([0, 0, 1], dtype=np.int32)},
        {"row": np.array([0, 0, 1, 2, 9], dtype=np.int32)},
        {"mean": np.zeros(3, dtype=np.float32)},
        {"vectors": np.zeros(4, dtype=np.float16)},
        {"other": np.zeros(4, dtype=np.float16)},
    ],
)
def test_a_table_that_does_not_fit_is_refused(text: Callable[..., TextEncoder], changed: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match="Expected"):
        text(changed).encode(["chair"])


# the packaged one


@pytest.fixture(scope="module")
def small() -> ShapeEncoder:
    return ShapeEncoder.from_pretrained("small", device="cpu")


def test_small_names_clean_shapes_and_scans(small: ShapeEncoder) -> None:
    names = ["chair", "bottle", "guitar", "toilet", "banana"]
    text = TextEncoder.from_pretrained("small")
    known = KnownClasses.from_names(names, text)
    clouds = [make(name, 1024, seed=5) for name in names for make in (sample, scan)]
    result = score_novelty(clouds, known, encoder=small, up="y", method="max_cosine")
    right = np.array(list(result.nearest)) == np.repeat(names, 2)
    assert right.mean() >= 0.8


def test_small_is_steady_and_as_long_ago() -> None:
    """The golden number is of the packaged weights, by this test on one thread."""
    small = ShapeEncoder.from_pretrained("small", device="cpu")
    rows = small.encode([sample("chair", 1024, seed=7)], up="y")
    again = small.encode([sample("chair", 1024, seed=7)], up="y")
    np.testing.assert_array_equal(rows, again)
    np.testing.assert_allclose(unit(rows)[0, :4], GOLDEN, atol=1e-4)


GOLDEN = [-0.031859, -0.012627, -0.062390, -0.100295]


def test_spaces_are_not_mixed(small: ShapeEncoder) -> None:
    words = KnownClasses.from_names(["chair", "sofa"], TextEncoder.from_pretrained("tiny"))
    with pytest.raises((MixedEncodersError, OpenShapeError)):
        score_novelty(sample("chair", 512, seed=1), words, encoder=small, up="y")
    assert find_checkpoint("small").text.space != find_checkpoint("vitb32").text.space


def test_words_that_the_table_lacks_are_no_negatives() -> None:
    text = TextEncoder.from_pretrained("small")
    some = negative_words(text)
    assert 100 < len(some) < len(negative_words())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrainedNameWarning)
        assert np.isfinite(text.encode(some)).all()


def test_small_is_calibrated_on_generated_shapes(small: ShapeEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    from openshape_ood.novelty import generated

    monkeypatch.setattr(
        generated, "shapes_of", lambda names, kind: [sample(n, 512, seed=i) for n in names for i in (1, 2, 3)]
    )
    monkeypatch.setattr(generated, "_packaged", lambda model: {})
    pipeline = NoveltyPipeline.prepare(["chair"], encoder=small, generated=None)
    found = generated_threshold(pipeline, 0.5)
    assert found is not None and found.n == 3
