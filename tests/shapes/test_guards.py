"""Every bound: what just keeps it is read, one more is refused."""

from __future__ import annotations

import io
import struct
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hostile_shapes
import numpy as np
import pytest

from openshape_ood import checks
from openshape_ood.checks import SLACK, UNFOLD, WHOLE, require_memory
from openshape_ood.errors import InputError, ShapeFileError
from openshape_ood.shapes import guards, meshes, reading
from openshape_ood.shapes.gltf import split_glb
from openshape_ood.shapes.guards import (
    IMAGE,
    MAX_PIXELS,
    NODE,
    PART,
    POINT,
    Images,
    SideFiles,
    check_las,
    check_off,
    check_pixels,
    require_bytes,
)
from openshape_ood.shapes.reading import load_shape


def refused(yes: bool, message: str) -> AbstractContextManager[Any]:
    return pytest.raises(ShapeFileError, match=message) if yes else nullcontext()


@pytest.mark.parametrize("needed, fits", [(-1, False), (0, True), (9, True), (10, True), (11, False)])
def test_bytes(needed: int, fits: bool) -> None:
    with refused(not fits, "it would take"):
        require_bytes(needed, 10, "it")


@pytest.mark.parametrize("held", [0, 1, 10**6])
def test_memory(held: int) -> None:
    require_memory(UNFOLD * held + SLACK, held, "it")
    with pytest.raises(InputError, match=r"it would take .* refused as a bomb"):
        require_memory(UNFOLD * held + SLACK + 1, held, "it")
    most = WHOLE[0] * held + WHOLE[1]
    require_memory(most, held, "it", whole=True)
    with pytest.raises(InputError, match=f"may take {most:,};"):
        require_memory(most + 1, held, "it", whole=True)


