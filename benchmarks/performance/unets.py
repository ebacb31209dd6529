"""Time of the U-Nets that reconstruct tiles of surfaces, and of their matrix products alone (the bound).

    python -m benchmarks unets --sides 32 128

It measures a training step of the denoising U-Net and of competing U-Nets (CRN), and the novelty map of a tile by both.
The tiles are generated roads. For the bound, a convolution is a product with one row per output pixel, and the operands
are in the processor's cache. Work and bound alternate in one process. Times are CPU seconds of one thread, on which
other programs have little influence.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks import options
from benchmarks.performance.harness import Clock, CpuClock, Pass, Turns, machine, take_turns, versions
from benchmarks.performance.speed.products import Bound, Product, flop, products_of
from benchmarks.report.output import write_json
from openshape_ood.surfaces import CompetitiveReconstructor, UNetReconstructor
from openshape_ood.surfaces.competition import Recipe, train
from openshape_ood.synthetic.roads import road_tiles

CPU = torch.device("cpu")
CACHED = 1 << 18  # most numbers of a matrix at once, 1 MiB
STEP, MAP = "step", "map"
RECIPES = {  # the default recipes
    "U-Net": Recipe(weights=(1.0, 0.0, 0.0), margin=None, corruption="cutout"),
    "CRN": Recipe(corruption="cutout"),
}


@dataclass(frozen=True)
class Task:
    """Timed work: `count` training steps, or maps of `count` tiles."""

    name: str
    stage: str
    run: Pass
    count: int

    @property
    def bound(self) -> str:
        return f"products of {self.name}"

    def products(self) -> list[Product]:
        return products_of(self.run, [self.stage])


def tasks(side: int, width: int, units: int, batch: int, steps: int) -> list[Task]:
    """Steps and maps of both reconstructors on tiles of `side` pixels."""
    tiles, _ = road_tiles(batch, 0, size=side)
    # one step per unit, so that each unit is trained once
    known: dict[str, Any] = {"width": width, "batch": batch, "steps": units, "device": "cpu"}
    made = {"U-Net": UNetReconstructor(**known), "CRN": CompetitiveReconstructor(units, **known)}
    every = []
    for name, model in made.items():
        model.fit(tiles)
        recipe = replace(RECIPES[name], batch=batch, steps=steps)
        every += [
            Task(f"{name}, step", STEP, partial(_learn, model, tiles, recipe), steps),
            Task(f"{name}, map of a tile", MAP, partial(_map, model, tiles), batch),
        ]
    return every


def _learn(model: CompetitiveReconstructor, tiles: np.ndarray, recipe: Recipe, clock: Clock) -> None:
    train(model.units_.requires_grad_(True), torch.from_numpy(tiles), recipe, 0)
    clock.mark(STEP)


def _map(model: CompetitiveReconstructor, tiles: np.ndarray, clock: Clock) -> None:
    model.novelty(tiles)
    clock.mark(MAP)


def measure(side: int, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Record of each task: seconds and operations of one step or tile, and ratio to its bound."""
    every = tasks(side, args.width, args.units, args.batch, args.steps)
    needed = {task.name: task.products() for task in every}
    passes: dict[str, Pass] = {task.name: task.run for task in every}
    passes |= {task.bound: Bound(needed[task.name], CPU, torch.float32, CACHED) for task in every}
    clocks = {name: partial(CpuClock, of=task.count) for task in every for name in (task.name, task.bound)}
    turns = take_turns(passes, clocks, args.repeats, 0)
    return [record(task, needed[task.name], turns) | {"side": side} for task in every]


def record(task: Task, needed: Sequence[Product], turns: Turns) -> dict[str, Any]:
    seconds, bound = turns.time(task.name), turns.time(task.bound)
    gflop = flop(needed)[task.stage] / task.count / 1e9
    return {
        "task": task.name,
        "gflop": gflop,
        "seconds": seconds.as_json(),
        "products_seconds": bound.as_json(),
        "over_products": turns.ratio(task.name, task.bound).as_json(),
        "gflop_per_second": gflop / seconds.median,
        "products_gflop_per_second": gflop / bound.median,
    }


def table(results: Sequence[dict[str, Any]]) -> str:
    head = ["", "pixels", "GFLOP", "ms", "products alone, ms", "share of the bound", "GFLOP/s", "of the products"]
    rows = []
    for one in results:
        times = [f"{1000 * one[key]['median']:.2f}" for key in ("seconds", "products_seconds")]
        share = f"{1 / one['over_products']['median']:.0%}"
        rates = [f"{one[key]:.0f}" for key in ("gflop_per_second", "products_gflop_per_second")]
        rows.append([one["task"], f"{one['side']}²", f"{one['gflop']:.3f}", *times, share, *rates])
    return options.grid(head, rows)


def run(args: argparse.Namespace) -> None:
    options.check(args, sides=32, width=1, units=2, batch=2, steps=1)
    torch.set_num_threads(1)
    before = machine()
    results = [one for side in args.sides for one in measure(side, args)]
    about = f"{args.width} channels on the first level, batches of {args.batch}, CRN of {args.units} units"
    print(f"{about}, one thread, CPU time, medians of {args.repeats}\n\n{table(results)}")
    settings = {name: getattr(args, name) for name in ("sides", "width", "units", "batch", "steps", "repeats")}
    report = {"benchmark": "unets", "settings": settings, "machine": before, "versions": versions("torch", "numpy")}
    print(f"\n{write_json(args.out / f'unets{options.suffix(args)}.json', report | {'results': results})}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = options.parser("unets", "time of steps and maps of U-Nets, and of their matrix products", repeats=5)
    options.add_numbers(
        parser, sides=([32, 128], "pixels per side of a tile"), width=(16, "channels of the first level"),
        units=(4, "units of CRN"), batch=(16, "tiles per step"), steps=(4, "steps per turn"),
    )  # fmt: skip
    return options.run(parser, run, argv)
