"""ShapeEncoder: embeddings of clouds, with a network from the registry."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Literal, cast, get_args

import numpy as np
import torch

from openshape_ood.checks import check_choice, check_seed
from openshape_ood.encoders.devices import exact, find_device
from openshape_ood.encoders.encoding import CloudEncoder, progress_bar
from openshape_ood.encoders.ensemble import ShapeEnsemble
from openshape_ood.encoders.grouping.samplers import Sampler, find_grouping
from openshape_ood.encoders.pipeline import overlapped
from openshape_ood.encoders.protocols import STAGES, Identity, Patches, Stage, StagedNetwork
from openshape_ood.encoders.shared_encoder import load_encoder, save_encoder
from openshape_ood.errors import InputError
from openshape_ood.registry.ensembles import check_no_file
from openshape_ood.registry.names import find_checkpoint, is_registered
from openshape_ood.registry.rows import Row
from openshape_ood.registry.sharing import Shared, is_shared, shared_path
from openshape_ood.registry.weights import load_network
from openshape_ood.shapes.batches import prepared_batches
from openshape_ood.shapes.points import in_order, same_size
from openshape_ood.shapes.shape import list_shapes, resolve_ups

Precision = Literal["float32", "bfloat16", "float16"]
PRECISIONS = get_args(Precision)


class ShapeEncoder(CloudEncoder, Shared):
    """Frozen encoder of clouds, meshes and files.

    If a process encodes with two or more threads and then forks, the forked process hangs in torch when it encodes.
    Spawned processes work.

    Attributes
    ----------
    identity : Identity
        Name in the registry, embedding space, and sha256 of the weights.
    dim : int
        Width d of the embeddings.
    spec : CloudSpec
        Number of points of a resampled cloud, gravity axis of the training, and gray value for clouds without color.
    temperature : float or None
        Divisor of the cosines between shapes and text in training. None if the file does not contain it.
    row, network, device, precision
        Registry row, torch module, its device, and the data type of its matrix products.
    """

    shared_file: ClassVar[str] = "encoder.safetensors"

    def __init__(
        self,
        row: Row,
        network: Any,
        sha256: str,
        device: torch.device,
        temperature: float | None = None,
        precision: Precision = "float32",
    ) -> None:
        self.row = row
        self.identity = Identity(row.name, row.text.space, sha256)
        self.dim = row.sizes.embedding_dim
        self.spec = row.spec
        self.device = device
        self.temperature = temperature
        self.precision = precision
        network.eval().requires_grad_(False)
        if hasattr(network, "prepare"):
            network.prepare(getattr(torch, precision))
        elif precision != "float32":
            raise InputError(
                f"precision is {precision!r}, but the architecture {row.architecture!r} runs only in float32. "
                "Expected float32. Leave precision out."
            )
        self.network = network.to(device)

    @classmethod
    def from_pretrained(
        cls,
        name: str = "vitb32",
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        registry: str | os.PathLike[str] | None = None,
        device: str | torch.device | None = None,
        sampler: Sampler = "auto",
        precision: Precision = "float32",
        revision: str = "main",
    ) -> ShapeEncoder:
        """Load an encoder. The hash of the file is checked, keys are loaded strictly, and the network is in eval mode.

        Parameters
        ----------
        name, registry : str and path, optional
            Name in the packaged registry or in your own, as in `list_checkpoints`. Several different names joined by +
            give an ensemble (see `encoders.ensemble`). Their order does not matter. A folder of `save_pretrained` or
            "owner/name" on the Hub is also accepted.
        checkpoint : path, optional
            File of weights that replaces the registered file; not for ensembles. `identity` contains its hash.
        device : str or torch.device, optional
            Default: CUDA, then MPS, then the CPU.
        sampler : {"auto", "torch", "triton", "dgl"}
            Implementation of the sampling of patches. All implementations give the same embeddings. "auto" is Triton on
            a supported GPU, else torch. OPENSHAPE_OOD_NO_TRITON=1 disables Triton.
        precision : {"float32", "bfloat16", "float16"}
            Data type of the matrix products. Patches are always sampled in float32. Only "float32", the default, gives
            a shape the same embedding in every batch.
        revision : str
            Branch, tag or commit of a repository "owner/name".

        Raises
        ------
        InputError, RegistryError, CheckpointError
            For an invalid argument, registry or file, or a failed download.

        Examples
        --------
        >>> ShapeEncoder.from_pretrained("tiny", device="cpu")
        ShapeEncoder('tiny', d=192, device='cpu')
        """
        check_choice(precision, "precision", PRECISIONS)
        target = find_device(device)
        if checkpoint is None and is_shared(name) and not is_registered(name, registry):
            made = load_encoder(shared_path(name, cls.shared_file, revision), registry)
            if hasattr(made.network, "grouping"):
                made.network.grouping = find_grouping(sampler, target)
            return cls(made.row, made.network, made.sha256, target, made.temperature, precision)
        row = find_checkpoint(name, registry)
        if row.members:
            check_no_file(row, checkpoint)
            how: dict[str, Any] = {"registry": registry, "device": device, "sampler": sampler, "precision": precision}
            # it has all public attributes of a ShapeEncoder except `network`
            return cast(ShapeEncoder, ShapeEnsemble([cls.from_pretrained(one.name, **how) for one in row.members]))
        grouping = find_grouping(sampler, target)
        network, sha256, temperature = load_network(row, checkpoint)
        if hasattr(network, "grouping"):
            network.grouping = grouping
        return cls(row, network, sha256, target, temperature, precision)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write network, sizes and cloud settings to one .safetensors file atomically.

        Raises
        ------
        InputError
            If the weights belong to a registered checkpoint, or the precision is not float32.
        FileError
            If the file cannot be written.
        """
        if self.precision != "float32":
            raise InputError(
                f"precision is {self.precision!r}. Expected float32, the type of saved weights. "
                "Load the encoder again without precision=."
            )
        return save_encoder(path, self.row, self.network, self.identity.sha256, self.temperature)

    def card_facts(self) -> dict[str, Any]:
        """Rows of the model card."""
        return {
            "title": f"{self.row.name}, an encoder of 3D shapes",
            "architecture": self.row.architecture,
            "embedding": self.dim,
            "points": f"{self.spec.count}, {self.spec.up} up",
            "embedding space": self.identity.space,
            "sha256 of the weights": self.identity.sha256,
            "licence": self.row.licence,
        }

    def encode_patches(
        self,
        shapes: Any,
        *,
        stage: Stage = "tokens",
        up: str | Sequence[str] = "file",
        seed: int = 0,
        batch_size: int = 32,
        progress: bool = False,
    ) -> Patches:
        """Features of the p patches of each shape.

        Parameters
        ----------
        shapes, up, seed, batch_size, progress
            As in `encode`, with the same errors.
        stage : {"tokens", "projected", "local"}
            "tokens" are the output of the last block, before the projection. "projected" are the tokens after the
            projection, with w = d; they can be compared with embeddings of names. "local" are features that depend only
            on the points of the patch, from before the transformer.

        Returns
        -------
        Patches
            Features (b, p, w) float32 and centers (b, p, 3), for clouds with mean 0 and largest norm 1.

        Raises
        ------
        InputError
            As in `encode`, and if the architecture has no features of patches.

        Examples
        --------
        >>> from openshape_ood.synthetic import sample
        >>> patches = ShapeEncoder.from_pretrained("tiny").encode_patches(sample("chair", 500, seed=1))
        >>> patches.features.shape, patches.centers.shape
        ((1, 48, 128), (1, 48, 3))
        """
        listed = list_shapes(shapes)
        ups = resolve_ups(up, listed)
        check_seed(seed)
        check_choice(stage, "stage", STAGES)
        if not hasattr(self.network, "patches"):
            what = f"{self.identity.checkpoint}: its architecture {self.row.architecture!r}"
            raise InputError(
                f"{what} has no features of patches. Expected an architecture with patches. "
                "Use an encoder such as vitb32."
            )
        encoded: list[tuple[np.ndarray, ...]] = []
        prepared = prepared_batches(listed, ups, [seed], batch_size, self.spec)
        with closing(prepared) as batches, progress_bar(len(listed), progress) as bar:
            for clouds in batches:
                alike, stacks = same_size(clouds)
                with torch.inference_mode(), exact(self.device):
                    parts = [self.network.patches(torch.from_numpy(one).to(self.device), stage) for one in stacks]
                columns = zip(*([column.float().cpu().numpy() for column in part] for part in parts), strict=True)
                encoded.append(tuple(in_order(alike, column) for column in columns))
                bar.update(len(clouds))
        features, centers, *radii = (np.concatenate(column) for column in zip(*encoded, strict=True))
        return Patches(features, centers, radii[0] if radii else self.network.radius)

    def _encode_stacks(self, stacks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """On a CUDA device, stacks are sampled in advance."""
        if self.device.type == "cuda" and isinstance(self.network, StagedNetwork):
            yield from overlapped(self.network, stacks, self.device)
            return
        for clouds in stacks:
            with torch.inference_mode(), exact(self.device):
                embeddings = self.network(torch.from_numpy(clouds).to(self.device))
            yield embeddings.cpu().numpy()

    def __repr__(self) -> str:
        return f"ShapeEncoder({self.identity.checkpoint!r}, d={self.dim}, device={str(self.device)!r})"
