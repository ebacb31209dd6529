"""Shapes on disk and runs of the command line in this process."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import typer.testing
from typer.main import get_command
from typer.testing import CliRunner, Result

from openshape_ood.cli.commands import app
from openshape_ood.synthetic import sample

# the runner makes all commands anew for each run, which takes longer than many of them
typer.testing._get_command = cache(get_command)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def run_json(*words: str | Path, code: int = 0) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout, parse_constant=lambda word: 1 / 0)


def write_shape(path: Path, category: str, seed: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, sample(category, 1024, seed), allow_pickle=False)
    return path
