"""ShapeEncoder: a row of the registry -> a file -> a network -> embeddings of clouds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from openshape_ood.checks import check_seed, given_path
from openshape_ood.devices import exact, find_device
from openshape_ood.encoders.grouping.samplers import SAMPLERS as SAMPLERS
from openshape_ood.encoders.grouping.samplers import Sampler, check_sampler, find_grouping
from openshape_ood.encoders.pipeline import embed_batches
from openshape_ood.encoders.protocols import STAGES, Identity, Patches, Stage
from openshape_ood.errors import InputError, UnknownNameError, WeightsError
from openshape_ood.registry import ARCHITECTURES, stripped
from openshape_ood.registry.files import fetch, known_sha256, sha256
from openshape_ood.registry.rows import Row, find_checkpoint
from openshape_ood.registry.stripped import Weights
from openshape_ood.registry.weights import load_strictly, read_temperature, read_weights
from openshape_ood.shapes.points import mean_sample, prepare, sample_seeds
from openshape_ood.shapes.shape import Shape, list_shapes, resolve_ups

Precision = Literal["float32", "bfloat16", "float16"]
PRECISIONS = get_args(Precision)


class ShapeEncoder:
    """A frozen encoder: clouds, meshes and files in, embeddings out.

    identity: its name in the registry, its embedding space and the sha256 of its weights; dim: d; spec: points a cloud
    is resampled to, and the gravity axis it was trained with; network: the bare torch module; device: where it runs;
    row: everything the registry says; temperature: what cosines with text were
    divided by in training, where the file says so, else None; precision: of the network's products.
    """

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
        self.network = _ready(network, precision, row).to(device)

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
    ) -> ShapeEncoder:
        """The encoder called `name`, from the Hub, the package, or the file `checkpoint`.

        The registry's file must have the registered sha256; one given as `checkpoint` is loaded strictly and
        its hash recorded. `device` None takes CUDA, then MPS, then the CPU.

        sampler: what picks the patches; all give the same embeddings. "auto" takes Triton kernels on a GPU that they
        run on, else torch (so does OPENSHAPE_OOD_NO_TRITON=1). precision: of the set abstraction's and transformer's
        products; patches are always picked in float32, the default, for which alone the promises of `encode` hold.

        Raises `UnknownNameError` for a name, sampler or precision that there is not, `InputError` for a device or
        sampler that cannot be used, `RegistryError`, and a `CheckpointError` for the file: `WeightsError`,
        `HashError`, or what kept a download from succeeding, and how to get it.
        """
        row = find_checkpoint(name, registry)
        check_sampler(sampler)
        if precision not in PRECISIONS:
            raise UnknownNameError(f"unknown precision {precision!r}; known: {', '.join(PRECISIONS)}")
        target = find_device(device)
        weights = stripped.read(row) if checkpoint is None else None
        if weights is None:
            path = fetch(row) if checkpoint is None else _given_file(checkpoint, name)
            weights = Weights(read_weights(path, row.keys, name), read_temperature(path, row.keys, name), path)
        with torch.device("meta"):  # shapes alone: random weights would take longer than the right ones
            network = ARCHITECTURES[row.architecture].build(row.sizes).float()  # whatever the default type
        if hasattr(network, "grouping"):
            network.grouping = find_grouping(sampler, target)
        load_strictly(network, weights.tensors, weights.path, name, weights.mapped)
        if checkpoint is None:
            stripped.keep(row, weights)
        digest = (known_sha256(row) if checkpoint is None else "") or sha256(weights.path)
        return cls(row, network, digest, target, weights.temperature, precision)

    def encode(
        self,
        shapes: Any,
        *,
        up: str | Sequence[str] = "file",
        seed: int = 0,
        num_samples: int = 1,
        batch_size: int = 32,
        progress: bool = False,
        normalize: bool = True,
    ) -> np.ndarray:
        """Embeddings (b, d) float32 of b shapes; unit vectors unless `normalize` is False.

        shapes: one cloud (n, 3|6), a stack (b, n, 3|6), numpy or torch; a list of clouds of any sizes,
        paths, or trimesh objects. Any frame and unit: clouds are centered and scaled here. Color 0-1 or
        0-255, or none. up: gravity axis of the data, "y", "z" or "x" with an optional "-", or "file"; one
        for all, or one a shape. seed: of resampling and surface sampling. The same shape has the same
        embedding alone or in any batch, whatever torch's global settings.

        num_samples: how many embeddings of each shape, every one sampled anew and begun at another point, are averaged
        into a steadier one.

        Raises `CloudError` or `ShapeFileError` naming the shape, `MissingPackageError` for a format or sampler
        whose package is an extra, `InputError` for other values that cannot be used, `WeightsError` for an
        embedding without a direction.

        >>> from openshape_ood.synthetic import sample
        >>> encoder = ShapeEncoder.from_pretrained("tiny")
        >>> encoder.encode([sample("chair", 500, seed=1), sample("lamp", 900, seed=1)]).shape
        (2, 192)
        """
        listed = list_shapes(shapes)
        samples = self._samples(listed, up, seed, num_samples, batch_size, progress)
        mean = mean_sample(samples)
        return self._unit(mean, listed) if normalize else mean

    def encode_with_spread(
        self,
        shapes: Any,
        *,
        up: str | Sequence[str] = "file",
        seed: int = 0,
        num_samples: int = 8,
        batch_size: int = 32,
        progress: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Unit embeddings (b, d) as `encode` gives them, and how far the samplings of each shape stray (b,).

        The spread is the mean of 1 - cosine between a sampling and the average, 0 where all agree. Arguments and
        errors as in `encode`.
        """
        listed = list_shapes(shapes)
        samples = self._samples(listed, up, seed, num_samples, batch_size, progress)
        mean = self._unit(mean_sample(samples), listed)
        apart = [1 - (self._unit(sample, listed) * mean).sum(axis=1) for sample in samples]
        return mean, np.maximum(np.mean(apart, axis=0), 0)

    def _samples(
        self, shapes: list[Shape], up: str | Sequence[str], seed: int, num_samples: int, batch_size: int, progress: bool
    ) -> list[np.ndarray]:
        """Raw embeddings (b, d) of every sampling; each of them has a direction."""
        ups, seeds = resolve_ups(up, shapes), sample_seeds(seed, num_samples)
        batches = [slice(i, i + batch_size) for i in range(0, len(shapes), _check_batch_size(batch_size))]
        prepared = (self._prepared(shapes[s], ups[s], each) for s in batches for each in seeds)
        done = embed_batches(self.network, prepared, self.device)
        rows = [[next(done) for _ in seeds] for _ in _with_progress(batches, progress, len(shapes))]
        samples = [np.concatenate(sample) for sample in zip(*rows, strict=True)]
        for sample in samples:
            self._unit(sample, shapes)
        return samples

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
        """One feature a patch (b, p, w) float32 of b shapes, and where the p patches lie (b, p, 3).

        stage: "tokens", the last block's output before the projection; "projected", those through the projection,
        w = d, as embeddings of names are; "local", what the set abstraction makes of a patch's points alone, before
        the transformer has mixed the patches. Centers are points of the cloud in the encoder's own frame: mean at the
        origin, largest norm 1. The other arguments and errors as in `encode`.

        >>> from openshape_ood.synthetic import sample
        >>> patches = ShapeEncoder.from_pretrained("tiny").encode_patches(sample("chair", 500, seed=1))
        >>> patches.features.shape, patches.centers.shape
        ((1, 48, 128), (1, 48, 3))
        """
        listed = list_shapes(shapes)
        ups = resolve_ups(up, listed)
        check_seed(seed)
        if stage not in STAGES:
            raise UnknownNameError(f"unknown stage {stage!r}; known: {', '.join(STAGES)}")
        if not hasattr(self.network, "patches"):
            raise InputError(
                f"{self.identity.checkpoint}: its architecture {self.row.architecture!r} gives no features of patches; "
                "expected an encoder such as vitb32"
            )
        batches = [slice(i, i + batch_size) for i in range(0, len(listed), _check_batch_size(batch_size))]
        features, centers = [], []
        for s in _with_progress(batches, progress, len(listed)):
            points = torch.from_numpy(self._prepared(listed[s], ups[s], seed)).to(self.device)
            with torch.inference_mode(), exact(self.device):
                own, where = self.network.patches(points, stage)
            features.append(own.float().cpu().numpy())
            centers.append(where.float().cpu().numpy())
        return Patches(np.concatenate(features), np.concatenate(centers), self.network.radius)

    def encode_prepared(self, points: np.ndarray) -> np.ndarray:
        """Raw embeddings (b, d) float32 of clouds (b, n, 6) that are prepared already, in one batch.

        xyz in this encoder's own frame, mean at the origin, largest norm 1; rgb in [0, 1], as `points.prepare`
        gives them. Nothing is checked, resampled or scaled to length 1.
        """
        if not len(points):
            return np.empty((0, self.dim), dtype=np.float32)
        clouds = np.require(points, np.float32, ["C", "W"])  # torch warns of what is read-only
        return next(embed_batches(self.network, [clouds], self.device))

    def _prepared(self, shapes: Sequence[Shape], ups: Sequence[str], seed: int) -> np.ndarray:
        return np.stack([self._prepare(shape, up, seed) for shape, up in zip(shapes, ups, strict=True)])

    def _prepare(self, shape: Shape, up: str, seed: int) -> np.ndarray:
        cloud = shape.cloud(self.spec.count, seed)
        spec = self.spec
        return prepare(cloud, count=spec.count, up=up, to=spec.up, color=spec.color, seed=seed, name=shape.name)

    def _unit(self, embeddings: np.ndarray, shapes: Sequence[Shape]) -> np.ndarray:
        norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
        bad = np.flatnonzero(~(np.isfinite(norms[:, 0]) & (norms[:, 0] > 0)))
        if len(bad):
            raise WeightsError(
                f"{self.identity.checkpoint} gave {shapes[bad[0]].name} an embedding that is zero or not finite; "
                "the weights are damaged or not those of this architecture"
            )
        return embeddings / norms

    def __repr__(self) -> str:
        return f"ShapeEncoder({self.identity.checkpoint!r}, d={self.dim}, device={str(self.device)!r})"


def _ready(network: Any, precision: Precision, row: Row) -> Any:
    """The network as it is run, frozen and in evaluation mode."""
    network.eval().requires_grad_(False)
    if hasattr(network, "prepare"):
        network.prepare(getattr(torch, precision))
    elif precision != "float32":
        raise InputError(f"the architecture {row.architecture!r} runs in float32 only; got precision={precision!r}")
    return network


def _check_batch_size(batch_size: Any) -> int:
    if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise InputError(f"batch_size is {batch_size!r}; expected a whole number from 1 up")
    return int(batch_size)


def _given_file(checkpoint: str | os.PathLike[str], name: str) -> Path:
    path = given_path(checkpoint, "checkpoint")
    if not path.is_file():
        raise WeightsError(f"{name}: no checkpoint file at {path}")
    return path


def _with_progress(batches: list[slice], progress: bool, total: int) -> Iterator[slice]:
    from tqdm import tqdm

    with tqdm(total=total, desc="embedding", unit="shape", disable=not progress) as bar:
        for batch in batches:
            yield batch
            bar.update(min(batch.stop, total) - batch.start)
