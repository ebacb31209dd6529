"""NPY: one array, plain or with named fields. Pickles are refused."""

from __future__ import annotations

import io
import math
from typing import IO

import numpy as np

from openshape_ood.errors import CloudError
from openshape_ood.shapes.fields import Table, fields_of
from openshape_ood.shapes.formats.format import Format
from openshape_ood.shapes.guards import require_bytes
from openshape_ood.shapes.points import check_cloud


def read_npy(data: bytes) -> Table:
    return as_table(npy_array(io.BytesIO(data), len(data)))


def npy_array(file: IO[bytes], held: int) -> np.ndarray:
    """Array of an NPY stream of `held` bytes.

    The loader of numpy is not used: it can run code in a pickle, and it allocates memory without a check of the size.
    """
    try:
        version = np.lib.format.read_magic(file)
    except ValueError as error:
        raise CloudError(
            "it is not an NPY file; pickles are never loaded. Expected \\x93NUMPY at its start. Save it with np.save."
        ) from error
    if version not in ((1, 0), (2, 0)):
        raise CloudError(f"it has NPY version {version}. Expected 1.0 or 2.0. Save it again with np.save.")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(file)
    if dtype.hasobject:
        raise CloudError(
            "it holds Python objects (a pickle), which are never loaded. Expected numbers. Save a numeric array."
        )
    size = math.prod(shape) * dtype.itemsize
    require_bytes(size, held - file.tell(), f"an array of shape {shape}")
    return np.frombuffer(file.read(size), dtype=dtype).reshape(shape, order="F" if fortran else "C")


def as_table(array: np.ndarray) -> Table:
    return fields_of(array) if array.dtype.names else check_cloud(array, "it")


FORMAT = Format(suffixes=(".npy",), cloud=read_npy)
