"""GLB: a glTF document and its buffer in one binary file."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from openshape_ood.errors import ShapeFileError
from openshape_ood.shapes.formats.format import Format
from openshape_ood.shapes.formats.gltf import gltf_scene
from openshape_ood.shapes.guards import SideFiles, require_bytes

if TYPE_CHECKING:
    from trimesh import Scene


def read_glb(data: bytes, side: SideFiles) -> Scene:
    return gltf_scene(*split_glb(data), side)


def split_glb(data: bytes) -> tuple[bytes, bytes]:
    """JSON text and binary chunk of a GLB. Raises `ShapeFileError` if lengths in its headers exceed the file."""
    if len(data) < 20 or data[:4] != b"glTF":
        raise ShapeFileError("it has no GLB header. Expected 'glTF' at its start. Check the file and its suffix.")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise ShapeFileError(f"it is glTF {version}. Expected glTF 2. Export it again.")
    require_bytes(length, len(data), "the GLB")
    chunks, offset = [], 12
    while offset + 8 <= length:
        size, kind = struct.unpack_from("<I4s", data, offset)
        require_bytes(size, length - offset - 8, "a GLB chunk")
        chunks.append((kind, offset + 8, offset + 8 + size))
        offset += 8 + size
    if not chunks or chunks[0][0] != b"JSON":
        raise ShapeFileError("the first GLB chunk is not JSON. Expected JSON first. Export it again.")
    binary = next(((start, end) for kind, start, end in chunks[1:] if kind == b"BIN\0"), (0, 0))
    return data[chunks[0][1] : chunks[0][2]], data[slice(*binary)]


FORMAT = Format(suffixes=(".glb",), surface=read_glb, up="y")
