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
    assert [line.split("**")[1] for line in why.strip().splitlines()] == [row["title"] for row in reasons()]
    assert "(Source: semnov, PAO.)" in why
    assert list(tmp_path.iterdir()) == [tmp_path / "run.md"]


def test_generated_data_are_not_compared(tmp_path: Path):
    page = page_of(made_up_report(), tmp_path)
    assert "are not shown" in section(page, "Published figures") and "Why the figures differ" not in page


def test_other_counts_and_absent_classes_come_first(tmp_path: Path):
    report = made_up_report("sr1", generated=False)
    report["data"] |= {"differs": ["support: 2,370 found, 2,378 published"], "absent": ["pillow"]}
    page = page_of(report, tmp_path)
    assert section(page, "What was run").strip().startswith("> **COUNTS DIFFER")
    why = section(page, "Why the figures differ").splitlines()[1]
    assert "2,370 found" in why and "left out, because they have no support or no test shapes: pillow" in why


def test_tables_have_as_many_cells_in_every_row(tmp_path: Path):
    page = page_of(made_up_report("sr2", "semnov", "vitb32", generated=False), tmp_path)
    widths: list[set[int]] = [set()]
    for line in page.splitlines():
        if line.startswith("|"):
            widths[-1].add(line.count("|") - line.count("\\|"))
        elif widths[-1]:
            widths.append(set())
    assert len(widths) > 4 and all(len(found) == 1 for found in widths if found)


def test_pictures_are_linked_where_they_are(tmp_path: Path):
    (tmp_path / "run").mkdir()
    for name in ("a b.png", "failures.html"):
        (tmp_path / "run" / name).write_bytes(b"")
    page = page_of(made_up_report(), tmp_path, {"histograms": "run/a b.png", "roc": "run/missing.png"})
    found = section(page, "Pictures and files")
    assert "![histograms](run/a%20b.png)" in found and "(run/failures.html)" in found
    assert "missing" not in page and "objects.csv" not in page
    assert "Pictures and files" not in page_of(made_up_report(), tmp_path / "other")


def test_settings_and_spreadsheet(tmp_path: Path):
    page = page_of(made_up_report("sr1", generated=False), tmp_path)
    assert "seeds 1, 41, 13718" in section(page, "What was run") and "9ae5b7877367" in page
    assert section(page, "For the spreadsheet").count("to spreadsheet: ") == 3


def test_ablation_has_its_section(tmp_path: Path):
    report = made_up_report()
    assert "Effect of each switch" not in page_of(report, tmp_path)
    change = {"difference": 0.01, "low": 0.002, "high": 0.02}
    report["ablation"] = [{"switch": "color", "from": "0.4", "to": "0", "known_by": "names", "auroc": change}]
    assert r"| color | 0.4 | 0 | +1.0 \[+0.2 to +2.0\] \* |" in section(
        page_of(report, tmp_path), "Effect of each switch"
    )


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
