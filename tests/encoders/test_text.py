"""Text encoders: a small open_clip model with random weights, and token vectors made up here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forks import Forks
from safetensors.numpy import save_file

from openshape_ood.encoders.protocols import Identity
from openshape_ood.encoders.text import encoder as text_encoder
from openshape_ood.encoders.text.encoder import (
    TextEncoder,
    UntrainedNameWarning,
    cached_file,
    clean_names,
    fetch_file,
    find_templates,
)
from openshape_ood.encoders.text.open_clip import ClipModel, find_config, text_keys
from openshape_ood.errors import (
    ClassNamesError,
    InputError,
    OfflineError,
    RegistryError,
    UnknownNameError,
    WeightsError,
)
from openshape_ood.registry.files import sha256
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.storage import ArrayStore, own_folder

DIM = 16
VOCABULARY = ["[PAD]", "[UNK]", "night", "stand", "sofa", "chair", "désk", "椅子", "monitor", "display"]

ROW = """
[{name}]
architecture = "pointbert"
licence = "MIT"
sizes = {{ width = {dim}, depth = 1, heads = 1, head_width = 8, mlp_width = 8, patches = 2, radius = 0.4, \
patch_points = 2, patch_width = 8, channels = 6, projection = 0 }}
source = {{ file = "encoder.pt", sha256 = "{zeros}" }}
keys = {{ inside = "", prefix = "", body = "" }}
spec = {{ count = 16, up = "y", color = 0.4 }}
text = {{ kind = "{kind}", model = "{model}", pretrained = "{pretrained}", templates = "", average = "mean" }}
"""


def row(name: str, kind: str, model: str, pretrained: str = "", dim: int = DIM) -> str:
    return ROW.format(name=name, kind=kind, model=model, pretrained=pretrained, dim=dim, zeros="0" * 64)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "text"


# names


def test_names_are_cleaned() -> None:
    given = ["night_stand", "  a\tlong   name ", "window_box_(for_plants)", "Désk", "椅子"]
    assert clean_names(given) == ["night stand", "a long name", "window box (for plants)", "Désk", "椅子"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("chair", r"\['chair'\]"),
        ([], "no class names"),
        (["chair", " _ "], "name 1 is ' _ ', which is blank"),
        (["chair", 3], "name 1 is 3"),
        (
            ["night_stand", "sofa", "Night  stand"],
            r"names 1 and 3, 'night_stand' and 'Night  stand', are the same",
        ),
        ({"chair", "sofa"}, "names is a set"),
        (5, "names is a int"),
        (["chair\ud800"], "surrogate"),
    ],
)
def test_names_that_cannot_be_used(names: Any, words: str) -> None:
    with pytest.raises(ClassNamesError, match=words):
        clean_names(names)


def test_the_templates_are_the_published_ones() -> None:
    templates = find_templates("modelnet40_64")
    assert len(set(templates)) == 64
    assert templates[0] == "a point cloud model of {}." and templates[63] == "a painting of a {}."
    assert [i for i, sentence in enumerate(templates) if not sentence.endswith(".")] == [51]
    assert find_templates("") == ("{}",)


def test_templates_that_cannot_be_used() -> None:
    with pytest.raises(UnknownNameError, match="modelnet40_64"):
        find_templates("modelnet")
    with pytest.raises(InputError, match=r"template 1 is 'a \{\} \{\}'"):
        find_templates(["{}", "a {} {}"])
    with pytest.raises(InputError, match="empty"):
        find_templates([])


# static vectors


@pytest.fixture
def static(tmp_path: Path) -> Callable[..., TextEncoder]:
    """TextEncoder over made-up vectors; its keywords, and `metadata` of the file."""

    def build(metadata: dict[str, str] | None = None, **settings: Any) -> TextEncoder:
        write_static(tmp_path, metadata)
        (tmp_path / "mine.toml").write_text(row("mine", "static", "text.safetensors"))
        return TextEncoder.from_pretrained("mine", registry=tmp_path / "mine.toml", **settings)

    return build


def write_static(folder: Path, metadata: dict[str, str] | None = None) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(1)
    tokenizer.save(str(folder / "tokenizer.json"))
    vectors, scales = static_arrays()
    save_file({"vectors": vectors, "scales": scales}, folder / "text.safetensors", metadata=metadata)


def static_arrays() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(0)
    shape = (len(VOCABULARY), DIM)
    return random.randint(-127, 128, shape).astype(np.int8), random.uniform(0.01, 0.1, shape[0]).astype(np.float16)


def mean_of(*words: str) -> np.ndarray:
    vectors, scales = (array.astype(float) for array in static_arrays())
    ids = [VOCABULARY.index(word) for word in words]
    return unit((vectors[ids] * scales[ids, None]).mean(axis=0))


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_static_vectors_are_unit_means_of_tokens(static: Callable[..., TextEncoder]) -> None:
    text = static()
    anchors = text.encode(["Night_stand", "sofa", "椅子", "désk", "unheard-of chair"])
    expected = [mean_of("night", "stand"), mean_of("sofa"), mean_of("椅子"), mean_of("désk"), mean_of("chair")]
    assert anchors.dtype == np.float32 and anchors.shape == (5, text.dim)
    np.testing.assert_allclose(anchors, expected, atol=1e-5)
    assert text.identity == Identity("mine", "text.safetensors")


def test_a_name_without_a_known_word(static: Callable[..., TextEncoder]) -> None:
    with pytest.raises(ClassNamesError, match="'zyzzyva' has no word"):
        static().encode(["chair", "zyzzyva"])


def test_aliases_stand_in_and_several_are_averaged(static: Callable[..., TextEncoder]) -> None:
    text = static(aliases={"Screen": ["monitor", "display"], "settee": "sofa"})
    anchors = text.encode(["screen", "settee", "chair"])
    screen = unit(mean_of("monitor") + mean_of("display"))
    np.testing.assert_allclose(anchors, [screen, mean_of("sofa"), mean_of("chair")], atol=1e-5)


@pytest.mark.parametrize("aliases", [["sofa"], {"settee": []}, {"settee": " "}, {"settee": [1]}])
def test_aliases_that_cannot_be_used(static: Callable[..., TextEncoder], aliases: Any) -> None:
    with pytest.raises(InputError, match="alias"):
        static(aliases=aliases)


def test_a_name_far_from_all_trained_ones_warns(static: Callable[..., TextEncoder]) -> None:
    text = static({"trained_names": json.dumps(["sofa", "chair"]), "near": "0.99"})
    with pytest.warns(UntrainedNameWarning, match=r"'night stand'.*example shapes"):
        text.encode(["sofa", "night_stand"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text.encode(["sofa", "Chair"])


def test_static_files_that_do_not_fit(static: Callable[..., TextEncoder], tmp_path: Path) -> None:
    text = static()
    vectors, scales = static_arrays()
    save_file({"vectors": vectors[:5], "scales": scales[:5]}, tmp_path / "text.safetensors")
    with pytest.raises(WeightsError, match="Use files of one encoder"):
        text.encode(["sofa"])
    (tmp_path / "text.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(WeightsError, match="cannot read"):
        text.encode(["sofa"])
    (tmp_path / "text.safetensors").unlink()
    with pytest.raises(WeightsError, match="no file"):
        text.encode(["sofa"])


def test_tiny_needs_neither_torch_nor_open_clip() -> None:
    program = (
        "import sys; from openshape_ood import TextEncoder; text = TextEncoder.from_pretrained('tiny');"
        "a = text.encode(['chair', 'armchair', 'toilet']); assert a.shape == (3, text.dim);"
        "assert a[0] @ a[1] > a[0] @ a[2]; print({'torch', 'open_clip', 'huggingface_hub'} & set(sys.modules))"
    )
    assert run(program) == "set()"


def run(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


# open_clip

TEMPLATES = ["a {}.", "the big {} in the scene", "{}"]
NAMES = ["chair", "night stand", "椅子"]


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mini and mini-quickgelu, known to open_clip: mini.toml, and the weights of the second in several forms."""
    import open_clip
    import torch

    folder = tmp_path_factory.mktemp("clip")
    for name, quick in (("mini", False), ("mini-quickgelu", True)):
        config = {
            "embed_dim": DIM,
            "quick_gelu": quick,
            "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
            "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
        }
        (folder / f"{name}.json").write_text(json.dumps(config))
        open_clip.add_model_config(folder / f"{name}.json")
    rows = row("quick", "open_clip", "mini-quickgelu") + row("plain", "open_clip", "mini")
    (folder / "mini.toml").write_text(rows + row("wide", "open_clip", "mini", dim=24))
    write_weights(folder, whole_model().state_dict())
    assert torch.get_default_device().type == "cpu"
    return folder


