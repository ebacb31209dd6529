"""Names for groups: the vocabulary as vectors, and from which cosine on a name fits."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence

import numpy as np

from openshape_ood.checks import unit
from openshape_ood.decisions.calibration import calibration_needed
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Identity, NamesEncoder, check_encoders
from openshape_ood.errors import ClassNamesError, InputError, MixedEncodersError
from openshape_ood.known import folded

COVERAGE = 0.95  # of known classes whose own name fits
LEAST_CLASSES = 4  # one name in five that is right would be refused; of fewer, more


def text_for(identity: Identity, text: NamesEncoder | None) -> NamesEncoder:
    """The text encoder given, or that of the checkpoint; raises `MixedEncodersError` for one of another space."""
    from openshape_ood.encoders.text.encoder import TextEncoder
    from openshape_ood.registry import is_registered

    check_encoders(None, text)
    if text is None:
        if not is_registered(identity.checkpoint):
            raise InputError(f"the registry has no text encoder of {identity.checkpoint!r} for names; give text=")
        return TextEncoder.from_pretrained(identity.checkpoint)
    if not text.identity.fits(identity):
        raise MixedEncodersError(
            f"the names are embedded by {text.identity}, the rows by {identity}; expected one embedding space for both"
        )
    return text


def word_vectors(
    names: Sequence[str] | None, classes: np.ndarray, text: NamesEncoder | None, identity: Identity
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Unit vectors (d,) of the vocabulary by name, and of the known classes by folded name; nothing without names."""
    if names is None:
        return {}, {}
    listed = [] if isinstance(names, str) else list(names)
    if not listed or not all(isinstance(name, str) and name.strip() for name in listed):
        raise ClassNamesError(f"names are {reprlib.repr(names)}; expected a list of one name or more, or None")
    known = np.unique(classes).tolist() if classes.dtype.kind == "U" else []
    words = {folded(word): word for word in (*known, *listed)}
    own = list(words.values())
    rows = dict(zip(words, unit(text_for(identity, text).encode(own), "the text embedding of", own), strict=True))
    return {words[folded(name)]: rows[folded(name)] for name in listed}, {folded(c): rows[folded(c)] for c in known}


def name_threshold(
    z: np.ndarray, kept: np.ndarray, nearest: np.ndarray, vectors: Mapping[str, np.ndarray], min_size: int
) -> Threshold | None:
    """1 - cosine up to which a name fits: how far kept rows are from the names of the classes nearest to them."""
    own = []
    for name in np.unique(nearest[kept]) if vectors else ():
        rows = np.unique(z[kept & (nearest == name)], axis=0)
        if len(rows) >= min_size:
            own.append(1 - float(np.median(rows @ vectors[folded(str(name))])))
    source = f"{len(own)} classes and their names"
    if len(own) >= calibration_needed(COVERAGE):
        return Threshold.from_novelty(own, COVERAGE, source=source)
    if len(own) < LEAST_CLASSES:
        return None
    return Threshold(max(own), len(own) / (len(own) + 1), np.sort(own), source=source)
