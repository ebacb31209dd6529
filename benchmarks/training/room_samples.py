"""Training data of `train_rooms`: generated rooms as labeled voxels, each determined by a seed and a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from openshape_ood.scenes import Scene
from openshape_ood.scenes.point_encoder import height_and_color
from openshape_ood.scenes.sparse.grid import Grid
from openshape_ood.scenes.voxels import majority_label, voxelize
from openshape_ood.synthetic.mesh import rotation
from openshape_ood.synthetic.rooms import Room, room
from openshape_ood.synthetic.rooms.pieces import LABELS

LAYOUT = tuple(name for name in LABELS if name != "none")
KNOWN = (
    *("bathtub", "bed", "bookshelf", "chair", "curtain", "lamp", "piano", "plant", "refrigerator", "sofa", "table"),
    "toilet",
)
# categories without a name in the training rooms: examples of points outside the known classes
OTHERS = ("bench", "box", "bucket", "dresser", "fan", "microwave", "printer", "sink", "stairs", "stool", "tent", "vase")
# categories that are not in training rooms
NOVEL = (
    *("bicycle", "bin", "guitar", "ladder", "night stand", "person", "stove", "tv stand", "wardrobe"),
    "washing machine",
)
CLASSES = (*LAYOUT, *KNOWN)
UNLABELED, OTHER = -1, -2
# first seed of training rooms; benchmarks use smaller seeds
FIRST_SEED = 1 << 24
GROUP, USES = 16, 4  # rooms in memory, and uses of each


class Sample(NamedTuple):
    """Voxels (v, 3) int64, their input features (v, c) float32, and their classes (v,) int64.

    Classes are indices of `CLASSES`; `OTHER` is an object of another category, `UNLABELED` a point without an object.
    """

    coords: Tensor
    numbers: Tensor
    labels: Tensor


class Batch(NamedTuple):
    """Several samples on one grid, with rows in the order of the grid."""

    grid: Grid
    numbers: Tensor
    labels: Tensor


class GeneratedRooms(Dataset[Sample]):
    """Samples of a run, from number `start` on.

    Making a room takes much longer than augmenting it. `GROUP` rooms are therefore kept, and each is used `USES` times
    in random order: rotated, mirrored, stretched, thinned, with or without colors.
    """

    def __init__(self, voxel: float, seed: int, start: int, count: int) -> None:
        self.voxel, self.seed, self.start, self.count = voxel, seed, start, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> Sample:
        number = self.start + i
        group, place = divmod(number, GROUP * USES)
        order = np.random.RandomState([self.seed, group, 0]).permutation(GROUP * USES) % GROUP
        rng = np.random.RandomState([self.seed, number, 1])
        made = _made(self.seed, group * GROUP + int(order[place]))
        return sample_of(changed(made.scene, rng), made.names, self.voxel)


@lru_cache(maxsize=GROUP)
def _made(seed: int, number: int) -> Room:
    rng = np.random.RandomState([seed, number, 2])
    return room(
        FIRST_SEED + int(rng.randint(2**31)),
        categories=[*KNOWN * 3, *OTHERS],
        views=int(rng.randint(3, 7)),
        spacing=float(rng.uniform(0.03, 0.05)),
        color="material",
    )


def changed(scene: Scene, rng: np.random.RandomState) -> Scene:
    """Augment a room: rotation, mirroring, stretch, shift, fewer points; half of the time without color."""
    scene = scene.take(rng.random_sample(len(scene)) < rng.uniform(0.4, 1))
    mirror = np.array([rng.choice((-1, 1)), 1, 1]) * rng.uniform(0.9, 1.1, 3)
    turn = rotation("z", rng.uniform(0, 360))
    noise = rng.normal(0, rng.uniform(0, 0.005), (len(scene), 3))
    points = scene.points * mirror @ turn.T + rng.uniform(0, 10, 3) + noise
    color = None
    if scene.color is not None and rng.random_sample() < 0.5:
        color = np.clip(scene.color * rng.uniform(0.8, 1.2) + rng.uniform(-0.1, 0.1, 3), 0, 1)
    return replace(scene, points=points, color=color)


def sample_of(scene: Scene, names: Sequence[str], voxel: float) -> Sample:
    """Voxels of a labelled scan; names: by label, where label 0 means none."""
    assert scene.labels is not None
    classes = {name: i for i, name in enumerate(CLASSES)}
    table = np.array([UNLABELED, *(classes.get(name, OTHER) for name in names[1:])])
    voxels = voxelize(scene.points, voxel)
    labels = table[majority_label(voxels, scene.labels)]
    numbers = height_and_color(scene, voxels.first)
    return Sample(torch.from_numpy(voxels.coords), torch.from_numpy(numbers), torch.from_numpy(labels))


def together(samples: Sequence[Sample]) -> Batch:
    """Samples as one batch."""
    coords = [torch.nn.functional.pad(one.coords, (1, 0), value=i) for i, one in enumerate(samples)]
    grid, order = Grid.of(torch.cat(coords))
    numbers, labels = (torch.cat([one[i] for one in samples])[order] for i in (1, 2))
    return Batch(grid, numbers, labels)


def as_they_are(samples: Any) -> Any:
    """Collate function of a loader that does not stack its samples."""
    return samples
