"""benchmarks changes: which reported changes are false."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.questions.scene_changes import matched


def item(x: float, instance: int) -> Any:
    return SimpleNamespace(box=np.array([[x, 0, 0], [x + 0.4, 0.4, 0.4]]), category="box", instance=instance)


def reported(number: int, kind: str, *, before: float | None = None, after: float | None = None) -> Any:
    ends = [
        None if x is None else SimpleNamespace(box=SimpleNamespace(center=np.array([x, 0.2, 0.2])))
        for x in (before, after)
    ]
    return SimpleNamespace(number=number, kind=kind, before=ends[0], after=ends[1])


def planted(kind: str, before: Any = None, after: Any = None) -> Any:
    return SimpleNamespace(kind=kind, before=before, after=after)


@pytest.mark.parametrize(
    ("changes", "right", "faults"),
    [
        ([reported(1, "removed", before=0.2)], [True], [""]),
        ([reported(1, "added", after=5.0)], [False], ["elsewhere"]),
        ([reported(1, "removed", before=0.2), reported(2, "removed", before=0.3)], [True], ["", "part"]),
        ([reported(1, "moved", before=0.2, after=5.0)], [False], ["kind"]),
        ([reported(1, "moved", before=0.2, after=5.0), reported(2, "removed", before=0.3)], [True], ["part", ""]),
        ([], [False], []),
    ],
    ids=["right", "elsewhere", "twice", "another kind", "another kind and right", "none"],
)
def test_only_the_right_kind_at_the_right_place_is_true(changes: Any, right: list[bool], faults: list[str]) -> None:
    scan = SimpleNamespace(instances=np.ones(200, dtype=int))
    pair: Any = SimpleNamespace(changes=[planted("removed", item(0.0, 1))], before=scan, after=scan)
    records, wrong = matched(pair, changes)
    assert ([one["right"] for one in records], wrong) == (right, faults)
