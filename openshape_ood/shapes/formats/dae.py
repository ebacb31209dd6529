"""COLLADA: documents are validated, then read by trimesh with pycollada."""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from openshape_ood.checks import require_memory
from openshape_ood.errors import ShapeFileError
from openshape_ood.shapes.formats.format import Format
from openshape_ood.shapes.guards import NODE, PART, SideFiles

if TYPE_CHECKING:
    from trimesh import Scene

BARE = ("source", "vertices", "extra")  # mesh parts without triangles
CORNER = 96  # bytes of memory of a triangle corner: position, normal, color, texture coordinate, and copies
PIECE = 2**16  # bytes parsed at once


def read_dae(data: bytes, side: SideFiles) -> Scene:
    """Read a COLLADA document. pycollada reads numbers in single precision."""
    import trimesh
    from trimesh.exchange.dae import load_collada

    document = _check(data)
    if document.find(".//{*}library_images/{*}image") is None:
        # trimesh ignores vertex colors of parts with a material, so the material is removed
        for colored in document.findall(".//{*}mesh/*[@material]"):
            if colored.find("{*}input[@semantic='COLOR']") is not None:
                del colored.attrib["material"]
    # pycollada gets a document written from the checked tree, so that it cannot parse anything else
    parts = load_collada(io.BytesIO(ElementTree.tostring(document)), resolver=side)
    side.check()
    for part in parts["geometry"].values():
        part["process"] = False
    scene = trimesh.load_scene(parts)
    for mesh in scene.geometry.values() if side.missing else ():
        # trimesh replaces a missing texture by white, which is not a color in the file
        material: Any = getattr(mesh.visual, "material", None)
        if material is not None and material.baseColorTexture is None and np.all(material.baseColorFactor == 255):
            material.baseColorFactor = None
    return scene


def stated_axis(data: bytes) -> str | None:
    """Gravity axis that a document declares; None if it declares none or is invalid."""
    named = _asset(data).get("up_axis")
    return None if named is None else {"X_UP": "x", "Y_UP": "y", "Z_UP": "z"}.get((named.text or "").strip())


def stated_unit(data: bytes) -> float | None:
    """Meters per unit that a document declares; None if it declares none. trimesh does not scale coordinates."""
    try:
        meters = float(_asset(data)["unit"].get("meter", ""))
    except (KeyError, ValueError):
        return None
    return meters if 0 < meters < np.inf else None


def _asset(data: bytes) -> dict[str, ElementTree.Element]:
    """Elements of a document, by tag, up to the end of its asset section."""
    parser: Any = ElementTree.XMLPullParser(("end",))
    elements: dict[str, ElementTree.Element] = {}
    try:
        _check_plain(data)
        for start in range(0, len(data), PIECE):
            parser.feed(data[start : start + PIECE])
            for _, element in parser.read_events():
                if _tag(element) == "asset":
                    return elements
                elements.setdefault(_tag(element), element)
    except (ShapeFileError, ElementTree.ParseError):
        pass
    return elements


def _check(data: bytes) -> ElementTree.Element:
    """Parse and validate a document: plain XML, no NaN, and limited memory for all instances of nodes."""
    _check_plain(data)
    if zipfile.is_zipfile(io.BytesIO(data)):
        raise ShapeFileError("it is a zip archive. Expected a COLLADA document. Unpack it and give the .dae inside.")
    root = ElementTree.fromstring(data)
    for array in root.iter():
        if _tag(array) == "float_array" and re.search(r"(?i)nan|inf|#", array.text or ""):
            raise ShapeFileError(
                f"float_array {array.get('id')!r} holds NaN or infinite numbers. Expected finite ones. Repair the mesh."
            )
    require_memory(_unfolded(root), len(data), "its node instances")
    return root


def _check_plain(data: bytes) -> None:
    """Check that the markup is readable as ASCII, and that there is no document type, which could define entities."""
    text = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] != b"<" or b"\0" in data:
        raise ShapeFileError("it is not XML in UTF-8. Expected a COLLADA document. Save it as a plain UTF-8 .dae.")
    declared = re.match(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)", text)
    if declared and declared[1].lower() not in (b"utf-8", b"us-ascii", b"ascii", b"iso-8859-1", b"windows-1252"):
        raise ShapeFileError(f"its XML encoding is {declared[1][:40]!r}. Expected UTF-8. Save it as UTF-8.")
    if re.search(rb"<!\s*(?:DOCTYPE|ENTITY)", data, re.IGNORECASE):
        raise ShapeFileError(
            "XML with a DOCTYPE or ENTITY is refused. Expected neither, as COLLADA needs none. Delete the declaration."
        )


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _unfolded(root: ElementTree.Element) -> int:
    """Bytes of memory of all instances of nodes and geometries."""
    by_id = {element.get("id"): element for element in root.iter() if element.get("id")}
    sizes: dict[str, int | None] = {}  # None while the size is computed

    def target(url: str) -> int:
        if url not in sizes:
            sizes[url] = None
            element = by_id.get(url.removeprefix("#"))
            sizes[url] = 0 if element is None else size(element)
        memory = sizes[url]
        if memory is None:
            raise ShapeFileError(f"node {url!r} instances itself. Expected a tree of nodes. Export it again.")
        return memory

    def size(element: ElementTree.Element) -> int:
        tag = _tag(element)
        if tag == "geometry":
            return sum(PART + CORNER * _corners(part) for mesh in element for part in mesh if _tag(part) not in BARE)
        if tag in ("instance_node", "instance_geometry"):
            return NODE + target(element.get("url", ""))
        return sum(size(child) for child in element) if tag in ("node", "visual_scene") else 0

    return sum(size(scene) for scene in root.iter() if _tag(scene) == "visual_scene")


def _corners(part: ElementTree.Element) -> int:
    """Upper bound of the number of triangle corners of a part. A polygon with n corners has n - 2 triangles."""
    inputs = [int(one.get("offset", 0)) for one in part if _tag(one) == "input"]
    indices = sum(len((one.text or "").split()) for one in part.iter() if _tag(one) == "p")
    return (1 if _tag(part) == "triangles" else 3) * indices // (max(inputs, default=0) + 1)


FORMAT = Format(
    suffixes=(".dae",),
    surface=read_dae,
    up="y",
    declared_up=stated_axis,
    declared_unit=stated_unit,
    install={"collada": "pip install pycollada"},
)