@pytest.mark.parametrize("width, fits", [(MAX_PIXELS // 4096, True), (MAX_PIXELS // 4096 + 1, False)])
def test_pixels(width: int, fits: bool) -> None:
    with refused(not fits, "'it' has .* pixels, more than 64 MPixel"):
        check_pixels((width, 4096), "it")


@pytest.mark.parametrize(
    "kind, info, data, pixels",
    [
        ("PNG", {}, b"", 2**26),
        ("WEBP", {}, b"", 2**24),
        ("WEBP", {}, bytes(2**22), IMAGE * 2**22 // 16),
        ("TIFF", {}, b"", 2**28 // 12),
        ("JPEG", {}, b"", 2**26),
        ("JPEG", {"progressive": 1}, b"\xff\xda" * 19, 2**28 // 10),
        ("JPEG", {"progressive": 1}, b"\xff\xda" * 20, 2**28 // 20),
    ],
)
def test_an_image(kind: str, info: dict[str, int], data: bytes, pixels: int) -> None:
    image = SimpleNamespace(size=(pixels, 1), format=kind, info=info)
    assert guards._decoded(image, data, "it") <= max(2**28, IMAGE * len(data))
    image.size = (pixels + 1, 1)
    with refused(True, "'it' .*(decompression bomb|more than 64 MPixel)"):
        guards._decoded(image, data, "it")


def test_a_tile_of_an_image() -> None:
    image = SimpleNamespace(size=(1, 1), format="TIFF", info={}, tag_v2={322: MAX_PIXELS // 16, 323: 16})
    guards._decoded(image, b"", "it")
    image.tag_v2[322] += 1
    with refused(True, "decompression bomb"):
        guards._decoded(image, b"", "it")


@pytest.mark.parametrize("more", [0, 1])
def test_images_together(more: int) -> None:
    images, pictures = Images(), [hostile_shapes.png(side) for side in (400, 300)]
    images._free = 4 * (400**2 + 300**2) - IMAGE * sum(map(len, pictures)) - more
    for name in ("a", "the same"):
        assert images.admit(pictures[0], name)
    with refused(bool(more), "more to decode than 1 GiB"):
        assert images.admit(pictures[1], "b")


@pytest.mark.parametrize("more", [0, 1])
def test_reads_of_headers(monkeypatch: pytest.MonkeyPatch, more: int) -> None:
    image, alone = hostile_shapes.png(2, junk=10), Images()
    assert alone.admit(image, "it")
    monkeypatch.setattr(guards, "MAX_STEPS", 3 * alone._steps - more)
    images = Images()
    assert images.admit(image, "once")
    assert images.admit(image, "twice")
    with refused(bool(more), "'thrice' has an endless header, or is named too often"):
        images.admit(image, "thrice")
    monkeypatch.setattr(guards, "MAX_STEPS", alone._steps - 1)
    with refused(True, "endless header"):
        Images().admit(image, "it")


@pytest.mark.parametrize("size, fits", [(12, True), (13, False)])
def test_side_files_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, fits: bool) -> None:
    monkeypatch.setattr(guards, "MAX_BYTES", 22)
    (tmp_path / "a.bin").write_bytes(bytes(10))
    (tmp_path / "b.bin").write_bytes(bytes(size))
    side = SideFiles(tmp_path)
    for _ in range(9):  # each is read once, and is the same bytes
        assert side["a.bin"] is side["./a.bin"]
    with refused(not fits, "side files hold more than"):
        side["b.bin"]
    with refused(not fits, "side files hold more than"):
        side.check()


@pytest.mark.parametrize("most, fits", [(12, True), (11, False)])
def test_the_size_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, fits: bool) -> None:
    (tmp_path / "a.xyz").write_text("0 0 0\n1 1 1\n")
    monkeypatch.setattr(reading, "MAX_BYTES", most)
    with refused(not fits, "is larger than"):
        load_shape(tmp_path / "a.xyz")


def free(monkeypatch: pytest.MonkeyPatch, memory: int) -> None:
    """As much memory for a file, however large it is."""
    monkeypatch.setattr(checks, "UNFOLD", 0)
    monkeypatch.setattr(checks, "SLACK", memory)


def pcd(folder: Path) -> tuple[bytes, int]:
    header = "FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nWIDTH 2\nHEIGHT 1\nDATA ascii\n"
    return (header + "0 0 0\n1 1 1\n").encode(), 2 * (POINT + 12)


def npz(folder: Path) -> tuple[bytes, int]:
    out = io.BytesIO()
    np.savez(out, points=np.eye(3), more=np.zeros(50, np.uint8))
    return out.getvalue(), 50 * POINT + 72 + 50


def laz(folder: Path) -> tuple[bytes, int]:
    laspy = pytest.importorskip("laspy")
    las, out = laspy.LasData(laspy.LasHeader(point_format=2, version="1.2")), io.BytesIO()
    las.x, las.y, las.z = np.eye(3)
    las.write(out, do_compress=True)
    return out.getvalue(), 3 * (POINT + 26)


def glb(folder: Path) -> tuple[bytes, int]:
    tree, binary = hostile_shapes.gltf()
    tree |= {"nodes": [{"mesh": 0}, {"mesh": 0}, {}], "scenes": [{"nodes": [0, 1, 2]}]}
    return hostile_shapes.glb(tree, binary), PART + 3 * (64 + 16) + 2 * (NODE + 16) + 3 * NODE


def strip(folder: Path) -> tuple[bytes, int]:
    tree, binary = hostile_shapes.gltf()
    tree["meshes"][0]["primitives"][0]["mode"] = 5
    return hostile_shapes.glb(tree, binary), PART + 3 * (64 + 16) + NODE + 3 * 16 + NODE


def dae(folder: Path) -> tuple[bytes, int]:
    nodes = hostile_shapes.INSTANCE * 3
    return hostile_shapes.dae(nodes=nodes).encode(), 3 * (NODE + PART + 3 * 96)


@pytest.mark.parametrize("kind", [pcd, npz, laz, glb, strip, dae])
def test_the_memory_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    data, needed = kind(tmp_path)
    path = tmp_path / f"a.{'glb' if kind is strip else kind.__name__}"
    path.write_bytes(data)
    free(monkeypatch, needed)
    assert len(load_shape(path, points=5))
    free(monkeypatch, needed - 1)
    with refused(True, f"would take {needed:,} bytes of memory"):
        load_shape(path, points=5)


def test_polygons_of_collada_count_as_the_triangles_they_may_become(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = (
        '<polylist count="1"><input semantic="VERTEX" source="#v" offset="0"/><vcount>3</vcount><p>0 1 2</p></polylist>'
    )
    (tmp_path / "a.dae").write_text(hostile_shapes.dae(faces=faces))
    free(monkeypatch, NODE + PART + 9 * 96 - 1)
    with refused(True, "bytes of memory"):
        load_shape(tmp_path / "a.dae")


@pytest.mark.parametrize("shorter, fits", [(0, True), (1, False)])
def test_images_inside_a_gltf_do_not_overlap(tmp_path: Path, shorter: int, fits: bool) -> None:
    image, every = hostile_shapes.png(2, junk=200), range(20)
    tree, binary = hostile_shapes.gltf([image])
    tree["bufferViews"] = tree["bufferViews"][:2] + [
        {"buffer": 0, "byteOffset": 60, "byteLength": len(image) - n * shorter} for n in every
    ]
    tree["images"] = [{"bufferView": 2 + n} for n in every]
    tree["textures"] = [{"source": n} for n in every]
    tree["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": n}}} for n in every]
    part = tree["meshes"][0]["primitives"][0]
    tree["meshes"] = [{"primitives": [{**part, "material": n} for n in every]}]
    (tmp_path / "a.glb").write_bytes(hostile_shapes.glb(tree, binary))
    # the same place again and again is one image
    with refused(not fits, "its images are larger together than the file"):
        assert load_shape(tmp_path / "a.glb", points=9).shape == (9, 6)


@pytest.mark.parametrize("most, fits", [(2, True), (1, False)])
def test_materials_of_an_obj(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, fits: bool) -> None:
    (tmp_path / "a.obj").write_text(hostile_shapes.OBJ + "usemtl a\nf 1 2 3\nusemtl b\nf 1 2 3\nusemtl a\nf 1 2 3\n")
    monkeypatch.setattr(meshes, "MAX_MATERIALS", most)
    with refused(not fits, "it uses 2 materials, more than 1"):
        load_shape(tmp_path / "a.obj", points=5)


@pytest.mark.parametrize("most, fits", [(2, True), (1, False)])
def test_placed_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, fits: bool) -> None:
    (tmp_path / "a.obj").write_text(hostile_shapes.OBJ + "f 1 2 3\nf 1 2 3\n")
    monkeypatch.setattr(meshes, "MAX_FACES", most)
    with refused(not fits, "places 2 faces, more than 1"):
        load_shape(tmp_path / "a.obj", points=5)


@pytest.mark.parametrize("text, fits", [("OFF\n1 1 0\n0 0 0\n1 0\n", True), ("OFF\n1 2 0\n0 0 0\n1 0\n", False),
                                        ("OFF\n2 1 0\n0 0 0\n1 0\n", False), ("OFF\n1 -1 0\n0 0 0\n", False),
                                        ("OFF\n0 0 0\n", True)])  # fmt: skip
def test_rows_of_off(text: str, fits: bool) -> None:
    with refused(not fits, "rows|negative|would take"):
        check_off(text.encode())


def stl(triangles: int, rows: int) -> bytes:
    return bytes(80) + struct.pack("<I", triangles) + struct.pack("<12fH", 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0) * rows


@pytest.mark.parametrize("count, fits", [(1, False), (2, True), (3, False)])
def test_triangles_of_stl(tmp_path: Path, count: int, fits: bool) -> None:
    (tmp_path / "a.stl").write_bytes(stl(count, 2))
    with refused(not fits, "would take 150 bytes|it counts 1 triangles, but has 100 bytes"):
        assert load_shape(tmp_path / "a.stl", points=5).shape == (5, 3)


@pytest.mark.parametrize("size, message", [(83, "neither a binary STL"), (84, "no faces and no points")])
def test_the_shortest_stl(tmp_path: Path, size: int, message: str) -> None:
    (tmp_path / "a.stl").write_bytes(bytes(size))
    with refused(True, message):
        load_shape(tmp_path / "a.stl")


def las(size: int = 227, points: int = 227, records: int = 0, header: int = 227, packed: int = 0) -> bytearray:
    data = bytearray(b"LASF" + bytes(size - 4))
    struct.pack_into("<HII", data, 94, header, points, records)
    data[104] = packed
    return data


@pytest.mark.parametrize(
    "given, fits",
    [
        ({}, True),
        ({"size": 226}, False),
        ({"points": 228}, False),
        ({"size": 281, "points": 281, "records": 1}, True),
        ({"size": 281, "points": 280, "records": 1}, False),
        ({"size": 281, "points": 281, "records": 2}, False),
        ({"size": 235, "packed": 128}, True),  # just room for the place of the chunk table
        ({"size": 234, "packed": 128}, False),
    ],
)
def test_records_of_las(given: dict[str, int], fits: bool) -> None:
    data = las(**given)
    with refused(not fits, "LAS header|would take"):
        check_las(bytes(data))


@pytest.mark.parametrize("table, chunks, fits", [(235, 12, True), (235, 13, False), (236, 0, False), (-2, 0, False)])
def test_chunks_of_laz(table: int, chunks: int, fits: bool) -> None:
    data = las(size=243, packed=128)
    struct.pack_into("<q", data, 227, table)
    if 0 <= table <= 235:
        struct.pack_into("<I", data, table + 4, chunks)
    with refused(not fits, "chunk table lies outside|chunks would take"):
        check_las(bytes(data))


@pytest.mark.parametrize("cut, fits", [(0, True), (1, False)])
def test_lengths_of_glb(cut: int, fits: bool) -> None:
    data = hostile_shapes.glb({}, b"abcd")
    with refused(not fits, "would take"):
        assert split_glb(data[: len(data) - cut]) == (b"{}  ", b"abcd")
    with refused(True, "no GLB header"):
        split_glb(data[:19])
    assert split_glb(struct.pack("<4sIII4s", b"glTF", 2, 20, 0, b"JSON")) == (b"", b"")
