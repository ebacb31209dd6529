"""Time of sparse convolution beside the matrix products that it cannot do without, and beside the plain way.

    python -m benchmarks sparse --voxels 100000 --width 32 --model lground-34c --network-voxels 40000

The scan is made up: a room of floor, walls and boxes, on which a voxel has about as many neighbors as in real ones.
The bound is the products alone, on as many rows a cell of the kernel as meet there, gathered beforehand. The plain way
searches all 27 neighbors and leaves the backward to autograd. CPU seconds, the least of so many turns.

    python -m benchmarks sparse --device cuda --spconv --model lground-34d

times the whole network on a GPU by torch and by spconv, in turns, and says how far apart their embeddings are.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks import options
from benchmarks.performance.harness import Clock, CpuClock, CudaClock, machine, take_turns, versions
from benchmarks.performance.networks import made_up_weights
from benchmarks.report.output import write_json
from openshape_ood.encoders.devices import exact, find_device
from openshape_ood.registry import ARCHITECTURES, find_checkpoint, list_checkpoints
from openshape_ood.scenes.sparse.convolution import convolve
from openshape_ood.scenes.sparse.grid import Grid, KernelMap
from openshape_ood.scenes.sparse.on_spconv import SpconvGrid, load_spconv

BOXES = 60


def made_up_room(voxels: int) -> Tensor:
    """About so many voxels (v, 4) of a floor, four walls and boxes."""
    rng = np.random.default_rng(0)
    side = max(8, round((voxels / 5.6) ** 0.5))

    def surface(low: np.ndarray, size: np.ndarray) -> np.ndarray:
        cells = np.stack(np.meshgrid(*[np.arange(n) for n in size], indexing="ij"), -1).reshape(-1, 3)
        return low + cells[((cells == 0) | (cells == size - 1)).any(axis=1)]

    parts = [surface(np.zeros(3, dtype=int), np.array([side, side, max(4, side // 2)]))]
    for size in rng.integers(max(2, side // 30), max(3, side // 8), (BOXES, 3)):
        parts.append(surface(np.append(rng.integers(0, side - size[:2]), 1), size))
    cells = np.unique(np.concatenate(parts), axis=0)
    return torch.from_numpy(np.pad(rng.permutation(cells), ((0, 0), (1, 0))))


def plain_map(grid: Grid) -> KernelMap:
    """All 27 cells searched one by one, the center too."""
    pairs, last = list[tuple[int, Tensor, Tensor]](), len(grid) - 1
    for cell in range(27):
        x, y, z = cell % 3 - 1, cell // 3 % 3 - 1, cell // 9 - 1
        wanted = grid.keys + (x + y * grid.steps[0] + z * grid.steps[1])
        at = torch.searchsorted(grid.keys, wanted).clamp(max=last)
        own = (grid.keys[at] == wanted).nonzero()[:, 0]
        pairs.append((cell, own, at[own]))
    return KernelMap(len(grid), tuple(pairs))


def plain_convolve(x: Tensor, kernel: Tensor, where: KernelMap) -> Tensor:
    out = x.new_zeros(where.rows, kernel.shape[2])
    for cell, rows, others in where.pairs:
        out = out.index_add(0, rows, x[others] @ kernel[cell])
    return out


def products(grid: Grid, kernel: Tensor, backward: bool) -> Callable[[], None]:
    """The matrix products of a convolution, or of one with its backward, of rows that lie ready."""
    rows = [len(grid), *(len(rows) for _, rows, _ in grid.neighbors(3).pairs)]
    x, grad = torch.randn(len(grid), kernel.shape[1]), torch.randn(len(grid), kernel.shape[2])

    def multiply() -> None:
        for n in rows:
            x[:n] @ kernel[0]
            if backward:
                grad[:n] @ kernel[0].T
                x[:n].T @ grad[:n]

    return multiply


def seconds(call: Callable[[], Any], repeats: int) -> float:
    """CPU seconds, the least of so many turns after one that does not count."""
    found = []
    for _ in range(repeats + 1):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found[1:])


def measure_convolution(voxels: int, width: int, repeats: int) -> dict[str, Any]:
    """Seconds of search, forward, and forward with backward: ours, the bound, the plain way."""
    grid, _ = Grid.of(made_up_room(voxels))
    stream = torch.Generator().manual_seed(0)
    x, kernel = torch.randn(len(grid), width, generator=stream), torch.randn(27, width, width, generator=stream)
    ways = {"ours": (convolve, grid.neighbors(3)), "plain": (plain_convolve, plain_map(grid))}

    def search() -> None:
        Grid(grid.cells, grid.keys, grid.steps).neighbors(3)

    found = {"ours": {"search": seconds(search, repeats)}, "bound": {"search": 0.0}}
    found["plain"] = {"search": seconds(lambda: plain_map(grid), repeats)}
    for both, what in ((False, "forward"), (True, "forward and backward")):
        found["bound"][what] = seconds(products(grid, kernel, both), repeats)
        for name, (way, where) in ways.items():
            inputs = [x.clone().requires_grad_(both), kernel.clone().requires_grad_(both)]

            def run(way: Any = way, where: KernelMap = where, inputs: Any = inputs, both: bool = both) -> None:
                out = way(*inputs, where)
                if both:
                    torch.autograd.grad(out.sum(), inputs)

            found[name][what] = seconds(run, repeats)
    pairs = len(grid) + sum(len(rows) for _, rows, _ in grid.neighbors(3).pairs)
    return {"voxels": len(grid), "pairs_a_voxel": pairs / len(grid), "width": width, "seconds": found}


def measure_network(model: str, voxels: int, repeats: int, device: str, spconv: bool) -> dict[str, Any]:
    """Seconds of a network of the registry with made-up weights, neighbors included, and how many times as long torch
    takes as spconv: medians, and the relative difference of their embeddings."""
    row, target = find_checkpoint(model, kinds=("points",)), find_device(device)
    if spconv:
        load_spconv(target)
    coords = made_up_room(voxels).to(target)
    with torch.device("meta"):
        network: Any = ARCHITECTURES[row.architecture].build(row.sizes)
    network.load_state_dict(made_up_weights(row), assign=True)
    network.eval().to(target)
    x, found = (torch.rand(len(coords), row.sizes.channels) - 0.5).to(target), dict[str, Tensor]()

    def run(name: str, clock: Clock) -> None:
        with torch.inference_mode(), exact(target):
            grid, _ = Grid.of(coords)
            found[name] = network(x, grid if name == "torch" else SpconvGrid.of(grid))
        clock.mark("network")

    names = ("torch", "spconv") if spconv else ("torch",)
    clock = CudaClock if target.type == "cuda" else CpuClock
    turns = take_turns({name: partial(run, name) for name in names}, dict.fromkeys(names, clock), repeats, 0)
    told = {"model": model, "voxels": len(coords), "device": str(target), "clock": clock.__name__}
    told |= {"seconds": {name: turns.time(name).as_json() for name in names}}
    if spconv:
        apart = float((found["torch"] - found["spconv"]).norm() / found["torch"].norm())
        told |= {"ratio": turns.ratio("torch", "spconv").as_json(), "apart": apart}
    return told


def run(args: argparse.Namespace) -> None:
    options.check(args, voxels=1, width=1, network_voxels=0)
    torch.set_num_threads(args.threads)
    convolution = measure_convolution(args.voxels, args.width, args.repeats)
    about = f"{convolution['voxels']:,} voxels, {convolution['pairs_a_voxel']:.1f} pairs a voxel"
    print(f"3 x 3 x 3 on {about}, {args.width} -> {args.width} channels, {args.threads} threads, CPU seconds\n")
    head = ["", "search", "forward", "forward and backward"]
    rows = [[name, *(f"{times[key]:.3f}" for key in head[1:])] for name, times in convolution["seconds"].items()]
    print(options.grid(head, rows))
    network = None
    if args.network_voxels:
        network = measure_network(args.model, args.network_voxels, args.repeats, args.device, args.spconv)
        times = ", ".join(f"{name} {one['median']:.3f}" for name, one in network["seconds"].items())
        print(f"\n{args.model}, made-up weights, {network['voxels']:,} voxels, seconds on {network['device']}: {times}")
        if args.spconv:
            print(f"torch takes {network['ratio']['median']:.2f} times as long; {network['apart']:.1e} apart")
    found = {"benchmark": "sparse", "convolution": convolution, "network": network, "threads": args.threads}
    found |= {"machine": machine(), "versions": versions("torch", "numpy")}
    print(f"\n{write_json(args.out / f'sparse{options.suffix(args)}.json', found)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table and write the JSON: 0 when done, 1 when the input was wrong."""
    parser = options.parser(
        "sparse", "time of sparse convolution beside its bound", "threads", "import", repeats=3, device="cpu"
    )
    parser.add_argument("--voxels", type=int, default=100_000)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--model", choices=list_checkpoints(kind="points"), default="lground-34c")
    parser.add_argument("--network-voxels", type=int, default=40_000, help="0 leaves the network out")
    parser.add_argument("--spconv", action="store_true", help="time the network by spconv as well")
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))
