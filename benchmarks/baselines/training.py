"""Training of a baseline by the recipe of 3DOS: seeded, resumable, with a JSON log.

The random numbers of a step depend only on the settings, the epoch and the batch. All other state is saved next to the
checkpoint after each epoch. A resumed training therefore gives the same weights as an uninterrupted one. Under torchrun
each process has a part of each batch, and gradients are averaged. Batch normalization uses the batch of each process;
its running statistics are averaged after each epoch.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from benchmarks.baselines.checkpoints import write
from benchmarks.baselines.clouds import AUGMENTATIONS, batch
from benchmarks.baselines.losses import GENERATED, Discriminator, Generator, TwoNorms, loss_of, undecided
from benchmarks.baselines.networks import Classifier, PointNet2Torch, ReciprocalPoints, Sizes
from benchmarks.performance.harness import peak_mb
from benchmarks.training.processes import average, processes
from benchmarks.training.runs import keep, resumed
from openshape_ood.checks import check_choice, check_positive, check_seed, check_whole
from openshape_ood.errors import InputError
from openshape_ood.storage import save_whole

STD = 0.02  # standard deviation of the initial weights
LOG = ".jsonl"  # suffix of the log: settings, then one line per epoch
STATE = ".training.safetensors"  # suffix of the saved state
POINTS_STD = 0.1  # standard deviation of the initial reciprocal points, as in ARPL
RATES = {"dgcnn": (0.1, 1e-4), "pn2": (1e-3, 1e-5), "pn2_torch": (1e-3, 1e-5)}  # initial and final learning rate
BATCH = {"dgcnn": 64, "pn2": 64, "pn2_torch": 32}


@dataclass(frozen=True)
class Recipe:
    """Settings of a training. Defaults are those of 3DOS; None for `batch` or `rate`: 3DOS's value for the network."""

    network: str = "dgcnn"
    head: str = "CE"
    epochs: int = 250
    batch: int | None = None
    rate: float | None = None
    points: int = 1024
    augmentation: str = "rw"
    copies: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        Sizes(self.network, self.head, 2)
        check_choice(self.augmentation, "augmentation", AUGMENTATIONS)
        check_seed(self.seed)
        check_whole(self.epochs, "epochs")
        check_whole(self.points, "points")
        if self.batch is not None and self.batch < 2:
            raise InputError(
                f"--batch is {self.batch}. Expected 2 or more for batch normalization. Give a larger --batch"
            )
        if self.rate is not None:
            check_positive(self.rate, "rate")

    @property
    def rates(self) -> tuple[float, float]:
        first, last = RATES[self.network]
        return (first if self.rate is None else self.rate), last

    def rate_at(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0."""
        first, last = self.rates
        return float(last + (first - last) * (1 + np.cos(np.pi * epoch / self.epochs)) / 2)

    def optimizer(self, network: nn.Module) -> Optimizer:
        if self.network == "dgcnn":
            return torch.optim.SGD(network.parameters(), self.rates[0], momentum=0.9, weight_decay=1e-4)
        return torch.optim.Adam(network.parameters(), self.rates[0], weight_decay=1e-4)


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Within this context, torch's random numbers depend on `numbers` only."""
    with torch.random.fork_rng():
        torch.manual_seed(int(np.random.default_rng(numbers).integers(2**62)))
        yield


def fresh(sizes: Sizes, seed: int) -> Classifier:
    """A classifier with initial weights as in 3DOS's trainer."""
    network = Classifier(sizes)
    with seeded(seed):
        for module in network.modules():
            if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, 0, STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1, STD)
        if isinstance(network.head, ReciprocalPoints):
            nn.init.normal_(network.head.points, 0, POINTS_STD)
        elif isinstance(weight := getattr(network.head, "weight", None), Tensor) and sizes.head != "CE":
            nn.init.normal_(weight, 0, STD)
    return network


