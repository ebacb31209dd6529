"""PatchBank: the patches of known shapes, which those of another shape are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import CloudError, InputError, ShapeFileError, UnknownNameError
from openshape_ood.known import check_examples, unit
from openshape_ood.localization.interpolation import spread
from openshape_ood.scoring.neighbors import nearest

COMPARED = 32  # shapes that say what is usual; more say the same, and each searches the whole bank
KEPT = 0.95
STAGES = ("local", "tokens")


@dataclass(frozen=True, eq=False)
class PatchBank:
    """Patches of example shapes of k known classes, from one encoder.

    What is usual is told by comparing the examples with one another: 40 and more a class are needed to tell it well; of
    five chairs each is strange beside the other four, and then nothing looks novel.

    names (k,); patches (m, w): a unit vector a patch; labels (m,): their classes; centers (m, 3) in the encoder's own
    frame; stage: which features they are, see `ShapeEncoder.encode_patches`; usual and limit: what half and 95 % of
    the patches of a known shape stay below when it is compared with the other shapes of the bank.
    """

    names: tuple[str, ...]
    patches: np.ndarray
    labels: np.ndarray
    centers: np.ndarray
    identity: Identity
    stage: str
    usual: float
    limit: float

    def __repr__(self) -> str:
        return f"PatchBank({', '.join(self.names)}: {len(self.patches)} {self.stage} patches of {self.identity})"

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
        """From name -> example shapes, in any form that `ShapeEncoder.encode` takes.

        Raises `InputError` where no class has two different shapes, and for embeddings in place of shapes; `CloudError`
        and `ShapeFileError` naming the class.
        """
        names = check_examples(examples)
        check_encoder(encoder)
        if stage not in STAGES:
            raise UnknownNameError(f"unknown stage {stage!r} of a bank; known: {', '.join(STAGES)}")
        found = [_encoded(name, examples[name], encoder, up, stage, batch_size, seed, progress) for name in names]
        shapes = np.concatenate([features for features, _ in found])
        places = np.concatenate([centers for _, centers in found])
        labels = np.repeat(np.arange(len(names)), [len(features) for features, _ in found])
        count, patches, width = shapes.shape
        rows = unit(shapes.reshape(-1, width), "the patch").astype(np.float32)
        usual, limit = _usual(rows.reshape(count, patches, width), labels, places, encoder.row.sizes.radius)
        return cls(
            names=names,
            patches=rows,
            labels=np.repeat(labels, patches),
            centers=places.reshape(-1, 3),
            identity=encoder.identity,
            stage=stage,
            usual=usual,
            limit=limit,
        )


def check_encoder(encoder: Any) -> None:
    """Raises `InputError` for what gives no patches."""
    if not hasattr(encoder, "encode_patches"):
        raise InputError(
            f"encoder is {encoder!r:.60}; expected a ShapeEncoder, as ShapeEncoder.from_pretrained(...) gives it"
        )


def _encoded(name: str, value: Any, encoder: Any, up: Any, *settings: Any) -> tuple[np.ndarray, np.ndarray]:
    stage, batch_size, seed, progress = settings
    try:
        return encoder.encode_patches(value, up=up, batch_size=batch_size, seed=seed, stage=stage, progress=progress)[
            :2
        ]
    except CloudError as error:
        ready = f". Patches need the example shapes themselves, no embeddings of {encoder.dim} numbers"
        wide = np.ndim(value) in (1, 2) and np.shape(value)[-1] == encoder.dim
        raise CloudError(f"examples of class {name!r}: {error}{ready if wide else ''}") from error
    except ShapeFileError as error:
        raise ShapeFileError(f"examples of class {name!r}: {error}") from error


def _usual(shapes: np.ndarray, labels: np.ndarray, centers: np.ndarray, radius: float) -> tuple[float, float]:
    """Median and 95 % quantile of the novelty of patches (b, p, w) of known shapes, each against all other shapes.

    labels (b,): the classes. Copies of a shape count as that shape, and a class of one says nothing about its like.
    """
    _, first, owner = np.unique(shapes.reshape(len(shapes), -1), axis=0, return_index=True, return_inverse=True)
    originals = np.sort(first)
    told = [i for i in originals if (labels[originals] == labels[i]).sum() > 1]
    if not told:
        raise InputError(
            "no class has two different example shapes; expected at least two of one, to tell what is usual"
        )
    novelty = []
    for i in (told[j] for j in np.unique(np.linspace(0, len(told) - 1, min(COMPARED, len(told))).astype(int))):
        others = shapes[owner.reshape(-1) != owner.reshape(-1)[i]]
        distance, _ = nearest(shapes[i], others.reshape(-1, shapes.shape[-1]))
        novelty.append(spread(centers[i], centers[i], radius) @ distance[:, 0])
    return float(np.quantile(novelty, 0.5)), float(np.quantile(novelty, KEPT))
