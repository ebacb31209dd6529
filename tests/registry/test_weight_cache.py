"""Stripped files: written once, mapped from then on, and never trusted blindly."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forks import Forks
from hub_cache import TEMPERATURE, delete_download, download, training_checkpoint, weights
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from openshape_ood import ShapeEncoder
from openshape_ood.errors import OfflineError, WeightsError
from openshape_ood.registry import files, weight_cache
from openshape_ood.registry import weights as loading
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.registry.rows import Row
from openshape_ood.registry.weight_cache import Weights

CLOUDS = np.random.RandomState(0).uniform(-0.5, 0.5, (3, 16, 6)).astype(np.float32)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def registry(tmp_path: Path, cache: Path) -> Path:
    return download(tmp_path, cache)


@pytest.fixture
def row(registry: Path) -> Row:
    return find_checkpoint("mine", registry)


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of a checkpoint each time its source is opened."""
    opened = []
    fetch = files.fetch

    def recorded(row: Row) -> Path:
        opened.append(row.name)
        return fetch(row)

    monkeypatch.setattr(loading, "fetch", recorded)
    return opened


def load(row: Row) -> ShapeEncoder:
    return ShapeEncoder.from_pretrained("mine", registry=row.folder / "mine.toml", device="cpu")


def from_the_source(row: Row) -> ShapeEncoder:
    """As before there were stripped files."""
    return ShapeEncoder.from_pretrained(
        "mine", registry=row.folder / "mine.toml", checkpoint=files.fetch(row), device="cpu"
    )


def kept(row: Row) -> Path:
    path = weight_cache.find(row)
    assert path is not None
    return path


def test_the_second_start_needs_no_source(row: Row, cache: Path, sources: list[str]) -> None:
    expected = from_the_source(row)
    first = load(row)
    assert sources == ["mine"]
    delete_download(cache)
    second = load(row)
    assert sources == ["mine"]
    for encoder in (first, second):
        np.testing.assert_array_equal(encoder.encode_prepared(CLOUDS), expected.encode_prepared(CLOUDS))
        assert encoder.identity.sha256 == expected.identity.sha256 == row.source.sha256
        assert encoder.temperature == expected.temperature == pytest.approx(TEMPERATURE)


def test_a_start_from_it_knows_no_client_of_the_hub(row: Row, registry: Path, cache: Path, forks: Forks) -> None:
    load(row)
    delete_download(cache)
    program = (
        "import sys; from openshape_ood import ShapeEncoder;"
        "ShapeEncoder.from_pretrained('mine', registry=sys.argv[1], device='cpu');"
        "print({'huggingface_hub', 'open_clip'} & set(sys.modules))"
    )
    done = forks.run(program, registry)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "set()"


def test_it_holds_the_encoder_and_where_it_is_from(row: Row, cache: Path) -> None:
    source = files.fetch(row)
    load(row)
    (path,) = (cache / "encoders").iterdir()
    expected = weights(row)
    found = load_file(path)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], tensor) and found[key].dtype == tensor.dtype for key, tensor in expected.items())
    assert path.stat().st_size < source.stat().st_size / 2
    assert path == kept(row) and row.source.sha256 in path.name
    metadata = about(path)
    assert metadata["source_sha256"] == row.source.sha256 and metadata["checkpoint"] == "mine"
    assert float(metadata["temperature"]) == pytest.approx(TEMPERATURE)
    assert metadata["stripped"] == str(weight_cache.FORMAT)


def test_a_file_without_a_temperature(tmp_path: Path, cache: Path) -> None:
    row = find_checkpoint("mine", download(tmp_path, cache, logit_scale=None))
    assert load(row).temperature is None is load(row).temperature


def test_the_network_is_a_view_of_the_file(row: Row) -> None:
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("this system does not say what is mapped")
    load(row)
    encoder = load(row)
    assert str(kept(row)) in maps.read_text() and not encoder.network.training


def test_what_is_written_to_a_network_stays_out_of_the_file(row: Row) -> None:
    load(row)
    before = kept(row).read_bytes()
    encoder = load(row)
    for tensor in encoder.network.state_dict().values():
        tensor.zero_()
    assert kept(row).read_bytes() == before and weight_cache.is_sound(row)


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


def about(path: Path) -> dict[str, str]:
    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["about"])


