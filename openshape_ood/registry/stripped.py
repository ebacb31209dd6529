"""Stripped files: of a checkpoint on the Hub, the tensors of the encoder alone, as a file that can be mapped.

A training checkpoint is read whole to check its hash, and most of it is the optimizer's: of the 388 MB of G14 the
network has 129. From the second start on, its stripped file stands in for it. Safetensors, with the digest of all that
it holds in its metadata.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from openshape_ood.registry.hub import cached
from openshape_ood.registry.rows import Checkpoint, source_kind
from openshape_ood.storage import own_folder, replacing

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
CODES = {"torch.float32": "F32", "torch.int64": "I64"}  # all that networks of this library hold
ALIGNMENT = 64  # bytes, as torch aligns what it allocates: the same products by the same instructions
HEADER_BYTES = 1 << 20  # no header of ours is longer
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Weights:
    """The tensors of an encoder, keyed as its network has them; what cosines with text were divided by in training, if
    the file says so; that file; mapped: whether the tensors are views of it, which no one will write to."""

    tensors: Mapping[str, Tensor]
    temperature: float | None
    path: Path
    mapped: bool = False


def stripped_path(row: Checkpoint) -> Path | None:
    """Where the stripped file of `row` is kept; None for rows that need none: there is nothing to strip."""
    if source_kind(row) != "hub" or row.source.file.endswith(".safetensors"):
        return None
    return own_folder("encoders") / f"{row.source.sha256}.{FORMAT}.safetensors"


def find(row: Checkpoint) -> Path | None:
    """The stripped file of `row`, if there is one that says it is; what it holds is not checked."""
    path = stripped_path(row)
    return path if path and _metadata(path, row, check=False) else None


def is_sound(row: Checkpoint) -> bool:
    """Whether there is a stripped file of `row`, every byte as it was written."""
    path = stripped_path(row)
    return path is not None and _metadata(path, row, check=True) is not None


def read(row: Checkpoint) -> Weights | None:
    """The weights of `row` from its stripped file, mapped; None where there is none that is sound.

    Warns of one that is not if the checkpoint it was made from is gone, too.
    """
    path = stripped_path(row)
    if path is None or not path.is_file():
        return None
    weights = _mapped(path, row)
    if weights is None and cached(row) is None:
        warnings.warn(
            f"checkpoint {row.name!r}: the stripped file {path} is damaged or not one of this library, and the file "
            "it was made from is no longer in the cache; it is downloaded again",
            stacklevel=3,
        )
    return weights


def keep(row: Checkpoint, weights: Weights) -> Path | None:
    """Write the stripped file of `row`, and say where it is; None for rows that need none, and where the disk refuses.

    weights: as read from the checkpoint of `row` with the registered hash.
    """
    path = stripped_path(row)
    tensors = weights.tensors
    if path is None or weights.mapped or any(str(tensor.dtype) not in CODES for tensor in tensors.values()):
        return None
    about = {**_identity(row), "checkpoint": row.name, "temperature": str(weights.temperature or "")}
    try:
        with replacing(path) as unfinished, open(unfinished, "wb") as file:
            _write(file, tensors, about)
    except OSError:  # a cache that cannot be written must not stop the work
        return None
    return path


def _mapped(path: Path, row: Checkpoint) -> Weights | None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    metadata = _metadata(path, row, check=True)
    if metadata is None:
        return None
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError):  # gone in between, or on a file system that maps no files
        return None
    temperature = metadata["temperature"]
    return Weights(tensors, float(temperature) if temperature else None, path, mapped=True)


def _identity(row: Checkpoint) -> dict[str, str]:
    """What a stripped file must say of itself to stand in for the checkpoint of `row`."""
    keys = json.dumps(asdict(row.keys))  # one file may hold several networks
    return {"stripped": str(FORMAT), "source_sha256": row.source.sha256, "keys": keys}


def _metadata(path: Path, row: Checkpoint, check: bool) -> dict[str, str] | None:
    """What a stripped file says of itself, None where it is not that of `row` or, on `check`, not as it was written."""
    try:
        with open(path, "rb") as file:
            header = _read_header(file)
            metadata = header["__metadata__"]
            if not _identity(row).items() <= metadata.items():
                return None
            if check and metadata["sha256"] != _digest(header, iter(partial(file.read, CHUNK_BYTES), b"")):
                return None
            return metadata
    except (OSError, ValueError, KeyError, AttributeError, RecursionError):  # no file, no JSON, no such entries
        return None


def _read_header(file: BinaryIO) -> dict[str, Any]:
    size = int.from_bytes(file.read(8), "little")
    if size > HEADER_BYTES:
        raise ValueError
    header = json.loads(file.read(size))
    if not isinstance(header, dict):
        raise ValueError
    return header


def _write(file: BinaryIO, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    # by hand, as the library's own writer leaves tensors unaligned, and a digest cannot be put in afterwards
    keys = sorted(tensors, key=lambda key: (CODES[str(tensors[key].dtype)] != "F32", key))  # odd sizes last
    header = _layout(keys, tensors, about)
    header["__metadata__"]["sha256"] = _digest(header, _data(keys, tensors))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    file.write(len(text).to_bytes(8, "little") + text)
    for data in _data(keys, tensors):
        file.write(data)


def _layout(keys: Iterable[str], tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> dict[str, Any]:
    """The header of a safetensors file with these tensors, in the order of `keys`."""
    header: dict[str, Any] = {"__metadata__": dict(about)}
    begin = 0
    for key in keys:
        tensor = tensors[key]
        end = begin + tensor.numel() * tensor.element_size()
        header[key] = {
            "dtype": CODES[str(tensor.dtype)],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
        begin = end
    return header


def _data(keys: Iterable[str], tensors: Mapping[str, Tensor]) -> Iterator[memoryview]:
    for key in keys:
        yield tensors[key].detach().contiguous().reshape(-1).numpy().data


def _digest(header: Mapping[str, Any], data: Iterable[bytes | memoryview]) -> str:
    """sha256 of all that a file holds but this digest: what the header says, then the bytes of the tensors."""
    about = {key: value for key, value in header["__metadata__"].items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps({**header, "__metadata__": about}, sort_keys=True).encode())
    for part in data:
        digest.update(part)
    return digest.hexdigest()
