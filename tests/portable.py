"""Run the tests under settings that make this processor compute as others do.

    python -m tests.portable [--setting "NAME=value ..."]... [pytest's arguments, such as files or -m slow]

`make portable` runs the default tests under all settings. It prints a row a setting and the names of failed tests.
The exit code is 1 if a run failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# what numpy found beyond the least that it needs
NUMPY = ",".join(np.show_config(mode="dicts")["SIMD Extensions"].get("found", ()))
SETTINGS = (
    "ATEN_CPU_CAPABILITY=default",
    "ATEN_CPU_CAPABILITY=avx2",
    "ONEDNN_MAX_CPU_ISA=AVX2",
    "ONEDNN_MAX_CPU_ISA=SSE41",
    "MKL_CBWR=COMPATIBLE",
    "OMP_NUM_THREADS=1",
    "OMP_NUM_THREADS=2",
    # all at once: as far as one machine gets from itself
    "ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_CBWR=COMPATIBLE OMP_NUM_THREADS=2"
    f" OPENBLAS_CORETYPE=Nehalem NPY_DISABLE_CPU_FEATURES={NUMPY}",
)
VARIABLES = {name for setting in SETTINGS for name in re.findall(r"(\w+)=", setting)}


class Run(NamedTuple):
    setting: str
    passed: int
    failed: list[str]
    seconds: float
    code: int


def run(setting: str, arguments: Sequence[str]) -> Run:
    """One run of pytest. Its output is passed on as it comes."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    # two processes of two threads may have two cores: a thread that waits gives way
    environment |= {"OMP_WAIT_POLICY": "PASSIVE"} | dict(one.split("=", 1) for one in setting.split())
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", *arguments]
    begun, passed, failed = time.perf_counter(), 0, []
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            failed += re.findall(r"^(?:FAILED|ERROR) (\S+)", line)
            passed = int(next(iter(re.findall(r"(\d+) passed.* in [\d.]+s", line)), passed))
    return Run(setting, passed, failed, time.perf_counter() - begun, process.returncode)


def table(runs: Sequence[Run]) -> str:
    lines = ["passed  failed  seconds  setting"]
    for one in runs:
        failed = str(len(one.failed) or (f"exit {one.code}" if one.code else 0))
        lines.append(f"{one.passed:6}  {failed:>6}  {one.seconds:7.0f}  {one.setting}")
        lines += [f"        {name}" for name in one.failed]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.portable", description=(__doc__ or "").splitlines()[0])
    text = f"variables of the environment; may be repeated (default: each of {'; '.join(SETTINGS)})"
    parser.add_argument("--setting", action="append", metavar="NAME=value", help=text)
    args, arguments = parser.parse_known_args(argv)
    runs = []
    for setting in args.setting or SETTINGS:
        print(f"\n{setting}", flush=True)
        runs.append(run(setting, arguments))
    print(f"\n{table(runs)}")
    return int(any(one.code for one in runs))


if __name__ == "__main__":
    sys.exit(main())
