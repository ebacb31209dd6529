"""Tab for surfaces: good clouds to learn from, a cloud to check, and a generated road."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.app.fair_queue import Visitor
from openshape_ood.app.quotas import MAX_GOOD_POINTS, MAX_ROOM_POINTS, ROOM_SECONDS
from openshape_ood.app.uploads import NOBODY, Answer, kept_rows, read_sealed
from openshape_ood.errors import InputError

if TYPE_CHECKING:  # torch would exceed the memory limit of the reading process
    from openshape_ood.novelty_map import NoveltyMap
    from openshape_ood.surfaces import SurfaceModel, SurfaceResult

GENERATED = "a generated road"
ROADS, ROAD, DAMAGE = 20, 101, ("pothole", "crack")  # number of good roads; seed and damage of the road to check
ANSWERED = 8 * 5 * MAX_ROOM_POINTS  # maximum bytes of an answer: position, intensity and strip of each point
MEASURED = ("intensity", "strips")


@dataclass(frozen=True, eq=False)
class SurfaceInput:
    """Cloud on the page. cloud: points (n, 3), and intensity and strips (n,) if present. remarks: from reading."""

    name: str
    cloud: Mapping[str, np.ndarray]
    remarks: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.cloud.values())


@dataclass(frozen=True, eq=False)
class GoodSurfaces:
    """Model of the good clouds, with their names and remarks from reading."""

    model: SurfaceModel
    names: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes of the model."""
        arrays, _ = self.model.reconstructor.contents()
        return sum(one.nbytes for one in arrays.values())


@dataclass(frozen=True, eq=False)
class SurfaceVerdict:
    """Result for a cloud, compared with the good clouds."""

    result: SurfaceResult
    good: GoodSurfaces
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.result.name

    @property
    def map(self) -> NoveltyMap:
        return self.result.map

    @property
    def is_sheet(self) -> bool:
        """True for a sheet; False for an object with views from all sides."""
        return self.good.model.data.kind == "sheets"

    @property
    def unseen(self) -> int:
        """Number of points that are in no tile or view."""
        return int((~self.result.map.seen).sum())

    @property
    def beyond(self) -> int:
        """Number of points above the threshold for points."""
        return int(self.result.map.is_novel.sum())

    def as_json(self) -> dict[str, Any]:
        record = self.result.as_json() | {"points": len(self.result.map), "unseen_points": self.unseen}
        thresholds = {"whole": self.result.threshold.state(), "points": self.good.model.pixel_threshold.state()}
        return {**record, "good": list(self.good.names), "thresholds": thresholds, "remarks": list(self.remarks)}


@lru_cache(maxsize=1)
def generated() -> tuple[GoodSurfaces, SurfaceInput]:
    """Generated good roads, and a damaged one."""
    from openshape_ood.synthetic.roads import road_scan

    def cloud(seed: int, *damage: str) -> dict[str, np.ndarray]:
        scan = road_scan(seed, damage)
        return {"points": scan.points, "intensity": scan.intensity}

    good = [SurfaceInput(f"good road {i + 1}", cloud(i)) for i in range(ROADS)]
    remark = f"Generated: {ROADS} good pieces of road, and one with a {' and a '.join(DAMAGE)}."
    return learn(good), SurfaceInput(GENERATED, cloud(ROAD, *DAMAGE), (remark,))


def learn(good: Sequence[SurfaceInput]) -> GoodSurfaces:
    """Learn from good clouds. Raises `OpenShapeError` with the file name for an unusable cloud."""
    from openshape_ood.surfaces import SurfaceModel

    count = sum(len(one.cloud["points"]) for one in good)
    if count > MAX_GOOD_POINTS:
        raise InputError(
            f"the good clouds have {count:,} points in total. Expected at most {MAX_GOOD_POINTS:,}. Drop fewer clouds."
        )
    model = SurfaceModel.fit([_source(one) for one in good])
    return GoodSurfaces(model, tuple(one.name for one in good), tuple(remark for one in good for remark in one.remarks))


def compare(surface: SurfaceInput, good: GoodSurfaces) -> SurfaceVerdict:
    """Compare a cloud with the good clouds. Raises `OpenShapeError` if one is a sheet, and the other an object."""
    return SurfaceVerdict(good.model.score(_source(surface)), good, (*surface.remarks, *good.remarks))


def _source(one: SurfaceInput) -> Any:
    from openshape_ood.surfaces.inputs import Source

    return Source(dict(one.cloud), one.name, "cloud")


def read_surface(path: Path, visitor: Visitor = NOBODY, **bounds: Any) -> SurfaceInput:
    """Read an uploaded cloud. bounds: limits for `read_sealed`."""
    how: dict[str, Any] = {"least": ROOM_SECONDS, **bounds}
    return read_sealed(_read, path, visitor, _checked, most=ANSWERED, **how)


def _checked(answer: Any, *columns: np.ndarray, name: str) -> SurfaceInput:
    """Validate the answer of `_read`, and make the result from it."""
    cloud = dict(zip(("points", *map(str, answer["measured"])), columns, strict=True))
    n, count = len(cloud["points"]), int(answer["points"])
    shapes = {"points": (n, 3), **dict.fromkeys(MEASURED, (n,))}
    if not 0 < n <= MAX_ROOM_POINTS or any(array.shape != shapes[key] for key, array in cloud.items()):
        raise ValueError("columns of different lengths")
    if not np.isfinite(cloud["points"]).all():
        raise ValueError("points that are not finite")
    remarks = (f"{name} was thinned from {count:,} to {n:,} points.",) if count > n else ()
    return SurfaceInput(name, cloud, remarks)


def _read(source: str) -> Answer:
    """Task of the child process: points, thinned to `MAX_ROOM_POINTS`, and their measurements."""
    from openshape_ood.shapes.columns import load_columns

    cloud = load_columns(Path(source))
    count = len(cloud["points"])
    kept = kept_rows(count, MAX_ROOM_POINTS)
    measured = [name for name in MEASURED if name in cloud]
    arrays = [np.asarray(cloud[name], dtype="<f8")[kept] for name in ("points", *measured)]
    return {"points": count, "measured": measured}, arrays
