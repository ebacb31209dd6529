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


def _scan(path: str) -> None:
    from openshape_ood.scenes import load_scene

    load_scene(path, spacing=0.5)


def _labels(path: str) -> None:
    from openshape_ood.scenes import load_labels, load_names

    if path.endswith(".json"):
        load_names(_linked(path, "scan.names.json"))
    else:
        load_labels(path)


def _map(path: str) -> None:
    from openshape_ood.cli.show import _read

    for color in ("novelty", "class", "rgb"):
        _read(Path(path), color)


def _picture(path: str) -> None:
    from openshape_ood.shapes.pictures import load_picture
    from openshape_ood.surfaces.images import image_tile

    load_picture(path)
    image_tile(path, 32, values=(0, 255))


def _view(path: str) -> None:
    """An archive, a published file, a camera (.json) or a color image; the others of the latter are sound ones."""
    from openshape_ood.views.files import load_view

    rgb, depth, camera = (Path(path).parent / name for name in ("rgb.png", "depth.png", "camera.json"))
    if path.endswith(".json"):
        found = load_view(rgb, depth=depth, camera=path)
    elif path.endswith(".png"):
        found = load_view(path, depth=depth, camera=camera)
    else:
        found = load_view(path)
    if found.seen.any():
        found.scene()


def _depth(path: str) -> None:
    from openshape_ood.views.files import load_view

    folder = Path(path).parent
    load_view(folder / "rgb.png", depth=path, camera=folder / "camera.json")


def _masks(path: str) -> None:
    from openshape_ood.views.affinities import Affinities

    Affinities.load_masks(path).novelty().novelty.sum()


def _affinities(path: str) -> None:
    from openshape_ood.views.affinities import Affinities

    found = Affinities.load(path)
    found.novelty().novelty.sum()
    found.rows()


def _surface(path: str) -> None:
    from openshape_ood.surfaces import SurfaceModel
    from openshape_ood.surfaces.model import SETTINGS

    SurfaceModel.load(_linked(path, SETTINGS).parent)


def _comparator(path: str) -> None:
    from openshape_ood.comparison.comparator import Comparator

    Comparator.load(path)


def _shards(path: str) -> None:
    """A folder of shards: the manifest (.json) or the one shard is this file, the other is sound."""
    from openshape_ood import embedding_store
    from openshape_ood.embedding_store.folder import read_manifest

    name = "manifest.json" if path.endswith(".json") else "embeddings/shard-0.parquet"
    _linked(str(Path(path).parent / "manifest.json"), "manifest.json")
    folder = _linked(str(Path(path).parent / "shard.parquet"), "embeddings/shard-0.parquet").parents[1]
    _linked(path, name)
    read_manifest(folder)
    embedding_store.read_header(folder)
    for _ in embedding_store.read_embeddings(folder):
        pass


def _h5(path: str) -> None:
    from benchmarks.threedos.data.h5 import H5Shape, index

    count, _ = index(Path(path), labels=15)
    if count:
        H5Shape("chair", "0", Path(path), 0).read()


def _linked(path: str, name: str) -> Path:
    """The file under a name in a folder of this process."""
    target = Path(path).parent / f"process-{os.getpid()}" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    os.link(path, target)
    return target


READERS: dict[str, Callable[[str], None]] = {
    "shape": _shape,
    "store": _store,
    "known": _known,
    "detector": _detector,
    "threshold": _threshold,
    "registry": _registry,
    "checkpoint": _checkpoint,
    "list": _list,
    "scan": _scan,
    "labels": _labels,
    "map": _map,
    "picture": _picture,
    "view": _view,
    "depth": _depth,
    "masks": _masks,
    "affinities": _affinities,
    "surface": _surface,
    "comparator": _comparator,
    "shards": _shards,
    "h5": _h5,
}


def reader(folder: str, readers: dict[str, str]) -> Work:
    """The task: from kind and path to what reading took. folder: where a file may refer to; readers: sound files, by
    kind, that are read first, so that what loads with them is no file's fault."""
    opened: list[str] = []
    for kind, path in readers.items():
        READERS[kind](path)
    sys.addaudithook(lambda event, given: opened.append(_outside(event, given, folder)))

    def read(argument: list[str]) -> tuple[dict[str, Any], list[np.ndarray]]:
        kind, path = argument
        opened.clear()
        before, began, error = memory(forget=True), time.process_time(), None
        try:
            READERS[kind](path)
        except BaseException as raised:  # also what is no Exception: whatever comes is told
            # memory that could not be had is told as that, whatever a reader makes of it; but for checkpoints, which
            # are tried out by a child that may run out of it
            wanting = isinstance(raised.__cause__, MemoryError) and kind != "checkpoint"
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
