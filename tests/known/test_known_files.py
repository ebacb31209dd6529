from __future__ import annotations

import json
import pickle
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import PLATE, POLE, SLAB, FakeEncoder, FakeText, words
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from openshape_ood import KnownClasses, ShapeEncoder, TextEncoder, Threshold
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.errors import ClassNamesError, FileError, InputError, MixedEncodersError
from openshape_ood.known import MemoryBank
from openshape_ood.scoring import METHODS, Method, default_method, judge
from openshape_ood.synthetic import sample


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, KnownClasses | MemoryBank):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b


def by_name() -> KnownClasses:
    return KnownClasses.from_names(["pole", "plate"], words())


def by_example() -> KnownClasses:
    return KnownClasses.from_examples({"pole": [POLE, 2 * POLE], "slab": SLAB}, FakeEncoder())


def test_equal_content_is_equal_bytes(tmp_path: Path) -> None:
    # twenty draws: the metadata of the file format come in one of two orders by chance
    paths = [by_name().save(tmp_path / f"{i}.safetensors") for i in range(20)]
    assert len({path.read_bytes() for path in paths}) == 1


def by_both() -> KnownClasses:
    return KnownClasses.from_both(["pole", "plate", "slab"], {"slab": SLAB}, FakeEncoder(), words())


@pytest.mark.parametrize("make", [by_name, by_example, by_both])
def test_a_bank_comes_back_as_it_was(make: Any, tmp_path: Path) -> None:
    path = make().save(tmp_path / "bank.safetensors")
    assert same(KnownClasses.load(path), make())
    assert [p.name for p in tmp_path.iterdir()] == ["bank.safetensors"]


def test_patches_and_temperature_come_back(tiny: ShapeEncoder, tmp_path: Path) -> None:
    bank = KnownClasses.from_examples({"chair": [sample("chair", 500, seed=1)]}, tiny, patches="tokens")
    bank = replace(bank, temperature=0.02)
    assert bank.patches.features.shape == (48, 128)
    assert same(KnownClasses.load(bank.save(tmp_path / "b.safetensors")), bank)


def test_a_loaded_bank_still_refuses_another_encoder(tiny: ShapeEncoder, tmp_path: Path) -> None:
    bank = KnownClasses.load(by_example().save(tmp_path / "b.safetensors"))
    with pytest.raises(MixedEncodersError, match=r"fake \(sha256 ffffffff\).*tiny"):
        KnownClasses.join(bank, KnownClasses.from_examples({"chair": sample("chair", 500, seed=1)}, tiny))


def damaged(path: Path, header: Any = None, **arrays: np.ndarray) -> Path:
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    told = json.loads(metadata["header"]) | (header or {})
    metadata = {"format": told.pop("format", metadata["format"]), "header": json.dumps(told)}
    content = load_file(path) | arrays
    save_file({k: v for k, v in content.items() if v is not None}, path, metadata)
    return path


@pytest.mark.parametrize(
    "header, arrays, message",
    [
        ({"format": "something else"}, {}, "its header is not"),
        ({"names": ["pole"]}, {}, "labels are not all from 0 to 0"),
        ({"names": ["pole", "pole"]}, {}, "are repeated"),
        ({"identity": {"checkpoint": "fake", "space": "words", "key": "x"}}, {}, "no set of known classes"),
        ({}, {"labels": np.array([0, 1, 2])}, "labels are not all from 0 to 1"),
        ({}, {"labels": np.array([0.0, 0.0, 1.0])}, "labels are not one whole number"),
        ({}, {"examples": np.full((3, 4), np.nan)}, "expected finite numbers"),
        ({}, {"extra": np.zeros(3)}, "it contains extra; expected text"),
    ],
)
def test_what_is_no_sound_bank_is_refused(header: dict, arrays: dict, message: str, tmp_path: Path) -> None:
    path = damaged(by_example().save(tmp_path / "b.safetensors"), header, **arrays)
    with pytest.raises(FileError, match=message):
        KnownClasses.load(path)


def test_other_files_are_refused_and_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / "bank.safetensors"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(FileError, match="cannot read the set of known classes"):
        KnownClasses.load(path)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(FileError, match=r"set of known classes is .*bank\.pkl\. Expected a \.safetensors file"):
        KnownClasses.load(tmp_path / "bank.pkl")
    with pytest.raises(FileError, match="cannot read the set of known classes"):
        KnownClasses.load(tmp_path / "none.safetensors")
    with pytest.raises(FileError, match="cannot write the set of known classes"):
        by_name().save(tmp_path / "no folder" / "bank.safetensors")


