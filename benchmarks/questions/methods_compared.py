"""Methods over several data seeds or numbers of examples; part of `benchmarks scores`.

Each data seed repeats the whole measurement with other generated shapes, or with `--shots` with other examples. The
difference of a method to the default of its group is paired within each data seed. Intervals are 95 % by Student's t
over the data seeds, without correction for the number of methods. With many methods, some differences exclude 0 by
chance.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from benchmarks.intervals import over_seeds
from benchmarks.report.tables import Table, change, percent
from openshape_ood.scoring import DEFAULTS
from openshape_ood.storage import csv_cell

if TYPE_CHECKING:
    from benchmarks.questions.scores import Row

Drawn = Mapping[int, Sequence["Row"]]  # data seed -> rows of all benchmarks


def compared_rows(drawn: Drawn, shots: int | None) -> list[dict[str, Any]]:
    """One row per benchmark and method, from the rows of each data seed.

    Returns
    -------
    list of dict
        `shots`: examples per class, None for all; 0 for methods by names if `shots` is given. `auroc`, `fpr95`: mean,
        low, high as fractions, and the value of each data seed; with a single data seed the interval is a bootstrap
        over shapes. `difference`: mean, low, high of the AUROC minus that of `versus`, the default of the group; None
        for the default, and for a single data seed.
    """
    by_seed = [{(row.benchmark, row.method): row for row in rows} for rows in drawn.values()]
    result = []
    for (benchmark, method), first in by_seed[0].items():
        rows, versus = [rows[benchmark, method] for rows in by_seed], DEFAULTS[first.known_by]
        number = 0 if shots and first.known_by == "names" else shots
        words = {"shots": number, "benchmark": benchmark, "known_by": first.known_by, "method": method}
        figures: dict[str, Any] = {name: _figure([getattr(row, name) for row in rows]) for name in ("auroc", "fpr95")}
        figures["accuracy"] = round(sum(row.accuracy for row in rows) / len(rows), 9)
        difference = None
        if len(rows) > 1 and method != versus and (benchmark, versus) in by_seed[0]:
            paired = zip(rows, by_seed, strict=True)
            difference = _rounded(
                over_seeds([row.auroc.mean - of[benchmark, versus].auroc.mean for row, of in paired], -1)
            )
        result.append(words | figures | {"versus": versus, "difference": difference})
    return result


def _figure(each: Sequence[Any]) -> dict[str, Any]:
    values = [one.mean for one in each]
    single = {"mean": values[0], "low": each[0].low, "high": each[0].high}
    return _rounded(over_seeds(values) if len(values) > 1 else single) | {"data_seeds": [round(v, 9) for v in values]}


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 9) for name, value in figures.items()}


def _ends(figure: Mapping[str, float]) -> tuple[float, ...]:
    return tuple(figure[name] for name in ("mean", "low", "high"))


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Table sorted by AUROC within each number of shots, benchmark and group; * marks intervals that exclude 0."""
    order = sorted(rows, key=lambda row: -row["auroc"]["mean"])
    keys = ("shots", "benchmark", "known_by")
    places = {place: i for i, place in enumerate(dict.fromkeys(tuple(row[key] for key in keys) for row in rows))}
    order.sort(key=lambda row: places[tuple(row[key] for key in keys)])
    cells = [
        (
            "all" if row["shots"] is None else str(row["shots"]),
            *(row["benchmark"].upper(), row["known_by"], row["method"]),
            *("{} [{}-{}]".format(*map(percent, _ends(row[name]))) for name in ("auroc", "fpr95")),
            percent(row["accuracy"]),
            change(row["difference"], "mean"),
            "" if row["difference"] is None else row["versus"],
        )
        for row in order
    ]
    head = ("shots", "data", "known by", "method", "AUROC", "FPR95", "accuracy", "AUROC beyond", "default")
    return Table(head, tuple(cells), words=4)


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, one column per number, as fractions: auroc_mean, auroc_low, ..."""
    buffer = StringIO()
    lines = [_flat(row) for row in rows]
    writer = csv.DictWriter(buffer, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerow({key: csv_cell(value) if isinstance(value, str) else value for key, value in line.items()})
    return buffer.getvalue()


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    words = {key: row[key] for key in ("shots", "benchmark", "known_by", "method", "accuracy", "versus")}
    figures = {key: row[key] or {} for key in ("auroc", "fpr95", "difference")}
    return words | {f"{key}_{end}": of.get(end) for key, of in figures.items() for end in ("mean", "low", "high")}
