"""Reconstructors by name and from files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from openshape_ood.checks import check_choice, check_settings
from openshape_ood.encoders.devices import find_device
from openshape_ood.errors import InputError
from openshape_ood.storage import loaded_arrays
from openshape_ood.surfaces.baselines import MeanReconstructor, PCAReconstructor
from openshape_ood.surfaces.memory import PatchMemory
from openshape_ood.surfaces.networks import CompetitiveReconstructor, UNetReconstructor
from openshape_ood.surfaces.patches import PatchPCA
from openshape_ood.surfaces.reconstructor import FILE, Reconstructor
from openshape_ood.surfaces.simple import HeightReconstructor, NearestReconstructor
from openshape_ood.surfaces.tokens import TokenPCA, TokenReconstructor

CLASSES: tuple[type[Reconstructor], ...] = (
    HeightReconstructor,
    NearestReconstructor,
    MeanReconstructor,
    PCAReconstructor,
    PatchPCA,
    UNetReconstructor,
    CompetitiveReconstructor,
    PatchMemory,
    TokenPCA,
    TokenReconstructor,
)
RECONSTRUCTORS = {one.method: one for one in CLASSES}


def find_reconstructor(name: str, **params: Any) -> Reconstructor:
    """Unfitted reconstructor of `RECONSTRUCTORS` with these parameters.

    Raises
    ------
    UnknownNameError
        For an unknown name or parameter.

    Examples
    --------
    >>> find_reconstructor("pca", components=8)
    PCAReconstructor(components=8)
    """
    check_choice(name, "reconstructor", tuple(RECONSTRUCTORS))
    kind = RECONSTRUCTORS[name]
    check_settings(params, kind().get_params(), f"reconstructor {name!r}")
    return kind(**params)


def load_reconstructor(
    path: str | os.PathLike[str], *, device: str | None = None, backbone: Any = None
) -> Reconstructor:
    """Read a file that `Reconstructor.save` wrote. The reconstructor gives the same maps as the saved one.

    Parameters
    ----------
    path : path
    device : str, optional
        Device for networks. Default: the best available.
    backbone : torch.nn.Module, optional
        Module with which a `PatchMemory` was fitted.

    Raises
    ------
    FileError
        For other files.
    InputError
        For an unavailable device, or a backbone for a method without one.
    """
    find_device(device)
    with loaded_arrays(path, FILE) as (header, arrays):
        made = made_again(header, arrays, device, backbone)
    check_backbone(path, made, backbone)
    return made


def made_again(
    header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], device: str | None, backbone: Any
) -> Reconstructor:
    """Reconstructor from the output of `Reconstructor.contents`. Raises one of `storage.DAMAGE` for other content."""
    params = {name: tuple(one) if isinstance(one, list) else one for name, one in header["params"].items()}
    made = find_reconstructor(header["method"], **params)
    given = {name: one for name, one in (("device", device), ("backbone", backbone)) if one is not None}
    return made.set_params(**{k: v for k, v in given.items() if k in made.get_params()}).restored(header, arrays)


def check_backbone(path: Any, made: Reconstructor, backbone: Any) -> None:
    """Raise `InputError` if a backbone is given for a file whose method has none."""
    if backbone is not None and "backbone" not in made.get_params():
        raise InputError(f"{path} is of {made.method!r}, which has no backbone. Expected backbone=None. Leave it out.")
