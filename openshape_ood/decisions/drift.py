"""Drift tests for streams and for batches. They raise an alarm if the known objects differ from the calibration set.

The coverage of a threshold holds while known objects have the distribution of the calibration set. Novel objects have
mostly high novelties, but drift of the known objects changes low novelties too. Both tests therefore use only novelties
below a cut: the k-th highest calibration novelty, k = floor(cut (n + 1)). Without drift, the calibration novelties and
the novelties of known objects below the cut are exchangeable. The number of novel objects above the cut has no effect.

Novel objects with a novelty below the cut look like drift. Their number grows with the number of novel objects. So
`cut` depends on the fraction of objects above the first cut: 0.05 if it is small, up to 0.3 if it is large. This choice
depends only on objects above the cut and on earlier objects, so both tests stay exact.

If drift only moves known objects above the cut, it looks like novelty, and no test without labels can detect it. A
second and weaker sign compares the fraction of objects called novel with the expected fraction.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import array, check_seed, check_whole, grouped
from openshape_ood.decisions.calibration import one_of_each, share_between
from openshape_ood.errors import InputError
from openshape_ood.storage import loaded_state, save_whole

CUTS = (0.05, 0.1, 0.3)  # cuts for three ranges of the fraction of objects beyond the first cut
SHARES = (0.35, 0.45)  # bounds of these ranges: up to 0.35, up to 0.45, above 0.45
BEFORE = (2, 10)  # prior counts for this fraction in a stream: 2 of 10 objects are beyond the first cut
FEWEST = 19  # minimum number of tested objects below the cut, and of calibration novelties
LEAST_POOL = 10  # minimum number of calibration novelties below the cut
HISTOGRAMS = ((6, 0.1), (6, 0.4), (10, 0.2))  # number of bins, and weight of the uniform density in the mixture
EXPONENTS = (0.4, 0.8, 1.5, 3.0)  # parameters of the fixed bets: each pair (a, b) gives a beta density
STEPS = 60  # steps of the step functions that approximate the beta densities
ON_HISTOGRAMS = 0.5  # fraction of the capital that is bet on histograms
FIRST_RESTART = 64
PERMUTATIONS = 999
MOST = 10_000  # maximum number of tested and of calibration values in a batch test; more are sampled at random
BINS = 6  # number of `Drift.bins`
DEVIATES = 2.576  # a bin deviates if its difference is more than this number of standard errors
TO_LABEL = 30
FORMAT = "openshape_ood drift 1"
CHUNK = 256  # number of values to process at a time


@dataclass(frozen=True)
class Share:
    """A share of counted objects with its 95 % interval by Clopper and Pearson.

    Examples
    --------
    >>> print(Share(28, 30))
    93 % [78 %, 99 %]
    """

    count: int
    of: int

    @property
    def share(self) -> float:
        return self.count / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the interval, as fractions."""
        from scipy.special import betaincinv  # imports ten times as fast as scipy.stats

        count, rest = self.count, self.of - self.count
        low = float(betaincinv(count, rest + 1, 0.025)) if count else 0.0
        return low, float(betaincinv(count + 1, rest, 0.975)) if rest else 1.0

    def as_json(self) -> dict[str, Any]:
        """Count, number of objects, share, and both ends of the interval."""
        low, high = self.interval
        return {"count": self.count, "of": self.of, "share": self.share, "low": low, "high": high}

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.share:.0%} [{low:.0%}, {high:.0%}]".replace("%", " %")


@dataclass(frozen=True)
class Bin:
    """One of `Drift.bins`: fractions of the objects below the cut whose p-value is from `low` to `high`.

    `share` is the fraction of the tested objects, and `calibration` is the fraction of the calibration set.
    """

    low: float
    high: float
    share: float
    calibration: float
    deviates: bool


