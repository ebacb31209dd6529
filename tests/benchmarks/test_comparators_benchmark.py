"""What `benchmarks.comparators` asks and how, on a few shapes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.questions import comparators
from benchmarks.threedos.splits import load_split, split_names
from benchmarks.training import base_shapes, train_comparator
from benchmarks.training.vocabulary import UNSEEN
from openshape_ood.comparison import Comparator
from openshape_ood.comparison.training import Recipe


def test_no_base_class_is_asked_about() -> None:
    categories = base_shapes.base_categories()
    asked = {g for name in split_names() for c in load_split(name).classes for g in c.generated}
    assert len(categories) > 20 and not asked & set(categories) and not set(UNSEEN) & set(categories)
    classes = base_shapes.base_classes(3)
    assert [one.family for one in classes[-3:]] == ["compound 0", "compound 1", "compound 2"]
    assert {one.family for one in classes[:-3]} == set(categories)


def test_a_compound_is_two_shapes_joined_in_one_way() -> None:
    *_, one, other = base_shapes.base_classes(2)
    first, again, second = one.mesh(0), one.mesh(0), one.mesh(1)
    assert np.array_equal(first.vertices, again.vertices) and not np.array_equal(first.vertices[0], second.vertices[0])
    assert np.linalg.norm(first.size()) == pytest.approx(base_shapes.EXTENT)
    near, far = (np.linalg.norm(first.size() - mesh.size()) for mesh in (second, other.mesh(0)))
    assert near < far
    made = list(base_shapes.clouds([one], shapes=2))
    assert [cloud.shape for cloud in made] == [(base_shapes.POINTS, 3)] * 2 * len(base_shapes.SEVERITIES)
    assert all(np.array_equal(a, b) for a, b in zip(made, base_shapes.clouds([one], shapes=2), strict=True))


def test_halves_are_all_or_some() -> None:
    assert len(comparators.halvings(6)) == 20 and comparators.halvings(26) == comparators.halvings(26)
    assert all(len(set(half)) == 13 for half in comparators.halvings(26))


@pytest.mark.slow
def test_all_families_beside_the_distance_to_prototypes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train_comparator, "RECIPE", Recipe(width=16, heads=2, steps=5, whiten=0.3, turned=0.5))
    monkeypatch.setattr(base_shapes, "variants", _first_variant)
    words = ["--per-class", "4", "--compounds", "3", "--shapes", "2", "--seeds", "0", "1", "--workers", "0", "--quiet"]
    status = comparators.main([*words, "--no-cache", "--out", str(tmp_path), "--save", str(tmp_path / "made")])
    assert status == 0, capsys.readouterr().err
    report = json.loads(next(tmp_path.glob("comparators-tiny-generated-*.json")).read_text())
    rows, found = report["rows"], report["figures"]
    assert {row["task"] for row in rows} == {"SR1", "SR2", "SN", "never trained", "base"}
    assert len(rows) == 5 * 2 * 8 and all(0 <= row["auroc"] <= 1 for row in rows)
    for one in found:
        own = [row for row in rows if (row["task"], row["method"]) == (one["task"], one["method"])]
        base = [row for row in rows if (row["task"], row["method"]) == (one["task"], comparators.BASELINE)]
        gain = np.mean([a["auroc"] - b["auroc"] for a, b in zip(own, base, strict=True)])
        assert one["gain"]["auroc"]["mean"] == pytest.approx(gain)
    assert "never trained AUROC / FPR95" in capsys.readouterr().out
    assert Comparator.load(tmp_path / "made" / "whitened.safetensors").similarity.family == "whitened"


def _first_variant(category: str) -> list[str]:
    from openshape_ood.synthetic import variants

    return list(variants(category))[:1]
