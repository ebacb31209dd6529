"""Ensembles: several encoders as one, whose embedding is that of all members side by side, each a unit vector.

Scaled by 1 / sqrt(m), the cosine of two embeddings, and of a shape with a name, is then the mean of those of the m
members, whatever their widths; so every method, threshold and file takes them as those of a single encoder. The mean
asks for no reference shapes, and a shape has the same novelty alone and in any batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from openshape_ood.encoders.protocols import Identity, Patches, Stage
from openshape_ood.encoders.shape_encoder import Precision, ShapeEncoder
from openshape_ood.encoders.text.encoder import TextEncoder, Vectors
from openshape_ood.registry.ensembles import SIGN, check_no_file, together_sha256
from openshape_ood.registry.rows import Row
from openshape_ood.shapes import CloudSpec
from openshape_ood.shapes.points import exchange, prepare, resampled_size
from openshape_ood.shapes.shape import list_shapes


class ShapeEnsemble(ShapeEncoder):
    """Several shape encoders as one, as `ShapeEncoder.from_pretrained("vitb32+uni3d-b")` gives it.

    A file is read and a surface sampled once for all members; a member that takes fewer points than another gets some
    of the other's, one that repeats what a small cloud has repeats it for itself. Members that take as many, under
    whichever axis, see what they see alone.

    Attributes
    ----------
    members : tuple of ShapeEncoder
        In the order of their names.
    temperature : float or None
        The mean of the members', None where one does not say.
    """

    def __init__(self, row: Row, members: Sequence[ShapeEncoder], precision: Precision = "float32") -> None:
        self.row, self.members = row, tuple(members)
        digests = [member.identity.sha256 for member in members]
        self.identity = Identity(row.name, row.text.space, together_sha256(digests))
        self.dim, self.spec = row.sizes.embedding_dim, row.spec
        self.device, self.precision, self.network = members[0].device, precision, None
        known = [member.temperature for member in members if member.temperature is not None]
        self.temperature = float(np.mean(known)) if len(known) == len(members) else None

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
        """The patches of the member that makes the most of them; beside each, those of the others that lie nearest.

        Parameters, errors and what comes back are as in `ShapeEncoder.encode_patches`.
        """
        values = [shape.value for shape in list_shapes(shapes)]
        how: dict[str, Any] = {"stage": stage, "up": up, "seed": seed, "batch_size": batch_size, "progress": progress}
        found = []
        for member in self.members:
            own = member.encode_patches(values, **how)
            found.append(own._replace(centers=_turned(own.centers, member.spec.up, self.spec.up)))
        lead = max(found, key=lambda own: own.centers.shape[1])
        parts = [own.features if own is lead else _nearest_features(lead.centers, own) for own in found]
        return lead._replace(features=_side_by_side(parts))

    def _encode_stacks(self, stacks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for clouds in stacks:
            own = (np.stack([_own_cloud(cloud, self.spec, m.spec) for cloud in clouds]) for m in self.members)
            yield _side_by_side([m.encode_prepared(of) for m, of in zip(self.members, own, strict=True)])

    def __repr__(self) -> str:
        return f"ShapeEnsemble({self.identity.checkpoint!r}, d={self.dim}, device={str(self.device)!r})"


class TextEnsemble(TextEncoder):
    """The text encoders of the members of an ensemble as one, as `TextEncoder.from_pretrained("vitb32+uni3d-b")` gives
    it; members that share one load it once.

    Attributes
    ----------
    members : tuple of TextEncoder
        In the order of the members' names, each with the templates and average of its own unless others are given.
    """

    def __init__(
        self,
        row: Row,
        *,
        checkpoint: Any = None,
        templates: str | Sequence[str] | None = None,
        average: str | None = None,
        **settings: Any,
    ) -> None:
        check_no_file(row, checkpoint)
        how = {"templates": None if templates == row.text.templates else templates} | settings
        how["average"] = None if average == row.text.average else average
        shared: dict[Any, TextEncoder] = {}
        # a static one lies beside its registry
        keys = [(one.text, one.sizes.embedding_dim, one.text.kind == "static" and one.folder) for one in row.members]
        for key, one in zip(keys, row.members, strict=True):
            shared[key] = shared.get(key) or TextEncoder(one, **how)
        self.members = tuple(shared[key] for key in keys)
        self.identity, self.dim = Identity(row.name, row.text.space), row.sizes.embedding_dim
        self.templates = tuple(dict.fromkeys(sentence for one in self.members for sentence in one.templates))
        self.average = row.text.average if average is None else average
        self.aliases = self.members[0].aliases

    def encode(self, names: Sequence[str]) -> Vectors:
        """Unit vectors (k, d) of class names, as `TextEncoder.encode`."""
        vectors = {one: one.encode(names) for one in dict.fromkeys(self.members)}
        return _side_by_side([vectors[one] for one in self.members])

    @cached_property
    def weights(self) -> str:
        """Whose embeddings these are: those of every member."""
        return f" {SIGN} ".join(one.weights for one in self.members)

    def __repr__(self) -> str:
        return f"TextEnsemble({self.identity.checkpoint!r}, space={self.identity.space!r}, d={self.dim})"


def _side_by_side(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Vectors (..., d) of each of m members, of any length, as unit vectors; what has no direction becomes NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        units = [part / np.linalg.norm(part, axis=-1, keepdims=True) for part in parts]
    return (np.concatenate(units, axis=-1) / math.sqrt(len(parts))).astype(np.float32)


def _own_cloud(cloud: np.ndarray, given: CloudSpec, own: CloudSpec) -> np.ndarray:
    """A cloud (n, 6) that is prepared as `given`, as `own` has it."""
    if resampled_size(len(cloud), own) != len(cloud):
        return prepare(cloud.astype(np.float64), own, up=given.up, seed=0, name="the cloud")
    return np.concatenate([exchange(cloud[:, :3], given.up, own.up), cloud[:, 3:]], axis=1)


def _turned(centers: np.ndarray, up: str, to: str) -> np.ndarray:
    """Centers (b, p, 3) of patches under another axis."""
    return exchange(centers.reshape(-1, 3), up, to).reshape(centers.shape)


def _nearest_features(centers: np.ndarray, of: Patches) -> np.ndarray:
    """Features (b, p, w) of the patches that lie nearest to centers (b, p, 3)."""
    found = []
    for own, others, features in zip(centers, of.centers, of.features, strict=True):
        apart = np.linalg.norm(own[:, None].astype(np.float64) - others[None], axis=2)
        found.append(features[apart.argmin(axis=1)])
    return np.stack(found)
