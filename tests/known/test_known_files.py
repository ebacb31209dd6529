from __future__ import annotations

import json
import pickle
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import PLATE, POLE, SLAB, FakeEncoder, words
from safetensors.numpy import load_file, save_file

from openshape_ood import Known, ShapeEncoder, TextEncoder
from openshape_ood.banks import FORMAT, join_banks, load_bank, save_bank
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import ClassNamesError, FileError, InputError, MixedEncodersError
from openshape_ood.synthetic import sample


def same(a: Known, b: Known) -> bool:
    pairs = [(getattr(a, f.name), getattr(b, f.name)) for f in fields(Known)]
    return all(np.array_equal(x, y) if isinstance(x, np.ndarray) else x == y for x, y in pairs)


def by_name() -> Known:
    return Known.from_names(["pole", "plate"], words())


def by_example() -> Known:
    return Known.from_examples({"pole": [POLE, 2 * POLE], "slab": SLAB}, FakeEncoder())


def by_both() -> Known:
    return Known.from_both(["pole", "plate", "slab"], {"slab": SLAB}, FakeEncoder(), words())


@pytest.mark.parametrize("make", [by_name, by_example, by_both])
def test_a_bank_comes_back_as_it_was(make: Any, tmp_path: Path) -> None:
    path = save_bank(make(), tmp_path / "bank.safetensors")
    assert same(load_bank(path), make())
    assert [p.name for p in tmp_path.iterdir()] == ["bank.safetensors"]


def test_patches_and_temperature_come_back(tiny: ShapeEncoder, tmp_path: Path) -> None:
    bank = Known.from_examples({"chair": [sample("chair", 500, seed=1)]}, tiny, patches=True)
    bank = replace(bank, temperature=0.02)
    assert bank.patches.shape == (48, 128)
    assert same(load_bank(save_bank(bank, tmp_path / "b.safetensors")), bank)


def test_a_loaded_bank_still_refuses_another_encoder(tiny: ShapeEncoder, tmp_path: Path) -> None:
    bank = load_bank(save_bank(by_example(), tmp_path / "b.safetensors"))
    with pytest.raises(MixedEncodersError, match=r"fake \(sha256 ffffffff\).*tiny"):
        join_banks(bank, Known.from_examples({"chair": sample("chair", 500, seed=1)}, tiny))


def damaged(path: Path, header: Any = None, **arrays: np.ndarray) -> Path:
    content = load_file(path) | arrays
    found = {"bank": json.dumps({"format": FORMAT, "names": ["pole", "slab"], "temperature": None,
                                 "identity": {"name": "fake", "tower": "words"}} | (header or {}))}  # fmt: skip
    save_file({k: v for k, v in content.items() if v is not None}, path, found)
    return path


@pytest.mark.parametrize(
    "header, arrays, message",
    [
        ({"format": "something else"}, {}, "header is not that of"),
        ({"names": ["pole"]}, {}, r"anchors is \(2, 4\)"),
        ({"names": ["pole", "pole"]}, {}, "named twice"),
        ({"identity": {"name": "fake", "tower": "words", "key": "x"}}, {}, "no bank of known classes"),
        ({}, {"labels": np.array([0, 1, 2])}, "labels do not count the 2 classes"),
        ({}, {"labels": np.array([0.0, 0.0, 1.0])}, "labels do not count"),
        ({}, {"examples": np.full((3, 4), np.nan)}, "expected finite numbers"),
        ({}, {"extra": np.zeros(3)}, "it holds anchors, examples, extra"),
    ],
)
def test_what_is_no_sound_bank_is_refused(header: dict, arrays: dict, message: str, tmp_path: Path) -> None:
    path = damaged(save_bank(by_example(), tmp_path / "b.safetensors"), header, **arrays)
    with pytest.raises(FileError, match=message):
        load_bank(path)