class Trained(nn.Module):
    """Everything that a training changes: classifier, optimizers and, for ARPL, generator and discriminator."""

    def __init__(self, recipe: Recipe, classes: int) -> None:
        super().__init__()
        self.classifier = fresh(Sizes(recipe.network, recipe.head, classes), recipe.seed)
        self.optimizers: list[Optimizer] = []
        if recipe.head == "ARPL":
            self.pairs = dict(_doubled(self.classifier))
            with seeded(recipe.seed, 1):
                self.generator, self.discriminator = Generator(recipe.points), Discriminator()

    def to_train(self, recipe: Recipe) -> None:
        """Switch to training mode and create the optimizers; call it after moving the networks to their device."""
        self.train()
        self.optimizers = [recipe.optimizer(self.classifier)]
        if recipe.head == "ARPL":
            pair = [self.generator, self.discriminator]
            self.optimizers += [torch.optim.Adam(one.parameters(), 2e-4, betas=(0.5, 0.999)) for one in pair]

    def use(self, generated: bool) -> None:
        """Select the batch normalizations for generated clouds, or those for shapes."""
        for pair in self.pairs.values():
            pair.generated = generated

    def classified(self, recipe: Recipe) -> Classifier:
        """The classifier to write, with the batch normalizations for shapes only."""
        sizes = self.classifier.sizes
        if recipe.head != "ARPL":
            return self.classifier
        state = self.classifier.state_dict()
        real = {key.replace(".real.", "."): one for key, one in state.items() if ".other." not in key}
        alone = Classifier(sizes)
        alone.load_state_dict(real)
        return alone


def _doubled(network: Classifier) -> Iterator[tuple[str, TwoNorms]]:
    """Replace each batch normalization by a pair; yields the name and the pair."""
    import copy

    for name, module in list(network.named_modules()):
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            parent, _, last = name.rpartition(".")
            pair = TwoNorms(module, copy.deepcopy(module))
            network.get_submodule(parent)._modules[last] = pair
            yield name, pair


