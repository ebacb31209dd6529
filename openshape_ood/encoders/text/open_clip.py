"""Text encoders of open_clip models. They give raw embeddings of sentences."""

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

SENTENCES_AT_ONCE = 64  # one class with its templates. More sentences would need more memory than the network itself
HUB_FILE = "open_clip_model.safetensors"
NOT_TEXT = ("visual.", "logit_scale", "logit_bias", "attn_mask", "input_resolution", "context_length", "vocab_size")


class ClipModel:
    """Text encoder of an open_clip model. It has half precision on a GPU."""

    def __init__(self, network: Any, tokenizer: Any, device: torch.device, precision: str) -> None:
        self.network, self.tokenizer, self.device, self.precision = network, tokenizer, device, precision
        self.context, self.dim = network.context_length, network.output_dim

    @classmethod
    def load(cls, row: Row, path: Path, device: str | torch.device | None, precision: str | None = None) -> ClipModel:
        """Text encoder of `row` with the weights in `path`. Only tensors for text are read, without a second copy."""
        import open_clip
        import torch
        from open_clip.model import _build_text_tower

        from openshape_ood.encoders.devices import find_device

        config, target = find_config(row), find_device(device)
        precision = precision or precision_on(target)
        settings, quick = {**config["text_cfg"], "output_tokens": False}, config.get("quick_gelu", False)
        with torch.device("meta"):  # no memory is allocated, because the tensors of the file become the parameters
            network: Any = _build_text_tower(config["embed_dim"], settings, quick, getattr(torch, precision))
        # layer norms are in single precision, as in open_clip
        norms = {name for name, module in network.named_modules() if isinstance(module, torch.nn.LayerNorm)}
        state = {}
        for key, tensor in _text_tensors(path, network, row):
            half = precision == "float16" and key.rpartition(".")[0] not in norms
            state[key] = tensor.to(target, torch.float16 if half else torch.float32)
        network.load_state_dict(state, assign=True)
        if network.attn_mask is not None:  # a constant that is not in the file
            network.attn_mask = network.build_causal_mask().to(target)
        network.eval().requires_grad_(False)
        return cls(network, open_clip.get_tokenizer(row.text.model), target, precision)

    def embed(self, sentences: Sequence[str]) -> Vectors:
        """Embeddings (n, d). Raises `ClassNamesError` for a sentence that is too long for the model."""
        import torch

        embedded = []
        for i in range(0, len(sentences), SENTENCES_AT_ONCE):
            some = list(sentences[i : i + SENTENCES_AT_ONCE])
            # the tokenizer truncates silently, so one more token is permitted; a sentence that needs it is too long
            tokens = self.tokenizer(some, context_length=self.context + 1)
            long = tokens[:, -1].nonzero()
            if len(long):
                what = f"{some[int(long[0])]!r} is longer than the {self.context} tokens that the text encoder takes"
                raise ClassNamesError(f"{what}. Expected a shorter name. Shorten it, or give it an alias.")
            with torch.inference_mode():
                embedded.append(self.network(tokens[:, :-1].to(self.device)).float().cpu().numpy())
        return np.concatenate(embedded)


def find_config(row: Row) -> dict[str, Any]:
    """open_clip's sizes of the text encoder of a row.

    Raises `RegistryError` for an unknown or unsupported model, or one with another activation than the weights.
    """
    import open_clip

    model, where = row.text.model, f"[{row.name}.text]"
    config = open_clip.get_model_config(model)
    if config is None:
        raise RegistryError(
            f"{where} field 'model' is {model!r}, which open_clip does not know. Expected a name of "
            "open_clip.list_models(). Correct the field."
        )
    if config["text_cfg"].get("hf_model_name") or config["text_cfg"].get("hf_tokenizer_name"):
        raise RegistryError(
            f"{where} field 'model' is {model!r}, whose text encoder is not open_clip's transformer. "
            "Expected a model with this transformer. Choose another model."
        )
    if row.text.pretrained:
        # open_clip takes the activation from the name of the model, and only warns if the weights had another one
        quick = bool(_pretrained_config(row).get("quick_gelu", False))
        if quick != bool(config.get("quick_gelu", False)):
            kind, right = ("QuickGELU", "-quickgelu") if quick else ("plain GELU", "")
            raise RegistryError(
                f"{where} the weights {row.text.pretrained!r} were trained with {kind}, but the model {model!r} has "
                "another activation. Its embeddings would be wrong. Use model = "
                f"{model.removesuffix('-quickgelu') + right!r}."
            )
    return config


def _pretrained_config(row: Row) -> dict[str, Any]:
    import open_clip

    config = open_clip.get_pretrained_cfg(row.text.model, row.text.pretrained)
    if not config:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(row.text.model)) or "none"
        raise RegistryError(
            f"[{row.name}.text] field 'pretrained' is {row.text.pretrained!r}, which open_clip does not know. "
            f"For {row.text.model!r} open_clip has: {tags}. Choose one of these."
        )
    return config


def precision_on(device: torch.device) -> str:
    return "float16" if device.type == "cuda" else "float32"


def hub_address(row: Row) -> tuple[str, str]:
    """Repository and file of an open_clip model on the Hub."""
    repo, file = os.path.split(_pretrained_config(row).get("hf_hub", "") if row.text.pretrained else "")
    if not repo:
        raise RegistryError(
            f"[{row.name}.text] names no weights on the Hub (pretrained = {row.text.pretrained!r}). Expected a local "
            "file. Pass checkpoint=PATH to TextEncoder.from_pretrained."
        )
    return repo, file or HUB_FILE


def _text_tensors(path: Path, network: Any, row: Row) -> Iterator[tuple[str, Tensor]]:
    """Pairs (key, tensor) of the text encoder. The keys are checked first; then tensors are read one by one."""
    from openshape_ood.registry.weights import faults, read_weights

    what = f"text encoder of {row.name!r}"

    def keys_of(shapes: dict[str, tuple[int, ...]]) -> dict[str, str]:
        keys = text_keys(shapes)
        expected = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
        differences = faults(expected, {key: shapes[stored] for key, stored in keys.items()})
        if differences:
            raise WeightsError(
                f"{what}: {path} does not fit ({differences}). Expected the text encoder of {row.text.model}. "
                "Check that it is the right file."
            )
        return keys

    if path.suffix == ".safetensors":
        with open_safetensors(path, "pt", what) as file:
            keys = keys_of({key: tuple(file.get_slice(key).get_shape()) for key in list(file.keys())})
            yield from ((key, file.get_tensor(stored)) for key, stored in keys.items())
        return
    # the file is memory-mapped, so that the tensors for images are not read
    tensors = read_weights(path, Keys(inside="state_dict"), what)
    keys = keys_of({key: tuple(tensor.shape) for key, tensor in tensors.items()})
    yield from ((key, tensors[stored]) for key, stored in keys.items())


def text_keys(keys: Any) -> dict[str, str]:
    """Map the keys of the network to the keys in the file. All usual prefixes are accepted."""
    plain = {str(key).removeprefix("module."): key for key in keys}
    if any(key.startswith("text.") for key in plain):
        return {k.removeprefix("text."): v for k, v in plain.items() if k.startswith("text.")}
    return {k: v for k, v in plain.items() if not k.startswith(NOT_TEXT)}
