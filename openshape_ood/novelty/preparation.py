"""Preparation of known classes from any form of argument, and choice of their method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from openshape_ood.encoders.loading import Encoders
from openshape_ood.errors import ClassNamesError, InputError
from openshape_ood.known import KnownClasses, check_examples, check_names
from openshape_ood.scoring import DEFAULTS, Method, default_method, find_method
from openshape_ood.scoring.methods import Kind, kind_of
from openshape_ood.scoring.text_scores import negative_words
from openshape_ood.shapes.batches import AUTO
from openshape_ood.shapes.points import check_up

PATCH_STAGE = "tokens"  # default stage for patch methods


def settled_method(known: Any, method: str | Method | None) -> Method:
    """The given method, or the default for this kind of classes. Raises `InputError` if it does not fit the kind."""
    kind = how_known(known)
    ready = isinstance(known, KnownClasses)
    if method is None:
        method = default_method(known) if ready else DEFAULTS[kind]
    # classes with names and examples fit methods of every kind; `check_known` checks patches and negative words
    anything = ready and kind == "examples" and known.text is not None
    return find_method(method, None if anything else kind)


def how_known(known: Any) -> Kind:
    """Kind of known classes: by name, by example, or mixed; validates the names before any model loads."""
    if isinstance(known, KnownClasses):
        return kind_of(known)
    if isinstance(known, Mapping):
        with_examples = {name: value for name, value in known.items() if value is not None}
        if with_examples:
            check_examples(with_examples)
        check_names(list(known))
        if not with_examples:
            return "names"
        return "examples" if len(with_examples) == len(known) else "both"
    if isinstance(known, Sequence) and any(isinstance(item, Mapping) for item in known):
        raise InputError(
            "known mixes names and examples in a list. Expected one mapping, with None for a class with only a name. "
            'Give {"chair": shapes, "sofa": None}.'
        )
    if not isinstance(known, Sequence | np.ndarray):  # the order of a set is undefined
        raise ClassNamesError(
            f"known is {type(known).__name__}. Expected a list of names, or a mapping from names to examples. "
            "Give list(...) or dict(...)."
        )
    check_names(known)
    return "names"


def example_axis(up: str | Sequence[str], known_up: str | Mapping[str, Sequence[str]] | None) -> Any:
    if isinstance(known_up, Mapping):
        return known_up
    if known_up is not None:
        return known_up if known_up == "file" else check_up(known_up, "known_up")
    if isinstance(up, str) and up == AUTO:
        return "file"
    if not isinstance(up, str):
        raise InputError("up is one axis per shape. The example shapes need an axis too. Give it with known_up.")
    return up


def known_classes(
    known: Any,
    method: Method,
    encoders: Encoders,
    *,
    up: str | Mapping[str, Sequence[str]] = "file",
    **settings: Any,
) -> KnownClasses:
    """Prepare known classes with the data that a method needs. `up` is the axis of the example shapes."""
    if isinstance(known, KnownClasses):
        return known
    examples = {name: value for name, value in known.items() if value is not None} if isinstance(known, Mapping) else {}
    if len(examples) == len(known) and method.needs != "text and examples":
        patches = PATCH_STAGE if method.needs == "patches" else None
        return KnownClasses.from_examples(examples, encoders.shape, up=up, patches=patches, **settings)
    names = check_names(list(known))
    if examples:
        return KnownClasses.from_both(names, examples, encoders.shape, encoders.text, up=up, **settings)
    others = (
        [word for word in negative_words(encoders.text) if word not in names] if method.needs == "negatives" else []
    )
    return KnownClasses.from_names(names, encoders.text, negatives=others)
