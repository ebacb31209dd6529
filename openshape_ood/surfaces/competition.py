"""Competition of units: step, pairing, training loop and ranking, for any network.

Each step trains two units. As a generator, a unit learns to rebuild the tiles, and to give outputs that the other unit
can rebuild. As a discriminator, it learns to rebuild the other unit's outputs as badly as possible. Letters: n units,
b tiles in a batch.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from openshape_ood.checks import array, check_choice, check_positive, check_whole
from openshape_ood.errors import InputError
from openshape_ood.registry.weights import fill
from openshape_ood.storage import keep_training, resumed_training
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
DIVERGED = 10.0  # a training diverges above this error, relative to the error of an all-zero output
SMOOTHING = 0.9  # weight of the old value in the moving averages of the ranking
CUT = 0.5  # fraction of tiles with cutouts
BOXES, BOX = 2, 6 / 32  # cutouts per tile, and their side relative to the tile's
WHAT = "surface training"
SPARED = 20.0  # minimum time between two writes of the state, relative to the duration of a write

Weights = tuple[float, float, float]
Box = tuple[tuple[Any, ...], np.ndarray]  # a cutout: index into a batch, and its value in each channel (c, 1, 1)


@dataclass(frozen=True)
class StepLosses:
    """Losses of one training step of units i and j. Each field has one scalar for i and one for j.

    Attributes
    ----------
    generator : tuple of Tensor
        `generator_loss` for the unit's output and the other unit's reconstruction of this output.
    discriminator : tuple of Tensor
        `discriminator_loss` for the other unit's output.
    reconstruction : tuple of Tensor
        Error on the tiles.
    discrimination : tuple of Tensor
        Error on the other unit's output minus error on the tiles; NaN without competition.
    """

    generator: tuple[Tensor, ...]
    discriminator: tuple[Tensor, ...]
    reconstruction: tuple[Tensor, ...]
    discrimination: tuple[Tensor, ...]

    @property
    def total(self) -> Tensor:
        return torch.stack([*self.generator, *self.discriminator]).sum()


def generator_loss(x: Tensor, y: Tensor, answer: Tensor, weights: Weights, seen: Tensor | None = None) -> Tensor:
    """Loss of a generator: w_r mean |x - y| + w_f mean |y - answer|.

    x: tiles. y: output of the generator. answer: discriminator's reconstruction of y, used without gradient.
    """
    return weights[0] * distance(x, y, seen) + weights[1] * distance(y, answer.detach(), seen)


def discriminator_loss(
    y: Tensor, answer: Tensor, weights: Weights, margin: float | None = None, seen: Tensor | None = None
) -> Tensor:
    """Loss of a discriminator: 4 - w_d mean |y - answer|. With a margin: w_d max(0, margin - mean |y - answer|).

    y: output of the generator, used without gradient. answer: discriminator's reconstruction of y.
    """
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
    """Losses of one training step of units i and j. `losses.total.backward()` computes the gradients of both units.

    Parameters
    ----------
    units : sequence of Module
        All units.
    i, j : int
        Indices of the two units. If they are equal, the unit only reconstructs.
    x, x_in : Tensor (b, ...)
        Tiles without and with cutouts.
    weights : (float, float, float)
        w_r of reconstruction, w_f of feedback, w_d of discrimination. Published: (0.5, 1, 2).
    margin : float or None
        Error above which the discriminator's loss is 0. None: no limit.
    seen : Tensor (b, 1, ...), optional
        Mask of valid pixels.
    context : tuple of Tensor
        Further inputs of the units.
    """
    pair = (i,) if i == j else (i, j)
    outputs = [units[k](x_in, *context) for k in pair]
    reconstruction = tuple(distance(x, y, seen) for y in outputs)
    if len(pair) == 1 or not any(weights[1:]):
        alone = tuple(weights[0] * error for error in reconstruction)
        none = tuple(torch.full_like(error.detach(), math.nan) for error in reconstruction)
        return StepLosses(alone, tuple(torch.zeros_like(one) for one in none), reconstruction, none)
    stopped = [y.detach() if seen is None else y.detach() * seen for y in outputs]
    rebuilt = [
        units[k](y, *context) for k, y in zip(pair[::-1], stopped, strict=True)
    ]  # j rebuilds the output of i, and i rebuilds the output of j
    generator = tuple(generator_loss(x, y, d, weights, seen) for y, d in zip(outputs, rebuilt, strict=True))
    # for i and j as discriminators: the output that the unit rebuilt, and its reconstruction
    faced = list(zip(stopped, rebuilt, strict=True))[::-1]
    discriminator = tuple(discriminator_loss(y, d, weights, margin, seen) for y, d in faced)
    discrimination = tuple(
        (distance(y, d, seen) - error).detach() for (y, d), error in zip(faced, reconstruction, strict=True)
    )
    return StepLosses(generator, discriminator, reconstruction, discrimination)


def distance(a: Tensor, b: Tensor, seen: Tensor | None = None) -> Tensor:
    """Mean |a - b| over seen pixels."""
    if seen is None:
        return (a - b).abs().mean()
    return ((a - b).abs() * seen).sum() / (seen.sum() * a.shape[1]).clamp(min=1)


@dataclass(kw_only=True, eq=False)
class Recipe:
    """Training settings of units, documented in the subclass `CompetitiveReconstructor`."""

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
    """Raise `InputError` for invalid settings."""
    check_whole(recipe.steps, "steps")
    check_whole(recipe.batch, "batch")
    check_positive(recipe.rate, "rate")
    weights = array(recipe.weights, "weights", "k")
    if len(weights) != 3 or weights.min() < 0 or not weights[0]:
        raise InputError(
            f"weights are {recipe.weights!r}. Expected three numbers: the first above 0, the others at least 0. Give "
            "the weights of reconstruction, feedback and discrimination."
        )
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
    """Moving averages of each unit's reconstruction and discrimination; NaN for untrained units.

    The published code starts with 0 instead of NaN, so that untrained units rank first.
    """

    def __init__(self, n: int) -> None:
        self.reconstruction, self.discrimination = np.full(n, np.nan), np.full(n, np.nan)

    def add(self, pair: Sequence[int], losses: StepLosses) -> None:
        tables, updates = (self.reconstruction, self.discrimination), (losses.reconstruction, losses.discrimination)
        for table, values in zip(tables, updates, strict=True):
            for k, value in zip(pair, values, strict=True):
                new = float(value.detach())
                table[k] = new if np.isnan(table[k]) else SMOOTHING * table[k] + (1 - SMOOTHING) * new

    @property
    def trained(self) -> list[int]:
        return np.flatnonzero(np.isfinite(self.reconstruction)).tolist()

    @property
    def best(self) -> tuple[int, int]:
        """Indices of the best generator and the best discriminator. Without competition, both are equal."""
        generator = int(np.nanargmin(self.reconstruction))
        competed = np.isfinite(self.discrimination).any()
        return generator, int(np.nanargmax(self.discrimination)) if competed else generator


def new_units(make: Callable[[], nn.Module], count: int, seed: int) -> nn.ModuleList:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.ModuleList(make() for _ in range(count))


def loaded_units(make: Callable[[], nn.Module], count: int, state: Mapping[str, Tensor]) -> nn.ModuleList:
    """Units with the weights of `state`.

    Raises ValueError for fewer tensors than units, for sizes too large for a tensor, and as `fill` does.
    """
    if not 0 < count <= len(state):
        raise ValueError(f"{count} units of {len(state)} arrays")
    try:
        with torch.device("meta"):
            units = nn.ModuleList(make() for _ in range(count))
    except RuntimeError as error:  # sizes too large for a tensor
        raise ValueError(f"there is no network of such sizes: {error}") from error
    fill(units, state)
    return units


def meetings(n: int, way: str, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Yield pairs of n units without end.

    "round-robin": each unit occurs once per round; if n is odd, one unit is left out of each round. "random":
    independent pairs, as published.
    """
    while n == 1:
        yield 0, 0
    while True:
        order = rng.permutation(n).tolist()
        for k in range(1 if way == "random" else n // 2):
            yield order[2 * k], order[2 * k + 1]


def batches(t: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield batches of `size` indices below t, without end.

    An epoch has each index once; its last batch may be smaller.
    """
    while True:
        order = rng.permutation(t)
        yield from (order[start : start + size] for start in range(0, t, size))


def drawn_boxes(shape: Sequence[int], rng: np.random.Generator) -> list[Box]:
    """Random cutouts for about half of the tiles of a batch (b, c, h, w). A cutout has one random value per channel.

    The other tiles stay whole. Otherwise a unit could recognize outputs of other units by their lack of cutouts, and
    would learn to rebuild whole tiles badly, too.
    """
    b, c, *whole = shape
    sides = [max(1, round(BOX * side)) for side in whole]
    boxes = []
    for k in np.flatnonzero(rng.random(b) < CUT).tolist():
        for _ in range(BOXES):
            top, left = (int(rng.integers(n - side + 1)) for n, side in zip(whole, sides, strict=True))
            place = k, slice(None), slice(top, top + sides[0]), slice(left, left + sides[1])
            boxes.append((place, rng.uniform(-1, 1, (c, 1, 1))))
    return boxes


def cut_out(tiles: Tensor, boxes: Sequence[Box]) -> Tensor:
    """Copy of tiles (b, c, h, w) with cutouts."""
    result = tiles.clone()
    for place, values in boxes:
        result[place] = torch.from_numpy(values).to(result)
    return result


def schedule(
    n: int, shape: Sequence[int], recipe: Recipe, seed: int
) -> Iterator[tuple[tuple[int, int], np.ndarray, list[Box]]]:
    """Yield the random choices of each step: pair of units, batch of tile indices, cutouts.

    n: number of units. shape: shape (t, ...) of all tiles.
    """
    rng = np.random.default_rng([seed, 2])
    pairs, rows = meetings(n, recipe.pairs, rng), batches(shape[0], recipe.batch, rng)
    for _ in range(recipe.steps):
        pair, some = next(pairs), next(rows)
        yield pair, some, drawn_boxes((len(some), *shape[1:]), rng) if recipe.corruption else []


def train(
    units: nn.ModuleList,
    tiles: Tensor,
    recipe: Recipe,
    seed: int,
    *,
    seen: Tensor | None = None,
    context: tuple[Tensor, ...] = (),
    report: Report | None = None,
    state: Path | None = None,
) -> tuple[list[dict[str, Any]], Ranking]:
    """Train units in place on tiles (t, ...), and rank them.

    Parameters
    ----------
    seen : Tensor (t, 1, ...), optional
        Mask of valid pixels.
    context : tuple of Tensor (t, ...)
        Further inputs of the units.
    report : callable, optional
        Function that gets the record of each step.
    state : Path, optional
        File for resuming. If it exists, the training continues from it with the same results as without interruption.
        The finished steps are reported again.

    Returns
    -------
    history : list of dict
        A record for each step: step, units, reconstruction, generator, discriminator, discrimination, rate.
    ranking : Ranking

    Raises
    ------
    InputError
        For invalid settings, for the state of another training, and if the training diverges.
    """
    check_recipe(recipe)
    device = next(units.parameters()).device
    keeper = Keeper(state, _settings(units, recipe, seed, (tiles, seen, *context)) if state else None)
    optimizer = OPTIMIZERS[recipe.optimizer](units.parameters(), lr=recipe.rate)
    history, ranking = keeper.resumed(units, optimizer)
    limit, done = DIVERGED * float(tiles.abs().mean() + 1e-3), len(history)
    if report:
        for record in history:
            report(record)
    units.train()
    # dropout uses torch's global generator
    dropout = any(isinstance(one, nn.Dropout) for one in units.modules())
    with torch.random.fork_rng() if dropout else nullcontext():
        for step, (pair, rows, boxes) in enumerate(schedule(len(units), tiles.shape, recipe, seed)):
            if step < done:
                continue
            if dropout:
                torch.manual_seed(int(np.random.default_rng([seed, 5, step]).integers(2**62)))
            some = torch.from_numpy(rows)
            x, mask = tiles[some], None if seen is None else seen[some].to(device)
            x_in = cut_out(x, boxes) if boxes else x
            if seen is not None:
                x_in = x_in * seen[some]
            for group in optimizer.param_groups:
                group["lr"] = rate_at(recipe, step)
            inputs = tuple(one[some].to(device) for one in context)
            losses = competition_step(
                units, *pair, x.to(device), x_in.to(device), recipe.weights, recipe.margin, seen=mask, context=inputs
            )
            optimizer.zero_grad()  # units outside the pair have no gradient, so the optimizer skips them
            losses.total.backward()
            optimizer.step()
            ranking.add(tuple(dict.fromkeys(pair)), losses)
            history.append(_record(step, pair, losses, rate_at(recipe, step)))
            try:
                _check_converges(history[-1], limit, recipe)
            except InputError:
                keeper.forget()  # a state file would force the next call to use the same settings
                raise
            keeper.keep(units, optimizer, history, ranking, last=step + 1 == recipe.steps)
            if report:
                report(history[-1])
    units.eval().requires_grad_(False)
    return history, ranking


class Keeper:
    """State file of a training, if any. Writing it takes at most about a twentieth of the training time."""

    def __init__(self, state: Path | None, settings: Any) -> None:
        self.state, self.settings, self.at, self.took = state, settings, time.monotonic(), 0.0

    def resumed(self, units: nn.ModuleList, optimizer: torch.optim.Optimizer) -> tuple[list[dict[str, Any]], Ranking]:
        """Restore units and optimizer from the file. Returns history and ranking, which are empty without a file."""
        ranking = Ranking(len(units))
        before = resumed_training(self.state, units, [optimizer], self.settings, WHAT)
        if before is None:
            return [], ranking
        ranking.reconstruction, ranking.discrimination = map(np.array, before["ranking"])
        return before["history"], ranking

    def keep(
        self,
        units: nn.ModuleList,
        optimizer: torch.optim.Optimizer,
        history: list[dict[str, Any]],
        ranking: Ranking,
        last: bool,
    ) -> None:
        """Write the state after the last step, or if enough time has passed since the last write."""
        started = time.monotonic()
        if self.state is None or (started - self.at < SPARED * self.took and not last):
            return
        progress = {"history": history, "ranking": [ranking.reconstruction, ranking.discrimination]}
        keep_training(self.state, units, [optimizer], self.settings, progress, WHAT)
        self.at = time.monotonic()
        self.took = self.at - started

    def forget(self) -> None:
        if self.state is not None:
            self.state.unlink(missing_ok=True)


def _settings(units: nn.ModuleList, recipe: Recipe, seed: int, data: Sequence[Tensor | None]) -> dict[str, Any]:
    """Settings of a training: recipe, seed, and a digest of the initial units and the data."""
    digest = hashlib.sha256(repr(units).encode())
    for one in (*units.state_dict().values(), *(one for one in data if one is not None)):
        digest.update(f"{one.dtype} {tuple(one.shape)}".encode())
        digest.update(one.cpu().contiguous().numpy().tobytes())
    settings = {one.name: getattr(recipe, one.name) for one in fields(Recipe)}
    return {"recipe": settings, "seed": seed, "sha256": digest.hexdigest()}


@contextmanager
def reported(progress: bool | Report, steps: int) -> Iterator[Report]:
    """Yield a function for step records: `progress` if it is callable, else the update of a progress bar on stderr."""
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
        bound = "" if recipe.margin is not None else "a margin, "
        raise InputError(
            f"the training diverges: the reconstruction error is {error:.4g} at step {record['step']}. Expected "
            f"less than {limit:.4g}. Give {bound}less competition such as weights=(1, 0, 0), or a rate below "
            f"{recipe.rate}."
        )
