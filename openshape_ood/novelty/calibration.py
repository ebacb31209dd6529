"""Threshold of a pipeline from calibration shapes, and validation of these shapes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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

COVERAGE = 0.95  # default
# maximum 1 - cosine of one shape embedded on two machines; that of two scans of one object is a million times larger
SAME = 1e-10

WHY = (
    "An example is its own nearest neighbor, so the threshold would be too low. "
    "Calibrate on other known shapes, or remove these from the examples."
)


def from_calibration(
    result: NoveltyResult,
    known: KnownClasses,
    coverage: float | None = None,
    groups: Sequence[Any] | None = None,
    source: str = "",
) -> Threshold:
    """Conformal threshold from the result of known shapes.

    The provenance of the threshold contains the up axis of the shapes, if they share one. Raises `InputError` if some
    of the shapes are also examples, or if there are too few shapes.
    """
    if result.embeddings is not None:
        check_content_apart(result.embeddings.vectors, result.shapes, known)
    if not source:
        source = "calibration shapes" if groups is None else f"one of each object of {len(result)} calibration shapes"
    axes = set(result.up)
    provenance = replace(result.provenance, up=axes.pop() if len(axes) == 1 else result.provenance.up)
    how: dict[str, Any] = {"groups": groups, "source": source, "provenance": provenance}
    try:
        return Threshold.from_novelty(result.novelty, COVERAGE if coverage is None else coverage, **how)
    except InputError as error:
        lost = f", {len(result.failures)} unusable" if result.failures else ""
        option = " (coverage=, --coverage)." if len(result) else "."
        raise InputError(f"the calibration shapes{lost}: {str(error).removesuffix('.')}{option}") from None


@dataclass(frozen=True)
class Calibration:
    """Calibration shapes or their embeddings, validated before anything is read."""

    shapes: Any
    names: tuple[str, ...]
    groups: Sequence[Any] | None

    @classmethod
    def of(cls, shapes: Any, coverage: float | None, groups: Sequence[Any] | None, known: Any) -> Calibration:
        """Validate the calibration arguments. Raises `InputError` if they contradict each other."""
        calibration_needed(COVERAGE if coverage is None else coverage)  # validates the coverage
        if isinstance(shapes, Embeddings):
            names = shapes.row_names()
        else:
            listed = list_shapes(shapes)
            names, shapes = tuple(shape.path or shape.name for shape in listed), [shape.value for shape in listed]
            check_files_apart(shapes, known)
        if groups is not None:
            one_of_each(groups, len(names))  # validates the groups
        return cls(shapes, names, groups)

    def groups_of(self, result: NoveltyResult) -> Sequence[Any] | None:
        """Groups of the usable shapes."""
        lost = {failure.source for failure in result.failures}
        if self.groups is None or not lost:
            return self.groups
        return [group for group, name in zip(self.groups, self.names, strict=True) if name not in lost]


def check_files_apart(calibration: Iterable[Any], known: Any) -> None:
    """Raise `InputError` if calibration paths are also examples in a mapping of names to shapes."""
    values = known.values() if isinstance(known, Mapping) else ()
    examples = {path for value in values for path in _paths(value)}
    shared = sorted(examples.intersection(_paths(list(calibration))))
    if shared:
        raise InputError(f"{len(shared)} of the calibration files are examples too ({_some(shared)}). {WHY}")


def check_content_apart(vectors: np.ndarray, names: Sequence[str], known: KnownClasses) -> None:
    """Raise `InputError` if calibration embeddings (n, d) are also examples; names (n,) are for the message."""
    if known.examples is None or not len(vectors):
        return
    distance = nearest(unit_or_zero(vectors), unit_or_zero(known.examples), k=1, metric="cosine")[0][:, 0]
    shared = [name for name, same in zip(names, distance < SAME, strict=True) if same]
    if shared:
        raise InputError(
            f"{len(shared)} of the {len(vectors)} calibration shapes are the same as examples ({_some(shared)}). {WHY}"
        )


def _paths(value: Any) -> set[str]:
    items = value if isinstance(value, list | tuple) else [value]
    return {os.path.realpath(item) for item in items if isinstance(item, str | os.PathLike)}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + ", …" * (len(names) > 3)
