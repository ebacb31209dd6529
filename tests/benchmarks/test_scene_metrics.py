"""Figures of proposals, names and painted points, by pencil."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.scene_data import metrics
from benchmarks.scene_data.house import pose_matrix


def test_overlap_leaves_out_points_of_no_object() -> None:
    #                     0  1  2  3  4  5  6  7
    instances = np.array([0, 0, 1, 1, 1, 1, 2, 3])
    rows = [np.array([0, 1, 2, 3]), np.array([4, 5, 6, 7]), np.array([0, 1])]
    table = metrics.overlap_table(rows, instances, [1, 2])
    assert table.tolist() == [[0.5, 0.0], [2 / 6, 1 / 4], [0.0, 0.0]]  # object 3 is too small to count, but not free
    figures = metrics.proposal_figures(table)
    assert figures == {"proposals": 3.0, "recall25": 1.0, "recall50": 0.5, "precision25": 2 / 3}
    assert metrics.matched(table).tolist() == [0, 1] and metrics.matched(table / 2).tolist() == [0, -1]


def test_nothing_proposed_is_a_figure_too() -> None:
    table = metrics.overlap_table([], np.array([1, 1, 0]), [1])
    assert table.shape == (0, 1)
    assert metrics.proposal_figures(table)["recall25"] == 0.0
    assert np.isnan(metrics.proposal_figures(table)["precision25"])
    assert metrics.matched(table).tolist() == [-1]


def test_ranks_count_ties_against() -> None:
    novelty = np.array([0.5, 0.9, 0.5, 0.1])
    assert [metrics.rank_of(novelty, i) for i in range(4)] == [3, 1, 3, 4]
    assert metrics.known_against_novel(novelty, np.array([False, True, True, False])) == 0.875
    assert np.isnan(metrics.known_against_novel(novelty, np.zeros(4, dtype=bool)))


def test_iou_of_six_classes_one_absent() -> None:
    truth = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, -1, -1])
    guess = np.array([0, 0, 1, 1, 2, 2, 2, 2, 0, 4, 0, 5])
    iou = metrics.class_iou(metrics.confusion(truth, guess, 5))
    # 5 is said of a point without a label only, so it is absent; 3 is missed, 4 said only
    assert np.allclose(iou[:5], [2 / 4, 1 / 3, 3 / 5, 0.0, 0.0]) and np.isnan(iou[5])
    assert metrics.mean_iou(iou) == (pytest.approx((0.5 + 1 / 3 + 0.6) / 5), 5)
    tail = np.array([False] * 5 + [True])
    assert np.isnan(metrics.mean_iou(iou, tail)[0]) and metrics.mean_iou(iou, tail)[1] == 0
    assert metrics.mean_iou(iou, [2, 5], absent=0.0) == (pytest.approx(0.3), 2)


def test_poses_of_the_layout() -> None:
    moved = pose_matrix(1, 2, 3, 0, 0, np.pi / 2) @ [1, 0, 0, 1]
    assert np.allclose(moved, [1, 3, 3, 1])
    tipped = pose_matrix(0, 0, 0, np.pi / 2, 0, np.pi / 2) @ [0, 1, 0, 1]  # roll first: y goes up, yaw leaves it
    assert np.allclose(tipped, [0, 0, 1, 1])
    assert np.allclose(pose_matrix(0, 0, 0, 0, np.pi / 2, 0) @ [1, 0, 0, 1], [0, 0, -1, 1])
