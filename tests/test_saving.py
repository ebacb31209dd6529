"""Files are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openshape_ood.errors import FileError
from openshape_ood.storage import save_whole


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_whole(tmp_path / "it", b"first", "the thing")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(FileError, match=r"cannot write the thing .*it: No space left on device"):
        save_whole(path, b"second", "the thing")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]
