"""Banks of known classes on disk and put together: safetensors with the encoder's identity in the header.

>>> from openshape_ood import Known, TextEncoder
>>> bank = Known.from_names(["chair", "sofa"], TextEncoder.from_pretrained("tiny"))
>>> import tempfile, pathlib
>>> with tempfile.TemporaryDirectory() as folder:
...     path = save_bank(bank, pathlib.Path(folder) / "seats.safetensors")
...     load_bank(path).names
('chair', 'sofa')
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import ClassNamesError, FileError, InputError, MixedEncodersError, OpenShapeError
from openshape_ood.known import Known, check_names
from openshape_ood.storage import save_whole

FORMAT = "openshape_ood bank 1"
ARRAYS = ("anchors", "examples", "labels", "text", "negatives", "patches", "patch_labels")


def save_bank(known: Known, path: str | os.PathLike[str]) -> Path:
    """Write a bank to a .safetensors file: whole, or not at all. Raises `FileError` where that cannot be."""
    from safetensors.numpy import save

    path = _path(path)
    words = {"format": FORMAT, "names": known.names, "temperature": known.temperature}
    header = json.dumps({**words, "identity": asdict(known.identity)})
    content = save({name: np.ascontiguousarray(getattr(known, name)) for name in ARRAYS}, {"bank": header})
    return save_whole(path, content, "the bank")


def load_bank(path: str | os.PathLike[str]) -> Known:
    """Read a bank that `save_bank` wrote. Raises `FileError` for any other file; nothing in it is run."""
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import load_file

    path = _path(path)
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get("bank", "null"))
        return _bank(header, load_file(path))
    except (OSError, SafetensorError) as error:
        raise FileError(f"cannot read the bank {path}: {getattr(error, 'strerror', None) or error}") from error
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        OpenShapeError,
    ) as error:
        raise FileError(f"{path} is no bank of known classes, or a damaged one: {error}") from error


def join_banks(*banks: Known) -> Known:
    """One bank of the classes of several, in their order. All known by example, or all by name, or all by both.

    Raises `MixedEncodersError` naming both where two come from different encoders, and `ClassNamesError` for a class
    that occurs in two.

    >>> from openshape_ood import Known, TextEncoder
    >>> text = TextEncoder.from_pretrained("tiny")
    >>> join_banks(Known.from_names(["chair", "sofa"], text), Known.from_names(["lamp"], text)).names
    ('chair', 'sofa', 'lamp')
    """
    if not banks:
        raise InputError("there are no banks to join; expected at least one")
    first = banks[0]
    for other in banks[1:]:
        first.check_fits(other.identity)
        if (first.dim, bool(first.text.size), bool(first.identity.sha256)) != (
            other.dim,
            bool(other.text.size),
            bool(other.identity.sha256),
        ):
            raise MixedEncodersError(
                f"a bank of {first.identity} with embeddings of {first.dim} and one of {other.identity} with "
                f"{other.dim} cannot be joined: expected both known by example, both by name, or both by both"
            )
    names = [name for bank in banks for name in bank.names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ClassNamesError(f"in more than one of the banks: {', '.join(map(repr, twice))}; expected each class once")
    temperatures = sorted({bank.temperature for bank in banks if bank.temperature is not None})
    if len(temperatures) > 1:
        raise MixedEncodersError(f"the banks have the temperatures {temperatures}; expected those of one encoder")
    starts = np.cumsum([0, *(len(bank.names) for bank in banks)])
    shifted = {
        field: np.concatenate([getattr(bank, field) + start for bank, start in zip(banks, starts, strict=False)])
        for field in ("labels", "patch_labels")
    }
    stacked = {field: _stacked([getattr(bank, field) for bank in banks]) for field in ARRAYS if field not in shifted}
    return Known(
        names=tuple(names), identity=first.identity, temperature=next(iter(temperatures), None), **stacked, **shifted
    )


def _stacked(arrays: list[np.ndarray]) -> np.ndarray:
    filled = [array for array in arrays if array.size]
    return np.concatenate(filled) if filled else arrays[0]


def _path(path: str | os.PathLike[str]) -> Path:
    given = Path(path).expanduser()
    if given.suffix != ".safetensors":
        raise FileError(f"a bank is a .safetensors file; given was {given}")
    return given


def _bank(header: Any, arrays: Mapping[str, np.ndarray]) -> Known:
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"its header is not that of {FORMAT!r}")
    if set(arrays) != set(ARRAYS):
        raise ValueError(f"it holds {', '.join(sorted(arrays)) or 'nothing'}; expected {', '.join(ARRAYS)}")
    names = check_names(header["names"])
    temperature = header["temperature"]
    known = Known(
        names=names,
        identity=Identity(**{field: str(value) for field, value in header["identity"].items()}),
        temperature=None if temperature is None else float(temperature),
        **arrays,
    )
    _check(known)
    return known


def _check(known: Known) -> None:
    k, d = len(known.names), known.anchors.shape[-1]
    expected = {
        "anchors": (k, d),
        "examples": (len(known.labels), d),
        "text": (k, d) if known.text.size else known.text.shape,
        "negatives": (len(known.negatives), d) if known.negatives.size else known.negatives.shape,
        "patches": (len(known.patch_labels), known.patches.shape[-1]),
    }
    for name, shape in expected.items():
        array = getattr(known, name)
        if array.shape != shape or array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError(f"{name} is {array.shape} {array.dtype}; expected finite numbers {shape}")
    for name in ("anchors", "examples", "text", "negatives"):
        rows = getattr(known, name)
        if rows.size and not np.allclose(np.linalg.norm(rows, axis=-1), 1, atol=1e-3):
            raise ValueError(f"{name} are no unit vectors")
    if known.temperature is not None and not 0 < known.temperature < np.inf:
        raise ValueError(f"its temperature is {known.temperature}")
    for name in ("labels", "patch_labels"):
        labels = getattr(known, name)
        if labels.ndim != 1 or labels.dtype.kind != "i" or (len(labels) and not 0 <= labels.min() <= labels.max() < k):
            raise ValueError(f"{name} do not count the {k} classes")
