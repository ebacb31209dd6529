"""What is checked before a parser may see a file, or ask for memory on its word."""

from __future__ import annotations

import base64
import io
import json
import re
import struct
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from openshape_ood.errors import ShapeFileError

MAX_BYTES = 2 * 2**30
MAX_PIXELS = 64 * 2**20
TOO_LARGE = f"{MAX_PIXELS / 2**20:.0f} MPixel; scale it down"
MAX_RATIO = 200  # uncompressed bytes per compressed byte; real clouds stay below 20
SLACK = 64 * 2**20  # small files may legitimately repeat themselves many times over
MAX_REUSE = 8  # times a file's bytes may be referred to, before they count as a bomb
IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "TGA")


def require_bytes(needed: int, held: int, what: str) -> None:
    """Refuse a header that promises more than the file holds."""
    if needed < 0 or needed > held:
        raise ShapeFileError(f"{what} would take {needed:,} bytes, but the file has {held:,} for it; is it cut off?")


def require_reuse(needed: int, held: int, what: str) -> None:
    """Refuse a small file that unfolds into a huge one by referring to the same bytes again and again."""
    if needed > MAX_REUSE * held + SLACK:
        raise ShapeFileError(f"{what} unfold to {needed:,} bytes from a file of {held:,}; refused as a bomb")


class SideFiles:
    """The files beside a shape that it may refer to: those in its own folder and below, and nothing else.

    Speaks trimesh's resolver protocol (`get`, `[]`). Parsers swallow what goes wrong with a texture, so
    refusals worth an error are kept in `refused` for `check`, and names not served in `missing`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.missing: list[str] = []
        self.refused: ShapeFileError | None = None
        self._budget = MAX_BYTES

    def get(self, name: str) -> bytes:
        path = self._find(name)
        if path is None:
            self.missing.append(name)
            raise FileNotFoundError(f"side file {name!r} is not in the shape's own folder")
        self._budget -= path.stat().st_size
        try:
            if self._budget < 0:
                raise ShapeFileError(f"side files hold more than {MAX_BYTES / 2**30:.0f} GiB together")
            data = path.read_bytes()
            if path.suffix.lower() not in (".mtl", ".bin"):
                check_image(data, name)
        except ShapeFileError as error:
            self.refused = error
            raise
        return data

    __getitem__ = get

    def size(self, name: str) -> int:
        """Bytes of a file that must be there."""
        path = self._find(name)
        if path is None:
            raise ShapeFileError(f"it needs {name[:100]!r}, which is not in its own folder; put it beside the file")
        return path.stat().st_size

    def check(self) -> None:
        """Raise what a parser swallowed."""
        if self.refused is not None:
            raise self.refused

    def _find(self, name: str) -> Path | None:
        for spelling in (name.strip(), unquote(name.strip())):
            inside = spelling.replace("\\", "/")
            if re.match(r"$|/|[A-Za-z][A-Za-z0-9+.-]*:", inside) or "\0" in inside or ".." in inside.split("/"):
                continue
            path = (self.folder / inside).resolve()  # follows links, so one that leads out is seen here
            if path.is_relative_to(self.folder) and path.is_file():
                return path
        return None


def check_image(data: bytes, name: str) -> None:
    """Refuse an image too large to decode, judging by its header alone; what is no image passes."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=IMAGE_FORMATS) as image:
            check_pixels(image.size, name)
    except Image.DecompressionBombError as error:
        raise ShapeFileError(f"image {name!r} has far more than {TOO_LARGE}, a decompression bomb?") from error
    except ShapeFileError:
        raise
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, struct.error):
        pass


