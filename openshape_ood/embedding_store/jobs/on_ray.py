"""Ray Data: parts go to workers of a cluster, each with its encoder, which write them themselves.

What comes back to this process is only that a part is written. A part whose worker dies is done again by another; as
it has the same name, it is there once. A shape that kills whoever reads it is found by giving what is missing out
again, in ever smaller parts, and becomes an error.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from openshape_ood.embedding_store import Origin, part_name, write_part, written
from openshape_ood.embedding_store.jobs.cluster import Cluster
from openshape_ood.embedding_store.jobs.settings import Item, Settings, Step, absolute
from openshape_ood.embedding_store.jobs.work import embed_parts, failed_part
from openshape_ood.embedding_store.shards import ERRORS
from openshape_ood.errors import MissingPackageError, OpenShapeError

PARTS_A_WORKER = 4  # at least, where there are shapes enough, so that all are busy to the end
LEAST_ROWS = 16  # of a part that is made smaller for it
AGAIN = (32, 1)  # rows of a part when what is missing is given out again
HOPELESS = 4  # parts none of which was written: no single shape's fault
ATTEMPTS = 3  # at a part whose workers die
TRIED = ".tried"
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
}


def run(items: Sequence[Item], settings: Settings, origin: Origin, out: Path, step: Step, cluster: Cluster) -> None:
    """Embeds the items and writes their parts.

    Raises `MissingPackageError` without ray, `OpenShapeError` where the cluster cannot be reached or no worker can
    begin, with the reason that a worker gave.
    """
    cluster.check()
    settings = replace(settings, readers=settings.readers or 0)
    out = Path(absolute(str(out)))  # workers have working folders of their own
    with _no_attempts(out), connected(cluster) as ray:
        cpus, gpus, workers = _share(ray, settings, cluster)
        missing = [replace(item, path=absolute(item.path)) for item in items]
        for most in (_part_rows(len(items), settings, workers), *AGAIN):
            chunks = [missing[i : i + most] for i in range(0, len(missing), most)]
            _map(ray, chunks, settings, origin, out, step, min(workers, len(chunks)), cpus, gpus)
            left = _missing(missing, out)
            if len(left) == len(items) and len(chunks) >= HOPELESS:
                raise OpenShapeError("every worker ended before it had written anything; is there memory enough?")
            if not left:
                return
            missing = left
    _give_up(missing, settings, origin, out)


@contextmanager
def _no_attempts(out: Path) -> Iterator[None]:
    shutil.rmtree(out / TRIED, ignore_errors=True)
    try:
        yield
    finally:
        shutil.rmtree(out / TRIED, ignore_errors=True)


@contextmanager
def connected(cluster: Cluster) -> Iterator[Any]:
    """The module ray, connected: to a cluster, or to one on this machine that ends with the context.

    Raises `MissingPackageError`, `OpenShapeError`.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingPackageError(
            f"the engine ray needs Ray Data: pip install 'openshape-ood[ray]' ({error})"
        ) from error
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    if ray.is_initialized():  # by the caller, whose it stays
        yield ray
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    folder = None
    try:
        if cluster.address is None:
            # a short path, for that of a socket may have some hundred characters only
            folder = tempfile.mkdtemp(prefix="openshape-ray-", dir="/tmp" if os.path.isdir("/tmp") else None)  # noqa: S108
            cores = None if cluster.workers is None else max(1, math.ceil(cluster.workers * cluster.cpus))
            more = {"num_cpus": cores, "object_store_memory": cluster.store_bytes, "include_dashboard": False}
            _begin(ray, address="local", _temp_dir=folder, **more, **quiet)
        else:
            _begin(ray, address=cluster.address, **quiet)
        yield ray
    finally:
        ray.shutdown()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


class Worker:
    """What runs on a worker: it loads the encoder with its first part, and keeps it."""

    def __init__(self, settings: dict[str, Any], origin: dict[str, Any], out: str) -> None:
        self.settings, self.origin, self.out = Settings(**settings), Origin(**origin), Path(out)
        self.encoder: Any = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """A batch of one row, a part; how many shapes are done by which process, or what makes going on senseless."""
        items = [Item(*fields) for fields in json.loads(batch["items"][0])]
        try:
            with _attempt(self.out, items) as may:
                if may:
                    self._embed(items)
        except Exception as error:  # told to the driver: an exception here would be tried again and again
            return {"count": [0], "process": [os.getpid()], "trouble": [f"{type(error).__name__}: {error}"]}
        return {"count": [len(items) if may else 0], "process": [os.getpid()], "trouble": [""]}

    def _embed(self, items: Sequence[Item]) -> None:
        if self.encoder is None:
            self.encoder = self.settings.load()
        whole = replace(self.settings, part_rows=len(items))
        for _ in embed_parts(self.encoder, items, whole, self.origin, self.out, _nothing):
            pass


