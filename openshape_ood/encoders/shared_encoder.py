"""File of an encoder. It contains the weights, and in the header all fields of a registry row."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from openshape_ood.errors import FileError, InputError, RegistryError
from openshape_ood.registry.architectures import ARCHITECTURES
from openshape_ood.registry.rows import NO_TEXT, Row, load_registry, read_row
from openshape_ood.registry.weights import fill
from openshape_ood.storage import loaded_arrays, save_arrays

KIND = "shape encoder"
SPELLED = ("architecture", "licence")


@dataclass(frozen=True)
class LoadedEncoder:
    """Row, network in float32 on the CPU, sha256 of the weights, and temperature of the training."""

    row: Row
    network: Any
    sha256: str
    temperature: float | None


def save_encoder(path: str | os.PathLike[str], row: Row, network: Any, sha256: str, temperature: float | None) -> Path:
    """Write the file. The text encoder is stored as the name of a registry row, or not at all if no row has it."""
    _check_sha256(sha256, InputError)
    header: dict[str, Any] = {"name": row.name, "sha256": sha256, "temperature": temperature, "text": _text_row(row)}
    header |= {field: getattr(row, field) for field in SPELLED}
    header |= {"sizes": asdict(row.sizes), "spec": asdict(row.spec)}
    with torch.device("meta"):  # only the names of the weights, without the constants that `prepare` adds
        names = ARCHITECTURES[row.architecture].build(row.sizes).state_dict()
    tensors = network.state_dict()
    arrays = {name: tensors[name].float().cpu().numpy() for name in names}
    return save_arrays(path, arrays, header, KIND)


def load_encoder(path: Path, registry: str | os.PathLike[str] | None = None) -> LoadedEncoder:
    """Read a file of `save_encoder`. Raises `FileError` for any other file. No code in the file is executed."""
    with loaded_arrays(path, KIND) as (header, arrays):
        row = _row(header, path.parent, registry)
        digest, temperature = str(header["sha256"]), header["temperature"]
        _check_sha256(digest, FileError)
        with torch.device("meta"):
            network = ARCHITECTURES[row.architecture].build(row.sizes).float()
        fill(network, {name: torch.from_numpy(array) for name, array in arrays.items()})
        return LoadedEncoder(row, network, digest, None if temperature is None else float(temperature))


def _row(header: Mapping[str, Any], folder: Path, registry: str | os.PathLike[str] | None) -> Row:
    """Registry row from a header, with every field checked. Its text encoder must be in the registry."""
    rows, text = load_registry(registry), header["text"]
    if text is not None and (text not in rows or not rows[text].text.kind):
        raise ValueError(f"its text encoder belongs to {text!r}; expected a checkpoint of the registry")
    table = {field: header[field] for field in (*SPELLED, "sizes", "spec")}
    table |= {"text": False, "source": {"file": "encoder.safetensors"}, "keys": {}}
    try:
        row = read_row(str(header["name"]), table, folder)
    except RegistryError as error:
        raise ValueError(str(error)) from error
    return row if text is None else replace(row, text=rows[text].text)


def _text_row(row: Row) -> str | None:
    """Name of a registered row with the text encoder of `row`."""
    same = [other.name for other in load_registry().values() if other.text == row.text]
    return same[0] if same and row.text.kind != NO_TEXT.kind else None


def _check_sha256(sha256: str, error: type[Exception]) -> None:
    """Raise `error` for an invalid hash, or for weights in the registry, because these are loaded by their name."""
    same = [row.name for row in load_registry().values() if sha256 and row.source.sha256 == sha256]
    if same:
        raise error(
            f"these are the weights of the registered checkpoint {same[0]!r}. Expected other weights. "
            f"Load {same[0]!r} by its name."
        )
    if len(sha256) != 64:
        raise error(
            f"sha256 is {sha256!r:.80}. Expected 64 digits, which identify the weights. Save the encoder again."
        )
