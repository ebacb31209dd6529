"""Generated meshes of everyday categories, sampled cleanly or through a simulated scanner.

>>> cloud = scan("chair", points=1024, seed=7)
>>> cloud.shape
(1024, 3)
>>> float(generate("chair", seed=7).vertices[:, 1].min())  # stands on the floor, y up, meters
0.0

Nothing is stored: category, seed and number of points always determine the same cloud.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from importlib import import_module
from zlib import crc32

import numpy as np

from openshape_ood.checks import check_seed, check_whole
from openshape_ood.errors import UnknownNameError
from openshape_ood.synthetic import scanner
from openshape_ood.synthetic.catalog import BUILDERS, Builder, words
from openshape_ood.synthetic.mesh import Mesh
from openshape_ood.synthetic.sampling import sample_surface

__all__ = ["Mesh", "categories", "generate", "sample", "scan", "synonyms", "variants"]

_STRETCH = 0.12  # maximum stretch of each axis
# numbers of the random streams; never change them, because all shapes would change
_VARIANT, _BUILD, _PROPORTIONS, _SAMPLE, _SCAN = range(5)


def categories() -> tuple[str, ...]:
    """Names of all categories, sorted.

    Examples
    --------
    >>> "chair" in categories()
    True
    """
    return tuple(sorted(words()))


def synonyms(name: str) -> tuple[str, ...]:
    """Synonyms of a category. Each synonym belongs to one category. Raises `UnknownNameError` for an unknown category.

    Examples
    --------
    >>> len(synonyms("chair")) >= 8
    True
    """
    return words()[_known(name)]


def variants(name: str) -> tuple[str, ...]:
    """Names of the structural variants of a category. Raises `UnknownNameError` for an unknown category.

    Examples
    --------
    >>> len(variants("chair")) >= 5
    True
    """
    return tuple(_builders(name))


def generate(category: str, seed: int, variant: str | None = None) -> Mesh:
    """Generate a mesh of a category: y up, front to +z, in meters. It stands on y = 0, centered above the origin.

    Parameters
    ----------
    category : str
        One of `categories()`.
    seed : int
        From 0 to 2**32 - 1. It determines the variant (unless given), the dimensions and a stretch of each axis.
    variant : str, optional
        One of `variants(category)`. Default: picked by the seed.

    Raises
    ------
    UnknownNameError
        For an unknown category or variant.
    InputError
        For a seed out of range.

    Examples
    --------
    >>> float(generate("table", seed=3).vertices[:, 1].min())
    0.0
    """
    kinds = _builders(category)
    if variant is None:
        variant = list(kinds)[_stream(seed, category, _VARIANT).randint(len(kinds))]
    elif variant not in kinds:
        raise UnknownNameError(_unknown(f"variant of {category!r}", variant, kinds))
    stretch = 1 + _stream(seed, category, _PROPORTIONS).uniform(-_STRETCH, _STRETCH, 3)
    return kinds[variant](_stream(seed, category, _BUILD)).scaled(*stretch).grounded()


def sample(category_or_mesh: str | Mesh, points: int, seed: int) -> np.ndarray:
    """Sample a clean cloud, uniform over the surface of a generated shape or a mesh.

    Parameters
    ----------
    category_or_mesh : str or Mesh
        One of `categories()`, generated with this seed. Or a mesh in meters, y up.
    points : int
        Number n of points, at least 1.
    seed : int
        From 0 to 2**32 - 1. The same seed always gives the same cloud.

    Returns
    -------
    ndarray (n, 3) float64
        y up, meters.

    Raises
    ------
    UnknownNameError
        For an unknown category.
    InputError
        For a seed or a number of points out of range.

    Examples
    --------
    >>> sample("table", points=100, seed=3).shape
    (100, 3)
    """
    mesh, rng = _mesh_and_stream(category_or_mesh, seed, _SAMPLE)
    return sample_surface(mesh, check_whole(points, "points"), rng)[0]


def scan(category_or_mesh: str | Mesh, points: int, seed: int, severity: float = 0.7) -> np.ndarray:
    """Simulate an indoor depth scan, rotated about y by a random angle. Returns and raises as `sample`.

    Parameters
    ----------
    category_or_mesh, points, seed
        As in `sample`.
    severity : float, default 0.7
        From 0 (whole surface, without noise) to 1 (hardest scans), see `scanner`.

    Examples
    --------
    >>> scan("table", points=100, seed=3, severity=1.0).shape
    (100, 3)
    """
    mesh, rng = _mesh_and_stream(category_or_mesh, seed, _SCAN)
    return scanner.scan(mesh, check_whole(points, "points"), severity, rng)


def _mesh_and_stream(category_or_mesh: str | Mesh, seed: int, purpose: int) -> tuple[Mesh, np.random.RandomState]:
    if isinstance(category_or_mesh, Mesh):
        return category_or_mesh, _stream(seed, "", purpose)
    return generate(category_or_mesh, seed), _stream(seed, category_or_mesh, purpose)


def _stream(seed: int, category: str, purpose: int) -> np.random.RandomState:
    """Separate random stream for each seed, category and purpose (`_VARIANT` to `_SCAN`)."""
    return np.random.RandomState([check_seed(seed), crc32(category.encode()), purpose])


def _known(category: str) -> str:
    if category not in words():
        raise UnknownNameError(_unknown("category", category, words()))
    return category


def _builders(category: str) -> Mapping[str, Builder]:
    """Builder of each variant. Imports all builders, which takes 0.3 s. `categories` and `synonyms` do not need it."""
    import_module("openshape_ood.synthetic.builders")  # registers the builders
    return BUILDERS[_known(category)]


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(str(name), known, n=3)
    hint = f"Did you mean {' or '.join(map(repr, close))}?" if close else f"Expected one of {', '.join(sorted(known))}"
    return f"no {what} is called {name!r}. {hint}"
