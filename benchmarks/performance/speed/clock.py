"""Time by stage, of contenders that take turns.

What is compared is timed in one run, in turns (A B C A B C ...), so that a slow spell of the machine falls on all of
them; figures are medians and quartiles over the turns, of ratios taken within a turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from openshape_ood.devices import exact as without_tf32

Pass = Callable[["Clock"], object]


class Clock:
    """Seconds between marks, on the CPU; divided by `of`, the number of batches in a pass."""

    def __init__(self, of: int = 1) -> None:
        self.of = of
        self._marks: list[tuple[str, Any]] = [("", self._now())]

    def mark(self, stage: str) -> None:
        """The stage that ends here; named twice, its times add up."""
        self._marks.append((stage, self._now()))

    def seconds(self) -> dict[str, float]:
        """Stage -> seconds, in the order in which they ended."""
        self._finish()
        seconds: dict[str, float] = {}
        for (_, before), (stage, after) in zip(self._marks[:-1], self._marks[1:], strict=True):
            seconds[stage] = seconds.get(stage, 0.0) + self._between(before, after) / self.of
        return seconds

    def _now(self) -> Any:
        return time.perf_counter()

    def _finish(self) -> None:
        pass

    def _between(self, before: Any, after: Any) -> float:
        return float(after - before)


class CudaClock(Clock):
    """Seconds between marks in the stream of work of a GPU, which is not held up by them.

    Written without a GPU at hand: nothing has been measured with it yet.
    """

    def __init__(self) -> None:
        torch.cuda.synchronize()
        super().__init__()

    def _now(self) -> Any:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _finish(self) -> None:
        torch.cuda.synchronize()

    def _between(self, before: Any, after: Any) -> float:
        return float(before.elapsed_time(after)) / 1000


def clock_for(device: torch.device) -> type[Clock]:
    return CudaClock if device.type == "cuda" else Clock


@dataclass(frozen=True)
class Quartiles:
    """Of one figure over the turns."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Quartiles:
        low, median, high = np.percentile(values, [25, 50, 75])
        return cls(float(median), float(low), float(high))

    def as_json(self) -> dict[str, float]:
        return {"median": self.median, "quartile_1": self.low, "quartile_3": self.high}


@dataclass(frozen=True)
class Turns:
    """Contender -> its turns, each stage -> seconds; turn i of one is beside turn i of the others."""

    seconds: Mapping[str, Sequence[Mapping[str, float]]]

    @property
    def count(self) -> int:
        return len(next(iter(self.seconds.values())))

    def stages(self, contender: str) -> list[str]:
        return list(self.seconds[contender][0])

    def of(self, contender: str, stages: Sequence[str] = ()) -> np.ndarray:
        """Seconds (turns,) of some stages of a contender together; of all without."""
        chosen = stages or self.stages(contender)
        return np.array([sum(turn[stage] for stage in chosen) for turn in self.seconds[contender]])

    def time(self, contender: str, stages: Sequence[str] = ()) -> Quartiles:
        return Quartiles.of(self.of(contender, stages).tolist())

    def ratio(self, slow: str, fast: str, stages: Sequence[str] = ()) -> Quartiles:
        """How many times the seconds of `fast` those of `slow` are, turn by turn."""
        return Quartiles.of((self.of(slow, stages) / self.of(fast, stages)).tolist())


def take_turns(
    passes: Mapping[str, Pass],
    clocks: Mapping[str, Callable[[], Clock]],
    device: torch.device,
    repeats: int | None,
    seconds: float,
    least: int = 3,
    most: int = 25,
) -> Turns:
    """Each contender once to warm up, then `repeats` times in turn.

    Without `repeats`, as often as goes into `seconds`, which the warm-up tells, but `least` to `most` times.
    """
    with exact(device):
        started = time.perf_counter()
        for name, run in passes.items():
            _timed(run, clocks[name])
        once = time.perf_counter() - started
        count = repeats or int(min(most, max(least, seconds // max(once, 1e-9))))
        turns: dict[str, list[dict[str, float]]] = {name: [] for name in passes}
        for _ in range(count):
            for name, run in passes.items():
                turns[name].append(_timed(run, clocks[name]))
    return Turns(turns)


def _timed(run: Pass, make: Callable[[], Clock]) -> dict[str, float]:
    clock = make()
    run(clock)
    return clock.seconds()


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Torch's settings as the encoder has them: no gradients, and float32 that is float32."""
    with torch.inference_mode(), without_tf32(device):
        yield
