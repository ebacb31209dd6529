"""Rows of the further encoders: what they say, and files in their layouts through the loader, with small networks."""

from __future__ import annotations

import re
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from published_encoders import TRUNKS, Trunk, tensor, uni3d_checkpoint, uni3d_shapes
from safetensors.torch import save_file

from openshape_ood import KnownClasses, ShapeEncoder, localize, score_novelty
from openshape_ood.errors import InputError, RegistryError, WeightsError
from openshape_ood.registry import ARCHITECTURES, find_checkpoint, load_registry
from openshape_ood.registry.rows import About
from openshape_ood.registry.weights import faults, read_weights
from openshape_ood.synthetic import sample

SHARED = {"architecture": "uni3d", "text.average": "mean_of_units", "spec.up": "y", "spec.fewer": "keep"}
COMMIT = 40  # hexadecimal digits
# joined or not, gated or not, as in the published files
SMALL = {
    "uni3d-ti": Trunk(24, 2, 16, 5, joined=True, head=False, patch=16, out=12),
    "uni3d-b": Trunk(24, 2, 16, 5, joined=False, patch=16, out=12),
    "uni3d-g": Trunk(24, 2, 16, 5, joined=True, gated=False, patch=16, out=12),
}
SIZES = "width = 24, depth = 2, heads = 2, head_width = 12, mlp_width = 16, patches = 20, patch_points = 8, "
SIZES += "patch_width = 16, projection = 12"


def entry(row: Any, place: str) -> Any:
    table, _, field = place.rpartition(".")
    return getattr(getattr(row, table) if table else row, field)


@pytest.mark.parametrize("name", [name for name in load_registry() if name.startswith("uni3d-")])
def test_rows_of_uni3d(name: str) -> None:
    row = find_checkpoint(name)
    assert {place: entry(row, place) for place in SHARED} == SHARED
    assert row.text.space == "EVA02-E-14-plus/laion2b_s9b_b144k" and row.sizes.embedding_dim == 1024
    assert (row.source.repo, row.source.file) == ("BAAI/Uni3D", f"modelzoo/{name}/model.pt")
    assert len(row.source.revision) == COMMIT and len(row.source.sha256) == 64 and row.source.bytes > 12_000_000
    assert row.sizes == find_checkpoint(name.removesuffix("-no-lvis")).sizes
    assert row.licence == "not stated" and not row.unconfirmed


def test_what_is_not_known_is_left_open_and_said() -> None:
    for name in ("tamm", "tamm-no-lvis", "tripletmix"):
        row = find_checkpoint(name)
        assert row.source.sha256 == "" and row.source.bytes == 0 and "sha256" in row.unconfirmed
    assert "radius 0.4" in find_checkpoint("openshape-shapenet").unconfirmed
    shas = [row.source.sha256 for row in load_registry().values() if row.source.sha256 and row.kind == "shape"]
    assert len(set(shas)) == len(shas) == 17
    assert all(len(row.source.revision) == COMMIT for row in load_registry().values() if row.source.bytes)


def test_rows_like_vitg14() -> None:
    model = find_checkpoint("vitg14")
    for name in ("openshape-no-lvis", "tripletmix"):
        row = find_checkpoint(name)
        assert (row.sizes, row.keys, row.text, row.spec) == (model.sizes, model.keys, model.text, model.spec)
        assert row.source != model.source and row.about != model.about
    tamm = find_checkpoint("tamm")
    assert tamm.sizes == replace(model.sizes, adapter_width=1024) and tamm.spec == replace(model.spec, fewer="keep")
    assert tamm.text == model.text  # known names are embedded once for both


@pytest.mark.parametrize("name", TRUNKS)
def test_the_published_files_of_uni3d_fit_their_rows(name: str, tmp_path: Path) -> None:
    """Keys and shapes, of two blocks; tensors of one number, so that the largest takes no room."""
    trunk, row = replace(TRUNKS[name], depth=2), find_checkpoint(name)
    shapes = {key: torch.zeros((), dtype=torch.half).expand(shape) for key, shape in uni3d_shapes(trunk).items()}
    torch.save({"module": shapes}, tmp_path / "model.pt")
    found = {k: tuple(v.shape) for k, v in read_weights(tmp_path / "model.pt", row.keys, name).items()}
    with torch.device("meta"):
        network = ARCHITECTURES["uni3d"].build(replace(row.sizes, depth=2))
    assert faults({key: tuple(value.shape) for key, value in network.state_dict().items()}, found) == ""
    full = len(uni3d_shapes(TRUNKS[name]))
    assert full == {"uni3d-ti": 191, "uni3d-s": 191, "uni3d-b": 265, "uni3d-l": 493, "uni3d-g": 557}[name]


