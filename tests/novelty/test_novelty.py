from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes import EXAMPLES, NAMES, PLATE, POLE, SHAPES, SLAB, FakeEncoder, PatchEncoder, box, by_example, by_name, words

from openshape_ood import (
    Embeddings,
    KnownClasses,
    ShapeEncoder,
    TextEncoder,
    Threshold,
    __version__,
    score_novelty,
)
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.errors import (
    ClassNamesError,
    CloudError,
    FileError,
    InputError,
    MixedEncodersError,
    UnknownNameError,
)
from openshape_ood.scoring import DEFAULTS, METHODS, Judgement, Method, judge
from openshape_ood.synthetic import sample


def test_the_result_says_what_and_whose_it_is() -> None:
    result = by_name()
    assert (result.novelty.shape, result.similarity.shape, result.novelty.dtype.kind) == ((3,), (3, 3), "f")
    assert result.nearest[:2].tolist() == ["pole", "slab"]
    assert result.classes.tolist() == NAMES
    assert {result.nearest.dtype.kind, result.classes.dtype.kind} == {"U"}
    assert (result.shapes, result.up) == (("shape 0", "shape 1", "shape 2"), ("y", "y", "y"))
    assert result.provenance == Provenance(FakeEncoder().identity, "max_cosine", "file", 0, 1, __version__)
    np.testing.assert_allclose(result.novelty[:2], 0, atol=1e-5)
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
    with pytest.raises(ClassNamesError, match="Expected a list of names"):
        by_name(known=kind(NAMES))


@pytest.mark.parametrize(
    "shapes",
    [SHAPES, np.stack(SHAPES), torch.tensor(np.stack(SHAPES)), [s.tolist() for s in SHAPES], iter(SHAPES)],
    ids=["list", "stack", "torch", "nested lists", "iterator"],
)
def test_shapes_come_in_any_form(shapes: Any) -> None:
    np.testing.assert_array_equal(by_name(shapes).novelty, by_name().novelty)


BY_EXAMPLE = [name for name, method in METHODS.items() if method.needs != "negatives"]


@pytest.mark.parametrize("method", [m for m in BY_EXAMPLE if m not in ("knn", "knn_euclidean", "vim", "vote_entropy")])
def test_every_method_by_example(method: str) -> None:
    result = by_example([*SHAPES, *EXAMPLES["pole"]], text=words(), method=method)
    assert result.provenance.method == method
    assert result.nearest[[0, 1, 3, 4]].tolist() == ["pole", "slab", "pole", "pole"]
    assert result.novelty[2] >= result.novelty[[0, 1, 3, 4]].max()


@pytest.mark.filterwarnings("ignore:k is 5, but")
@pytest.mark.parametrize("method", BY_EXAMPLE)
def test_similarity_is_the_cosine_whatever_the_method(method: str) -> None:
    result = score_novelty(SHAPES, EXAMPLES, encoder=PatchEncoder(), text=words(), method=method)
    expected = by_example(method="max_cosine")
    np.testing.assert_allclose(result.similarity, expected.similarity, atol=1e-12)
    np.testing.assert_allclose(1 - result.similarity.max(axis=1), expected.novelty, atol=1e-12)


@pytest.mark.parametrize("method", ["max_cosine", "mcm", "energy", "entropy", "margin"])
def test_every_method_by_name(method: str) -> None:
    result = by_name(method=method)
    assert (result.provenance.method, result.nearest[:2].tolist()) == (method, ["pole", "slab"])
    assert result.novelty[2] > result.novelty[:2].max()


