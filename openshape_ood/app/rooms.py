"""Scans of rooms: read, and searched for objects, by the process that can be killed; one that is generated."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.app.quotas import MAX_ROOM_POINTS, ROOM_SECONDS
from openshape_ood.app.session import Shape
from openshape_ood.app.turns import Visitor
from openshape_ood.app.uploads import NOBODY, kept_rows, read_sealed
from openshape_ood.novelty import NoveltyResult
from openshape_ood.scenes import Proposals, Scene, SceneResult, find_objects, load_scene
from openshape_ood.scenes.proposals.layout import Plane

ANSWERED = 100 * MAX_ROOM_POINTS  # bytes: of each point its place, its color, and where it belongs
GENERATED = "a generated room"
FURNITURE, FOREIGN = ("chair", "sofa", "table", "bed", "cabinet"), "bicycle"


@dataclass(frozen=True, eq=False)
class Room:
    """A scan on the page, at most `MAX_ROOM_POINTS`, and what may be objects in it; remarks: what reading it said; up:
    the axis that was chosen for its file, "file" if none was."""

    scene: Scene
    proposals: Proposals
    remarks: tuple[str, ...] = ()
    up: str = "file"

    @property
    def nbytes(self) -> int:
        """Of its points, their colors, and where they belong."""
        arrays = (
            self.scene.points,
            self.scene.color,
            *self.proposals,
            *(plane.rows for plane in self.proposals.layout),
        )
        return sum(array.nbytes for array in arrays if array is not None)


@lru_cache(maxsize=1)
def generated() -> Room:
    """Furniture, and one thing that is foreign to it."""
    from openshape_ood.synthetic.rooms import room

    scene = replace(room(3, categories=FURNITURE, foreign=[FOREIGN]).scene, labels=None, instances=None, name=GENERATED)
    return Room(scene, find_objects(scene), (f"Generated: {', '.join(FURNITURE)} and one {FOREIGN}.",))


def shapes(result: SceneResult) -> list[Shape]:
    """The objects of a scan as shapes of their own, the most novel first."""
    points = result.scene.points
    return [
        Shape(f"object {one.number}", points[one.rows], f"{len(one.rows):,} points, z is up", "z") for one in result
    ]


def ranked(result: SceneResult) -> NoveltyResult:
    """Result of the objects in the order of `shapes`, without embeddings."""
    found, rows = result.result, np.array([one.proposal for one in result], dtype=np.int64)
    arrays = {name: getattr(found, name)[rows] for name in ("novelty", "nearest", "similarity")}
    return replace(found, **arrays, shapes=tuple(found.shapes[i] for i in rows), embeddings=None)


def read_room(path: Path, visitor: Visitor = NOBODY, up: str = "file", unit: str = "file", **bounds: Any) -> Room:
    """Read an uploaded scan and find its objects, as `read_upload` reads shapes; up, unit: as in `load_scene`."""
    how: dict[str, Any] = {"settings": {"up": up, "unit": unit}, "what": "scan", "least": ROOM_SECONDS, **bounds}
    return replace(read_sealed(f"{__name__}:reader", path, visitor, _checked, most=ANSWERED, **how), up=up)


def _checked(told: Any, points: np.ndarray, members: np.ndarray, *color: np.ndarray, name: str) -> Room:
    """From the answer of `_read`."""
    scene = Scene(points, *color, name=name)
    rows = members.astype(np.int64)
    inside = rows.ndim == 1 and ((rows >= 0) & (rows < len(scene))).all()
    sizes = [int(size) for size in told["sizes"]]
    if not inside or min(sizes, default=1) < 1 or sum(sizes) != len(rows) or len(scene) > MAX_ROOM_POINTS:
        raise ValueError("rows that are none of the scan")
    sets = np.split(rows, np.cumsum(sizes)[:-1]) if sizes else []
    planes = [
        Plane(kind, np.array(normal, dtype=float), float(offset), own)
        for (kind, normal, offset), own in zip(told["planes"], sets, strict=False)
    ]
    objects = tuple(sets[len(planes) :])
    count = int(told["points"])
    remarks = [f"Thinned from {count:,} to {len(scene):,} points."] if count > len(scene) else []
    remarks += [str(said).replace(str(told["name"]), name) + "." for said in told["said"]]
    score = np.array(told["score"], dtype=np.float64)
    stability = np.array(told["stability"], dtype=np.float64)
    if score.shape != (len(objects),) or stability.shape != (len(objects),):
        raise ValueError("another number of scores or stabilities than of objects")
    found = Proposals(objects, score, tuple(planes), str(told["by"]), int(told["candidates"]), len(scene), stability)
    return Room(scene, found, tuple(remarks))


def reader(up: str, unit: str) -> Callable[[str], tuple[Mapping[str, Any], list[np.ndarray]]]:
    """The task of the process that reads."""
    return lambda source: _read(source, up, unit)


def _read(source: str, up: str, unit: str) -> tuple[Mapping[str, Any], list[np.ndarray]]:
    """The points, the rows of layout and of objects, colors if there are; what else there is to say."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        scene = load_scene(source, up=up, unit=unit)
    kept = scene.take(kept_rows(len(scene), MAX_ROOM_POINTS)) if len(scene) > MAX_ROOM_POINTS else scene
    found = find_objects(kept)
    sets = [*(plane.rows for plane in found.layout), *found.rows]
    told = {
        "name": scene.name,
        "points": len(scene),
        "said": [str(one.message) for one in said if issubclass(one.category, UserWarning)],
        "planes": [[plane.kind, plane.normal.tolist(), plane.offset] for plane in found.layout],
        "sizes": [len(rows) for rows in sets],
        "score": found.score.tolist(),
        "stability": [] if found.stability is None else found.stability.tolist(),
        "by": found.by,
        "candidates": found.candidates,
    }
    members = np.concatenate(sets or [np.empty(0)]).astype("<f8")
    return told, [kept.points, members, *([] if kept.color is None else [kept.color])]
