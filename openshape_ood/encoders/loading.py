"""The encoders that a caller names instead of giving them."""

from __future__ import annotations

from typing import Any

from openshape_ood.encoders.protocols import Encoder, Identity, NamesEncoder
from openshape_ood.errors import InputError
from openshape_ood.registry import find_checkpoint


def load_encoder(model: str, device: Any, *others: Identity) -> Any:
    """The checkpoint `model`; raises `MixedEncodersError`, before any download, where it does not fit the others."""
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

    row = find_checkpoint(model)
    for other in others:
        other.check_fits(Identity(row.name, row.text.space, row.source.sha256))
    return ShapeEncoder.from_pretrained(model, device=device)


def text_of(encoder: Encoder, device: Any = None) -> NamesEncoder:
    """The text encoder that a shape encoder was aligned with, on its device unless told another."""
    from openshape_ood.encoders.text.encoder import TextEncoder

    row = getattr(encoder, "row", None)
    if row is None:
        raise InputError(f"{encoder.identity.checkpoint} has no text encoder of its own; give text=, or example shapes")
    return TextEncoder.of(row, device=getattr(encoder, "device", None) if device is None else device)
