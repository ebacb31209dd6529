"""Views and scans from a folder as they arrive."""

from __future__ import annotations

import hashlib
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from openshape_ood.errors import FileError
from openshape_ood.scene_map.events import read_events
from openshape_ood.scenes import Scene, load_scene
from openshape_ood.views import View, load_view

VIEWS = (".pkl",)
SCANS = (
    ".ply",
    ".pcd",
    ".las",
    ".laz",
    ".npz",
    ".npy",
    ".glb",
    ".gltf",
    ".obj",
    ".off",
    ".stl",
    ".dae",
    ".xyz",
    ".csv",
)
PICTURE = "rgb.png"  # in each folder of a view
PARTS = (PICTURE, "depth.png", "camera.json")  # files of a folder of a view
MOST = 1_000_000  # maximum number of files in a folder


def arrivals(folder: Path, *, once: bool, poll: float, wait: Callable[[float], Any] = time.sleep) -> Iterator[Path]:
    """Views and scans of a folder in the order of their modification time, each name once.

    folder: scan files, view files, and folders of views; once: True ends after the existing files. False waits for
    further files. A file is complete if its size and modification time stay the same for `poll` seconds. Raises
    `FileError`.
    """
    given, before = set[str](), dict[str, tuple[float, int]]()
    while True:
        there = _listed(folder)
        for name, state in sorted(there.items(), key=lambda one: (one[1][0], one[0])):
            if name not in given and (once or before.get(name) == state):
                given.add(name)
                yield folder / name
        if once:
            return
        before = there
        wait(poll)


def _listed(folder: Path) -> dict[str, tuple[float, int]]:
    """Name -> modification time and size."""
    listed: dict[str, tuple[float, int]] = {}
    try:
        for path in folder.iterdir():
            file = path / PICTURE if path.is_dir() else path
            if path.is_dir() or path.suffix.lower() in (*VIEWS, *SCANS):
                try:
                    status = file.stat()
                except OSError:  # removed in the meantime, or a folder without a view
                    continue
                listed[path.name] = (status.st_mtime, status.st_size)
            if len(listed) > MOST:
                raise FileError(f"{folder} has more than {MOST:,} files. Expected fewer. Split the folder.")
    except OSError as error:
        raise FileError(f"cannot read the folder {folder}: {error.strerror or error}") from error
    return listed


def loaded(path: Path) -> View | Scene:
    """Read a view or a scan. Raises `FileError` or `InputError`."""
    return load_view(path) if is_view(path) else load_scene(path)


def is_view(path: Path) -> bool:
    """True for a folder, a .pkl view, and an .npz file with depth."""
    if path.is_dir() or path.suffix.lower() in VIEWS:
        return True
    if path.suffix.lower() != ".npz":
        return False
    try:
        with zipfile.ZipFile(path) as file:
            return "depth.npy" in {name.lower() for name in file.namelist()}
    except (OSError, ValueError, zipfile.BadZipFile, RuntimeError):
        return False  # the reader of scans reports the error


def digest_of(path: Path) -> str:
    """SHA-256 of the content of a file, or of the files of a view's folder; "" if it cannot be read."""
    files, found = [path / name for name in PARTS] if path.is_dir() else [path], hashlib.sha256()
    if not all(file.is_file() for file in files):  # opening a pipe would wait forever
        return ""
    try:
        for file in files:
            with file.open("rb") as opened:
                found.update(hashlib.file_digest(opened, "sha256").digest())
    except OSError:  # the reader reports the error
        return ""
    return found.hexdigest()


def sources(events: Path) -> list[tuple[str, str]]:
    """Name and digest of each input in the log of a map, added or skipped. The digest is "" if the log has none."""
    records = (one.event for one in read_events(events))
    return [(str(event["source"]), str(event.get("digest", ""))) for event in records if event.get("source")]
