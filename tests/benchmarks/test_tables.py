"""Tables for the terminal say what the report says, and fit."""

from __future__ import annotations

from typing import Any

import pytest
from made_up_run import made_up_report

from benchmarks.report.facts import WIDTH, count_differences, header
from benchmarks.report.tables import (
    Table,
    ablation_table,
    confusion_table,
    markdown_words,
    run_table,
    spreadsheet_lines,
    taken_for,
)


def figure(mean: float, spread: float = 0.0, seeds: int = 3) -> dict[str, Any]:
    return {"mean": mean, "spread": spread, "low": mean - 0.02, "high": mean + 0.01, "seeds": [mean] * seeds}


def change(difference: float, low: float, high: float) -> dict[str, float]:
    return {"difference": difference, "low": low, "high": high}


def line_with(text: str, words: str) -> str:
    return next(line for line in text.splitlines() if words in line)


def widest(text: str) -> int:
    return max(map(len, text.splitlines()))


def test_figures_with_spread_and_interval():
    report = made_up_report()
    report["results"][0]["both"] = {
        "auroc": figure(0.955, 0.0042),
        "fpr95": figure(0.213),
        "aupr_in": figure(0.9377),
        "aupr_out": figure(0.9606),
    }
    report["results"][0] |= {"accuracy": figure(0.9533), "balanced_accuracy": figure(0.9488)}
    cells = line_with(run_table(report), "both").split()
    # 0.955 -> 95.5 %, spread 0.4 points, interval 0.935 to 0.965
    assert cells == ["both", "95.5", "±0.4", "[93.5-96.5]", "21.3", "±0.0", "[19.3-22.3]", "93.8", "±0.0", "96.1"] + [
        *("±0.0", "95.3", "±0.0", "94.9", "±0.0")
    ]


def test_a_single_seed_has_no_spread():
    report = made_up_report()
    for result in report["results"]:
        for part in ("novel1", "novel2", "both"):
            result[part] = {metric: figure(0.5, seeds=1) for metric in result[part]}
    assert "±" not in line_with(run_table(report), "novel1")


@pytest.mark.parametrize("benchmark", ["sr1", "sr2", "sn1", "sr12"])
def test_all_fits_the_width(benchmark: str):
    for generated in (True, False):
        report = made_up_report(benchmark, "semnov", "vitg14", generated)
        for text in (header(report), run_table(report), confusion_table(report)):
            assert widest(text) <= WIDTH


def test_the_widest_figures_fit():
    report = made_up_report()
    for result in report["results"]:
        result |= {"accuracy": figure(1.0, 0.12), "balanced_accuracy": figure(1.0, 0.12)}
        for part in ("novel1", "novel2", "both"):
            result[part] = {metric: figure(1.0, 0.12) for metric in result[part]}
    assert widest(run_table(report)) <= WIDTH


def test_long_names_are_cut_and_columns_stay_in_line():
    report = made_up_report()
    report["results"][0]["known_by"] = "names " * 30
    report["results"][1]["confusion"] = {"c" * 90: {"k" * 90: 0.5, "l" * 90: 0.3}}
    assert widest(run_table(report)) <= WIDTH and widest(confusion_table(report)) <= WIDTH
    lines = run_table(report).splitlines()
    assert line_with(run_table(report), "novel1").index("[") == lines[2].index("[")


def test_columns_are_in_line():
    table = Table(("name", "figure"), (("a", "1.0"), ("longer", "100.0")))
    assert table.text() == "name    figure\n--------------\na          1.0\nlonger   100.0"


def test_several_scores_of_a_kind_are_told_apart():
    report = made_up_report()
    report["results"][2]["known_by"] = "prototypes"
    lines = spreadsheet_lines(report)
    assert lines[2] == "prototypes: prototype_distance" and lines[4] == "prototypes: nearest_distance"
    seed = made_up_report("sr1", "semnov")
    seed["results"][2]["known_by"] = "prototypes"
    assert spreadsheet_lines(seed)[2] == "prototypes: prototype_distance, raw features"
    assert widest(run_table(seed)) <= WIDTH


def test_published_rows_stand_below_real_data_only():
    real = run_table(made_up_report("sr1", "semnov", "vitb32", generated=False))
    assert "Published figures, of one or a few runs each" in real and "github.com/HLWPOLITO" in real
    assert "They are on the same test set" in " ".join(real.split())
    cells = [line.split() for line in real.splitlines() if line.startswith("vitb32") and "semnov" in line]
    # the reference run's first novel set by nearest sample: 78.84 / 72.97 / 85.89 / 68.17
    assert ["vitb32", "L2", "1-NN", "semnov", "novel1", "78.8", "73.0", "85.9", "68.2"] in cells
    made_up = run_table(made_up_report("sr1", "semnov", "vitb32"))
    assert "PointNet++" not in made_up and "Published figures are not shown" in made_up
    assert "No published figures on SR12" in run_table(made_up_report("sr12", generated=False))


