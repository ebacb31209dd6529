"""Everyday categories as generated meshes, sampled cleanly or through a simulated scanner.

>>> cloud = scan("chair", points=1024, seed=7)
>>> cloud.shape
(1024, 3)
>>> float(generate("chair", seed=7).vertices[:, 1].min())  # stands on the floor, y up, meters
0.0

Nothing is stored: a category, a seed and a number of points name the same cloud for ever.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Collection
from zlib import crc32

import numpy as np

from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.synthetic import builders, scanner
from openshape_ood.synthetic.catalog import CATEGORIES, Category
from openshape_ood.synthetic.mesh import Mesh
from openshape_ood.synthetic.sampling import sample_surface

__all__ = ["CATEGORIES", "Category", "Mesh", "categories", "generate", "sample", "scan", "synonyms", "variants"]

_BUILDERS = builders  # importing it fills CATEGORIES
_STRETCH = 0.12  # of every axis, at most
# what a stream of random numbers is for; the numbers are part of what a seed means, so never change them
_VARIANT, _BUILD, _PROPORTIONS, _SAMPLE, _SCAN = range(5)


def categories() -> tuple[str, ...]:
    """Names of all categories.

    Returns
    -------
    tuple of str
        Sorted.

    Examples
    --------
    >>> "chair" in categories()
    True
    """
    return tuple(sorted(CATEGORIES))


def synonyms(name: str) -> tuple[str, ...]:
    """Other words for a category.

    Parameters
    ----------
    name : str
        One of `categories()`.

    Returns
    -------
    tuple of str
        No word is a synonym of two categories.

    Raises
    ------
    UnknownNameError
        For a category that there is not.

    Examples
    --------
    >>> len(synonyms("chair")) >= 8
    True
    """
    return _category(name).synonyms


def variants(name: str) -> tuple[str, ...]:
    """The structural kinds that a category comes in.

    Parameters
    ----------
    name : str
        One of `categories()`.

    Returns
    -------
    tuple of str
        In the order in which a seed picks one.

    Raises
    ------
    UnknownNameError
        For a category that there is not.

    Examples
    --------
    >>> len(variants("chair")) >= 5
    True
    """
    return tuple(_category(name).variants)


def generate(category: str, seed: int, variant: str | None = None) -> Mesh:
    """A mesh of a category, standing on y = 0 over the origin, y up, front to +z, in meters.

    Parameters
    ----------
    category : str
        One of `categories()`.
    seed : int
        From 0 to 2**32 - 1. It picks the variant, unless one is given, its dimensions and a stretch of each axis.
    variant : str, optional
        One of `variants(category)`.

    Returns
    -------
    Mesh
        Vertices (v, 3) float64, triangles (f, 3) and the part (f,) that each triangle belongs to.

    Raises
    ------
    UnknownNameError
        For a category or variant that there is not.
    InputError
        For a seed out of range.

    Examples
    --------
    >>> float(generate("table", seed=3).vertices[:, 1].min())
    0.0
    """
    entry = _category(category)
    if variant is None:
        variant = list(entry.variants)[_stream(seed, category, _VARIANT).randint(len(entry.variants))]
    elif variant not in entry.variants:
        raise UnknownNameError(_unknown(f"variant of {category!r}", variant, entry.variants))
    stretch = 1 + _stream(seed, category, _PROPORTIONS).uniform(-_STRETCH, _STRETCH, 3)
    return entry.variants[variant](_stream(seed, category, _BUILD)).scaled(*stretch).grounded()


def sample(category_or_mesh: str | Mesh, points: int, seed: int) -> np.ndarray:
    """A clean cloud, even over the surface of a category's shape or of a mesh.

    Parameters
    ----------
    category_or_mesh : str or Mesh
        One of `categories()`, whose shape of this seed is generated, or a mesh in meters, y up.
    points : int
        Number n of points, at least 1.
    seed : int
        From 0 to 2**32 - 1; it names the cloud for ever.

    Returns
    -------
    ndarray (n, 3) float64
        y up, meters.

    Raises
    ------
    UnknownNameError
        For a category that there is not.
    InputError
        For a seed or a number of points out of range.

    Examples
    --------
    >>> sample("table", points=100, seed=3).shape
    (100, 3)
    """
    mesh, rng = _mesh_and_stream(category_or_mesh, seed, _SAMPLE)
    return sample_surface(mesh, _count(points), rng)[0]


def scan(category_or_mesh: str | Mesh, points: int, seed: int, severity: float = 0.7) -> np.ndarray:
    """A cloud as an indoor depth scan would give it, turned about gravity at random.

    Parameters
    ----------
    category_or_mesh : str or Mesh
        One of `categories()`, whose shape of this seed is generated, or a mesh in meters, y up.
    points : int
        Number n of points, at least 1.
    seed : int
        From 0 to 2**32 - 1; it names the cloud for ever.
    severity : float, default 0.7
        From 0, the whole surface without noise, to 1, the hardest scans; see `scanner`.

    Returns
    -------
    ndarray (n, 3) float64
        y up, meters.

    Raises
    ------
    UnknownNameError
        For a category that there is not.
    InputError
        For a seed, a number of points or a severity out of range.

    Examples
    --------
    >>> scan("table", points=100, seed=3, severity=1.0).shape
    (100, 3)
    """
    mesh, rng = _mesh_and_stream(category_or_mesh, seed, _SCAN)
    return scanner.scan(mesh, _count(points), severity, rng)


def _mesh_and_stream(category_or_mesh: str | Mesh, seed: int, purpose: int) -> tuple[Mesh, np.random.RandomState]:
    if isinstance(category_or_mesh, Mesh):
        return category_or_mesh, _stream(seed, "", purpose)
    return generate(category_or_mesh, seed), _stream(seed, category_or_mesh, purpose)


def _stream(seed: int, category: str, purpose: int) -> np.random.RandomState:
    """Numbers of their own for every seed, category and purpose."""
    number = _whole("seed", seed)
    if not 0 <= number < 2**32:
        raise InputError(f"seed is {number}; it must be from 0 to 2**32 - 1")
    return np.random.RandomState([number, crc32(category.encode()), purpose])


def _count(points: int) -> int:
    number = _whole("points", points)
    if number < 1:
        raise InputError(f"points is {number}; a cloud needs at least 1")
    return number


def _whole(what: str, value: int) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise InputError(f"{what} is {value!r}; it must be a whole number") from None


def _category(name: str) -> Category:
    if name not in CATEGORIES:
        raise UnknownNameError(_unknown("category", name, CATEGORIES))
    return CATEGORIES[name]


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(str(name), known, n=3)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"known are {', '.join(sorted(known))}"
    return f"no {what} is called {name!r}; {hint}"
