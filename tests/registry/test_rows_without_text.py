"""A row of kind "shape" without a text encoder: classes are known by examples, and names are refused everywhere."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runs import run

from openshape_ood import (
    KnownClasses,
    NoveltyDetector,
    ShapeEncoder,
    TextEncoder,
    list_checkpoints,
    localize,
    score_novelty,
)
from openshape_ood.errors import InputError, MixedEncodersError, RegistryError
from openshape_ood.registry import find_checkpoint, load_registry
from openshape_ood.registry.rows import PACKAGE, REGISTRY_VARIABLE
from openshape_ood.synthetic import sample

ROW = """
[mine]
like = "tiny"
licence = "MIT"
text = {text}
"""
SHAPES = {name: [sample(name, 512, seed) for seed in range(3)] for name in ("chair", "sofa")}
REFUSED = r"'mine' has no text encoder \(text = false\).*known by examples"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with the weights of tiny, but no names."""
    path = tmp_path / "own.toml"
    path.write_text(ROW.format(text="false") + source())
    monkeypatch.setenv(REGISTRY_VARIABLE, str(path))
    return path


def source() -> str:
    tiny = tomllib.loads((PACKAGE / "checkpoints.toml").read_text(encoding="utf-8"))["tiny"]["source"]
    return f'source = {{ file = "{PACKAGE / tiny["package"]}", sha256 = "{tiny["sha256"]}" }}\n'


def test_examples_work_as_ever(registry: Path, tiny: ShapeEncoder) -> None:
    assert "mine" in list_checkpoints()
    mine = ShapeEncoder.from_pretrained("mine", device="cpu")
    assert mine.identity.space == "mine" and not find_checkpoint("mine").text.kind
    query = sample("guitar", 512, seed=1)
    found, expected = (score_novelty(query, SHAPES, encoder=one).novelty[0] for one in (mine, tiny))
    assert found == pytest.approx(expected)
    known = KnownClasses.from_examples(SHAPES, mine)
    detector = NoveltyDetector().fit(known.examples, known.labels)
    assert detector.novelty_score(mine.encode(query))[0] == pytest.approx(expected, rel=1e-5)
    assert len(localize(query, SHAPES, encoder=mine)) == 512
    with pytest.warns(UserWarning, match="undecided"):  # by the examples
        score_novelty([query] * 3, known, encoder=mine, up="auto")
    path = known.save(registry.parent / "known.safetensors")
    assert score_novelty(query, KnownClasses.load(path), model="mine").novelty[0] == pytest.approx(expected)


BY_NAMES: dict[str, Callable[[Any], object]] = {
    "text encoder": lambda mine: TextEncoder.from_pretrained("mine"),
    "names": lambda mine: score_novelty(SHAPES["chair"], ["chair", "sofa"], encoder=mine),
    "model": lambda mine: score_novelty(SHAPES["chair"], ["chair", "sofa"], model="mine"),
    "negatives": lambda mine: score_novelty(SHAPES["chair"], ["chair"], encoder=mine, method="neglabel"),
    "some by name": lambda mine: score_novelty(SHAPES["chair"], SHAPES | {"lamp": None}, encoder=mine),
    "names and examples": lambda mine: score_novelty(SHAPES["chair"], SHAPES, encoder=mine, method="rank_fusion"),
    "patches": lambda mine: localize(SHAPES["chair"][0], ["chair"], encoder=mine),
    "ensemble": lambda mine: TextEncoder.from_pretrained("tiny+mine"),
    "classes": lambda mine: KnownClasses.from_names(["chair"], TextEncoder.of(mine.row)),
}


@pytest.mark.parametrize("entry", BY_NAMES)
def test_names_are_refused_with_what_to_do(entry: str, registry: Path) -> None:
    with pytest.raises(InputError, match=REFUSED):
        BY_NAMES[entry](ShapeEncoder.from_pretrained("mine", device="cpu"))


def test_names_of_another_encoder_do_not_fit(registry: Path) -> None:
    mine = ShapeEncoder.from_pretrained("mine", device="cpu")
    with pytest.raises(MixedEncodersError):
        score_novelty(SHAPES["chair"], ["chair"], encoder=mine, text=TextEncoder.from_pretrained("tiny"))


def test_an_ensemble_knows_names_only_if_all_members_do(registry: Path) -> None:
    assert find_checkpoint("tiny+mine").text.kind == ""
    found = score_novelty(SHAPES["chair"], SHAPES, model="tiny+mine", method="nearest_distance")
    assert found.novelty.max() < 1e-3


@pytest.mark.parametrize(
    "row, message",
    [
        (ROW.format(text="true"), r"\[mine.text\] is true. Expected a table, or false"),
        ('[mine]\nlike = "tiny-points"\nlicence = "MIT"\ntext = false\n', r"\[mine.text\] is a boolean. Expected a"),
    ],
)
def test_only_false_and_only_of_shapes(row: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(row + source())
    with pytest.raises(RegistryError, match=message):
        load_registry(tmp_path / "own.toml")


def test_the_command_line_says_so(registry: Path, tmp_path: Path) -> None:
    record = {one["name"]: one for one in json.loads(run("checkpoints", "list", "--json").stdout)["checkpoints"]}
    assert not record["mine"]["names"] and record["tiny"]["names"]
    assert "examples only" in " ".join(run("checkpoints", "list").stdout.split())
    assert "none: known classes need examples" in run("checkpoints", "show", "mine").stdout
    doctor = json.loads(run("doctor", "--json").stdout)
    (own,) = [one for one in doctor["checkpoints"] if one["name"] == "mine"]
    assert own["works_offline"] and own["text"] == "none"
    np.save(tmp_path / "chair.npy", SHAPES["chair"][0])
    refused = run("score", tmp_path / "chair.npy", "--known", "chair", "--model", "mine")
    assert refused.exit_code == 2 and "has no text encoder" in " ".join(refused.stderr.split())
    added = run("checkpoints", "add", tmp_path / "chair.npy", "--as", "mine", "--text")
    assert added.exit_code and "has no text encoder" in " ".join(added.stderr.split())
