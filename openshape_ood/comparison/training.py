"""Resumable training of a relation network on embeddings of base classes, with detection of collapse."""

from __future__ import annotations

import hashlib
import json
import math
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from inspect import signature
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from openshape_ood import __version__
from openshape_ood.checks import (
    check_choice,
    check_positive,
    check_seed,
    check_settings,
    check_share,
    check_whole,
    given_path,
    unit_or_zero,
)
from openshape_ood.comparison.comparator import Comparator
from openshape_ood.comparison.families import FAMILIES, LEARNED, RelationSimilarity, WhitenedCosine
from openshape_ood.comparison.losses import cross_entropy, pair_accuracy, plateaus, tanh_loss
from openshape_ood.comparison.network import Relation, RelationSizes
from openshape_ood.comparison.pairs import PairSampler
from openshape_ood.comparison.vocabulary import check_apart
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.storage import keep_training, resumed_training

STATE, WHAT = "training.safetensors", "comparator in training"
WINDOW = 50  # steps in a reported mean
CHECKED_FROM = 100  # steps before a collapse can be reported
KEPT_EVERY = 100  # steps between two checkpoints
COLLAPSED = 0.55  # balanced accuracy below which the training has collapsed; a constant output has 0.5

Batch = tuple[Tensor, Tensor, Tensor]


class CollapseWarning(UserWarning):
    """The network gives a nearly constant output."""


@dataclass(frozen=True)
class Recipe:
    """Training settings of a relation network.

    Attributes
    ----------
    width, depth, heads : int
        Sizes of the network.
    steps, pairs : int
        Number of steps, and of pairs in each step.
    negatives : int
        Number of pairs of different classes for each pair of one class.
    rate, decay, warm_up : float
        Largest learning rate, weight decay of matrices, and fraction of the steps in which the rate rises.
    loss : {"tanh", "cross_entropy"}
    slope, target : float
        Parameters of `tanh_loss`.
    optimizer : {"adamw", "sgd"}
    zero_head : bool
        Start with all logits at 0.
    center : bool
        Subtract the mean of the base embeddings.
    std : float
        Standard deviation of the initial weights.
    seed : int
    akin : float
        Probability that the other class of a different pair is drawn from the anchor's family, if families are given.
    whiten : float, optional
        Shrinkage of the covariance that whitens the rows. None: no whitening.
    turned : float
        Fraction of the steps in which one random rotation or reflection is applied to all rows. The network must then
        use lengths and angles, and cannot memorize a small number of base classes.
    """

    width: int = 128
    depth: int = 2
    heads: int = 4
    steps: int = 400
    pairs: int = 504
    negatives: int = 3
    rate: float = 1e-3
    decay: float = 0.01
    warm_up: float = 0.1
    loss: Literal["tanh", "cross_entropy"] = "tanh"
    slope: float = 10.0
    target: float = 1.0
    optimizer: Literal["adamw", "sgd"] = "adamw"
    zero_head: bool = True
    center: bool = True
    std: float = 0.06
    seed: int = 0
    akin: float = 0.0
    whiten: float | None = None
    turned: float = 0.0

    def __post_init__(self) -> None:
        for name in ("steps", "pairs", "negatives"):
            check_whole(getattr(self, name), name)
        for name in ("rate", "slope", "target", "std"):
            check_positive(getattr(self, name), name)
        object.__setattr__(self, "seed", check_seed(self.seed))  # torch does not accept numpy integers
        for name in ("warm_up", "turned", "akin"):
            check_share(getattr(self, name), name)
        if self.decay != 0:
            check_positive(self.decay, "decay, if not 0,")
        check_choice(self.loss, "loss", ("tanh", "cross_entropy"))
        check_choice(self.optimizer, "optimizer", ("adamw", "sgd"))

    def rate_at(self, step: int) -> float:
        """Learning rate: linear rise, then cosine decay to 0."""
        rising = max(1, round(self.warm_up * self.steps))
        if step < rising:
            return self.rate * (step + 1) / rising
        return self.rate * (1 + math.cos(math.pi * (step - rising) / max(1, self.steps - rising))) / 2

    def loss_of(self, logits: Tensor, different: Tensor) -> Tensor:
        if self.loss == "tanh":
            return tanh_loss(logits, different, self.slope, self.target)
        return cross_entropy(logits, different, self.negatives)


@dataclass(frozen=True)
class Progress:
    """State of a training: finished steps, mean loss and accuracy of recent steps, rate and negatives of the recipe."""

    step: int
    loss: float
    balanced_accuracy: float
    rate: float
    negatives: int


Report = Callable[[Progress], None]


