"""Shapes with a foreign part, and which of their points are foreign: what a novelty map is measured on.

>>> shape = plant("chair", "guitar", points=1000, seed=3)  # a chair with a guitar for a back
>>> shape.cloud.shape, bool(shape.foreign.any()), bool(shape.foreign.all())
((1000, 3), True, False)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openshape_ood.errors import InputError
from openshape_ood.synthetic import generate
from openshape_ood.synthetic.mesh import Mesh, join
from openshape_ood.synthetic.sampling import sample_surface

SUNK = 0.03  # of the height of what it replaces, so that a part grows out of the host and does not float on it


@dataclass(frozen=True, eq=False)
class Planted:
    """A cloud (n, 3) float64, y up, meters, and which of its points (n,) are foreign, of the donor and not the host."""

    cloud: np.ndarray
    foreign: np.ndarray
    host: str
    donor: str


def plant(
    host: str = "chair",
    donor: str = "guitar",
    points: int = 2048,
    seed: int = 0,
    keep: float = 0.55,
    host_variant: str | None = None,
    donor_variant: str | None = None,
) -> Planted:
    """A shape of one category, cut off at some height, with a shape of another category in its place.

    The donor stands on its end where the cut-off part was, higher than it by two fifths at most. Same arguments, same
    shape.

    Parameters
    ----------
    host, donor : str
        Categories of the body and of the foreign part.
    points : int, default 2048
        Number n of points.
    seed : int, default 0
        Of both shapes and of the points.
    keep : float, default 0.55
        Share of the host's height that stays; 1 leaves the host whole, and the donor stands on top.
    host_variant, donor_variant : str, optional
        Structural kinds as in `synthetic.variants`; without one the seed picks it.

    Raises
    ------
    UnknownNameError, InputError
        A category or variant that there is not; a share outside (0, 1].

    Examples
    --------
    >>> plant("table", "plant", points=100, seed=2, keep=1).foreign.shape
    (100,)
    """
    if not 0 < keep <= 1:
        raise InputError(f"keep is {keep!r}; expected a share of the host's height, above 0 and at most 1")
    body, place, height = _cut(generate(host, seed, host_variant), keep)
    part = _on_end(generate(donor, seed, donor_variant))
    width, tall, _ = part.size()
    scale = min(height / tall, 1.1 * body.size()[0] / width)
    part = part.scaled(scale, scale, scale).grounded().moved(place[0], place[1] - SUNK * height, place[2])
    both = join(_marked(body), _marked(part))
    cloud, parts = sample_surface(both, points, np.random.RandomState([seed, points]))
    return Planted(cloud, parts == 1, host, donor)


def _cut(mesh: Mesh, keep: float) -> tuple[Mesh, np.ndarray, float]:
    """The mesh up to `keep` of its height, where (3,) a part may stand on it, and how high that may be."""
    tall = mesh.size()[1]
    middle = mesh.vertices[mesh.faces].mean(axis=1)
    above = middle[:, 1] >= keep * tall
    if keep == 1 or above.all() or not above.any():
        top = mesh.vertices[:, 1].max()
        return mesh, np.array([0.0, top, 0.0]), 0.8 * tall
    body = Mesh(mesh.vertices, mesh.faces[~above], mesh.parts[~above])
    foot = np.median(middle[above], axis=0)
    top = min(keep * tall, float(body.vertices[body.faces, 1].max()))  # nothing floats above what is left
    return body, np.array([foot[0], top, foot[2]]), 1.4 * (1 - keep) * tall


def _on_end(mesh: Mesh) -> Mesh:
    """Turned so that its longest side is upright."""
    axis = int(mesh.size().argmax())
    return mesh if axis == 1 else mesh.turned("z" if axis == 0 else "x", 90).grounded()


def _marked(mesh: Mesh) -> Mesh:
    return Mesh(mesh.vertices, mesh.faces, np.zeros(len(mesh.faces), dtype=np.int64))
