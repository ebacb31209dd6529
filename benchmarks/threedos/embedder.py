"""Embeddings of sets of shapes by one encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.threedos.objects import Objects
from benchmarks.threedos.recipes import Recipe
from benchmarks.threedos.store import EmbeddingStore
from benchmarks.threedos.stream import Tally, embed
from openshape_ood.shapes.points import mean_sample, sample_seeds

if TYPE_CHECKING:
    from openshape_ood import ShapeEncoder


@dataclass
class Embedder:
    """Embeds each cloud once per recipe and seed; with a cache folder, only once over all runs."""

    encoder: ShapeEncoder
    cache: Path | None
    batch_size: int
    workers: int
    progress: bool
    tally: Tally = field(default_factory=Tally)
    _stores: dict[tuple[Recipe, int], EmbeddingStore] = field(default_factory=dict)
    _keys: dict[Objects, list[bytes]] = field(default_factory=dict)

    def embed(
        self, sets: Mapping[str, Objects], recipe: Recipe, seeds: Sequence[int], num_samples: int
    ) -> list[dict[str, np.ndarray]]:
        """Raw embeddings (b, d) float32 of each set, as one mapping per seed; several samplings are averaged."""
        drawn = {seed: sample_seeds(seed, num_samples) for seed in seeds}
        stores = {one: self._store(recipe, one) for one in sorted(set().union(*drawn.values()))}
        # sets without all embeddings are embedded in one stream
        lacking = [objects for objects in dict.fromkeys(sets.values()) if not self._has(objects, stores)]
        shapes = [shape for objects in lacking for shape in objects.shapes]
        settings: dict[str, Any] = {"batch_size": self.batch_size, "workers": self.workers, "progress": self.progress}
        keys = iter(embed(shapes, self.encoder, recipe, stores, tally=self.tally, **settings))
        self._keys |= {objects: list(islice(keys, len(objects))) for objects in lacking}

        def mean(objects: Objects, seed: int) -> np.ndarray:
            return mean_sample([stores[one].get(self._keys[objects]) for one in drawn[seed]])

        return [{name: mean(objects, seed) for name, objects in sets.items()} for seed in seeds]

    def fingerprint(self, objects: Objects) -> str:
        """sha256 of the content of all shapes of a set, in order. The set must have been embedded."""
        return hashlib.sha256(b"".join(self._keys[objects])).hexdigest()

    def _has(self, objects: Objects, stores: Mapping[int, EmbeddingStore]) -> bool:
        keys = self._keys.get(objects)
        return keys is not None and all(key in store for store in stores.values() for key in keys)

    def _store(self, recipe: Recipe, seed: int) -> EmbeddingStore:
        if (recipe, seed) not in self._stores:
            record = recipe.record(self.encoder.row, self.encoder.identity.sha256, seed, self.encoder.device.type)
            self._stores[recipe, seed] = EmbeddingStore(self.cache, record, self.encoder.dim)
        return self._stores[recipe, seed]
