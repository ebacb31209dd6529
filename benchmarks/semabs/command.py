"""`python -m benchmarks semabs`: convert the data, train and evaluate networks, print tables of results.

    python -m benchmarks semabs convert DATASET VIEWS --split train       # a folder per split
    python -m benchmarks semabs convert OWN VIEWS --names chair table     # your views; CLIP computes the relevancies
    python -m benchmarks semabs train VIEWS --model semabs-clipspatial-vool --steps 20000 --out clipspatial.pth
    torchrun --nproc-per-node 8 -m benchmarks semabs train VIEWS --steps 20000 --out ovssc.pth    # also for evaluate
    python -m benchmarks semabs evaluate VIEWS --model semabs-ovssc --checkpoint ovssc.pth --split unseen_instances \\
        --out ours.csv                     # one file per network; views that the file has already are skipped
    python -m benchmarks semabs summarize ours=ours.csv --cutoff-from training-rooms.csv
    python -m benchmarks semabs summarize theirs=ovssc_eval_stats.pkl --published   # published results and protocol
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import textwrap
import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import options
from benchmarks.report.tables import Table
from benchmarks.semabs.frames import read_frame
from benchmarks.semabs.reader import EXTRACTORS, IMAGES, load_datum, view_files
from benchmarks.semabs.summary import (
    COLUMNS,
    METRIC,
    NYU,
    NYU_CLASSES,
    NYU_METRIC,
    SPLITS,
    best_cutoff,
    column_rows,
    curve,
    interval,
    nyu_figures,
    table,
)
from benchmarks.training.processes import gathered, joined, own_device, processes
from openshape_ood.errors import FileError, InputError
from openshape_ood.storage import DAMAGE

if TYPE_CHECKING:
    from benchmarks.semabs.texts import Texts
    from openshape_ood.views.relevancy import RelevancyEncoder

TEXTS = ("scene_id", "split", "label", "target_obj_name", "spatial_relation_name", "reference_obj_name")
PUBLISHED = Path(__file__).with_name("published.toml")
TRAINING = "train"  # name of the split with held-out training rooms


def read_rows(path: Path, metric: str = METRIC) -> list[dict[str, Any]]:
    """Read the rows of a results file, .csv or a published .pkl. Raises `FileError` if `metric` is missing."""
    try:
        if path.suffix.lower() == ".pkl":
            return frame_rows(read_frame(path), metric)
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), reader.fieldnames or ()
        _check_columns(columns, metric)
        return [{key: one if key in TEXTS else float(one) for key, one in row.items()} for row in rows]
    except (OSError, *DAMAGE) as error:
        raise FileError(f"cannot read {path} as a table of results: {error}") from error


def _check_columns(columns: Collection[str], metric: str) -> None:
    if lacking := [name for name in ("scene_id", "split", "cutoff", metric) if name not in columns]:
        hint = ". It is of NYU: give --nyu" if NYU_METRIC in columns and metric == METRIC else ""
        raise ValueError(f"it has no column {lacking[0]!r}, but {', '.join(columns) or 'none'}{hint}")


def frame_rows(columns: Mapping[str, np.ndarray], metric: str = METRIC) -> list[dict[str, Any]]:
    """Rows of a frame: texts, cut-off and one figure. Raises `ValueError` or `TypeError` if a column is missing."""
    _check_columns(columns, metric)
    used = [name for name in (*TEXTS, "cutoff", metric) if name in columns]
    rows = []
    for values in zip(*(columns[name].tolist() for name in used), strict=True):
        row = dict(zip(used, values, strict=True))
        if not all(isinstance(row[name], str) for name in used if name in TEXTS):
            raise ValueError(f"a row has {row!r}; expected texts for {', '.join(set(used) & set(TEXTS))}")
        rows.append({key: one if key in TEXTS else float(one) for key, one in row.items()})
    return rows


def converted(args: argparse.Namespace) -> None:
    from benchmarks.semabs.convert import Settings, convert, read_splits, split_files

    by = f"{args.clip} {args.checkpoint.name if args.checkpoint else args.pretrained}"
    settings = Settings(
        args.image, args.extractor, tuple(listed(args.names)), args.preset, args.seed, by, args.split or ""
    )
    rank, world = processes()

    @cache
    def encoder() -> RelevancyEncoder:
        from openshape_ood.views.relevancy import RelevancyEncoder

        how: dict[str, Any] = {"checkpoint": args.checkpoint, "device": own_device(args.device)}
        return RelevancyEncoder.from_pretrained(args.clip, args.pretrained, **how)

    if args.split_file and not args.split:
        raise InputError("--split-file was given without --split. Expected the name of a split. Give --split NAME")
    if not (args.split or rank) and (files := split_files(args.dataset)):
        parts = ", ".join(f"{name} ({len(own)})" for name, own in read_splits(files[0]).items())
        print(
            f"note: all views are converted into one folder; {files[0].name} divides them into {parts}. "
            "--split NAME converts one",
            file=sys.stderr,
        )
    for path, made in convert(
        args.dataset, args.views, settings, encoder, slice(rank, None, world), split_file=args.split_file
    ):
        print(f"{path}{f', relevancies by {by}' * made}", flush=True)


def listed(names: Sequence[str]) -> list[str]:
    """The names, or the lines of the .txt file that is given as the only name."""
    if len(names) != 1 or not names[0].endswith(".txt"):
        return list(names)
    lines = Path(names[0]).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip()]


def evaluate(args: argparse.Namespace) -> None:
    from benchmarks.semabs.evaluation import result_rows
    from openshape_ood.views.completion import Completer

    completer = Completer.from_pretrained(args.model, checkpoint=args.checkpoint, device=own_device(args.device))
    texts = named(args.text, completer.network.sizes.head)
    paths = view_files(args.views)
    before = (
        read_rows(args.out, NYU_METRIC if args.split == NYU else METRIC)
        if args.out.is_file() and args.out.stat().st_size
        else []
    )
    columns, done = list(before[0]) if before else [], {(row["scene_id"], row["split"]) for row in before}

    def rows_of(path: Path) -> tuple[str, list[dict[str, Any]]]:
        datum = load_datum(path)
        if (datum.scene_id, args.split) in done:
            return f"{path.name} is in {args.out}", []
        return path.name, list(result_rows(datum, completer, args.split, args.points, args.seed, texts))

    with joined(args.device) as (rank, world):
        for start in range(0, len(paths), world):  # one view per process; process 0 writes, in the order of the files
            part = paths[start + rank : start + rank + 1]
            for line, rows in (one for some in gathered([rows_of(path) for path in part]) for one in some):
                if rank:
                    continue
                if rows:
                    add_rows(args.out, rows, columns)
                    columns = list(rows[0])
                print(line, flush=True)


def add_rows(path: Path, rows: list[dict[str, Any]], columns: list[str]) -> None:
    """Append all rows of a view in one write, so that a killed run leaves no partial view.

    columns: those of the existing file, or [].
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    if not columns:
        writer.writeheader()
    elif columns != writer.fieldnames:
        raise InputError(f"{path} has results of another kind of network; give another --out")
    writer.writerows(rows)
    with path.open("ab") as file:
        file.write(text.getvalue().encode())


