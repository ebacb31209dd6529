"""The page of a run: what it holds, what it links, and how it says to repeat the run."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from made_up_run import made_up_report

from benchmarks.report.markdown import command, write_report
from benchmarks.threedos.published import reasons


def page_of(report: dict[str, Any], folder: Path, pictures: dict[str, str] | None = None) -> str:
    return write_report(report, folder / "run.md", pictures or {}).read_text(encoding="utf-8")


def section(page: str, head: str) -> str:
    return page.partition(f"## {head}\n")[2].partition("\n## ")[0]


def test_real_data_have_published_rows_and_reasons(tmp_path: Path):
    page = page_of(made_up_report("sr1", "openshape", "vitg14", generated=False), tmp_path)
    published = section(page, "Published figures")
    assert "| differs in |" in published and "no axis exchange" in published and "github.com/GNNatan" in published
    why = section(page, "Why the figures differ")
    assert [line.split("**")[1] for line in why.strip().splitlines()] == list(reasons())
    assert "**Here**: vitg14 is z up, the axes are exchanged." in why
    assert "**Here**: 0.4." in why and "(Source: semnov, PAO.)" in why
    assert list(tmp_path.iterdir()) == [tmp_path / "run.md"]


def test_what_the_reference_protocol_does_is_said(tmp_path: Path):
    why = section(
        page_of(made_up_report("sr1", "semnov", "vitg14", generated=False), tmp_path), "Why the figures differ"
    )
    assert "axes are NOT exchanged" in why and "**Here**: Euclidean, raw features." in why
    assert "prints it: 21.3" in why


def test_generated_data_are_not_compared(tmp_path: Path):
    page = page_of(made_up_report(), tmp_path)
    assert "not comparable" in section(page, "Published figures") and "Why the figures differ" not in page


def test_other_counts_and_absent_classes_come_first(tmp_path: Path):
    report = made_up_report("sr1", generated=False)
    report["data"] |= {"differs": ["support: 2,370 found, 2,378 published"], "absent": ["pillow"]}
    page = page_of(report, tmp_path)
    assert section(page, "What was run").strip().startswith("> **COUNTS DIFFER")
    why = section(page, "Why the figures differ").splitlines()[1]
    assert "2,370 found" in why and "left out for want of support or test shapes: pillow" in why


def test_tables_have_as_many_cells_in_every_row(tmp_path: Path):
    page = page_of(made_up_report("sr2", "semnov", "vitb32", generated=False), tmp_path)
    widths: list[set[int]] = [set()]
    for line in page.splitlines():
        if line.startswith("|"):
            widths[-1].add(line.count("|") - line.count("\\|"))
        elif widths[-1]:
            widths.append(set())
    assert len(widths) > 5 and all(len(found) == 1 for found in widths if found)


def test_pictures_are_linked_where_they_are(tmp_path: Path):
    (tmp_path / "run").mkdir()
    for name in ("a b.png", "failures.html"):
        (tmp_path / "run" / name).write_bytes(b"")
    page = page_of(made_up_report(), tmp_path, {"histograms": "run/a b.png", "roc": "run/missing.png"})
    found = section(page, "Pictures and files")
    assert "![histograms](run/a%20b.png)" in found and "(run/failures.html)" in found
    assert "missing" not in page and "objects.csv" not in page
    assert "Pictures and files" not in page_of(made_up_report(), tmp_path / "other")


def test_settings_versions_counts_and_spreadsheet(tmp_path: Path):
    page = page_of(made_up_report("sr1", generated=False), tmp_path)
    settings = section(page, "All settings")
    assert (
        "| seeds | 1, 41, 13718 |" in settings
        and "| torch version | 2.6.0 |" in settings
        and "9ae5b7877367" in settings
    )
    assert "| architecture | pointbert: width 128, depth 4 |" in settings
    assert f"| text sha256 | {'7e' * 32} |" in settings
    assert "| published | 2,378 | 340 | 1,255 | 788 | 847 |" in section(page, "Shapes")
    assert section(page, "For the spreadsheet").count("to spreadsheet: ") == 3


def test_ablation_has_its_section(tmp_path: Path):
    report = made_up_report()
    assert "What each switch is worth" not in page_of(report, tmp_path)
    change = {"difference": 0.01, "low": 0.002, "high": 0.02}
    report["ablation"] = [{"switch": "color", "from": "0.4", "to": "0", "known_by": "names", "auroc": change}]
    assert r"| color | 0.4 | 0 | +1.0 \[+0.2 to +2.0\] \* |" in section(
        page_of(report, tmp_path), "What each switch is worth"
    )


@pytest.mark.parametrize(
    "benchmark, generated, shown", [("sr2", False, True), ("sr2", True, False), ("sr12", False, False)]
)
def test_what_copies_did_to_a_trained_network_stands_beside_the_ablation(
    tmp_path: Path, benchmark: str, generated: bool, shown: bool
):
    report = made_up_report(benchmark, generated=generated)
    heading = "What corrupted copies did to a trained DGCNN"
    assert heading not in page_of(report, tmp_path)
    change = {"difference": 0.01, "low": 0.002, "high": 0.02}
    report["ablation"] = [{"switch": "color", "from": "0.4", "to": "0", "known_by": "names", "auroc": change}]
    found = section(page_of(report, tmp_path), "What each switch is worth")
    # AUROC 66.3 and 77.0, FPR95 88.1 and 68.5, without and with them
    assert (heading in found, "| L2 1-NN | 66.3 | 77.0 | 88.1 | 68.5 |" in found) == (shown, shown)


def test_a_report_of_an_earlier_version_is_still_written(tmp_path: Path):
    report = made_up_report("sr1", generated=False)
    del report["classes"], report["architecture"], report["text"]["sha256"]
    for result in report["results"]:
        result["threshold"] = result.pop("thresholds")[0]
    assert "architecture" not in page_of(report, tmp_path)


@pytest.mark.parametrize(
    "benchmark, generated, module",
    [
        ("sr1", False, "benchmarks.sr1"),
        ("sn2", True, "benchmarks.sn --set sn2"),
        ("sr13", True, "benchmarks.r2r --set sr13"),
    ],
)
def test_command_repeats_the_run(benchmark: str, generated: bool, module: str):
    report = made_up_report(benchmark, "semnov", "vitl14", generated)
    start = f"python -m {module} --model vitl14 --protocol semnov"
    data = " --per-class 8" if generated else " --data-root 3D_OS_release_data"
    assert command(report) == start + data
    report["settings"] |= {"seeds": [7], "num_samples": 4, "draws": 200}
    report["ablation"] = [{}]
    report["text"] = None
    given = shlex.split(command(report))
    assert given[-1] == "--ablate" and "--no-names" in given
    assert given[given.index("--num-samples") + 1] == "4" and given[given.index("--seeds") + 1] == "7"
