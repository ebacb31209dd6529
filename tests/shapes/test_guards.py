"""Every bound: what just keeps it is read, one more is refused."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hostile_shapes
import numpy as np
import pytest
from format_files import free, refused_if

from openshape_ood.checks import SLACK, UNFOLD, WHOLE, require_memory
from openshape_ood.errors import InputError
from openshape_ood.shapes import guards, meshes, reading
from openshape_ood.shapes.guards import (
    IMAGE,
    MAX_PIXELS,
    NODE,
    PART,
    POINT,
    Images,
    SideFiles,
    check_pixels,
    require_bytes,
)
from openshape_ood.shapes.reading import load_shape


@pytest.mark.parametrize("needed, fits", [(-1, False), (0, True), (9, True), (10, True), (11, False)])
def test_bytes(needed: int, fits: bool) -> None:
    with refused_if(not fits, "it would take"):
        require_bytes(needed, 10, "it")


@pytest.mark.parametrize("held", [0, 1, 10**6])
def test_memory(held: int) -> None:
    require_memory(UNFOLD * held + SLACK, held, "it")
    with pytest.raises(InputError, match=r"it would take .* refused as a bomb"):
        require_memory(UNFOLD * held + SLACK + 1, held, "it")
    most = WHOLE[0] * held + WHOLE[1]
    require_memory(most, held, "it", whole=True)
    with pytest.raises(InputError, match=f"at most {most:,} for"):
        require_memory(most + 1, held, "it", whole=True)


@pytest.mark.parametrize("width, fits", [(MAX_PIXELS // 4096, True), (MAX_PIXELS // 4096 + 1, False)])
def test_pixels(width: int, fits: bool) -> None:
    with refused_if(not fits, "'it' has .* pixels, more than 64 MPixel"):
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
    with refused_if(True, "'it' .*(decompression bomb|more than 64 MPixel)"):
        guards._decoded(image, data, "it")


def test_a_tile_of_an_image() -> None:
    image = SimpleNamespace(size=(1, 1), format="TIFF", info={}, tag_v2={322: MAX_PIXELS // 16, 323: 16})
    guards._decoded(image, b"", "it")
    image.tag_v2[322] += 1
    with refused_if(True, "decompression bomb"):
        guards._decoded(image, b"", "it")


@pytest.mark.parametrize("more", [0, 1])
def test_images_together(more: int) -> None:
    images, pictures = Images(), [hostile_shapes.png(side) for side in (400, 300)]
    images._free = 4 * (400**2 + 300**2) - IMAGE * sum(map(len, pictures)) - more
    for name in ("a", "the same"):
        assert images.admit(pictures[0], name)
    with refused_if(bool(more), "more to decode than 1 GiB"):
        assert images.admit(pictures[1], "b")


@pytest.mark.parametrize("more", [0, 1])
def test_reads_of_headers(monkeypatch: pytest.MonkeyPatch, more: int) -> None:
    image, alone = hostile_shapes.png(2, junk=10), Images()
    assert alone.admit(image, "it")
    monkeypatch.setattr(guards, "MAX_STEPS", 3 * alone._steps - more)
    images = Images()
    assert images.admit(image, "once")
    assert images.admit(image, "twice")
    with refused_if(bool(more), "'thrice' has an endless header, or is named too often"):
        images.admit(image, "thrice")
    monkeypatch.setattr(guards, "MAX_STEPS", alone._steps - 1)
    with refused_if(True, "endless header"):
        Images().admit(image, "it")


@pytest.mark.parametrize("size, fits", [(12, True), (13, False)])
def test_side_files_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, fits: bool) -> None:
    monkeypatch.setattr(guards, "MAX_BYTES", 22)
    (tmp_path / "a.bin").write_bytes(bytes(10))
    (tmp_path / "b.bin").write_bytes(bytes(size))
    side = SideFiles(tmp_path)
    for _ in range(9):  # each is read once, and is the same bytes
        assert side["a.bin"] is side["./a.bin"]
    with refused_if(not fits, "side files hold more than"):
        side["b.bin"]
    with refused_if(not fits, "side files hold more than"):
        side.check()


@pytest.mark.parametrize("most, fits", [(12, True), (11, False)])
def test_the_size_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, fits: bool) -> None:
    (tmp_path / "a.xyz").write_text("0 0 0\n1 1 1\n")
    monkeypatch.setattr(reading, "MAX_BYTES", most)
    with refused_if(not fits, "is larger than"):
        load_shape(tmp_path / "a.xyz")


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
    with refused_if(True, f"would take {needed:,} bytes of memory"):
        load_shape(path, points=5)


@pytest.mark.parametrize("most, fits", [(2, True), (1, False)])
def test_placed_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, fits: bool) -> None:
    (tmp_path / "a.obj").write_text(hostile_shapes.OBJ + "f 1 2 3\nf 1 2 3\n")
    monkeypatch.setattr(meshes, "MAX_FACES", most)
    with refused_if(not fits, "places 2 faces. Expected at most 1"):
        load_shape(tmp_path / "a.obj", points=5)
