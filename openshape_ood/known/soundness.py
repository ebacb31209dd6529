"""Whether known classes from a file are sound, and whether several sets belong together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from openshape_ood.errors import ClassNamesError, InputError, MixedEncodersError

if TYPE_CHECKING:
    from openshape_ood.known.classes import KnownClasses


def check_sound(known: KnownClasses) -> None:
    """Raises `ValueError` for arrays that do not fit the names or each other."""
    k = len(known.names)
    if known.text is None and known.examples is None:
        raise ValueError("it holds neither names' embeddings nor examples")
    d = known.dim
    _check_labels("labels", known.labels, k)
    if (known.labels is None) != (known.examples is None):
        raise ValueError("examples and labels do not belong together")
    m = 0 if known.labels is None else len(known.labels)
    expected = {"text": (k, d), "examples": (m, d), "negatives": (None, d)}
    for name, shape in expected.items():
        rows = getattr(known, name)
        if rows is not None:
            _check_rows(name, rows, shape)
            _check_length(name, rows)
    if known.text is None and len(known.shown) != k:
        raise ValueError("there are classes with neither name nor examples")
    if known.patches is not None:
        n = len(known.patches.features)
        _check_rows("patches", known.patches.features, (n, None))
        _check_length("patches", known.patches.features)
        _check_rows("centers", known.patches.centers, (n, 3))
        _check_labels("patch labels", known.patches.labels, k, n)
        _check_labels("patch shapes", known.patches.shapes, n, n)
        if not 0 < float(known.patches.radius) < np.inf or not isinstance(known.patches.stage, str):
            raise ValueError("its patches have no radius or stage")
    if known.temperature is not None and not 0 < known.temperature < np.inf:
        raise ValueError(f"its temperature is {known.temperature}")


def check_joinable(several: Sequence[KnownClasses]) -> None:
    """Raises `InputError` for what is no set, `MixedEncodersError` or `ClassNamesError` where sets do not fit."""
    for one in several:
        if not hasattr(one, "identity") or not hasattr(one, "names"):
            raise InputError(
                f"cannot join {one!r:.60}, a {type(one).__name__}; expected KnownClasses, each an argument of its own"
            )
    first = several[0]
    for other in several[1:]:
        first.check_fits(other.identity)
        if _kind(first) != _kind(other):
            raise MixedEncodersError(
                f"known classes of {first.identity} with embeddings of {first.dim} and of {other.identity} with "
                f"{other.dim} cannot be joined: expected both known by example, both by name, or both by both"
            )
    names = [name for one in several for name in one.names]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ClassNamesError(f"in more than one of the sets: {', '.join(map(repr, twice))}; expected each class once")
    temperatures = sorted({one.temperature for one in several if one.temperature is not None})
    if len(temperatures) > 1:
        raise MixedEncodersError(f"the sets have the temperatures {temperatures}; expected those of one encoder")
    stages = sorted({one.patches.stage for one in several if one.patches is not None})
    if len(stages) > 1:
        raise MixedEncodersError(f"the sets have patches of the stages {', '.join(stages)}; expected one")


def _kind(known: KnownClasses) -> tuple[int, bool, bool]:
    return known.dim, known.text is None, bool(known.identity.sha256)


def _check_rows(name: str, rows: np.ndarray, shape: tuple[int | None, ...]) -> None:
    fits = rows.ndim == len(shape) and all(want in (None, got) for want, got in zip(shape, rows.shape, strict=True))
    if not fits or rows.dtype.kind != "f" or not np.isfinite(rows).all():
        raise ValueError(f"{name} is {rows.shape} {rows.dtype}; expected finite numbers {shape}")


def _check_length(name: str, rows: np.ndarray) -> None:
    length = np.linalg.norm(rows, axis=-1)
    if name == "examples":  # ready embeddings are kept as they are
        if not (length > 0).all():
            raise ValueError("examples hold a row of zeros")
    elif not np.allclose(length, 1, atol=1e-3):
        raise ValueError(f"{name} are no unit vectors")


def _check_labels(name: str, labels: np.ndarray | None, k: int, n: int | None = None) -> None:
    if labels is None:
        return
    if labels.ndim != 1 or labels.dtype.kind != "i" or (n is not None and len(labels) != n):
        raise ValueError(f"{name} do not count the {k} classes")
    if len(labels) and not 0 <= labels.min() <= labels.max() < k:
        raise ValueError(f"{name} do not count the {k} classes")
