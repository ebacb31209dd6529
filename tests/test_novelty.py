from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes import PLATE, POLE, SLAB, FakeEncoder, box, words

from openshape_ood import Known, NoveltyResult, ShapeEncoder, score_novelty
from openshape_ood.errors import (
    ClassNamesError,
    CloudError,
    FileError,
    InputError,
    MixedEncodersError,
    UnknownNameError,
)
from openshape_ood.scores import SCORES
from openshape_ood.synthetic import sample

NAMES = ["pole", "plate", "slab"]
EXAMPLES = {"pole": [POLE, box(0.2, 2, 0.1)], "plate": PLATE, "slab": SLAB[None]}
SHAPES = [POLE * 3, SLAB - 7, box(1, 1, 1)]


def by_name(shapes: Any = SHAPES, known: Any = NAMES, **settings: Any) -> NoveltyResult:
    return score_novelty(shapes, known, encoder=FakeEncoder(), text=words(), **settings)


def by_example(shapes: Any = SHAPES, known: Any = EXAMPLES, **settings: Any) -> NoveltyResult:
    return score_novelty(shapes, known, encoder=FakeEncoder(), **settings)


def test_the_result_says_what_and_whose_it_is() -> None:
    result = by_name()
    assert (result.novelty.shape, result.similarity.shape, result.novelty.dtype.kind) == ((3,), (3, 3), "f")
    assert result.nearest[:2].tolist() == ["pole", "slab"]
    assert result.classes.tolist() == NAMES
    assert {result.nearest.dtype.kind, result.classes.dtype.kind} == {"U"}
    assert (result.shapes, result.up) == (("shape 0", "shape 1", "shape 2"), ("y", "y", "y"))
    assert (result.method, result.encoder, result.checkpoint_hash) == ("max_cosine", "fake", "f" * 64)
    np.testing.assert_allclose(result.novelty[:2], 0, atol=1e-6)
    assert result.novelty[2] > 0.1


def test_a_result_is_an_array_of_its_novelty() -> None:
    result = by_name()
    assert len(result) == 3
    np.testing.assert_array_equal(np.asarray(result), result.novelty)
    assert np.asarray(result, dtype=np.float32).dtype == np.float32
    assert np.array(result, copy=False) is not np.array(result, copy=True)
    assert np.shares_memory(np.array(result, copy=False), result.novelty)
    assert not np.shares_memory(np.array(result), result.novelty)
    with pytest.raises(ValueError, match="copy"):
        np.array(result, dtype=np.float16, copy=False)
    np.testing.assert_array_equal(np.argsort(result), np.argsort(result.novelty))


def test_results_can_be_compared_and_hashed() -> None:
    result = by_name()
    assert result == result
    assert len({result, by_name()}) == 2


def test_a_result_prints_as_a_table() -> None:
    assert str(by_name([POLE, box(1, 1, 1)], ["pole", "plate"])).splitlines() == [
        "shape    nearest  novelty",
        "shape 0  pole       0.000",
        "shape 1  plate      0.169",
    ]
    assert str(by_name(POLE)).splitlines()[1] == "the shape  pole       0.000"


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda names: np.array(names, dtype=object)])
def test_known_names_come_in_any_ordered_form(kind: Callable[[list[str]], Any]) -> None:
    assert by_name(known=kind(NAMES)).classes.tolist() == NAMES


@pytest.mark.parametrize("kind", [set, frozenset, iter])
def test_known_names_need_an_order_and_a_second_look(kind: Callable[[list[str]], Any]) -> None:
    with pytest.raises(ClassNamesError, match="expected a list of names"):
        by_name(known=kind(NAMES))


@pytest.mark.parametrize(
    "shapes",
    [SHAPES, np.stack(SHAPES), torch.tensor(np.stack(SHAPES)), [s.tolist() for s in SHAPES], iter(SHAPES)],
    ids=["list", "stack", "torch", "nested lists", "iterator"],
)
def test_shapes_come_in_any_form(shapes: Any) -> None:
    np.testing.assert_array_equal(by_name(shapes).novelty, by_name().novelty)


@pytest.mark.parametrize("method", SCORES)
def test_every_method_by_example(method: str) -> None:
    result = by_example([*SHAPES, *EXAMPLES["pole"]], method=method)
    assert result.method == method
    assert result.nearest[[0, 1, 3, 4]].tolist() == ["pole", "slab", "pole", "pole"]
    assert result.novelty[2] > result.novelty[[0, 1, 3, 4]].max()


