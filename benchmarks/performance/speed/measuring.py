"""Measurement of one cell (model, precision, batch size): times in turns, and peak memory of each contender."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.performance.harness import Clock, CpuClock, CudaClock, Pass, Quartiles, Turns, apart, memory, take_turns
from benchmarks.performance.networks import made_up_encoder, made_up_weights
from benchmarks.performance.speed import contenders, products
from benchmarks.performance.speed.baselines import Reference
from benchmarks.performance.speed.contenders import DTYPES, PLAIN_WAYS, exact, staged
from openshape_ood.encoders.shape_encoder import Precision
from openshape_ood.errors import InputError, OpenShapeError
from openshape_ood.registry import Row, find_checkpoint

OURS, PLAIN, REFERENCE, BOUND, FILES = "ours", "plain", "reference", "bound", "files"
CHECKED = 4  # most clouds for which the agreement is checked
FEW = 1024  # points of the warm-up; more than patches, as the reference requires
GROUPING = ("sample", "group")  # stages without layers


@dataclass(frozen=True)
class Settings:
    """Settings of a cell. points: None for the number of the model's training."""

    device: str
    threads: int
    points: int | None
    repeats: int | None
    seconds: float
    reference: str  # folder of a checkout, or ""
    memory: bool
    registry: str | None = None
    plain: bool = True
    cpu_seconds: bool = False

    def row(self, model: str) -> Row:
        """The registry row of a model. Raises `InputError` for an ensemble."""
        row = find_checkpoint(model, self.registry)
        if row.members:
            alone = " ".join(member.name for member in row.members)
            raise InputError(f"--model is the ensemble {model}; expected single networks: --model {alone}")
        return row


@dataclass(frozen=True)
class Cell:
    """Measurements of one cell: times of each turn, agreement, operations, bytes."""

    model: str
    precision: str
    batch: int
    points: int
    turns: Turns
    agreement: contenders.Agreement | None
    flop: Mapping[str, Mapping[str, int]]
    memory: Mapping[str, Mapping[str, int]]

    @property
    def stages(self) -> list[str]:
        return self.turns.stages(OURS)

    @property
    def bounded(self) -> list[str]:
        """Stages with matrix products."""
        return self.turns.stages(BOUND)

    @property
    def others(self) -> list[str]:
        return [name for name in (PLAIN, REFERENCE) if name in self.turns.seconds]

    def parts(self) -> dict[str, Sequence[str]]:
        """Name -> stages: all stages, all but sampling if the network has it, and each stage alone."""
        rest = {"all but sampling": self.stages[1:]} if "sample" in self.stages else {}
        return {"all": self.stages, **rest, **{stage: (stage,) for stage in self.stages}}

    def ratio(self, slow: str, part: str = "all") -> Quartiles:
        return self.turns.ratio(slow, OURS, self.parts()[part])

    def over_bound(self, who: str = OURS, stage: str = "") -> Quartiles:
        """Time divided by the time of its matrix products alone."""
        return self.turns.ratio(who, BOUND, [stage] if stage else self.bounded)

    def as_json(self) -> dict[str, Any]:
        turns = self.turns
        ratios = {f"{o} / {OURS}": {part: self.ratio(o, part).as_json() for part in self.parts()} for o in self.others}
        for who in (OURS, *self.others):
            each = {stage: self.over_bound(who, stage).as_json() for stage in self.bounded}
            ratios[f"{who} / {BOUND}"] = {"all": self.over_bound(who).as_json(), **each}
        return {
            **{key: getattr(self, key) for key in ("model", "precision", "batch", "points")},
            "turns": turns.count,
            "agreement": asdict(self.agreement) if self.agreement else None,
            "ratios": ratios,
            "seconds": {w: {s: turns.time(w, (s,)).as_json() for s in turns.stages(w)} for w in turns.seconds},
            "flop": self.flop,
            "bound_gflop_per_second": {
                stage: self.flop["needed"][stage] / turns.time(BOUND, (stage,)).median / 1e9 for stage in self.bounded
            },
            "peak_bytes": self.memory,
        }