def whole_model() -> Any:
    import open_clip
    import torch

    model = open_clip.create_model("mini-quickgelu").eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():  # large enough for the activation to matter
        parameter.data.normal_(0, 0.3, generator=generator)
    return model


def write_weights(folder: Path, state: dict[str, Any]) -> None:
    import torch
    from safetensors.torch import save_file

    text = {key: tensor for key, tensor in state.items() if not key.startswith(("visual.", "logit_scale"))}
    save_file(state, folder / "whole.safetensors")
    save_file(text, folder / "text.safetensors")
    custom = {f"text.{key}": tensor for key, tensor in text.items()} | {"visual.proj": state["visual.proj"]}
    save_file(custom, folder / "custom.safetensors")
    torch.save(state, folder / "whole.pt")
    parallel = {f"module.{key}": tensor for key, tensor in state.items()}
    torch.save({"epoch": 3, "state_dict": parallel}, folder / "parallel.bin")
    lacking = {key: tensor for key, tensor in state.items() if key != "ln_final.weight"}
    save_file(lacking | {"ln_last.weight": state["ln_final.weight"].clone()}, folder / "lacking.safetensors")
    save_file(state | {"text_projection": torch.zeros(16, 8)}, folder / "narrow.safetensors")
    save_file(state | {"ln_final.bias": torch.full((16,), float("nan"))}, folder / "nan.safetensors")


