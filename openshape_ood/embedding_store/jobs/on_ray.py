"""Ray engine. Each task embeds and writes one shard and then reports that it is complete.

If a worker dies, Ray repeats its task. The shard then has the same name, so it is stored once. If a shape kills its
worker, the shard is split repeatedly until the shape is found. It becomes a failure.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.checks import check_positive
from openshape_ood.embedding_store.folder import write_shard
from openshape_ood.embedding_store.jobs.settings import Item, Settings, Step, check_least
from openshape_ood.embedding_store.jobs.shards import embed_shards, load
from openshape_ood.embedding_store.schema import Failed, Header, Rows, text
from openshape_ood.errors import MissingPackageError, OpenShapeError

if TYPE_CHECKING:
    from openshape_ood import ShapeEncoder

SHARDS_A_WORKER = 4  # minimum number of shards per worker, so that all workers are busy until the end
LEAST_ROWS = 16  # minimum number of rows of a shard
PIECES = 32  # number of parts into which a shard is split after its workers died
RETRIES = 2  # number of times that Ray repeats a task whose worker died
HOPELESS = 4  # if this number of shards is lost before any success, the cause is not a single shape
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True)
class Cluster:
    """Ray cluster and resources of each worker.

    Attributes
    ----------
    address : str, optional
        Address of a cluster. "auto": the cluster that runs on this machine. None: start a cluster here.
    workers : int, optional
        Number of encoders. None: one per GPU, or without GPUs one for every `cpus` cores.
    cpus : float
        CPU cores of each worker.
    gpus : float, optional
        GPUs of each worker. None: 1 if the cluster has GPUs and the settings allow it, else 0.
    store_bytes : int
        Shared memory of a cluster that is started here.
    """

    address: str | None = None
    workers: int | None = None
    cpus: float = 1
    gpus: float | None = None
    store_bytes: int = 256 * 2**20

    def check(self) -> None:
        """Raise `InputError` for invalid values."""
        check_positive(self.cpus, "cpus")
        check_least(self, workers=1, gpus=0)


def run(
    items: Iterable[Item], count: int, settings: Settings, header: Header, out: Path, step: Step, cluster: Cluster
) -> None:
    """Embed `count` items and write their shards. Raises the error of a worker that cannot start."""
    cluster.check()
    out = Path(os.path.abspath(out))  # workers have different working folders
    with connected(cluster) as ray:
        cpus, gpus, workers = _share(ray, settings, cluster)
        fair = math.ceil(count / (workers * SHARDS_A_WORKER))
        device = settings.device
        if device is None or device.startswith("cuda"):
            device = "cuda" if gpus else "cpu"  # each worker sees only the device that Ray gave it
        settings = replace(settings, readers=1 if settings.readers is None else settings.readers, device=device)
        fresh = _chunks(items, min(settings.shard_rows, max(LEAST_ROWS, fair)))
        # max_calls 0: a worker keeps its encoder for further shards, also on a GPU
        task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=RETRIES, max_calls=0)(embed_shard)
        again: list[list[Item]] = []
        working: dict[Any, list[Item]] = {}
        written = died = 0
        while True:
            while len(working) < workers and (chunk := again.pop() if again else next(fresh, None)):
                working[task.remote(chunk, settings, header, out)] = chunk
            if not working:
                return
            (ready,), _ = ray.wait(list(working))
            chunk = working.pop(ready)
            try:
                step(len(chunk), ray.get(ready))
                written += 1
            except ray.exceptions.RayTaskError as error:
                raise OpenShapeError(
                    f"a worker stopped with {error.cause!r}. Expected a written shard. Correct the cause and run again."
                ) from error
            except ray.exceptions.RayError as error:  # the worker or its machine died, or memory ran out
                died += 1
                if not written and died >= HOPELESS:
                    raise OpenShapeError(
                        "every worker died before it wrote a shard. Expected at least one shard. Check the memory."
                    ) from error
                if len(chunk) > 1:
                    again += _chunks(chunk, math.ceil(len(chunk) / PIECES))
                else:
                    item, reason = chunk[0], "the worker that read it died several times; perhaps memory ran out"
                    failed = [Failed(item.id, text(item.path), reason, item.up or "", item.stamp)]
                    write_shard(out, Rows([], [], [], np.empty((0, header.dim), np.float32), failed), header)
                    step(1, 0)


@cache
def _loaded(settings: Settings, header: Header) -> tuple[ShapeEncoder, Header]:
    """Encoder and header, loaded once per worker. Ray needs a function at module level."""
    return load(settings, header)


def embed_shard(items: Sequence[Item], settings: Settings, header: Header, out: Path) -> int:
    """Task of a worker: embed and write one shard. Returns the process id."""
    encoder, header = _loaded(settings, header)
    item_axes = any(item.up is not None for item in items)
    for rows in embed_shards(encoder, items, replace(settings, shard_rows=len(items)), item_axes):
        write_shard(out, rows, header)
    return os.getpid()


def _chunks(items: Iterable[Item], rows: int) -> Iterator[list[Item]]:
    left = iter(items)
    while chunk := list(islice(left, rows)):
        yield chunk


@contextmanager
def connected(cluster: Cluster) -> Iterator[Any]:
    """The module ray, connected to a cluster. A cluster that is started here ends with the context."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise MissingPackageError(
            f"the engine ray is not available ({error}). Expected the package ray. "
            "Run pip install 'openshape-ood[ray]'."
        ) from error
    if ray.is_initialized():  # started by the caller, who also ends it
        yield ray
        return
    how: dict[str, Any] = {"address": cluster.address, "log_to_driver": False, "logging_level": logging.CRITICAL}
    folder = None
    if cluster.address is None:
        # a short path, because a socket path may have only about a hundred characters
        folder = tempfile.mkdtemp(prefix="openshape-ray-", dir="/tmp" if os.path.isdir("/tmp") else None)  # noqa: S108
        cores = None if cluster.workers is None else max(1, math.ceil(cluster.workers * cluster.cpus))
        how |= {"address": "local", "_temp_dir": folder, "num_cpus": cores, "include_dashboard": False}
        how["object_store_memory"] = cluster.store_bytes
    try:
        try:
            with _silent_stderr():
                ray.init(**how)
        except (ValueError, RuntimeError, OSError) as error:  # includes ConnectionError and TimeoutError
            reason = " ".join(str(error).split())[:300]
            raise OpenShapeError(
                f"cannot use Ray at {how['address']!r} ({reason}). Expected a running cluster. "
                "Leave --address out, or start a cluster first: ray start --head"
            ) from error
        yield ray
    finally:
        ray.shutdown()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Drop Ray's C++ messages on standard error. Errors are still raised as exceptions."""
    try:
        kept = os.dup(2)
    except OSError:  # closed
        yield
        return
    with open(os.devnull, "w") as nothing, open(kept, "w"):
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)


def _share(ray: Any, settings: Settings, cluster: Cluster) -> tuple[float, float, int]:
    """CPUs and GPUs of each worker, and number of workers."""
    there = ray.cluster_resources()
    cores, devices = there.get("CPU", 0), there.get("GPU", 0)
    wanted = settings.device is None or settings.device.startswith("cuda")
    gpus = cluster.gpus if cluster.gpus is not None else float(bool(devices and wanted))
    workers = cluster.workers
    if workers is None:
        workers = int(devices / gpus) if gpus else int(cores / cluster.cpus)
    # the number of machines of any other cluster may change
    fits = cluster.address is not None or (workers * cluster.cpus <= cores and workers * gpus <= devices)
    if not workers or not fits:
        request = f"{workers or 1} workers of {cluster.cpus:g} CPUs and {gpus:g} GPUs"
        raise OpenShapeError(
            f"{request} do not fit into the cluster, which has {cores:g} CPUs and {devices:g} GPUs. "
            "Expected fewer. Reduce the number of workers, CPUs or GPUs."
        )
    return cluster.cpus, gpus, workers
