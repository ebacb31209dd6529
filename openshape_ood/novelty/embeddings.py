"""score_embeddings: novelty of embeddings of any model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from openshape_ood.checks import array, check_widths, unit
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import ANONYMOUS, Embeddings, Identity
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses, check_examples
from openshape_ood.novelty.result import NoveltyResult
from openshape_ood.novelty.score import score_novelty
from openshape_ood.scoring import Method


def score_embeddings(
    vectors: Any,
    known: KnownClasses | Mapping[str, Any],
    method: str | Method | None = None,
    *,
    threshold: Threshold | None = None,
    calibration: Any = None,
    coverage: float | None = None,
    groups: Sequence[Any] | None = None,
) -> NoveltyResult:
    """Novelty of embeddings of any model against known classes. It works like `score_novelty`, without shapes.

    Parameters
    ----------
    vectors : array (b, d), data frame or Embeddings
        Nonzero vectors. `Embeddings` include the identity of the model and the names of the rows. A data frame has one
        column for each dimension, and its index gives the names.
    known : KnownClasses or mapping
        A mapping from class names to the embeddings (m, d) of their examples, made by the same model.
    method : str or Method, optional
        As in `score_novelty`, but only methods that score embeddings.
    threshold, coverage, groups
        As in `score_novelty`.
    calibration : array (n, d) or Embeddings, optional
        Embeddings of known objects that are not among the examples.

    Returns
    -------
    NoveltyResult

    Raises
    ------
    MixedEncodersError
        If embeddings differ in width or encoder.

    Examples
    --------
    >>> known = {"chair": [[1.0, 0.1], [0.9, 0.0]], "lamp": [[0.0, 1.0], [0.1, 1.0]]}
    >>> print(score_embeddings([[1.0, 0.0], [-1.0, 0.1]], known))
    shape  nearest  novelty
    row 0  chair      0.050
    row 1  lamp       1.379
    """
    if isinstance(known, KnownClasses):
        identity = known.identity
    else:
        identity = vectors.identity if isinstance(vectors, Embeddings) else ANONYMOUS
        known = _of_arrays(known, identity)
    rows = vectors if isinstance(vectors, Embeddings) else Embeddings(vectors, identity, _index_of(vectors))
    if calibration is not None and not isinstance(calibration, Embeddings):
        calibration = Embeddings(calibration, identity)
    check_widths(rows.vectors, "embeddings", known.anchors, "the known classes")
    return score_novelty(
        rows, known, method=method, threshold=threshold, calibration=calibration, coverage=coverage, groups=groups
    )


def _index_of(vectors: Any) -> tuple[str, ...]:
    """Names from the index of a data frame; empty for an array or a default index."""
    index = getattr(vectors, "index", None)
    if not hasattr(vectors, "columns") or index is None or list(index) == list(range(len(vectors))):
        return ()
    return tuple(map(str, index))


def _of_arrays(known: Mapping[str, Any], identity: Identity) -> KnownClasses:
    if not isinstance(known, Mapping):
        raise InputError(
            f"known is {type(known).__name__}. Expected KnownClasses, or a mapping from names to embeddings (m, d). "
            "Give one of them."
        )
    names = check_examples(known)
    tables = [array(known[name], f"the embeddings of class {name!r}", "md") for name in names]
    for name, table in zip(names, tables, strict=True):
        check_widths(table, f"the embeddings of class {name!r}", tables[0], f"the embeddings of class {names[0]!r}")
    labels = np.repeat(np.arange(len(names)), [len(table) for table in tables])
    made = KnownClasses(names, identity, examples=np.concatenate(tables), labels=labels)
    unit(made.labeled_examples()[0], "the embedding in")  # raises for zero rows
    unit(made.anchors, "the mean example of", names)  # raises if the mean of the examples of a class is zero
    return made
