"""Stripped files: copies of downloaded checkpoints with only the encoder's tensors, which can be memory-mapped.

A checkpoint must be read as a whole to check its hash, but most of it is optimizer state: the network needs 129 of the
388 MB of vitg14. From the second start on, the stripped file is used. It is a safetensors file. Its metadata contains
its sha256, which is computed with zeros in this field. The sha256 is keyed (HMAC) with `own_key`. Therefore, other
users who can write to the cache cannot replace the weights. A file of another machine or user is not accepted, and is
made again from the download.
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
    """Tensors of an encoder under the network's names, and their origin.

    temperature: divisor of cosines with text in training, if the file has it. mapped: True if the tensors are views of
    the file. model: name of the network in the file, or "".
    """

    tensors: Mapping[str, Tensor]
    temperature: float | None
    path: Path
    mapped: bool = False
    model: str = ""


def stripped_path(row: Row) -> Path | None:
    """Path of a row's stripped file; None if the file cannot be stripped or there is no key."""
    source = row.source
    digest = known_sha256(row) if source.kind in ("hub", "https") else ""
    if not digest or not own_key() or (source.file or source.url).endswith(".safetensors"):
        return None
    return own_folder("encoders") / f"{digest}.{FORMAT}.safetensors"


def find(row: Row) -> Path | None:
    """Path of a row's stripped file if its header fits the row; its content is not checked."""
    path = stripped_path(row)
    return path if path and _metadata(path, row) else None


def is_sound(row: Row) -> bool:
    """True if a row has an intact stripped file."""
    return _mapped(row) is not None


def read(row: Row) -> Weights | None:
    """Memory-mapped weights from the stripped file; None if it is missing or damaged.

    Warns about a damaged file if the download it was made from is missing too.
    """
    weights, path = _mapped(row), stripped_path(row)
    if weights is None and path and path.is_file() and cached(row) is None:
        why = f"checkpoint {row.name!r}: the stripped file {path} is damaged, or from another machine or user"
        message = f"{why}. Expected an intact file. The checkpoint is downloaded again."
        warnings.warn(message, stacklevel=3)
    return weights


def keep(row: Row, weights: Weights) -> Path | None:
    """Write the stripped file and return its path; None if it is not needed or cannot be written."""
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
            # a single entry, because the order of several entries varies
            save_file(tensors, unfinished, {"about": json.dumps(_identity(row) | about)})
            header, digest = _hashed(unfinished, NO_DIGEST)
            with open(unfinished, "r+b") as file:
                file.write(header.replace(NO_DIGEST.encode(), digest.encode()))
    except (OSError, SafetensorError, RuntimeError):  # full disk or tensors that share memory, which is no error
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
    except (SafetensorError, OSError):  # file damaged or deleted meanwhile, or a file system without memory maps
        return None


def _identity(row: Row) -> dict[str, str]:
    """Metadata of a valid stripped file of `row`."""
    keys = json.dumps(asdict(row.keys))  # one file may hold several networks
    return {"stripped": str(FORMAT), "source_sha256": known_sha256(row), "keys": keys}


def _metadata(path: Path, row: Row) -> dict[str, str] | None:
    """Metadata of a stripped file; None if it does not belong to `row`."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads(file.metadata()["about"])
        return about if _identity(row).items() <= about.items() and len(bytes.fromhex(about["digest"])) == 32 else None
    # no file, no JSON, or missing entries
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _hashed(path: Path, digest: str) -> tuple[bytes, str]:
    """Header of a safetensors file, and the keyed sha256 of the file with zeros in place of `digest`."""
    with open(path, "rb") as file:
        size = file.read(8)
        header = size + file.read(int.from_bytes(size, "little"))
        digested = hmac.new(
            own_key() or secrets.token_bytes(), header.replace(digest.encode(), NO_DIGEST.encode()), "sha256"
        )
        while chunk := file.read(1 << 20):
            digested.update(chunk)
    return header, digested.hexdigest()
