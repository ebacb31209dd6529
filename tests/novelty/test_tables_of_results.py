"""Results as people print them, and tables of pandas as they come."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from openshape_ood import Threshold, score_embeddings
from openshape_ood.novelty import NoveltyResult

KNOWN = {"chair": [[1.0, 0.1], [0.9, 0.0]], "lamp": [[0.0, 1.0], [0.1, 1.0]]}


def scored(n: int, threshold: float | None = None) -> NoveltyResult:
    angle = np.linspace(0, np.pi, n)
    rows = np.column_stack([np.cos(angle), np.sin(angle)])
    return score_embeddings(rows, KNOWN, threshold=None if threshold is None else Threshold(threshold))


def test_up_to_sixty_rows_are_printed_whole() -> None:
    lines = str(scored(60)).splitlines()
    assert len(lines) == 61 and [line.split()[1] for line in lines[1:]] == [str(i) for i in range(60)]


@pytest.mark.parametrize("threshold, rows_after", [(None, 1), (0.9, 2)])
def test_of_more_rows_both_ends_and_counts_are_printed(threshold: float | None, rows_after: int) -> None:
    result = scored(61, threshold)
    lines = str(result).splitlines()
    assert len(lines) == 1 + 20 + 1 + 10 + rows_after
    printed = [int(line.split()[1]) for line in lines if line.startswith("row")]
    assert printed == [*range(20), *range(51, 61)] and lines[21] == "… 31 more"
    for line in lines:
        if line.startswith("row"):
            assert f"{result.novelty[int(line.split()[1])]:.3f}" in line
    novel = f": {int(result.is_novel.sum())} novel, {int((~result.is_novel).sum())} known" if threshold else ""
    assert lines[32] == f"61 shapes{novel}"


@pytest.mark.parametrize(
    "index, names",
    [(["mug", "jug"], ("mug", "jug")), ([7, 3], ("7", "3")), (None, ("row 0", "row 1"))],
)
def test_the_index_of_a_data_frame_becomes_the_names(index: list[object] | None, names: tuple[str, ...]) -> None:
    frame = pd.DataFrame([[1.0, 0.0], [-1.0, 0.1]], index=index, columns=["a", "b"])
    result = score_embeddings(frame, KNOWN)
    assert result.shapes == names
    assert (result.novelty == score_embeddings(frame.to_numpy(), KNOWN).novelty).all()
