"""Scans in every format, and those in which something is wrong."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import trimesh

from openshape_ood import Scene, load_scene
from openshape_ood.errors import CloudError, InputError, NoSuchShapeError, ShapeFileError, UnknownNameError
from openshape_ood.scenes import ScanWarning, load_labels, save_scene
from openshape_ood.scenes import files as scene_files
from openshape_ood.scenes.validation import warn_of_axis
from openshape_ood.shapes import meshes
from openshape_ood.shapes.points import AxisWarning
from openshape_ood.shapes.reading import file_bytes

RNG = np.random.default_rng(0)
POINTS = RNG.uniform(0, 2, (40, 3)).astype(np.float32)
RGB = RNG.integers(0, 256, (40, 3), dtype=np.uint8)
LABEL = RNG.integers(0, 1191, 40)
OBJECT = RNG.integers(0, 9, 40)
SCANNET = [*((axis, "<f4") for axis in "xyz"), *((channel, "u1") for channel in ("red", "green", "blue"))]
TYPES = {"<f4": "float", "|u1": "uchar", "<u4": "uint", "<u2": "ushort", "<i4": "int", "<f8": "double"}


def label_files(folder: Path, label: int) -> list[Path]:
    """Two points with such a label, and the one above, in every way by which labels become floats."""
    labels, paths = np.array([label, label + 1]), [folder / f"{n}.ply" for n in range(2)] + [folder / "a.txt"]
    rows = [f"0 0 0 {label}", f"1 0 0 {label + 1}"]
    paths[2].write_text("\n".join(["x y z instance", *rows]))
    for path, kind in zip(paths, ("double", "int64"), strict=False):
        properties = "".join(f"property float {axis}\n" for axis in "xyz") + f"property {kind} instance\n"
        path.write_text(f"ply\nformat ascii 1.0\nelement vertex 2\n{properties}end_header\n" + "\n".join(rows) + "\n")
    np.savez(folder / "a.npz", points=np.eye(3)[:2], instance=labels.astype(np.float64))
    pcd = "FIELDS x y z instance\nSIZE 4 4 4 8\nTYPE F F F U\nCOUNT 1 1 1 1\nWIDTH 2\nHEIGHT 1\nPOINTS 2\nDATA ascii\n"
    (folder / "a.pcd").write_text("VERSION .7\n" + pcd + "\n".join(rows) + "\n")
    return [*paths, folder / "a.npz", folder / "a.pcd"]


def test_two_labels_never_become_one(tmp_path: Path) -> None:
    for path in label_files(tmp_path, 2**53):
        with pytest.raises(ShapeFileError, match=r"9,007,199,254,740,992 or more, which float64 cannot"):
            load_scene(path)
    for path in label_files(tmp_path, 2**53 - 2):
        assert load_scene(path).instances.tolist() == [2**53 - 2, 2**53 - 1]
    np.savez(tmp_path / "b.npz", points=np.eye(3)[:2], instance=np.array([2**53, 2**53 + 1]))
    assert load_scene(tmp_path / "b.npz").instances.tolist() == [2**53, 2**53 + 1]
    np.savez(tmp_path / "b.npz", points=np.eye(3)[:2], instance=np.array([2**24, 2**24 + 1], np.float32))
    with pytest.raises(ShapeFileError, match="16,777,216 or more, which float32"):
        load_scene(tmp_path / "b.npz")


def table(fields: list[tuple[str, str]], **columns: np.ndarray) -> np.ndarray:
    given = dict(zip(("x", "y", "z", "red", "green", "blue"), (*POINTS.T, *RGB.T), strict=True)) | columns
    rows = np.empty(len(given["x"]), dtype=fields)
    for name, _ in fields:
        rows[name] = given[name]
    return rows


def ply(path: Path, rows: np.ndarray, text: bool = False, faces: int = 0) -> Path:
    """Written by this test, so that reader and writer cannot be wrong together."""
    kinds = [f"property {TYPES[rows.dtype[name].str]} {name}" for name in rows.dtype.names or ()]
    ends = [f"element face {faces}", "property list uchar int vertex_indices"] * (faces > 0)
    order = "ascii" if text else "binary_little_endian"
    head = "\n".join(["ply", f"format {order} 1.0", f"element vertex {len(rows)}", *kinds, *ends, "end_header", ""])
    lines = "".join(" ".join(map(str, row)) + "\n" for row in rows.tolist()) + "3 0 1 2\n" * faces
    body = lines.encode() if text else rows.tobytes() + struct.pack("<Biii", 3, 0, 1, 2) * faces
    path.write_bytes(head.encode() + body)
    return path


def scannet(path: Path, text: bool = False) -> Path:
    """As both preprocessors write it, with columns in another order: only their names say which is which."""
    fields = [("label", "<u4"), *SCANNET, ("instance_id", "<u4")]
    return ply(path, table(fields, label=LABEL, instance_id=OBJECT), text)


def las(path: Path) -> Path:
    laspy = pytest.importorskip("laspy")
    header = laspy.LasHeader(point_format=3, version="1.2")
    header.scales = np.full(3, 1e-7)
    cloud = laspy.LasData(header)
    cloud.x, cloud.y, cloud.z = POINTS.astype(np.float64).T
    cloud.red, cloud.green, cloud.blue = (RGB.astype(np.uint16) * 257).T
    cloud.classification = LABEL % 32
    cloud.write(str(path))
    return path


def pcd(path: Path) -> Path:
    packed = (RGB.astype(np.uint32) << [16, 8, 0]).sum(axis=1, dtype=np.uint32)
    rows = np.empty(41, dtype=[*SCANNET[:3], ("rgb", "<u4"), ("label", "<u4")])
    for name, column in zip(("x", "y", "z", "rgb", "label"), (*POINTS.T, packed, LABEL), strict=True):
        rows[name][:40] = column
    rows[40] = (np.nan, np.nan, np.nan, 0, 3)  # never measured
    head = "FIELDS x y z rgb label\nSIZE 4 4 4 4 4\nTYPE F F F U U\nCOUNT 1 1 1 1 1\nPOINTS 41\nDATA binary\n"
    path.write_bytes(head.encode() + rows.tobytes())
    return path


def npz(path: Path) -> Path:
    np.savez_compressed(path, coords=POINTS, colors=RGB, semantic_label=LABEL, instances=OBJECT, other=np.zeros(3))
    return path


def text(path: Path) -> Path:
    rows = np.column_stack([POINTS, RGB, LABEL])
    np.savetxt(path, rows, header="x y z red green blue scalar_Label", comments="//", fmt="%.9g")
    return path


@pytest.mark.parametrize(
    ("write", "suffix", "labels", "objects"),
    [
        (scannet, ".ply", LABEL, OBJECT),
        (lambda path: scannet(path, text=True), ".ply", LABEL, OBJECT),
        (las, ".las", LABEL % 32, None),
        (las, ".laz", LABEL % 32, None),
        (pcd, ".pcd", LABEL, None),
        (npz, ".npz", LABEL, OBJECT),
        (text, ".txt", LABEL, None),
        (text, ".csv", LABEL, None),
    ],
)
def test_columns_are_read_by_name(tmp_path: Path, write: Any, suffix: str, labels: Any, objects: Any) -> None:
    scene = load_scene(write(tmp_path / f"room{suffix}"))
    assert scene.name == f"room{suffix}"
    np.testing.assert_allclose(scene.points, POINTS, atol=1e-5)
    assert scene.color is not None and scene.labels is not None
    np.testing.assert_array_equal(np.rint(scene.color * 255), RGB)
    np.testing.assert_array_equal(scene.labels, labels)
    if objects is None:
        assert scene.instances is None
    else:
        np.testing.assert_array_equal(scene.instances, objects)


@pytest.mark.parametrize("kind", ["cloud.npy", "named.npy", "bare.xyz"])
def test_no_color_and_no_labels(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if path.suffix == ".xyz":
        np.savetxt(path, POINTS, fmt="%.17g")
    else:
        np.save(path, POINTS if kind == "cloud.npy" else table(SCANNET[:3]))
    scene = load_scene(path)
    np.testing.assert_array_equal(scene.points, POINTS)
    assert scene.color is None and scene.labels is None and scene.instances is None


def test_labels_of_nothing_are_none_and_those_below_zero_are_zero(tmp_path: Path) -> None:
    """The files of ScanNet's test set say 0 of every point."""
    fields = [*SCANNET, ("label", "<i4"), ("instance_id", "<i4")]
    rows = table(fields, label=np.zeros(40), instance_id=np.where(OBJECT > 4, OBJECT, -1))
    scene = load_scene(ply(tmp_path / "test.ply", rows))
    assert scene.labels is None and scene.instances is not None
    np.testing.assert_array_equal(scene.instances, np.where(OBJECT > 4, OBJECT, 0))


