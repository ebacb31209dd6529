"""The encoders that a caller names or gives, each loaded when it is first used."""

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
PLAIN_POINTS = 10_000  # of surfaces, where an encoder does not say how many


@dataclass(frozen=True, eq=False)
class Encoders:
    """A shape encoder and the text encoder that it was aligned with, each loaded when it is first used.

    Attributes
    ----------
    model : str, optional
        Name of a checkpoint, or of several as an ensemble. None: the checkpoint of `others`, else "vitb32".
    encoder, names : optional
        A shape encoder and a text encoder that exist already; these precede `model`.
    checkpoint, text_checkpoint : Path, optional
        Files of weights.
    device : optional
        Of the models that are loaded here.
    others : sequence of Identity
        Of known classes and stored embeddings, which the encoder must fit.
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
        """The checkpoint that is loaded."""
        registered = [one.checkpoint for one in self.others if is_registered(one.checkpoint)]
        return self.model or (registered[0] if registered else DEFAULT)

    @cached_property
    def row(self) -> Any:
        """Of the registry; an unknown name is an error before torch is loaded."""
        return find_checkpoint(self.name)

    @property
    def points(self) -> int:
        """Number of points of the clouds that the encoder takes."""
        spec = self.row.spec if self.encoder is None else getattr(self.encoder, "spec", None)
        return PLAIN_POINTS if spec is None else int(spec.count)

    @property
    def identity(self) -> Identity:
        """Of the shape encoder; it is loaded only where neither `others` nor the registry say it."""
        given = [one for one in self.others if one.sha256 and self.model in (None, one.checkpoint)]
        if given and self.encoder is None and self.checkpoint is None:
            return given[0]
        if self.encoder is None and self.checkpoint is None and self.row.source.sha256:
            return Identity(self.row.name, self.row.text.space, self.row.source.sha256)
        identity: Identity = self.shape.identity
        return identity

    @property
    def is_loaded(self) -> bool:
        """True if the shape encoder exists already."""
        return self.encoder is not None or "shape" in self.__dict__

    @cached_property
    def shape(self) -> Any:
        """The shape encoder. Raises `MixedEncodersError`, before any download, where it does not fit the others."""
        if self.encoder is not None:
            return self.encoder
        from openshape_ood.encoders.shape_encoder import ShapeEncoder

        if self.checkpoint is None:
            for other in self.others:
                other.check_fits(Identity(self.row.name, self.row.text.space, self.row.source.sha256))
        return ShapeEncoder.from_pretrained(self.name, checkpoint=self.checkpoint, device=self.device)

    @cached_property
    def text(self) -> NamesEncoder:
        """The text encoder. Raises `InputError` where there is none."""
        if self.names is not None:
            names: NamesEncoder = self.names
            return names
        if self.encoder is not None:
            return text_of(self.encoder, self.device)
        from openshape_ood.encoders.text.encoder import TextEncoder

        strangers = [one.checkpoint for one in self.others if not is_registered(one.checkpoint)]
        if strangers and self.model is None:
            raise InputError(
                f"names need the text encoder of {strangers[0]!r}, which is not in the registry; expected examples, "
                "or known classes by its embeddings"
            )
        return TextEncoder.of(self.row, checkpoint=self.text_checkpoint, device=self.device)


def text_of(encoder: Any, device: Any = None) -> NamesEncoder:
    """The text encoder that a shape encoder was aligned with, on its device unless another is given."""
    from openshape_ood.encoders.text.encoder import TextEncoder

    row = getattr(encoder, "row", None)
    if row is None:
        raise InputError(f"{encoder.identity.checkpoint} has no text encoder of its own; give text=, or example shapes")
    return TextEncoder.of(row, device=getattr(encoder, "device", None) if device is None else device)
