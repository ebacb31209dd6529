"""What makes a threshold within `score_novelty`: shapes of known objects that are none of the examples."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from openshape_ood.checks import unit_or_zero
from openshape_ood.decisions.calibration import calibration_needed, one_of_each
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Embeddings
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.novelty.result import NoveltyResult
from openshape_ood.scoring.neighbors import nearest
from openshape_ood.shapes.shape import list_shapes

SAME = 1e-10  # 1 - cosine of what is one content, on two machines; two scans of an object are a million times as far

WHY = (
    "examples are hardly novel to themselves, or not at all, so that the threshold would be too low, with neighbors 0, "
    "and known shapes would be novel. Calibrate on other known shapes, or leave these out of the examples"
)


@dataclass(frozen=True)
class Calibration:
    """Shapes of known objects, or their embeddings, and what makes a threshold of them."""

    shapes: Any
    names: tuple[str, ...]
    coverage: float
    groups: Sequence[Any] | None
    up: str

    @classmethod
    def of(cls, shapes: Any, coverage: float, groups: Sequence[Any] | None, up: Any, known: Any) -> Calibration:
        """Raises `InputError` for what contradicts itself, before anything is read."""
        calibration_needed(coverage)  # refuses what is no share
        if isinstance(shapes, Embeddings):
            names = shapes.row_names()
        else:
            if not isinstance(up, str):
                raise InputError("up is given a shape each; calibrate in a call of its own, and give its threshold")
            listed = list_shapes(shapes)
            names, shapes = tuple(shape.path or shape.name for shape in listed), [shape.value for shape in listed]
            check_files_apart(shapes, known)
        if groups is not None:
            one_of_each(groups, len(names))  # refuses what are no groups
        return cls(shapes, names, coverage, groups, up if isinstance(up, str) else "file")

    def threshold(self, result: NoveltyResult, known: KnownClasses) -> Threshold:
        """From what `score_novelty` found for these shapes."""
        if result.embeddings is not None:  # which score_novelty always gives
            check_content_apart(result.embeddings.vectors, result.shapes, known)
        groups, lost = self.groups, {failure.source for failure in result.failures}
        if groups is not None and lost:
            groups = [group for group, name in zip(groups, self.names, strict=True) if name not in lost]
        source = "calibration shapes" if groups is None else f"one of each object of {len(result)} calibration shapes"
        return Threshold.from_novelty(result, self.coverage, groups=groups, source=source)


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
