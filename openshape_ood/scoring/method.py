"""What a method is, what judges rows, and what a judgement holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np

from openshape_ood.known import KnownClasses

Needs = Literal["any", "negatives", "examples", "patches", "text and examples"]
Rows = Literal["embedding", "patches"]


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a scorer found for b rows and k known classes, all in one pass.

    Attributes
    ----------
    novelty : (b,) float64
        Larger is more novel.
    nearest : (b,) int64
        The class behind it, an index into the names of the known classes.
    similarity : (b, k) float64
        Cosine with each class, or for rows of patches the share of patches that are nearest to it.
    """

    novelty: np.ndarray
    nearest: np.ndarray
    similarity: np.ndarray


class Scorer(Protocol):
    """A method fitted to known classes: it judges rows, embeddings (b, d) or patches (b, p, w).

    Some scorers can more, which the detector for scikit-learn uses where it is there: `left_out(known)` gives the
    novelty (m,) of the m examples when each is left out in turn; `extended(known)` is the scorer with more examples of
    its classes; `beside(known)` is that of further classes, with whatever was estimated from all examples kept.
    """

    def judge(self, rows: np.ndarray) -> Judgement: ...


@dataclass(frozen=True)
class Method:
    """A way to tell how novel rows are.

    Attributes
    ----------
    name : str
        What it is called at every door.
    scorer : callable
        `scorer(known, **settings)` gives a `Scorer`: a class, or any function of `KnownClasses`.
    needs : {"any", "negatives", "examples", "patches", "text and examples"}
        What the known classes must hold.
    rows : {"embedding", "patches"}
        What it judges.
    reference : str
        Where it is published.
    settings : mapping
        Passed to `scorer`.

    Examples
    --------
    A method of one's own is one object, and every door takes it:

    >>> class Farthest:
    ...     def __init__(self, known):
    ...         self.known = known
    ...     def judge(self, rows):
    ...         cosines = rows @ self.known.anchors.T
    ...         return Judgement(1 - cosines.min(axis=1), cosines.argmax(axis=1), cosines)
    >>> Method("farthest", Farthest).needs
    'any'
    """

    name: str
    scorer: Callable[..., Scorer]
    needs: Needs = "any"
    rows: Rows = "embedding"
    reference: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def fit(self, known: KnownClasses) -> Scorer:
        """The scorer of these known classes."""
        return self.scorer(known, **self.settings)

    def configured(self, **settings: Any) -> Method:
        """The same method with other settings."""
        return replace(self, settings={**self.settings, **settings})
