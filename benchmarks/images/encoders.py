"""Image encoders: timm's networks, open_clip's image encoders, and encoders saved with a comparator."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from openshape_ood.comparison import Comparator
from openshape_ood.comparison.released import MEAN, SIDE, SPREAD, ImageFeatures, prepared_image, read_released
from openshape_ood.errors import FileError, InputError, UnknownNameError, WeightsError
from openshape_ood.registry.rows import Keys
from openshape_ood.registry.weights import load_strictly, read_weights
from openshape_ood.shapes.pictures import opened, read_bounded
from openshape_ood.storage import ArrayStore, loaded_arrays, save_arrays
from openshape_ood.surfaces.memory import timm_network

PUBLISHED = {"resnet18": "resnet18.tv_in1k", "resnet50": "resnet50.tv_in1k"}
CLIP = "open_clip:"  # before MODEL or MODEL/PRETRAINED
COMPARATOR, ENCODER, WHAT = "comparator.safetensors", "encoder.safetensors", "image encoder"


def new_network(name: str, pretrained: bool = False, seed: int = 0) -> nn.Module:
    """A network of timm without its classifier. Raises the errors of `timm_network`."""
    return timm_network(PUBLISHED.get(name, name), pretrained, seed, num_classes=0)


def find_encoder(name: str, weights: Path | None = None) -> ImageFeatures:
    """An encoder by name, with its published weights or with weights from a file.

    Parameters
    ----------
    name : str
        "resnet18" or "resnet50" (torchvision's ImageNet weights), any network of timm, or an image encoder of open_clip
        as "open_clip:MODEL/PRETRAINED".
    weights : Path, optional
        File with weights. Weights of a classifier are ignored; all other keys must match.
    """
    if name.startswith(CLIP):
        return _clip_tower(name, weights)
    network = new_network(name, pretrained=weights is None)
    if weights is not None:
        _load(network, weights, name)
    return of_network(network, PUBLISHED.get(name, name) if weights is None else name)


def of_network(network: Any, name: str, side: int | None = None) -> ImageFeatures:
    """A network of timm with the preprocessing of the paper, which resizes images to a square."""
    config = network.pretrained_cfg
    side = side or (SIDE if name.partition(".")[0] in PUBLISHED else config["input_size"][-1])
    prepare = partial(prepared_image, side=side, mean=config.get("mean", MEAN), spread=config.get("std", SPREAD))
    return ImageFeatures(network, name, network.num_features, prepare)


def _load(network: Any, weights: Path, name: str) -> None:
    if not weights.is_file():
        raise FileError(f"--weights: there is no file {weights}; expected the weights of {name}")
    left = network.pretrained_cfg.get("classifier") or ()
    classifiers = tuple(f"{one}." for one in ((left,) if isinstance(left, str) else left))
    state = {key.removeprefix("module."): one for key, one in read_weights(weights, Keys(), name).items()}
    load_strictly(network, {k: one for k, one in state.items() if not k.startswith(classifiers)}, weights, name)


def _clip_tower(name: str, weights: Path | None) -> ImageFeatures:
    import open_clip

    model, _, tag = name.removeprefix(CLIP).partition("/")
    tags = [one for whose, one in open_clip.list_pretrained() if whose == model]
    if model not in open_clip.list_models():
        raise UnknownNameError(f"open_clip has no model {model!r}; known: {', '.join(open_clip.list_models()[:8])}, …")
    if weights is None and tag not in tags:
        raise UnknownNameError(f"{model} has no weights {tag!r}; known: {', '.join(tags) or 'none'}")
    given = str(weights or tag)
    try:
        whole, _, prepare = open_clip.create_model_and_transforms(model, pretrained=given, weights_only=True)
    except Exception as error:  # any error of the Hub or of the file
        raise WeightsError(f"no weights of {name}: {error!s:.200}. Give a local file with --weights FILE") from error
    dim = int(open_clip.get_model_config(model)["embed_dim"])
    return ImageFeatures(whole.visual.float(), name, dim, lambda image: prepare(image.convert("RGB")))


# --- an encoder trained together with its comparator ---


def save_system(folder: Path, comparator: Comparator, network: nn.Module, name: str, side: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {key: one.detach().cpu().numpy() for key, one in network.state_dict().items()}
    encoder = save_arrays(folder / ENCODER, arrays, {"name": name, "side": side}, WHAT)
    return [encoder, comparator.save(folder / COMPARATOR)]


def read_system(path: Path, network: str = "resnet18") -> tuple[Comparator, ImageFeatures]:
    """Read comparator and encoder from the output folder of `benchmarks resend_train`, or from published files."""
    if not (path / COMPARATOR).is_file():
        return read_released(path, network)
    with loaded_arrays(path / ENCODER, WHAT) as (header, arrays):
        name, side = str(header["name"]), int(header["side"])
        made = new_network(name)
        state = {key: torch.from_numpy(np.array(value)) for key, value in arrays.items()}
        load_strictly(made, state, path / ENCODER, name)
    images = of_network(made, name, side)
    comparator = Comparator.load(path / COMPARATOR)
    if comparator.identity != images.identity:
        raise WeightsError(f"{path}: the comparator was trained with {comparator.identity}, not {images.identity}")
    return comparator, images


# --- features of many files ---


def embed(
    encoder: ImageFeatures,
    paths: Sequence[Path],
    *,
    batch_size: int = 32,
    workers: int = 1,
    cache: Path | None = None,
    progress: bool = False,
) -> np.ndarray:
    """Features (n, d) float32 of images, from the cache if possible.

    Raises `InputError` for features that are not finite.
    """
    key = sha256(repr([encoder.identity, getattr(encoder.prepare, "keywords", "")]).encode()).hexdigest()
    store = None if cache is None else ArrayStore(cache / "images" / key[:16], encoder.dim)
    features = np.empty((len(paths), encoder.dim), dtype=np.float32)
    with ThreadPoolExecutor(max(1, workers)) as pool, tqdm(total=len(paths), disable=not progress) as bar, tolerant():
        for start in range(0, len(paths), batch_size):
            some = paths[start : start + batch_size]
            keys = list(pool.map(lambda path: sha256(read_bounded(path)).hexdigest(), some))
            kept = [None if store is None else store.get(key) for key in keys]
            fresh = [i for i, one in enumerate(kept) if one is None]
            images = list(pool.map(photograph, [some[i] for i in fresh]))
            for i, row in zip(fresh, encoder.encode(images, batch_size), strict=True):
                kept[i] = row
                if store is not None:
                    store.put(keys[i], row)
            features[start : start + len(some)] = kept
            bar.update(len(some))
    wrong = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(wrong):
        raise InputError(f"the features of {paths[wrong[0]]} are not finite; expected weights that fit the encoder")
    return features


def photograph(path: Path) -> Any:
    """Decode an image as RGB. Raises `FileError` for another kind of file, and for an image that is too large."""
    with opened(path) as image:
        return image.convert("RGB")


@contextlib.contextmanager
def tolerant() -> Iterator[None]:
    """Accept truncated images, as the published code does."""
    from PIL import ImageFile

    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
