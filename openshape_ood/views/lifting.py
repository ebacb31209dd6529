"""Lifting of pixel affinities to 3D points, from one or several views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from openshape_ood.checks import check_positive, check_whole
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Provenance
from openshape_ood.errors import CloudError, InputError
from openshape_ood.novelty_map import Elements, NoveltyMap
from openshape_ood.scenes import Proposals, Scene, voxelize
from openshape_ood.scoring import Method
from openshape_ood.views.affinities import Affinities
from openshape_ood.views.geometry import checked_matrix, in_bounds
from openshape_ood.views.view import View

SPACING = 0.02  # meters, side of the voxels that merge points of several views


@dataclass(frozen=True, eq=False)
class Lifted:
    """Points of a scene with affinities to names.

    Attributes
    ----------
    scene : Scene
        n points in meters, z up, with color.
    affinities : ndarray (n, k) float32
        NaN means unknown.
    names : tuple of k str
    provenance : Provenance
        Origin of the affinities.
    views : tuple of View
        Views of the scene.
    """

    scene: Scene
    affinities: np.ndarray
    names: tuple[str, ...]
    provenance: Provenance
    views: tuple[View, ...] = ()

    def __len__(self) -> int:
        return len(self.scene)

    def novelty(
        self,
        known: Sequence[str] | None = None,
        *,
        method: str | Method = "max_cosine",
        temperature: float = 1.0,
        threshold: Threshold | None = None,
        smooth: int = 0,
        objects: Proposals | None = None,
    ) -> NoveltyMap:
        """Novelty of points: 1 minus the largest affinity to a known name, as in `Affinities.novelty`.

        Parameters
        ----------
        known : sequence of str, optional
            Subset of the names. Default: all.
        method, temperature
            As in `Affinities.novelty`.
        threshold : Threshold, optional
            Threshold of the map, needed by `.is_novel` and `.regions()`. The map can be the `proposals` of
            `score_scene(lifted.scene, known)`.
        smooth : int
            Number of nearest points; affinities are first averaged over each point and these points. 0: no smoothing.
        objects : Proposals, optional
            Result of `find_objects(lifted.scene)`. Affinities are averaged over each object and plane. Then each name's
            affinities are divided by its largest mean. This reduces affinities of objects near the named object.
            The divisor is at least the median divisor of all names, because a name may not occur in the view.

        Returns
        -------
        NoveltyMap
            Map of the n points.

        Raises
        ------
        UnknownNameError, InputError
            As in `Affinities.novelty`; also for objects of another scan.
        MixedEncodersError
            For a threshold that belongs to other affinities or another method.
        """
        values = self.affinities
        if check_whole(smooth, "smooth", 0):
            values = _smoothed(self.scene.points, values, smooth)
        if objects is not None:
            values = _by_object(values, objects)
        of_rows = Affinities(values.T[:, None], self.names, self.provenance)
        result = of_rows.novelty(known, method=method, temperature=temperature)
        if threshold is not None:
            threshold.check_fits(result.provenance)
        rows = self.scene.points
        if self.scene.color is not None:
            rows = np.hstack([rows, self.scene.color])
        elements = Elements("points", rows)
        return replace(result, elements=elements, threshold=threshold, name=self.scene.name, up="z")


def lift(
    views: View | Sequence[View],
    affinities: Affinities | Sequence[Affinities],
    *,
    spacing: float | None = None,
    bounds: Any = None,
) -> Lifted:
    """Lift pixels with depth to 3D points, with their affinities.

    Parameters
    ----------
    views : View or sequence of View
        Views of one scene, with poses in one world.
    affinities : Affinities or sequence of Affinities
        Affinities of each view's pixels, to the same names.
    spacing : float, optional
        Points of all views are averaged in voxels with this side, in meters. Default: 0.02 for several views; a single
        view keeps its pixels, row by row.
    bounds : array (2, 3), optional
        Lower and upper corner of the kept region, in the world.

    Returns
    -------
    Lifted

    Raises
    ------
    InputError
        For different numbers, sizes or names of views and affinities.
    CloudError
        If no pixel has a depth, or none lies in the bounds.
    """
    given = (views,) if isinstance(views, View) else tuple(views)
    listed = (affinities,) if isinstance(affinities, Affinities) else tuple(affinities)
    if not given or len(given) != len(listed):
        raise InputError(
            f"there are {len(given)} views and {len(listed)} affinities. Expected equal numbers, and at least one. "
            "Give affinities for each view."
        )
    names, provenance = listed[0].names, listed[0].provenance
    for view, one in zip(given, listed, strict=True):
        one.check_fits(view)
        if one.names != names:
            raise InputError(
                f"{view.name} and {given[0].name} have affinities to different names. Expected equal names. Select "
                "them with Affinities.of(names)."
            )
    kept = _kept(given, bounds)
    points = np.concatenate([view.points[mask] for view, mask in zip(given, kept, strict=True)])
    color = np.concatenate([view.rgb.reshape(-1, 3)[mask] for view, mask in zip(given, kept, strict=True)])
    # a generator of columns, so that no copy of all names' affinities is in memory
    columns = (
        np.concatenate([one.values[i].reshape(-1)[mask] for one, mask in zip(listed, kept, strict=True)])
        for i in range(len(names))
    )
    name = given[0].name if len(given) == 1 else f"{len(given)} views"
    if spacing is None and len(given) == 1:
        return Lifted(Scene(points, color, name=name), np.stack(list(columns), axis=1), names, provenance, given)
    voxels = voxelize(points, SPACING if spacing is None else check_positive(spacing, "spacing"))

    def joined(column: np.ndarray) -> np.ndarray:
        """Mean (v,) of the known values in `column` (n,) over each voxel's points."""
        valid = np.isfinite(column)
        total, count = (np.bincount(voxels.inverse[valid], of, len(voxels)) for of in (column[valid], None))
        with np.errstate(invalid="ignore"):
            return total / count

    middle, shade = (np.stack([joined(axis) for axis in rows.T], axis=1) for rows in (points, color))
    values = np.stack([joined(column).astype(np.float32) for column in columns], axis=1)
    return Lifted(Scene(middle, np.clip(shade, 0, 1), name=name), values, names, provenance, given)


