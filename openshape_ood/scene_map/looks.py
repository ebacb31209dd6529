"""A view, a scan or a crop -> the looks at objects in it: crops in the frame of the map, and what each shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from openshape_ood.checks import to_numpy
from openshape_ood.errors import InputError
from openshape_ood.novelty import NoveltyPipeline, NoveltyResult
from openshape_ood.scenes import Scene, find_objects, score_scene
from openshape_ood.shapes.fields import holds_points
from openshape_ood.views import View
from openshape_ood.views.geometry import checked_matrix, moved

EDGE = 2  # pixels from the border of a picture that are its edge
CUT = 0.02  # of the pixels of an object at the edge: it goes on beyond the picture
NEARER = 0.1  # meters by which a neighbor pixel hides what is behind it
HIDDEN = 0.25  # of the outline of an object that something nearer hides
ROUNDING = 1e-3  # by which a pose may differ from a rotation


@dataclass(frozen=True, eq=False)
class Looks:
    """Observation of b objects by one view, scan or crop.

    crops: points (m, 3) of each, meters, in the frame of the map; whole: (b,) bool; stability: (b,); result: of the b
    crops; position: of the camera (3,), None if unknown.
    """

    crops: tuple[np.ndarray, ...]
    whole: np.ndarray
    stability: np.ndarray
    result: NoveltyResult
    position: np.ndarray | None

    def direction(self, i: int) -> np.ndarray:
        """Unit vector from object i to the camera; without a pose, from the middle of its box to its points."""
        points = self.crops[i]
        middle = points.mean(axis=0)
        away = (
            middle - (points.min(axis=0) + points.max(axis=0)) / 2 if self.position is None else self.position - middle
        )
        length = float(np.linalg.norm(away))
        return away / length if length > 1e-9 else np.zeros(3)


def checked_pose(pose: Any, what: str = "pose") -> np.ndarray:
    """Sensor to map (4, 4): a rotation and a place in meters. Raises `InputError` for anything else."""
    found = checked_matrix(pose, what, (4, 4))
    turn = found[:3, :3]
    off = float(np.abs(turn @ turn.T - np.eye(3)).max())
    if off > ROUNDING or np.linalg.det(turn) < 0:
        raise InputError(
            f"{what} is no rotation and a place: its axes are off by {off:.2g}. Expected sensor to map, meters. Give "
            "a rotation matrix, not scaled and not mirrored"
        )
    return found


def looks_at(given: Any, pose: Any, pipeline: NoveltyPipeline, least: int, runs: int) -> Looks:
    """The objects of a view or scan; of points (n, 3|6), one object.

    Raises `InputError` or `CloudError` for what cannot be looked at.
    """
    matrix = None if pose is None else checked_pose(pose)
    if isinstance(given, View):
        view = given if matrix is None else replace(given, pose=matrix)
        return _of_scan(view.scene(), view.pose[:3, 3], pipeline, least, runs, view)
    if isinstance(given, Scene):
        scan = given if matrix is None else replace(given, points=moved(given.points, matrix))
        return _of_scan(scan, None if matrix is None else matrix[:3, 3], pipeline, least, runs)
    if not (hasattr(given, "ndim") or holds_points(given)):
        raise InputError(
            f"given was a {type(given).__name__}. Expected a View, a Scene, or the points (n, 3) of one object. Read "
            "files with load_view, load_scene or load_shape. Two maps cannot be merged: add the views of one to the "
            "other"
        )
    table = to_numpy(given)
    points = Scene(table[:, :3] if getattr(table, "ndim", 0) == 2 else table, name="the crop").points
    points = points if matrix is None else moved(points, matrix)
    stability, whole = np.ones(1), np.array([len(points) >= least])
    position = None if matrix is None else matrix[:3, 3]
    return Looks((points,), whole, stability, pipeline([points - points.mean(axis=0)]), position)


def _of_scan(
    scan: Scene, position: np.ndarray | None, pipeline: NoveltyPipeline, least: int, runs: int, view: View | None = None
) -> Looks:
    found = find_objects(scan, runs=runs)
    result = score_scene(scan, pipeline, proposals=found).result
    crops = tuple(scan.points[rows] for rows in found.rows)
    whole = np.array([len(rows) >= least for rows in found.rows], dtype=bool)
    if view is not None:
        whole &= np.array([is_whole(view, rows) for rows in found.rows], dtype=bool)
    stability = np.ones(len(crops)) if found.stability is None else found.stability
    return Looks(crops, whole, stability, result, position)


def is_whole(view: View, rows: np.ndarray) -> bool:
    """True if an object, as `rows` (m,) of `view.scene()`, is neither cut off by the picture nor mostly hidden."""
    (h, w), pixels = view.shape, np.flatnonzero(view.seen.reshape(-1))[rows]
    v, u = np.divmod(pixels, w)
    edge = (u < EDGE) | (u >= w - EDGE) | (v < EDGE) | (v >= h - EDGE)
    if edge.mean() > CUT:
        return False
    mask = np.zeros((h, w), dtype=bool)
    mask[v, u] = True
    depth = np.where(view.seen, view.depth, np.inf)
    hidden = outline = 0
    for own, away in ((mask, depth), (mask.T, depth.T)):
        border = own[1:] != own[:-1]
        inside, outside = np.where(own[1:], away[1:], away[:-1])[border], np.where(own[1:], away[:-1], away[1:])[border]
        outline += len(inside)
        hidden += int((outside < inside - NEARER).sum())
    return hidden <= HIDDEN * max(1, outline)