@pytest.mark.filterwarnings("ignore:k is 5, but")
def test_nearest_follows_the_method() -> None:
    # b's one example is nearer than either of a's, whose mean is nearer still
    known = {"a": np.array([[1.0, 1, 0, 0], [1, -1, 0, 0]]), "b": np.array([[1, 0, 0.5, 0]])}
    encoder = FakeEncoder()
    query = {"query": np.array([[1.0, 0, 0.01, 0]])}
    bank = KnownClasses.from_examples(known, encoder)
    queries = KnownClasses.from_examples(query, encoder).examples
    nearest = {
        m: bank.names[judge(queries, bank, m).nearest[0]]
        for m in METHODS
        if METHODS[m].needs in ("any", "examples") and "euclidean" not in m
    }
    assert [method for method, name in nearest.items() if name == "b"] == ["nearest_distance", "knn"]


SOME = {"pole": EXAMPLES["pole"], "plate": None, "slab": EXAMPLES["slab"]}
NONE = dict.fromkeys(NAMES)


@pytest.mark.parametrize("known, kind", [(NAMES, "names"), (NONE, "names"), (EXAMPLES, "examples"), (SOME, "both")])
def test_the_method_taken_where_none_is_named(known: Any, kind: str) -> None:
    result, same = (by_name(known=known, method=method) for method in (None, DEFAULTS[kind]))
    assert result.provenance.method == DEFAULTS[kind]
    np.testing.assert_array_equal(result.novelty, same.novelty)


@pytest.mark.parametrize("known, kind", [(NAMES, "names"), (EXAMPLES, "examples"), (SOME, "both")])
def test_a_bank_has_the_default_of_what_it_is_made_of(known: Any, kind: str) -> None:
    banks = {
        "names": lambda: KnownClasses.from_names(known, words()),
        "examples": lambda: KnownClasses.from_examples(known, FakeEncoder()),
        "both": lambda: KnownClasses.from_both(
            NAMES, {name: value for name, value in known.items() if value is not None}, FakeEncoder(), words()
        ),
    }
    result = score_novelty(SHAPES, banks[kind](), encoder=FakeEncoder())
    expected = by_name(known=known)
    assert (result.provenance.method, result.nearest.tolist()) == (
        expected.provenance.method,
        expected.nearest.tolist(),
    )
    np.testing.assert_array_equal(result.novelty, expected.novelty)


def test_a_bank_of_names_and_examples_of_every_class_is_one_of_examples() -> None:
    bank = KnownClasses.from_both(NAMES, EXAMPLES, FakeEncoder(), words())
    assert score_novelty(SHAPES, bank, encoder=FakeEncoder()).provenance.method == DEFAULTS["examples"]
    for method in ("rank_fusion", "p_value_fusion"):
        result = score_novelty(SHAPES, bank, encoder=FakeEncoder(), method=method)
        np.testing.assert_array_equal(result.novelty, by_example(text=words(), method=method).novelty)


@pytest.mark.parametrize(
    "bank, method, message",
    [
        (lambda: KnownClasses.from_names(NAMES, words()), "neglabel", "needs known classes with negative words"),
        (lambda: KnownClasses.from_names(NAMES, words()), "knn", "The known classes are names only"),
        (
            lambda: KnownClasses.from_examples(EXAMPLES, FakeEncoder()),
            "vote_entropy",
            "needs known classes with patches",
        ),
        (
            lambda: KnownClasses.from_examples(EXAMPLES, FakeEncoder()),
            "rank_fusion",
            "needs known classes with names and examples",
        ),
        (lambda: KnownClasses.from_examples(EXAMPLES, FakeEncoder()), "neglabel", "needs names without examples"),
        (
            lambda: KnownClasses.from_both(NAMES, {"pole": POLE}, FakeEncoder(), words()),
            "knn",
            "examples of every class",
        ),
    ],
)
def test_a_bank_that_lacks_what_the_method_needs(bank: Callable[[], KnownClasses], method: str, message: str) -> None:
    encoder = PatchEncoder()
    with pytest.raises(InputError, match=message):
        score_novelty(SHAPES, bank(), encoder=encoder, method=method)
    assert not encoder.calls


