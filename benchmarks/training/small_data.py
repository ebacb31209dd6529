"""Training clouds of `small`: half are generated shapes, half are objects of a pack, whole and as simulated scans.

Making a cloud takes longer than training on it. The clouds of a block are therefore made once and used `PASSES` times,
each time with other points, rotation, color and noise. Seed and number determine a batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from benchmarks.object_pack import ObjectPack
from openshape_ood.encoders.grouping.plain import ball_query, farthest_point_sampling, gather
from openshape_ood.errors import CloudError
from openshape_ood.shapes.points import to_unit_ball
from openshape_ood.synthetic import generate, variants
from openshape_ood.synthetic.mesh import rotation
from openshape_ood.synthetic.sampling import sample_surface
from openshape_ood.synthetic.scanner import scan
from openshape_ood.synthetic.visibility import unhidden

FIRST_SEED = 1 << 24  # first seed of generated shapes; benchmarks use smaller seeds
BLOCK, PASSES = 1024, 4
DENSE = 1536  # points of a stored cloud
FEWEST = 160  # least points of an object in a view
REALISTIC = (
    "aws-robotics",
    "RobotLocomotion",
    "vimalabs",
    "code-iai",
    "personalrobotics",
    "Healthcare-Robotics",
    "BabylonJS",
)
FOLDS = ("quaternius", "market", "kenney", "kaykit", "realistic")


def fold_of(source: str) -> str:
    """The part of the pack that a source belongs to: one of four large collections, or "realistic" for all others."""
    owner = source.split("/")[0]
    large = {"trebeljahr": "quaternius", "pmndrs": "market", "beep2bleep": "kenney", "KayKit-Game-Assets": "kaykit"}
    return large.get(owner, "realistic")


class Clouds(NamedTuple):
    """Prepared clouds (b, n, 6), centers (b, p, 3), members (b, p, k), classes (b,), fine classes (b,) int64."""

    points: Tensor
    centers: Tensor
    members: Tensor
    classes: Tensor
    fine: Tensor


class Mixture(IterableDataset[Clouds]):
    """Endless batches, from number `first` on. Fine classes are the variants of all categories, then the pack's names.

    pack: None for generated shapes only; views: False to use the pack's clouds unchanged; clutter: False to leave out
    foreign points only.
    """

    def __init__(
        self,
        categories: Sequence[str],
        pack: ObjectPack | None,
        sizes: tuple[int, int, int, float],
        batch: int,
        seed: int,
        first: int = 0,
        *,
        views: bool = True,
        clutter: bool = True,
    ) -> None:
        self.categories, self.pack, self.sizes, self.batch = list(categories), pack, sizes, batch
        self.seed, self.first, self.views, self.clutter = seed, first, views, clutter
        self.variants = [(i, v) for i, c in enumerate(categories) for v in variants(c)]
        starts = np.cumsum([0, *(len(variants(c)) for c in categories)])
        self.starts = starts
        self.fine = len(self.variants)
        if pack is not None:
            self.names = sorted(set(pack.names.tolist()))
            label = {name: i for i, name in enumerate(self.names)}
            self.labels = np.array([label[name] for name in pack.names.tolist()])
            self.fine += len(self.names)
            self.odds = odds(pack, self.labels)

    def __iter__(self) -> Iterator[Clouds]:
        if torch.utils.data.get_worker_info() is not None:
            os.nice(5)
            torch.set_num_threads(1)
        per_block = BLOCK * PASSES // self.batch
        block, skipped = divmod(self.first, per_block)
        while True:
            yield from self._block(block, skipped)
            block, skipped = block + 1, 0

    def _block(self, block: int, skipped: int) -> Iterator[Clouds]:
        made = [self._made(np.random.RandomState([self.seed, block, i]), block * BLOCK + i) for i in range(BLOCK)]
        rng = np.random.RandomState([self.seed, block, BLOCK])
        order = np.concatenate([rng.permutation(BLOCK) for _ in range(PASSES)])
        for k in range(skipped, len(order) // self.batch):
            draws = np.random.RandomState([self.seed, block, BLOCK + 1 + k])
            yield self._together([made[i] for i in order[k * self.batch : (k + 1) * self.batch]], draws)

    def _together(self, made: Sequence[tuple[np.ndarray, int, int]], rng: np.random.RandomState) -> Clouds:
        count, patches, members, radius = self.sizes
        clouds = np.stack([shown(cloud, count, rng) for cloud, _, _ in made])
        points = torch.from_numpy(clouds)
        centers = gather(points[..., :3], farthest_point_sampling(points[..., :3], patches))
        groups = ball_query(points[..., :3], centers, radius, members)
        classes, fine = (torch.tensor([one[i] for one in made]) for i in (1, 2))
        return Clouds(points, centers, groups, classes, fine)

    def _made(self, rng: np.random.RandomState, number: int) -> tuple[np.ndarray, int, int]:
        if self.pack is None or number % 2:
            return self._generated(rng, number)
        i = int(rng.choice(len(self.odds), p=self.odds))
        foreign = self.pack.clouds[int(rng.randint(len(self.odds)))]
        cloud = self.pack.clouds[i]
        if self.views:
            cloud = viewed(cloud, foreign if self.clutter else None, rng)
        label = int(self.labels[i])
        return cloud, len(self.categories) + label, len(self.variants) + label

    def _generated(self, rng: np.random.RandomState, number: int) -> tuple[np.ndarray, int, int]:
        label = int(rng.randint(len(self.categories)))
        name = self.categories[label]
        kinds = variants(name)
        kind = int(rng.randint(len(kinds)))
        mesh = generate(name, (FIRST_SEED + self.seed * 10_000_000 + number) % 2**32, kinds[kind])
        if rng.random_sample() < 0.5:
            mesh = mesh.scaled(*rng.uniform(0.8, 1.25, 3))
        if rng.random_sample() < 0.3:
            xyz, parts = sample_surface(mesh, DENSE, rng)
        else:
            xyz, parts = scan(mesh, DENSE, rng.random_sample() ** 0.7, rng), np.zeros(DENSE, dtype=np.int64)
        palette = rng.uniform(size=(int(parts.max()) + 1, 3))
        cloud = np.hstack([xyz, palette[parts]]).astype(np.float32)
        return cloud, label, int(self.starts[label]) + kind


def odds(pack: ObjectPack, labels: np.ndarray) -> np.ndarray:
    """Probabilities (b,) of objects: a name in proportion to the root of its count, realistic objects three times."""
    worth = np.where([one.split("/")[0] in REALISTIC for one in pack.sources], 3.0, 1.0)
    of_name = np.bincount(labels, weights=worth)
    each = worth / of_name[labels] * np.sqrt(of_name[labels])
    return each / each.sum()


def shown(cloud: np.ndarray, count: int, rng: np.random.RandomState) -> np.ndarray:
    """Augment a cloud (m, 6) to `count` points (n, 6) float32: rotation, mirroring, unit ball, noise, color or gray."""
    m = len(cloud)
    picked = (
        rng.permutation(m)[:count] if m >= count else np.concatenate([np.arange(m), rng.randint(m, size=count - m)])
    )
    # shuffled, because the first point is the first patch center
    rows = cloud[rng.permutation(picked)]
    turn = rng.uniform(0, 360) if rng.random_sample() < 0.6 else 90.0 * rng.randint(4)
    xyz = rows[:, :3] @ rotation("y", turn).T
    if rng.random_sample() < 0.5:
        xyz[:, 0] *= -1
    xyz = to_unit_ball(xyz, "sample")
    xyz = xyz + 0.006 * rng.random_sample() * rng.normal(size=xyz.shape)
    if rng.random_sample() < 0.6:
        rgb = np.full((count, 3), 0.4)
    else:
        rgb = rows[:, 3:] * rng.uniform(0.6, 1.3, 3) + rng.normal(0, 0.05, 3)
        rgb = rgb[:, rng.permutation(3)] if rng.random_sample() < 0.2 else rgb
    return np.hstack([to_unit_ball(xyz, "sample"), rgb.clip(0, 1)]).astype(np.float32)


def viewed(cloud: np.ndarray, foreign: np.ndarray | None, rng: np.random.RandomState) -> np.ndarray:
    """Simulated scan of a whole y-up cloud (n, 6): stretched, one-sided, cut, with holes, bumps and noise.

    foreign: another cloud, of which a piece is added, with floor and wall. One time in four, the cloud is only rotated
    and stretched.
    """
    rows = cloud[rng.permutation(len(cloud))[:2600]].astype(np.float64)
    xyz, rgb = rows[:, :3], rows[:, 3:]
    if rng.random_sample() < 0.5:
        xyz = xyz * rng.uniform(0.8, 1.25, 3)
    xyz = xyz @ rotation("y", rng.uniform(0, 360)).T
    if rng.random_sample() < 0.25:
        return np.hstack([xyz, rgb])[:DENSE]
    severity = rng.random_sample() ** 0.7
    extent = float(np.linalg.norm(np.ptp(xyz, axis=0)))
    tilt = rotation("x", rng.uniform(-6, 6) * severity) @ rotation("z", rng.uniform(-6, 6) * severity)
    xyz = xyz @ tilt.T
    kept, camera = _seen(xyz, severity, rng)
    kept = kept & _uncut(xyz, kept, severity, extent, rng)
    if kept.sum() < FEWEST:
        kept = np.ones(len(xyz), dtype=bool)
    xyz, rgb = xyz[kept], rgb[kept]
    if rng.random_sample() < 0.5:
        single = np.linalg.norm(xyz - camera, axis=1) ** -(3.0 * severity * rng.random_sample())
        order = rng.choice(len(xyz), size=max(FEWEST, len(xyz) // 2), p=single / single.sum())
        xyz, rgb = xyz[order], rgb[order]
    if foreign is not None and rng.random_sample() < 0.8 * severity + 0.1:
        xyz, rgb = _among(xyz, rgb, foreign, extent, severity, rng)
    waves = rng.normal(size=(3, 3))
    waves *= rng.uniform(4, 14, 3) / (extent * np.linalg.norm(waves, axis=0))
    bumps = np.sin(xyz @ waves + rng.uniform(0, 2 * np.pi, 3)) @ (rng.normal(size=(3, 3)) / 3)
    rays = xyz - camera
    rays /= np.linalg.norm(rays, axis=1, keepdims=True) + 1e-9
    along = 0.015 * severity * rng.random_sample() * rng.normal(size=(len(xyz), 1))
    even = (0.001 + 0.008 * severity * rng.random_sample()) * rng.normal(size=xyz.shape)
    xyz = xyz + extent * (0.012 * severity * rng.random_sample() * bumps + along * rays + even)
    return np.hstack([xyz, rgb])[rng.permutation(len(xyz))[:DENSE]]


def _seen(xyz: np.ndarray, severity: float, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Mask (n,) of points that one to three cameras see, and position (3,) of the first camera."""
    middle = (xyz.min(axis=0) + xyz.max(axis=0)) / 2
    reach = np.linalg.norm(xyz - middle, axis=1).max()
    views = 1 + int(rng.choice(3, p=(0.45 + 0.25 * severity, 0.35 - 0.1 * severity, 0.2 - 0.15 * severity)))
    azimuth, step = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(20, 70))
    kept, cameras = np.zeros(len(xyz), dtype=bool), []
    for i in range(views):
        elevation, turn = np.radians(rng.uniform(-2, 55)), azimuth + i * step
        level = np.cos(elevation)
        towards = np.array([level * np.sin(turn), np.sin(elevation), level * np.cos(turn)])
        cameras.append(middle + rng.uniform(1.6, 3.5) * reach * towards)
        try:
            kept[unhidden(xyz, cameras[-1])] = True
        except CloudError:
            kept[:] = True
    return kept, cameras[0]


