"""Loading of networks: every key and shape of a file must match, and no code of the file is run."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from openshape_ood.checks import given_path
from openshape_ood.errors import WeightsError
from openshape_ood.registry import weight_cache
from openshape_ood.registry.architectures import ARCHITECTURES
from openshape_ood.registry.files import fetch, known_sha256, open_safetensors, sha256
from openshape_ood.registry.rows import Keys, Row, load_registry
from openshape_ood.registry.torch_files import read_torch

LONGEST_KEY = 256  # characters. The maximum limits the time of the search for patterns
MERGED = 64 * 2**20  # bytes by which merged tensors may exceed the tensors of the file


def load_network(row: Row, checkpoint: str | os.PathLike[str] | None = None) -> tuple[Any, str, float | None]:
    """Network of a row (float32, CPU), sha256 of its file, and training temperature if known.

    checkpoint: a file that replaces the registered one. Raises `InputError` for an invalid path, and `CheckpointError`
    if the file cannot be fetched or used.
    """
    if row.unconfirmed:
        what = f"checkpoint {row.name!r} is not confirmed: {row.unconfirmed}"
        warnings.warn(f"{what}. Expected a verified row. Check it before you rely on it.", stacklevel=3)
    stripped = checkpoint is None and weight_cache.stripped_path(row) is not None
    weights = weight_cache.read(row) if stripped else None
    if weights is None:
        path = fetch(row) if checkpoint is None else given_path(checkpoint, "checkpoint")
        if not path.is_file():
            raise WeightsError(f"{row.name}: there is no file {path}. Expected a checkpoint. Check the path.")
        weights = read_file(path, row, trusted=checkpoint is None and bool(row.source.sha256))
    with torch.device("meta"):  # shapes only, because random initialization would take longer than loading
        network = ARCHITECTURES[row.architecture].build(_sizes(row, weights)).float()  # float32 for any default dtype
    load_strictly(network, weights.tensors, weights.path, row.name, weights.mapped, lambda: _fitting(row, weights))
    if stripped:
        weight_cache.keep(row, weights)
    digest = known_sha256(row) if checkpoint is None else ""
    return network, digest or sha256(weights.path), weights.temperature


def read_file(path: Path, row: Row, trusted: bool) -> weight_cache.Weights:
    """Weights in a row's file. Raises the errors of `read_weights`."""
    content = read_content(path, row.name, trusted)
    tensors = tensors_of(content, row.keys, f"{row.name}: {path}")
    if path.suffix == ".safetensors":  # this format holds tensors only
        return weight_cache.Weights(tensors, None, path)
    model = _model(content) if hasattr(row.sizes, "of_file") else ""
    return weight_cache.Weights(tensors, temperature_of(content, row.keys), path, model=model)


def _sizes(row: Row, weights: weight_cache.Weights) -> Any:
    """Sizes of the row, adjusted to this file."""
    of_file = getattr(row.sizes, "of_file", None)
    return of_file(weights.tensors.keys(), weights.model) if of_file else row.sizes


def _fitting(row: Row, weights: weight_cache.Weights) -> list[str]:
    """Names of rows of the same architecture whose networks fit these tensors."""
    shapes: dict[Any, dict[str, tuple[int, ...]]] = {}
    names = []
    for other in (other for other in load_registry().values() if other.architecture == row.architecture):
        renamed = weights if other.keys == row.keys else replace(weights, tensors=_reread(weights.path, other))
        sizes = _sizes(other, renamed)
        if sizes not in shapes:  # rows may have equal sizes
            with torch.device("meta"):
                network = ARCHITECTURES[row.architecture].build(sizes)
            shapes[sizes] = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
        if not faults(shapes[sizes], {key: tuple(tensor.shape) for key, tensor in renamed.tensors.items()}):
            names.append(other.name)
    return names


def _reread(path: Path, row: Row) -> dict[str, Tensor]:
    """Tensors of a file by the rules of another row; empty if the rules do not fit."""
    try:
        return read_weights(path, row.keys, row.name, trusted=True)
    except WeightsError:
        return {}