@pytest.fixture
def clip(clip_folder: Path) -> Callable[..., TextEncoder]:
    def build(file: str = "whole.safetensors", name: str = "quick", **settings: Any) -> TextEncoder:
        settings = {"templates": TEMPLATES, "device": "cpu", **settings}
        path = clip_folder / file
        return TextEncoder.from_pretrained(name, checkpoint=path, registry=clip_folder / "mini.toml", **settings)

    return build


def embedded_by_open_clip(sentences: Sequence[str]) -> np.ndarray:
    import open_clip
    import torch

    with torch.inference_mode():
        return whole_model().encode_text(open_clip.get_tokenizer("mini-quickgelu")(list(sentences))).numpy()


def test_the_text_side_equals_open_clip(clip_folder: Path) -> None:
    sentences = [template.replace("{}", name) for name in NAMES for template in find_templates("modelnet40_64")]
    checkpoint = find_checkpoint("quick", clip_folder / "mini.toml")
    model = ClipModel.load(checkpoint, clip_folder / "whole.safetensors", "cpu")
    expected = embedded_by_open_clip(sentences)
    assert np.abs(model.embed(sentences) - expected).max() < 1e-5 * np.abs(expected).max()


def test_the_wrong_activation_is_far_off(clip: Callable[..., TextEncoder]) -> None:
    right, wrong = clip().encode(NAMES), clip(name="plain").encode(NAMES)
    assert np.abs(right - wrong).max() > 1e-3


def test_both_averaging_rules(clip: Callable[..., TextEncoder]) -> None:
    sentences = [template.replace("{}", name) for name in NAMES for template in TEMPLATES]
    raw = embedded_by_open_clip(sentences).reshape(len(NAMES), len(TEMPLATES), DIM)
    np.testing.assert_allclose(clip().encode(NAMES), unit(raw.mean(axis=1)), atol=1e-5)
    units = clip(average="mean_of_units").encode(NAMES)
    np.testing.assert_allclose(units, unit(unit(raw).mean(axis=1)), atol=1e-5)
    with pytest.raises(UnknownNameError, match="mean_of_units"):
        clip(average="median")


