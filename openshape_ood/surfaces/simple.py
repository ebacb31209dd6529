"""Simple baselines: difference of height, and distance to the nearest good point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.checks import check_whole
from openshape_ood.errors import InputError
from openshape_ood.surfaces.reconstructor import Reconstructor, Training

if TYPE_CHECKING:
    from scipy.spatial import KDTree


class HeightReconstructor(Reconstructor):
    """Novelty is the absolute difference between the first channel and its median over the good pixels.

    The first channel must be the height above a flat sheet. Changes of color or intensity are not detected.

    Examples
    --------
    >>> sheets = np.random.default_rng(0).normal(0, 0.1, (40, 2, 8, 8)).clip(-1, 1)
    >>> sheet = HeightReconstructor().fit(sheets)
    >>> bad = sheets[:2].copy()
    >>> bad[0, 0, 2:5, 3:6] = -0.9
    >>> sheet.threshold_.is_novel(sheet.score(bad)).tolist()
    [True, False]
    """

    method = "height"
    kinds = ("sheets", "pairs")

    def _learn(self, tiles: np.ndarray, seen: np.ndarray, seed: int, training: Training) -> None:
        self.level_ = np.median(tiles[:, 0][seen]).astype(np.float32)

    def _residual(self, tiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return np.abs(tiles[:, 0] - self.level_)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, {"level": np.asarray(self.level_)}

    def _restore(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self.level_ = arrays["level"].astype(np.float32).reshape(())


@dataclass(eq=False, repr=False)
class NearestReconstructor(Reconstructor):
    """Novelty is the distance to the nearest point of the good scans, which must be aligned.

    A tile is a point: tiles (t, c, 1, 1) are t points with c coordinates. `SurfaceModel` converts clouds.

    Parameters
    ----------
    keep : int
        Maximum number of stored points, drawn at random.
    pooling, coverage, pixel_coverage
        As in `Reconstructor`.

    Examples
    --------
    >>> plate = np.random.default_rng(0).uniform(-1, 1, (2000, 3, 1, 1)) * np.array([1, 1, 0])[:, None, None]
    >>> good = NearestReconstructor().fit(plate)
    >>> good.threshold_.is_novel(good.score(plate[:1] + np.array([0, 0, 0.5])[:, None, None])).tolist()
    [True]
    """

    method = "nearest"
    kinds = ("objects",)
    of_points = True

    keep: int = 1_000_000

    def _check_params(self) -> None:
        super()._check_params()
        check_whole(self.keep, "keep")

    def _learn(self, tiles: np.ndarray, seen: np.ndarray, seed: int, training: Training) -> None:
        if tiles.shape[2:] != (1, 1):
            raise InputError(
                f"tiles are {tiles.shape[2]} x {tiles.shape[3]} pixels, but 'nearest' takes points. Expected (t, c, 1, "
                "1). Take another reconstructor for images and sheets."
            )
        points = tiles[seen[:, 0, 0], :, 0, 0]
        if len(points) > self.keep:
            points = points[np.sort(np.random.default_rng([seed, 5]).permutation(len(points))[: self.keep])]
        self._keep(points)

    def _keep(self, points: np.ndarray) -> None:
        self.points_ = points
        self.__dict__.pop("_tree", None)

    @cached_property
    def _tree(self) -> KDTree:
        from scipy.spatial import KDTree

        return KDTree(self.points_)

    def __getstate__(self) -> dict[str, Any]:
        return {name: one for name, one in super().__getstate__().items() if name != "_tree"}

    def _residual(self, tiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return np.asarray(self._tree.query(tiles[:, :, 0, 0])[0])[:, None, None]

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, {"points": self.points_}

    def _restore(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self._keep(arrays["points"].astype(np.float32).reshape(-1, self.shape_[0]))
        if not len(self.points_):
            raise ValueError("it holds no points")
