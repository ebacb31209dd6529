"""Checks of a scan: unit, up axis, point spacing."""

from __future__ import annotations

import warnings

import numpy as np

from openshape_ood.errors import CloudError
from openshape_ood.scenes.scene import Scene
from openshape_ood.scenes.voxels import voxelize
from openshape_ood.shapes.points import AxisWarning

LOOKED_AT = 50_000  # maximum points that are checked
LARGE, LARGEST = 100, 1000  # maximum extent in meters: of an indoor place, of any place
COARSE = 2  # point spacing in voxel sides; from this value on, voxels hardly touch
CELL = 0.1  # meters, cell side in `_flat`; deviations of a floor from a plane are smaller
ROOM = (1.8, 4.5)  # meters, height of a room
LOW = 0.75  # maximum ratio of a room's height to its extent along the assumed up axis
CLOSE = 0.9  # an axis is reported if its flat layer has at least this fraction of the cells of the largest layer


class ScanWarning(UserWarning):
    """Warning about the unit, the colors or the point spacing of a scan."""


def check_size(scene: Scene, any_size: bool) -> str | None:
    """Warning about an implausible extent of an indoor scan, or None.

    Raises `CloudError` for an extent of more than 1 km, unless `any_size`.
    """
    low, high = np.percentile(_some(scene.points), (0.5, 99.5), axis=0)  # ignores stray points
    size, across = " × ".join(f"{side:,.0f}" for side in high - low), float(np.linalg.norm(high - low))
    if across > LARGEST and not any_size:
        raise CloudError(
            f"it would be {size} m large. Expected at most {LARGEST:,} m. If its unit is the millimeter, give "
            "unit='mm' (or 'cm', 'in', 'ft'); if it is that large, give unit='m'."
        )
    if not LARGE < across <= LARGEST:
        return None
    what = f"{scene.name} is {size} m large. Few indoor places are so large"
    return f"{what}. Give unit='cm' or another unit; if the size is right, give unit='m'."


def without_stray_points(scene: Scene, stacklevel: int = 2) -> Scene:
    """Scan without stray points, whose distance to nearly all others exceeds 1 km and the size of the scan.

    Stray points come from lasers that hit mirrors or nothing. Warns about dropped points.
    """
    low, high = np.percentile(_some(scene.points), (0.5, 99.5), axis=0)
    beyond = np.maximum(low - scene.points, scene.points - high).max(axis=1)
    kept = beyond <= max(LARGEST, float(np.linalg.norm(high - low)))
    if kept.all():
        return scene
    warnings.warn(
        f"{scene.name}: {(~kept).sum():,} of {len(kept):,} points are {beyond[~kept].min():.3g} m or farther from all "
        "others. They were left out, so the scene has fewer points than the file. Crop the file to avoid this.",
        ScanWarning,
        stacklevel=stacklevel + 1,
    )
    return scene.take(kept)


def warn_of_axis(points: np.ndarray, up: str, name: str, stacklevel: int = 2) -> None:
    """Warn if points (n, 3) in meters, read with `up`, look like a room with another up axis.

    The extent along the other axis is a room height, and clearly less than along `up`. The largest flat layer across
    this axis is at least as large as across `up`, because floors are larger than walls. The warning names the axis with
    the largest layer, and axes with almost as large ones.
    """
    some = _some(points)
    low, high = np.percentile(some, (0.5, 99.5), axis=0)
    length, taken = high - low, "xyz".index(up[-1])
    flat = [_flat(some, axis) for axis in range(3)]
    highest = min(ROOM[1], LOW * length[taken])
    rooms = [axis for axis in range(3) if ROOM[0] <= length[axis] <= highest and flat[axis] >= flat[taken]]
    if not rooms:
        return
    least = CLOSE * max(flat[axis] for axis in rooms)
    rooms = sorted((axis for axis in rooms if flat[axis] >= least), key=lambda axis: -flat[axis])
    names = ["xyz"[axis] for axis in rooms]
    heights = ", ".join(f"{length[axis]:.1f} m along {'xyz'[axis]}" for axis in rooms)
    warnings.warn(
        f"{name} was read with {up} up, but looks like a room with {' or '.join(names)} up. It is {heights}, and "
        f"{length[taken]:.1f} m along {up[-1]}. If another axis is up, give "
        f"{' or '.join(f'up={axis!r}' for axis in names)}.",
        AxisWarning,
        stacklevel=stacklevel + 1,
    )


def warn_if_sparse(scene: Scene, size: float, stacklevel: int = 2) -> None:
    """Warn if points are too sparse for voxels of `size` meters.

    Examples
    --------
    >>> warn_if_sparse(Scene(np.arange(30.0).reshape(10, 3) / 100), 0.05)  # 5 cm apart
    """
    apart = scene.spacing()
    if np.isfinite(apart) and apart >= COARSE * size:
        warnings.warn(
            f"{scene.name}: its points are {apart:.2g} m apart, so voxels of {size:g} m hardly touch. The network "
            "needs adjacent voxels. Take a denser scan, or a network with larger voxels.",
            ScanWarning,
            stacklevel=stacklevel + 1,
        )


def _some(points: np.ndarray) -> np.ndarray:
    return points[:: -(-len(points) // LOOKED_AT)]


def _flat(points: np.ndarray, axis: int) -> int:
    """Largest number of occupied cells in a layer perpendicular to the axis; maximum over two layer offsets."""
    scaled = points.copy()
    scaled[:, axis] /= 2
    counts = []
    for shift in (0, CELL / 2):
        layers = voxelize(scaled + shift * np.eye(3)[axis], CELL).coords[:, axis]
        # no histogram, because a single point may be 10^9 m away
        counts.append(int(np.unique(layers, return_counts=True)[1].max()))
    return max(counts)
