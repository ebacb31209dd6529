"""Voxels against those of the published code.

Where the environment variable OPENSHAPE_OOD_PARITY names a folder with `seg_golden.npz`, they are compared; `seed` in
it, 0 where there is none, is that of the points.
"""

from __future__ import annotations

import golden
import numpy as np
import pytest

from openshape_ood.scenes import voxelize

GOLDEN = "seg_golden.npz"


def made_up(seed: int) -> np.ndarray:
    """(n, 3) float32: close clusters, exact multiples of 0.05 and 0.02, repeated points, negative ones."""
    rng = np.random.RandomState(5000 + seed)
    first = rng.uniform(-0.4, 0.6, (300, 3))
    near = first[:60] + rng.uniform(-0.01, 0.01, (60, 3))
    corners = [rng.randint(-8, 12, (60, 3)) * 0.05, rng.randint(-20, 30, (60, 3)) * 0.02]
    points = np.concatenate([first, near, *corners, first[:20]])
    return points[rng.permutation(len(points))].astype(np.float32)


@golden.needs(GOLDEN)
@pytest.mark.parametrize("size", [0.02, 0.05])
def test_the_same_voxels_in_the_same_order(size: float) -> None:
    found = voxelize(made_up(golden.seed_of(GOLDEN)), size)
    for name, ours in {"coords": found.coords, "kept": found.first, "inverse": found.inverse}.items():
        np.testing.assert_array_equal(ours, golden.arrays(GOLDEN)[f"voxel/{size}/{name}"], err_msg=name)
