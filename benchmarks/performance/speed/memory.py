"""The most memory that a pass takes, in a process of its own.

`python -m benchmarks.performance.speed.memory JSON` is that process; it prints what it saw as JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from openshape_ood.errors import OpenShapeError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from benchmarks.performance.speed.clock import Pass
    from openshape_ood.encoders.shape_encoder import Precision

STATUS = Path("/proc/self/status")
FEW = 1024  # points; the reference needs more than it has patches


@dataclass(frozen=True)
class Asked:
    """One contender, and what it is to be given."""

    contender: str
    model: str
    precision: Precision
    batch: int
    points: int
    device: str
    threads: int
    reference: str | None = None


def peak(asked: Asked) -> dict[str, int]:
    """Bytes: "whole", the most that the process held (on a GPU: that torch held there); "loaded", before the pass."""
    command = [sys.executable, "-m", "benchmarks.performance.speed.memory", json.dumps(asdict(asked))]
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)  # noqa: S603 our own program
    if done.returncode:
        said = done.stderr.strip().splitlines()
        why = said[-1] if said else f"exit status {done.returncode}, as when memory runs out"
        raise OpenShapeError(f"peak memory of {asked.contender}, {asked.model}, batch {asked.batch}: {why}")
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(asked: Asked) -> dict[str, int]:
    """Load the contender, run it once on very little to have its libraries loaded too, then on what was asked."""
    import torch

    from benchmarks.performance.speed.clock import clock_for, exact

    torch.set_num_threads(asked.threads)
    device = torch.device(asked.device)
    points, make = _points(asked, device), _passes(asked, device)
    with exact(device):
        make(points[:1, :FEW].contiguous())(clock_for(device)())
        run = make(points)
        loaded = _held(device)
        run(clock_for(device)())
    return {"loaded": loaded, "whole": _most(device)}


def _points(asked: Asked, device: torch.device) -> Tensor:
    import torch

    from benchmarks.performance.speed.pipeline import prepared
    from openshape_ood.registry.rows import find_checkpoint
    from openshape_ood.synthetic import categories, sample

    names = categories()
    clouds = [sample(names[i % len(names)], asked.points, i) for i in range(asked.batch)]
    return torch.from_numpy(prepared(find_checkpoint(asked.model), clouds, asked.points)).to(device)


def _passes(asked: Asked, device: torch.device) -> Callable[[Tensor], Pass]:
    """What makes passes of points (b, n, 6); only the contender's own weights are held."""
    from benchmarks.performance.speed.contenders import DTYPES, load_ours, staged
    from benchmarks.performance.speed.plain import PlainPointBERT, random_weights
    from benchmarks.performance.speed.reference import Reference
    from openshape_ood.registry.rows import find_checkpoint

    row = find_checkpoint(asked.model)
    weights = random_weights(row.sizes)
    if asked.contender == "reference":
        return Reference(Path(str(asked.reference)), row.sizes, weights, device).pass_of
    if asked.contender == "plain":
        return partial(staged, PlainPointBERT(row.sizes, weights, device, DTYPES[asked.precision]))
    return partial(staged, load_ours(row, weights, device, asked.precision).network)


def _held(device: torch.device) -> int:
    import torch

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    return _status("VmRSS") if STATUS.exists() else _most(device)


def _most(device: torch.device) -> int:
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # what a child inherits of its parent's peak would be in ru_maxrss, not in this
    if STATUS.exists():
        return _status("VmHWM")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def _status(key: str) -> int:
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(f"{key}:"))
    return 1024 * int(line.split()[1])


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.performance.speed.memory", description="one pass, its peak memory"
    )
    parser.add_argument("asked", help="JSON with the fields of Asked")
    try:
        print(json.dumps(measure(Asked(**json.loads(parser.parse_args().asked)))))
    except OpenShapeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
