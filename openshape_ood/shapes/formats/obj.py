"""OBJ with materials, read by trimesh within bounds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from openshape_ood.errors import CloudError
from openshape_ood.shapes.formats.format import Format
from openshape_ood.shapes.guards import SideFiles
from openshape_ood.shapes.meshes import trimesh_scene

if TYPE_CHECKING:
    from trimesh import Scene

MAX_MATERIALS = 3_000  # trimesh scans all vertices and all earlier names for each material


def read_obj(data: bytes, side: SideFiles) -> Scene:
    """Read text in any encoding: only names contain non-ASCII, and trimesh would need another package to guess."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        data = data.decode("latin-1").encode("utf-8")
    materials = len(set(re.findall(rb"usemtl [^\n]*", data)))
    if materials > MAX_MATERIALS:
        raise CloudError(f"it uses {materials:,} materials, more than {MAX_MATERIALS:,}; merge those that are alike")
    scene = trimesh_scene(data, "obj", side)
    side.check()
    return scene


FORMAT = Format(suffixes=(".obj",), surface=read_obj)
