"""Losses and metrics of points: their rules, and golden numbers where OPENSHAPE_OOD_PARITY names their folder."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import Any

import golden
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchmarks.scene_data.metrics import class_iou, confusion, mean_iou
from benchmarks.training.point_losses import (
    centered,
    cosines,
    draw_negatives,
    focal_loss,
    hinge_loss,
    mean_of_labeled,
    softmax_loss,
)

GOLDEN = "seg_golden.npz"
with_pack = golden.needs(GOLDEN)
pack, seed = partial(golden.arrays, GOLDEN), partial(golden.seed_of, GOLDEN)


def drawn(seed: int = 0, n: int = 240, k: int = 24, d: int = 32, ignored: float = 0.1) -> dict[str, torch.Tensor]:
    """Features, anchors in a cone, labels with -1 for ignored, negatives, class weights, logits."""
    rng = np.random.RandomState(6000 + seed)
    anchors = (2 * rng.standard_normal(d) + rng.standard_normal((k, d))) * rng.uniform(1, 3, (k, 1))
    labels = np.minimum((k * rng.uniform(size=n) ** 3).astype(int), k - 1)
    own = anchors[labels] / np.linalg.norm(anchors[labels], axis=1, keepdims=True)
    features = (own + rng.uniform(0, 0.6, (n, 1)) * rng.standard_normal((n, d)) * 0.5) * rng.uniform(0.2, 5, (n, 1))
    negatives = rng.randint(0, k - 1, (n, 3))
    negatives += negatives >= labels[:, None]
    labels[rng.uniform(size=n) < ignored] = -1
    weights = rng.uniform(0.2, 3, k)
    logits = 2 * rng.standard_normal((n, k))
    logits[np.arange(n), np.maximum(labels, 0)] += 1.5
    floats = {"features": features, "anchors": anchors, "weights": weights, "logits": logits}
    whole = {"labels": torch.from_numpy(labels), "negatives": torch.from_numpy(negatives)}
    return {name: torch.from_numpy(one.astype(np.float32)) for name, one in floats.items()} | whole


def labelled(seed: int = 0, n: int = 6000, classes: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Truth and guess over 200 classes, some in neither."""
    rng = np.random.RandomState(7000 + seed)
    order = rng.permutation(classes)[: classes - 70]
    truth = order[np.minimum((len(order) * rng.uniform(size=n) ** 2.5).astype(int), len(order) - 1)]
    other = rng.permutation(classes)[: classes - 60]
    wrong = rng.uniform(size=n) < 0.4
    guess = np.where(wrong, other[rng.randint(0, len(other), n)], truth)
    return np.where(rng.uniform(size=n) < 0.05, -1, truth), guess


def check(key: str, found: Any, limit: float = 1e-6) -> None:
    golden = pack()[key].astype(np.float64)
    values = np.asarray(found.detach() if isinstance(found, torch.Tensor) else found, dtype=np.float64)
    assert values.shape == golden.shape, key
    assert np.array_equal(np.isnan(values), np.isnan(golden)), key
    error = np.linalg.norm(np.nan_to_num(values - golden)) / np.linalg.norm(np.nan_to_num(golden))
    assert error <= limit, f"{key}: relative error {error:.1e}"


@with_pack
@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_parity_of_the_hinge(metric: str) -> None:
    given, name = drawn(seed()), "hinge" + "_l2" * (metric == "l2")
    labels, features = given["labels"], given["features"].requires_grad_()
    near, far = hinge_loss(features, given["anchors"], labels, given["negatives"], metric=metric)
    reference_far = torch.where(labels >= 0, far, 0.6)  # there the unlabeled ones are as if at distance 0
    check(f"{name}/positive", near)
    check(f"{name}/negative", reference_far)
    check(f"{name}/per_point", near + reference_far)
    check(f"{name}/step", (near + far).mean())
    loss = mean_of_labeled(near + far, labels)
    check(f"{name}/valid_mean", loss)
    check(f"{name}/grad_valid_mean", torch.autograd.grad(loss, features)[0])


