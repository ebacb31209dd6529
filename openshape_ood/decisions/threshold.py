"""Threshold: the limit between known and novel, with its coverage and origin."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import array
from openshape_ood.decisions.calibration import (
    calibration_needed,
    conformal_threshold,
    expected_coverage,
    one_of_each,
    p_values,
    share_between,
)
from openshape_ood.decisions.risk import Marks
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.errors import InputError, MixedEncodersError
from openshape_ood.storage import loaded_state, save_whole

FORMAT = "openshape_ood threshold 1"
GENERATED = "generated "  # beginning of the source of a threshold from generated shapes
REMARK = "not your own shapes; calibrate on 19 or more of your known shapes"  # for generated shapes


@dataclass(frozen=True, eq=False)
class Threshold:
    """Limit of novelty: rows above it are novel.

    Attributes
    ----------
    value : float
        Highest novelty that still counts as known.
    coverage : float, optional
        Fraction of known rows that the threshold keeps, for rows from the source of the calibration rows. None if
        unknown.
    scores : (n,) float64
        Sorted novelties of the calibration rows, for p-values; may be empty.
    provenance : Provenance, optional
        Encoder and method. A threshold is valid only for one encoder and one method.
    source : str
        Description of the calibration rows, such as "50 scans of chairs". For generated shapes it begins with
        "generated".
    low : float, optional
        Lower limit for a third verdict: rows above `low` and up to `value` are unsure. None: two verdicts.
    missed : float, optional
        Maximum fraction of novel rows called known, if there is a third verdict. None without novel examples.
    marks : Marks, optional
        For a threshold of novelty maps: guaranteed rate of false marks. See `novelty_map.calibrate_marks`.

    Examples
    --------
    >>> threshold = Threshold.from_novelty(range(1, 100), coverage=0.95)
    >>> threshold.value, threshold.n, threshold.is_novel([95.0, 95.5]).tolist()
    (95.0, 99, [False, True])
    """

    value: float
    coverage: float | None = None
    scores: np.ndarray = field(default_factory=lambda: np.empty(0))
    provenance: Provenance | None = None
    source: str = ""
    low: float | None = None
    missed: float | None = None
    marks: Marks | None = None

    def __post_init__(self) -> None:
        if not _finite(self.value):
            raise InputError(
                f"a threshold is {self.value!r:.40}. Expected a finite number, the highest novelty of a known row. "
                "Correct the value."
            )
        if self.coverage is not None and not (_finite(self.coverage) and 0 < self.coverage < 1):
            raise InputError(
                f"a threshold has the coverage {self.coverage!r:.40}. Expected a share between 0 and 1. "
                "Give 0.95 for 95 %."
            )
        if self.low is not None and not (_finite(self.low) and self.low <= self.value):
            raise InputError(f"low is {self.low!r:.40}. Expected a number up to {self.value:.6g}. Give a lower one.")
        if self.missed is not None and (self.low is None or not (_finite(self.missed) and 0 < self.missed < 1)):
            raise InputError(f"missed is {self.missed!r:.40}. Expected a share between 0 and 1. Give it with low.")
        scores = np.sort(array(self.scores, "scores of a threshold", "b").astype(np.float64))
        plain = {"value": float(self.value), "coverage": self.coverage and float(self.coverage), "scores": scores}
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_novelty(
        cls,
        novelty: Any,
        coverage: float = 0.95,
        *,
        groups: Any = None,
        provenance: Provenance | None = None,
        source: str = "",
        few: bool = False,
    ) -> Threshold:
        """Conformal threshold from known rows that are no examples of the known classes.

        Parameters
        ----------
        novelty : array (n,) or NoveltyResult
            Novelty of known rows from the same source as the tested rows: to test scans, use scans. A `NoveltyResult`
            includes its provenance.
        coverage : float
            Fraction of known rows to keep. 0.95 needs 19 rows, or 19 groups.
        groups : sequence (n,), optional
            Object of each row, if objects have several rows, such as scans from several sides. Rows of one object are
            dependent, so one row of each object is used. See `calibration.one_of_each`.
        provenance : Provenance, optional
        source : str
        few : bool
            True: with too few rows for the coverage, the threshold is their largest novelty. It keeps the fraction
            n / (n + 1) of known rows.

        Raises
        ------
        InputError
            For too few rows, NaN, infinity, or an invalid coverage.

        References
        ----------
        See `calibration.conformal_threshold`.
        """
        provenance = provenance or getattr(novelty, "provenance", None)
        given = array(getattr(novelty, "novelty", novelty), "calibration scores", "n")
        scores = given if groups is None else given[one_of_each(groups, len(given))]
        n = len(scores)
        if few and n < calibration_needed(coverage):
            return cls(scores.max(), n / (n + 1), scores, provenance, source)
        value = conformal_threshold(scores, coverage)
        return cls(value, expected_coverage(n, coverage), scores, provenance, source)

    def with_unsure(self, alpha: float = 0.05, beta: float | None = None, novel: Any = None) -> Threshold:
        """Threshold with a third verdict, "unsure", from the same known rows.

        At most a fraction `alpha` of the known rows is called novel. With novel examples, at most a fraction `beta` of
        the novel rows is called known. Without them, only the first rate is guaranteed.

        Let k be the (1 - alpha) quantile of the known rows. Let v be the beta quantile of the novel examples, or
        without them the (1 - alpha / 5) quantile of the known rows. All quantiles have finite-sample corrections. Rows
        above max(k, v) are novel, rows up to min(k, v) are known, and the others are unsure.

        Parameters
        ----------
        alpha : float
            Maximum fraction of known rows called novel. Default: 0.05, which needs 19 known rows.
        beta : float, optional
            Maximum fraction of novel rows called known. It needs `novel`. Default: alpha.
        novel : array (m,) or NoveltyResult, optional
            Novelty of novel examples from the same source as future novel rows. A beta of 0.05 needs 19 rows.

        Raises
        ------
        InputError
            If the threshold has no scores, there are too few rows, a rate is invalid, or beta is given without `novel`.

        Examples
        --------
        >>> known = Threshold.from_novelty(range(100))
        >>> known.with_unsure(0.05, 0.05, novel=range(80, 180)).verdicts([10, 90, 120])
        ['known', 'unsure', 'novel']
        """
        if not self.n:
            raise InputError(
                "this threshold is a bare number. Two error rates need the scores of known rows. "
                "Make it with Threshold.from_novelty or with calibration shapes."
            )
        alpha_share = share_between(alpha, "alpha")
        k = conformal_threshold(self.scores, 1 - alpha)
        if novel is None:
            if beta is not None:
                raise InputError(
                    f"beta is {beta!r}, but there are no novel examples. Expected both or neither. Give novel examples."
                )
            rank = math.ceil((1 - alpha_share / 5) * (self.n + 1))
            v = float(self.scores[min(rank, self.n) - 1])
        else:
            if getattr(novel, "provenance", None) is not None and self.provenance is not None:
                self.check_fits(novel.provenance)
            beta = alpha if beta is None else beta
            examples = np.sort(array(getattr(novel, "novelty", novel), "novelties of novel examples", "m"))
            rank = math.floor(share_between(beta, "beta") * (len(examples) + 1))
            if rank < 1:
                raise InputError(
                    f"there are {len(examples)} novel examples. "
                    f"A rate of {beta:g} needs {calibration_needed(1 - beta)}. Give more, or a higher rate."
                )
            # just below the example, so that a row with the same novelty is not called known
            v = float(np.nextafter(examples[rank - 1], -np.inf))
        low, high = min(k, v), max(k, v)
        coverage = expected_coverage(self.n, 1 - alpha)
        return replace(
            self, value=high, coverage=coverage, low=low, missed=None if novel is None else float(beta or alpha)
        )

    @property
    def n(self) -> int:
        """Number of calibration rows."""
        return len(self.scores)

    def is_novel(self, novelty: Any) -> np.ndarray:
        """Mask (b,) of novel rows: novelty above the threshold. Raises `InputError` for NaN."""
        return array(novelty, "novelty", "b") > self.value

    def verdicts(self, novelty: Any) -> list[str]:
        """Verdict of each row (b,): "known" or "novel", or "unsure" for rows above `low` and up to `value`.

        Raises `InputError` for NaN.
        """
        new = self.is_novel(novelty)
        sure = new if self.low is None else array(novelty, "novelty", "b") > self.low
        return [
            "novel" if is_new else "unsure" if is_sure else "known" for is_new, is_sure in zip(new, sure, strict=True)
        ]

    def check_drift(self) -> Threshold:
        """Return self. Raises `InputError` if it has too few scores for a drift test."""
        if not self.n:
            raise InputError(
                "the threshold is a bare number without p-values. A drift test needs 19 or more known shapes. "
                "Calibrate on known shapes."
            )
        return self

    def p_values(self, novelty: Any) -> np.ndarray:
        """Conformal p-values (b,), small for novel rows. Raises `InputError` without scores."""
        if not self.n:
            raise InputError(
                "this threshold is a bare number. P-values need the scores of known rows. "
                "Make it with Threshold.from_novelty(...)."
            )
        return p_values(novelty, self.scores)

    def at(self, coverage: float | None) -> Threshold:
        """Threshold for another coverage, from the same known shapes. Returns self if the coverage is None.

        Raises `InputError` if the threshold has no scores, too few scores, or two error rates.
        """
        if coverage is None:
            return self
        if self.low is not None:
            raise InputError(
                f"a coverage of {coverage:g} is given for a threshold with error rates. Expected one, not both. "
                "Leave the coverage out, or make a new threshold."
            )
        if self.marks is not None and not self.n:
            raise InputError(
                f"a coverage of {coverage:g} is given for a threshold of maps: {self}. Expected a coverage only for a "
                "threshold of whole shapes. Leave the coverage out."
            )
        if not self.n:
            raise InputError(
                f"{self} is a bare number. Another coverage needs a threshold that was made from known shapes. "
                "Calibrate on known shapes."
            )
        try:
            return Threshold.from_novelty(self.scores, coverage, provenance=self.provenance, source=self.source)
        except InputError as error:
            raise InputError(f"the threshold has too few known shapes: {error}") from None

    def fits(self, provenance: Provenance) -> bool:
        """True if the threshold was made with this encoder and method, or does not state them."""
        made_for = self.provenance
        return made_for is None or (
            made_for.identity.fits(provenance.identity) and made_for.method == provenance.method
        )

    def check_fits(self, provenance: Provenance) -> None:
        """Raise `MixedEncodersError` if the threshold was made with another encoder or method."""
        made_for = self.provenance
        if made_for is not None and not self.fits(provenance):
            raise MixedEncodersError(
                f"the threshold is for {made_for.method!r} by {made_for.identity}, the novelty is "
                f"{provenance.method!r} by {provenance.identity}. Expected the same encoder and method. "
                "Make a threshold for these."
            )

    @property
    def is_generated(self) -> bool:
        """True for a threshold from generated shapes."""
        return self.source.startswith(GENERATED)

    @property
    def promise(self) -> str:
        """Fraction and kind of known rows kept, as text: "keeps 95 % of ...". Empty without a coverage.

        For a threshold of novelty maps: its guaranteed rate, as in "at most 1 % of the points of ...".

        Examples
        --------
        >>> Threshold.from_novelty(range(40), source="known shapes of calibration/").promise
        'keeps 95.1 % of known shapes like the 40 used for calibration (known shapes of calibration/)'
        >>> Threshold.from_novelty(range(40), source="generated scans of chair").promise
        'keeps 95.1 % of 40 held-out generated scans of chair (not your own shapes; calibrate on 19 or more of your \
known shapes)'
        """
        return self._promise("")

    def _promise(self, remedy: str) -> str:
        if self.marks is not None and self.marks.rate is not None:
            count = f"{self.marks.shapes} object{'s' * (self.marks.shapes > 1)}"
            return f"{self.marks.promise} (from {count}{f': {self.source}' if self.source else ''})"
        if self.coverage is None:
            return ""
        if self.low is not None:
            lost = 100 * (self.missed or 0)
            missed = f", and at most {lost:.3g} % of the novel shapes called known" if self.missed is not None else ""
            alpha = 100 * (1 - self.coverage)
            rates = f"unsure from {self.low:.3f}; at most {alpha:.3g} % of the known shapes called novel{missed}; "
            return rates + replace(self, low=None, missed=None)._promise(remedy)
        share = f"keeps {f'{100 * self.coverage:.1f}'.removesuffix('.0')} %"
        if self.is_generated:
            return f"{share} of {self.n} held-out {self.source} ({REMARK}{f': {remedy}' if remedy else ''})"
        source = f" ({self.source})" if self.source else ""
        calibrated_on = f"the {self.n}" if self.n else "those"
        surface = self.provenance is not None and self.provenance.identity.space.startswith("reconstruction/")
        kept = "good samples" if surface else "known shapes"
        return f"{share} of {kept} like {calibrated_on} used for calibration{source}"

    def describe(self, remedy: str = "calibration=") -> str:
        """Text with the value and the fraction of known rows kept.

        For generated shapes, or if the fraction is unknown, the text also asks for a calibration on known shapes.
        `remedy` names the argument for these shapes, such as "calibration=" or "--calibrate PATHS".
        """
        if self.marks is not None and self.marks.rate is not None:
            return f"threshold {self.value:.3f}: {self._promise(remedy)}"
        if self.coverage is None:
            how = f"calibrate on 19 or more known shapes: {remedy}"
            return f"{self._named()}: the share of known shapes that it keeps is unknown; {how}"
        return f"threshold {self.value:.3f}{',' * (self.low is not None)} {self._promise(remedy)}"

    def as_json(self) -> dict[str, Any]:
        """Value, coverage, count, source and promise. Encoder and method are in the provenance of a result."""
        record = {name: getattr(self, name) for name in ("value", "coverage", "n", "source", "promise")}
        marks = {} if self.marks is None else {"marks": self.marks.as_json()}
        return record | self._third() | marks

    def _third(self) -> dict[str, Any]:
        return {} if self.low is None else {"low": self.low, "missed": self.missed}

    def state(self) -> dict[str, Any]:
        """Complete state as strings and numbers, for files."""
        about = {"format": FORMAT, "value": self.value, "coverage": self.coverage, "source": self.source}
        provenance = None if self.provenance is None else asdict(self.provenance)
        marks = {} if self.marks is None else {"marks": self.marks.state()}
        return {**about, "provenance": provenance, "scores": self.scores.tolist(), **self._third(), **marks}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Threshold:
        """Restore what `state` returned. Any other content raises one of `storage.DAMAGE`."""
        fields = dict(state)
        if fields.pop("format") != FORMAT:
            raise KeyError("format")
        provenance = fields.pop("provenance")
        if provenance is not None:
            identity = {name: str(value) for name, value in provenance["identity"].items()}
            provenance = {**provenance, "method": str(provenance["method"]), "identity": Identity(**identity)}
            provenance = Provenance(**provenance)
        if fields.get("marks") is not None:
            fields["marks"] = Marks.from_state(fields["marks"])
        # scores and source are required: a threshold without scores has no p-values
        return cls(**{**fields, "source": str(fields["source"]), "scores": fields["scores"]}, provenance=provenance)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a .json file atomically. Raises `FileError` if writing fails."""
        return save_whole(path, json.dumps(self.state()).encode(), "the threshold")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Threshold:
        """Read what `save` wrote. Raises `FileError` for any other file."""
        return loaded_state(path, cls.from_state, "threshold")

    def __str__(self) -> str:
        return self.describe() if self.promise else self._named()

    def _named(self) -> str:
        unsure = "" if self.low is None else f", unsure from {self.low:.3f}"
        return f"threshold {self.value:.3f}{unsure}{f' ({self.source})' if self.source else ''}"


def check_threshold(given: Any) -> None:
    """Raise `InputError` if the value is not a `Threshold`."""
    if not isinstance(given, Threshold):
        raise InputError(
            f"threshold is {given!r}. Expected a Threshold. Give Threshold(0.5), or Threshold.from_novelty(...)."
        )


def _finite(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and math.isfinite(value)
    except (TypeError, OverflowError):  # not a number, or an integer that is too large for a float
        return False
