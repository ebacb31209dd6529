from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from fakes import PLATE, POLE, SLAB, FakeEncoder, FakeText, PatchEncoder, words

from openshape_ood import KnownClasses, OpenShapeError, ShapeEncoder, TextEncoder, Threshold
from openshape_ood.checks import unit
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import ClassNamesError, CloudError, InputError, MixedEncodersError, ShapeFileError
from openshape_ood.known import MemoryBank, check_names
from openshape_ood.known.examples import ready_embeddings

EMBEDDINGS = np.array([[3.0, 0, 0, 4], [0, 2, 0, 0]])
IDENTITY = Identity("fake", "words", "f" * 64)


@pytest.mark.parametrize(
    "names, message",
    [
        ([], "no known classes"),
        ((), "no known classes"),
        ("chair", r"the string 'chair'. Expected a list of names. Give \['chair'\]"),
        (np.array("chair"), "the string 'chair'"),
        ([""], "known class 0 is ''"),
        (["chair", " \t\n"], "known class 1 is"),
        (["chair", None], "known class 1 is None"),
        ([3], "known class 0 is 3"),
        ([b"chair"], "known class 0 is b'chair'"),
        (["chair", "sofa", "chair"], "repeated: 'chair'"),
        (np.array(["chair", "chair"]), "repeated: 'chair'"),
    ],
)
def test_names_that_cannot_be_used(names: Any, message: str) -> None:
    with pytest.raises(ClassNamesError, match=message):
        check_names(names)


@pytest.mark.parametrize("kind", [list, tuple, np.array, iter, lambda names: dict.fromkeys(names).keys()])
def test_names_come_in_any_ordered_form(kind: Callable[[list[str]], Any]) -> None:
    assert check_names(kind(["night_stand", "椅子"])) == ("night_stand", "椅子")


def test_names_become_unit_anchors_without_examples() -> None:
    bank = KnownClasses.from_names(["a", "b"], FakeText({"a": [3, 0, 4], "b": [0, 0.5, 0]}))
    np.testing.assert_allclose(bank.anchors, [[0.6, 0, 0.8], [0, 1, 0]], atol=1e-7)
    assert (bank.names, bank.dim, bank.examples, bank.labels) == (("a", "b"), 3, None, None)
    assert bank.identity == Identity("fake", "words")


def test_a_name_without_a_direction() -> None:
    with pytest.raises(InputError, match="text embedding of 'b' is zero"):
        KnownClasses.from_names(["a", "b"], FakeText({"a": [1, 0], "b": [0, 0]}))


@pytest.mark.parametrize(
    "shapes",
    [POLE, POLE[None], [POLE, POLE], torch.from_numpy(POLE), POLE.tolist(), np.hstack([POLE, np.full((8, 3), 0.5)])],
    ids=["cloud", "stack", "list", "torch", "nested lists", "colored"],
)
def test_examples_as_shapes(shapes: Any) -> None:
    encoder = FakeEncoder()
    bank = KnownClasses.from_examples({"pole": shapes, "plate": [PLATE, SLAB]}, encoder)
    np.testing.assert_allclose(bank.anchors[0], encoder.encode(POLE)[0], atol=1e-5)
    assert bank.labels.tolist() == [0] * (len(bank.examples) - 2) + [1, 1]
    assert bank.identity == encoder.identity


@pytest.mark.parametrize(
    "kind",
    [np.asarray, lambda e: e.astype(np.float32), torch.from_numpy, lambda e: torch.from_numpy(e).requires_grad_()],
)
def test_examples_as_ready_embeddings_are_not_embedded_again(kind: Callable[[np.ndarray], Any]) -> None:
    encoder = FakeEncoder()
    bank = KnownClasses.from_examples({"a": kind(EMBEDDINGS), "b": kind(EMBEDDINGS)[1]}, encoder)
    np.testing.assert_allclose(bank.examples, [[0.6, 0, 0, 0.8], [0, 1, 0, 0], [0, 1, 0, 0]], atol=1e-7)
    assert bank.labels.tolist() == [0, 0, 1]
    assert not encoder.calls


def test_the_anchor_is_the_unit_mean_of_unit_examples() -> None:
    anchor = KnownClasses.from_examples({"a": EMBEDDINGS}, FakeEncoder()).anchors[0]
    np.testing.assert_allclose(anchor, np.array([0.6, 1, 0, 0.8]) / np.sqrt(2), atol=1e-12)


