"""PointEncoder: an embedding for every point of a scan, with a sparse network from the registry."""

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

BLOCK = 1 << 14  # voxels embedded at once
KIND = "points"
BACKENDS = ("torch", "spconv")
FLOOR = 0.02  # quantile of the heights of voxels that is taken as the floor


@dataclass(frozen=True, eq=False)
class VoxelEmbeddings:
    """Embeddings of the v voxels of a scan of n points, in blocks: those of a million voxels may take 3 GB.

    features (v, w): input of the network's last layer; embed: last layer, from features (b, w) to embeddings (b, d);
    inverse (n,) int64: voxel of each point; touching: pairs of voxels that share a face, an edge or a corner.
    """

    features: Tensor
    embed: Callable[[Tensor], Tensor]
    inverse: np.ndarray
    touching: KernelMap = field(repr=False)

    def __len__(self) -> int:
        return len(self.features)

    def blocks(self, size: int = BLOCK) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield slices of the voxels with their embeddings (b, d) float32."""
        with torch.inference_mode(), exact(self.features.device):
            for start in range(0, len(self), size):
                rows = slice(start, start + size)
                yield rows, self.embed(self.features[rows]).float().cpu().numpy()

    def of_points(self) -> np.ndarray:
        """Embeddings (n, d) float32 of all points."""
        return np.concatenate([block for _, block in self.blocks()])[self.inverse]


class ProjectedNames:
    """Text encoder with a projection to the feature width; the network's weight file holds the projection."""

    def __init__(self, text: NamesEncoder, projection: Any, identity: Identity) -> None:
        self.text, self.projection = text, projection
        self.identity = Identity(identity.checkpoint, identity.space)

    def encode(self, names: Sequence[str]) -> np.ndarray:
        """Unit vectors (k, d) of k class names."""
        weight = self.projection.weight
        vectors = torch.from_numpy(np.asarray(self.text.encode(names), dtype=np.float32)).to(weight.device)
        with torch.inference_mode(), exact(weight.device):
            projected = torch.nn.functional.normalize(vectors @ weight[:, :, 0].T + self.projection.bias, dim=1)
        return projected.cpu().numpy()


class PointEncoder:
    """Frozen encoder of scans: one embedding per point, in the space of a text encoder.

    Attributes
    ----------
    identity : Identity
        Name in the registry, embedding space, and sha256 of the weights.
    dim : int
        Width d of the embeddings.
    spec : ScanSpec
        Voxel side in meters, kind of network input, and description of the class names of its training.
    temperature : float or None
        Divisor of cosines with text during training; None if the file does not state it.
    row, network, device, backend
        Registry row, bare torch module, its device, backend of its convolutions.
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
        # projected names have a separate embedding space
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
        """Load a point encoder, with a strict check of the file's keys, in evaluation mode.

        Parameters
        ----------
        name, registry : str and path, optional
            Name in `list_checkpoints(registry, kind="points")`.
        checkpoint : path, optional
            File in place of the registered one; its hash is recorded in `identity`. The authors of `lground-34c` and
            `lground-34d` provide the files on request: pass them here, or store them with
            `openshape-ood checkpoints add FILE --as NAME`.
        device : str or torch.device, optional
            Default: CUDA, then MPS, then the CPU.
        backend : str
            "torch" runs everywhere. "spconv", an optional package, computes the convolutions on CUDA or a CPU; its
            embeddings differ by rounding, possibly also between runs.

        Returns
        -------
        PointEncoder

        Raises
        ------
        InputError
            For an invalid name, device or backend.
        MissingPackageError
            For missing spconv.
        RegistryError, CheckpointError
            For an invalid registry or file, and for a failed download.
        """
        row, target = find_checkpoint(name, registry, kinds=(KIND,)), find_device(device)
        check_choice(backend, "backend", BACKENDS)
        if backend == "spconv":
            load_spconv(target)  # before anything is downloaded
        network, sha256, temperature = load_network(row, checkpoint)
        return cls(row, network, sha256, target, temperature, backend)

    def text(self, **settings: Any) -> NamesEncoder:
        """Text encoder of the embedding space; settings as in `TextEncoder.from_pretrained`.

        Raises
        ------
        InputError
            If text and features differ in width, and the file has no projection.
        """
        text = TextEncoder.of(self.row, **{"device": self.device, **settings})
        if text.dim == self.dim:
            return text
        projection = getattr(self.network, "projection_layer", None)
        if projection is None:
            raise InputError(
                f"{self.identity.checkpoint} gives {self.dim} numbers per point, but names have {text.dim}, and its "
                "file has no projection of names (projection_layer). Expected known classes by example points. Give "
                "KnownClasses.from_embeddings(encoder.encode_points(scene)[rows], labels, encoder.identity), or use "
                "another encoder."
            )
        return ProjectedNames(text, projection, self.identity)

    def encode_points(self, scene: Scene) -> np.ndarray:
        """Embedding of every point of a scan.

        Parameters
        ----------
        scene : Scene
            n points in meters, z up. Points of one voxel share an embedding, computed from the first point.

        Returns
        -------
        array (n, d) float32
            Not normalized. The order of the points determines only which point of a voxel is the first. A shift of the
            scan changes the vectors unless it is a multiple of 16 voxels, because the grid starts at the origin.

        Raises
        ------
        InputError
            For an argument that is no `Scene`, and for a scan that extends over too many voxels.
        """
        return self.encode_voxels(scene).of_points()

    def encode_voxels(self, scene: Scene) -> VoxelEmbeddings:
        """Embeddings of the scan's voxels, computed on demand; `encode_points` copies them to the points.

        Warns with `ScanWarning` if the points are too sparse for the voxels, or if gray replaces a missing color.
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
            what = (
                f"{scene.name} has no color, but {self.identity.checkpoint} was trained with color. All points become"
            )
            warnings.warn(f"{what} gray. Use an encoder of geometry alone.", ScanWarning, stacklevel=4)
        return voxel_numbers(scene, first, self.spec.input, self.row.sizes.channels)

    def __repr__(self) -> str:
        return f"PointEncoder({self.identity.checkpoint!r}, d={self.dim}, device={str(self.device)!r})"


def voxel_numbers(scene: Scene, first: np.ndarray, kind: str, channels: int = 3) -> np.ndarray:
    """Network input (v, c) float32 of voxels. kind: `ScanSpec.input`; a missing color is gray."""
    if kind == "height-color":
        return height_and_color(scene, first)
    if kind == "color" and scene.color is not None:
        return scene.color[first] - np.float32(0.5)
    return np.full((len(first), channels), float(kind == "ones"), dtype=np.float32)


def height_and_color(scene: Scene, first: np.ndarray) -> np.ndarray:
    """Input (v, 5) float32 of voxels: 1, (height above the floor in meters) - 1, color in [-0.5, 0.5] or zeros."""
    height = scene.points[first, 2]
    # a few points below the floor are measurement errors
    above = np.clip(height - np.quantile(height, FLOOR) - 1, -1.5, 2.5)
    color = np.zeros((len(first), 3)) if scene.color is None else scene.color[first] - 0.5
    return np.column_stack([np.ones(len(first)), above, color]).astype(np.float32)
