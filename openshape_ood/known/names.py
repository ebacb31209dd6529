"""Names of known classes, and words for other things."""

from __future__ import annotations

import reprlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from openshape_ood.checks import unit
from openshape_ood.encoders.protocols import NamesEncoder
from openshape_ood.errors import ClassNamesError


def check_names(names: Any) -> tuple[str, ...]:
    """Class names as a tuple; raises `ClassNamesError` for none, blank, twice, or what is no list of strings."""
    if isinstance(names, np.ndarray):
        names = names.tolist()
    if isinstance(names, str):
        raise ClassNamesError(f"known is the string {names!r}; expected a list of names: [{names!r}]")
    names = tuple(names)
    if not names:
        raise ClassNamesError("there are no known classes; expected at least one name")
    for i, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise ClassNamesError(f"known class {i} is {reprlib.repr(name)}; expected a name")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ClassNamesError(f"known classes are named twice: {', '.join(map(repr, twice))}")
    return names


def farther_half(anchors: np.ndarray, words: Sequence[str], text: NamesEncoder) -> np.ndarray:
    """Unit embeddings (j, d) of the words whose best cosine with a class (k, d) is at most the median.

    A word that is a class's own name has cosine 1 with it and is never kept.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a word for something else is little known harms nothing
        vectors = unit(text.encode(words), "the text embedding of", words)
    best = (vectors @ anchors.T).max(axis=1)
    kept = (best <= np.median(best)) & (best < 1 - 1e-6)
    if not kept.any():
        raise ClassNamesError("every negative word is the name of a known class; expected words for other things")
    return vectors[kept]