@pytest.mark.parametrize("method", ["mcm", "entropy", "margin"])
def test_one_known_class_and_a_softmax(method: str) -> None:
    with pytest.raises(InputError, match=r"constant for one known class.*use max_cosine or negative words"):
        by_name(known=["pole"], method=method)
    with pytest.raises(InputError, match=r"constant for one known class.*use max_cosine"):
        by_example(known={"pole": POLE}, method=method)
    assert by_name(known=["pole"]).novelty.shape == (3,)


def test_a_class_of_one_example_and_a_covariance() -> None:
    with pytest.raises(
        InputError, match=r"none of the 2 classes has two examples.*use prototypes or nearest neighbors"
    ):
        by_example(known={"pole": POLE, "plate": PLATE}, method="mahalanobis")
    assert np.isfinite(by_example(method="mahalanobis").novelty).all()  # pole has two


def test_patches_come_from_the_encoder() -> None:
    result = score_novelty(SHAPES, EXAMPLES, encoder=PatchEncoder(), method="vote_entropy")
    assert (result.provenance.method, result.nearest[:2].tolist()) == ("vote_entropy", ["pole", "slab"])
    with pytest.raises(InputError, match="fake has no patches"):
        by_example(method="vote_entropy")
    known = {"pole": FakeEncoder().encode(POLE)}
    with pytest.raises(InputError, match="the examples of class 'pole' are embeddings"):
        score_novelty(SHAPES, known, encoder=PatchEncoder(), method="vote_entropy")


def test_views_are_asked_of_the_encoder_for_shapes_and_examples() -> None:
    encoder = FakeEncoder()
    score_novelty(POLE, {"pole": POLE, "plate": None}, encoder=encoder, text=words(), num_samples=3)
    assert [call.get("num_samples") for call in encoder.calls] == [3, 3]


def test_examples_of_another_dimension() -> None:
    with pytest.raises(MixedEncodersError, match=r"'pole' is an array of shape \(2, 512\).*by fake of width 4"):
        by_name(known={"pole": np.ones((2, 512)), "plate": None})


def test_an_encoder_whose_embeddings_are_not_finite() -> None:
    class Broken(FakeEncoder):
        def _embed(self, xyz: np.ndarray) -> np.ndarray:
            return super()._embed(xyz) * np.nan

    with pytest.raises(InputError, match="row 0 of the embeddings holds NaN"):
        score_novelty(SHAPES, NAMES, encoder=Broken(), text=words())
    with pytest.raises(InputError, match="embedding of class 'pole', row 0 is zero or not finite"):
        score_novelty(SHAPES, EXAMPLES, encoder=Broken())


def test_the_temperature_of_the_encoder_is_that_of_the_softmax() -> None:
    encoder = FakeEncoder()
    encoder.temperature = 0.5
    novelty = score_novelty(SHAPES, NAMES, encoder=encoder, text=words(), method="mcm").novelty
    cosines = by_name().similarity
    expected = 1 - np.exp(cosines.max(axis=1) / 0.5) / np.exp(cosines / 0.5).sum(axis=1)
    np.testing.assert_allclose(novelty, expected, atol=1e-9)


