"""Reconstructors by name, and from files."""

from __future__ import annotations

import os
from typing import Any

from openshape_ood.checks import check_choice
from openshape_ood.reconstruction.base import FILE, Reconstructor
from openshape_ood.reconstruction.baselines import MeanReconstructor, PCAReconstructor
from openshape_ood.reconstruction.memory import PatchMemory
from openshape_ood.reconstruction.networks import CompetitiveReconstructor, UNetReconstructor
from openshape_ood.reconstruction.tokens import TokenPCA, TokenReconstructor
from openshape_ood.storage import loaded_arrays

CLASSES: tuple[type[Reconstructor], ...] = (
    MeanReconstructor,
    PCAReconstructor,
    UNetReconstructor,
    CompetitiveReconstructor,
    PatchMemory,
    TokenPCA,
    TokenReconstructor,
)
RECONSTRUCTORS = {one.method: one for one in CLASSES}


def find_reconstructor(name: str, **params: Any) -> Reconstructor:
    """One of `RECONSTRUCTORS` with these parameters, not fitted yet.

    Raises
    ------
    UnknownNameError
        For another name.

    Examples
    --------
    >>> find_reconstructor("pca", components=8)
    PCAReconstructor(components=8)
    """
    check_choice(name, "reconstructor", tuple(RECONSTRUCTORS))
    return RECONSTRUCTORS[name](**params)


def load_reconstructor(path: str | os.PathLike[str], **params: Any) -> Reconstructor:
    """Read what `Reconstructor.save` wrote; it gives the same maps. Raises `FileError` for any other file.

    params: instead of those it was saved with: device, or the module that is the backbone of a `PatchMemory`.
    """
    with loaded_arrays(path, FILE) as (header, arrays):
        own = {name: tuple(one) if isinstance(one, list) else one for name, one in header["params"].items()}
        return find_reconstructor(header["method"], **own | params).restored(header, arrays)
