"""Small files of every format for the tests of readers."""

from __future__ import annotations

import base64
import json
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood import checks
from openshape_ood.errors import ShapeFileError

RED, GREEN, BLUE = np.eye(3)
SIDES = np.array([1.0, 2.0, 3.0])


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@contextmanager
def refused(message: str, megabytes: float = 30) -> Iterator[None]:
    """The block raises a ShapeFileError that says `message`, without asking for much memory on the way."""
    tracemalloc.start()
    try:
        with pytest.raises(ShapeFileError, match=message):
            yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * 2**20
    finally:
        tracemalloc.stop()


def on_box(points: np.ndarray, sides: np.ndarray = SIDES) -> bool:
    """Whether all points lie on the surface of a centered box."""
    reach = np.abs(points[:, :3]) / (sides / 2)
    return bool((np.abs(reach.max(axis=1) - 1) < 1e-5).all())


def write_cloud(path: Path, cloud: np.ndarray) -> None:
    match path.suffix:
        case ".npy":
            np.save(path, cloud)
        case ".npz":
            np.savez(path, points=cloud)
        case ".ply":
            names = ["x", "y", "z", "red", "green", "blue"][: cloud.shape[1]]
            properties = "".join(f"property double {name}\n" for name in names)
            header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(cloud)}\n{properties}end_header\n"
            write(path, header.encode() + cloud.astype("<f8").tobytes())
        case suffix:
            np.savetxt(path, cloud, delimiter="," if suffix == ".csv" else " ", fmt="%.17g")


def ply_header(kind: str, number: str, vertices: int = 3, faces: int = 0) -> bytes:
    face = f"element face {faces}\nproperty list uchar int vertex_indices\n" if faces else ""
    axes = "".join(f"property {number} {axis}\n" for axis in "xyz")
    return f"ply\nformat {kind} 1.0\nelement vertex {vertices}\n{axes}{face}end_header\n".encode()


def pcd_header(count: int, kind: str, fields: str, sizes: str, types: str) -> bytes:
    counts = " ".join("1" for _ in fields.split())
    return (
        f"# .PCD v0.7\nVERSION 0.7\nFIELDS {fields}\nSIZE {sizes}\nTYPE {types}\nCOUNT {counts}\nWIDTH {count}\n"
        f"HEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {count}\nDATA {kind}\n"
    ).encode()


def pcd(cloud: np.ndarray, kind: str, packed: str) -> bytes:
    rgb = (cloud[:, 3:] * 255).round().astype(np.uint32)
    bits = rgb[:, 0] << 16 | rgb[:, 1] << 8 | rgb[:, 2]
    color = bits.view(np.float32) if packed == "F" else bits
    header = pcd_header(len(cloud), kind, "x y z rgb", "4 4 4 4", f"F F F {packed}")
    columns = [*cloud[:, :3].T.astype("<f4"), color]
    if kind == "ascii":
        rows = [" ".join(f"{value:.9g}" for value in row) for row in zip(*columns, strict=True)]
        return header + "\n".join(rows).encode()
    if kind == "binary":
        return header + b"".join(value.tobytes() for row in zip(*columns, strict=True) for value in row)
    plain = b"".join(column.tobytes() for column in columns)
    runs = [plain[at : at + 32] for at in range(0, len(plain), 32)]
    body = b"".join(bytes([len(run) - 1]) + run for run in runs)
    return header + struct.pack("<II", len(body), len(plain)) + body


def write_las(path: Path, cloud: np.ndarray) -> None:
    laspy = pytest.importorskip("laspy")
    header = laspy.LasHeader(point_format=2, version="1.2")
    header.scales, header.offsets = np.full(3, 1e-4), np.full(3, 1e6)
    las = laspy.LasData(header)
    las.x, las.y, las.z = cloud[:, :3].T
    las.red, las.green, las.blue = (cloud[:, 3:].T * 65535).round().astype(np.uint16)
    las.write(str(path))


SQUARE = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
SQUARE_OBJ = (
    "mtllib square.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
    "usemtl m\nf 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"
)


def halves(path: Path, upright: bool = False) -> Any:
    """An image of two pixels: red left of blue, or red above blue."""
    image = pytest.importorskip("PIL.Image")
    pixels = np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)
    picture = image.fromarray(pixels.transpose(1, 0, 2) if upright else pixels)
    picture.save(path)
    return picture


def assert_halves(points: np.ndarray) -> None:
    left = points[:, 0] < 0.5
    assert points[left, 3:] == pytest.approx(np.tile(RED, (left.sum(), 1)))
    assert points[~left, 3:] == pytest.approx(np.tile(BLUE, ((~left).sum(), 1)))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has next to no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [b"IHDR" + header, b"IDAT" + zlib.compress(b""), b"IEND"]
    framed = [struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


INSTANCE = '<instance_geometry url="#g"/>'


def collada(asset: str = "") -> str:
    """One triangle of legs 100, moved by 5 along x."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1"><asset>{asset}</asset>'
        '<library_geometries><geometry id="g"><mesh><source id="p">'
        '<float_array id="a" count="9">0 0 0 100 0 0 0 100 0</float_array><technique_common>'
        '<accessor source="#a" count="3" stride="3"><param name="X" type="float"/><param name="Y" type="float"/>'
        '<param name="Z" type="float"/></accessor></technique_common></source>'
        '<vertices id="v"><input semantic="POSITION" source="#p"/></vertices>'
        '<triangles count="1"><input semantic="VERTEX" source="#v" offset="0"/><p>0 1 2</p></triangles>'
        "</mesh></geometry></library_geometries><library_visual_scenes>"
        f'<visual_scene id="s"><node id="root"><translate>5 0 0</translate>{INSTANCE}</node></visual_scene>'
        '</library_visual_scenes><scene><instance_visual_scene url="#s"/></scene></COLLADA>'
    )


TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4").tobytes()


def gltf_triangle(triangles: int = 1, uri: str | None = None) -> dict[str, Any]:
    """A glTF document whose one buffer is inside, or in a side file."""
    body = TRIANGLE * triangles
    inside = "data:application/octet-stream;base64," + base64.b64encode(body).decode()
    return {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3 * triangles, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteLength": len(body)}],
        "buffers": [{"byteLength": len(body), "uri": uri or inside}],
    }


def glb(tree: dict[str, Any]) -> bytes:
    """The same as one binary file; only the first buffer moves into it."""
    body = b""
    if "buffers" in tree:
        buffer = {key: value for key, value in tree["buffers"][0].items() if key != "uri"}
        body = base64.b64decode(tree["buffers"][0]["uri"].partition("base64,")[2])
        tree = {**tree, "buffers": [buffer]}
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def refused_if(yes: bool, message: str) -> AbstractContextManager[Any]:
    """The block raises a ShapeFileError that says `message`, or nothing."""
    return pytest.raises(ShapeFileError, match=message) if yes else nullcontext()


def free(monkeypatch: pytest.MonkeyPatch, memory: int) -> None:
    """As much memory for a file, however large it is."""
    monkeypatch.setattr(checks, "UNFOLD", 0)
    monkeypatch.setattr(checks, "SLACK", memory)
