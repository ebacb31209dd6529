"""Several encoders behind one name: `tiny` and untrained networks like it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from further_tiny import write_rows

from openshape_ood import Embeddings, KnownClasses, ShapeEmbedder, ShapeEncoder, TextEncoder, localize, score_novelty
from openshape_ood.embedding_store.jobs import Settings
from openshape_ood.encoders.ensemble import TextEnsemble
from openshape_ood.encoders.protocols import ENCODER, check_encoders
from openshape_ood.errors import InputError, MixedEncodersError, UnknownNameError, WeightsError
from openshape_ood.registry import find_checkpoint, is_registered
from openshape_ood.registry.ensembles import ensemble
from openshape_ood.scoring import METHODS
from openshape_ood.synthetic import sample

NAMES = ["chair", "lamp", "night_stand"]
KNOWN = {name: [sample(name, 300, seed) for seed in range(3)] for name in ("chair", "lamp")}
QUERIES = [sample("chair", 700, seed=9), sample("guitar", 1500, seed=9), sample("lamp", 1024, seed=9)]


def text_ensemble(name: str) -> TextEnsemble:
    text = TextEncoder.from_pretrained(name)
    assert isinstance(text, TextEnsemble)
    return text


@pytest.fixture(autouse=True, scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = write_rows(tmp_path_factory.mktemp("registry"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(path))
        yield path


@pytest.fixture(scope="module")
def both() -> ShapeEncoder:
    return ShapeEncoder.from_pretrained("tiny+tiny-b", device="cpu")


@pytest.fixture(scope="module")
def words() -> TextEnsemble:
    return text_ensemble("tiny-b+tiny")


@pytest.fixture(scope="module")
def alone(tiny: ShapeEncoder) -> list[ShapeEncoder]:
    return [tiny, ShapeEncoder.from_pretrained("tiny-b", device="cpu")]


def test_the_order_of_the_names_does_not_matter(both: ShapeEncoder) -> None:
    other = ShapeEncoder.from_pretrained(" tiny-b + tiny ", device="cpu")
    assert other.identity == both.identity and both.identity.checkpoint == "tiny+tiny-b"
    assert find_checkpoint("tiny-b+tiny").source.sha256 == both.identity.sha256
    np.testing.assert_array_equal(other.encode(QUERIES, up="y"), both.encode(QUERIES, up="y"))


def test_an_ensemble_is_an_encoder_and_no_encoder_of_one_network(both: ShapeEncoder, words: TextEnsemble) -> None:
    check_encoders(both, words, (*ENCODER, "spec", "encode_patches"))
    assert not isinstance(both, ShapeEncoder) and not isinstance(words, TextEncoder)
    mean, spread = both.encode_with_spread(QUERIES, up="y", num_samples=2)
    assert mean.shape == (3, both.dim) and spread.shape == (3,)
    np.testing.assert_array_equal(mean, both.encode(QUERIES, up="y", num_samples=2))
    assert both.encode_prepared([]).shape == (0, both.dim)


def test_a_cosine_is_the_mean_of_those_of_the_members(
    both: ShapeEncoder, alone: list[ShapeEncoder], words: TextEnsemble
) -> None:
    z, each = both.encode(QUERIES, up="y"), [one.encode(QUERIES, up="y") for one in alone]
    assert z.shape == (3, both.dim) == (3, 384) and z.dtype == np.float32
    np.testing.assert_allclose(z, np.concatenate(each, axis=1) / np.sqrt(2), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    text, each_text = words.encode(NAMES), [one.encode(NAMES) for one in words.members]
    np.testing.assert_allclose(z @ text.T, (each[0] @ each_text[0].T + each[1] @ each_text[1].T) / 2, atol=1e-5)


@pytest.mark.parametrize("method", ["neglabel", "prototype_distance", "vote_entropy"])
def test_a_shape_is_as_novel_alone_as_in_a_batch(both: ShapeEncoder, words: TextEnsemble, method: str) -> None:
    if METHODS[method].needs in ("any", "negatives"):
        known = KnownClasses.from_names(NAMES, words, negatives=["guitar", "car", "dog", "tree"])
    else:
        known = KnownClasses.from_examples(KNOWN, both, up="y", patches="tokens")
    together = score_novelty(QUERIES, known, encoder=both, method=method, up="y").novelty
    one_by_one = [score_novelty(query, known, encoder=both, method=method, up="y").novelty[0] for query in QUERIES]
    np.testing.assert_allclose(together, one_by_one, rtol=1e-4, atol=1e-5)
    assert method == "vote_entropy" or together[0] < together[1]


def test_one_number_at_every_door(both: ShapeEncoder, words: TextEnsemble, tmp_path: Path) -> None:
    result = score_novelty(QUERIES, NAMES, model="tiny-b+tiny", up="y")
    assert result.provenance.identity == both.identity
    known = KnownClasses.load(KnownClasses.from_names(NAMES, words).save(tmp_path / "known.safetensors"))
    rows = ShapeEmbedder("tiny-b+tiny", up="y", device="cpu").transform(QUERIES)
    np.testing.assert_allclose(score_novelty(Embeddings(rows, both.identity), known).novelty, result.novelty, atol=1e-5)
    header = Settings("tiny-b+tiny").header()
    assert (header.identity, header.dim) == (both.identity, both.dim)


def test_calibrated_together(both: ShapeEncoder) -> None:
    calibration = [sample(name, 500, seed) for name in ("chair", "lamp") for seed in range(20, 30)]
    result = score_novelty(QUERIES, KNOWN, encoder=both, calibration=calibration, up="y")
    assert result.threshold is not None and result.threshold.provenance is not None
    assert result.threshold.provenance.identity == both.identity and result.is_novel.tolist() == [False, True, False]
    with pytest.raises(MixedEncodersError, match=r"tiny\+tiny-b"):
        score_novelty(QUERIES, KNOWN, model="tiny", threshold=result.threshold, up="y")


@pytest.mark.parametrize("name, same", [("tiny+tiny-z", True), ("tiny+tiny-few", False)])
def test_members_take_their_own_axis_and_points(name: str, same: bool) -> None:
    """As many points under another axis: what the member sees alone; fewer: some of them, so nearly that."""
    joined = ShapeEncoder.from_pretrained(name, device="cpu")
    assert joined.spec.count == 1024 and joined.spec.up == "y"
    for up in ("y", "z"):
        own = joined.encode(QUERIES, up=up)[:, 192:] * np.sqrt(2)
        other = ShapeEncoder.from_pretrained(name.removeprefix("tiny+"), device="cpu").encode(QUERIES, up=up)
        cosine = (own * other).sum(axis=1)
        assert (cosine > (1 - 1e-6 if same else 0.95)).all(), cosine


def test_patches_lie_beside_the_nearest_of_the_others(both: ShapeEncoder, alone: list[ShapeEncoder]) -> None:
    joined = ShapeEncoder.from_pretrained("tiny+tiny-z", device="cpu")
    found, one = joined.encode_patches(QUERIES, up="y"), alone[0].encode_patches(QUERIES, up="y")
    np.testing.assert_array_equal(found.centers, one.centers)  # the turned ones come back to the same place
    assert found.features.shape == (3, 48, 256)
    other = ShapeEncoder.from_pretrained("tiny-z", device="cpu").encode_patches(QUERIES, up="y")
    for part, alike in ((slice(128), one), (slice(128, 256), other)):  # the centers of both are the same, in one order
        unit = alike.features / np.linalg.norm(alike.features, axis=2, keepdims=True)
        np.testing.assert_allclose(found.features[:, :, part] * np.sqrt(2), unit, atol=1e-5)
    assert localize(QUERIES[0], NAMES, encoder=both, up="y").provenance.identity == both.identity


def test_known_classes_of_one_member_or_another_ensemble_are_refused(both: ShapeEncoder, tiny: ShapeEncoder) -> None:
    by_names = KnownClasses.from_names(NAMES, TextEncoder.from_pretrained("tiny"))
    by_examples = KnownClasses.from_examples(KNOWN, tiny, up="y")
    third = KnownClasses.from_examples(KNOWN, ShapeEncoder.from_pretrained("tiny+tiny-z", device="cpu"), up="y")
    for known in (by_names, by_examples, third):
        with pytest.raises(MixedEncodersError, match=r"the shapes by tiny\+tiny-b"):
            score_novelty(QUERIES, known, encoder=both, up="y")
    with pytest.raises(MixedEncodersError, match="tiny-z"):
        KnownClasses.join(third, by_examples)


@pytest.mark.parametrize(
    "name, message",
    [
        ("tiny+tiny", "'tiny[+]tiny' names an encoder twice"),
        ("tiny+tinny-b", "'tinny-b' in 'tiny[+]tinny-b'.*Did you mean 'tiny-b'"),
        ("tiny+", "unknown checkpoint '' in 'tiny[+]'"),
        ("tiny-gray+tiny", "by different grays: 0.4 for tiny, 0.5 for tiny-gray. Expected one gray"),
    ],
)
def test_what_cannot_be_combined(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ShapeEncoder.from_pretrained(name)
    assert not is_registered(name)


def test_other_kinds_of_rows_cannot_be_combined() -> None:
    rows = [find_checkpoint("tiny"), replace(find_checkpoint("tiny-b"), kind="comparator")]
    with pytest.raises(InputError, match=r"contains 'tiny-b', which is of kind 'comparator'\. Expected shape encoders"):
        ensemble(rows)


def test_a_member_without_weights_is_named() -> None:
    with pytest.raises(WeightsError, match="checkpoint 'lost': there is no file"):
        score_novelty(QUERIES, NAMES, model="tiny+lost", up="y")


def test_one_file_does_not_stand_for_several(registry: Path) -> None:
    weights = registry.parent / "tiny-b.safetensors"
    for door in (ShapeEncoder.from_pretrained, TextEncoder.from_pretrained):
        with pytest.raises(InputError, match=r"'tiny[+]tiny-b' is an ensemble of 2 encoders"):
            door("tiny+tiny-b", checkpoint=weights)
    with pytest.raises(InputError, match="is an ensemble of 2 encoders"):
        Settings("tiny+tiny-b", checkpoint=str(weights)).header()


def test_members_of_one_text_encoder_share_it_and_keep_their_own_words() -> None:
    text = text_ensemble("uni3d-b+uni3d-b-no-lvis")
    assert text.members[0] is text.members[1]
    published = text_ensemble("uni3d-b+vitb32+tiny")
    assert [(len(one.templates), one.average) for one in published.members] == [
        (1, "mean"),
        (64, "mean_of_units"),
        (64, "mean"),
    ]
    same = find_checkpoint("uni3d-b+vitb32+tiny").text.templates
    assert TextEncoder.from_pretrained("uni3d-b+vitb32+tiny", templates=same).templates == published.templates
    assert TextEncoder.from_pretrained("uni3d-b+vitb32+tiny", templates="").templates == ("{}",)


def test_an_unknown_name_says_so() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown checkpoint 'nix'\. Expected one of tiny"):
        find_checkpoint("nix")