def check_pixels(size: tuple[int, int], name: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise ShapeFileError(f"image {name!r} has {size[0]} x {size[1]} pixels, more than {TOO_LARGE}")


def check_stl(data: bytes) -> None:
    """A binary STL holds what its triangle count says."""
    if data.lstrip()[:5].lower() == b"solid" and b"facet" in data[:4096].lower():
        return
    if len(data) < 84:
        raise ShapeFileError("neither a binary STL (84 bytes or more) nor an ASCII one ('solid ...')")
    require_bytes(50 * struct.unpack_from("<I", data, 80)[0], len(data) - 84, "its triangles")


def check_off(data: bytes) -> None:
    """An OFF file has a line for every vertex and face it counts."""
    head = re.match(rb"(?:\s*#[^\n]*\n)*\s*(?:ST|C|N)*OFF\s*(?:#[^\n]*\n\s*)*(-?\d+)\s+(-?\d+)", data)
    if head is None:
        raise ShapeFileError("no 'OFF' line with the counts of vertices and faces")
    vertices, faces = int(head[1]), int(head[2])
    if min(vertices, faces) < 0:
        raise ShapeFileError(f"negative counts: {vertices} vertices, {faces} faces")
    require_bytes(6 * vertices + 4 * faces, len(data), f"{vertices:,} vertices and {faces:,} faces")
    rows = len(re.findall(rb"(?m)^[ \t]*[-+.\d]", data[head.end() :].partition(b"\n")[2]))
    if rows < vertices + faces:
        raise ShapeFileError(f"it counts {vertices:,} vertices, {faces:,} faces, but has {rows:,} rows; is it cut off?")


def check_las(data: bytes) -> None:
    """The records before the points of a LAS file fit in front of them, and LAZ chunks in the file."""
    if data[:4] != b"LASF" or len(data) < 227:
        raise ShapeFileError("no LAS header ('LASF')")
    header, points, records = struct.unpack_from("<HII", data, 94)
    require_bytes(points, len(data), "what stands before its points")
    require_bytes(54 * records, points - header, f"its {records:,} variable length records")
    if not data[104] & 0xC0:
        return
    # the decoder of LAZ allocates for as many chunks as the table says, and takes the process down if it cannot
    require_bytes(points + 8, len(data), "the place of its chunk table")
    table = struct.unpack_from("<q", data, points)[0]
    if table == -1:  # written to a stream: the place stands at the end
        table = struct.unpack_from("<q", data, len(data) - 8)[0]
    if table < 0 or table + 8 > len(data):
        raise ShapeFileError("its chunk table lies outside the file; is it cut off?")
    chunks = struct.unpack_from("<I", data, table + 4)[0]
    require_bytes(20 * chunks, len(data), f"its {chunks:,} chunks")  # each starts with a whole point


def check_collada(data: bytes) -> ElementTree.Element:
    """The document: plain XML, no NaN among the numbers, and no nodes that instance each other into a bomb.

    Plain is XML in an encoding that keeps markup readable as ASCII, and without a document type, hence entities.
    """
    text = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] != b"<" or b"\0" in data:
        raise ShapeFileError("not XML in UTF-8; save it as a plain UTF-8 .dae")
    declared = re.match(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)", text)
    if declared and declared[1].lower() not in (b"utf-8", b"us-ascii", b"ascii", b"iso-8859-1", b"windows-1252"):
        raise ShapeFileError(f"XML encoding {declared[1][:40]!r} is not read; save it as UTF-8")
    if re.search(rb"<!\s*(?:DOCTYPE|ENTITY)", data, re.IGNORECASE):
        raise ShapeFileError("XML with a DOCTYPE or ENTITY is refused: COLLADA needs none; delete the declaration")
    if zipfile.is_zipfile(io.BytesIO(data)):
        raise ShapeFileError("a zip archive, not a COLLADA document; unpack it and give the .dae inside")
    root = ElementTree.fromstring(data)
    for array in root.iter():
        if _tag(array) == "float_array" and re.search(r"(?i)nan|inf|#", array.text or ""):
            raise ShapeFileError(f"float_array {array.get('id')!r} holds NaN or infinite numbers")
    require_reuse(_unfolded(root), len(data), "its node instances")
    return root


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _unfolded(root: ElementTree.Element) -> int:
    """Bytes of geometry that the instances of all nodes unfold to."""
    by_id = {element.get("id"): element for element in root.iter() if element.get("id")}
    known: dict[str, int | None] = {}  # None while it is unfolded

    def target(url: str) -> int:
        if url not in known:
            known[url] = None
            element = by_id.get(url.removeprefix("#"))
            known[url] = 0 if element is None else size(element)
        found = known[url]
        if found is None:
            raise ShapeFileError(f"node {url!r} instances itself")
        return found

    def size(element: ElementTree.Element) -> int:
        tag = _tag(element)
        if tag == "geometry":
            return sum(len(part.text or "") for part in element.iter())
        if tag in ("instance_node", "instance_geometry"):
            return 100 + target(element.get("url", ""))
        return sum(size(child) for child in element) if tag in ("node", "visual_scene") else 0

    return sum(size(scene) for scene in root.iter() if _tag(scene) == "visual_scene")


