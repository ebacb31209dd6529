"""A shape encoder and a text encoder of a few lines, for tests that need no weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from openshape_ood import NoveltyResult, score_novelty
from openshape_ood.encoders.protocols import Identity, Patches
from openshape_ood.known import KnownClasses
from openshape_ood.scoring import Judgement
from openshape_ood.shapes import CloudSpec
from openshape_ood.shapes.points import exchange
from openshape_ood.shapes.shape import list_shapes, resolve_ups


def box(width: float, height: float, depth: float) -> np.ndarray:
    """The corners (8, 3) of a box, y up, standing on the ground."""
    return np.array([(x * width, y * height, z * depth) for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)


FAKE, WORDS = Identity("fake", "words", "f" * 64), Identity("fake", "words")
SPEC = CloudSpec(count=100, up="y", color=0.4)
POLE, PLATE, SLAB = box(0.1, 2, 0.1), box(1, 0.1, 1), box(2, 0.1, 0.2)


class Farthest:
    """A user's method: distance to the class that is farthest."""

    def __init__(self, known: KnownClasses) -> None:
        self.anchors = known.anchors

    def judge(self, rows: np.ndarray) -> Judgement:
        cosines = rows @ self.anchors.T
        return Judgement(1 - cosines.min(axis=1), cosines.argmax(axis=1), cosines)


@dataclass
class FakeEncoder:
    """Embeds a cloud as its extents and the mean height above its lowest point, as a unit vector."""

    identity: Identity = FAKE
    dim: int = 4
    temperature: float | None = None
    spec: CloudSpec = SPEC
    calls: list[dict[str, Any]] = field(default_factory=list)

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
        ups = resolve_ups(up, listed)
        call = {"up": ups, "batch_size": batch_size, "seed": seed, "progress": progress}
        self.calls.append(call if num_samples == 1 else {**call, "num_samples": num_samples})
        clouds = [shape.cloud(points=100, seed=0)[:, :3] for shape in listed]
        return np.stack([self._embed(exchange(cloud, u, "y")) for cloud, u in zip(clouds, ups, strict=True)])

    def _embed(self, xyz: np.ndarray) -> np.ndarray:
        features = np.append(np.ptp(xyz, axis=0), (xyz[:, 1] - xyz[:, 1].min()).mean())
        return (features / np.linalg.norm(features)).astype(np.float32)


class PatchEncoder(FakeEncoder):
    """A `FakeEncoder` with two patch tokens a cloud: its embedding, and that with the height left out."""

    def encode_patches(
        self,
        shapes: Any,
        *,
        stage: str = "tokens",
        up: str | Sequence[str] = "file",
        seed: int = 0,
        batch_size: int = 32,
        progress: bool = False,
    ) -> Patches:
        whole = self.encode(shapes, up=up, batch_size=batch_size, seed=seed)
        return Patches(np.stack([whole, whole * [1, 0, 1, 1]], axis=1), np.zeros((len(whole), 2, 3)), 0.4)


@dataclass
class FakeText:
    """Embeds the names that it was given vectors for."""

    vectors: Mapping[str, Any]
    identity: Identity = WORDS

    def encode(self, names: Sequence[str]) -> np.ndarray:
        return np.array([self.vectors[name] for name in names], dtype=np.float32)


def words() -> FakeText:
    """Names whose vectors are the embeddings of boxes that look like them."""
    boxes = {"pole": POLE, "plate": PLATE, "slab": SLAB}
    return FakeText({name: FakeEncoder().encode(cloud)[0] for name, cloud in boxes.items()})


NAMES = ["pole", "plate", "slab"]
EXAMPLES = {"pole": [POLE, box(0.2, 2, 0.1)], "plate": PLATE, "slab": SLAB[None]}
SHAPES = [POLE * 3, SLAB - 7, box(1, 1, 1)]


def by_name(shapes: Any = SHAPES, known: Any = NAMES, **settings: Any) -> NoveltyResult:
    return score_novelty(shapes, known, encoder=FakeEncoder(), text=words(), **settings)


def by_example(shapes: Any = SHAPES, known: Any = EXAMPLES, **settings: Any) -> NoveltyResult:
    return score_novelty(shapes, known, encoder=FakeEncoder(), **settings)