class TestScanNetsLabelFiles:
    @pytest.fixture
    def scan(self, tmp_path: Path) -> Path:
        """A mesh, of which the vertices are the scan, with its labels beside it."""
        ply(tmp_path / "scene0000_00_vh_clean_2.labels.ply", table([*SCANNET, ("label", "<u2")], label=LABEL), faces=4)
        return ply(tmp_path / "scene0000_00_vh_clean_2.ply", table(SCANNET), faces=4)

    def test_the_one_beside_a_scan_is_found(self, scan: Path) -> None:
        scene = load_scene(scan)
        np.testing.assert_array_equal(scene.labels, LABEL)
        np.testing.assert_array_equal(scene.points, POINTS)
        beside = load_scene(scan.with_name("scene0000_00_vh_clean_2.labels.ply"))
        assert beside.color is None and beside.labels is not None  # its colors are its labels

    def test_one_in_text_goes_before_it(self, scan: Path) -> None:
        given = scan.with_suffix(".txt")
        given.write_text("".join(f"{label}\n" for label in LABEL[::-1]))
        np.testing.assert_array_equal(load_scene(scan, labels=given).labels, LABEL[::-1])
        np.testing.assert_array_equal(load_labels(given), LABEL[::-1])

    def test_of_another_length(self, scan: Path) -> None:
        given = scan.with_suffix(".txt")
        given.write_text("3\n" * 39)
        with pytest.raises(ShapeFileError, match=r"vh_clean_2.txt has 39 labels\. Expected 40, one per point"):
            load_scene(scan, labels=given)

    @pytest.mark.parametrize(
        ("content", "said"),
        [("3\n4.5\n", "4.5"), ("chair\n", "chair"), ("", "empty"), ("1 2\n3 4\n", "one number per point")],
    )
    def test_of_other_than_numbers(self, scan: Path, content: str, said: str) -> None:
        given = scan.with_suffix(".txt")
        given.write_text(content)
        with pytest.raises(ShapeFileError, match=said):
            load_scene(scan, labels=given)

    def test_without_any(self, scan: Path, tmp_path: Path) -> None:
        with pytest.raises(ShapeFileError, match=r"it has no labels\. Expected one whole number per line"):
            load_scene(scan, labels=scan)
        with pytest.raises(NoSuchShapeError):
            load_scene(scan, labels=tmp_path / "none.txt")


