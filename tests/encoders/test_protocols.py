"""What is asked of an encoder, and no more: a class that has just the documented members goes through every door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from openshape_ood import localize, score_novelty
from openshape_ood.encoders.protocols import Embeddings, Identity, Patches, Provenance
from openshape_ood.errors import InputError
from openshape_ood.shapes import CloudSpec
from openshape_ood.shapes.shape import list_shapes, resolve_ups

OWN = Identity("own", "own words", "0" * 64)


class Minimal:
    """The members of `PatchEncoder`, and none beside them."""

    __slots__ = ()
    identity = OWN
    dim = 4
    temperature = None
    spec = CloudSpec(count=64, up="y", color=0.4)

    def encode(
        self,
        shapes: Any,
        *,
        up: str | Sequence[str] = "file",
        seed: int = 0,
        num_samples: int = 1,
        batch_size: int = 32,
        progress: bool = False,
    ) -> np.ndarray:
        listed = list_shapes(shapes)
        assert len(resolve_ups(up, listed)) == len(listed) and num_samples >= 1
        extents = np.array([[*np.ptp(shape.cloud(64, seed)[:, :3], axis=0), 0.01] for shape in listed])
        return (extents / np.linalg.norm(extents, axis=1, keepdims=True)).astype(np.float32)

    def encode_patches(
        self,
        shapes: Any,
        *,
        stage: Any = "tokens",
        up: str | Sequence[str] = "file",
        seed: int = 0,
        batch_size: int = 32,
        progress: bool = False,
    ) -> Patches:
        whole = self.encode(shapes, up=up, seed=seed)
        centers = np.linspace(-1, 1, 4)[None, :, None] * np.ones((len(whole), 1, 3))
        return Patches(whole[:, None] + centers[..., :1].astype(np.float32) / 10, centers, 0.5)


def cloud(seed: int, *extents: float) -> np.ndarray:
    return np.random.RandomState(seed).uniform(size=(100, 3)) * (extents or (1, 1, 1))


EXAMPLES = {
    name: [cloud(i, *size) for i in range(3)] for name, size in (("pole", (0.1, 2, 0.1)), ("slab", (2, 0.1, 2)))
}


def test_a_class_of_the_documented_members_is_scored() -> None:
    result = score_novelty([cloud(9, 0.1, 2, 0.1)], EXAMPLES, encoder=Minimal(), num_samples=2)
    assert list(result.nearest) == ["pole"]


def test_a_class_of_the_documented_members_localizes() -> None:
    found = localize(cloud(9, 0.1, 2, 0.1), EXAMPLES, encoder=Minimal(), up="y")
    assert np.shape(found.novelty) == (100,) and np.isfinite(found.novelty).all()


def test_embeddings_are_checked() -> None:
    made = Embeddings([[1, 0], [0, 2]], OWN, ["a", "b"])
    assert made.vectors.dtype == np.float64 and made.names == ("a", "b") and len(made) == 2
    assert Embeddings(np.ones((1, 2), np.float32), OWN).vectors.dtype == np.float32


@pytest.mark.parametrize("vectors", [[1.0, 2.0], [[np.nan, 1.0]], [["a"]], [[1.0], [1.0, 2.0]], np.ones((2, 0))])
def test_embeddings_that_cannot_be_used(vectors: Any) -> None:
    with pytest.raises(InputError, match="embeddings"):
        Embeddings(vectors, OWN)


def test_names_of_embeddings_are_as_many() -> None:
    with pytest.raises(InputError, match="3 names for 2 embeddings"):
        Embeddings(np.ones((2, 3)), OWN, "abc")


def test_provenance_as_json() -> None:
    found = Provenance(OWN, "knn", "y", 3, 2, "0.1").as_json()
    assert found == {
        "identity": {"checkpoint": "own", "space": "own words", "sha256": "0" * 64},
        "method": "knn",
        "up": "y",
        "seed": 3,
        "num_samples": 2,
        "version": "0.1",
    }