def test_a_bank_is_embedded_once_and_used_often() -> None:
    encoder = FakeEncoder()
    bank = KnownClasses.from_examples(EXAMPLES, encoder)
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
    assert by_example(POLE, lying, known_up="z").novelty[0] == pytest.approx(0, abs=1e-5)
    assert by_example(POLE[:, [0, 2, 1]], lying, up="z").novelty[0] == pytest.approx(0, abs=1e-5)
    with pytest.raises(InputError, match="Give it with known_up"):
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
        (POLE, ["pole", "pole"], {}, ClassNamesError, "repeated: 'pole'"),
        (POLE, None, {}, ClassNamesError, "known is NoneType"),
        (POLE, 3, {}, ClassNamesError, "known is int"),
        (POLE, ["chair", {"sofa": POLE}], {}, InputError, "mixes names and examples"),
        (POLE, {"chair": POLE, "": None}, {}, ClassNamesError, "known class 1 is ''"),
        (POLE, {"chair": None, 3: None}, {}, ClassNamesError, "known class 1 is 3"),
        (POLE, {"chair": POLE, "sofa": "sofa"}, {}, InputError, "class 'sofa' has 'sofa' as its examples"),
        (
            POLE,
            {"chair": POLE, "sofa": [None]},
            {},
            InputError,
            "For a class with only a name, give None to score_novelty",
        ),
        (POLE, {"chair": POLE, "sofa": None}, {"method": "knn"}, InputError, "needs examples of every class"),
        (POLE, {"chair": None, "sofa": None}, {"method": "knn"}, InputError, "needs example shapes"),
        (POLE, EXAMPLES, {"method": "neglabel"}, InputError, "needs names without examples"),
        (POLE, NAMES, {"method": "max_cosin"}, UnknownNameError, "id you mean 'max_cosine'"),
        (POLE, NAMES, {"method": 3}, UnknownNameError, "unknown method 3"),
        (POLE, NAMES, {"encoder": "vitb32"}, InputError, "the name of a checkpoint as model="),
        (POLE, NAMES, {"method": "nearest_distance"}, InputError, "needs example shapes"),
        (POLE, NAMES, {"up": "up"}, UnknownNameError, "up is 'up'"),
        (POLE, NAMES, {"up": ["y", "z"]}, InputError, "2 entries for 1 shapes"),
        (POLE, EXAMPLES, {"known_up": "w"}, UnknownNameError, "known_up is 'w'"),
        (POLE, EXAMPLES, {"up": ["y"]}, InputError, "known_up"),
        (POLE, NAMES, {"model": "vitb3"}, UnknownNameError, "id you mean 'vitb32'"),
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
    with pytest.raises(InputError, match=r"fake has no text encoder\. Expected one for names\. Give text="):
        score_novelty(POLE, NAMES, encoder=FakeEncoder())


def test_another_tower_or_encoder_is_refused() -> None:
    other = FakeEncoder(Identity("other", "other words", "e" * 64))
    with pytest.raises(MixedEncodersError, match="the text encoder of fake"):
        score_novelty(POLE, NAMES, encoder=other, text=words())
    with pytest.raises(MixedEncodersError, match=r"fake \(sha256 ffffffff\), the shapes by other"):
        score_novelty(POLE, KnownClasses.from_examples(EXAMPLES, FakeEncoder()), encoder=other)


def test_a_bad_shape_is_named() -> None:
    with pytest.raises(CloudError, match="shape 1"):
        by_name([POLE, POLE * np.nan])


KNOWN = ["chair", "sofa", "table"]


@pytest.fixture(scope="module")
def clouds() -> dict[str, np.ndarray]:
    return {name: sample(name, 512, seed=0) for name in KNOWN}


def test_tiny_by_name(clouds: dict[str, np.ndarray]) -> None:
    result = score_novelty(list(clouds.values()), KNOWN, model="tiny")
    assert (result.provenance.identity.checkpoint, result.similarity.shape, len(result.provenance.identity.sha256)) == (
        "tiny",
        (3, 3),
        64,
    )
    assert np.isfinite(result.novelty).all()
    np.testing.assert_array_equal(score_novelty(list(clouds.values()), KNOWN, model="tiny").novelty, result.novelty)


def test_tiny_by_example(clouds: dict[str, np.ndarray]) -> None:
    result = score_novelty(list(clouds.values()), clouds, model="tiny", method="nearest_distance")
    assert result.nearest.tolist() == KNOWN
    # embeddings of one cloud may differ by 1e-5 from batch to batch
    np.testing.assert_allclose(result.novelty, 0, atol=1e-4)


