"""Shapes from files: meshes and point clouds, in the file's own frame and units.

Files are untrusted; `guards` lists the checks before parsing.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import given_path
from openshape_ood.errors import CloudError, MissingPackageError, NoSuchShapeError, OpenShapeError, ShapeFileError
from openshape_ood.shapes import fields
from openshape_ood.shapes.colors import color_doubt
from openshape_ood.shapes.formats import BY_SUFFIX, format_of
from openshape_ood.shapes.guards import MAX_BYTES, SideFiles
from openshape_ood.shapes.meshes import check_draw, is_trimesh, most_points, sample_mesh
from openshape_ood.shapes.points import warn_if_coarse

CONVERTED = {".e57": "convert it to LAZ first, e.g. pdal translate scan.e57 scan.laz"}


def load_shape(path: Any, points: int = 10_000, seed: int = 0) -> np.ndarray:
    """Read a shape from a file. Meshes are sampled uniformly over their surface, clouds are returned whole.

    Colors are columns red, green and blue, an array such as "rgb" or "vertex_colors" (n, 3|4), or packed as in PCD
    files; alpha is dropped. Warns about unusable columns that look like colors, and about shapes so far from the origin
    that float32 keeps few digits of their coordinates.

    Parameters
    ----------
    path : str, Path, array or object
        File with one of the suffixes `SUFFIXES`. A cloud in memory is checked and returned: an array (n, 3|6), a
        structured array with fields x, y, z, or an object with `points` and optionally `colors`, as in Open3D. A
        Trimesh, Scene or PointCloud of trimesh is sampled like a file.
    points, seed
        Number of points sampled from a mesh, and seed of the sampling.

    Returns
    -------
    numpy.ndarray
        (n, 3) xyz float64 in the file's own frame and units, or (n, 6) with rgb in [0, 1]. Points have no up axis:
        also pass `up=file_up(path)`, or pass the path itself instead of points.

    Raises
    ------
    ShapeFileError, MissingPackageError, InputError, CloudError
        For a file that cannot be read or is hostile, by name; a missing extra; invalid `points` or `seed`; an invalid
        cloud in memory.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "cloud.xyz"
    ...     _ = path.write_text("0 0 0\\n1 0 0\\n")
    ...     load_shape(path).tolist()
    [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    check_draw(points, seed)
    if hasattr(path, "ndim") or fields.holds_points(path):
        return fields.given_cloud(path, "the cloud")
    if is_trimesh(path):
        warn_if_coarse(path, "the mesh", stacklevel=3)
        return sample_mesh(path, points, seed, "the mesh")
    path = given_path(path, "path", ShapeFileError)
    data = file_bytes(path)
    with parsing(path):
        table = format_of(path).read(data, SideFiles(path.parent))
        shape = fields.named_cloud(table) if isinstance(table, Mapping) else table
        if not isinstance(shape, np.ndarray):
            _check_points(points, most_points(shape, len(data)))
        cloud = shape if isinstance(shape, np.ndarray) else sample_mesh(shape, points, seed, path.name)
        bare = fields.as_columns(table) if isinstance(table, Mapping) and cloud.shape[1] == 3 else {}
        doubt = color_doubt(bare, path.name)
    if doubt:
        warnings.warn(doubt, stacklevel=2)
    warn_if_coarse(shape, path.name, stacklevel=3)
    return cloud


def _check_points(points: int, most: int) -> None:
    if points > most:
        raise CloudError(
            f"{points:,} points of its surface were asked for. A file of this size gives {most:,} at most; ask for "
            "fewer, or sample the mesh yourself"
        )


def file_up(path: str | os.PathLike[str]) -> str:
    """Gravity axis stated by a file, else "y".

    Examples
    --------
    >>> file_up("chair.glb"), file_up("scan.las"), file_up("chair.ply")
    ('y', 'z', 'y')
    """
    return stated_up(path) or "y"


def stated_up(path: str | os.PathLike[str]) -> str | None:
    """Gravity axis stated by a file; None without a statement.

    COLLADA files, the only ones opened, declare it, else "y". glTF is "y" by specification. LAS, LAZ and PCD, scanner
    formats, are "z" by convention.

    Examples
    --------
    >>> stated_up("scan.pcd"), stated_up("chair.ply")
    ('z', None)
    """
    path = given_path(path, "path", ShapeFileError)
    if path.suffix.lower() not in BY_SUFFIX:
        return None
    kind = format_of(path)
    return (kind.declared_up and kind.declared_up(file_bytes(path))) or kind.up


def file_bytes(path: Path) -> bytes:
    """Content of a file with a known suffix. Raises `ShapeFileError` for other files and files that are too large."""
    if file_size(path) > MAX_BYTES:
        raise ShapeFileError(f"{path} is larger than {MAX_BYTES / 2**30:.0f} GiB; thin it out or split it first")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _closed(path, error) from error
    if not data:
        raise ShapeFileError(f"{path} is empty (0 bytes)")
    return data


def file_size(path: Path) -> int:
    """Size in bytes of a regular file with a known suffix. Raises `ShapeFileError` for other files."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError for a path with a zero byte
        pattern = "; a pattern has to be expanded first, e.g. sorted(folder.glob('*.ply'))" if "*" in path.name else ""
        raise NoSuchShapeError(f"{path}: no such file{pattern}") from None
    except OSError as error:
        raise _closed(path, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise ShapeFileError(f"{path} is a folder, not a shape file; go over its files, e.g. folder.glob('*.ply')")
    if path.suffix.lower() not in BY_SUFFIX:
        remedy = CONVERTED.get(path.suffix.lower(), f"these work: {' '.join(BY_SUFFIX)}")
        raise ShapeFileError(f"{path}: unknown suffix {path.suffix!r}; {remedy}")
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would block, reading a device might never end
        raise ShapeFileError(f"{path} is not a regular file")
    return status.st_size


def _closed(path: Path, error: OSError) -> ShapeFileError:
    shown = str(path) if len(str(path)) < 300 else f"{str(path)[:100]}... ({len(str(path)):,} characters)"
    return ShapeFileError(f"cannot open {shown}: {error.strerror or error}")


class _Quiet:
    """Silence the logs and warnings of parsers while any thread reads.

    Warning filters and logger levels are process-wide: the first thread sets them, the last restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._filters = warnings.catch_warnings(action="ignore")
                self._filters.__enter__()
                self._logger = logging.getLogger("trimesh")  # its modules use child loggers, which inherit the level
                self._level = self._logger.level
                self._logger.setLevel(logging.CRITICAL + 1)
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._logger.setLevel(self._level)
                self._filters.__exit__(None, None, None)


_QUIET = _Quiet()


@contextmanager
def parsing(path: Path) -> Iterator[None]:
    """Silence parsers and turn any error into one error with the file's name."""
    kind = path.suffix[1:].upper()
    try:
        with _QUIET, np.errstate(all="ignore"):
            yield
    except MissingPackageError:
        raise
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        how = format_of(path).install.get(package, f"pip install {package}")
        raise MissingPackageError(f"reading {kind} files needs the package {package!r}: {how}") from error
    except BaseException as error:
        # the LAZ decoder raises a panic, whose class is no Exception and has no importable name
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = str(error)
        if not isinstance(error, OpenShapeError):  # our errors contain a remedy
            words = " ".join(reason.split())[:300] or "no reason given"
            reason = f"{words} ({type(error).__name__}); is the file whole, and of the kind its suffix says?"
        raise ShapeFileError(f"cannot read {path} as {kind}: {reason}") from error
