"""The text side of open_clip models: sentences in, raw embeddings out. Networks and files, nothing about classes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openshape_ood.encoders.text.static import open_safetensors
from openshape_ood.errors import ClassNamesError, RegistryError, WeightsError
from openshape_ood.registry.files import cached_text, fetch_text
from openshape_ood.registry.rows import Keys, Row

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Vectors = NDArray[np.float32]

SENTENCES_AT_ONCE = 64  # one class with its templates; more would outweigh the smaller networks in memory
HUB_FILE = "open_clip_model.safetensors"
NOT_TEXT = ("visual.", "logit_scale", "logit_bias", "attn_mask", "input_resolution", "context_length", "vocab_size")


class ClipModel:
    """The text side of an open_clip model, in half precision on a GPU."""

    def __init__(self, network: Any, tokenizer: Any, device: torch.device, precision: str) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.device = device
        self.precision = precision
        self.context: int = network.context_length
        self.dim: int = network.output_dim

    @classmethod
    def load(cls, row: Row, path: Path, device: str | torch.device | None, precision: str | None = None) -> ClipModel:
        """The text encoder of `row` with the weights in `path`; only text tensors are read, straight to their place."""
        import open_clip
        import torch

        from openshape_ood.devices import find_device

        config = find_config(row)
        target = find_device(device)
        precision = precision or precision_on(target)
        network = _build_on_meta(config, precision)
        halved = _half_keys(network) if precision == "float16" else set()
        state = {
            key: tensor.to(target, torch.float16 if key in halved else torch.float32)
            for key, tensor in _text_tensors(path, network, row)
        }
        network.load_state_dict(state, assign=True)
        if network.attn_mask is not None:  # a constant, so no file holds it
            network.attn_mask = network.build_causal_mask().to(target)
        network.eval().requires_grad_(False)
        return cls(network, open_clip.get_tokenizer(row.text.model), target, precision)

    def embed(self, sentences: Sequence[str]) -> Vectors:
        """Embeddings (n, d). Raises `ClassNamesError` for a sentence that does not fit the model's context."""
        batches = [sentences[i : i + SENTENCES_AT_ONCE] for i in range(0, len(sentences), SENTENCES_AT_ONCE)]
        return np.concatenate([self._embed(batch) for batch in batches])

    def _embed(self, sentences: Sequence[str]) -> Vectors:
        import torch

        tokens = self._tokens(sentences).to(self.device)
        with torch.inference_mode():
            return self.network(tokens).float().cpu().numpy()

    def _tokens(self, sentences: Sequence[str]) -> Tensor:
        # the tokenizer cuts off what does not fit without a word; one more place than there is shows it
        tokens = self.tokenizer(list(sentences), context_length=self.context + 1)
        long = tokens[:, -1].nonzero()
        if len(long):
            raise ClassNamesError(
                f"{sentences[int(long[0])]!r} is longer than the {self.context} tokens that the text encoder takes; "
                "shorten the name, or give it an alias"
            )
        return tokens[:, :-1]


def find_config(row: Row) -> dict[str, Any]:
    """open_clip's sizes for the text encoder of `row`. Raises `RegistryError` where name and weights do not agree."""
    import open_clip

    model, where = row.text.model, f"[{row.name}.text]"
    config = open_clip.get_model_config(model)
    if config is None:
        raise RegistryError(f"{where} field 'model' is {model!r}, which open_clip does not know")
    if config["text_cfg"].get("hf_model_name") or config["text_cfg"].get("hf_tokenizer_name"):
        raise RegistryError(f"{where} field 'model' is {model!r}, whose text side is not open_clip's own transformer")
    if row.text.pretrained:
        _check_activation(row, config)
    return config


def _check_activation(row: Row, config: Mapping[str, Any]) -> None:
    # open_clip builds the activation that the model's name says and only warns when the weights had the other one:
    # the embeddings are then silently wrong
    weights = bool(_pretrained_config(row).get("quick_gelu", False))
    if weights != bool(config.get("quick_gelu", False)):
        right = row.text.model.removesuffix("-quickgelu") + ("-quickgelu" if weights else "")
        raise RegistryError(
            f"[{row.name}.text] the weights {row.text.pretrained!r} were trained with "
            f"{'QuickGELU' if weights else 'plain GELU'}, and the model {row.text.model!r} has the other activation; "
            f"embeddings would be silently wrong. Use model = {right!r}"
        )


