"""Protocols of encoders, and the origin of embeddings and results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, get_args, runtime_checkable

import numpy as np

from openshape_ood.checks import array
from openshape_ood.errors import InputError, MixedEncodersError
from openshape_ood.shapes import CloudSpec

if TYPE_CHECKING:
    from torch import Tensor

Stage = Literal["tokens", "projected", "local"]
STAGES = get_args(Stage)


@dataclass(frozen=True)
class Identity:
    """Identity of the encoder that made embeddings.

    Attributes
    ----------
    checkpoint : str
        Name in the registry. For an ensemble: the names of its members, joined by +.
    space : str
        Name of the joint text-shape space. Encoders that were aligned with the same text model have the same space. For
        an ensemble: the spaces of its members, joined by +.
    sha256 : str
        Hash of the weights of the shape encoder. It is empty for embeddings of names, which fit every encoder of the
        space. An ensemble has one joint hash.
    """

    checkpoint: str
    space: str
    sha256: str = ""

    def fits(self, other: Identity) -> bool:
        """True if embeddings of both identities can be compared.

        If both have a hash, the hashes must be equal. Otherwise the spaces must be equal.
        """
        both = self.sha256 and other.sha256
        return self.sha256 == other.sha256 if both else self.space == other.space

    def check_fits(self, shapes: Identity) -> None:
        """Raise `MixedEncodersError` if known classes of this identity cannot be compared with shapes of `shapes`."""
        if not self.fits(shapes):
            raise MixedEncodersError(
                f"the known classes were embedded by {self}, the shapes by {shapes}. "
                "Embeddings of different encoders cannot be compared. Embed both with one encoder."
            )

    def __str__(self) -> str:
        hashed = f"{self.checkpoint} (sha256 {self.sha256[:8]})"
        return hashed if self.sha256 else f"the text encoder of {self.checkpoint}"


ANONYMOUS = Identity("embeddings", "embeddings")  # arrays of unknown origin


@dataclass(frozen=True)
class Provenance:
    """Origin of results. Every result, stored row and JSON document has the same fields.

    Attributes
    ----------
    identity : Identity
        Encoder of the rows.
    method : str
        Scoring method. Empty for embeddings without scores.
    up : str
        Requested gravity axis: "y", "z" or "x" with an optional "-", "file", or several axes separated by commas. For a
        threshold from files: the axis that all files share. Empty for ready embeddings.
    seed : int
        Seed of resampling. 0 for ready embeddings.
    num_samples : int
        Number of samplings of a shape that are averaged. 1 for ready embeddings.
    version : str
        Version of this library.
    """

    identity: Identity
    method: str = ""
    up: str = "file"
    seed: int = 0
    num_samples: int = 1
    version: str = ""

    def as_json(self) -> dict[str, Any]:
        """All fields as strings and numbers, for JSON.

        Examples
        --------
        >>> Provenance(Identity("tiny", "words", "5e"), "knn").as_json()["identity"]
        {'checkpoint': 'tiny', 'space': 'words', 'sha256': '5e'}
        """
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Ready embeddings with their identity. They can be given instead of shapes.

    Parameters
    ----------
    vectors : array (b, d)
        Finite numbers. The vectors can have any norm, because scoring uses only their directions. float32 and float64
        are not converted.
    identity : Identity
        Encoder of the embeddings.
    names : sequence of str, optional
        Names of the b shapes, for messages and tables.
    temperature : float, optional
        Divisor of the cosines between shapes and text in training. Default: None, which means unknown.

    Raises
    ------
    InputError
        If the vectors are not a table of finite numbers, or there are not b names.

    Examples
    --------
    >>> len(Embeddings([[1.0, 0.0], [0.6, 0.8]], Identity("tiny", "words", "5e")))
    2
    """

    vectors: np.ndarray
    identity: Identity
    names: Sequence[str] = field(default=())
    temperature: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.identity, Identity):
            raise InputError(f"identity is {self.identity!r}. Expected an Identity. Give encoder.identity.")
        object.__setattr__(self, "vectors", array(self.vectors, "embeddings", "bd"))
        object.__setattr__(self, "names", tuple(map(str, self.names)))
        if self.names and len(self.names) != len(self.vectors):
            raise InputError(
                f"there are {len(self.names)} names for {len(self.vectors)} embeddings. "
                "Expected one name per embedding. Give as many names."
            )

    def __len__(self) -> int:
        return len(self.vectors)

    def row_names(self) -> tuple[str, ...]:
        """Name of each row. Default: "row 0", "row 1", ..."""
        return tuple(self.names) or tuple(f"row {i}" for i in range(len(self)))


