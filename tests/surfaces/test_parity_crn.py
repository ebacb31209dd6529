"""Competitive Reconstruction Networks against their published code, through the real loader.

Where the environment variable OPENSHAPE_OOD_PARITY names a folder with `crn_golden.npz`, `make_more.py` and
`crn_keys.json`, slow tests compare all of it; `seed` in it, 0 where there is none, is that of weights and inputs.
`python tests/surfaces/test_parity_crn.py` prints all differences.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
import golden

from openshape_ood.encoders.devices import exact
from openshape_ood.surfaces import CompetitiveReconstructor, read_published
from openshape_ood.surfaces.competition import competition_step, discriminator_loss, distance, generator_loss
from openshape_ood.surfaces.reconstructor import pooled

GOLDEN = "crn_golden.npz"
pytestmark = [pytest.mark.slow, golden.needs(GOLDEN)]
pack, seed = partial(golden.arrays, GOLDEN), partial(golden.seed_of, GOLDEN)
Differences = Iterator[tuple[str, float, float]]
VARIANTS = ("improved128", "improved64", "plain128", "plain64")
WEIGHTS = (0.5, 1.0, 2.0)


@cache
def make() -> Any:
    sys.path.insert(0, golden.FOLDER)
    return importlib.import_module("make_more")


def parts(variant: str) -> tuple[str, int]:
    """ "improved128": its name and side."""
    name = variant.rstrip("0123456789")
    return name, int(variant.removeprefix(name))


def read(variant: str, **changes: Any) -> CompetitiveReconstructor:
    name, size = parts(variant)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "epoch=0-step=2.ckpt")
        torch.save(make().crn_checkpoint(name, size, seed=seed()), path)
        return read_published(path, device="cpu", **changes)


def apart(name: str, found: object) -> float:
    """The largest absolute difference from the golden array."""
    golden, values = pack()[name], np.asarray(found)
    assert values.shape == golden.shape, f"{name}: {values.shape}, expected {golden.shape}"
    return float(np.abs(values.astype(np.float64) - golden.astype(np.float64)).max())


def relative(name: str, found: Any) -> float:
    """The length of the difference, by that of the golden array."""
    golden = pack()[name].astype(np.float64)
    return float(np.linalg.norm(np.asarray(found, dtype=np.float64) - golden) / np.linalg.norm(golden))


def of_outputs(variant: str) -> Differences:
    """C3, C23, C24."""
    made, x = read(variant), make().rasters(seed(), parts(variant)[1])
    with torch.no_grad(), exact(torch.device("cpu")):
        y = made.units_[0](torch.from_numpy(x))
        yield "generated", relative(f"{variant}/generated", y), 1e-5
        if f"{variant}/answered" in pack():
            yield "answered", relative(f"{variant}/answered", made.units_[1](y)), 2e-5
    maps = {
        way: made.set_params(residual=own).novelty(x) for way, own in (("validation", "answer"), ("inference", "chain"))
    }
    for way, found in maps.items():
        yield f"{way}_map", apart(f"{variant}/{way}_map", found / 2), 1e-5
        yield f"{way}_score", apart(f"{variant}/{way}_score", pooled(found, "mean")), 2e-6
    assert np.abs(maps["validation"] - maps["inference"]).max() > 0.1, "the conventions are one"


def of_given() -> Differences:
    """C25, of given outputs."""
    x, y, d, r = (torch.from_numpy(one) for one in make().step_outputs(seed()))
    y.requires_grad_(), d.requires_grad_()
    generator, discriminator = generator_loss(x, y, d, WEIGHTS), discriminator_loss(y, d, WEIGHTS)
    (generator + discriminator).backward()
    yield "generator_loss", apart("given/generator_loss", generator.item()), 1e-6
    yield "discriminator_loss", apart("given/discriminator_loss", discriminator.item()), 1e-6
    yield "reconstruction", apart("given/reconstruction", distance(x, y).item()), 1e-6
    yield "discrimination", apart("given/discrimination", (distance(y, d) - distance(x, r)).item()), 1e-6
    for name, one in (("gradient_of_generated", y), ("gradient_of_answer", d)):
        assert one.grad is not None
        yield name, apart(f"given/{name}", one.grad[:1, :1]), 1e-8


def of_step() -> Differences:
    """C25, of a step."""
    units = read("improved64").units_.train().requires_grad_(True)
    x = torch.from_numpy(make().rasters(seed(), 64))
    with exact(torch.device("cpu")):
        losses = competition_step(units, 0, 1, x, x, WEIGHTS)
        losses.total.backward()
    g, d = ([one.item() for one in getattr(losses, name)] for name in ("generator", "discriminator"))
    yield "losses", apart("step/losses", [g[0], d[1], g[1], d[0]]), 2e-6
    yield "unit_losses", apart("step/unit_losses", [g[0] + d[0] - 4, g[1] + d[1] - 4]), 5e-6
    for name in ("reconstruction", "discrimination"):
        yield name, apart(f"step/{name}", [one.item() for one in getattr(losses, name)]), 5e-6
    norms = [float(one.grad.norm()) for unit in units for one in unit.parameters() if one.grad is not None]
    yield "gradient_norms", relative("step/gradient_norms", norms), 1e-3


PARTS: dict[str, Callable[[], Differences]] = {name: (lambda own=name: of_outputs(own)) for name in VARIANTS}
PARTS |= {"given": of_given, "step": of_step}


@pytest.mark.parametrize("part", PARTS)
def test_parity_crn(part: str) -> None:
    """C3, C23 to C25."""
    for name, difference, tolerance in PARTS[part]():
        print(f"{part} {name} {difference:.1e}")
        assert difference <= tolerance, f"{part} {name}: {difference:.1e}, at most {tolerance}"


def main() -> None:
    for part, differences in PARTS.items():
        for name, difference, tolerance in differences():
            print(f"{part:12} {name:24} {difference:.1e}   {tolerance:g}", flush=True)


if __name__ == "__main__":
    main()
