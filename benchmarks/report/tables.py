"""Tables of a run's report, as plain text, Markdown and LaTeX."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from benchmarks.report.facts import WIDTH, setting_words, wrapped
from benchmarks.threedos.published import METRICS, PARTS, REFERENCE, Published, differences_in_settings, published_rows

HEADS = {"auroc": "AUROC", "fpr95": "FPR95", "aupr_in": "AUPR-in", "aupr_out": "AUPR-out"}
CLOSED = {"accuracy": "accuracy", "balanced_accuracy": "balanced"}
MOST_TAKEN = 3
TEST_SET = "train + test of ScanObjectNN's main split, objects with background"


@dataclass(frozen=True)
class Table:
    """Head and rows of cells.

    The first `words` columns are left-aligned; with `remarks`, the last one too.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    remarks: bool = False

    def _is_words(self, column: int) -> bool:
        return column < self.words or (self.remarks and column == len(self.head) - 1)

    def text(self, width: int = WIDTH) -> str:
        """Plain text of at most `width` characters; long cells are wrapped."""
        from rich.box import Box
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        # only a line below the head, and a gap between columns
        box = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
        drawn = RichTable(box=box, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        for i, name in enumerate(self.head):
            words = self._is_words(i)
            drawn.add_column(Text(name), justify="left" if words else "right", no_wrap=not words, overflow="fold")
        for row in self.rows:
            drawn.add_row(*map(Text, row))
        file = StringIO()
        Console(file=file, width=width, color_system=None, legacy_windows=False).print(drawn)
        lines = [line.rstrip() for line in file.getvalue().splitlines()]
        rule = next(i for i, line in enumerate(lines) if line and not line.strip("- "))  # after a head of any height
        lines[rule] = "-" * max(map(len, lines[:rule] + lines[rule + 1 :]))
        return "\n".join(lines)

    def markdown(self) -> str:
        rules = [":---" if self._is_words(i) else "---:" for i in range(len(self.head))]
        rows = [[markdown_words(cell) for cell in row] for row in (self.head, *self.rows)]
        return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], rules, *rows[1:]))

    def latex(self) -> str:
        """A tabular environment with booktabs rules."""
        columns = "".join("l" if self._is_words(i) else "r" for i in range(len(self.head)))
        head, *rows = (" & ".join(map(latex_words, row)) + r" \\" for row in (self.head, *self.rows))
        lines = [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            head,
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
        ]
        return "\n".join([*lines, ""])


def latex_words(words: str) -> str:
    """Escape text for LaTeX."""
    marks = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"}
    return "".join(marks.get(c, f"\\{c}" if c in "&%$#_{}" else c) for c in " ".join(words.split()))


def markdown_words(words: str) -> str:
    """Escape text for a Markdown table cell."""
    plain = " ".join(words.split()).replace("&", "&amp;").replace("<", "&lt;")
    for mark in ("\\", "|", "*", "_", "`", "[", "]"):
        plain = plain.replace(mark, f"\\{mark}")
    return plain


def percent(fraction: float | None) -> str:
    """Fraction as percent with one digit; "-" for None and NaN."""
    if fraction is None or math.isnan(fraction):
        return "-"
    # 1e-9: 74.85 as a float is slightly too small and would be rounded down
    return f"{100 * fraction + 1e-9:.1f}"


def mean_and_spread(figure: Mapping[str, Any]) -> str:
    """Mean and standard deviation as "95.5 ±0.2", or "95.5" for a single seed."""
    spread = f" ±{percent(figure['spread'])}" if len(figure["seeds"]) > 1 else ""
    return percent(figure["mean"]) + spread


def with_interval(figure: Mapping[str, Any]) -> str:
    """Mean, standard deviation and interval as "95.5 ±0.2 [95.1-95.9]"."""
    return f"{mean_and_spread(figure)} [{percent(figure['low'])}-{percent(figure['high'])}]"