# small files


def registry(folder: Path, name: str, more: str = "") -> Path:
    block = find_checkpoint(name).sizes.block
    row = f'[mine]\nlike = "{name}"\nlicence = "none"\nsource = {{ file = "model.pt" }}\nspec = {{ count = 300 }}\n'
    row += f'sizes = {{ {SIZES}, block = "{block}" }}\n{more}'
    path = folder / "mine.toml"
    path.write_text(row, encoding="utf-8")
    return path


def load(folder: Path, content: Any, name: str = "uni3d-b", more: str = "") -> ShapeEncoder:
    torch.save(content, folder / "model.pt")
    path = registry(folder, name, more)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "mine.*|.*first use", UserWarning)
        return ShapeEncoder.from_pretrained("mine", registry=path, checkpoint=folder / "model.pt", device="cpu")


@pytest.fixture(scope="module", params=SMALL)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ShapeEncoder:
    name = request.param
    return load(tmp_path_factory.mktemp(name), uni3d_checkpoint(SMALL[name]), name)


def test_half_precision_files_load_strictly_as_float32(encoder: ShapeEncoder) -> None:
    state = encoder.network.state_dict()
    assert {value.dtype for value in state.values()} == {torch.float32, torch.int64}
    weight = state["visual.blocks.1.attn.qkv.weight"]
    assert torch.equal(weight, weight.half().float()) and weight.shape == (72, 24)
    assert encoder.temperature == pytest.approx(1 / np.exp(float(tensor("logit_scale", (), 0).half())))


def test_clouds_of_at_most_so_many_points(encoder: ShapeEncoder) -> None:
    shapes = [sample("chair", n, seed=1) for n in (250, 900, 120, 250)]
    together = encoder.encode(shapes)
    alone = np.concatenate([encoder.encode(shape) for shape in shapes])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(shapes, batch_size=2), together, atol=1e-5)
    sizes = list[int]()
    hook = encoder.network.register_forward_pre_hook(lambda _, given: sizes.append(given[0].shape[1]))
    encoder.encode(shapes)
    hook.remove()
    assert sorted(sizes) == [120, 250, 300]
    prepared = [cloud[None].repeat(6, axis=1)[:, :, :6] for cloud in (np.zeros((9, 6)), np.ones((5, 6)))]
    assert encoder.encode_prepared([one[0] for one in prepared]).shape == (2, 12)


def test_known_classes_and_where_a_shape_is_novel(encoder: ShapeEncoder) -> None:
    examples = {name: [sample(name, n, seed=n) for n in (280, 290, 400)] for name in ("chair", "lamp")}
    known = KnownClasses.from_examples(examples, encoder, patches="local")
    assert known.patches is not None and 0 < known.patches.radius < 1
    shapes = [sample("chair", 500, seed=9), sample("table", 130, seed=9)]
    assert score_novelty(shapes, known, encoder=encoder).novelty.shape == (2,)
    found = localize(shapes[1], known, encoder=encoder)
    assert found.novelty.shape == (130,) and np.isfinite(found.novelty).all()
    patches = encoder.encode_patches(shapes, stage="projected")
    assert patches.features.shape == (2, 20, 12) and isinstance(patches.radius, np.ndarray)
    own = encoder.encode_patches(shapes[1:], stage="projected")
    np.testing.assert_allclose(own.features[0], patches.features[1], atol=1e-5)
    np.testing.assert_allclose(own.radius, patches.radius[1:], rtol=1e-5)
    assert patches.radius[1] > patches.radius[0]  # fewer points lie farther apart


