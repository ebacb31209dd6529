"""`python -m benchmarks pairs`: speed of comparators.

First the pairs per second of the relation network, and of its bound: only the matrix products of its linear layers.
Then the time of every family to score random embeddings of shapes against the mean examples of classes. Times are CPU
seconds, medians over turns.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks import options
from benchmarks.performance.harness import Clock, CpuClock, machine, take_turns, versions
from benchmarks.report.output import write_json
from openshape_ood.comparison.families import FAMILIES
from openshape_ood.comparison.network import PAIRS_AT_ONCE, Relation
from openshape_ood.comparison.training import Recipe, fit_comparator
from openshape_ood.encoders.protocols import ANONYMOUS
from openshape_ood.known import KnownClasses
from openshape_ood.scoring import judge

CHUNKS = 8  # batches of pairs per turn
PER_CLASS = 5


def made_up(classes: int, dim: int, seed: int = 0) -> KnownClasses:
    """Random examples of `classes` classes."""
    labels = np.repeat(np.arange(classes), PER_CLASS)
    rows = np.random.default_rng(seed).standard_normal((len(labels), dim))
    return KnownClasses.from_embeddings(rows, [f"class {i}" for i in labels], ANONYMOUS)


def products(network: Relation) -> Callable[[], None]:
    """Function that computes the matrix products of the network's linear layers for `PAIRS_AT_ONCE` pairs.

    The last block needs only the class token, except in the layer of queries, keys and values.
    """
    jobs = []
    for block in network.blocks:
        for name, layer in block.named_modules():
            if isinstance(layer, nn.Linear):
                tokens = 1 if block is network.blocks[-1] and name != "attn.qkv" else 3
                jobs.append((torch.randn(tokens * PAIRS_AT_ONCE, layer.in_features), layer.weight.T))

    def multiply() -> None:
        with torch.inference_mode():
            for rows, matrix in jobs:
                rows @ matrix

    return multiply


def measured(args: argparse.Namespace) -> dict[str, Any]:
    base, known = made_up(20, args.dim, 1), made_up(args.classes, args.dim)
    recipe = Recipe(args.width, args.depth, args.heads, steps=1, pairs=16)
    how: dict[str, dict[str, Any]] = {"relation": {"recipe": recipe}, "metric": {"pairs": 200}}
    made = {family: fit_comparator(base, family, **how.get(family, {})) for family in FAMILIES}
    network: Any = made["relation"].similarity
    rows = np.random.default_rng(2).standard_normal((args.shapes, args.dim))
    some, bound = rows[: CHUNKS * 32], products(network.network)
    anchors = np.resize(rows, (PAIRS_AT_ONCE // 32, args.dim))
    pairs = len(some) * len(anchors)

    def compare(clock: Clock) -> None:
        network.between(some, anchors)
        clock.mark("relation")

    def multiply(clock: Clock) -> None:
        for _ in range(pairs // PAIRS_AT_ONCE):
            bound()
        clock.mark("products")

    def score(family: str, clock: Clock) -> None:
        judge(rows, known, made[family])
        clock.mark(family)

    passes = {"relation": compare, "products": multiply}
    turns = take_turns(passes, dict.fromkeys(passes, CpuClock), args.repeats, 0)
    scored = {family: partial(score, family) for family in FAMILIES}
    whole = take_turns(scored, dict.fromkeys(scored, CpuClock), args.repeats, 0)
    return {
        "pairs": pairs,
        "seconds": {name: turns.time(name).as_json() for name in passes},
        "times_the_products": turns.ratio("relation", "products").as_json(),
        "scored": {family: whole.time(family).as_json() for family in FAMILIES},
    }


def run(args: argparse.Namespace) -> None:
    options.check(args, shapes=CHUNKS * 32, classes=1, dim=2, width=1, depth=1, heads=1)
    torch.set_num_threads(args.threads)
    report = measured(args)
    rates = [f"{report['pairs'] / report['seconds'][name]['median']:,.0f}" for name in ("relation", "products")]
    times = report["times_the_products"]["median"]
    print(f"pairs per second: relation network {rates[0]}, its products alone {rates[1]} ({times:.2f} times as fast)\n")
    lines = [(family, f"{one['median']:.2f}") for family, one in report["scored"].items()]
    print(options.grid((f"{args.shapes:,} shapes, {args.classes} classes", "CPU seconds"), lines))
    settings = {key: getattr(args, key) for key in ("shapes", "classes", "dim", "width", "depth", "heads", "threads")}
    report |= {"settings": settings, "machine": machine(), "versions": versions("torch", "numpy")}
    print(f"\n{write_json(args.out / f'pairs{options.suffix(args)}.json', report)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = options.parser("pairs", "speed of comparators", "threads", repeats=3)
    options.add_numbers(
        parser, shapes=(10_000, "shapes to score"), classes=(40, "known classes"), dim=(512, "numbers per embedding"),
        width=(128, "width of the relation network"), depth=(2, "blocks of the relation network"),
        heads=(4, "attention heads of the relation network"),
    )  # fmt: skip
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))