def method_label(result: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> str:
    """Kind of known classes (names, prototypes, ...), followed by the score if several results share the kind."""
    alike = [other for other in results if other["known_by"] == result["known_by"]]
    return result["known_by"] if len(alike) == 1 else f"{result['known_by']}: {result['score']}"


def figures_table(report: Mapping[str, Any]) -> Table:
    """One row per method and novel set, one column per figure, in percent."""
    rows: list[tuple[str, ...]] = []
    for result in report["results"]:
        label = method_label(result, report["results"])
        for part in (part for part in PARTS if part in result):
            cells = [(with_interval if m in METRICS[:2] else mean_and_spread)(result[part][m]) for m in METRICS]
            closed = [mean_and_spread(result[key]) if part == "both" else "" for key in CLOSED]
            rows.append((label, part, *cells, *closed))
            label = ""
    return Table(("known by", "against", *HEADS.values(), *CLOSED.values()), tuple(rows), words=2)


def published_table(rows: Sequence[Published], report: Mapping[str, Any], differs: bool = False) -> Table:
    """Published rows in the columns of `figures_table`; `differs` adds a column of differences in settings."""
    cells: list[tuple[str, ...]] = []
    for row in rows:
        label, remark = (row.encoder, row.label, row.source.name), differences_in_settings(row, report)
        for part, figures in row.percent.items():
            closed = [_known(getattr(row, key)) if part == "both" else "" for key in CLOSED]
            line = (*label, part, *(_known(figures.get(metric)) for metric in METRICS), *closed)
            cells.append((*line, remark) if differs else line)
            label, remark = ("", "", ""), ""
    head = ("encoder", "method", "source", "against", *HEADS.values(), *CLOSED.values())
    return Table((*head, "differs in") if differs else head, tuple(cells), words=4, remarks=differs)


def _known(figure: float | None) -> str:
    return "-" if figure is None else percent(figure / 100)


def sources_of(rows: Sequence[Published], mark: str = "") -> list[str]:
    """Sources of the rows, without repeats. `where` is not escaped, because it may have Markdown code."""
    sources = {row.source.name: row.source for row in rows}.values()
    return [f"{mark}{source.name}{mark}: {source.where}. {source.what}" for source in sources]


def run_table(report: Mapping[str, Any]) -> str:
    """Figures of a run, notes on them, and published figures."""
    lines = [figures_table(report).text(), wrapped(FIGURES_NOTE), *map(wrapped, printed_accuracy(report))]
    if (accepted := accepted_table(report)).rows:
        lines += ["", wrapped(ACCEPTED_NOTE), accepted.text()]
    return "\n".join([*lines, "", published_text(report)])


FIGURES_NOTE = (
    "percent: mean over the seeds ±their standard deviation [bootstrap 95 % interval]; known is the positive class; "
    "FPR95 is the fraction of novel shapes accepted by the threshold that keeps 95 % of the known ones"
)


def published_text(report: Mapping[str, Any]) -> str:
    """Published figures as text, or the reason why none are shown."""
    rows = published_rows(report["benchmark"], report["provenance"]["identity"]["checkpoint"])
    if report["data"]["generated"] or not rows:
        return wrapped(why_none_published(report))
    head = wrapped(f"Published figures, of one or a few runs each. {same_test_set(report)}")
    return "\n".join([head, published_table(rows, report).text(), *map(wrapped, sources_of(rows))])


def why_none_published(report: Mapping[str, Any]) -> str:
    """Sentence that says why no published figures are shown."""
    if report["data"]["generated"]:
        return "Published figures are not shown: they are on real data, and these shapes are generated."
    return f"No published figures on {report['benchmark'].upper()} are known."


def same_test_set(report: Mapping[str, Any]) -> str:
    """Sentence that says whether published figures and ours are on the same shapes."""
    if report["data"]["differs"] or report["data"]["absent"]:
        return f"They are on the whole test set ({TEST_SET}); THE DATA OF THIS RUN DIFFER FROM THE PUBLISHED ONES."
    return f"They are on the same test set ({TEST_SET}), except where noted below."


def printed_accuracy(report: Mapping[str, Any]) -> list[str]:
    """Lines with the accuracy by prototypes as the 3DOS code prints it, and the correct one."""
    return [
        f"{result['known_by']}: accuracy as the 3DOS code prints it: {mean_and_spread(printed)} (it reads the "
        f"prototype's index in the labels of the support); the correct accuracy: {mean_and_spread(result['accuracy'])}"
        for result in report["results"]
        if (printed := result.get("printed_accuracy"))
    ]


ACCEPTED_NOTE = (
    "accepted as known, percent: the threshold of each seed keeps 95 % of the validation shapes; mean over the seeds:"
)


def accepted_table(report: Mapping[str, Any]) -> Table:
    """Percent of shapes that the thresholds of each method accept. Without validation shapes the table is empty."""
    results = report["results"]
    kept = {method_label(result, results): result["kept"] for result in results if result.get("kept")}
    parts = [part for part in ("known", "novel1", "novel2") if any(part in shares for shares in kept.values())]
    rows = [(label, *(percent(shares[p]) if p in shares else "-" for p in parts)) for label, shares in kept.items()]
    return Table(("known by", *parts), tuple(rows))


def confusion_table(report: Mapping[str, Any]) -> str:
    """Nearest known classes of each novel class, as text; "" if the report has none."""
    table = taken_for(report)
    return f"nearest known classes of novel shapes (percent of each novel class):\n{table.text()}" if table.rows else ""


def taken_for(report: Mapping[str, Any]) -> Table:
    """One row per novel class, one column per method: its most frequent nearest known classes, with percentages.

    Methods with equal results share a column, for example all scores of one classifier.
    """
    results, alike = report["results"], dict[str, list[Mapping[str, Any]]]()
    for result in results:
        alike.setdefault(json.dumps(result["confusion"]), []).append(result)
    novel = dict.fromkeys(title for result in results for title in result["confusion"])

    def taken(shares: Mapping[str, float]) -> str:
        ranked = sorted(shares.items(), key=lambda pair: -pair[1])[:MOST_TAKEN]
        return ", ".join(f"{title} {100 * share:.0f}" for title, share in ranked if share > 0)

    rows = [(title, *(taken(same[0]["confusion"].get(title, {})) for same in alike.values())) for title in novel]
    labels = [", ".join(method_label(result, results) for result in same) for same in alike.values()]
    head = ("novel class", *(f"by {label}" for label in labels))
    return Table(head, tuple(rows), words=len(head))


def spreadsheet_lines(report: Mapping[str, Any]) -> list[str]:
    """Line of each method as the 3DOS code prints it: AUROC, FPR95, AUPR-in, AUPR-out of each novel set, as fractions.

    The protocol `semnov` prints only AUROC and FPR95, as its published run did. A benchmark with one novel set prints
    the figures of "both" only.
    """
    metrics = METRICS[:2] if report["protocol"] == REFERENCE else METRICS
    count = {2: "two", 4: "four"}[len(metrics)]
    lines = []
    for result in report["results"]:
        parts = PARTS if "novel2" in result else ("both",)
        only = "" if "novel2" in result else f" (one novel set: {count} numbers)"
        numbers = [repr(float(result[part][metric]["mean"])) for part in parts for metric in metrics]
        lines += [f"{method_label(result, report['results'])}{only}", f"to spreadsheet: {','.join(numbers)}"]
    return lines


def ablation_table(report: Mapping[str, Any]) -> str:
    """Effect of each switch as text, one table per figure; "" for a run without switches."""
    tables = ablation_tables(report)
    blocks = [f"{title}, change in points\n{table.text()}" for title, table in tables.items()]
    return "\n\n".join([*blocks, wrapped(ABLATION_NOTE)] if blocks else [])


ABLATION_NOTE = (
    "Each row changes one setting of this run. [95 % interval] of the change, paired over the same shapes; * if it "
    "excludes 0. AUROC and FPR95 are for known against novel 1 and 2 together; a lower FPR95 is better. A dash: the "
    "setting does not affect the method. Names have no support and no raw features; examples have no templates."
)


def ablation_tables(report: Mapping[str, Any]) -> dict[str, Table]:
    """Figure -> table with one row per switch and one column per method."""
    entries = report.get("ablation") or []
    methods = list(dict.fromkeys(entry["known_by"] for entry in entries))
    tables = {}
    for key, title in {"auroc": "AUROC", "fpr95": "FPR95", "accuracy": "accuracy"}.items():
        cells: dict[tuple[str, ...], dict[str, str]] = {}
        for entry in entries:
            row = cells.setdefault(tuple(setting_words(entry[k]) for k in ("switch", "from", "to")), {})
            row[entry["known_by"]] = change(entry.get(key)) or "-"
        rows = [(*switch, *(row.get(method, "-") for method in methods)) for switch, row in cells.items()]
        if any(cell != "-" for row in rows for cell in row[3:]):
            tables[title] = Table(("switch", "from", "to", *(f"by {m}" for m in methods)), tuple(rows), words=3)
    return tables


def change(figure: Mapping[str, float] | None, key: str = "difference") -> str:
    """Difference in points with its interval, and a star if the interval excludes 0; "" for None.

    >>> change({"mean": 0.012, "low": 0.001, "high": 0.02}, "mean"), change(None)
    ('+1.2 [+0.1 to +2.0] *', '')
    """
    if figure is None:
        return ""
    mark = " *" if figure["low"] > 0 or figure["high"] < 0 else ""
    middle, low, high = (f"{100 * figure[name]:+.1f}" for name in (key, "low", "high"))
    return f"{middle} [{low} to {high}]{mark}"
