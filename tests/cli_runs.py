"""Shapes on disk and runs of the command line in this process."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.cli import main
from openshape_ood.synthetic import sample


@dataclass(frozen=True)
class Result:
    """Exit code and what was printed; output: both streams as they came."""

    exit_code: int
    stdout: str
    stderr: str
    output: str


class Both(io.StringIO):
    """Text that is kept here and in `other` too."""

    def __init__(self, other: io.StringIO) -> None:
        super().__init__()
        self.other = other

    def write(self, text: str) -> int:
        self.other.write(text)
        return super().write(text)


def run(*words: str | Path) -> Result:
    output = io.StringIO()
    stdout, stderr = Both(output), Both(output)
    with redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            main([str(word) for word in words])
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Result(code, stdout.getvalue(), stderr.getvalue(), output.getvalue())


def run_json(*words: str | Path, code: int = 0) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout, parse_constant=lambda word: 1 / 0)


def write_shape(path: Path, category: str, seed: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, sample(category, 1024, seed), allow_pickle=False)
    return path
