"""Published files of Competitive Reconstruction Networks: PyTorch Lightning checkpoints, read strictly.

Weights, the indices of the best units and the training flags are used. Everything else is ignored. No code is executed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from openshape_ood.checks import given_path
from openshape_ood.errors import WeightsError
from openshape_ood.registry.rows import Keys
from openshape_ood.registry.torch_files import read_torch, whole_number
from openshape_ood.registry.weights import rekeyed
from openshape_ood.surfaces.competition import loaded_units
from openshape_ood.surfaces.networks import PUBLISHED, CompetitiveReconstructor
from openshape_ood.surfaces.unet import LEAST_DEPTH, MOST_DEPTH, UNet, UNetSizes

NAME, UNITS = "crn", "competitive_units."
MOST_UNITS, MOST_SIDE = 1000, 1 << 14


def read_published(path: str | os.PathLike[str], **changes: Any) -> CompetitiveReconstructor:
    """Read the reconstructor of a published checkpoint.

    It scores in evaluation mode, so tiles are independent. The published code scores in training mode, so its results
    vary. `residual` is "chain", as in published inference; use "answer" for published validation. Maps are twice as
    large as the values of the published images. There are no thresholds: call `calibrate`.

    Parameters
    ----------
    path : path
        `epoch=E-step=S.ckpt`, as written by Lightning.
    changes
        Parameters of `CompetitiveReconstructor`, such as residual, pooling or device. Files trained on MVTec AD need
        normalization="imagenet", which is set automatically if the flags name the data set.

    Raises
    ------
    WeightsError
        For other files; for missing, surplus or misshapen tensors; if flags and tensors contradict each other.
    """
    file = given_path(path, "path")
    content = read_torch(file, NAME, trusted=False)
    if not isinstance(content, Mapping) or not isinstance(content.get("state_dict"), Mapping):
        raise WeightsError(
            f"{file} has no state_dict. Expected a checkpoint of Competitive Reconstruction Networks. Give another "
            "file."
        )
    state = rekeyed(content["state_dict"], Keys(prefix=UNITS), str(file))
    if len(state) < len(content["state_dict"]):
        odd = next(str(key) for key in content["state_dict"] if not str(key).startswith(UNITS))
        raise WeightsError(f"{file} holds {odd[:80]!r}. Expected only the tensors of {UNITS}*. Give another file.")
    flags = content.get("hyper_parameters")
    flags = flags if isinstance(flags, Mapping) else {}
    n, sizes = units_of(state, file), sizes_of(state, file)
    shape = _shape(flags, sizes, n, file)
    try:
        units = loaded_units(lambda: UNet(sizes), n, state)
    except ValueError as error:
        raise WeightsError(
            f"{file} does not hold {n} U-Nets: {str(error).rstrip('.')}. Expected the published tensors. Give another "
            "file."
        ) from None
    if wrong := [key for key, one in state.items() if not torch.isfinite(one).all()]:
        raise WeightsError(
            f"{file}: {UNITS}{wrong[0]} holds NaN or infinity. Expected finite weights. Give another file, because the "
            "training failed or this one is damaged."
        )
    best = [whole_number(content.get(key)) for key in ("best_gen", "best_disc")]
    if any(one is None or not 0 <= one < n for one in best):
        raise WeightsError(
            f"{file}: the best units are {best}. Expected best_gen and best_disc from 0 to {n - 1}. Give another file."
        )
    params: dict[str, Any] = {name: getattr(sizes, name) for name in ("width", "depth", "norm", "variant")}
    if flags.get("dataset") == "MVTec":
        params["normalization"] = "imagenet"
    made = CompetitiveReconstructor(**PUBLISHED | params | {"units": n} | changes)
    made._check_params()
    made._begin(shape, 0)
    made.adopt(units, list(range(n)), [int(one) for one in best if one is not None])
    return made


def units_of(state: Mapping[str, Tensor], file: Path) -> int:
    """Number of units in a state with keys 0.*, 1.* and so on."""
    numbers = {key.partition(".")[0] for key in state}
    n = len(numbers)
    if not 0 < n <= MOST_UNITS or numbers != {str(k) for k in range(n)}:
        raise WeightsError(
            f"{file}: its units are {sorted(numbers)[:4]}. Expected 0, 1, and so on without a gap. Give another file."
        )
    return n


def sizes_of(state: Mapping[str, Tensor], file: Path) -> UNetSizes:
    """Width, depth, norm and variant of the first unit, from names and shapes of its tensors."""
    outer, level, depth = "0.model.model.", "0.model.model.", 1
    first = state.get(f"{outer}0.weight")
    if first is None or first.ndim != 4:
        raise WeightsError(f"{file} lacks {UNITS}{outer}0.weight. Expected a U-Net as published. Give another file.")
    instance = f"{outer}0.bias" in state
    while depth <= MOST_DEPTH:
        below = next((f"{level}{k}.model." for k in (1, 2, 3) if f"{level}{k}.model.1.weight" in state), None)
        if below is None:
            break
        level, depth = below, depth + 1
    if not LEAST_DEPTH <= depth <= MOST_DEPTH:
        raise WeightsError(
            f"{file}: a unit has {depth} levels. Expected {LEAST_DEPTH} to {MOST_DEPTH}. Give another file."
        )
    batch = any(key.startswith(outer) and key.endswith("running_mean") for key in state)
    norm = "batch" if batch else "instance" if instance else "none"
    variant = "improved" if f"{outer}4.weight" in state else "plain"
    return UNetSizes(first.shape[1], first.shape[0], depth, norm, variant)


def _shape(flags: Mapping[str, Any], sizes: UNetSizes, n: int, file: Path) -> tuple[int, int, int]:
    """Shape (c, h, w) of the tiles. Raises `WeightsError` if flags and tensors contradict each other."""
    derived = {"norm": sizes.norm, "improved": sizes.variant == "improved", "num_competitive_units": n}
    for name, value in derived.items():
        if name in flags and flags[name] != value:
            raise WeightsError(
                f"{file}: its flags state {name}={flags[name]!r:.40}. Expected {value!r}, as in the tensors. Give "
                "another file."
            )
    side = 2**sizes.depth
    given = flags.get("input_shape", (1, sizes.channels, side, side))
    whole = isinstance(given, tuple | list) and len(given) == 4 and all(type(one) is int for one in given)
    if not whole or given[1] != sizes.channels or not all(0 < s <= MOST_SIDE and s % side == 0 for s in given[2:]):
        raise WeightsError(
            f"{file}: its tiles are {given!r:.60}. Expected (1, {sizes.channels}, h, w) in multiples of {side}. Give "
            "another file."
        )
    return given[1], given[2], given[3]