def room(width: float, length: float, height: float) -> np.ndarray:
    """A floor and four walls, a point every 5 cm, z up."""
    across, along, upward = (np.arange(0, side, 0.05) for side in (width, length, height))
    grid = [
        np.stack(np.meshgrid(across, along, [0.0]), axis=-1),
        *(np.stack(np.meshgrid([x], along, upward), axis=-1) for x in (0.0, width)),
        *(np.stack(np.meshgrid(across, [y], upward), axis=-1) for y in (0.0, length)),
    ]
    return np.concatenate([part.reshape(-1, 3) for part in grid])


def saved(path: Path, points: np.ndarray) -> Path:
    return save_scene(Scene(points), path)


class TestUnitAndAxis:
    def test_a_room_of_thousands_of_meters_is_refused(self, tmp_path: Path) -> None:
        path = saved(tmp_path / "room.ply", 1000 * room(5, 4, 2.6))
        with pytest.raises(ShapeFileError, match=r"room.ply.*5,000 × 4,000 × 2,550 m large.*unit='mm'"):
            load_scene(path)
        assert np.ptp(load_scene(path, unit="mm").points, axis=0) == pytest.approx([5, 4, 2.55])
        assert np.ptp(load_scene(path, unit="m").points, axis=0) == pytest.approx([5000, 4000, 2550])

    def test_one_of_hundreds_of_meters_is_doubted(self, tmp_path: Path) -> None:
        path = saved(tmp_path / "room.ply", 100 * room(5, 4, 2.6))
        with pytest.warns(ScanWarning, match=r"room.ply is 500 × 400 × 255 m large\. Few indoor places are so large"):
            load_scene(path)
        assert np.ptp(load_scene(path, unit="cm").points, axis=0) == pytest.approx([5, 4, 2.55])

    def test_a_few_stray_points_make_no_hall_of_a_room(self, tmp_path: Path) -> None:
        points = np.concatenate([room(5, 4, 2.6), [[9000.0, 0, 0]]])
        with pytest.warns(ScanWarning, match="1 of .* points are 9e") as told:
            assert len(load_scene(saved(tmp_path / "room.ply", points))) == len(points) - 1
        assert len(told) == 1

    def test_what_was_surveyed_is_large(self, tmp_path: Path) -> None:
        laspy = pytest.importorskip("laspy")
        cloud = laspy.LasData(laspy.LasHeader(point_format=0, version="1.2"))
        cloud.x, cloud.y, cloud.z = np.random.default_rng(0).uniform(0, 3000, (3, 50))
        cloud.write(str(tmp_path / "city.las"))
        assert np.ptp(load_scene(tmp_path / "city.las").points, axis=0).min() > 2000

    @pytest.mark.parametrize("sides", [(5, 4, 2.6), (3, 3, 2.6), (1.5, 7, 2.5)])
    def test_y_and_z_exchanged_are_noticed_where_the_room_is_low(
        self, tmp_path: Path, sides: tuple[float, ...], recwarn: pytest.WarningsRecorder
    ) -> None:
        upright = room(*sides)
        load_scene(saved(tmp_path / "upright.ply", upright))
        assert not recwarn.list
        lying = saved(tmp_path / "lying.ply", upright[:, [0, 2, 1]])
        if min(sides[:2]) >= 4:
            with pytest.warns(AxisWarning, match=r"lying.ply was read with z up, but looks like a room with y up.*'y'"):
                load_scene(lying)
        assert np.ptp(load_scene(lying, up="y").points, axis=0) == pytest.approx(np.ptp(upright, axis=0))

    @pytest.mark.parametrize(
        "height, up, columns, named",
        [
            (2.6, "y", [0, 2, 1], r"y up\. It is .* m along y, and .* give up='y'\.$"),
            (2.6, "x", [2, 0, 1], r"x up\. It is .* m along x, and .* give up='x'\.$"),
            (3.1, "y", [0, 2, 1], r"y or x up\. It is .* m along y, .* m along x, and .* give up='y' or up='x'\.$"),
        ],
    )
    def test_the_axis_across_the_largest_layer_is_named(
        self, tmp_path: Path, height: float, up: str, columns: list[int], named: str
    ) -> None:
        lying = saved(tmp_path / "lying.ply", room(3.3, 5.5, height)[:, columns])  # a wall is as low as a room
        with pytest.warns(AxisWarning, match=f"looks like a room with {named}"):
            load_scene(lying)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load_scene(lying, up=up)

    @pytest.mark.parametrize("up", ["x", "y", "z", "-x", "-y", "-z"])
    def test_scans_are_turned_and_never_mirrored(self, tmp_path: Path, up: str) -> None:
        axis, sign = "xyz".index(up[-1]), -1 if up[0] == "-" else 1
        corners = np.concatenate([np.zeros((1, 3)), np.eye(3), [sign * np.eye(3)[axis]]])
        turned = load_scene(saved(tmp_path / "corners.ply", corners), up=up).points
        assert turned[4].tolist() == [0, 0, 1] and np.linalg.det(turned[1:4]) == pytest.approx(1)

    def test_colors_and_labels_stay_with_their_points(self, tmp_path: Path) -> None:
        scene, turned = (load_scene(scannet(tmp_path / "room.ply"), up=up) for up in ("z", "y"))
        np.testing.assert_array_equal(turned.points, scene.points[:, [0, 2, 1]] * [1, -1, 1])
        np.testing.assert_array_equal(turned.color, scene.color)
        np.testing.assert_array_equal(turned.labels, scene.labels)