@contextmanager
def _attempt(out: Path, items: Sequence[Item]) -> Iterator[bool]:
    """Whether to try a part: not where as many workers as `ATTEMPTS` have died of it, for Ray would go on for ever.

    A file beside the table has a byte for each attempt that has not come to its end.
    """
    path = out / TRIED / part_name([item.id for item in items])
    path.parent.mkdir(exist_ok=True)
    with path.open("ab") as file:
        file.write(b".")
    yield path.stat().st_size <= ATTEMPTS
    path.unlink(missing_ok=True)


def _begin(ray: Any, **settings: Any) -> None:
    try:
        with _silent_stderr():
            ray.init(**settings)
    except (ConnectionError, ValueError, RuntimeError, OSError, TimeoutError) as error:
        reason = " ".join(str(error).split())[:300]
        where = settings["address"]
        raise OpenShapeError(
            f"cannot use Ray at {where!r}: {reason}. Leave --address out to start one here, or start one first: "
            "ray start --head"
        ) from error


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Ray's C++ side tells on the standard error that it was told to be quiet; what is wrong is raised."""
    try:
        kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # closed
        yield
        return
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _share(ray: Any, settings: Settings, cluster: Cluster) -> tuple[float, float, int]:
    """CPUs and GPUs of each worker, and how many workers."""
    there = ray.cluster_resources()
    cores, devices = there.get("CPU", 0), there.get("GPU", 0)
    wanted = settings.device is None or settings.device.startswith("cuda")
    gpus = cluster.gpus if cluster.gpus is not None else float(bool(devices and wanted))
    workers = cluster.workers
    if workers is None:
        workers = int(devices / gpus) if gpus else int(cores / cluster.cpus)
    # a cluster elsewhere may grow, and lose and regain machines
    fits = cluster.address is not None or (workers * cluster.cpus <= cores and workers * gpus <= devices)
    if not workers or not fits:
        raise OpenShapeError(
            f"{workers or 1} workers of {cluster.cpus:g} CPUs and {gpus:g} GPUs do not fit into the cluster, which has "
            f"{cores:g} CPUs and {devices:g} GPUs"
        )
    return cluster.cpus, gpus, workers


def _part_rows(count: int, settings: Settings, workers: int) -> int:
    fair = math.ceil(count / (workers * PARTS_A_WORKER))
    return min(settings.part_rows, max(LEAST_ROWS, fair))


def _map(
    ray: Any,
    chunks: Sequence[Sequence[Item]],
    settings: Settings,
    origin: Origin,
    out: Path,
    step: Step,
    workers: int,
    cpus: float,
    gpus: float,
) -> None:
    """Has all parts written, but for those whose workers die again and again."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # what is missing is given out again
    if settings.device is None or settings.device.startswith("cuda"):
        settings = replace(settings, device="cuda" if gpus else "cpu")  # Ray lets a worker see its own device only
    rows = [{"items": json.dumps([(item.id, item.path, item.up) for item in chunk])} for chunk in chunks]
    parts = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        Worker,
        fn_constructor_args=(asdict(settings), asdict(origin), str(out)),
        batch_size=1,
        concurrency=workers,
        num_cpus=cpus,
        num_gpus=gpus,
    )
    for done in parts.iter_rows():
        if done["trouble"]:
            raise OpenShapeError(f"a worker cannot go on: {done['trouble']}")
        step(int(done["count"]), int(done["process"]))


def _missing(items: Sequence[Item], out: Path) -> list[Item]:
    left = {item.id: item for item in items}
    for part in (*written(out), *written(out, ERRORS)):
        for id, _ in part:
            left.pop(id, None)
    return list(left.values())


def _give_up(items: Sequence[Item], settings: Settings, origin: Origin, out: Path) -> None:
    reason = "the worker that read it ended, again and again; perhaps memory ran out"
    write_part(out, failed_part(items, reason, settings, origin), origin)


def _nothing(count: int) -> None:
    pass
