"""Shapes: reading, checking, and preparation for an encoder."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from openshape_ood.shapes.spec import CloudSpec

if TYPE_CHECKING:
    from openshape_ood.shapes.batches import Read as Read
    from openshape_ood.shapes.batches import read_shapes as read_shapes
    from openshape_ood.shapes.reading import load_shape as load_shape

_HOMES = {"Read": "batches", "load_shape": "reading", "read_shapes": "batches"}

__all__ = ["CloudSpec", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