def named(text: Path | None, head: str) -> Texts | None:
    """Embeddings of names, for networks with a text head."""
    from benchmarks.semabs.texts import texts_of

    return texts_of(text, head) if head.startswith("text") else None


def train(args: argparse.Namespace) -> None:
    from benchmarks.semabs.training import Recipe, train
    from openshape_ood.registry import find_checkpoint

    row = find_checkpoint(args.model, kinds=("completion",))
    sizes: Any = row.sizes
    options.check(args, steps=1, warm=1, asked=1, points=1, queries=1, every=1)
    recipe = Recipe(args.steps, args.warm, args.lr, args.asked, args.points, args.queries, args.seed, args.balance)
    texts = named(args.text, sizes.head)
    with joined(args.device) as (rank, _):
        for record in train(args.views, row, args.out, recipe, texts, own_device(args.device), args.every):
            if not rank:
                print(json.dumps(record), flush=True)


def summarize(args: argparse.Namespace) -> None:
    tasks, usual = [], NYU_METRIC if args.nyu else METRIC
    metric = args.metric or usual
    for name, path in (one for given in args.results for one in tables(given)):
        rows = read_rows(path, metric)
        for line in summary(name, rows, args.published, args.cutoff_from, metric, args.nyu):
            print(line)
        tasks.append("nyu" if args.nyu else "ovssc" if rows and "label" in rows[0] else "vool")
    if metric == usual:  # published figures exist for this metric only
        print(*(line for task in dict.fromkeys(tasks) for line in published_table(task)), sep="\n")