def test_other_files_are_refused_and_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / "bank.safetensors"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(FileError, match="cannot read the bank"):
        load_bank(path)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(FileError, match=r"a bank is a \.safetensors file"):
        load_bank(tmp_path / "bank.pkl")
    with pytest.raises(FileError, match="cannot read the bank"):
        load_bank(tmp_path / "none.safetensors")
    with pytest.raises(FileError, match="cannot write the bank"):
        save_bank(by_name(), tmp_path / "no folder" / "bank.safetensors")


def test_banks_are_joined_class_after_class() -> None:
    other = Known.from_examples({"plate": [PLATE, PLATE * 3]}, FakeEncoder())
    joined = join_banks(by_example(), other)
    together = {"pole": [POLE, 2 * POLE], "slab": SLAB, "plate": [PLATE, PLATE * 3]}
    assert same(joined, Known.from_examples(together, FakeEncoder()))


def test_banks_that_do_not_belong_together_are_not_joined() -> None:
    with pytest.raises(ClassNamesError, match="in more than one of the banks: 'pole', 'slab'"):
        join_banks(by_example(), by_example())
    with pytest.raises(MixedEncodersError, match="cannot be joined"):
        join_banks(by_example(), Known.from_names(["plate"], words()))
    other = FakeEncoder(Identity("other", "words", "e" * 64))
    with pytest.raises(MixedEncodersError, match=r"fake \(sha256 ffffffff\).*other \(sha256 eeeeeeee\)"):
        join_banks(by_example(), Known.from_examples({"plate": PLATE}, other))


def test_classes_by_name_and_by_example_in_one_bank() -> None:
    bank = by_both()
    assert bank.names == ("pole", "plate", "slab")
    np.testing.assert_allclose(bank.text, words().encode(bank.names), atol=1e-6)
    np.testing.assert_allclose(bank.anchors[:2], bank.text[:2])
    np.testing.assert_allclose(bank.anchors[2], FakeEncoder().encode(SLAB)[0], atol=1e-6)
    assert bank.labels.tolist() == [2]
    with pytest.raises(ClassNamesError, match="examples of 'ball', but the known classes are 'pole'"):
        Known.from_both(["pole"], {"ball": POLE}, FakeEncoder(), words())


def test_patches_need_shapes_and_an_encoder_that_has_them(tiny: ShapeEncoder) -> None:
    with pytest.raises(Exception, match="fake has no patch tokens"):
        Known.from_examples({"pole": POLE}, FakeEncoder(), patches=True)
    with pytest.raises(Exception, match="patch tokens need the example shapes themselves"):
        Known.from_examples({"chair": np.ones((2, 192))}, tiny, patches=True)


def test_names_keep_their_tower(tmp_path: Path) -> None:
    bank = Known.from_names(["chair"], TextEncoder.from_pretrained("tiny"))
    assert load_bank(save_bank(bank, tmp_path / "b.safetensors")).identity == bank.identity


@pytest.mark.parametrize(
    "header, arrays, message",
    [
        ({"identity": "tiny"}, {}, "no bank of known classes"),
        ({"temperature": 0.0}, {}, "its temperature is 0.0"),
        ({"temperature": float("nan")}, {}, "its temperature is nan"),
        ({}, {"anchors": np.array(1.0)}, "no bank of known classes"),
        ({}, {"anchors": np.zeros((2, 4))}, "anchors are no unit vectors"),
        ({}, {"negatives": np.ones((4, 7))}, r"negatives is \(4, 7\)"),
    ],
)
def test_malformed_banks_are_refused_in_one_way(header: dict, arrays: dict, message: str, tmp_path: Path) -> None:
    path = damaged(save_bank(by_example(), tmp_path / "b.safetensors"), header, **arrays)
    with pytest.raises(FileError, match=message):
        load_bank(path)


def test_joined_banks_have_one_temperature() -> None:
    first, second = by_example(), Known.from_examples({"plate": PLATE}, FakeEncoder())
    assert join_banks(first, replace(second, temperature=0.02)).temperature == 0.02
    with pytest.raises(MixedEncodersError, match="the temperatures"):
        join_banks(replace(first, temperature=0.01), replace(second, temperature=0.02))
    with pytest.raises(InputError, match="no banks to join"):
        join_banks()
