"""Losses of the heads."""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.baselines.networks import Classifier, ReciprocalPoints

SCALE, MARGIN = 30.0, 0.5  # factor of cosines; margin in radians
OPEN, GENERATED = 0.1, 0.1  # weights of two terms of ARPL: radius loss, loss on generated clouds


def loss_of(network: Classifier, features: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """Loss for features (b, 256) and logits (b, k); the network's head determines its formula."""
    if network.sizes.head == "cosine":
        logits = SCALE * logits
    if network.sizes.head == "subcenter_arcface":
        logits = SCALE * with_margin(logits, labels)
    loss = functional.cross_entropy(logits, labels)
    if isinstance(network.head, ReciprocalPoints):
        to_class = network.head.distances(features)[torch.arange(len(labels)), labels]
        loss = loss + OPEN * (to_class - network.head.radius + 1).clamp(min=0).mean()
    return loss


def with_margin(cosines: Tensor, labels: Tensor) -> Tensor:
    """Cosines (b, k) with the margin added to the target's angle; linear if the angle would exceed pi."""
    rows = torch.arange(len(labels))
    target = cosines[rows, labels]
    sine = (1 - target.square()).clamp(min=1e-7).sqrt()  # its gradient is infinite at 0
    moved = target * math.cos(MARGIN) - sine * math.sin(MARGIN)
    moved = torch.where(target > math.cos(math.pi - MARGIN), moved, target - MARGIN * math.sin(MARGIN))
    return cosines.index_put((rows, labels), moved)


class TwoNorms(nn.Module):
    """Two batch normalizations, for shapes and for generated clouds; `generated` selects the one in use."""

    def __init__(self, norm: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.real, self.other, self.generated = norm, second, False

    def forward(self, rows: Tensor) -> Tensor:
        norm: Tensor = self.current(rows)
        return norm

    @property
    def current(self) -> Any:
        return self.other if self.generated else self.real


class Generator(nn.Module):
    """Noise (b, 96) -> clouds (b, n, 3) in [-1, 1]."""

    def __init__(self, points: int) -> None:
        super().__init__()
        widths = (96, 256, 512, 1024)
        layers = [(nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU()) for a, b in itertools.pairwise(widths)]
        flat = [one for of in layers for one in of]
        self.layers = nn.Sequential(*flat, nn.Linear(widths[-1], 3 * points), nn.Tanh())

    def forward(self, noise: Tensor) -> Tensor:
        return self.layers(noise).reshape(len(noise), -1, 3)


class Discriminator(nn.Module):
    """Clouds (b, n, 3) -> logits (b,) that a cloud is not generated. Its layers are our choice."""

    def __init__(self) -> None:
        super().__init__()
        self.points = nn.Sequential(nn.Linear(3, 64), nn.LeakyReLU(0.2), nn.Linear(64, 256), nn.LeakyReLU(0.2))
        self.whole = nn.Sequential(nn.Linear(256, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1))

    def forward(self, clouds: Tensor) -> Tensor:
        return self.whole(self.points(clouds).amax(dim=1))[:, 0]


def undecided(logits: Tensor) -> Tensor:
    """exp of the mean negative entropy of the logits (b, k) of generated clouds, as in ARPL; least for equal logits."""
    logs = logits.log_softmax(dim=1)
    return (logs.exp() * logs).sum(dim=1).mean().exp()
