"""Text side of open_clip models: raw embeddings of sentences."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openshape_ood.errors import ClassNamesError, RegistryError, WeightsError
from openshape_ood.registry.files import open_safetensors
from openshape_ood.registry.rows import Keys, Row

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Vectors = NDArray[np.float32]

SENTENCES_AT_ONCE = 64  # one class with its templates; more would take more memory than the smaller networks
HUB_FILE = "open_clip_model.safetensors"
NOT_TEXT = ("visual.", "logit_scale", "logit_bias", "attn_mask", "input_resolution", "context_length", "vocab_size")


class ClipModel:
    """Text side of an open_clip model, in half precision on a GPU."""

    def __init__(self, network: Any, tokenizer: Any, device: torch.device, precision: str) -> None:
        self.network, self.tokenizer, self.device, self.precision = network, tokenizer, device, precision
        self.context, self.dim = network.context_length, network.output_dim

    @classmethod
    def load(cls, row: Row, path: Path, device: str | torch.device | None, precision: str | None = None) -> ClipModel:
        """Text encoder of `row` with the weights in `path`. Only text tensors are read, without an extra copy."""
        import open_clip
        import torch
        from open_clip.model import _build_text_tower

        from openshape_ood.encoders.devices import find_device

        config, target = find_config(row), find_device(device)
        precision = precision or precision_on(target)
        settings, quick = {**config["text_cfg"], "output_tokens": False}, config.get("quick_gelu", False)
        with torch.device("meta"):  # shapes without memory: the file's tensors become the parameters
            network: Any = _build_text_tower(config["embed_dim"], settings, quick, getattr(torch, precision))
        # open_clip computes layer norms in single precision
        norms = {name for name, module in network.named_modules() if isinstance(module, torch.nn.LayerNorm)}
        state = {}
        for key, tensor in _text_tensors(path, network, row):
            half = precision == "float16" and key.rpartition(".")[0] not in norms
            state[key] = tensor.to(target, torch.float16 if half else torch.float32)
        network.load_state_dict(state, assign=True)
        if network.attn_mask is not None:  # a constant that no file holds
            network.attn_mask = network.build_causal_mask().to(target)
        network.eval().requires_grad_(False)
        return cls(network, open_clip.get_tokenizer(row.text.model), target, precision)

    def embed(self, sentences: Sequence[str]) -> Vectors:
        """Embeddings (n, d). Raises `ClassNamesError` for a sentence that does not fit the model's context."""
        import torch

        embedded = []
        for i in range(0, len(sentences), SENTENCES_AT_ONCE):
            some = list(sentences[i : i + SENTENCES_AT_ONCE])
            # the tokenizer truncates silently; one additional place shows it
            tokens = self.tokenizer(some, context_length=self.context + 1)
            long = tokens[:, -1].nonzero()
            if len(long):
                what = f"{some[int(long[0])]!r} is longer than the {self.context} tokens that the text encoder takes"
                raise ClassNamesError(f"{what}; shorten the name, or give it an alias")
            with torch.inference_mode():
                embedded.append(self.network(tokens[:, :-1].to(self.device)).float().cpu().numpy())
        return np.concatenate(embedded)


def find_config(row: Row) -> dict[str, Any]:
    """Sizes of open_clip for a row's text encoder. Raises `RegistryError` if name and weights do not fit."""
    import open_clip

    model, where = row.text.model, f"[{row.name}.text]"
    config = open_clip.get_model_config(model)
    if config is None:
        raise RegistryError(f"{where} field 'model' is {model!r}, which open_clip does not know")
    if config["text_cfg"].get("hf_model_name") or config["text_cfg"].get("hf_tokenizer_name"):
        raise RegistryError(f"{where} field 'model' is {model!r}, whose text side is not open_clip's own transformer")
    if row.text.pretrained:
        # open_clip builds the activation of the model's name and only warns if the weights had the other one:
        # embeddings would be silently wrong
        quick = bool(_pretrained_config(row).get("quick_gelu", False))
        if quick != bool(config.get("quick_gelu", False)):
            kind, right = ("QuickGELU", "-quickgelu") if quick else ("plain GELU", "")
            raise RegistryError(
                f"{where} the weights {row.text.pretrained!r} were trained with {kind}, and the model {model!r} has "
                "the other activation; embeddings would be silently wrong. Use model = "
                f"{model.removesuffix('-quickgelu') + right!r}"
            )
    return config


def _pretrained_config(row: Row) -> dict[str, Any]:
    import open_clip

    config = open_clip.get_pretrained_cfg(row.text.model, row.text.pretrained)
    if not config:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(row.text.model)) or "none"
        what = f"[{row.name}.text] field 'pretrained' is {row.text.pretrained!r}"
        raise RegistryError(f"{what}; for {row.text.model!r} open_clip has: {tags}")
    return config


def precision_on(device: torch.device) -> str:
    return "float16" if device.type == "cuda" else "float32"


def hub_address(row: Row) -> tuple[str, str]:
    """Repository and file of an open_clip model on the Hub."""
    repo, file = os.path.split(_pretrained_config(row).get("hf_hub", "") if row.text.pretrained else "")
    if not repo:
        what = f"[{row.name}.text] names no weights on the Hub (pretrained = {row.text.pretrained!r})"
        raise RegistryError(f"{what}; pass checkpoint=PATH to TextEncoder.from_pretrained")
    return repo, file or HUB_FILE


def _text_tensors(path: Path, network: Any, row: Row) -> Iterator[tuple[str, Tensor]]:
    """Pairs (key, tensor) of the text side, read one by one after the keys were checked."""
    from openshape_ood.registry.weights import faults, read_weights

    what = f"text encoder of {row.name!r}"

    def keys_of(shapes: dict[str, tuple[int, ...]]) -> dict[str, str]:
        keys = text_keys(shapes)
        expected = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
        differences = faults(expected, {key: shapes[stored] for key, stored in keys.items()})
        if differences:
            why = f"{path} does not hold the text side of {row.text.model}. {differences}"
            raise WeightsError(f"{what}: {why}. Is it the file of another text encoder?")
        return keys

    if path.suffix == ".safetensors":
        with open_safetensors(path, "pt", what) as file:
            keys = keys_of({key: tuple(file.get_slice(key).get_shape()) for key in list(file.keys())})
            yield from ((key, file.get_tensor(stored)) for key, stored in keys.items())
        return
    # memory-mapped, so that the image side is never read
    tensors = read_weights(path, Keys(inside="state_dict"), what)
    keys = keys_of({key: tuple(tensor.shape) for key, tensor in tensors.items()})
    yield from ((key, tensors[stored]) for key, stored in keys.items())


def text_keys(keys: Any) -> dict[str, str]:
    """Network key -> file key, of the text side only, for any of the usual prefixes."""
    plain = {str(key).removeprefix("module."): key for key in keys}
    if any(key.startswith("text.") for key in plain):
        return {k.removeprefix("text."): v for k, v in plain.items() if k.startswith("text.")}
    return {k: v for k, v in plain.items() if not k.startswith(NOT_TEXT)}