def tables(given: str) -> list[tuple[str, Path]]:
    """Name and file of each table of results; for a folder, of all published tables in it."""
    name, _, place = given.rpartition("=")
    path = Path(place)
    if not path.is_dir():
        return [(name or path.stem, path)]
    files = sorted(path.rglob("*_eval_stats*.pkl"))
    if not files:
        raise FileError(f"{path} holds no *_eval_stats.pkl. Expected the folder of published results. Give a file.")
    folders = [one.parent.relative_to(path).as_posix() for one in files]
    return [
        ("/".join(part for part in (name, folder, one.stem) if part not in ("", ".")), one)
        for folder, one in zip(folders, files, strict=True)
    ]


def published_table(task: str) -> list[str]:
    """Markdown table of the published figures of a task (ovssc, vool or nyu), followed by their source."""
    published = tomllib.loads(PUBLISHED.read_text(encoding="utf-8"))
    rows = [tuple(f"{one:.1f}" if isinstance(one, float) else one for one in row) for row in published[task]["rows"]]
    source = published[task].get("source", published["source"])
    return [Table(tuple(published[task]["head"]), tuple(rows)).markdown(), "", *textwrap.wrap(source, 120), ""]


def summary(
    name: str,
    rows: list[dict[str, Any]],
    published: bool,
    cutoff_from: Path | None,
    metric: str = METRIC,
    nyu: bool = False,
) -> list[str]:
    """Markdown table of results, followed by the cut-off and the curve it was chosen on; nyu: one column per class."""
    chosen_on = [row for row in rows if published or row["split"] == TRAINING]
    if cutoff_from:
        chosen_on = read_rows(cutoff_from, metric)
    others = sorted({row.get("label", "") for row in rows} - set(NYU_CLASSES)) if nyu else []
    if nyu:
        chosen_on = [row for row in chosen_on if row.get("label") in NYU_CLASSES]
    if not chosen_on:
        raise InputError(
            f"{name}: it has no results on held-out training rooms, where the cut-off is chosen. Expected them with "
            f"--cutoff-from, or in the same file with the split {TRAINING!r}. Or use --published, which chooses it on "
            "the test data"
        )
    cutoff = best_cutoff(chosen_on, metric)
    at, lines = [row for row in rows if abs(row["cutoff"] - cutoff) < 1e-6], []
    columns = (*NYU_CLASSES, "mean") if nyu else COLUMNS
    if nyu:
        test = [row for row in rows if row["split"] != TRAINING]
        lines.append(("all", *(f"{one:.1f}" for one in nyu_figures(test, cutoff, metric))))
    for label, figures in ({} if nyu else table(rows, cutoff, published, metric)).items():
        cells = [f"{one:.1f}" for one in figures]
        if label == "all" and not published:
            spans = [interval(column_rows(at, column, published), column, metric) for column in COLUMNS]
            cells = [f"{one} ({low:.1f}–{high:.1f})" for one, (low, high) in zip(cells, spans, strict=True)]
        lines.append((label, *cells))
    how = "on the same rows, as published" if published else "on held-out training rooms"
    means = ", ".join(f"{at:g}: {100 * mean:.1f}" for at, mean in curve(chosen_on, metric).items())
    drawn = Table((name, *columns), tuple(lines)).markdown()
    left = [f"Left out, because NYU's table has no such class: {', '.join(others)}", ""] if others else []
    return [drawn, "", f"Cut-off {cutoff:g}, chosen {how}. Mean at each cut-off: {means}", "", *left]


