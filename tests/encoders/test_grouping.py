"""Sampling and ball query against plain references, with the ties and repeats of real clouds."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from openshape_ood.encoders.grouping import plain as grouping
from openshape_ood.encoders.grouping.plain import (
    ball_query,
    farthest_point_sampling,
    farthest_point_sampling_dgl,
    gather,
)
from openshape_ood.errors import MissingPackageError


def reference_sampling(xyz: np.ndarray, count: int) -> list[int]:
    """One cloud (n, 3) in float32, point by point."""
    xyz = xyz.astype(np.float32)
    picked = [0]
    distance = np.full(len(xyz), np.inf, np.float32)
    while len(picked) < count:
        x, y, z = ((xyz - xyz[picked[-1]]) ** 2).T
        distance = np.minimum(distance, (x + y) + z)
        picked.append(int(np.argmax(distance)))
    return picked


def reference_query(xyz: np.ndarray, centers: np.ndarray, radius: float, count: int) -> list[list[int]]:
    """Groups of one cloud, center by center, with exact distances."""
    groups = []
    for center in centers.astype(np.float64):
        inside = np.flatnonzero(((xyz.astype(np.float64) - center) ** 2).sum(axis=1) <= radius**2)[:count].tolist()
        groups.append(inside + [inside[0] if inside else 0] * (count - len(inside)))
    return groups


def random_clouds(b: int = 3, n: int = 200, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.RandomState(seed).uniform(-1, 1, (b, n, 3)).astype(np.float32))


def grid(side: int = 5, seed: int = 0) -> Tensor:
    """A cloud (1, n, 3) full of ties, its coordinates exact in float32."""
    axis = np.arange(side) / 4
    points = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    return torch.from_numpy(np.random.RandomState(seed).permutation(points).astype(np.float32))[None]


def repeated(seed: int = 0) -> Tensor:
    """A cloud (1, n, 3) in which most points stand several times."""
    points = random_clouds(1, 40, seed)[0]
    return points[np.random.RandomState(seed).randint(0, 40, 160)][None]


# the torch versions of a GPU, and what takes their place on the CPU
SAMPLERS = {"cpu": farthest_point_sampling, "any device": grouping._sample}
QUERIES = {"cpu": ball_query, "any device": grouping._query}

CLOUDS = {"random": random_clouds(), "grid": grid(), "repeated": repeated()}


@pytest.mark.parametrize("kind", CLOUDS)
@pytest.mark.parametrize("where", SAMPLERS)
def test_sampling(kind: str, where: str) -> None:
    for count in [1, 2, 30]:
        xyz = CLOUDS[kind]
        expected = [reference_sampling(cloud.numpy(), count) for cloud in xyz]
        assert SAMPLERS[where](xyz, count).tolist() == expected


@pytest.mark.parametrize("kind", CLOUDS)
def test_strided_clouds_and_more_points_than_there_are(kind: str) -> None:
    xyz = torch.cat([CLOUDS[kind], CLOUDS[kind]], dim=-1)[..., :3]
    count = xyz.shape[1] + 5
    assert torch.equal(farthest_point_sampling(xyz, count), grouping._sample(xyz, count))
    assert torch.equal(ball_query(xyz, xyz[:, :9], 0.4, 16), grouping._query(xyz, xyz[:, :9], 0.4, 16))
    assert torch.equal(ball_query(xyz, xyz[:, :0], 0.4, 16), grouping._query(xyz, xyz[:, :0], 0.4, 16))


def test_both_keep_the_same_members_of_large_clouds() -> None:
    xyz = random_clouds(2, 10_000, seed=3)
    centers = gather(xyz, farthest_point_sampling(xyz, 50))
    assert torch.equal(farthest_point_sampling(xyz, 50), grouping._sample(xyz, 50))
    for radius, count in ((0.2, 64), (0.4, 256)):
        assert torch.equal(ball_query(xyz, centers, radius, count), grouping._query(xyz, centers, radius, count))


def test_sampling_starts_at_point_0_and_breaks_ties_by_the_lowest_index() -> None:
    square = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]]])
    assert farthest_point_sampling(square, 5).tolist() == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("count", [3, 4, 9])
def test_sampling_more_than_there_are_different_points(count: int) -> None:
    three = torch.tensor([[[0.0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 3, 0]]])
    assert farthest_point_sampling(three, count).tolist() == [[0, 4, 2] + [0] * (count - 3)]


@pytest.mark.parametrize("count", [6, 20])
def test_sampling_more_than_there_are_points(count: int) -> None:
    picked = farthest_point_sampling(random_clouds(1, 6), count)[0].tolist()
    assert sorted(picked[:6]) == list(range(6))
    assert picked[6:] == [0] * (count - 6)


def test_sampling_of_one_point_repeated() -> None:
    assert farthest_point_sampling(torch.ones(1, 8, 3), 4).tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_sampling_is_done_in_float32(dtype: torch.dtype) -> None:
    xyz = random_clouds().to(dtype)
    assert torch.equal(farthest_point_sampling(xyz, 20), farthest_point_sampling(xyz.float(), 20))


def test_a_cloud_is_sampled_alone_as_in_a_batch() -> None:
    xyz = torch.cat([grid(), grid(seed=1), random_clouds(2, 125)])
    alone = torch.cat([farthest_point_sampling(cloud[None], 40) for cloud in xyz])
    assert torch.equal(farthest_point_sampling(xyz, 40), alone)


@pytest.mark.parametrize("kind", ["random", "grid"])
def test_dgl_samples_the_same_points(kind: str) -> None:
    pytest.importorskip("dgl")
    xyz = CLOUDS[kind]
    assert torch.equal(farthest_point_sampling_dgl(xyz, 40), farthest_point_sampling(xyz, 40))


def test_dgl_samples_the_same_coordinates_of_repeated_points() -> None:
    pytest.importorskip("dgl")
    xyz = CLOUDS["repeated"]
    ours, theirs = (gather(xyz, sampler(xyz, 30)) for sampler in (farthest_point_sampling, farthest_point_sampling_dgl))
    assert torch.equal(ours, theirs)


def test_without_dgl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dgl", None)
    monkeypatch.setitem(sys.modules, "dgl.geometry", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'openshape-ood\[dgl\]'"):
        farthest_point_sampling_dgl(random_clouds(), 4)


@pytest.mark.parametrize("radius", [0.25, 0.5, 1.0])  # on the grid many points lie on the very rim
@pytest.mark.parametrize("where", QUERIES)
def test_query_on_the_rim(radius: float, where: str) -> None:
    for count in [1, 7, 200]:
        xyz = grid()
        centers = xyz[:, :30]
        expected = reference_query(xyz[0].numpy(), centers[0].numpy(), radius, count)
        assert QUERIES[where](xyz, centers, radius, count)[0].tolist() == expected


@pytest.mark.parametrize("kind", ["random", "repeated"])
@pytest.mark.parametrize("radius, count", [(0.2, 16), (0.4, 4), (5.0, 300)])
@pytest.mark.parametrize("where", QUERIES)
def test_query(kind: str, radius: float, count: int, where: str) -> None:
    xyz = CLOUDS[kind]
    centers = xyz[:, ::7]
    distances = torch.cdist(centers.double(), xyz.double())
    assert (distances - radius).abs().min() > 1e-6, "a point too near the rim for a reference in other arithmetic"
    expected = [reference_query(c.numpy(), m.numpy(), radius, count) for c, m in zip(xyz, centers, strict=True)]
    assert QUERIES[where](xyz, centers, radius, count).tolist() == expected


def test_query_keeps_the_lowest_indices_and_repeats_the_first() -> None:
    line = torch.tensor([[[9.0, 0, 0], [0.2, 0, 0], [0, 0, 0], [0.1, 0, 0]]])
    center = line[:, 2:3]
    assert ball_query(line, center, 1, 2).tolist() == [[[1, 2]]]  # not the nearest
    assert ball_query(line, center, 1, 5).tolist() == [[[1, 2, 3, 1, 1]]]
    assert ball_query(line, line[:, :1], 1, 3).tolist() == [[[0, 0, 0]]]


def test_an_empty_ball_holds_index_0() -> None:
    for query in QUERIES.values():
        assert query(random_clouds(1), torch.full((1, 1, 3), 50.0), 0.1, 3).tolist() == [[[0, 0, 0]]]


def test_a_group_is_the_same_alone_as_in_a_batch() -> None:
    xyz = random_clouds(5, 300)
    centers = xyz[:, :20]
    alone = torch.cat([ball_query(xyz[i : i + 1], centers[i : i + 1], 0.4, 16) for i in range(5)])
    assert torch.equal(ball_query(xyz, centers, 0.4, 16), alone)


@pytest.mark.parametrize("elements", [1, 300 * 20 * 2, 300 * 20 * 3 + 1])
def test_groups_do_not_depend_on_the_room_for_tables(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    xyz = random_clouds(5, 300)
    whole = ball_query(xyz, xyz[:, :20], 0.4, 16)
    monkeypatch.setattr(grouping, "TABLE_ELEMENTS", elements)
    assert torch.equal(grouping._query(xyz, xyz[:, :20], 0.4, 16), whole)


def test_groups_under_autocast_are_those_of_float32() -> None:
    xyz = random_clouds(2, 500)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = ball_query(xyz, xyz[:, :20], 0.4, 16)
    assert torch.equal(cast, ball_query(xyz, xyz[:, :20], 0.4, 16))


def test_gather() -> None:
    points = torch.arange(24.0).reshape(2, 4, 3)
    rows = gather(points, torch.tensor([[[0, 3]], [[1, 1]]]))
    assert rows.shape == (2, 1, 2, 3)
    assert torch.equal(rows[0, 0, 1], points[0, 3])
    assert torch.equal(rows[1, 0, 0], points[1, 1])