def test_files_that_are_not_the_right_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openshape_ood.registry.weights._fitting", lambda *_: [])  # which takes its time
    small = SMALL["uni3d-b"]
    for content, words in [
        (uni3d_checkpoint(replace(small, width=32)), "wrong shapes"),
        (uni3d_checkpoint(replace(small, depth=3)), "left-over keys: visual.blocks.2"),
        (uni3d_checkpoint(replace(small, depth=1)), "missing keys: visual.blocks.1"),
        (uni3d_checkpoint(SMALL["uni3d-g"]), "wrong shapes"),
        (uni3d_checkpoint(SMALL["uni3d-ti"]), "missing keys"),
    ]:
        with pytest.raises(WeightsError, match=words):
            load(tmp_path, content)
    lacking = uni3d_checkpoint(small)
    del lacking["module"]["point_encoder.visual.blocks.0.mlp.fc1_x.weight"]
    with pytest.raises(WeightsError, match=r"fc1_x\.weight, to be merged"):
        load(tmp_path, lacking)
    more = uni3d_checkpoint(small)
    more["module"]["point_encoder.visual.rope.freqs"] = torch.ones(2)
    with pytest.raises(WeightsError, match=r"left-over keys: visual\.rope\.freqs"):
        load(tmp_path, more)


def test_a_file_of_another_size_is_told_by_name(tmp_path: Path) -> None:
    torch.save(uni3d_checkpoint(TRUNKS["uni3d-ti"]), tmp_path / "model.pt")
    with pytest.raises(WeightsError, match=r"wrong shapes.*Its sizes fit uni3d-ti or uni3d-ti-no-lvis"):
        ShapeEncoder.from_pretrained("uni3d-b", checkpoint=tmp_path / "model.pt", device="cpu")


TAMM = (
    "width = 16, depth = 1, heads = 2, head_width = 8, mlp_width = 16, patches = 4, patch_points = 4, patch_width = 8, "
)
TAMM += "projection = 12, adapter_width = 10"


def test_tamm_is_the_weighted_sum_of_its_unit_branches(tmp_path: Path) -> None:
    row = f'[mine]\nlike = "tamm"\nlicence = "none"\nsource = {{ file = "model.pt" }}\nsizes = {{ {TAMM} }}\n'
    path, file = tmp_path / "mine.toml", tmp_path / "model.pt"
    path.write_text(row + 'unconfirmed = "all of it"')
    with torch.device("meta"):
        network = ARCHITECTURES["pointbert"].build(find_checkpoint("mine", path).sizes)
    tables: dict[str, dict[str, torch.Tensor]] = {"logit_scale": {"module.logit_scale": tensor("logit_scale", (), 0)}}
    for key, value in network.state_dict().items():
        parts = re.fullmatch(r"proj\.(text|image)\.(.*)", key)
        table = f"{parts[1]}_alignment_adapter" if parts else "state_dict"
        own = f"module.classifier.{parts[2]}" if parts else f"module.ppat.{key}"
        tables.setdefault(table, {})[own] = tensor(f"{table}.{own}", tuple(value.shape), 0)
    torch.save({**tables, "optimizer": {"state": {}}, "epoch": 3}, file)
    with pytest.warns(UserWarning, match="'mine' is not confirmed: all of it"):
        encoder = ShapeEncoder.from_pretrained("mine", registry=path, checkpoint=file, device="cpu")
    assert encoder.temperature == pytest.approx(np.exp(-float(tables["logit_scale"]["module.logit_scale"])))
    adapters, body = encoder.network.proj, torch.randn(3, 5, 16, generator=torch.Generator().manual_seed(0))
    text, image = (one(body.flatten(0, 1)) for one in (adapters.text, adapters.image))
    assert torch.equal(text, adapters.text[-1](adapters.text[:-1](body.flatten(0, 1)))) and (text >= -0.18).all()
    found = adapters(body).flatten(0, 1)
    unit = torch.nn.functional.normalize
    assert torch.allclose(found, unit(text, dim=-1) + 0.5 * unit(image, dim=-1), atol=1e-5)
    raw = encoder.encode(sample("chair", 400, seed=1), normalize=False)
    assert 0.5 < np.linalg.norm(raw) < 1.5 and raw.shape == (1, 12)
    assert encoder.encode_patches(sample("chair", 400, seed=1), stage="projected").features.shape == (1, 4, 12)
    del tables["image_alignment_adapter"]
    torch.save(tables, file)
    with pytest.warns(UserWarning, match="all of it"), pytest.raises(WeightsError, match=r"missing keys: proj\.image"):
        ShapeEncoder.from_pretrained("mine", registry=path, checkpoint=file, device="cpu")


