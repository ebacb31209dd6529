"""p-values of changes, calibrated on re-scans of unchanged places, and control of the false discovery rate.

The objects of a pair of scans are not independent. So each pair of scans of an unchanged place gives one value: its
strongest apparent change. The p-value of a change is its rank among these values. If an unchanged place is scanned in
the same way, then P(any p <= t) <= t.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import check_choice
from openshape_ood.errors import FileError, InputError
from openshape_ood.storage import save_whole

LEAST = 19  # minimum number of pairs for a p-value of 0.05
CONFUSED = 0.01  # fraction of pairs of different objects that are accepted as one moved object
CONTROLS = ("maximum", "by")
PACKAGED = "calibration.json"


@dataclass(frozen=True)
class ChangeCalibration:
    """Apparent changes between re-scans of unchanged places.

    Attributes
    ----------
    strengths : tuple of n float
        Strength of the strongest apparent change of each pair, in square meters, ascending; 0 without one.
    differences : tuple of float
        Values of `matching.differences` for pairs of different objects, ascending.
    by : {"columns", "rays"}
        Method for free space: above visible floor and tops, or along rays of the cameras.
    source : str
        Origin of the re-scans.
    """

    strengths: tuple[float, ...]
    differences: tuple[float, ...]
    by: str
    source: str

    def __post_init__(self) -> None:
        for name in ("strengths", "differences"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.ndim != 1 or not len(values) or not (np.isfinite(values) & (values >= 0)).all():
                raise InputError(f"{name} of a calibration are {values!r:.60}. Expected numbers >= 0. Calibrate again.")
            object.__setattr__(self, name, tuple(sorted(values.tolist())))

    @property
    def n(self) -> int:
        """Number of pairs of scans."""
        return len(self.strengths)

    def p_value(self, strength: float) -> float:
        """p-value of a strength: (1 + number of pairs with at least this strength) / (n + 1)."""
        larger = self.n - int(np.searchsorted(self.strengths, strength - 1e-12, side="left"))
        return (1 + larger) / (self.n + 1)

    @property
    def limit(self) -> float:
        """Maximum difference of a moved object: the 1 % quantile of `differences`."""
        return float(np.quantile(self.differences, CONFUSED, method="lower"))

    @classmethod
    def packaged(cls, by: str = "columns") -> ChangeCalibration:
        """Packaged calibration: re-scans of generated rooms, by `python -m benchmarks changes --parts calibration`."""
        check_choice(by, "by", ("columns", "rays"))
        return cls._of(_packaged()[by])

    @classmethod
    def _of(cls, record: Any) -> ChangeCalibration:
        return cls(tuple(record["strengths"]), tuple(record["differences"]), record["by"], record["source"])

    def as_json(self) -> dict[str, Any]:
        rounded = {name: [round(one, 5) for one in getattr(self, name)] for name in ("strengths", "differences")}
        return {"by": self.by, "source": self.source, **rounded}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a .json file. Raises `FileError` if it cannot be written."""
        return save_whole(Path(path), json.dumps(self.as_json()).encode(), "the calibration")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ChangeCalibration:
        """Read a file of `save`. Raises `FileError` for other files."""
        try:
            return cls._of(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileError(
                f"{path} is no calibration of changes: {str(error).rstrip('.')}. Expected a file of save. Calibrate "
                "again."
            ) from error


@cache
def _packaged() -> Any:
    return json.loads(Path(__file__).with_name(PACKAGED).read_text(encoding="utf-8"))


def discoveries(p: Sequence[float], rate: float, control: str = "maximum") -> np.ndarray:
    """Mask (m,) of reported changes. The expected fraction of false changes among them is at most `rate`.

    Parameters
    ----------
    p : sequence of m float
        p-values of `ChangeCalibration.p_value`.
    rate : float
        Between 0 and 1.
    control : {"maximum", "by"}
        "maximum": p <= rate. Each p-value is a rank among the strongest changes of pairs, so `rate` bounds the
        probability of any false change. This probability bounds the false discovery rate. "by": Benjamini and
        Yekutieli, valid for any dependence, but stricter: one change among ten objects needs 292 pairs at rate 0.1.

    References
    ----------
    Benjamini and Yekutieli, "The control of the false discovery rate in multiple testing under dependency", Annals of
    Statistics 29, 2001. The maximum: Westfall and Young, "Resampling-based multiple testing", 1993.

    Examples
    --------
    >>> discoveries([0.01, 0.2], 0.1).tolist()
    [True, False]
    >>> discoveries([0.01, 0.04], 0.1, "by").tolist(), discoveries([0.04, 0.09], 0.1, "by").tolist()
    ([True, True], [False, False])
    """
    check_choice(control, "control", CONTROLS)
    values = np.asarray(p, dtype=np.float64)
    if control == "maximum" or not len(values):
        return values <= rate * (1 + 1e-12)
    m = len(values)
    order = np.argsort(values, kind="stable")
    limits = rate * np.arange(1, m + 1) / (m * (1 / np.arange(1, m + 1)).sum())
    passed = np.flatnonzero(values[order] <= limits * (1 + 1e-12))
    reported = np.zeros(m, dtype=bool)
    reported[order[: passed[-1] + 1 if len(passed) else 0]] = True
    return reported
