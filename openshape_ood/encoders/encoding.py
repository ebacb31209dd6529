"""Steps of the embedding of shapes: reading, sampling and averaging, for single encoders and ensembles."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np

from openshape_ood.checks import check_whole
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import WeightsError
from openshape_ood.shapes import CloudSpec
from openshape_ood.shapes.batch import ready_clouds
from openshape_ood.shapes.points import in_order, mean_sample, same_size, sample_seeds
from openshape_ood.shapes.shape import Shape, list_shapes, resolve_ups


class CloudEncoder(Protocol):
    """Encoder of clouds that are prepared as `spec` describes."""

    @property
    def identity(self) -> Identity: ...
    @property
    def dim(self) -> int: ...
    @property
    def spec(self) -> CloudSpec: ...

    def encode_batches(self, batches: Iterable[np.ndarray | Sequence[np.ndarray]]) -> Iterator[np.ndarray]:
        """Raw embeddings (b, d) of batches of clouds (n, 6), in order."""


class Sampling(NamedTuple):
    """Settings for turning shapes into batches of clouds. See `ShapeEncoder.encode`."""

    up: str | Sequence[str]
    seed: int
    num_samples: int
    batch_size: int
    progress: bool


def encode(encoder: CloudEncoder, shapes: Any, how: Sampling, normalize: bool = True) -> np.ndarray:
    """See `ShapeEncoder.encode`."""
    listed = list_shapes(shapes)
    mean = mean_sample(_samples(encoder, listed, how))
    return _unit(encoder, mean, listed) if normalize else mean


def encode_with_spread(encoder: CloudEncoder, shapes: Any, how: Sampling) -> tuple[np.ndarray, np.ndarray]:
    """See `ShapeEncoder.encode_with_spread`."""
    listed = list_shapes(shapes)
    samples = _samples(encoder, listed, how)
    mean = _unit(encoder, mean_sample(samples), listed)
    apart = [1 - (_unit(encoder, sample, listed) * mean).sum(axis=1) for sample in samples]
    return mean, np.maximum(np.mean(apart, axis=0), 0)


def _samples(encoder: CloudEncoder, shapes: list[Shape], how: Sampling) -> list[np.ndarray]:
    """Raw embeddings, one array (b, d) per sampling. Raises `WeightsError` if a row is zero or not finite."""
    ups, seeds = resolve_ups(how.up, shapes), sample_seeds(how.seed, how.num_samples)
    rows: list[np.ndarray] = []
    prepared = prepared_batches(shapes, encoder.spec, ups, seeds, how.batch_size)
    with closing(prepared) as batches, progress_bar(len(shapes), how.progress) as bar:
        for done in encoder.encode_batches(batches):
            rows.append(done)
            bar.update(0 if len(rows) % len(seeds) else len(done))
    samples = [np.concatenate(rows[i :: len(seeds)]) for i in range(len(seeds))]
    for sample in samples:
        _unit(encoder, sample, shapes)
    return samples


def prepared_batches(
    shapes: Sequence[Shape], spec: CloudSpec, ups: Sequence[str], seeds: Sequence[int], batch_size: int
) -> Generator[list[np.ndarray]]:
    """Batches of prepared clouds (n, 6). Every batch of shapes is sampled with each seed before the next batch."""
    size = check_whole(batch_size, "batch_size")
    batches = [range(len(shapes))[i : i + size] for i in range(0, len(shapes), size)]
    jobs = [(shapes[i], ups[i], seed) for batch in batches for seed in seeds for i in batch]
    with closing(ready_clouds(jobs, spec)) as clouds:
        for batch in batches:
            for _ in seeds:
                yield list(islice(clouds, len(batch)))


def encode_batch(encoder: CloudEncoder, points: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
    """See `ShapeEncoder.encode_prepared`."""
    if not len(points):
        return np.empty((0, encoder.dim), dtype=np.float32)
    alike, stacks = same_size(points)
    # writable copies, because torch warns about read-only arrays
    rows = [next(encoder.encode_batches([np.require(one, np.float32, ["C", "W"])])) for one in stacks]
    return in_order(alike, rows)


def by_batch(
    encode_stacks: Callable[[Iterator[np.ndarray]], Iterator[np.ndarray]],
    batches: Iterable[np.ndarray | Sequence[np.ndarray]],
) -> Iterator[np.ndarray]:
    """Embeddings (b, d) of batches of clouds of any sizes. `encode_stacks` maps stacks (b, n, 6) to embeddings."""
    waiting, done = deque[list[np.ndarray]](), list[np.ndarray]()

    def stacks() -> Iterator[np.ndarray]:  # clouds of equal size
        for batch in batches:
            alike, some = same_size(batch)
            waiting.append(alike)
            yield from some

    for rows in encode_stacks(stacks()):
        done.append(rows)
        if len(done) == len(waiting[0]):
            yield in_order(waiting.popleft(), done)
            done.clear()


def _unit(encoder: CloudEncoder, embeddings: np.ndarray, shapes: Sequence[Shape]) -> np.ndarray:
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    bad = np.flatnonzero(~(np.isfinite(norms[:, 0]) & (norms[:, 0] > 0)))
    if len(bad):
        raise WeightsError(
            f"{encoder.identity.checkpoint} gave {shapes[bad[0]].name} an embedding that is zero or not finite. "
            "Expected finite numbers. Check that the weights are not damaged and belong to this architecture."
        )
    return embeddings / norms


def progress_bar(total: int, progress: bool) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, desc="embedding", unit="shape", disable=not progress)
