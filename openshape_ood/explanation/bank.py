"""PatchBank: the patches of known shapes, which those of another shape are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from openshape_ood.errors import CloudError, InputError, ShapeFileError
from openshape_ood.explanation.spreading import spread
from openshape_ood.known import Identity, check_examples, identity_of, unit
from openshape_ood.neighbours import nearest

COMPARED = 32  # shapes that say what is usual; more say the same, and each searches the whole bank
KEPT = 0.95


@dataclass(frozen=True, eq=False)
class PatchBank:
    """Patches of example shapes of k known classes, from one encoder.

    names (k,); patches (m, w): a unit vector a patch; labels (m,): their classes; centres (m, 3) in the encoder's own
    frame; stage: which features they are, see `ShapeEncoder.encode_patches`; usual and limit: what half and 95 % of
    the patches of a known shape stay below when it is compared with the other shapes of the bank.
    """

    names: tuple[str, ...]
    patches: np.ndarray
    labels: np.ndarray
    centres: np.ndarray
    identity: Identity
    stage: str
    usual: float
    limit: float

    @classmethod
    def from_examples(
        cls,
        examples: Mapping[str, Any],
        encoder: Any,
        up: str | Sequence[str] = "y",
        *,
        stage: str = "local",
        batch_size: int = 32,
        seed: int = 0,
        progress: bool = False,
    ) -> PatchBank:
        """From name -> example shapes, in any form that `ShapeEncoder.encode` takes; at least two shapes in all.

        Raises `InputError` for embeddings in place of shapes and for too few shapes, `CloudError` and
        `ShapeFileError` naming the class.
        """
        names = check_examples(examples)
        found = [_encoded(name, examples[name], encoder, up, stage, batch_size, seed, progress) for name in names]
        shapes = np.concatenate([features for features, _ in found])
        places = np.concatenate([centres for _, centres in found])
        labels = np.repeat(np.arange(len(names)), [len(features) for features, _ in found])
        if len(shapes) < 2:
            raise InputError("there is one example shape in all; expected at least two, to tell what is usual")
        count, patches, width = shapes.shape
        rows = unit(shapes.reshape(-1, width), "the patch").astype(np.float32)
        usual, limit = _usual(rows.reshape(count, patches, width), places, encoder.patch_radius)
        return cls(
            names=names,
            patches=rows,
            labels=np.repeat(labels, patches),
            centres=places.reshape(-1, 3),
            identity=identity_of(encoder),
            stage=stage,
            usual=usual,
            limit=limit,
        )


def _encoded(name: str, value: Any, encoder: Any, up: Any, *settings: Any) -> tuple[np.ndarray, np.ndarray]:
    stage, batch_size, seed, progress = settings
    try:
        return encoder.encode_patches(value, up, batch_size, seed, stage, progress)
    except CloudError as error:
        ready = f". Patches need the example shapes themselves, no embeddings of {encoder.embedding_dim} numbers"
        wide = np.ndim(value) in (1, 2) and np.shape(value)[-1] == encoder.embedding_dim
        raise CloudError(f"examples of class {name!r}: {error}{ready if wide else ''}") from error
    except ShapeFileError as error:
        raise ShapeFileError(f"examples of class {name!r}: {error}") from error


def _usual(shapes: np.ndarray, centres: np.ndarray, radius: float) -> tuple[float, float]:
    """Median and 95 % quantile of the novelty of patches (b, p, w) of known shapes, each against all the others."""
    chosen = np.unique(np.linspace(0, len(shapes) - 1, min(COMPARED, len(shapes))).astype(int))
    novelty = []
    for i in chosen:
        others = np.delete(shapes, i, axis=0)
        distance, _ = nearest(shapes[i], others.reshape(-1, shapes.shape[-1]))
        novelty.append(spread(centres[i], centres[i], radius) @ distance[:, 0])
    return float(np.quantile(novelty, 0.5)), float(np.quantile(novelty, KEPT))
