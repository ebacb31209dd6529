"""The eleven scores of 3DOS as novelty: published scores with the opposite sign, larger for more novel shapes.

They are computed from features, so the network runs only once. Where a published score is 1 / distance, novelty is the
distance: the ranking is the same, and it is finite for duplicates. All numbers are float64, because values of ODIN
differ by only some thousandths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from benchmarks.baselines.networks import Classifier, Cosines, ReciprocalPoints
from openshape_ood.checks import log_sum_exp, unit
from openshape_ood.errors import InputError

ODIN_TEMPERATURE = 1000.0
REACT_PERCENTILE = 90.0
# score -> its name in the published tables
SCORES = {
    "msp": "MSP",
    "mls": "MLS",
    "entropy": "Entropy",
    "l2_nearest": "L2 1-NN",
    "l2_prototype": "L2 prototypes",
    "cosine_nearest": "cosine 1-NN",
    "cosine_prototype": "cosine prototypes",
    "odin": "ODIN",
    "energy": "Energy",
    "gradnorm": "GradNorm",
    "react": "ReAct",
}


@dataclass(frozen=True, eq=False)
class Head:
    """Head of a classifier in float64: features (b, 256) -> logits (b, k)."""

    module: nn.Module

    @classmethod
    def of(cls, network: Classifier) -> Head:
        import copy

        return cls(copy.deepcopy(network.head).double().eval().cpu().requires_grad_(False))

    def logits(self, features: np.ndarray) -> np.ndarray:
        return np.asarray(self.module(torch.from_numpy(features.astype(np.float64))).numpy())

    def gradnorm(self, features: np.ndarray) -> np.ndarray:
        """L1 norm (b,) of the gradient of the sum over classes of -log p, with respect to the last weights."""
        if isinstance(self.module, nn.Sequential):
            inside = self.module[:-1](torch.from_numpy(features.astype(np.float64))).numpy()
            p = softmax(self.logits(features))
            return np.asarray(np.abs(p.shape[1] * p - 1).sum(axis=1) * np.abs(inside).sum(axis=1))
        weight = _weight(self.module)
        norms = []
        for row in torch.from_numpy(features.astype(np.float64)):
            with torch.enable_grad():
                weight.requires_grad_(True)
                loss = -self.module(row[None]).log_softmax(dim=1).sum()
                (gradient,) = torch.autograd.grad(loss, weight)
            norms.append(float(gradient.abs().sum()))
        weight.requires_grad_(False)
        return np.array(norms)


def _weight(module: nn.Module) -> nn.Parameter:
    if isinstance(module, Cosines):
        return module.weight
    if isinstance(module, ReciprocalPoints):
        return module.points
    raise InputError(
        f"the head is {type(module).__name__}. Expected a head of `HEADS`. GradNorm needs its last weights"
    )


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(logits - log_sum_exp(logits)[:, None]))


@dataclass(frozen=True, eq=False)
class Fitted:
    """References of the scores: features (m, 256) of training shapes with labels (m,), and the value ReAct clips at.

    The latter is a percentile of the features of held-out shapes.
    """

    head: Head
    examples: np.ndarray
    labels: np.ndarray
    clip: float

    @classmethod
    def of(cls, head: Head, examples: np.ndarray, labels: np.ndarray, held_out: np.ndarray) -> Fitted:
        clip = float(np.percentile(held_out.astype(np.float64), REACT_PERCENTILE))
        return cls(head, examples.astype(np.float64), labels, clip)

    @property
    def prototypes(self) -> np.ndarray:
        """Mean features (k, 256) of each class, not normalized."""
        return np.stack([self.examples[self.labels == c].mean(axis=0) for c in range(int(self.labels.max()) + 1)])

    def novelty(self, features: np.ndarray) -> Mapping[str, np.ndarray]:
        """Score -> novelty (b,) of features (b, 256)."""
        features = features.astype(np.float64)
        logits = self.head.logits(features)
        p, k = softmax(logits), logits.shape[1]
        return {
            "msp": -p.max(axis=1),
            "mls": -logits.max(axis=1),
            "entropy": -(p * np.log(p + 1e-20)).sum(axis=1) / k,
            "l2_nearest": distances(features, self.examples).min(axis=1),
            "l2_prototype": distances(features, self.prototypes).min(axis=1),
            "cosine_nearest": -cosines(features, self.examples).max(axis=1),
            "cosine_prototype": -cosines(features, self.prototypes).max(axis=1),
            "odin": -softmax(logits / ODIN_TEMPERATURE).max(axis=1),
            "energy": -log_sum_exp(logits),
            "gradnorm": -self.head.gradnorm(features),
            "react": -log_sum_exp(self.head.logits(np.minimum(features, self.clip))),
        }

    def classes(self, features: np.ndarray) -> Mapping[str, np.ndarray]:
        """Score -> class (b,): of the nearest example or prototype for scores by distance, else of the largest logit.

        The published code uses the index of a prototype as an index into the labels of the examples, which is wrong.
        """
        features = features.astype(np.float64)
        by_logits = self.head.logits(features).argmax(axis=1)
        by_distance = {
            "l2_nearest": self.labels[distances(features, self.examples).argmin(axis=1)],
            "l2_prototype": distances(features, self.prototypes).argmin(axis=1),
            "cosine_nearest": self.labels[cosines(features, self.examples).argmax(axis=1)],
            "cosine_prototype": cosines(features, self.prototypes).argmax(axis=1),
        }
        return {name: by_distance.get(name, by_logits) for name in SCORES}


def distances(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Euclidean distances (b, m) between rows (b, d) and others (m, d)."""
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(rows, others))


def cosines(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Cosines (b, m) between rows (b, d) and others (m, d)."""
    return np.asarray(unit(rows, "features") @ unit(others, "features of examples").T)