@pytest.mark.parametrize("method", SCORES)
def test_similarity_is_the_cosine_whatever_the_method(method: str) -> None:
    result = by_example(method=method)
    np.testing.assert_array_equal(result.similarity, by_example().similarity)
    np.testing.assert_allclose(1 - result.similarity.max(axis=1), by_example().novelty, atol=1e-12)


def test_nearest_follows_the_method() -> None:
    # b's one example is nearer than either of a's, whose mean is nearer still
    known = {"a": np.array([[1.0, 1, 0, 0], [1, -1, 0, 0]]), "b": np.array([[1, 0, 0.5, 0]])}
    encoder = FakeEncoder()
    query = {"query": np.array([[1.0, 0, 0.01, 0]])}
    bank = Known.from_examples(known, encoder)
    queries = Known.from_examples(query, encoder).examples
    assert [bank.names[SCORES[m].nearest(queries, bank)[0]] for m in SCORES] == ["a", "a", "b"]


def test_a_bank_is_embedded_once_and_used_often() -> None:
    encoder = FakeEncoder()
    bank = Known.from_examples(EXAMPLES, encoder)
    encoder.calls.clear()
    result = score_novelty(SHAPES, bank, encoder=encoder, method="nearest_distance")
    assert len(encoder.calls) == 1
    np.testing.assert_array_equal(result.novelty, by_example(method="nearest_distance").novelty)


def test_ready_embeddings_and_shapes_stand_side_by_side() -> None:
    known = {**EXAMPLES, "plate": FakeEncoder().encode(PLATE)}
    np.testing.assert_allclose(by_example(known=known).novelty, by_example().novelty, atol=1e-7)


def test_up_is_an_argument_and_is_echoed() -> None:
    lying = POLE[:, [0, 2, 1]]
    assert by_name(lying, up="z").nearest.tolist() == ["pole"]
    assert by_name([lying, POLE], up=["z", "-y"]).up == ("z", "-y")
    assert by_name([lying, POLE], up="file").up == ("y", "y")


def test_known_up_is_that_of_the_examples() -> None:
    lying = {"pole": POLE[:, [0, 2, 1]], "plate": PLATE[:, [0, 2, 1]]}
    assert by_example(POLE, lying, known_up="z").novelty[0] == pytest.approx(0, abs=1e-6)
    assert by_example(POLE[:, [0, 2, 1]], lying, up="z").novelty[0] == pytest.approx(0, abs=1e-6)
    with pytest.raises(InputError, match="say with known_up"):
        by_example([POLE], lying, up=["z"])
    assert by_name([POLE], up=["y"]).up == ("y",)


def test_settings_reach_the_encoder() -> None:
    encoder = FakeEncoder()
    score_novelty([POLE], ["pole"], encoder=encoder, text=words(), batch_size=3, seed=9, progress=True)
    assert encoder.calls == [{"up": ["y"], "batch_size": 3, "seed": 9, "progress": True}]


@pytest.mark.parametrize(
    "shapes, known, settings, error, message",
    [
        ([], NAMES, {}, CloudError, "list of shapes is empty"),
        (np.empty((0, 8, 3)), NAMES, {}, CloudError, r"\(0, 8, 3\)"),
        (None, NAMES, {}, CloudError, "shapes is NoneType"),
        (POLE, [], {}, ClassNamesError, "no known classes"),
        (POLE, {}, {}, ClassNamesError, "no known classes"),
        (POLE, "chair", {}, ClassNamesError, r"\['chair'\]"),
        (POLE, ["pole", ""], {}, ClassNamesError, "known class 1 is ''"),
        (POLE, ["pole", "pole"], {}, ClassNamesError, "twice: 'pole'"),
        (POLE, None, {}, ClassNamesError, "known is NoneType"),
        (POLE, 3, {}, ClassNamesError, "known is int"),
        (POLE, ["chair", {"sofa": POLE}], {}, InputError, "mixes names and examples"),
        (POLE, {"chair": POLE, "sofa": None}, {}, InputError, "class 'sofa' has None where.*cannot be mixed"),
        (POLE, NAMES, {"method": "max_cosin"}, UnknownNameError, "did you mean 'max_cosine'"),
        (POLE, NAMES, {"method": None}, UnknownNameError, "unknown method None"),
        (POLE, NAMES, {"method": "nearest_distance"}, InputError, "needs example shapes"),
        (POLE, NAMES, {"up": "up"}, UnknownNameError, "up is 'up'"),
        (POLE, NAMES, {"up": ["y", "z"]}, InputError, "2 entries for 1 shapes"),
        (POLE, EXAMPLES, {"known_up": "w"}, UnknownNameError, "known_up is 'w'"),
        (POLE, EXAMPLES, {"up": ["y"]}, InputError, "known_up"),
        (POLE, NAMES, {"model": "vitb3"}, UnknownNameError, "did you mean 'vitb32'"),
        (POLE, NAMES, {"model": "vitb32"}, FileError, "tiny"),
    ],
)
def test_what_can_be_refused_is_refused_before_a_model_is_asked_for(
    shapes: Any, known: Any, settings: Any, error: type[Exception], message: str, no_weights: None
) -> None:
    with pytest.raises(error, match=message):
        score_novelty(shapes, known, **settings)


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is downloaded yet, and nothing may be; huggingface_hub reads its variable on import only."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path))


