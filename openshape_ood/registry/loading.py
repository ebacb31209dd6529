"""From a row to its network with the right weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import torch

from openshape_ood.checks import given_path
from openshape_ood.errors import WeightsError
from openshape_ood.registry import stripped
from openshape_ood.registry.architectures import ARCHITECTURES
from openshape_ood.registry.files import fetch, known_sha256, sha256
from openshape_ood.registry.rows import Row
from openshape_ood.registry.weights import load_strictly, read_temperature, read_weights


class Loaded(NamedTuple):
    """A network in float32 on the CPU, the sha256 of the file, and the temperature of its training where it says so."""

    network: Any
    sha256: str
    temperature: float | None


def load_network(row: Row, checkpoint: str | os.PathLike[str] | None = None) -> Loaded:
    """The network of a row, built by its architecture and loaded strictly.

    Parameters
    ----------
    row : Row
        A row of the registry with an architecture.
    checkpoint : path, optional
        A file to load in place of the registered one.

    Raises
    ------
    InputError, CheckpointError
        What is no path, and what keeps the file from being had or used.
    """
    weights = stripped.read(row) if checkpoint is None else None
    if weights is None:
        path = fetch(row) if checkpoint is None else _given_file(checkpoint, row.name)
        tensors, temperature = read_weights(path, row.keys, row.name), read_temperature(path, row.keys, row.name)
        weights = stripped.Weights(tensors, temperature, path)
    with torch.device("meta"):  # shapes alone: random weights would take longer than the right ones
        network = ARCHITECTURES[row.architecture].build(row.sizes).float()  # whatever the default type
    load_strictly(network, weights.tensors, weights.path, row.name, weights.mapped)
    if checkpoint is None:
        stripped.keep(row, weights)
    digest = known_sha256(row) if checkpoint is None else ""
    return Loaded(network, digest or sha256(weights.path), weights.temperature)


def _given_file(checkpoint: str | os.PathLike[str], name: str) -> Path:
    path = given_path(checkpoint, "checkpoint")
    if not path.is_file():
        raise WeightsError(f"{name}: no checkpoint file at {path}")
    return path
