"""Reading of shapes from files: meshes and point clouds, in the frame and units of the file.

Files are untrusted. The module `guards` has the checks before parsing.
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

CONVERTED = {".e57": "Convert it to LAZ first, e.g. pdal translate scan.e57 scan.laz"}


def load_shape(path: Any, points: int = 10_000, seed: int = 0) -> np.ndarray:
    """Read a shape from a file. Points are sampled uniformly from the surface of a mesh; clouds are returned whole.

    The colors of a cloud are columns red, green and blue, an array such as "rgb" or "vertex_colors" (n, 3|4), or packed
    numbers as in PCD files. Alpha is dropped. Warns about columns that look like colors but cannot be used. Also warns
    about shapes so far from the origin that their float32 coordinates have few digits.

    Parameters
    ----------
    path : str, Path, array or object
        File with one of the suffixes `SUFFIXES`, or a shape in memory. Clouds in memory are an array (n, 3|6), a
        structured array with fields x, y, z, or an object with `points` and optionally `colors`, as in Open3D. Points
        are sampled from a Trimesh or Scene of trimesh.
    points, seed : int
        Number of points sampled from a mesh, and random seed.

    Returns
    -------
    numpy.ndarray
        (n, 3) xyz float64 in the frame and units of the file, or (n, 6) with rgb in [0, 1]. The array does not contain
        the up axis. Pass it on as `up=file_up(path)`, or pass the path instead of the array.

    Raises
    ------
    ShapeFileError
        For a file that cannot be read, or exceeds the limits of `guards`.
    MissingPackageError
        If reading needs a package that is not installed.
    InputError
        For invalid `points` or `seed`.
    CloudError
        For an invalid cloud in memory.

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
            f"{points:,} points of its surface are requested. Expected at most {most:,} for a file of this size. "
            "Request fewer, or load the mesh with trimesh."
        )


def file_up(path: str | os.PathLike[str]) -> str:
    """Gravity axis as from `stated_up`; "y" if the file states none.

    Examples
    --------
    >>> file_up("chair.glb"), file_up("scan.las"), file_up("chair.ply")
    ('y', 'z', 'y')
    """
    return stated_up(path) or "y"


def stated_up(path: str | os.PathLike[str]) -> str | None:
    """Gravity axis that a file states; None if it states none.

    A COLLADA file is opened, because it may declare an axis; without a declaration, its axis is "y". The axis of glTF
    is "y" by specification. LAS, LAZ and PCD are formats of scanners, whose axis is "z" by convention.

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
        raise ShapeFileError(
            f"{path} is larger than {MAX_BYTES / 2**30:.0f} GiB. Expected a smaller file. Thin it out or split it "
            "first."
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _closed(path, error) from error
    if not data:
        raise ShapeFileError(f"{path} is empty (0 bytes). Expected a shape. Copy or export the file again.")
    return data


def file_size(path: Path) -> int:
    """Size in bytes of a regular file with a known suffix. Raises `ShapeFileError` for other files."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError for a path with a zero byte
        remedy = "Expand patterns first, e.g. sorted(folder.glob('*.ply'))" if "*" in path.name else "Check the path."
        raise NoSuchShapeError(f"{path}: no such file. Expected a shape file. {remedy}") from None
    except OSError as error:
        raise _closed(path, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise ShapeFileError(f"{path} is a folder. Expected a shape file. Give its files, e.g. folder.glob('*.ply').")
    if path.suffix.lower() not in BY_SUFFIX:
        remedy = CONVERTED.get(path.suffix.lower(), "Convert the file.")
        raise ShapeFileError(f"{path}: unknown suffix {path.suffix!r}. Expected {' '.join(BY_SUFFIX)}. {remedy}")
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would block, reading a device might never end
        raise ShapeFileError(f"{path} is not a regular file. Expected a shape file. Check the path.")
    return status.st_size


def _closed(path: Path, error: OSError) -> ShapeFileError:
    shown = str(path) if len(str(path)) < 300 else f"{str(path)[:100]}... ({len(str(path)):,} characters)"
    return ShapeFileError(
        f"cannot open {shown}: {error.strerror or error}. Expected a readable file. Check path and permissions."
    )


class _Quiet:
    """Context manager that suppresses the logs and warnings of parsers while any thread reads.

    Warning filters and logger levels apply to the whole process. The first thread that enters sets them, and the last
    thread that leaves restores them.
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
    """Suppress logs and warnings of parsers, and convert any error to one error with the path of the file."""
    kind = path.suffix[1:].upper()
    try:
        with _QUIET, np.errstate(all="ignore"):
            yield
    except MissingPackageError:
        raise
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        how = format_of(path).install.get(package, f"pip install {package}")
        raise MissingPackageError(
            f"{kind} files are not available. Expected the package {package}. Run {how}."
        ) from error
    except BaseException as error:
        # the LAZ decoder raises PanicException, which is not a subclass of Exception and cannot be imported
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = str(error)
        if not isinstance(error, OpenShapeError):  # errors of this package contain a remedy
            words = " ".join(reason.split())[:300] or "no reason given"
            reason = (
                f"{words} ({type(error).__name__}). Expected a complete {kind} file. Check the file and its suffix."
            )
        raise ShapeFileError(f"cannot read {path} as {kind}: {reason}") from error
