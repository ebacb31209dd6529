"""Things laid on the floor; flat ones are drawn in the x-y plane."""

from __future__ import annotations

from openshape_ood.synthetic.builders._chance import Random, chance
from openshape_ood.synthetic.mesh import Mesh


def on_back(mesh: Mesh) -> Mesh:
    """Laid down so that its front looks up."""
    return mesh.turned("x", -90)


def laid(rng: Random, mesh: Mesh, probability: float = 0.8) -> Mesh:
    """Mostly laid on the floor, otherwise left upright."""
    return on_back(mesh) if chance(rng, probability) else mesh