def measure(model: str, precision: Precision, batches: Sequence[int], settings: Settings) -> Iterator[Cell]:
    """Yield the cells of a model in one precision, one per batch size."""
    row, device = settings.row(model), torch.device(settings.device)
    weights = made_up_weights(row)
    ours = made_up_encoder(row, weights, device, precision)
    settings = replace(settings, points=settings.points or ours.spec.count)
    points, plain_way = settings.points or 0, PLAIN_WAYS.get(row.architecture)
    if settings.reference and row.architecture != "pointbert":
        raise InputError(f"--reference is for pointbert; {model} is of the architecture {row.architecture}")
    plain = plain_way(row.sizes, weights, device, DTYPES[precision]) if plain_way and settings.plain else None
    other = Reference(Path(settings.reference), row.sizes, weights, device) if settings.reference else None
    for batch in batches:
        with tempfile.TemporaryDirectory() as folder:
            files = contenders.write_files(Path(folder), batch, points)
            clouds = torch.from_numpy(
                contenders.prepared(ours.spec, contenders.read(files["clouds"], points), points)
            ).to(device)
            same = contenders.agreement(ours.network, plain, clouds[:CHECKED], precision, other) if plain else None
            passes: dict[str, Pass] = {OURS: staged(ours.network, clouds)}
            if plain:
                passes[PLAIN] = staged(plain, clouds)
            layers = [stage for stage in contenders.stages_of(ours.network) if stage not in GROUPING]
            with exact(device):
                needed = {who: products.products_of(run, layers) for who, run in passes.items()}
            if other:
                passes[REFERENCE] = other.pass_of(clouds)
            passes[BOUND] = products.Bound(needed[OURS], device, DTYPES[precision])
            passes[FILES] = contenders.around(ours, files, points)
            usual = CpuClock if settings.cpu_seconds else Clock
            clocks: dict[str, Any] = dict.fromkeys(passes, CudaClock if device.type == "cuda" else usual)
            clocks[FILES] = usual  # these stages do not use the GPU
            with exact(device):
                turns = take_turns(passes, clocks, settings.repeats, settings.seconds)
            flop = {("needed" if who == OURS else who): products.flop(each) for who, each in needed.items()}
            del passes
        cell = Cell(model, precision, batch, points, turns, same, flop, {})
        yield replace(cell, memory=peaks(cell, settings)) if settings.memory else cell


def peaks(cell: Cell, settings: Settings) -> dict[str, dict[str, int]]:
    """Result of `one_pass` for each contender, in its own process. Failures are printed, and have no entry."""
    result = {}
    for who in (OURS, *cell.others):
        what = f"peak memory of {who}, {cell.model}, batch {cell.batch}"
        try:
            result[who] = apart(what, one_pass, who, cell.model, cell.precision, cell.batch, asdict(settings))
        except OpenShapeError as error:  # keep the times
            print(f"note: {error}", file=sys.stderr)
    return result


def one_pass(who: str, model: str, precision: Precision, batch: int, settings: dict[str, Any]) -> dict[str, int]:
    """Memory in bytes: "loaded" before the pass, and "whole", the peak of this process (on a GPU: of torch)."""
    how = Settings(**settings)
    torch.set_num_threads(how.threads)
    row, device, points = how.row(model), torch.device(how.device), how.points or 0
    weights = made_up_weights(row)
    ours = made_up_encoder(row, weights, device, precision)
    clouds = torch.from_numpy(contenders.prepared(ours.spec, contenders.made_up_clouds(batch, points), points)).to(
        device
    )
    make: Any = partial(staged, ours.network)
    if who == REFERENCE:
        make = Reference(Path(how.reference), row.sizes, weights, device).pass_of
    elif who == PLAIN:
        make = partial(staged, PLAIN_WAYS[row.architecture](row.sizes, weights, device, DTYPES[precision]))
    del weights, ours
    cuda = device.type == "cuda"
    with exact(device):
        make(clouds[:1, :FEW].contiguous())(Clock())  # loads the libraries
        run = make(clouds)
        if cuda:
            torch.cuda.reset_peak_memory_stats(device)
        loaded = torch.cuda.memory_allocated(device) if cuda else memory(forget=True)["resident"]
        run(Clock())
        return {"loaded": loaded, "whole": torch.cuda.max_memory_allocated(device) if cuda else memory()["peak"]}
