"""The encoder and the text encoder that the options name, each loaded when it is first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openshape_ood.encoders.protocols import Identity
    from openshape_ood.encoders.shape_encoder import ShapeEncoder
    from openshape_ood.encoders.text.encoder import TextEncoder

DEFAULT = "vitb32"


@dataclass(frozen=True)
class Encoders:
    """Both of one checkpoint: `model`, or else that of what was `given`: known classes of files, stored embeddings."""

    model: str | None
    checkpoint: Path | None = None
    text_checkpoint: Path | None = None
    device: str | None = None
    given: Sequence[Identity] = ()

    def __post_init__(self) -> None:
        from openshape_ood.registry import find_checkpoint

        find_checkpoint(self.name)  # an unknown name is told before torch is loaded

    @property
    def name(self) -> str:
        from openshape_ood.registry import is_registered

        own = [one.checkpoint for one in self.given if is_registered(one.checkpoint)]
        return self.model or (own[0] if own else DEFAULT)

    @property
    def points(self) -> int:
        """Of the clouds that it is given."""
        from openshape_ood.registry import find_checkpoint

        return find_checkpoint(self.name).spec.count

    @cached_property
    def shape(self) -> ShapeEncoder:
        from openshape_ood.encoders.loading import load_encoder
        from openshape_ood.encoders.shape_encoder import ShapeEncoder

        if self.checkpoint is None:
            return load_encoder(self.name, self.device, *self.given)
        return ShapeEncoder.from_pretrained(self.name, checkpoint=self.checkpoint, device=self.device)

    @cached_property
    def text(self) -> TextEncoder:
        from openshape_ood.encoders.text.encoder import TextEncoder
        from openshape_ood.errors import InputError
        from openshape_ood.registry import find_checkpoint, is_registered

        strangers = [one.checkpoint for one in self.given if not is_registered(one.checkpoint)]
        if strangers and self.model is None:
            raise InputError(
                f"names need the text encoder of {strangers[0]!r}, which is not in the registry; expected examples, "
                "--examples or --known-file of its embeddings"
            )
        return TextEncoder.of(find_checkpoint(self.name), checkpoint=self.text_checkpoint, device=self.device)
