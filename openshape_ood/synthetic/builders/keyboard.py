"""Computer keyboards: full, compact, split, curved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openshape_ood.synthetic.builders._copies import both, stamped
from openshape_ood.synthetic.builders._fittings import key_field
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cushion, join


def desk_keyboard(rng: Random, columns: int, thickness: float, keys: float, blocks: Sequence[int] = ()) -> Mesh:
    """A case with a main field of keys and further blocks (columns each) to its right."""
    u = rng.uniform
    rows, gap, x = rng.randint(5, 7), 0.008, 0.0
    fields = []
    for block in (columns, *blocks):
        width = block * 0.019
        fields.append(key_field(rng, block, rows, keys).moved(x=x + width / 2))
        x += width + gap
    width, depth = x + u(0, 0.03), rows * 0.019 + u(0.01, 0.05)
    case = box(width, thickness, depth)
    body = join(case, *[f.moved(-x / 2 + gap / 2, thickness / 2) for f in fields]).turned("x", u(0, 7))
    return laid_keyboard(rng, body)


def laid_keyboard(rng: Random, mesh: Mesh) -> Mesh:
    return mesh.turned("x", rng.uniform(70, 90)) if chance(rng, 0.1) else mesh


def mechanical_keyboard(rng: Random) -> Mesh:
    return desk_keyboard(rng, 15, rng.uniform(0.025, 0.04), rng.uniform(0.01, 0.016), (3,) if chance(rng, 0.6) else ())


def split_keyboard(rng: Random) -> Mesh:
    u = rng.uniform
    half = join(
        box(0.16, 0.018, 0.13), key_field(rng, 7, 5, 0.008).moved(y=0.009), box(0.14, 0.012, 0.06).moved(z=0.09)
    )
    return both(half.turned("z", -u(0, 15)).turned("y", -u(5, 20)).moved(x=u(0.1, 0.16)))


def curved_keyboard(rng: Random) -> Mesh:
    bend, hump = rng.uniform(0.4, 1.0), rng.uniform(0.1, 0.5)
    flat = join(
        key_field(rng, 22, 5, 0.007).moved(y=0.01),
        stamped(box(0.0225, 0.02, 0.2), [(x, 0, 0.03) for x in np.arange(-10, 11) * 0.0215]),
    )

    def arc(p: np.ndarray) -> np.ndarray:
        p[:, 2] -= bend * p[:, 0] ** 2
        p[:, 1] += hump * (0.05 - p[:, 0] ** 2)
        return p

    return flat.deformed(arc)


def rest_keyboard(rng: Random) -> Mesh:
    board = desk_keyboard(rng, 15, 0.025, 0.008, (3, 4))
    size = board.size()
    return join(board.grounded(), cushion(size[0], 0.02, 0.08, 0.3).moved(y=0.01, z=size[2] / 2 + 0.04))


category(
    "keyboard",
    full=lambda rng: desk_keyboard(rng, 15, rng.uniform(0.012, 0.03), rng.uniform(0.004, 0.01), (3, 4)),
    compact=lambda rng: desk_keyboard(rng, rng.randint(13, 17), rng.uniform(0.006, 0.02), rng.uniform(0.002, 0.008)),
    mechanical=mechanical_keyboard,
    split=split_keyboard,
    curved=curved_keyboard,
    wrist_rest=rest_keyboard,
)
