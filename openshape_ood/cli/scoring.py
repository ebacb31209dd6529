"""A bank, an encoder and a method put together: shapes in, novelty out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from openshape_ood.cli.reading import Reading
    from openshape_ood.encoders.shape_encoder import ShapeEncoder
    from openshape_ood.known import Known
    from openshape_ood.novelty import NoveltyResult


@dataclass(frozen=True, eq=False)
class Scorer:
    """How shapes are scored; method None takes the default for the bank."""

    encoder: ShapeEncoder
    bank: Known
    method: str | None
    reading: Reading

    def judge(self, shapes: list[Any], ups: list[str]) -> NoveltyResult:
        from openshape_ood.novelty import score_novelty

        reading = self.reading
        settings: dict[str, Any] = {
            "batch_size": reading.batch_size,
            "seed": reading.seed,
            "num_samples": reading.num_samples,
        }
        return score_novelty(shapes, self.bank, encoder=self.encoder, method=self.method, up=ups, **settings)

    def novelty(self, shapes: list[Any], ups: list[str]) -> np.ndarray:
        return self.judge(shapes, ups).novelty

    @property
    def used(self) -> str:
        """The method, by name, that `score_novelty` takes for this bank."""
        from openshape_ood.scoring import DEFAULTS

        if self.method is not None:
            return self.method
        if not len(self.bank.examples):
            return DEFAULTS["names"]
        return DEFAULTS["examples" if len(set(self.bank.labels.tolist())) == len(self.bank.names) else "both"]
