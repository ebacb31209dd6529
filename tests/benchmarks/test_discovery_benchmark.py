"""`python -m benchmarks discovery`: its figures on made-up rows, and a small run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeText

from benchmarks.intervals import over_seeds
from benchmarks.questions import discovery
from openshape_ood import Embeddings, KnownClasses, Threshold, score_embeddings
from openshape_ood.encoders.protocols import Identity
from openshape_ood.synthetic import categories

ME = Identity("fake", "words", "f" * 64)
KNOWN, NOVEL = ("bed", "bench", "bird", "boat"), ("car", "chair")


def rows(vectors: dict[str, np.ndarray], titles: np.ndarray, seed: int) -> np.ndarray:
    return np.stack([vectors[t] for t in titles]) + np.random.RandomState(seed).normal(0, 0.3, (len(titles), 32))


def test_figures_of_classes_that_lie_apart() -> None:
    random = np.random.RandomState(0)
    vectors = {name: random.normal(size=32) for name in categories()}
    text = FakeText({name: v / np.linalg.norm(v) for name, v in vectors.items()})
    titles, fresh = np.repeat([*KNOWN, *NOVEL], 8), np.repeat([*KNOWN, *NOVEL], 2)
    known = KnownClasses.from_embeddings(rows(vectors, np.repeat(KNOWN, 3), 1), np.repeat(KNOWN, 3), ME)
    result = score_embeddings(Embeddings(rows(vectors, titles, 2), ME), known, threshold=Threshold(0.7))
    data = discovery.Data(NOVEL, known, [], titles, result, rows(vectors, fresh, 3), fresh)
    for grouping in discovery.GROUPINGS:
        figures, found = discovery.measured(data, grouping, text)
        perfect = dict.fromkeys(discovery.FIGURES, 1.0) | {"false": 0.0, "groups": 2.0}
        perfect["fits"] = figures["fits"]  # four classes promise four in five
        perfect["named"] = figures["named"]
        assert figures == perfect and figures["named"] == figures["fits"]
        assert {discovery.majority(data, group.rows) for group in found.groups} == {("car", 8), ("chair", 8)}


def test_an_interval_over_seeds() -> None:
    found = over_seeds([6, 7, 8], -np.inf, np.inf)
    assert found["mean"] == 7 and found["high"] == pytest.approx(7 + 4.302653 / 3**0.5)
    assert over_seeds([0.9, 1.0])["high"] == 1 and over_seeds([0.5], -1)["low"] == 0.5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_small_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"KNOWN": 2, "NOVEL": 2, "EXAMPLES": 10, "FRESH": 1, "POINTS": 512, "KINDS": discovery.KINDS[:1]}
    for name, value in {**small, "GROUPINGS": (discovery.GROUPINGS[0], discovery.GROUPINGS[2])}.items():
        monkeypatch.setattr(discovery, name, value)
    argv = ["--seeds", "0", "--per-class", "7", "--quiet", "--out", str(tmp_path), "--device", "cpu"]
    assert discovery.main(argv) == 0
    path = next(tmp_path.glob("discovery-tiny-generated-*.json"))
    report = json.loads(path.read_text())
    for row in report["rows"]:
        figures = row["figures"]
        assert set(figures) == set(discovery.FIGURES) and -1 <= figures["ari"] <= 1
        assert all(0 <= value <= 1 for name, value in figures.items() if name not in ("ari", "groups"))
    density, means = (row["figures"] for row in report["rows"])
    assert means["groups"] == 2 and means["grouped"] == 1
    assert density["caught"] == means["caught"] and sum(g["size"] for g in report["groups"]) <= 28
    assert "adjusted Rand index" in capsys.readouterr().out
    assert path.with_suffix(".png").exists() == bool(report["groups"])
