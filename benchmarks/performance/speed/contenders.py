"""Timed networks: our encoder of any architecture; next to a PointBERT the plain way and, if given, a reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.performance.harness import Clock, Pass, write_meshes
from benchmarks.performance.speed.baselines import PlainPointBERT, Reference
from benchmarks.performance.speed.uni3d import PlainUni3D
from openshape_ood.encoders.devices import exact as without_tf32
from openshape_ood.encoders.protocols import StagedNetwork
from openshape_ood.encoders.shape_encoder import ShapeEncoder
from openshape_ood.errors import OpenShapeError
from openshape_ood.known import KnownClasses
from openshape_ood.scoring import default_method, judge
from openshape_ood.shapes import CloudSpec
from openshape_ood.shapes.points import prepare
from openshape_ood.shapes.reading import load_shape
from openshape_ood.synthetic import categories, sample

WHOLE = ("network",)  # the one stage of a network that is not timed in parts
STAGES = ("sample", "group", "abstract", "transform")  # methods of a network that is
PLAIN_WAYS: dict[str, Any] = {
    "pointbert": PlainPointBERT,
    "uni3d": PlainUni3D,
}  # architecture -> the same mathematics, done the plain way
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
BATCHES = 8  # of an overlapped pass
LIMITS = {"float32": 1e-5, "bfloat16": 0.1, "float16": 0.02}  # relative; the lower ones say that nothing is broken
DENSER = 2  # points of a cloud on disk to those that the network takes
CLASSES, EXAMPLES = 15, 100  # of the known classes that are scored against


def stages_of(network: Any) -> tuple[str, ...]:
    return STAGES if isinstance(network, StagedNetwork) else WHOLE


def staged(network: Any, points: Tensor) -> Pass:
    """A pass of points (b, n, 6) through a network, stage by stage where it has them."""

    def run(clock: Clock) -> Any:
        if stages_of(network) == WHOLE:
            embedding = network(points)
            clock.mark(*WHOLE)
            return embedding
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
        for _ in encoder.encode_batches([clouds] * BATCHES):
            pass
        clock.mark("whole")

    return run


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Torch's settings as the encoder has them: no gradients, and float32 that is float32."""
    with torch.inference_mode(), without_tf32(device):
        yield


@dataclass(frozen=True)
class Agreement:
    """Difference between our network and the plain one on the same points.

    embedding: the largest relative difference of embeddings from the same centers and members; whole: each in its own
    way; picked, members: the share of patch centers, and of members of their groups, that are the same; reference: the
    largest relative difference of our embeddings from the reference's, from the same centers.
    """

    embedding: float
    whole: float
    picked: float
    members: float
    reference: float | None = None


def agreement(
    ours: Any, plain: PlainPointBERT, points: Tensor, precision: str, reference: Reference | None = None
) -> Agreement:
    """Raises `OpenShapeError` where the embeddings differ by more than the precision's limit.

    Both get the same members: a point on the rim of a ball, on either side by rounding, is no fault of the layers.
    """
    with exact(points.device):
        picked = ours.sample(points)
        centers, members = ours.group(points, picked)
        embedding = ours.transform(centers, ours.abstract(points, centers, members))
        theirs = plain.transform(centers, plain.abstract(points, centers, members))
        found = Agreement(
            embedding=relative(embedding, theirs),
            whole=relative(embedding, plain(points)),
            picked=float((picked == plain.sample(points)).double().mean()),
            members=float((members == plain.group(points, picked)[1]).double().mean()),
            reference=relative(embedding, reference.embed(points, picked)) if reference else None,
        )
    if not found.embedding <= LIMITS[precision]:
        by = f"{found.embedding:.2g} in {precision}, more than {LIMITS[precision]:g}"
        raise OpenShapeError(f"the encoder and the plain way differ by {by}: they do not compute the same")
    return found


def relative(a: Tensor, b: Tensor) -> float:
    """The largest norm of a difference of rows (b, d), relative to the second's norm."""
    a, b = a.double(), b.double()
    return float(((a - b).norm(dim=-1) / b.norm(dim=-1)).max())


def write_files(folder: Path, count: int, points: int) -> Mapping[str, list[Path]]:
    """The same generated shapes as colored "clouds" of DENSER * points points (PLY) and as "meshes" (OBJ)."""
    import trimesh

    clouds = [folder / f"{i:03d}.ply" for i in range(count)]
    for path, xyz in zip(clouds, made_up_clouds(count, DENSER * points), strict=True):
        colors = np.asarray(255 * (xyz - xyz.min(axis=0)) / np.maximum(np.ptp(xyz, axis=0), 1e-9), dtype=np.uint8)
        trimesh.PointCloud(xyz, colors=colors).export(path)
    return {"clouds": clouds, "meshes": write_meshes(folder, count, seed=0)}


def made_up_clouds(count: int, points: int) -> list[np.ndarray]:
    names = categories()
    return [sample(names[i % len(names)], points, i) for i in range(count)]


def prepared(spec: CloudSpec, clouds: Sequence[np.ndarray], points: int) -> np.ndarray:
    """Clouds as a network takes them, (b, n, 6) float32."""
    frame = replace(spec, count=points)
    return np.stack([prepare(cloud, frame, up="y", seed=0, name=f"shape {i}") for i, cloud in enumerate(clouds)])


def read(paths: Sequence[Path], points: int) -> list[np.ndarray]:
    return [load_shape(path, points=points) for path in paths]


def around(encoder: ShapeEncoder, files: Mapping[str, Sequence[Path]], points: int) -> Pass:
    """Reading the clouds, making them ready, scoring as many embeddings; and reading the meshes, surfaces sampled."""
    draw, labels = np.random.RandomState(0), [f"class {i % CLASSES}" for i in range(CLASSES * EXAMPLES)]
    known = KnownClasses.from_embeddings(draw.normal(size=(len(labels), encoder.dim)), labels, encoder.identity)
    queries, method = draw.normal(size=(len(files["clouds"]), encoder.dim)), default_method(known)
    judge(queries, known, method)  # what is fitted to the known classes is fitted once

    def run(clock: Clock) -> None:
        clouds = read(files["clouds"], points)
        clock.mark("read")
        prepared(encoder.spec, clouds, points)
        clock.mark("prepare")
        judge(queries, known, method)
        clock.mark("score")
        read(files["meshes"], points)
        clock.mark("read meshes")

    return run