def _pretrained_config(row: Row) -> dict[str, Any]:
    import open_clip

    config = open_clip.get_pretrained_cfg(row.text.model, row.text.pretrained)
    if not config:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(row.text.model)) or "none"
        raise RegistryError(
            f"[{row.name}.text] field 'pretrained' is {row.text.pretrained!r}; "
            f"for {row.text.model!r} open_clip has: {tags}"
        )
    return config


def precision_on(device: torch.device) -> str:
    return "float16" if device.type == "cuda" else "float32"


def fetch_file(row: Row, progress: bool = True) -> Path:
    """The weights on the Hub, downloaded if need be. Raises `RegistryError` or a `RowError`."""
    return fetch_text(row, *_hub_address(row), progress=progress)


def cached_file(row: Row) -> Path | None:
    """The file that `fetch_file` gives, if it is on this machine: asks no network. Takes seconds: imports open_clip."""
    return cached_text(row, *_hub_address(row))


def _hub_address(row: Row) -> tuple[str, str]:
    """Repository and file of an open_clip model."""
    repo, file = os.path.split(_pretrained_config(row).get("hf_hub", "") if row.text.pretrained else "")
    if not repo:
        raise RegistryError(
            f"[{row.name}.text] names no weights on the Hub (pretrained = {row.text.pretrained!r}); "
            "pass checkpoint=PATH to TextEncoder.from_pretrained"
        )
    return repo, file or HUB_FILE


def _build_on_meta(config: Mapping[str, Any], precision: str) -> Any:
    import torch
    from open_clip.model import _build_text_tower

    settings = {**config["text_cfg"], "output_tokens": False}
    with torch.device("meta"):  # shapes without memory: the file's tensors become the parameters themselves
        return _build_text_tower(
            config["embed_dim"], settings, config.get("quick_gelu", False), getattr(torch, precision)
        )


def _half_keys(network: nn.Module) -> set[str]:
    """All parameters but those of layer norms, which open_clip computes in single precision."""
    from torch import nn

    norms = {name for name, module in network.named_modules() if isinstance(module, nn.LayerNorm)}
    return {key for key in network.state_dict() if key.rpartition(".")[0] not in norms}


def _text_tensors(path: Path, network: nn.Module, row: Row) -> Iterator[tuple[str, Tensor]]:
    """(key, tensor) pairs of the text side, read one by one, once the file is known to have just those."""
    if path.suffix != ".safetensors":
        return _mapped_text_tensors(path, network, row)
    return _lazy_text_tensors(path, network, row)


def _lazy_text_tensors(path: Path, network: nn.Module, row: Row) -> Iterator[tuple[str, Tensor]]:
    with open_safetensors(path, "pt", row) as file:
        keys = text_keys(file.keys())
        _check_shapes({k: tuple(file.get_slice(v).get_shape()) for k, v in keys.items()}, network, path, row)
        yield from ((k, file.get_tensor(v)) for k, v in keys.items())


def _mapped_text_tensors(path: Path, network: nn.Module, row: Row) -> Iterator[tuple[str, Tensor]]:
    from openshape_ood.registry.weights import read_weights

    # memory-mapped, so that the image side is never read
    tensors = read_weights(path, Keys(inside="state_dict", prefix="", body=""), f"text encoder of {row.name!r}")
    keys = text_keys(tensors)
    _check_shapes({k: tuple(tensors[v].shape) for k, v in keys.items()}, network, path, row)
    return ((k, tensors[v]) for k, v in keys.items())


def text_keys(keys: Any) -> dict[str, str]:
    """Key in the network -> key in the file, of the text side alone, whichever of the usual prefixes the file has."""
    plain = {str(key).removeprefix("module."): key for key in keys}
    if any(key.startswith("text.") for key in plain):
        return {k.removeprefix("text."): v for k, v in plain.items() if k.startswith("text.")}
    return {k: v for k, v in plain.items() if not k.startswith(NOT_TEXT)}


def _check_shapes(found: Mapping[str, tuple[int, ...]], network: nn.Module, path: Path, row: Row) -> None:
    expected = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    wrong = [
        f"{key} is {found[key]}, expected {expected[key]}"
        for key in expected.keys() & found.keys()
        if found[key] != expected[key]
    ]
    faults = {
        "missing": sorted(expected.keys() - found.keys()),
        "left over": sorted(found.keys() - expected.keys()),
        "wrong shape": sorted(wrong),
    }
    told = "; ".join(f"{fault} ({len(keys)}): {', '.join(keys[:4])}" for fault, keys in faults.items() if keys)
    if told:
        raise WeightsError(
            f"text encoder of {row.name!r}: {path} does not hold the text side of {row.text.model}. {told}. "
            "Is it the file of another text encoder?"
        )
