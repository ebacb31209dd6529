"""Files that a stranger might drop on the page: each claims, hides or unfolds to more than it is."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def ply_of_2_gb(path: Path) -> Path:
    """A header that claims 180 million points of 12 bytes, and ten bytes of them."""
    header = "ply\nformat binary_little_endian 1.0\nelement vertex 180000000\n"
    properties = "".join(f"property float {axis}\n" for axis in "xyz")
    return _written(path, (header + properties + "end_header\n").encode() + bytes(10))


def pickle_as_npy(path: Path, trap: Path) -> Path:
    """A pickle that makes the folder `trap` for whoever loads it."""
    return _written(path, pickle.dumps(Trap(trap)))


def glb_of_gigapixels(path: Path) -> Path:
    """A triangle whose texture of 20,000 x 20,000 pixels is 50 kB of zeros, deflated."""
    texture = _png(20_000, 20_000)
    places = struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0)
    corners = struct.pack("<6f", 0, 0, 1, 0, 0, 1)
    binary = places + corners + texture
    binary += bytes(-len(binary) % 4)
    tree = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 2, "mimeType": "image/png", "name": "wallpaper"}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 0]},
            {"bufferView": 1, "componentType": 5126, "count": 3, "type": "VEC2"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": 36},
            {"buffer": 0, "byteOffset": 36, "byteLength": 24},
            {"buffer": 0, "byteOffset": 60, "byteLength": len(texture)},
        ],
        "buffers": [{"byteLength": len(binary)}],
    }
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return _written(path, struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


def zip_bomb(path: Path, megabytes: int = 2000) -> Path:
    """An archive of zeros, a thousandth as large as what it unfolds to."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("3D/3dmodel.model", "w") as member:
        for _ in range(megabytes):
            member.write(bytes(2**20))
    return path


def npz_bomb(path: Path) -> Path:
    """150 MB of zeros as one array, deflated."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (6553600, 3), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("points.npy", "w") as member:
        member.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
        for _ in range(150):
            member.write(bytes(2**20))
    return path


def _png(width: int, height: int) -> bytes:
    squeeze = zlib.compressobj(9)
    row = bytes(1 + width // 8)  # one bit a pixel
    rows = io.BytesIO()
    for _ in range(height // 100):
        rows.write(squeeze.compress(row * 100))
    rows.write(squeeze.flush())
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", rows.getvalue()), (b"IEND", b"")]
    body = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
