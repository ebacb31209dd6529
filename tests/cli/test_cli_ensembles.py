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
    asked, known = write_shape(tmp_path / "q.npy", "guitar"), tmp_path / "k.safetensors"
    how = ("--up", "y", "--device", "cpu", "--readers", "0")
    words = ("--known", "chair", "lamp", "--model", "tiny-b+tiny")
    scored = run_json("score", asked, *words, *how)
    assert scored["provenance"]["identity"]["checkpoint"] == "tiny+tiny-b"
    assert run("known", "save", *words, "--out", known).exit_code == 0
    again = run_json("score", asked, "--known-file", known, *how)  # by the encoder of the file
    np.testing.assert_allclose(again["shapes"][0]["novelty"], scored["shapes"][0]["novelty"], rtol=1e-5)
    other = run("score", asked, "--known-file", known, "--model", "tiny", *how)
    assert other.exit_code != 0 and "tiny+tiny-b" in other.output and "by tiny (sha256" in other.output


def test_checkpoints_of_an_ensemble_are_those_of_its_members() -> None:
    fetched = run_json("checkpoints", "fetch", "tiny-b+tiny", "tiny")["fetched"]
    parts = [(one["checkpoint"], one["part"]) for one in fetched]
    assert parts == [(name, part) for name in ("tiny", "tiny-b") for part in ("encoder", "text")]
    assert [one["name"] for one in run_json("checkpoints", "show", "tiny+tiny-b")["members"]] == ["tiny", "tiny-b"]
    assert run_json("checkpoints", "verify", "tiny+tiny-b")["ok"]
    missing = run("checkpoints", "fetch", "tiny+lost")
    assert missing.exit_code == 1 and "lost (encoder)" in missing.output
