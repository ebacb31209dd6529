"""Scans of rooms: read, and searched for objects, by the process that can be killed; one that is generated."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.app.quotas import MAX_FILE_MB, MAX_ROOM_POINTS, READ_MEMORY, ROOM_SECONDS
from openshape_ood.app.session import Shape
from openshape_ood.app.turns import Visitor
from openshape_ood.app.uploads import NOBODY, read_sealed, seconds_for
from openshape_ood.errors import ShapeFileError
from openshape_ood.scenes import Proposals, Scene, SceneResult, find_objects, load_scene
from openshape_ood.scenes.proposals.layout import Plane

ANSWERED = 100 * MAX_ROOM_POINTS  # bytes: of each point its place, its color, and where it belongs
GENERATED = "a generated room"
FURNITURE, FOREIGN = ("chair", "sofa", "table", "bed", "cabinet"), "bicycle"


@dataclass(frozen=True, eq=False)
class Room:
    """A scan on the page, at most `MAX_ROOM_POINTS`, and what may be objects in it; remarks: what reading it said."""

    scene: Scene
    proposals: Proposals
    remarks: tuple[str, ...] = ()

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


def generated() -> Room:
    """Furniture, and one thing that is foreign to it."""
    return replace(_generated(), remarks=(f"Generated: {', '.join(FURNITURE)} and one {FOREIGN}.",))


@lru_cache(maxsize=1)
def _generated() -> Room:
    from openshape_ood.synthetic.rooms import room

    scene = replace(room(3, categories=FURNITURE, foreign=[FOREIGN]).scene, labels=None, instances=None, name=GENERATED)
    return Room(scene, find_objects(scene))


def shapes(result: SceneResult) -> list[Shape]:
    """The objects of a scan as shapes of their own, the most novel first."""
    points = result.scene.points
    return [
        Shape(f"object {one.number}", points[one.rows], f"{len(one.rows):,} points, z is up", "z") for one in result
    ]


def read_room(
    path: str | os.PathLike[str],
    visitor: Visitor = NOBODY,
    up: str = "file",
    unit: str = "file",
    *,
    memory: int = READ_MEMORY,
    max_bytes: int = MAX_FILE_MB * 2**20,
) -> Room:
    """Read an uploaded scan and find its objects, as `read_upload` reads shapes; up, unit: as in `load_scene`."""
    file = Path(path)
    seconds = seconds_for(file, max_bytes, ROOM_SECONDS)
    asked = {"up": up, "unit": unit}
    done = read_sealed(f"{__name__}:reader", asked, file, visitor, seconds, memory, ANSWERED)
    try:
        return _checked(done.answer, *done.arrays, name=file.name)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ShapeFileError(f"{file.name}: what came back from reading it is no scan") from error


def _checked(told: Any, points: np.ndarray, members: np.ndarray, *color: np.ndarray, name: str) -> Room:
    """From the answer of `_read`; raises ValueError, TypeError or KeyError for what cannot be one."""
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
    found = Proposals(objects, score, tuple(planes), str(told["by"]), int(told["candidates"]), len(scene))
    return Room(scene, found, tuple(remarks))


def reader(up: str, unit: str) -> Callable[[str], tuple[Mapping[str, Any], list[np.ndarray]]]:
    """The task of the process that reads."""
    return lambda source: _read(source, up, unit)


def _read(source: str, up: str, unit: str) -> tuple[Mapping[str, Any], list[np.ndarray]]:
    """The points, the rows of layout and of objects, colors if there are; what else there is to say."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        scene = load_scene(source, up=up, unit=unit)
    kept = scene
    if len(scene) > MAX_ROOM_POINTS:
        kept = scene.take(np.sort(np.random.RandomState(0).permutation(len(scene))[:MAX_ROOM_POINTS]))
    found = find_objects(kept)
    sets = [*(plane.rows for plane in found.layout), *found.rows]
    told = {
        "name": scene.name,
        "points": len(scene),
        "said": [str(one.message) for one in said if issubclass(one.category, UserWarning)],
        "planes": [[plane.kind, plane.normal.tolist(), plane.offset] for plane in found.layout],
        "sizes": [len(rows) for rows in sets],
        "score": found.score.tolist(),
        "by": found.by,
        "candidates": found.candidates,
    }
    members = np.concatenate(sets or [np.empty(0)]).astype("<f8")
    return told, [kept.points, members, *([] if kept.color is None else [kept.color])]
