"""One run of an engine: what is there already is left out, the rest embedded, and every shape accounted for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from openshape_ood.embedding_store import (
    check_parquet,
    forget_errors,
    locked,
    open_folder,
    read_errors,
    settle,
    written,
)
from openshape_ood.embedding_store.jobs import local
from openshape_ood.embedding_store.jobs.cluster import Cluster
from openshape_ood.embedding_store.jobs.settings import Item, Settings, Step, Summary, absolute
from openshape_ood.embedding_store.schema import text
from openshape_ood.embedding_store.shards import ERRORS
from openshape_ood.errors import InputError, OpenShapeError, UnknownNameError

ENGINES = ("local", "ray")


def embed(
    items: Iterable[Item],
    out: str | os.PathLike[str],
    settings: Settings,
    *,
    engine: str = "local",
    cluster: Cluster | None = None,
    retry_failed: bool = False,
    step: Step | None = None,
) -> Summary:
    """Embeds shape files into the folder `out`: Parquet that `openshape_ood.embedding_store` reads.

    Ids that are there already are not embedded again, ids that failed before only with `retry_failed`. engine: "local",
    the encoder in this process, or "ray", one encoder for every worker of `cluster`. step: is told how many more
    shapes are done, and by the process of which id. A run that was killed leaves whole parts, and the next one goes on.

    Raises `InputError` for ids that are not unique, values that cannot be used and a folder of other settings,
    `MixedEncodersError` for a folder of another checkpoint, `FileError` for what cannot be written, and
    `MissingPackageError` without pyarrow, or without ray.

    >>> import tempfile, pathlib, numpy as np
    >>> from openshape_ood.synthetic import sample
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(pathlib.Path(folder) / "chair.npy", sample("chair", 500, seed=1))
    ...     shapes = [Item("chair.npy", f"{folder}/chair.npy"), Item("lamp.npy", f"{folder}/lamp.npy")]
    ...     done = embed(shapes, f"{folder}/embedded", Settings("tiny", readers=0))
    >>> done.rows, done.errors, done.failed[0].id
    (1, 1, 'lamp.npy')
    """
    if engine not in ENGINES:
        raise UnknownNameError(f"unknown engine {engine!r}; known: {', '.join(ENGINES)}")
    check_parquet()
    asked = _by_id(items)
    origin = settings.origin()
    folder = Path(out).expanduser()
    with locked(folder):
        open_folder(folder, origin, settings.preprocessing())
        todo = dict(asked)
        reused = _drop_written(todo, folder)
        skipped = 0
        if retry_failed:
            forget_errors(folder, todo)
        else:
            skipped = _drop_failed(todo, folder)
        work = list(todo.values())
        if work and engine == "local":
            local.run(work, settings, origin, folder, step or _ignore)
        elif work:
            from openshape_ood.embedding_store.jobs import on_ray

            on_ray.run(work, settings, origin, folder, step or _ignore, cluster or Cluster())
        counts = settle(folder)
        failed = [one for one in read_errors(folder) if one.id in todo]
        _drop_written(todo, folder)
        lost = todo.keys() - {one.id for one in failed}
    if lost:
        raise OpenShapeError(f"{len(lost)} shapes are neither embedded nor failed, as {min(lost)!r}; run it again")
    embedded = len(work) - len(failed)
    return Summary(str(folder), len(asked), reused, embedded, failed, skipped, counts.rows, counts.errors, origin)


def _by_id(items: Iterable[Item]) -> dict[str, Item]:
    asked: dict[str, Item] = {}
    for item in items:
        # absolute, for the run that goes on may be started elsewhere
        item = replace(item, id=text(item.id), path=absolute(item.path))
        first = asked.setdefault(item.id, item)
        if first != item:
            raise InputError(
                f"two shapes have the id {item.id!r}: {first.path} and {item.path}; expected each id once. Give one "
                "folder that holds both, or a list with a column id"
            )
    return asked


def _drop_written(todo: dict[str, Item], folder: Path) -> int:
    """Leaves out what is embedded already, and returns how many that were.

    Raises `InputError` where an id was another file's, whose embedding would be taken for this one's.
    """
    before = len(todo)
    for part in written(folder):
        for id, path in part:
            item = todo.pop(id, None)
            if item is not None and absolute(text(item.path)) != absolute(path):
                raise InputError(
                    f"{folder} holds {id!r} already, from {path}; asked for was {item.path}. Give another --out, or a "
                    "list with ids of its own"
                )
    return before - len(todo)


def _drop_failed(todo: dict[str, Item], folder: Path) -> int:
    before = len(todo)
    for part in written(folder, ERRORS):
        for id, path in part:
            if id in todo and absolute(text(todo[id].path)) == absolute(path):  # else another file's failure
                del todo[id]
    return before - len(todo)


def _ignore(count: int, process: int) -> None:
    pass
