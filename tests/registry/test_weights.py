"""Reading checkpoints: every layout, strictly, and nothing that a file brings along is run."""

from __future__ import annotations

import hashlib
import os
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from published import hollow, write_checkpoint
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from openshape_ood import ShapeEncoder
from openshape_ood.errors import CheckpointError, WeightsError
from openshape_ood.registry import torch_files
from openshape_ood.registry.files import fetch, sha256
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.registry.rows import Keys
from openshape_ood.registry.weights import load_network, load_strictly, read_content, read_weights, temperature_of

PLAIN = Keys("", "pc_encoder.", "")
PROJECTED = Keys("", "pc_encoder.", "ppat.")
TRAINING = Keys("state_dict", "module.", "ppat.")


@pytest.fixture
def state() -> dict[str, Tensor]:
    return load_file(fetch(find_checkpoint("tiny")))


def small() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))


def saved(content: Any, folder: Path, name: str = "model.pt") -> Path:
    torch.save(content, folder / name)
    return folder / name


def with_prefix(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in state.items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def refusal(path: Path, name: str = "tiny") -> str:
    with pytest.raises(WeightsError) as caught:
        ShapeEncoder.from_pretrained(name, checkpoint=path, device="cpu")
    assert name in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def training_state(number: Any) -> dict[str, Any]:
    """What stands beside the weights in a file of the G14 kind."""
    moments = {"exp_avg": torch.zeros(4), "exp_avg_sq": torch.zeros(4), "step": torch.tensor(7.0)}
    return {
        "logit_scale": {"module.logit_scale": torch.tensor(2.66)},
        "optimizer": {"state": {0: moments}, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.98), "params": [0]}]},
        "scheduler": {"last_epoch": 3},
        "epoch": 4,
        "step": 5,
        "best_img_contras_acc": number,
    }


