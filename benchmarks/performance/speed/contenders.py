"""What is timed: our network, the plain way and, where given, the reference, all with the same made-up weights."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from benchmarks.performance.speed.clock import Clock, Pass, exact
from benchmarks.performance.speed.plain import PlainPointBERT
from benchmarks.performance.speed.reference import Reference
from openshape_ood.encoders.pipeline import embed_batches
from openshape_ood.errors import OpenShapeError
from openshape_ood.registry.rows import Row

if TYPE_CHECKING:
    from openshape_ood import ShapeEncoder
    from openshape_ood.encoders.shape_encoder import Precision

STAGES = ("sample", "group", "abstract", "transform")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
BATCHES = 8  # of an overlapped pass
LIMIT = 1e-5  # relative, in float32
LIMITS = {"float32": LIMIT, "bfloat16": 0.1, "float16": 0.02}  # the lower ones only say that nothing is broken


class Staged(Protocol):
    """A network that can be run stage by stage."""

    def sample(self, points: Tensor) -> Tensor: ...
    def group(self, points: Tensor, picked: Tensor) -> tuple[Tensor, Tensor]: ...
    def abstract(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor: ...
    def transform(self, centers: Tensor, features: Tensor) -> Tensor: ...


def load_ours(
    row: Row, weights: Mapping[str, Tensor], device: torch.device, precision: Precision
) -> ShapeEncoder:
    """Our encoder through the real loader, so that whatever is made ready on loading is ready."""
    from safetensors.torch import save_file

    from openshape_ood import ShapeEncoder

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.safetensors")
        save_file({row.keys.prefix + key: tensor for key, tensor in weights.items()}, path)
        return ShapeEncoder.from_pretrained(row.name, checkpoint=path, device=device, precision=precision)


def staged(network: Staged, points: Tensor) -> Pass:
    """A pass of points (b, n, 6) through a network's four stages."""

    def run(clock: Clock) -> Tensor:
        picked = network.sample(points)
        clock.mark("sample")
        centers, members = network.group(points, picked)
        clock.mark("group")
        features = network.abstract(points, centers, members)
        clock.mark("abstract")
        embedding = network.transform(centers, features)
        clock.mark("transform")
        return embedding

    return run


def overlapped(encoder: ShapeEncoder, points: Tensor) -> Pass:
    """BATCHES times the same batch as users get it, from the host's memory and back, stages overlapping on a GPU."""
    clouds = points.cpu().numpy()

    def run(clock: Clock) -> None:
        for _ in embed_batches(encoder.network, [clouds] * BATCHES, encoder.device):
            pass
        clock.mark("whole")

    return run


@dataclass(frozen=True)
class Agreement:
    """How far our network and the plain one are from each other on the same points.

    embedding: the largest relative difference of an embedding from the same centers and members; whole: of the whole
    pass each in its own way; picked and members: the share of patch centers, and of members of the same centers'
    groups, that are the same. reference: the largest relative difference of our embeddings from the reference's, given
    the same centers; None where there is none.
    """

    embedding: float
    whole: float
    picked: float
    members: float
    reference: float | None = None

    def as_json(self) -> dict[str, float | None]:
        return asdict(self)


def agreement(
    ours: Staged, plain: PlainPointBERT, points: Tensor, precision: str, reference: Reference | None = None
) -> Agreement:
    """Raises `OpenShapeError` where the embeddings differ by more than the precision's limit.

    The same members are given to both: a point on the rim of a ball, whose distance rounds to either side of the
    radius, is no fault of the layers behind. `whole` says what such points make of it.
    """
    with exact(points.device):
        picked = ours.sample(points)
        centers, members = ours.group(points, picked)
        embedding = ours.transform(centers, ours.abstract(points, centers, members))
        theirs = plain.transform(centers, plain.abstract(points, centers, members))
        found = Agreement(
            embedding=relative(embedding, theirs),
            whole=relative(embedding, plain(points)),
            picked=_same(picked, plain.sample(points)),
            members=_same(members, plain.group(points, picked)[1]),
            reference=relative(embedding, reference.embed(points, picked)) if reference else None,
        )
    if not found.embedding <= LIMITS[precision]:
        raise OpenShapeError(
            f"the encoder and the plain way differ by {found.embedding:.2g} in {precision}, more than "
            f"{LIMITS[precision]:g}: they do not compute the same, so their times say nothing"
        )
    return found


def relative(a: Tensor, b: Tensor) -> float:
    """The largest norm of a difference of rows (b, d), relative to the second's norm."""
    a, b = a.double(), b.double()
    return float(((a - b).norm(dim=-1) / b.norm(dim=-1)).max())


def _same(a: Tensor, b: Tensor) -> float:
    return float((a == b).double().mean())
