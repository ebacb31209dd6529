"""One table of trained networks and a frozen encoder on the same shapes, with every score and published figures.

A job is a training with its evaluation, or a run of the frozen encoder. The command is resumable: it skips finished
jobs and continues a stopped training.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks import options
from benchmarks.baselines.evaluation import SUPPORT, recipe_of
from benchmarks.baselines.jobs import BATCH_SIZE, GOES_ON, SUPPORT_POINTS, evaluate, file_of, train
from benchmarks.baselines.training import Recipe
from benchmarks.report.compare import Row, Run, compared, read_run, rows_of
from benchmarks.report.output import write_json
from benchmarks.report.tables import Table
from benchmarks.threedos import command as frozen
from benchmarks.threedos.published import TRAINED_MARK, Published, all_published
from benchmarks.threedos.splits import load_split
from openshape_ood.errors import FileError
from openshape_ood.storage import save_whole

# settings on generated shapes: about five minutes per training on one core; on real data, the published recipe
PER_CLASS = {"synthetic to real": 12, "synthetic": 5}
POINTS, SHAPES = 512, 8  # points per shape, shapes per step
SMALL: dict[str, dict[str, Any]] = {
    "dgcnn": {"epochs": 100, "batch": SHAPES, "points": POINTS, "rate": 0.01},
    "pn2": {"epochs": 12, "batch": SHAPES, "points": POINTS},
    "pn2_torch": {"epochs": 12, "batch": SHAPES, "points": POINTS},
}
# head -> score -> name of the score in the paper; other scores of cross-entropy have the same name there
CALLED = {
    "CE": {"L2 1-NN": "CE (L2)"},
    "cosine": {"MLS": "Cosine proto"},
    "subcenter_arcface": {"cosine 1-NN": "SubArcFace"},
    "ARPL": {"MLS": "ARPL + CS"},
}


@dataclass(frozen=True)
class Job:
    """One job of the table: `kind` is a network that is trained with `head`, or the frozen encoder, without a head."""

    kind: str
    head: str
    benchmark: str
    data_seed: int
    seed: int

    def __str__(self) -> str:
        head = f" with {self.head}" if self.head else ""
        return f"{self.kind}{head} on {self.benchmark}, data seed {self.data_seed}, seed {self.seed}"


def make(args: argparse.Namespace) -> None:
    """Run all unfinished jobs, then print and write the table."""
    jobs, took = list(_jobs(args)), defaultdict[str, list[float]](list)
    for i, job in enumerate(jobs):
        if not _done(job, args):
            started = time.monotonic()
            (_trained if job.head else _frozen)(job, args)
            took[job.kind].append(time.monotonic() - started)
        if args.progress:
            left = _left(took, [one for one in jobs[i + 1 :] if not _report(one, args).is_file()])
            print(f"{i + 1} of {len(jobs)}: {job}; about {left / 60:.0f} min left", file=sys.stderr, flush=True)
    runs = [read_run(_report(job, args)) for job in jobs]
    print(compared(runs, means=True))
    for path in write(args.out, runs):
        print(path)


def _left(took: Mapping[str, Sequence[float]], jobs: Sequence[Job]) -> float:
    """Estimated seconds of the remaining jobs.

    A job takes as long as the mean of its kind so far; without any, as long as the slowest kind.
    """
    typical = {kind: mean(seconds) for kind, seconds in took.items()}
    return sum(typical.get(job.kind, max(typical.values(), default=0.0)) for job in jobs)


def _jobs(args: argparse.Namespace) -> Iterator[Job]:
    for data_seed in [0] if args.data_root else args.data_seeds:
        for benchmark in args.sets:
            yield Job(args.model, "", benchmark, data_seed, args.seeds[0])
            for seed, network, head in product(args.seeds, args.networks, args.heads):
                yield Job(network, head, benchmark, data_seed, seed)


def _checkpoint(job: Job, args: argparse.Namespace) -> Path:
    return file_of(args, job.benchmark, job.kind, job.head, job.data_seed, job.seed)


def _report(job: Job, args: argparse.Namespace) -> Path:
    """JSON report of a job."""
    if job.head:
        copied = "-copies" if args.copies else ""
        return Path(args.out, f"{_checkpoint(job, args).stem}-on-{job.benchmark}{copied}.json")
    folder = _folder(job, args)
    return next(iter(sorted(folder.glob(f"{job.benchmark}-*.json"))), folder / f"{job.benchmark}.json")


def _folder(job: Job, args: argparse.Namespace) -> Path:
    return Path(args.out, f"frozen-{args.model}-data{job.data_seed}-seed{job.seed}")


def _done(job: Job, args: argparse.Namespace) -> bool:
    """True if the report of a job exists. Raises `FileError` if it is of other data or of another training."""
    path = _report(job, args)
    if not path.is_file():
        return False
    run = read_run(path)
    size, wanted = run.report["settings"].get("per_class"), _per_class(job.benchmark, args)
    if (run.generated and size != wanted) or run.generated == bool(args.data_root):
        kind, expected = ("real" if one else "generated" for one in (not run.generated, args.data_root))
        raise FileError(
            f"{path} is of {kind} shapes, {size} per class. Expected {expected} ones, {wanted} per class. Give another "
            "--out, or delete it"
        )
    if job.head:
        recipe = asdict(Recipe(job.kind, job.head, copies=args.copies, seed=job.seed, **_given(job, args)))
        if other := [name for name, one in recipe_of(_checkpoint(job, args)).items() if recipe.get(name) != one]:
            raise FileError(
                f"{path} is of a training with other {', '.join(other)}. Expected the recipe of this command. Give "
                "another --out, or delete it"
            )
    return True


def _per_class(benchmark: str, args: argparse.Namespace) -> int:
    return int(args.per_class or PER_CLASS[load_split(benchmark).track])


def _data(job: Job, args: argparse.Namespace) -> dict[str, Any]:
    if args.data_root:
        return {"data_root": args.data_root}
    return {"per_class": _per_class(job.benchmark, args), "data_seed": job.data_seed}


def _given(job: Job, args: argparse.Namespace) -> dict[str, Any]:
    """Settings of a training that differ from those of 3DOS."""
    small = {} if args.data_root else SMALL[job.kind]
    requested = {name: getattr(args, name) for name in ("epochs", "batch", "rate", "points")}
    return small | {name: value for name, value in requested.items() if value is not None}


def _trained(job: Job, args: argparse.Namespace) -> None:
    both = {"set": job.benchmark, "out": args.out, "seed": job.seed, "progress": args.progress, "copies": args.copies}
    both |= {"device": args.device, "data_root": None, "per_class": None, "data_seed": job.data_seed}
    both |= _data(job, args)
    training = both | {"network": job.kind, "head": job.head} | _given(job, args)
    points = (SUPPORT_POINTS, None) if args.data_root else (POINTS, POINTS)
    evaluation = both | {"ckpt": _checkpoint(job, args), "network": None, "head": None}
    evaluation |= {"support_points": points[0], "test_points": points[1], "settle": not args.data_root}
    evaluation |= {"pictures": False}
    evaluation |= {"batch_size": BATCH_SIZE, "draws": options.OPTIONS["draws"]["default"]}
    _run(lambda: options.finish(lambda: train(argparse.Namespace(**training)), GOES_ON), job)
    _run(lambda: options.finish(lambda: evaluate(argparse.Namespace(**evaluation))), job)


def _frozen(job: Job, args: argparse.Namespace) -> None:
    several = job.benchmark.startswith("sn")
    names = ["sn1", "sn2", "sn3"] if several else [job.benchmark]
    given = {"model": args.model, "out": _folder(job, args), "seeds": [job.seed], "progress": args.progress}
    given |= {"set": [job.benchmark] if several else [], "no_cache": True, "pictures": False}
    _run(lambda: frozen.run_all(frozen.settings(job.benchmark, names, **given, **_data(job, args)), names), job)


def _run(work: Callable[[], int], job: Job) -> None:
    with contextlib.redirect_stdout(sys.stderr):
        status = work()
    if status:  # the reason was printed
        raise FileError(f"{job} was not finished. Expected exit status 0. The same command resumes there")


# --- output ---


def write(out: Path, runs: Sequence[Run]) -> list[Path]:
    """Write `baselines.json` with all figures, also of each run, and `baselines.md` with a table per network."""
    rows = [row for row in rows_of(runs, means=True) if not row.published]
    each: dict[tuple[str, str, str], list[list[float]]] = defaultdict(list)
    for run in runs:
        for row in rows_of([run]):
            each[row.benchmark, row.model, row.known_by].append([row.auroc.mean, row.fpr95.mean])
    listed = [asdict(row) | {"runs": each.get((row.benchmark, row.model, row.known_by), [])} for row in rows]
    described = [
        {"file": run.name, "settings": run.report["settings"], "run": run.report.get("run"), "model": run.model}
        | {"validation_accuracy": run.report.get("validation_accuracy"), "counts": run.report["data"]["counts"]}
        for run in runs
    ]
    content = {"rows": listed, "runs": described, "figures": "fractions; runs: AUROC, FPR95 of each"}
    models = list(dict.fromkeys(run.model for run in runs))
    parts = [f"**{model}**\n\n{model_table(model, rows).markdown()}" for model in models]
    path = out / "baselines.md"
    save_whole(path, "\n\n".join([*parts, ""]).encode(), "table")
    return [write_json(out / "baselines.json", content), path]


def model_table(model: str, rows: Sequence[Row]) -> Table:
    """AUROC / FPR95 of one network or encoder: one row per score, published figures in the last columns."""
    of_model = [row for row in rows if row.model == model]
    names = [name for name in dict.fromkeys(row.benchmark for row in rows) if name != "mean"]
    labels = list(dict.fromkeys(row.known_by for row in sorted(of_model, key=lambda row: -row.auroc.mean)))
    trained = [name for name in names if TRAINED_MARK in model and _published(model, name, labels)]
    head = ("known by", *(name.upper() for name in names), *(f"published {name.upper()}" for name in trained))
    cells = {(row.known_by, row.benchmark): f"{row.auroc} / {row.fpr95}" for row in of_model}
    lines = []
    for label in labels:
        beside = [_mean_cell(_published(model, name, [label])) for name in trained]
        lines.append((label, *(cells.get((label, name), "-") for name in names), *beside))
    return Table(head, tuple(lines))


def _published(model: str, benchmark: str, labels: Sequence[str]) -> list[Published]:
    """Published rows of the same network and head, with or without corrupted copies as in this table."""
    network, _, trained = model.partition(TRAINED_MARK)
    head, support = next((head for head in CALLED if head in trained), "CE"), SUPPORT["+ copies" in trained]
    wanted = {CALLED[head][label] for label in labels if label in CALLED[head]}
    wanted |= set(labels) if head == "CE" else set()
    return [
        row
        for row in all_published()
        if row.benchmark == benchmark and row.trained and row.support == support and row.method in wanted
        if row.encoder.partition(TRAINED_MARK)[0] == network
    ]


def _mean_cell(rows: Sequence[Published]) -> str:
    if not rows:
        return "-"
    auroc, fpr95 = (mean(row.percent["both"][metric] for row in rows) for metric in ("auroc", "fpr95"))
    return f"{auroc:.1f} / {fpr95:.1f}"