def _uncut(xyz: np.ndarray, kept: np.ndarray, severity: float, extent: float, rng: np.random.RandomState) -> np.ndarray:
    """Mask (n,) of points left after random cuts: behind a plane, below a height, in holes."""
    left = np.ones(len(xyz), dtype=bool)
    if rng.random_sample() < 0.45:
        along = xyz @ (rng.normal(size=3) * (1, 0.5, 1))
        left &= along > np.quantile(along[kept] if kept.any() else along, 0.35 * severity * rng.random_sample())
    if rng.random_sample() < 0.25:
        left &= xyz[:, 1] > np.quantile(xyz[:, 1], 0.3 * severity * rng.random_sample())
    for _ in range(rng.randint(0, 1 + round(5 * severity))):
        middle, radius = xyz[rng.randint(len(xyz))], 0.09 * extent * rng.random_sample()
        left &= ((xyz - middle) ** 2).sum(axis=1) > radius**2
    return left


def _among(
    xyz: np.ndarray,
    rgb: np.ndarray,
    foreign: np.ndarray,
    extent: float,
    severity: float,
    rng: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    """Add floor, wall and a piece of another object around a cloud, at most 20 % of all points."""
    low, high = xyz.min(axis=0), xyz.max(axis=0)
    margin = rng.uniform(0.02, 0.1, 3) * extent
    low, high, size = low - margin, high + margin, 60 + int(0.2 * severity * len(xyz) * rng.random_sample())
    pieces = []
    if rng.random_sample() < 0.6:
        floor = rng.uniform(low, high, (size, 3))
        floor[:, 1] = low[1] + margin[1]
        pieces.append(floor)
    if rng.random_sample() < 0.3:
        wall, axis = rng.uniform(low, high, (size, 3)), 2 * rng.randint(2)
        wall[:, axis] = (low if rng.random_sample() < 0.5 else high)[axis]
        pieces.append(wall)
    if rng.random_sample() < 0.7 or not pieces:
        piece = foreign[rng.permutation(len(foreign))[: 4 * size], :3] @ rotation("y", rng.uniform(0, 360)).T
        angle = rng.uniform(0, 2 * np.pi)
        place = (low + high) / 2 + 0.55 * (high - low) * (np.cos(angle), rng.uniform(-0.6, 0.6), np.sin(angle))
        piece = piece * extent * rng.uniform(0.15, 0.5) + place
        pieces.append(piece[((piece > low) & (piece < high)).all(axis=1)][:size])
    around = np.concatenate(pieces)[:, :3]
    around = around[rng.permutation(len(around))[: len(xyz) // 4]]
    color = np.broadcast_to(rng.uniform(size=3), around.shape)
    return np.concatenate([xyz, around]), np.concatenate([rgb, color])
