"""openshape-ood changes: two scans from files, what is written, and what cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_runs import run
from made_up_changes import place

from openshape_ood.scenes import Scene, save_scene

KNOWN = ("--known", "chair", "sofa", "table", "--model", "tiny")
THINGS = [("sofa", 1.0, 0.6), ("chair", 3.0, 1.2), ("table", 1.2, 2.6)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scans of a room, without the chair in the second; and the first in millimeters."""
    made = tmp_path_factory.mktemp("scans")
    before = place(THINGS)
    save_scene(before, made / "before.ply")
    save_scene(place([THINGS[0], THINGS[2]], seed=1), made / "after.ply")
    save_scene(place(THINGS, seed=2), made / "again.ply")
    save_scene(Scene(before.points * 1000), made / "millimeters.ply")
    return made


def test_files_are_compared_and_everything_is_written(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "found"
    words = ("changes", folder / "before.ply", folder / "after.ply", *KNOWN, "--aligned", "--out", out)
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert "1 removed" in done.stdout and "columns over floor" in done.stdout
    names = {"changes.json", "before.ply", "after.ply", "changes.png", "changes.html"}
    assert names <= {path.name for path in out.iterdir()}
    record = json.loads((out / "changes.json").read_text(encoding="utf-8"))
    assert record["objects"][0]["kind"] == "removed"
    assert "removed" in (out / "changes.html").read_text(encoding="utf-8")


def test_own_rescans_calibrate_and_too_few_are_told(folder: Path, tmp_path: Path) -> None:
    pair = (folder / "before.ply", folder / "after.ply")
    again = ("--rescans", folder / "before.ply", folder / "again.ply", "--save-calibration", tmp_path / "own.json")
    done = run("changes", *pair, *KNOWN, "--aligned", "--json", *again)
    assert done.exit_code == 0, done.output
    assert "1 pair of re-scans: no p-value is below 0.5" in done.stderr
    record = json.loads(done.stdout)
    assert record["fdr"]["pairs"] == 1 and record["counts"].get("removed") is None
    assert record["objects"][0]["guess"] == "removed" and (tmp_path / "own.json").is_file()


@pytest.mark.parametrize(
    "words, message",
    [
        (["{0}/before.ply"], "Expected two"),
        (["{0}/before.ply", "{0}/none.ply"], "none.ply"),
        (["{0}/before.ply", "{0}/millimeters.ply"], "unit"),
        (["{0}/before.ply", "{0}/after.ply", "--fdr", "2"], "fdr"),
        (["{0}/before.ply", "{0}/after.ply", "--rescans", "{0}/again.ply"], "even number"),
        (["{0}/before.ply", "{0}/after.ply", "--save-calibration", "{0}/own.json"], "without --rescans"),
        (["{0}/before.ply", "{0}/after.ply", "--calibration", "{0}/before.ply"], "no calibration"),
        (["--unit", "mm"], "--unit"),
    ],
    ids=["one scan", "no file", "millimeters", "rate", "odd", "nothing to save", "no calibration", "unit"],
)
def test_what_cannot_be_compared(folder: Path, words: list[str], message: str) -> None:
    done = run("changes", *(word.format(folder) for word in words), *KNOWN)
    assert done.exit_code == 2 and message in done.output