def renamed_globals(path: Path, old: bytes, new: bytes) -> Path:
    """The same file as if pickled where a global had another name."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data.replace(old, new) if name.endswith("data.pkl") else data)
    return path


def test_plain_layout(tmp_path: Path) -> None:
    state = small().state_dict()
    path = saved(with_prefix("pc_encoder.", state), tmp_path)
    assert same(read_weights(path, PLAIN, "x"), state)


def test_projected_layout(tmp_path: Path) -> None:
    content = {
        "pc_encoder.ppat.a": torch.ones(2),
        "pc_encoder.proj.weight": torch.ones(3),
        "text_proj.a": torch.ones(1),
    }
    assert read_weights(saved(content, tmp_path), PROJECTED, "x").keys() == {"a", "proj.weight"}


NUMBERS = [np.float64(0.5), np.float32(0.5), np.float16(0.5), np.int64(3), np.int32(3), np.bool_(True), 0.5]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: type(number).__name__)
def test_training_layout(tmp_path: Path, number: Any) -> None:
    content = {"state_dict": {"module.ppat.a": torch.ones(2), "module.proj.weight": torch.ones(3)}}
    path = saved(content | training_state(number), tmp_path)
    assert read_weights(path, TRAINING, "x").keys() == {"a", "proj.weight"}


def test_training_layout_as_numpy_1_wrote_it(tmp_path: Path) -> None:
    path = saved({"state_dict": {"module.ppat.a": torch.ones(2)}} | training_state(np.float64(0.5)), tmp_path)
    path = renamed_globals(path, b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert read_weights(path, TRAINING, "x").keys() == {"a"}


def test_training_state_is_not_read_into_memory(tmp_path: Path) -> None:
    path = saved({"state_dict": {"module.a": torch.ones(2)}, "optimizer": torch.zeros(1 << 22)}, tmp_path)
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 1000)
    assert torch.equal(read_weights(path, TRAINING, "x")["a"], torch.ones(2))


def test_the_format_of_old_torch(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"pc_encoder.a": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    assert torch.equal(read_weights(path, PLAIN, "x")["a"], torch.ones(2))


@pytest.mark.parametrize("prefix", ["module.", "module.ppat."])
def test_safetensors_of_what_stood_inside(tmp_path: Path, prefix: str) -> None:
    state = small().state_dict()
    save_file(with_prefix(prefix, state), tmp_path / "model.safetensors")
    assert same(read_weights(tmp_path / "model.safetensors", TRAINING, "x"), state)


def test_tiny_as_a_torch_file(tmp_path: Path, state: dict[str, Tensor], tiny: ShapeEncoder) -> None:
    path = saved(state, tmp_path)
    encoder = ShapeEncoder.from_pretrained("tiny", checkpoint=path, device="cpu")
    assert same(dict(encoder.network.state_dict()), dict(tiny.network.state_dict()))
    assert encoder.identity.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() != tiny.identity.sha256


def test_the_hash_of_the_embedded_file(tiny: ShapeEncoder) -> None:
    assert tiny.identity.sha256 == hashlib.sha256(fetch(tiny.row).read_bytes()).hexdigest()
    assert tiny.identity.sha256 == tiny.row.source.sha256


def test_half_precision_is_loaded_as_float32(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = saved({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, tmp_path)
    encoder = ShapeEncoder.from_pretrained("tiny", checkpoint=path, device="cpu")
    assert {p.dtype for p in encoder.network.parameters()} == {torch.float32}


def test_missing_keys(tmp_path: Path, state: dict[str, Tensor]) -> None:
    del state["cls_token"], state["sa.mlp_bns.0.num_batches_tracked"]
    message = refusal(saved(state, tmp_path))
    assert "missing keys: cls_token, sa.mlp_bns.0.num_batches_tracked)" in message
    assert "left-over" not in message
    assert "wrong shapes" not in message


def test_left_over_keys(tmp_path: Path, state: dict[str, Tensor]) -> None:
    message = refusal(saved(state | {f"extra.{i}": torch.ones(1) for i in range(7)}, tmp_path))
    assert "left-over keys: extra.0, extra.1, extra.2, extra.3 and 3 more" in message
    assert "missing" not in message


def test_wrong_shapes(tmp_path: Path, state: dict[str, Tensor]) -> None:
    state["cls_token"] = torch.ones(64)
    message = refusal(saved(state, tmp_path))
    assert "wrong shapes: cls_token is (64,), expected (128,)" in message


def test_a_shape_that_would_broadcast_is_wrong_too(tmp_path: Path, state: dict[str, Tensor]) -> None:
    state["cls_token"] = torch.ones(1)
    assert "cls_token is (1,), expected (128,)" in refusal(saved(state, tmp_path))


def test_all_at_once() -> None:
    network = small()
    state = {"0.weight": torch.ones(2, 3), "0.bias": torch.ones(3), "1.bias": torch.ones(1), "2.bias": torch.ones(1)}
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        load_strictly(network, state, Path("x.pt"), "x")
    assert "missing keys: 1.weight; left-over keys: 2.bias; wrong shapes: 0.bias is (3,), expected (2,)" in str(
        caught.value
    )
    assert same(dict(network.state_dict()), before), "nothing is loaded unless all fits"


@pytest.mark.parametrize(
    "given, name", [("vitl14", "vitb32"), ("vitb32", "vitl14"), ("vitg14", "vitl14"), ("vitb32", "tiny")]
)
def test_the_file_of_another_encoder(tmp_path: Path, given: str, name: str) -> None:
    message = refusal(write_checkpoint(given, tmp_path / "model.pt", hollow), name)
    assert "missing keys: " in message
    assert "Its sizes fit " in message and given in message


class Hostile:
    """Its pickle touches a file when it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("layout", ["torch", "old torch", "pickle"])
@pytest.mark.parametrize("suffix", [".pt", ".bin", ".pkl", ""])
def test_a_pickle_that_would_run_code(tmp_path: Path, layout: str, suffix: str) -> None:
    path, trace = tmp_path / f"model{suffix}", tmp_path / "trace"
    content = {"pc_encoder.a": torch.ones(1), "payload": Hostile(trace)}
    if layout == "pickle":
        path.write_bytes(pickle.dumps(Hostile(trace)))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=layout == "torch")
    message = refusal(path)
    assert "would run code when read. No code was run" in message
    assert not trace.exists()


def test_a_payload_does_run_when_unpickled(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Hostile(tmp_path / "trace")))
    assert (tmp_path / "trace").exists()


def test_a_hostile_pickle_called_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Hostile(tmp_path / "trace")))
    assert "as safetensors" in refusal(path)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("part", [0.0, 0.001, 0.5, 0.999])
