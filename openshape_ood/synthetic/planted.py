"""Shapes with a foreign part and its ground truth, for measuring novelty maps.

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

SUNK = 0.03  # the part is sunk into the host by this fraction of the replaced height, so that it does not float


@dataclass(frozen=True, eq=False)
class Planted:
    """Cloud (n, 3) float64, y up, meters, and mask (n,) of foreign points, which are from the donor."""

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
    """Shape of one category, cut at a height, with a shape of another category on top.

    The donor replaces the removed part. Its longest side is upright, and it is at most 1.4 times as high as the removed
    part. The same arguments give the same shape.

    Parameters
    ----------
    host, donor : str
        Categories of the body and of the foreign part.
    points : int, default 2048
        Number n of points.
    seed : int, default 0
        Seed of both shapes and of the points.
    keep : float, default 0.55
        Fraction of the host's height to keep. 1 keeps the whole host, with the donor on top.
    host_variant, donor_variant : str, optional
        Structural variants as in `synthetic.variants`. Default: chosen by the seed.

    Raises
    ------
    UnknownNameError, InputError
        For an unknown category or variant, and for a fraction outside (0, 1].

    Examples
    --------
    >>> plant("table", "plant", points=100, seed=2, keep=1).foreign.shape
    (100,)
    """
    if not 0 < keep <= 1:
        raise InputError(
            f"keep is {keep!r}. Expected a fraction of the host's height, above 0 and at most 1. Give keep=0.55, for "
            "example."
        )
    body, place, height = _cut(generate(host, seed, host_variant), keep)
    part = _on_end(generate(donor, seed, donor_variant))
    width, tall, _ = part.size()
    scale = min(height / tall, 1.1 * body.size()[0] / width)
    part = part.scaled(scale, scale, scale).grounded().moved(place[0], place[1] - SUNK * height, place[2])
    both = join(_marked(body), _marked(part))
    cloud, parts = sample_surface(both, points, np.random.RandomState([seed, points]))
    return Planted(cloud, parts == 1, host, donor)


def _cut(mesh: Mesh, keep: float) -> tuple[Mesh, np.ndarray, float]:
    """Mesh up to the fraction `keep` of its height, position (3,) for a part on it, and maximum height of the part."""
    tall = mesh.size()[1]
    middle = mesh.vertices[mesh.faces].mean(axis=1)
    above = middle[:, 1] >= keep * tall
    if keep == 1 or above.all() or not above.any():
        top = mesh.vertices[:, 1].max()
        return mesh, np.array([0.0, top, 0.0]), 0.8 * tall
    body = Mesh(mesh.vertices, mesh.faces[~above], mesh.parts[~above])
    foot = np.median(middle[above], axis=0)
    top = min(keep * tall, float(body.vertices[body.faces, 1].max()))  # the part must not float above the body
    return body, np.array([foot[0], top, foot[2]]), 1.4 * (1 - keep) * tall


def _on_end(mesh: Mesh) -> Mesh:
    """Mesh rotated so that its longest side is upright."""
    axis = int(mesh.size().argmax())
    return mesh if axis == 1 else mesh.turned("z" if axis == 0 else "x", 90).grounded()


def _marked(mesh: Mesh) -> Mesh:
    return Mesh(mesh.vertices, mesh.faces, np.zeros(len(mesh.faces), dtype=np.int64))
