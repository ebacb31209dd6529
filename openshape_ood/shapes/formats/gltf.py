"""glTF: documents are validated, reduced to the parts that sampling needs, then read by trimesh."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from openshape_ood.checks import require_memory
from openshape_ood.errors import ShapeFileError
from openshape_ood.shapes.formats.format import Format
from openshape_ood.shapes.guards import NODE, PART, SideFiles, require_bytes
from openshape_ood.shapes.meshes import trimesh_scene

if TYPE_CHECKING:
    from trimesh import Scene

COMPONENT_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
VERTEX, CORNER, FACE = 64, 16, 16  # bytes of memory: per vertex, per corner of a face, per face of each placed mesh
MODES = (0, 4, 5)  # points, triangles, strips of triangles; lines are ignored
STRIP = 5
ATTRIBUTES = ("POSITION", "TEXCOORD_0", "COLOR_0")
PLACING = ("mesh", "children", "matrix", "translation", "rotation", "scale")
EMPTY_VIEW = {"buffer": 0, "byteLength": 0}
EMPTY_ACCESSOR = {"componentType": 5121, "type": "SCALAR", "count": 0}
GLOSS = "KHR_materials_pbrSpecularGlossiness"


def read_gltf(data: bytes, side: SideFiles) -> Scene:
    return gltf_scene(data, b"", side)


def gltf_scene(text: bytes, binary: bytes, side: SideFiles) -> Scene:
    """Scene of a document with the JSON `text` and the binary chunk `binary`.

    trimesh gets a document written from the validated parts, so that it cannot parse anything else.
    """
    tree = json.loads(text)
    if not isinstance(tree, dict):
        raise ShapeFileError("its glTF JSON is not an object. Expected an object. Export it again.")
    packed = [name for name in tree.get("extensionsRequired", []) if "compression" in name]
    if packed:
        raise ShapeFileError(
            f"its geometry is compressed with {', '.join(packed)}. Expected plain geometry. Export without compression."
        )
    buffers = [_held(buffer.get("uri"), binary, side) for buffer in tree.get("buffers", [])]
    held = len(text) + sum({id(buffer): len(buffer) for buffer in buffers}.values())
    meshes = [[part for part in mesh["primitives"] if part.get("mode", 4) in MODES] for mesh in tree.get("meshes", [])]
    plain = {key: tree[key] for key in ("asset", "scene") if key in tree}
    plain["scenes"] = [{"nodes": scene.get("nodes", [])} for scene in tree.get("scenes", [])]
    plain["nodes"] = [{key: node[key] for key in PLACING if key in node} for node in tree.get("nodes", [])]
    plain |= _geometry(tree, meshes, buffers, held)
    _check_memory(plain, held)
    used = {part["material"] for parts in meshes for part in parts if "material" in part}
    textures = _Textures(tree, buffers, side, held)
    plain["materials"] = [
        _material(material, textures) if n in used else {} for n, material in enumerate(tree.get("materials", []))
    ]
    plain["textures"] = [{"source": n} for n in range(len(textures.images))]
    plain["images"] = [{"uri": f"image {n}"} for n in range(len(textures.images))]
    side_files = {f"buffer {n}": data for n, data in enumerate(buffers)}
    side_files |= {f"image {n}": data for n, data in enumerate(textures.images)}
    return trimesh_scene(json.dumps(plain).encode(), "gltf", side_files)


def _held(uri: str | None, binary: bytes, side: SideFiles) -> bytes:
    """Content of a buffer, which is in the GLB, in the JSON text or in a side file."""
    if uri is None:
        return binary
    return base64.b64decode(uri.partition("base64,")[2]) if "base64," in uri else side.need(uri)


def _geometry(
    tree: dict[str, Any], meshes: list[list[dict[str, Any]]], buffers: Sequence[bytes], held: int
) -> dict[str, Any]:
    """Buffers, views, accessors and meshes of the reduced document. Checks that all data is inside the file.

    held: size of the file and its buffers in bytes.
    """
    for buffer, data in zip(tree.get("buffers", []), buffers, strict=True):
        require_bytes(_count(buffer, "byteLength"), len(data), "a buffer")
    views = tree.get("bufferViews", [])
    for view in views:
        end = _count(view, "byteOffset", 0) + _count(view, "byteLength")
        require_bytes(end, len(buffers[view["buffer"]]), "a bufferView")
    accessors = tree.get("accessors", [])
    sizes = [_accessor_bytes(accessor, views, held) for accessor in accessors]
    used = {n for parts in meshes for part in parts for n in _accessors(part)}
    if min(used, default=0) < 0:
        raise ShapeFileError(f"a mesh uses accessor {min(used)}. Expected 0 to {len(accessors) - 1}. Export it again.")
    shown = {accessors[n]["bufferView"] for n in used if "bufferView" in accessors[n]}
    require_memory(sum(views[n]["byteLength"] for n in shown) + sum(sizes[n] for n in used), held, "its accessors")
    return {
        "buffers": [{"uri": f"buffer {n}", "byteLength": len(data)} for n, data in enumerate(buffers)],
        # unused entries are replaced by empty ones, so that indices stay valid
        "bufferViews": [view if n in shown else EMPTY_VIEW for n, view in enumerate(views)],
        "accessors": [accessor if n in used else EMPTY_ACCESSOR for n, accessor in enumerate(accessors)],
        "meshes": [{"primitives": [_primitive(part) for part in parts]} for parts in meshes],
    }


def _accessors(part: dict[str, Any]) -> list[int]:
    """Indices of the accessors of a primitive that sampling needs."""
    indices = [n for key, n in part.get("attributes", {}).items() if key in ATTRIBUTES]
    return indices + ([part["indices"]] if "indices" in part else [])


def _primitive(part: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {key: part[key] for key in ("mode", "material", "indices") if key in part}
    given = part.get("attributes", {})
    return {**kept, "attributes": {key: given[key] for key in ATTRIBUTES if key in given}}


def _check_memory(plain: dict[str, Any], held: int) -> None:
    """Raise `InputError` if nodes, primitives and all instances of faces would take too much memory."""
    needed, placed = 0, []
    for mesh in plain["meshes"]:
        placed.append(0)
        for part in mesh["primitives"]:
            vertices = plain["accessors"][part["attributes"]["POSITION"]]["count"]
            corners = plain["accessors"][part["indices"]]["count"] if "indices" in part else vertices
            needed += PART + VERTEX * vertices + CORNER * corners
            placed[-1] += NODE + FACE * (corners if part.get("mode") == STRIP else corners // 3)
    needed += sum(NODE + (placed[node["mesh"]] if "mesh" in node else 0) for node in plain["nodes"])
    require_memory(needed, held, "its meshes and nodes")


def _material(material: dict[str, Any], textures: _Textures) -> dict[str, Any]:
    """Material reduced to a color and a texture.

    For the extension specular-glossiness, these are the diffuse color and texture, as in renderers.
    """
    gloss = material.get("extensions", {}).get(GLOSS)
    if gloss is None:
        given = material.get("pbrMetallicRoughness", {})
        factor, texture = given.get("baseColorFactor"), given.get("baseColorTexture")
    else:
        factor, texture = gloss.get("diffuseFactor", [1.0] * 4), gloss.get("diffuseTexture")
    made = {} if factor is None else {"baseColorFactor": factor}
    place = None if texture is None else textures.place(texture)
    return {"pbrMetallicRoughness": made if place is None else {**made, "baseColorTexture": {"index": place}}}


class _Textures:
    """Images of the materials that are used. An image with several references is included once."""

    def __init__(self, tree: dict[str, Any], buffers: Sequence[bytes], side: SideFiles, held: int) -> None:
        self.images: list[bytes] = []
        self._tree, self._buffers, self._side = tree, buffers, side
        self._free = held  # bytes that further images may have; images do not overlap, so they fit into the file
        self._places: dict[Any, int | None] = {}

    def place(self, texture: Any) -> int | None:
        """Index in `images` of the image of a texture; None if the image is missing or unreadable."""
        try:
            given = self._tree["textures"][texture["index"]]
            image = self._tree["images"][given.get("extensions", {}).get("EXT_texture_webp", given)["source"]]
            key = self._key(image)
            if key not in self._places:
                data = self._data(key)
                readable = data is not None and self._side.images.admit(data, image.get("name", "embedded"))
                self._places[key] = len(self.images) if readable else None
                self.images += [data] if readable else []
            return self._places[key]
        except ShapeFileError:
            raise
        except (LookupError, TypeError, AttributeError, ValueError, OSError):
            return None

    def _key(self, image: dict[str, Any]) -> tuple[int, int, int] | str:
        """Key of an image: its buffer, start and size in the file, or its URI."""
        if "bufferView" not in image:
            return str(image["uri"])
        view = self._tree["bufferViews"][image["bufferView"]]
        return view["buffer"], view.get("byteOffset", 0), view["byteLength"]

    def _data(self, key: tuple[int, int, int] | str) -> bytes:
        if isinstance(key, str):
            return base64.b64decode(key.partition("base64,")[2]) if "base64," in key else self._side[key]
        buffer, start, size = key
        self._free -= size
        if self._free < 0:
            raise ShapeFileError(
                "its images are larger together than the file. Expected an ordinary file, no bomb. Export it again."
            )
        return self._buffers[buffer][start : start + size]


def _count(item: dict[str, Any], key: str, default: int | None = None) -> int:
    value = item.get(key, default)
    if not isinstance(value, int) or value < 0:
        raise ShapeFileError(f"glTF {key} is {value!r}. Expected a number from 0 up. Export it again.")
    return value


def _accessor_bytes(accessor: dict[str, Any], views: list[dict[str, Any]], held: int) -> int:
    row = COMPONENT_BYTES[accessor["componentType"]] * COMPONENTS[accessor["type"]]
    count = _count(accessor, "count")
    # without a bufferView, nearly all values are zero and not stored, so the size of the file limits their number
    if "bufferView" not in accessor:
        require_bytes(count * row, held, f"an accessor of {count:,} items without a bufferView")
        return count * row
    view = views[accessor["bufferView"]]
    stride = _count(view, "byteStride", row) or row
    needed = _count(accessor, "byteOffset", 0) + max(count - 1, 0) * stride + row
    require_bytes(needed if count else 0, view["byteLength"], f"an accessor of {count:,} items")
    return count * row


FORMAT = Format(suffixes=(".gltf",), surface=read_gltf, up="y")