class TestMeshes:
    def test_a_gltf_scene_is_sampled_by_a_spacing_and_stands_up(self, tmp_path: Path) -> None:
        box = trimesh.creation.box((4, 2, 3))  # y up, 52 square meters
        box.visual.face_colors = [255, 0, 0, 255]
        trimesh.Scene([box]).export(tmp_path / "room.glb")
        scene = load_scene(tmp_path / "room.glb", spacing=0.1)
        assert len(scene) == 5200 and scene.color is not None and (scene.color == [1, 0, 0]).all()
        assert np.ptp(scene.points, axis=0) == pytest.approx([4, 3, 2], abs=0.01)
        np.testing.assert_array_equal(scene.points, load_scene(tmp_path / "room.glb", spacing=0.1).points)
        assert (scene.points != load_scene(tmp_path / "room.glb", spacing=0.1, seed=1).points).any()
        # evenly: as many on each side as its share of the surface
        floor = (scene.points[:, 2] < -0.999).mean()
        assert floor == pytest.approx(12 / 52, abs=0.02)

    def test_very_many_points_are_drawn_part_by_part(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(meshes, "DRAWN", 100)
        box = trimesh.creation.box((1, 1, 1))
        points = meshes.sample_spaced(box, 0.1)
        assert points.shape == (600, 3) and len(np.unique(points, axis=0)) == 600
        np.testing.assert_array_equal(points[:100], meshes.sample_mesh(box, 100))

    def test_a_ply_mesh_of_far_vertices_is_sampled_and_one_of_near_ones_is_the_scan(self, tmp_path: Path) -> None:
        trimesh.creation.box((1, 1, 1)).export(tmp_path / "box.ply")
        assert len(load_scene(tmp_path / "box.ply")) == 15_000
        assert len(load_scene(tmp_path / "box.ply", unit="cm")) == 8  # 1 cm large
        assert len(load_scene(tmp_path / "box.ply", spacing=0.1)) == 600
        near = trimesh.creation.box((1, 1, 1)).subdivide_to_size(0.15)
        near.export(tmp_path / "near.ply")
        np.testing.assert_allclose(load_scene(tmp_path / "near.ply").points, near.vertices)
        np.testing.assert_array_equal(load_scene(scannet(tmp_path / "cloud.ply"), spacing=0.1).labels, LABEL)

    def test_labelled_vertices_of_a_ply_mesh_stay(self, tmp_path: Path) -> None:
        rows = table([*SCANNET, ("label", "<u4")], label=LABEL)
        np.testing.assert_array_equal(load_scene(ply(tmp_path / "far.ply", rows, faces=4)).labels, LABEL)
        bare = ply(tmp_path / "bare.ply", table(SCANNET), faces=4)
        (tmp_path / "bare.txt").write_text("".join(f"{label}\n" for label in LABEL))
        assert len(load_scene(bare, labels=tmp_path / "bare.txt")) == 40 < len(load_scene(bare))

    def test_the_spacing_is_in_meters_whatever_the_file_is_in(self, tmp_path: Path) -> None:
        trimesh.creation.box((1000, 1000, 1000)).export(tmp_path / "box.obj")
        assert len(load_scene(tmp_path / "box.obj", unit="mm", spacing=0.1)) == 600

    def test_a_collada_file_states_unit_and_axis(self, tmp_path: Path) -> None:
        pytest.importorskip("collada")
        corners = "0 0 0 100 0 0 0 300 0 100 300 0"
        (tmp_path / "wall.dae").write_text(
            f"""<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
            <asset><unit name="centimeter" meter="0.01"/><up_axis>Y_UP</up_axis></asset>
            <library_geometries><geometry id="g"><mesh>
            <source id="s"><float_array id="a" count="12">{corners}</float_array><technique_common>
            <accessor source="#a" count="4" stride="3"><param name="X" type="float"/><param name="Y" type="float"/>
            <param name="Z" type="float"/></accessor></technique_common></source>
            <vertices id="v"><input semantic="POSITION" source="#s"/></vertices>
            <triangles count="2"><input semantic="VERTEX" source="#v" offset="0"/><p>0 1 2 1 3 2</p></triangles>
            </mesh></geometry></library_geometries><library_visual_scenes><visual_scene id="scene">
            <node><instance_geometry url="#g"/></node></visual_scene></library_visual_scenes>
            <scene><instance_visual_scene url="#scene"/></scene></COLLADA>"""
        )
        scene = load_scene(tmp_path / "wall.dae", spacing=0.05)
        assert len(scene) == 1200 and np.ptp(scene.points, axis=0) == pytest.approx([1, 0, 3], abs=0.03)

    def test_a_surface_without_end_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "plane.obj").write_text("v 0 0 0\nv 1e6 0 0\nv 0 1e6 0\nf 1 2 3\n")
        with pytest.raises(ShapeFileError, match=r"1,250,000,000,000,000 points at a spacing of 0\.02.*Check the unit"):
            load_scene(tmp_path / "plane.obj")


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("field", "rows", "value", "said"),
        [
            ("y", slice(3, 5), np.nan, r"room.ply.*2 of 40 points are not finite\. .* Leave them out"),
            ("label", slice(None), np.linspace(0, 1, 40), "'label' holds values that are no whole numbers"),
            ("label", slice(None), np.nan, "'label' holds values that are no whole numbers"),
        ],
    )
    def test_values_that_are_none(self, tmp_path: Path, field: str, rows: slice, value: Any, said: str) -> None:
        content = table([*SCANNET, ("label", "<f4")], label=LABEL)
        content[field][rows] = value
        with pytest.raises(ShapeFileError, match=said):
            load_scene(ply(tmp_path / "room.ply", content))

    def test_labels_in_a_file_of_another_length_than_its_points(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "room.npz", points=POINTS, labels=LABEL[:39])
        with pytest.raises(
            ShapeFileError, match=r"labels has shape \(39,\)\. Expected \(40,\)\. Give one row per point"
        ):
            load_scene(tmp_path / "room.npz")

    @pytest.mark.parametrize("count", [1, 2])
    def test_a_point_or_two_are_a_scan(self, tmp_path: Path, count: int) -> None:
        scene = load_scene(ply(tmp_path / "room.ply", table(SCANNET)[:count]))
        assert len(scene) == count and (count > 1) == np.isfinite(scene.spacing())

    def test_none(self, tmp_path: Path) -> None:
        with pytest.raises(ShapeFileError, match="no points"):
            load_scene(ply(tmp_path / "room.ply", table(SCANNET)[:0]))

    def test_points_that_come_several_times_all_stay(self, tmp_path: Path) -> None:
        scene = load_scene(ply(tmp_path / "room.ply", np.repeat(table(SCANNET), 3)))
        assert len(scene) == 120 and scene.spacing() == Scene(POINTS).spacing()

    def test_too_many(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scene_files, "MAX_POINTS", 39)
        with pytest.raises(
            ShapeFileError, match=r"it has 40 points\. Expected at most 39\. Thin it out or split it first"
        ):
            load_scene(ply(tmp_path / "room.ply", table(SCANNET)))

    def test_a_header_that_promises_more_than_the_file_holds(self, tmp_path: Path) -> None:
        path = ply(tmp_path / "room.ply", table(SCANNET))
        path.write_bytes(path.read_bytes().replace(b"vertex 40", b"vertex 4000000000"))
        with pytest.raises(ShapeFileError, match="4,000,000,000 rows of 'vertex' would take 60,000,000,000 bytes"):
            load_scene(path)

    def test_e57(self, tmp_path: Path) -> None:
        (tmp_path / "scan.e57").write_bytes(b"ASTM-E57")
        with pytest.raises(ShapeFileError, match=r"unknown suffix '.e57'.* Convert it to LAZ first"):
            load_scene(tmp_path / "scan.e57")
        assert file_bytes(ply(tmp_path / "room.ply", table(SCANNET)))[:3] == b"ply"

    @pytest.mark.parametrize(
        ("settings", "error"),
        [
            ({"up": "w"}, UnknownNameError),
            ({"unit": "km"}, UnknownNameError),
            ({"spacing": 0}, InputError),
            ({"seed": -1}, InputError),
        ],
    )
    def test_settings(self, tmp_path: Path, settings: Any, error: type[Exception]) -> None:
        with pytest.raises(error):
            load_scene(ply(tmp_path / "room.ply", table(SCANNET)), **settings)


