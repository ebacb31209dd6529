"""Shapes from files: meshes and point clouds, in the file's own frame and units.

Files come from outside and are treated as hostile: see `guards` for what is checked before a parser sees them.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from openshape_ood.errors import CloudError, MissingPackageError, NoSuchShapeError, ShapeFileError
from openshape_ood.shapes import meshes, ply, scanned, tables
from openshape_ood.shapes.guards import MAX_BYTES, SideFiles
from openshape_ood.shapes.meshes import check_draw, sample_mesh

if TYPE_CHECKING:
    from trimesh.parent import Geometry

Reader = Callable[[bytes, SideFiles], "np.ndarray | Geometry"]

READERS: dict[str, Reader] = {
    ".ply": ply.read_ply,
    ".obj": meshes.read_obj,
    ".glb": meshes.read_glb,
    ".gltf": meshes.read_gltf,
    ".off": meshes.read_off,
    ".stl": meshes.read_stl,
    ".dae": meshes.read_dae,
    ".npy": tables.read_npy,
    ".npz": tables.read_npz,
    ".txt": tables.read_text,
    ".xyz": tables.read_text,
    ".csv": tables.read_text,
    ".pcd": scanned.read_pcd,
    ".las": scanned.read_las,
    ".laz": scanned.read_las,
}
SUFFIXES = tuple(READERS)

INSTALL = {"laspy": "pip install 'openshape-ood[las]'", "collada": "pip install pycollada"}


def load_shape(path: str | os.PathLike[str], points: int = 10_000, seed: int = 0) -> np.ndarray:
    """The shape in a file. Meshes are sampled evenly over their surface, clouds come whole.

    Parameters
    ----------
    path
        Of a file with one of the suffixes `SUFFIXES`.
    points, seed
        How many are sampled of a mesh, and the seed of that.

    Returns
    -------
    numpy.ndarray
        (n, 3) xyz float64 in the file's own frame and units (`file_up` says which axis points up), or (n, 6) with
        rgb in [0, 1].

    Raises
    ------
    ShapeFileError
        Naming the file, for what cannot be read or is hostile; `NoSuchShapeError` where there is none.
    InputError
        For `points` or `seed` that cannot be.
    MissingPackageError
        For a format whose package is an extra.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "cloud.xyz"
    ...     _ = path.write_text("0 0 0\\n1 0 0\\n")
    ...     load_shape(path).tolist()
    [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    path = Path(path).expanduser()
    check_draw(points, seed)
    if path.is_dir():
        raise ShapeFileError(f"{path} is a folder, not a shape file; go over its files, e.g. folder.glob('*.ply')")
    if path.suffix.lower() not in READERS:
        if not path.exists():
            raise NoSuchShapeError(f"{path}: no such file or folder")
        raise ShapeFileError(f"{path}: unknown suffix {path.suffix!r}; these work: {' '.join(SUFFIXES)}")
    data = _read(path)
    with _parsing(path):
        shape = READERS[path.suffix.lower()](data, SideFiles(path.parent))
        return shape if isinstance(shape, np.ndarray) else sample_mesh(shape, points, seed, path.name)


def file_up(path: str | os.PathLike[str]) -> str:
    """The gravity axis of a file: what it states, else "y".

    Examples
    --------
    >>> file_up("chair.glb")
    'y'
    """
    return stated_up(path) or "y"


def stated_up(path: str | os.PathLike[str]) -> str | None:
    """The gravity axis that a file states, by itself or by its format: glTF is y up, COLLADA too unless it says "x" or
    "z"; None for all others. Only COLLADA files are opened."""
    path = Path(path).expanduser()
    if path.suffix.lower() in (".glb", ".gltf"):
        return "y"
    if path.suffix.lower() != ".dae":
        return None
    document = re.sub(rb"<!--.*?-->", b"", _read(path), flags=re.DOTALL)
    declared = re.search(rb"<(?:\w+:)?up_axis\s*>\s*([XYZ])_UP\b", document)
    return declared[1].decode().lower() if declared else "y"


def _read(path: Path) -> bytes:
    if not path.exists():
        pattern = "; a pattern has to be expanded first, e.g. sorted(folder.glob('*.ply'))" if "*" in path.name else ""
        raise NoSuchShapeError(f"{path}: no such file{pattern}")
    if not path.is_file():  # opening a pipe would wait for ever, a device might never end
        raise ShapeFileError(f"{path} is not a regular file")
    if path.stat().st_size > MAX_BYTES:
        raise ShapeFileError(f"{path} is larger than {MAX_BYTES / 2**30:.0f} GiB; thin it out or split it first")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ShapeFileError(f"cannot open {path}: {error.strerror or error}") from error
    if not data:
        raise ShapeFileError(f"{path} is empty (0 bytes)")
    return data


@contextmanager
def _parsing(path: Path) -> Iterator[None]:
    """Parsers log and warn about files; what matters is raised, as one error that names the file."""
    kind, logger = path.suffix[1:].upper(), logging.getLogger("trimesh")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # its modules log through children, which inherit the level
    try:
        with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
            yield
    except MissingPackageError:
        raise
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        how = INSTALL.get(package, f"pip install {package}")
        raise MissingPackageError(f"reading {kind} files needs the package {package!r}: {how}") from error
    except BaseException as error:
        # the LAZ decoder panics, which in Python is neither an Exception nor any other class one could name
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = str(error)
        if not isinstance(error, (CloudError, ShapeFileError)):  # ours say what to do
            told = " ".join(reason.split())[:300] or "no reason given"
            reason = f"{told} ({type(error).__name__}); is the file whole, and of the kind its suffix says?"
        raise ShapeFileError(f"cannot read {path} as {kind}: {reason}") from error
    finally:
        logger.setLevel(before)
