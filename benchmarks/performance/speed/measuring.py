"""One cell of the benchmark: a model, a precision, a batch size."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.performance.speed import memory, products
from benchmarks.performance.speed.clock import Clock, Pass, Quartiles, Turns, clock_for, take_turns
from benchmarks.performance.speed.contenders import (
    BATCHES,
    DTYPES,
    STAGES,
    Agreement,
    agreement,
    load_ours,
    overlapped,
    staged,
)
from benchmarks.performance.speed.pipeline import around, prepared, read, write_files
from benchmarks.performance.speed.plain import PlainPointBERT, random_weights
from benchmarks.performance.speed.reference import Reference
from openshape_ood.encoders.shape_encoder import Precision
from openshape_ood.errors import OpenShapeError
from openshape_ood.registry.rows import Row, find_checkpoint

OURS, PLAIN, REFERENCE, BOUND, FILES, CALL = "ours", "plain", "reference", "bound", "files", "overlapped"
ON_HOST: Mapping[str, Callable[[], Clock]] = {
    FILES: Clock,
    CALL: partial(Clock, of=BATCHES),
}  # whose end the CPU waits for
MULTIPLIED = ("abstract", "transform")  # the stages that have a bound
CHECKED = 4  # clouds, at most, on which the contenders are compared
PARTS = {"all": STAGES, "all but sampling": STAGES[1:], **{stage: (stage,) for stage in STAGES}}


@dataclass(frozen=True)
class Settings:
    """What holds for all cells; points None: what the model was trained with."""

    device: torch.device
    threads: int
    points: int | None
    repeats: int | None
    seconds: float
    reference: Path | None
    memory: bool


@dataclass(frozen=True)
class Cell:
    """What was seen: times turn by turn, agreement, operations, bytes."""

    model: str
    precision: str
    batch: int
    points: int
    turns: Turns
    agreement: Agreement
    flop: Mapping[str, Mapping[str, int]]
    memory: Mapping[str, Mapping[str, int]]

    @property
    def embedders(self) -> list[str]:
        return [name for name in (OURS, PLAIN, REFERENCE) if name in self.turns.seconds]

    def ratio(self, slow: str, part: str = "all", fast: str = OURS) -> Quartiles:
        return self.turns.ratio(slow, fast, PARTS[part])

    def over_bound(self, who: str, stages: Sequence[str] = MULTIPLIED) -> Quartiles:
        """How many times as long as its matrix products alone."""
        return self.turns.ratio(who, BOUND, stages)

    def as_json(self) -> dict[str, Any]:
        turns = self.turns
        return {
            "model": self.model,
            "precision": self.precision,
            "batch": self.batch,
            "points": self.points,
            "turns": turns.count,
            "agreement": self.agreement.as_json(),
            "ratios": {
                **{
                    f"{who} / {OURS}": {part: self.ratio(who, part).as_json() for part in PARTS}
                    for who in self.embedders[1:]
                },
                **{
                    f"{who} / {BOUND}": {
                        name: self.over_bound(who, stages).as_json()
                        for name, stages in {"both": MULTIPLIED, **{s: (s,) for s in MULTIPLIED}}.items()
                    }
                    for who in self.embedders
                },
            },
            "seconds": {
                who: {stage: turns.time(who, (stage,)).as_json() for stage in turns.stages(who)}
                for who in turns.seconds
            },
            "flop": self.flop,
            "bound_gflop_per_second": {
                stage: self.flop["needed"][stage] / turns.time(BOUND, (stage,)).median / 1e9 for stage in MULTIPLIED
            },
            "peak_bytes": self.memory,
        }


def measure(model: str, precision: Precision, batches: Sequence[int], settings: Settings) -> Iterator[Cell]:
    """The cells of a model in one precision, one after another."""
    row = find_checkpoint(model)
    points = settings.points or row.spec.count
    weights = random_weights(row.sizes)
    plain = PlainPointBERT(row.sizes, weights, settings.device, DTYPES[precision])
    ours = load_ours(row, weights, settings.device, precision)
    other = Reference(settings.reference, row.sizes, weights, settings.device) if settings.reference else None
    for batch in batches:
        with tempfile.TemporaryDirectory() as folder:
            files = write_files(Path(folder), batch, points)
            clouds = torch.from_numpy(prepared(row, read(files.clouds, points), points)).to(settings.device)
            same = agreement(ours.network, plain, clouds[:CHECKED], precision, other)
            passes: dict[str, Pass] = {OURS: staged(ours.network, clouds), PLAIN: staged(plain, clouds)}
            if other:
                passes[REFERENCE] = other.pass_of(clouds)
            passes[BOUND] = _bound(row, batch, points, settings.device, precision)
            passes[FILES] = around(row, files, points)
            if settings.device.type == "cuda":
                passes[CALL] = overlapped(ours, clouds)
            clocks = {name: ON_HOST.get(name, clock_for(settings.device)) for name in passes}
            turns = take_turns(passes, clocks, settings.device, settings.repeats, settings.seconds)
            del passes
        yield Cell(
            model=model,
            precision=precision,
            batch=batch,
            points=points,
            turns=turns,
            agreement=same,
            flop={
                "plain": products.flop(products.plain(row.sizes, batch)),
                "needed": products.flop(products.needed(row.sizes, batch, points)),
            },
            memory=_memory(model, precision, batch, points, settings) if settings.memory else {},
        )


def _bound(row: Row, batch: int, points: int, device: torch.device, precision: str) -> products.Bound:
    return products.Bound(list(products.needed(row.sizes, batch, points)), device, DTYPES[precision])


def _memory(model: str, precision: Precision, batch: int, points: int, settings: Settings) -> dict[str, dict[str, int]]:
    where = (str(settings.device), settings.threads, str(settings.reference) if settings.reference else None)
    contenders = [OURS, PLAIN, *([REFERENCE] if settings.reference else [])]
    found = {}
    for who in contenders:
        try:
            found[who] = memory.peak(memory.Asked(who, model, precision, batch, points, *where))
        except OpenShapeError as error:  # the times are worth keeping
            print(f"note: {error}", file=sys.stderr)
    return found
