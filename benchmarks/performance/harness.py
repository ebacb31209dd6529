"""Contenders measured side by side: turns, clocks, medians and ratios, memory, and processes of their own.

What is compared is measured in one run, in turns (A B C A B C ...), so that a slow spell of the machine falls on all of
them; figures are medians over the turns, of ratios taken within a turn. What has to start anew, or whose memory is
measured, runs in a fresh process: `apart`.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from openshape_ood.errors import OpenShapeError

T = TypeVar("T")
Pass = Callable[["Clock"], object]

ROOT = Path(__file__).parents[2]
STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
PERIOD = 0.2  # seconds between two looks at the memory of a process
MIB = 1 << 20
PROGRAM = "import sys; from benchmarks.performance.harness import child; child(*sys.argv[1:])"


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
        seconds: dict[str, float] = {}
        for (_, before), (stage, after) in zip(self._marks[:-1], self._marks[1:], strict=True):
            seconds[stage] = seconds.get(stage, 0.0) + self._between(before, after) / self.of
        return seconds

    def _now(self) -> Any:
        return time.perf_counter()

    def _between(self, before: Any, after: Any) -> float:
        return float(after - before)


class CpuClock(Clock):
    """Seconds that this process spent on a core, not those in which others had it: for a machine that is not idle.

    Of one thread alone: waiting for one another, several spend as long as the slowest.
    """

    def _now(self) -> Any:
        return time.process_time()


class CudaClock(Clock):
    """Seconds between marks in the stream of work of a GPU, which is not held up by them.

    Written without a GPU at hand: nothing has been measured with it yet.
    """

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
    """Of one figure over the turns."""

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
        """Seconds of `slow` divided by seconds of `fast`, turn by turn."""
        return Quartiles.of((self.of(slow, stages) / self.of(fast, stages)).tolist())


def in_turns(contenders: Mapping[str, Callable[[], T]], repeats: int, say: str = "") -> dict[str, list[T]]:
    """Results of every contender, run in turns, `repeats` times; `say` names the run on stderr."""
    found: dict[str, list[T]] = {name: [] for name in contenders}
    for i in range(repeats):
        for name, run in contenders.items():
            if say:
                print(f"{say}: {name}, {i + 1} of {repeats}", file=sys.stderr)
            found[name].append(run())
    return found


def take_turns(
    passes: Mapping[str, Pass], clocks: Mapping[str, Callable[[], Clock]], repeats: int | None, seconds: float
) -> Turns:
    """Each pass once to warm up, then `repeats` times in turn, else as often as goes into `seconds`, 3 to 25 times."""

    def timed(name: str) -> dict[str, float]:
        clock = clocks[name]()
        passes[name](clock)
        return clock.seconds()

    contenders = {name: lambda name=name: timed(name) for name in passes}
    began = time.perf_counter()
    in_turns(contenders, 1)
    once = time.perf_counter() - began
    return Turns(in_turns(contenders, repeats or int(min(25, max(3, seconds // max(once, 1e-9))))))


def memory(forget: bool = False) -> dict[str, int]:
    """Bytes of this process: "resident" now, "peak" at most, "private", anonymous pages, which Linux alone tells.

    Without /proc the peak stands for what is resident; on Windows nothing is known. forget: the peak so far.
    """
    if not STATUS.exists():
        try:
            import resource
        except ModuleNotFoundError:
            return {}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return {"peak": peak, "resident": peak}
    if forget:
        with suppress(OSError):  # not allowed in some containers: the peak of the imports then stays
            FORGET.write_text("5", encoding="ascii")
    # not ru_maxrss, in which a child inherits the peak of its parent
    names = {"VmHWM:": "peak", "VmRSS:": "resident", "RssAnon:": "private"}
    lines = [line.split() for line in STATUS.read_text(encoding="ascii", errors="replace").splitlines() if line]
    return {names[line[0]]: int(line[1]) * 1024 for line in lines if line[0] in names}


def peak_mb() -> int | None:
    """The most MiB that this process held, None where the system does not say."""
    peak = memory().get("peak")
    return peak and round(peak / MIB)


@dataclass(frozen=True)
class Child:
    """Result of a function run in its own process.

    found: its return value; peak_mib: peak memory of it and its children, shared pages counted once, None if not
    measured; left: number of remaining processes.
    """

    found: Any
    peak_mib: float | None
    left: int


def apart(
    what: str, function: Callable[..., Any], /, *given: Any, watch: bool = False, show: bool = False, env: Any = None
) -> Child:
    """`function(*given)` in a fresh Python process; what it takes and gives must be JSON.

    what: names the run in an error; watch: look at the memory of the process and of all below it, five times a second
    (Linux); show: let its stderr through instead of keeping it for an error; env: its environment. Raises
    `OpenShapeError` with the last line that it said, where it ends with another status than 0.
    """
    # it finds the modules that this process finds
    env = {**(os.environ if env is None else env), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", PROGRAM, function.__module__, function.__qualname__, json.dumps(given)]
    peak, seen = 0.0, set[int]()
    # files, which unlike pipes are never full
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=None if show else err, cwd=ROOT, env=env)  # noqa: S603
        try:
            while watch and process.poll() is None:
                family = family_of(process.pid)
                seen |= family
                peak = max(peak, sum(map(memory_of, family)))
                time.sleep(PERIOD)
            status = process.wait()
        finally:
            process.kill()
        out.seek(0), err.seek(0)
        said = (err if status else out).read().strip().splitlines()
    if status:
        raise OpenShapeError(f"{what}: {said[-1] if said else f'exit status {status}'}")
    return Child(json.loads(said[-1]), peak or None, sum(1 for one in seen if memory_of(one)))


def child(module: str, function: str, given: str) -> None:
    """Main function of the process of `apart`."""
    print(json.dumps(getattr(importlib.import_module(module), function)(*json.loads(given))))


def family_of(root: int) -> set[int]:
    """A process and all below it; nothing where the system has no /proc."""
    parents: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(place.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        parents.setdefault(parent, []).append(int(place.parent.name))
    family, waiting = set[int](), [root]
    while parents and waiting:
        process = waiting.pop()
        family.add(process)
        waiting += parents.get(process, [])
    return family


def memory_of(process: int) -> float:
    """MiB of a process, its share of what it has together with others; 0 where there is none."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def machine() -> dict[str, Any]:
    """Machine of the figures: processor, cores, system, and cores kept busy by others in the last minute."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "cores_busy_before": round(os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0, 2),
    }


def versions(*packages: str) -> dict[str, str]:
    return {"python": platform.python_version()} | {p: importlib.import_module(p).__version__ for p in packages}


def write_meshes(folder: Path, count: int, seed: int, endings: Sequence[str] = ("obj",)) -> list[Path]:
    """Generated shapes of all categories in turn, as files of each ending in turn, below a folder a category."""
    import trimesh

    from openshape_ood.synthetic import categories, generate

    names = categories()
    paths = []
    for i in range(count):
        name, ending = names[i % len(names)], endings[i % len(endings)]
        paths.append(folder / name / f"{i:07}.{ending}")
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        mesh = generate(name, seed + i)
        trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(paths[-1])
    return paths