def train(
    clouds: Sequence[np.ndarray],
    labels: np.ndarray,
    recipe: Recipe,
    path: Path,
    *,
    device: torch.device | str = "cpu",
    settings: Any = None,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Train on m normalized clouds (n, 3) with labels (m,) in 0..k-1, and write the classifier to `path`.

    The log and the state of the training are written next to it.

    Parameters
    ----------
    settings : JSON value
        Further facts that a resumed training must share, for example the data.
    report : callable, optional
        Receives the log line of each epoch.

    Returns
    -------
    list of dict
        The log, one line per epoch.

    Raises
    ------
    InputError
        For fewer than two classes, a batch that is larger than the data or not divisible among the processes, the state
        of another training, and a loss that is not finite.
    """
    rank, world = processes()
    classes, size = _checked(labels, recipe), recipe.batch or BATCH[recipe.network]
    if len(clouds) < size:
        raise InputError(
            f"there are {len(clouds)} training shapes for batches of {size}. Expected {size} or more. Give --batch "
            f"{len(clouds)} or less"
        )
    if size % world or size < 2 * world:
        raise InputError(
            f"--batch is {size} for {world} processes. Expected a multiple of {world}, two or more for each process. "
            "Change --batch"
        )
    trained = Trained(recipe, classes).to(device)
    trained.to_train(recipe)
    state, facts = path.with_name(path.stem + STATE), {"recipe": asdict(recipe), "data": settings}
    facts |= {"processes": world} if world > 1 else {}
    first, log = resumed(state, trained, trained.optimizers, json.loads(json.dumps(facts)))
    for epoch in range(first, recipe.epochs):
        started = time.perf_counter()
        for group in trained.optimizers[0].param_groups:
            group["lr"] = recipe.rate_at(epoch)
        figures = _epoch(trained, clouds, labels, recipe, size, epoch)
        average(one for one in trained.buffers() if one.is_floating_point())
        line = {"epoch": epoch + 1, "rate": recipe.rate_at(epoch), **figures}
        line |= {"seconds": round(time.perf_counter() - started, 2), "peak_mb": peak_mb()}
        log.append(line)
        if rank:
            continue
        keep(state, epoch + 1, log, trained, trained.optimizers, facts)
        if report:
            report(line)
    if rank:
        return log
    write(path, trained.classified(recipe).eval(), recipe.epochs)
    lines = [facts | {"classes": classes, "shapes": len(clouds)}, *log]
    save_whole(path.with_suffix(LOG), "".join(json.dumps(line) + "\n" for line in lines).encode(), "log")
    return log


def _checked(labels: np.ndarray, recipe: Recipe) -> int:
    classes = int(labels.max()) + 1 if len(labels) else 0
    if empty := sorted(set(range(classes)) - set(labels.tolist())):
        raise InputError(f"class {empty[0]} of {classes} has no training shape. Expected one or more. Add shapes of it")
    return Sizes(recipe.network, recipe.head, classes).classes


def _epoch(
    trained: Trained, clouds: Sequence[np.ndarray], labels: np.ndarray, recipe: Recipe, size: int, epoch: int
) -> dict[str, Any]:
    """One pass over the data. ARPL has two passes, the first one with the generator."""
    losses, right, (rank, world) = [], 0.0, processes()
    passes = (True, False) if recipe.head == "ARPL" else (False,)
    for turn, generated in enumerate(passes):
        order = np.random.default_rng([recipe.seed, epoch, turn]).permutation(len(clouds))
        steps = len(order) // size  # an incomplete last batch is not used
        for step in range(steps):
            rows = order[step * size + rank : (step + 1) * size : world]
            device = next(trained.parameters()).device
            made = batch(clouds, rows, recipe.points, recipe.augmentation, recipe.seed, len(passes) * epoch + turn)
            points, targets = torch.from_numpy(made).to(device), torch.from_numpy(labels[rows]).to(device)
            with seeded(recipe.seed, epoch, turn, step, *([rank] if world > 1 else [])):
                _start_anywhere(trained.classifier)
                loss, logits = _step(trained, points, targets, generated)
            means = torch.tensor([loss, float((logits.argmax(dim=1) == targets).sum())], dtype=torch.float64).to(device)
            average([means])
            loss, hits = means.tolist()
            if not np.isfinite(loss):
                raise InputError(
                    f"the loss of epoch {epoch + 1} is {loss}. Expected a finite loss. Give a --rate below "
                    f"{recipe.rates[0]:g}"
                )
            losses.append(loss)
            right += hits * world
    return {"loss": round(float(np.mean(losses)), 6), "accuracy": round(right / (len(losses) * size), 4)}


def _start_anywhere(network: Classifier) -> None:
    """Seed the random first centers of `pn2_torch`, for each step separately."""
    if isinstance(network.enco, PointNet2Torch):
        network.enco.start = torch.Generator().manual_seed(int(torch.randint(2**31, ())))


def _step(trained: Trained, points: Tensor, labels: Tensor, generated: bool) -> tuple[float, Tensor]:
    network, optimizer = trained.classifier, trained.optimizers[0]
    fake = _adversaries(trained, points) if generated else None
    optimizer.zero_grad()
    features, logits = network(points)
    loss = loss_of(network, features, logits, labels)
    if fake is not None:
        trained.use(generated=True)
        loss = loss + GENERATED * undecided(network(fake)[1])
        trained.use(generated=False)
    loss.backward()
    _step_together(optimizer)
    return float(loss.detach()), logits.detach()


def _step_together(optimizer: Optimizer) -> None:
    """Optimizer step with the gradients averaged over the processes."""
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    average(one.grad for one in parameters if one.grad is not None)
    optimizer.step()


def _adversaries(trained: Trained, points: Tensor) -> Tensor:
    """One step of discriminator and generator; returns generated clouds (b, n, 3) for the classifier."""
    _, generator, discriminator = trained.optimizers
    noise = torch.randn(2, len(points), 96).to(points.device)
    made, real, fake = trained.generator(noise[0]), torch.ones(len(points)), torch.zeros(len(points))
    real, fake = real.to(points.device), fake.to(points.device)
    entropy = functional.binary_cross_entropy_with_logits
    discriminator.zero_grad()
    loss = entropy(trained.discriminator(points), real) + entropy(trained.discriminator(made.detach()), fake)
    loss.backward()
    _step_together(discriminator)
    generator.zero_grad()
    trained.use(generated=True)
    hidden = entropy(trained.discriminator(made), real) + GENERATED * undecided(trained.classifier(made)[1])
    trained.use(generated=False)
    hidden.backward()
    _step_together(generator)
    with torch.no_grad():
        return trained.generator(noise[1])
