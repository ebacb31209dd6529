from __future__ import annotations

import itertools
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_worlds import classes, world

from openshape_ood.comparison import Comparator, RelationSimilarity, training
from openshape_ood.comparison.network import Relation, RelationSizes
from openshape_ood.comparison.training import (
    STATE,
    CollapseWarning,
    Progress,
    Recipe,
    fit_comparator,
    is_collapsed,
    train,
)
from openshape_ood.comparison.vocabulary import overlaps
from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.errors import ClassNamesError, FileError, InputError, UnknownNameError
from openshape_ood.scoring import judge

SMALL = Recipe(width=16, heads=2, pairs=32, steps=9)
SHORT = replace(SMALL, steps=3)
RANDOM = np.random.RandomState(0)
LABELS = np.repeat(np.arange(6), 8)
BASE = classes("base", RANDOM.standard_normal((6, 12))[LABELS] + 0.3 * RANDOM.standard_normal((48, 12)), LABELS)


def weights(comparator: Comparator) -> dict[str, np.ndarray]:
    return comparator.similarity.state()[1]


def same(one: Comparator, other: Comparator) -> bool:
    own, its = weights(one), weights(other)
    return own.keys() == its.keys() and all(np.array_equal(own[key], its[key]) for key in own)


def test_it_learns_64_pairs_by_heart() -> None:
    """R6."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 64, 32, generator=generator)
    different = torch.arange(64) % 2 > 0
    made = Relation(RelationSizes(32, width=48)).initialize(0, 0.1, zero_head=True)
    history = train(made, lambda step: (a, b, different), Recipe(steps=50, negatives=1))
    logits = made(a, b)[:, 0].detach()
    assert history[0].loss == 1 and history[0].balanced_accuracy == 0.5
    assert bool(((logits > 0) == different).all())
    assert float(((torch.tanh(5 * logits) - (2 * different.float() - 1)) ** 2).mean()) < 0.01


def test_the_same_again_from_wherever_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "KEPT_EVERY", 4)
    whole = fit_comparator(BASE, recipe=SMALL)

    def stop(now: Progress) -> None:
        if now.step == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_comparator(BASE, recipe=SMALL, folder=tmp_path, report=stop)
    seen: list[int] = []
    again = fit_comparator(BASE, recipe=SMALL, folder=tmp_path, report=lambda now: seen.append(now.step))
    assert seen == list(range(5, 10)) and same(whole, again)
    assert again.card["history"] == whole.card["history"] and not again.card["collapsed"]
    assert same(whole, fit_comparator(BASE, recipe=SMALL, folder=str(tmp_path)))  # it is done
    for recipe, base in ((replace(SMALL, seed=1), BASE), (SMALL, BASE.subset(LABELS > 0))):
        with pytest.raises(InputError, match="other settings or data"):
            fit_comparator(base, recipe=recipe, folder=tmp_path)
    (tmp_path / STATE).write_bytes(b"damaged")
    with pytest.raises(FileError):
        fit_comparator(BASE, recipe=SMALL, folder=tmp_path)


def test_a_seed_is_a_training() -> None:
    first, again, other = (fit_comparator(BASE, recipe=replace(SHORT, seed=seed)) for seed in (0, np.int64(0), 1))
    assert same(first, again) and not same(first, other) and first.name == again.name != other.name


def test_rows_may_be_whitened_and_steps_turned(tmp_path: Path) -> None:
    made = fit_comparator(BASE, recipe=replace(SMALL, whiten=0.3, turned=0.5))
    white, rows = fit_comparator(BASE, "whitened", shrinkage=0.3), BASE.labeled_examples()[0][:5]
    assert isinstance(made.similarity, RelationSimilarity)
    prepared = made.similarity.prepared(rows)
    np.testing.assert_allclose(prepared @ prepared.T / 12, white.similarity.between(rows, rows), atol=1e-5)
    again = Comparator.load(made.save(tmp_path / "whitened.safetensors"))
    assert np.array_equal(again.similarity.between(rows, rows), made.similarity.between(rows, rows))
    turned = [fit_comparator(BASE, recipe=replace(SMALL, whiten=0.3, turned=share)) for share in (0.5, 0.0)]
    assert same(made, turned[0]) and not same(made, turned[1])


def test_a_turn_leaves_lengths_and_angles() -> None:
    rotations = [training._rotation(12, replace(SMALL, turned=0.5), step).numpy() for step in range(40)]
    for matrix in rotations:
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(12), atol=1e-5)
    assert 10 < sum(not np.array_equal(matrix, np.eye(12)) for matrix in rotations) < 30


def test_an_embedding_that_is_there_twice_counts_once() -> None:
    twice = replace(BASE, examples=np.tile(BASE.labeled_examples()[0], (2, 1)), labels=np.tile(LABELS, 2))
    for family, settings in (("relation", {"recipe": SHORT}), ("plda", {})):
        once, again = (fit_comparator(base, family, **settings) for base in (BASE, twice))
        assert same(once, again) and once.card == again.card and once.card["embeddings"] == 48


def test_the_card_says_what_was_learned() -> None:
    card = fit_comparator(BASE, recipe=SHORT, evaluation=["zebra"]).card
    assert card["classes"] == list(BASE.names) and card["apart from"] == ["zebra"] and card["recipe"]["steps"] == 3
    last = card["history"][-1]
    assert last["step"] == 3 and set(last) == {"step", "loss", "balanced_accuracy", "rate", "negatives"}


@pytest.mark.parametrize("optimizer, loss", [*itertools.product(("adamw", "sgd"), ("tanh", "cross_entropy"))])
def test_optimizers_and_losses_go_on_too(optimizer: Any, loss: Any, tmp_path: Path) -> None:
    recipe = replace(SHORT, optimizer=optimizer, loss=loss)
    made = fit_comparator(BASE, recipe=recipe, folder=tmp_path)
    assert same(made, fit_comparator(BASE, recipe=recipe, folder=tmp_path))


def test_collapse_is_told_while_it_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHECKED_FROM", 5)
    stuck, events = replace(SMALL, negatives=20, rate=1e-9), list[Any]()
    told = pytest.warns(CollapseWarning, match=r"after 5 steps the balanced accuracy is 0\.5.*0\.1814.*0\.1905")
    with told as warned:
        made = fit_comparator(BASE, recipe=stuck, report=lambda now: events.append((now.step, len(warned))))
    assert events[4] == (5, 0) and events[5] == (6, 1) and events[-1] == (9, 1)  # once, and not at the end
    assert made.card["collapsed"]
    monkeypatch.undo()
    assert not is_collapsed(Progress(99, 1.0, 0.5, 0.1, 3)) and not is_collapsed(Progress(100, 1.0, 0.56, 0.1, 3))


def test_a_training_that_explodes_is_an_error() -> None:
    with pytest.raises(InputError, match="smaller rate"):
        fit_comparator(BASE, recipe=replace(SMALL, optimizer="sgd", loss="cross_entropy", rate=1e30))


def test_names_are_learned_as_one_more_example() -> None:
    text = RANDOM.standard_normal((6, 12))
    made = fit_comparator(replace(BASE, text=text), recipe=SHORT)
    assert made.needs == "any" and made.compare.text
    assert fit_comparator(BASE, recipe=SHORT).needs == "examples"


@pytest.mark.parametrize(
    "settings, error",
    [
        ({"steps": 0}, InputError),
        ({"rate": float("nan")}, InputError),
        ({"loss": "hinge"}, UnknownNameError),
        ({"optimizer": "lars"}, UnknownNameError),
        ({"seed": -1}, InputError),
        ({"turned": 1.5}, InputError),
        ({"warm_up": float("nan")}, InputError),
        ({"decay": -1}, InputError),
        ({"decay": None}, InputError),
        ({"akin": 2}, InputError),
    ],
)
def test_recipes_that_are_none(settings: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Recipe(**settings)


def test_what_cannot_be_learned_from() -> None:
    with pytest.raises(UnknownNameError, match="whitened"):
        fit_comparator(BASE, "siamese")
    for family, setting in (("relation", "shrinkage"), ("whitened", "pairs"), ("cosine", "seed")):
        with pytest.raises(UnknownNameError, match=f"unknown setting '{setting}' of the family '{family}'"):
            fit_comparator(BASE, family, **{setting: 1})
    wrong = ("plda", "between_shrinkage", 5), ("metric", "strength", 0), ("metric", "pairs", -5)
    with pytest.raises(InputError, match="share of the mean variance is 'a'"):
        fit_comparator(BASE, "plda", shrinkage="a")
    for family, setting, value in wrong:
        with pytest.raises(InputError, match=f"{setting} is {value}"):
            fit_comparator(BASE, family, **{setting: value})
    with pytest.raises(InputError, match="recipe and folder are given for the family 'whitened'"):
        fit_comparator(BASE, "whitened", recipe=SHORT, folder="x")
    examples: Any = {"chair": [[1.0, 0.0]]}
    with pytest.raises(InputError, match=r"base is a dict\. Expected KnownClasses"):
        fit_comparator(examples, "whitened")
    with pytest.raises(ClassNamesError, match=r"evaluation is the string 'base 001'. Expected .*Give \['base 001'\]"):
        fit_comparator(BASE, "whitened", evaluation="base 001")
    with pytest.raises(InputError, match="no pairs can be drawn"):
        fit_comparator(BASE.subset(LABELS == 0), recipe=SHORT)
    with pytest.raises(ClassNamesError, match=r"'base 001' \(is 'base 001s'\)"):
        fit_comparator(BASE, recipe=SHORT, evaluation=["base 001s", "lamp"])


@pytest.mark.parametrize(
    "base, asked, found",
    [
        ("chair", "Chairs", True),
        ("office_chair", "chair", True),
        ("chair", "office chair", False),
        ("chairlift", "chair", False),
        ("chair/four legs", "chair", True),
        ("Sofa", "couch", True),
        ("night-stand", "nightstand", True),
        ("bookcases", "bookshelf", True),
        ("garbage bin", "trash can", True),
        ("vases", "vase", True),
        ("knives", "knife", True),
        ("glass", "glasses", True),
        ("bus", "car", False),
        ("puppy (dog)", "puppies", True),
    ],
)
def test_vocabularies_that_overlap(base: str, asked: str, found: bool) -> None:
    assert overlaps(["tree", base], ["zebra", asked]) == ({base: asked} if found else {})


def auroc(method: Any, own: Any) -> float:
    return ood_metrics(*(judge(rows, own.known, method).novelty for rows in (own.queries, own.novel)))["auroc"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_learns_what_does_not_matter(seed: int) -> None:
    """R8."""
    own = world(seed)
    made = fit_comparator(own.base, recipe=Recipe(steps=300))
    assert made.card["history"][-1]["loss"] < 0.10
    assert auroc(made, own) >= max(0.87, auroc("prototype_distance", own) + 0.05)


@pytest.mark.slow
def test_labels_that_mean_nothing_teach_nothing() -> None:
    """R7."""
    own = world(0)
    rows, labels = own.base.labeled_examples()
    shuffled = classes("base", rows, np.random.RandomState(0).permutation(labels))
    with pytest.warns(CollapseWarning):
        made = fit_comparator(shuffled, recipe=Recipe(steps=200, negatives=1))
    last = made.card["history"][-1]
    assert last["loss"] == pytest.approx(1, abs=0.03) and last["balanced_accuracy"] == pytest.approx(0.5, abs=0.05)
    assert auroc(made, own) == pytest.approx(0.5, abs=0.1)


@pytest.mark.slow
def test_classes_of_several_looks_are_compared_example_by_example() -> None:
    """R10."""
    own = world(0, antipodal=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)  # it begins to learn after more than a hundred steps
        made = fit_comparator(own.base, recipe=Recipe(steps=350))
    assert not made.card["collapsed"]
    each = auroc(made.configured(prototypes="all", pool="mean"), own)
    assert each >= 0.85 and each >= auroc(made, own) + 0.05


@pytest.mark.slow
def test_the_published_settings_collapse() -> None:
    """R11."""
    published = Recipe(steps=150, negatives=20, zero_head=False, optimizer="sgd", rate=0.008, decay=5e-4)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        made = fit_comparator(world(0).base, recipe=published)
    last = made.card["history"][-1]
    assert [one.category for one in told] == [CollapseWarning] and made.card["collapsed"]
    assert last["balanced_accuracy"] <= 0.55
    assert min(abs(last["loss"] - 0.1905), abs(last["loss"] - 0.1814)) < 0.005
