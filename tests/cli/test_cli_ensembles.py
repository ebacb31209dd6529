"""Ensembles on the command line: named by --model, or by what known classes were embedded with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_runs import run, run_json, write_shape
from further_tiny import write_rows


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSHAPE_OOD_CHECKPOINTS", str(write_rows(tmp_path)))


def test_score_with_an_ensemble_and_with_what_it_embedded(tmp_path: Path) -> None:
    for category in ("chair", "lamp"):
        for seed in (1, 2):
            write_shape(tmp_path / "shapes" / category / f"{seed}.npy", category, seed)
    asked, known = write_shape(tmp_path / "q.npy", "guitar"), tmp_path / "k.safetensors"
    how = ("--model", "tiny-b+tiny", "--up", "y", "--device", "cpu")
    scored = run_json("score", asked, "--examples", tmp_path / "shapes", *how)
    assert scored["provenance"]["identity"]["checkpoint"] == "tiny+tiny-b"
    assert run("known", "save", "--examples", tmp_path / "shapes", "--out", known, *how).exit_code == 0
    again = run_json("score", asked, "--known-file", known, "--up", "y", "--device", "cpu")  # by the file's encoder
    np.testing.assert_allclose(again["shapes"][0]["novelty"], scored["shapes"][0]["novelty"], rtol=1e-5)
    other = run("score", asked, "--known-file", known, "--model", "tiny+tiny-z", "--up", "y")
    assert other.exit_code != 0 and "by tiny+tiny-b" in other.output and "by tiny+tiny-z" in other.output


def test_checkpoints_of_an_ensemble_are_those_of_its_members() -> None:
    fetched = run_json("checkpoints", "fetch", "tiny-b+tiny", "tiny")["fetched"]
    parts = [(one["checkpoint"], one["part"]) for one in fetched]
    assert parts == [(name, part) for name in ("tiny", "tiny-b") for part in ("encoder", "text")]
    assert [one["name"] for one in run_json("checkpoints", "show", "tiny+tiny-b")["members"]] == ["tiny", "tiny-b"]
    assert run_json("checkpoints", "verify", "tiny+tiny-b")["ok"]
    missing = run("checkpoints", "fetch", "tiny+lost")
    assert missing.exit_code == 1 and "lost (encoder)" in missing.output
