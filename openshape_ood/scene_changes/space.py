"""Free, occupied and unseen space of a scan. An object is removed only if its place was seen empty."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter, uniform_filter
from scipy.spatial import cKDTree

from openshape_ood.errors import InputError
from openshape_ood.scene_changes.registration import Surface
from openshape_ood.scenes.proposals import Proposals
from openshape_ood.scenes.scene import Scene

VOXEL = 0.05  # default voxel side in meters
MOST = 60_000_000  # maximum voxels of a place
RAYS = 8_000  # maximum rays of each camera
STEP = 0.7  # step along a ray, in voxel sides
RANGE = 6.0  # maximum length of a ray in meters
MARGIN = 0.3  # maximum fraction of unseen voxels among the 27 around a free voxel; excludes rays that graze a surface
DENSE = 0.5  # minimum density of seen floor, relative to the median density
LEVEL = 0.85  # minimum |z| of the unit normal of a level surface
CEILING = 3.5  # maximum height of a column of free voxels above the floor in meters

By = Literal["rays", "columns"]


@dataclass(frozen=True, eq=False)
class Space:
    """Free and occupied space of a scan.

    low: corner (3,) of the first voxel; size: voxel side in meters; free: mask (x, y, z) of voxels; by: "rays" from the
    cameras to the points, or "columns" over visible floor and level tops; points: (n, 3) of the scan; reach: maximum
    distance in meters of an occupied place to the nearest point.
    """

    low: np.ndarray
    size: float
    free: np.ndarray
    by: By
    points: np.ndarray
    reach: float

    @cached_property
    def tree(self) -> Any:
        return cKDTree(self.points)

    def distance(self, places: np.ndarray) -> np.ndarray:
        """Meters (m,) from places (m, 3) to the nearest point of the scan."""
        distance: np.ndarray = self.tree.query(places)[0]
        return distance

    def is_free(self, places: np.ndarray) -> np.ndarray:
        """Mask (m,) of places (m, 3) in free voxels. Check `distance` too, because a point may be in the next voxel."""
        cells = np.floor((places - self.low) / self.size).astype(np.int64)
        inside = ((cells >= 0) & (cells < self.free.shape)).all(axis=1)
        free = np.zeros(len(places), dtype=bool)
        free[inside] = self.free[tuple(cells[inside].T)]
        return free


def seen_space(
    scene: Scene,
    proposals: Proposals,
    surface: Surface,
    bounds: np.ndarray,
    cameras: np.ndarray | None,
    of: np.ndarray | None,
    voxel: float,
    reach: float,
) -> Space:
    """Space of a scan within `bounds` (2, 3). cameras: positions (v, 3), or None.

    of: index (n,) of the camera that saw each point; None if unknown.
    """
    low = bounds[0] - 2 * voxel
    shape = np.ceil((bounds[1] - low) / voxel).astype(np.int64) + 3
    if np.prod(shape, dtype=np.float64) > MOST:
        raise InputError(
            f"the place has {np.prod(shape, dtype=np.float64):.1e} voxels of {voxel} m. Expected at most {MOST:,}. "
            "Give larger voxels, or crop the scans."
        )
    occupied = np.zeros(shape, dtype=bool)
    occupied[tuple(np.floor((scene.points - low) / voxel).astype(np.int64).T)] = True
    if cameras is not None:
        free = _by_rays(scene.points, cameras, of, occupied, low, voxel)
        return Space(low, voxel, free, "rays", scene.points, reach)
    free = _by_columns(scene, proposals, surface, occupied, low, voxel)
    return Space(low, voxel, free, "columns", scene.points, reach)


def _by_rays(
    points: np.ndarray,
    cameras: np.ndarray,
    of: np.ndarray | None,
    occupied: np.ndarray,
    low: np.ndarray,
    voxel: float,
) -> np.ndarray:
    """Free voxels along rays from cameras to points. A ray stops at the first occupied voxel away from its camera."""
    free = np.zeros(occupied.shape, dtype=bool)
    spans = np.array([occupied.shape[1] * occupied.shape[2], occupied.shape[2], 1])
    taken, seen = occupied.reshape(-1), free.reshape(-1)
    for i, camera in enumerate(cameras):
        away = np.linalg.norm(points - camera, axis=1)
        rows = np.flatnonzero((away < RANGE) & (away > voxel) & (True if of is None else of == i))
        if not len(rows):
            continue
        rows = rows[np.linspace(0, len(rows) - 1, min(RAYS, len(rows))).astype(int)]
        start, length = (camera - low) / voxel, away[rows]
        step = (points[rows] - camera) / (voxel * length[:, None])  # (n, 3), direction of each ray, in voxels per meter
        for far in np.arange(0.0, RANGE, STEP * voxel):
            alive = far < length - 1.5 * voxel
            step, length = step[alive], length[alive]
            if not len(step):
                break
            cells = np.floor(start + step * far).astype(np.int64)
            inside = ((cells >= 0) & (cells < occupied.shape)).all(axis=1)
            flat = np.where(inside, cells @ spans, 0)
            hit = inside & taken[flat]
            seen[flat[inside & ~hit]] = True
            if far > 2 * voxel:  # within two voxels of the camera, occupied voxels do not stop a ray
                step, length = step[~hit], length[~hit]
    return _without_margin(free & ~occupied, occupied)


def _without_margin(free: np.ndarray, occupied: np.ndarray) -> np.ndarray:
    """Free voxels without the margin of unseen space.

    Voxels next to points count as seen, because rays end before them.
    """
    unseen = ~free & ~maximum_filter(occupied, 3)
    return free & (uniform_filter(unseen.astype(np.float32), 3) <= MARGIN)


def _by_columns(
    scene: Scene, proposals: Proposals, surface: Surface, occupied: np.ndarray, low: np.ndarray, voxel: float
) -> np.ndarray:
    """Free voxels: above dense floor up to the first occupied voxel, and above level tops."""
    free = np.zeros(occupied.shape, dtype=bool)
    floors = [plane.rows for plane in proposals.layout if plane.kind == "floor"]
    if not floors:
        return free
    rows = np.concatenate(floors)
    shape = occupied.shape[:2]
    cells = np.floor((scene.points[rows] - low) / voxel).astype(np.int64)
    count = np.zeros(shape)
    np.add.at(count, tuple(cells[:, :2].T), 1)
    present = count > 0
    usual = np.median(count[present])
    seen = minimum_filter(_mean(count), 3) >= DENSE * usual
    seen &= minimum_filter(present | (_mean(present) > 0.7), 3)
    height = int(np.median(cells[:, 2]))
    top = min(occupied.shape[2], height + int(CEILING / voxel))
    # starts above the voxels of the floor and its noise
    start = height + 2
    above = occupied[:, :, start:top]
    open_ = ~np.maximum.accumulate(above, axis=2)
    free[:, :, start:top] = open_ & seen[:, :, None]
    _over_tops(free, surface, occupied, low, voxel, start, top)
    return free & ~occupied


def _over_tops(
    free: np.ndarray, surface: Surface, occupied: np.ndarray, low: np.ndarray, voxel: float, start: int, top: int
) -> None:
    """Mark the space above level tops, such as tables, as free. All 3 x 3 columns around a top voxel must be level."""
    level = (np.abs(surface.normals[:, 2]) > LEVEL) & (surface.kind == 0)
    flat = np.zeros(occupied.shape, dtype=bool)
    flat[tuple(np.floor((surface.places[level] - low) / voxel).astype(np.int64).T)] = True
    part = occupied[:, :, start:top]
    any_ = part.any(axis=2)
    highest = part.shape[2] - 1 - part[:, :, ::-1].argmax(axis=2)
    x, y = np.indices(any_.shape)
    near = maximum_filter(flat[:, :, start:top], size=(1, 1, 3))
    lying = any_ & near[x, y, np.minimum(highest, part.shape[2] - 1)]
    even = maximum_filter(np.where(lying, highest, -99), 3) - minimum_filter(np.where(lying, highest, 999), 3) <= 1
    table = lying & even & minimum_filter(lying, 3)
    above = np.arange(part.shape[2])[None, None] > highest[:, :, None]
    free[:, :, start:top] |= above & table[:, :, None]


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over 3 x 3 cells."""
    mean: np.ndarray = uniform_filter(values.astype(np.float64), 3)
    return mean