def test_tiny_from_a_bank(clouds: dict[str, np.ndarray], tiny: ShapeEncoder) -> None:
    embeddings = dict(zip(KNOWN, tiny.encode(list(clouds.values())), strict=True))
    result = score_novelty(clouds["sofa"] * 1000, KnownClasses.from_examples(embeddings, tiny), encoder=tiny)
    assert result.nearest.tolist() == ["sofa"]
    assert result.provenance.identity.sha256 == tiny.identity.sha256


def test_tiny_keeps_other_banks_out(clouds: dict[str, np.ndarray], tiny: ShapeEncoder) -> None:
    with pytest.raises(MixedEncodersError, match=r"the text encoder of fake.*the shapes by tiny"):
        score_novelty(clouds["chair"], KnownClasses.from_names(NAMES, words()), encoder=tiny)


def test_a_bank_of_another_checkpoint_is_refused_before_anything_is_downloaded(tiny: ShapeEncoder) -> None:
    bank = KnownClasses.from_examples({"pole": POLE}, tiny)
    with pytest.raises(MixedEncodersError, match=r"embedded by tiny \(sha256 .*, the shapes by vitb32"):
        score_novelty(POLE, bank, model="vitb32")
    assert score_novelty(POLE, bank).nearest[0] == score_novelty(POLE, bank, model="tiny").nearest[0] == "pole"


def made(name: str, count: int, seed: int = 0) -> list[np.ndarray]:
    return [sample(name, 512, seed=seed + i) for i in range(count)]


@pytest.fixture(scope="module")
def tests() -> list[np.ndarray]:
    """Five chairs, five sofas, five guitars."""
    return [shape for name in ("chair", "sofa", "guitar") for shape in made(name, 5, seed=20)]


@pytest.fixture(scope="module")
def tiny_text() -> TextEncoder:
    return TextEncoder.from_pretrained("tiny", device="cpu")


@pytest.mark.parametrize("shown, named", [("chair", "sofa"), ("sofa", "chair")])
@pytest.mark.parametrize("method", [None, "rank_fusion", "max_cosine"])
def test_tiny_with_one_class_shown_and_one_only_named(
    shown: str, named: str, method: str | None, tests: list[np.ndarray], tiny: ShapeEncoder, tiny_text: TextEncoder
) -> None:
    for known in ({shown: made(shown, 8), named: None}, {named: None, shown: made(shown, 8)}):
        result = score_novelty(tests, known, encoder=tiny, text=tiny_text, method=method)
        assert result.provenance.method == (method or DEFAULTS["both"])
        found = result.nearest[:10] == np.repeat(["chair", "sofa"], 5)
        assert found[:5].sum() >= 4
        assert found[5:].sum() >= 4
        assert np.isfinite(result.novelty).all()
        assert result.novelty[10:].mean() >= result.novelty[:10].mean()


def test_tiny_by_negative_words(tests: list[np.ndarray], tiny: ShapeEncoder, tiny_text: TextEncoder) -> None:
    # nothing is said of words that tiny hardly knows: warnings are errors here
    result = score_novelty(tests, ["chair", "sofa"], encoder=tiny, text=tiny_text, method="neglabel")
    assert result.nearest[:10].tolist() == ["chair"] * 5 + ["sofa"] * 5
    assert result.novelty[10:].min() > result.novelty[:10].max()
    one = score_novelty(tests, ["chair"], encoder=tiny, text=tiny_text, method="neglabel")
    assert one.novelty[5:].mean() > one.novelty[:5].mean()


def test_tiny_by_the_votes_of_patches(tests: list[np.ndarray], tiny: ShapeEncoder) -> None:
    known = {name: made(name, 6) for name in ("chair", "sofa")}
    result = score_novelty(tests, known, encoder=tiny, method="vote_entropy")
    assert np.mean(result.nearest[:10] == np.repeat(["chair", "sofa"], 5)) >= 0.8
    assert result.novelty[10:].mean() > result.novelty[:10].mean()
    bank = KnownClasses.from_examples(known, tiny, patches="tokens")
    again = score_novelty(tests, bank, encoder=tiny, method="vote_entropy")
    np.testing.assert_allclose(again.novelty, result.novelty, atol=1e-5)


