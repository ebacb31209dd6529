"""Embeddings of names for networks with a text head: from a file, or from CLIP as published."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from openshape_ood.errors import UnknownNameError
from openshape_ood.shapes.formats.npz import loaded_npz

Texts = Callable[[str], Tensor]  # name -> embedding (t,)
TEMPLATE = "a render of a {} in a game engine."  # for classes; names in descriptions have none, and are not normalized


def texts_of(path: Path | None, head: str) -> Texts:
    """Embeddings from an .npz file with `names` (k,) and `vectors` (k, t). Default: CLIP ViT-B/32.

    Raises `FileError` for another file, and the errors of `load_clip` if CLIP's weights are missing.
    """
    if path is None:
        return _by_clip(bare=head == "text-relation")
    with loaded_npz(path, "`names` (k,) and `vectors` (k, t)") as arrays:
        names, vectors = arrays["names"].tolist(), torch.tensor(arrays["vectors"], dtype=torch.float32)
        if vectors.ndim != 2:
            raise ValueError(f"vectors are {tuple(vectors.shape)}")
        kept = dict(zip(names, vectors, strict=True))

    def embedding(name: str) -> Tensor:
        if name not in kept:
            raise UnknownNameError(f"{path} has no embedding of {name!r}")
        return kept[name]

    return embedding


def _by_clip(bare: bool) -> Texts:
    from openshape_ood.views.relevancy.loading import load_clip

    loaded = load_clip("ViT-B-32", "openai", None)

    @cache
    def embedding(name: str) -> Tensor:
        with torch.inference_mode():
            vector = loaded.network.encode_text(loaded.tokenizer([name if bare else TEMPLATE.replace("{}", name)]))[0]
        return vector.float().clone() if bare else normalize(vector.float(), dim=0)

    return embedding