@pytest.mark.parametrize("far", [1e4, 1e9])
def test_stray_points_are_left_out_and_said(tmp_path: Path, far: float) -> None:
    room = np.random.default_rng(0).random((2000, 3)) * [5, 4, 2.5]
    room[[0, 7]] = far
    np.savetxt(tmp_path / "room.txt", np.column_stack([room, np.arange(2000)]), header="x y z label", comments="")
    with pytest.warns(ScanWarning, match=r"room.txt: 2 of 2,000 points are .* They were left out"):
        scene = load_scene(tmp_path / "room.txt")
    assert np.array_equal(scene.labels, np.delete(np.arange(2000), [0, 7])) and np.abs(scene.points).max() <= 5
    np.savetxt(tmp_path / "labels.txt", np.ones(2000), "%d")
    np.save(tmp_path / "room.npy", room)
    with pytest.warns(ScanWarning, match="left out"):
        assert len(load_scene(tmp_path / "room.npy", labels=tmp_path / "labels.txt").labels) == 1998
    warn_of_axis(room, "z", "room")


def test_a_surface_gives_no_more_points_than_its_file_is_worth(tmp_path: Path) -> None:
    path = tmp_path / "plate.off"
    path.write_text("OFF\n3 1 0\n0 0 0\n100 0 0\n0 100 0\n3 0 1 2\n")
    with pytest.raises(
        ShapeFileError, match=r"12,500,000 points at a spacing of 0.02\. Expected at most 3,4.*larger spacing"
    ):
        load_scene(path, unit="m")
    assert len(load_scene(path, spacing=0.5, unit="m")) == 20_000


