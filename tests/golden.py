"""Golden numbers of published code, in the folder that OPENSHAPE_OOD_PARITY names; tests are skipped without it."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

FOLDER = os.environ.get("OPENSHAPE_OOD_PARITY", "")


def needs(file: str) -> pytest.MarkDecorator:
    absent = not FOLDER or not Path(FOLDER, file).is_file()
    return pytest.mark.skipif(absent, reason=f"OPENSHAPE_OOD_PARITY names no folder with {file}")


@cache
def arrays(file: str) -> dict[str, np.ndarray]:
    with np.load(Path(FOLDER, file)) as packed:
        return dict(packed)


def seed_of(file: str) -> int:
    """Seed of weights and inputs; 0 if the file states none."""
    return int(arrays(file).get("seed", 0))
