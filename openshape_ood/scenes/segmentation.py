"""segment_scene: class and novelty of every point of a scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.checks import check_whole, words
from openshape_ood.decisions.threshold import Threshold, check_threshold
from openshape_ood.encoders.loading import Encoders
from openshape_ood.encoders.protocols import Identity, NamesEncoder, check_encoders
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.novelty import NoveltyPipeline
from openshape_ood.novelty.pipeline import known_classes, settled_method
from openshape_ood.novelty_map import Elements, NoveltyMap
from openshape_ood.registry import find_checkpoint
from openshape_ood.scenes.scene import Scene, as_scene
from openshape_ood.scoring import Method, judge
from openshape_ood.scoring.methods import check_known

if TYPE_CHECKING:
    from openshape_ood.scenes.point_encoder import VoxelEmbeddings

MEMBERS = ("identity", "temperature", "encode_voxels")


def segment_scene(
    scene: Scene,
    known: Sequence[str] | KnownClasses,
    *,
    encoder: Any = None,
    text: NamesEncoder | None = None,
    model: str = "tiny-points",
    method: str | Method | None = None,
    threshold: Threshold | None = None,
    smooth: int = 0,
    device: Any = None,
) -> NoveltyMap:
    """Nearest known class and novelty of every point of a scan.

    Parameters
    ----------
    scene : Scene
        n points in meters, z up.
    known : sequence of k str or KnownClasses
        Names, or classes by example points: `KnownClasses.from_embeddings(vectors, labels, encoder.identity)`.
    encoder : PointEncoder, optional
        Used instead of `model`; pass it for repeated calls.
    text : NamesEncoder, optional
        Text encoder for names. Default: `encoder.text()`.
    model, device : str, optional
        Name of a point encoder in the registry, and its device.
    method : str or Method, optional
        As in `score_novelty`, except for methods that score patches.
    threshold : Threshold, optional
        Threshold for the same encoder and method, such as from `calibrate_marks` on maps of known scans. Default:
        `known.marks`, the threshold for maps, else `known.threshold`.
    smooth : int
        Rounds of smoothing. Each round replaces novelty and similarities of a voxel by the mean over it and its up to
        26 touching voxels. The nearest class is then the one with the largest mean similarity.

    Returns
    -------
    NoveltyMap
        Map of the scan's n points; `.regions()` are its connected novel regions.

    Raises
    ------
    InputError
        For invalid values.
    MixedEncodersError
        For known classes or a threshold of another encoder or embedding space.
    CheckpointError
        For an unusable file of the encoder or its text encoder.
    """
    check_whole(smooth, "smooth", 0)
    scene = as_scene(scene)
    if threshold is not None:
        check_threshold(threshold)
    if isinstance(known, Mapping):
        raise InputError(
            "known is a mapping. Expected a list of names, or KnownClasses. Give KnownClasses.from_embeddings(vectors, "
            "labels, encoder.identity) with vectors of example points."
        )
    ready = known if isinstance(known, KnownClasses) else None
    rule = settled_method(known, method)
    if rule.rows == "patches":
        raise InputError(
            f"method {rule.name!r} scores patches of a shape. Expected a method that scores embeddings. Leave it out, "
            "or give another."
        )
    check_encoders(encoder, text, MEMBERS)
    encoder = encoder or _load(model, device, ready)
    if ready:
        ready.check_fits(encoder.identity)
    if text is not None:  # before the text encoder is loaded
        text.identity.check_fits(encoder.identity)
    encoders = Encoders(encoder=encoder, names=text if text is not None or ready else encoder.text())
    gathered = known_classes(known, rule, encoders)
    gathered.check_fits(encoder.identity)
    check_known(rule, gathered)
    pipeline = NoveltyPipeline(gathered, rule, encoders, up="z").decided(threshold)
    provenance = pipeline.provenance
    threshold = threshold or gathered.marks_for(provenance) or pipeline.threshold
    voxels = encoder.encode_voxels(scene)
    novelty, nearest, similarity = _scored(voxels, gathered, rule, smooth)
    points = scene.points if scene.color is None else np.hstack([scene.points, scene.color])
    classes, rows = words(gathered.names), voxels.inverse
    return NoveltyMap(
        elements=Elements("points", points),
        novelty=novelty[rows],
        nearest=classes[nearest][rows],
        classes=classes,
        baseline=float("nan"),
        threshold=threshold,
        provenance=provenance,
        name=scene.name,
        up="z",
        similarity=similarity[rows],
    )


def _load(model: str, device: Any, known: KnownClasses | None) -> Any:
    """Point encoder `model`. Raises `MixedEncodersError` before any download if known classes do not fit."""
    from openshape_ood.scenes.point_encoder import KIND, PointEncoder

    if known:
        row = find_checkpoint(model, kinds=(KIND,))
        known.check_fits(Identity(row.name, row.text.space, row.source.sha256))
    return PointEncoder.from_pretrained(model, device=device)


def _scored(
    voxels: VoxelEmbeddings, known: KnownClasses, method: Method, smooth: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Novelty (v,), nearest class (v,) and similarity to it (v,) of the voxels."""
    novelty, nearest = np.empty(len(voxels)), np.empty(len(voxels), dtype=np.int64)
    similarity = np.empty(len(voxels), dtype=np.float32)
    # kept only for smoothing: similarities of a million voxels to 200 classes take a gigabyte
    every = np.empty((len(voxels), len(known.names)), dtype=np.float32) if smooth else None
    for rows, embeddings in voxels.blocks():
        scores = judge(embeddings, known, method)
        novelty[rows], nearest[rows] = scores.novelty, scores.nearest
        similarity[rows] = np.take_along_axis(scores.similarity, scores.nearest[:, None], axis=1)[:, 0]
        if every is not None:
            every[rows] = scores.similarity
    if every is None:
        return novelty, nearest, similarity
    for _ in range(smooth):
        novelty, every = _mean_of_touching(voxels, novelty), _mean_of_touching(voxels, every)
    nearest = every.argmax(axis=1)
    return novelty, nearest, np.take_along_axis(every, nearest[:, None], axis=1)[:, 0]


def _mean_of_touching(voxels: VoxelEmbeddings, values: np.ndarray) -> np.ndarray:
    """Mean of values (v, ...) over each voxel and the voxels that touch it."""
    total, count = values.copy(), np.ones(len(values), dtype=values.dtype)
    for _, rows, others in voxels.touching.pairs:
        targets = rows.cpu().numpy()  # no voxel repeats, so += adds every value
        total[targets] += values[others.cpu().numpy()]
        count[targets] += 1
    return total / count.reshape(-1, *[1] * (values.ndim - 1))
