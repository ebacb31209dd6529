"""What a run prints: ratios first, then stages, then memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.performance.speed.clock import Quartiles
from benchmarks.performance.speed.contenders import STAGES
from benchmarks.performance.speed.measuring import CALL, FILES, MULTIPLIED, OURS, PLAIN, Cell
from benchmarks.report.tables import Table

TITLES = {
    "read": "read (PLY)",
    "prepare": "prepare",
    "sample": "sample",
    "group": "group",
    "abstract": "set abstraction",
    "transform": "transformer",
    "score": "score",
    "read meshes": "read (OBJ) instead",
    "whole": "network, overlapped",
}
BESIDE = ("read meshes", "whole")  # in no sum: instead of another stage, or several at once
ORDER = ("read", "prepare", *STAGES, "score")
MIB = 1 << 20

RATIO_NOTE = (
    "How many times as long as ours the other takes, median [quartiles] over turns; rest: all but sampling; / bound: "
    "how many times as long as its matrix products alone a stage of ours takes. plain differs: relative difference of "
    "our embeddings from the plain way's, from the same members | each in its own way | share of members not the same."
)
STAGE_NOTE = (
    "share: of reading, preparing, embedding and scoring. ms a cloud: ON THIS MACHINE, in this run; quote ratios, not "
    "these. read (OBJ): the same shapes as meshes, their surfaces sampled; not in the sum."
)
REFERENCE_NOTE = (
    "reference: the checkout's own code, always in float32; on the CPU its sampling is dgl's, compiled, while the "
    "plain way's is a loop in Python: the rest without it stands beside. reference differs: relative difference of our "
    "embeddings from its, from the same centers."
)
MEMORY_NOTE = (
    "MiB: the most that a process held, one pass in a process of its own (and of it beyond what the libraries, the "
    "loaded network and its input held before)."
)


def words(figure: Quartiles) -> str:
    return f"{figure.median:.2f} [{figure.low:.2f}-{figure.high:.2f}]"


def ratio_table(cells: Sequence[Cell]) -> Table:
    others = list(dict.fromkeys(who for cell in cells for who in cell.embedders[1:]))
    head = ["model", "precision", "batch", "turns"]
    head += [f"{who} / ours{part}" for who in others for part in ("", ", rest")]
    calls = CALL in cells[0].turns.seconds
    head += ["plain / ours, overlapped"] * calls
    head += ["abstraction / bound", "transformer / bound", "plain differs"]
    head += ["reference differs"] * (cells[0].agreement.reference is not None)
    rows = []
    for cell in cells:
        ratios = [words(cell.ratio(who, part)) for who in others for part in ("all", "all but sampling")]
        if calls:
            ratios.append(words(cell.turns.ratio(PLAIN, CALL)))
        bounds = [words(cell.over_bound(OURS, (stage,))) for stage in MULTIPLIED]
        same = cell.agreement
        differ = [f"{same.embedding:.0e} | {same.whole:.0e} | {1 - same.members:.0e}"]
        if same.reference is not None:
            differ.append(f"{same.reference:.0e}")
        rows.append((cell.model, cell.precision, str(cell.batch), str(cell.turns.count), *ratios, *bounds, *differ))
    return Table(tuple(head), tuple(rows), words=2)


def stage_table(cells: Sequence[Cell]) -> Table:
    """A row a stage of ours: its share, its milliseconds here, the others' and its bound's time against it."""
    others = list(dict.fromkeys(who for cell in cells for who in cell.embedders[1:]))
    head = (
        "model",
        "precision",
        "batch",
        "stage",
        "share, %",
        "ms a cloud, here",
        *(f"{who} / ours" for who in others),
    )
    rows = [row for cell in cells for row in _stage_rows(cell, others)]
    return Table((*head, "ours / bound"), tuple(rows), words=4)


def seconds_of(cell: Cell) -> dict[str, float]:
    """Stage -> median seconds a batch, ours, in the order of the work; what is in no sum at the end."""
    who = {
        stage: name for name in (FILES, OURS, CALL) if name in cell.turns.seconds for stage in cell.turns.stages(name)
    }
    return {stage: cell.turns.time(who[stage], (stage,)).median for stage in (*ORDER, *BESIDE) if stage in who}


def _stage_rows(cell: Cell, others: Sequence[str]) -> list[tuple[str, ...]]:
    seconds = seconds_of(cell)
    total = sum(seconds[stage] for stage in ORDER)
    rows: list[tuple[str, ...]] = []
    for stage, time in seconds.items():
        share = "-" if stage in BESIDE else f"{100 * time / total:.1f}"
        ratios = [f"{cell.ratio(who, stage).median:.2f}" if stage in STAGES else "-" for who in others]
        bound = f"{cell.over_bound(OURS, (stage,)).median:.2f}" if stage in MULTIPLIED else "-"
        label = (cell.model, cell.precision, str(cell.batch)) if not rows else ("", "", "")
        rows.append((*label, TITLES[stage], share, f"{1000 * time / cell.batch:.2f}", *ratios, bound))
    return rows


def memory_table(cells: Sequence[Cell]) -> Table:
    measured = [cell for cell in cells if cell.memory]
    contenders = list(dict.fromkeys(who for cell in measured for who in cell.memory))
    head = ("model", "precision", "batch")
    rows = [
        (cell.model, cell.precision, str(cell.batch), *(_mib(cell.memory.get(who)) for who in contenders))
        for cell in measured
    ]
    return Table((*head, *contenders), tuple(rows), words=2)


def _mib(found: Mapping[str, int] | None) -> str:
    return "-" if found is None else f"{found['whole'] / MIB:,.0f} ({(found['whole'] - found['loaded']) / MIB:,.0f})"
