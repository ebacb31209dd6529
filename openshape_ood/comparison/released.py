"""Strict reading of the published files of ReSeND: a ResNet for images, and the relation network on its features.

There are two layouts: a folder with `feature_extractor.pkl` and `cls_rel.pkl`, or one file with the prefixes
`feature_extractor.` and `cls_rel.`. No code in the files is executed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from openshape_ood.checks import check_choice, check_whole, given_path
from openshape_ood.comparison.comparator import Comparator
from openshape_ood.comparison.families import RelationSimilarity
from openshape_ood.comparison.network import Relation, RelationSizes
from openshape_ood.encoders.devices import exact
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import WeightsError
from openshape_ood.registry.rows import Keys
from openshape_ood.registry.weights import load_strictly, read_weights
from openshape_ood.storage import save_whole

NETWORKS = {"resnet18": 512, "resnet50": 2048}  # network: width of its features
PUBLISHED = {"width": 768, "depth": 4, "heads": 12}
EXTRACTOR, RELATION = "feature_extractor", "cls_rel"
TWIN, COUNTER = "model_resnet.", "num_batches_tracked"
MEAN, SPREAD, SIDE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 224


def prepared_image(
    image: Any, side: int = SIDE, mean: Sequence[float] = MEAN, spread: Sequence[float] = SPREAD
) -> Tensor:
    """Image (h, w, 3) uint8 as network input (3, side, side): normalized, and resized to a square without cropping."""
    from PIL import Image

    pixels = image if isinstance(image, Image.Image) else Image.fromarray(np.asarray(image))
    resized = pixels.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    values = torch.from_numpy(np.array(resized)).float() / 255
    return ((values - torch.tensor(mean)) / torch.tensor(spread)).permute(2, 0, 1)


class ImageFeatures:
    """Image encoder. Its features (b, d) are not normalized. `prepare` turns an image into network input (3, h, w)."""

    def __init__(
        self, network: nn.Module, name: str, dim: int, prepare: Callable[[Any], Tensor] = prepared_image
    ) -> None:
        self.network, self.dim, self.prepare = network.eval().requires_grad_(False), dim, prepare
        digest = hashlib.sha256()
        for key, one in self.network.state_dict().items():
            if not key.endswith(COUNTER):
                digest.update(key.encode() + one.cpu().numpy().tobytes())
        self.identity = Identity(name, f"images/{name}", digest.hexdigest())

    def encode(self, images: Sequence[Any], batch_size: int = 32) -> np.ndarray:
        """Features (b, d) float32 of b images: PIL images, or arrays (h, w, 3) uint8."""
        size, device = check_whole(batch_size, "batch_size"), next(self.network.parameters()).device
        rows = [np.empty((0, self.dim), dtype=np.float32)]
        with torch.inference_mode(), exact(device):
            for start in range(0, len(images), size):
                batch = torch.stack([self.prepare(image) for image in images[start : start + size]])
                rows.append(self.network(batch.to(device)).cpu().numpy())
        return np.concatenate(rows)


def read_released(path: str | os.PathLike[str], network: str = "resnet18") -> tuple[Comparator, ImageFeatures]:
    """Read comparator and image encoder from published files.

    Parameters
    ----------
    path : path
        Folder with `feature_extractor.pkl` and `cls_rel.pkl`, or one file with the tensors of both.
    network : {"resnet18", "resnet50"}
        Architecture of the image encoder.

    Returns
    -------
    comparator : Comparator
        Comparator for the features of this encoder. `Comparator.of(comparator.similarity)` makes a comparator for any
        features of the same width.
    images : ImageFeatures

    Raises
    ------
    WeightsError
        For any other file, or if the files are inconsistent.
    """
    check_choice(network, "network", tuple(NETWORKS))
    given = given_path(path, "path")
    states = {part: dict(_state(given, part)) for part in (EXTRACTOR, RELATION)}
    images = ImageFeatures(_extractor(states[EXTRACTOR], given, network), f"resend-{network}", NETWORKS[network])
    relation = Relation(RelationSizes(NETWORKS[network], **PUBLISHED))
    load_strictly(relation, states[RELATION], given, f"resend-{network}")
    similarity = RelationSimilarity(relation.eval().requires_grad_(False), np.zeros(NETWORKS[network]), raw=True)
    return Comparator.of(similarity, images.identity, card={"source": "published files of ReSeND"}), images


def _state(path: Path, part: str) -> Iterator[tuple[str, Tensor]]:
    """Tensors of one network, `feature_extractor` or `cls_rel`. Keys are returned without this prefix."""
    file = path / f"{part}.pkl" if path.is_dir() else path
    if not file.is_file():
        raise WeightsError(
            f"there is no file {file}. Expected a folder with {EXTRACTOR}.pkl and {RELATION}.pkl, or one file. "
            "Check the path."
        )
    for key, value in read_weights(file, Keys(), f"resend, {part}").items():
        name = key.removeprefix("module.")
        if path.is_dir() or name.startswith(f"{part}."):
            yield name.removeprefix(f"{part}.").removeprefix("module."), value


def _extractor(state: dict[str, Tensor], path: Path, network: str) -> nn.Module:
    """Network from a state that contains every tensor twice: with and without the prefix `model_resnet.`."""
    import torchvision

    made = getattr(torchvision.models, network)(weights=None)
    made.fc = nn.Identity()
    kept = {key: value for key, value in state.items() if not key.startswith(TWIN)}
    twins = {key.removeprefix(TWIN): value for key, value in state.items() if key.startswith(TWIN)}
    twins = {key: value for key, value in twins.items() if not key.startswith("fc.")}
    # the counters `num_batches_tracked` may differ in files of torch before 1.9; all other tensors must be equal
    differ = [k for k, v in kept.items() if k in twins and not k.endswith(COUNTER) and not torch.equal(v, twins[k])]
    if differ:
        raise WeightsError(
            f"{path}: {differ[0]} and {TWIN}{differ[0]} differ. Expected the same tensor twice. Get the file again."
        )
    if kept and twins and kept.keys() != twins.keys():
        odd = sorted(kept.keys() ^ twins.keys())[0]
        raise WeightsError(f"{path}: {odd} occurs once. Expected every tensor twice. Get the file again.")
    load_strictly(made, kept or twins, path, f"resend-{network}")
    return made


def convert_released(path: str | os.PathLike[str], out: str | os.PathLike[str], network: str = "resnet18") -> Path:
    """Convert published files to one .safetensors file that contains every tensor once. `read_released` reads it.

    Raises the errors of `read_released`, and `FileError` if writing fails.
    """
    from safetensors.torch import save

    comparator, images = read_released(path, network)
    relation: Any = comparator.similarity
    parts = {EXTRACTOR: images.network, RELATION: relation.network}
    tensors = {f"{part}.{key}": one for part, module in parts.items() for key, one in module.state_dict().items()}
    return save_whole(out, save({key: one.contiguous() for key, one in tensors.items()}), "the weights to")
