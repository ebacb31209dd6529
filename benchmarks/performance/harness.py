"""Tools for comparing functions by time and memory.

Contenders run in turns (A B C A B C ...), so a slow phase of the machine affects all of them. Figures are medians over
the turns. Ratios are computed within each turn. `apart` runs a function in a fresh process, to measure its memory.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.errors import OpenShapeError

Pass = Callable[["Clock"], object]

ROOT = Path(__file__).parents[2]
STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
MIB = 1 << 20
PROGRAM = "import sys; from benchmarks.performance.harness import child; child(*sys.argv[1:])"


class Clock:
    """Wall-clock seconds between marks, divided by `of`, the number of batches in a pass."""

    def __init__(self, of: int = 1) -> None:
        self.of = of
        self._marks: list[tuple[str, Any]] = [("", self._now())]

    def mark(self, stage: str) -> None:
        """Record the end of a stage. If a stage is repeated, its times are added."""
        self._marks.append((stage, self._now()))

    def seconds(self) -> dict[str, float]:
        """Stage -> seconds, in the order in which they ended."""
        seconds: dict[str, float] = {}
        for (_, before), (stage, after) in zip(self._marks[:-1], self._marks[1:], strict=True):
            seconds[stage] = seconds.get(stage, 0.0) + self._between(before, after) / self.of
        return seconds

    def _now(self) -> Any:
        return time.perf_counter()

    def _between(self, before: Any, after: Any) -> float:
        return float(after - before)


class CpuClock(Clock):
    """CPU seconds of this process, for a machine that is not idle.

    Use it with one thread only, because several threads also take CPU time while they wait for each other.
    """

    def _now(self) -> Any:
        return time.process_time()


class CudaClock(Clock):
    """Seconds between marks in the stream of a GPU, without synchronization. It was never tested on a GPU."""

    def __init__(self) -> None:
        import torch

        self._cuda = torch.cuda
        self._cuda.synchronize()
        super().__init__()

    def _now(self) -> Any:
        event = self._cuda.Event(enable_timing=True)
        event.record()
        return event

    def _between(self, before: Any, after: Any) -> float:
        self._cuda.synchronize()
        return float(before.elapsed_time(after)) / 1000


@dataclass(frozen=True)
class Quartiles:
    """Median and quartiles of a figure over the turns."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Quartiles:
        low, middle, high = np.percentile(values, [25, 50, 75])
        return cls(float(middle), float(low), float(high))

    def as_json(self) -> dict[str, float]:
        return {"median": self.median, "quartile_1": self.low, "quartile_3": self.high}

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}-{self.high:.2f}]"


@dataclass(frozen=True)
class Turns:
    """Contender -> one mapping from stage to seconds per turn. Turn i of all contenders was measured together."""

    seconds: Mapping[str, Sequence[Mapping[str, float]]]

    @property
    def count(self) -> int:
        return len(next(iter(self.seconds.values())))

    def stages(self, contender: str) -> list[str]:
        return list(self.seconds[contender][0])

    def of(self, contender: str, stages: Sequence[str] = ()) -> np.ndarray:
        """Seconds (turns,) of a contender, summed over some stages. Default: all stages."""
        chosen = stages or self.stages(contender)
        return np.array([sum(turn[stage] for stage in chosen) for turn in self.seconds[contender]])

    def time(self, contender: str, stages: Sequence[str] = ()) -> Quartiles:
        return Quartiles.of(self.of(contender, stages).tolist())

    def ratio(self, slow: str, fast: str, stages: Sequence[str] = ()) -> Quartiles:
        """Seconds of `slow` divided by seconds of `fast`, turn by turn."""
        return Quartiles.of((self.of(slow, stages) / self.of(fast, stages)).tolist())


def take_turns(
    passes: Mapping[str, Pass], clocks: Mapping[str, Callable[[], Clock]], repeats: int | None, seconds: float
) -> Turns:
    """Run each pass once to warm up, then `repeats` times in turns.

    None: as often as fits into `seconds`, 3 to 25 times.
    """

    def timed(name: str) -> dict[str, float]:
        clock = clocks[name]()
        passes[name](clock)
        return clock.seconds()

    began = time.perf_counter()
    for name in passes:
        timed(name)
    once = time.perf_counter() - began
    turns = repeats or int(min(25, max(3, seconds // max(once, 1e-9))))
    results: dict[str, list[dict[str, float]]] = {name: [] for name in passes}
    for _ in range(turns):
        for name, times in results.items():
            times.append(timed(name))
    return Turns(results)


def memory(forget: bool = False) -> dict[str, int]:
    """Memory of this process in bytes: "resident" and "peak".

    Without /proc, "resident" is the peak; on Windows the result is empty. forget: reset the peak first.
    """
    if not STATUS.exists():
        try:
            import resource
        except ModuleNotFoundError:
            return {}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return {"peak": peak, "resident": peak}
    if forget:
        with suppress(OSError):  # some containers forbid this; the peak then includes the imports
            FORGET.write_text("5", encoding="ascii")
    # not ru_maxrss, because a child inherits it from its parent
    names = {"VmHWM:": "peak", "VmRSS:": "resident"}
    lines = [line.split() for line in STATUS.read_text(encoding="ascii", errors="replace").splitlines() if line]
    return {names[line[0]]: int(line[1]) * 1024 for line in lines if line[0] in names}


def peak_mb() -> int | None:
    """Peak memory of this process in MiB; None if the system does not report it."""
    peak = memory().get("peak")
    return peak and round(peak / MIB)


def apart(what: str, function: Callable[..., Any], /, *given: Any) -> Any:
    """Result of `function(*given)` in a fresh Python process; arguments and result must be JSON.

    Raises `OpenShapeError` with the last line of stderr if the exit status is not 0. what: name of the run, for errors.
    """
    # same module search path as in this process
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", PROGRAM, function.__module__, function.__qualname__, json.dumps(given)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)  # noqa: S603
    lines = (done.stderr if done.returncode else done.stdout).strip().splitlines()
    if done.returncode:
        raise OpenShapeError(f"{what}: {lines[-1] if lines else f'exit status {done.returncode}'}")
    return json.loads(lines[-1])


def child(module: str, function: str, given: str) -> None:
    """Main function in the process of `apart`."""
    print(json.dumps(getattr(importlib.import_module(module), function)(*json.loads(given))))


def machine() -> dict[str, Any]:
    """Processor, cores, system, and number of busy cores in the last minute."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "cores_busy_before": round(os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0, 2),
    }


def versions(*packages: str) -> dict[str, str]:
    return {"python": platform.python_version()} | {p: importlib.import_module(p).__version__ for p in packages}


def write_meshes(folder: Path, count: int) -> list[Path]:
    """Write generated shapes of alternating categories to `folder`/CATEGORY/ as OBJ; returns the paths."""
    import trimesh

    from openshape_ood.synthetic import categories, generate

    names = categories()
    paths = []
    for i in range(count):
        name = names[i % len(names)]
        paths.append(folder / name / f"{i:07}.obj")
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        mesh = generate(name, i)
        trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(paths[-1])
    return paths
