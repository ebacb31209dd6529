"""Bodies lofted through a stack of horizontal rings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from openshape_ood.synthetic.mesh import Mesh, sheet

# A superellipse of this power has corners that look sharp at any sampling.
SHARP = 40.0


class Ring(NamedTuple):
    """A horizontal outline: a superellipse of the given full widths around (0, y, z).

    `power` 2 is an ellipse, 10 nearly a rectangle; `back` is the power of the half towards -z.
    """

    y: float
    width: float
    depth: float
    power: float = 2.0
    z: float = 0.0
    back: float | None = None

    def shrunk(self, by: float) -> Ring:
        return self._replace(width=max(self.width - by, 0.004), depth=max(self.depth - by, 0.004))

    def closed(self) -> Ring:
        return self._replace(width=0.0, depth=0.0)


def loft(rings: Sequence[Ring], segments: int = 24) -> Mesh:
    """The surface through a stack of rings, in their order."""
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    # sin(pi) is not quite 0, and a high power would blow the difference up
    cos, sin = np.cos(angle).round(9), np.sin(angle).round(9)
    columns = [(r.y, r.width, r.depth, r.power, r.z, r.back or r.power) for r in rings]
    y, width, depth, front, z, back = np.array(columns).T[:, :, None]
    power = 2 / np.where(sin < 0, back, front)
    across = np.sign(cos) * np.abs(cos) ** power * width / 2
    along = np.sign(sin) * np.abs(sin) ** power * depth / 2 + z
    grid = np.stack([across, np.broadcast_to(y, across.shape), along], axis=-1)
    return sheet(lambda u, v: grid, rows=len(rings), columns=segments + 1)


def solid(rings: Sequence[Ring], segments: int = 24) -> Mesh:
    return loft([rings[0].closed(), *rings, rings[-1].closed()], segments)


def slab(ring: Ring, thickness: float) -> Mesh:
    """A plate of a ring's outline that stands on the ring."""
    return solid([ring, ring._replace(y=ring.y + thickness)])


def collar(outer: Ring, inner: Ring, thickness: float) -> Mesh:
    """A plate with a hole, from the height of `outer` upwards."""
    top, y = outer.y + thickness, outer.y
    return loft([outer, outer._replace(y=top), inner._replace(y=top), inner._replace(y=y), outer])


def hollow(rings: Sequence[Ring], wall: float, floor: float | None = None, deck: float = 0.0) -> Mesh:
    """A vessel open at the top with the given outside; a `deck` widens the rim at the back."""
    bottom = rings[0].y + (wall if floor is None else floor)
    inside = [r.shrunk(2 * wall)._replace(y=max(r.y, bottom)) for r in rings]
    inside = [r._replace(depth=max(r.depth - deck, 0.004), z=r.z + deck / 2) for r in inside]
    return loft([rings[0].closed(), *rings, *inside[::-1], inside[0].closed()])


def shell_rings(height: float, bottom: float, width: float, depth: float, power: float) -> list[Ring]:
    """A straight tapered outside from y = 0; `bottom` is its scale at the foot."""
    return [Ring(0, bottom * width, bottom * depth, power), Ring(height, width, depth, power)]