def test_tiny_from_several_views(tests: list[np.ndarray], tiny: ShapeEncoder) -> None:
    known = {name: made(name, 2) for name in ("chair", "sofa")}
    result = score_novelty(tests[:2], known, encoder=tiny, num_samples=3)
    bank = KnownClasses.from_examples({name: tiny.encode(value, num_samples=3) for name, value in known.items()}, tiny)
    expected = judge(tiny.encode(tests[:2], num_samples=3), bank, "prototype_distance").novelty
    np.testing.assert_allclose(result.novelty, expected, atol=1e-4)
    assert not np.allclose(result.novelty, score_novelty(tests[:2], known, encoder=tiny).novelty, atol=1e-4)
    with pytest.raises(InputError, match="num_samples"):
        score_novelty(tests[:2], known, encoder=tiny, num_samples=0)


def test_tiny_refuses_names_that_read_the_same(tiny: ShapeEncoder, tiny_text: TextEncoder) -> None:
    for known in (["night_stand", "night stand"], {"night_stand": POLE, "night stand": None}):
        with pytest.raises(ClassNamesError, match="night_stand"):
            score_novelty(POLE, known, encoder=tiny, text=tiny_text)


def test_patches_are_of_one_view(tiny: ShapeEncoder) -> None:
    chairs = [sample("chair", 500, seed=s) for s in (1, 2)]
    with pytest.raises(InputError, match="method 'vote_entropy' got num_samples=3"):
        score_novelty(chairs, {"chair": chairs}, encoder=tiny, method="vote_entropy", num_samples=3)


def test_a_bank_made_by_hand_takes_the_encoders_temperature() -> None:
    bank = KnownClasses.from_names(["pole", "plate"], words())
    by_hand = score_novelty(SLAB, bank, encoder=FakeEncoder(temperature=1.0), method="mcm")
    by_name = score_novelty(SLAB, ["pole", "plate"], encoder=FakeEncoder(temperature=1.0), text=words(), method="mcm")
    assert by_hand.novelty == pytest.approx(by_name.novelty)
    own = KnownClasses.from_names(["pole", "plate"], words(), temperature=0.5)
    assert score_novelty(SLAB, own, encoder=FakeEncoder(temperature=1.0), method="mcm").novelty != pytest.approx(
        by_name.novelty
    )


def threshold(**settings: Any) -> Threshold:
    known = by_example([box(0.1, 2 + 0.01 * i, 0.1) for i in range(30)], **settings)
    return Threshold.from_novelty(known, coverage=0.9)


def test_new_or_not_is_answered_with_a_threshold() -> None:
    result = by_example(threshold=threshold())
    assert result.is_novel.tolist() == (result.novelty > result.threshold.value).tolist() == [False, False, True]
    assert result.p_values[2] == pytest.approx(1 / 31) and result.p_values[0] > 0.1
    assert [line.split()[-1] for line in str(result).splitlines()[1:4]] == ["known", "known", "novel"]
    with pytest.raises(InputError, match=r"there is no threshold.*threshold=Threshold"):
        _ = by_example().is_novel


def test_a_threshold_of_another_method_or_encoder_is_refused() -> None:
    with pytest.raises(MixedEncodersError, match=r"for 'prototype_distance' by fake .*, the novelty is 'knn' by fake"):
        by_example(method="knn", threshold=threshold())
    other = FakeEncoder(Identity("other", "words", "e" * 64))
    with pytest.raises(MixedEncodersError, match="the novelty is 'prototype_distance' by other"):
        score_novelty(SHAPES, EXAMPLES, encoder=other, threshold=threshold())
    assert by_example(threshold=Threshold(0.5)).is_novel.shape == (3,)


