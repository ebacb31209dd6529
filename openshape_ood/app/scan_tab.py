"""Tab for scans of rooms: reading and object search in a child process, and a generated scan."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.app.fair_queue import Visitor
from openshape_ood.app.quotas import MAX_ROOM_POINTS, ROOM_SECONDS
from openshape_ood.app.session import Shape
from openshape_ood.app.uploads import NOBODY, Answer, kept_rows, read_sealed
from openshape_ood.novelty import NoveltyResult
from openshape_ood.scenes import Proposals, Scene, SceneResult, find_objects, load_scene
from openshape_ood.scenes.proposals.layout import Plane

ANSWERED = 100 * MAX_ROOM_POINTS  # maximum bytes of an answer: position, color and object of each point
GENERATED = "a generated room"
FURNITURE, FOREIGN = ("chair", "sofa", "table", "bed", "cabinet"), "bicycle"


@dataclass(frozen=True, eq=False)
class ScanInput:
    """Scan on the page, with its object proposals.

    scene: the scan, with at most `MAX_ROOM_POINTS` points. remarks: remarks from reading. up: axis chosen by the
    visitor; "file" means the axis that the file states.
    """

    scene: Scene
    proposals: Proposals
    remarks: tuple[str, ...] = ()
    up: str = "file"

    @property
    def nbytes(self) -> int:
        planes = (plane.rows for plane in self.proposals.layout)
        arrays = (self.scene.points, self.scene.color, *self.proposals, *planes)
        return sum(array.nbytes for array in arrays if array is not None)


@lru_cache(maxsize=1)
def generated() -> ScanInput:
    """Generated scan of furniture and one foreign object."""
    from openshape_ood.synthetic.rooms import room

    scene = replace(room(3, categories=FURNITURE, foreign=[FOREIGN]).scene, labels=None, instances=None, name=GENERATED)
    return ScanInput(scene, find_objects(scene), (f"Generated: {', '.join(FURNITURE)} and one {FOREIGN}.",))


def object_shapes(result: SceneResult) -> list[Shape]:
    """Objects of a scan as shapes, most novel first."""
    points = result.scene.points
    return [
        Shape(f"object {one.number}", points[one.rows], f"{len(one.rows):,} points, z is up", "z") for one in result
    ]


def object_result(result: SceneResult) -> NoveltyResult:
    """Result for the objects, in the order of `object_shapes`, without embeddings."""
    proposals, rows = result.result, np.array([one.proposal for one in result], dtype=np.int64)
    arrays = {name: getattr(proposals, name)[rows] for name in ("novelty", "nearest", "similarity")}
    return replace(proposals, **arrays, shapes=tuple(proposals.shapes[i] for i in rows), embeddings=None)


def read_scan(path: Path, visitor: Visitor = NOBODY, up: str = "file", unit: str = "file", **bounds: Any) -> ScanInput:
    """Read an uploaded scan and find its objects. up, unit: as in `load_scene`. bounds: limits for `read_sealed`."""
    how: dict[str, Any] = {"settings": {"up": up, "unit": unit}, "what": "scan", "least": ROOM_SECONDS, **bounds}
    return replace(read_sealed(_read, path, visitor, _checked, most=ANSWERED, **how), up=up)


def _checked(answer: Any, points: np.ndarray, members: np.ndarray, *color: np.ndarray, name: str) -> ScanInput:
    """Validate the answer of `_read`, and make the result from it."""
    scene = Scene(points, *color, name=name)
    rows, sizes = members.astype(np.int64), [int(size) for size in answer["sizes"]]
    inside = rows.ndim == 1 and ((rows >= 0) & (rows < len(scene))).all()
    if not inside or min(sizes, default=1) < 1 or sum(sizes) != len(rows) or len(scene) > MAX_ROOM_POINTS:
        raise ValueError("rows outside of the scan")
    sets = np.split(rows, np.cumsum(sizes)[:-1]) if sizes else []
    planes = [
        Plane(kind, np.array(normal, dtype=float), float(offset), plane_rows)
        for (kind, normal, offset), plane_rows in zip(answer["planes"], sets, strict=False)
    ]
    objects = tuple(sets[len(planes) :])
    score, stability = (np.array(answer[key], dtype=np.float64) for key in ("score", "stability"))
    if score.shape != (len(objects),) or stability.shape != (len(objects),):
        raise ValueError("the numbers of scores, stabilities and objects differ")
    by, candidates, count = str(answer["by"]), int(answer["candidates"]), int(answer["points"])
    remarks = [f"Thinned from {count:,} to {len(scene):,} points."] if count > len(scene) else []
    remarks += [str(warning).replace(str(answer["name"]), name) + "." for warning in answer["warnings"]]
    proposals = Proposals(objects, score, tuple(planes), by, candidates, len(scene), stability)
    return ScanInput(scene, proposals, tuple(remarks))


def _read(source: str, up: str, unit: str) -> Answer:
    """Task of the child process: points, rows of layout and objects, colors if present, warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scene = load_scene(source, up=up, unit=unit)
    kept = scene.take(kept_rows(len(scene), MAX_ROOM_POINTS)) if len(scene) > MAX_ROOM_POINTS else scene
    proposals = find_objects(kept)
    sets = [*(plane.rows for plane in proposals.layout), *proposals.rows]
    answer = {
        "name": scene.name,
        "points": len(scene),
        "warnings": [str(one.message) for one in caught if issubclass(one.category, UserWarning)],
        "planes": [[plane.kind, plane.normal.tolist(), plane.offset] for plane in proposals.layout],
        "sizes": [len(rows) for rows in sets],
        "score": proposals.score.tolist(),
        "stability": [] if proposals.stability is None else proposals.stability.tolist(),
        "by": proposals.by,
        "candidates": proposals.candidates,
    }
    members = np.concatenate(sets or [np.empty(0)]).astype("<f8")
    return answer, [kept.points, members, *([] if kept.color is None else [kept.color])]