def test_halves_are_rounded_up():
    # AUPR-out 63.11 and AUROC 81.05, 74.85 of FPR95: the latter two are below their decimals as floats
    lines = run_table(made_up_report("sr1", "semnov", "vitb32", generated=False)).splitlines()
    assert ["novel2", "81.1", "74.9", "87.2", "70.5"] in [line.split() for line in lines]


def test_data_that_differ_are_loud():
    report = made_up_report("sr1", generated=False)
    report["data"]["counts"]["support"]["chair"] -= 8
    report["data"] |= {"differs": ["support: 2,370 found, 2,378 published"], "absent": ["pillow"]}
    text = header(report)
    assert text.startswith("!!! COUNTS DIFFER FROM THE PUBLISHED ONES: support: 2,370 found, 2,378 published\n")
    assert text.splitlines()[1] == "!!! LEFT OUT, because support or test shapes are missing: pillow"
    assert "support 2,370 (published 2,378), validation 340" in text
    assert "DIFFER FROM THE PUBLISHED ONES" in " ".join(run_table(report).split())


def test_many_classes_that_differ_do_not_bury_the_totals():
    report = made_up_report("sr1", generated=False)
    totals = [f"{part}: 22 found, 2,378 published" for part in ("support", "known")]
    single = [f"known, class {i}: 2 found, 20 published" for i in range(11)]
    report["data"]["differs"] = [totals[0], *single, totals[1]]
    text = " ".join(header(report).splitlines())
    assert all(words in " ".join(text.split()) for words in [*totals, *single[:3], "and 8 more"])
    assert "class 3" not in text
    assert count_differences([*totals, *single[:3]]) == [*totals, *single[:3]]
    assert count_differences([]) == []


def test_classes_are_in_label_order():
    report = made_up_report("sr2")
    report["classes"]["known"].reverse()
    assert "known: monitor, desk/table, toilet, bed" in header(report)
    report["data"]["counts"]["known"]["monitor"] = 0
    assert "known: desk/table, toilet, bed" in header(report)


def test_header_says_what_was_run():
    text = " ".join(header(made_up_report("sr2", "semnov", "vitg14")).split())
    for words in (
        "SR2, synthetic to real (sr2)",
        "known: bed, toilet, desk/table, monitor",
        "novel2: bag, bin, box, cabinet, pillow",
        "encoder: vitg14, checkpoint 9ae5b7877367, on cpu",
        "protocol semnov: support points 1,024; test points 2,048; color 0; axes exchanged no; unit vectors no",
        "seeds 1, 41, 13718",
    ):
        assert words in text
    assert "!!!" not in text


def test_a_run_without_names():
    report = made_up_report()
    report["text"] = None
    report["results"] = report["results"][1:]
    assert "text: none, known classes by examples only" in header(report)
    assert "by names" not in confusion_table(report)


def test_real_to_real_has_one_novel_set():
    report = made_up_report("sr12")
    assert "novel2" not in header(report).split("shapes:")[0] and "novel2" not in run_table(report)
    for name, line in zip(spreadsheet_lines(report)[::2], spreadsheet_lines(report)[1::2], strict=True):
        assert "four numbers" in name and line.count(",") == 3


def test_spreadsheet_has_twelve_fractions_in_the_order_of_the_original():
    report = made_up_report()
    lines = spreadsheet_lines(report)
    assert lines[0] == "names" and lines[1].startswith("to spreadsheet: ")
    result = report["results"][0]
    # written out: novel1, novel2, both; of each AUROC, FPR95, AUPR-in, AUPR-out
    expected = []
    for part in ("novel1", "novel2", "both"):
        for metric in ("auroc", "fpr95", "aupr_in", "aupr_out"):
            expected.append(sum(result[part][metric]["seeds"]) / 3)
    found = [float(number) for number in lines[1].removeprefix("to spreadsheet: ").split(",")]
    assert found == pytest.approx(expected, abs=1e-8) and len(found) == 12


@pytest.mark.parametrize(("benchmark", "parts"), [("sr1", ("novel1", "novel2", "both")), ("sr12", ("both",))])
def test_spreadsheet_of_the_published_run_has_auroc_and_fpr95_only(benchmark: str, parts: tuple[str, ...]):
    report = made_up_report(benchmark, "semnov")
    lines = spreadsheet_lines(report)
    assert all(("two numbers" in name) == (benchmark == "sr12") for name in lines[::2])
    for result, line in zip(report["results"], lines[1::2], strict=True):
        expected = [result[part][metric]["mean"] for part in parts for metric in ("auroc", "fpr95")]
        assert [float(n) for n in line.removeprefix("to spreadsheet: ").split(",")] == expected


