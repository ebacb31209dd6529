"""IoU, precision and recall of occupancy, on points and on voxels; rows b are classes or descriptions, m queries."""

from __future__ import annotations

import numpy as np

from openshape_ood.views.geometry import BOUNDS

CUTOFFS = tuple(round(-2.5 + 0.1 * i, 1) for i in range(25))  # -2.5 to -0.1
SIDES = (32, 64)


def scores(predicted: np.ndarray, labels: np.ndarray, ignored: np.ndarray) -> dict[str, np.ndarray]:
    """Figures (b,) of bools (b, m).

    iou, precision and recall are NaN where their denominator is 0; false_negative and false_positive are shares of what
    is not ignored, NaN where all is.
    """
    counted = ~ignored
    found, true = predicted & counted, labels & counted
    both = (found & true).sum(-1)
    every, positive, true_positive = counted.sum(-1), found.sum(-1), true.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "iou": both / (found | true).sum(-1),
            "precision": both / positive,
            "recall": both / true_positive,
            "false_negative": (true_positive - both) / every,
            "false_positive": (positive - both) / every,
        }


def voxel_index(points: np.ndarray, side: int) -> np.ndarray:
    """The voxel (..., ) of points (..., 3), x slowest; by side - 1, as the published tables are made."""
    low, scale = BOUNDS[0].astype(points.dtype), ((side - 1) / np.ptp(BOUNDS, axis=0)).astype(points.dtype)
    cells = np.clip(((points - low) * scale).astype(np.int64), 0, side - 1)
    return (cells[..., 0] * side + cells[..., 1]) * side + cells[..., 2]


def voxelized(values: np.ndarray, index: np.ndarray, side: int) -> np.ndarray:
    """Whether any point of a voxel is true: bools (b, m) at voxels (b, m) as (b, side³)."""
    found = np.zeros((len(values), side**3), dtype=bool)
    rows, points = np.nonzero(values)
    found[rows, index[rows, points]] = True
    return found


def voxel_scores(
    predicted: np.ndarray, labels: np.ndarray, ignored: np.ndarray, points: np.ndarray, side: int
) -> dict[str, np.ndarray]:
    """`scores` on voxels; those without points, or with one that is ignored, are left out. points: (b, m, 3)."""
    index = voxel_index(points, side)
    left_out = voxelized(ignored, index, side) | ~voxelized(np.ones_like(ignored), index, side)
    return scores(voxelized(predicted, index, side), voxelized(labels, index, side), left_out)


def all_scores(logits: np.ndarray, labels: np.ndarray, ignored: np.ndarray, points: np.ndarray, cutoff: float) -> dict:
    """Every figure (b,) of a result row at one cut-off, by its column."""
    predicted = logits > cutoff
    found = {f"point_{name}": value for name, value in scores(predicted, labels, ignored).items()}
    for side in SIDES:
        own = voxel_scores(predicted, labels, ignored, points, side)
        found |= {f"voxel{side}x{side}x{side}_{name}": value for name, value in own.items()}
    return found
