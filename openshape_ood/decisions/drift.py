"""Alarms that report when the known objects differ from the calibration set: for streams and for batches.

A calibrated threshold keeps its promise while known objects are drawn like the calibration set. Novel objects lie
among the highest novelties; drift of the known objects also changes those below. Both tests therefore compare the
novelties below a cut: the k-th highest calibration novelty, k = floor(cut (n + 1)). Given the cut, the calibration
values and the known tested ones below it are exchangeable, for any share of novel objects above it.

Drift that only pushes known objects above the cut looks like novelty: no test without labels can see it. Novel objects
below the cut count as drift.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from openshape_ood.checks import array, check_seed
from openshape_ood.decisions.calibration import share_between
from openshape_ood.errors import InputError

FEWEST = 19  # values below the cut for an answer other than None, and calibration novelties
HISTOGRAMS = ((6, 0.1), (6, 0.4), (10, 0.2))  # bins, and the share of the uniform density mixed in
SHAPES = 4
FIRST_RESTART = 64
PERMUTATIONS = 999


@dataclass(frozen=True)
class Drift:
    """Answer of a drift test.

    Attributes
    ----------
    alarm : bool or None
        None with fewer than 19 tested objects below the cut, unless the evidence suffices earlier.
    p_value : float
        For a stream, 1 / highest capital so far: valid at any time.
    tested, below : int
        Objects tested, and those of them below the cut.
    """

    alarm: bool | None
    p_value: float
    tested: int
    below: int


class DriftStream:
    """Test martingale for a stream: false alarms with probability at most `level` over any length.

    Each value below the cut is ranked among a growing pool: the calibration values below the cut, then every earlier
    tested one. These ranks are exactly uniform and independent while nothing drifts. The capital bets on histograms of
    earlier ranks and on four fixed shapes. Copies that start at geometric times are averaged. An alarm remains.

    Parameters
    ----------
    calibration : array (n,)
        Novelty of known objects, one of each; 19 or more.
    cut : float
        Share of the calibration novelties at or above the cut, from 1 / (n + 1). Default: 0.05.
    level : float
        Highest probability of a false alarm. Default: 0.01.
    seed : int
        Of the draws between ties and for smoothing. Default: 0.

    Raises
    ------
    InputError
        For fewer than 19 novelties, NaN or infinity, a level or a cut that is no share, or fewer than 10 novelties
        below the cut.

    References
    ----------
    Vovk, Gammerman and Shafer, "Algorithmic learning in a random world", 2005 (exchangeability martingales); Vovk,
    "Testing randomness online", arXiv 1906.09256.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> stream = DriftStream(rng.normal(size=200))
    >>> stream.update(rng.normal(size=300)).alarm, stream.update(rng.normal(-1, 1, size=300)).alarm
    (False, True)
    """

    def __init__(self, calibration: Any, cut: float = 0.05, level: float = 0.01, seed: int = 0) -> None:
        self.limit, self._pool = _below_cut(calibration, cut)
        self.level, self.seed = float(share_between(level, "level")), check_seed(seed)
        self.tested = self.below = 0
        self.highest = 0.0  # log of the highest capital
        self._counts: list[list[np.ndarray]] = []  # a copy: its histograms
        self._logs: list[np.ndarray] = []  # a copy: log capital of each bet

    def update(self, novelty: Any) -> Drift:
        """Test further objects, in their order.

        Parameters
        ----------
        novelty : array (b,)

        Returns
        -------
        Drift

        Raises
        ------
        InputError
            For NaN or infinity; the state is then unchanged.
        """
        for value in array(novelty, "novelties", "b").astype(np.float64).tolist():
            self.tested += 1
            if value < self.limit:
                self._bet(self._rank(value))
        return self.drift

    @property
    def drift(self) -> Drift:
        """Answer for all objects so far."""
        p_value = math.exp(-self.highest)
        alarm = True if p_value <= self.level else False if self.below >= FEWEST else None
        return Drift(alarm, p_value, self.tested, self.below)

    def state(self) -> dict[str, Any]:
        """Everything that `from_state` needs, of plain numbers and lists."""
        return {
            "limit": self.limit,
            "level": self.level,
            "seed": self.seed,
            "tested": self.tested,
            "below": self.below,
            "highest": self.highest,
            "pool": list(self._pool),
            "counts": [[counts.tolist() for counts in copy] for copy in self._counts],
            "logs": [logs.tolist() for logs in self._logs],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> DriftStream:
        """Continue where `state` was taken: the same objects then give the same answers."""
        stream = cls.__new__(cls)
        for name in ("limit", "level", "seed", "tested", "below", "highest"):
            setattr(stream, name, state[name])
        stream._pool = list(state["pool"])
        stream._counts = [[np.array(counts, dtype=np.float64) for counts in copy] for copy in state["counts"]]
        stream._logs = [np.array(logs, dtype=np.float64) for logs in state["logs"]]
        return stream

    def _rank(self, value: float) -> float:
        """Smoothed rank in the pool, in [0, 1); the value then joins the pool."""
        low, high = bisect.bisect_left(self._pool, value), bisect.bisect_right(self._pool, value)
        uniform = np.random.default_rng([self.seed, self.below]).random()
        rank = (low + uniform * (1 + high - low)) / (len(self._pool) + 1)
        self._pool.insert(high, value)
        return min(rank, 1 - 1e-12)

    def _bet(self, rank: float) -> None:
        if self.below == _start(len(self._logs)):
            self._counts.append([np.zeros(bins) for bins, _ in HISTOGRAMS])
            self._logs.append(np.zeros(len(HISTOGRAMS) + SHAPES))
        shapes = _shapes(rank)
        for counts, logs in zip(self._counts, self._logs, strict=True):
            logs += np.log([*_histograms(counts, rank), *shapes])
        self.below += 1
        self.highest = max(self.highest, self._log_capital())

    def _log_capital(self) -> float:
        """Mean over all copies, by the weights 1 / ((j + 1) (j + 2)); those not started hold 1."""
        started = len(self._logs)
        weights = 1 / (np.arange(1, started + 1) * np.arange(2, started + 2))
        terms = [np.logaddexp.reduce(logs) - math.log(len(logs)) for logs in self._logs] + np.log(weights)
        return float(np.logaddexp(np.logaddexp.reduce(terms), -math.log(started + 1)))


def batch_drift(novelty: Any, calibration: Any, cut: float = 0.05, level: float = 0.01, seed: int = 0) -> Drift:
    """Two-sample test of a batch without order: false alarms with probability at most `level`.

    Anderson-Darling statistic of the values below the cut, its p-value from 999 random permutations: exact.

    Parameters
    ----------
    novelty : array (b,)
        Of the tested objects.
    calibration, cut, level, seed
        As in `DriftStream`; the level is at least 0.001, the smallest p-value.

    Returns
    -------
    Drift

    Raises
    ------
    InputError
        As `DriftStream`.

    References
    ----------
    Pettitt, "A two-sample Anderson-Darling rank statistic", Biometrika 63, 1976.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> batch_drift(rng.normal(-1, 1, size=200), rng.normal(size=200)).alarm
    True
    """
    limit, held = _below_cut(calibration, cut)
    allowed = float(share_between(level, "level"))
    if allowed < 1 / (PERMUTATIONS + 1):
        raise InputError(f"level is {level!r}; expected 0.001 or more, the smallest p-value of 999 permutations")
    rng = np.random.default_rng(check_seed(seed))
    tested = array(novelty, "novelties", "b").astype(np.float64)
    below = tested[tested < limit]
    if len(below) < FEWEST:
        return Drift(None, 1.0, len(tested), len(below))
    values = np.concatenate([held, below])
    order = np.argsort(values, kind="stable")
    ends = np.flatnonzero(np.diff(values[order]) > 0) + 1  # ties count together
    of_batch = (order >= len(held)).astype(np.float64)
    seen = _anderson_darling(of_batch, ends)
    drawn = [_anderson_darling(rng.permutation(of_batch), ends) for _ in range(PERMUTATIONS)]
    p_value = (1 + int((np.array(drawn) >= seen * (1 - 1e-12)).sum())) / (PERMUTATIONS + 1)
    return Drift(p_value <= allowed, p_value, len(tested), len(below))


def _below_cut(calibration: Any, cut: float) -> tuple[float, list[float]]:
    """The cut as a novelty, and the sorted calibration novelties below it."""
    held = np.sort(array(calibration, "calibration scores", "n").astype(np.float64))
    if len(held) < FEWEST:
        raise InputError(
            f"{len(held)} calibration scores cannot show drift. Expected {FEWEST} or more. Calibrate on more known shapes."
        )
    rank = math.floor(share_between(cut, "cut") * (len(held) + 1))
    if rank < 1:
        raise InputError(
            f"cut is {cut!r} for {len(held)} calibration scores. Expected {1 / (len(held) + 1):.3g} or more. "
            "Choose a higher cut or more scores."
        )
    limit = float(held[max(0, len(held) - rank)])
    pool = held[held < limit].tolist()
    if len(pool) < 10:
        raise InputError(
            f"{len(pool)} calibration scores are below the cut {cut:g}. Expected 10 or more. "
            "Choose a lower cut or a score with fewer ties."
        )
    return limit, pool


def _start(copy: int) -> int:
    """Values below the cut before a copy starts: 0, 64, 128, 256, ..."""
    return 0 if copy == 0 else FIRST_RESTART << (copy - 1)


def _shapes(rank: float) -> list[float]:
    """Densities of four fixed bets, each half uniform: low, high, U and peak."""
    square = (2 * rank - 1) ** 2
    return [0.5 + (1 - rank), 0.5 + rank, 0.5 + 1.5 * square, 0.5 + 0.75 * (1 - square)]


def _histograms(counts: list[np.ndarray], rank: float) -> list[float]:
    """Density of each histogram of earlier ranks at this one, which then joins."""
    found = []
    for held, (bins, floor) in zip(counts, HISTOGRAMS, strict=True):
        place = int(rank * bins)
        found.append(floor + (1 - floor) * bins * (held[place] + 1) / (held.sum() + bins))
        held[place] += 1
    return found


def _anderson_darling(of_batch: np.ndarray, ends: np.ndarray) -> float:
    """Statistic of two samples, up to a factor, at the ends of ties."""
    total = len(of_batch)
    inside = np.cumsum(of_batch)[ends - 1]
    return float((((inside * total - of_batch.sum() * ends) ** 2) / (ends * (total - ends))).sum())