def test_settings_and_axis_reach_the_encoder() -> None:
    encoder = FakeEncoder()
    KnownClasses.from_examples({"pole": POLE}, encoder, up="z", batch_size=7, seed=3)
    assert encoder.calls == [{"up": ["z"], "batch_size": 7, "seed": 3, "progress": False}]


@pytest.mark.parametrize(
    "examples, error, message",
    [
        ({}, ClassNamesError, "no known classes"),
        ({"": POLE}, ClassNamesError, "known class 0"),
        ({1: POLE}, ClassNamesError, "known class 0 is 1"),
        (
            {"pole": POLE, "sofa": None},
            InputError,
            "class 'sofa' has None as its examples.*a class with only a name, give None to score_novelty",
        ),
        ([POLE], InputError, "examples are a list. Expected a mapping"),
        ({"pole": []}, CloudError, "examples of class 'pole': the list of shapes is empty"),
        ({"pole": POLE, "sofa": "sofa"}, InputError, "class 'sofa' has 'sofa' as its examples"),
        ({"pole": POLE, "sofa": ["sofa", "couch"]}, InputError, "class 'sofa' has .*couch.* as its examples"),
        ({"pole": [[0, 0, 0], [1, 1]]}, CloudError, "examples of class 'pole'"),
        ({"pole": "missing.ply"}, ShapeFileError, "examples of class 'pole': missing.ply: no such file"),
        ({"pole": np.empty((0, 4))}, InputError, "class 'pole' has no examples"),
        ({"pole": [POLE, POLE * np.nan]}, CloudError, "examples of class 'pole': .*shape 1"),
        ({"pole": [POLE[:1]]}, CloudError, "examples of class 'pole'"),
        ({"pole": 3}, CloudError, "examples of class 'pole': shapes is int"),
        (
            {"pole": np.ones((5, 9))},
            MixedEncodersError,
            r"'pole' is an array of shape \(5, 9\).*by fake of width 4",
        ),
        ({"pole": np.ones(512)}, MixedEncodersError, r"\(1, 512\)"),
        ({"pole": EMBEDDINGS * [[1], [0]]}, InputError, "embedding of class 'pole', row 1 is zero"),
        ({"pole": EMBEDDINGS * np.nan}, InputError, "not finite"),
        ({"a": EMBEDDINGS, "b": np.array([[1, 0, 0, 0], [-1, 0, 0, 0]])}, InputError, "mean example of 'b' is zero"),
        ({"pole": "no such file.ply"}, OpenShapeError, "no such file.ply"),
    ],
)
def test_examples_that_cannot_be_used(examples: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        KnownClasses.from_examples(examples, FakeEncoder())


def test_clouds_are_told_from_embeddings_by_their_width() -> None:
    assert len(KnownClasses.from_examples({"pole": POLE}, FakeEncoder()).examples) == 1
    assert len(KnownClasses.from_examples({"a": np.eye(6)}, FakeEncoder(dim=6)).examples) == 6


TEXT = Identity("vitb32", "ViT-B-32")
SHAPES = Identity("vitb32", "ViT-B-32", "aaaa1111")


@pytest.mark.parametrize(
    "other, fits",
    [
        (SHAPES, True),
        (Identity("renamed", "ViT-B-32", "aaaa1111"), True),
        (Identity("vitb32", "ViT-B-32", "bbbb2222"), False),
        (TEXT, True),
        (Identity("vitg14", "ViT-bigG-14"), False),
    ],
)
def test_which_embeddings_may_be_compared(other: Identity, fits: bool) -> None:
    assert SHAPES.fits(other) is other.fits(SHAPES) is fits


def test_texts_of_one_space_may_be_compared() -> None:
    assert TEXT.fits(Identity("another", "ViT-B-32"))
    assert not TEXT.fits(Identity("vitb32", "ViT-L-14"))


def test_a_bank_of_another_encoder_names_both() -> None:
    bank = KnownClasses.from_examples({"pole": POLE}, FakeEncoder())
    other = FakeEncoder(Identity("other", "words", "0123456789"))
    with pytest.raises(MixedEncodersError, match=r"fake \(sha256 ffffffff\).*other \(sha256 01234567\)"):
        bank.check_fits(other.identity)
    with pytest.raises(MixedEncodersError, match=r"the text encoder of fake.*other \(sha256 01234567\)"):
        KnownClasses.from_names(["pole"], words()).check_fits(Identity("other", "another space", "0123456789"))


def test_banks_can_be_compared_and_hashed() -> None:
    bank, twin = (KnownClasses.from_names(["pole"], words()) for _ in range(2))
    assert bank == bank
    assert bank != twin
    assert len({bank, twin}) == 2


def test_unit_names_the_row() -> None:
    np.testing.assert_allclose(unit([[3, 4], [0, 1e-30]], "row of"), [[0.6, 0.8], [0, 1]])
    with pytest.raises(InputError, match="vector of 'b' is zero or not finite"):
        unit([[1, 0], [np.inf, 0]], "vector of", ["a", "b"])


@pytest.mark.parametrize("one", [EMBEDDINGS[0], EMBEDDINGS[:1], torch.tensor(EMBEDDINGS[0]), EMBEDDINGS[0].tolist()])
def test_embeddings_in_a_list(one: Any) -> None:
    bank = KnownClasses.from_examples({"pole": [one, one]}, FakeEncoder())
    np.testing.assert_allclose(bank.examples, [[0.6, 0, 0, 0.8]] * 2)


def test_names_are_their_own_text_and_examples_have_none() -> None:
    by_name = KnownClasses.from_names(["pole", "slab"], words())
    np.testing.assert_array_equal(by_name.text, by_name.anchors)
    by_example = KnownClasses.from_examples({"pole": POLE}, FakeEncoder())
    for bank in (by_name, by_example):
        assert (bank.negatives, bank.patches, bank.temperature) == (None, None, None)
    assert by_example.text is None


def test_the_half_of_the_negatives_farthest_from_the_names_is_kept() -> None:
    angles = {"a": 0, "b": 180, "near a": 10, "near b": 160, "middle": 80, "beside": 270}
    text = FakeText({word: [np.cos(np.radians(t)), np.sin(np.radians(t))] for word, t in angles.items()})
    bank = KnownClasses.from_names(["a", "b"], text, negatives=["near a", "middle", "beside", "near b"])
    np.testing.assert_allclose(bank.negatives, text.encode(["middle", "beside"]), atol=1e-5)
    assert bank.names == ("a", "b")


def test_of_an_odd_number_of_negatives_the_middle_one_is_kept() -> None:
    angles = {"a": 0, "near": 10, "middle": 50, "far": 80}
    text = FakeText({word: [np.cos(np.radians(t)), np.sin(np.radians(t))] for word, t in angles.items()})
    bank = KnownClasses.from_names(["a"], text, negatives=["near", "far", "middle"])
    np.testing.assert_allclose(bank.negatives, text.encode(["far", "middle"]), atol=1e-5)


@pytest.mark.parametrize("negatives", [["x", "x"], [""], "x", [3]])
def test_negatives_that_cannot_be_used(negatives: Any) -> None:
    with pytest.raises(ClassNamesError):
        KnownClasses.from_names(["a"], FakeText({"a": [1, 0], "x": [0, 1]}), negatives=negatives)


@pytest.mark.parametrize("text", ["tiny", FakeEncoder()])
def test_names_need_a_text_encoder(text: Any) -> None:
    with pytest.raises(InputError, match=r"Expected a TextEncoder. Give TextEncoder"):
        KnownClasses.from_names(["a"], text)


def test_names_that_read_the_same() -> None:
    text = TextEncoder.from_pretrained("tiny")
    with pytest.raises(ClassNamesError, match="night_stand"):
        KnownClasses.from_names(["night_stand", "chair", "night stand"], text)


def test_a_text_embedding_without_a_direction_is_named() -> None:
    with pytest.raises(InputError, match="text embedding of 'b' is zero or not finite"):
        KnownClasses.from_names(["a", "b"], FakeText({"a": [1, 0], "b": [np.nan, 0]}))


def test_by_both_the_anchor_is_the_example_and_the_name_where_there_is_none() -> None:
    encoder = FakeEncoder()
    examples = {"slab": [SLAB, POLE], "pole": POLE}  # in another order than the names
    bank = KnownClasses.from_both(["pole", "plate", "slab"], examples, encoder, words(), batch_size=5)
    by_example = KnownClasses.from_examples(examples, FakeEncoder())
    assert bank.names == ("pole", "plate", "slab")
    assert bank.labels.tolist() == [2, 2, 0]
    np.testing.assert_array_equal(bank.examples, by_example.examples)
    np.testing.assert_array_equal(bank.anchors, [by_example.anchors[1], bank.text[1], by_example.anchors[0]])
    np.testing.assert_array_equal(bank.text, KnownClasses.from_names(bank.names, words()).text)
    assert bank.identity == encoder.identity
    assert {call["batch_size"] for call in encoder.calls} == {5}


def test_by_both_of_two_encoders() -> None:
    with pytest.raises(MixedEncodersError, match=r"the text encoder of fake.*other"):
        KnownClasses.from_both(["pole"], {"pole": POLE}, FakeEncoder(Identity("other", "another", "f" * 64)), words())
    with pytest.raises(ClassNamesError, match=r"'ball', 'cube'\. Expected examples of named classes only: 'pole'"):
        KnownClasses.from_both(["pole"], {"ball": POLE, "pole": POLE, "cube": POLE}, FakeEncoder(), words())


def test_patches_are_unit_rows_of_every_example() -> None:
    bank = KnownClasses.from_examples({"pole": [POLE, PLATE], "slab": SLAB}, PatchEncoder(), patches="tokens")
    tokens = PatchEncoder().encode_patches([POLE, PLATE, SLAB]).features.reshape(6, 4)
    np.testing.assert_allclose(bank.patches.features, tokens / np.linalg.norm(tokens, axis=1, keepdims=True), atol=1e-5)
    assert (bank.patches.features.dtype, bank.patches.labels.tolist()) == (np.float32, [0, 0, 0, 0, 1, 1])
    assert bank.patches.shapes.tolist() == [0, 0, 1, 1, 2, 2]
    assert (bank.patches.stage, bank.patches.radius, bank.patches.centers.shape) == ("tokens", 0.4, (6, 3))
    both = KnownClasses.from_both(["plate", "slab", "pole"], {"pole": POLE}, PatchEncoder(), words(), patches="tokens")
    assert both.patches.labels.tolist() == [2, 2]


def test_patches_of_what_has_none() -> None:
    with pytest.raises(InputError, match=r"fake has no patches\. Expected an encoder with encode_patches"):
        KnownClasses.from_examples({"pole": POLE}, FakeEncoder(), patches="tokens")
    with pytest.raises(InputError, match="the examples of class 'a' are embeddings"):
        KnownClasses.from_examples({"a": EMBEDDINGS}, PatchEncoder(), patches="tokens")


def test_settings_and_axis_reach_the_patches() -> None:
    encoder = PatchEncoder()
    KnownClasses.from_examples({"pole": POLE}, encoder, up="z", patches="tokens", batch_size=7, seed=3, num_samples=2)
    call = {"up": ["z"], "batch_size": 7, "seed": 3, "progress": False}
    assert encoder.calls == [{**call, "num_samples": 2}, call]


def test_the_temperature_is_that_of_the_encoder(tiny: ShapeEncoder) -> None:
    encoder = FakeEncoder()
    encoder.temperature = 0.04
    assert KnownClasses.from_examples({"pole": POLE}, encoder).temperature == 0.04
    assert KnownClasses.from_both(["pole"], {"pole": POLE}, encoder, words()).temperature == 0.04
    assert KnownClasses.from_examples({"pole": POLE}, tiny).temperature == getattr(tiny, "temperature", None)


def test_a_known_name_is_no_negative_word() -> None:
    bank = KnownClasses.from_names(["pole"], words(), negatives=["pole", "plate", "slab"])
    assert len(bank.negatives) and (bank.negatives @ bank.text[0]).max() < 0.999
    with pytest.raises(ClassNamesError, match="every negative word is the name of a known class"):
        KnownClasses.from_names(["pole"], words(), negatives=["pole"])


@pytest.mark.parametrize("pair", [("arm chair", "arm_chair"), ("chair", "Chair"), ("chair", "chair ")])
def test_examples_of_one_class_under_two_spellings_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(ClassNamesError, match="are the same name"):
        KnownClasses.from_examples(dict.fromkeys(pair, POLE), FakeEncoder())


def test_a_cloud_is_told_by_its_form_and_not_copied_for_it() -> None:
    class Cloud:
        ndim, shape, dtype = 2, (10**9, 3), np.dtype(np.float64)

        def __array__(self, *_: Any, **__: Any) -> np.ndarray:
            raise AssertionError("copied")

    assert ready_embeddings([Cloud(), Cloud()], "pole", FakeEncoder()) is None


def test_they_are_printed_in_a_line() -> None:
    known = KnownClasses.from_both(
        ["pole", "plate", "slab"], {"pole": [POLE, POLE * 2]}, PatchEncoder(), words(), patches="tokens"
    )
    assert repr(known) == "KnownClasses(pole, plate, slab: 3 names, 2 examples, 4 patches of fake (sha256 ffffffff))"
    assert repr(known.patches) == "MemoryBank(4 tokens patches of 2 shapes)"
    five = KnownClasses.from_names(list("abcde"), FakeText({name: [1, 0] for name in "abcde"}))
    assert repr(five) == "KnownClasses(a, b, c, d, …: 5 names of the text encoder of fake)"


@pytest.mark.parametrize(
    "vectors, labels, identity, message",
    [
        (np.full((2, 4), np.nan), ["a", "b"], IDENTITY, "row 0 of the embeddings holds NaN"),
        (np.zeros((2, 4)), ["a", "b"], IDENTITY, "row 0 is zero"),
        ([["x"]], ["a"], IDENTITY, "Expected numbers"),
        ([[1.0], [1.0, 2.0]], ["a", "b"], IDENTITY, "rows of different lengths"),
        (np.eye(2), ["a"], IDENTITY, "Expected .2,., one each"),
        (np.eye(2), ["a", None], IDENTITY, "several types"),
        (np.eye(2), [1, 2], IDENTITY, "Expected a name"),
        (np.eye(2), ["a", "b"], "tiny", "identity is 'tiny'"),
    ],
)
def test_ready_embeddings_that_cannot_be_used(vectors: Any, labels: Any, identity: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        KnownClasses.from_embeddings(vectors, labels, identity)


def test_classes_of_which_nothing_is_known() -> None:
    with pytest.raises(InputError, match="neither embeddings of names nor examples"):
        KnownClasses(("a",), IDENTITY).anchors  # noqa: B018


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KnownClasses.from_examples({"a": POLE}, FakeEncoder(), bach=3), "did you mean 'batch_size'"),
        (lambda: KnownClasses.from_both(["a"], {"a": POLE}, FakeEncoder(), words(), sed=3), "did you mean 'seed'"),
        (lambda: MemoryBank.from_examples({"a": POLE}, PatchEncoder(), stage="tokens", x=3), "unknown setting 'x'"),
        (lambda: KnownClasses.join("a"), "cannot join 'a', a str. Expected KnownClasses. Give each set"),
        (lambda: KnownClasses.join([known_chairs()]), r"cannot join \[.* a list. Expected KnownClasses"),
    ],
)
def test_what_is_misspelled_or_no_set_is_told(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def known_chairs() -> KnownClasses:
    return KnownClasses.from_examples({"chair": [POLE, SLAB]}, FakeEncoder())


def test_a_threshold_is_no_bare_number() -> None:
    number: Any = 0.5
    with pytest.raises(InputError, match=r"threshold is 0\.5. Expected a Threshold"):
        known_chairs().with_threshold(number)


def test_other_classes_have_no_threshold() -> None:
    held = known_chairs().with_threshold(Threshold(0.5))
    other = KnownClasses.from_examples({"plate": PLATE}, FakeEncoder())
    assert held.threshold.value == 0.5 and held.with_temperature(0.1).threshold is held.threshold
    assert KnownClasses.join(held, other).threshold is None
    assert held.subset(np.array([True, False])).threshold is None
    assert held.relabeled(("a", "b"), [1], None).threshold is None


def test_a_part_of_the_examples_keeps_no_patches_of_the_others() -> None:
    known = KnownClasses.from_examples({"pole": POLE, "slab": SLAB}, PatchEncoder(), patches="tokens")
    part = known.subset(known.labels == 1)
    assert part.names == ("slab",) and part.labels.tolist() == [0] and part.patches is None
