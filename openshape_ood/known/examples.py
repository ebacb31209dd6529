"""Embeddings and patches of example shapes, which may be clouds, files, meshes or embeddings."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Number
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import check_names, to_numpy, unit
from openshape_ood.encoders.protocols import Encoder, Patches
from openshape_ood.errors import ClassNamesError, CloudError, InputError, MixedEncodersError, ShapeFileError

ENCODING = ("seed", "num_samples", "batch_size", "progress")  # arguments of `encode` other than shapes and axes


def check_examples(examples: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of classes with examples. Raises `InputError` if a class has none, or `examples` is not a mapping."""
    if not isinstance(examples, Mapping):
        raise InputError(
            f"examples are a {type(examples).__name__}. Expected a mapping from names to shapes. Give {{name: shapes}}."
        )
    for name, value in examples.items():
        words = value if isinstance(value, list | tuple) and value else [value]
        if all(word is None or _is_word(word) for word in words):
            raise InputError(
                f"class {name!r} has {reprlib.repr(value)} as its examples. Expected example shapes. For a class with "
                "only a name, give None to score_novelty, or give all names to KnownClasses.from_both."
            )
    names = check_names(list(examples))
    same: dict[str, str] = {}
    for name in names:
        first = same.setdefault(folded(name), name)
        if first is not name:
            raise ClassNamesError(
                f"known classes {first!r} and {name!r} are the same name. Expected one of them. Remove or rename one."
            )
    return names


def folded(name: str) -> str:
    """Class name in lower case, without underscores and extra blanks, to compare spellings.

    >>> folded("Night_Stand ")
    'night stand'
    """
    return " ".join(name.replace("_", " ").casefold().split())


def _is_word(value: Any) -> bool:
    """True for a string without a suffix that is not an existing path: probably a name, not a shape."""
    return isinstance(value, str) and not Path(value).suffix and not Path(value).exists()


Axes = str | Sequence[str] | Mapping[str, Sequence[str]]  # one axis for all, one per example, or a mapping by class


def _axes_of(name: str, up: Axes) -> str | Sequence[str]:
    return up.get(name, "file") if isinstance(up, Mapping) else up


def embedded(value: Any, name: str, encoder: Encoder, up: Axes, settings: Mapping[str, Any]) -> np.ndarray:
    """Unit embeddings (m, d) float64 of the examples of one class."""
    rows = ready_embeddings(value, name, encoder)
    if rows is None:
        with _named(name):
            rows = encoder.encode(value, up=_axes_of(name, up), **settings)
    return unit(rows, f"the embedding of class {name!r},")


def embedded_patches(
    examples: Mapping[str, Any], encoder: Any, up: Axes, stage: str, settings: Mapping[str, Any]
) -> list[Patches]:
    """Patches of the examples of each class."""
    check_patches(encoder)
    passed = {key: value for key, value in settings.items() if key in ("batch_size", "seed", "progress")}
    patches = []
    for name, value in examples.items():
        if ready_embeddings(value, name, encoder) is not None:
            raise InputError(
                f"the examples of class {name!r} are embeddings. Expected shapes, because embeddings have no patches. "
                "Give the shapes."
            )
        with _named(name):
            patches.append(encoder.encode_patches(value, up=_axes_of(name, up), stage=stage, **passed))
    return patches


def check_patches(encoder: Any) -> None:
    """Raise `InputError` if the encoder has no patches."""
    if not hasattr(encoder, "encode_patches"):
        raise InputError(
            f"{encoder.identity.checkpoint} has no patches. Expected an encoder with encode_patches. "
            "Choose another encoder or method."
        )


def ready_embeddings(value: Any, name: str, encoder: Encoder) -> np.ndarray | None:
    """Embeddings (m, d) from an array (m, d) or (d,), or from a list of these. None if `value` contains shapes.

    Only dimensions are compared, so clouds are not copied.
    """
    tables = [value] if _form(value) else list(value) if isinstance(value, list | tuple) else []
    forms = [_form(table) for table in tables]
    widths = {form[-1] for form in forms if form}
    if not tables or None in forms or len(widths) != 1:
        return None
    [width] = widths
    if width in (3, 6) and encoder.dim not in (3, 6):
        return None
    if width != encoder.dim:
        rows = sum(1 if len(form) == 1 else form[0] for form in forms if form)
        raise MixedEncodersError(
            f"class {name!r} is an array of shape ({rows}, {width}). Expected clouds (n, 3|6), or embeddings by "
            f"{encoder.identity.checkpoint} of width {encoder.dim}. Check that no other encoder made these."
        )
    stacked = np.concatenate([np.atleast_2d(np.asarray(to_numpy(table))) for table in tables])
    if not len(stacked):
        raise InputError(
            f"class {name!r} has no examples: its embeddings have the shape {stacked.shape}. Expected one or more. "
            "Add examples, or leave the class out."
        )
    return stacked


def _form(value: Any) -> tuple[int, ...] | None:
    """Dimensions of a vector (d,) or table (m, d) of numbers; None for other values."""
    if hasattr(value, "ndim") and hasattr(value, "dtype"):
        kind = getattr(value.dtype, "kind", "f")  # torch dtypes have no kind
        return tuple(value.shape) if value.ndim in (1, 2) and kind in "fiub" else None
    if not isinstance(value, list | tuple) or not value:
        return None
    if all(isinstance(number, Number) for number in value):
        return (len(value),)
    rows = [_form(row) for row in value] if isinstance(value[0], list | tuple) else [None]
    flat = all(row is not None and len(row) == 1 and row == rows[0] for row in rows)
    return (len(value), *rows[0]) if flat and rows[0] else None


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Add the name of the class to errors of its examples."""
    try:
        yield
    except CloudError as error:
        raise CloudError(f"examples of class {name!r}: {error}") from error
    except ShapeFileError as error:
        raise ShapeFileError(f"examples of class {name!r}: {error}") from error
