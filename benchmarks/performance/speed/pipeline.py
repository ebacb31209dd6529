"""What comes before the network and after it: files read, clouds made ready, embeddings scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.performance.speed.clock import Clock, Pass
from openshape_ood.encoders.protocols import Identity
from openshape_ood.known import Known, unit
from openshape_ood.registry.rows import Row
from openshape_ood.scoring import DEFAULTS, SCORES
from openshape_ood.shapes.points import prepare
from openshape_ood.shapes.reading import load_shape
from openshape_ood.synthetic import categories, generate, sample

DENSER = 2  # points of a cloud on disk to those that the network takes
CLASSES, EXAMPLES = 15, 100  # of the known classes that are scored against


@dataclass(frozen=True)
class Files:
    """The same generated shapes as colored clouds (binary PLY) and as meshes (OBJ), y up, meters."""

    clouds: tuple[Path, ...]
    meshes: tuple[Path, ...]


def write_files(folder: Path, count: int, points: int, seed: int = 0) -> Files:
    """`count` shapes of all categories in turn; clouds of DENSER * points points."""
    import trimesh

    names = categories()
    clouds, meshes = [], []
    for i in range(count):
        name, own = names[i % len(names)], seed + i // len(names)
        xyz = sample(name, DENSER * points, own)
        mesh = generate(name, own)
        clouds.append(folder / f"{i:03d}.ply")
        meshes.append(folder / f"{i:03d}.obj")
        trimesh.PointCloud(xyz, colors=_colors(xyz)).export(clouds[-1])
        trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(meshes[-1])
    return Files(tuple(clouds), tuple(meshes))


def _colors(xyz: np.ndarray) -> np.ndarray:
    """A color (n, 3) uint8 a point, by where it lies."""
    low, high = xyz.min(axis=0), xyz.max(axis=0)
    return np.asarray(255 * (xyz - low) / np.maximum(high - low, 1e-9), dtype=np.uint8)


def prepared(row: Row, clouds: Sequence[np.ndarray], points: int) -> np.ndarray:
    """Clouds as the network takes them, (b, n, 6) float32."""
    frame: dict[str, Any] = {"count": points, "up": "y", "to": row.spec.up, "color": row.spec.color, "seed": 0}
    return np.stack([prepare(cloud, **frame, name=f"shape {i}") for i, cloud in enumerate(clouds)])


def read(paths: Sequence[Path], points: int) -> list[np.ndarray]:
    return [load_shape(path, points=points) for path in paths]


def around(row: Row, files: Files, points: int) -> Pass:
    """Reading the clouds, making them ready, scoring as many embeddings; and reading the meshes, surfaces sampled."""
    known, queries = _known(row), _random(len(files.clouds), row.sizes.embedding_dim)
    score = SCORES[DEFAULTS["examples"]]

    def run(clock: Clock) -> None:
        clouds = read(files.clouds, points)
        clock.mark("read")
        prepared(row, clouds, points)
        clock.mark("prepare")
        score.novelty(queries, known)
        clock.mark("score")
        read(files.meshes, points)
        clock.mark("read meshes")

    return run


def _known(row: Row) -> Known:
    """Made-up examples of made-up classes."""
    examples = _random(CLASSES * EXAMPLES, row.sizes.embedding_dim)
    anchors = unit(examples.reshape(CLASSES, EXAMPLES, -1).mean(axis=1), "the mean example of")
    names = tuple(f"class {i}" for i in range(CLASSES))
    labels = np.repeat(np.arange(CLASSES), EXAMPLES)
    return Known(names, anchors, examples, labels, Identity(row.name, row.text.space))


def _random(count: int, d: int) -> np.ndarray:
    """Unit vectors (count, d)."""
    return unit(np.random.RandomState(0).normal(size=(count, d)), "the embedding")