def test_banks_are_joined_class_after_class() -> None:
    other = KnownClasses.from_examples({"plate": [PLATE, PLATE * 3]}, FakeEncoder())
    joined = KnownClasses.join(by_example(), other)
    together = {"pole": [POLE, 2 * POLE], "slab": SLAB, "plate": [PLATE, PLATE * 3]}
    assert same(joined, KnownClasses.from_examples(together, FakeEncoder()))


def test_patches_of_joined_classes_count_shapes_and_classes_on(tiny: ShapeEncoder) -> None:
    clouds = {name: [sample(name, 500, seed=seed) for seed in range(2)] for name in ("chair", "lamp")}
    apart = [KnownClasses.from_examples({name: own}, tiny, patches="tokens") for name, own in clouds.items()]
    whole = KnownClasses.from_examples(clouds, tiny, patches="tokens")
    joined = KnownClasses.join(*apart)
    assert same(KnownClasses.join(apart[0]), apart[0])
    assert joined.patches is not None and whole.patches is not None
    for name in ("shapes", "labels", "features", "centers"):
        np.testing.assert_allclose(getattr(joined.patches, name), getattr(whole.patches, name), atol=1e-5)


def test_banks_that_do_not_belong_together_are_not_joined() -> None:
    with pytest.raises(ClassNamesError, match="more than one set contains 'pole', 'slab'"):
        KnownClasses.join(by_example(), by_example())
    with pytest.raises(MixedEncodersError, match="cannot join"):
        KnownClasses.join(by_example(), KnownClasses.from_names(["plate"], words()))
    other = FakeEncoder(Identity("other", "words", "e" * 64))
    with pytest.raises(MixedEncodersError, match=r"fake \(sha256 ffffffff\).*other \(sha256 eeeeeeee\)"):
        KnownClasses.join(by_example(), KnownClasses.from_examples({"plate": PLATE}, other))


def test_classes_by_name_and_by_example_in_one_bank() -> None:
    bank = by_both()
    assert bank.names == ("pole", "plate", "slab")
    np.testing.assert_allclose(bank.text, words().encode(bank.names), atol=1e-5)
    np.testing.assert_allclose(bank.anchors[:2], bank.text[:2])
    np.testing.assert_allclose(bank.anchors[2], FakeEncoder().encode(SLAB)[0], atol=1e-5)
    assert bank.labels.tolist() == [2]
    with pytest.raises(ClassNamesError, match=r"examples of 'ball'\. Expected examples of named classes only: 'pole'"):
        KnownClasses.from_both(["pole"], {"ball": POLE}, FakeEncoder(), words())


def test_patches_need_shapes_and_an_encoder_that_has_them(tiny: ShapeEncoder) -> None:
    with pytest.raises(Exception, match="fake has no patches"):
        KnownClasses.from_examples({"pole": POLE}, FakeEncoder(), patches="tokens")
    with pytest.raises(Exception, match="Expected shapes, because embeddings have no patches"):
        KnownClasses.from_examples({"chair": np.ones((2, 192))}, tiny, patches="tokens")


def test_names_keep_their_tower(tmp_path: Path) -> None:
    bank = KnownClasses.from_names(["chair"], TextEncoder.from_pretrained("tiny"))
    assert KnownClasses.load(bank.save(tmp_path / "b.safetensors")).identity == bank.identity


@pytest.mark.parametrize(
    "header, arrays, message",
    [
        ({"identity": "tiny"}, {}, "no set of known classes"),
        ({"temperature": 0.0}, {}, "its temperature is 0.0"),
        ({"temperature": float("nan")}, {}, "its temperature is nan"),
        ({}, {"examples": np.array(1.0)}, "no set of known classes"),
        ({}, {"examples": np.zeros((3, 4))}, "examples contain a row of zeros"),
        ({"patches": {"stage": "local", "radius": "wide"}}, {}, "could not convert"),
        ({}, {"negatives": np.ones((4, 7))}, r"negatives is \(4, 7\)"),
    ],
)
def test_malformed_banks_are_refused_in_one_way(header: dict, arrays: dict, message: str, tmp_path: Path) -> None:
    path = damaged(by_example().save(tmp_path / "b.safetensors"), header, **arrays)
    with pytest.raises(FileError, match=message):
        KnownClasses.load(path)