@pytest.mark.parametrize("file", ["text.safetensors", "custom.safetensors", "whole.pt", "parallel.bin"])
def test_every_usual_form_of_file(clip: Callable[..., TextEncoder], file: str) -> None:
    np.testing.assert_array_equal(clip(file).encode(NAMES), clip().encode(NAMES))


def test_only_text_tensors_are_read(clip: Callable[..., TextEncoder], monkeypatch: pytest.MonkeyPatch) -> None:
    import safetensors

    read = []

    class Recorder:
        def __init__(self, *args: Any, **settings: Any) -> None:
            self.file = safetensors_open(*args, **settings)

        def __enter__(self) -> Recorder:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def get_tensor(self, key: str) -> Any:
            read.append(key)
            return self.file.get_tensor(key)

    safetensors_open = safetensors.safe_open
    monkeypatch.setattr(safetensors, "safe_open", Recorder)
    clip().encode(NAMES)
    assert len(read) == len(set(read)) and "text_projection" in read
    assert not [key for key in read if key.startswith(("visual", "logit"))]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("lacking.safetensors", r"missing keys: ln_final.weight; left-over keys: ln_last.weight"),
        ("narrow.safetensors", r"text_projection is \(16, 8\), expected \(16, 16\)"),
        ("nan.safetensors", "not finite"),
        ("mini.json", "checkpoint"),
        ("nowhere.safetensors", "cannot read"),
    ],
)
def test_files_that_are_not_the_text_encoder(clip: Callable[..., TextEncoder], file: str, words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        clip(file).encode(NAMES)


def test_another_width_than_that_of_the_shape_encoder(clip: Callable[..., TextEncoder]) -> None:
    with pytest.raises(WeightsError, match="16 dimensions, its shape encoder 24"):
        clip(name="wide").encode(NAMES)


def test_half_precision_is_close(clip_folder: Path) -> None:
    checkpoint = find_checkpoint("quick", clip_folder / "mini.toml")
    file = clip_folder / "whole.safetensors"
    half = ClipModel.load(checkpoint, file, "cpu", precision="float16")
    single = ClipModel.load(checkpoint, file, "cpu")
    assert {str(p.dtype) for p in half.network.parameters()} == {"torch.float16", "torch.float32"}
    cosines = (unit(half.embed(NAMES)) * unit(single.embed(NAMES))).sum(axis=1)
    assert cosines.min() > 1 - 1e-4


def test_a_name_longer_than_the_context(clip: Callable[..., TextEncoder]) -> None:
    text = clip(templates="")
    assert text.encode(["chair " * 75]).shape == (1, DIM)
    with pytest.raises(ClassNamesError, match="longer than the 77 tokens"):
        text.encode(["chair " * 76])


# which model


@pytest.mark.parametrize(
    ("name", "repo"),
    [
        ("vitb32", "timm/vit_base_patch32_clip_224.openai"),
        ("vitl14", "timm/vit_large_patch14_clip_224.openai"),
        ("vitg14", "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k"),
        ("uni3d-b", "timm/eva02_enormous_patch14_plus_clip_224.laion2b_s9b_b144k"),
    ],
)
def test_the_text_encoders_of_the_published_ones(name: str, repo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(text_encoder, "fetch", lambda row, progress, address: asked.append((*address, progress)))
    monkeypatch.setattr(text_encoder, "cached", lambda row, address: asked.append(address))
    checkpoint = find_checkpoint(name)
    assert find_config(checkpoint)["embed_dim"] == checkpoint.sizes.embedding_dim
    fetch_file(checkpoint)
    fetch_file(checkpoint, progress=False)
    assert cached_file(checkpoint) is None
    address = (repo, "open_clip_model.safetensors")
    assert asked == [(*address, True), (*address, False), address]


def test_a_text_model_of_another_width_is_refused_before_it_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_encoder, "fetch", lambda *_: pytest.fail("it is downloaded"))
    for name, other, words in [("vitl14", "vitb32", "512.*768"), ("uni3d-ti", "vitg14", "1280.*1024")]:
        row = replace(find_checkpoint(name), text=find_checkpoint(other).text)
        with pytest.raises(WeightsError, match=f"{words}. Expected equal dimensions"):
            fetch_file(row)


@pytest.mark.parametrize(
    ("model", "pretrained", "words"),
    [
        ("ViT-B-32", "metaclip_400m", "QuickGELU.*would be wrong.*'ViT-B-32-quickgelu'"),
        ("ViT-B-32", "nobody", "For 'ViT-B-32' open_clip has: openai"),
        ("ViT-B-32", "openai", "QuickGELU.*would be wrong.*'ViT-B-32-quickgelu'"),
        ("ViT-L-14", "openai", "QuickGELU.*would be wrong.*'ViT-L-14-quickgelu'"),
        ("ViT-B-33", "openai", "which open_clip does not know"),
        ("ViT-B-33", "", "which open_clip does not know"),
        ("ViT-B-16-SigLIP", "", "not open_clip's transformer"),
        ("ViT-B-32", "", "names no weights on the Hub"),
    ],
)
def test_registries_that_name_no_usable_text_encoder(tmp_path: Path, model: str, pretrained: str, words: str) -> None:
    (tmp_path / "mine.toml").write_text(row("mine", "open_clip", model, pretrained))

    def file() -> Path:
        checkpoint = find_checkpoint("mine", tmp_path / "mine.toml")
        find_config(checkpoint)
        return fetch_file(checkpoint)

    with pytest.raises(RegistryError, match=words):
        file()


@pytest.mark.parametrize("prefix", ["", "module."])
def test_text_keys_of_whole_and_custom_models(prefix: str) -> None:
    whole = [f"{prefix}{key}" for key in ("visual.proj", "logit_scale", "ln_final.bias", "context_length")]
    assert text_keys(whole) == {"ln_final.bias": f"{prefix}ln_final.bias"}
    assert text_keys([f"{prefix}text.ln_final.bias", *whole[:2]]) == {"ln_final.bias": f"{prefix}text.ln_final.bias"}


# cache


def test_a_known_vocabulary_never_loads_the_model(clip: Callable[..., TextEncoder], clip_folder: Path) -> None:
    expected = clip().encode(NAMES)
    program = (
        "import sys, numpy as np; from openshape_ood.encoders.text.encoder import TextEncoder;"
        "text = TextEncoder.from_pretrained('quick', checkpoint=sys.argv[1], registry=sys.argv[2],"
        f"templates={TEMPLATES!r}); anchors = text.encode({NAMES!r});"
        "print(anchors.tobytes().hex(), {'torch', 'open_clip', 'huggingface_hub'} & set(sys.modules))"
    )
    found, modules = run(program, str(clip_folder / "whole.safetensors"), str(clip_folder / "mini.toml")).split()
    assert modules == "set()"
    np.testing.assert_array_equal(np.frombuffer(bytes.fromhex(found), np.float32).reshape(expected.shape), expected)


@pytest.fixture
def scorable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry with an encoder beside it and a text encoder of the Hub that is not here; names are in the cache."""
    import torch
    from hub_cache import weights

    path = tmp_path / "mine.toml"
    path.write_text(row("mine", "open_clip", "ViT-B-32-quickgelu", "openai"))
    torch.save(weights(find_checkpoint("mine", path)), tmp_path / "encoder.pt")
    path.write_text(path.read_text().replace("0" * 64, sha256(tmp_path / "encoder.pt")))
    text = TextEncoder.from_pretrained("mine", registry=path, device="cpu")
    store(text, "float32", dict(zip(NAMES, np.eye(3, DIM), strict=True)))
    monkeypatch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return path


SCORED = f"""
import numpy as np
from openshape_ood import score_novelty
result = score_novelty(np.random.RandomState(0).rand(50, 3), {NAMES!r}, model="mine", device="cpu")
assert result.classes.tolist() == {NAMES!r}, result.classes
"""
SCORED_BY_COMMAND = f"""
import sys
import numpy as np
np.save("shape.npy", np.random.RandomState(0).rand(50, 3))
sys.argv[1:] = ["score", "shape.npy", "--model", "mine", "--up", "y", "--device", "cpu", "--known", *{NAMES!r}]
from openshape_ood.cli.commands import run
assert run(sys.argv[1:]) == 0
"""


@pytest.mark.parametrize(
    "program",
    [pytest.param(SCORED, id="score_novelty"), pytest.param(SCORED_BY_COMMAND, id="command", marks=pytest.mark.slow)],
)
def test_scoring_known_names_needs_no_text_model(
    scorable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, forks: Forks
) -> None:
    assert cached_file(find_checkpoint("mine")) is None
    monkeypatch.chdir(tmp_path)
    done = forks.run(program + "\nimport sys\nprint({'open_clip', 'huggingface_hub'} & set(sys.modules))")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("set()")


def test_a_name_that_is_not_in_the_cache_needs_the_model(scorable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> Path:
        raise OfflineError("nobody answers")

    monkeypatch.setattr("openshape_ood.encoders.text.encoder.fetch_file", gone)
    text = TextEncoder.from_pretrained("mine", device="cpu")
    assert text.encode(NAMES).shape == (3, DIM)
    with pytest.raises(OfflineError):
        text.encode([*NAMES, "sofa"])


def store(text: TextEncoder, precision: str, vectors: dict[str, np.ndarray]) -> None:
    """As if `text` had once computed these on a device of that precision."""
    assert text._store is not None
    for word, vector in vectors.items():
        text._store.put(text._key(word, precision), vector.astype(np.float32))


def test_anchors_of_one_call_have_one_precision(
    clip: Callable[..., TextEncoder], loads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    text, single, half = clip(device=None), np.eye(3, DIM), np.eye(3, DIM, 4)
    store(text, "float16", dict(zip(NAMES, half, strict=True)))
    np.testing.assert_array_equal(text.encode(NAMES), half)
    store(text, "float32", dict(zip(NAMES[:1], single, strict=False)))
    np.testing.assert_array_equal(text.encode(NAMES), half)
    np.testing.assert_array_equal(text.encode(NAMES[:1]), single[:1])
    assert loads == []
    mixed = text.encode([*NAMES[:2], "sofa"])  # no precision has them all: that of the device goes on
    np.testing.assert_allclose(mixed, [single[0], *clip(cache=False).encode([NAMES[1], "sofa"])], atol=1e-5)


def test_what_is_cached_belongs_to_its_file(tmp_path: Path) -> None:
    rows = row("mine", "open_clip", "ViT-B-32-quickgelu", "openai", dim=DIM)
    for pins in ("", ', revision = "v2"', f', sha256 = "{"1" * 64}"'):
        (tmp_path / "mine.toml").write_text(rows.replace('average = "mean"', f'average = "mean"{pins}'))
        text = TextEncoder.from_pretrained("mine", registry=tmp_path / "mine.toml", device="cpu")
        assert not text._cached(["chair"])
        store(text, "float32", {"chair": np.eye(1, DIM)[0]})
        np.testing.assert_array_equal(text.encode(["chair"]), np.eye(1, DIM))


def test_a_checkpoint_at_home(
    clip: Callable[..., TextEncoder], clip_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(clip_folder))
    text = TextEncoder.from_pretrained(
        "quick", checkpoint="~/whole.safetensors", registry="~/mini.toml", templates="", device="cpu"
    )
    np.testing.assert_array_equal(text.encode(["chair"]), clip(templates="", cache=False).encode(["chair"]))
    with pytest.raises(InputError, match=r"checkpoint is 5 .*Expected the path"):
        TextEncoder.from_pretrained("tiny", checkpoint=5)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of a checkpoint each time its model is built."""
    built = []
    load = ClipModel.load

    def recorded(checkpoint: Any, *args: Any) -> ClipModel:
        built.append(checkpoint.name)
        return load(checkpoint, *args)

    monkeypatch.setattr(ClipModel, "load", recorded)
    return built


def test_what_is_cached_belongs_to_its_settings(clip: Callable[..., TextEncoder], loads: list[str]) -> None:
    first = clip().encode(NAMES)
    np.testing.assert_array_equal(clip().encode(NAMES[::-1]), first[::-1])
    assert loads == ["quick"]
    others = [
        clip(name="plain"),
        clip(templates=TEMPLATES[:2]),
        clip(average="mean_of_units"),
        clip("text.safetensors"),
    ]
    for other in others:
        other.encode(NAMES)
    clip(cache=False).encode(NAMES)
    clip().encode([*NAMES, "sofa"])
    assert len(loads) == 7


@pytest.mark.parametrize(
    "damage", [b"", b"\x93NUMPY\x01\x00", b"not an array at all", "wrong shape", "infinite", "object"]
)
def test_a_damaged_entry_is_replaced(
    clip: Callable[..., TextEncoder], own_cache: Path, loads: list[str], damage: bytes | str
) -> None:
    expected = clip().encode(["chair"])
    (entry,) = own_cache.iterdir()
    sound = entry.read_bytes()
    if isinstance(damage, bytes):
        entry.write_bytes(damage)
    else:
        wrong = {
            "wrong shape": np.ones(DIM - 1, np.float32),
            "infinite": np.full(DIM, np.inf, np.float32),
            "object": np.array([{}] * DIM),
        }
        with entry.open("wb") as file:
            np.save(file, wrong[damage], allow_pickle=True)
    (own_cache / f"{entry.stem}.half.tmp").write_bytes(sound[:40])
    np.testing.assert_array_equal(clip().encode(["chair"]), expected)
    assert entry.read_bytes() == sound and len(loads) == 2


def test_no_flipped_bit_is_believed(own_cache: Path) -> None:
    store, vector = ArrayStore(own_cache, 4), np.array([0.5, -0.5, 0.1, 0.7], np.float32)
    store.put("chair", vector)
    (entry,) = own_cache.iterdir()
    sound = entry.read_bytes()
    for bit in range(8 * len(sound)):
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << bit % 8
        entry.write_bytes(damaged)
        assert store.get("chair") is None
    entry.rename(store._path("sofa"))
    store._path("sofa").write_bytes(sound)
    assert store.get("sofa") is None  # another name's
    store.put("chair", vector)
    np.testing.assert_array_equal(store.get("chair"), vector)


def test_a_crash_in_the_middle_of_a_write(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArrayStore(own_cache, DIM)
    store.put("chair", np.ones(DIM, np.float32))

    def crash(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[:40])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", crash)
    with pytest.raises(KeyboardInterrupt):
        store.put("chair", np.zeros(DIM, np.float32))
    found = store.get("chair")
    assert found is not None and found.all()
    assert len(list(own_cache.iterdir())) == 1


def test_two_processes_may_write_at_once(own_cache: Path) -> None:
    program = (
        "import sys, numpy as np; from pathlib import Path; from openshape_ood.storage import ArrayStore\n"
        "store = ArrayStore(Path(sys.argv[1]), 5000)\n"
        "for i in range(300):\n"
        "    store.put('chair', np.full(5000, i, np.float32)); found = store.get('chair')\n"
        "    assert found is not None and (found == found[0]).all()\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    both = [subprocess.Popen([sys.executable, "-c", program, str(own_cache)], env=env) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert len(list(own_cache.iterdir())) == 1


def test_a_cache_that_cannot_be_written_stops_nothing(clip: Callable[..., TextEncoder], own_cache: Path) -> None:
    own_cache.parent.mkdir()
    own_cache.touch()  # a file where the folder should be
    assert clip().encode(["chair"]).shape == (1, DIM)


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_folder("text") == tmp_path / "cache" / "text"
    monkeypatch.delenv("OPENSHAPE_OOD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert own_folder("text") == tmp_path / "openshape_ood" / "text"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert own_folder("text") == tmp_path / ".cache" / "openshape_ood" / "text"
