"""What is asked of encoders, and what says where an embedding or a figure comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from openshape_ood.checks import to_numpy
from openshape_ood.errors import InputError, MixedEncodersError
from openshape_ood.shapes.points import CloudSpec


@dataclass(frozen=True)
class Identity:
    """Whose embeddings these are.

    Attributes
    ----------
    checkpoint : str
        Its name in the registry.
    space : str
        The joint text-shape space, one word for encoders that share it: the text model they were aligned with.
    sha256 : str
        Of the weights of a shape encoder; empty for embeddings of names, which belong to the space as a whole.
    """

    checkpoint: str
    space: str
    sha256: str = ""

    def fits(self, other: Identity) -> bool:
        """Whether embeddings of both may be compared: one checkpoint, or one space where a side is text."""
        if self.sha256 and other.sha256:
            return self.sha256 == other.sha256
        return self.space == other.space

    def check_fits(self, shapes: Identity) -> None:
        """Raises `MixedEncodersError` where known classes of this identity meet shapes of another."""
        if not self.fits(shapes):
            raise MixedEncodersError(
                f"the known classes were embedded by {self}, the shapes by {shapes}; "
                "embeddings of different encoders cannot be compared. Embed both with one encoder"
            )

    def __str__(self) -> str:
        if not self.sha256:
            return f"the text encoder of {self.checkpoint}"
        return f"{self.checkpoint} (sha256 {self.sha256[:8]})"


@dataclass(frozen=True)
class Provenance:
    """What produced a figure: the same in every result, stored row and JSON.

    Attributes
    ----------
    identity : Identity
        The encoder of the rows.
    method : str
        Name of the method that judged them; empty for embeddings that nobody judged yet.
    up : str
        Gravity axis that was asked for: "y", "z" or "x" with an optional "-", "file", or several separated by commas.
    seed, num_samples : int
        Of resampling, and how many samplings of a shape were averaged.
    version : str
        Of this library.
    """

    identity: Identity
    method: str = ""
    up: str = "file"
    seed: int = 0
    num_samples: int = 1
    version: str = ""


class Patches(NamedTuple):
    """Features (b, p, w) float32 of the p patches of b shapes, and their centers (b, p, 3) in the encoder's frame.

    radius: of a patch, in that frame, where the largest norm of a cloud is 1.
    """

    features: np.ndarray
    centers: np.ndarray
    radius: float


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Ready embeddings with an identity: queries that need no encoder.

    Attributes
    ----------
    vectors : (b, d)
        Of any length but zero.
    identity : Identity
    names : tuple of b str
        What each row is called; empty for none.
    """

    vectors: np.ndarray
    identity: Identity
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        vectors = np.asarray(to_numpy(self.vectors))
        if vectors.ndim != 2 or vectors.dtype.kind not in "fiu":
            raise InputError(f"embeddings are {vectors.dtype} of the shape {vectors.shape}; expected numbers (b, d)")
        if len(self.names) not in (0, len(vectors)):
            raise InputError(f"there are {len(self.names)} names of {len(vectors)} embeddings; expected one each")
        object.__setattr__(self, "vectors", vectors)
        object.__setattr__(self, "names", tuple(self.names))

    def __len__(self) -> int:
        return len(self.vectors)


class Encoder(Protocol):
    """All that is asked of a shape encoder; `ShapeEncoder` is one, and a fake is a few lines.

    identity: whose embeddings they are; dim: d; temperature: what cosines with text were divided by in training, None
    where nobody says so.
    """

    @property
    def identity(self) -> Identity: ...
    @property
    def dim(self) -> int: ...
    @property
    def temperature(self) -> float | None: ...

    def encode(
        self,
        shapes: Any,
        *,
        up: str | Sequence[str] = "file",
        seed: int = 0,
        num_samples: int = 1,
        batch_size: int = 32,
        progress: bool = False,
    ) -> np.ndarray:
        """Unit embeddings (b, d) of b shapes."""
        ...


class PatchEncoder(Encoder, Protocol):
    """An encoder that also says what it makes of the patches of a shape.

    spec: what its clouds are like, so that patches and points lie in one frame.
    """

    @property
    def spec(self) -> CloudSpec: ...

    def encode_patches(
        self,
        shapes: Any,
        *,
        stage: Any = "tokens",
        up: str | Sequence[str] = "file",
        seed: int = 0,
        batch_size: int = 32,
        progress: bool = False,
    ) -> Patches: ...


class PointEncoder(Protocol):
    """An encoder of scans: every point in the text space."""

    @property
    def identity(self) -> Identity: ...
    @property
    def dim(self) -> int: ...

    def encode_points(self, scene: Any, *, seed: int = 0, progress: bool = False) -> np.ndarray:
        """Embeddings (n, d) of the n points of a scan."""
        ...


class NamesEncoder(Protocol):
    """All that is asked of a text encoder; `TextEncoder` is one."""

    @property
    def identity(self) -> Identity: ...

    def encode(self, names: Sequence[str]) -> np.ndarray:
        """Unit vectors (k, d) of k class names."""
        ...
