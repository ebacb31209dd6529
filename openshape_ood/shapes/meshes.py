"""OBJ, GLB, glTF, OFF, STL and COLLADA: trimesh reads them, behind guards."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from openshape_ood.shapes import guards
from openshape_ood.shapes.guards import SideFiles
from openshape_ood.shapes.points import unit_colors

if TYPE_CHECKING:
    from trimesh import Scene
    from trimesh.parent import Geometry


def read_obj(data: bytes, side: SideFiles) -> Geometry:
    return _parse(_as_utf8(data), "obj", side)


def _as_utf8(data: bytes) -> bytes:
    """Text in whichever encoding: only names in it are not ASCII, and trimesh would guess with one more package."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1").encode("utf-8")
    return data


def read_off(data: bytes, side: SideFiles) -> Geometry:
    guards.check_off(data)
    scene = _parse(data, "off", side)
    if data.lstrip().startswith(b"COFF"):
        _color_off(next(iter(scene.geometry.values())), data)
    return scene


def _color_off(mesh: Any, data: bytes) -> None:
    """Vertex colors of a COFF file, which trimesh leaves out: they follow the coordinates in a vertex's line."""
    lines = (line.partition(b"#")[0].split() for line in data.partition(b"COFF")[2].splitlines())
    _, *rows = [words for words in lines if words]
    if all(len(row) >= 6 for row in rows[: len(mesh.vertices)]):
        rgb = np.array([row[3:6] for row in rows[: len(mesh.vertices)]], dtype=np.float64)
        mesh.visual.vertex_colors = unit_colors(rgb, "its colors")


def read_stl(data: bytes, side: SideFiles) -> Geometry:
    guards.check_stl(data)
    return _parse(data, "stl", side)


def read_glb(data: bytes, side: SideFiles) -> Geometry:
    text, binary = guards.split_glb(data)
    guards.check_gltf(text, binary, side)
    return _parse(data, "glb", side)


def read_gltf(data: bytes, side: SideFiles) -> Geometry:
    guards.check_gltf(data, b"", side)
    return _parse(data, "gltf", side)


def read_dae(data: bytes, side: SideFiles) -> Geometry:
    """COLLADA, whose numbers pycollada reads in single precision."""
    import trimesh
    from trimesh.exchange.dae import load_collada

    document = guards.check_collada(data)
    _prefer_vertex_color(document)
    # what pycollada parses is written anew from what was checked, so the two cannot differ
    parts = load_collada(io.BytesIO(ElementTree.tostring(document)), resolver=side)
    side.check()
    for part in parts["geometry"].values():
        part["process"] = False
    scene = trimesh.load_scene(parts)
    if side.missing:
        _forget_stand_ins(scene)
    return scene


def _prefer_vertex_color(document: ElementTree.Element) -> None:
    """trimesh lets a plain material hide vertex colors, so where nothing is textured colored parts lose theirs."""
    if document.find(".//{*}library_images/{*}image") is not None:
        return
    for part in document.findall(".//{*}mesh/*[@material]"):
        if part.find("{*}input[@semantic='COLOR']") is not None:
            del part.attrib["material"]


def _forget_stand_ins(scene: Any) -> None:
    """Where a COLLADA texture is missing trimesh says white, which is not the color of anything."""
    for mesh in scene.geometry.values():
        material = getattr(mesh.visual, "material", None)
        if material is not None and material.baseColorTexture is None and np.all(material.baseColorFactor == 255):
            material.baseColorFactor = None


def _parse(data: bytes, kind: str, side: SideFiles) -> Scene:
    import trimesh

    # process=True would merge vertices and silently drop those that are NaN
    source: Any = io.BytesIO(data)
    resolver: Any = side
    scene = trimesh.load_scene(source, file_type=kind, resolver=resolver, process=False)
    side.check()
    return scene


@contextmanager
def silent_logger() -> Iterator[None]:
    """Keep trimesh from logging what it shrugs off about a file."""
    logger = logging.getLogger("trimesh")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # its modules log through children, which inherit the level
    try:
        yield
    finally:
        logger.setLevel(before)
