"""Units that compete: the step, who meets whom, the training loop and the ranking, for networks of any kind.

Every step two units meet. Each rebuilds the tiles, and wants the other to be able to rebuild its answer; each rebuilds
the other's answer, as badly as it can. Letters: n units, b tiles in a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from openshape_ood.checks import array, check_choice, check_positive, check_whole
from openshape_ood.errors import InputError
from openshape_ood.registry.weights import fill
from openshape_ood.surfaces.reconstructor import Report

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": lambda parameters, lr: torch.optim.SGD(parameters, lr=lr, momentum=0.9),
}
PAIRS = ("round-robin", "random")
RATES = ("constant", "cosine")
CONSTANT = 4.0  # keeps the published discriminator loss positive; it has no gradient
DIVERGED = 10.0  # times the error of an answer of zeros
SMOOTHING = 0.9  # of the ranking
CUT = 0.5  # share of the tiles that something is cut out of
BOXES, BOX = 2, 6 / 32  # cut out of a tile: how many, and their side as a share of its own

Weights = tuple[float, float, float]


@dataclass(frozen=True)
class StepLosses:
    """Of a step between units i and j, a scalar for each of the two, in this order.

    generator: w_r reconstruction + w_f (how far its answer is from what the other makes of it); discriminator: what it
    gains by rebuilding the other's answer badly; reconstruction: the error on the tiles; discrimination: how much worse
    it rebuilds the other's answer than the tiles, NaN where nobody competes.
    """

    generator: tuple[Tensor, ...]
    discriminator: tuple[Tensor, ...]
    reconstruction: tuple[Tensor, ...]
    discrimination: tuple[Tensor, ...]

    @property
    def total(self) -> Tensor:
        return torch.stack([*self.generator, *self.discriminator]).sum()


def generator_loss(x: Tensor, y: Tensor, answer: Tensor, weights: Weights, seen: Tensor | None = None) -> Tensor:
    """w_r mean |x - y| + w_f mean |y - answer|; the answer of the discriminator is a constant."""
    return weights[0] * distance(x, y, seen) + weights[1] * distance(y, answer.detach(), seen)


def discriminator_loss(
    y: Tensor, answer: Tensor, weights: Weights, margin: float | None = None, seen: Tensor | None = None
) -> Tensor:
    """4 - w_d mean |y - answer|, unbounded below, or with a margin w_d max(0, margin - mean |y - answer|)."""
    error = distance(y.detach(), answer, seen)
    return CONSTANT - weights[2] * error if margin is None else weights[2] * (margin - error).clamp(min=0)


def competition_step(
    units: Sequence[nn.Module] | nn.ModuleList,
    i: int,
    j: int,
    x: Tensor,
    x_in: Tensor,
    weights: Weights,
    margin: float | None = None,
    *,
    seen: Tensor | None = None,
    context: tuple[Tensor, ...] = (),
) -> StepLosses:
    """The losses of a step of units i and j; `losses.total.backward()` gives each unit the gradients of its own.

    One unit alone, i = j, only rebuilds. x, x_in: tiles (b, ...), and the same with parts cut out. weights: of
    reconstruction, feedback and discrimination; published are (0.5, 1, 2). margin: up to where the discriminator
    gains; without one its loss has no bound but that of the outputs. seen (b, 1, ...): what counts. context: what the
    units are told besides.
    """
    pair = (i,) if i == j else (i, j)
    answers = [units[k](x_in, *context) for k in pair]
    reconstruction = tuple(distance(x, y, seen) for y in answers)
    if len(pair) == 1 or not any(weights[1:]):
        alone = tuple(weights[0] * error for error in reconstruction)
        none = tuple(torch.full_like(error.detach(), math.nan) for error in reconstruction)
        return StepLosses(alone, tuple(torch.zeros_like(one) for one in none), reconstruction, none)
    stopped = [y.detach() if seen is None else y.detach() * seen for y in answers]
    judged = [units[k](y, *context) for k, y in zip(pair[::-1], stopped, strict=True)]  # j's of i's answer, i's of j's
    generator = tuple(generator_loss(x, y, d, weights, seen) for y, d in zip(answers, judged, strict=True))
    # unit i judged the second answer, unit j the first
    faced = list(zip(stopped, judged, strict=True))[::-1]
    discriminator = tuple(discriminator_loss(y, d, weights, margin, seen) for y, d in faced)
    discrimination = tuple(
        (distance(y, d, seen) - own).detach() for (y, d), own in zip(faced, reconstruction, strict=True)
    )
    return StepLosses(generator, discriminator, reconstruction, discrimination)


def distance(a: Tensor, b: Tensor, seen: Tensor | None = None) -> Tensor:
    """Mean |a - b| over all that is seen."""
    if seen is None:
        return (a - b).abs().mean()
    return ((a - b).abs() * seen).sum() / (seen.sum() * a.shape[1]).clamp(min=1)


@dataclass(kw_only=True, eq=False)
class Recipe:
    """How units are trained; see `CompetitiveReconstructor`, which is one, for what each is."""

    weights: Weights = (1.0, 0.25, 0.25)
    margin: float | None = 0.2
    corruption: str | None = "cutout"
    steps: int = 300
    batch: int = 16
    rate: float = 2e-3
    optimizer: str = "adam"
    rate_schedule: str = "constant"
    pairs: str = "round-robin"


def check_recipe(recipe: Recipe) -> None:
    """Raises `InputError` for settings that cannot be."""
    check_whole(recipe.steps, "steps")
    check_whole(recipe.batch, "batch")
    check_positive(recipe.rate, "rate")
    weights = array(recipe.weights, "weights", "k")
    if len(weights) != 3 or weights.min() < 0 or not weights[0]:
        raise InputError(f"weights are {recipe.weights!r}; expected three, none below 0, the first above")
    if recipe.margin is not None:
        check_positive(recipe.margin, "margin")
    if recipe.corruption is not None:
        check_choice(recipe.corruption, "corruption", ("cutout",))
    check_choice(recipe.optimizer, "optimizer", tuple(OPTIMIZERS))
    check_choice(recipe.rate_schedule, "rate_schedule", RATES)
    check_choice(recipe.pairs, "pairs", PAIRS)


def rate_at(recipe: Recipe, step: int) -> float:
    share = step / recipe.steps if recipe.rate_schedule == "cosine" else 0.0
    return recipe.rate * (1 + math.cos(math.pi * share)) / 2


class Ranking:
    """How well each unit rebuilds and tells apart, as moving averages; NaN until it was trained.

    The published code begins with 0, so that a unit that was never trained is the best of all.
    """

    def __init__(self, n: int) -> None:
        self.reconstruction, self.discrimination = np.full(n, np.nan), np.full(n, np.nan)

    def add(self, pair: Sequence[int], losses: StepLosses) -> None:
        tables, found = (self.reconstruction, self.discrimination), (losses.reconstruction, losses.discrimination)
        for table, values in zip(tables, found, strict=True):
            for k, value in zip(pair, values, strict=True):
                new = float(value.detach())
                table[k] = new if np.isnan(table[k]) else SMOOTHING * table[k] + (1 - SMOOTHING) * new

    @property
    def trained(self) -> list[int]:
        return np.flatnonzero(np.isfinite(self.reconstruction)).tolist()

    @property
    def best(self) -> tuple[int, int]:
        """The best generator and the best discriminator; of those that never competed the generator itself."""
        generator = int(np.nanargmin(self.reconstruction))
        told = np.isfinite(self.discrimination).any()
        return generator, int(np.nanargmax(self.discrimination)) if told else generator


def new_units(make: Callable[[], nn.Module], count: int, seed: int) -> nn.ModuleList:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.ModuleList(make() for _ in range(count))


def loaded_units(make: Callable[[], nn.Module], count: int, state: Mapping[str, Tensor]) -> nn.ModuleList:
    """Units with these weights, as `fill`; ValueError also for more units than tensors, and for sizes beyond all."""
    if not 0 < count <= len(state):
        raise ValueError(f"{count} units of {len(state)} arrays")
    try:
        with torch.device("meta"):
            units = nn.ModuleList(make() for _ in range(count))
    except RuntimeError as error:  # so many bytes cannot be counted
        raise ValueError(f"there is no network of such sizes: {error}") from error
    fill(units, state)
    return units


def meetings(n: int, way: str, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Endless pairs of n units: "random" as published, or "round-robin", each once a round (but one, of odd n)."""
    while n == 1:
        yield 0, 0
    while True:
        order = rng.permutation(n).tolist()
        for k in range(1 if way == "random" else n // 2):
            yield order[2 * k], order[2 * k + 1]


def batches(t: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless indices, each of t once an epoch; the last batch of an epoch may be smaller."""
    while True:
        order = rng.permutation(t)
        yield from (order[start : start + size] for start in range(0, t, size))


def cut_out(tiles: Tensor, rng: np.random.Generator) -> Tensor:
    """Tiles (b, c, h, w), about half of them with boxes of one random value a channel in each.

    Not all: answers have no boxes, and a unit could tell by them alone what is a tile, to be rebuilt, and what another
    unit's answer, to be spoiled; then it spoils whole tiles too.
    """
    found = tiles.clone()
    sides = [max(1, round(BOX * side)) for side in tiles.shape[2:]]
    for one in (found[k] for k in np.flatnonzero(rng.random(len(found)) < CUT).tolist()):  # views, not copies
        for _ in range(BOXES):
            top, left = (int(rng.integers(whole - side + 1)) for whole, side in zip(one.shape[1:], sides, strict=True))
            values = torch.from_numpy(rng.uniform(-1, 1, (len(one), 1, 1))).to(one)
            one[:, top : top + sides[0], left : left + sides[1]] = values
    return found


def train(
    units: nn.ModuleList,
    tiles: Tensor,
    recipe: Recipe,
    seed: int,
    *,
    seen: Tensor | None = None,
    context: tuple[Tensor, ...] = (),
    report: Report | None = None,
) -> tuple[list[dict[str, Any]], Ranking]:
    """Train units in place on tiles (t, ...), and rank them.

    seen (t, 1, ...), context: of the tiles. Returns a record a step: step, units, reconstruction, generator,
    discriminator, discrimination, rate.

    Raises
    ------
    InputError
        For settings that cannot be, and where the training diverges.
    """
    check_recipe(recipe)
    device = next(units.parameters()).device
    rng = np.random.default_rng([seed, 2])
    pairs, rows = meetings(len(units), recipe.pairs, rng), batches(len(tiles), recipe.batch, rng)
    optimizer = OPTIMIZERS[recipe.optimizer](units.parameters(), lr=recipe.rate)
    ranking, history, limit = Ranking(len(units)), list[dict[str, Any]](), DIVERGED * float(tiles.abs().mean() + 1e-3)
    units.train()
    # dropout has no other generator than torch's own
    dropout = any(isinstance(one, nn.Dropout) for one in units.modules())
    with torch.random.fork_rng() if dropout else nullcontext():
        torch.manual_seed(seed) if dropout else None
        for step in range(recipe.steps):
            pair, some = next(pairs), torch.from_numpy(next(rows))
            x, own = tiles[some], None if seen is None else seen[some].to(device)
            x_in = cut_out(x, rng) if recipe.corruption else x
            if seen is not None:
                x_in = x_in * seen[some]
            for group in optimizer.param_groups:
                group["lr"] = rate_at(recipe, step)
            told = tuple(one[some].to(device) for one in context)
            losses = competition_step(
                units, *pair, x.to(device), x_in.to(device), recipe.weights, recipe.margin, seen=own, context=told
            )
            optimizer.zero_grad()  # of units that did not meet there is none, and the optimizer leaves them alone
            losses.total.backward()
            optimizer.step()
            ranking.add(tuple(dict.fromkeys(pair)), losses)
            history.append(_record(step, pair, losses, rate_at(recipe, step)))
            _check_converges(history[-1], limit, recipe)
            if report:
                report(history[-1])
    units.eval().requires_grad_(False)
    return history, ranking


@contextmanager
def reported(progress: bool | Report, steps: int) -> Iterator[Report]:
    """What takes the record of each step: the caller's own, or a bar on stderr, or nothing."""
    if callable(progress):
        yield progress
        return
    from tqdm import tqdm

    with tqdm(total=steps, desc="training", unit="step", disable=not progress) as bar:
        yield lambda record: bar.update()


def _record(step: int, pair: tuple[int, int], losses: StepLosses, rate: float) -> dict[str, Any]:
    names = ("reconstruction", "generator", "discriminator", "discrimination")
    means = {name: float(torch.stack(getattr(losses, name)).detach().mean()) for name in names}
    return {"step": step + 1, "units": list(pair), "rate": rate} | {
        name: None if math.isnan(value) and name == "discrimination" else value for name, value in means.items()
    }


def _check_converges(record: Mapping[str, Any], limit: float, recipe: Recipe) -> None:
    error = record["reconstruction"]
    if not error <= limit:
        bound = "" if recipe.margin is not None else ", a margin, for the gain of a discriminator is unbounded without,"
        raise InputError(
            f"the training diverges: the reconstruction error is {error:.4g} at step {record['step']}, and should be "
            f"below {limit:.4g}. Give{bound} less competition, weights=(1, 0, 0), or a smaller rate than {recipe.rate}"
        )
