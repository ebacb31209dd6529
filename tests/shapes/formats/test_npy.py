"""NPY: sizes that cannot be."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from format_files import refused, write

from openshape_ood.shapes.reading import load_shape


def test_npy_shape(tmp_path: Path) -> None:
    for shape in ((2**40, 3), (2**62, 2**62), (-1, 3)):
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
        with refused("would take"):
            load_shape(write(tmp_path / "big.npy", header.getvalue() + bytes(48)))
