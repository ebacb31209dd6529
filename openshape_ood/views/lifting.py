"""Affinities of pixels as those of points in space, over one view or several."""

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

SPACING = 0.02  # meters, of the points of several views


@dataclass(frozen=True, eq=False)
class Lifted:
    """Points of a scene, and how much each speaks for each name.

    Attributes
    ----------
    scene : Scene
        n points in meters, z up, in color.
    affinities : ndarray (n, k) float32
        NaN where nothing is known.
    names : tuple of k str
    provenance : Provenance
        Whose affinities these are.
    views : tuple of View
        That show the scene.
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
        """What the known names leave unexplained of each point, as `Affinities.novelty` says of pixels.

        Parameters
        ----------
        known : sequence of str, optional
            Some of the names, or all.
        method, temperature
            As there.
        threshold : Threshold, optional
            For `.is_novel` and `.regions()`, which `score_scene(lifted.scene, known, proposals=...)` judges as shapes.
        smooth : int
            Affinities are first averaged over so many nearest points and the point itself.
        objects : Proposals, optional
            What `find_objects(lifted.scene)` sees. Affinities are averaged over each object, floor and wall, and a
            name's are divided by its largest mean, so that what a name lights up beside its own thing counts for less;
            by the median of the names' largest means where its own is smaller, as of a name of nothing in the view.

        Returns
        -------
        NoveltyMap
            Of the n points.

        Raises
        ------
        UnknownNameError, InputError
            As there; for objects of another scan, too.
        MixedEncodersError
            For a threshold of other affinities, or another method.
        """
        values = self.affinities
        if check_whole(smooth, "smooth", 0):
            values = _smoothed(self.scene.points, values, smooth)
        if objects is not None:
            values = _by_object(values, objects)
        of_rows = Affinities(values.T[:, None], self.names, self.provenance)
        found = of_rows.novelty(known, method=method, temperature=temperature)
        if threshold is not None:
            threshold.check_fits(found.provenance)
        rows = self.scene.points
        if self.scene.color is not None:
            rows = np.hstack([rows, self.scene.color])
        elements = Elements("points", rows)
        return replace(found, elements=elements, threshold=threshold, name=self.scene.name, up="z")


def lift(
    views: View | Sequence[View],
    affinities: Affinities | Sequence[Affinities],
    *,
    spacing: float | None = None,
    bounds: Any = None,
) -> Lifted:
    """The pixels that have a depth as points, with their affinities.

    Parameters
    ----------
    views : View or sequence of View
        Of one scene, with poses in one world.
    affinities : Affinities or sequence of Affinities
        Of each view's pixels, to the same names.
    spacing : float, optional
        Side in meters of the voxels whose points are joined into their mean, also over views. One view is kept as it
        is unless this is given, row by row; of several it is 0.02.
    bounds : array (2, 3), optional
        Low and high corner, in the world, of what is kept.

    Returns
    -------
    Lifted

    Raises
    ------
    InputError
        For views and affinities of different numbers, sizes or names.
    CloudError
        Where no pixel has a depth, or none of them lies in the bounds.
    """
    given = (views,) if isinstance(views, View) else tuple(views)
    told = (affinities,) if isinstance(affinities, Affinities) else tuple(affinities)
    if not given or len(given) != len(told):
        raise InputError(
            f"there are {len(given)} views and {len(told)} affinities; expected one for each, one at least"
        )
    names, provenance = told[0].names, told[0].provenance
    for view, one in zip(given, told, strict=True):
        one.check_fits(view)
        if one.names != names:
            raise InputError(f"{view.name} has affinities to other names, or in another order, than {given[0].name}")
    kept = _kept(given, bounds)
    points = np.concatenate([view.points[mask] for view, mask in zip(given, kept, strict=True)])
    color = np.concatenate([view.rgb.reshape(-1, 3)[mask] for view, mask in zip(given, kept, strict=True)])
    # column by column: of hundreds of names only the result is ever held as a whole
    columns = (
        np.concatenate([one.values[i].reshape(-1)[mask] for one, mask in zip(told, kept, strict=True)])
        for i in range(len(names))
    )
    name = given[0].name if len(given) == 1 else f"{len(given)} views"
    if spacing is None and len(given) == 1:
        return Lifted(Scene(points, color, name=name), np.stack(list(columns), axis=1), names, provenance, given)
    voxels = voxelize(points, SPACING if spacing is None else check_positive(spacing, "spacing"))

    def joined(column: np.ndarray) -> np.ndarray:
        """The mean (v,) in each voxel of what is known at its points (n,)."""
        sound = np.isfinite(column)
        total, count = (np.bincount(voxels.inverse[sound], of, len(voxels)) for of in (column[sound], None))
        with np.errstate(invalid="ignore"):
            return total / count

    middle, shade = (np.stack([joined(axis) for axis in rows.T], axis=1) for rows in (points, color))
    values = np.stack([joined(column).astype(np.float32) for column in columns], axis=1)
    return Lifted(Scene(middle, np.clip(shade, 0, 1), name=name), values, names, provenance, given)


def _kept(views: Sequence[View], bounds: Any) -> list[np.ndarray]:
    """Which pixels (h * w,) of each view have a place, within bounds where there are any."""
    kept, told = [view.seen.reshape(-1) for view in views], ", ".join(view.name for view in views)
    if not any(mask.any() for mask in kept):
        raise CloudError(f"{told}: no pixel has a depth, so that there is no visible point")
    if bounds is None:
        return kept
    box = checked_matrix(bounds, "bounds", (2, 3), infinite=True)
    if not (box[0] < box[1]).all():
        raise InputError(f"bounds are {bounds!r}; expected (2, 3), a low corner and a high one")
    inside = [mask & in_bounds(view.points, box) for view, mask in zip(views, kept, strict=True)]
    if not any(mask.any() for mask in inside):
        middle = np.concatenate([view.points[mask] for view, mask in zip(views, kept, strict=True)]).mean(axis=0)
        raise CloudError(
            f"{told}: no point lies in {box.tolist()}; the camera looks away from there, its points lie about "
            f"{middle.round(2)}, in meters"
        )
    return inside


def _smoothed(points: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """The mean of values (n, k) over each point and the `count` points nearest to it, of those that are known."""
    from scipy.spatial import KDTree

    beside = KDTree(points).query(points, k=min(count + 1, len(points)))[1].reshape(len(points), -1)
    smooth = np.empty_like(values)
    for i, column in enumerate(values.T):
        sound = np.isfinite(column)
        with np.errstate(invalid="ignore"):
            mean = np.where(sound, column, 0)[beside].sum(axis=1) / sound[beside].sum(axis=1)
        smooth[:, i] = np.where(sound, mean, np.nan)
    return smooth


def _by_object(values: np.ndarray, objects: Proposals) -> np.ndarray:
    """Affinities (n, k) as means over objects, each name's relative to its largest."""
    if objects.n != len(values):
        raise InputError(f"the objects are of a scan of {objects.n} points, there are {len(values)}; expected the same")
    found, means = values.copy(), [np.full(values.shape[1], np.nan)]
    # of two objects the better one counts, and any of them before layout
    for rows in reversed([*objects.rows, *(plane.rows for plane in objects.layout)]):
        own = values[rows]
        sound = np.isfinite(own)
        with np.errstate(invalid="ignore"):
            means.append(np.where(sound, own, 0).sum(axis=0) / sound.sum(axis=0))
        found[rows] = means[-1]
    top = np.fmax.reduce(means)
    known = top[np.isfinite(top)]
    scale = np.fmax(top, np.median(known) if len(known) else np.nan)
    return found / np.where(scale > 0, scale, 1).astype(found.dtype)
