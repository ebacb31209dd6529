"""The encoder and the text encoder that the options name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openshape_ood.encoders.shape_encoder import ShapeEncoder
    from openshape_ood.encoders.text.encoder import TextEncoder


def load_encoder(model: str, checkpoint: Path | None, device: str | None) -> ShapeEncoder:
    from openshape_ood.registry import find_checkpoint

    find_checkpoint(model)  # an unknown name is told before torch is loaded
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

    return ShapeEncoder.from_pretrained(model, checkpoint=checkpoint, device=device)


def load_text(encoder: ShapeEncoder, checkpoint: Path | None) -> TextEncoder:
    from openshape_ood.encoders.text.encoder import TextEncoder

    return TextEncoder(encoder.row, checkpoint=checkpoint, device=encoder.device)


def check_ups(up: str, known_up: str | None = None) -> None:
    """Raises `UnknownNameError` for what is no axis."""
    from openshape_ood.shapes.points import check_up

    for option, axis in (("--up", up), ("--known-up", known_up)):
        if axis not in ("file", None):
            check_up(axis, option)
