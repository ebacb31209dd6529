"""What entry points cost: `python entry_costs.py DOOR FILE ...` prints, for each file, seconds, memory and outcome.

Seconds of CPU and peak memory above the process before. Each file is read in a fork of this process, which has imported
what readers need; no fork may take more than 6 GB.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

SECONDS, MEGABYTES, MOST = 10, 500, 6 * 2**30


def threshold(path: str) -> object:
    from openshape_ood.decisions.threshold import Threshold

    return Threshold.load(path)


def page(path: str) -> object:
    """As the page reads a threshold: what its own process takes, not its child."""
    from openshape_ood.app.shape_tab import read_calibration, read_shape
    from openshape_ood.app.uploads import NOBODY

    done = read_calibration([path], read_shape, NOBODY)
    try:
        while True:
            next(done)
    except StopIteration as stop:
        return stop.value


def shape_list(path: str) -> object:
    from openshape_ood.embedding_store.jobs import ShapeList

    return sum(1 for _ in ShapeList(Path(path)))


def store(path: str) -> object:
    from openshape_ood import embedding_store

    return sum(len(some["id"]) for some in embedding_store.read_embeddings(path))


def known_of_store(path: str) -> object:
    from openshape_ood import embedding_store

    return embedding_store.known_from(path)


def nearest_of_store(path: str) -> object:
    import numpy as np

    from openshape_ood import embedding_store

    return embedding_store.nearest(np.eye(4).repeat(50, axis=0), path, k=50)[1].shape


def checkpoint(path: str) -> object:
    from openshape_ood.registry.rows import Keys
    from openshape_ood.registry.weights import read_weights

    keys = Keys(merge=(("q*.weight", "k*.weight", "v*.weight", "qkv*.weight"),))
    return len(read_weights(Path(path), keys, "made up", trusted=True))


def localize(path: str) -> object:
    import numpy as np

    from openshape_ood.known import KnownClasses
    from openshape_ood.novelty_map import localize

    found = localize(np.random.RandomState(1).rand(10_000, 3), KnownClasses.load(path), model="tiny", device="cpu")
    return found.regions(), found.colors("class").shape


def detector(path: str) -> object:
    import numpy as np

    from openshape_ood.sklearn_api.detector import NoveltyDetector

    return NoveltyDetector.load(path).classify(np.ones((1000, 1)))


def show(path: str) -> object:
    from openshape_ood.cli.show import show as command

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        for name in ("a.html", "a.png"):
            command(Path(path), color="class", out=Path(folder, name), up="file")
    return "drawn"


def h5(path: str) -> object:
    from benchmarks.threedos.data.h5 import index

    return index(Path(path), labels=40)


def h5_row(path: str) -> object:
    from benchmarks.threedos.data.h5 import H5Shape, index

    index(Path(path))
    return H5Shape("chair", "a", Path(path), 0).read().shape


def registry(path: str) -> object:
    from openshape_ood.registry.rows import load_registry

    return len(load_registry(path))


DOORS: dict[str, Callable[[str], object]] = {
    "threshold": threshold,
    "page": page,
    "list": shape_list,
    "store": store,
    "known of store": known_of_store,
    "nearest of store": nearest_of_store,
    "checkpoint": checkpoint,
    "localize": localize,
    "detector": detector,
    "show": show,
    "h5": h5,
    "h5 row": h5_row,
    "registry": registry,
}


def cost(door: str, path: str, most: int = 3 * SECONDS) -> dict[str, object]:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        before = resource.getrusage(resource.RUSAGE_SELF)
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))
        resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST))
        said = outcome(door, path)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before.ru_maxrss
        os.write(write, json.dumps({"megabytes": grown / 1024, "outcome": said[:1000]}).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    _, status, usage = os.wait4(child, 0)
    killed = {"megabytes": usage.ru_maxrss / 1024, "outcome": f"killed by signal {os.WTERMSIG(status)}"}
    return {"seconds": usage.ru_utime + usage.ru_stime, **(json.loads(said) if said else killed)}


def outcome(door: str, path: str) -> str:
    from openshape_ood.errors import OpenShapeError

    try:
        return f"read: {DOORS[door](path)}"
    except OpenShapeError as error:
        return f"refused: {type(error).__name__}: {error}"
    except Exception as error:
        return f"raw: {type(error).__name__}: {error}"


if __name__ == "__main__":
    import h5py  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import plotly.graph_objects  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import torch

    from openshape_ood import ShapeEncoder

    torch.set_num_threads(1)
    ShapeEncoder.from_pretrained("tiny", device="cpu")
    given = sys.argv[1:]
    print(json.dumps({path: cost(door, path) for door, path in zip(given[::2], given[1::2], strict=True)}))
