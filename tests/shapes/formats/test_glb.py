"""GLB: lengths of its parts."""

from __future__ import annotations

import struct
from pathlib import Path

import hostile_shapes
import pytest
from format_files import glb, gltf_triangle, refused, refused_if, write

from openshape_ood.shapes.formats.glb import split_glb
from openshape_ood.shapes.reading import load_shape


def test_glb_lengths(tmp_path: Path) -> None:
    good = glb(gltf_triangle())
    assert load_shape(write(tmp_path / "good.glb", good), points=5).shape == (5, 3)
    for at in (8, 12):
        with refused("would take"):
            load_shape(write(tmp_path / "bad.glb", good[:at] + struct.pack("<I", 2**31) + good[at + 4 :]))


@pytest.mark.parametrize("cut, fits", [(0, True), (1, False)])
def test_lengths_of_glb(cut: int, fits: bool) -> None:
    data = hostile_shapes.glb({}, b"abcd")
    with refused_if(not fits, "would take"):
        assert split_glb(data[: len(data) - cut]) == (b"{}  ", b"abcd")
    with refused_if(True, "no GLB header"):
        split_glb(data[:19])
    assert split_glb(struct.pack("<4sIII4s", b"glTF", 2, 20, 0, b"JSON")) == (b"", b"")
