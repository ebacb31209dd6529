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
    """Read an STL file. The reader of trimesh is not used, because it makes a mesh of every solid in a text."""
    import trimesh

    count = struct.unpack_from("<I", data, 80)[0] if len(data) >= 84 else 0
    if len(data) >= 84 and len(data) == 84 + STL_ROW.itemsize * count:
        corners = np.frombuffer(data, STL_ROW, count, 84)["corners"].reshape(-1, 3)
    elif data.lstrip()[:5].lower() == b"solid":
        text = data.decode("latin-1").lower()
        if "endsolid" not in text[text.rfind("vertex") :]:
            raise CloudError("it has no 'endsolid' after its facets. Expected a complete file. Copy it again.")
        rows = " ".join(line.partition("\n")[0] for line in text.split("vertex")[1:])
        corners = np.fromstring(rows, sep=" ").reshape(-1, 3)
    elif len(data) < 84:
        raise CloudError(
            f"it is neither a binary STL nor a text: {len(data)} bytes. Expected 84 or more, or 'solid'. Export it."
        )
    else:
        require_bytes(STL_ROW.itemsize * count, len(data) - 84, "its triangles")
        raise CloudError(
            f"it counts {count:,} triangles, but has {len(data) - 84:,} bytes for them. Expected "
            f"{STL_ROW.itemsize * count:,} bytes. Export it again."
        )
    if len(corners) % 3:
        raise CloudError(f"it has {len(corners):,} vertices. Expected three per triangle. Copy the file again.")
    return trimesh.Trimesh(corners, np.arange(len(corners)).reshape(-1, 3), process=False)


FORMAT = Format(suffixes=(".stl",), surface=read_stl)