@with_pack
def test_parity_of_the_softmax_and_of_cosines() -> None:
    given = drawn(seed())
    features, anchors, labels = given["features"], given["anchors"], given["labels"]
    check("softmax/temperature_1", softmax_loss(features, anchors, labels, 1.0))
    check("softmax/temperature_0.07", softmax_loss(features, anchors, labels))
    check("softmax/temperature_0.07_centred", softmax_loss(features, centered(anchors), labels))
    check("open/cosine", cosines(features, anchors))
    assert (cosines(features, anchors).argmax(dim=1).numpy() == pack()["open/label"]).all()


@with_pack
def test_parity_of_the_focal_loss() -> None:
    given = drawn(seed())
    labels, logits, weights = given["labels"], given["logits"].requires_grad_(), given["weights"]
    kept = labels >= 0
    check("focal/per_point", focal_loss(logits, labels, weights)[kept])
    check("focal/gamma_0", focal_loss(logits, labels, weights, gamma=0)[kept])
    check("focal/unweighted", focal_loss(logits, labels)[kept])
    check("focal/gamma_0_unweighted", focal_loss(logits, labels, gamma=0)[kept])
    loss = mean_of_labeled(focal_loss(logits, labels, weights), labels)
    check("focal/mean", loss)
    check("focal/grad_mean", torch.autograd.grad(loss, logits)[0])


@with_pack
def test_parity_of_ious() -> None:
    truth, guess = labelled(seed())
    ious = class_iou(confusion(truth, guess, 199))
    check("iou/per_class", ious)
    groups: dict[str, Any] = {"mean": slice(None)}
    listed = next(Path(golden.FOLDER).parent.glob("*/scannet200.csv"), None)
    if listed is not None:
        with listed.open(encoding="utf-8", newline="") as file:
            splits = [row["split"] for row in csv.DictReader(file)]
        groups |= {one: [i for i, split in enumerate(splits) if split == one] for one in ("head", "common", "tail")}
    for i, (name, rows) in enumerate(groups.items()):
        mean, count = mean_iou(ious, rows)
        check(f"iou/{name}", mean)
        check(f"iou/absent_as_0/{name}", mean_iou(ious, rows, absent=0.0)[0])
        assert count == pack()["iou/count"][i]


def test_focal_loss_without_focus_is_cross_entropy() -> None:
    given = drawn()
    expected = F.cross_entropy(given["logits"], given["labels"], ignore_index=-1, reduction="none")
    torch.testing.assert_close(focal_loss(given["logits"], given["labels"], gamma=0), expected)


def test_without_labels_every_loss_is_zero_and_so_is_its_gradient() -> None:
    given = drawn(n=20)
    labels = torch.full((20,), -1)
    features, logits = given["features"].requires_grad_(), given["logits"].requires_grad_()
    anchors, negatives = given["anchors"], given["negatives"]
    losses = {
        "softmax": (softmax_loss(features, anchors, labels), features),
        "hinge": (sum(hinge_loss(features, anchors, labels, negatives)), features),
        "l2": (sum(hinge_loss(features, anchors, labels, negatives, metric="l2")), features),
        "focal": (focal_loss(logits, labels, given["weights"]), logits),
    }
    for name, (per_point, inputs) in losses.items():
        loss = mean_of_labeled(torch.as_tensor(per_point), labels)
        (gradient,) = torch.autograd.grad(loss, inputs, allow_unused=True)
        assert loss.item() == 0 and (gradient is None or not gradient.any()), name


def test_negatives_are_never_the_own_class() -> None:
    labels = torch.arange(1_000_000 // 3 + 1) % 7
    negatives = draw_negatives(labels, 7, generator=torch.Generator().manual_seed(0))
    assert not (negatives == labels[:, None]).any() and set(negatives.unique().tolist()) == set(range(7))
    counts = torch.bincount(negatives[labels == 3].flatten(), minlength=7)
    assert counts[3] == 0 and counts[counts > 0].min() > 0.95 * counts.max()
