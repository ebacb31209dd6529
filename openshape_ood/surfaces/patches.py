"""PCA of small patches at several sizes, for textures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from openshape_ood.checks import check_whole
from openshape_ood.errors import InputError
from openshape_ood.surfaces.reconstructor import Reconstructor, Training

LEARNED = 20_000  # maximum training patches of each size
USUAL = 0.5  # weight of the pixel's own mean in its usual residual; the mean of all pixels has the rest of the weight
LEAST = 1e-4  # added to usual residuals, so that identical images cause no division by 0


@dataclass(eq=False, repr=False)
class PatchPCA(Reconstructor):
    """Rebuilds every small patch of an image from the principal components of good patches, at several sizes.

    Unlike `PCAReconstructor` it needs no alignment, so it suits textures such as brushed metal, cloth or wood.

    The residual of a pixel is the root mean square residual of the patch around it. It is divided by the usual residual
    at this pixel: the average of two means of good images, at this pixel and at all pixels. The novelty is the mean
    over the sizes.

    Parameters
    ----------
    sides : sequence of int
        Sides of the patches in pixels, odd.
    components : int
        Number of components for each size; at most the number of values in a patch.
    pooling, coverage, pixel_coverage
        As in `Reconstructor`.

    Examples
    --------
    >>> waves = np.sin(np.arange(32) / 2 + np.random.default_rng(0).uniform(0, 6, (40, 1, 32, 1)))
    >>> cloth = PatchPCA(sides=(7,), components=6).fit(0.5 * waves)
    >>> bad = 0.5 * waves[:2]
    >>> bad[0, 0, 10:14, 10:14] = -0.9
    >>> cloth.threshold_.is_novel(cloth.score(bad)).tolist()
    [True, False]
    """

    method = "patches"

    sides: Sequence[int] = (7, 11, 15)
    components: int = 60

    def _check_params(self) -> None:
        super()._check_params()
        check_whole(self.components, "components")
        if not self.sides:
            raise InputError(
                "sides is empty. Expected the sizes of patches in pixels. Give sides=(7, 11, 15), for example."
            )
        for side in self.sides:
            if check_whole(side, "sides", 3) % 2 == 0:
                raise InputError(
                    f"sides are {tuple(self.sides)}. Expected odd numbers, so that each patch has a middle. Give "
                    "sides=(7, 11, 15), for example."
                )

    def _learn(self, tiles: np.ndarray, seen: np.ndarray, seed: int, training: Training) -> None:
        from sklearn.decomposition import PCA

        c, h, w = self.shape_
        if max(self.sides) > min(h, w):
            raise InputError(
                f"sides are up to {max(self.sides)} pixels, but tiles have {w} x {h}. Expected smaller sides. Give "
                f"sides of at most {min(h, w)}"
            )
        filled, rng = _filled(tiles, seen), np.random.default_rng([seed, 6])
        self.centers_, self.axes_ = list[np.ndarray](), list[np.ndarray]()
        for side in self.sides:
            rows = _drawn(filled, seen, side, rng)
            fitted = PCA(min(self.components, *rows.shape), random_state=seed).fit(rows)
            self.centers_.append(fitted.mean_.astype(np.float32).reshape(c, side, side))
            self.axes_.append(fitted.components_.astype(np.float32).reshape(-1, c, side, side))
        left = np.stack([self._left(tile) for tile in filled])
        place = np.where(seen[:, None], left, 0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        overall = left.transpose(1, 0, 2, 3)[:, seen].mean(axis=1)[:, None, None]
        place = np.where(seen.any(axis=0), place, overall)
        self.usual_ = (USUAL * place + (1 - USUAL) * overall + LEAST).astype(np.float32)

    def _left(self, tile: np.ndarray) -> np.ndarray:
        """Root mean square residual (s, h, w) of the patch around each pixel, for each size.

        Near the border, the nearest complete patch is used. Tiles are processed one at a time in float64, because the
        residual is a small difference and must not depend on other tiles.
        """
        image, maps = torch.from_numpy(tile[None]).double(), []
        for center, axes in zip(self.centers_, self.axes_, strict=True):
            kernels, middle = torch.from_numpy(axes).double(), torch.from_numpy(center).double()
            parts = F.conv2d(image, kernels) - (kernels * middle).sum(dim=(1, 2, 3))[:, None, None]
            ones = torch.ones_like(middle)[None]
            squares = F.conv2d(image**2, ones) - 2 * F.conv2d(image, middle[None]) + (middle**2).sum()
            rest = (squares[0, 0] - (parts[0] ** 2).sum(dim=0)).clamp_min(0) / middle.numel()
            edge = center.shape[-1] // 2
            maps.append(np.pad(rest.sqrt().numpy(), edge, mode="edge"))
        return np.stack(maps)

    def _residual(self, tiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return np.stack([(self._left(tile) / self.usual_).mean(axis=0) for tile in _filled(tiles, seen)])

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        arrays = {f"{name}{i}": one for name, many in self._of_sizes().items() for i, one in enumerate(many)}
        return {}, {"usual": self.usual_, **arrays}

    def _of_sizes(self) -> dict[str, list[np.ndarray]]:
        return {"centers": self.centers_, "axes": self.axes_}

    def _restore(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        c, h, w = self.shape_
        self.usual_ = arrays["usual"].astype(np.float32).reshape(len(self.sides), h, w)
        if not (self.usual_ > 0).all():
            raise ValueError("its usual residuals are not above 0")
        sides = list(enumerate(self.sides))
        self.centers_ = [arrays[f"centers{i}"].astype(np.float32).reshape(c, side, side) for i, side in sides]
        self.axes_ = [arrays[f"axes{i}"].astype(np.float32).reshape(-1, c, side, side) for i, side in sides]


def _filled(tiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Replace each unseen pixel by the nearest seen one, so that the border of the mask does not look like an edge."""
    from scipy.ndimage import distance_transform_edt

    filled = tiles.astype(np.float32)
    for tile, known in zip(filled, seen, strict=True):
        if known.any() and not known.all():
            row, column = distance_transform_edt(~known, return_distances=False, return_indices=True)
            tile[:] = tile[:, row, column]
    return filled


def _drawn(tiles: np.ndarray, seen: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Random patches (n, c * side * side) of tiles. The center of each patch is seen."""
    edge = side // 2
    middles = np.argwhere(seen[:, edge:-edge, edge:-edge])
    if not len(middles):
        raise InputError(
            f"no center of a patch of {side} pixels is seen in the good tiles. Expected seen pixels. Give smaller "
            "sides."
        )
    windows = np.lib.stride_tricks.sliding_window_view(tiles, (side, side), axis=(2, 3))
    i, row, column = middles[np.sort(rng.permutation(len(middles))[:LEARNED])].T
    return windows[i, :, row, column].reshape(len(i), -1)
