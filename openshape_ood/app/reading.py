"""Uploads, read by a process of their own that can be killed, and whose word is checked too.

`read_upload` is the side of the server, `python -m openshape_ood.app.reading` the other one. The reading process
bounds its own memory and time before it loads a parser; it inherits no secrets from the environment, sees the upload
alone in a folder, under a name of ours, and hands back numbers: an .npy that is read without pickle.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import openshape_ood
from openshape_ood.app.limits import (
    MAX_FILE_MB,
    MAX_POINTS,
    READ_MEMORY,
    READ_SECONDS,
    READERS,
    WAIT_SECONDS,
)
from openshape_ood.errors import MissingPackageError, OpenShapeError, ShapeFileError
from openshape_ood.shapes.points import check_cloud, check_up
from openshape_ood.shapes.reading import SUFFIXES, file_up, load_shape

# all that a parser needs of the environment: tokens and passwords stay behind
PASSED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "VIRTUAL_ENV")
SURFACE_POINTS = 10_000  # sampled of a mesh

_places = threading.BoundedSemaphore(READERS)


@dataclass(frozen=True, eq=False)
class Upload:
    """What was read: cloud (n, 3|6) float64 in the file's frame and units, n at most `MAX_POINTS`.

    name: the file's, as the visitor gave it; points: how many it had before thinning; up: the axis its file states.
    """

    name: str
    cloud: np.ndarray
    points: int
    up: str


def read_upload(
    path: str | os.PathLike[str],
    *,
    seconds: float = READ_SECONDS,
    memory: int = READ_MEMORY,
    max_bytes: int = MAX_FILE_MB * 2**20,
) -> Upload:
    """Read an uploaded file in a process of its own.

    seconds: wall-clock time after which it is killed; memory: bytes of address space it may have, where the platform
    can bound that. Raises `ShapeFileError`, or `MissingPackageError` for a format whose package is an extra, with a
    message for the visitor that has the file's name and no path.
    """
    path = Path(path)
    _check_before(path, max_bytes)
    if not _places.acquire(timeout=WAIT_SECONDS):
        raise ShapeFileError(f"{path.name}: others are reading files just now; try again in a minute")
    try:
        with tempfile.TemporaryDirectory(prefix="reading-") as folder:
            return _read_apart(path, Path(folder), seconds, memory)
    finally:
        _places.release()


def _check_before(path: Path, max_bytes: int) -> None:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ShapeFileError(f"{path.name}: {suffix or 'no suffix'} is not read; these are: {' '.join(SUFFIXES)}")
    if not path.is_file():
        raise ShapeFileError(f"{path.name} is no longer there; upload it again")
    if path.stat().st_size > max_bytes:
        raise ShapeFileError(f"{path.name} is larger than {max_bytes / 2**20:.0f} MB; thin it out or split it first")


def _read_apart(path: Path, folder: Path, seconds: float, memory: int) -> Upload:
    alone = folder / "upload"
    alone.mkdir()
    source, result = alone / f"shape{path.suffix.lower()}", folder / "cloud.npy"
    _link(path, source)
    code = _run([str(source), str(result), str(memory), str(int(seconds) + 1)], folder, seconds, path.name)
    said = _said(result)
    if "error" in said:
        kind = MissingPackageError if said.get("missing") else ShapeFileError
        named = f"“{path.name}”"
        raise kind(str(said["error"]).replace(str(source), named).replace(source.name, named))
    if code != 0 or "points" not in said or not result.is_file():
        # killed by the kernel, or a parser that took its process down
        raise ShapeFileError(f"{path.name}: the process that read it ended without a result; is the file whole?")
    if result.stat().st_size > MAX_POINTS * 6 * 8 + 4096:
        raise ShapeFileError(f"{path.name}: more came back from reading it than was asked for")
    try:  # a parser that was taken over may have written anything
        cloud = check_cloud(np.load(result, allow_pickle=False), path.name)
        return Upload(path.name, cloud, int(said["points"]), check_up(said["up"]))
    except (ValueError, TypeError, KeyError, OSError, EOFError) as error:
        raise ShapeFileError(f"{path.name}: what came back from reading it is no cloud") from error


def _link(path: Path, source: Path) -> None:
    try:
        os.link(path, source)
    except OSError:  # another disc, or one that knows no links
        shutil.copyfile(path, source)


def _run(arguments: list[str], folder: Path, seconds: float, name: str) -> int:
    environment = {key: os.environ[key] for key in PASSED if key in os.environ}
    package = str(Path(openshape_ood.__file__).resolve().parent.parent)
    environment |= {"PYTHONPATH": package, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(  # noqa: S603  (our own module; the arguments are paths that we made)
        # -P: nothing is imported from the current folder; -s: nor from the user's own
        [sys.executable, "-P", "-s", "-m", "openshape_ood.app.reading", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise ShapeFileError(f"{name}: reading it took more than {seconds:g} s and was stopped") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _said(result: Path) -> dict[str, Any]:
    """What the reading process reported; nothing where it did not get that far."""
    report = result.with_suffix(".json")
    if not report.is_file() or report.stat().st_size > 100_000:
        return {}
    try:
        said = json.loads(report.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def main(arguments: list[str]) -> int:
    """The reading process: SOURCE RESULT MEMORY SECONDS. Writes RESULT (.npy) and, beside it, a report (.json)."""
    source, result = Path(arguments[0]), Path(arguments[1])
    memory, seconds = int(arguments[2]), int(arguments[3])
    _bound(memory, seconds)
    try:
        report = _read(source, result)
    except MemoryError:
        report = {"error": f"{source.name} needs more memory than the {memory / 2**30:.3g} GiB that reading may take"}
    except OpenShapeError as error:
        report = {"error": str(error), "missing": isinstance(error, MissingPackageError)}
    result.with_suffix(".json").write_text(json.dumps(report), encoding="utf-8")
    return 0


def _bound(memory: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has none; there the wall-clock limit stands alone
        return
    wanted = {"RLIMIT_AS": memory, "RLIMIT_CPU": seconds, "RLIMIT_FSIZE": 64 * 2**20, "RLIMIT_CORE": 0}
    for limit, value in wanted.items():
        number = getattr(resource, limit, None)
        if number is None:
            continue
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (value, value))


def _read(source: Path, result: Path) -> dict[str, Any]:
    try:
        cloud = check_cloud(load_shape(source, points=SURFACE_POINTS), source.name)
    except ShapeFileError as error:
        if isinstance(error.__cause__, MemoryError):
            raise error.__cause__ from None
        raise
    kept = cloud
    if len(cloud) > MAX_POINTS:
        kept = cloud[np.sort(np.random.RandomState(0).permutation(len(cloud))[:MAX_POINTS])]
    np.save(result, kept, allow_pickle=False)
    return {"points": len(cloud), "up": file_up(source)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
