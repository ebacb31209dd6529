"""Timed networks (our encoder, and for PointBERT a plain implementation), their inputs, and their agreement."""

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

WHOLE = ("network",)  # only stage of a network without stages
STAGES = ("sample", "group", "abstract", "transform")  # stages, which are methods of the network
PLAIN_WAYS: dict[str, Any] = {"pointbert": PlainPointBERT}  # architecture -> plain implementation
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
LIMITS = {"float32": 1e-5, "bfloat16": 0.1, "float16": 0.02}  # largest relative difference of embeddings
DENSER = 2  # points of a cloud on disk per point of the network's input
CLASSES, EXAMPLES = 15, 100  # known classes, and examples per class, of the scoring stage


def stages_of(network: Any) -> tuple[str, ...]:
    return STAGES if isinstance(network, StagedNetwork) else WHOLE


def staged(network: Any, points: Tensor) -> Pass:
    """A pass of points (b, n, 6) through a network, stage by stage if it has stages."""

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


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """The encoder's torch settings: no gradients, and no TF32."""
    with torch.inference_mode(), without_tf32(device):
        yield


@dataclass(frozen=True)
class Agreement:
    """Differences between our network and the plain implementation on the same points.

    embedding: largest relative difference of embeddings with the same centers and members; whole: the same, but each
    network computes its centers and members; picked, members: fraction of equal centers, and of equal members;
    reference: largest relative difference to the embeddings of the reference with the same centers.
    """

    embedding: float
    whole: float
    picked: float
    members: float
    reference: float | None = None


def agreement(
    ours: Any, plain: PlainPointBERT, points: Tensor, precision: str, reference: Reference | None = None
) -> Agreement:
    """Compare the networks; raises `OpenShapeError` if embeddings differ by more than the precision's limit.

    Both use the same members, because rounding decides whether points on the surface of a ball belong to it.
    """
    with exact(points.device):
        picked = ours.sample(points)
        centers, members = ours.group(points, picked)
        embedding = ours.transform(centers, ours.abstract(points, centers, members))
        theirs = plain.transform(centers, plain.abstract(points, centers, members))
        result = Agreement(
            embedding=relative(embedding, theirs),
            whole=relative(embedding, plain(points)),
            picked=float((picked == plain.sample(points)).double().mean()),
            members=float((members == plain.group(points, picked)[1]).double().mean()),
            reference=relative(embedding, reference.embed(points, picked)) if reference else None,
        )
    if not result.embedding <= LIMITS[precision]:
        by = f"{result.embedding:.2g} in {precision}, more than {LIMITS[precision]:g}"
        raise OpenShapeError(f"the encoder and the plain implementation differ by {by}: they do not compute the same")
    return result


def relative(a: Tensor, b: Tensor) -> float:
    """Largest norm of a - b over rows (b, d), relative to the norm of b."""
    a, b = a.double(), b.double()
    return float(((a - b).norm(dim=-1) / b.norm(dim=-1)).max())


def write_files(folder: Path, count: int, points: int) -> Mapping[str, list[Path]]:
    """Write generated shapes as colored "clouds" (PLY, DENSER * points points) and as "meshes" (OBJ)."""
    import trimesh

    clouds = [folder / f"{i:03d}.ply" for i in range(count)]
    for path, xyz in zip(clouds, made_up_clouds(count, DENSER * points), strict=True):
        colors = np.asarray(255 * (xyz - xyz.min(axis=0)) / np.maximum(np.ptp(xyz, axis=0), 1e-9), dtype=np.uint8)
        trimesh.PointCloud(xyz, colors=colors).export(path)
    return {"clouds": clouds, "meshes": write_meshes(folder, count)}


def made_up_clouds(count: int, points: int) -> list[np.ndarray]:
    names = categories()
    return [sample(names[i % len(names)], points, i) for i in range(count)]


def prepared(spec: CloudSpec, clouds: Sequence[np.ndarray], points: int) -> np.ndarray:
    """Clouds prepared for a network, (b, n, 6) float32."""
    frame = replace(spec, count=points)
    return np.stack([prepare(cloud, frame, up="y", seed=0, name=f"shape {i}") for i, cloud in enumerate(clouds)])


def read(paths: Sequence[Path], points: int) -> list[np.ndarray]:
    return [load_shape(path, points=points) for path in paths]


def around(encoder: ShapeEncoder, files: Mapping[str, Sequence[Path]], points: int) -> Pass:
    """A pass of the stages before and after the network: read clouds, prepare them, score embeddings, read meshes."""
    draw, labels = np.random.RandomState(0), [f"class {i % CLASSES}" for i in range(CLASSES * EXAMPLES)]
    known = KnownClasses.from_embeddings(draw.normal(size=(len(labels), encoder.dim)), labels, encoder.identity)
    queries, method = draw.normal(size=(len(files["clouds"]), encoder.dim)), default_method(known)
    judge(queries, known, method)  # fit the method before the timing

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
