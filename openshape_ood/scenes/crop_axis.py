"""Up axis of examples and calibration shapes that are compared with objects of a scan.

`score_scene`, the command `scene` and the web page use `crop_axis`, so the same files give the same result.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from openshape_ood.encoders.protocols import Encoder
from openshape_ood.known import check_examples
from openshape_ood.known.examples import ready_embeddings
from openshape_ood.shapes.points import AxisWarning, check_up
from openshape_ood.shapes.shape import Shape, list_shapes

FILE, SCANS = "file", "z"


def crop_axis(known_up: str | None = None, scan_up: str = FILE) -> tuple[str, str]:
    """Up axis of known shapes for a scan, and the fallback for shapes without a stated axis.

    The first axis is `known_up`, or "file": the axis that each file states. The fallback is `scan_up`, the axis that
    the user gave for the scan. Without `scan_up`, it is z, the axis of scans and of their crops.

    Examples
    --------
    >>> crop_axis(), crop_axis("y"), crop_axis(scan_up="x")
    (('file', 'z'), ('y', 'z'), ('file', 'x'))
    """
    silent = SCANS if scan_up == FILE else check_up(scan_up)
    return (FILE if known_up in (None, FILE) else check_up(known_up, "known_up")), silent


def assumed(count: int, silent: str, remedy: str) -> str:
    """Warning about `count` known shapes without a stated axis."""
    shapes = "1 known shape does" if count == 1 else f"{count} known shapes do"
    return f"{shapes} not state an up axis. Axis {silent} is assumed, as for scans. If it is wrong, {remedy}."


def with_axes(known: Mapping[str, Any], known_up: str | None, encoder: Encoder) -> tuple[dict[str, Any], Any]:
    """Arguments of `score_novelty`: known classes with lists of examples, and their up axis or axes by class.

    Warns with `AxisWarning` if z is assumed for an example. Ready embeddings have no axis.
    """
    up, silent = crop_axis(known_up)
    examples = {name: value for name, value in known.items() if value is not None}
    if up != FILE or not examples:
        return dict(known), up
    shapes: dict[str, list[Shape]] = {}
    for name in check_examples(examples):
        if ready_embeddings(examples[name], name, encoder) is None:
            shapes[name] = list_shapes(examples[name])
    stated = {name: [one.stated_up() for one in members] for name, members in shapes.items()}
    count = sum(axes.count(None) for axes in stated.values())
    if count:
        remedy = "give known_up='y', as for shapes of synthetic.sample, or another axis"
        warnings.warn(assumed(count, silent, remedy), AxisWarning, stacklevel=3)
    listed = {name: [one.value for one in members] for name, members in shapes.items()}
    return {**known, **listed}, {name: [axis or silent for axis in axes] for name, axes in stated.items()}
