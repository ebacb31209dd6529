"""The published rows are complete and as printed, and differences in settings are named."""

from __future__ import annotations

from collections import Counter

import pytest
from made_up_run import made_up_report

from benchmarks.published import (
    MOST,
    Published,
    all_published,
    differences_in_settings,
    published_rows,
    reasons,
    sources,
)
from openshape_ood import list_checkpoints

OURS = ("vitb32", "vitl14", "vitg14")


def one(source: str, benchmark: str, encoder: str, label: str) -> Published:
    wanted = (source, benchmark, encoder, label)
    (row,) = [r for r in all_published() if (r.source.name, r.benchmark, r.encoder, r.label) == wanted]
    return row


def test_every_source_has_the_rows_it_is_known_to_have():
    # reference run: 3 encoders x 2 sets x 2 scores; PAO: x 4 scores, and DGCNN clean and corrupted on 2 sets;
    # paper: 12 methods with figures x 2 sets
    found = Counter(row.source.name for row in all_published())
    assert found == {"seed": 12, "PAO": 24 + 4, "EDO": 3, "AML": 2, "GNN": 3, "3DOS": 24}


def test_rows_are_unique_and_their_encoders_are_ours_or_trained():
    called = [(r.source.name, r.benchmark, r.encoder, r.label) for r in all_published()]
    assert len(set(called)) == len(called)
    assert {r.encoder for r in all_published() if not r.trained} == set(OURS) <= set(list_checkpoints())


def test_figures_are_percentages_in_the_order_of_their_heads():
    for row in all_published():
        for figures in row.percent.values():
            assert list(figures) in (["auroc", "fpr95"], ["auroc", "fpr95", "aupr_in", "aupr_out"])
            assert all(10 < figure < 100 for figure in figures.values())
        assert row.percent["both"]


def test_both_lies_between_the_two_novel_sets():
    # AUROC against both is the mean of the two, weighted by 788 and 847 (SR1) or 1,255 and 847 (SR2) novel shapes
    sizes = {"sr1": (788, 847), "sr2": (1255, 847)}
    rows = [row for row in all_published() if "novel1" in row.percent]
    assert len(rows) == 12
    for row in rows:
        n, m = sizes[row.benchmark]
        for metric in ("auroc", "fpr95"):
            weighted = (n * row.percent["novel1"][metric] + m * row.percent["novel2"][metric]) / (n + m)
            assert row.percent["both"][metric] == pytest.approx(weighted, abs=0.35 if metric == "fpr95" else 0.02)


def test_cells_as_they_were_printed():
    b32 = one("seed", "sr1", "vitb32", "L2 1-NN")
    assert b32.percent["both"] == {"auroc": 82.26, "fpr95": 68.20, "aupr_in": 79.63, "aupr_out": 83.94}
    assert (b32.accuracy, b32.balanced_accuracy) == (80.88, 79.49)
    assert one("PAO", "sr2", "DGCNN (trained)", "L2 1-NN, corrupted copies").percent["both"]["fpr95"] == 68.5
    assert one("3DOS", "sr2", "PointNet++ (trained)", "Cosine proto").percent["both"] == {"auroc": 76.5, "fpr95": 77.8}


def test_no_accuracy_by_prototypes_and_no_invalid_text_score():
    assert not [row for row in all_published() if "prototypes" in row.method and row.accuracy is not None]
    assert not [row for row in published_rows("sr2", "vitg14") if row.method == "text + picture"]


@pytest.mark.parametrize("benchmark", ["sr1", "sr2"])
@pytest.mark.parametrize("model", [*OURS, "tiny", None])
def test_rows_of_the_same_encoder_come_first(benchmark: str, model: str | None):
    rows = published_rows(benchmark, model)
    own = [row.encoder == model for row in rows]
    assert own == sorted(own, reverse=True)
    assert own.count(True) == min(MOST, sum((r.benchmark, r.encoder) == (benchmark, model) for r in all_published()))
    assert len(rows) == MOST and {row.benchmark for row in rows} == {benchmark}


def test_then_the_best_trained_and_the_best_frozen():
    rows = published_rows("sr2", "tiny")
    trained = [row.percent["both"]["auroc"] for row in rows if row.trained]
    assert trained == [77.0, 76.5, 75.7]
    assert rows[3].encoder == "vitg14" and rows[3].percent["both"]["auroc"] == 65.9


def test_benchmarks_without_published_rows_have_none():
    assert published_rows("sn1", "vitb32") == published_rows("sr12") == []


def test_differences_between_the_reference_run_and_the_own_preprocessing():
    report = made_up_report("sr1", "openshape", "vitg14", generated=False)
    assert differences_in_settings(one("seed", "sr1", "vitg14", "L2 1-NN"), report) == (
        "1,024/2,048 points (here 10,000), colour 0 (here 0.4), no axis exchange, raw L2, random sampling start, "
        "1 seed (here 3 seeds)"
    )


def test_an_encoder_that_is_y_up_needs_no_exchange():
    report = made_up_report("sr1", "openshape", "vitb32", generated=False)
    assert "axis" not in differences_in_settings(one("seed", "sr1", "vitb32", "L2 1-NN"), report)


def test_what_remains_in_the_reference_protocol():
    report = made_up_report("sr1", "seed", "vitg14", generated=False)
    row = one("seed", "sr1", "vitg14", "L2 1-NN")
    assert differences_in_settings(row, report) == "random sampling start, 1 seed (here 3 seeds)"
    aml = differences_in_settings(one("AML", "sr1", "vitg14", "L2 1-NN"), report)
    assert aml == "colour 0.4 (here 0), axes exchanged (here not), 1 seed (here 3 seeds)"


def test_trained_networks_other_encoders_support_and_test_sets_are_named():
    report = made_up_report("sr1", "seed", "vitb32", generated=False)
    paper = differences_in_settings(one("3DOS", "sr1", "PointNet++ (trained)", "MSP"), report)
    assert paper == "a network trained on the support set, 3 trainings (here 3 seeds)"
    copies = one("PAO", "sr1", "DGCNN (trained)", "L2 1-NN, corrupted copies")
    assert "support with corrupted copies (here clean)" in differences_in_settings(copies, report)
    assert "1,129 of the 1,255" in differences_in_settings(one("EDO", "sr1", "vitb32", "L2 1-NN"), report)
    assert "another encoder (here vitb32)" in differences_in_settings(one("EDO", "sr1", "vitl14", "L2 1-NN"), report)


def test_reasons_name_sources_that_exist():
    assert next(iter(reasons())) == "trained or frozen"
    for reason in reasons().values():
        assert reason.source and reason.text.endswith(".")
    assert all("github.com" in source.where or "arXiv" in source.where for source in sources().values())
    assert "not confirmed" in sources()["3DOS"].what
