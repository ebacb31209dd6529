"""Views and scans from a folder as they arrive."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Collection, Iterator
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
PICTURE = "rgb.png"  # of a view in a folder of its own
MOST = 1_000_000  # files of a folder


def arrivals(
    folder: Path, done: Collection[str], *, once: bool, poll: float, wait: Callable[[float], Any] = time.sleep
) -> Iterator[Path]:
    """The views and scans of a folder by time of writing, each once.

    folder: with files, and folders of views; done: names that are not given again; once: those that are there, else
    also what arrives, when its size has not changed for `poll` seconds. Raises `FileError`.
    """
    given, before = set(done), dict[str, tuple[float, int]]()
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
    """Name -> time of writing and size."""
    found: dict[str, tuple[float, int]] = {}
    try:
        for path in folder.iterdir():
            own = path / PICTURE if path.is_dir() else path
            if path.is_dir() or path.suffix.lower() in (*VIEWS, *SCANS):
                try:
                    about = own.stat()
                except OSError:  # gone meanwhile, or a folder of something else
                    continue
                found[path.name] = (about.st_mtime, about.st_size)
            if len(found) > MOST:
                raise FileError(f"{folder} has more than {MOST:,} files. Expected fewer. Give a part of them")
    except OSError as error:
        raise FileError(f"cannot read the folder {folder}: {error.strerror or error}") from error
    return found


def loaded(path: Path) -> View | Scene:
    """The view or scan of a file. Raises `FileError` or `InputError`."""
    return load_view(path) if is_view(path) else load_scene(path)


def is_view(path: Path) -> bool:
    """True for a folder, a published view, and an .npz file with depth."""
    if path.is_dir() or path.suffix.lower() in VIEWS:
        return True
    if path.suffix.lower() != ".npz":
        return False
    try:
        with zipfile.ZipFile(path) as file:
            return "depth.npy" in {name.lower() for name in file.namelist()}
    except (OSError, ValueError, zipfile.BadZipFile, RuntimeError):
        return False  # reading it says why


def sources(events: Path) -> set[str]:
    """The sources of all events of a map: what was added, and what could not be used."""
    return {str(one.event["source"]) for one in read_events(events) if one.event.get("source")}