def fit_comparator(
    base: KnownClasses,
    family: str = "relation",
    *,
    evaluation: Sequence[str] = (),
    families: Sequence[Any] | None = None,
    recipe: Recipe | None = None,
    folder: str | os.PathLike[str] | None = None,
    report: Report | None = None,
    **settings: Any,
) -> Comparator:
    """Learn a comparator from labeled embeddings of base classes.

    Parameters
    ----------
    base : KnownClasses
        Examples of the base classes. Several embeddings of one shape, from different samplings or scans, make the
        comparator invariant to them. Exact duplicates count once. If there are embeddings of names, each is one more
        example of its class.
    family : str
        One of `FAMILIES`.
    evaluation : sequence of str
        Classes of a later evaluation. None of them may be a base class.
    families : sequence of k, optional
        Family of each base class (a group of similar classes), for `recipe.akin`. Unrelated to `family`.
    recipe : Recipe, optional
        Training settings of the family "relation".
    folder : path, optional
        Folder for checkpoints of the family "relation", every hundred steps. The same call resumes the training.
    report : callable, optional
        Called with a `Progress` after each step of the family "relation".
    **settings
        Arguments of `fit` of the other families.

    Returns
    -------
    Comparator

    Raises
    ------
    InputError
        If a base class is an evaluation class, the base classes give no pairs, or the folder has another training.

    Warns
    -----
    CollapseWarning
        If the network gives nearly the same output for all pairs. If the training ends like this, `card["collapsed"]`
        is True.
    """
    check_choice(family, "family", FAMILIES)
    takes = list(signature(LEARNED[family].fit).parameters)[1:] if family in LEARNED else []
    check_settings(settings, takes, f"the family {family!r}")
    special = {"recipe": recipe, "families": families, "folder": folder}  # only for the relation network
    if family in LEARNED and (given := [name for name, value in special.items() if value is not None]):
        raise InputError(
            f"{' and '.join(given)} are given for the family {family!r}. Expected them only for 'relation'. "
            "Leave them out."
        )
    if not isinstance(base, KnownClasses):
        raise InputError(
            f"base is a {type(base).__name__}. Expected KnownClasses with examples of the base classes. "
            "Give KnownClasses.from_examples(...)."
        )
    check_apart(base.names, evaluation)
    base = _distinct(base)
    card: dict[str, Any] = {"classes": list(base.names), "apart from": sorted(evaluation), "version": __version__}
    card["embeddings"] = len(base.labeled_examples()[1])
    with_names = base if base.text is None else _with_names(base)
    if family in LEARNED:
        similarity = LEARNED[family].fit(with_names, **settings)
        return Comparator.of(similarity, base.identity, text=base.text is not None, card=card)
    recipe = recipe or Recipe()
    rows, labels = with_names.labeled_examples()
    rows = unit_or_zero(rows)
    sizes = RelationSizes(rows.shape[1], recipe.width, recipe.depth, recipe.heads, outputs=1 + (recipe.loss != "tanh"))
    network = Relation(sizes).initialize(recipe.seed, recipe.std, recipe.zero_head)
    center = rows.mean(axis=0) if recipe.center else np.zeros(rows.shape[1])
    sampler = PairSampler(labels, recipe.negatives, recipe.seed, families, recipe.akin)
    whitening = None if recipe.whiten is None else WhitenedCosine.fit(with_names, recipe.whiten).whitening
    made = RelationSimilarity(network, center, whitening)
    prepared = torch.from_numpy(made.prepared(rows))

    def batch(step: int) -> Batch:
        a, b, different = sampler.draw(max(1, recipe.pairs // (1 + recipe.negatives)), step)
        turn = _rotation(rows.shape[1], recipe, step)
        return prepared[a] @ turn, prepared[b] @ turn, torch.from_numpy(different)

    content = json.dumps([asdict(recipe), labels.tolist(), str(families)], default=np.generic.item)
    digest = hashlib.sha256(content.encode() + rows.tobytes())
    kept = None if folder is None else given_path(folder, "folder")
    history = train(network, batch, recipe, kept, digest.hexdigest(), report)
    network.eval().requires_grad_(False)
    last = history[-1]
    card |= {"recipe": asdict(recipe), "history": [asdict(one) for one in history[::10]] + [asdict(last)]}
    card["collapsed"] = is_collapsed(last)
    return Comparator.of(made, base.identity, text=base.text is not None, card=card)


def train(
    network: nn.Module,
    batch: Callable[[int], Batch],
    recipe: Recipe,
    folder: Path | None = None,
    digest: str = "",
    report: Report | None = None,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    keeps: bool = True,
) -> list[Progress]:
    """Train a network in place, and return loss and accuracy of all steps.

    `batch(step)` returns n pairs: first members (n, ...), second members (n, ...), and `different` (n,). `folder` and
    `digest` are the folder and the identity of the saved training. The default `optimizer` is the recipe's. If `keeps`
    is False, no checkpoint is written.
    """
    optimizer = optimizer or default_optimizer(network, recipe)
    state = None if folder is None else folder / STATE
    before = resumed_training(state, network, [optimizer], digest, WHAT) or []
    seen = [(float(loss), float(accuracy)) for loss, accuracy in before]  # per step
    warned = False
    network.train()
    for step in range(len(seen), recipe.steps):
        a, b, different = batch(step)
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate_at(step)
        logits = network(a, b)
        loss = recipe.loss_of(logits, different)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append((float(loss.detach()), pair_accuracy(logits.detach(), different)[0]))
        if not math.isfinite(seen[-1][0]):
            raise InputError(
                f"the loss is {seen[-1][0]} at step {step}. Expected a finite loss. "
                f"Choose a smaller rate than {recipe.rate}."
            )
        now = _progress(seen, len(seen), recipe)
        if report:
            report(now)
        if is_collapsed(now) and not warned:
            warned = True
            warnings.warn(collapse(now), CollapseWarning, stacklevel=3)
        if state is not None and keeps and (len(seen) % KEPT_EVERY == 0 or len(seen) == recipe.steps):
            state.parent.mkdir(parents=True, exist_ok=True)
            keep_training(state, network, [optimizer], digest, seen, WHAT)
    return [_progress(seen, step, recipe) for step in range(1, len(seen) + 1)]


def is_collapsed(now: Progress) -> bool:
    """True if the training is no better than a constant output, from step `CHECKED_FROM` on."""
    return now.step >= CHECKED_FROM and not now.balanced_accuracy >= COLLAPSED


def _progress(seen: Sequence[tuple[float, float]], step: int, recipe: Recipe) -> Progress:
    loss, accuracy = np.mean(seen[max(0, step - WINDOW) : step], axis=0).tolist()
    return Progress(step, loss, accuracy, recipe.rate_at(step - 1), recipe.negatives)


def collapse(now: Progress) -> str:
    """Message about a collapsed training."""
    constant, unlearned, dead = plateaus(now.negatives)
    return (
        f"the network gives nearly the same output for all pairs: after {now.step} steps the balanced accuracy is "
        f"{now.balanced_accuracy:.3f}, the loss {now.loss:.4f}. Expected an accuracy of {COLLAPSED} or more (a "
        f"constant output {constant:.3f} has the tanh loss {unlearned:.4f}, outputs saturated at 1 have {dead:.4f}). "
        "Try zero_head, 1 to 3 negatives, AdamW at 1e-3, or labels that fit the embeddings."
    )


def decayed(network: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Parameter groups. Matrices and convolutions have weight decay; biases, norms and the class token have none."""
    sides = [[one for one in network.parameters() if (one.ndim in (2, 4)) == side] for side in (True, False)]
    return [{"params": sides[0], "weight_decay": recipe.decay}, {"params": sides[1], "weight_decay": 0.0}]


def default_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    groups = decayed(network, recipe)
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=recipe.rate)


def _rotation(d: int, recipe: Recipe, step: int) -> Tensor:
    """Random orthogonal matrix (d, d) for the rows of a step; the identity if the step has none."""
    rng = np.random.default_rng([recipe.seed, step, 1])
    if rng.random() >= recipe.turned:
        return torch.eye(d)
    matrix, upper = np.linalg.qr(rng.standard_normal((d, d)))
    # without the signs, not all matrices would be equally likely
    return torch.from_numpy((matrix * np.sign(np.diag(upper))).astype(np.float32))


def _distinct(base: KnownClasses) -> KnownClasses:
    """Copy without duplicate embeddings in a class. Pairs of equal rows would not teach what a class has in common."""
    examples, labels = base.labeled_examples()
    first = dict[tuple[int, bytes], int]()
    for i, (row, label) in enumerate(zip(examples, labels.tolist(), strict=True)):
        first.setdefault((label, hashlib.sha256(row.tobytes()).digest()), i)
    kept = list(first.values())
    return replace(base, examples=examples[kept], labels=labels[kept])


def _with_names(base: KnownClasses) -> KnownClasses:
    """Copy in which the embedding of each name is one more example of its class."""
    examples, labels = base.labeled_examples()
    rows = np.concatenate([unit_or_zero(examples), unit_or_zero(np.asarray(base.text))])
    return replace(base, examples=rows, labels=np.concatenate([labels, np.arange(len(base.names))]))