def parser() -> argparse.ArgumentParser:
    made = options.Parser(
        prog="python -m benchmarks semabs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("convert", help="convert published HDF5 files, or your views, to npz files")
    one.add_argument(
        "dataset", type=Path, help="a folder of .hdf5 files, or of views with scans, see docs/results/views.md"
    )
    one.add_argument("views", type=Path)
    one.add_argument("--image", choices=IMAGES, default=IMAGES[0], help="(default: %(default)s)")
    one.add_argument(
        "--extractor", choices=EXTRACTORS, default=EXTRACTORS[0], help="kind of relevancies (default: %(default)s)"
    )
    words = "convert only the views of this split of a published data set, such as train or unseen_instances"
    one.add_argument("--split", metavar="NAME", help=words)
    words = "file of the splits (default: DATASET/vool_split.pkl, as in the published evaluation; else ssc_split.pkl)"
    one.add_argument("--split-file", type=Path, metavar="FILE", help=words)
    group = one.add_argument_group("relevancies, if the files have none")
    words = "names to find in your views, or a .txt file with one name per line (default: all names of the scan)"
    group.add_argument("--names", nargs="+", default=[], metavar="NAME", help=words)
    group.add_argument("--preset", default="ours", help="ours, chefer_et_al or quick (default: %(default)s)")
    group.add_argument("--clip", default="ViT-B-32", metavar="MODEL", help="a ViT of open_clip (default: %(default)s)")
    group.add_argument("--pretrained", default="openai", metavar="TAG", help="weights of it (default: %(default)s)")
    group.add_argument("--checkpoint", type=Path, help="a file with its weights")
    group.add_argument("--seed", type=int, default=0)
    group.add_argument("--device")
    one.set_defaults(run=converted)
    one = commands.add_parser("train", help="train a network by the published recipe; resumes from the state of --out")
    one.add_argument("views", type=Path)
    one.add_argument("--model", default="semabs-ovssc", help="a row of kind completion (default: %(default)s)")
    one.add_argument("--import", **options.OPTIONS["import"])
    one.add_argument(
        "--out", type=Path, required=True, help="a .pth file in the published layout; the log is <out>.jsonl"
    )
    one.add_argument("--steps", type=int, required=True, help="training steps of one view each")
    one.add_argument("--warm", type=int, default=1024, help="warm-up steps of the learning rate (default: %(default)s)")
    one.add_argument("--lr", type=float, default=1e-3)
    one.add_argument("--asked", type=int, default=4, help="classes or descriptions per view (default: %(default)s)")
    one.add_argument("--points", type=int, default=80_000, help="points per view (default: %(default)s)")
    words = "queries per class or description (default: %(default)s)"
    one.add_argument("--queries", type=int, default=400_000, help=words)
    one.add_argument("--balance", action="store_true", help="weight positive and negative queries by inverse frequency")
    words = "steps between two log lines and saved states (default: %(default)s)"
    one.add_argument("--every", type=int, default=500, help=words)
    one.add_argument("--text", type=Path, help="embeddings of names, as in evaluate")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--device")
    one.set_defaults(run=train)
    one = commands.add_parser("evaluate", help="evaluate a network on converted views; writes a table of results")
    one.add_argument("views", type=Path)
    one.add_argument("--model", default="semabs-ovssc", help="a row of kind completion (default: %(default)s)")
    one.add_argument("--import", **options.OPTIONS["import"])
    one.add_argument("--checkpoint", type=Path, help="weights file of the network")
    one.add_argument("--split", choices=(*SPLITS, NYU, TRAINING), required=True)
    one.add_argument(
        "--out", type=Path, required=True, help="a .csv file for this network; an existing one is extended"
    )
    one.add_argument("--points", type=int, default=80_000, help="points per view (default: %(default)s)")
    words = ".npz file with names (k,) and vectors (k, t), for networks with a text head (default: CLIP)"
    one.add_argument("--text", type=Path, help=words)
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--device")
    one.set_defaults(run=evaluate)
    one = commands.add_parser("summarize", help="print tables of results, one column per split")
    words = "a .csv of evaluate, a published .pkl, or a folder of published ones"
    one.add_argument("results", nargs="+", metavar="[NAME=]FILE", help=words)
    how = one.add_mutually_exclusive_group()
    how.add_argument("--cutoff-from", type=Path, help="results on held-out training rooms, which choose the cut-off")
    how.add_argument(
        "--published", action="store_true", help="published protocol: cut-off and novel classes from all rows"
    )
    one.add_argument("--nyu", action="store_true", help="one column per class of NYU, for results of the split nyu")
    one.add_argument("--metric", help=f"(default: {METRIC}, with --nyu {NYU_METRIC})")
    one.set_defaults(run=summarize)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return options.finish(lambda: args.run(args))