def test_prototype_accuracy_both_ways():
    text = " ".join(run_table(made_up_report("sr1", "semnov")).split())
    assert "prototypes: accuracy as the 3DOS code prints it: 21.3" in text and "the correct accuracy: 85.0" in text
    assert "prints it" not in run_table(made_up_report("sr1", "openshape"))


def test_shares_at_the_validation_threshold():
    report = made_up_report()
    report["results"][0]["kept"] = {"validation": 0.95, "known": 0.912, "novel1": 0.25, "novel2": 0.333}
    assert ["names", "91.2", "25.0", "33.3"] in [line.split() for line in run_table(report).splitlines()]
    assert "the threshold of each seed keeps 95 %" in run_table(report)
    for result in report["results"]:
        result["kept"] = None
    assert "validation" not in run_table(report)


def test_confusion_names_the_most_frequent_first():
    report = made_up_report()
    report["results"] = report["results"][:1]
    report["results"][0]["confusion"] = {"bed": {"chair": 0.2, "door": 0.0, "sofa": 0.7, "sink": 0.1}}
    assert line_with(confusion_table(report), "bed").split(maxsplit=1)[1] == "sofa 70, chair 20, sink 10"
    report["results"][0]["confusion"] = {}
    assert confusion_table(report) == ""


def test_a_head_of_several_lines_is_whole():
    lines = Table(("one two three four", "x"), (("a", "1"),)).text(width=10).splitlines()
    rule = next(i for i, line in enumerate(lines) if set(line) == {"-"})
    head = " ".join(" ".join(lines[:rule]).replace("x", "").split())
    assert rule > 1 and head == "one two three four"


def test_methods_that_confuse_alike_share_a_column():
    report = made_up_report()
    report["results"] = [dict(one, confusion={"bed": {"chair": 1.0}}) for one in report["results"][:2]]
    assert taken_for(report).head == ("novel class", "by names, prototypes")


def test_ablation_marks_intervals_without_zero():
    report = made_up_report()
    assert ablation_table(report) == ""
    rows = [("names", change(0.012, 0.003, 0.021)), ("prototypes", change(-0.01, -0.02, 0.001))]
    report["ablation"] = [
        {"switch": "color", "from": "0.4", "to": "0", "known_by": by, "auroc": c, "fpr95": c, "accuracy": c}
        for by, c in rows
    ] + [{"switch": "num_samples", "from": "1", "to": "4", "known_by": "names", "auroc": change(0, 0, 0)}]
    text = ablation_table(report)
    assert "+1.2 [+0.3 to +2.1] *" in text and "-1.0 [-2.0 to +0.1]  " in line_with(text, "color") + "  "
    assert line_with(text, "num_samples").split() == ["num_samples", "1", "4", "+0.0", "[+0.0", "to", "+0.0]", "-"]
    assert text.count("change in points") == 3 and widest(text) <= WIDTH
    assert "known against novel 1 and 2 together" in " ".join(text.split())


def test_ablation_has_a_dash_where_a_switch_does_not_apply():
    report = made_up_report()
    same = change(0, -0.01, 0.01)
    values = {"auroc": same, "fpr95": same, "accuracy": same}
    # as ablate() leaves them out: names have no support, examples no templates
    kept = {"color": ("names", "prototypes"), "templates": ("names",), "support": ("prototypes",)}
    report["ablation"] = [
        {"switch": switch, "from": "a", "to": "b", "known_by": by} | values for switch, of in kept.items() for by in of
    ]
    cells = [line.split() for line in ablation_table(report).splitlines()]
    assert ["templates", "a", "b", "+0.0", "[-1.0", "to", "+1.0]", "-"] in cells
    assert ["support", "a", "b", "-", "+0.0", "[-1.0", "to", "+1.0]"] in cells
    report["ablation"] = report["ablation"][2:3]
    assert "by prototypes" not in ablation_table(report)


def test_markdown_cells_stay_cells():
    table = Table(("a", "b", "c"), (("x|y", "1", "<b>_w_\nz"),), remarks=True)
    lines = table.markdown().splitlines()
    assert lines[1] == "| :--- | ---: | :--- |"
    assert lines[2] == r"| x\|y | 1 | &lt;b>\_w\_ z |"
    assert markdown_words("[a](b)") == r"\[a\](b)"
