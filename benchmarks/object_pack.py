"""Reader of real objects with class names: a pack of two files, or a folder with a subfolder for each class.

A pack has two files. `objects.npz` has `xyz` (n, p, 3) and `rgb` (n, p, 3; 0 to 255), y up. `objects.csv` has a
line for each object: `name`, `coarse` (its class) and `source` (its collection). With subfolders, the class is the
subfolder's name and the source is the name of the folder.
"""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from openshape_ood.errors import InputError
from openshape_ood.shapes import load_shape
from openshape_ood.shapes.formats import SUFFIXES

EXPECTED = "expected objects.npz and objects.csv, or a subfolder with shapes for each class"
MOST_BYTES = 4 * 2**30  # largest size of the unpacked arrays


@dataclass(frozen=True, eq=False)
class ObjectPack:
    """Clouds with their names, classes and sources. A cloud is (n, 6): xyz with y up, rgb in [0, 1]."""

    clouds: list[np.ndarray]
    names: np.ndarray
    classes: np.ndarray
    sources: np.ndarray

    def of(self, kept: np.ndarray) -> ObjectPack:
        """Select objects by a mask or by indices."""
        chosen = np.arange(len(self.clouds))[kept]
        columns = (values[chosen] for values in (self.names, self.classes, self.sources))
        return ObjectPack([self.clouds[i] for i in chosen], *columns)

    def with_at_least(self, objects: int) -> ObjectPack:
        """Select the classes with at least `objects` objects."""
        names, counts = np.unique(self.classes, return_counts=True)
        return self.of(np.isin(self.classes, names[counts >= objects]))


def read_pack(folder: Path) -> ObjectPack:
    """Read the objects of a folder; raises `InputError` if it has neither layout."""
    if (folder / "objects.npz").is_file() and (folder / "objects.csv").is_file():
        return _of_arrays(folder)
    files = [path for path in sorted(folder.glob("*/*")) if path.suffix.lower() in SUFFIXES]
    if not files:
        raise InputError(f"no objects in {folder}; {EXPECTED}")
    names = np.array([path.parent.name for path in files])
    return ObjectPack([load_shape(path) for path in files], names, names, np.full(len(names), folder.name))


def _of_arrays(folder: Path) -> ObjectPack:
    with (folder / "objects.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    xyz, rgb = _arrays(folder / "objects.npz")
    if not rows or not {"name", "coarse", "source"} <= set(rows[0]):
        raise InputError(
            f"{folder / 'objects.csv'}: expected a header with name, coarse and source, and one line per object"
        )
    if len(rows) != len(xyz):
        raise InputError(
            f"{folder}: objects.csv has {len(rows)} lines and objects.npz {len(xyz)} objects; expected one per object"
        )
    clouds = [np.hstack([a, b / 255]).astype(np.float32) for a, b in zip(xyz, rgb, strict=True)]
    return ObjectPack(clouds, *(np.array([row[key] for row in rows]) for key in ("name", "coarse", "source")))


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read positions and colors, both (n, p, 3). Raises an error if they unpack to more than `MOST_BYTES`."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MOST_BYTES:
            raise InputError(f"{path} unpacks to {size / 2**30:.1f} GiB; expected at most {MOST_BYTES / 2**30:.0f}")
        with np.load(path, allow_pickle=False) as arrays:
            xyz, rgb = arrays["xyz"], arrays["rgb"]
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read: {error}. Expected the arrays xyz and rgb, (n, p, 3)") from error
    if xyz.ndim != 3 or xyz.shape[2] != 3 or xyz.shape != rgb.shape:
        raise InputError(f"{path}: xyz has the shape {xyz.shape} and rgb {rgb.shape}; expected (n, p, 3) twice")
    return xyz, rgb
