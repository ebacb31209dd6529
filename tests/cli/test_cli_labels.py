"""openshape-ood score --label and --labels: shapes to label by hand, and the threshold that the labels make."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from cli_runs import run, run_json, write_shape

from openshape_ood import Threshold

KNOWN = ["--known", "chair", "sofa", "--model", "tiny", "--up", "y"]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labels") / "shapes"
    for seed in range(22):
        write_shape(folder / f"{seed:02}.npy", "guitar" if seed < 2 else "chair", seed)
    return folder


def filled(path: Path, label: str = "chair") -> None:
    """Fill in the file as a person does: the first two are guitars."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["label"] = "novel" if Path(row["shape"]).stem < "02" else label
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_labels_of_a_random_sample_report_the_share_kept_and_make_a_threshold(shapes: Path, tmp_path: Path) -> None:
    todo, made = tmp_path / "todo.csv", tmp_path / "mine.json"
    before = run_json("score", shapes, *KNOWN, "--label", "22", todo)["drift"]
    assert before["kept"] is None
    assert before["alarm"] is True  # clean shapes, and the threshold is of generated scans
    filled(todo)
    after = run_json("score", shapes, *KNOWN, "--labels", todo, "--save-threshold", made)
    assert after["drift"]["kept"]["of"] == 20
    assert Threshold.load(made).n == 20
    assert after["threshold"]["value"] == Threshold.load(made).value
    shown = run("score", shapes, *KNOWN, "--labels", todo, "--unsure", "0.1").output
    assert "Before the labels, threshold" in shown and "unsure from" in shown


@pytest.mark.parametrize("label, message", [("", "have no label"), ("lamp", "lamp")])
def test_labels_that_are_missing_or_of_no_known_class_are_refused(
    shapes: Path, tmp_path: Path, label: str, message: str
) -> None:
    todo = tmp_path / "todo.csv"
    run("score", shapes, *KNOWN, "--label", "22", todo)
    filled(todo, label)
    result = run("score", shapes, *KNOWN, "--labels", todo)
    assert result.exit_code == 2
    assert message in result.stderr


def test_scans_of_one_object_in_a_folder_count_once(tmp_path: Path) -> None:
    for seed in range(24):
        write_shape(tmp_path / "scans" / f"chair {seed % 3}" / f"{seed}.npy", "chair", seed)
    alone = run_json("score", tmp_path / "scans", *KNOWN)["drift"]
    of_objects = run_json("score", tmp_path / "scans", *KNOWN, "--objects-by", "folder")["drift"]
    assert (alone["tested"], of_objects["tested"]) == (24, 3)
    assert of_objects["alarm"] is None
    few = run("score", tmp_path / "scans", *KNOWN, "--objects-by", "folder", "--expected-novel", "0.9")
    assert few.exit_code == 0 and "(--label 3 FILE)" in " ".join(few.output.split())


def test_a_third_verdict_needs_one_or_two_rates(shapes: Path) -> None:
    result = run("score", shapes, *KNOWN, "--unsure", "0.05", "0.05", "0.1")
    assert result.exit_code == 2
    assert "one or two error rates" in result.stderr
    verdicts = {row["verdict"] for row in run_json("score", shapes, *KNOWN, "--unsure", "0.05")["shapes"]}
    assert verdicts <= {"known", "novel", "unsure"}
