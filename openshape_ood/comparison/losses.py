"""Losses of a relation network, and detection of collapsed training.

Two rows of one class are a same pair. Two rows of different classes are a different pair.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def tanh_loss(logits: Tensor, different: Tensor, slope: float = 10.0, target: float = 1.0) -> Tensor:
    """Mean squared difference between tanh(slope z / 2) and its target. The tanh equals 2 sigmoid(slope z) - 1.

    The logits z are (n,) or (n, 1). `different` (n,) is True for pairs of two classes. `slope` scales the logits.
    `target` is the target for different pairs; for same pairs it is -target. A target below 1 leaves a margin
    (arXiv 2207.08699).

    >>> float(tanh_loss(torch.zeros(4), torch.tensor([0, 1, 1, 1])))
    1.0
    """
    wanted = target * (2 * different.to(logits.dtype) - 1)
    return F.mse_loss(torch.tanh(slope / 2 * logits.flatten()), wanted)


def cross_entropy(logits: Tensor, different: Tensor, negatives: float = 1.0) -> Tensor:
    """Cross-entropy of two logits (n, 2): same and different. Same pairs have the weight `negatives`.

    `negatives` is the number of different pairs per same pair, so both kinds count equally.

    >>> round(float(cross_entropy(torch.zeros(4, 2), torch.tensor([0, 1, 1, 1]))), 4)
    0.6931
    """
    return F.cross_entropy(logits, different.long(), weight=logits.new_tensor([negatives, 1.0]))


def pair_accuracy(logits: Tensor, different: Tensor) -> tuple[float, float, float]:
    """Balanced accuracy, accuracy of same pairs, and accuracy of different pairs. Logits are (n,), (n, 1) or (n, 2).

    >>> pair_accuracy(torch.tensor([-1.0, 2.0, 3.0]), torch.tensor([0, 0, 1]))
    (0.75, 0.5, 1.0)
    """
    answers = logits[:, 1] > logits[:, 0] if logits.ndim == 2 and logits.shape[1] == 2 else logits.flatten() > 0
    right = (answers == different.bool()).double()
    same, apart = (float(right[different.bool() == side].mean()) for side in (False, True))
    return (same + apart) / 2, same, apart


def plateaus(negatives: int) -> tuple[float, float, float]:
    """Reference values for a network that learns nothing: best constant output, its loss, and loss if saturated.

    The losses are `tanh_loss` with `negatives` different pairs per same pair. Saturated means that every output is
    "different".

    >>> [round(value, 4) for value in plateaus(20)]
    [0.9048, 0.1814, 0.1905]
    """
    constant = (negatives - 1) / (negatives + 1)
    return constant, 1 - constant**2, 4 / (negatives + 1)
