"""A category, a variant and a seed name the same mesh for ever: every draw is held by a hash and three sums."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood.synthetic import categories, generate, variants

# python -m tests.synthetic.test_draws writes it: only for new categories
DRAWS = Path(__file__).with_name("draws.json")
SEEDS = (0, 1, 2, 7_600_000)
APART = 1e-5  # meters, over all vertices of a category: processors differ by less than 1e-10, as their sines do


def drawn(name: str) -> dict[str, Any]:
    """All variants and the seeds that pick one: a hash of the faces and parts, weighted sums of the vertices (x, y, z).

    The weights cover [-1, 1] and differ from vertex to vertex, so that a vertex that moves or changes places shows.
    """
    whole, sums = hashlib.sha256(), np.zeros(3)
    for variant in (None, *variants(name)):
        for seed in SEEDS if variant is None else SEEDS[1:3]:
            mesh = generate(name, seed, variant)
            whole.update(f"{variant} {seed} {mesh.vertices.shape} {mesh.faces.shape}".encode())
            whole.update(np.ascontiguousarray(mesh.faces, dtype="<i8").tobytes())
            whole.update(np.ascontiguousarray(mesh.parts, dtype="<i8").tobytes())
            sums += np.random.RandomState(seed).uniform(-1, 1, len(mesh.vertices)) @ mesh.vertices
    return {"faces": whole.hexdigest(), "vertices": sums.round(9).tolist()}


def test_no_category_is_missing() -> None:
    assert sorted(json.loads(DRAWS.read_text())) == list(categories())


@pytest.mark.parametrize("name", categories())
def test_draws_stay_what_they_are(name: str) -> None:
    found, expected = drawn(name), json.loads(DRAWS.read_text())[name]
    assert found["faces"] == expected["faces"]
    np.testing.assert_allclose(found["vertices"], expected["vertices"], rtol=0, atol=APART)


if __name__ == "__main__":
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(drawn(name))}" for name in categories())
    DRAWS.write_text(f"{{\n{lines}\n}}\n")
