"""Protocols of encoders, and the origin of embeddings and figures."""

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
    """Origin of embeddings.

    checkpoint: name in the registry; space: name of the joint text-shape space, shared by encoders that were aligned
    with the same text model; sha256: of a shape encoder's weights, empty for embeddings of names, which belong to the
    space as a whole. An ensemble has the names and spaces of its members, joined by +, and one joint sha256.
    """

    checkpoint: str
    space: str
    sha256: str = ""

    def fits(self, other: Identity) -> bool:
        """True if embeddings of both can be compared: same checkpoint, or same space if one side is text."""
        both = self.sha256 and other.sha256
        return self.sha256 == other.sha256 if both else self.space == other.space

    def check_fits(self, shapes: Identity) -> None:
        """Raise `MixedEncodersError` if known classes of this identity meet shapes of another."""
        if not self.fits(shapes):
            raise MixedEncodersError(
                f"the known classes were embedded by {self}, the shapes by {shapes}; "
                "embeddings of different encoders cannot be compared. Embed both with one encoder"
            )

    def __str__(self) -> str:
        hashed = f"{self.checkpoint} (sha256 {self.sha256[:8]})"
        return hashed if self.sha256 else f"the text encoder of {self.checkpoint}"


ANONYMOUS = Identity("embeddings", "embeddings")  # arrays of unknown origin


@dataclass(frozen=True)
class Provenance:
    """Origin of a figure, equal in every result, stored row and JSON.

    identity: encoder of the rows; method: scoring method, empty for embeddings without scores; up: requested gravity
    axis, "y", "z" or "x" with an optional "-", "file", or several separated by commas (of a threshold from files: the
    common axis of all files); seed: of resampling; num_samples: averaged samplings of a shape; version: of this
    library. For ready embeddings up is empty, seed 0 and num_samples 1.
    """

    identity: Identity
    method: str = ""
    up: str = "file"
    seed: int = 0
    num_samples: int = 1
    version: str = ""

    def as_json(self) -> dict[str, Any]:
        """Table of strings and numbers for JSON.

        Examples
        --------
        >>> Provenance(Identity("tiny", "words", "5e"), "knn").as_json()["identity"]
        {'checkpoint': 'tiny', 'space': 'words', 'sha256': '5e'}
        """
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Ready embeddings with their identity, accepted in place of shapes.

    Parameters
    ----------
    vectors : array (b, d)
        Finite numbers of any length; scoring uses directions. float32 and float64 stay as they are.
    identity : Identity
        Encoder of the embeddings.
    names : sequence of str, optional
        Names of the b shapes, for messages and tables.
    temperature : float, optional
        Divisor of cosines with text in training. Default: None, unknown.

    Raises
    ------
    InputError
        Vectors are no table of finite numbers, or there are not b names.

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
            raise InputError(f"identity is {self.identity!r}. Expected the encoder's. Give encoder.identity")
        object.__setattr__(self, "vectors", array(self.vectors, "embeddings", "bd"))
        object.__setattr__(self, "names", tuple(map(str, self.names)))
        if self.names and len(self.names) != len(self.vectors):
            raise InputError(f"there are {len(self.names)} names of {len(self.vectors)} embeddings; expected one each")

    def __len__(self) -> int:
        return len(self.vectors)

    def row_names(self) -> tuple[str, ...]:
        """Name of each row. Default: "row 0", "row 1", ..."""
        return tuple(self.names) or tuple(f"row {i}" for i in range(len(self)))


class Patches(NamedTuple):
    """Patches of b shapes.

    features (b, p, w) float32; centers (b, p, 3); radius, one for all or the mean of each shape (b,). Centers and radii
    are in the encoder's frame, where the largest norm of a cloud is 1."""

    features: np.ndarray
    centers: np.ndarray
    radius: float | np.ndarray


class Encoder(Protocol):
    """Protocol of a shape encoder; `ShapeEncoder` implements it, and a fake takes a few lines.

    dim: d; temperature: divisor of cosines with text in training, None if unknown.
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

        up: gravity axis of the data, one or one a shape; num_samples: averaged embeddings of each shape, each resampled
        with its own seed; batch_size and progress do not change the numbers.
        """


class PatchEncoder(Encoder, Protocol):
    """Encoder with features of patches; spec: form of its clouds."""

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

        stage: "local", from a patch's points alone; "tokens", with context of the whole shape; "projected", tokens in
        the embedding space, w = d. Centers are in the frame of `spec`: the mean of the `spec.count` resampled points at
        the origin, their largest norm 1, the axis `spec.up` upwards.
        """


class NamesEncoder(Protocol):
    """Protocol of a text encoder; `TextEncoder` implements it."""

    @property
    def identity(self) -> Identity: ...

    def encode(self, names: Sequence[str]) -> np.ndarray:
        """Unit vectors (k, d) of k class names."""


class Network(Protocol):
    """Protocol of the `torch.nn.Module` that an `Architecture` builds for `ShapeEncoder`.

    Optional members: `patches`, for `encode_patches` (`PatchNetwork`); `prepare(dtype)`, which makes the loaded network
    ready for inference in place and is needed for lower precisions; the attribute `grouping`, set to the functions of
    the sampler; and the four steps of `StagedNetwork`, which overlap on a GPU.
    """

    def __call__(self, points: Tensor) -> Tensor:
        """Embeddings (b, d) of any length, of clouds (b, n, 6) with xyz in the unit ball and rgb in [0, 1]."""


class PatchNetwork(Network, Protocol):
    """Network with features of patches; radius: of a patch, in the unit ball."""

    @property
    def radius(self) -> float: ...

    def patches(self, points: Tensor, stage: Stage) -> tuple[Tensor, ...]:
        """Map (b, n, 6) to features (b, p, w) of the patches at a stage and their centers (b, p, 3).

        If patches have no fixed radius, also their mean radii (b,), in place of the attribute `radius`.
        """


@runtime_checkable
class StagedNetwork(Protocol):
    """Network in four steps. The first two consist of many small kernels, so a GPU can run the next batch beside them.

    sample: points (b, n, 6) -> indices of patch centers (b, p); group: centers (b, p, 3) and members (b, p, k), the
    points of each patch; abstract: patch features (b, p, s); transform: embeddings (b, d).
    """

    def sample(self, points: Tensor) -> Tensor: ...
    def group(self, points: Tensor, picked: Tensor) -> tuple[Tensor, Tensor]: ...
    def abstract(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor: ...
    def transform(self, centers: Tensor, features: Tensor) -> Tensor: ...


ENCODER = ("identity", "dim", "temperature", "encode")


def check_encoders(encoder: Any, text: Any, members: tuple[str, ...] = ENCODER) -> None:
    """Raise `InputError` for an encoder without these members, or a text encoder that is no `NamesEncoder`."""
    required = {"encoder": (encoder, members), "text": (text, ("identity", "encode"))}
    for name, (given, members) in required.items():
        lacks = [member for member in members if not hasattr(given, member)]
        if given is not None and lacks:
            raise InputError(
                f"{name} is {given!r:.80}, which has no {' and no '.join(lacks)}; encoder and text are objects, "
                "not names; give the name of a checkpoint as model="
            )
