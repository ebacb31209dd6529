"""MemoryBank: patches of example shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from openshape_ood.checks import check_settings, unit
from openshape_ood.encoders.protocols import Patches
from openshape_ood.known.examples import ENCODING, Axes, embedded_patches

MEMORY = ("features", "labels", "centers", "shapes")


@dataclass(frozen=True, eq=False)
class MemoryBank:
    """Patches of example shapes (PatchCore, arXiv 2106.08265).

    Attributes
    ----------
    features : (n, w) float32
        Unit vector of each patch.
    labels : (n,) int64
        Class of each patch, an index into the names.
    centers : (n, 3) float32
        Center of each patch, in the coordinates that the encoder gets.
    shapes : (n,) int64
        Example shape of each patch, as a number from 0.
    stage : str
        Kind of features. See `ShapeEncoder.encode_patches`.
    radius : float
        Radius of a patch, in the coordinates that the encoder gets.
    """

    features: np.ndarray
    labels: np.ndarray
    centers: np.ndarray
    shapes: np.ndarray
    stage: str
    radius: float

    def __repr__(self) -> str:
        return f"MemoryBank({len(self.features)} {self.stage} patches of {len(np.unique(self.shapes))} shapes)"

    @classmethod
    def from_examples(
        cls, examples: Mapping[str, Any], encoder: Any, *, stage: str, up: Axes = "file", **settings: Any
    ) -> MemoryBank:
        """Memory bank of example shapes, given as a mapping from class names. `settings` are as in `KnownClasses`.

        Labels number the classes in the order of the mapping.
        """
        check_settings(settings, ENCODING, "MemoryBank.from_examples")
        return cls.from_patches(embedded_patches(examples, encoder, up, stage, settings), stage)

    @classmethod
    def from_patches(cls, batches: Sequence[Patches], stage: str) -> MemoryBank:
        """Memory bank of encoded patches. Each entry of `batches` is one class; labels number them in this order."""
        features = np.concatenate([patches.features for patches in batches])
        shapes, count, width = features.shape
        rows = unit(features.reshape(-1, width), "the patch in").astype(np.float32)
        centers = np.concatenate([patches.centers for patches in batches]).reshape(-1, 3)
        labels = np.repeat(np.arange(len(batches)), [count * len(patches.features) for patches in batches])
        radius = float(np.median(np.concatenate([np.atleast_1d(patches.radius) for patches in batches])))
        return cls(rows, labels, centers, np.repeat(np.arange(shapes), count), stage, radius)


def joined_memory(banks: Sequence[MemoryBank]) -> MemoryBank | None:
    """Union of memory banks whose labels already refer to common names."""
    if not banks:
        return None
    starts = np.cumsum([0, *(bank.shapes.max(initial=-1) + 1 for bank in banks)])
    shapes = np.concatenate([bank.shapes + start for bank, start in zip(banks, starts, strict=False)])
    rows = {name: np.concatenate([getattr(bank, name) for bank in banks]) for name in ("features", "labels", "centers")}
    return MemoryBank(**rows, shapes=shapes, stage=banks[0].stage, radius=banks[0].radius)
