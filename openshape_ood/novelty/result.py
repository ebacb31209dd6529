"""NoveltyResult: what `score_novelty` found, as arrays, a table, a data frame, JSON."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Embeddings, Provenance
from openshape_ood.errors import InputError, MissingPackageError
from openshape_ood.novelty.up_axis import UpAxis
from openshape_ood.shapes.failure import Failure

LISTED = 30  # shapes of the table in a notebook
WHOLE, HEAD, TAIL = 60, 20, 10  # rows that are printed: all up to the first number, else so many of both ends
COLUMNS = ("shape", "nearest", "similarity", "novelty", "p_value", "verdict", "up")


@dataclass(frozen=True, eq=False)
class NoveltyResult:
    """What `score_novelty` found for b shapes and k classes; `np.asarray(result)` is its novelty.

    Attributes
    ----------
    novelty : (b,) float64
        Larger is more novel.
    nearest : (b,) str
        The class found nearest.
    similarity : (b, k) float64
        Cosine with each class.
    classes : (k,) str
    shapes : tuple of b str
        A name each.
    up : tuple of b str
        The gravity axis each was read with; empty for ready embeddings.
    provenance : Provenance
        What produced it.
    threshold : Threshold, optional
        What `is_novel` compares with.
    embeddings : Embeddings, optional
        Of the shapes, for a second method that costs nothing.
    failures : tuple of Failure
        Shapes that could not be read, with errors="skip"; nothing else here counts them.
    up_axis : UpAxis, optional
        What up="auto" found of the shapes whose files state no axis.
    """

    novelty: np.ndarray
    nearest: np.ndarray
    similarity: np.ndarray
    classes: np.ndarray
    shapes: tuple[str, ...]
    up: tuple[str, ...]
    provenance: Provenance
    threshold: Threshold | None = None
    embeddings: Embeddings | None = None
    failures: tuple[Failure, ...] = ()
    up_axis: UpAxis | None = None

    @classmethod
    def joined(cls, several: Sequence[NoveltyResult]) -> NoveltyResult:
        """One result of all, in their order; they must come from one pipeline."""
        full = [one for one in several if len(one)] or several
        own: dict[str, Any] = {
            name: np.concatenate([getattr(one, name) for one in full]) for name in ("novelty", "nearest", "similarity")
        }
        own |= {name: tuple(text for one in full for text in getattr(one, name)) for name in ("shapes", "up")}
        rows = [one.embeddings for one in full if one.embeddings is not None]
        embeddings = rows[0] if len(rows) == len(full) else None
        if embeddings is not None:
            vectors = np.concatenate([one.vectors for one in rows])
            embeddings = replace(embeddings, vectors=vectors, names=own["shapes"])
        failures = tuple(failure for one in several for failure in one.failures)
        return replace(full[0], **own, embeddings=embeddings, failures=failures)

    @property
    def is_novel(self) -> np.ndarray:
        """Which shapes (b,) are new. Raises `InputError` without a threshold."""
        return self._decided().is_novel(self.novelty)

    @property
    def p_values(self) -> np.ndarray:
        """Conformal p-values (b,), small for novel. Raises `InputError` without a threshold that has scores."""
        return self._decided().p_values(self.novelty)

    def _decided(self) -> Threshold:
        if self.threshold is None:
            raise InputError(
                "there is no threshold to tell known from novel by; give score_novelty(..., calibration=...) known "
                "shapes that are not among the examples, or threshold=..., as Threshold.from_novelty makes it of such"
            )
        return self.threshold

    def as_json(self) -> dict[str, Any]:
        """Everything as texts and numbers: provenance, classes, threshold, failures, and a record for each shape.

        A record has shape, up, nearest, similarity (with the nearest), novelty, similarities (class -> cosine), and
        p_value and verdict, "known" or "novel", which are None where there is no threshold, or none with scores.
        """
        n, names = len(self), self.classes.tolist()
        verdict = ["novel" if new else "known" for new in self.is_novel] if self.threshold else [None] * n
        p_value = self.p_values.tolist() if self.threshold and self.threshold.n else [None] * n
        columns = {"shape": self.shapes, "up": self.up or [None] * n, "nearest": self.nearest.tolist()}
        columns |= {"novelty": self.novelty.tolist(), "p_value": p_value, "verdict": verdict}
        columns["similarities"] = [dict(zip(names, cosines, strict=True)) for cosines in self.similarity.tolist()]
        records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        for record in records:
            record["similarity"] = record["similarities"][record["nearest"]]
        threshold = self.threshold and self.threshold.as_json()
        told = {"provenance": self.provenance.as_json(), "classes": names, "threshold": threshold, "shapes": records}
        told["up_axis"] = self.up_axis and self.up_axis.as_json()
        return told | {"failures": [failure._asdict() for failure in self.failures]}

    def to_frame(self) -> Any:
        """A pandas data frame, a row a shape: shape, nearest, similarity, novelty, p_value, verdict and up.

        p_value and verdict are None where there is no threshold. Raises `MissingPackageError` without pandas.
        """
        return data_frame(self.as_json()["shapes"], COLUMNS)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.novelty, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.novelty)

    def __repr__(self) -> str:
        return f"NoveltyResult({self._summary()})"

    def _repr_html_(self) -> str:
        table = html_table(self.as_json()["shapes"][:LISTED], COLUMNS)
        more = f"<p>… and {len(self) - LISTED} more</p>" if len(self) > LISTED else ""
        failed = "".join(f"<li>{html.escape(str(failure))}</li>" for failure in self.failures[:LISTED])
        failures = f"<details><summary>{len(self.failures)} not read</summary><ul>{failed}</ul></details>"
        return f"<p>{html.escape(self._summary())}</p>{table}{more}{failures if self.failures else ''}"

    def _counts(self) -> str:
        counts = f"{len(self)} shape{'s' * (len(self) != 1)}"
        if self.threshold is not None:
            novel = int(self.is_novel.sum())
            counts += f": {novel} novel, {len(self) - novel} known"
        if self.failures:
            counts += f", {len(self.failures)} not read"
        return counts

    def _summary(self) -> str:
        own = self.provenance
        known = f"{len(self.classes)} known class{'es' * (len(self.classes) != 1)}"
        threshold = "" if self.threshold is None else f"; {self.threshold.describe()}"
        return f"{self._counts()}; {known}, {own.method} by {own.identity.checkpoint}{threshold}"

    def __str__(self) -> str:
        """A row a shape; of more than 60 shapes both ends, and how many are novel."""
        n = len(self)
        kept = range(n) if n <= WHOLE else [*range(HEAD), *range(n - TAIL, n)]
        columns = [
            ["shape", *(self.shapes[i] for i in kept)],
            ["nearest", *(str(self.nearest[i]) for i in kept)],
            ["novelty", *(f"{self.novelty[i]:.3f}" for i in kept)],
        ]
        if self.threshold is not None:
            novel = self.is_novel
            columns.append(["", *("novel" if novel[i] else "known" for i in kept)])
        widths = [max(map(len, column)) for column in columns]
        columns[2] = [f"{cell:>{widths[2]}}" for cell in columns[2]]
        rows = [
            "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in zip(*columns, strict=True)
        ]
        if n > WHOLE:
            rows = [*rows[: HEAD + 1], f"… {n - HEAD - TAIL} more", *rows[HEAD + 1 :], self._counts()]
        return "\n".join(rows if self.threshold is None else [*rows, self.threshold.describe()])


def html_table(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Columns of records that hold anything, for notebooks; names of shapes and classes come from strangers."""
    shown = [name for name in columns if any(record[name] is not None for record in records)]
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in shown)
    rows = "".join(f"<tr>{''.join(_cell(name, record[name]) for name in shown)}</tr>" for record in records)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if records else ""


def _cell(name: str, value: Any) -> str:
    if isinstance(value, float):
        return f'<td style="text-align:right">{value:.3f}</td>'
    strong = name == "verdict" and value == "novel"
    text = html.escape("" if value is None else str(value))
    return f'<td style="text-align:left">{f"<b>{text}</b>" if strong else text}</td>'


def data_frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Any:
    """Some columns of records as a pandas data frame. Raises `MissingPackageError` without pandas."""
    try:
        import pandas
    except ImportError as error:
        raise MissingPackageError("to_frame needs pandas: pip install pandas; as_json needs nothing") from error
    return pandas.DataFrame(rows, columns=list(columns))
