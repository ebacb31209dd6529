"""STL, text or binary."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from openshape_ood.errors import CloudError
from openshape_ood.shapes.formats.format import Format
from openshape_ood.shapes.guards import SideFiles, require_bytes

if TYPE_CHECKING:
    from trimesh import Trimesh

STL_ROW = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])


def read_stl(data: bytes, side: SideFiles) -> Trimesh:
    """Read STL. trimesh is not used, because it makes a mesh of every solid of a text; binary sizes are checked."""
    import trimesh

    count = struct.unpack_from("<I", data, 80)[0] if len(data) >= 84 else 0
    if len(data) >= 84 and len(data) == 84 + STL_ROW.itemsize * count:
        corners = np.frombuffer(data, STL_ROW, count, 84)["corners"].reshape(-1, 3)
    elif data.lstrip()[:5].lower() == b"solid":
        text = data.decode("latin-1").lower()
        if "endsolid" not in text[text.rfind("vertex") :]:
            raise CloudError("no 'endsolid' after its facets; is it cut off?")
        rows = " ".join(line.partition("\n")[0] for line in text.split("vertex")[1:])
        corners = np.fromstring(rows, sep=" ").reshape(-1, 3)
    elif len(data) < 84:
        raise CloudError("neither a binary STL (84 bytes or more) nor an ASCII one ('solid ...')")
    else:
        require_bytes(STL_ROW.itemsize * count, len(data) - 84, "its triangles")
        raise CloudError(f"it counts {count:,} triangles, but has {len(data) - 84:,} bytes for them")
    if len(corners) % 3:
        raise CloudError(f"{len(corners):,} vertices, which is no number of triangles; is it cut off?")
    return trimesh.Trimesh(corners, np.arange(len(corners)).reshape(-1, 3), process=False)


FORMAT = Format(suffixes=(".stl",), surface=read_stl)
