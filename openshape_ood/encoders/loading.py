"""Lazy loading of encoders, given by name or as objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from openshape_ood.encoders.protocols import Identity, NamesEncoder
from openshape_ood.errors import InputError
from openshape_ood.registry import find_checkpoint, is_registered

DEFAULT = "vitb32"
PLAIN_POINTS = 10_000  # points sampled from a surface, for encoders without a `spec`


@dataclass(frozen=True, eq=False)
class Encoders:
    """Shape encoder and its text encoder, each loaded on first use.

    Attributes
    ----------
    model : str, optional
        Name of a checkpoint or of an ensemble. None: the first registered checkpoint of `others`, else "vitb32".
    encoder, names : optional
        Existing shape encoder and text encoder. They replace `model`.
    checkpoint, text_checkpoint : Path, optional
        Files of weights.
    device : optional
        Device for loaded models.
    others : sequence of Identity
        Identities of known classes and stored embeddings. The shape encoder must fit each of them.
    """

    model: str | None = None
    encoder: Any = None
    names: Any = None
    checkpoint: Path | None = None
    text_checkpoint: Path | None = None
    device: Any = None
    others: Sequence[Identity] = ()

    @property
    def name(self) -> str:
        """Name of the checkpoint."""
        registered = [one.checkpoint for one in self.others if is_registered(one.checkpoint)]
        return self.model or (registered[0] if registered else DEFAULT)

    @cached_property
    def row(self) -> Any:
        """Registry row. An unknown name raises its error before torch is imported."""
        return find_checkpoint(self.name)

    @property
    def points(self) -> int:
        """Number of points of a cloud for the encoder."""
        spec = self.row.spec if self.encoder is None else getattr(self.encoder, "spec", None)
        return PLAIN_POINTS if spec is None else int(spec.count)

    @property
    def identity(self) -> Identity:
        """Identity of the shape encoder. The encoder is loaded only if neither `others` nor the registry has it."""
        given = [one for one in self.others if one.sha256 and self.model in (None, one.checkpoint)]
        if given and self.encoder is None and self.checkpoint is None:
            return given[0]
        if self.encoder is None and self.checkpoint is None and self.row.source.sha256:
            return Identity(self.row.name, self.row.text.space, self.row.source.sha256)
        identity: Identity = self.shape.identity
        return identity

    @property
    def is_loaded(self) -> bool:
        """True if the shape encoder is loaded."""
        return self.encoder is not None or "shape" in self.__dict__

    @cached_property
    def shape(self) -> Any:
        """Shape encoder. If it does not fit `others`, raises `MixedEncodersError` before any download."""
        if self.encoder is not None:
            return self.encoder
        from openshape_ood.encoders.shape_encoder import ShapeEncoder

        if self.checkpoint is None:
            for other in self.others:
                other.check_fits(Identity(self.row.name, self.row.text.space, self.row.source.sha256))
        return ShapeEncoder.from_pretrained(self.name, checkpoint=self.checkpoint, device=self.device)

    @cached_property
    def text(self) -> NamesEncoder:
        """Text encoder. Raises `InputError` if there is none."""
        if self.names is not None:
            names: NamesEncoder = self.names
            return names
        if self.encoder is not None:
            return text_of(self.encoder, self.device)
        from openshape_ood.encoders.text.encoder import TextEncoder

        unregistered = [one.checkpoint for one in self.others if not is_registered(one.checkpoint)]
        if unregistered and self.model is None:
            raise InputError(
                f"names need the text encoder of {unregistered[0]!r}, which is not in the registry. Expected examples, "
                "or known classes with embeddings of names. Give one of them."
            )
        return TextEncoder.of(self.row, checkpoint=self.text_checkpoint, device=self.device)


def text_of(encoder: Any, device: Any = None) -> NamesEncoder:
    """Text encoder of a shape encoder. Default device: the device of the shape encoder."""
    from openshape_ood.encoders.text.encoder import TextEncoder

    row = getattr(encoder, "row", None)
    if row is None:
        raise InputError(
            f"{encoder.identity.checkpoint} has no text encoder. Expected one for names. Give text=, or example shapes."
        )
    return TextEncoder.of(row, device=getattr(encoder, "device", None) if device is None else device)
