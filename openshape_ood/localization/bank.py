"""PatchBank: the patches of known shapes, which those of another shape are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import CloudError, InputError, ShapeFileError, UnknownNameError
from openshape_ood.known import check_examples, unit

STAGES = ("local", "tokens")


@dataclass(frozen=True, eq=False)
class MemoryBank:
    features: np.ndarray
    labels: np.ndarray
    centers: np.ndarray
    shapes: np.ndarray
    stage: str
    radius: float


@dataclass(frozen=True, eq=False)
class PatchBank:
    names: tuple[str, ...]
    identity: Identity
    patches: MemoryBank

    def __repr__(self) -> str:
        found = self.patches
        return f"PatchBank({', '.join(self.names)}: {len(found.features)} {found.stage} patches of {self.identity})"

    @classmethod
    def from_examples(
        cls,
        examples: Mapping[str, Any],
        encoder: Any,
        *,
        up: str | Sequence[str] = "file",
        patches: str = "local",
        batch_size: int = 32,
        seed: int = 0,
        progress: bool = False,
    ) -> PatchBank:
        names = check_examples(examples)
        check_encoder(encoder)
        if patches not in STAGES:
            raise UnknownNameError(f"unknown stage {patches!r} of a bank; known: {', '.join(STAGES)}")
        found = [_encoded(name, examples[name], encoder, up, patches, batch_size, seed, progress) for name in names]
        features = np.concatenate([one.features for one in found])
        count, p, width = features.shape
        memory = MemoryBank(
            features=unit(features.reshape(-1, width), "the patch").astype(np.float32),
            labels=np.repeat(np.arange(len(names)), [len(one.features) * p for one in found]),
            centers=np.concatenate([one.centers for one in found]).reshape(-1, 3),
            shapes=np.repeat(np.arange(count), p),
            stage=patches,
            radius=found[0].radius,
        )
        return cls(names, encoder.identity, memory)


def check_encoder(encoder: Any) -> None:
    """Raises `InputError` for what gives no patches."""
    if not hasattr(encoder, "encode_patches"):
        raise InputError(
            f"encoder is {encoder!r:.60}; expected a ShapeEncoder, as ShapeEncoder.from_pretrained(...) gives it"
        )


def _encoded(name: str, value: Any, encoder: Any, up: Any, *settings: Any) -> Any:
    stage, batch_size, seed, progress = settings
    try:
        return encoder.encode_patches(value, up=up, batch_size=batch_size, seed=seed, stage=stage, progress=progress)
    except CloudError as error:
        ready = f". Patches need the example shapes themselves, no embeddings of {encoder.dim} numbers"
        wide = np.ndim(value) in (1, 2) and np.shape(value)[-1] == encoder.dim
        raise CloudError(f"examples of class {name!r}: {error}{ready if wide else ''}") from error
    except ShapeFileError as error:
        raise ShapeFileError(f"examples of class {name!r}: {error}") from error
