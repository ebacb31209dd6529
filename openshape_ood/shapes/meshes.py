"""OBJ, GLB, glTF, OFF, STL and COLLADA: trimesh reads them, behind guards."""

from __future__ import annotations

import io
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
    """Text in whichever encoding: only names in it are not ASCII, and trimesh would guess with one more package."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        data = data.decode("latin-1").encode("utf-8")
    return _parse(data, "obj", side)


def read_off(data: bytes, side: SideFiles) -> Geometry:
    guards.check_off(data)
    scene = _parse(data, "off", side)
    if data.lstrip().startswith(b"COFF"):
        # trimesh leaves out the vertex colors, which follow the coordinates in a vertex's line
        mesh: Any = next(iter(scene.geometry.values()))
        lines = (line.partition(b"#")[0].split() for line in data.partition(b"COFF")[2].splitlines())
        rows = [words for words in lines if words][1 : len(mesh.vertices) + 1]
        if all(len(row) >= 6 for row in rows):
            rgb = np.array([row[3:6] for row in rows], dtype=np.float64)
            mesh.visual.vertex_colors = unit_colors(rgb, "its colors")
    return scene


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
    if document.find(".//{*}library_images/{*}image") is None:
        # trimesh lets a plain material hide vertex colors, so colored parts lose theirs
        for colored in document.findall(".//{*}mesh/*[@material]"):
            if colored.find("{*}input[@semantic='COLOR']") is not None:
                del colored.attrib["material"]
    # what pycollada parses is written anew from what was checked, so the two cannot differ
    parts = load_collada(io.BytesIO(ElementTree.tostring(document)), resolver=side)
    side.check()
    for part in parts["geometry"].values():
        part["process"] = False
    scene = trimesh.load_scene(parts)
    for mesh in scene.geometry.values() if side.missing else ():
        # where a texture is missing trimesh says white, which is not the color of anything
        material: Any = getattr(mesh.visual, "material", None)
        if material is not None and material.baseColorTexture is None and np.all(material.baseColorFactor == 255):
            material.baseColorFactor = None
    return scene


def _parse(data: bytes, kind: str, side: SideFiles) -> Scene:
    import trimesh

    # process=True would merge vertices and silently drop those that are NaN
    source: Any = io.BytesIO(data)
    resolver: Any = side
    scene = trimesh.load_scene(source, file_type=kind, resolver=resolver, process=False)
    side.check()
    return scene
