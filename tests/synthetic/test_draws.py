"""A category, a variant and a seed name the same mesh for ever: every draw is held by its hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from openshape_ood.synthetic import categories, generate, variants

DRAWS = Path(__file__).with_name(
    "draws.json"
)  # python -m tests.synthetic.test_draws writes it: only for new categories
SEEDS = (0, 1, 2, 7_600_000)


def digest(name: str) -> str:
    """Of all variants and of the seeds that pick one: to the micrometer, as sines differ by machine."""
    draws = hashlib.sha256()
    for variant in (None, *variants(name)):
        for seed in SEEDS:
            mesh = generate(name, seed, variant)
            draws.update(f"{variant} {seed} {mesh.vertices.shape} {mesh.faces.shape}".encode())
            draws.update((np.round(mesh.vertices * 1e6) + 0.0).astype("<i8").tobytes())
            draws.update(np.ascontiguousarray(mesh.faces, dtype="<i8").tobytes())
            draws.update(np.ascontiguousarray(mesh.parts, dtype="<i8").tobytes())
    return draws.hexdigest()


def test_no_category_is_missing() -> None:
    assert sorted(json.loads(DRAWS.read_text())) == list(categories())


@pytest.mark.parametrize("name", categories())
def test_draws_stay_what_they_are(name: str) -> None:
    assert digest(name) == json.loads(DRAWS.read_text())[name]


if __name__ == "__main__":
    DRAWS.write_text(json.dumps({name: digest(name) for name in categories()}, indent=1) + "\n")