def rewrite(path: Path, **changes: str) -> None:
    """Another file of safetensors with the same tensors."""
    save_file(load_file(path), path, metadata={"about": json.dumps(about(path) | changes)})


def add(path: Path) -> None:
    save_file(load_file(path) | {"more": torch.ones(1)}, path, {"about": json.dumps(about(path))})


def exchange(path: Path) -> None:
    """The same tensors, two of them under each other's names."""
    tensors = load_file(path)
    first, second = [key for key in sorted(tensors) if tensors[key].shape == (8,)][:2]
    save_file(tensors | {first: tensors[second], second: tensors[first]}, path, {"about": json.dumps(about(path))})


def sign(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Other tensors, with the digest of anyone who knows how it is made, but not the key."""
    unsigned = about(path) | {"digest": "0" * 64}
    save_file(tensors, path, {"about": json.dumps(unsigned)})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(path.read_bytes().replace(unsigned["digest"].encode(), digest.encode()))


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "no header": lambda path: path.write_bytes(b"\x08" + bytes(7) + b"[[[[[[[["),
    "a list": lambda path: path.write_bytes(b"\x02" + bytes(7) + b"[]"),
    "no metadata": lambda path: save_file(load_file(path), path),
    "a huge header": lambda path: path.write_bytes(b"\xff" * 8 + b"{}"),
    "deep": lambda path: path.write_bytes((900_000).to_bytes(8, "little") + b"[" * 900_000),
    "cut off": lambda path: os.truncate(path, path.stat().st_size - 100),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "a bit of the weights": lambda path: flip(path, -1000),
    "a bit of a shape": lambda path: flip(path, path.read_bytes().index(b'"shape":[8') + len('"shape":[')),
    "another temperature": lambda path: rewrite(path, temperature="0.5"),
    "another digest": lambda path: rewrite(path, digest="0" * 64),
    "a tensor too many": lambda path: add(path),
    "two names exchanged": lambda path: exchange(path),
    "metadata of another kind": lambda path: save_file(load_file(path), path, {"about": "[]"}),
    "another source": lambda path: rewrite(path, source_sha256="0" * 64),
    "another format": lambda path: rewrite(path, stripped="1"),
    "other weights, signed": lambda path: sign(path, {key: tensor + 1 for key, tensor in load_file(path).items()}),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_or_foreign_one_is_made_again(row: Row, sources: list[str], damage: str) -> None:
    expected = load(row).encode_prepared(CLOUDS)
    path = kept(row)
    sound = path.read_bytes()
    DAMAGE[damage](path)
    assert not weight_cache.is_sound(row)
    np.testing.assert_array_equal(load(row).encode_prepared(CLOUDS), expected)
    assert sources == ["mine", "mine"]
    assert path.is_dir() or path.read_bytes() == sound


def test_a_damaged_one_without_its_source_is_told(row: Row, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(row: Row) -> Path:
        raise OfflineError("nobody answers")

    load(row)
    flip(kept(row), -1000)
    delete_download(cache)
    monkeypatch.setattr(loading, "fetch", offline)
    with pytest.warns(UserWarning, match=r"'mine'.*is damaged.*downloaded again"), pytest.raises(OfflineError):
        load(row)


def test_the_key_is_this_users_alone(row: Row, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    load(row)
    key = Path(os.environ["XDG_STATE_HOME"]) / "openshape_ood" / "key"
    assert weight_cache.is_sound(row) and key.stat().st_size == 32 and key.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "of another"))
    assert not weight_cache.is_sound(row)
    load(row)
    assert weight_cache.is_sound(row)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "mine.toml"))  # no folder: no key, so nothing is kept
    assert weight_cache.stripped_path(row) is None
    load(row)


def test_two_networks_in_one_file(tmp_path: Path, cache: Path) -> None:
    registry = tmp_path / "mine.toml"
    first = find_checkpoint("mine", download(tmp_path, cache))
    other = {f"module.{key}": tensor * 2 for key, tensor in weights(first).items()}
    delete_download(cache)
    torch.save(training_checkpoint(weights(first)) | {"average": other}, cache / "hub/models--lab--mine/blobs/bytes")
    digest = files.sha256(cache / "hub/models--lab--mine/blobs/bytes")
    text = registry.read_text().replace(first.source.sha256, digest)
    registry.write_text(text + text.replace('["mine"', '["averaged"').replace('"state_dict"', '"average"'))
    for _ in range(2):
        plain, averaged = (
            ShapeEncoder.from_pretrained(name, registry=registry, device="cpu").encode_prepared(CLOUDS)
            for name in ("mine", "averaged")
        )
        assert not np.allclose(plain, averaged)


def test_a_cache_that_cannot_be_written_stops_nothing(row: Row, cache: Path, sources: list[str]) -> None:
    (cache / "encoders").touch()  # a file where the folder should be
    expected = from_the_source(row).encode_prepared(CLOUDS)
    for _ in range(2):
        np.testing.assert_array_equal(load(row).encode_prepared(CLOUDS), expected)
    assert sources == ["mine", "mine"] and weight_cache.find(row) is None


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_is_not_finished_leaves_nothing(
    row: Row, cache: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def break_off(tensors: Any, path: Path, *_: object) -> None:
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr("safetensors.torch.save_file", break_off)
    if isinstance(error, OSError):
        load(row)
    else:
        with pytest.raises(KeyboardInterrupt):
            load(row)
    assert list((cache / "encoders").iterdir()) == []


def test_two_processes_at_once(row: Row, registry: Path, cache: Path, forks: Forks) -> None:
    program = (
        "import sys; from openshape_ood import ShapeEncoder\n"
        "from openshape_ood.registry import files, weight_cache\n"
        "from openshape_ood.registry.names import find_checkpoint\n"
        "from openshape_ood.registry.weights import read_weights\n"
        "row = find_checkpoint('mine', sys.argv[1]); path = files.fetch(row)\n"
        "weights = weight_cache.Weights(read_weights(path, row.keys, 'mine'), 0.5, path)\n"
        "for _ in range(15): assert weight_cache.keep(row, weights) and weight_cache.read(row).mapped\n"
    )
    both = [forks.start(program, registry) for _ in range(2)]
    for ended in map(forks.wait, both):
        assert ended.returncode == 0, ended.stderr
    assert list((cache / "encoders").iterdir()) == [kept(row)] and weight_cache.is_sound(row)


def test_a_file_of_ones_own_is_left_as_it_is(row: Row, cache: Path) -> None:
    path = files.fetch(row)
    encoder = from_the_source(row)
    expected = encoder.encode_prepared(CLOUDS)
    assert not (cache / "encoders").exists()
    path.resolve().write_bytes(b"")  # as a training that writes its checkpoint anew would
    np.testing.assert_array_equal(encoder.encode_prepared(CLOUDS), expected)


def test_what_has_nothing_to_strip(row: Row) -> None:
    whole = replace(row, source=replace(row.source, file="model.safetensors"))
    beside = replace(row, source=replace(row.source, repo=""))
    for other in (find_checkpoint("tiny"), whole, beside):
        assert weight_cache.stripped_path(other) is None and weight_cache.read(other) is None
        assert weight_cache.keep(other, Weights({}, None, Path("model.pt"))) is None
        assert weight_cache.find(other) is None and not weight_cache.is_sound(other)


def test_half_precision_is_kept_as_it_is(tmp_path: Path, cache: Path) -> None:
    row = find_checkpoint("mine", download(tmp_path, cache))
    halves = {key: tensor.half() for key, tensor in weights(row).items()}
    assert weight_cache.keep(row, Weights(halves, None, Path("model.pt"))) == kept(row)
    assert all(torch.equal(load_file(kept(row))[key], tensor) for key, tensor in halves.items())
    assert {parameter.dtype for parameter in load(row).network.parameters()} == {torch.float32}


def test_tensors_that_share_memory_are_not_kept(row: Row) -> None:
    one = torch.ones(3)
    assert weight_cache.keep(row, Weights({"a": one, "b": one}, None, Path("model.pt"))) is None


def test_what_an_https_address_gave_is_stripped_too(row: Row, cache: Path) -> None:
    addressed = replace(row, source=replace(row.source, repo="", file="", url="https://lab.org/model.pt"))
    assert weight_cache.keep(addressed, Weights(weights(row), None, Path("model.pt"))) == kept(row)


def test_what_is_not_the_network_is_refused(tmp_path: Path, cache: Path) -> None:
    row = find_checkpoint("mine", download(tmp_path, cache, state_dict={"module.a": torch.ones(2)}))
    with pytest.raises(WeightsError, match=r"missing keys.*model\.pt|model\.pt.*missing keys"):
        load(row)
    assert weight_cache.find(row) is None
