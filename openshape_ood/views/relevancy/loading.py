"""open_clip models by name, with strictly loaded weights from the Hub or a file, and their activation."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from openshape_ood.checks import check_choice, given_path
from openshape_ood.encoders.text.open_clip import HUB_FILE
from openshape_ood.errors import InputError, WeightsError
from openshape_ood.registry.files import fetch
from openshape_ood.registry.rows import PACKAGE, Keys, Row, Source

# normalization of OpenAI's weights, used if open_clip states none
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
NO_TENSORS = ("input_resolution", "context_length", "vocab_size")  # integers in OpenAI's files


class Loaded(NamedTuple):
    network: Any
    tokenizer: Any
    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


@cache
def clip_tokenizer(context: int) -> Any:
    """CLIP's tokenizer, cached because reading its vocabulary takes a second."""
    import open_clip

    return open_clip.SimpleTokenizer(context_length=context)


def load_clip(model: str, pretrained: str, checkpoint: str | os.PathLike[str] | None) -> Loaded:
    """Model with its weights, in evaluation mode; see `RelevancyEncoder.from_pretrained`."""
    import open_clip

    from openshape_ood.registry.weights import load_strictly, read_weights

    check_choice(model, "open_clip model", tuple(open_clip.list_models()))
    tags = open_clip.list_pretrained_tags_by_model(model)
    about = open_clip.get_pretrained_cfg(model, pretrained)
    if not about and checkpoint is None:
        raise InputError(
            f"open_clip has no weights {pretrained!r} of {model!r}. Expected one of {', '.join(tags) or 'none'}. Give "
            "one, or a file as the argument checkpoint."
        )
    name, config = f"{model}/{pretrained}", open_clip.get_model_config(model)
    if config["vision_cfg"].get("timm_model_name") or isinstance(config["vision_cfg"].get("layers"), list):
        raise InputError(
            f"the image encoder of {model!r} is no ViT. Expected a ViT of open_clip. Give ViT-B-32, for example."
        )
    path = _fetched(model, pretrained, about) if checkpoint is None else given_path(checkpoint, "checkpoint")
    # if open_clip does not know `pretrained`, the weights are named after their file
    name = name if about else f"{model}/{path.name}"
    if not path.is_file():
        raise WeightsError(f"{name}: there is no file {path}. Expected a file of weights. Check the path.")
    state = read_weights(path, Keys(inside="state_dict"), name)
    state = {key.removeprefix("module."): value for key, value in state.items() if key not in NO_TENSORS}
    quick = bool(about.get("quick_gelu", config.get("quick_gelu", False)))
    # the activation depends on the weights, not only on the model's name
    with _without_warnings():
        network = open_clip.create_model(
            model.removesuffix("-quickgelu"), force_quick_gelu=quick, pretrained_text=False
        )
    load_strictly(network, state, path, name)
    mean, std = (tuple(about.get(key) or default) for key, default in (("mean", MEAN), ("std", STD)))
    other = any(config["text_cfg"].get(key) for key in ("hf_tokenizer_name", "hf_model_name"))
    tokenizer = open_clip.get_tokenizer(model) if other else clip_tokenizer(network.context_length)
    return Loaded(network.eval().requires_grad_(False), tokenizer, name, mean, std)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress open_clip's warning about random weights. The random weights are replaced afterwards."""
    root, silent = logging.getLogger(), logging.NullHandler()

    def quiet(record: logging.LogRecord) -> bool:
        return record.levelno > logging.WARNING

    root.addHandler(silent)
    root.addFilter(quiet)
    try:
        yield
    finally:
        root.removeHandler(silent)
        root.removeFilter(quiet)


def _fetched(model: str, pretrained: str, about: dict[str, Any]) -> Path:
    repo, file = os.path.split(about.get("hf_hub", ""))
    if not repo:
        raise InputError(
            f"the weights {pretrained!r} of {model!r} are not on the Hub. Expected a file. Give it as the argument "
            "checkpoint."
        )
    source = Source(repo=repo, file=file or HUB_FILE)
    return fetch(Row(f"{model}/{pretrained}", PACKAGE, "see the Hub", source, kind="relevancy"))