@dataclass(frozen=True)
class Drift:
    """Result of a drift test.

    Attributes
    ----------
    alarm : bool or None
        True if the known objects differ from the calibration set. None if fewer than 19 tested objects are below the
        cut and the evidence is not yet sufficient, or if no test is possible; see `reason`.
    p_value : float or None
        p-value of the test. For a stream it is 1 / highest capital so far, which is valid at any time.
    tested, below : int
        Number of tested objects, and number of them below the cut.
    e_value : float or None
        Highest capital of a stream. None for a batch.
    bins : tuple of Bin
        Distribution of the objects below the cut.
    called_novel : Share or None
        Fraction of the objects above the threshold. If it is unexpected, this is a weaker sign of drift.
    expected_novel : float or None
        Fraction of novel objects that the caller expects.
    kept : Share or None
        Fraction of the objects labeled as known that the threshold keeps. None without labels.
    coverage : float or None
        Fraction of the known objects that the threshold should keep.
    reason : str
        Reason why there is no result.
    """

    alarm: bool | None
    p_value: float | None
    tested: int
    below: int
    e_value: float | None = None
    bins: tuple[Bin, ...] = ()
    called_novel: Share | None = None
    expected_novel: float | None = None
    kept: Share | None = None
    coverage: float | None = None
    reason: str = ""

    @property
    def unexpected(self) -> bool | None:
        """True if `expected_novel` is outside the interval of `called_novel`. None if no fraction is expected."""
        if self.expected_novel is None or self.called_novel is None:
            return None
        low, high = self.called_novel.interval
        return not low <= self.expected_novel <= high

    def describe(self, remedy: str = "") -> str:
        """Result in sentences. `remedy` says how to choose shapes to label."""
        count = TO_LABEL if self.tested > TO_LABEL else "all"
        label = f"Label {count} of these shapes{f': {remedy}' if remedy else ''}."
        sentences = []
        if self.alarm:
            share = "promise" if self.coverage is None else f"{100 * self.coverage:.3g} %"
            sentences += [
                "The known objects here differ from the calibration set.",
                f"The threshold's {share} does not hold.",
            ]
            sentences += [label] if self.kept is None else []
        elif self.alarm is None:
            sentences.append(f"No drift test: {self.reason}.")
        else:
            sentences.append("No sign that the known objects differ from the calibration set.")
        if self.unexpected and self.called_novel is not None and self.expected_novel is not None:
            sentences.append(f"{self.called_novel} are called novel, {100 * self.expected_novel:.3g} % were expected.")
            sentences.append("Either the fraction of novel objects is different, or the known objects changed.")
            sentences += [label] if self.kept is None and not self.alarm else []
        if self.kept is not None:
            kept = f"{self.kept.count} of {self.kept.of} labeled known shapes: {self.kept}"
            sentences.append(f"The threshold keeps {kept}.")
        return " ".join(sentences)

    def as_json(self) -> dict[str, Any]:
        """All fields as strings and numbers. `kept` is None without labels."""
        record: dict[str, Any] = {
            name: getattr(self, name) for name in ("alarm", "p_value", "e_value", "tested", "below")
        }
        record["kept"] = self.kept and self.kept.as_json()
        record["called_novel"] = self.called_novel and self.called_novel.as_json()
        record |= {"expected_novel": self.expected_novel, "unexpected": self.unexpected}
        record["bins"] = [vars(one) for one in self.bins]
        return record | {"reason": self.reason}


