"""PointEncoder: a row of the registry -> a file -> a sparse network -> an embedding of every point of a scan."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from openshape_ood.checks import check_choice
from openshape_ood.encoders.devices import exact, find_device
from openshape_ood.encoders.protocols import Identity, NamesEncoder
from openshape_ood.encoders.text.encoder import TextEncoder
from openshape_ood.errors import InputError
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.registry.rows import Row
from openshape_ood.registry.weights import load_network
from openshape_ood.scenes.scene import Scene, as_scene
from openshape_ood.scenes.sparse.grid import Grid, KernelMap
from openshape_ood.scenes.sparse.on_spconv import SpconvGrid, load_spconv
from openshape_ood.scenes.validation import ScanWarning, warn_if_sparse
from openshape_ood.scenes.voxels import voxelize

BLOCK = 1 << 14  # voxels that are embedded at once
KIND = "points"
BACKENDS = ("torch", "spconv")
FLOOR = 0.02  # of the voxels are lower than what is taken to be the floor


@dataclass(frozen=True, eq=False)
class VoxelEmbeddings:
    """Embeddings of the v voxels of a scan of n points, computed a block at a time: a million in 768 numbers are 3 GB.

    features (v, w): of the voxels before the network's last layer; embed: from some rows of them to embeddings (b, d);
    inverse (n,) int64: the voxel of each point; touching: which voxels touch, at a corner too.
    """

    features: Tensor
    embed: Callable[[Tensor], Tensor]
    inverse: np.ndarray
    touching: KernelMap = field(repr=False)

    def __len__(self) -> int:
        return len(self.features)

    def blocks(self, size: int = BLOCK) -> Iterator[tuple[slice, np.ndarray]]:
        """Slices of the voxels, and the embeddings (b, d) float32 of each."""
        with torch.inference_mode(), exact(self.features.device):
            for start in range(0, len(self), size):
                rows = slice(start, start + size)
                yield rows, self.embed(self.features[rows]).float().cpu().numpy()

    def of_points(self) -> np.ndarray:
        """Embeddings (n, d) float32 of all points."""
        return np.concatenate([block for _, block in self.blocks()])[self.inverse]


class ProjectedNames:
    """Names through the projection that some files bring: unit text vectors, made as wide as the features."""

    def __init__(self, text: NamesEncoder, projection: Any, identity: Identity) -> None:
        self.text, self.projection = text, projection
        self.identity = Identity(identity.checkpoint, identity.space)

    def encode(self, names: Sequence[str]) -> np.ndarray:
        """Unit vectors (k, d) of k class names."""
        weight = self.projection.weight
        vectors = torch.from_numpy(np.asarray(self.text.encode(names), dtype=np.float32)).to(weight.device)
        with torch.inference_mode(), exact(weight.device):
            found = torch.nn.functional.normalize(vectors @ weight[:, :, 0].T + self.projection.bias, dim=1)
        return found.cpu().numpy()


class PointEncoder:
    """A frozen encoder of scans: an embedding a point, beside which names can be held.

    Attributes
    ----------
    identity : Identity
        Its name in the registry, its embedding space and the sha256 of its weights.
    dim : int
        d, the width of its embeddings.
    spec : ScanSpec
        Side of its voxels in meters, what a voxel is given, and the list of names that it was published with.
    temperature : float or None
        What cosines with text were divided by in training, where the file says so.
    row, network, device, backend
        All that the registry says, the bare torch module, where it runs, and what computes its convolutions.
    """

    def __init__(
        self,
        row: Row,
        network: Any,
        sha256: str,
        device: torch.device,
        temperature: float | None = None,
        backend: str = "torch",
    ) -> None:
        check_choice(backend, "backend", BACKENDS)
        self.row, self.device, self.temperature, self.backend = row, device, temperature, backend
        self.dim, self.spec = row.sizes.embedding_dim, row.scan
        # features that names reach by a projection only are in a space of their own
        space = row.text.space if row.text_dim == self.dim else f"{row.text.space}/{row.name}"
        self.identity = Identity(row.name, space, sha256)
        self.network = network.eval().requires_grad_(False).to(device)

    @classmethod
    def from_pretrained(
        cls,
        name: str = "tiny-points",
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        registry: str | os.PathLike[str] | None = None,
        device: str | torch.device | None = None,
        backend: str = "torch",
    ) -> PointEncoder:
        """The point encoder called `name`, ready to use: loaded strictly, in evaluation mode.

        Parameters
        ----------
        name, registry : str and path, optional
            A name of `list_checkpoints(registry, kind="points")`.
        checkpoint : path, optional
            A file to load in place of the registered one; its hash is recorded in `identity`. The files of
            `lground-34c` and `lground-34d` are to be had from their authors only: give them here, or keep them by
            `openshape-ood checkpoints add FILE --as NAME`.
        device : str or torch.device, optional
            None takes CUDA, then MPS, then the CPU.
        backend : str
            "torch" runs anywhere. "spconv", an optional package, computes the convolutions of the same weights on
            CUDA, or on a CPU; its embeddings differ by rounding, and need not be the same to the bit in each run.

        Returns
        -------
        PointEncoder

        Raises
        ------
        InputError
            A name, device or backend that cannot be used.
        MissingPackageError, RegistryError, CheckpointError
            No spconv for the device; the registry; the file, or what kept a download from succeeding.
        """
        row, target = find_checkpoint(name, registry, kinds=(KIND,)), find_device(device)
        check_choice(backend, "backend", BACKENDS)
        if backend == "spconv":
            load_spconv(target)  # before anything is downloaded
        network, sha256, temperature = load_network(row, checkpoint)
        return cls(row, network, sha256, target, temperature, backend)

    def text(self, **settings: Any) -> NamesEncoder:
        """The text encoder that it was aligned with; settings as `TextEncoder.from_pretrained` takes them.

        Raises
        ------
        InputError
            Where text and features differ in width, and the file brought no projection.
        """
        text = TextEncoder.of(self.row, **{"device": self.device, **settings})
        if text.dim == self.dim:
            return text
        projection = getattr(self.network, "projection_layer", None)
        if projection is None:
            raise InputError(
                f"{self.identity.checkpoint} gives {self.dim} numbers a point, names have {text.dim}, and its file "
                "brings no projection of names (projection_layer). Give known classes by example points, "
                "KnownClasses.from_embeddings(encoder.encode_points(scene)[rows], labels, encoder.identity), or take "
                "another encoder"
            )
        return ProjectedNames(text, projection, self.identity)

    def encode_points(self, scene: Scene) -> np.ndarray:
        """An embedding of every point of a scan.

        Parameters
        ----------
        scene : Scene
            n points in meters, z up. Those of one voxel have the same embedding; the first of them stands for all.

        Returns
        -------
        array (n, d) float32
            Of any length; the same for the same scan, in another order but for which point of a voxel is first. Not the
            same for a scan that is moved by less than 16 voxels: the grid starts at the origin.

        Raises
        ------
        InputError
            For what is no `Scene`, and scans that reach over too many voxels to number.
        """
        return self.encode_voxels(scene).of_points()

    def encode_voxels(self, scene: Scene) -> VoxelEmbeddings:
        """The same a voxel, not computed to the end.

        Warns with `ScanWarning` where points are too far apart for the voxels, or a color that is missing is
        taken to be gray.
        """
        scene = as_scene(scene)
        warn_if_sparse(scene, self.spec.voxel, stacklevel=3)
        voxels = voxelize(scene.points, self.spec.voxel)
        coords = torch.from_numpy(np.pad(voxels.coords, ((0, 0), (1, 0)))).to(self.device)
        with torch.inference_mode(), exact(self.device):
            grid, order = Grid.of(coords)
            numbers = torch.from_numpy(self._input(scene, voxels.first)).to(self.device)
            cells = SpconvGrid.of(grid) if self.backend == "spconv" else grid
            features = self.network.features(numbers.index_select(0, order), cells)
            place = order.argsort().cpu().numpy()
        return VoxelEmbeddings(features, self.network.embed, place[voxels.inverse], grid.neighbors(3))

    def _input(self, scene: Scene, first: np.ndarray) -> np.ndarray:
        if self.spec.input == "color" and scene.color is None:
            what = f"{scene.name} has no color, and {self.identity.checkpoint} was trained with it: all is taken to be"
            warnings.warn(f"{what} gray. An encoder of geometry alone does better", ScanWarning, stacklevel=4)
        return voxel_numbers(scene, first, self.spec.input, self.row.sizes.channels)

    def __repr__(self) -> str:
        return f"PointEncoder({self.identity.checkpoint!r}, d={self.dim}, device={str(self.device)!r})"


def voxel_numbers(scene: Scene, first: np.ndarray, given: str, channels: int = 3) -> np.ndarray:
    """What a network is given of voxels (v, c) float32, by an input of the registry's [x.scan]; no color is gray."""
    if given == "height-color":
        return height_and_color(scene, first)
    if given == "color" and scene.color is not None:
        return scene.color[first] - np.float32(0.5)
    return np.full((len(first), channels), float(given == "ones"), dtype=np.float32)


def height_and_color(scene: Scene, first: np.ndarray) -> np.ndarray:
    """One, height in meters above the floor less 1, and color from -0.5 to 0.5 or zeros, of voxels (v, 5) float32."""
    height = scene.points[first, 2]
    # under the floor there are a few points that were measured wrongly
    above = np.clip(height - np.quantile(height, FLOOR) - 1, -1.5, 2.5)
    color = np.zeros((len(first), 3)) if scene.color is None else scene.color[first] - 0.5
    return np.column_stack([np.ones(len(first)), above, color]).astype(np.float32)
