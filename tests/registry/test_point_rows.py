"""Rows of kind "points": what they say, files in the published layouts, and files that are not."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from published_scenes import lightning_file, openscene_file, unet_shapes, weights, write
from torch import Tensor

from openshape_ood import TextEncoder
from openshape_ood.errors import HashError, InputError, RegistryError, UnknownNameError, WeightsError
from openshape_ood.registry import ARCHITECTURES, Row, files, find_checkpoint, load_registry, weight_cache
from openshape_ood.registry.weights import load_network

SMALL = """
[small]
kind = "points"
architecture = "sparse-unet"
licence = "MIT"
source = { file = "model.ckpt", page = "https://example.org/weights" }
keys = { inside = "state_dict", prefix = "model." }
text = { kind = "static", model = "tiny/text.safetensors", templates = "", average = "mean" }
scan = { voxel = 0.1, input = "color" }

[small.sizes]
channels = 3
stem = 4
side = 3
widths = [4, 4, 6, 6, 6, 6, 4, 8]
blocks = [1, 1, 1, 1, 1, 1, 1, 1]
outputs = 3
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path / "cache"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "checkpoint .* not confirmed", UserWarning)
        yield tmp_path / "cache"


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture
def row(registry: Path) -> Row:
    return find_checkpoint("small", registry, kinds=("points",))


def hollow(shapes: dict[str, tuple[int, ...]], prefix: str) -> dict[str, Tensor]:
    """Tensors that take next to no room in a file."""
    kinds = {key: torch.int64 if key.endswith("tracked") else torch.float32 for key in shapes}
    return {prefix + key: torch.ones((), dtype=kinds[key]).expand(shape) for key, shape in shapes.items()}


def test_what_the_rows_say() -> None:
    rows = {name: row for name, row in load_registry().items() if row.kind == "points"}
    ours = rows.pop("tiny-points")
    assert ours.source.kind == "package" and ours.scan.voxel == 0.08 and ours.scan.input == "height-color"
    assert ours.text.space == find_checkpoint("tiny").text.space and not ours.unconfirmed
    assert {row.scan.voxel for row in rows.values()} == {0.02, 0.05} and rows[
        "openscene-nuscenes-openseg"
    ].scan.voxel == 0.05
    for name, row in rows.items():
        own = name.startswith("openscene")
        assert row.scan.input == ("ones" if own else "color") and row.scan.labels and row.about.whom and row.unconfirmed
        assert row.text.templates == ("openscene" if own else "")
        assert row.source.kind == ("https" if own else "hand")
        assert row.licence == ("Apache-2.0" if own else "not stated")
        with torch.device("meta"):
            network = ARCHITECTURES[row.architecture].build(row.sizes)
        kept = [
            p for key, p in network.named_parameters() if own or not key.startswith(("final.", "projection_layer."))
        ]
        assert sum(one.numel() for one in kept) == row.about.parameters
    lseg, openseg = rows["openscene-scannet-lseg"], rows["openscene-scannet-openseg"]
    assert lseg.text.space == find_checkpoint("vitb32").text.space == rows["lground-34d"].text.space
    assert openseg.text.space == "ViT-L-14-336-quickgelu/openai" and openseg.sizes.embedding_dim == 768
    assert TextEncoder.from_pretrained("openscene-scannet-lseg").templates == ("a {} in a scene",)
    assert TextEncoder.from_pretrained("lground-34c").dim == 512 != rows["lground-34c"].sizes.embedding_dim


@pytest.mark.parametrize("prefix", ["net3d.", "module.net3d."])
def test_openscene_files_load(tmp_path: Path, prefix: str) -> None:
    content = openscene_file("small")
    content["state_dict"] = hollow(unet_shapes("lseg"), prefix)
    network, sha256, _ = load_network(
        find_checkpoint("openscene-scannet-lseg", kinds=("points",)), write(content, tmp_path / "lseg.pth.tar")
    )
    assert network.final.kernel.shape == (96, 512) and network.final.bias is None and len(sha256) == 64


@pytest.mark.parametrize("name", ["34C", "34D"])
def test_files_of_pre_training_load_without_their_classifier(tmp_path: Path, name: str) -> None:
    content = lightning_file("small", "pretrain")
    shapes = {key: shape for key, shape in unet_shapes(name).items() if not key.startswith("final.")}
    others = {key: one for key, one in content["state_dict"].items() if not key.startswith("model.")}
    content["state_dict"] = hollow(shapes, "model.") | others
    content["hyper_parameters"]["model"] = f"Res16UNet{name}"
    path = write(content, tmp_path / "model.ckpt")
    row = find_checkpoint(f"lground-{name.lower()}", kinds=("points",))
    network = load_network(row, path)[0]
    assert not hasattr(network, "final") and not hasattr(network, "projection_layer")
    assert network.sizes.last_relu == (name == "34C")
    other = find_checkpoint("lground-34d" if name == "34C" else "lground-34c", kinds=("points",))
    with pytest.raises(WeightsError, match=rf"wrong shapes: block6.*Its sizes fit lground-{name.lower()}"):
        load_network(other, path)


@pytest.mark.parametrize("stage", ["pretrain", "finetune", "focal"])
def test_buffers_of_losses_are_left_alone(row: Row, tmp_path: Path, stage: str) -> None:
    network = load_network(row, write(lightning_file("small", stage), tmp_path / "model.ckpt"))[0]
    expected = weights("small")
    assert torch.equal(network.block5[0].conv1.kernel, expected["block5.0.conv1.kernel"])
    assert hasattr(network, "final") == (stage != "pretrain")


