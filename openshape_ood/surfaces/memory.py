"""PatchMemory: memory bank of patch features of normal images (PatchCore)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openshape_ood.checks import check_seed
from openshape_ood.encoders.devices import exact, find_device
from openshape_ood.errors import CheckpointError, InputError, MissingPackageError, UnknownNameError
from openshape_ood.registry.weights import fill
from openshape_ood.scoring.neighbors import nearest, spread_out
from openshape_ood.surfaces.networks import imagenet
from openshape_ood.surfaces.reconstructor import Reconstructor, Training

NAMED, GIVEN = "backbone.", "given"
PROJECTED = 64  # width to which features are projected for the selection of patches
MOST_SIDES = 1 << 26  # maximum number of comparisons: selected patches times all patches


@dataclass(eq=False, repr=False)
class PatchMemory(Reconstructor):
    """Memory bank of patches of normal tiles. The novelty of a patch is its distance to the nearest stored patch.

    Nothing is trained. The features of several layers of an image network are averaged over 3 x 3 neighbors and
    concatenated. A well-spread subset is stored.

    Parameters
    ----------
    backbone : str or torch.nn.Module
        Name of a timm network, or a module that maps tiles (t, c, h, w) to one or several maps (t, d, h', w'). For a
        timm network, tiles of three channels get ImageNet's normalization; other tiles stay unchanged.
    pretrained : bool
        Load timm's pretrained weights. If False, the weights are random and depend on the seed only.
    layers : tuple of int
        Indices of timm's feature maps, from 0.
    keep : float
        Fraction of patches to store, above 0, at most 1.
    pooling, coverage, pixel_coverage
        As in `Reconstructor`.
    device : str, optional
        Default: the best available.

    Raises
    ------
    MissingPackageError
        From `fit`, without timm.

    References
    ----------
    Roth et al., PatchCore, arXiv 2106.08265.
    """

    method = "memory"

    backbone: str | nn.Module = "resnet18"
    _: KW_ONLY
    pretrained: bool = True
    layers: tuple[int, ...] = (2, 3)
    keep: float = 0.1
    device: str | None = None

    def _check_params(self) -> None:
        super()._check_params()
        if isinstance(self.keep, bool) or not isinstance(self.keep, int | float) or not 0 < self.keep <= 1:
            raise InputError(
                f"keep is {self.keep!r}. Expected a fraction of the patches, above 0 and at most 1. Give keep=0.1, for "
                "example."
            )

    def _learn(self, tiles: np.ndarray, seen: np.ndarray, seed: int, training: Training) -> None:
        self.network_ = self._network(self.pretrained, seed).to(find_device(self.device)).eval()
        step = max(1, (1 << 20) // tiles[0].size)
        batches = [self._patches(tiles[i : i + step], seen[i : i + step]) for i in range(0, len(tiles), step)]
        rows = np.concatenate([features[shown] for features, shown in batches])
        self.rows_ = rows[chosen(rows, self.keep, seed)]

    def _network(self, pretrained: bool, seed: int) -> nn.Module:
        if isinstance(self.backbone, nn.Module):
            return self.backbone
        how = {"features_only": True, "in_chans": self.shape_[0], "out_indices": self.layers}
        return timm_network(self.backbone, pretrained, seed, **how)

    def _patches(self, tiles: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features (t, h', w', d) of the patches, and mask (t, h', w') of patches with seen pixels."""
        device = find_device(self.device)
        x = torch.from_numpy(tiles).to(device)
        with torch.inference_mode(), exact(device):
            maps = self.network_(imagenet(x) if isinstance(self.backbone, str) and x.shape[1] == 3 else x)
        maps = [maps] if isinstance(maps, Tensor) else list(maps)
        if not maps or any(one.ndim != 4 or len(one) != len(tiles) for one in maps):
            raise InputError(
                "the backbone gives no maps (t, d, h', w'). Expected one map or several. Give a network without its "
                "last layers."
            )
        side = max((tuple(one.shape[2:]) for one in maps), key=math.prod)
        means = [F.avg_pool2d(one.float(), 3, 1, 1) for one in maps]
        joined = torch.cat([F.interpolate(one, side, mode="bilinear", align_corners=False) for one in means], 1)
        shown = F.adaptive_avg_pool2d(torch.from_numpy(seen).float()[:, None], side)[:, 0].numpy() > 0
        return joined.movedim(1, -1).cpu().numpy(), shown

    def _residual(self, tiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
        features = np.concatenate([self._patches(tiles[i : i + 1], seen[i : i + 1])[0] for i in range(len(tiles))])
        t, h, w, d = features.shape
        distance = nearest(features.reshape(-1, d), self.rows_, metric="euclidean")[0].reshape(t, 1, h, w)
        maps = F.interpolate(torch.from_numpy(distance), self.shape_[1:], mode="bilinear", align_corners=False)
        return maps[:, 0].numpy().astype(np.float32)

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        tensors = {f"{NAMED}{key}": one.cpu().numpy() for key, one in self.network_.state_dict().items()}
        return {GIVEN: not isinstance(self.backbone, str)}, {"rows": self.rows_, **tensors}

    def _restore(self, state: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self.rows_ = arrays["rows"].astype(np.float32)
        if self.rows_.ndim != 2 or not self.rows_.size:
            raise ValueError(f"its patches are {self.rows_.shape}")
        if state[GIVEN] and isinstance(self.backbone, str):
            raise InputError(
                "the file lacks the backbone, because it is your own module. Expected the module. Give it again: "
                "load_reconstructor(path, backbone=...)."
            )
        tensors = {k.removeprefix(NAMED): torch.from_numpy(v) for k, v in arrays.items() if k.startswith(NAMED)}
        if not state[GIVEN]:
            with torch.device("meta"):  # checked before memory is allocated, because a file may declare a huge network
                fill(self._network(False, 0), tensors)
        network = self._network(False, 0)
        fill(network, tensors)
        self.network_ = network.to(find_device(self.device)).eval()


def timm_network(name: str, pretrained: bool, seed: int, **how: Any) -> nn.Module:
    """Network of timm. Without pretrained weights it depends on the seed only.

    Raises `UnknownNameError` for an unknown name, `CheckpointError` for unavailable weights.
    """
    try:
        import timm
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "backbones by name are not available. Expected the package timm. Run pip install 'openshape-ood[surfaces]'."
        ) from error
    if not timm.is_model(name.partition(".")[0]):
        raise UnknownNameError(
            f"timm has no network {name!r}. Expected a name from timm.list_models(). Give another name, or a module."
        )
    make: Callable[..., Any] = timm.create_model
    with torch.random.fork_rng():
        torch.manual_seed(check_seed(seed))
        try:
            return make(name, pretrained=pretrained, **how)
        except Exception as error:  # the Hub or its files fail, or the tag is unknown
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            if not pretrained:
                raise InputError(
                    f"timm cannot build {name!r}: {reason:.200}. Expected settings of this network. Change the "
                    "settings."
                ) from error
            raise CheckpointError(
                f"the weights of {name!r} cannot be loaded: {reason:.200}. Expected a network connection for the first "
                "run. Connect, or give a module with your own weights, or pretrained=False (finds less damage)."
            ) from error


def chosen(rows: np.ndarray, keep: float, seed: int) -> np.ndarray:
    """Indices of a fraction `keep` of the rows (m, d), selected one by one: next is the row farthest from all selected.

    If there are too many rows to compare, the selection is from a random subset.
    """
    if keep == 1:
        return np.arange(len(rows))
    count, rng = max(1, round(keep * len(rows))), np.random.default_rng([seed, 4])
    some = np.sort(rng.permutation(len(rows))[: max(count, MOST_SIDES // count)])
    projection = rng.standard_normal((rows.shape[1], min(PROJECTED, rows.shape[1])))
    return some[spread_out((rows[some] @ projection).astype(np.float32), count)]
