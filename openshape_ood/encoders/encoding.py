"""Steps of the embedding of shapes: reading, sampling and averaging, for single encoders and ensembles."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice, tee
from typing import Any

import numpy as np

from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import WeightsError
from openshape_ood.shapes import CloudSpec
from openshape_ood.shapes.batches import prepared_batches
from openshape_ood.shapes.points import in_order, mean_sample, same_size, sample_seeds
from openshape_ood.shapes.shape import Shape, list_shapes, resolve_ups


class CloudEncoder(ABC):
    """Base class of encoders of clouds. Clouds are prepared as `spec` describes."""

    identity: Identity
    dim: int
    spec: CloudSpec

    @abstractmethod
    def _encode_stacks(self, stacks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Raw embeddings (b, d) of stacks of prepared clouds (b, n, 6), in order."""

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
        """Embeddings of shapes. In float32, a shape has the same embedding alone and in any batch.

        Global settings of torch have no effect.

        Parameters
        ----------
        shapes : cloud, stack, or list
            One cloud (n, 3|6), or a stack (b, n, 3|6), in numpy or torch; or a list of clouds of any sizes, paths or
            trimesh objects. If there are several paths, child processes with limits of time and memory read them.
            Clouds may have any origin and unit, because they are centered and scaled. Colors are from 0 to 1 or 0 to
            255, or missing.
        up : str or sequence of str
            Gravity axis of the data: "y", "z" or "x" with an optional "-", or "file" for the axis in the file, else y.
            Give one axis for all shapes, or one per shape.
        seed : int
            Seed for resampling clouds and sampling surfaces.
        num_samples : int
            Number of embeddings of each shape that are averaged, each from a new sampling. More samples reduce the
            random variation of the embedding.
        batch_size, progress : int and bool
            Number of shapes per batch; True to show a progress bar.
        normalize : bool
            True to return unit vectors.

        Returns
        -------
        array (b, d) float32

        Raises
        ------
        CloudError, ShapeFileError, MissingPackageError, InputError, WeightsError
            For an unusable shape (named in the message), a file format without its optional package, an invalid value,
            or an embedding that is zero or not finite.

        Examples
        --------
        >>> from openshape_ood import ShapeEncoder
        >>> from openshape_ood.synthetic import sample
        >>> encoder = ShapeEncoder.from_pretrained("tiny")
        >>> encoder.encode([sample("chair", 500, seed=1), sample("lamp", 900, seed=1)]).shape
        (2, 192)
        """
        listed = list_shapes(shapes)
        mean = mean_sample(self._samples(listed, up, seed, num_samples, batch_size, progress))
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
        """Embeddings (b, d) as from `encode`, and the spread (b,) of the samplings of each shape.

        The spread is the mean of 1 - cosine between the samplings and their average; 0 if all are equal. Arguments and
        errors are as in `encode`.
        """
        listed = list_shapes(shapes)
        samples = self._samples(listed, up, seed, num_samples, batch_size, progress)
        mean = self._unit(mean_sample(samples), listed)
        apart = [1 - (self._unit(sample, listed) * mean).sum(axis=1) for sample in samples]
        return mean, np.maximum(np.mean(apart, axis=0), 0)

    def encode_prepared(self, points: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """Raw embeddings (b, d) float32 of prepared clouds, in one batch. They are not normalized.

        `points` are (b, n, 6), or a list of clouds (n, 6) of any sizes. They must be prepared as by
        `shapes.points.prepare`: turned to the up axis of the encoder, xyz with mean 0 and largest norm 1, rgb in [0,
        1]. Nothing is checked, resampled or scaled.
        """
        if not len(points):
            return np.empty((0, self.dim), dtype=np.float32)
        alike, stacks = same_size(points)
        # writable copies, because torch warns about read-only arrays
        rows = [next(self._encode_stacks(iter([np.require(one, np.float32, ["C", "W"])]))) for one in stacks]
        return in_order(alike, rows)

    def encode_batches(self, batches: Iterable[np.ndarray | Sequence[np.ndarray]]) -> Iterator[np.ndarray]:
        """`encode_prepared` for many float32 batches, in order. On a CUDA device, batches are sampled in advance."""
        ahead, groups = tee(map(same_size, batches))
        rows = self._encode_stacks(chain.from_iterable(stacks for _, stacks in ahead))
        for alike, stacks in groups:
            yield in_order(alike, list(islice(rows, len(stacks))))

    def _samples(
        self, shapes: list[Shape], up: str | Sequence[str], seed: int, num_samples: int, batch_size: int, progress: bool
    ) -> list[np.ndarray]:
        """Raw embeddings, one array (b, d) per sampling. Raises `WeightsError` if a row is zero or not finite."""
        ups, seeds = resolve_ups(up, shapes), sample_seeds(seed, num_samples)
        rows: list[np.ndarray] = []
        prepared = prepared_batches(shapes, ups, seeds, batch_size, self.spec)
        with closing(prepared) as batches, progress_bar(len(shapes), progress) as bar:
            for done in self.encode_batches(batches):
                rows.append(done)
                bar.update(0 if len(rows) % len(seeds) else len(done))
        samples = [np.concatenate(rows[i :: len(seeds)]) for i in range(len(seeds))]
        for sample in samples:
            self._unit(sample, shapes)
        return samples

    def _unit(self, embeddings: np.ndarray, shapes: Sequence[Shape]) -> np.ndarray:
        norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
        bad = np.flatnonzero(~(np.isfinite(norms[:, 0]) & (norms[:, 0] > 0)))
        if len(bad):
            raise WeightsError(
                f"{self.identity.checkpoint} gave {shapes[bad[0]].name} an embedding that is zero or not finite. "
                "Expected finite numbers. Check that the weights are not damaged and belong to this architecture."
            )
        return embeddings / norms


def progress_bar(total: int, progress: bool) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, desc="embedding", unit="shape", disable=not progress)
