"""Files of detectors: arrays and numbers of the scorers, and settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import check_names
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import InputError
from openshape_ood.scoring.example_scorers import GaussianScorer, NeighborScorer, PrototypeScorer
from openshape_ood.sklearn_api.learning import FittedPart
from openshape_ood.storage import loaded_arrays, save_arrays

KINDS: dict[str, tuple[type, Any]] = {
    "names": (str, np.str_),
    "integers": (int, np.int64),
    "numbers": (float, np.float64),
}
# scorers whose state consists of arrays and numbers
KEPT_SCORERS: dict[str, Any] = {scorer.__name__: scorer for scorer in (PrototypeScorer, NeighborScorer, GaussianScorer)}


def save_detector(detector: Any, path: str | os.PathLike[str]) -> Path:
    """Write a fitted detector to a .safetensors file."""
    states = [scorer_state(part.scorer, detector.method) for part in detector._parts]
    arrays = {f"{i}.{name}": array for i, (_, _, state) in enumerate(states) for name, array in state.items()}
    header = {
        "parameters": {"method": detector.method, "k": int(detector.k), "coverage": float(detector.coverage)},
        "identity": None if detector.identity is None else asdict(detector.identity),
        "width": detector.n_features_in_,
        "columns": getattr(detector, "feature_names_in_", np.empty(0)).tolist() or None,
        "labels": {"U": "names", "i": "integers", "f": "numbers"}[detector.classes_.dtype.kind],
        "parts": [
            {
                "classes": detector.classes_[part.classes].tolist(),
                "threshold": part.threshold.value,
                "coverage": part.threshold.coverage,
                "scorer": kind,
                "settings": settings,
            }
            for part, (kind, settings, _) in zip(detector._parts, states, strict=True)
        ],
    }
    return save_arrays(path, arrays, header, "detector")


def load_detector(cls: Any, path: str | os.PathLike[str]) -> Any:
    """Read a file of `save_detector`. Raises `FileError` for any other file."""
    with loaded_arrays(path, "detector") as (header, arrays):
        detector = cls(**header["parameters"])
        detector._method()
        if header["identity"] is not None:
            detector.identity = Identity(**{field: str(value) for field, value in header["identity"].items()})
        width = detector.n_features_in_ = int(header["width"])
        if header["columns"] is not None:
            detector.feature_names_in_ = np.array(header["columns"], dtype=object)
            if len(detector.feature_names_in_) != width:
                raise ValueError(f"there are {len(detector.feature_names_in_)} column names for {width} columns")
        names = [name for row in header["parts"] for name in row["classes"]]
        of, kind = KINDS[header["labels"]]
        if not names or len({*names}) != len(names) or {*map(type, names)} != {of}:
            raise ValueError("its classes are missing, duplicate, or of several types")
        detector.classes_ = np.array(check_names(names) if of is str else names, dtype=kind)
        detector._parts, first = [], 0
        for i, row in enumerate(header["parts"]):
            k, prefix = len(row["classes"]), f"{i}."
            fitted = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            scorer = restored_scorer(row["scorer"], row["settings"], fitted, k, width)
            threshold = Threshold(float(row["threshold"]), float(row["coverage"]))
            if not k:
                raise ValueError("a part of it has no classes")
            detector._parts.append(FittedPart(np.arange(first, first + k), scorer, threshold))
            first += k
    return detector


def scorer_state(scorer: Any, method: Any) -> tuple[str, dict[str, Any], dict[str, np.ndarray]]:
    """State of a scorer: kind, numbers and arrays."""
    kind = type(scorer).__name__
    if KEPT_SCORERS.get(kind) is not type(scorer) or not isinstance(method, str):
        raise InputError(
            f"a detector with {method!r} cannot be saved. Expected a method whose state is arrays and numbers, such as "
            "'prototype_distance'. Use such a method, or save the embeddings and fit again."
        )
    values = {f.name: getattr(scorer, f.name) for f in fields(scorer)}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    return kind, {name: value for name, value in values.items() if name not in arrays}, arrays


def restored_scorer(
    kind: str, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray], k: int, width: int
) -> Any:
    """Scorer with a saved state. Raises `ValueError` if it does not fit k classes and embeddings (b, width)."""
    m = len(arrays.get("labels", ()))
    shapes = {
        "PrototypeScorer": {"means": (k, width), "counts": (k,), "classes": (k,), "anchors": (k, width)},
        "NeighborScorer": {"examples": (m, width), "labels": (m,), "anchors": (k, width)},
        "GaussianScorer": {
            "means": (k, width), "counts": (k,), "classes": (k,), "anchors": (k, width), "precision": (width, width),
        },
    }[kind]  # fmt: skip
    if settings.get("relative"):
        shapes |= {"background_mean": (width,), "background_precision": (width, width)}
    if {name: array.shape for name, array in arrays.items()} != shapes:
        raise ValueError(f"the arrays of {kind!r} are missing or have wrong shapes")
    for name, array in arrays.items():
        whole = name in ("labels", "counts", "classes")
        if array.dtype.kind != ("i" if whole else "f") or not np.isfinite(array).all():
            raise ValueError(f"{name} are {array.dtype}; expected finite {'whole ' if whole else ''}numbers")
    if "counts" in arrays and (arrays["counts"].min() < 1 or not np.array_equal(arrays["classes"], np.arange(k))):
        raise ValueError("there are classes without examples")
    if "labels" in arrays and not np.array_equal(np.unique(arrays["labels"]), np.arange(k)):
        raise ValueError(f"the labels are not the numbers from 0 to {k - 1}")
    if settings.get("metric", "cosine") not in ("cosine", "euclidean") or not 1 <= settings.get("k", 1) <= max(m, 1):
        raise ValueError(f"the settings of {kind!r} are {dict(settings)}")
    return KEPT_SCORERS[kind](**settings, **arrays)