class DriftStream:
    """Drift test for a stream of any length. The probability of a false alarm is at most `level`.

    Each value below the cut is ranked in a growing pool: the calibration values below the cut, and all earlier tested
    values. Without drift, these ranks are exactly uniform and independent. The martingale is a capital that is bet on
    histograms of earlier ranks and on beta densities. Several copies of the bets start after 0, 64, 128, 256, ...
    values, and their capitals are averaged. An alarm is permanent.

    The order of the objects must not depend on their novelty. For example, they must not be sorted by class. The pool
    needs 8 bytes per object.

    Parameters
    ----------
    calibration : array (n,)
        Novelty of 19 or more known objects, one value per object.
    cut : float, optional
        Fraction of the calibration novelties at or above the cut, at least 1 / (n + 1). Default: 0.05 to 0.3. It grows
        with the fraction of earlier objects beyond the first cut.
    level : float
        Maximum probability of a false alarm. Default: 0.01.
    seed : int
        Seed of the random numbers that break ties and smooth the ranks. Default: 0.
    value : float, optional
        Threshold, to count the objects called novel.
    expected_novel : float, optional
        Expected fraction of novel objects.
    coverage : float, optional
        Fraction of the known objects that the threshold should keep. Only `Drift.describe` uses it.
    scored_by : str
        Method and encoder of the novelties. A pipeline continues only tests with its own method and encoder.

    Raises
    ------
    InputError
        For fewer than 19 novelties, NaN or infinity, an invalid level or cut, or fewer than 10 novelties below the cut.

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

    def __init__(
        self,
        calibration: Any,
        cut: float | None = None,
        level: float = 0.01,
        seed: int = 0,
        *,
        value: float | None = None,
        expected_novel: float | None = None,
        coverage: float | None = None,
        scored_by: str = "",
    ) -> None:
        self._limits, self._pool = _limits(calibration, cut)
        self._settle(level, seed, value, expected_novel, coverage, scored_by)
        self.tested = self.beyond = self.below = self.novel = 0
        self.highest = 0.0  # log of the highest capital
        self._report = _Report.of(self._pool, CUTS[0] if cut is None else float(cut))
        self._counts = np.zeros((0, sum(bins for bins, _ in HISTOGRAMS)))  # one row per copy: its histograms
        self._logs = np.zeros((0, len(_weights())))  # one row per copy: log capital of each bet
        self._seen: set[str] = set()

    def _settle(self, level: Any, seed: Any, value: Any, expected_novel: Any, coverage: Any, scored_by: Any) -> None:
        self.level, self.seed, self.scored_by = float(share_between(level, "level")), check_seed(seed), str(scored_by)
        self.value = None if value is None else float(array([value], "thresholds", "n")[0])
        self.coverage, self.expected_novel = check_share(coverage, "coverage"), check_share(expected_novel)

    def update(self, novelty: Any, groups: Sequence[Hashable] | None = None) -> Drift:
        """Test further objects in order.

        Parameters
        ----------
        novelty : array (b,)
        groups : sequence (b,), optional
            Object of each value, as a name or number. Only the first value of an object is tested, over all calls.

        Returns
        -------
        Drift

        Raises
        ------
        InputError
            For NaN or infinity, or a wrong number of groups. After an error, the state is unchanged.
        """
        values = array(novelty, "novelties", "b").astype(np.float64)
        if groups is not None:
            objects, index = grouped(groups, values, "groups")
            values = values[self._first_of(objects[index].tolist())]
        limits = self._chosen(values)
        self.tested += len(values)
        if self.value is not None:
            self.novel += int((values > self.value).sum())
        inside = values < self._limits[0]
        self.beyond += int((~inside).sum())
        values, limits = values[inside], limits[inside]
        self._report.add(values)
        for begin in range(0, len(values), CHUNK):
            ranks = self._ranks(values[begin : begin + CHUNK], limits[begin : begin + CHUNK])
            while len(ranks):
                if self.below == _start(len(self._logs)):
                    self._counts = np.vstack([self._counts, np.zeros(self._counts.shape[1])])
                    self._logs = np.vstack([self._logs, np.zeros(self._logs.shape[1])])
                now, ranks = np.split(ranks, [_start(len(self._logs)) - self.below])
                self._bet(now)
        return self.drift

    def _chosen(self, values: np.ndarray) -> np.ndarray:
        """Cut (b,) for each value. It depends on the fraction of earlier objects beyond the first cut."""
        past = (values >= self._limits[0]).astype(np.int64)
        beyond = BEFORE[0] + self.beyond + np.cumsum(past) - past
        return _cut_at(self._limits, beyond / (BEFORE[1] + self.tested + np.arange(len(values))))

    @property
    def drift(self) -> Drift:
        """Result for all objects so far."""
        p_value = math.exp(-self.highest)
        alarm = True if p_value <= self.level else False if self.below >= FEWEST else None
        reason = _too_few(self.below, self.tested) if alarm is None else ""
        called = Share(self.novel, self.tested) if self.value is not None and self.tested else None
        e_value = math.exp(min(self.highest, 700.0))
        about = (e_value, self._report.bins(), called, self.expected_novel, None, self.coverage, reason)
        return Drift(alarm, p_value, self.tested, self.below, *about)

    def state(self) -> dict[str, Any]:
        """Complete state for `from_state`, as plain numbers and lists."""
        return {
            "format": FORMAT,
            **{name: getattr(self, name) for name in (*SETTINGS, *COUNTS)},
            "highest": self.highest,
            "limits": self._limits.tolist(),
            "pool": self._pool.tolist(),
            "counts": self._counts.tolist(),
            "logs": self._logs.tolist(),
            "seen": sorted(self._seen),
            "report": self._report.state(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> DriftStream:
        """Restore a test from its `state`. It continues with the same results as the original.

        Any other content raises one of `storage.DAMAGE`.
        """
        if state["format"] != FORMAT:
            raise KeyError("format")
        stream = cls.__new__(cls)
        stream._settle(**{name: state[name] for name in SETTINGS})
        for name in COUNTS:
            setattr(stream, name, check_whole(state[name], name, 0))
        stream.highest = float(array([state["highest"]], "highest", "n")[0])
        stream._limits = array(state["limits"], "limits", "n").astype(np.float64)
        stream._pool = array(state["pool"], "pool", "n").astype(np.float64)
        stream._counts = _table(state["counts"], sum(bins for bins, _ in HISTOGRAMS))
        stream._logs = _table(state["logs"], len(_weights()))
        stream._seen = set(map(str, state["seen"]))
        stream._report = _Report.from_state(state["report"])
        if (
            len(stream._logs) != len(stream._counts)
            or (np.diff(stream._pool) < 0).any()
            or (np.diff(stream._limits) > 0).any()
            or not stream.below <= stream.tested - stream.beyond
            or not stream.novel <= stream.tested < 2**53
            or stream.highest < 0
            or not _start(len(stream._logs) - 1) <= stream.below <= _start(len(stream._logs))
        ):
            raise ValueError("its numbers contradict each other")
        return stream

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a .json file atomically. Raises `FileError` if writing fails."""
        return save_whole(path, json.dumps(self.state()).encode(), "the drift test")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> DriftStream:
        """Read what `save` wrote. Raises `FileError` for any other file."""
        return loaded_state(path, cls.from_state, "drift test")

    def _first_of(self, groups: Sequence[Hashable]) -> list[int]:
        """Indices of the first row of each new object."""
        first = []
        for i, group in enumerate(groups):
            if str(group) not in self._seen:
                self._seen.add(str(group))
                first.append(i)
        return first

    def _ranks(self, values: np.ndarray, limits: np.ndarray) -> np.ndarray:
        """Smoothed ranks, in [0, 1), of the values below their cut, relative to the pool below this cut.

        `limits` (b,) are the cuts. Each value is added to the pool before the next value is ranked.
        """
        low = np.searchsorted(self._pool, values, side="left")
        ties = np.searchsorted(self._pool, values, side="right") - low
        sizes = np.searchsorted(self._pool, limits, side="left")
        earlier = np.tril(np.ones((len(values), len(values)), dtype=bool), -1)
        low += ((values < values[:, None]) & earlier).sum(axis=1)
        ties += ((values == values[:, None]) & earlier).sum(axis=1)
        sizes += ((values < limits[:, None]) & earlier).sum(axis=1)
        self._pool = np.sort(np.concatenate([self._pool, values]), kind="stable")
        bet = values < limits
        ranks = (low[bet] + self._uniform(int(bet.sum())) * (1 + ties[bet])) / (sizes[bet] + 1)
        return np.minimum(ranks, 1 - 1e-12)

    def _uniform(self, count: int) -> np.ndarray:
        """The next `count` random numbers. They depend only on the seed and on the number of earlier numbers."""
        bits = np.random.Philox(self.seed).advance(self.below // 4)  # one step gives four numbers
        return np.random.Generator(bits).random(self.below % 4 + count)[self.below % 4 :]

    def _bet(self, ranks: np.ndarray) -> None:
        """Update the capital with ranks (b,). No copy of the bets may start between the first and the last rank."""
        gains, counts = [], self._counts.copy()
        at, steps = np.arange(len(ranks)), (self.below - _starts(len(self._logs)))[:, None]
        begin = 0
        for bins, floor in HISTOGRAMS:
            places = (ranks * bins).astype(np.int64)
            hits = np.zeros((len(ranks), bins))
            hits[at, places] = 1
            earlier = (np.cumsum(hits, axis=0) - hits)[at, places]
            before = self._counts[:, begin + places] + earlier
            gains.append(floor + (1 - floor) * bins * (before + 1) / (steps + at + bins))
            counts[:, begin : begin + bins] += hits.sum(axis=0)
            begin += bins
        gains += [np.broadcast_to(bet, gains[0].shape) for bet in _beta_bets()[:, (ranks * STEPS).astype(np.int64)]]
        # (copies, 1 + ranks, bets): sums are cumulative and in order, so that the batch size does not change them
        logs = np.cumsum(np.concatenate([self._logs[:, None], np.log(np.stack(gains, axis=2))], axis=1), axis=1)
        self._counts, self._logs = counts, logs[:, -1]
        self.below += len(ranks)
        self.highest = max(self.highest, float(_log_capital(logs[:, 1:]).max()))


SETTINGS = ("level", "seed", "value", "expected_novel", "coverage", "scored_by")
COUNTS = ("tested", "beyond", "below", "novel")


def batch_drift(
    novelty: Any,
    calibration: Any,
    cut: float | None = None,
    level: float = 0.01,
    seed: int = 0,
    *,
    groups: Sequence[Hashable] | None = None,
    value: float | None = None,
    expected_novel: float | None = None,
    coverage: float | None = None,
) -> Drift:
    """Drift test for a batch in any order. The probability of a false alarm is at most `level`.

    It is a two-sample Anderson-Darling test of the values below the cut. The p-value comes from 999 random permutations
    and is exact. If a sample has more than 10,000 values, the test uses 10,000 of them, drawn at random.

    Parameters
    ----------
    novelty : array (b,)
        Novelty of the tested objects.
    calibration, cut, level, seed, value, expected_novel, coverage
        As in `DriftStream`. The default cut depends on the fraction of the whole batch beyond the first cut. The level
        is at least 0.001, the smallest p-value.
    groups : sequence (b,), optional
        Object of each value. One value of each object is tested, drawn at random.

    Returns
    -------
    Drift

    Raises
    ------
    InputError
        As in `DriftStream`.

    References
    ----------
    Pettitt, "A two-sample Anderson-Darling rank statistic", Biometrika 63, 1976.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> batch_drift(rng.normal(-1, 1, size=200), rng.normal(size=200)).alarm
    True
    """
    limits, held = _limits(calibration, cut)
    allowed = float(share_between(level, "level"))
    if allowed < 1 / (PERMUTATIONS + 1):
        raise InputError(
            f"level is {level!r}. Expected 0.001 or more, the smallest p-value of 999 permutations. Raise the level."
        )
    rng = np.random.default_rng(check_seed(seed))
    expected = check_share(expected_novel)
    tested = array(novelty, "novelties", "b").astype(np.float64)
    if groups is not None and len(tested):
        tested = tested[one_of_each(groups, len(tested), seed)]
    report = _Report.of(held, CUTS[0] if cut is None else float(cut))
    report.add(tested[tested < limits[0]])
    limit = _cut_at(limits, np.mean(tested >= limits[0]) if len(tested) else 0.0)
    below, held = tested[tested < limit], held[held < limit]
    called = None if value is None or not len(tested) else Share(int((tested > value).sum()), len(tested))
    about: dict[str, Any] = {"bins": report.bins(), "called_novel": called, "expected_novel": expected}
    about["coverage"] = coverage
    if len(below) < FEWEST:
        reason = _too_few(len(below), len(tested))
        return Drift(None, None, len(tested), len(below), **about, reason=reason)
    known, batch = (one if len(one) <= MOST else rng.choice(one, MOST, replace=False) for one in (held, below))
    p_value = _permuted(known, batch, rng)
    return Drift(p_value <= allowed, p_value, len(tested), len(below), **about)


def check_share(share: Any, name: str = "expected_novel") -> float | None:
    """A share from 0 to 1, or None. Raises `InputError` for another value."""
    if share is None:
        return None
    if isinstance(share, bool) or not isinstance(share, int | float | np.floating) or not 0 <= share <= 1:
        raise InputError(f"{name} is {share!r:.40}. Expected a share from 0 to 1. Give 0.2 for one in five.")
    return float(share)


class _Report:
    """Counts of tested values below the cut, in six bins with equal numbers of calibration values."""

    def __init__(self, cut: float, edges: np.ndarray, held: np.ndarray, counts: np.ndarray) -> None:
        self.cut, self.edges, self.held, self.counts = cut, edges, held, counts

    @classmethod
    def of(cls, held: np.ndarray, cut: float) -> _Report:
        edges = held[np.arange(1, BINS) * len(held) // BINS]
        report = cls(cut, edges, np.zeros(BINS), np.zeros(BINS))
        report.add(held)
        report.held, report.counts = report.counts, np.zeros(BINS)
        return report

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> _Report:
        arrays = [array(state[name], name, "n").astype(np.float64) for name in ("edges", "held", "counts")]
        if [len(one) for one in arrays] != [BINS - 1, BINS, BINS]:
            raise ValueError("report")
        return cls(float(share_between(state["cut"], "cut")), *arrays)

    def state(self) -> dict[str, Any]:
        return {"cut": self.cut, **{name: getattr(self, name).tolist() for name in ("edges", "held", "counts")}}

    def add(self, values: np.ndarray) -> None:
        self.counts += np.bincount(np.searchsorted(self.edges, values, side="right"), minlength=BINS)

    def bins(self) -> tuple[Bin, ...]:
        """Bins, most novel first. Empty if there are no values."""
        here, there = self.counts.sum(), self.held.sum()
        if not here:
            return ()
        pooled = (self.counts + self.held) / (here + there)
        error = np.sqrt(pooled * (1 - pooled) * (1 / here + 1 / there))
        deviates = np.abs(self.counts / here - self.held / there) > DEVIATES * error
        ends = self.cut + (1 - self.cut) * np.concatenate([[0], np.cumsum(self.held[::-1]) / there])
        rows = zip(ends[:-1], ends[1:], (self.counts / here)[::-1], (self.held / there)[::-1], strict=True)
        return tuple(
            Bin(
                round(float(low), 6),
                round(float(high), 6),
                round(float(share), 6),
                round(float(calibration_share), 6),
                bool(is_off),
            )
            for (low, high, share, calibration_share), is_off in zip(rows, deviates[::-1], strict=True)
        )


def _table(rows: Any, columns: int) -> np.ndarray:
    table = np.array(rows, dtype=np.float64).reshape(-1, columns)
    if not np.isfinite(table).all():
        raise ValueError("not finite")
    return table


def _too_few(below: int, tested: int) -> str:
    return f"{below} of {tested} objects are below the cut, {FEWEST} are needed"


def _limits(calibration: Any, cut: float | None) -> tuple[np.ndarray, np.ndarray]:
    """The cuts as novelties, highest first, and the sorted calibration novelties below the highest cut.

    If no cut is given, the cuts are the values of `CUTS` with enough calibration novelties below them.
    """
    held = np.sort(array(calibration, "calibration scores", "n").astype(np.float64))
    if len(held) < FEWEST:
        raise InputError(
            f"{len(held)} calibration scores cannot show drift. Expected {FEWEST} or more. "
            "Calibrate on more known shapes."
        )
    cuts = CUTS if cut is None else (share_between(cut, "cut"),)
    ranks = [math.floor(one * (len(held) + 1)) for one in cuts]
    if ranks[0] < 1:
        raise InputError(
            f"cut is {cut!r} for {len(held)} calibration scores. Expected {1 / (len(held) + 1):.3g} or more. "
            "Choose a higher cut or more scores."
        )
    limits = held[[max(0, len(held) - rank) for rank in ranks]]
    below = np.searchsorted(held, limits, side="left")
    if below[0] < LEAST_POOL:
        raise InputError(
            f"{below[0]} calibration scores are below the cut {float(cuts[0]):g}. Expected {LEAST_POOL} or more. "
            "Choose a lower cut or a score with fewer ties."
        )
    return limits[below >= LEAST_POOL], held[: below[0]]


def _cut_at(limits: np.ndarray, beyond: Any) -> Any:
    """Cut for a fraction of objects beyond the first cut. `beyond` is one fraction or several (b,)."""
    return limits[np.minimum(np.searchsorted(SHARES, beyond, side="left"), len(limits) - 1)]


def _start(copy: int) -> int:
    """Number of values below the cut before a copy starts: 0, 64, 128, 256, ..."""
    return 0 if copy <= 0 else FIRST_RESTART << (copy - 1)


def _starts(copies: int) -> np.ndarray:
    return np.array([_start(copy) for copy in range(copies)])


def _log_capital(logs: np.ndarray) -> np.ndarray:
    """Log of the mean capital (b,) over all copies, given logs (copies, b, bets).

    Copies that have not started have the capital 1. The copy with index j, from 0, has the weight 1 / ((j + 1) (j +
    2)).
    """
    started = len(logs)
    weights = 1 / (np.arange(1, started + 1) * np.arange(2, started + 2))
    top = np.maximum(logs.max(axis=(0, 2)), 0.0)
    capital = np.exp(logs - top[None, :, None]) @ _weights()
    return np.asarray(top + np.log(weights @ capital + np.exp(-top) / (started + 1)))


@cache
def _weights() -> np.ndarray:
    """Initial fraction of the capital of a copy for each bet: first histograms, then beta densities."""
    bets = len(_beta_bets())
    histograms = [ON_HISTOGRAMS / len(HISTOGRAMS)] * len(HISTOGRAMS)
    return np.array([*histograms, *[(1 - ON_HISTOGRAMS) / bets] * bets])


@cache
def _beta_bets() -> np.ndarray:
    """Step functions (16, 60) on [0, 1): beta densities, mixed with the uniform density, which has the weight 0.1."""
    x = (np.arange(STEPS) + 0.5) / STEPS
    rows = np.array([x ** (a - 1) * (1 - x) ** (b - 1) for a in EXPONENTS for b in EXPONENTS])
    return 0.9 * rows / rows.mean(axis=1, keepdims=True) + 0.1


def _permuted(held: np.ndarray, below: np.ndarray, rng: np.random.Generator) -> float:
    """p-value of the Anderson-Darling statistic of two samples, by random permutations."""
    values = np.concatenate([held, below])
    order = np.argsort(values, kind="stable")
    ends = np.flatnonzero(np.diff(values[order]) > 0) + 1  # equal values are counted at once
    of_batch = (order >= len(held)).astype(np.float64)
    observed = _anderson_darling(of_batch, ends)
    drawn = [_anderson_darling(rng.permutation(of_batch), ends) for _ in range(PERMUTATIONS)]
    return (1 + int((np.array(drawn) >= observed * (1 - 1e-12)).sum())) / (PERMUTATIONS + 1)


def _anderson_darling(of_batch: np.ndarray, ends: np.ndarray) -> float:
    """Anderson-Darling statistic of two samples, up to a constant factor. `ends`: where the sorted values change."""
    total = len(of_batch)
    inside = np.cumsum(of_batch)[ends - 1]
    return float((((inside * total - of_batch.sum() * ends) ** 2) / (ends * (total - ends))).sum())
