"""A mesh and a cloud that the tests of readers share."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from format_files import SIDES


@pytest.fixture
def box() -> trimesh.Trimesh:
    return trimesh.creation.box(SIDES)


@pytest.fixture
def cloud() -> np.ndarray:
    rng = np.random.RandomState(0)
    return np.hstack([rng.standard_normal((50, 3)), rng.randint(0, 256, (50, 3)) / 255])
