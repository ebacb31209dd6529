"""What is asked of encoders, and what says where an embedding or a figure comes from."""

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
    """Whose embeddings these are.

    checkpoint: its name in the registry; space: the joint text-shape space, one word for encoders that share it, the
    text model they were aligned with; sha256: of the weights of a shape encoder, empty for embeddings of names, which
    belong to the space as a whole. An ensemble has the names and spaces of its members, joined by +, and one sha256 for
    theirs.
    """

    checkpoint: str
    space: str
    sha256: str = ""

    def fits(self, other: Identity) -> bool:
        """Whether embeddings of both may be compared: one checkpoint, or one space where a side is text."""
        both = self.sha256 and other.sha256
        return self.sha256 == other.sha256 if both else self.space == other.space

    def check_fits(self, shapes: Identity) -> None:
        """Raises `MixedEncodersError` where known classes of this identity meet shapes of another."""
        if not self.fits(shapes):
            raise MixedEncodersError(
                f"the known classes were embedded by {self}, the shapes by {shapes}; "
                "embeddings of different encoders cannot be compared. Embed both with one encoder"
            )

    def __str__(self) -> str:
        own = f"{self.checkpoint} (sha256 {self.sha256[:8]})"
        return own if self.sha256 else f"the text encoder of {self.checkpoint}"


ANONYMOUS = Identity("embeddings", "embeddings")  # of arrays of which nobody says what made them


@dataclass(frozen=True)
class Provenance:
    """What produced a figure: the same in every result, stored row and JSON.

    identity: the encoder of the rows; method: what judged them, empty for embeddings that nobody judged yet; up:
    gravity axis that was asked for, "y", "z" or "x" with an optional "-", "file", or several separated by commas; of a
    threshold from files the axis that all were read with; seed: of resampling; num_samples: how many samplings of a
    shape were averaged; version: of this library. Of ready embeddings, which do not tell, up is empty, seed 0 and
    num_samples 1.
    """

    identity: Identity
    method: str = ""
    up: str = "file"
    seed: int = 0
    num_samples: int = 1
    version: str = ""

    def as_json(self) -> dict[str, Any]:
        """The same as a table of texts and numbers.

        Examples
        --------
        >>> Provenance(Identity("tiny", "words", "5e"), "knn").as_json()["identity"]
        {'checkpoint': 'tiny', 'space': 'words', 'sha256': '5e'}
        """
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Ready embeddings and whose they are: what takes shapes takes these in their place.

    Parameters
    ----------
    vectors : array (b, d)
        Finite numbers of any length; scoring takes their directions. Kept as they are if float32 or float64.
    identity : Identity
        The encoder that made them.
    names : sequence of str, optional
        Of the b shapes, for messages and tables.
    temperature : float, optional
        What the encoder divided cosines with text by in training; None if that is unknown.

    Raises
    ------
    InputError
        For anything but a table of finite numbers, and for names that are not b.

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
            raise InputError(f"identity is {self.identity!r}; expected that of the encoder, encoder.identity")
        object.__setattr__(self, "vectors", array(self.vectors, "embeddings", "bd"))
        object.__setattr__(self, "names", tuple(map(str, self.names)))
        if self.names and len(self.names) != len(self.vectors):
            raise InputError(f"there are {len(self.names)} names of {len(self.vectors)} embeddings; expected one each")

    def __len__(self) -> int:
        return len(self.vectors)

    def row_names(self) -> tuple[str, ...]:
        """A name a row, "row 0" and so on where none are given."""
        return tuple(self.names) or tuple(f"row {i}" for i in range(len(self)))


class Patches(NamedTuple):
    """Features (b, p, w) float32 of the p patches of b shapes; their centers (b, p, 3) and radius, one for all or the
    mean of each shape (b,), in the encoder's own frame, where the largest norm of a cloud is 1."""

    features: np.ndarray
    centers: np.ndarray
    radius: float | np.ndarray


class Encoder(Protocol):
    """All that is asked of a shape encoder; `ShapeEncoder` is one, and a fake is a few lines.

    dim: d; temperature: what cosines with text were divided by in training, None where nobody says so.
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
        """Unit embeddings (b, d) of b shapes, of whatever `shapes.shape.list_shapes` takes.

        up: gravity axis of the data, one or one a shape; num_samples: how many embeddings of each shape are averaged,
        every one resampled with a seed of its own; batch_size and progress do not change the numbers.
        """


class PatchEncoder(Encoder, Protocol):
    """An encoder that also says what it makes of the patches of a shape; spec: what its clouds are like."""

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
        """What it makes of the p patches of b shapes.

        stage: "local", of a patch's points alone; "tokens", with the whole shape in view; "projected", tokens in the
        space of the embeddings, w = d. Centers are in the frame of `spec`: the mean of the `spec.count` resampled
        points at the origin, their largest norm 1, and the axis `spec.up` upwards.
        """


class NamesEncoder(Protocol):
    """All that is asked of a text encoder; `TextEncoder` is one."""

    @property
    def identity(self) -> Identity: ...

    def encode(self, names: Sequence[str]) -> np.ndarray:
        """Unit vectors (k, d) of k class names."""


class Network(Protocol):
    """All that `ShapeEncoder` asks of the `torch.nn.Module` that an `Architecture` builds.

    What it also offers is used: `patches`, for `encode_patches` (`PatchNetwork`); `prepare(dtype)`, once the weights
    are in, to make ready for inference in place, which lower precisions need; the attribute `grouping`, set to the
    functions of the sampler that was asked for; and the four steps of `StagedNetwork`, which overlap on a GPU.
    """

    def __call__(self, points: Tensor) -> Tensor:
        """Clouds (b, n, 6), xyz in the unit ball and rgb in [0, 1] -> embeddings (b, d) of any length."""


class PatchNetwork(Network, Protocol):
    """A network that also gives features of patches; radius: of a patch, in the unit ball."""

    @property
    def radius(self) -> float: ...

    def patches(self, points: Tensor, stage: Stage) -> tuple[Tensor, ...]:
        """(b, n, 6) -> features (b, p, w) of the patches at a stage, and their centers (b, p, 3).

        Where patches have no fixed radius also theirs on average (b,), in place of the attribute `radius`.
        """


@runtime_checkable
class StagedNetwork(Protocol):
    """A network in four steps, of which the first two are many small ones that leave a GPU room for the next batch.

    sample: points (b, n, 6) -> which are patch centers (b, p); group: centers (b, p, 3) and members (b, p, k), the
    points of each patch; abstract: a feature a patch (b, p, s); transform: embeddings (b, d).
    """

    def sample(self, points: Tensor) -> Tensor: ...
    def group(self, points: Tensor, picked: Tensor) -> tuple[Tensor, Tensor]: ...
    def abstract(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor: ...
    def transform(self, centers: Tensor, features: Tensor) -> Tensor: ...


ENCODER = ("identity", "dim", "temperature", "encode")


def check_encoders(encoder: Any, text: Any, members: tuple[str, ...] = ENCODER) -> None:
    """Raises `InputError` for what is no encoder with these members, or no `NamesEncoder`, where one is given."""
    asked = {"encoder": (encoder, members), "text": (text, ("identity", "encode"))}
    for name, (given, members) in asked.items():
        lacks = [member for member in members if not hasattr(given, member)]
        if given is not None and lacks:
            raise InputError(
                f"{name} is {given!r:.80}, which has no {' and no '.join(lacks)}; encoder and text are objects, "
                "not names; give the name of a checkpoint as model="
            )
