"""Many reports in one table, and files that are none."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_run import made_up_report

from benchmarks.report.compare import compared, draw, main, read_run, rows_of, warnings
from benchmarks.report.facts import WIDTH
from openshape_ood.errors import FileError, MissingPackageError


def write(folder: Path, name: str, report: Any) -> Path:
    path = folder / name
    path.write_text(report if isinstance(report, str) else json.dumps(report), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def reports() -> dict[str, dict[str, Any]]:
    return {
        "sr1": made_up_report("sr1", "semnov", "vitb32", generated=False),
        "sr2": made_up_report("sr2", "semnov", "vitb32", generated=False),
        "tiny": made_up_report("sr1"),
    }


def test_a_row_a_run_and_method_sorted_by_benchmark_and_auroc(tmp_path: Path, reports: dict[str, Any]):
    paths = [write(tmp_path, f"{name}.json", reports[name]) for name in ("sr2", "tiny", "sr1")]
    rows = rows_of([read_run(path) for path in paths])
    assert [row.benchmark for row in rows] == sorted((row.benchmark for row in rows), key=["sr1", "sr2", "mean"].index)
    for benchmark in ("sr1", "sr2", "mean"):
        auroc = [row.auroc.mean for row in rows if row.benchmark == benchmark]
        assert auroc == sorted(auroc, reverse=True)
    ours = [row for row in rows if not row.published and row.benchmark != "mean"]
    assert len(ours) == 9 and {row.data for row in ours} == {"3DOS", "generated"}
    result = reports["sr1"]["results"][0]
    (row,) = [r for r in ours if (r.benchmark, r.model, r.known_by) == ("sr1", "vitb32", "names")]
    figure = result["both"]["fpr95"]
    assert (row.fpr95.mean, row.fpr95.interval) == (figure["mean"], (figure["low"], figure["high"]))


def test_means_over_sr1_and_sr2_as_the_papers_print_them(tmp_path: Path, reports: dict[str, Any]):
    runs = [read_run(write(tmp_path, f"{name}.json", reports[name])) for name in reports]
    means = [row for row in rows_of(runs) if row.benchmark == "mean"]
    (names,) = [row for row in means if row.known_by == "names"]  # tiny was run on SR1 alone
    pair = [reports[name]["results"][0]["both"]["auroc"]["mean"] for name in ("sr1", "sr2")]
    assert names.auroc.mean == pytest.approx(np.mean(pair)) and names.auroc.interval is None
    # the paper's row: (79.9 + 76.5) / 2 = 78.2 and (74.5 + 77.8) / 2 = 76.15
    (paper,) = [row for row in means if row.known_by == "Cosine proto"]
    assert (paper.auroc.mean, paper.fpr95.mean) == (pytest.approx(0.782), pytest.approx(0.7615))


def test_published_rows_only_beside_real_data(tmp_path: Path, reports: dict[str, Any]):
    assert not any(row.published for row in rows_of([read_run(write(tmp_path, "a.json", reports["tiny"]))]))
    real = rows_of([read_run(write(tmp_path, "b.json", reports["sr1"]))])
    assert sum(row.published for row in real) == 12 and {row.benchmark for row in real} == {"sr1"}


def test_runs_that_differ_in_a_setting_are_numbered(tmp_path: Path, reports: dict[str, Any]):
    other = copy.deepcopy(reports["tiny"])
    other["settings"]["num_samples"] = 4
    runs = [read_run(write(tmp_path, name, report)) for name, report in {"a": reports["tiny"], "b": other}.items()]
    assert {row.protocol for row in rows_of(runs)} == {"openshape #1", "openshape #2"}
    text = compared(runs)
    assert "tiny, openshape #2, generated: samplings a shape 4 (b)" in text


def test_numbers_keep_sr1_and_sr2_of_the_same_settings_together(tmp_path: Path):
    reports = [made_up_report(benchmark) for benchmark in ("sr1", "sr1", "sr2")]
    reports[0]["settings"]["num_samples"] = 4
    runs = [read_run(write(tmp_path, f"{i}.json", report)) for i, report in enumerate(reports)]
    assert {row.protocol for row in rows_of(runs) if row.benchmark == "mean"} == {"openshape #2"}


def test_runs_on_other_data_are_warned_of(tmp_path: Path, reports: dict[str, Any]):
    other = copy.deepcopy(reports["sr1"])
    other["data"]["sha256"]["novel1"] = "e" * 64
    fewer = copy.deepcopy(reports["sr1"])
    fewer["data"]["counts"]["known"]["chair"] -= 1
    fewer["data"]["differs"] = ["known: 1,254 found, 1,255 published"]
    fewer["data"]["differs"] += [f"known, class {i}: 1 found, 2 published" for i in range(5)]
    fewer["data"]["absent"] = ["sofa"]
    a, b, c = (
        read_run(write(tmp_path, name, report))
        for name, report in {"a.json": reports["sr1"], "b.json": other, "c.json": fewer}.items()
    )
    assert warnings([a, a]) == []
    assert warnings([a, b]) == ["SR1 was run on different data (sha256 of novel1): a.json against b.json"]
    found = warnings([a, c])
    assert found[0] == "SR1 was run on different data (numbers of shapes of known): a.json against c.json"
    assert found[1].startswith(
        "† c.json: the data differ from the published ones: known: 1,254 found, 1,255 published; known, c"
    )
    assert found[1].endswith("known, class 2: 1 found, 2 published; and 2 more; left out sofa")
    assert {row.data for row in rows_of([a])} == {"3DOS", "published"}
    marked = [row for row in rows_of([c]) if not row.published]
    assert {row.data for row in marked} == {"3DOS †"} and draw(marked, tmp_path / "c.png").is_file()


def test_the_command_prints_a_table_that_fits(tmp_path: Path, reports: dict[str, Any], capsys: Any):
    long = copy.deepcopy(reports["sr1"])
    long["provenance"]["identity"]["checkpoint"] = "an encoder with a very long name " * 20
    long["results"][0]["known_by"] = "names " * 50
    paths = [str(write(tmp_path, f"{i}.json", report)) for i, report in enumerate([*reports.values(), long])]
    assert main(paths) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= WIDTH and "PointNet++" in out and "github.com/HLWPOLITO" in out


def test_markdown(tmp_path: Path, reports: dict[str, Any], capsys: Any):
    assert main([str(write(tmp_path, "a.json", reports["tiny"])), "--markdown"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("| benchmark | model |") and out.count("\n| SR1 |") == 3


def broken(reports: dict[str, Any], *keys: Any, value: Any) -> dict[str, Any]:
    report = copy.deepcopy(reports["tiny"])
    part = report
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    return report


@pytest.mark.parametrize(
    "keys, value, message",
    [
        (("results",), {}, "results is dict, expected a list"),
        (("results", 0), 5, r"results\[0\] is 5, expected named values"),
        (("results", 1, "accuracy"), 0.95, r"results\[1\].accuracy is 0.95, expected named values"),
        (("results", 1, "both", "auroc", "mean"), 95.5, r"both.auroc.mean is 95.5, expected a fraction"),
        (("results", 1, "both", "auroc", "mean"), float("nan"), "mean is NaN, expected a fraction"),
        (("results", 1, "both", "auroc", "low"), True, "low is true, expected a fraction"),
        (("results", 1, "both", "fpr95"), None, "fpr95 is null"),
        (("data", "counts", "known"), {"a": "x"}, 'data.counts.known.a is "x", expected a count'),
        (("data", "generated"), "yes", 'data.generated is "yes", expected true or false'),
        (("provenance", "identity", "checkpoint"), ["a"], "provenance.identity.checkpoint is list, expected text"),
        (("settings", "num_samples"), [[1]], "settings.num_samples is list, expected a setting"),
    ],
)
def test_a_file_of_another_shape_is_refused(
    tmp_path: Path, reports: dict[str, Any], keys: tuple[Any, ...], value: Any, message: str
):
    path = write(tmp_path, "odd.json", broken(reports, *keys, value=value))
    with pytest.raises(FileError, match=message) as error:
        read_run(path)
    assert str(error.value).startswith(f"{path} is not the report of a run: ")


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "null", '{"benchmark": "sr1"}', "[" * 100_000, "9" * 5000])
def test_any_other_json_is_one_line_on_stderr(tmp_path: Path, reports: dict[str, Any], content: str, capsys: Any):
    good, bad = write(tmp_path, "good.json", reports["tiny"]), write(tmp_path, "bad.json", content)
    assert main([str(good), str(bad)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("error: ") and "bad.json" in err


def test_bytes_that_are_no_text_missing_files_and_folders(tmp_path: Path, capsys: Any):
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    for name in ("bytes.json", "missing.json", "."):
        assert main([str(tmp_path / name)]) == 1
        assert capsys.readouterr().err.count("\n") == 1


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path, reports: dict[str, Any], capsys: Any):
    report = broken(reports, "provenance", "identity", "checkpoint", value="tiny\x1b[2J\nerror")
    report["settings"]["odd"] = "\x1b[31m"
    report["data"]["differs"] = ["\x1b[0m\r"]
    paths = [str(write(tmp_path, "a.json", report)), str(write(tmp_path, "b.json", report | {"settings": {}}))]
    for options in ([], ["--markdown"]):
        assert main(paths + options) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out and "\r" not in out and "tiny?" in out


def test_the_picture(tmp_path: Path, reports: dict[str, Any], capsys: Any):
    pytest.importorskip("matplotlib")
    path = write(tmp_path, "a.json", broken(reports, "provenance", "identity", "checkpoint", value="$odd_name^2"))
    out = tmp_path / "new" / "dots.png"
    assert main([str(path), "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG") and list(out.parent.iterdir()) == [out]
    assert main([str(path), "--out", str(tmp_path / "dots.jpg")]) == 1
    assert "expected a .png file" in capsys.readouterr().err
    empty = write(tmp_path, "empty.json", broken(reports, "results", value=[]))
    assert main([str(empty), "--out", str(out)]) == 1


def test_a_picture_without_matplotlib(tmp_path: Path, reports: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    rows = rows_of([read_run(write(tmp_path, "a.json", reports["tiny"]))])
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match="matplotlib"):
        draw(rows, tmp_path / "dots.png")


def test_means_pool_runs_that_differ_in_their_seeds_alone(tmp_path: Path, reports: dict[str, Any]):
    other, farther = copy.deepcopy(reports["tiny"]), copy.deepcopy(reports["tiny"])
    other["settings"]["data_seed"] = 1
    other["data"]["sha256"]["known"] = "e" * 64
    farther["settings"]["num_samples"] = 4
    for result in other["results"]:
        result["both"]["auroc"]["mean"] -= 0.1
    made = enumerate([reports["tiny"], other, farther])
    runs = [read_run(write(tmp_path, f"{i}.json", report)) for i, report in made]
    assert len(rows_of(runs[:2])) == 2 * len(rows_of(runs[:2], means=True)) == 6
    before = reports["tiny"]["results"][0]
    (row,) = [row for row in rows_of(runs[:2], means=True) if row.known_by == before["known_by"]]
    assert row.auroc.mean == pytest.approx(before["both"]["auroc"]["mean"] - 0.05)
    assert row.auroc.spread == pytest.approx(0.1 / 2**0.5) and " ±7.1" in row.cells[6]
    assert warnings(runs[:2]) and not warnings(runs[:2], means=True)
    assert {row.protocol for row in rows_of(runs, means=True)} == {"openshape #1", "openshape #2"}


def test_trainings_of_a_network_are_pooled_and_stand_beside_the_published(tmp_path: Path, reports: dict[str, Any]):
    made = [copy.deepcopy(reports["sr1"]) for _ in range(2)]
    for i, report in enumerate(made):
        report["provenance"]["identity"] |= {"checkpoint": "DGCNN (trained)", "sha256": f"{i}" * 64}
    runs = [read_run(write(tmp_path, f"{i}.json", report)) for i, report in enumerate(made)]
    rows = rows_of(runs, means=True)
    assert sum(not row.published for row in rows) == 3
    sr2 = copy.deepcopy(reports["sr2"])
    sr2["settings"] = made[0]["settings"]
    sr2["provenance"]["identity"] |= {"checkpoint": "DGCNN (trained)", "sha256": "f" * 64}
    both = [runs[0], read_run(write(tmp_path, "sr2.json", sr2))]
    assert {row.protocol for row in rows_of(both) if not row.published} == {made[0]["protocol"]}  # of another file
    published = {(row.model, row.known_by) for row in rows if row.published}
    assert ("DGCNN (trained once)", "GradNorm") in published and all("DGCNN" in model for model, _ in published)