class Patches(NamedTuple):
    """Patches of b shapes.

    `features` are (b, p, w) float32, and `centers` are (b, p, 3). `radius` is one radius for all patches, or the mean
    patch radius of each shape (b,). Centers and radii are in the frame of the encoder, where the largest norm of a
    cloud is 1.
    """

    features: np.ndarray
    centers: np.ndarray
    radius: float | np.ndarray


class Encoder(Protocol):
    """Protocol of a shape encoder. `ShapeEncoder` implements it; a fake for tests needs a few lines.

    `dim` is the width d of the embeddings. `temperature` is the divisor of the cosines between shapes and text in
    training; None if unknown.
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
        """Unit embeddings (b, d) of b shapes, in any form that `shapes.shape.list_shapes` takes.

        `up` is the gravity axis of the data: one for all shapes, or one per shape. `num_samples` is the number of
        embeddings of each shape that are averaged; each has its own resampling seed. `batch_size` and `progress` do not
        change the numbers.
        """


class PatchEncoder(Encoder, Protocol):
    """Encoder that also gives features of patches. `spec` describes its prepared clouds."""

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
    ) -> Patches:
        """Features of the p patches of b shapes.

        The stage "local" depends only on the points of the patch. "tokens" include context from the whole shape.
        "projected" are tokens in the embedding space, with w = d. Centers are in the frame of `spec`: the mean of the
        `spec.count` resampled points is the origin, their largest norm is 1, and `spec.up` is the up axis.
        """


class NamesEncoder(Protocol):
    """Protocol of a text encoder. `TextEncoder` implements it."""

    @property
    def identity(self) -> Identity: ...

    def encode(self, names: Sequence[str]) -> np.ndarray:
        """Unit vectors (k, d) of k class names."""


class Network(Protocol):
    """Protocol of the `torch.nn.Module` that an `Architecture` builds for `ShapeEncoder`.

    There are four optional parts:

    - `patches`, for `encode_patches`. See `PatchNetwork`.
    - `prepare(dtype)`, which prepares the loaded network for inference, in place. Lower precisions need it.
    - The attribute `grouping`. The loader sets it to the functions of the sampler.
    - The four steps of `StagedNetwork`, which overlap on a GPU.
    """

    def __call__(self, points: Tensor) -> Tensor:
        """Embeddings (b, d), not normalized, of clouds (b, n, 6) with xyz in the unit ball and rgb in [0, 1]."""


class PatchNetwork(Network, Protocol):
    """Network that also gives features of patches. `radius` is the radius of a patch, for clouds in the unit ball."""

    @property
    def radius(self) -> float: ...

    def patches(self, points: Tensor, stage: Stage) -> tuple[Tensor, ...]:
        """Map clouds (b, n, 6) to features (b, p, w) of the patches at a stage, and their centers (b, p, 3).

        If patches have no fixed radius, the result also contains their mean radii (b,), instead of the attribute
        `radius`.
        """


@runtime_checkable
class StagedNetwork(Protocol):
    """Network in four steps. On a GPU, the first two consist of many small kernels, so two batches can overlap.

    - `sample` gives the indices (b, p) of the patch centers among points (b, n, 6).
    - `group` gives the centers (b, p, 3), and the indices (b, p, k) of the points of each patch.
    - `abstract` gives patch features (b, p, s).
    - `transform` gives embeddings (b, d).
    """

    def sample(self, points: Tensor) -> Tensor: ...
    def group(self, points: Tensor, picked: Tensor) -> tuple[Tensor, Tensor]: ...
    def abstract(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor: ...
    def transform(self, centers: Tensor, features: Tensor) -> Tensor: ...


ENCODER = ("identity", "dim", "temperature", "encode")


def check_encoders(encoder: Any, text: Any, members: tuple[str, ...] = ENCODER) -> None:
    """Raise `InputError` if the encoder lacks one of `members`, or the text encoder is not a `NamesEncoder`."""
    required = {"encoder": (encoder, members), "text": (text, ("identity", "encode"))}
    for name, (given, members) in required.items():
        lacks = [member for member in members if not hasattr(given, member)]
        if given is not None and lacks:
            raise InputError(
                f"{name} is {given!r:.80}, which has no {' and no '.join(lacks)}. Expected an encoder object. "
                "Give such an object, or the name of a checkpoint as model=."
            )
