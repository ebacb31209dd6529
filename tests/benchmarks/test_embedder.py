from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_up_shapes import MadeUp, Mean

from benchmarks.threedos.embedder import Embedder
from benchmarks.threedos.objects import Objects
from benchmarks.threedos.recipes import Recipe
from benchmarks.threedos.store import content_key
from openshape_ood.encoders.protocols import Identity
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.shapes.points import sample_seeds

RECIPE = Recipe(points=64, up="y", to="y", color=0.4)
A, B = Objects(tuple(MadeUp(i) for i in range(5))), Objects(tuple(MadeUp(i) for i in range(5, 8)))


class Encoder(Mean):
    identity, dim, device = Identity("tiny", "words", "ab" * 32), 12, SimpleNamespace(type="cpu")
    row = find_checkpoint("tiny")


def embedder(cache: Path | None = None) -> Any:
    return Embedder(Encoder(), cache, batch_size=4, workers=0, progress=False)


def raw(objects: Objects, seed: int) -> np.ndarray:
    return Mean().encode_prepared(np.stack([RECIPE.prepare(s.read(), seed, s.id) for s in objects.shapes]))


def test_sets_come_back_apart_for_every_seed() -> None:
    found = embedder().embed({"a": A, "b": B, "nothing": Objects(), "a again": A}, RECIPE, [1, 41], num_samples=1)
    for seed, sets in zip([1, 41], found, strict=True):
        np.testing.assert_allclose(sets["a"], raw(A, seed), rtol=1e-5)
        np.testing.assert_allclose(sets["b"], raw(B, seed), rtol=1e-5)
        assert sets["nothing"].shape == (0, 12)
        assert sets["a again"] is not sets["b"] and (sets["a again"] == sets["a"]).all()


def test_another_recipe_or_view_is_embedded_and_the_rest_reused() -> None:
    e = embedder()
    e.embed({"a": A}, RECIPE, [1], num_samples=1)
    e.embed({"a": A, "b": B}, RECIPE, [1], num_samples=1)
    assert sum(e.encoder.batches) == e.tally.embedded == 8
    e.embed({"a": A}, RECIPE, [1], num_samples=3)
    assert e.tally.embedded == 8 + 2 * 5
    e.embed({"a": A}, Recipe(points=32, up="y", to="y", color=0.4), [1], num_samples=1)
    assert e.tally.embedded == 18 + 5


def test_views_are_averaged_as_directions() -> None:
    (found,) = embedder().embed({"a": A}, RECIPE, [7], num_samples=3)
    num_samples = [raw(A, seed).astype(np.float64) for seed in sample_seeds(7, 3)]
    assert sample_seeds(7, 1) == [7] and len(set(sample_seeds(7, 3))) == 3
    for i in range(len(A)):
        direction = sum(v[i] / np.sqrt((v[i] ** 2).sum()) for v in num_samples)
        cosine = found["a"][i] @ direction / np.linalg.norm(found["a"][i]) / np.linalg.norm(direction)
        assert cosine == pytest.approx(1, abs=1e-5)
        assert np.linalg.norm(found["a"][i]) == pytest.approx(
            np.mean([np.linalg.norm(v[i]) for v in num_samples]), rel=1e-5
        )


def test_the_fingerprint_is_that_of_the_content_in_order() -> None:
    e = embedder()
    e.embed({"a": A}, RECIPE, [1], num_samples=1)
    assert e.fingerprint(A) == hashlib.sha256(b"".join(content_key(s.read()) for s in A.shapes)).hexdigest()
