"""Looks at objects in a view, a scan or a crop: points in the frame of the map, and their embeddings."""

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

EDGE = 2  # width of the image border in pixels
CUT = 0.02  # maximum fraction of a whole object's pixels at the image border
NEARER = 0.1  # depth step in meters from which the neighbor pixel is an occluder
HIDDEN = 0.25  # maximum occluded fraction of the outline of a whole object
ROUNDING = 1e-3  # tolerance of a rotation matrix


@dataclass(frozen=True, eq=False)
class Looks:
    """Looks at b objects of one view, scan or crop.

    crops: points (m, 3) of each object in meters, in the frame of the map; whole: mask (b,) of whole looks, see
    `SceneMap`; stability: (b,); result: novelty of the b crops; position: camera (3,), None if unknown.
    """

    crops: tuple[np.ndarray, ...]
    whole: np.ndarray
    stability: np.ndarray
    result: NoveltyResult
    position: np.ndarray | None

    def direction(self, i: int) -> np.ndarray:
        """Unit vector from object i to the camera. Estimate without a pose: from the box center to the mean point."""
        points = self.crops[i]
        middle = points.mean(axis=0)
        away = (
            middle - (points.min(axis=0) + points.max(axis=0)) / 2 if self.position is None else self.position - middle
        )
        length = float(np.linalg.norm(away))
        return away / length if length > 1e-9 else np.zeros(3)


def checked_pose(pose: Any, what: str = "pose") -> np.ndarray:
    """Pose (4, 4), sensor to map: a rotation and a translation in meters. Raises `InputError` for other matrices."""
    matrix = checked_matrix(pose, what, (4, 4))
    turn = matrix[:3, :3]
    off = float(np.abs(turn @ turn.T - np.eye(3)).max())
    if off > ROUNDING or np.linalg.det(turn) < 0:
        raise InputError(
            f"{what} is no rotation with a translation: its axes are off by {off:.2g}. Expected sensor to map, meters. "
            "Give a rotation without scaling or mirroring."
        )
    return matrix


def looks_at(given: Any, pose: Any, pipeline: NoveltyPipeline, least: int, runs: int) -> Looks:
    """Looks at the objects of a view or a scan, or at one object given as points (n, 3|6).

    Raises `InputError` or `CloudError` for invalid input.
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
            f"given is a {type(given).__name__}. Expected a View, a Scene, or the points (n, 3) of one object. Read "
            "files with load_view, load_scene or load_shape. Two maps cannot be merged: add the views of one map to "
            "the other map."
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
    proposals = find_objects(scan, runs=runs)
    result = score_scene(scan, pipeline, proposals=proposals).result
    crops = tuple(scan.points[rows] for rows in proposals.rows)
    whole = np.array([len(rows) >= least for rows in proposals.rows], dtype=bool)
    if view is not None:
        whole &= np.array([is_whole(view, rows) for rows in proposals.rows], dtype=bool)
    stability = np.ones(len(crops)) if proposals.stability is None else proposals.stability
    return Looks(crops, whole, stability, result, position)


def is_whole(view: View, rows: np.ndarray) -> bool:
    """True if an object is neither cut off by the image border nor occluded. rows: its points in `view.scene()`."""
    (h, w), pixels = view.shape, np.flatnonzero(view.seen.reshape(-1))[rows]
    v, u = np.divmod(pixels, w)
    edge = (u < EDGE) | (u >= w - EDGE) | (v < EDGE) | (v >= h - EDGE)
    if edge.mean() > CUT:
        return False
    mask = np.zeros((h, w), dtype=bool)
    mask[v, u] = True
    depth = np.where(view.seen, view.depth, np.inf)
    hidden = outline = 0
    for on, away in ((mask, depth), (mask.T, depth.T)):
        border = on[1:] != on[:-1]
        inside, outside = np.where(on[1:], away[1:], away[:-1])[border], np.where(on[1:], away[:-1], away[1:])[border]
        outline += len(inside)
        hidden += int((outside < inside - NEARER).sum())
    return hidden <= HIDDEN * max(1, outline)