def split_glb(data: bytes) -> tuple[bytes, bytes]:
    """JSON text and binary chunk of a GLB, whose lengths are checked against the file."""
    if len(data) < 20 or data[:4] != b"glTF":
        raise ShapeFileError("no GLB header ('glTF')")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise ShapeFileError(f"glTF {version} is not read, only glTF 2; export it again")
    require_bytes(length, len(data), "the GLB")
    chunks, offset = [], 12
    while offset + 8 <= length:
        size, kind = struct.unpack_from("<I4s", data, offset)
        require_bytes(size, length - offset - 8, "a GLB chunk")
        chunks.append((kind, data[offset + 8 : offset + 8 + size]))
        offset += 8 + size
    if not chunks or chunks[0][0] != b"JSON":
        raise ShapeFileError("the first GLB chunk is not JSON")
    return chunks[0][1], next((body for kind, body in chunks[1:] if kind == b"BIN\0"), b"")


COMPONENT_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}


def check_gltf(text: bytes, binary: bytes, side: SideFiles) -> None:
    """Buffers, views and accessors lie inside what is really there, and are not unfolded into a bomb."""
    tree = json.loads(text)
    if not isinstance(tree, dict):
        raise ShapeFileError("glTF JSON is not an object")
    packed = [name for name in tree.get("extensionsRequired", []) if "compression" in name]
    if packed:
        raise ShapeFileError(f"geometry compressed with {', '.join(packed)} is not read; export without compression")
    buffers = []
    for buffer in tree.get("buffers", []):
        uri = buffer.get("uri")
        inside = _inside(uri, binary)
        buffers.append(side.size(uri) if inside is None else len(inside))
        require_bytes(_count(buffer, "byteLength"), buffers[-1], "a buffer")
    views = tree.get("bufferViews", [])
    for view in views:
        end = _count(view, "byteOffset", 0) + _count(view, "byteLength")
        require_bytes(end, buffers[view["buffer"]], "a bufferView")
    held = len(text) + sum(buffers)
    accessors = [_accessor_bytes(accessor, views, held) for accessor in tree.get("accessors", [])]
    require_reuse(sum(view["byteLength"] for view in views) + sum(accessors), held, "its accessors")
    parts = [part for mesh in tree.get("meshes", []) for part in mesh["primitives"]]
    used = [n for part in parts for n in part.get("attributes", {}).values()]
    used += [part["indices"] for part in parts if "indices" in part]
    require_reuse(sum(accessors[n] for n in used), held, "its meshes")
    for image in tree.get("images", []):
        if "bufferView" in image:
            view = views[image["bufferView"]]
            embedded = _inside(tree["buffers"][view["buffer"]].get("uri"), binary) or b""
            start = view.get("byteOffset", 0)
            check_image(embedded[start : start + view["byteLength"]], image.get("name", "embedded"))
        elif "base64," in image.get("uri", ""):
            check_image(_inside(image["uri"], b"") or b"", image.get("name", "embedded"))


def _inside(uri: str | None, binary: bytes) -> bytes | None:
    """What a buffer or an image holds within the file, None where it lies beside it."""
    if uri is None:
        return binary
    return base64.b64decode(uri.partition("base64,")[2]) if "base64," in uri else None


def _count(item: dict[str, Any], key: str, default: int | None = None) -> int:
    value = item.get(key, default)
    if not isinstance(value, int) or value < 0:
        raise ShapeFileError(f"glTF {key} is {value!r}, expected a number from 0 up")
    return value


def _accessor_bytes(accessor: dict[str, Any], views: list[dict[str, Any]], held: int) -> int:
    row = COMPONENT_BYTES[accessor["componentType"]] * COMPONENTS[accessor["type"]]
    count = _count(accessor, "count")
    if "bufferView" not in accessor:  # zeros, with sparse values put in: nothing in the file backs them
        require_bytes(count * row, held, f"an accessor of {count:,} items without a bufferView")
        return count * row
    view = views[accessor["bufferView"]]
    stride = _count(view, "byteStride", row) or row
    needed = _count(accessor, "byteOffset", 0) + max(count - 1, 0) * stride + row
    require_bytes(needed if count else 0, view["byteLength"], f"an accessor of {count:,} items")
    return count * row