def test_what_a_file_calls_its_network_and_brings_along(row: Row, tmp_path: Path) -> None:
    projection = {"model.projection_layer.weight": torch.ones(8, 16, 1), "model.projection_layer.bias": torch.ones(8)}
    content = lightning_file("small", "finetune", **projection)
    with pytest.raises(WeightsError, match=r"left-over|wrong shapes: projection_layer"):
        load_network(row, write(content, tmp_path / "model.ckpt"))
    for model, relu in {"Res16UNet34C": True, "Res16UNet34CR": False, "another": row.sizes.last_relu}.items():
        content["hyper_parameters"] = {"model": model}
        sized = find_sized(row, text_width=16)
        network = load_network(sized, write(content, tmp_path / "model.ckpt"))[0]
        assert network.sizes.last_relu == relu and network.projection_layer.weight.shape == (8, 16, 1)


def find_sized(row: Row, **changes: Any) -> Row:
    return replace(row, sizes=replace(row.sizes, **changes))


def missing(state: dict[str, Any]) -> None:
    del state["model.block3.0.conv1.kernel"]


def renamed(state: dict[str, Any]) -> None:
    state["model.block3.0.conv1.weight"] = state.pop("model.block3.0.conv1.kernel")


def reshaped(state: dict[str, Any]) -> None:
    state["model.block3.0.conv1.kernel"] = state["model.block3.0.conv1.kernel"][:8]


def half_a_classifier(state: dict[str, Any]) -> None:
    del state["model.final.bias"]


@pytest.mark.parametrize(
    "change, said",
    [
        (missing, r"missing keys: block3\.0\.conv1\.kernel"),
        (renamed, r"missing keys: block3\.0\.conv1\.kernel; left-over keys: block3\.0\.conv1\.weight"),
        (reshaped, r"wrong shapes: block3\.0\.conv1\.kernel is \(8, 4, 6\), expected \(27, 4, 6\)"),
        (half_a_classifier, r"missing keys: final\.bias"),
    ],
)
def test_files_that_do_not_fit_are_refused_by_key(
    row: Row, tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    content = lightning_file("small", "finetune")
    change(content["state_dict"])
    with pytest.raises(WeightsError, match=said):
        load_network(row, write(content, tmp_path / "model.ckpt"))


class Trap:
    """Leaves a file where it is unpickled."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (self.mark, "w")


def test_an_object_in_a_file_is_not_run(row: Row, tmp_path: Path) -> None:
    content = {**lightning_file("small", "finetune"), "callbacks": Trap(str(tmp_path / "ran"))}
    with pytest.raises(WeightsError, match=r"would run code when read\. No code was run"):
        load_network(row, write(content, tmp_path / "model.ckpt"))
    assert not (tmp_path / "ran").exists()


def test_a_file_that_people_fetch_is_kept_and_pinned(row: Row, tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"open https://example\.org/weights, .*checkpoints add model\.ckpt --as small"
    ):
        load_network(row)
    file = write(lightning_file("small", "pretrain"), tmp_path / "brought.ckpt")
    kept = files.add(row, file)
    with pytest.warns(UserWarning, match="the registry has no sha256"):
        network, sha256, _ = load_network(row)
    assert sha256 == files.sha256(file) == files.known_sha256(row) and files.cached(row) == kept
    assert not hasattr(network, "final") and weight_cache.stripped_path(row) is None
    write(lightning_file("small", "finetune"), file)
    with pytest.raises(HashError, match="not the registered one"):
        files.add(row, file)
    kept.write_bytes(file.read_bytes())
    with pytest.raises(HashError, match="which records"):
        load_network(row)
    with pytest.raises(HashError, match="Delete the file and add it again"):
        load_network(replace(row, source=replace(row.source, sha256=sha256)))


@pytest.mark.parametrize(
    "change, said",
    [
        (("0.1, input", "-1, input"), "'voxel' is -1.0. Expected a positive"),
        (("0.1, input", "11, input"), "'voxel' is 11.0. Expected at most 10"),
        (('"color"', '"colour"'), "field 'input' is 'colour'. Expected one of ones, color"),
        (("side = 3", "side = 4"), "'side' is 4. Expected 3 or 5"),
        (("[4, 4, 6, 6, 6, 6, 4, 8]", "[4, 4]"), "'widths'"),
        (("outputs = 3", 'outputs = 0\nembedding = "final"'), "'outputs' is 0"),
        (("https://example.org", "http://example.org"), "field 'page'"),
        (("scan = { voxel = 0.1,", "scan = {"), "lacks the field 'voxel'"),
    ],
)
def test_rows_that_cannot_be_used(registry: Path, change: tuple[str, str], said: str) -> None:
    registry.write_text(SMALL.replace(*change), encoding="utf-8")
    with pytest.raises(RegistryError, match=said):
        load_registry(registry)


def test_a_name_of_another_kind_is_told() -> None:
    with pytest.raises(UnknownNameError, match=r"'lground-34d' is of kind 'points'\. Expected 'shape'"):
        find_checkpoint("lground-34d")
    with pytest.raises(InputError, match="'tiny' is of kind 'shape'"):
        find_checkpoint("tiny", kinds=("points",))