def test_points_in_memory_are_a_scan_like_those_of_a_file(tmp_path: Path) -> None:
    """An array, a structured array, an object with points and a `Scene`: in millimeters, with y up."""
    given = np.column_stack([POINTS, RGB / 255])
    np.savez(tmp_path / "a.npz", points=POINTS, colors=RGB)
    of_file = load_scene(tmp_path / "a.npz", up="y", unit="mm")
    packed = RGB.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    rows = np.rec.fromarrays([*POINTS.T, packed.view(np.float32)], names="x,y,z,rgb")
    for points in (given, rows, SimpleNamespace(points=POINTS, colors=RGB / 255), Scene(POINTS, RGB / 255)):
        scene = load_scene(points, up="y", unit="mm")
        np.testing.assert_allclose(scene.points, of_file.points, atol=1e-7)
        np.testing.assert_allclose(scene.color, of_file.color, atol=1e-6)
    np.testing.assert_array_equal(load_scene(POINTS).points, POINTS)
    (tmp_path / "a.txt").write_text("\n".join(map(str, LABEL)))
    assert load_scene(POINTS, labels=tmp_path / "a.txt").labels.tolist() == LABEL.tolist()
    with pytest.raises(CloudError, match=r"large\. Expected at most 1,000 m\. If its unit"):
        load_scene(POINTS * 2000)
    with pytest.raises(ShapeFileError, match="Expected the path of a file"):
        load_scene({"points": POINTS})