def test_an_encoder_without_a_text_tower_needs_one() -> None:
    with pytest.raises(InputError, match="fake has no text tower of its own; give text="):
        score_novelty(POLE, NAMES, encoder=FakeEncoder())


def test_another_tower_or_encoder_is_refused() -> None:
    other = FakeEncoder(name="other", tower="other words", checkpoint_hash="e" * 64)
    with pytest.raises(MixedEncodersError, match="the text tower of fake"):
        score_novelty(POLE, NAMES, encoder=other, text=words())
    with pytest.raises(MixedEncodersError, match=r"fake \(sha256 ffffffff\), the shapes by other"):
        score_novelty(POLE, Known.from_examples(EXAMPLES, FakeEncoder()), encoder=other)


def test_a_bad_shape_is_named() -> None:
    with pytest.raises(CloudError, match="shape 1"):
        by_name([POLE, POLE * np.nan])


KNOWN = ["chair", "sofa", "table"]


@pytest.fixture(scope="module")
def clouds() -> dict[str, np.ndarray]:
    return {name: sample(name, 512, seed=0) for name in KNOWN}


def test_tiny_by_name(clouds: dict[str, np.ndarray]) -> None:
    result = score_novelty(list(clouds.values()), KNOWN, model="tiny")
    assert (result.encoder, result.similarity.shape, len(result.checkpoint_hash)) == ("tiny", (3, 3), 64)
    assert np.isfinite(result.novelty).all()
    np.testing.assert_array_equal(score_novelty(list(clouds.values()), KNOWN, model="tiny").novelty, result.novelty)


def test_tiny_by_example(clouds: dict[str, np.ndarray]) -> None:
    result = score_novelty(list(clouds.values()), clouds, model="tiny", method="nearest_distance")
    assert result.nearest.tolist() == KNOWN
    # embeddings of one cloud may differ by 1e-5 from batch to batch
    np.testing.assert_allclose(result.novelty, 0, atol=1e-4)


def test_tiny_from_a_bank(clouds: dict[str, np.ndarray], tiny: ShapeEncoder) -> None:
    embeddings = dict(zip(KNOWN, tiny.encode(list(clouds.values())), strict=True))
    result = score_novelty(clouds["sofa"] * 1000, Known.from_examples(embeddings, tiny), encoder=tiny)
    assert result.nearest.tolist() == ["sofa"]
    assert result.checkpoint_hash == tiny.checkpoint_hash


def test_tiny_keeps_other_banks_out(clouds: dict[str, np.ndarray], tiny: ShapeEncoder) -> None:
    with pytest.raises(MixedEncodersError, match=r"the text tower of fake.*the shapes by tiny"):
        score_novelty(clouds["chair"], Known.from_names(NAMES, words()), encoder=tiny)


def test_a_bank_of_another_checkpoint_is_refused_before_anything_is_downloaded(tiny: ShapeEncoder) -> None:
    bank = Known.from_examples({"pole": POLE}, tiny)
    with pytest.raises(MixedEncodersError, match=r"embedded by tiny \(sha256 .*, the shapes by vitb32"):
        score_novelty(POLE, bank)
    assert score_novelty(POLE, bank, model="tiny").nearest[0] == "pole"
