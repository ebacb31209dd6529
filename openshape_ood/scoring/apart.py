"""Whether shapes to calibrate on are others than the examples: to themselves, examples are hardly novel."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from openshape_ood.checks import unit_or_zero
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.scoring.neighbors import nearest

SAME = 1e-10  # 1 - cosine of what is one content, on two machines; two scans of an object are a million times as far

WHY = (
    "examples are hardly novel to themselves, or not at all, so that the threshold would be too low, with neighbors 0, "
    "and known shapes would be novel. Calibrate on other known shapes, or leave these out of the examples"
)


def check_files_apart(calibration: Iterable[Any], known: Any) -> None:
    """Raises `InputError` where paths to calibrate on are those of examples, in a mapping of names to shapes."""
    values = known.values() if isinstance(known, Mapping) else ()
    examples = {path for value in values for path in _paths(value)}
    shared = sorted(examples.intersection(_paths(list(calibration))))
    if shared:
        raise InputError(f"{len(shared)} of the calibration files are examples too ({_some(shared)}): {WHY}")


def check_content_apart(vectors: np.ndarray, names: Sequence[str], known: KnownClasses) -> None:
    """Raises `InputError` where embeddings (n, d) to calibrate on are those of examples; names (n,) for the message."""
    if known.examples is None or not len(vectors):
        return
    distance = nearest(unit_or_zero(vectors), unit_or_zero(known.examples), k=1, metric="cosine")[0][:, 0]
    shared = [name for name, same in zip(names, distance < SAME, strict=True) if same]
    if shared:
        raise InputError(
            f"{len(shared)} of the {len(vectors)} calibration shapes are the same as examples ({_some(shared)}): {WHY}"
        )


def _paths(value: Any) -> set[str]:
    items = value if isinstance(value, list | tuple) else [value]
    return {os.path.realpath(item) for item in items if isinstance(item, str | os.PathLike)}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + ", …" * (len(names) > 3)
