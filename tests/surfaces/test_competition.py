"""The step of two competing units, who meets whom, the ranking, and the guard against divergence."""

from __future__ import annotations

import copy
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from openshape_ood.errors import FileError, InputError
from openshape_ood.surfaces import competition
from openshape_ood.surfaces.competition import (
    Ranking,
    Recipe,
    StepLosses,
    batches,
    competition_step,
    cut_out,
    discriminator_loss,
    drawn_boxes,
    generator_loss,
    meetings,
    train,
)
from openshape_ood.surfaces.tokens import TokenUnit

PUBLISHED = (0.5, 1.0, 2.0)


def small_units(n: int, seed: int = 0) -> nn.ModuleList:
    torch.manual_seed(seed)
    return nn.ModuleList(nn.Sequential(nn.Conv2d(2, 4, 3, 1, 1), nn.Conv2d(4, 2, 1), nn.Tanh()) for _ in range(n))


def tiles(t: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.rand(t, 2, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def gradients(unit: nn.Module) -> list[torch.Tensor]:
    return [torch.zeros_like(one) if one.grad is None else one.grad.clone() for one in unit.parameters()]


def test_each_loss_reaches_its_own_unit_only() -> None:
    """C4."""
    units, x = small_units(2), tiles()
    for which, reached in (("generator", 0), ("discriminator", 1)):
        units.zero_grad()
        losses = competition_step(units, 0, 1, x, x, PUBLISHED)
        # of the first ordering: unit 0 generates, unit 1 judges
        getattr(losses, which)[reached].backward()
        assert all(one.abs().max() > 0 for one in gradients(units[reached]))
        assert all(not one.any() for one in gradients(units[1 - reached]))


def test_the_gradient_of_feedback_is_its_sign() -> None:
    """C4."""
    y = tiles(1).requires_grad_()
    target = tiles(1, seed=1).requires_grad_()
    generator_loss(tiles(1, seed=2), y, target, (0.0, 1.0, 0.0)).backward()
    assert torch.equal(y.grad, torch.sign(y - target).detach() / y.numel()) and target.grad is None
    discriminator_loss(y, target, (0.0, 0.0, 2.0)).backward()
    assert torch.equal(target.grad, -2 * torch.sign(target - y).detach() / y.numel())


def test_a_margin_bounds_the_gain() -> None:
    y, near, far = torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.1), torch.full((1, 1, 2, 2), 0.9)
    assert discriminator_loss(y, near, PUBLISHED, 0.2).item() == pytest.approx(0.2)
    assert discriminator_loss(y, far, PUBLISHED, 0.2).item() == 0
    assert discriminator_loss(y, far, PUBLISHED).item() == pytest.approx(4 - 1.8)


def test_without_competition_it_is_plain_training() -> None:
    """C5."""
    units, x = small_units(2), tiles(4)
    alone = copy.deepcopy(units[1])
    rows = next(batches(4, 16, np.random.default_rng([3, 2])))
    recipe = Recipe(weights=(1.0, 0.0, 0.0), corruption=None, steps=1)
    train(units, x, recipe, 3)
    optimizer = torch.optim.Adam(alone.parameters(), lr=recipe.rate)
    (x[rows] - alone(x[rows])).abs().mean().backward()
    optimizer.step()
    for own, plain in zip(units[1].parameters(), alone.parameters(), strict=True):
        assert (own - plain).abs().max() < 1e-5


def test_what_is_not_seen_takes_no_part() -> None:
    seen = torch.ones(6, 1, 8, 8, dtype=torch.bool)
    seen[:, :, 5:] = False
    one, other = tiles() * seen, tiles() * seen + 0.5 * ~seen
    found = [competition_step(small_units(2), 0, 1, x, one, PUBLISHED, seen=seen).total.item() for x in (one, other)]
    assert found[0] == found[1]


def test_every_unit_meets_others_as_often() -> None:
    for n, way in ((4, "round-robin"), (5, "round-robin"), (4, "random")):
        pairs = list(islice(meetings(n, way, np.random.default_rng(0)), 200))
        counts = np.bincount(np.ravel(pairs), minlength=n)
        assert all(i != j for i, j in pairs) and counts.sum() == 400
        assert np.ptp(counts) <= (0 if n == 4 and way == "round-robin" else 40)
    assert list(islice(meetings(1, "random", np.random.default_rng(0)), 2)) == [(0, 0), (0, 0)]


def test_a_unit_never_trained_is_never_the_best() -> None:
    """C15."""
    ranking = Ranking(3)
    for pair, reconstruction, discrimination in (((0, 2), (0.5, 0.3), (-0.2, -0.1)), ((2, 0), (0.4, 0.6), (0.0, -0.3))):
        values = [tuple(map(torch.tensor, one)) for one in (reconstruction, discrimination)]
        ranking.add(pair, StepLosses(values[0], values[0], *values))
    assert ranking.trained == [0, 2] and ranking.best == (2, 2)
    units = small_units(3)
    before = copy.deepcopy(units.state_dict())
    history, ranking = train(units, tiles(), Recipe(corruption=None, steps=1), 0)
    assert len(ranking.trained) == 2 and set(ranking.best) <= set(history[0]["units"])
    idle = ({0, 1, 2} - set(ranking.trained)).pop()
    assert all(torch.equal(one, before[key]) for key, one in units.state_dict().items() if key.startswith(f"{idle}."))


def test_boxes_are_cut_out() -> None:
    x = torch.zeros(40, 2, 32, 32)
    found = cut_out(x, drawn_boxes(x.shape, np.random.default_rng(0)))
    changed = (found != 0).all(dim=1).sum(dim=(1, 2))
    assert not x.any() and found.abs().max() <= 1 and 8 <= (changed > 0).sum() <= 32
    assert ((changed[changed > 0] >= 36) & (changed[changed > 0] <= 72)).all()
    assert torch.equal(found, cut_out(x, drawn_boxes(x.shape, np.random.default_rng(0))))


def test_the_same_seed_gives_the_same_training() -> None:
    """C21, of the loop."""
    runs = [train(small_units(3), tiles(), Recipe(steps=5, batch=4), 7)[0] for _ in range(2)]
    assert runs[0] == runs[1] and [record["step"] for record in runs[0]] == [1, 2, 3, 4, 5]


class StoppedError(Exception):
    """A training that was killed."""


@pytest.mark.parametrize("every", [0.0, 1e9])  # a state each step, or the first alone
@pytest.mark.parametrize(
    ("optimizer", "dropout"), [("adam", 0.0), ("radam", 0.5), ("nadam", 0.0), ("rmsprop", 0.0), ("sgd", 0.0)]
)
def test_a_training_that_was_stopped_goes_on_to_the_same_numbers(
    optimizer: str, dropout: float, every: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(competition, "SPARED", every)
    recipe = Recipe(steps=9, batch=4, optimizer=optimizer, rate_schedule="cosine")

    def run(state: Path | None = None, until: int | None = None) -> tuple[nn.ModuleList, Any, Any]:
        units = small_units(3)
        if dropout:
            units = nn.ModuleList(nn.Sequential(one, nn.Dropout(dropout)) for one in units)
        units.to(memory_format=torch.channels_last)
        steps = []

        def report(record: Any) -> None:
            steps.append(record["step"])
            if record["step"] == until:
                raise StoppedError

        found = train(units, tiles(), recipe, 7, report=report, state=state)
        assert steps == [*range(1, 10)]
        return (units, *found)

    whole, history, ranking = run()
    for stop in (2, 6, 7):
        with pytest.raises(StoppedError):
            run(tmp_path / "state.safetensors", stop)
    for _ in range(2):  # the second time there is nothing left to do
        resumed, again, places = run(tmp_path / "state.safetensors")
        assert again == history and places.best == ranking.best
        np.testing.assert_array_equal(places.discrimination, ranking.discrimination)
        assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


@pytest.mark.parametrize("other", ["recipe", "seed", "tiles", "units"])
def test_the_state_of_another_training_is_refused(other: str, tmp_path: Path) -> None:
    state, recipe = tmp_path / "state.safetensors", Recipe(steps=2, batch=4)
    train(small_units(2), tiles(), recipe, 7, state=state)
    changed = {"recipe": Recipe(steps=2, batch=3), "seed": 8, "tiles": tiles(seed=1), "units": small_units(2, 1)}
    given = {"units": small_units(2), "tiles": tiles(), "recipe": recipe, "seed": 7, other: changed[other]}
    with pytest.raises(InputError, match="other settings or data"):
        train(**given, state=state)
    state.write_bytes(b"no state")
    with pytest.raises(FileError):
        train(small_units(2), tiles(), recipe, 7, state=state)


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"weights": (0.0, 1.0, 1.0)}, "Expected three numbers: the first above 0"),
        ({"weights": None}, "weights are of type object"),
        ({"margin": 0.0}, "margin is 0.0"),
        ({"optimizer": "lion"}, "unknown optimizer 'lion'"),
        ({"steps": 0}, "steps is 0"),
    ],
)
def test_other_recipes_are_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        train(small_units(2), tiles(), Recipe(**settings), 0)


