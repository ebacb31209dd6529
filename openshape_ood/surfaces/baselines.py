"""Baseline reconstructors: mean image and PCA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from openshape_ood.checks import check_whole
from openshape_ood.errors import InputError
from openshape_ood.surfaces.reconstructor import Reconstructor, Training


class MeanReconstructor(Reconstructor):
    """Rebuilds every tile as the pixelwise mean of the normal tiles.

    A pixel that no normal tile shows is rebuilt as the mean of its channel.

    Examples
    --------
    >>> normal = np.random.default_rng(0).normal(0, 0.1, (40, 1, 8, 8)).clip(-1, 1)
    >>> road = MeanReconstructor().fit(normal)
    >>> bad = normal[:2].copy()
    >>> bad[0, 0, 2:5, 3:6] = -0.9
    >>> road.threshold_.is_novel(road.score(bad)).tolist()
    [True, False]
    """

    method = "mean"

    def _learn(self, tiles: np.ndarray, seen: np.ndarray, seed: int, training: Training) -> None:
        self.mean_ = mean_image(tiles, seen)

    def _residual(self, tiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return np.abs(tiles - self.mean_).mean(axis=1)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, {"mean": self.mean_}

    def _restore(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self.mean_ = arrays["mean"].astype(np.float32).reshape(self.shape_)


@dataclass(eq=False, repr=False)
class PCAReconstructor(MeanReconstructor):
    """Rebuilds a tile from the first principal components of the normal tiles (scikit-learn's `PCA`).

    It is a strong baseline: on generated roads it detects damage better than the U-Nets do. Unseen pixels get the
    values of the mean image.

    Parameters
    ----------
    components : int
        Number of components; at most the number of training tiles.
    pooling, coverage, pixel_coverage
        As in `Reconstructor`.
    """

    method = "pca"

    components: int = 32

    def _check_params(self) -> None:
        super()._check_params()
        check_whole(self.components, "components")

    def _learn(self, tiles: np.ndarray, seen: np.ndarray, seed: int, training: Training) -> None:
        from sklearn.decomposition import PCA

        super()._learn(tiles, seen, seed, training)
        rows = self._rows(tiles, seen)
        with np.errstate(invalid="ignore"):  # the variance of a single tile is undefined and not used
            fitted = PCA(min(self.components, *rows.shape), random_state=seed).fit(rows)
        # rows are differences from the mean image, so their mean is 0 up to rounding and is not stored
        self.axes_ = np.ascontiguousarray(fitted.components_, dtype=np.float32)

    def _rows(self, tiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return np.where(seen[:, None], tiles - self.mean_, 0).reshape(len(tiles), -1)

    def _residual(self, tiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
        rows = self._rows(tiles, seen)
        # one row at a time: a product of many rows rounds differently, and maps must not depend on other tiles
        rest = np.stack([row - (self.axes_ @ row) @ self.axes_ for row in rows])
        return np.abs(rest).reshape(tiles.shape).mean(axis=1)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, {"mean": self.mean_, "axes": self.axes_}

    def _restore(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(state, arrays)
        self.axes_ = arrays["axes"].astype(np.float32)
        if self.axes_.ndim != 2 or self.axes_.shape[1] != self.mean_.size:
            raise InputError(f"its axes are {self.axes_.shape}, expected (n, {self.mean_.size})")


def mean_image(tiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Pixelwise mean (c, h, w) float32 over seen pixels. A pixel that no tile shows gets the mean of its channel."""
    count = seen.sum(axis=0)
    total = np.where(seen[:, None], tiles, 0).sum(axis=0, dtype=np.float64)
    channel = total.sum(axis=(1, 2), keepdims=True) / count.sum()
    return np.where(count > 0, total / np.maximum(count, 1), channel).astype(np.float32)
