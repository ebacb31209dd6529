"""NoveltyResult: result of `score_novelty` as arrays, table, data frame and JSON."""

from __future__ import annotations

import html
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from openshape_ood.checks import check_choice
from openshape_ood.decisions.calibration import one_of_each
from openshape_ood.decisions.drift import TO_LABEL, Drift, Share, batch_drift, check_share
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Embeddings, Provenance
from openshape_ood.errors import InputError, MissingPackageError
from openshape_ood.novelty.labels import FOCUSES, RANDOM, LabelSample, check_sample, check_size, draw, scored_by
from openshape_ood.novelty.up_axis import UpAxis
from openshape_ood.shapes.failure import Failure

LISTED = 30  # rows of the table in a notebook
WHOLE, HEAD, TAIL = 60, 20, 10  # a longer table than WHOLE prints its first HEAD and last TAIL rows
COLUMNS = ("shape", "nearest", "similarity", "novelty", "p_value", "verdict", "up")


@dataclass(frozen=True, eq=False)
class NoveltyResult:
    """Result of `score_novelty` for b shapes and k classes. `np.asarray(result)` gives the novelty.

    Attributes
    ----------
    novelty : (b,) float64
        Larger is more novel.
    nearest : (b,) str
        Nearest class.
    similarity : (b, k) float64
        Cosine with each class.
    classes : (k,) str
    shapes : tuple of b str
        Names of the shapes.
    up : tuple of b str
        Gravity axis of each shape; empty for ready embeddings.
    provenance : Provenance
        Encoder, method and settings that made the result.
    threshold : Threshold, optional
        Threshold of `is_novel`.
    embeddings : Embeddings, optional
        Embeddings of the shapes, for scoring with another method.
    failures : tuple of Failure
        Unusable shapes, if errors="skip". They are not among the b shapes.
    up_axis : UpAxis, optional
        Result of the axis search for shapes without a stated axis, if up="auto".
    groups : tuple of b, optional
        Object of each shape, if objects have several shapes. See `with_context`.
    expected_novel : float, optional
        Expected fraction of novel shapes.
    labels : LabelSample, optional
        Labels of a random sample.
    stream_drift : Drift, optional
        State of the stream's drift test after this batch.
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
    groups: tuple[Hashable, ...] | None = None
    expected_novel: float | None = None
    labels: LabelSample | None = None
    stream_drift: Drift | None = None

    @classmethod
    def joined(cls, several: Sequence[NoveltyResult]) -> NoveltyResult:
        """Concatenated results of one pipeline."""
        full = [one for one in several if len(one)] or several
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(one, name) for one in full]) for name in ("novelty", "nearest", "similarity")
        }
        columns |= {name: tuple(text for one in full for text in getattr(one, name)) for name in ("shapes", "up")}
        rows = [one.embeddings for one in full if one.embeddings is not None]
        embeddings = rows[0] if len(rows) == len(full) else None
        if embeddings is not None:
            vectors = np.concatenate([one.vectors for one in rows])
            embeddings = replace(embeddings, vectors=vectors, names=columns["shapes"])
        failures = tuple(failure for one in several for failure in one.failures)
        fresh: dict[str, Any] = {"groups": None, "labels": None, "stream_drift": None}
        return replace(full[0], **columns, embeddings=embeddings, failures=failures, **fresh)

    @property
    def is_novel(self) -> np.ndarray:
        """Mask (b,) of novel shapes. Raises `InputError` without a threshold."""
        return self._decided().is_novel(self.novelty)

    @property
    def p_values(self) -> np.ndarray:
        """Conformal p-values (b,), small for novel shapes. Raises `InputError` without a threshold that has scores."""
        return self._decided().p_values(self.novelty)

    @property
    def verdicts(self) -> list[str]:
        """Verdict of each shape: "known" or "novel". A threshold with two error rates also gives "unsure".

        Raises `InputError` without a threshold.
        """
        return self._decided().verdicts(self.novelty)

    @cached_property
    def drift(self) -> Drift:
        """Drift test: comparison of the known shapes with the calibration set of the threshold.

        A result of `NoveltyPipeline.stream` has the state of the stream's test after this batch. Any other result has
        the batch test of `decisions.drift.batch_drift`. If no test is possible, `alarm` is None and `reason` explains
        it.

        Examples
        --------
        >>> from openshape_ood import score_novelty
        >>> from openshape_ood.synthetic import sample
        >>> result = score_novelty([sample("chair", 500, 1)], ["chair", "sofa"], model="tiny")
        >>> result.drift.alarm, result.drift.reason
        (None, '1 of 1 objects are below the cut, 19 are needed')
        """
        if self.stream_drift is not None:
            return replace(self.stream_drift, kept=self._kept())
        return replace(drift_of(self.threshold, self.novelty, self.groups, self.expected_novel), kept=self._kept())

    def _kept(self) -> Share | None:
        return None if self.labels is None or self.threshold is None else self.labels.kept_by(self.threshold)

    def with_context(
        self,
        groups: Sequence[Hashable] | None = None,
        expected_novel: float | None = None,
        labels: LabelSample | None = None,
    ) -> NoveltyResult:
        """Copy with further information for the drift test.

        Parameters
        ----------
        groups : sequence (b,), optional
            Object of each shape. The test uses one random shape of each object.
        expected_novel : float, optional
            Expected fraction of novel shapes, 0 to 1. A deviation from it is a second, weaker sign of drift.
        labels : LabelSample, optional
            Labeled sample from `to_label`. It estimates the fraction of known shapes kept.

        Raises
        ------
        InputError
            If the number of groups is wrong, or labels are missing, invalid or of another result.
        """
        context: dict[str, Any] = {}
        if groups is not None:
            one_of_each(groups, len(self))  # validates the groups
            context["groups"] = tuple(groups)
        if expected_novel is not None:
            context["expected_novel"] = check_share(expected_novel)
        if labels is not None:
            check_sample(labels)
            rows = [row for row in labels.rows if 0 <= row < len(self)]
            if len(rows) < len(labels) or not np.allclose(self.novelty[rows], labels.novelty, rtol=1e-4, atol=1e-5):
                raise InputError(
                    f"the labels belong to another result, not to these {len(self)} shapes. Expected a sample of them. "
                    "Draw one with to_label."
                )
            labels.check_classes(self.classes.tolist())
            if self.threshold is not None:
                labels.kept_by(self.threshold)
            context["labels"] = labels
        return replace(self, **context)

    def to_label(self, n: int | None = None, seed: int = 0, focus: str = RANDOM) -> LabelSample:
        """Sample of the shapes, to label with `LabelSample.labeled` or to save as a table.

        Parameters
        ----------
        n : int, optional
            Number of shapes. If the result has groups: number of objects, with one shape of each. Default: 30, or all
            if there are fewer.
        seed : int
            Seed of the random draw. Default: 0.
        focus : {"random", "informative"}
            "informative" gives the most novel shapes, for naming. Calibration needs a random sample. Default: "random".

        Returns
        -------
        LabelSample

        Raises
        ------
        InputError
            If there are fewer than n shapes.
        """
        check_choice(focus, "focus", FOCUSES)
        rows = np.arange(len(self)) if self.groups is None else one_of_each(self.groups, len(self), seed)
        n = check_size(min(TO_LABEL, len(rows)) if n is None else n, len(rows))
        places = draw(len(rows), n, seed) if focus == RANDOM else np.argsort(-self.novelty[rows], kind="stable")[:n]
        drawn = rows[places].tolist()
        return LabelSample(
            shapes=tuple(self.shapes[i] for i in drawn),
            nearest=tuple(map(str, self.nearest[drawn])),
            novelty=self.novelty[drawn],
            rows=tuple(drawn),
            places=tuple(places.tolist()),
            of=len(rows),
            seed=int(seed),
            focus=focus,
            scored_by=scored_by(self.provenance),
        )

    def _decided(self) -> Threshold:
        if self.threshold is None:
            raise InputError(
                "there is no threshold for a verdict. Expected a threshold, or known shapes that are not among the "
                "examples. Give score_novelty(..., calibration=shapes), or threshold=Threshold.from_novelty(...)."
            )
        return self.threshold

    def as_json(self) -> dict[str, Any]:
        """All results as strings and numbers: provenance, classes, threshold, drift, failures, records.

        A record has shape, up, nearest, similarity (to the nearest class), novelty, similarities (cosine to each
        class), p_value and verdict ("known", "novel" or "unsure"). verdict is None without a threshold. p_value is None
        if there is no threshold with calibration scores.
        """
        names, records = self.classes.tolist(), self.records()
        threshold = self.threshold and self.threshold.as_json()
        record = {"provenance": self.provenance.as_json(), "classes": names, "threshold": threshold, "shapes": records}
        record["drift"] = self.drift.as_json()
        record["up_axis"] = self.up_axis and self.up_axis.as_json()
        return record | {"failures": [failure._asdict() for failure in self.failures]}

    def records(self) -> list[dict[str, Any]]:
        """Record of each shape, as in `as_json`."""
        n, names = len(self), self.classes.tolist()
        verdict = self.verdicts if self.threshold else [None] * n
        p_value = self.p_values.tolist() if self.threshold and self.threshold.n else [None] * n
        columns = {"shape": self.shapes, "up": self.up or [None] * n, "nearest": self.nearest.tolist()}
        columns |= {"novelty": self.novelty.tolist(), "p_value": p_value, "verdict": verdict}
        columns["similarities"] = [dict(zip(names, cosines, strict=True)) for cosines in self.similarity.tolist()]
        records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        for record in records:
            record["similarity"] = record["similarities"][record["nearest"]]
        return records

    def to_frame(self) -> Any:
        """pandas data frame with one row per shape: shape, nearest, similarity, novelty, p_value, verdict, up.

        p_value and verdict are None without a threshold. Raises `MissingPackageError` without pandas.
        """
        return data_frame(self.records(), COLUMNS)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.novelty, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.novelty)

    def __repr__(self) -> str:
        return f"NoveltyResult({self._summary()})"

    def _repr_html_(self) -> str:
        table = html_table(self.records()[:LISTED], COLUMNS)
        more = f"<p>… and {len(self) - LISTED} more</p>" if len(self) > LISTED else ""
        failed = "".join(f"<li>{html.escape(str(failure))}</li>" for failure in self.failures[:LISTED])
        failures = f"<details><summary>{len(self.failures)} not read</summary><ul>{failed}</ul></details>"
        return f"<p>{html.escape(self._summary())}</p>{table}{more}{failures if self.failures else ''}"

    def _counts(self) -> str:
        counts = f"{len(self)} shape{'s' * (len(self) != 1)}"
        if self.threshold is not None:
            counts += f": {verdict_counts(self.verdicts)}"
        if self.failures:
            counts += f", {len(self.failures)} not read"
        return counts

    def _summary(self) -> str:
        provenance = self.provenance
        known = f"{len(self.classes)} known class{'es' * (len(self.classes) != 1)}"
        threshold = "" if self.threshold is None else f"; {self.threshold.describe()}"
        alarm = f". {self.drift.describe('result.to_label()')}" if self.drift.alarm or self.drift.unexpected else ""
        return f"{self._counts()}; {known}, {provenance.method} by {provenance.identity.checkpoint}{threshold}{alarm}"

    def __str__(self) -> str:
        """Table with one row per shape. For more than 60 shapes: the first 20, the last 10, and counts."""
        n = len(self)
        kept = range(n) if n <= WHOLE else [*range(HEAD), *range(n - TAIL, n)]
        columns = [
            ["shape", *(self.shapes[i] for i in kept)],
            ["nearest", *(str(self.nearest[i]) for i in kept)],
            ["novelty", *(f"{self.novelty[i]:.3f}" for i in kept)],
        ]
        if self.threshold is not None:
            verdicts = self.verdicts
            columns.append(["", *(verdicts[i] for i in kept)])
        widths = [max(map(len, column)) for column in columns]
        columns[2] = [f"{cell:>{widths[2]}}" for cell in columns[2]]
        rows = [
            "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in zip(*columns, strict=True)
        ]
        if n > WHOLE:
            rows = [*rows[: HEAD + 1], f"… {n - HEAD - TAIL} more", *rows[HEAD + 1 :], self._counts()]
        return "\n".join(rows if self.threshold is None else [*rows, self.threshold.describe()])


def drift_of(
    threshold: Threshold | None,
    novelty: np.ndarray,
    groups: Sequence[Hashable] | None = None,
    expected_novel: float | None = None,
) -> Drift:
    """Batch drift test of novelties (b,) against the calibration scores of a threshold.

    If no test is possible, the result has the reason.
    """
    if threshold is None:
        return Drift(None, None, len(novelty), 0, expected_novel=expected_novel, reason="there is no threshold")
    how: dict[str, Any] = {"groups": groups, "expected_novel": expected_novel}
    how |= {"value": threshold.value, "coverage": threshold.coverage}
    try:
        return batch_drift(novelty, threshold.check_drift().scores, **how)
    except InputError as error:
        called = Share(int(threshold.is_novel(novelty).sum()), len(novelty)) if len(novelty) else None
        about: dict[str, Any] = {
            "called_novel": called,
            "expected_novel": expected_novel,
            "coverage": threshold.coverage,
        }
        return Drift(None, None, len(novelty), 0, **about, reason=str(error).rstrip("."))


def verdict_counts(verdicts: Sequence[str | None]) -> str:
    """Counts as text, such as "2 novel, 3 known". "unsure" is counted only if it occurs.

    >>> verdict_counts(["known", "novel", "unsure"])
    '1 novel, 1 known, 1 unsure'
    """
    counts = {name: verdicts.count(name) for name in ("novel", "known", "unsure")}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count or name != "unsure")


def html_table(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """HTML table of records without their empty columns. Names of shapes and classes are escaped."""
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
    """pandas data frame of chosen columns of records. Raises `MissingPackageError` without pandas."""
    try:
        import pandas
    except ImportError as error:
        raise MissingPackageError(
            "data frames are not available. Expected the package pandas. Run pip install pandas, or use as_json."
        ) from error
    return pandas.DataFrame(rows, columns=list(columns))
