"""score_scene: name, novelty and verdict for every object of a scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from openshape_ood.checks import check_positive, check_whole
from openshape_ood.decisions.threshold import Threshold, check_threshold
from openshape_ood.encoders.loading import Encoders
from openshape_ood.encoders.protocols import Embeddings, Encoder, NamesEncoder, check_encoders
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.novelty import NoveltyPipeline, NoveltyResult
from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.scenes.boxes import Box, size_likelihood
from openshape_ood.scenes.crop_axis import SCANS, with_axes
from openshape_ood.scenes.proposals import Proposals
from openshape_ood.scenes.proposals.choice import contained
from openshape_ood.scenes.proposals.find import check_map, proposed
from openshape_ood.scenes.proposals.frame import Frame
from openshape_ood.scenes.result import NOVEL, SceneObject, SceneResult
from openshape_ood.scenes.scene import Scene, as_scene
from openshape_ood.scoring import Method

CROP = 10_000  # maximum points of an object for the encoder
SIZED = "+size"  # suffix of the method's name with sizes: its thresholds differ from those without


def score_scene(
    scene: Scene,
    known: Sequence[str] | Mapping[str, Any] | KnownClasses | NoveltyPipeline,
    *,
    encoder: Encoder | None = None,
    text: NamesEncoder | None = None,
    model: str | None = None,
    method: str | Method | None = None,
    threshold: Threshold | None = None,
    proposals: str | Proposals | NoveltyMap | Sequence[Any] = "tree",
    most: int | None = None,
    size_weight: float = 0.0,
    sizes: Mapping[str, Any] | None = None,
    points: NoveltyMap | None = None,
    color: bool = False,
    known_up: str | None = None,
    device: Any = None,
    seed: int = 0,
    num_samples: int = 1,
    batch_size: int = 32,
    progress: bool = False,
) -> SceneResult:
    """Find the objects of a scan and score each: position, name, novelty.

    Proposals are cut out of the scan and scored like shapes in `score_novelty`. Objects and names do not depend on the
    order of the points, the origin, or quarter turns about z. `SceneObject.stability` is the reproducibility of an
    object on other voxel grids.

    Parameters
    ----------
    scene : Scene, or points that `Scene` accepts
        n points in meters, z up, as from `load_scene`.
    known : sequence of k str, mapping, KnownClasses or NoveltyPipeline
        As in `score_novelty`; or a prepared pipeline with encoder, method, threshold and sampling.
    encoder, text, model, method, device, seed, num_samples, batch_size, progress
        As in `score_novelty`.
    known_up : str, optional
        Up axis of example shapes. Default: the axis stated by each file, else z with a warning, because examples
        are assumed to be crops of scans. Shapes of `synthetic.sample` are y up.
    threshold : Threshold, optional
        Objects beyond it are "novel" and have the name "new". Default: as in `score_novelty`.
    proposals : {"tree", "contact", "density"}, Proposals, NoveltyMap, or sequence of masks or rows
        Proposal method, see `find_objects`; or a result of `find_objects`; or a map of the points, such as from
        `segment_scene`, whose novel regions are proposals; or your own masks (n,) or rows (m,). Row i of `.result` is
        proposal i; `SceneObject.proposal` is the same index.
    most : int, optional
        Maximum number of objects. Default: 100 for a proposal method, all for given proposals.
    size_weight : float
        The cosine to a class increases by this weight times the log-likelihood (at least -6) of the object's size
        under the class. With 0.1, more real objects got the correct name; of objects with unusual size, fewer did.
    sizes : mapping, optional
        Mean and standard deviation (2, 3) of the logarithms of longer side, shorter side and height in meters, by name.
        Default: sizes of generated shapes.
    points : NoveltyMap, optional
        Novelty map of the same n points; each object reports its agreement with the map.
    color : bool
        Pass the scan's color to the encoder.

    Returns
    -------
    SceneResult

    Raises
    ------
    InputError
        For invalid values, and a scan whose extent is implausible in meters.

    Warns
    -----
    AxisWarning
        If example shapes state no axis, so that z is assumed.

    Examples
    --------
    >>> from openshape_ood.synthetic import sample
    >>> chair, guitar = (sample(name, 4000, seed=1)[:, [0, 2, 1]] for name in ("chair", "guitar"))
    >>> scene = Scene(np.concatenate([chair, guitar + [3, 0, 0]]))
    >>> result = score_scene(scene, ["chair", "sofa"], model="tiny", proposals="contact")
    >>> [(one.nearest, len(one.rows)) for one in result]
    [('sofa', 4000), ('chair', 4000)]
    """
    weight = 0.0 if size_weight == 0 else check_positive(size_weight, "size_weight")
    if sizes is not None and not weight:
        raise InputError(
            "sizes are given, but size_weight is 0, so they have no effect. Expected a weight above 0. Give 0.1."
        )
    if threshold is not None:
        check_threshold(threshold)
    check_encoders(encoder, text)
    scene = as_scene(scene)
    frame = Frame.of(scene)
    if points is not None:
        check_map(points, scene)
    candidates = _proposals(frame, scene, proposals, most)
    how: dict[str, Any] = {"encoder": encoder, "text": text, "model": model, "method": method, "device": device}
    how |= {"seed": seed, "num_samples": num_samples, "batch_size": batch_size, "progress": progress}
    how |= {"threshold": None if weight else threshold, "generated": None if weight else "scans"}
    pipeline = scan_pipeline(known, known_up, how)
    crops = _crops(frame, scene, candidates, color)
    rows: Any = crops or Embeddings(np.empty((0, pipeline.known.dim)), pipeline.provenance.identity)
    result = pipeline(rows)
    boxes = [Box.around(crop[:, :3]) for crop in crops]
    if weight:
        result = _with_sizes(result, boxes, weight, sizes, threshold)
    return _result(scene, frame, candidates, result, boxes, points)


def scan_pipeline(known: Any, known_up: str | None, how: dict[str, Any]) -> NoveltyPipeline:
    """Pipeline for crops, which are z up. how: arguments of `NoveltyPipeline.prepare`."""
    if isinstance(known, NoveltyPipeline):
        return replace(known, up=SCANS, errors="raise")
    axes: Any = known_up
    if isinstance(known, Mapping):
        how = {**how, "encoder": Encoders(how["model"], how["encoder"], device=how["device"]).shape}
        known, axes = with_axes(known, known_up, how["encoder"])
    return NoveltyPipeline.prepare(known, up=SCANS, known_up=axes, **how)


def _proposals(frame: Frame, scene: Scene, given: Any, most: int | None) -> Proposals:
    if isinstance(given, Proposals):
        if given.n != len(scene):
            raise InputError(
                f"the proposals are of {given.n} points, but {scene.name} has {len(scene)}. Expected equal numbers. "
                "Find proposals in this scan."
            )
        if most is not None:
            check_whole(most, "most")
        stability = None if given.stability is None else given.stability[:most]
        kept = given.rows[:most], given.score[:most]
        return replace(given, rows=kept[0], score=kept[1], stability=stability, found=given.found)
    by, regions = (given, None) if isinstance(given, str) else ("tree", given)
    return proposed(frame, scene, by, regions, "shape", most, False)


def _crops(frame: Frame, scene: Scene, proposals: Proposals, color: bool) -> list[np.ndarray]:
    """Points (m, 3|6) of each proposal, in a canonical frame, independent of point order and origin."""
    chosen = [frame.ordered(rows, CROP) for rows in proposals]
    if not color or scene.color is None:
        return [frame.crop(rows) for rows in chosen]
    return [np.hstack([frame.crop(rows), scene.color[rows]]) for rows in chosen]


def _with_sizes(
    result: NoveltyResult, boxes: list[Box], weight: float, sizes: Mapping[str, Any] | None, threshold: Threshold | None
) -> NoveltyResult:
    """Result with size likelihoods added to similarities; novelty falls by the increase of the largest similarity."""
    provenance = replace(result.provenance, method=f"{result.provenance.method}{SIZED} {weight:g}")
    if threshold is not None:
        threshold.check_fits(provenance)
    if not boxes:
        return replace(result, provenance=provenance, threshold=threshold)
    similarity = result.similarity + weight * size_likelihood(boxes, result.classes.tolist(), sizes)
    novelty = result.novelty + result.similarity.max(axis=1) - similarity.max(axis=1)
    nearest = result.classes[similarity.argmax(axis=1)]
    return replace(
        result, novelty=novelty, nearest=nearest, similarity=similarity, provenance=provenance, threshold=threshold
    )


def _result(
    scene: Scene, frame: Frame, proposals: Proposals, result: NoveltyResult, boxes: list[Box], points: NoveltyMap | None
) -> SceneResult:
    order = np.argsort(-result.novelty, kind="stable")
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(1, len(order) + 1)
    inside = contained(proposals.rows, len(scene))
    names = tuple(f"object {one}" for one in number)
    embeddings = result.embeddings and replace(result.embeddings, names=names)
    whole = np.arange(len(names))
    for i in sorted(range(len(names)), key=lambda i: -len(proposals.rows[i])):  # largest first
        whole[i] = i if inside[i] < 0 else whole[inside[i]]
    result = replace(result, shapes=names, up=("z",) * len(names), embeddings=embeddings, groups=tuple(whole.tolist()))
    records = result.records()
    objects = []
    for i in order.tolist():
        record, box, nearest = records[i], boxes[i], records[i]["nearest"]
        turn = frame.outward(np.array([np.cos(box.yaw), np.sin(box.yaw), 0.0]))
        yaw = float((np.arctan2(turn[1], turn[0]) + np.pi / 2) % np.pi - np.pi / 2)
        one = SceneObject(
            number=int(number[i]),
            rows=proposals.rows[i],
            box=Box(frame.place(box.center), box.size, yaw),
            nearest=nearest,
            name=NOVEL if record["verdict"] == "novel" else nearest,
            similarity=record["similarity"],
            novelty=record["novelty"],
            verdict=record["verdict"],
            p_value=record["p_value"],
            proposal=i,
            stability=None if proposals.stability is None else float(proposals.stability[i]),
            part_of=None if inside[i] < 0 else int(number[inside[i]]),
        )
        objects.append(one if points is None else _compared(one, points))
    numbers = np.zeros(len(scene), dtype=np.int64)
    for plane in proposals.layout:
        numbers[plane.rows] = -1
    # smallest last, so that a point of nested objects gets the innermost one
    for i in sorted(range(len(proposals)), key=lambda i: -len(proposals.rows[i])):
        numbers[proposals.rows[i]] = number[i]
    return SceneResult(scene, tuple(objects), numbers, proposals, result)


def _compared(one: SceneObject, points: NoveltyMap) -> SceneObject:
    agree = None if points.nearest is None else float((points.nearest[one.rows] == one.nearest).mean())
    return replace(one, agreement=agree, point_novelty=float(points.novelty[one.rows].mean()))