def test_the_stripped_file_of_half_precision_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from openshape_ood.registry import weight_cache

    torch.save(uni3d_checkpoint(SMALL["uni3d-b"]), tmp_path / "model.pt")
    row = find_checkpoint("mine", registry(tmp_path, "uni3d-b"))
    tensors = read_weights(tmp_path / "model.pt", row.keys, "mine")
    monkeypatch.setattr(weight_cache, "stripped_path", lambda _: tmp_path / "kept.safetensors")
    weight_cache.keep(row, weight_cache.Weights(tensors, 0.01, tmp_path / "model.pt"))
    kept = weight_cache.read(row)
    assert kept is not None and kept.mapped and {v.dtype for v in kept.tensors.values()} == {torch.half, torch.int64}
    assert kept.tensors.keys() == tensors.keys() and all(torch.equal(kept.tensors[k], tensors[k]) for k in tensors)


# rows that are like others


def test_a_row_like_another_takes_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    b = '[b]\nlike = "vitb32"\nlicence = "y"\nsource = { file = "b.pt" }\nspec = { up = "z" }\n'
    path.write_text('[a]\nlike = "b"\nlicence = "x"\nsource = { file = "a.pt" }\nsizes = { depth = 5 }\n' + b)
    rows, base = load_registry(path), find_checkpoint("vitb32")
    assert rows["a"].sizes == replace(base.sizes, depth=5) and rows["b"].sizes == base.sizes
    assert rows["a"].spec == rows["b"].spec == replace(base.spec, up="z")
    assert rows["a"].licence == "x" and rows["a"].about == About() and rows["a"].folder == tmp_path


@pytest.mark.parametrize(
    "text, words",
    [
        ('[a]\nlike = "nobody"', "field 'like' is 'nobody'. Expected the name of another row"),
        ('[a]\nlike = "a"', "field 'like' is 'a'"),
        ("[a]\nlike = 5", "field 'like' is 5"),
        ('[a]\nlike = "b"\n[b]\nlike = "a"', "without a cycle"),
        ('[a]\nlike = "vitb32"\nlicence = "x"', "lacks the field 'source'"),
        ('[a]\nlike = "vitb32"\nsource = { file = "a" }', "lacks the field 'licence'"),
        ('[a]\nlike = "b"\n[b]', "[a] lacks the field"),
        (
            '[a]\nlike = "uni3d-b"\nlicence = "x"\nsource = { file = "a" }\nsizes = { block = "odd" }',
            "one of gated",
        ),
        ('[a]\nlike = "uni3d-b"\nlicence = "x"\nsource = { file = "a" }\nspec = { fewer = "odd" }', "'fewer' is 'odd'"),
        (
            '[a]\nlike = "tamm"\nlicence = "x"\nsource = { file = "a" }\nsizes = { projection = 0 }',
            "because there are adapters",
        ),
        ('[a]\nlike = "uni3d-b"\nlicence = "x"\nsource = { file = "a" }\nsizes = { depth = 300 }', "at most 256"),
    ],
)
def test_rows_that_are_like_nothing(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(RegistryError) as caught:
        load_registry(tmp_path / "mine.toml")
    assert words in str(caught.value)


def test_a_safetensors_file_with_the_same_keys(tmp_path: Path) -> None:
    content = {key: value.contiguous() for key, value in uni3d_checkpoint(SMALL["uni3d-b"])["module"].items()}
    save_file(content, tmp_path / "model.safetensors")
    path = registry(tmp_path, "uni3d-b")
    encoder = ShapeEncoder.from_pretrained(
        "mine", registry=path, checkpoint=tmp_path / "model.safetensors", device="cpu"
    )
    assert encoder.encode(sample("chair", 400, seed=1)).shape == (1, 12)
    with pytest.raises(InputError, match="up"):
        encoder.encode(sample("chair", 400, seed=1), up="w")


def test_what_helps_to_choose_is_there_for_every_row() -> None:
    for row in (row for row in load_registry().values() if row.kind == "shape"):
        about = asdict(row.about)
        assert about["parameters"] and about["cost"] and about["whom"], row.name
        accuracies = [about[name] for name in ("lvis", "modelnet40", "scanobjectnn")]
        assert bool(any(accuracies)) == bool(about["published"]) and max(accuracies) < 100
        with torch.device("meta"):
            network = ARCHITECTURES[row.architecture].build(row.sizes)
        assert sum(p.numel() for p in network.parameters()) == about["parameters"]
