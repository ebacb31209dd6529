from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_up_shapes import Deadly, MadeUp, Mean, Unreadable

from benchmarks.threedos.objects import Shape
from benchmarks.threedos.recipes import Recipe
from benchmarks.threedos.store import EmbeddingStore, content_key
from benchmarks.threedos.stream import Tally, embed
from openshape_ood.errors import OpenShapeError, ShapeFileError
from openshape_ood.registry.names import find_checkpoint

RECIPE = Recipe(points=64, up="y", to="y", color=0.4)
SHAPES = tuple(MadeUp(i) for i in range(10))


def stores(root: Path | None = None, seeds: tuple[int, ...] = (1, 41)) -> dict[int, EmbeddingStore]:
    return {
        seed: EmbeddingStore(root, RECIPE.record(find_checkpoint("tiny"), "ab" * 32, seed, "cpu"), 12) for seed in seeds
    }


def run(
    shapes: tuple[Shape, ...], kept: dict[int, EmbeddingStore], workers: int = 0
) -> tuple[list[bytes], Mean, Tally]:
    network, tally = Mean(), Tally()
    keys = embed(shapes, network, RECIPE, kept, batch_size=4, workers=workers, progress=False, tally=tally)
    return keys, network, tally


def expected(shape: Shape, seed: int) -> np.ndarray:
    return Mean().encode_prepared(RECIPE.prepare(shape.read(), seed, shape.id)[None])[0]


@pytest.mark.parametrize("workers", [0, 2])
def test_each_shape_has_its_own_embedding_for_each_seed(workers: int) -> None:
    kept = stores()
    keys, network, tally = run(SHAPES, kept, workers)
    assert keys == [content_key(shape.read()) for shape in SHAPES]
    assert network.batches == [4, 4, 4, 4, 2, 2]
    assert (tally.embedded, tally.reused) == (20, 0)
    for seed, store in kept.items():
        np.testing.assert_allclose(store.get(keys), [expected(s, seed) for s in SHAPES], rtol=1e-5)
    assert not np.allclose(kept[1].get(keys), kept[41].get(keys))


def test_nothing_is_embedded_twice(tmp_path: Path) -> None:
    run(SHAPES[:6], stores(tmp_path))
    _, network, tally = run(SHAPES, stores(tmp_path))
    assert network.batches == [2, 2, 2, 2]  # rows 6 and 7 of the second batch, then the third, for two seeds
    assert (tally.embedded, tally.reused) == (8, 12)
    _, network, tally = run(SHAPES, stores(tmp_path))
    assert (network.batches, tally.embedded, tally.reused) == ([], 0, 20)


def test_the_same_cloud_twice_is_embedded_once() -> None:
    keys, network, tally = run((MadeUp(1), MadeUp(1), MadeUp(2), MadeUp(3), MadeUp(1)), stores(seeds=(1,)))
    assert keys[0] == keys[1] == keys[4]
    assert (network.batches, tally.embedded, tally.reused) == ([3], 3, 2)


def test_what_was_embedded_before_an_error_is_kept(tmp_path: Path) -> None:
    shapes = (*SHAPES[:8], Unreadable(9))
    with pytest.raises(ShapeFileError, match="cannot read made up 9"):
        run(shapes, stores(tmp_path), workers=1)
    assert [len(store) for store in stores(tmp_path).values()] == [8, 8]


def test_a_reader_that_dies_is_said(tmp_path: Path) -> None:
    with pytest.raises(OpenShapeError, match=r"a reader process ended.*--workers 0"):
        run((*SHAPES[:8], Deadly(9)), stores(tmp_path), workers=1)


def test_no_shapes_are_no_work() -> None:
    assert run((), stores(), workers=2)[0] == []


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_an_embedding_without_direction_is_refused_and_not_kept(value: float) -> None:
    class Broken(Mean):
        def encode_prepared(self, points: np.ndarray) -> np.ndarray:
            return np.full((len(points), 12), value, dtype=np.float32)

    kept = stores(seeds=(1,))
    with pytest.raises(OpenShapeError, match="zero or not finite"):
        embed(SHAPES, Broken(), RECIPE, kept, batch_size=4, workers=0, progress=False, tally=Tally())
    assert len(kept[1]) == 0
