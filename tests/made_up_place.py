"""A map with an encoder of a few lines, and looks at boxes; no weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from fakes import FAKE, FakeEncoder

from openshape_ood import KnownClasses, NoveltyPipeline, Threshold
from openshape_ood.encoders.protocols import Provenance
from openshape_ood.scene_map import SceneMap

POLE, PLATE, SLAB = (0.2, 0.2, 2.0), (1.2, 1.2, 0.1), (1.5, 0.1, 1.5)


def block(
    size: tuple[float, float, float], place: tuple[float, float] = (0, 0), seed: int = 0, n: int = 400
) -> np.ndarray:
    """Points (n, 3) in a box that stands on the ground, z up."""
    points = np.random.default_rng(seed).uniform(0, 1, (n, 3)) * size
    return points + [*place, 0.0]


def pipeline(n: int = 60) -> NoveltyPipeline:
    """Poles are known, by example; the threshold is of n poles."""
    encoder = FakeEncoder()
    rows = encoder.encode([block(POLE, seed=i) for i in range(5)], up="z")
    known = KnownClasses.from_embeddings(rows, ["pole"] * 5, FAKE)
    made = NoveltyPipeline.prepare(known, encoder=encoder, method="nearest_distance", up="z")
    novelty = made([block(POLE, seed=100 + i, n=50 + i) for i in range(n)]).novelty
    threshold = Threshold.from_novelty(novelty, 0.95, provenance=Provenance(FAKE, "nearest_distance"))
    return NoveltyPipeline.prepare(known, encoder=encoder, method="nearest_distance", up="z", threshold=threshold)


def made_map(**settings: Any) -> SceneMap:
    return SceneMap.prepare(pipeline(), **settings)


def frames(count: int) -> list[tuple[np.ndarray, float]]:
    """Looks at three places, one after the other, and their times."""
    kinds = [(POLE, (0, 0)), (PLATE, (4, 0)), (SLAB, (0, 5))]
    return [(block(*kinds[i % 3], seed=i), i / 10) for i in range(count)]


def main() -> None:
    """Add frames from where the map in a folder is, naming one on the way, until there are so many."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    found = SceneMap.load(folder, pipeline())
    print("ready", flush=True)
    for i, (points, time) in enumerate(frames(count)):
        if i < found.state.views:
            continue
        found.add(points, time=time, source=f"frame {i}")
        if i % 7 == 6:
            found.save()


if __name__ == "__main__":
    main()
