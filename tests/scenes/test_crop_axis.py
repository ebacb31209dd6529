"""Gravity axis of known shapes beside a scan: given, stated by the file, given for the scan, or z."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from fakes import FakeEncoder

from openshape_ood.errors import UnknownNameError
from openshape_ood.scenes.crop_axis import crop_axis, with_axes
from openshape_ood.shapes.points import AxisWarning

CLOUD = np.eye(3)


@pytest.mark.parametrize(
    "known_up, scan_up, expected",
    [
        (None, "file", ("file", "z")),
        ("file", "file", ("file", "z")),
        ("y", "z", ("y", "z")),
        (None, "-y", ("file", "-y")),
    ],
)
def test_precedence(known_up: str | None, scan_up: str, expected: tuple[str, str]) -> None:
    assert crop_axis(known_up, scan_up) == expected


def test_what_is_no_axis() -> None:
    with pytest.raises(UnknownNameError, match="known_up is 'w'"):
        crop_axis("w")


def test_files_that_state_an_axis_keep_it() -> None:
    ready = np.ones((2, 4))
    known = {"chair": ["a.glb", "b.npy"], "lamp": (CLOUD for _ in range(2)), "sofa": None, "bed": ready, "desk": CLOUD}
    with pytest.warns(AxisWarning, match="4 known shapes do not state .* Axis z is assumed, as for scans"):
        listed, axes = with_axes(known, None, FakeEncoder())
    assert axes == {"chair": ["y", "z"], "lamp": ["z", "z"], "desk": ["z"]}
    assert listed["chair"] == ["a.glb", "b.npy"] and len(listed["lamp"]) == 2
    assert listed["sofa"] is None and listed["bed"] is ready


def test_an_axis_that_is_given_holds_for_all_and_nothing_is_said() -> None:
    known = {"chair": ["a.glb", "b.npy"]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert with_axes(known, "y", FakeEncoder()) == (known, "y")
        assert with_axes({"chair": None}, None, FakeEncoder())[0] == {"chair": None}
