"""File formats of shapes, one module per format. A new format needs a module and a line in `FORMATS`.

Each module defines a `Format`: suffixes, conventions and readers. Readers import the packages that they need.
"""

from __future__ import annotations

from pathlib import Path

from openshape_ood.shapes.formats import dae, glb, gltf, las, npy, npz, obj, off, pcd, ply, stl, text
from openshape_ood.shapes.formats.format import Format

FORMATS = (
    ply.FORMAT,
    obj.FORMAT,
    glb.FORMAT,
    gltf.FORMAT,
    off.FORMAT,
    stl.FORMAT,
    dae.FORMAT,
    npy.FORMAT,
    npz.FORMAT,
    text.FORMAT,
    pcd.FORMAT,
    las.FORMAT,
)
BY_SUFFIX = {suffix: one for one in FORMATS for suffix in one.suffixes}
SUFFIXES = tuple(BY_SUFFIX)


def format_of(path: Path) -> Format:
    """Format of a file, by its suffix. Raises `KeyError` for an unknown suffix."""
    return BY_SUFFIX[path.suffix.lower()]
