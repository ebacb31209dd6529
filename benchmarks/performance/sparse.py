"""Time of sparse convolution, of its bound (matrix products alone), and of a plain implementation.

    python -m benchmarks sparse --voxels 100000 --width 32

The scan is a simulated room of floor, walls and boxes. Its voxels have about as many neighbors as those of real scans.
The bound computes only the matrix products of each kernel cell, on rows that are already gathered. The plain
implementation searches all 27 neighbors and uses autograd. Times are the smallest CPU seconds over the repeats.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks import options
from benchmarks.performance.harness import least_seconds, machine, versions
from benchmarks.report.output import write_json
from openshape_ood.scenes.sparse.convolution import convolve
from openshape_ood.scenes.sparse.grid import Grid, KernelMap

BOXES = 60


def made_up_room(voxels: int) -> Tensor:
    """Voxels (v, 4) of floor, four walls and boxes; v is approximately `voxels`."""
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
    """Kernel map by a separate search of all 27 cells, including the center."""
    pairs, last = list[tuple[int, Tensor, Tensor]](), len(grid) - 1
    for cell in range(27):
        x, y, z = cell % 3 - 1, cell // 3 % 3 - 1, cell // 9 - 1
        wanted = grid.keys + (x + y * grid.steps[0] + z * grid.steps[1])
        at = torch.searchsorted(grid.keys, wanted).clamp(max=last)
        rows = (grid.keys[at] == wanted).nonzero()[:, 0]
        pairs.append((cell, rows, at[rows]))
    return KernelMap(len(grid), tuple(pairs))


def plain_convolve(x: Tensor, kernel: Tensor, where: KernelMap) -> Tensor:
    out = x.new_zeros(where.rows, kernel.shape[2])
    for cell, rows, others in where.pairs:
        out = out.index_add(0, rows, x[others] @ kernel[cell])
    return out


def products(grid: Grid, kernel: Tensor, backward: bool) -> Callable[[], None]:
    """Function that computes only the matrix products of a convolution, and optionally those of its backward pass."""
    rows = [len(grid), *(len(rows) for _, rows, _ in grid.neighbors(3).pairs)]
    x, grad = torch.randn(len(grid), kernel.shape[1]), torch.randn(len(grid), kernel.shape[2])

    def multiply() -> None:
        for n in rows:
            x[:n] @ kernel[0]
            if backward:
                grad[:n] @ kernel[0].T
                x[:n].T @ grad[:n]

    return multiply


def measure_convolution(voxels: int, width: int, repeats: int) -> dict[str, Any]:
    """Seconds of neighbor search, forward pass, and forward with backward pass: ours, the bound, the plain way."""
    grid, _ = Grid.of(made_up_room(voxels))
    stream = torch.Generator().manual_seed(0)
    x, kernel = torch.randn(len(grid), width, generator=stream), torch.randn(27, width, width, generator=stream)
    ways = {"ours": (convolve, grid.neighbors(3)), "plain": (plain_convolve, plain_map(grid))}

    def search() -> None:
        Grid(grid.cells, grid.keys, grid.steps).neighbors(3)

    times = {"ours": {"search": least_seconds(search, repeats)}, "bound": {"search": 0.0}}
    times["plain"] = {"search": least_seconds(lambda: plain_map(grid), repeats)}
    for both, what in ((False, "forward"), (True, "forward and backward")):
        times["bound"][what] = least_seconds(products(grid, kernel, both), repeats)
        for name, (way, where) in ways.items():
            inputs = [x.clone().requires_grad_(both), kernel.clone().requires_grad_(both)]

            def run(way: Any = way, where: KernelMap = where, inputs: Any = inputs, both: bool = both) -> None:
                out = way(*inputs, where)
                if both:
                    torch.autograd.grad(out.sum(), inputs)

            times[name][what] = least_seconds(run, repeats)
    pairs = len(grid) + sum(len(rows) for _, rows, _ in grid.neighbors(3).pairs)
    return {"voxels": len(grid), "pairs_a_voxel": pairs / len(grid), "width": width, "seconds": times}


def run(args: argparse.Namespace) -> None:
    options.check(args, voxels=1, width=1)
    torch.set_num_threads(args.threads)
    convolution = measure_convolution(args.voxels, args.width, args.repeats)
    about = f"{convolution['voxels']:,} voxels, {convolution['pairs_a_voxel']:.1f} pairs per voxel"
    print(f"3 x 3 x 3 on {about}, {args.width} -> {args.width} channels, {args.threads} threads, CPU seconds\n")
    head = ["", "search", "forward", "forward and backward"]
    rows = [[name, *(f"{times[key]:.3f}" for key in head[1:])] for name, times in convolution["seconds"].items()]
    print(options.grid(head, rows))
    report = {"benchmark": "sparse", "convolution": convolution, "threads": args.threads}
    report |= {"machine": machine(), "versions": versions("torch", "numpy")}
    print(f"\n{write_json(args.out / f'sparse{options.suffix(args)}.json', report)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    about = "time of sparse convolution and of its bound"
    parser = options.parser("sparse", about, "threads", repeats=3)
    options.add_numbers(parser, voxels=(100_000, "approximate number of voxels"), width=(32, "channels"))
    return options.run(parser, run, argv)