def _kept(views: Sequence[View], bounds: Any) -> list[np.ndarray]:
    """For each view, the mask (h * w,) of pixels with depth, within the bounds if given."""
    kept, names = [view.seen.reshape(-1) for view in views], ", ".join(view.name for view in views)
    if not any(mask.any() for mask in kept):
        raise CloudError(
            f"{names}: no pixel has a depth. Expected at least one. Check the depth, or give another view."
        )
    if bounds is None:
        return kept
    box = checked_matrix(bounds, "bounds", (2, 3), infinite=True)
    if not (box[0] < box[1]).all():
        raise InputError(f"bounds are {bounds!r}. Expected (2, 3). Give a low corner and a high one.")
    inside = [mask & in_bounds(view.points, box) for view, mask in zip(views, kept, strict=True)]
    if not any(mask.any() for mask in inside):
        middle = np.concatenate([view.points[mask] for view, mask in zip(views, kept, strict=True)]).mean(axis=0)
        raise CloudError(
            f"{names}: no point lies in {box.tolist()}. Expected bounds in meters that contain points, whose "
            f"mean is {middle.round(2)}. Give other bounds."
        )
    return inside


def _smoothed(points: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Mean of the known values (n, k) over each point and its `count` nearest points."""
    from scipy.spatial import KDTree

    neighbors = KDTree(points).query(points, k=min(count + 1, len(points)))[1].reshape(len(points), -1)
    smooth = np.empty_like(values)
    for i, column in enumerate(values.T):
        valid = np.isfinite(column)
        with np.errstate(invalid="ignore"):
            mean = np.where(valid, column, 0)[neighbors].sum(axis=1) / valid[neighbors].sum(axis=1)
        smooth[:, i] = np.where(valid, mean, np.nan)
    return smooth


def _by_object(values: np.ndarray, objects: Proposals) -> np.ndarray:
    """Affinities (n, k) averaged over objects and divided by each name's largest mean; see `Lifted.novelty`."""
    if objects.n != len(values):
        raise InputError(
            f"the objects are of a scan of {objects.n} points, but this scene has {len(values)}. Expected equal "
            "numbers. Find the objects in this scene."
        )
    means_of, means = values.copy(), [np.full(values.shape[1], np.nan)]
    # a point of several sets gets the value of the best object, or of layout if it is in no object
    for rows in reversed([*objects.rows, *(plane.rows for plane in objects.layout)]):
        rows_of = values[rows]
        valid = np.isfinite(rows_of)
        with np.errstate(invalid="ignore"):
            means.append(np.where(valid, rows_of, 0).sum(axis=0) / valid.sum(axis=0))
        means_of[rows] = means[-1]
    top = np.fmax.reduce(means)
    known = top[np.isfinite(top)]
    scale = np.fmax(top, np.median(known) if len(known) else np.nan)
    return means_of / np.where(scale > 0, scale, 1).astype(means_of.dtype)
