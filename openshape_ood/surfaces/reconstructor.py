"""Reconstructor: common interface of anomaly maps by reconstruction.

Letters: t tiles of c channels, h rows and w columns. Tiles are float32 in [-1, 1] with a validity mask (t, h, w).
Pixels with a False mask are not used in training, maps or scores, and are NaN in every result.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from openshape_ood import __version__
from openshape_ood.checks import check_choice, check_seed, given_path, to_numpy
from openshape_ood.decisions.calibration import calibration_needed
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.errors import InputError
from openshape_ood.novelty_map import Elements, NoveltyMap
from openshape_ood.storage import save_arrays

FILE = "reconstructor"  # stem of saved files
HELD_OUT = 0.1  # fraction of normal tiles held out for the thresholds
PIXELS = 10_000  # maximum held-out pixels for the threshold of pixels
AT_ONCE = 1 << 22  # elements of tiles rebuilt at once: 16 MiB
ROUNDING = 1e-5  # tolerated deviation from [-1, 1]
KEPT = 1000  # maximum number of training records that a file stores
PLAIN = (str, int, float, tuple, list, np.generic, np.ndarray, type(None))
CLASSES = np.array(["normal"])

Report = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Training:
    """Options of a training in steps: progress reports, and the state file for resuming, if any."""

    progress: bool | Report = False
    state: Path | None = None


@dataclass(eq=False, repr=False, kw_only=True)
class Reconstructor(BaseEstimator, ABC):
    """Anomaly detector for tiles: a tile is rebuilt from learned normal tiles, and the residual is its novelty.

    It is a scikit-learn estimator (`get_params`, `clone`) on tiles instead of rows.

    Parameters
    ----------
    pooling : {"max", "mean"}
        Score of a tile from its map. "max": the largest mean over 3 x 3 pixels. "mean": the mean over all pixels, which
        hides small defects.
    coverage, pixel_coverage : float
        Fraction of normal tiles below `threshold_`, and fraction of their pixels below `pixel_threshold_`.

    Attributes
    ----------
    shape_ : tuple of int
        Shape (c, h, w) of the training tiles.
    threshold_, pixel_threshold_ : Threshold
        Thresholds of `score` and of `novelty`, from n held-out normal tiles: at least a tenth of all. None before `fit`
        or `calibrate`. A coverage of 0.95 needs n = 19, or 19 groups. With fewer tiles, the threshold is their largest
        novelty, and its coverage is n / (n + 1).
    baseline_ : float
        Median novelty of held-out pixels.
    history_ : list of dict
        A record for each step of the training. Empty for methods without steps.
    """

    method: ClassVar[str] = ""
    granule: ClassVar[int] = 1  # sides of tiles are multiples of it
    poolings: ClassVar[tuple[str, ...]] = ("max", "mean")
    kinds: ClassVar[tuple[str, ...]] = ("images", "pairs", "sheets", "objects")  # kinds of data, see `surfaces.data`
    of_points: ClassVar[bool] = False  # True if its tiles are points, not rasters
    pooling: str = "max"
    coverage: float = 0.95
    pixel_coverage: float = 0.95

    def fit(
        self,
        normal: Any,
        y: None = None,
        *,
        mask: Any = None,
        groups: Any = None,
        seed: int = 0,
        progress: bool | Report = False,
        state: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Learn normal tiles, and compute the thresholds.

        Parameters
        ----------
        normal : array (t, c, h, w)
            At least two defect-free tiles in [-1, 1]; some are held out.
        y : None
            Ignored; required by scikit-learn.
        mask : array (t, h, w) of bool, optional
            True for seen pixels; tiles without seen pixels are dropped.
        groups : sequence (t,), optional
            Group of each tile, such as its cloud or street. Needed for overlapping or consecutive tiles: a whole group
            is held out, because overlapping tiles share pixels.
        seed : int
            Seed of all random choices. The same data and seed give the same results.
        progress : bool or callable
            True shows a progress bar on stderr. A function is called with the record of each step.
        state : path, optional
            A .safetensors file for resuming a training in steps. After an interruption, the same call resumes the
            training, with the same results as without interruption. Finished steps are reported again. The caller
            deletes the file.

        Raises
        ------
        InputError
            For invalid or too few tiles, a diverging training, and the state of another training.
        FileError
            For a state that cannot be read or written.
        """
        self._check_params()
        tiles, seen, owners = _normal(*self._checked(normal, mask), groups)
        if len(np.unique(owners)) < 2:
            raise InputError(
                f"there are {len(tiles)} normal tiles with seen pixels, in {len(np.unique(owners))} groups. Expected "
                "two groups or more, because a part is held out for the thresholds. Cut a large image into tiles."
            )
        held = held_out(owners, check_seed(seed))
        training = Training(progress, None if state is None else given_path(state, "state"))
        self.learned(tiles[~held], seen[~held], seed, training)
        return self._calibrate(tiles[held], seen[held], owners[held])

    def calibrate(self, normal: Any, mask: Any = None, groups: Any = None) -> Self:
        """Compute the thresholds from normal tiles that were not used for learning.

        Use it for a network that was trained elsewhere, or for tiles of another source. Parameters and errors as in
        `fit`.
        """
        check_is_fitted(self, "shape_")
        self._check_params()
        tiles, seen, owners = _normal(*self._checked_as_fitted(normal, mask), groups)
        if not len(tiles):
            raise InputError("there is no normal tile with seen pixels. Expected one or more. Give other tiles.")
        return self._calibrate(tiles, seen, owners)

    def novelty(self, tiles: Any, mask: Any = None) -> np.ndarray:
        """Reconstruction error of each pixel, averaged over the channels.

        Parameters
        ----------
        tiles, mask
            As in `fit`, with the same numbers of channels, rows and columns.

        Returns
        -------
        ndarray (t, h, w) float32
            NaN where the mask is False. A tile's map is independent of other tiles. Raises as `fit`.
        """
        check_is_fitted(self, "shape_")
        return self._maps(*self._checked_as_fitted(tiles, mask))

    def _maps(self, given: np.ndarray, seen: np.ndarray) -> np.ndarray:
        maps = np.empty(seen.shape, dtype=np.float32)
        step = max(1, AT_ONCE // int(np.prod(self.shape_)))
        for start in range(0, len(given), step):
            part = slice(start, start + step)
            maps[part] = self._residual(given[part], seen[part])
        maps[~seen] = np.nan
        return maps

    def score(self, tiles: Any, y: None = None, *, mask: Any = None) -> np.ndarray:
        """Novelty (t,) float32 of whole tiles, pooled from their maps. NaN for tiles without seen pixels."""
        return self.pooled(self.novelty(tiles, mask))

    def localize(self, tile: Any, mask: Any = None, *, name: str = "the tile") -> NoveltyMap:
        """Novelty map, with threshold, of the pixels of one tile (c, h, w) with mask (h, w)."""
        one = np.asarray(to_numpy(tile))
        novelty = self.novelty(one[None], None if mask is None else np.asarray(to_numpy(mask))[None])[0]
        colors = one if len(one) == 3 else np.repeat(one[:1], 3, axis=0)
        rows = np.nan_to_num(np.moveaxis(colors, 0, -1).reshape(-1, 3).astype(np.float64) / 2 + 0.5).clip(0, 1)
        return self._map(Elements("pixels", rows, novelty.shape), novelty.ravel(), name)

    def _map(self, elements: Elements, novelty: np.ndarray, name: str) -> NoveltyMap:
        details = self.baseline_, self.pixel_threshold_, self.provenance()
        return NoveltyMap(elements, novelty.astype(np.float64), None, CLASSES, *details, name=name)

    @cached_property
    def identity(self) -> Identity:
        """Method and sha256 of the learned state."""
        check_is_fitted(self, "shape_")
        digest = hashlib.sha256()
        for name, one in sorted(self._state()[1].items()):
            digest.update(f"{name} {one.dtype} {one.shape}".encode())
            digest.update(np.ascontiguousarray(one).tobytes())
        return Identity(self.method, f"reconstruction/{self.method}", digest.hexdigest())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a .safetensors file atomically; `load_reconstructor` reads it. Raises `FileError` if writing fails."""
        return save_arrays(path, *self.contents(), FILE)

    def contents(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and header of a file; `methods.made_again` restores the reconstructor from them."""
        check_is_fitted(self, "shape_")
        state, arrays = self._state()
        return arrays, {
            "method": self.method,
            "params": {k: v for k, v in self.get_params().items() if k != "device" and isinstance(v, PLAIN)},
            "shape": self.shape_,
            "seed": self.seed_,
            "baseline": None if np.isnan(self.baseline_) else self.baseline_,
            "history": self.history_[:: max(1, -(-len(self.history_) // KEPT))],
            "thresholds": [one.state() for one in (self.threshold_, self.pixel_threshold_) if one is not None],
            "state": state,
        }

    def _begin(self, shape: tuple[int, ...], seed: int) -> None:
        """Initialize the fitted attributes."""
        self.shape_, self.seed_, self.history_ = shape, seed, list[dict[str, Any]]()
        self.threshold_: Threshold | None = None
        self.pixel_threshold_: Threshold | None = None
        self.baseline_ = float("nan")
        self.__dict__.pop("identity", None)

    def restored(self, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """Restore a saved state. Raises one of `storage.DAMAGE` for other content."""
        c, h, w = (int(side) for side in header["shape"])
        self._begin((c, h, w), int(header["seed"]))
        self.history_ = list(header["history"])
        if header["thresholds"]:
            self.threshold_, self.pixel_threshold_ = map(Threshold.from_state, header["thresholds"])
            self.baseline_ = float(header["baseline"])
        self._check_params()
        if wrong := [name for name, one in arrays.items() if not np.isfinite(one).all()]:
            raise ValueError(f"{wrong[0]} holds NaN or infinity")
        self._restore(header["state"], arrays)
        return self

    def learned(self, tiles: np.ndarray, seen: np.ndarray, seed: int, training: Training = Training()) -> Self:
        """Fit to all given tiles, without thresholds. The tiles are not validated again."""
        self._begin(tiles.shape[1:], seed)
        self._learn(tiles, seen, seed, training)
        return self

    @abstractmethod
    def _learn(self, tiles: np.ndarray, seen: np.ndarray, seed: int, training: Training) -> None: ...

    @abstractmethod
    def _residual(self, tiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """Novelty (t, h, w) of validated tiles. Unseen pixels may have any value."""

    @abstractmethod
    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Learned state: values for a JSON header, and arrays."""

    @abstractmethod
    def _restore(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Restore a learned state. Raises one of `storage.DAMAGE` for other content."""

    def _checked(self, tiles: Any, mask: Any) -> tuple[np.ndarray, np.ndarray]:
        return checked_tiles(tiles, mask)

    def _checked_as_fitted(self, tiles: Any, mask: Any) -> tuple[np.ndarray, np.ndarray]:
        given, seen = self._checked(tiles, mask)
        if given.shape[1:] != self.shape_:
            raise InputError(
                f"tiles are {given.shape[1:]} (channels, rows, columns). Expected {self.shape_}, as in the fit. Resize "
                "images or cut rasters as for the fit."
            )
        return given, seen

    def pooled(self, maps: np.ndarray) -> np.ndarray:
        """Scores (t,) of maps (t, h, w), pooled by `pooling`."""
        return pooled(maps, self.pooling)

    def _check_params(self) -> None:
        check_choice(self.pooling, "pooling", self.poolings)
        for share in (self.coverage, self.pixel_coverage):
            calibration_needed(share)

    def _calibrate(self, tiles: np.ndarray, seen: np.ndarray, groups: Any) -> Self:
        maps = self._maps(tiles, seen)
        pixels = maps[seen].astype(np.float64)
        source = f"{len(tiles)} normal tiles that were held out"
        how: dict[str, Any] = {"provenance": self.provenance(), "few": True}
        self.threshold_ = Threshold.from_novelty(self.pooled(maps), self.coverage, groups=groups, source=source, **how)
        drawn, of = drawn_places(pixels, self.seed_), f"pixels of {source}"
        self.pixel_threshold_ = Threshold.from_novelty(drawn, self.pixel_coverage, source=of, **how)
        self.baseline_ = float(np.median(pixels))
        return self

    def provenance(self) -> Provenance:
        """Origin of the reconstructor: digest of its learned state, and seed."""
        return Provenance(self.identity, self.method, "", self.seed_, version=__version__)


def checked_tiles(tiles: Any, mask: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Tiles (t, c, h, w) float32 and their mask. Raises `InputError` for other shapes, values and types."""
    given = np.asarray(to_numpy(tiles))
    if given.ndim != 4 or 0 in given.shape[1:]:
        raise InputError(
            f"tiles have the shape {given.shape}. Expected (t, c, h, w): tiles, channels, rows, columns. Reshape them."
        )
    if given.dtype.kind != "f":
        raise InputError(
            f"tiles are of type {given.dtype}. Expected floats in [-1, 1]. Convert images by `image_tile`."
        )
    seen = np.ones((len(given), *given.shape[2:]), dtype=bool) if mask is None else np.asarray(to_numpy(mask))
    if seen.shape != (len(given), *given.shape[2:]) or seen.dtype != bool:
        raise InputError(
            f"the mask is {seen.dtype} {seen.shape} for tiles {given.shape}. Expected bool (t, h, w), True where seen. "
            "Give one mask per tile."
        )
    values = given if seen.all() else np.where(seen[:, None], given, 0)
    least, most = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if not (least >= -1 - ROUNDING and most <= 1 + ROUNDING):  # true for NaN, too
        extent = "hold NaN" if np.isnan(least) else f"go from {least:.4g} to {most:.4g}"
        raise InputError(
            f"tiles {extent} at seen pixels. Expected [-1, 1]. Mask unseen pixels, and scale each channel by its "
            "range, as `Rasterizer` and `image_tile` do."
        )
    return np.require(values, np.float32, ["C", "W"]), np.require(seen, requirements=["C", "W"])  # torch requires this


def pooled(maps: np.ndarray, pooling: str = "max") -> np.ndarray:
    """Scores (t,) of maps (t, h, w). "max": largest mean over 3 x 3 pixels. "mean": mean of all. NaN is ignored."""
    seen = np.isfinite(maps)
    if pooling == "mean":
        values = np.where(seen, maps, 0).astype(np.float64)
        total, count = values.sum(axis=(1, 2)), seen.sum(axis=(1, 2))
        return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    means = np.where(seen, local_means(maps), -np.inf).max(axis=(1, 2))
    return np.where(np.isfinite(means), means, np.nan).astype(np.float32)


def local_means(maps: np.ndarray) -> np.ndarray:
    """Means (t, h, w) over 3 x 3 pixels. NaN is ignored; the mean is 0 if all pixels are NaN."""
    seen = np.isfinite(maps)
    count = _sums(seen.astype(np.float64))
    return _sums(np.where(seen, maps, 0).astype(np.float64)) / np.maximum(count, 1)


def drawn_places(places: np.ndarray, seed: int) -> np.ndarray:
    """Random sample of at most `PIXELS` of the novelties (n,), for a threshold."""
    return places[np.random.default_rng([seed, 1]).permutation(len(places))[:PIXELS]]


def held_out(groups: np.ndarray, seed: int) -> np.ndarray:
    """Mask (t,) of held-out rows: whole random groups, at least a tenth of the rows, never all groups."""
    names, index = np.unique(groups, return_inverse=True)
    sizes = np.bincount(index)
    order = np.random.default_rng([seed, 3]).permutation(len(names))  # a stream of its own; [seed, 0] would equal seed
    enough = int(np.searchsorted(np.cumsum(sizes[order]), HELD_OUT * len(groups) - 1e-9)) + 1
    return np.isin(index, order[: min(enough, len(names) - 1)])


def _sums(values: np.ndarray) -> np.ndarray:
    """Sums (t, h, w) over 3 x 3 pixels, 0 beyond the border."""
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]


def _normal(tiles: np.ndarray, seen: np.ndarray, groups: Any) -> tuple[np.ndarray, ...]:
    """Tiles with seen pixels, their masks and groups."""
    t, kept = len(tiles), seen.any(axis=(1, 2))
    owners = np.arange(t) if groups is None else np.asarray(groups)
    if owners.shape != (t,):
        raise InputError(
            f"groups have the shape {owners.shape} for {t} tiles. Expected ({t},). Give one group per tile."
        )
    return tiles[kept], seen[kept], owners[kept]