def _model(content: Any) -> str:
    """Network name in the settings that PyTorch Lightning stores in a checkpoint, or ""."""
    settings = content.get("hyper_parameters") if isinstance(content, Mapping) else None
    model = settings.get("model") if isinstance(settings, Mapping) else None
    return model if isinstance(model, str) and len(model) <= LONGEST_KEY else ""


def read_weights(path: Path, keys: Keys, name: str, trusted: bool = False) -> dict[str, Tensor]:
    """Tensors of the encoder `name` in a .pt or .safetensors file, under the network's names.

    trusted: True if the file has the registered sha256. Raises `WeightsError` for a file that is no checkpoint, needs
    to run code, or has keys that do not fit the rules.
    """
    return tensors_of(read_content(path, name, trusted), keys, f"{name}: {path}")


def read_content(path: Path, name: str, trusted: bool) -> Any:
    """Whole content of a .pt or .safetensors file. Raises the errors of `read_weights`."""
    if path.suffix != ".safetensors":
        return read_torch(path, name, trusted)
    with open_safetensors(path, "pt", name) as file:
        return {key: file.get_tensor(key) for key in list(file.keys())}


def tensors_of(content: Any, keys: Keys, where: str) -> dict[str, Tensor]:
    """Tensors of the encoder in the content of a file. Raises the errors of `read_weights`."""
    if keys.inside and isinstance(content, Mapping):
        content = content.get(keys.inside, content)
    if keys.parts and isinstance(content, Mapping):
        tables = {part: content.get(part) for part in keys.parts}
        content = {f"{n}.{k}": v for n, part in tables.items() if isinstance(part, Mapping) for k, v in part.items()}
    if not isinstance(content, Mapping):
        raise WeightsError(
            f"{where} holds {type(content).__name__}. Expected a table of tensors. Check that it is a checkpoint."
        )
    return rekeyed(content, keys, where)


def rekeyed(content: Mapping[str, Any], keys: Keys, where: str) -> dict[str, Tensor]:
    """Tensors of a table under the network's names. Raises `WeightsError`."""
    prefixed = {str(k).removeprefix(keys.prefix): v for k, v in content.items() if str(k).startswith(keys.prefix)}
    tensors = {k.removeprefix(keys.body): v for k, v in prefixed.items() if isinstance(v, Tensor)}
    if not (keys.drop or keys.rename or keys.merge):
        return tensors
    return _merged(_renamed(tensors, keys, where), keys, where)


def _renamed(tensors: Mapping[str, Tensor], keys: Keys, where: str) -> dict[str, Tensor]:
    """Tensors under new names, after the rules `drop` and `rename`."""
    renamed: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        if len(key) > LONGEST_KEY:  # bounds the time of the patterns
            raise WeightsError(
                f"{where} has a key of {len(key)} characters. Expected at most {LONGEST_KEY}. Check the file."
            )
        if any(re.search(pattern, key) for pattern in keys.drop):
            continue
        for pattern, replacement in keys.rename:
            key = re.sub(pattern, replacement, key)
        if key in renamed:
            raise WeightsError(
                f"{where}: `rename` gives two tensors the name {key!r}. Expected different names. "
                "Make its patterns narrower."
            )
        renamed[key] = tensor
    return renamed


def _merged(tensors: dict[str, Tensor], keys: Keys, where: str) -> dict[str, Tensor]:
    """Tensors with the parts of each `merge` rule concatenated along their first axis."""
    try:
        room = MERGED + _stored(tensors.values())
    except NotImplementedError as error:
        raise WeightsError(f"{where} holds sparse tensors. Expected dense tensors. Convert them.") from error
    for first, *others, whole in keys.merge:
        before, star, after = first.partition("*")
        for key in [k for k in tensors if k.startswith(before) and k.endswith(after) and (star or k == first)]:
            text = key[len(before) : len(key) - len(after)]
            names = [name.replace("*", text) for name in (first, *others)]
            missing = [name for name in names if name not in tensors]
            if missing:
                raise WeightsError(
                    f"{where} lacks {', '.join(missing)}, to be merged with {key}. Expected all parts. "
                    "Check the file, or correct `merge`."
                )
            parts = [tensors.pop(name) for name in names]
            room -= sum(part.numel() * part.element_size() for part in parts)
            if room < 0:  # tensors that repeat or share stored numbers
                raise WeightsError(
                    f"{where}: {', '.join(names)} have far more numbers than the file. Expected every number in the "
                    "file. Check the origin of the file, because it may be a memory bomb."
                )
            try:
                tensors[whole.replace("*", text)] = torch.cat(parts)
            except RuntimeError as error:
                raise WeightsError(
                    f"{where}: {', '.join(names)} cannot be merged ({error}). Expected shapes that differ only in the "
                    "first axis. Correct `merge`."
                ) from error
    return tensors


