"""Modules of a user, on the command line, in benchmarks and in the environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cli_runs import run, run_json, write_shape
from forks import Forks

from benchmarks.options import parser
from openshape_ood.errors import InputError
from openshape_ood.registry import extensions
from openshape_ood.registry.extensions import VARIABLE, use_module, use_named
from openshape_ood.scoring import METHODS, find_method

MODULE = """
from dataclasses import replace
from openshape_ood.scoring import METHODS
METHODS["mine"] = replace(METHODS["max_cosine"], name="mine")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module in the working folder; what it does is undone."""
    (tmp_path / "a_module_of_mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(extensions, "_imported", set())
    yield "a_module_of_mine"
    METHODS.pop("mine", None)
    sys.modules.pop("a_module_of_mine", None)


@pytest.mark.parametrize("named", ["before", "after", "file", "="])
def test_a_command_knows_its_method(module: str, named: str, tmp_path: Path) -> None:
    shape = write_shape(tmp_path / "in.npy", "chair")
    option = {"file": ["--import", f"{module}.py"], "=": [f"--import={module}"]}.get(named, ["--import", module])
    words = ["score", shape, "--known", "chair", "sofa", "--model", "tiny", "--threshold", "1", "--method"]
    plain = run_json(*words, "max_cosine")
    own = run_json(*([*option, *words, "mine"] if named == "before" else [*words, "mine", *option]))
    assert own["provenance"]["method"] == "mine"
    np.testing.assert_equal(own["shapes"][0]["novelty"], plain["shapes"][0]["novelty"])


def test_behind_two_dashes_it_is_a_file(module: str) -> None:
    result = run("score", "--known", "chair", "--model", "tiny", "--", "--import", module)
    assert result.exit_code == 2 and "mine" not in METHODS


def test_a_process_that_is_started_knows_it_too(module: str, forks: Forks) -> None:
    use_module(module)
    use_module(module)
    assert os.environ[VARIABLE] == module
    done = forks.run("from openshape_ood.scoring import find_method; print(find_method('mine').name)")
    assert (done.returncode, done.stdout) == (0, "mine\n"), done.stderr


def test_the_environment_alone_is_enough(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"{module}{os.pathsep}json")
    assert find_method("mine").name == "mine"


def test_a_benchmark_with_a_model_takes_it(module: str) -> None:
    args = parser("scores", "about", "model").parse_args(["--import", module, "--import", "json"])
    assert args.model == "tiny" and "mine" in METHODS
    assert os.environ[VARIABLE].split(os.pathsep) == [module, "json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no module 'a_module_of_mine'. Expected a module on Python's path or in"),
        ("import no_such_thing", "a_module_of_mine cannot be imported: ModuleNotFoundError: No module named 'no_such"),
        ("1 / 0", "a_module_of_mine cannot be imported: ZeroDivisionError"),
        ("def", "a_module_of_mine cannot be imported: SyntaxError"),
    ],
)
def test_what_cannot_be_imported_is_an_error(
    module: str, text: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"{module}.py"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(InputError, match=message):
        use_module(module)
    assert os.environ[VARIABLE] == ""  # so that the next command is not spoiled
    result = run("checkpoints", "list", "--import", module)
    assert result.exit_code == 2 and message in " ".join(result.stderr.split())
    with pytest.raises(SystemExit, match="2"):
        parser("scores", "about", "model").parse_args(["--import", module])
    assert message in " ".join(capsys.readouterr().err.split())


def test_each_is_imported_once(module: str, tmp_path: Path) -> None:
    use_module(module)
    del METHODS["mine"]
    use_named()
    assert "mine" not in METHODS
