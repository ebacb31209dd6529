"""The relation network against its published code, through the real loader.

Where the environment variable OPENSHAPE_OOD_PARITY names a folder with `relation_golden.npz`, slow tests compare all
of it; `seed` in it, 0 where there is none, is that of weights and inputs. `pytest -s` prints all differences.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import golden
import numpy as np
import pytest
import torch
from published_relation import normality, pairs, photographs, relation_outputs, toy, write_released

from openshape_ood import KnownClasses
from openshape_ood.comparison import Comparator
from openshape_ood.comparison.families import RelationSimilarity
from openshape_ood.comparison.losses import cross_entropy, pair_accuracy, tanh_loss
from openshape_ood.comparison.released import ImageFeatures, prepared_image, read_released
from openshape_ood.comparison.scorer import select
from openshape_ood.decisions.metrics import ood_metrics, published_fpr95
from openshape_ood.scoring import judge
from openshape_ood.scoring.neighbors import spread_out

GOLDEN = "relation_golden.npz"
pytestmark = [pytest.mark.slow, golden.needs(GOLDEN), pytest.mark.filterwarnings("ignore:k is 5, but")]
pack, seed = partial(golden.arrays, GOLDEN), partial(golden.seed_of, GOLDEN)
Differences = Iterator[tuple[str, float, float]]


@cache
def released() -> tuple[Comparator, ImageFeatures]:
    with tempfile.TemporaryDirectory() as folder:
        return read_released(write_released(Path(folder), seed()))


def apart(name: str, found: object) -> float:
    """The largest absolute difference from the golden array."""
    golden = pack()[name]
    values = np.asarray(found)
    assert values.shape == golden.shape, f"{name}: {values.shape}, expected {golden.shape}"
    return float(np.abs(values.astype(np.float64) - golden.astype(np.float64)).max())


def relative(name: str, found: np.ndarray) -> float:
    """The largest difference of a row, by the length of its golden one."""
    golden = pack()[name].astype(np.float64)
    return float((np.linalg.norm(found - golden, axis=-1) / np.linalg.norm(golden, axis=-1)).max())


def similarity() -> RelationSimilarity:
    found = released()[0].similarity
    assert isinstance(found, RelationSimilarity)
    return found


def of_pairs() -> Differences:
    network = similarity().network
    a, b = map(torch.from_numpy, pairs(seed()))
    with torch.inference_mode():
        yield "pairs/logits", apart("pairs/logits", network(a, b)[:, 0]), 2e-5
        yield "pairs/logits_swapped", apart("pairs/logits_swapped", network(b, a)[:, 0]), 2e-5
        yield "pairs/attention", apart("pairs/attention", network.attention(a[:1], b[:1])[:, 0]), 5e-6
        features = network.features(network.proj(a[:2]), network.proj(b[:2])).numpy()
        yield "pairs/class_features", relative("pairs/class_features", features), 1e-5


def of_toy() -> Differences:
    comparator = released()[0]
    examples, labels, queries, asked = toy(seed())
    known = KnownClasses(tuple("abcde"), comparator.identity, examples=examples, labels=labels)
    means = np.concatenate([select(examples[labels == c], "mean") for c in range(5)])
    yield "toy/prototypes", apart("toy/prototypes", means), 5e-6
    yield "toy/all_similarities", apart("toy/all_similarities", similarity().between(queries, examples)), 2e-5
    picks = np.stack([np.flatnonzero(labels == c)[spread_out(examples[labels == c], 3)] for c in range(5)])
    yield "toy/significant", apart("toy/significant", picks), 0
    found = judge(queries, known, comparator)
    yield "toy/similarity", apart("toy/similarity", found.similarity), 2e-5
    yield "toy/predicted", apart("toy/predicted", found.nearest), 0
    three = {"prototypes": "k-center", "k": 3}
    ways = {
        "mls": ({}, 0, 2e-5),
        "msp": ({"score": "softmax"}, 1, 5e-6),
        "significant_mls": (three, 0, 2e-5),
        "significant_msp": (three | {"score": "softmax"}, 1, 5e-6),
        "knn1": ({"prototypes": "all", "score": "neighbors", "k": 1}, 0, 2e-5),
        "knn5": ({"prototypes": "all", "score": "neighbors", "k": 5}, 0, 2e-5),
    }
    for name, (settings, whole, tolerance) in ways.items():
        novelty = judge(queries, known, comparator.configured(**settings)).novelty
        yield f"toy/{name}", apart(f"toy/{name}", whole - novelty), tolerance
        sides = novelty[asked < 5], novelty[asked >= 5]
        figures = ood_metrics(*sides)
        yield f"toy/{name}_auroc", apart(f"toy/{name}_auroc", figures["auroc"]), 1e-9
        yield f"toy/{name}_fpr95", apart(f"toy/{name}_fpr95", published_fpr95(*sides)), 1e-9
        if f"toy/{name}_fpr95_interpolated" in pack():
            yield f"toy/{name}_interpolated", apart(f"toy/{name}_fpr95_interpolated", figures["fpr95"]), 1e-9


def of_losses() -> Differences:
    z, two, different = map(torch.from_numpy, relation_outputs(seed()))
    ways = {
        "l2": (z, lambda given: tanh_loss(given, different)),
        "ce": (two, lambda given: cross_entropy(given, different)),
        "ce_weighted": (two, lambda given: cross_entropy(given, different, negatives=20)),
    }
    for name, (outputs, loss) in ways.items():
        given = outputs.clone().requires_grad_()
        value = loss(given)
        value.backward()
        yield f"loss/{name}", apart(f"loss/{name}", value.item()), 1e-6
        yield f"loss/{name}_gradient", apart(f"loss/{name}_gradient", given.grad), 1e-6
        yield f"loss/{name}_accuracy", apart(f"loss/{name}_accuracy", pair_accuracy(outputs, different)), 1e-6
    for name in ("plain", "ties"):
        scores, known = normality(seed(), name == "ties")
        sides = -scores[known], -scores[~known]
        figures = ood_metrics(*sides)
        own = figures["auroc"], published_fpr95(*sides), figures["fpr95"]
        yield f"metrics/{name}", apart(f"metrics/{name}", own), 1e-9


def of_photographs() -> Differences:
    images = photographs(seed())
    prepared = torch.stack([prepared_image(image) for image in images]).double().mean(dim=(2, 3))
    yield "photographs/prepared_mean", apart("photographs/prepared_mean", prepared), 1e-6
    features = released()[1].encode(images)
    yield "photographs/features", relative("photographs/features", features), 1e-5
    logits = -np.diag(similarity().between(features[[0, 2]], features[[1, 3]]))
    yield "photographs/logits", apart("photographs/logits", logits), 2e-5


@pytest.mark.parametrize("part", [of_pairs, of_toy, of_losses, of_photographs])
def test_parity_relation(part: Callable[[], Differences]) -> None:
    """R23 to R26."""
    for name, difference, tolerance in part():
        print(f"{name} {difference:.1e}")
        assert difference <= tolerance, f"{name}: {difference:.1e}, at most {tolerance}"
