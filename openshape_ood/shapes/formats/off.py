"""OFF, plain or with vertex colors, read by trimesh after a check of its size."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.errors import ShapeFileError
from openshape_ood.shapes.formats.format import Format
from openshape_ood.shapes.guards import SideFiles, require_bytes
from openshape_ood.shapes.meshes import trimesh_scene
from openshape_ood.shapes.points import unit_colors

if TYPE_CHECKING:
    from trimesh.parent import Geometry


def read_off(data: bytes, side: SideFiles) -> Geometry:
    """Read a mesh, or a cloud if the file has no faces."""
    from trimesh import PointCloud

    check_off(data)
    scene, rgb = trimesh_scene(data, "off", side), None
    mesh: Any = next(iter(scene.geometry.values()), None)
    if data.lstrip().startswith(b"COFF"):
        # trimesh ignores vertex colors, which are in each line after the coordinates
        lines = (line.partition(b"#")[0].split() for line in data.partition(b"COFF")[2].splitlines())
        rows = [words for words in lines if words][1 : len(mesh.vertices) + 1]
        if rows and all(len(row) >= 6 for row in rows):
            rgb = unit_colors(np.array([row[3:6] for row in rows], dtype=np.float64), "its colors")
            mesh.visual.vertex_colors = rgb
    return scene if mesh is None or len(mesh.faces) else PointCloud(mesh.vertices, rgb)


def check_off(data: bytes) -> None:
    """Raise `ShapeFileError` if an OFF file has fewer lines than vertices and faces in its header."""
    head = re.match(rb"(?:\s*#[^\n]*\n)*\s*(?:ST|C|N)*OFF\s*(?:#[^\n]*\n\s*)*(-?\d+)\s+(-?\d+)", data)
    if head is None:
        raise ShapeFileError(
            "it has no 'OFF' line with counts. Expected 'OFF' and the counts of vertices and faces. Export it."
        )
    vertices, faces = int(head[1]), int(head[2])
    if min(vertices, faces) < 0:
        raise ShapeFileError(
            f"it has negative counts: {vertices} vertices, {faces} faces. Expected 0 or more. Export it."
        )
    require_bytes(6 * vertices + 4 * faces, len(data), f"{vertices:,} vertices and {faces:,} faces")
    rows = len(re.findall(rb"(?m)^[ \t]*[-+.\d]", data[head.end() :].partition(b"\n")[2]))
    if rows < vertices + faces:
        raise ShapeFileError(
            f"it has {rows:,} rows for {vertices:,} vertices and {faces:,} faces. Expected one row each. Copy it again."
        )


FORMAT = Format(suffixes=(".off",), surface=read_off)
