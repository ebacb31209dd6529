"""Clouds are even over area."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.errors import InputError
from openshape_ood.synthetic.mesh import Mesh, box, ellipsoid, join
from openshape_ood.synthetic.sampling import sample_oriented, sample_surface, surface_area

POINTS = 20_000


def rng(seed: int = 0) -> np.random.RandomState:
    return np.random.RandomState(seed)


def test_shapes_and_types() -> None:
    cloud, parts = sample_surface(box(1, 1, 1), 100, rng())
    assert (cloud.shape, cloud.dtype) == ((100, 3), np.float64)
    assert (parts.shape, parts.dtype) == ((100,), np.int64)


def test_parts_get_their_share_of_the_area() -> None:
    pieces = [box(1, 1, 1), box(0.3, 0.2, 0.1).moved(2), ellipsoid(0.5, 0.9, 0.4).moved(-2)]
    area = np.array([surface_area(piece) for piece in pieces])
    expected = area / area.sum()
    _, parts = sample_surface(join(*pieces), POINTS, rng())
    deviation = np.sqrt(expected * (1 - expected) / POINTS)
    assert (np.abs(np.bincount(parts) / POINTS - expected) < 4 * deviation).all()


def test_a_face_is_filled_evenly() -> None:
    cloud, _ = sample_surface(box(1, 0, 1), POINTS, rng())
    cells = np.histogram2d(cloud[:, 0], cloud[:, 2], bins=10, range=[[-0.5, 0.5]] * 2)[0]
    chi_squared = float(((cells - POINTS / 100) ** 2 / (POINTS / 100)).sum())
    assert 99 - 4 * np.sqrt(198) < chi_squared < 99 + 4 * np.sqrt(198)


def test_points_lie_on_the_surface() -> None:
    cloud, _ = sample_surface(box(1, 2, 3), 1000, rng())
    np.testing.assert_allclose(np.abs(cloud / [0.5, 1.0, 1.5]).max(axis=1), 1)


def test_normals_are_those_of_the_triangles() -> None:
    cloud, normals, face = sample_oriented(box(1, 1, 1), 1000, rng())
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
    np.testing.assert_array_equal(np.abs(normals).argmax(axis=1), np.abs(cloud).argmax(axis=1))
    assert face.max() < 12


def test_triangles_without_area_get_no_points() -> None:
    ball = ellipsoid(1, 1, 1)
    _, normals, _ = sample_oriented(ball, POINTS, rng())
    assert np.isfinite(normals).all()


def test_the_seed_decides() -> None:
    first, again, other = (sample_surface(box(1, 1, 1), 50, rng(seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_a_mesh_without_area_is_refused() -> None:
    flat = Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]]), np.zeros(1, dtype=np.int64))
    with pytest.raises(InputError, match="is not positive and finite"):
        sample_surface(flat, 10, rng())
