"""Ensembles: several encoders that act as one. The unit embeddings of all members are concatenated.

The concatenation of m members is scaled by 1 / sqrt(m). The cosine of two ensemble embeddings is then the mean of the m
cosines of the members, even if the members have different widths. Every method, threshold and file handles these
embeddings like embeddings of a single encoder. An ensemble needs no reference shapes for normalization, so a shape has
the same novelty alone and in any batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from openshape_ood.encoders.encoding import CloudEncoder
from openshape_ood.encoders.protocols import Identity, NamesEncoder, PatchEncoder, Patches, Stage
from openshape_ood.registry.ensembles import SIGN, ensemble, together_sha256
from openshape_ood.registry.rows import Row
from openshape_ood.shapes import CloudSpec
from openshape_ood.shapes.points import exchange, prepare, resampled_size
from openshape_ood.shapes.shape import list_shapes

if TYPE_CHECKING:
    import torch


class Member(PatchEncoder, Protocol):
    """Shape encoder of an ensemble; `ShapeEncoder` is one."""

    @property
    def row(self) -> Row: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def precision(self) -> str: ...

    def encode_prepared(self, points: np.ndarray | Sequence[np.ndarray]) -> np.ndarray: ...


class TextMember(NamesEncoder, Protocol):
    """Text encoder of an ensemble; `TextEncoder` is one."""

    @property
    def dim(self) -> int: ...
    @property
    def templates(self) -> tuple[str, ...]: ...
    @property
    def average(self) -> str: ...
    @property
    def aliases(self) -> Mapping[str, Sequence[str]]: ...
    @property
    def weights(self) -> str: ...


class ShapeEnsemble(CloudEncoder):
    """Several shape encoders as one `PatchEncoder`, made by `ShapeEncoder.from_pretrained("vitb32+uni3d-b")`.

    A file is read once, and a surface is sampled once for all members. A member with fewer points gets a subset. If the
    `spec` of a member repeats the points of small clouds, only this member repeats them. If the members have the same
    number of points, each gets the same points as when it is used alone, for any up axis. The methods have the
    arguments and results of `ShapeEncoder`.

    Attributes
    ----------
    members : tuple of Member
        Members in the order of their names.
    temperature : float or None
        Mean temperature of the members; None if one is unknown.
    row : Row
        Registry row of the ensemble.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(sorted(members, key=lambda member: member.row.name))
        self.row = ensemble([member.row for member in self.members])
        digests = [member.identity.sha256 for member in self.members]
        self.identity = Identity(self.row.name, self.row.text.space, together_sha256(digests))
        self.dim, self.spec = sum(member.dim for member in self.members), self.row.spec
        self.device, self.precision = self.members[0].device, self.members[0].precision
        known = [member.temperature for member in self.members if member.temperature is not None]
        self.temperature = float(np.mean(known)) if len(known) == len(self.members) else None

    def encode_patches(
        self,
        shapes: Any,
        *,
        stage: Stage = "tokens",
        up: str | Sequence[str] = "file",
        seed: int = 0,
        batch_size: int = 32,
        progress: bool = False,
    ) -> Patches:
        """Patches of the member with the most patches.

        The features of each patch also contain the features of the nearest patch of every other member. Parameters,
        errors and result are as in `ShapeEncoder.encode_patches`.
        """
        values = [shape.value for shape in list_shapes(shapes)]
        how: dict[str, Any] = {"stage": stage, "up": up, "seed": seed, "batch_size": batch_size, "progress": progress}
        patches = []
        for member in self.members:
            one = member.encode_patches(values, **how)
            patches.append(one._replace(centers=_turned(one.centers, member.spec.up, self.spec.up)))
        lead = max(patches, key=lambda one: one.centers.shape[1])
        parts = [one.features if one is lead else _nearest_features(lead.centers, one) for one in patches]
        return lead._replace(features=_side_by_side(parts))

    def _encode_stacks(self, stacks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for clouds in stacks:
            stacks_of = (np.stack([_own_cloud(cloud, self.spec, m.spec) for cloud in clouds]) for m in self.members)
            yield _side_by_side([m.encode_prepared(of) for m, of in zip(self.members, stacks_of, strict=True)])

    def __repr__(self) -> str:
        return f"ShapeEnsemble({self.identity.checkpoint!r}, d={self.dim}, device={str(self.device)!r})"


class TextEnsemble:
    """Text encoders of the members of an ensemble, as one `NamesEncoder`.

    It is made by `TextEncoder.from_pretrained("vitb32+uni3d-b")`. Members with the same text encoder load it once.

    Attributes
    ----------
    members : tuple of TextMember
        Members in the order of their names. By default, each uses its own templates and average.
    """

    def __init__(self, members: Sequence[TextMember], identity: Identity, average: str) -> None:
        self.members, self.identity, self.average = tuple(members), identity, average
        self.dim = sum(one.dim for one in self.members)
        self.templates = tuple(dict.fromkeys(sentence for one in self.members for sentence in one.templates))
        self.aliases = self.members[0].aliases

    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (k, d) of class names, as from `TextEncoder.encode`."""
        vectors = {one: one.encode(names) for one in dict.fromkeys(self.members)}
        return _side_by_side([vectors[one] for one in self.members])

    def serves(self, name: str) -> bool:
        """True if every member has a vector for the name."""
        return all(getattr(one, "serves", lambda _: True)(name) for one in self.members)

    @cached_property
    def weights(self) -> str:
        """Identifier of the embeddings: the identifiers of all members."""
        return f" {SIGN} ".join(one.weights for one in self.members)

    def __repr__(self) -> str:
        return f"TextEnsemble({self.identity.checkpoint!r}, space={self.identity.space!r}, d={self.dim})"


def _side_by_side(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Concatenated unit vectors (..., d) of m members. A zero vector becomes NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        units = [part / np.linalg.norm(part, axis=-1, keepdims=True) for part in parts]
    return (np.concatenate(units, axis=-1) / math.sqrt(len(parts))).astype(np.float32)


def _own_cloud(cloud: np.ndarray, given: CloudSpec, wanted: CloudSpec) -> np.ndarray:
    """Convert a cloud (n, 6) that is prepared for the spec `given` to the spec `wanted`."""
    if resampled_size(len(cloud), wanted) != len(cloud):
        return prepare(cloud.astype(np.float64), wanted, up=given.up, seed=0, name="the cloud")
    return np.concatenate([exchange(cloud[:, :3], given.up, wanted.up), cloud[:, 3:]], axis=1)


def _turned(centers: np.ndarray, up: str, to: str) -> np.ndarray:
    """Patch centers (b, p, 3) converted to another up axis."""
    return exchange(centers.reshape(-1, 3), up, to).reshape(centers.shape)


def _nearest_features(centers: np.ndarray, of: Patches) -> np.ndarray:
    """Features (b, p, w) of the patches nearest to centers (b, p, 3)."""
    nearest = []
    for places, others, features in zip(centers, of.centers, of.features, strict=True):
        apart = np.linalg.norm(places[:, None].astype(np.float64) - others[None], axis=2)
        nearest.append(features[apart.argmin(axis=1)])
    return np.stack(nearest)
