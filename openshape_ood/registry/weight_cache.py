"""Stripped files: of a downloaded checkpoint, the tensors of the encoder alone, as a file that can be mapped.

A training checkpoint is read whole to check its hash, and most of it is the optimizer's: of the 388 MB of G14 the
network has 129. From the second start on, its stripped file stands in for it. Safetensors, with the sha256 of the whole
file, itself read as zeros, in its metadata: to check it takes no memory. The sha256 is keyed (HMAC) with `own_key`, so
that whoever may write to the cache cannot put other weights under the registered hash: a file of another machine or
user is made again from the download.
"""

from __future__ import annotations

import hmac
import json
import secrets
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from openshape_ood.registry.files import cached, known_sha256
from openshape_ood.registry.rows import Row
from openshape_ood.storage import own_folder, own_key, replacing

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 4
NO_DIGEST = "0" * 64


@dataclass(frozen=True)
class Weights:
    """The tensors of an encoder, keyed as its network has them; what cosines with text were divided by in training, if
    the file says so; that file; mapped: whether the tensors are views of it, which no one will write to; model: what
    the file calls its network, "" where it does not."""

    tensors: Mapping[str, Tensor]
    temperature: float | None
    path: Path
    mapped: bool = False
    model: str = ""


def stripped_path(row: Row) -> Path | None:
    """Where the stripped file of `row` is kept; None for rows that need none: there is nothing to strip, or no key."""
    source = row.source
    digest = known_sha256(row) if source.kind in ("hub", "https") else ""
    if not digest or not own_key() or (source.file or source.url).endswith(".safetensors"):
        return None
    return own_folder("encoders") / f"{digest}.{FORMAT}.safetensors"


def find(row: Row) -> Path | None:
    """The stripped file of `row`, if there is one that says it is; what it holds is not checked."""
    path = stripped_path(row)
    return path if path and _metadata(path, row) else None


def is_sound(row: Row) -> bool:
    """Whether there is a stripped file of `row`, every tensor as it was written."""
    return _mapped(row) is not None


def read(row: Row) -> Weights | None:
    """The weights of `row` from its stripped file, mapped; None, and a warning if the source is gone, where unsound."""
    weights, path = _mapped(row), stripped_path(row)
    if weights is None and path and path.is_file() and cached(row) is None:
        why = f"checkpoint {row.name!r}: the stripped file {path} is damaged or not one of this library"
        told = f"{why}, and the file it was made from is no longer in the cache; it is downloaded again"
        warnings.warn(told, stacklevel=3)
    return weights


def keep(row: Row, weights: Weights) -> Path | None:
    """Write the stripped file of `row`, and say where; None for rows that need none, and where the disk refuses."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path = stripped_path(row)
    if path is None or weights.mapped:
        return None
    tensors = {key: tensor.detach().contiguous() for key, tensor in weights.tensors.items()}
    about = {"checkpoint": row.name, "temperature": str(weights.temperature or ""), "digest": NO_DIGEST}
    about["model"] = weights.model
    try:
        with replacing(path) as unfinished:
            # one entry: the order of several differs from file to file
            save_file(tensors, unfinished, {"about": json.dumps(_identity(row) | about)})
            header, digest = _hashed(unfinished, NO_DIGEST)
            with open(unfinished, "r+b") as file:
                file.write(header.replace(NO_DIGEST.encode(), digest.encode()))
    except (OSError, SafetensorError, RuntimeError):  # a full disk, or tensors that share memory: the work goes on
        return None
    return path


def _mapped(row: Row) -> Weights | None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = stripped_path(row)
    about = _metadata(path, row) if path else None
    try:
        if not path or not about or not hmac.compare_digest(_hashed(path, about["digest"])[1], about["digest"]):
            return None
        temperature = about["temperature"]
        return Weights(load_file(path), float(temperature) if temperature else None, path, True, about.get("model", ""))
    except (SafetensorError, OSError):  # damaged, gone in between, or on a file system that maps no files
        return None


def _identity(row: Row) -> dict[str, str]:
    """What a stripped file must say of itself to stand in for the checkpoint of `row`."""
    keys = json.dumps(asdict(row.keys))  # one file may hold several networks
    return {"stripped": str(FORMAT), "source_sha256": known_sha256(row), "keys": keys}


def _metadata(path: Path, row: Row) -> dict[str, str] | None:
    """What a stripped file says of itself, None where it is not that of `row`."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads(file.metadata()["about"])
        return about if _identity(row).items() <= about.items() and len(bytes.fromhex(about["digest"])) == 32 else None
    # no file, no JSON, no such entries
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _hashed(path: Path, digest: str) -> tuple[bytes, str]:
    """The header of a file of safetensors, and the keyed sha256 of all that it holds, `digest` read as zeros."""
    with open(path, "rb") as file:
        size = file.read(8)
        header = size + file.read(int.from_bytes(size, "little"))
        found = hmac.new(
            own_key() or secrets.token_bytes(), header.replace(digest.encode(), NO_DIGEST.encode()), "sha256"
        )
        while chunk := file.read(1 << 20):
            found.update(chunk)
    return header, found.hexdigest()
