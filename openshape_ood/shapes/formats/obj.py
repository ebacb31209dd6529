"""OBJ with materials, read by trimesh after a check of its size."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from openshape_ood.errors import CloudError
from openshape_ood.shapes.formats.format import Format
from openshape_ood.shapes.guards import SideFiles
from openshape_ood.shapes.meshes import trimesh_scene

if TYPE_CHECKING:
    from trimesh import Scene

MAX_MATERIALS = 3_000  # the time of trimesh grows with the number of materials times the number of vertices


def read_obj(data: bytes, side: SideFiles) -> Scene:
    """Read an OBJ file in any encoding. Text that is not UTF-8 is read as Latin-1, which only affects names."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        data = data.decode("latin-1").encode("utf-8")
    materials = len(set(re.findall(rb"usemtl [^\n]*", data)))
    if materials > MAX_MATERIALS:
        raise CloudError(
            f"it uses {materials:,} materials. Expected at most {MAX_MATERIALS:,}. Merge materials that are equal."
        )
    scene = trimesh_scene(data, "obj", side)
    side.check()
    return scene


FORMAT = Format(suffixes=(".obj",), surface=read_obj)
