"""One resumable run. It embeds the missing shapes; afterwards every shape is either embedded or a failure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import compress, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from openshape_ood.checks import check_choice
from openshape_ood.embedding_store import folder as store
from openshape_ood.embedding_store.files import ERRORS, check_out, is_folder, read_errors, write_embeddings
from openshape_ood.embedding_store.folder import key, keys, place, stamp_of, texts_of, write_shard, written
from openshape_ood.embedding_store.jobs import on_ray
from openshape_ood.embedding_store.jobs.settings import Item, Settings, Share, Step, Summary
from openshape_ood.embedding_store.jobs.shards import embed_shards, load
from openshape_ood.embedding_store.parquet import check_parquet
from openshape_ood.embedding_store.schema import Header, Rows, text
from openshape_ood.errors import InputError, OpenShapeError

ENGINES = ("local", "ray")
SHARD_SECONDS = 60  # maximum time per shard; a killed run loses at most this work


def embed(
    items: Iterable[Item],
    out: str | os.PathLike[str],
    settings: Settings,
    *,
    engine: str = "local",
    cluster: on_ray.Cluster | None = None,
    shard: Share | None = None,
    retry_failed: bool = False,
    step: Step | None = None,
) -> Summary:
    """Embed shape files into a folder of shards, or into one file.

    With a folder (extra [parquet]), a run is resumable: existing ids are not embedded again, and failed ids only with
    `retry_failed`. If the size or modification time of a file has changed, the file is embedded again. Changes of files
    that it refers to, such as textures, are not detected. Memory: 48 bytes for each id and path.

    Parameters
    ----------
    items : iterable of Item
        Shapes to embed: a list, a `ShapeList` or another object that can be iterated twice. An iterator is copied to a
        list.
    out : path
        A folder, or a file that ends in .parquet, .npz or .safetensors.
    settings : Settings
        Encoder and preprocessing.
    engine, cluster
        "local" runs the encoder in this process. "ray" runs one encoder in each worker of `cluster`; it needs a folder.
    shard : Share, optional
        Embed only this share of the items, as one of several independent processes. Any number of processes may write
        to the folder at once. Repeating a share gives the same files.
    retry_failed : bool
        Embed failures of earlier runs again.
    step : callable, optional
        Called with the number of newly finished shapes and the id of their process.

    Returns
    -------
    Summary

    Raises
    ------
    InputError
        For duplicate ids, or if the folder has other settings. `MixedEncodersError`: it has another checkpoint.
    FileError, MissingPackageError
        If writing fails, or if pyarrow or ray is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from openshape_ood.synthetic import sample
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/chair.npy", sample("chair", 500, seed=1))
    ...     shapes = [Item("chair.npy", f"{folder}/chair.npy"), Item("lamp.npy", f"{folder}/lamp.npy")]
    ...     done = embed(shapes, f"{folder}/embedded", Settings("tiny", readers=0))
    >>> done.rows, done.errors, done.failed[0].id
    (1, 1, 'lamp.npy')
    """
    check_choice(engine, "engine", ENGINES)
    items = list(items) if isinstance(items, Iterator) else items
    step = step or (lambda count, process: None)
    if not is_folder(out):
        if engine != "local" or shard or retry_failed:
            raise InputError(
                f"out is {out}, a file. Engines, shards and retries need a folder. Give a folder, as in --out "
                "embedded/."
            )
        return _into_file(items, check_out(out), settings, step)
    check_parquet()
    header, folder = settings.header(), Path(out).expanduser()
    with store.locked(folder, shared=shard is not None):
        store.open_folder(folder, header)
        plan = _plan(items, folder, shard, retry_failed)
        todo = plan.places[plan.todo]
        if len(todo):
            work = compress(_normal(items, shard), plan.todo)
            if engine == "local":
                _run(work, plan.item_axes, settings, header, folder, step, shard is None)
            else:
                on_ray.run(work, len(todo), settings, header, folder, step, cluster or on_ray.Cluster())
        counts = None if shard else store.settle(folder)
        there = np.isin(todo, keys(place(*one) for one in written(folder)))
        left = set(todo[~there].tolist())  # failures
        tried = {place(one.id, one.path, one.stamp): one for one in read_errors(folder)} if left else {}
        failed = [one for word, one in tried.items() if key(word).rstrip(b"\0") in left]
    if len(failed) != len(left):
        raise OpenShapeError(
            f"{len(left) - len(failed)} shapes are missing. Expected an embedding or a failure for every shape. "
            "Run the command again."
        )
    embedded, errors = int(there.sum()), plan.skipped + len(failed)
    rows = (counts.rows, counts.errors) if counts else (plan.reused + embedded, errors)
    return Summary(str(folder), plan.given, plan.reused, embedded, failed, plan.skipped, *rows, header, plan.changed)


class _Plan(NamedTuple):
    """Plan of a run for its n items.

    `places` (n,) are the keys of the items, and `todo` (n,) is the mask of items to embed. `item_axes` is True if an
    item has an axis. `given`, `reused`, `skipped` and `changed` are as in `Summary`.
    """

    places: np.ndarray
    todo: np.ndarray
    item_axes: bool
    given: int
    reused: int
    skipped: int
    changed: int


def _plan(items: Iterable[Item], folder: Path, share: Share | None, retry: bool) -> _Plan:
    """Plan of a run. Raises `InputError` for two files with one id."""
    axes = False

    def words() -> Iterator[str]:
        nonlocal axes
        for item in _normal(items, share):
            axes = axes or item.up is not None
            yield from texts_of(item.id, text(item.path), item.stamp)

    ids, wanted, files = keys(words()).reshape(-1, 3).T
    todo = np.zeros(len(ids), dtype=bool)
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    todo[first] = True
    for i in np.flatnonzero(files[first[inverse]] != files)[:1]:
        one, other = (next(islice(_normal(items, share), k, None)) for k in (first[inverse[i]], i))
        raise InputError(
            f"two shapes have the id {one.id!r}: {one.path} and {other.path}. Expected different ids. "
            "Give one folder that contains both, or a list with a column id."
        )
    there = keys(word for row in written(folder) for word in texts_of(*row)).reshape(-1, 3).T
    done = todo & np.isin(wanted, there[1])
    changed = todo & ~done & np.isin(files, there[2])
    for i in np.flatnonzero(todo & ~done & ~changed & np.isin(ids, there[0]))[:1]:
        item = next(islice(_normal(items, share), i, None))
        path = next(path for id, path, _ in written(folder) if id == item.id)
        raise InputError(
            f"{folder} has the id {item.id!r} from {path}, now it is for {item.path}. Expected one file per id. "
            "Give another --out, or a list with other ids."
        )
    todo &= ~done
    if retry and share is None:  # not with shares, because other processes may still write errors
        store.forget_errors(folder, wanted[todo])
    # ignore errors of another file with the same id
    tried = todo & (not retry) & np.isin(wanted, keys(place(*one) for one in written(folder, ERRORS)))
    todo &= ~tried
    return _Plan(wanted, todo, axes, len(first), *(int(one.sum()) for one in (done, tried, changed & todo)))


def _normal(items: Iterable[Item], share: Share | None) -> Iterator[Item]:
    """Items of a share. Their paths are absolute, because a resumed run may start in another folder."""
    for item in items:
        id = text(item.id)
        if share is None or int.from_bytes(key(id)) % share.count == share.index:
            path = os.path.abspath(os.path.expanduser(item.path) if item.path.startswith("~") else item.path)
            yield Item(id, path, item.up, stamp_of(path))


def _run(
    work: Iterable[Item], axes: bool, settings: Settings, header: Header, out: Path, step: Step, whole: bool
) -> None:
    """Engine for one machine. It runs the encoder in this process."""
    encoder, header = load(settings, header)
    for rows in embed_shards(encoder, work, settings, axes, step, SHARD_SECONDS if whole else None):
        write_shard(out, rows, header)


def _into_file(items: Iterable[Item], out: Path, settings: Settings, step: Step) -> Summary:
    plan = _plan(items, out, None, retry=False)
    encoder, header = load(settings, settings.header())
    work = compress(_normal(items, None), plan.todo)
    shards = list(embed_shards(encoder, work, settings, plan.item_axes, step))
    embeddings = np.concatenate([rows.embeddings for rows in shards]) if shards else np.empty((0, header.dim))
    names = ("ids", "paths", "ups", "failed", "stamps")
    ids, paths, ups, failed, stamps = ([one for rows in shards for one in getattr(rows, name)] for name in names)
    if ids:
        write_embeddings(out, Rows(ids, paths, ups, embeddings, failed, stamps), header)
    return Summary(str(out), plan.given, 0, len(ids), failed, 0, len(ids), len(failed), header)