def curved_tokens(seed: int, m: int = 4096, width: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    places = rng.uniform(-1, 1, (m, 3))
    rows = np.tanh(
        rng.standard_normal((m, 8)) @ rng.standard_normal((8, width)) / 2 + places @ rng.normal(0, 1, (3, width))
    )
    rows = (rows - rows.mean(0)) / rows.std(0)
    return torch.from_numpy(rows.astype(np.float32)), torch.from_numpy(places.astype(np.float32))


@pytest.mark.slow
def test_competition_without_a_bound_diverges_and_is_stopped(tmp_path: Path) -> None:
    """C7."""
    rows, places = curved_tokens(0)
    for margin in (0.2, None):
        torch.manual_seed(0)
        units = nn.ModuleList(TokenUnit(64, 128, 12) for _ in range(4))
        recipe = Recipe(weights=PUBLISHED, margin=margin, corruption=None, steps=600, batch=512)
        seen = list[float]()

        def report(record: dict[str, float], seen: list[float] = seen) -> None:
            seen.append(record["reconstruction"])

        if margin is None:
            with pytest.raises(InputError, match=r"the training diverges.*a margin"):
                train(units, rows, recipe, 0, state=tmp_path / "state.safetensors", context=(places,), report=report)
            assert len(seen) < 600 and max(seen) < 100 and not list(tmp_path.iterdir())
        else:
            train(units, rows, recipe, 0, context=(places,), report=report)
            assert len(seen) == 600 and np.isfinite(seen).all() and seen[-1] < 1
        print(margin, len(seen), seen[-1], max(seen))