@pytest.mark.filterwarnings("ignore:k is 5, but")
@pytest.mark.parametrize("method", [m for m in BY_EXAMPLE if m != "vote_entropy"])
def test_ready_embeddings_are_queries_too_and_cost_nothing(method: str) -> None:
    first = by_example()
    known, encoder = KnownClasses.from_both(NAMES, EXAMPLES, FakeEncoder(), words()), FakeEncoder()
    again = score_novelty(first.embeddings, known, method=method)
    np.testing.assert_array_equal(again.novelty, score_novelty(SHAPES, known, encoder=encoder, method=method).novelty)
    assert (again.shapes, again.up) == (first.shapes, ())


def test_ready_embeddings_of_another_encoder_and_without_shapes() -> None:
    rows = Embeddings(np.eye(4)[:2], Identity("other", "words", "e" * 64), ("a", "b"))
    known = KnownClasses.from_examples(EXAMPLES, PatchEncoder(), patches="tokens")
    with pytest.raises(MixedEncodersError, match=r"fake \(sha256 ffffffff\), the shapes by other"):
        score_novelty(rows, known)
    with pytest.raises(InputError, match="got embeddings"):
        score_novelty(by_example().embeddings, known, method="vote_entropy")
    with pytest.raises(InputError, match="query row 1 is zero"):
        score_novelty(Embeddings(np.eye(4)[:2] * [[1], [0]], known.identity), known)


def test_a_method_of_ones_own() -> None:
    class Constant:
        def __init__(self, known: KnownClasses) -> None:
            self.k = len(known.names)

        def judge(self, rows: np.ndarray) -> Judgement:
            return Judgement(np.full(len(rows), 7.0), np.zeros(len(rows), dtype=int), np.zeros((len(rows), self.k)))

    for result in (by_name(method=Method("constant", Constant)), by_example(method=Method("constant", Constant))):
        assert (result.novelty.tolist(), result.provenance.method) == ([7.0] * 3, "constant")


def test_no_ready_embeddings_are_no_shapes() -> None:
    known = KnownClasses.from_both(NAMES, EXAMPLES, FakeEncoder(), words())
    result = score_novelty(Embeddings(np.empty((0, 4)), known.identity), known, threshold=threshold())
    assert (len(result), result.is_novel.tolist(), result.as_json()["shapes"]) == (0, [], [])


def test_ready_embeddings_do_not_tell_their_axis() -> None:
    again = score_novelty(by_example(up="z").embeddings, KnownClasses.from_examples(EXAMPLES, FakeEncoder()))
    assert (again.up, again.provenance.up) == ((), "")


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"encoder": words()}, "encoder is .* which has no .*temperature. Expected an encoder object"),
        ({"encoder": 5}, "encoder is 5, which has no identity and no dim"),
        ({"text": 5}, "text is 5, which has no identity and no encode"),
        ({"threshold": 0.5}, r"threshold is 0.5. Expected a Threshold. Give Threshold\(0.5\)"),
    ],
)
def test_what_is_no_encoder_text_encoder_or_threshold(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        score_novelty(SHAPES, NAMES, **{"encoder": FakeEncoder(), "text": words()} | settings)


def test_known_classes_were_read_already() -> None:
    with pytest.raises(InputError, match="known_up is given with ready KnownClasses"):
        by_example(known=KnownClasses.from_examples(EXAMPLES, FakeEncoder()), known_up="z")


def test_a_method_is_fitted_once_for_known_classes_that_lack_a_temperature() -> None:
    fits: list[KnownClasses] = []
    own = Method("counted", lambda known: fits.append(known) or METHODS["mcm"].fit(known))
    known = KnownClasses.from_names(["pole", "plate"], words())
    for _ in range(3):
        score_novelty(SHAPES, known, encoder=FakeEncoder(temperature=0.5), method=own)
    assert [one.temperature for one in fits] == [0.5]