def test_truncated_files(tmp_path: Path, state: dict[str, Tensor], suffix: str, part: float) -> None:
    path = tmp_path / f"model{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    refusal(path)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize(
    "content", [b"version https://git-lfs.github.com/spec/v1\n", b"<!doctype html>", b"{}", b"\x80"]
)
def test_files_that_are_no_checkpoints(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    refusal(path)


def test_a_zip_that_is_no_checkpoint(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("hello.txt", "hello")
    refusal(tmp_path / "model.pt")


@pytest.mark.parametrize("name", ["tiny", "vitg14"])
@pytest.mark.parametrize(
    "content", [torch.ones(3), [torch.ones(3)], "state_dict", 5, None, {}, {1: torch.ones(1)}, {"state_dict": 3}]
)
def test_checkpoints_of_something_else(tmp_path: Path, name: str, content: Any) -> None:
    refusal(saved(content, tmp_path), name)


def test_no_such_file(tmp_path: Path) -> None:
    assert "Expected a checkpoint" in refusal(tmp_path / "none.pt")
    assert "Expected a checkpoint" in refusal(tmp_path)


def rules(**fields: Any) -> Keys:
    return Keys(**fields)


def test_keys_are_dropped_renamed_and_merged_in_this_order(tmp_path: Path) -> None:
    content = {
        "net.teacher.weight": torch.ones(1),
        "net.blocks.0.attn.q": torch.zeros(2, 3),
        "net.blocks.0.attn.k": torch.ones(2, 3),
        "net.blocks.1.attn.q": torch.full((1, 3), 2.0),
        "net.blocks.1.attn.k": torch.full((1, 3), 3.0),
        "net.norm.gamma": torch.ones(4),
        "other.norm.gamma": torch.ones(5),
    }
    keys = rules(
        prefix="net.",
        drop=(r"^teacher\.",),
        rename=((r"^blocks\.(\d+)\.attn", r"layers.\1"), ("gamma$", "weight")),
        merge=(("*.q", "*.k", "*.qk"),),
    )
    found = read_weights(saved(content, tmp_path), keys, "x")
    assert found.keys() == {"layers.0.qk", "layers.1.qk", "norm.weight"}
    assert torch.equal(found["layers.0.qk"], torch.tensor([0.0, 0, 1, 1])[:, None].expand(4, 3))
    assert torch.equal(found["layers.1.qk"], torch.tensor([2.0, 3])[:, None].expand(2, 3))
    assert found["norm.weight"].shape == (4,)


@pytest.mark.parametrize(
    "keys, words",
    [
        (rules(rename=((r"\.[ab]$", ".c"),)), "gives two tensors the name 'x.c'"),
        (rules(merge=(("*.a", "*.z", "*.az"),)), "lacks x.z, to be merged with x.a"),
        (rules(merge=(("x.a", "x.long", "x.both"),)), "cannot be merged"),
    ],
)
def test_rules_that_do_not_fit_the_file(tmp_path: Path, keys: Keys, words: str) -> None:
    content = {"x.a": torch.ones(2, 3), "x.b": torch.ones(2, 3), "x.long": torch.ones(2, 3, 4)}
    with pytest.raises(WeightsError, match=words):
        read_weights(saved(content, tmp_path), keys, "x")


def test_a_merge_without_a_star_is_of_one_key(tmp_path: Path) -> None:
    content = {"a": torch.ones(1), "b": torch.zeros(1), "aa": torch.ones(7)}
    found = read_weights(saved(content, tmp_path), rules(merge=(("a", "b", "ab"),)), "x")
    assert found.keys() == {"ab", "aa"} and found["ab"].tolist() == [1, 0]


def test_patterns_meet_no_endless_keys(tmp_path: Path) -> None:
    path = saved({"a" * 300: torch.ones(1)}, tmp_path)
    assert len(read_weights(path, rules(), "x")) == 1
    with pytest.raises(WeightsError, match="a key of 300 characters"):
        read_weights(path, rules(drop=("(a+)+$",)), "x")


def test_weights_errors_are_file_errors() -> None:
    assert issubclass(WeightsError, CheckpointError)
    assert issubclass(CheckpointError, OSError)


@pytest.mark.parametrize(
    "beside, expected",
    [
        ({"logit_scale": {"module.logit_scale": torch.tensor(np.log(14.28))}}, 1 / 14.28),
        ({"logit_scale": {"module.logit_scale": torch.tensor([np.log(100.0)])}}, 0.01),
        ({}, None),
        ({"logit_scale": {}}, None),
        ({"logit_scale": "many"}, None),
        ({"logit_scale": {"module.logit_scale": torch.tensor(float("nan"))}}, None),
        ({"logit_scale": {"module.logit_scale": torch.zeros(3)}}, None),
    ],
)
def test_the_temperature_is_the_files_own(beside: dict, expected: float | None, tmp_path: Path) -> None:
    path = saved({"state_dict": {"module.ppat.x": torch.ones(1)}, **beside}, tmp_path)
    content = read_content(path, "vitg14", trusted=False)
    assert temperature_of(content, TRAINING) == (None if expected is None else pytest.approx(expected, rel=1e-5))
    assert temperature_of(content, PLAIN) is None


def archive(pickled: bytes, folder: Path, **more: bytes) -> Path:
    """A file as torch writes them, around a pickle of one's own."""
    with zipfile.ZipFile(folder / "model.pt", "w") as archive:
        for name, content in {"data.pkl": pickled, "version": b"3\n", "byteorder": b"little", **more}.items():
            archive.writestr(f"model/{name}", content)
    return folder / "model.pt"


FLOAT64 = b"cnumpy\ndtype\n(X\x02\x00\x00\x00f8\x89\x88tRq\x01"
OWN_FIELD = b"(K\x03X\x01\x00\x00\x00|NX\x01\x00\x00\x00a\x85}X\x01\x00\x00\x00ah\x01K\x00\x86sK\x08K\x01K\x00tb"


def test_a_type_of_numpy_that_holds_itself_does_not_end_the_process(tmp_path: Path) -> None:
    path = archive(b"\x80\x02}" + FLOAT64 + OWN_FIELD + b"K\x01s.", tmp_path)  # a key: hashed through all its fields
    assert read_weights(path, PLAIN, "x", trusted=True) == {}


DEEP = b"\x80\x02}K\x01" + b"\x85" * 300_000 + b"K\x01s."  # a key of tuples in tuples, hashed by recursion
LIST, SET = b"]q\x00(" + b"K\x01" * 200_000 + b"e", b"c__builtin__\nset\nq\x01"
WORD = b"X" + (400_000).to_bytes(4, "little") + b"a" * 400_000 + b"q\x00"
ENCODE = b"c_codecs\nencode\nq\x01X\x06\x00\x00\x00latin1q\x02"
BOMBS = {  # and what is told; the last two make much of one list, and of one word, again and again
    "deep": (DEEP, "SIGSEGV"),
    "time": (b"\x80\x02" + LIST + SET + b"](" + b"h\x01h\x00\x85R" * 50_000 + b"e.", "more than"),
    "memory": (b"\x80\x02" + WORD + ENCODE + b"](" + b"h\x01h\x00h\x02\x86R" * 20_000 + b"e.", "memory"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_end_a_child_and_no_more(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pickled, words = BOMBS[kind]
    if kind == "time":  # the others end by themselves, on a busy machine after more than a second
        monkeypatch.setattr(torch_files, "SECONDS", 1)
    with pytest.raises(WeightsError, match=f"reading it in a sandbox failed: .*{words}"):
        read_weights(archive(pickled, tmp_path), PLAIN, "x")


def test_a_protocol_that_torch_does_not_know_is_not_read(tmp_path: Path) -> None:
    """Not tried out either; were torch to read it one day, this would end the tests."""
    framed = b"\x80\x04\x95" + (len(DEEP) - 2).to_bytes(8, "little") + DEEP[2:]
    with pytest.raises(WeightsError, match="is no checkpoint of tensors"):
        read_weights(archive(framed, tmp_path), PLAIN, "x")


def test_state_dicts_need_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    monkeypatch.setattr(torch_files, "_check", lambda path, *_: tried.append(path))
    for name in ("vitb32", "vitg14"):
        read_weights(write_checkpoint(name, tmp_path / f"{name}.pt", hollow), Keys("", "", ""), name)
    read_weights(saved(small().state_dict(), tmp_path), PLAIN, "x")
    torch.save(small().state_dict(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    read_weights(tmp_path / "old.pt", PLAIN, "x")
    assert tried == []
    both = [1, 2]
    read_weights(saved({"one": both, "other": both}, tmp_path), PLAIN, "x")
    assert tried == [str(tmp_path / "model.pt")]


@pytest.mark.parametrize(
    ("given", "registered", "sandboxed"), [(False, True, False), (False, False, True), (True, True, True)]
)
@pytest.mark.filterwarnings("ignore:.*the registry has no sha256")
def test_only_a_file_with_the_registered_hash_needs_no_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool, registered: bool, sandboxed: bool
) -> None:
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path / "cache"))
    tried: list[str] = []
    monkeypatch.setattr(torch_files, "_check", lambda path, *_: tried.append(path))
    both = [1, 2]
    path, tiny = saved({"one": both, "other": both}, tmp_path), find_checkpoint("tiny")
    source = replace(tiny.source, package="", file=path.name, sha256=sha256(path) if registered else "")
    row = replace(tiny, folder=tmp_path, source=source)
    with pytest.raises(WeightsError):  # no network of `tiny`
        load_network(row, path if given else None)
    assert tried == [str(path)] * sandboxed


def test_archives_that_another_reader_may_read_otherwise(tmp_path: Path) -> None:
    path = saved({"a": torch.ones(2)}, tmp_path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr(next(name for name in file.namelist() if name.endswith("data.pkl")), DEEP)
    with pytest.raises(WeightsError, match="a member occurs twice"):
        read_weights(path, PLAIN, "x")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model/data.pkl", b"\x80\x02}." + bytes(1_000_000))
    with pytest.raises(WeightsError, match="compressed"):
        read_weights(path, PLAIN, "x")