def test_joined_banks_have_one_temperature() -> None:
    first, second = by_example(), KnownClasses.from_examples({"plate": PLATE}, FakeEncoder())
    assert KnownClasses.join(first, replace(second, temperature=0.02)).temperature == 0.02
    with pytest.raises(MixedEncodersError, match="the temperatures"):
        KnownClasses.join(replace(first, temperature=0.01), replace(second, temperature=0.02))
    with pytest.raises(InputError, match="no known classes to join"):
        KnownClasses.join()


def test_ready_embeddings_come_back_as_they_were(tmp_path: Path) -> None:
    rows = np.array([[2.0, 0, 0], [0, 3, 0], [0, 5, 1]], dtype=np.float32)
    bank = KnownClasses.from_embeddings(rows, ["b", "a", "a"], FakeEncoder().identity)
    assert same(KnownClasses.load(bank.save(tmp_path / "b.safetensors")), bank)


def test_names_out_of_an_array_of_numpy_are_words_of_python() -> None:
    bank = KnownClasses.from_embeddings(np.eye(2), [*np.array(["b", "a"])], FakeEncoder().identity)
    assert [type(name) for name in bank.names] == [str, str]


def test_patches_are_unit_rows_with_a_radius(tiny: ShapeEncoder, tmp_path: Path) -> None:
    cloud = np.random.default_rng(0).normal(size=(200, 3))
    path = KnownClasses.from_examples({"a": [cloud]}, tiny, patches="local").save(tmp_path / "b.safetensors")
    damaged(path, {"patches": {"stage": "local", "radius": "0.25"}})
    assert KnownClasses.load(path).patches.radius == 0.25
    features = np.zeros_like(load_file(path)["patches.features"])
    with pytest.raises(FileError, match="patches are not unit vectors"):
        KnownClasses.load(damaged(path, **{"patches.features": features}))


def test_many_names_take_no_long_time(tmp_path: Path) -> None:
    path = damaged(by_example().save(tmp_path / "b.safetensors"), {"names": [f"class {i}" for i in range(100_000)]})
    start = time.perf_counter()
    with pytest.raises(FileError, match="with neither name nor examples"):
        KnownClasses.load(path)
    assert time.perf_counter() - start < 5  # a count of each among all took minutes


def test_a_joined_class_is_no_negative_word() -> None:
    text = FakeText({"pole": [1, 0, 0], "slab": [0, 1, 0], "plate": [0, 0, 1], "ball": [-1, 0, 0]})
    first = KnownClasses.from_names(["pole"], text, negatives=["slab", "plate", "ball"])
    assert len(first.negatives) == 3
    assert KnownClasses.join(first, KnownClasses.from_names(["slab"], text)).negatives.tolist() == [
        [0, 0, 1],
        [-1, 0, 0],
    ]
    several = KnownClasses.join(first, KnownClasses.from_names(["slab", "plate", "ball"], text))
    assert several.negatives is None


def test_a_copy_has_the_fields_and_nothing_computed() -> None:
    bank = by_example()
    assert len(bank.anchors) == 2
    judge(bank.anchors, bank, Method("mine", lambda known: METHODS["max_cosine"].fit(known)))
    assert same(pickle.loads(pickle.dumps(bank)), bank)


def test_a_threshold_comes_back_and_a_damaged_one_does_not(tmp_path: Path) -> None:
    identity = by_example().identity
    threshold = Threshold.from_novelty(range(20), provenance=Provenance(identity, "knn"), source="scans")
    path = by_example().with_threshold(threshold).save(tmp_path / "known.safetensors")
    again = KnownClasses.load(path).threshold
    assert (again.value, again.coverage, again.source) == (threshold.value, threshold.coverage, "scans")
    assert again.provenance == threshold.provenance and (again.scores == threshold.scores).all()
    assert default_method(KnownClasses.load(path)) == "knn"
    state = threshold.state()
    alien = {**state["provenance"], "identity": {"checkpoint": "a", "space": "b", "sha256": "c"}}
    for damaged in (5, {}, {**state, "scores": ["x"]}, {**state, "value": "0"}, {**state, "provenance": alien}):
        rewritten(path, threshold=damaged)
        with pytest.raises(FileError, match="no set of known classes, or a damaged one"):
            KnownClasses.load(path)


def rewritten(path: Path, **header: Any) -> None:
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    told = {**json.loads(metadata["header"]), **header}
    save_file(load_file(path), path, {**metadata, "header": json.dumps(told)})
