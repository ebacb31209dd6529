"""File formats of shapes: one module each. A new format is a module and a line of `FORMATS`.

A module gives a `Format`: suffixes, conventions and readers. It imports the packages it needs in its readers.
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
    """The format that a file's suffix names. Raises `KeyError` for a suffix that is not in the table."""
    return BY_SUFFIX[path.suffix.lower()]
