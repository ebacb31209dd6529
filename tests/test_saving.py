"""Files are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood import score_novelty
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Embeddings, Identity, Provenance
from openshape_ood.errors import FileError, InputError
from openshape_ood.known import KnownClasses
from openshape_ood.novelty_map import Elements, NoveltyMap
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


@pytest.mark.parametrize("path", [None, 5])
def test_what_is_no_path(path: Any) -> None:
    rows = np.eye(2)
    known = KnownClasses.from_embeddings(rows, ["chair", "lamp"], Identity("mine", "words", "ab" * 32))
    fields = {"nearest": None, "classes": None, "baseline": float("nan"), "threshold": None}
    drawn = NoveltyMap(Elements("points", np.eye(3)), np.zeros(3), provenance=Provenance(known.identity), **fields)
    doors = (Threshold(0.5).save, Threshold.load, known.save, KnownClasses.load, drawn.save)
    for door in doors:
        with pytest.raises(InputError, match=f"path is {path}; expected the path of a file"):
            door(path)


def test_ready_embeddings_do_not_tell_how_they_were_made() -> None:
    ready = Embeddings(np.eye(2), Identity("mine", "words", "ab" * 32))
    known = KnownClasses.from_embeddings(np.eye(2), ["chair", "lamp"], ready.identity)
    made = score_novelty(ready, known, seed=5).provenance
    assert (made.up, made.seed, made.num_samples) == ("", 0, 1)
    for wrong in ({"seed": "a"}, {"seed": -1}, {"num_samples": 0}, {"num_samples": "a"}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} is"):
            score_novelty(ready, known, **wrong)
