from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runs import run, run_json

from openshape_ood import ShapeEncoder
from openshape_ood.comparison import Comparator
from openshape_ood.embedding_store import Header, Rows, known_from, score_store, write_embeddings
from openshape_ood.encoders.protocols import Provenance
from openshape_ood.registry.rows import REGISTRY_VARIABLE

CLASSES = ("office_chair", "lamp", "dog", "vase", "Sofas")


def stored(path: Path, tiny: ShapeEncoder, seed: int = 0) -> Path:
    """Made-up embeddings of `tiny`, six of each class."""
    random = np.random.RandomState(seed)
    ids = [f"{name}/{i}.ply" for name in CLASSES for i in range(6)]
    rows = np.repeat(random.standard_normal((5, tiny.dim)), 6, axis=0) + random.standard_normal((30, tiny.dim))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    write_embeddings(path, Rows(ids, ids, ["y"] * 30, rows), Header(Provenance(tiny.identity), tiny.dim))
    return path


@pytest.fixture
def store(tmp_path: Path, tiny: ShapeEncoder) -> Path:
    path = stored(tmp_path / "base.safetensors", tiny)
    (tmp_path / "names.txt").write_text("chair\n\n couch \n")
    return path


def fitted(store: Path, *words: str, code: int = 0, family: str = "whitened") -> Any:
    own = ("--embeddings", store, "--out", store.parent / "mine", "--family", family)
    return run_json("comparator", "fit", *own, *words, code=code)


def test_fitted_on_a_store_and_found_by_name(store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = fitted(store, "--exclude", str(tmp_path / "names.txt"))
    assert found["left_out"] == {"Sofas": "couch", "office_chair": "chair"} and found["card"]["embeddings"] == 18
    assert found["card"]["classes"] == ["dog", "lamp", "vase"] and found["card"]["apart from"] == ["chair", "couch"]
    asked = ("score", store, "--examples", store, "--method", "comparator", "--threshold", "0")
    monkeypatch.setenv(REGISTRY_VARIABLE, str(tmp_path / "mine" / "registry.toml"))
    scored = run_json(*asked)
    comparator = Comparator.load(tmp_path / "mine" / "comparator.safetensors")
    (expected,) = score_store(store, known_from(store), comparator)
    assert [row["novelty"] for row in scored["shapes"]] == pytest.approx(expected.novelty, abs=1e-9)
    assert scored["provenance"]["method"] == "comparator"


def test_a_network_is_trained_shown_and_gone_on_with(store: Path, tmp_path: Path, tiny: ShapeEncoder) -> None:
    more, scans = ("--steps", "3"), stored(tmp_path / "scans.safetensors", tiny, 1)
    words = ("comparator", "fit", "--embeddings", store, scans, store, "--out", tmp_path / "mine", *more)
    done = run(*words)
    assert done.exit_code == 0 and "5 base classes of 60 embeddings" in done.stdout
    assert "step 3 of 3: loss" in done.stderr and "balanced accuracy" in done.stderr
    again = run(*words)  # it was done
    assert "step" not in again.stderr and again.stdout == done.stdout
    shown = run_json("comparator", "show", tmp_path / "mine" / "comparator.safetensors")
    assert shown["family"] == "relation" and shown["identity"]["checkpoint"] == "tiny" and not shown["names"]
    assert run("comparator", "show", tmp_path / "mine" / "comparator.safetensors").exit_code == 0
    other = run("comparator", "fit", "--embeddings", store, "--out", tmp_path / "mine", *more, "--seed", "1")
    assert other.exit_code == 2 and "other settings" in other.stderr


def test_labels_of_a_file_and_names(store: Path, tmp_path: Path) -> None:
    labels = {f"{name}/{i}.ply": ("a", "b")[i % 2] for name in CLASSES[:2] for i in range(6)}
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    found = fitted(store, "--labels", str(tmp_path / "labels.json"))
    assert found["card"]["classes"] == ["a", "b"] and found["card"]["embeddings"] == 12
    assert fitted(store, "--with-names", family="cosine")["names"]


def test_a_collapsed_training_is_not_written(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openshape_ood.comparison.training.CHECKED_FROM", 2)
    monkeypatch.setattr("openshape_ood.comparison.training.COLLAPSED", 2.0)
    words = ("--steps", "2")
    done = run("comparator", "fit", "--embeddings", store, "--out", tmp_path / "mine", *words)
    assert done.exit_code == 2 and "for all pairs" in done.stderr and "has collapsed" in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["training.safetensors"]


@pytest.mark.parametrize(
    "words, said",
    [
        (("--exclude", "none.txt"), "none.txt"),
        (("--labels", "none.json"), "none.json"),
        (("--labels", "names.txt"), "no JSON"),
        (("--labels", "all.txt"), "values that are not strings"),
        (("--exclude", "all.txt"), "all 5 base classes"),
        (("--out", "names.txt"), "Expected a writable folder"),
    ],
)
def test_what_cannot_be_used(store: Path, tmp_path: Path, words: tuple[str, str], said: str) -> None:
    (tmp_path / "all.txt").write_text('["chair\nlamp\ndog\nvase\nsofa"]')
    if words[0] == "--exclude":
        (tmp_path / "all.txt").write_text("\n".join(CLASSES))
    else:
        (tmp_path / "all.txt").write_text('{"lamp/0.ply": 5}')
    found = fitted(store, words[0], str(tmp_path / words[1]), code=2)
    assert said in found["error"]["message"]


@pytest.mark.slow
def test_published_files_are_converted(tmp_path: Path) -> None:
    from published_relation import write_released

    from openshape_ood.comparison.released import read_released

    done = run("comparator", "convert", write_released(tmp_path / "pickled"), "--out", tmp_path / "own.safetensors")
    assert done.exit_code == 0 and read_released(tmp_path / "own.safetensors")[0].similarity.dim == 512
    assert run("comparator", "convert", tmp_path / "none", "--out", tmp_path / "x.safetensors").exit_code == 2