def _stored(tensors: Iterable[Tensor]) -> int:
    """Bytes of tensors in memory, shared storage counted once. Raises `NotImplementedError` for sparse tensors."""
    storages = [one.untyped_storage() for one in tensors]
    return sum({one.data_ptr(): one.nbytes() for one in storages}.values())


def temperature_of(content: Any, keys: Keys) -> float | None:
    """Temperature of training: divisor of cosines with text, if the file has it.

    Files store the logarithm of its inverse as `logit_scale`. In OpenShape's training checkpoints it is separate from
    the weights (github.com/Colin97/OpenShape_code `src/models/LogitScaleNetwork.py`); in Uni3D's files it is among the
    weights (`models/uni3d.py`).
    """
    if not (keys.inside or keys.parts):
        return None
    tables = [content, content.get(keys.inside)] if isinstance(content, Mapping) else []
    beside = next((t["logit_scale"] for t in tables if isinstance(t, Mapping) and "logit_scale" in t), None)
    values = list(beside.values()) if isinstance(beside, Mapping) else [beside]
    numbers = [float(value) for value in values if isinstance(value, Tensor) and value.numel() == 1]
    with np.errstate(over="ignore"):  # exp overflows if the value is not a logarithm
        scale = np.exp(numbers[0]) if len(numbers) == 1 else 0.0
    return float(1 / scale) if np.isfinite(scale) and scale > 0 else None


def load_strictly(
    network: nn.Module,
    state: Mapping[str, Tensor],
    path: Path,
    name: str,
    mapped: bool = False,
    fitting: Callable[[], Sequence[str]] = lambda: (),
) -> None:
    """`fill` with the tensors of a checkpoint. Raises `WeightsError` with all differences.

    `fitting` returns names of checkpoints whose networks fit the tensors, for the message.
    """
    try:
        fill(network, state, mapped)
    except ValueError as error:
        names = " or ".join(fitting())
        remedy = f"Its sizes fit {names}." if names else "Give the name of its encoder: see list_checkpoints()."
        raise WeightsError(
            f"{name}: {path} does not hold the weights of {name} ({error}). Expected all of its keys and shapes. "
            f"{remedy}"
        ) from None


def fill(network: nn.Module, state: Mapping[str, Tensor], mapped: bool = False) -> None:
    """Load all tensors into a network. Raises ValueError with missing, left-over and misshapen tensors.

    The network may be on the device "meta". mapped: True if the tensors are views of a file that does not change, so
    that they need no copy.
    """
    expected = network.state_dict()
    differences = faults(*({key: tuple(tensor.shape) for key, tensor in side.items()} for side in (expected, state)))
    if differences:
        raise ValueError(differences)
    converted = {key: state[key].to(tensor.dtype, copy=not mapped) for key, tensor in expected.items()}
    network.load_state_dict(converted, assign=True)


def faults(expected: Mapping[str, tuple[int, ...]], given: Mapping[str, tuple[int, ...]]) -> str:
    """Text that lists missing, left-over and misshapen keys of a file; "" if all fit."""
    wrong = [key for key in sorted(expected.keys() & given.keys()) if given[key] != expected[key]]
    lists = {
        "missing keys": sorted(expected.keys() - given.keys()),
        "left-over keys": sorted(given.keys() - expected.keys()),
        "wrong shapes": [f"{key} is {given[key]}, expected {expected[key]}" for key in wrong],
    }
    more = {label: f" and {len(keys) - 4} more" if len(keys) > 4 else "" for label, keys in lists.items()}
    return "; ".join(f"{label}: {', '.join(keys[:4])}{more[label]}" for label, keys in lists.items() if keys)
