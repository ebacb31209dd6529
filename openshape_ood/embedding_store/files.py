"""Reading and writing of stored embeddings: .parquet, .npz, .safetensors, a folder of shards, or several of them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import check_count
from openshape_ood.embedding_store import arrays, parquet
from openshape_ood.embedding_store.schema import BATCH_ROWS, COLUMNS, KEY, Failed, Header, Rows
from openshape_ood.errors import FileError, InputError, MixedEncodersError
from openshape_ood.storage import check_regular, save_whole

Source = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

EMBEDDINGS, ERRORS = "embeddings", "errors"  # subfolders of a folder of shards
WRITERS: dict[str, Callable[[Rows, Header], bytes]] = {
    ".safetensors": arrays.to_safetensors,
    ".npz": arrays.to_npz,
    ".parquet": parquet.to_bytes,
}


def is_folder(path: str | os.PathLike[str]) -> bool:
    """True if the path is for a folder of shards, False if it is for one file."""
    path = Path(path).expanduser()
    return path.is_dir() or not path.suffix


def is_stored(path: str | os.PathLike[str]) -> bool:
    """True for stored embeddings: a folder with shards, or a file with one of their suffixes.

    Other .npz files exist, so a .npz file must also contain a header of embeddings.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return bool(shard_files(path, EMBEDDINGS))
    if path.suffix.lower() != ".npz":
        return path.suffix.lower() in WRITERS
    try:
        check_regular(path)
        with zipfile.ZipFile(path) as archive:
            return f"{KEY}.npy" in archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):  # reported by the reader
        return False


def check_out(path: str | os.PathLike[str]) -> Path:
    """Validated path of a file to write. Raises `InputError`, `FileError` or `MissingPackageError`."""
    given = Path(path).expanduser()
    if given.suffix.lower() not in WRITERS:
        raise InputError(
            f"out is {path}. Expected a name that ends in {', '.join(WRITERS)}, or a folder without an ending. "
            "Change the name."
        )
    if not given.parent.is_dir():
        raise FileError(
            f"out is {path}, but there is no folder {given.parent}. Expected an existing folder. Make it first."
        )
    if given.suffix.lower() == ".parquet":
        parquet.check_parquet()
    return given


def write_embeddings(path: str | os.PathLike[str], rows: Rows, header: Header) -> Path:
    """Write embeddings to one file atomically.

    Parameters
    ----------
    path : path
        Name that ends in .parquet, .npz or .safetensors. For .parquet (extra [parquet]), failures are rows with status
        "error"; else the header contains them.
    rows : Rows
        Embeddings (n, d) with ids, paths, axes and failures.
    header : Header
        Origin of the embeddings.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    InputError
        For another suffix, or if rows do not fit `header`.
    FileError, MissingPackageError
        If writing fails, or if .parquet needs pyarrow and it is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from openshape_ood.encoders.protocols import Identity, Provenance
    >>> header = Header(Provenance(Identity("mine", "my space", "ab" * 32)), dim=2)
    >>> rows = Rows(["chair/1"], ["chair/1.ply"], ["y"], np.eye(2)[:1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     batches = list(read_embeddings(write_embeddings(f"{folder}/x.npz", rows, header)))
    >>> batches[0]["id"], batches[0]["embedding"].tolist()
    (['chair/1'], [[1.0, 0.0]])
    """
    given = check_out(path)
    return save_whole(given, WRITERS[given.suffix.lower()](rows, header), "the embeddings")


def read_header(source: Source) -> Header:
    """Header of a source, as for `read_embeddings`. Raises `FileError` if there is none."""
    files = sources(source)
    missing = next((file for file in files if not file.exists()), None)
    if missing or not files:
        given = missing or (source if isinstance(source, str | os.PathLike) else "an empty list")
        raise FileError(
            f"there are no embeddings in {given}. Expected a file or folder that `openshape-ood embed --out` wrote. "
            "Check the path."
        )
    return _reader(files[0]).read_header(files[0])


def read_embeddings(
    source: Source, columns: Collection[str] = ("id", "path", "embedding"), batch_rows: int = BATCH_ROWS
) -> Iterator[dict[str, Any]]:
    """Yield stored embeddings in batches. At most two batches are in memory.

    Parameters
    ----------
    source : path or list of paths
        A file .parquet, .npz or .safetensors, a folder that `embed` wrote, or several of these.
    columns : collection of str
        Subset of "id", "path", "embedding", "up", "provenance" (JSON), "status", "error".
    batch_rows : int
        Number of rows in a batch.

    Yields
    ------
    dict
        One entry per column: "embedding" is (n, d) float32, the others are lists of n str. Failures are not included.

    Raises
    ------
    FileError
        If a file cannot be read or has other content.
    InputError
        For an unknown column. `MixedEncodersError`: the files belong to several encoders.
    """
    unknown = ", ".join(sorted(set(columns) - set(COLUMNS))) or ("" if columns else "none")
    if unknown:
        raise InputError(f"columns are {unknown}. Expected some of {', '.join(COLUMNS)}. Correct the names.")
    batch_rows = check_count(batch_rows, "batch_rows", 2**31, "rows held at once")
    files = sources(source)
    header = read_header(files or source)
    held: list[dict[str, Any]] = []
    count = 0
    for some in _parts(files, header, columns, batch_rows):
        held.append(some)
        count += len(next(iter(some.values())))
        if count >= batch_rows:
            whole = _joined(held) if len(held) > 1 else held[0]
            yield {name: column[:batch_rows] for name, column in whole.items()}
            held, count = [{name: column[batch_rows:] for name, column in whole.items()}], count - batch_rows
    if count:
        yield _joined(held) if len(held) > 1 else held[0]


def read_errors(source: Source) -> Iterator[Failed]:
    """Failures of a source, with reasons. `source` is as for `read_embeddings`."""
    for path in sources(source, ERRORS):
        yield from _reader(path).read_failed(path)


def sources(source: Source, kind: str = EMBEDDINGS) -> list[Path]:
    """Files of a source. For a folder, `kind` chooses the files: embeddings or errors."""
    given = [source] if isinstance(source, str | os.PathLike) else list(source)
    paths = [Path(one).expanduser() for one in given]
    return [file for path in paths for file in (shard_files(path, kind) if path.is_dir() else [path])]


def shard_files(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / kind).glob("shard-*.parquet"))


def _reader(path: Path) -> Any:
    if path.suffix.lower() not in WRITERS:
        raise FileError(
            f"{path} is not a file of embeddings. Expected a name that ends in {', '.join(WRITERS)}, or a folder. "
            "Check the path."
        )
    return parquet if path.suffix.lower() == ".parquet" else arrays


def _parts(files: list[Path], header: Header, columns: Collection[str], rows: int) -> Iterator[dict[str, Any]]:
    for path in files:
        part = _reader(path).read_header(path)
        if (part.identity.sha256, part.dim) != (header.identity.sha256, header.dim):
            raise MixedEncodersError(
                f"{path} is by {part.identity}, other files are by {header.identity}. Expected one encoder. "
                "Read the files separately."
            )
        for some in _reader(path).read_rows(path, part, columns, rows):
            if "embedding" in some and not np.isfinite(some["embedding"]).all():
                raise FileError(
                    f"{path} contains NaN or infinite embeddings. Expected finite numbers. Embed its shapes again."
                )
            yield some


def _joined(held: list[dict[str, Any]]) -> dict[str, Any]:
    columns = {name: [one[name] for one in held] for name in held[0]}
    return {n: np.concatenate(c) if n == "embedding" else list(chain.from_iterable(c)) for n, c in columns.items()}
