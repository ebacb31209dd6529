"""The primitives against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.synthetic.mesh import (
    Mesh,
    box,
    cushion,
    cylinder,
    ellipsoid,
    extrude,
    join,
    lathe,
    rod,
    rotation,
    sheet,
    torus,
    tube,
)
from openshape_ood.synthetic.sampling import surface_area

HEXAGON = [(np.cos(a), np.sin(a)) for a in np.arange(6) * np.pi / 3]
CLOSED = {
    "box": box(0.5, 1.0, 2.0),
    "cylinder": cylinder(0.3, 1.0),
    "cone": cylinder(0.3, 1.0, top=0.0),
    "vessel": lathe([(0, 0), (0.2, 0), (0.3, 0.4), (0.28, 0.4), (0.18, 0.02), (0, 0.02)]),
    "rod": rod((0, 0, 0), (0.3, 1, 0.2), 0.05),
    "ellipsoid": ellipsoid(1, 2, 3),
    "cushion": cushion(1, 0.3, 0.8),
    "tube": tube([(0, 0, 0), (0, 1, 0), (0.5, 1.5, 0)], 0.1),
    "extrusion": extrude(HEXAGON, 0.5),
}


def welded(mesh: Mesh) -> np.ndarray:
    """Triangles over vertices told apart by position; those that collapse at a pole left out."""
    _, same = np.unique(mesh.vertices.round(6), axis=0, return_inverse=True)
    faces = same.reshape(-1)[mesh.faces]
    a, b, c = faces.T
    return faces[(a != b) & (b != c) & (c != a)]


def edge_counts(mesh: Mesh) -> np.ndarray:
    faces = welded(mesh)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    return np.unique(edges, axis=0, return_counts=True)[1]


def volume(mesh: Mesh) -> float:
    """Of a closed mesh whose triangles all wind the same way."""
    return abs(float(np.linalg.det(mesh.vertices[mesh.faces]).sum() / 6))


@pytest.mark.parametrize("name", CLOSED)
def test_closed_primitives_are_watertight(name: str) -> None:
    assert set(edge_counts(CLOSED[name])) == {2}


def test_sheet_is_open() -> None:
    counts = edge_counts(sheet(lambda u, v: np.stack([u, 0 * u, v], axis=-1), 5, 7))
    assert (counts == 1).sum() == 2 * (4 + 6)


def test_box_has_the_area_volume_and_size_asked_for() -> None:
    mesh = box(0.5, 1.0, 2.0)
    assert surface_area(mesh) == pytest.approx(2 * (0.5 * 1 + 0.5 * 2 + 1 * 2))
    assert volume(mesh) == pytest.approx(1.0)
    np.testing.assert_allclose(mesh.size(), [0.5, 1.0, 2.0])
    np.testing.assert_allclose(mesh.vertices.mean(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("segments", [8, 14, 64])
def test_cylinder_is_the_prism_over_a_polygon(segments: int) -> None:
    radius, height = 0.3, 0.8
    base = segments / 2 * np.sin(2 * np.pi / segments) * radius**2
    side = 2 * segments * np.sin(np.pi / segments) * radius * height
    mesh = cylinder(radius, height, segments=segments)
    assert surface_area(mesh) == pytest.approx(2 * base + side)
    assert volume(mesh) == pytest.approx(base * height)


def test_cone_has_a_third_of_the_volume_of_its_cylinder() -> None:
    assert volume(cylinder(0.3, 1, top=0.0)) == pytest.approx(volume(cylinder(0.3, 1)) / 3)


def test_ellipsoid_nears_its_closed_forms() -> None:
    ball = ellipsoid(2, 2, 2, segments=80)
    assert surface_area(ball) == pytest.approx(4 * np.pi, rel=0.01)
    assert volume(ellipsoid(1, 2, 3, segments=80)) == pytest.approx(np.pi, rel=0.01)


def test_cushion_lies_between_ellipsoid_and_box() -> None:
    volumes = [volume(cushion(1, 1, 1, roundness, segments=40)) for roundness in (1.0, 0.5, 0.1)]
    assert np.pi / 6 * 0.95 < volumes[0] < volumes[1] < volumes[2] < 1.0


def test_torus_nears_its_closed_form() -> None:
    radius, thickness = 1.0, 0.1
    ring = torus(radius, thickness, segments=60)
    # the octagon of the tube is 2.6 % short of the circle; the two ends meet inside and count twice
    exact = 4 * np.pi**2 * radius * thickness + 2 * np.pi * thickness**2
    assert 0.96 * exact < surface_area(ring) < exact
    np.testing.assert_allclose(ring.size(), [2.2, 0.2, 2.2], rtol=0.03)


def test_arc_of_a_torus_begins_at_x_and_turns_towards_z() -> None:
    quarter = torus(1.0, 0.05, degrees=90)
    assert quarter.vertices[:, [0, 2]].min() > -0.06
    assert quarter.vertices[:, [0, 2]].max() < 1.06


def test_rod_runs_from_point_to_point() -> None:
    start, end = np.array([0.1, 0.2, 0.3]), np.array([0.5, 1.2, -0.4])
    mesh = rod(start, end, 0.02)
    along = (mesh.vertices - start) @ (end - start) / np.sum((end - start) ** 2)
    assert along.min() == pytest.approx(0, abs=1e-9)
    assert along.max() == pytest.approx(1, abs=1e-9)
    off_axis = np.linalg.norm(mesh.vertices - start - along[:, None] * (end - start), axis=1)
    assert off_axis.max() == pytest.approx(0.02)


def test_extrusion_of_a_hexagon() -> None:
    mesh = extrude(HEXAGON, 0.5)
    area = 3 * np.sqrt(3) / 2
    assert surface_area(mesh) == pytest.approx(2 * area + 6 * 0.5)
    assert volume(mesh) == pytest.approx(area * 0.5)


@pytest.mark.parametrize(("axis", "of", "to"), [("x", 1, 2), ("y", 2, 0), ("z", 0, 1)])
def test_rotation_is_right_handed(axis: str, of: int, to: int) -> None:
    np.testing.assert_allclose(rotation(axis, 90) @ np.eye(3)[of], np.eye(3)[to], atol=1e-12)
    assert np.linalg.det(rotation(axis, 37)) == pytest.approx(1)


def test_join_keeps_parts_apart() -> None:
    pair = join(box(1, 1, 1), cylinder(0.1, 1))
    both = join(pair, pair.moved(x=3))
    assert np.unique(both.parts).tolist() == [0, 1, 2, 3]
    assert surface_area(both) == pytest.approx(2 * surface_area(pair))


def test_methods_leave_the_mesh_alone() -> None:
    mesh = box(1, 1, 1)
    before = mesh.vertices.copy()
    mesh.moved(1, 2, 3).scaled(2).turned("x", 30).mirrored("z").tapered(0.5).deformed(lambda v: v * 0).grounded()
    np.testing.assert_array_equal(mesh.vertices, before)


def test_grounded_stands_over_the_origin() -> None:
    mesh = box(1, 2, 3).moved(4, 5, 6).grounded()
    np.testing.assert_allclose(mesh.vertices.min(axis=0), [-0.5, 0, -1.5])
    np.testing.assert_allclose(mesh.vertices.max(axis=0), [0.5, 2, 1.5])


def test_tapered_narrows_the_top_only() -> None:
    mesh = box(1, 1, 1).tapered(0.5)
    width = {y: np.ptp(mesh.vertices[mesh.vertices[:, 1] == y, 0]) for y in (-0.5, 0.5)}
    assert width == {-0.5: 1.0, 0.5: 0.5}
