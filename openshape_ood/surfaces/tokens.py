"""Reconstructors of a shape encoder's patch tokens: each token is rebuilt from itself and its position.

Letters: b shapes of p tokens of width w, n points. All tokens must be from `encode_patches` of one encoder and stage.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from openshape_ood.checks import array, check_whole
from openshape_ood.encoders.devices import exact, find_device
from openshape_ood.encoders.protocols import Patches
from openshape_ood.errors import InputError
from openshape_ood.novelty_map import Elements, NoveltyMap
from openshape_ood.scoring.neighbors import nearest
from openshape_ood.surfaces.competition import (
    Recipe,
    Weights,
    check_recipe,
    loaded_units,
    new_units,
    reported,
    train,
)
from openshape_ood.surfaces.reconstructor import Reconstructor, Training, pooled

TOP = 0.05  # a shape's novelty is the mean over this fraction of its most novel tokens
NEAR = 3  # centers from which the novelty of a point is interpolated


@dataclass(eq=False, repr=False, kw_only=True)
class Tokens(Reconstructor):
    """Reconstructor of `Patches`, which are features (b, p, w) and centers (b, p, 3). Novelty has the shape (b, p).

    Parameters
    ----------
    pooling : {"top", "max", "mean"}
        Score of a shape: mean of its most novel twentieth (at least one token), maximum, or mean of all tokens.
    coverage, pixel_coverage : float
        Fraction of normal shapes below `threshold_`, and fraction of their tokens below `pixel_threshold_`.
    """

    poolings = ("top", "max", "mean")

    pooling: str = "top"

    def novelty(self, tiles: Any, mask: Any = None) -> np.ndarray:
        """Novelty (b, p) float32 of each token of `Patches`."""
        return super().novelty(tiles, mask)[:, :, 0]

    def localize(self, tile: Any, mask: Any = None, *, name: str = "the shape", points: Any = None) -> NoveltyMap:
        """Novelty map of the points of one shape.

        Parameters
        ----------
        tile : Patches
            Patches of one shape.
        points : array (n, 3|6), optional
            Points in the frame of the centers. Their novelty is interpolated from the three nearest centers, weighted
            by inverse distance. Default: the centers.
        """
        token_novelty = self.novelty(tile, mask)
        if len(token_novelty) != 1:
            raise InputError(
                f"given are the patches of {len(token_novelty)} shapes. Expected one shape. Call localize for each one."
            )
        centers = np.asarray(tile.centers[0], dtype=np.float64)
        cloud = centers if points is None else array(points, "points", "nd")
        novelty = interpolated(cloud[:, :3], centers, token_novelty[0].astype(np.float64))
        return self._map(Elements("points", cloud), novelty, name)

    def _checked(self, tiles: Any, mask: Any) -> tuple[np.ndarray, np.ndarray]:
        """Tokens and centers, concatenated to tiles (b, w + 3, p, 1), and a mask that is True everywhere."""
        if not isinstance(tiles, Patches):
            raise InputError(
                f"tokens are of type {type(tiles).__name__}. Expected Patches. Give the result of `encode_patches`."
            )
        if mask is not None:
            raise InputError("a mask is given, but tokens have none. Expected mask=None. Leave missing tokens out.")
        features, centers = array(tiles.features, "features", "bpw"), array(tiles.centers, "centers", "bpd")
        if centers.shape != (*features.shape[:2], 3):
            raise InputError(
                f"centers are {centers.shape} for features {features.shape}. Expected (b, p, 3). Give one center per "
                "token."
            )
        both = np.concatenate([features, centers], axis=2).astype(np.float32)
        return np.moveaxis(both, 2, 1)[..., None], np.ones((len(both), both.shape[1], 1), dtype=bool)

    def pooled(self, maps: np.ndarray) -> np.ndarray:
        rows = maps.reshape(len(maps), -1)
        if self.pooling == "mean":
            return pooled(rows[..., None], "mean")
        count = 1 if self.pooling == "max" else max(1, round(TOP * rows.shape[1]))
        return np.sort(rows, axis=1)[:, -count:].mean(axis=1)

    def _split(self, tiles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tokens (b p, w) and their positions (b p, 3)."""
        rows = np.moveaxis(tiles[..., 0], 1, 2).reshape(-1, tiles.shape[1])
        return rows[:, :-3], np.ascontiguousarray(rows[:, -3:])

    def _learn(self, tiles: np.ndarray, seen: np.ndarray, seed: int, training: Training) -> None:
        rows, places = self._split(tiles)
        self.mean_ = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.spread_ = np.maximum(rows.std(axis=0, dtype=np.float64), 1e-6).astype(np.float32)
        self._learn_rows((rows - self.mean_) / self.spread_, places, seed, training)

    def _residual(self, tiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
        rows, places = self._split(tiles)
        rest = self._rest((rows - self.mean_) / self.spread_, places)
        return np.abs(rest).mean(axis=1).reshape(len(tiles), -1, 1)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, {"mean": self.mean_, "spread": self.spread_}

    def _restore(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self.mean_, self.spread_ = (arrays[name].astype(np.float32) for name in ("mean", "spread"))
        if not self.mean_.shape == self.spread_.shape == (self.shape_[0] - 3,):
            raise ValueError(f"its mean is {self.mean_.shape}")

    @abstractmethod
    def _learn_rows(self, rows: np.ndarray, places: np.ndarray, seed: int, training: Training) -> None:
        """Learn standardized tokens (m, w) at positions (m, 3)."""

    @abstractmethod
    def _rest(self, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Residual of standardized tokens (m, w); for several units the mean (m, w)."""


@dataclass(eq=False, repr=False)
class TokenPCA(Tokens):
    """Residual of a token after projection on the first principal components of all normal tokens.

    Use it as the baseline for `TokenReconstructor`.

    Parameters
    ----------
    components : int
        Number of components. With 0, the residual is the difference from the mean token.
    pooling, coverage, pixel_coverage
        As in `Tokens`.
    """

    method = "token-pca"

    components: int = 12

    def _check_params(self) -> None:
        super()._check_params()
        check_whole(self.components, "components", least=0)

    def _learn_rows(self, rows: np.ndarray, places: np.ndarray, seed: int, training: Training) -> None:
        from sklearn.decomposition import PCA

        count = min(self.components, *rows.shape)
        axes = PCA(count, random_state=seed).fit(rows).components_ if count else np.empty((0, rows.shape[1]))
        self.axes_ = np.ascontiguousarray(axes, dtype=np.float32)

    def _rest(self, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
        return np.asarray(rows - rows @ self.axes_.T @ self.axes_)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        state, arrays = super()._state()
        return state, arrays | {"axes": self.axes_}

    def _restore(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(state, arrays)
        self.axes_ = arrays["axes"].astype(np.float32).reshape(-1, len(self.mean_))


@dataclass(eq=False, repr=False)
class TokenReconstructor(Tokens):
    """Auto-encoders of tokens and their positions, trained with or without competition.

    Outputs are unbounded, so competition needs a margin. Competition is off by default, because it takes time and does
    not improve the result.

    Parameters
    ----------
    units, hidden, bottleneck : int
        Number of units, and widths of their hidden and bottleneck layers.
    weights, margin, steps, batch, rate
        As in `CompetitiveReconstructor`; a batch consists of tokens.
    pooling, coverage, pixel_coverage
        As in `Tokens`.
    device : str, optional
        Default: the best available.

    Raises
    ------
    InputError
        From `fit`, if the training diverges.
    """

    method = "tokens"

    units: int = 4
    _: KW_ONLY
    hidden: int = 128
    bottleneck: int = 12
    weights: Weights = (1.0, 0.0, 0.0)
    margin: float | None = 0.2
    steps: int = 600
    batch: int = 512
    rate: float = 2e-3
    device: str | None = None

    def _check_params(self) -> None:
        super()._check_params()
        for name in ("units", "hidden", "bottleneck"):
            check_whole(getattr(self, name), name)
        check_recipe(self._recipe())

    def _recipe(self) -> Recipe:
        settings = {name: getattr(self, name) for name in ("weights", "margin", "steps", "batch", "rate")}
        return Recipe(corruption=None, **settings)

    def _learn_rows(self, rows: np.ndarray, places: np.ndarray, seed: int, training: Training) -> None:
        device = find_device(self.device)
        units = new_units(lambda: self._unit(rows.shape[1]), self.units, seed).to(device)
        x, context = torch.from_numpy(rows), (torch.from_numpy(places),)
        with exact(device), reported(training.progress, self.steps) as report:
            self.history_, ranking = train(
                units, x, self._recipe(), seed, context=context, report=report, state=training.state
            )
        # units that were in no pair are untrained
        self.units_ = nn.ModuleList(units[k] for k in ranking.trained)

    def _unit(self, width: int) -> TokenUnit:
        return TokenUnit(width, self.hidden, self.bottleneck)

    def _rest(self, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
        device = find_device(self.device)
        x, where = (torch.from_numpy(one).to(device) for one in (rows, places))
        with torch.inference_mode(), exact(device):
            return torch.stack([(x - unit(x, where)).abs() for unit in self.units_]).mean(dim=0).cpu().numpy()

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        state, arrays = super()._state()
        tensors = {f"units.{name}": one.cpu().numpy() for name, one in self.units_.state_dict().items()}
        return state | {"units": len(self.units_)}, arrays | tensors

    def _restore(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(state, arrays)
        tensors = {k.removeprefix("units."): torch.from_numpy(v) for k, v in arrays.items() if k.startswith("units.")}
        units = loaded_units(lambda: self._unit(len(self.mean_)), int(state["units"]), tensors)
        self.units_ = units.to(find_device(self.device)).eval().requires_grad_(False)


class TokenUnit(nn.Module):
    """Auto-encoder of tokens (m, w) at positions (m, 3), with a bottleneck and a linear output."""

    def __init__(self, width: int, hidden: int, bottleneck: int) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Linear(width + 3, hidden), nn.GELU(), nn.Linear(hidden, bottleneck))
        self.up = nn.Sequential(nn.Linear(bottleneck + 3, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, tokens: Tensor, places: Tensor) -> Tensor:
        inner = self.down(torch.cat([tokens, places], 1))
        return self.up(torch.cat([inner, places], 1))


def interpolated(points: np.ndarray, centers: np.ndarray, novelty: np.ndarray) -> np.ndarray:
    """Novelty (n,) of points (n, 3): mean of the three nearest centers (p, 3), weighted by inverse distance.

    novelty (p,): novelty of each center.

    Examples
    --------
    >>> centers = np.array([[0.0, 0, 0], [1, 0, 0], [9, 0, 0]])
    >>> interpolated(np.array([[0.0, 0, 0], [0.5, 0, 0]]), centers, np.array([1.0, 3.0, 3.0])).round(2).tolist()
    [1.0, 2.03]
    """
    distance, index = nearest(points, centers, min(NEAR, len(centers)), metric="euclidean")
    weights = 1 / (distance + 1e-9 * max(1.0, float(distance.max())))
    return (novelty[index] * weights).sum(axis=1) / weights.sum(axis=1)
