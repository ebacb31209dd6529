"""What reads the files, in a child process that says what it took: time, memory, files opened, and the error."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.performance.harness import memory
from openshape_ood.errors import OpenShapeError
from openshape_ood.workers import Work

# opened while a module loads, or asked of the system, and no file's wish
HARMLESS = (sys.prefix, sys.base_prefix, "/proc/", "/sys/", "/dev/null", "/dev/urandom", "/usr/", "/lib", "/etc/ld.so")
TALK = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")


def _shape(path: str) -> None:
    from openshape_ood.shapes.reading import file_up, load_shape

    file_up(path)
    cloud = load_shape(path, points=100)
    if not (isinstance(cloud, np.ndarray) and cloud.ndim == 2 and cloud.shape[1] in (3, 6) and len(cloud)):
        raise TypeError(f"{path} is read as {getattr(cloud, 'shape', cloud)!r}")


def _store(path: str) -> None:
    from openshape_ood import embedding_store

    embedding_store.read_header(path)
    for _ in embedding_store.read_embeddings(path):
        pass
    for _ in embedding_store.read_errors(path):
        pass


def _known(path: str) -> None:
    from openshape_ood.known import KnownClasses

    repr(KnownClasses.load(path).shown)


def _detector(path: str) -> None:
    from openshape_ood.sklearn_api.detector import NoveltyDetector

    detector = NoveltyDetector.load(path)
    detector.predict(np.eye(detector.n_features_in_)[:2])


def _threshold(path: str) -> None:
    from openshape_ood.decisions.threshold import Threshold

    threshold = Threshold.load(path)
    str(threshold), threshold.is_novel(np.zeros(2))


def _registry(path: str) -> None:
    import torch

    from openshape_ood.registry.architectures import ARCHITECTURES
    from openshape_ood.registry.rows import PACKAGE, load_registry

    for row in load_registry(path).values():
        if row.architecture and row.folder != PACKAGE:
            with torch.device("meta"):
                ARCHITECTURES[row.architecture].build(row.sizes)


def _checkpoint(path: str) -> None:
    from openshape_ood.registry.rows import Keys
    from openshape_ood.registry.weights import read_content, temperature_of, tensors_of

    keys = Keys(inside="state_dict", prefix="module.", rename=((r"^proj\.", "head."),))
    content = read_content(Path(path), "made up", trusted=False)
    tensors_of(content, keys, "made up")
    temperature_of(content, keys)


def _list(path: str) -> None:
    from openshape_ood.embedding_store.jobs import ShapeList

    for _ in ShapeList(Path(path)):
        pass


DOORS: dict[str, Callable[[str], None]] = {
    "shape": _shape,
    "store": _store,
    "known": _known,
    "detector": _detector,
    "threshold": _threshold,
    "registry": _registry,
    "checkpoint": _checkpoint,
    "list": _list,
}


def reader(folder: str, doors: dict[str, str]) -> Work:
    """The task: from door and path to what reading took. folder: where a file may refer to; doors: sound files, by
    door, that are read first, so that what loads with them is no file's fault."""
    opened: list[str] = []
    for door, path in doors.items():
        DOORS[door](path)
    sys.addaudithook(lambda event, given: opened.append(_outside(event, given, folder)))

    def read(argument: list[str]) -> tuple[dict[str, Any], list[np.ndarray]]:
        door, path = argument
        opened.clear()
        before, began, error = memory(forget=True), time.process_time(), None
        try:
            DOORS[door](path)
        except BaseException as raised:  # also what is no Exception: whatever comes is told
            # memory that could not be had is told as that, whatever a reader makes of it; but for checkpoints, which
            # are tried out by a child that may run out of it
            wanting = isinstance(raised.__cause__, MemoryError) and door != "checkpoint"
            error = raised.__cause__ if wanting else raised
        took = time.process_time() - began
        found = {
            "seconds": took,
            "bytes": max(0, memory()["peak"] - before["resident"]),
            "opened": sorted({*opened} - {""}),
        }
        if error is not None:
            ours = isinstance(error, OpenShapeError)
            found |= {"error": type(error).__name__, "ours": ours, "said": str(error)[:300]}
        return found, []

    return read


def _outside(event: str, given: tuple[Any, ...], folder: str) -> str:
    """What was opened, or asked of another program, that lies outside the folder; "" for all else."""
    if event == "subprocess.Popen" and "openshape_ood.workers" in given[1]:
        return ""
    if event in TALK:
        return f"{event} {given!r:.200}"
    if event != "open" or isinstance(given[0], int):
        return ""
    try:
        path = os.path.abspath(os.fsdecode(given[0]))
    except (TypeError, ValueError):
        return ""
    return "" if path.startswith((folder, *HARMLESS, *filter(None, sys.path))) else path
